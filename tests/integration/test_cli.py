#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""varve as people and scripts use it."""
import fcntl
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import termios
import threading
import unittest

import varvetest

ITEM = {"id", "stratum", "stream", "start", "end", "title", "score", "cost", "refs"}
RECORD = {"id", "stream", "seq", "time", "ref", "score"}
LINES = [{"time": f"2026-11-20T13:00:{n:02}Z", "ref": f"r{n}",
          "text": "the kettle boils" if n % 7 else f"a heron stood in pond {n}"}
         for n in range(40)]


class Cli(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon()

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def ingest(self, *arguments, **kwargs):
        return self.d.varve("ingest", *arguments, **kwargs)

    def kettle(self):
        path = self.file("k.ndjson", "".join(json.dumps(line) + "\n" for line in LINES))
        self.ingest("--stream", "k", "--kind", "text", path, check=True)

    # ---- ingest

    def test_text(self):
        path = self.file("a.log", "one\r\ntwo\n\nthree")
        done = self.ingest("--stream", "a", "--kind", "text", path)
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertRegex(done.out, r"^4 records in \d+\.\d\d s \([\d,]+/s\)\n$")
        self.assertEqual([r["text"] for r in self.d.records("a")], ["one", "two", "", "three"])
        self.assertEqual([r["seq"] for r in self.d.records("a")], ["1", "2", "3", "4"])
        # Twice stores twice.
        self.ingest("--stream", "a", "--kind", "text", path, check=True)
        self.assertEqual(len(self.d.records("a")), 8)

    def test_bad_lines_are_named_and_the_rest_goes_on(self):
        text = ('{"text":"one"}\n{"text":"two","time":"never"}\n{"text":"three\n'
                '{"text":"four","ref":"f"}\n{"text":"a","text":"b"}\n')
        path = self.file("b.ndjson", text)
        done = self.ingest("--stream", "b", "--kind", "text", path)
        self.assertEqual(done.status, 1)
        for line in (2, 3, 5):
            self.assertIn(f"{path}:{line}: ", done.err)
        self.assertEqual([r["text"] for r in self.d.records("b")], ["one", "four"])
        done = self.ingest("--stream", "b2", "--kind", "text", "--strict", path)
        self.assertEqual(done.status, 1)
        self.assertEqual([r["text"] for r in self.d.records("b2")], ["one"])

    def test_a_number_that_is_taken(self):
        first = self.file("1", '{"text":"x","n":5}\n')
        second = self.file("2", '{"text":"other","n":5}\n')
        options = ["--stream", "n", "--kind", "text", "--seq-field", "n"]
        self.ingest(*options, first, check=True)
        self.ingest(*options, first, check=True)  # a resend changes nothing
        done = self.ingest(*options, second)
        self.assertEqual(done.status, 1)
        self.assertIn("seq 5 ", done.err)
        self.assertEqual([(r["seq"], r["text"]) for r in self.d.records("n")], [("5", "x")])

    def test_a_taken_number_costs_its_neighbours_nothing(self):
        good = [{"n": i, "text": f"line {i}"} for i in range(1, 5)]
        bad = [dict(r, text="changed") if r["n"] == 2 else r for r in good]
        options = ["--stream", "m", "--kind", "text", "--seq-field", "n"]
        lines = "".join(json.dumps(r) + "\n" for r in good[:3])
        self.assertEqual(self.ingest(*options, stdin=lines).status, 0)
        lines = "".join(json.dumps(r) + "\n" for r in bad)
        done = self.ingest(*options, stdin=lines)
        self.assertEqual(done.status, 1)
        self.assertIn(":2: seq 2", done.err)
        self.assertEqual([r["text"] for r in self.d.records("m")], [r["text"] for r in good])

    def test_sensor(self):
        done = self.ingest("--stream", "s", "--kind", "sensor", "--json", stdin=
                           "time,cpu,temp\n2026-11-20T10:00:00Z,1,20.5\n"
                           "2026-11-20T10:00:01Z,nan,21\n2026-11-20T10:00:02Z,3\n")
        result = json.loads(done.out)
        self.assertEqual(done.status, 1)
        self.assertEqual((result["stream"], result["records"], result["bad"]), ("s", 2, 2))
        records = self.d.records("s")
        self.assertEqual(records[0]["values"], {"cpu": 1, "temp": 20.5})
        self.assertEqual(records[1]["values"], {"temp": 21})
        for line in (3, 4):
            self.assertIn(f"standard input:{line}: ", done.err)

    def test_once(self):
        path = self.file("o.log", "one\ntwo\n")
        options = ["--stream", "o", "--kind", "text", "--once"]
        self.ingest(*options, path, check=True)
        done = self.ingest(*options, path)
        self.assertEqual(done.status, 0)
        self.assertIn("was ingested before", done.err)
        self.assertEqual(len(self.d.records("o")), 2)
        path.write_text("one\ntwo\nthree\n")
        self.ingest(*options, path, check=True)
        self.assertEqual(len(self.d.records("o")), 5)
        self.assertEqual(self.ingest(*options, stdin="x\n").status, 2)

    def test_a_pipe_that_pauses(self):
        """What was written to a pipe is durable while the pipe stays open."""
        process = subprocess.Popen([varvetest.program("varve"), "ingest", "--stream", "p",
                                    "--kind", "text"], env=self.d.environment,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.stdin.write(b"first\n")
        process.stdin.flush()
        client = self.d.client()
        for _ in range(1000):
            streams = {s["stream"]: s["records"] for s in client.call("stream.list")["items"]}
            if streams.get("p") == 1:
                break
            threading.Event().wait(0.01)
        self.assertEqual(streams.get("p"), 1)
        process.stdin.close()
        self.assertEqual(process.wait(varvetest.PATIENCE), 0)

    # ---- asking

    def test_search(self):
        self.kettle()
        done = self.d.varve("search", "heron pond", "--json", "--limit", "3", "--stream", "k")
        self.assertEqual(done.status, 0)
        found = done.json()
        self.assertLessEqual(len(found["items"]), 3)
        self.assertGreater(len(found["items"]), 0)
        for item in found["items"]:
            self.assertLessEqual(ITEM, set(item))
            self.assertRegex(item["start"], r"^2026-11-20T13:00:\d\d\.\d{6}Z$")
        for record in found["records"]:
            self.assertLessEqual(RECORD, set(record))
        refs = {r["ref"] for r in found["records"][:6]}
        self.assertEqual(refs, {f"r{n}" for n in range(0, 40, 7)})
        text = self.d.varve("search", "heron pond")
        self.assertIn(found["items"][0]["id"], text.out)

    def test_times_filter(self):
        self.kettle()
        count = lambda *t: len(self.d.varve("search", "heron", "--json", *t).json()["items"])
        self.assertGreater(count("--since", "2026-11-20T12:59:00Z"), 0)
        self.assertEqual(count("--since", "2026-11-20T13:01:00Z"), 0)
        self.assertEqual(count("--until", "2026-11-20T13:00:00Z"), 0)
        self.assertEqual(count("--since=-1h"), 0)
        nothing = self.d.varve("search", "heron", "--since=-1h")
        self.assertEqual((nothing.status, nothing.out), (0, "nothing found\n"))

    def test_ask(self):
        self.kettle()
        answer = self.d.varve("ask", "heron", "in", "the", "pond?", "--json").json()
        self.assertFalse(answer["absent"])
        self.assertTrue(0 <= answer["confidence"] <= 1)
        self.assertLessEqual(ITEM | {"gist", "share"}, set(answer["items"][0]))
        self.assertLessEqual(answer["spent"], 4096)
        absent = self.d.varve("ask", "zebra crossing", "--json")
        self.assertEqual(absent.status, 0)
        self.assertTrue(absent.json()["absent"])

    def test_ladder(self):
        self.kettle()
        item = self.d.varve("search", "heron", "--json").json()["items"][0]["id"]
        opened = self.d.varve("open", item, "--json").json()
        self.assertEqual(opened["id"], item)
        self.assertIn("heron", self.d.varve("open", item).out)
        self.assertGreater(len(self.d.varve("timeline", "--json").json()["items"]), 0)
        around = self.d.varve("timeline", item, "--json").json()["items"]
        self.assertIn(item, [i["id"] for i in around])
        out = self.folder / "raw.txt"
        self.assertEqual(self.d.varve("raw", item, "--out", out).status, 0)
        self.assertTrue(set(out.read_text().splitlines()) <= {line["text"] for line in LINES})
        self.assertGreater(len(self.d.varve("similar", "--text", "a heron",
                                            "--json").json()["items"]), 0)
        self.assertEqual(self.d.varve("pin", item, "--json").json()["pinned"], True)
        self.assertEqual(self.d.varve("unpin", item, "--json").json()["pinned"], False)
        self.assertEqual(self.d.varve("feedback", item, "--helped").status, 0)
        self.assertEqual(self.d.varve("feedback", item).status, 2)

    def test_remember(self):
        self.d.varve("remember", "the", "spare key hangs behind the clock", check=True)
        self.d.varve("remember", "-", stdin="from a pipe: moss on the roof\n", check=True)
        found = self.d.varve("search", "spare key", "--json").json()
        self.assertIn("spare key", found["items"][0]["title"])
        self.assertIn({"text": "from a pipe: moss on the roof"},
                      [{"text": r["text"]} for r in self.d.records()])

    def test_daemon(self):
        self.kettle()
        self.assertIn("varve_", self.d.varve("metrics").out)
        self.assertEqual(self.d.varve("status", "--json").json()["state"], "running")
        self.assertIn("running", self.d.varve("status").out)
        self.assertEqual(self.d.varve("reload").status, 0)
        streams = self.d.varve("streams", "--json").json()["items"]
        self.assertIn("k", [s["stream"] for s in streams])
        self.assertEqual(self.d.varve("surprise", "--json").status, 0)
        self.assertEqual(self.d.varve("entities", "--json").status, 0)

    def test_watch(self):
        command = [varvetest.program("varve"), "watch", "heron", "--json"]
        process = subprocess.Popen(command, env=self.d.environment, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        client = self.d.client()
        # The watch stands once the daemon has heard of it.
        for _ in range(1000):
            if client.call("daemon.status")["clients"]["requests"] > 0 and \
                    client.call("daemon.status")["clients"]["connections"] > 1:
                break
            threading.Event().wait(0.01)
        timer = threading.Timer(varvetest.PATIENCE, process.kill)
        timer.start()
        self.addCleanup(timer.cancel)
        feeder = threading.Thread(target=self.kettle)
        feeder.start()
        self.addCleanup(feeder.join)
        item = json.loads(process.stdout.readline())
        self.assertEqual(item["stream"], "k")

    def test_watch_exec(self):
        out = self.folder / "hit"
        command = [varvetest.program("varve"), "watch", "--exec", f"tee -a '{out}'"]
        process = subprocess.Popen(command, env=self.d.environment, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        timer = threading.Timer(varvetest.PATIENCE, process.kill)
        timer.start()
        self.addCleanup(timer.cancel)
        client = self.d.client()
        for _ in range(1000):
            if client.call("daemon.status")["clients"]["connections"] > 1:
                break
            threading.Event().wait(0.01)
        feeder = threading.Thread(target=self.kettle)
        feeder.start()
        self.addCleanup(feeder.join)
        item = json.loads(process.stdout.readline()) # what tee says
        self.assertIn("id", item)

    def on_terminal(self, *arguments, columns=50):
        """What the command writes to a terminal of that width."""
        main, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        process = subprocess.Popen([varvetest.program("varve"), *arguments],
                                   env={**self.d.environment, "TERM": "xterm"},
                                   stdin=subprocess.DEVNULL, stdout=end, stderr=end)
        os.close(end)
        written = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError: # all its writers are gone
                break
            if not chunk:
                break
            written += chunk
        os.close(main)
        process.wait(varvetest.PATIENCE)
        return written.decode().replace("\r\n", "\n")

    def test_terminal(self):
        note = "a bell \x07 and \x1b[31mred and a long tail that no narrow terminal can hold"
        self.d.varve("remember", note, check=True)
        plain = self.d.varve("search", "bell tail").out
        self.assertIn("a long tail that no narrow terminal can hold", plain)
        self.assertNotIn("\x1b", plain)
        self.assertNotIn("\x07", plain)
        shown = self.on_terminal("search", "bell tail")
        self.assertIn("\x1b[", shown)
        self.assertNotIn("\x1b[31m", shown)
        for line in re.sub(r"\x1b\[\d*m", "", shown).splitlines():
            self.assertLessEqual(len(line), 60)
        self.assertIn("…", shown)

    # ---- usage

    def test_wrong_usage(self):
        for arguments in ([], ["nope"], ["search"], ["open", "1", "2"], ["search", "x", "--nope"],
                          ["search", "x", "--limit", "0"], ["ingest"], ["timeline", "someday"],
                          ["watch", "--exec", "'a"], ["help", "nope"]):
            done = self.d.varve(*arguments)
            self.assertEqual(done.status, 2, arguments)
            self.assertEqual(done.out, "", arguments)
            self.assertNotEqual(done.err, "", arguments)

    def test_failures(self):
        done = self.d.varve("open", "999999")
        self.assertEqual((done.status, done.out), (1, ""))
        self.assertIn("999999", done.err)
        nowhere = self.folder / "nowhere"
        done = self.d.varve("--socket", nowhere, "status")
        self.assertEqual((done.status, done.out), (1, ""))
        self.assertIn(f"no daemon at {nowhere}: start it with `varved`", done.err)
        with open("/dev/full", "w") as full:
            done = subprocess.run([varvetest.program("varve"), "status"], stdout=full,
                                  stderr=subprocess.DEVNULL, env=self.d.environment)
        self.assertEqual(done.returncode, 1)

    def test_help(self):
        words = self.d.varve("help", "--list").out.split()
        self.assertIn("ask", words)
        page = self.d.varve("help").out
        for word in set(words) - {"help"}:
            self.assertIn(f"  {word} ", page)
            self.assertIn(f"usage: varve {word}", self.d.varve("help", word).out)
        self.assertIn("--limit", self.d.varve("help", "--list", "search").out.split())
        self.assertRegex(self.d.varve("--version").out, r"^varve \d")

    def test_completion(self):
        script = varvetest.ROOT / "cli" / "completion" / "varve.bash"
        self.kettle()

        def complete(*words):
            line = " ".join(f"'{w}'" for w in ("varve",) + words)
            run = (f'. "{script}"; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _varve; '
                   'printf "%s\\n" "${COMPREPLY[@]}"')
            path = f"{pathlib.Path(varvetest.program('varve')).parent}:{os.environ['PATH']}"
            return subprocess.run(["bash", "-c", run], env={**self.d.environment, "PATH": path},
                                  capture_output=True, text=True, check=True).stdout.split()

        self.assertEqual(complete("se"), ["search"])
        self.assertEqual(complete("search", "--li"), ["--limit"])
        self.assertEqual(complete("search", "x", "--stream", ""), ["k"])
        self.assertEqual(complete("help", "unp"), ["unpin"])

    def test_example(self):
        example = varvetest.BUILD / "ipc" / "example_remember"
        done = subprocess.run([example, self.d.socket], capture_output=True, text=True,
                              env=self.d.environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("clock", done.stdout.splitlines()[1])
        self.assertEqual([r["text"] for r in self.d.records("kitchen")],
                         ["the kettle was put on", "the kettle boils"])


if __name__ == "__main__":
    unittest.main()
