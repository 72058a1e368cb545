#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the daemon's core: refused writes, resends meanwhile, hostile channels, stops
under load, damaged snapshots. Nothing acknowledged is lost, nothing is there twice, nothing hangs."""
import os
import resource
import signal
import sqlite3
import struct
import threading
import time
import unittest

import varvetest

MIB = 1 << 20


def numbered(first, last, size=0):
    return [{"seq": str(i), "text": f"record {i} " + (os.urandom(size // 2).hex() if size else "")}
            for i in range(first, last + 1)]


class Case(varvetest.Case):
    def limit_files(self, d, size):
        """No file of the daemon's may grow beyond `size`; None lifts that."""
        _, hard = resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    def no_room(self, d, but=0):
        """Each page of the write-ahead log takes more than that."""
        self.limit_files(d, os.path.getsize(str(d.database) + "-wal") + but if but else 4096)

    def seqs(self, d, stream):
        return [int(r["seq"]) for r in d.records(stream)]

    def wait_for(self, condition):
        limit = time.monotonic() + varvetest.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), limit, "it never came")


class Refused(Case):
    def test_an_acknowledgement_covers_nothing_that_was_refused(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        self.assertEqual(client.append("s", numbered(1, 10)), 10)
        self.no_room(d)
        with self.assertRaises(varvetest.RpcError):
            client.append("s", numbered(11, 2000, 2000))
        self.limit_files(d, None)
        self.assertEqual(client.append("s", numbered(11, 20)), 20)
        self.assertEqual(client.append("s", ["not numbered"]), 21)
        client.call("stream.flush", stream="s")
        self.assertEqual(self.seqs(d, "s"), list(range(1, 22)))

    def test_a_resend_while_the_first_sending_fails(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", ["one"])
        self.no_room(d)
        records = numbered(2, 2000, 2000)
        first = client.send("stream.append", stream="s", records=records)
        again = client.send("stream.append", stream="s", records=records[:1])
        answers = {m["id"]: m for m in (client.answer(), client.answer())}
        self.assertIn("error", answers[first])
        self.limit_files(d, None)
        stored = self.seqs(d, "s")
        if "result" in answers[again]:
            self.assertIn(2, stored)
            self.assertEqual(int(answers[again]["result"]["acked"]), 2)
        self.assertEqual(client.append("s", records[:3]), 4)
        client.call("stream.flush", stream="s")
        self.assertEqual(self.seqs(d, "s"), [1, 2, 3, 4])

    def test_a_channel_is_not_told_that_refused_records_are_durable(self):
        d = self.daemon()
        other = d.client()
        other.call("stream.open", name="s", kind="text")
        other.append("s", ["one"])
        self.no_room(d)
        client = d.client()
        client.open_channel("s")
        texts = [os.urandom(500).hex() for _ in range(700)]
        client.send_raw(varvetest.text_records_frame(texts, 2))
        acked, failed = 0, False
        while True:
            kind, body = client.read_frame()
            failed |= kind == varvetest.FRAME_ERROR
            if kind == varvetest.FRAME_ACK:
                acked = varvetest.read_varint(body, 0)[0]
                break
        self.assertTrue(failed)
        self.assertLessEqual(acked, 1)
        self.assertEqual(self.seqs(d, "s"), [1])

    def test_new_channels_of_a_refused_batch(self):
        """They are stored with the next batch that is taken, whatever its own channels are."""
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="sensor")
        client.append("s", [{"values": {"a": 1}}])
        self.no_room(d, 64 * 1024)
        many = {f"channel {i}": float.fromhex(f"0x1.{os.urandom(6).hex()}p0") for i in range(100)}
        first = client.send("stream.append", stream="s", records=[
            {"values": {name: float.fromhex(f"0x1.{os.urandom(6).hex()}p0") for name in many}}
            for _ in range(400)])
        second = client.send("stream.append", stream="s", records=[{"values": {"last": 5}}])
        answers = {m["id"]: m for m in (client.answer(), client.answer())}
        self.assertIn("error", answers[first])
        d.kill()
        d.start()
        stored = [r["values"] for r in d.records("s")]
        self.assertEqual(stored, [{"a": 1}] + [{"last": 5}] * ("result" in answers[second]))

    def test_a_flush_does_not_promise_what_waits_for_room(self):
        """And what waits is written once there is room, exactly once."""
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", numbered(1, 200, 1000))
        self.no_room(d)
        with self.assertRaises(varvetest.RpcError) as caught:
            client.call("stream.flush", stream="s")
        self.assertEqual(caught.exception.name, "full")
        self.limit_files(d, None)
        self.wait_for(lambda: client.call("daemon.status")["queues"]["waiting_for_room"] == 0)
        client.call("stream.flush", stream="s")
        self.assertEqual(self.seqs(d, "s"), list(range(1, 201)))
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)

    def test_a_file_is_read_once_though_there_was_no_room(self):
        log = self.folder / "app.log"
        log.write_text("")
        source = f"[source app]\ntype = file\npath = {log}\n"
        d = self.daemon(source)
        client = d.client()
        lines = [f"line {i} {os.urandom(100).hex()}" for i in range(8000)]
        self.wait_for(lambda: client.call("stream.list")["items"])
        client.append("app", ["by hand"])
        self.no_room(d)
        with open(log, "a") as f:
            f.write("".join(line + "\n" for line in lines))
        self.wait_for(lambda: client.call("daemon.status")["queues"]["waiting_for_room"] > 0)
        self.limit_files(d, None)
        self.wait_for(lambda: client.call("stream.list")["items"][0]["records"] == len(lines) + 1)
        client.call("stream.flush", stream="app")
        self.assertEqual([r["text"] for r in d.records("app")][1:], lines)
        self.assertEqual(d.stop(), 0)
        d.start()
        d.client().call("stream.flush", stream="app")
        self.assertEqual(len(d.records("app")), len(lines) + 1)


