#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call of the daemon fails while it forgets: a receipt is only given for what is gone, and what
was begun is at its end after the next start."""
import json
import os
import pathlib
import random
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(os.environ["VARVE_SOURCE_ROOT"]) / "tests" / "integration"))
import test_forget  # noqa: E402
import varvetest  # noqa: E402

SEED = int(os.environ.get("VARVE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
TRIES = int(os.environ.get("VARVE_FAULT_TRIES", "24"))


class Faults(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.filled = self.daemon(name="filled")
        client = self.filled.client()
        client.call("stream.open", name="auth", kind="text")
        client.append("auth", list(test_forget.lines(600, every=29)))
        client.call("stream.flush", stream="auth")
        self.filled.stop()
        self.before = self.filled.records()
        self.after = [r for r in self.before if test_forget.SECRET not in json.dumps(r)]

    def forget(self, d):
        """The receipt, or None when there is none."""
        try:
            with varvetest.Client(d.socket) as client:
                return client.call("memory.forget", match=test_forget.SECRET, confirm=True)
        except varvetest.RpcError as e:
            self.assertTrue(e.message)
        except (varvetest.Closed, OSError):
            pass
        return None

    def check_gone(self, d):
        self.assertEqual(d.records(), self.after)
        for name in ("memory.db", "memory.db-wal"):
            self.assertIsNone(test_forget.holds(d.state / name, test_forget.SECRET), name)

    def attempt(self, name, fault):
        d = self.daemon(start=False, name=name, environment={"VARVE_FAULT": fault})
        shutil.copytree(self.filled.state, d.state, dirs_exist_ok=True)
        try:
            d.start()
        except AssertionError:  # it refused to start
            self.assertIsNotNone(d.process.poll(), d.log())
        receipt = self.forget(d) if d.process.poll() is None else None
        if receipt:
            self.check_gone(d)
        if d.process.poll() is None:
            d.signal(15)
        self.assertIn(d.wait(), (0, 1), d.log())
        d.environment.pop("VARVE_FAULT")
        d.start()
        self.assertEqual(d.dump("--verify").status, 0)
        if d.records() == self.before:
            self.assertIsNone(receipt)
            self.assertTrue(self.forget(d))
        self.check_gone(d)
        d.stop()
        return bool(receipt)

    def sweep(self, site, least, most, repeat=1):
        print(f"{site}: VARVE_FAULT_SEED={SEED}")
        rng = random.Random(SEED)
        told = 0
        for number in range(TRIES):
            fault = f"{site}:{rng.randrange(least, most)}:{repeat}"
            with self.subTest(fault=fault):
                told += self.attempt(f"{site}{number}", fault)
        print(f"{told} receipts in {TRIES} tries")

    def test_allocation(self):
        self.sweep("alloc", 1500, 12000)

    def test_files(self):
        self.sweep("vfs", 60, 900, repeat=3)


if __name__ == "__main__":
    unittest.main()
