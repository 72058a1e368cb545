#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One failing allocation or file operation at many places of a session that uses everything: channels,
sensors, watches, questions, reloads (test_fault_daemon.py looks at appending alone). The daemon
neither crashes nor leaks, and what it acknowledged is in the file, once.

The places are spread: some in what starting takes, most in the session itself. A second start without
a fault takes up what the first one left. VARVE_FAULT_GROWTH nearer to 1 makes it thorough and slow."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import varvetest  # noqa: E402, found by the line above

GROWTH = float(os.environ.get("VARVE_FAULT_GROWTH", "1.3"))
# How often a site is passed until the daemon listens, and in all; roughly, and for ever roughly.
SPAN = {"alloc": (2000, 30000), "vfs": (90, 450)}


class Session:
    """What one client does; `acked` is what it was promised."""

    def __init__(self, d):
        self.d = d
        self.acked = {"t": {}, "v": {}}

    def connect(self):
        for _ in range(3):
            client = varvetest.Client(self.d.socket)
            try:
                client.call("daemon.status")
                return client
            except (varvetest.RpcError, varvetest.Closed, OSError):
                client.close()
        raise varvetest.Closed("refused three times")

    def attempt(self, method, **params):
        """A fault may cost an answer or the connection: then once more on another."""
        try:
            return self.client.call(method, params)
        except varvetest.RpcError:
            return None
        except (varvetest.Closed, OSError):
            self.client.close()
            self.client = self.connect()
            return None

    def append(self, stream, first, payloads):
        records = [{"seq": str(first + i), **p} for i, p in enumerate(payloads)]
        result = self.attempt("stream.append", stream=stream, records=records)
        if result is not None and int(result["acked"]) >= first + len(records) - 1:
            self.acked[stream].update({first + i: p for i, p in enumerate(payloads)})

    def channel(self):
        client = varvetest.Client(self.d.socket)
        try:
            client.open_channel("t")
            texts = [f"by channel {i}" for i in range(40)]
            client.send_raw(varvetest.text_records_frame(texts, 201) +
                            varvetest.frame(varvetest.FRAME_CLOSE))
            kinds = []
            while not kinds or kinds[-1] != varvetest.FRAME_CLOSED:
                kind, body = client.read_frame()
                kinds.append(kind)
                if (kind == varvetest.FRAME_ACK and varvetest.FRAME_ERROR not in kinds and
                        varvetest.read_varint(body, 0)[0] >= 240):
                    self.acked["t"].update({201 + i: {"text": t} for i, t in enumerate(texts)})
        except (varvetest.RpcError, varvetest.Closed, OSError):
            pass
        finally:
            client.close()

    def run(self):
        self.client = self.connect()
        self.attempt("memory.watch", query="line")
        for name, kind in (("t", "text"), ("v", "sensor")):
            self.attempt("stream.open", name=name, kind=kind)
        for first in (1, 61):
            self.append("t", first, [{"text": f"line {first + i} of user{i % 3}"} for i in range(60)])
            self.append("v", first, [{"values": {"a": float(i), "b": i * 0.5}} for i in range(60)])
        self.append("t", 1, [{"text": f"line {1 + i} of user{i % 3}"} for i in range(60)])
        self.channel()
        for stream in ("t", "v"):
            self.attempt("stream.flush", stream=stream)
        for method, params in (("memory.search", {"query": "line user2"}),
                               ("memory.ask", {"query": "what did user1 do?"}),
                               ("memory.timeline", {}), ("predict.surprise", {}), ("entity.list", {}),
                               ("predict.forecast", {"stream": "v"}), ("daemon.metrics", {}),
                               ("stream.list", {}), ("memory.remember", {"text": "a note"}),
                               ("daemon.reload", {}), ("daemon.status", {})):
            self.attempt(method, **params)
        self.client.close()


class Sweep(varvetest.Case):
    def places(self, site):
        start, end = SPAN[site]
        n = 1
        while n < end:
            yield n
            n = max(n + 1, int(n * (GROWTH if n >= start else 3)))

    def check(self, d, session):
        """After the fault: the file is whole and holds each acknowledged record once."""
        for stream, acked in session.acked.items():
            stored = d.records(stream) if acked else []
            seqs = [int(r["seq"]) for r in stored]
            self.assertEqual(len(seqs), len(set(seqs)), "a record is doubled")
            for record in stored:
                seq = int(record["seq"])
                for key, value in acked.pop(seq, {}).items():
                    self.assertEqual(record[key], value)
            self.assertEqual(acked, {}, f"{stream}: acknowledged, and not there")

    def one(self, site, place, repeat=1):
        d = self.daemon(start=False, name=f"{site}{place}")
        d.environment["VARVE_FAULT"] = f"{site}:{place}:{repeat}"
        session = Session(d)
        try:
            d.start()
        except (AssertionError, FileNotFoundError):  # it could not start, and said why
            self.assertEqual(d.process.returncode, 1, d.log())
            self.assertIn("varved: ", d.log())
            return
        try:
            session.run()
        except (varvetest.Closed, OSError) as e:
            self.assertIsNone(d.process.poll(), f"{e}: {d.log()[-3000:]}")
        self.assertEqual(d.stop(), 0, d.log()[-3000:])
        d.environment.pop("VARVE_FAULT")
        d.start()
        client = d.client()
        for item in client.call("stream.list")["items"]:
            client.call("stream.flush", stream=item["stream"])
        self.check(d, session)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").err, "")

    def sweep(self, site, repeat=1):
        for place in self.places(site):
            with self.subTest(site=site, place=place):
                self.one(site, place, repeat)

    def test_memory(self):
        self.sweep("alloc")

    def test_files(self):
        self.sweep("vfs")

    def test_a_disk_that_is_full_for_a_while(self):
        for place in (120, 150, 180, 220, 260, 330):
            with self.subTest(place=place):
                self.one("vfs", place, 60)


if __name__ == "__main__":
    unittest.main()