class Channels(Case):
    def flush(self, client):
        client.send_raw(varvetest.frame(varvetest.FRAME_FLUSH))
        while client.read_frame()[0] != varvetest.FRAME_FLUSHED:
            pass

    def test_a_paused_channel_goes_on(self):
        d = self.daemon("[model]\nqueue = 256KiB\n")
        client = d.client()
        client.open_channel("s")
        texts = [f"text {i} " + "word " * 60 for i in range(2000)]
        frames = 8
        for _ in range(frames):
            client.send_raw(varvetest.text_records_frame(texts))
        self.flush(client)
        self.assertEqual(len(d.records("s")), frames * len(texts))

    def test_errors_that_nobody_reads(self):
        """The channel is closed on while a frame of it is under way."""
        d = self.daemon()
        other = d.client()
        other.call("stream.open", name="s", kind="sensor")
        other.append("s", [{"values": {f"c{i}": i for i in range(1024)}}])
        client = d.client()
        client.open_channel("s", "sensor")
        name = b"one too many"
        client.send_raw(varvetest.frame(varvetest.FRAME_CHANNELS, varvetest.varint(1) +
                                        struct.pack("<H", 0) + varvetest.varint(len(name)) + name))
        record = b"\0" + varvetest.varint(1) + struct.pack("<Hd", 0, 1.0)
        frame = varvetest.frame(varvetest.FRAME_RECORDS, varvetest.varint(4096) + record * 4096)
        with self.assertRaises((BrokenPipeError, ConnectionError)):
            for _ in range(400):
                client.send_raw(frame)
                other.call("stream.flush", stream="s")
        self.assertEqual(other.append("s", [{"values": {"c0": 1}}]), 2)
        self.assertEqual(d.stop(), 0)

    def test_gone_before_its_stream_was_made(self):
        d = self.daemon()
        for i in range(50):
            client = varvetest.Client(d.socket)
            client.send("stream.open", name=f"s{i}", kind="sensor", framing="binary")
            client.close()
        d.client().call("stream.list")
        self.assertEqual(d.stop(), 0)


class Stop(Case):
    def stop_in_time(self, d):
        started = time.monotonic()
        self.assertEqual(d.stop(), 0)
        return time.monotonic() - started

    def test_with_a_great_deal_to_do(self):
        """What was not modelled lies in the journal, also when the stop comes while that is taken up."""
        d = self.daemon()
        clients = [d.client() for _ in range(4)]
        texts = [{"text": f"a line with a number {i} and words like these: " + "w%d " % (i % 977) * 9}
                 for i in range(40000)]
        for i, client in enumerate(clients):
            client.call("stream.open", name=f"s{i}", kind="text")
        for i, client in enumerate(clients):
            client.send("stream.append", stream=f"s{i}", records=texts)
        acked = [int(client.answer()["result"]["acked"]) for client in clients]
        queries = d.client()
        for i in range(60):
            queries.send("memory.search", query=f"number {i} words")
        took = [self.stop_in_time(d)]
        d.start()
        took.append(self.stop_in_time(d))
        for i, count in enumerate(acked):
            self.assertEqual(sorted(self.seqs(d, f"s{i}")), list(range(1, count + 1)))
        self.assertLessEqual(min(took), 2 * varvetest.SLOW, took)

    def test_reloads_until_the_end(self):
        log = self.folder / "app.log"
        log.write_text("hello\n")
        source = f"[source app]\ntype = file\npath = {log}\n"
        d = self.daemon(source)
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        stop = threading.Event()

        def storm():
            i = 0
            while not stop.is_set() and d.process.poll() is None:
                d.configure((source if i % 2 else "") + f"[redact]\npattern = secret{i}\n")
                d.signal(signal.SIGHUP)
                i += 1
        thread = threading.Thread(target=storm)
        thread.start()
        try:
            total = 0
            for i in range(20):
                total += 100
                self.assertEqual(client.append("s", [f"r{i} {j}" for j in range(100)]), total)
            self.assertEqual(d.stop(), 0)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(sorted(self.seqs(d, "s")), list(range(1, total + 1)))

    def test_requests_between_reloads(self):
        """However fast they come: what is asked in between is answered."""
        patterns = "".join(f"pattern = (secret|token|key){i}[a-z0-9]{{4,40}}\n" for i in range(60))
        d = self.daemon("[redact]\n" + patterns)
        client = d.client()
        stop = threading.Event()

        def storm():
            while not stop.is_set():
                d.signal(signal.SIGHUP)
        thread = threading.Thread(target=storm)
        thread.start()
        try:
            for _ in range(10):
                client.call("stream.list")
        finally:
            stop.set()
            thread.join()
        self.assertEqual(d.stop(), 0)


