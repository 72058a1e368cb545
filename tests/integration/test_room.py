#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The smallest budget there is, and records that are large beside it: what was acknowledged becomes
memories, what is too much is refused, and nothing is stuck for good."""
import random
import threading
import unittest

import varvetest


class Room(varvetest.Case):
    def words(self, count):
        return " ".join(f"{self.random.getrandbits(36):x}" for _ in range(count))

    def size(self, daemon):
        return sum(f.stat().st_size for f in daemon.state.glob("memory.db*"))

    def flush(self, client):
        """Moments may wait for room at first, each call sees some more of them written."""
        for attempt in range(40):
            try:
                return client.call("stream.flush", stream="s")
            except varvetest.RpcError as e:
                self.assertEqual(e.name, "full", str(e))
                threading.Event().wait(0.05 * attempt)
        self.fail("moments wait for room for good")

    def send(self, make, count):
        """How many were taken."""
        daemon = self.daemon("[memory]\nbudget = 2MiB\n", name=f"d{len(self.daemons)}")
        client = daemon.client()
        client.call("stream.open", name="s", kind="text")
        taken = 0
        for _ in range(count):
            try:
                taken += 1 if client.append("s", [make()]) else 0
            except varvetest.RpcError as e:
                self.assertIn(e.name, ("full", "limit"), str(e))
        self.flush(client)
        status = client.call("daemon.status")
        self.assertEqual(status["queues"]["waiting_for_room"], 0)
        client.append("s", ["one more"])
        self.flush(client)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.dump("--verify").status, 0)
        return taken

    def test_large_records(self):
        self.random = random.Random(2)
        self.assertGreater(self.send(lambda: self.words(5000), 40), 5)
        self.assertGreater(self.send(lambda: self.words(500), 400), 50)

    def test_one_too_large(self):
        self.random = random.Random(3)
        self.assertEqual(self.send(lambda: f"{self.random.getrandbits(4 * 1000 * 1000):x}", 3), 0)

    def test_forgetting_in_a_full_memory(self):
        """It takes room to give room: others go for it, and it comes to its end at once."""
        daemon = self.daemon("[memory]\nbudget = 4MiB\n", name="full")
        client = daemon.client()
        client.call("stream.open", name="s", kind="text")
        self.random = random.Random(4)
        for first in range(0, 60000, 500):
            client.append("s", [
                {"text": f"host{i % 5} sshd[{self.random.getrandbits(12)}]: session "
                         f"{self.random.getrandbits(40):x} for user{i % 17} secret{i % 97} closed",
                 "time": f"2026-11-{1 + i // 40000:02}T{i // 1700 % 24:02}:{i // 30 % 60:02}:"
                         f"{i * 2 % 60:02}Z"} for i in range(first, first + 500)])
        self.flush(client)
        for what in ({"match": "secret13 "}, {"match": "user3 "}, {"stream": "s"}):
            receipt = client.call("memory.forget", confirm=True, **what)
            self.assertGreater(receipt["records"], 0)
            self.assertEqual(daemon.dump("--verify").status, 0)
        self.assertEqual(daemon.stop(), 0)

    def test_a_budget_made_smaller(self):
        daemon = self.daemon("[memory]\nbudget = 1GiB\n", name="less")
        client = daemon.client()
        client.call("stream.open", name="s", kind="text")
        self.random = random.Random(5)
        for first in range(0, 60000, 2000):
            client.append("s", [f"line {i} of {self.words(4)}" for i in range(first, first + 2000)])
        self.flush(client)
        self.assertGreater(self.size(daemon), 8 << 20)
        daemon.configure("[memory]\nbudget = 2MiB\n")
        client.call("daemon.reload")
        for attempt in range(100):
            client.append("s", [f"meanwhile {attempt}"])
            if self.size(daemon) <= 1.02 * (2 << 20):
                break
            threading.Event().wait(0.01 * attempt)
        self.assertLessEqual(self.size(daemon), 1.02 * (2 << 20))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.dump("--verify").status, 0)


if __name__ == "__main__":
    unittest.main()
