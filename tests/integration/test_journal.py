#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The journal, and the log files where there is none.

Needs root: it hides /run and /var/log behind empty file systems of its own (in a mount namespace,
so nobody else notices), and starts a systemd-journald there. Skipped where that cannot be done.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import varvetest

JOURNALD = next((p for p in ("/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald")
                 if os.path.exists(p)), None)
MARK = "VARVE_TEST_NAMESPACE"


def enter_namespace():
    """Runs this file again behind empty folders. Returns only where that is not possible."""
    mount = "mount -t tmpfs none /run && mount -t tmpfs none /var/log && mkdir /run/log"
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode != 0:
        return
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", mount + ' && exec "$@"', "sh",
                          sys.executable, *sys.argv])


@unittest.skipUnless(os.environ.get(MARK), "needs root and a mount namespace")
class Journal(varvetest.Case):
    def journald(self):
        if not JOURNALD or not shutil.which("systemd-cat"):
            self.skipTest("needs systemd-journald and systemd-cat")
        os.makedirs("/run/systemd/journal", exist_ok=True)
        process = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)

        def end():
            process.terminate()
            process.wait()
            shutil.rmtree("/run/log/journal", ignore_errors=True)
        self.addCleanup(end)
        self.poll(lambda: os.path.exists("/run/systemd/journal/stdout") and
                  any(pathlib.Path("/run/log").rglob("*.journal")), "journald")

    def say(self, text, tag="pump"):
        data = text if isinstance(text, bytes) else text.encode()
        subprocess.run(["systemd-cat", "-t", tag], input=data + b"\n", check=True)

    def sources(self, d):
        with varvetest.Client(d.socket) as client:
            return {s["name"]: s for s in client.call("daemon.status")["sources"]}

    def wait_for(self, d, last, tag="pump"):
        """The texts that the tag had, once `last` is among them."""
        def found():
            with varvetest.Client(d.socket) as client:
                if "journal" not in [s["stream"] for s in client.call("stream.list")["items"]]:
                    return None
                client.call("stream.flush", stream="journal")
            records = sorted(d.records("journal"), key=lambda r: int(r["seq"]))
            texts = [r["text"] for r in records if r["text"].startswith(f"{tag}: ")]
            return texts if f"{tag}: {last}" in texts else None
        return self.poll(found, last)

    def test_entries_and_restarts(self):
        self.journald()
        self.say("one")
        d = self.daemon("[source journal]\ntype = journal\n")
        self.wait_for(d, "one")
        self.say("two")
        self.say(b"bad \xff byte")
        self.wait_for(d, "bad \ufffd byte")
        d.kill()
        self.say("while it was down")
        d.start()
        self.say("four")
        self.assertEqual(self.wait_for(d, "four"),
                         ["pump: one", "pump: two", "pump: bad \ufffd byte",
                          "pump: while it was down", "pump: four"])
        self.assertEqual(d.stop(), 0)
        d.start()
        self.say("five")
        self.assertEqual(len(self.wait_for(d, "five")), 6)
        self.assertEqual(self.sources(d)["journal"]["state"], "running")

    def test_only_what_matches(self):
        self.journald()
        d = self.daemon("[source journal]\ntype = journal\nmatch = SYSLOG_IDENTIFIER=pump "
                        "SYSLOG_IDENTIFIER=fan\n")
        self.say("not this", tag="other")
        self.say("this")
        self.say("and this", tag="fan")
        self.wait_for(d, "this")
        self.wait_for(d, "and this", tag="fan")
        self.assertEqual(sorted(r["text"] for r in d.records("journal")),
                         ["fan: and this", "pump: this"])

    def test_the_default_is_the_journal(self):
        self.journald()
        pathlib.Path("/var/log/syslog").write_text("not this\n")
        self.say("hello")
        d = self.daemon(default_sources=True)
        self.wait_for(d, "hello")
        self.assertEqual(set(self.sources(d)), {"host", "journal"})

    def test_without_a_journal_the_log_files(self):
        os.makedirs("/var/log/apt", exist_ok=True)
        pathlib.Path("/var/log/syslog").write_text("system line\n")
        pathlib.Path("/var/log/dpkg.log").write_text("2026-01-02 10:00:00 install it\n")
        pathlib.Path("/var/log/old.log").write_text("2020-01-02 10:00:00 long ago\n")
        pathlib.Path("/var/log/apt/history.log").write_text("Start-Date: 2026-01-01\n")
        d = self.daemon(default_sources=True)
        self.poll(lambda: len(self.sources(d).get("logs", {"streams": []})["streams"]) == 4, "the files")
        streams = ["logs/apt/history.log", "logs/dpkg.log", "logs/old.log", "logs/syslog"]
        self.assertEqual(sorted(self.sources(d)["logs"]["streams"]), streams)
        self.poll(lambda: self.sources(d)["journal"]["state"] != "starting", "the journal's answer")
        state = self.sources(d)["journal"]["state"]
        self.assertIn("no journal", state)
        self.assertIn("log files are followed instead", state)
        self.assertEqual(self.sources(d)["logs"]["state"], "running")
        client = d.client()
        self.poll(lambda: client.call("daemon.status")["records"] > 4, "the lines")
        for stream in streams:
            client.call("stream.flush", stream=stream)
            self.assertEqual(len(d.records(stream)), 1)
        listed = {s["stream"]: s for s in client.call("stream.list")["items"]}
        for stream in streams:
            self.assertEqual(listed[stream]["late"], 0)
            self.assertEqual(listed[stream]["why"], "on by default")
        self.assertIn("no journal", listed["journal"]["state"])


if __name__ == "__main__":
    if not os.environ.get(MARK):
        enter_namespace()
    unittest.main()
