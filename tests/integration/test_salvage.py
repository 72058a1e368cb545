#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""varve-dump --salvage on files that were damaged in every way a disk knows.

What must come out is known from the whole file: a record is due when every page that its block of
evidence lies on was left alone.
"""
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import unittest

import varvetest

MOMENTS = 60
PAGE = 4096
SEEDS = int(os.environ.get("VARVE_SALVAGE_SEEDS", "12"))


def dump(*arguments):
    return subprocess.run([varvetest.program("varve-dump"), *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=varvetest.PATIENCE)


def key_of(payload):
    """Without the channels' names: where these are lost they go by others."""
    return json.dumps(sorted(payload.values()) if isinstance(payload, dict) else payload)


def records(path):
    """(stream, payload) of every record, and how often."""
    done = dump(path, "--records")
    assert done.returncode == 0, done.stderr
    found = collections.Counter()
    for line in done.stdout.splitlines():
        r = json.loads(line)
        found[r["stream"], key_of(r["payload"])] += 1
    return found


class Whole:
    """The undamaged file, and where the evidence of each moment lies."""

    def __init__(self, folder):
        self.path = folder / "whole.db"
        subprocess.run([varvetest.program("sample-db"), self.path, str(MOMENTS)], check=True)
        self.bytes = self.path.read_bytes()
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        ids = [row[0] for row in db.execute("SELECT moment FROM evidence ORDER BY moment")]
        self.pages = collections.defaultdict(set)  # moment: pages
        nodes = db.execute("SELECT path, pageno, pagetype, ncell FROM dbstat "
                           "WHERE name='evidence' ORDER BY path").fetchall()
        leaves = {}
        at = 0
        for path, page, kind, cells in nodes:
            if kind == "leaf":
                leaves[path] = (at, page)
                for i in range(cells):
                    self.pages[ids[at + i]].add(page)
                at += cells
        for path, page, kind, _ in nodes:
            if kind == "overflow":
                leaf, cell = re.match(r"(.*/)([0-9a-f]+)\+[0-9a-f]+$", path).groups()
                self.pages[ids[leaves[leaf][0] + int(cell, 16)]].add(page)
        self.interior = [page for _, page, kind, _ in nodes if kind == "internal"]
        self.of_table = {}
        for name, page in db.execute("SELECT name, pageno FROM dbstat"):
            self.of_table.setdefault(name, []).append(page)
        self.of_moment = {}  # moment: (stream, seqs)
        for moment, stream, first, last in db.execute(
                "SELECT m.id, s.name, seq_first, seq_last FROM moment m JOIN stream s "
                "ON s.id=m.stream"):
            self.of_moment[moment] = (stream, first, last)
        db.close()
        done = dump(self.path, "--records")
        self.payloads = collections.defaultdict(list)
        self.all = collections.Counter()
        for line in done.stdout.splitlines():
            r = json.loads(line)
            self.payloads[r["stream"]].append((int(r["seq"]), key_of(r["payload"])))
            self.all[r["stream"], key_of(r["payload"])] += 1

    def due(self, damaged):
        """How often each payload must come out when these pages are gone."""
        due = collections.Counter()
        for moment, pages in self.pages.items():
            if pages & damaged:
                continue
            stream, first, last = self.of_moment[moment]
            due.update(payload for seq, payload in self.payloads[stream] if first <= seq <= last)
        return due


