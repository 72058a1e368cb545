#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""varve-dump --backup while records come in, moments are stored and spans are made of them."""
import json
import subprocess
import threading
import unittest

import varvetest

BATCH = 200
BACKUPS = 5


class Feeder(threading.Thread):
    """Appends until told to stop; `acked` is what the daemon has acknowledged."""

    def __init__(self, daemon):
        super().__init__()
        self.client = daemon.client()
        self.client.call("stream.open", name="s", kind="text")
        self.acked = 0
        self.ended = threading.Event()
        self.failed = None

    def run(self):
        try:
            hour = 0
            while not self.ended.is_set():
                records = [{"seq": str(self.acked + i + 1),
                            "time": f"2026-11-{1 + hour // 24 % 28:02}T{hour % 24:02}:{i * 60 // BATCH:02}:00Z",
                            "text": f"request {self.acked + i + 1} of user {i % 7} took {i * 3 % 101} ms"}
                           for i in range(BATCH)]
                self.client.call("stream.append", stream="s", records=records)
                self.acked += BATCH
                hour += 1
        except Exception as error:  # told by the test
            self.failed = error


class Backup(varvetest.Case):
    def test_beside_a_writer(self):
        d = self.daemon()
        feeder = Feeder(d)
        feeder.start()
        try:
            sizes = []
            for i in range(BACKUPS):
                while feeder.acked < (i + 1) * 10 * BATCH and not feeder.failed:
                    feeder.ended.wait(0.01)
                before = feeder.acked
                out = d.state / f"copy{i}"
                done = d.dump("--backup", out)
                self.assertEqual(done.status, 0, done.err)
                self.assertIsNone(feeder.failed)
                checked = self.dump(out, "--verify")
                self.assertEqual(checked.returncode, 0, checked.stderr)
                records = self.dump(out, "--records").stdout.splitlines()
                numbers = {int(json.loads(line)["seq"]) for line in records}
                self.assertEqual(len(numbers), len(records))
                self.assertGreaterEqual(len(numbers & set(range(1, before + 1))), before)
                sizes.append(len(numbers))
            self.assertEqual(sizes, sorted(sizes))
        finally:
            feeder.ended.set()
            feeder.join()
        self.assertIsNone(feeder.failed)
        # A copy is a memory: a daemon goes on with it.
        other = self.daemon(name="other", start=False)
        other.state.mkdir(mode=0o700)
        (d.state / f"copy{BACKUPS - 1}").rename(other.database)
        other.start()
        self.assertTrue(other.varve("search", "request user", "--json").json()["items"])

    def test_a_file_that_is_there_stays(self):
        d = self.daemon()
        out = d.state / "mine"
        out.write_text("mine")
        self.assertEqual(d.dump("--backup", out).status, 1)
        self.assertEqual(out.read_text(), "mine")

    def dump(self, path, *arguments):
        return subprocess.run([varvetest.program("varve-dump"), path, *arguments],
                              capture_output=True, text=True, timeout=varvetest.PATIENCE)


if __name__ == "__main__":
    unittest.main()
