#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`varve score` and `varve embed` on files and pipes, as scripts use them."""
import json
import math
import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["VARVE_BUILD_ROOT"])
VARVE = str(BUILD / "cli" / "varve")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


def varve(*args, text="", tz="UTC"):
    return subprocess.run([VARVE, *args], input=text.encode(), capture_output=True, timeout=120,
                          env={**os.environ, "TZ": tz})


def rows(done):
    lines = done.stdout.decode().splitlines()
    return lines[0], [line.split(",") for line in lines[1:]]


def sensor_csv(n, seed=1, step_at=None):
    rnd = random.Random(seed)
    out = ["time,v"]
    for i in range(n):
        level = 30 if step_at is not None and i >= step_at else 10
        out.append(f"{1700000000 + i},{level + rnd.gauss(0, 1):.3f}")
    return "\n".join(out) + "\n"


def log_lines(n, seed=1):
    rnd = random.Random(seed)
    return [f"2026-01-01 00:{i // 60 % 60:02}:{i % 60:02} host app[{rnd.randint(1, 9)}]: "
            + rnd.choice(["request served in %d ms" % rnd.randint(1, 50),
                          "cache hit for key k%d" % rnd.randint(1, 999),
                          "connection from 10.0.0.%d closed" % rnd.randint(1, 250)])
            for i in range(n)]


