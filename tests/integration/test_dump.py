#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""varve-dump as people and scripts run it: pipes, terminals, killed daemons, foreign folders."""
import collections
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import unittest

import varvetest

MOMENTS = 60
RECORDS = MOMENTS * 68 + 5 + 2
NOBODY = 65534


def dump(*arguments, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    program = kwargs.pop("program", varvetest.program("varve-dump"))
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    return subprocess.run([program, *map(str, arguments)],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment,
                          timeout=varvetest.PATIENCE, **kwargs)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.database = self.make("memory.db")

    def make(self, name, *how):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        done = subprocess.run([varvetest.program("sample-db"), path, str(MOMENTS), *how])
        self.assertEqual(done.returncode, -signal.SIGKILL if how else 0)
        return path

    def lines(self, *arguments, **kwargs):
        done = dump(*arguments, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]


class Output(Case):
    def test_records(self):
        records = self.lines(self.database, "--records")
        self.assertEqual(len(records), RECORDS)
        keys = collections.Counter((r["stream"], r["seq"]) for r in records)
        self.assertEqual(max(keys.values()), 1)
        for record in records:
            self.assertEqual(list(record), ["stream", "seq", "time", "ref", "payload"])
        host = [r for r in records if r["stream"] == "host"]
        self.assertEqual(set(host[0]["payload"]), {"cpu", "memory", "load1"})
        journal = [r for r in records if r["stream"] == "journal"]
        self.assertEqual([r["seq"] for r in journal],
                         [str(i) for i in range(1, len(journal) + 1)])
        self.assertEqual(journal[0]["ref"], "j1")
        self.assertEqual(journal[-1]["payload"], "waits")
        self.assertIsNone(journal[-1]["ref"])

    def test_records_of_a_time(self):
        some = self.lines(self.database, "--records", "--stream", "host",
                          "--since", "2026-11-20T01:00:00Z", "--until", "2026-11-20T01:00:08Z")
        self.assertEqual([r["time"][11:19] for r in some], ["01:00:00", "01:00:04"])

    def test_ndjson_puts_parents_first(self):
        spans = self.lines(self.database, "--format", "ndjson")
        seen = set()
        for span in spans:
            if span["parent"] is not None:
                self.assertIn(span["parent"], seen)
            seen.add(span["id"])
        self.assertEqual(len(seen), len(spans))
        self.assertEqual({s["name"] for s in spans},
                         {"moment", "episode", "hour", "day", "week", "month"})
        self.assertEqual(sum(s["stratum"] == 0 for s in spans), 2 * MOMENTS + 5)
        for span in spans:
            if span["stratum"] > 0:  # sums know every record below
                counted = sum(x["count"] for x in span["sums"] if not {"kind", "channel"} & set(x))
                self.assertEqual(counted, span["records"])
                for told in span["telling"]:
                    self.assertIn(told["moment"], {s["id"] for s in spans})
        titles = [s["title"] for s in spans]
        self.assertTrue(any("\x1b[31m" in t for t in titles))

    def test_the_state_folder_stands_for_its_file(self):
        self.assertEqual(dump(self.folder, "--stats").returncode, 0)
        self.assertEqual(dump(self.folder / "nothing").returncode, 1)

    def test_output_that_fails(self):
        with open("/dev/full", "wb") as full:
            done = dump(self.database, "--records", stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            done = dump(self.database, "--records", stdout=closed)
        self.assertEqual(done.stderr, b"")

    def test_terminal(self):
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "TZ": "UTC"}
        environment.pop("NO_COLOR", None)
        program = subprocess.Popen([varvetest.program("varve-dump"), self.database],
                                   stdout=terminal, env=environment)
        os.close(terminal)
        output = b""
        try:
            while piece := os.read(controller, 65536):
                output += piece
        except OSError:
            pass  # how a terminal says that nobody writes to it any more
        os.close(controller)
        self.assertEqual(program.wait(varvetest.PATIENCE), 0)
        self.assertIn(b"\x1b[38;5;", output)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).splitlines()
        self.assertNotIn("\x1b", "".join(plain))
        self.assertGreater(len(plain), 2 * MOMENTS)
        self.assertLessEqual(max(len(line) for line in plain[3:]), 70)


class Foreign(Case):
    """Files of a killed daemon, and folders that are not ours to write to."""

    def foreign(self, *names):
        """A folder with copies of these files that the reading user may not write to."""
        folder = self.folder / "foreign"
        folder.mkdir()
        for name in names:
            shutil.copy(self.folder / name, folder)
            (folder / name).chmod(0o644)
        folder.chmod(0o555)
        self.addCleanup(folder.chmod, 0o755)
        return folder / pathlib.Path(names[0]).name

    def as_other_user(self):
        """For root every folder is writable; it becomes somebody else, who reaches a copy of the
        program wherever the build lies."""
        if os.geteuid() != 0:
            return {}
        program = self.folder / "varve-dump"
        shutil.copy(varvetest.program("varve-dump"), program)
        return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "program": program}

    def test_after_a_kill(self):
        killed = self.make("killed.db", "kill")
        self.assertGreater(pathlib.Path(f"{killed}-wal").stat().st_size, 0)
        self.assertEqual(len(self.lines(killed, "--records")), RECORDS)
        self.assertEqual(dump(killed, "--verify").returncode, 0)

    def test_a_killed_daemon_in_a_folder_of_another(self):
        self.make("killed.db", "kill")
        database = self.foreign("killed.db", "killed.db-wal")
        records = self.lines(database, "--records", **self.as_other_user())
        self.assertEqual(len(records), RECORDS)
        done = dump(database, "--verify", **self.as_other_user())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(p.name for p in database.parent.iterdir()),
                         ["killed.db", "killed.db-wal"])

    def test_a_file_on_a_medium(self):
        database = self.foreign("memory.db")
        self.assertEqual(len(self.lines(database, "--records", **self.as_other_user())), RECORDS)

    def test_a_daemon_of_another_is_not_read_by_halves(self):
        self.make("killed.db", "kill")
        database = self.foreign("killed.db", "killed.db-wal", "killed.db.lock")
        with open(f"{database}.lock", "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            done = dump(database, "--records", **self.as_other_user())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"a daemon is writing", done.stderr)
        self.assertEqual(done.stdout, b"")

    def test_a_file_that_may_not_be_read(self):
        database = self.foreign("memory.db")
        database.chmod(0o200)
        done = dump(database, **self.as_other_user())
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(database).encode(), done.stderr)


if __name__ == "__main__":
    unittest.main()
