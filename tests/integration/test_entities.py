#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What recurs, over weeks: days and weeks of a name, renames and addresses by votes, precision on
logs in which nothing was planted."""
import datetime
import os
import pathlib
import random
import re
import unittest

import varvetest

START = datetime.datetime(2026, 10, 5, tzinfo=datetime.timezone.utc)  # a Monday
DATA = pathlib.Path(os.environ.get("VARVE_SHARED_DATA", varvetest.ROOT.parent / "shared/data"))


def stamp(day, minute):
    return (START + datetime.timedelta(days=day, minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Entities(varvetest.Case):
    def fed(self, lines, **kwargs):
        """A daemon that has taken lines of (time, text)."""
        d = self.daemon(**kwargs)
        client = d.client()
        client.call("stream.open", name="log", kind="text")
        for i in range(0, len(lines), 500):
            client.append("log", [{"time": time, "text": text} for time, text in lines[i:i + 500]])
        client.call("stream.flush", stream="log")
        return d

    def life(self, daemon, name):
        return daemon.varve("entities", name, "--json").json()

    def weeks(self):
        """web1 for ten days, then it is called web-01; db-02 at its address all along."""
        dice = random.Random(3)
        lines = []
        for day in range(20):
            host = "web1" if day < 10 else "web-01"
            for k in range(12):
                lines.append((stamp(day, 60 * k), f"{host} sshd[{100 + k}]: Accepted key for anna "
                                                  f"from 10.0.0.{dice.randrange(3, 9)} port {4000 + k}"))
                lines.append((stamp(day, 60 * k + 1), "gate proxy[7]: forwarded to db-02 (10.0.0.2) "
                                                      f"in {dice.randrange(90)} ms"))
            if day == 9:
                lines.append((stamp(day, 1400), "gate admin[1]: host web1 renamed to web-01"))
        return lines

    def test_days_and_weeks(self):
        d = self.fed(self.weeks())
        life = self.life(d, "gate")
        # A moment counts on the day it begins on; one may reach over midnight.
        self.assertGreaterEqual(len(life["days"]), 17)
        self.assertEqual([w["start"][:10] for w in life["weeks"]],
                         ["2026-10-19", "2026-10-12", "2026-10-05"])
        self.assertEqual(sum(int(day["count"]) for day in life["days"]),
                         int(life["entity"]["count"]))
        self.assertIn("db-02", [e["name"] for e in life["with"]])
        text = d.varve("entities", "gate").out
        self.assertIn(life["days"][0]["start"][:10], text)
        self.assertIn("week of", text)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)

    def test_a_rename(self):
        d = self.fed(self.weeks())
        for name in ("web1", "web-01"):
            life = self.life(d, name)
            self.assertEqual(life["entity"]["name"], "web-01")
            other = life["also"][0]
            self.assertEqual((other["name"], other["merged"], other["renamed"]), ("web1", True, 1))
            self.assertGreaterEqual(len(life["days"]), 17)
        self.assertIn("also host web1: 3 votes", d.varve("entities", "web-01").out)

    def test_a_rename_that_does_not_hold(self):
        lines = self.weeks()
        for day in range(12, 18):  # the old one is still there: it was said too early, or of another
            lines.append((stamp(day, 5), "web1 sshd[9]: Accepted key for ben from 10.0.0.4 port 9"))
        d = self.fed(sorted(lines))
        life = self.life(d, "web1")
        self.assertEqual(life["entity"]["name"], "web1")
        self.assertFalse(life["also"][0]["merged"])
        self.assertGreater(life["also"][0]["against"], 0)

    def test_a_name_and_its_address(self):
        d = self.fed(self.weeks())
        life = self.life(d, "10.0.0.2")
        self.assertEqual(life["entity"]["name"], "db-02")
        self.assertTrue(life["also"][0]["merged"])
        # Another name at the same address speaks against both.
        more = [(stamp(21, k), "gate proxy[7]: forwarded to db-77 (10.0.0.2) in 5 ms")
                for k in range(0, 900, 40)]
        client = d.client()
        client.append("log", [{"time": time, "text": text} for time, text in more])
        client.call("stream.flush", stream="log")
        self.assertFalse([e for e in self.life(d, "10.0.0.2")["also"] if e["name"] == "db-77"
                          and e["merged"]])

    def test_a_forgotten_rename(self):
        d = self.fed(self.weeks())
        d.varve("forget", "--match", "renamed to", "--json", check=True)
        life = self.life(d, "web1")
        self.assertEqual(life["entity"]["name"], "web1")
        self.assertFalse([e for e in life["also"] if e["name"] == "web-01"])
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)

    @unittest.skipUnless((DATA / "loghub").is_dir(), "skipped: no development data")
    def test_no_false_merges_where_nothing_was_planted(self):
        merged = []
        for path in sorted(DATA.glob("loghub/*/*_2k.log")):
            lines = [(stamp(i // 200, i % 200 * 5), text) for i, text in
                     enumerate(path.read_text(errors="replace").splitlines()) if text.strip()]
            d = self.fed(lines, name=path.stem)
            listed = d.varve("entities", "--limit", "1000", "--json").json()["items"]
            for e in listed:
                if e["kind"] not in ("host", "user", "process", "name"):
                    continue
                for other in self.life(d, e["name"])["also"]:
                    if other["merged"]:
                        merged.append((e["name"], other["name"]))
            d.stop()
        for name, address in merged:
            # True by the lines themselves: the address is in the name, or the log maps the two.
            self.assertTrue(re.fullmatch(r"[\d.]+", address) or re.fullmatch(r"[\d.]+", name),
                            (name, address))
        print(f"\n{len(merged)} merges on loghub: {merged}")


if __name__ == "__main__":
    unittest.main()
