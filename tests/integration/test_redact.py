#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets are taken out before anything is written, and each stream is looked at by itself."""
import unittest

import varvetest

KEY = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEAsecretsecretsecretsecret",
       "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9v", "-----END RSA PRIVATE KEY-----"]


class Redact(varvetest.Case):
    def raw_bytes(self, d):
        return b"".join(p.read_bytes() for p in d.state.iterdir() if p.is_file())

    def test_a_key_spread_over_lines_and_batches(self):
        d = self.daemon()
        one, other = d.client(), d.client()
        one.call("stream.open", name="one", kind="text")
        other.call("stream.open", name="other", kind="text")
        for i, line in enumerate(KEY):
            one.append("one", [line])
            other.append("other", [f"harmless line {i} of another stream"])
        one.append("one", ["after the key"])
        one.call("stream.flush", stream="one")
        other.call("stream.flush", stream="other")
        texts = [r["text"] for r in d.records("one")]
        self.assertEqual(texts[-1], "after the key")
        self.assertFalse([t for t in texts if "secret" in t.replace("[redacted]", "") or "Zm9v" in t])
        self.assertEqual([r["text"] for r in d.records("other")],
                         [f"harmless line {i} of another stream" for i in range(4)])
        self.assertGreater(one.call("daemon.status")["redacted"], 0)

    def test_a_pattern_of_the_configuration_and_its_reload(self):
        d = self.daemon("[redact]\npattern = badge-[0-9]+\n")
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", ["saw badge-4711 and card-99 at the door", "password=hunter2 it was"])
        d.configure("[redact]\npattern = card-[0-9]+\n")
        client.call("daemon.reload")
        client.append("s", ["then badge-4712 and card-98 left"])
        client.call("stream.flush", stream="s")
        texts = [r["text"] for r in d.records("s")]
        self.assertEqual(texts[0], "saw [redacted] and card-99 at the door")
        self.assertEqual(texts[2], "then badge-4712 and [redacted] left")
        d.configure("[redact]\npattern = (\n")
        with self.assertRaises(varvetest.RpcError):
            client.call("daemon.reload")
        client.append("s", ["card-97 again"])
        self.assertEqual(d.stop(), 0)
        raw = self.raw_bytes(d)
        for secret in (b"badge-4711", b"card-98", b"card-97", b"hunter2"):
            self.assertNotIn(secret, raw)


if __name__ == "__main__":
    unittest.main()