class Score(unittest.TestCase):
    def test_a_row_for_every_record_in_input_order(self):
        text = "time,v\n5,1\n5,1\n3,2\n9,1\n1,7\n"
        done = varve("score", "--kind", "sensor", text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        header, got = rows(done)
        self.assertEqual(header, "time,seq,bits,score,boundary")
        self.assertEqual([r[0][17:19] for r in got], ["05", "05", "03", "09", "01"])
        self.assertEqual([r[1] for r in got], ["1", "2", "3", "4", "5"])
        for r in got:
            self.assertRegex(r[0], TIME)
            self.assertTrue(math.isfinite(float(r[2])) and float(r[2]) >= 0)
            self.assertTrue(0 <= float(r[3]) <= 1)
            self.assertIn(r[4], "012")

    def test_text_has_templates_and_empty_times(self):
        done = varve("score", "--kind", "text", "-", text="a line\n\nanother line\na line\n")
        header, got = rows(done)
        self.assertEqual(header, "time,seq,bits,score,boundary,template")
        self.assertEqual([r[0] for r in got], [""] * 4)
        self.assertEqual(got[0][5], got[3][5])
        self.assertTrue(all(int(r[5]) >= 1 for r in got if r[1] != "2"))

    def test_score_and_template_know_nothing_of_what_follows(self):
        lines = log_lines(900)
        lines[600] = "2026-01-01 00:10:00 host kernel: Out of memory: Killed process 123"
        whole = rows(varve("score", "--kind", "text", text="\n".join(lines)))[1]
        for n in (100, 601, 700):
            part = rows(varve("score", "--kind", "text", text="\n".join(lines[:n])))[1]
            self.assertEqual([r[:4] + r[5:] for r in part], [r[:4] + r[5:] for r in whole[:n]])
        self.assertGreater(float(whole[600][2]), 6)
        values = sensor_csv(1500, step_at=900)
        whole = rows(varve("score", "--kind", "sensor", text=values))[1]
        part = rows(varve("score", "--kind", "sensor",
                          text="\n".join(values.split("\n")[:1001])))[1]
        self.assertEqual([r[:4] for r in part], [r[:4] for r in whole[:1000]])

    def test_the_same_whenever_it_runs(self):
        values = "\n".join(["v"] + [str(i % 7) for i in range(300)])
        once = varve("score", "--kind", "sensor", text=values).stdout
        self.assertEqual(once, varve("score", "--kind", "sensor", text=values, tz="Asia/Tokyo").stdout)
        self.assertTrue(once.decode().splitlines()[1].startswith(",1,"))

    def test_a_step_is_an_alert_and_a_boundary(self):
        got = rows(varve("score", "--kind", "sensor", text=sensor_csv(2000, step_at=1200)))[1]
        self.assertGreaterEqual(max(float(r[3]) for r in got[1200:1205]), 0.5)
        self.assertIn("1", [r[4] for r in got[1195:1206]])

    def test_long_quiet_moments_end_for_their_length(self):
        lines = ["2026-01-01 00:00:00 host app: the same again"] * 2000
        got = rows(varve("score", "--kind", "text", text="\n".join(lines)))[1]
        marks = [r[4] for r in got]
        self.assertEqual(marks.count("1"), 0)
        self.assertEqual(marks.index("2"), 256)
        self.assertEqual(marks.count("2"), 7)

    def test_output_lags_no_more_than_256_lines(self):
        for kind, lines in (("text", log_lines(3000)), ("sensor", sensor_csv(3000).splitlines())):
            p = subprocess.Popen([VARVE, "score", "--kind", kind], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
            p.stdin.write(("\n".join(lines) + "\n").encode())
            p.stdin.flush()
            # The input stays open: these must come all the same.
            for _ in range(1 + 3000 - 256 - 1):
                self.assertTrue(p.stdout.readline())
            rest = p.communicate(timeout=60)[0]
            self.assertLessEqual(rest.count(b"\n"), 257)
            self.assertEqual(p.returncode, 0)

    def test_bad_records_are_named_and_the_rest_goes_on(self):
        done = varve("score", "--kind", "sensor", text="time,v\n1,1\n2\nsoon,3\n4,nan\n5,5\n")
        self.assertEqual(done.returncode, 1)
        err = done.stderr.decode()
        for place in (":3: 1 columns", ":4: \"soon\" is not a time", ":5: column 2 (v): \"nan\""):
            self.assertIn(place, err)
        self.assertEqual(len(rows(done)[1]), 3)
        done = varve("score", "--kind", "sensor", "--strict", text="time,v\n1,1\n2\n3,3\n")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(rows(done)[1]), 1)

    def test_options_of_ingest(self):
        text = ('{"msg":"a","when":"2026-07-01 12:00:00","n":17}\n'
                '{"msg":"b","when":"2026-07-01 12:00:01","n":18}\n')
        done = varve("score", "--kind=text", "--text-field", "msg", "--time-field=when",
                     "--seq-field", "n", "--tz", "Europe/Berlin", text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        got = rows(done)[1]
        self.assertEqual([r[:2] for r in got], [["2026-07-01T10:00:00.000000Z", "17"],
                                                ["2026-07-01T10:00:01.000000Z", "18"]])

    def test_usage(self):
        for args in (["score"], ["score", "--kind", "smell"], ["score", "--kind"],
                     ["score", "--kind", "text", "--nonsense"], ["score", "--kind", "text", "a", "b"],
                     ["score", "--kind", "sensor", "--rate", "0"], ["embed"]):
            done = varve(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertTrue(done.stderr)
        done = varve("score", "--kind", "text", "/nonexistent/file")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nonexistent/file", done.stderr)


class Embed(unittest.TestCase):
    def test_text_a_line_sensor_a_file(self):
        done = varve("embed", "--kind", "text", text="disk full\ndisk is full\nsunny weather\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        a, b, c = [json.loads(line)["latent"] for line in done.stdout.decode().splitlines()]
        dot = lambda x, y: sum(p * q for p, q in zip(x, y))
        self.assertEqual(len(a), 256)
        self.assertAlmostEqual(dot(a, a), 1, places=2)
        self.assertGreater(dot(a, b), dot(a, c))
        with tempfile.TemporaryDirectory() as tmp:
            names = []
            for i in range(2):
                names.append(os.path.join(tmp, f"{i}.csv"))
                pathlib.Path(names[-1]).write_text(sensor_csv(300, seed=i))
            done = varve("embed", "--kind", "sensor", *names)
            got = [json.loads(line) for line in done.stdout.decode().splitlines()]
            self.assertEqual([g["file"] for g in got], names)
            self.assertTrue(got[0]["model"].startswith("sensor"))


if __name__ == "__main__":
    unittest.main()
