#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.forget: what was named is nowhere any more, and everything else is as it was.

"Nowhere" is asked of the file's bytes as they lie there, of every zstd frame that begins at any
place in them, whole or cut off, and of all that the programs print.
"""
import ctypes
import ctypes.util
import datetime
import json
import os
import pty
import select
import sqlite3
import subprocess
import threading
import unittest

import varvetest

SECRET = "zanzibar"
CHANNEL = "luxquartz"
T0 = datetime.datetime(2026, 11, 18, 9, 0, tzinfo=datetime.timezone.utc)


class Zstd:
    """As much of a frame as can be read, by the library itself."""

    MAGIC = b"\x28\xb5\x2f\xfd"

    class Buffer(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        self.lib.ZSTD_createDStream.restype = ctypes.c_void_p
        self.lib.ZSTD_decompressStream.restype = ctypes.c_size_t
        self.lib.ZSTD_decompressStream.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(self.Buffer), ctypes.POINTER(self.Buffer)]
        self.stream = self.lib.ZSTD_createDStream()
        self.room = ctypes.create_string_buffer(4 << 20)

    def read(self, data):
        self.lib.ZSTD_initDStream(ctypes.c_void_p(self.stream))
        source = ctypes.create_string_buffer(data, len(data))
        given = self.Buffer(ctypes.addressof(source), len(data), 0)
        out = self.Buffer(ctypes.addressof(self.room), len(self.room), 0)
        while given.at < given.size and out.at < out.size:
            left = self.lib.ZSTD_decompressStream(self.stream, out, given)
            if left == 0 or self.lib.ZSTD_isError(ctypes.c_size_t(left)):
                break
        return self.room.raw[:out.at]


def holds(path, secret):
    """Where the file holds it: None, or how it was found."""
    data = path.read_bytes() if path.exists() else b""
    wanted = secret.lower().encode()
    if wanted in data.lower():
        return "plain"
    zstd, at = Zstd(), data.find(Zstd.MAGIC)
    while at >= 0:
        if wanted in zstd.read(data[at:at + (256 << 10)]).lower():
            return f"in the frame at {at}"
        at = data.find(Zstd.MAGIC, at + 1)
    return None


def at(seconds):
    return (T0 + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def lines(count, every=97):
    """Log lines, two a second; one of `every` tells of the secret user."""
    for i in range(count):
        who = SECRET if i % every == 5 else f"user{i % 13}"
        text = (f"host{i % 3} sshd[{100 + i % 40}]: Accepted password for {who} "
                f"from 10.0.{i % 7}.{i % 250} port {1024 + i}")
        if i % 211 == 0:
            text = f"host{i % 3} kernel: disk sd{'abc'[i % 3]} answers slowly, {i} ms"
        yield {"seq": str(i + 1), "time": at(i / 2), "text": text}


class Forget(varvetest.Case):
    def filled(self, count=3000, **kwargs):
        """A daemon with a log, another of the same lines, and a sensor."""
        self.d = self.daemon(**kwargs)
        self.c = self.d.client()
        self.all = list(lines(count))
        for stream in ("auth", "copy"):
            self.c.call("stream.open", name=stream, kind="text")
            for i in range(0, count, 500):
                self.c.append(stream, self.all[i:i + 500])
            self.c.call("stream.flush", stream=stream)
        self.c.call("stream.open", name="room", kind="sensor")
        self.c.append("room", [{"time": at(10 * i), "values": {"celsius": 20 + i % 5,
                                                              CHANNEL: i % 90}}
                               for i in range(600)])
        self.c.call("stream.flush", stream="room")
        return self.d

    def forget(self, *arguments):
        return self.d.varve("forget", *arguments, "--json").json()

    def secret_records(self, stream=None):
        return [r for r in self.d.records(stream) if SECRET in json.dumps(r).lower()]

    def check_sound(self):
        done = self.d.dump("--verify")
        self.assertEqual(done.status, 0, done.err + done.out)

    def check_gone(self, secret=SECRET):
        """In the file's bytes, and in all that is printed of it."""
        self.check_sound()
        for name in ("memory.db", "memory.db-wal", "memory.db-shm"):
            self.assertIsNone(holds(self.d.state / name, secret), name)
        printed = [self.d.dump(*how).out for how in
                   (("--records",), ("--format", "ndjson"), ("--format", "text"))]
        if self.d.process.poll() is None:
            printed += [self.d.varve(*what, "--json").out for what in
                        (("timeline", "--limit", "500"), ("surprise", "--limit", "500"),
                         ("entities",), ("streams",), ("search", "password accepted"),
                         ("ask", "who logged in?"))]
            found = self.d.varve("search", secret, "--json").json()
            self.assertNotIn(secret, json.dumps(found).lower())
        for text in printed:
            self.assertNotIn(secret.lower(), text.lower())

    def test_match(self):
        self.filled()
        before = [r for r in self.d.records() if SECRET not in json.dumps(r)]
        many = len(self.d.records()) - len(before)
        self.assertGreater(many, 50)
        self.assertTrue(holds(self.d.database, SECRET) or
                        holds(self.d.state / "memory.db-wal", SECRET))
        told = self.forget("--match", SECRET.upper(), "--dry")
        self.assertEqual((told["records"], told["dry"]), (many, True))
        receipt = self.forget("--match", SECRET.upper())
        self.assertEqual(receipt["records"], many)
        self.assertEqual(receipt["rewritten"], len(receipt["ids"]))
        self.assertNotIn(SECRET, json.dumps(receipt).lower())
        self.assertEqual(self.d.records(), before)
        self.check_gone()
        again = self.forget("--match", SECRET)
        self.assertEqual((again["records"], again["moments"], again["ids"]), (0, 0, []))
        # The running model does not bring it back, nor does what it saves when it ends.
        self.c.append("auth", [{"text": "host1 sshd[1]: Accepted password for somebody else"}])
        self.c.call("stream.flush", stream="auth")
        self.check_gone()
        self.assertEqual(self.d.stop(), 0)
        self.check_gone()
        self.d.start()
        self.check_gone()

    def test_id_also_pinned(self):
        self.filled()
        note = self.d.varve("remember", "--pin", "--json", "the code is Wolkenkuckucksheim").json()
        self.assertTrue(holds(self.d.database, "wolkenkuckucksheim") or
                        holds(self.d.state / "memory.db-wal", "wolkenkuckucksheim"))
        all_of = len(self.d.records())
        receipt = self.forget(note["id"])
        self.assertEqual((receipt["records"], receipt["ids"]), (1, [note["id"]]))
        self.check_gone("wolkenkuckucksheim")
        self.assertEqual(len(self.d.records()), all_of - 1)
        done = self.d.varve("forget", note["id"], "--json")
        self.assertEqual(done.status, 1)
        self.assertIn("no memory", done.err)

    def test_time(self):
        """Through the middle of moments of three streams."""
        self.filled()
        since, until = at(300.25), at(907.5)
        inside = [r for r in self.d.records() if since <= r["time"] < until]
        outside = [r for r in self.d.records() if not since <= r["time"] < until]
        self.assertGreater(len(inside), 2000)
        receipt = self.forget("--since", since, "--until", until)
        self.assertEqual(receipt["records"], len(inside))
        self.assertEqual(self.d.records(), outside)
        self.check_sound()
        hidden = [r["text"] for r in inside if SECRET in r.get("text", "")][3]
        self.assertIsNone(holds(self.d.database, hidden[20:]))
        found = self.d.varve("timeline", "--since", since, "--until", until, "--stratum", "0",
                             "--json").json()
        self.assertEqual([i for i in found["items"]
                          if since <= i["start"] and i["end"] < until], [])

    def test_stream(self):
        """A stream that a client goes on to feed begins anew; the other keeps all it has."""
        self.filled()
        others = [r for r in self.d.records() if r["stream"] != "auth"]
        receipt = self.forget("--stream", "auth")
        self.assertEqual((receipt["records"], receipt["streams"]), (len(self.all), 1))
        self.assertEqual(self.d.records(), others)
        self.check_sound()
        self.assertNotIn('"auth"', self.d.varve("streams", "--json").out)
        with self.assertRaises(varvetest.RpcError) as caught:
            self.c.append("auth", ["x"])
        self.assertEqual(caught.exception.name, "notfound")
        self.assertEqual(self.c.call("stream.open", name="auth", kind="text")["next_seq"], "1")
        self.c.append("auth", ["a fresh beginning"])
        self.c.call("stream.flush", stream="auth")
        self.assertEqual([r["text"] for r in self.d.records("auth")], ["a fresh beginning"])
        self.forget("--stream", "copy")
        self.check_gone()
        self.forget("--stream", "room")
        self.check_gone("celsius")
        self.check_gone(CHANNEL)

    def test_a_channel_goes_on(self):
        """An ingest channel of a stream that is forgotten: what it sends next is not lost."""
        self.d = self.daemon()
        feeder = self.d.client()
        feeder.open_channel("fed")

        def send(texts):
            feeder.send_raw(varvetest.text_records_frame(texts))
            while feeder.read_frame()[0] != varvetest.FRAME_ACK:
                pass
        send([f"before {SECRET} {i}" for i in range(40)])
        receipt = self.forget("--stream", "fed")
        self.assertEqual(receipt["records"], 40)
        send([f"after {i}" for i in range(40)])
        self.d.client().call("stream.flush", stream="fed")
        self.assertEqual([r["text"] for r in self.d.records("fed")],
                         [f"after {i}" for i in range(40)])
        self.check_gone()

    def test_only_of_a_stream(self):
        self.filled()
        kept = self.secret_records("copy")
        self.forget("--match", SECRET, "--stream", "auth", "--since", at(0))
        self.assertEqual(self.secret_records("auth"), [])
        self.assertEqual(self.secret_records("copy"), kept)
        self.check_sound()
        self.forget("--match", SECRET)
        self.check_gone()

    def test_sensor_channel(self):
        """With its records goes the name, from a running model too; what comes then is new."""
        self.filled()
        self.c.append("room", [{"time": at(6010), "values": {"celsius": 21}}])
        self.c.call("stream.flush", stream="room")
        receipt = self.forget("--match", CHANNEL[:5].upper())
        self.assertEqual(receipt["records"], 600)
        self.assertEqual([r["values"] for r in self.d.records("room")], [{"celsius": 21}])
        self.check_gone(CHANNEL)
        self.c.append("room", [{"time": at(6020 + 10 * i), "values": {"celsius": 20 + i % 5}}
                               for i in range(600)])
        self.c.call("stream.flush", stream="room")
        self.assertNotIn(CHANNEL, json.dumps(self.c.call("predict.forecast", stream="room")))
        self.assertEqual(self.d.stop(), 0)
        self.check_gone(CHANNEL)
        self.d.start()
        self.check_gone(CHANNEL)
        client = self.d.client()
        fresh = [{"time": at(20000 + 10 * i), "values": {CHANNEL: 5.5 + i % 3, "celsius": 20}}
                 for i in range(100)]
        client.append("room", fresh)
        client.call("stream.flush", stream="room")
        self.assertEqual([r["values"] for r in self.d.records("room")][-100:],
                         [r["values"] for r in fresh])
        self.assertEqual({i["channel"] for i in client.call("predict.forecast", stream="room",
                                                            channel=CHANNEL)["items"]}, {CHANNEL})
        self.check_sound()
        self.assertEqual(self.forget("--match", CHANNEL, "--stream", "room")["records"], 100)
        self.check_gone(CHANNEL)
        self.assertEqual(len(self.d.records("room")), 601)

    def test_sensor_channel_at_a_time(self):
        """Others still use the name."""
        self.filled(100)
        self.forget("--match", CHANNEL, "--since", at(0), "--until", at(1000))
        left = self.d.records("room")
        self.assertEqual(len(left), 500)
        self.assertTrue(all(CHANNEL in r["values"] for r in left))
        self.check_sound()

    def test_a_sensor_goes_on(self):
        """One that is fed with the channel while it is forgotten keeps all that comes later."""
        self.filled(100)
        stop, sent, trouble = threading.Event(), [], []

        def feed():
            try:
                with varvetest.Client(self.d.socket) as client:
                    n = 0
                    while not stop.is_set():
                        some = [{"time": at(7000 + n + i), "values": {"celsius": 20, CHANNEL: n + i}}
                                for i in range(50)]
                        client.append("room", some)
                        sent.extend(r["values"] for r in some)
                        n += 50
                    client.call("stream.flush", stream="room")
            except Exception as e:  # pylint: disable=broad-except
                trouble.append(e)
        feeder = threading.Thread(target=feed)
        feeder.start()
        self.poll(lambda: len(sent) > 200)
        receipt = self.forget("--match", CHANNEL)
        behind = len(sent)
        self.poll(lambda: len(sent) > behind + 200)
        stop.set()
        feeder.join()
        self.assertEqual(trouble, [])
        self.assertGreaterEqual(receipt["records"], 800)
        left = [r["values"] for r in self.d.records("room")]
        self.assertEqual(len(left), 600 + len(sent) - receipt["records"])
        self.assertEqual(left, sent[len(sent) - len(left):])
        self.check_sound()
        self.d.stop()
        self.d.start()
        self.assertEqual([r["values"] for r in self.d.records("room")], left)
        self.assertEqual(self.forget("--match", CHANNEL)["records"], len(left))
        self.check_gone(CHANNEL)

    def test_right_after_a_start(self):
        """It waits for what the daemon still loads."""
        self.filled(1000)
        for selector in ((self.d.varve("search", SECRET, "--json").json()["items"][0]["id"],),
                         ("--match", SECRET)):
            self.d.stop()
            self.d.start()
            self.assertGreater(self.forget(*selector)["records"], 0)
        self.check_gone()

    def test_a_reader_holds_the_file(self):
        """It ends when the reader does, not before: the log cannot be emptied."""
        self.filled(1000)
        reader = sqlite3.connect(f"file:{self.d.database}?mode=ro", uri=True,
                                 isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM moment").fetchone()
        asker, watcher = self.d.client(), self.d.client()
        asker.send("memory.forget", match=SECRET, confirm=True)
        self.poll(lambda: (watcher.call("daemon.status")["forgetting"] or {}).get("phase") == "file")
        watcher.append("auth", ["life goes on"])
        watcher.call("stream.flush", stream="auth")
        self.assertEqual(watcher.call("daemon.status")["forgetting"]["phase"], "file")
        reader.execute("COMMIT")
        self.assertGreater(asker.answer()["result"]["records"], 0)
        self.check_gone()

    def test_a_backup_in_the_middle(self):
        """A copy holds what there was, or a plan that is carried out where the copy is opened."""
        self.filled(4000)
        asker = self.d.client()
        asker.send("memory.forget", match=SECRET, confirm=True)
        copies = []
        while not select.select([asker.socket], [], [], 0)[0] and len(copies) < 30:
            copies.append(self.d.state / f"copy{len(copies)}")
            done = self.d.dump("--backup", copies[-1])
            self.assertEqual(done.status, 0, done.err)
        self.assertGreater(asker.answer()["result"]["records"], 0)
        self.check_gone()
        planned = 0
        for number, path in enumerate(copies):
            with sqlite3.connect(path) as db:
                plan = db.execute("SELECT count(*) FROM forget WHERE what=0").fetchone()[0]
            d = self.daemon(start=False, name=f"copy{number}")
            d.state.mkdir(exist_ok=True)
            os.rename(path, d.database)
            d.start()
            left = [r for r in d.records() if SECRET in json.dumps(r)]
            done = d.dump("--verify")
            self.assertEqual(done.status, 0, done.err)
            if plan:
                self.assertEqual(left, [])
                self.assertIsNone(holds(d.database, SECRET))
                planned += 1
            d.stop()
        print(f"{len(copies)} copies, {planned} of them with a plan")

    def test_beside_eviction(self):
        """In a small memory that is full and fed on: gone, and within its bounds."""
        self.filled(1500, config="[memory]\nbudget = 4MiB\n")
        stop, trouble = threading.Event(), []

        def feed():
            try:
                with varvetest.Client(self.d.socket) as client:
                    client.call("stream.open", name="busy", kind="text")
                    n = 0
                    while not stop.is_set():
                        client.append("busy", [
                            {"time": at(4000 + (n + i) / 2),
                             "text": f"request {(n + i) * 7919 % 104729} of {(n + i) * 31 % 977} by "
                                     f"{SECRET if (n + i) % 40 == 3 and n < 6000 else 'one'} served"}
                            for i in range(250)])
                        n += 250
            except Exception as e:  # pylint: disable=broad-except
                trouble.append(e)
        feeder = threading.Thread(target=feed)
        feeder.start()

        def evicted():
            with varvetest.Client(self.d.socket) as client:
                return client.call("daemon.status")["kept_moments"]["let_go"] > 50
        try:
            self.poll(evicted, what="eviction")
            for selector in (("--match", SECRET, "--stream", "busy"), ("--match", SECRET),
                             ("--stream", "copy")):
                self.forget(*selector)
        finally:
            stop.set()
            feeder.join()
        self.assertEqual(trouble, [])
        self.forget("--match", SECRET)
        self.check_gone()
        size = sum(f.stat().st_size for f in self.d.state.glob("memory.db*"))
        self.assertLessEqual(size, (4 << 20) * 1.02)

    def test_all_pinned(self):
        """A memory that holds little but what is pinned gives that back as well."""
        self.d = self.daemon("[memory]\nbudget = 2MiB\npinned = 60%\n")
        self.c = self.d.client()
        pinned, refused = [], None
        for n in range(2000):
            words = " ".join(f"{(n * 7919 + k) * 2654435761 % (1 << 32):x}" for k in range(6500))
            try:
                pinned.append(self.c.call("memory.remember", text=f"{SECRET} {n} {words}",
                                          pin=True)["id"])
            except varvetest.RpcError as e:
                refused = e
                break
        self.assertIn(getattr(refused, "name", None), ("full", "limit"), f"{len(pinned)} were pinned")
        self.assertGreater(len(pinned), 10)
        receipt = self.forget(pinned[0])
        self.assertEqual(receipt["records"], 1)
        self.check_sound()
        self.forget("--match", SECRET)
        self.check_gone()
        self.c.call("memory.remember", text="room again", pin=True)
        self.check_sound()

    def test_what_was_just_sent(self):
        """Open moments and the journal: acknowledged, in no moment yet."""
        self.filled(500)
        self.c.append("auth", [f"{SECRET} is here, {i}" for i in range(20)])
        self.forget("--match", SECRET)
        self.check_gone()

    def test_a_resend_brings_nothing_back(self):
        self.filled(1000)
        known = len(self.d.records("auth"))
        secret = [r for r in self.all if SECRET in r["text"]]
        self.forget("--match", SECRET)
        acked = self.c.append("auth", secret)
        self.c.call("stream.flush", stream="auth")
        self.assertEqual(len(self.d.records("auth")), known - len(secret))
        self.check_gone()
        # After a restart they are known from the file alone.
        self.d.stop()
        self.d.start()
        self.assertEqual(self.d.client().append("auth", secret), acked)
        self.assertEqual(self.secret_records(), [])

    def test_kill_in_the_middle(self):
        """At whatever phase it is met; the next start ends it. Not planned yet: all is there."""
        seen = set()
        for turn, wanted in enumerate(("planning", "erasing", "models", "index", "room", "file",
                                       "erasing", "erasing")):
            self.filled(2000, name=f"kill{turn}")
            before = self.d.records()
            asker, watcher = self.d.client(), self.d.client()
            asker.send("memory.forget", match=SECRET, confirm=True)
            phase = None
            for _ in range(20000):
                status = watcher.call("daemon.status")["forgetting"]
                phase = status["phase"] if status else phase and "over"
                if phase in (wanted, "over"):
                    break
            self.d.kill()
            seen.add(phase)
            self.d.start()
            self.check_sound()
            after = self.d.records()
            if len(after) == len(before):
                self.assertEqual(phase, "planning")
                self.forget("--match", SECRET)
                after = self.d.records()
            self.assertEqual(after, [r for r in before if SECRET not in json.dumps(r)])
            self.check_gone()
            self.d.stop()
        self.assertIn("erasing", seen)
        print("killed in:", ", ".join(sorted(map(str, seen))))

    def test_while_it_is_fed(self):
        """At full speed, beside questions: no other record is lost, none that was named stays."""
        self.filled(2000)
        stop, sent, trouble = threading.Event(), [], []

        def feed(number):
            try:
                with varvetest.Client(self.d.socket) as client:
                    name = f"busy{number}"
                    client.call("stream.open", name=name, kind="text")
                    n = 0
                    while not stop.is_set():
                        texts = [f"request {n + i} of {name} served" for i in range(200)]
                        client.append(name, texts)
                        sent.extend((name, text) for text in texts)
                        n += 200
                    client.call("stream.flush", stream=name)
            except Exception as e:  # pylint: disable=broad-except
                trouble.append(e)

        def question():
            try:
                with varvetest.Client(self.d.socket) as client:
                    while not stop.is_set():
                        client.call("memory.search", query="password accepted disk")
            except Exception as e:  # pylint: disable=broad-except
                trouble.append(e)
        threads = [threading.Thread(target=feed, args=(i,)) for i in range(2)]
        threads.append(threading.Thread(target=question))
        for t in threads:
            t.start()
        receipts = [self.forget("--match", SECRET), self.forget("--stream", "copy")]
        found = holds(self.d.database, SECRET) or holds(self.d.state / "memory.db-wal", SECRET)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(trouble, [])
        self.assertIsNone(found)
        self.assertGreater(receipts[0]["records"], 30)
        stored = sorted((r["stream"], r["text"]) for r in self.d.records()
                        if r["stream"].startswith("busy"))
        self.assertEqual(stored, sorted(sent))
        self.check_gone()

    def test_bad_selectors(self):
        self.filled(300)
        before = self.d.records()
        for arguments, status, words in (
                ((), 2, "what?"), (("3", "--match", "a"), 2, "either"),
                (("--stream", "nowhere"), 1, "no stream"), (("77777",), 1, "no memory"),
                (("x7",), 1, "no memory's id"), (("--match", ""), 1, "match"),
                (("--since", at(100), "--until", at(50)), 1, "before"),
                (("--since", "gestern"), 2, "")):
            done = self.d.varve("forget", *arguments)
            self.assertEqual(done.status, status, done.err)
            self.assertIn(words, done.err)
        error = self.assertRpcError(-32602, self.c.call, "memory.forget", match=SECRET)
        self.assertIn("confirm", str(error))
        self.assertEqual(self.d.records(), before)
        self.check_sound()

    def test_one_at_a_time(self):
        self.filled(1500)
        first, second = self.d.client(), self.d.client()
        first.send("memory.forget", match=SECRET, confirm=True)
        second.send("memory.forget", match=SECRET, confirm=True)
        answers = [first.answer(), second.answer()]
        busy = [a for a in answers if "error" in a]
        self.assertLessEqual(len(busy), 1)
        for answer in busy:
            self.assertEqual(answer["error"]["data"]["code"], "busy")
        self.check_gone()

    def on_terminal(self, answer, *arguments):
        """Runs varve forget with a terminal, types the answer, returns status and output."""
        master, slave = pty.openpty()
        process = subprocess.Popen([varvetest.program("varve"), "forget", *arguments],
                                   env=self.d.environment, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        out, typed = b"", False
        while True:
            if not select.select([master], [], [], varvetest.PATIENCE)[0]:
                self.fail(f"nothing more after {out!r}")
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            out += chunk
            if b"[y/N]" in out and not typed:
                os.write(master, answer)
                typed = True
        os.close(master)
        return process.wait(), out.decode(), typed

    def test_a_terminal_is_asked(self):
        self.filled(500)
        before = self.d.records()
        status, out, typed = self.on_terminal(b"n\n", "--match", SECRET)
        self.assertTrue(typed)
        self.assertIn("would be forgotten", out)
        self.assertEqual(status, 1)
        self.assertEqual(self.d.records(), before)
        status, out, typed = self.on_terminal(b"y\n", "--match", SECRET)
        self.assertEqual(status, 0)
        self.assertIn("receipt", out)
        self.check_gone()
        status, out, typed = self.on_terminal(b"", "--match", "user1", "--json")
        self.assertFalse(typed)
        self.assertEqual(status, 0)

    def test_agents_must_confirm(self):
        self.filled(300)
        p = subprocess.Popen([varvetest.program("varve"), "mcp"], env=self.d.environment,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for step in (p.stdin.close, p.stdout.close, p.wait, p.kill):
            self.addCleanup(step)

        def tool(**arguments):
            p.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params":
                                      {"name": "forget", "arguments": arguments}}) + "\n")
            p.stdin.flush()
            result = json.loads(p.stdout.readline())["result"]
            return result["isError"], result["content"][0]["text"]
        before = self.d.records()
        failed, text = tool(match=SECRET)
        self.assertTrue(failed)
        self.assertIn("confirm", text)
        failed, text = tool(match=SECRET, dry=True)
        self.assertFalse(failed)
        self.assertIn("would be forgotten", text)
        self.assertEqual(self.d.records(), before)
        failed, text = tool(match=SECRET, confirm=True)
        self.assertFalse(failed, text)
        self.check_gone()


if __name__ == "__main__":
    unittest.main()
