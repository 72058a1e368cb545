#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon on the memory of an older version: tests/data/make-memory-v1.sh tells what is in it."""
import gzip
import unittest

import varvetest

OLD = varvetest.ROOT / "tests/data/memory-v1.db.gz"
RECORDS = 6 * 68 + 5 + 2 + 800


class Migrate(varvetest.Case):
    def old(self, **kwargs):
        d = self.daemon(start=False, **kwargs)
        d.state.mkdir(mode=0o700, exist_ok=True)
        d.database.write_bytes(gzip.decompress(OLD.read_bytes()))
        return d

    def test_old_answers_still_come(self):
        d = self.old()
        d.start()
        found = d.varve("search", "anna accepted key", "--limit", "5", "--json").json()
        self.assertEqual(found["items"][0]["stream"], "gate")
        self.assertIn("anna", d.varve("raw", found["items"][0]["id"]).out)
        self.assertFalse(d.varve("ask", "boiler", "--json").json()["absent"])
        days = d.varve("timeline", "--stratum", "3", "--json").json()["items"]
        self.assertTrue(days)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)
        self.assertEqual(len(d.records()), RECORDS)

    def test_models_know_what_they_had_learnt(self):
        d = self.old()
        d.start()
        client = d.client()
        client.call("stream.open", name="gate", kind="text")
        client.append("gate", [f"gate sshd[{700 + i}]: Accepted key for ben from 10.0.0.7 port {4000 + i}"
                               for i in range(60)])
        client.call("stream.flush", stream="gate")
        new = d.varve("surprise", "--since", "-1h", "--stream", "gate", "--json").json()["items"]
        self.assertFalse([i for i in new if "first" in i["why"]], new)
        self.assertEqual(d.stop(), 0)

    def test_an_old_file_is_salvaged_like_a_new_one(self):
        d = self.old()
        out = d.state / "whole.db"
        self.assertEqual(d.dump("--salvage", out).status, 0)
        self.assertEqual(d.dump("--verify").status, 1)
        out.rename(d.database)
        self.assertEqual(d.dump("--verify").status, 0)
        self.assertEqual(len(d.records()), RECORDS)


if __name__ == "__main__":
    unittest.main()
