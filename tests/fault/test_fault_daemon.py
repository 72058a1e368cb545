#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call of the whole daemon fails, at many moments: allocation, file, socket.

It may refuse to start or refuse a request, with its reason. It may close a connection. It must not
crash, hang, or lose or double a record that it acknowledged.
"""
import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(os.environ["VARVE_SOURCE_ROOT"]) / "tests" / "integration"))
import varvetest  # noqa: E402

SEED = int(os.environ.get("VARVE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
TRIES = int(os.environ.get("VARVE_FAULT_TRIES", "24"))
BATCHES, BATCH = 6, 40


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
        self.assertGreater(refused, 0, "no fault was felt: the hooks are not compiled in")

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
        while d.process.poll() is None:
            try:
                client = varvetest.Client(d.socket)
                d.clients.append(client)
                return client
            except OSError:
                try:
                    d.process.wait(0.005)
                except varvetest.subprocess.TimeoutExpired:
                    pass
        return None

    def feed(self, d):
        """Sends each batch until it is acknowledged, three times at most."""
        self.acked, refused, client = 0, 0, None
        for batch in range(BATCHES):
            for _ in range(3):
                client = client or self.connect(d)
                if not client:
                    return refused
                try:
                    client.call("stream.open", name="s", kind="text")
                    first = batch * BATCH + 1
                    self.acked = max(self.acked, client.append(
                        "s", [{"seq": str(seq), "text": f"record {seq} says something"}
                              for seq in range(first, first + BATCH)]))
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
        done = d.dump("--records")
        if done.status != 0:
            self.assertEqual(self.acked, 0, done.err)
            return
        records = done.lines()
        seqs = [int(r["seq"]) for r in records]
        self.assertEqual(len(seqs), len(set(seqs)), "a record is doubled")
        self.assertEqual(set(range(1, self.acked + 1)) - set(seqs), set(), "records are missing")
        for r in records:
            self.assertEqual(r["text"], f"record {r['seq']} says something")
        d.start()  # the next start takes everything up again
        d.client().call("stream.flush", stream="s") if records else None
        self.assertEqual(d.stop(), 0)
        self.assertEqual(sorted(seqs), sorted(int(r["seq"]) for r in d.records("s")))

    def test_allocation(self):
        self.sweep("alloc", 30000)

    def test_allocation_gone_for_a_while(self):
        self.sweep("alloc", 30000, repeat=50)

    def test_files(self):
        self.sweep("vfs", 600)

    def test_files_gone_for_a_while(self):
        self.sweep("vfs", 600, repeat=20)

    def test_sockets(self):
        self.sweep("sockwrite", 30)


if __name__ == "__main__":
    unittest.main()