class Snapshot(Case):
    def test_damaged(self):
        """The stream learns anew; its journal is taken up all the same."""
        d = self.daemon()
        client = d.client()
        for kind in ("text", "sensor"):
            client.call("stream.open", name=kind, kind=kind)
        client.append("text", [f"line {i} of it" for i in range(600)])
        client.append("sensor", [{"values": {"a": i % 7, "b": i}} for i in range(600)])
        self.assertEqual(d.stop(), 0)
        database = sqlite3.connect(d.database)
        states = database.execute("SELECT key, value FROM state WHERE key LIKE 'model/%'").fetchall()
        database.close()
        self.assertEqual(len(states), 2)
        done = 600
        for damage in (lambda v: v[:len(v) // 2], lambda v: b"", lambda v: b"\xff" * len(v),
                       lambda v: v[:40] + bytes(b ^ 0x5a for b in v[40:])):
            d.start()
            client = d.client()
            client.append("text", [f"line {i} again" for i in range(300)])
            client.append("sensor", [{"values": {"a": i % 7, "b": i}} for i in range(300)])
            done += 300
            d.kill()
            database = sqlite3.connect(d.database)
            for key, value in states:
                database.execute("UPDATE state SET value=? WHERE key=?", (damage(value), key))
            database.commit()
            database.close()
            d.start()
            client = d.client()
            for stream in ("text", "sensor"):
                client.call("stream.flush", stream=stream)
                self.assertEqual(self.seqs(d, stream), list(range(1, done + 1)))
            d.kill()


class Limits(Case):
    def test_the_last_numbers(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        last = (1 << 63) - 2
        for bad in ("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "0", "-1"):
            with self.assertRaises(varvetest.RpcError):
                client.append("s", [{"seq": bad, "text": "x"}])
        self.assertEqual(client.append("s", [{"seq": str(last), "text": "the last"}]), last)
        with self.assertRaises(varvetest.RpcError) as caught:
            client.append("s", ["one more"])
        self.assertIn("no number is left", caught.exception.message)
        self.assertEqual(client.append("s", [{"seq": "5", "text": "an earlier one"}]), last)
        client.call("stream.flush", stream="s")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)
        d.start()
        client = d.client()
        self.assertEqual(client.append("s", [{"seq": str(last), "text": "the last"}]), last)
        self.assertEqual(sorted(self.seqs(d, "s")), [5, last])

    def test_the_last_numbers_on_a_channel(self):
        d = self.daemon()
        client = d.client()
        client.open_channel("s")
        client.send_raw(varvetest.text_records_frame(["a"], (1 << 64) - 1) +
                        varvetest.text_records_frame(["b"]) + varvetest.frame(varvetest.FRAME_FLUSH))
        kinds = []
        while not kinds or kinds[-1] != varvetest.FRAME_FLUSHED:
            kinds.append(client.read_frame()[0])
        self.assertIn(varvetest.FRAME_ERROR, kinds)
        self.assertEqual([(r["seq"], r["text"]) for r in d.records("s")], [("1", "b")])

    def test_an_answer_larger_than_a_client_may_leave_unread(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        for i in range(24):
            client.append("s", [{"text": f"{i} " + "x" * 1000000, "time": f"2026-01-01T00:00:{i:02}Z"}])
        client.call("stream.flush", stream="s")
        items = client.call("memory.timeline", limit=100, stratum=0)["items"]
        for item in items:
            try:
                client.call("memory.raw", id=item["id"], limit=256)
            except varvetest.RpcError as e:
                self.assertEqual(e.name, "limit")

    def test_numbers_in_any_order(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        count = 20000
        records = [{"seq": str(i), "text": f"t{i}"} for i in range(count, 0, -1)]
        self.assertEqual(client.append("s", records), count)
        self.assertEqual(client.append("s", records), count)
        records[7]["text"] = "another"
        with self.assertRaises(varvetest.RpcError) as caught:
            client.append("s", records)
        self.assertEqual(caught.exception.name, "seq_conflict")


if __name__ == "__main__":
    unittest.main()
