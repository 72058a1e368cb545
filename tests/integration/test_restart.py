#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon that was stopped and started again goes on as one that was only asked to flush: the same
boundaries, surprise, titles, gists and latents, over a replay of days."""
import datetime
import math
import random
import sqlite3
import unittest

import varvetest

START = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)
DAYS = 3
STEPS = 400  # a day, of each stream


def stamp(day, step):
    return (START + datetime.timedelta(days=day, seconds=86400 * step / STEPS)).strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ")


def replay():
    """Batches of (stream, records), the same every time."""
    dice = random.Random(5)
    for day in range(DAYS):
        for first in range(0, STEPS, 50):
            lines, samples = [], []
            for step in range(first, first + 50):
                time = stamp(day, step)
                what = dice.random()
                if what < 0.5:
                    text = f"web-01 sshd[{dice.randrange(9000)}]: Accepted key for " \
                           f"{dice.choice(('anna', 'ben', 'root'))} port {dice.randrange(60000)}"
                elif what < 0.99:
                    text = f"db-02 postgres[7]: checkpoint complete: {dice.randrange(500)} buffers"
                else:
                    text = f"db-02 kernel: disk sda: {dice.randrange(9)} unreadable sectors"
                lines.append({"time": time, "text": text})
                hour = 24 * step / STEPS
                fault = 15 if day == 2 and 300 < step < 330 else 0
                samples.append({"time": time, "values": {
                    "boiler": 60 + 5 * math.sin(hour * 0.2618) + dice.gauss(0, 0.3) + fault}})
            yield "log", lines
            yield "cellar", samples


class Restart(varvetest.Case):
    def opened(self, daemon):
        client = daemon.client()
        client.call("stream.open", name="log", kind="text")
        client.call("stream.open", name="cellar", kind="sensor")
        return client

    def run_replay(self, how, name):
        """Flushed after each day; then `how` ends the daemon: None, "stop" or "kill"."""
        d = self.daemon(name=name)
        client = self.opened(d)
        for i, (stream, records) in enumerate(replay()):
            client.call("stream.append", stream=stream, records=records)
            if i % 14 == 13:
                for s in ("log", "cellar"):
                    client.call("stream.flush", stream=s)
                if how == "stop":
                    self.assertEqual(d.stop(), 0)
                elif how == "kill":
                    d.kill()
                if how:
                    d.start()
                    client = self.opened(d)
        for s in ("log", "cellar"):
            client.call("stream.flush", stream=s)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)
        db = sqlite3.connect(f"file:{d.database}?mode=ro", uri=True)
        self.addCleanup(db.close)
        moments = db.execute(
            "SELECT s.name, m.t_start, m.t_end, m.records, m.bits, m.bits_max, m.z, m.path, "
            "m.code, m.confidence, m.ended, m.unusual, m.title, g.text, "
            "l.scale, hex(l.vec) "
            "FROM moment m JOIN stream s ON s.id=m.stream LEFT JOIN gist g ON g.moment=m.id "
            "LEFT JOIN latent l ON l.moment=m.id WHERE m.stratum=0 "
            "ORDER BY s.name, m.t_start").fetchall()
        unusual = db.execute(
            "SELECT s.name, u.t_start, u.t_end, u.first, u.last, u.bits, u.z, u.score, u.why FROM "
            "unusual u JOIN stream s ON s.id=u.stream ORDER BY s.name, u.t_start, u.n").fetchall()
        return moments, unusual

    def test_a_stop_changes_nothing(self):
        went_on = self.run_replay(None, "a")
        began_anew = self.run_replay("stop", "b")
        self.assertGreater(len(went_on[0]), 10)
        self.assertEqual(len(went_on[0]), len(began_anew[0]))
        for a, b in zip(went_on[0], began_anew[0]):
            self.assertEqual(a[:-1], b[:-1])
            self.assertEqual(a[-1], b[-1])
        self.assertEqual(went_on[1], began_anew[1])

    def test_a_kill_costs_no_learning(self):
        """No snapshot was taken yet: all is learnt again from what was stored."""
        went_on = self.run_replay(None, "a")
        killed = self.run_replay("kill", "b")
        # Stream, span, records, and surprise: mean and most.
        # All but route and latent, which lean on codes that were learnt again from whole moments.
        self.assertEqual([m[:7] + m[10:14] for m in went_on[0]],
                         [m[:7] + m[10:14] for m in killed[0]])
        self.assertEqual(went_on[1], killed[1])


if __name__ == "__main__":
    unittest.main()