class Salvage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-", dir=base))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.whole = Whole(cls.folder)

    def setUp(self):
        self.damaged = self.folder / "damaged.db"
        self.out = self.folder / "out.db"
        self.addCleanup(self.tidy)

    def tidy(self):
        for path in self.folder.glob("*"):
            if not path.name.startswith("whole.db"):
                path.unlink() if path.is_file() else shutil.rmtree(path)

    def salvage(self, path=None, lost=True):
        done = dump(path or self.damaged, "--salvage", self.out)
        self.assertEqual(done.returncode, 1 if lost else 0, done.stdout + done.stderr)
        self.assertIn("records", done.stdout, done.stderr)
        sound = dump(self.out, "--verify")
        self.assertEqual(sound.returncode, 0, sound.stderr)
        return done.stdout

    def check(self, pages, what):
        """Every record whose pages are whole is in the new file, and none that never was."""
        found = collections.Counter()
        for (stream, payload), n in records(self.out).items():
            found[payload] += n
        missing = sum((self.whole.due(set(pages)) - found).values())
        self.assertEqual(missing, 0, what)
        everything = collections.Counter()
        for (stream, payload), n in self.whole.all.items():
            everything[payload] += n
        self.assertEqual(sum((found - everything).values()), 0, what)

    def overwrite(self, pages, content):
        data = bytearray(self.whole.bytes)
        for page in pages:
            data[(page - 1) * PAGE:page * PAGE] = content(page)
        self.damaged.write_bytes(data)

    def test_what_is_whole_comes_out_whole(self):
        told = self.salvage(self.whole.path, lost=False)
        self.assertIn("nothing was lost", told)
        self.assertTrue(records(self.out) == self.whole.all)

    def test_a_killed_daemons_log(self):
        killed = self.folder / "killed"
        killed.mkdir()
        made = subprocess.run([varvetest.program("sample-db"), killed / "memory.db", str(MOMENTS),
                               "kill"])
        self.assertEqual(made.returncode, -signal.SIGKILL)
        log = killed / "memory.db-wal"
        self.salvage(killed, lost=False)
        self.assertTrue(records(self.out) == self.whole.all)
        # A log that ends early holds what was committed before.
        size = log.stat().st_size
        for share in (0.9, 0.5, 0.2):
            os.truncate(log, int(size * share))
            self.out.unlink()
            done = dump(killed, "--salvage", self.out)
            self.assertEqual(dump(self.out, "--verify").returncode, 0, done.stderr)
            self.assertFalse(records(self.out) - self.whole.all)

    def test_one_broken_frame_of_the_log(self):
        killed = self.folder / "killed"
        killed.mkdir()
        subprocess.run([varvetest.program("sample-db"), killed / "memory.db", str(MOMENTS), "kill"])
        log = killed / "memory.db-wal"
        data = bytearray(log.read_bytes())
        frames = (len(data) - 32) // (PAGE + 24)
        at = 32 + frames // 2 * (PAGE + 24) + 24 + 100
        data[at] ^= 1
        log.write_bytes(data)
        told = self.salvage(killed)
        self.assertIn("write-ahead log: 1 pages unreadable", told)
        self.assertGreater(sum(records(self.out).values()), 0.8 * sum(self.whole.all.values()))

    def test_pages_overwritten_at_random(self):
        count = len(self.whole.bytes) // PAGE
        for seed in range(SEEDS):
            random.seed(seed)
            pages = random.sample(range(2, count + 1), random.choice((1, 2, 5, count // 10,
                                                                      count // 3)))
            kind = seed % 3
            content = (lambda page: random.randbytes(PAGE), lambda page: bytes(PAGE),
                       lambda page: self.whole.bytes[(count - page) * PAGE:
                                                     (count - page + 1) * PAGE])[kind]
            self.overwrite(pages, content)
            done = dump(self.damaged, "--salvage", self.out)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            sound = dump(self.out, "--verify")
            self.assertEqual(sound.returncode, 0, f"seed {seed}: {sound.stderr}{done.stderr}")
            self.check(pages, f"seed {seed}")
            self.out.unlink()

    def test_the_header_is_zeroed(self):
        self.damaged.write_bytes(bytes(100) + self.whole.bytes[100:])
        told = self.salvage()
        self.assertIn("header", told)
        self.assertTrue(records(self.out) == self.whole.all)

    def test_the_first_pages_are_gone(self):
        # The header, the schema and the map of pages.
        self.overwrite([1, 2], lambda page: bytes(PAGE))
        self.salvage()
        self.check([1, 2], "first pages")
        self.assertTrue(records(self.out) == self.whole.all)

    def test_the_file_ends_early(self):
        count = len(self.whole.bytes) // PAGE
        for share in (0.95, 0.5, 0.25):
            kept = int(count * share)
            self.damaged.write_bytes(self.whole.bytes[:kept * PAGE + 77])
            self.salvage()
            self.check(range(kept + 1, count + 1), f"cut at {share}")
            self.out.unlink()

    def test_the_index_is_gone(self):
        pages = [page for name, all in self.whole.of_table.items() if name.startswith("words")
                 for page in all]
        self.overwrite(pages, lambda page: bytes(PAGE))
        told = self.salvage(lost=False)
        self.assertIn("made again", told)
        self.assertTrue(records(self.out) == self.whole.all)
        db = sqlite3.connect(f"file:{self.out}?mode=ro", uri=True)
        self.addCleanup(db.close)
        self.assertGreater(db.execute("SELECT count(*) FROM words WHERE words MATCH 'cron'")
                           .fetchone()[0], 0)

    def test_all_rows_of_moments_are_gone(self):
        self.overwrite(self.whole.of_table["moment"], lambda page: bytes(PAGE))
        told = self.salvage()
        self.assertIn("lost title and surprise", told)
        # The indexes still tell which stream they were of.
        self.assertTrue(records(self.out) == self.whole.all)

    def test_evidence_and_nothing_else(self):
        count = len(self.whole.bytes) // PAGE
        kept = set(self.whole.of_table["evidence"])
        pages = [page for page in range(1, count + 1) if page not in kept]
        self.overwrite(pages, lambda page: bytes(PAGE))
        told = self.salvage()
        self.assertIn("recovered-text", told)
        self.check(pages, "evidence only")

    def test_the_top_of_a_tree_is_gone(self):
        self.assertTrue(self.whole.interior)
        self.overwrite(self.whole.interior, lambda page: random.randbytes(PAGE))
        self.salvage()
        self.assertTrue(records(self.out) == self.whole.all)

    def test_it_takes_no_file_that_is_there_and_no_live_one(self):
        self.out.write_text("mine")
        done = dump(self.whole.path, "--salvage", self.out)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.out.read_text(), "mine")
        self.out.unlink()
        nothing = self.folder / "nothing.db"
        nothing.write_bytes(b"")
        done = dump(nothing, "--salvage", self.out)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cut short", done.stderr)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
