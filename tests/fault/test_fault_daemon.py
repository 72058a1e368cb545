#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call of the whole daemon fails, at many moments: allocation, file, socket.

It may refuse to start or refuse a request, with its reason. It may close a connection. It must not
crash, hang, or lose or double a record that it acknowledged.
"""
import os
import pathlib
import random
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(os.environ["VARVE_SOURCE_ROOT"]) / "tests" / "integration"))
import varvetest  # noqa: E402

SEED = int(os.environ.get("VARVE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
TRIES = int(os.environ.get("VARVE_FAULT_TRIES", "24"))
BATCHES, BATCH = 6, 40


def text(seq):
    return f"record {seq} says something"


class Faults(varvetest.Case):
    def sweep(self, site, most, repeat=1):
        print(f"{site}: VARVE_FAULT_SEED={SEED}")
        rng = random.Random(SEED)
        refused = 0
        for number in range(TRIES):
            # Early calls are looked at more closely than late ones.
            delay = int(most ** rng.random()) - 1
            with self.subTest(fault=f"{site}:{delay}:{repeat}"):
                refused += self.attempt(f"{site}{number}", f"{site}:{delay}:{repeat}")
        return refused

    def attempt(self, name, fault):
        """Returns how often the daemon said no."""
        d = self.daemon(start=False, name=name, environment={"VARVE_FAULT": fault})
        refused = self.feed(d.spawn())
        if d.process.poll() is None:
            d.signal(15)
        status = d.wait()
        self.assertIn(status, (0, 1), d.log())
        if status == 1:
            self.assertGreater(len(d.log().strip()), 0)
            refused += 1
        d.environment.pop("VARVE_FAULT")
        if d.database.exists() and d.database.stat().st_size:
            self.check(d)
        return refused

    def connect(self, d):
        """A connection, or None when the daemon ended instead."""
        limit = time.monotonic() + varvetest.PATIENCE
        while d.process.poll() is None:
            self.assertLess(time.monotonic(), limit, "neither ready nor gone")
            try:
                client = varvetest.Client(d.socket)
                d.clients.append(client)
                return client
            except OSError:
                try:
                    d.process.wait(0.005)
                except subprocess.TimeoutExpired:
                    pass
        return None

    def feed(self, d):
        """Sends each batch until it is acknowledged, three times at most."""
        self.acked, refused, client = set(), 0, None
        for batch in range(BATCHES):
            for _ in range(3):
                client = client or self.connect(d)
                if not client:
                    return refused
                try:
                    client.call("stream.open", name="s", kind="text")
                    seqs = range(batch * BATCH + 1, batch * BATCH + BATCH + 1)
                    up_to = client.append("s", [{"seq": str(seq), "text": text(seq)}
                                                for seq in seqs])
                    self.acked |= {seq for seq in seqs if seq <= up_to}
                    client.call("stream.flush", stream="s")
                    client.call("memory.search", query="something")
                    client.call("daemon.status")
                    break
                except varvetest.RpcError as e:
                    self.assertTrue(e.message)
                    refused += 1
                except (varvetest.Closed, OSError):
                    refused += 1
                    client = None
        return refused

    def check(self, d):
        if not self.acked and d.dump("--records").status != 0:
            return  # it failed before there were tables
        records = d.records()
        seqs = [int(r["seq"]) for r in records]
        self.assertEqual(len(seqs), len(set(seqs)), "a record is doubled")
        self.assertEqual(self.acked - set(seqs), set(), "records are missing")
        for r in records:
            self.assertEqual(r["text"], text(int(r["seq"])))
        d.start()  # the next start takes everything up again
        if records:
            d.client().call("stream.flush", stream="s")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(sorted(seqs), sorted(int(r["seq"]) for r in d.records()))
        self.assertEqual(d.dump("--verify").status, 0)

    def test_allocation(self):
        self.assertGreater(self.sweep("alloc", 30000), 0)

    def test_allocation_gone_for_a_while(self):
        self.assertGreater(self.sweep("alloc", 30000, repeat=50), 0)

    def test_files(self):
        self.assertGreater(self.sweep("vfs", 600), 0)

    def test_files_gone_for_a_while(self):
        self.assertGreater(self.sweep("vfs", 600, repeat=20), 0)

    def test_sockets_that_take_one_byte(self):
        self.assertEqual(self.sweep("sockwrite", 30), 0)

    def test_sockets(self):
        self.assertGreater(self.sweep("sockwrite", 30, repeat=2), 0)


if __name__ == "__main__":
    unittest.main()
