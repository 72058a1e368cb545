#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the methods of the wire answer: watches, notes, pins, forecasts, status, metrics, reload."""
import math
import re
import unittest

import varvetest

INVALID = -32602


class Text(varvetest.Case):
    """One daemon with a text stream `s`."""

    def setUp(self):
        super().setUp()
        self.d = self.daemon()
        self.client = self.d.client()
        self.client.call("stream.open", name="s", kind="text")

    def put(self, *texts, stream="s"):
        acked = self.client.append(stream, list(texts))
        self.client.call("stream.flush", stream=stream)
        return acked

    def found(self, query, **more):
        return self.client.call("memory.search", query=query, **more)["items"]

    def assertFails(self, name, method, **params):
        with self.assertRaises(varvetest.RpcError) as caught:
            self.client.call(method, **params)
        self.assertEqual(caught.exception.name, name, str(caught.exception))
        return caught.exception


class Watch(Text):
    def test_every_moment(self):
        watcher = self.d.client()
        watch = watcher.call("memory.watch")["watch"]
        self.put("the first thing that happened")
        hit = watcher.notification()
        self.assertEqual(hit["method"], "memory.hit")
        self.assertEqual(hit["params"]["watch"], watch)
        item = hit["params"]["item"]
        self.assertEqual(item["stream"], "s")
        opened = self.client.call("memory.open", id=item["id"])
        self.assertIn("the first thing that happened", str(opened))

    def test_by_words_and_streams(self):
        """What comes first is not told; what fits is, and in order."""
        self.client.call("stream.open", name="other", kind="text")
        watcher = self.d.client()
        by_words = watcher.call("memory.watch", query="pump failed")["watch"]
        by_stream = watcher.call("memory.watch", streams=["other"])["watch"]
        self.put("all is well with the boiler")
        self.put("pump failed at noon", stream="other")
        self.put("the pump failed again")
        hits = [watcher.notification()["params"] for _ in range(3)]
        self.assertEqual(sorted((h["watch"], h["item"]["stream"]) for h in hits),
                         sorted([(by_words, "other"), (by_stream, "other"), (by_words, "s")]))

    def test_least_score(self):
        watcher = self.d.client()
        watcher.call("memory.watch", query="nothing like it", min_score=1)
        low = watcher.call("memory.watch", min_score=0)["watch"]
        self.put("something else")
        self.assertEqual(watcher.notification()["params"]["watch"], low)
        self.assertRpcError(INVALID, watcher.call, "memory.watch", min_score=1.5)
        self.assertRpcError(INVALID, watcher.call, "memory.watch", min_score="high")

    def test_more_moments_than_can_be_looked_at(self):
        """What waits to be looked at is bounded; questions are answered, and watches go on."""
        watcher = self.d.client()
        for _ in range(63):
            watcher.call("memory.watch", query="nothing like it", min_score=1)
        watcher.call("memory.watch", query="heron")
        self.put(*[{"text": f"event {i}", "time": f"2026-10-{1 + i // 24:02}T{i % 24:02}:00:{k:02}Z"}
                   for i in range(400) for k in range(12)])
        self.assertIn("passed over", self.d.log())
        self.assertTrue(self.found("event 399"))
        self.put({"text": "a heron came", "time": "2026-11-01T00:00:00Z"})
        self.assertIn("heron", str(watcher.notification()))

    def test_ends(self):
        watcher = self.d.client()
        first = watcher.call("memory.watch")["watch"]
        second = watcher.call("memory.watch")["watch"]
        # Somebody else cannot end it.
        self.assertFails("notfound", "memory.unwatch", watch=first)
        self.assertEqual(watcher.call("memory.unwatch", watch=first)["watch"], first)
        with self.assertRaises(varvetest.RpcError):
            watcher.call("memory.unwatch", watch=first)
        self.put("one")
        self.assertEqual(watcher.notification()["params"]["watch"], second)

    def test_goes_with_its_connection(self):
        for _ in range(3):
            with varvetest.Client(self.d.socket) as watcher:
                for _ in range(64):
                    watcher.call("memory.watch", query="x")
                with self.assertRaises(varvetest.RpcError) as caught:
                    watcher.call("memory.watch")
                self.assertEqual(caught.exception.name, "limit")
            # A connection that is closed is noticed by the loop before it takes the next one's call.
            self.client.call("daemon.status")
        self.put("nobody listens")

    def test_a_watcher_that_does_not_read(self):
        """Costs nobody else anything."""
        watcher = self.d.client()
        for _ in range(20):
            watcher.call("memory.watch")
        for i in range(50):
            self.put(f"moment {i} " + "word " * 50)
        self.assertEqual(len(self.d.records("s")), 50)
        for _ in range(100):
            self.assertEqual(watcher.notification()["method"], "memory.hit")


class Notes(Text):
    def test_a_note(self):
        note = self.client.call("memory.remember", text="the key lies under the blue pot", ref="mine")
        self.assertEqual((note["stream"], note["seq"], note["pinned"]), ("notes", "1", False))
        found = self.found("blue pot")
        self.assertEqual(found[0]["id"], note["id"])
        self.assertEqual(found[0]["refs"], ["mine"])
        again = self.client.call("memory.remember", text="the key lies elsewhere", pin=True)
        self.assertEqual((again["seq"], again["pinned"]), ("2", True))

    def test_its_time(self):
        note = self.client.call("memory.remember", text="planted the tree",
                                time="2020-05-01T12:00:00Z")
        opened = self.client.call("memory.open", id=note["id"])
        self.assertIn("2020-05-01T12:00:00", str(opened))
        self.assertFails("invalid", "memory.remember", text="x", time="when pigs fly")
        self.assertRpcError(INVALID, self.client.call, "memory.remember", text="")
        self.assertRpcError(INVALID, self.client.call, "memory.remember")
        self.assertRpcError(INVALID, self.client.call, "memory.remember", text="x", pin="yes")

    def test_where(self):
        note = self.client.call("memory.remember", text="beside the log", stream="s")
        self.assertEqual(note["stream"], "s")
        self.client.call("stream.open", name="readings", kind="sensor")
        self.assertFails("conflict", "memory.remember", text="no number", stream="readings")
        self.assertEqual([r["text"] for r in self.d.records("s")], ["beside the log"])

    def test_durable(self):
        note = self.client.call("memory.remember", text="survives", pin=True)
        self.d.kill()
        self.d.start()
        self.client = self.d.client()
        self.assertEqual(self.found("survives")[0]["id"], note["id"])

    def test_pin_and_unpin(self):
        self.put("a moment worth keeping")
        memory = self.found("worth keeping")[0]["id"]
        self.assertEqual(self.client.call("memory.pin", id=memory), {"id": memory, "pinned": True})
        self.assertEqual(self.client.call("memory.pin", id=memory)["pinned"], True)
        self.assertEqual(self.client.call("memory.unpin", id=memory)["pinned"], False)
        for method in ("memory.pin", "memory.unpin"):
            self.assertFails("notfound", method, id="999999")
            self.assertFails("invalid", method, id="no id")
            self.assertFails("invalid", method, id="-1")

    def test_feedback(self):
        self.put("an answer that helped")
        memory = self.found("answer helped")[0]["id"]
        for helped in (True, False):
            self.assertEqual(self.client.call("memory.feedback", id=memory, helped=helped),
                             {"id": memory, "helped": helped})
        self.assertFails("notfound", "memory.feedback", id="999999", helped=True)
        self.assertRpcError(INVALID, self.client.call, "memory.feedback", id=memory)


class Forecast(Text):
    def setUp(self):
        super().setUp()
        self.client.call("stream.open", name="room", kind="sensor")

    def feed(self, count, start=0):
        self.client.append("room", [
            {"time": f"2026-01-{1 + i // 1440:02}T{i // 60 % 24:02}:{i % 60:02}:00Z",
             "values": {"temp": 20 + 3 * math.sin(i / 1440 * 2 * math.pi) + (i * 7919 % 11) / 50,
                        "hum": 40.0}} for i in range(start, start + count)])
        self.client.call("stream.flush", stream="room")

    def test_what_comes_next(self):
        self.feed(3000)
        answer = self.client.call("predict.forecast", stream="room", channel="temp", steps=5)
        self.assertEqual((answer["stream"], answer["generated"]), ("room", True))
        self.assertTrue(answer["method"])
        self.assertGreater(answer["model"], 0)
        items = answer["items"]
        self.assertEqual([i["channel"] for i in items], ["temp"] * 5)
        self.assertEqual([i["time"][:16] for i in items],
                         [f"2026-01-03T02:0{i}" for i in range(5)])
        for item in items:
            self.assertLessEqual(item["low"], item["value"])
            self.assertLessEqual(item["value"], item["high"])
            self.assertTrue(15 < item["value"] < 25, item)
        both = self.client.call("predict.forecast", stream="room")
        self.assertEqual({i["channel"] for i in both["items"]}, {"temp", "hum"})
        self.assertEqual(len(both["items"]), 20)

    def test_over_a_restart(self):
        self.feed(600)
        before = self.client.call("predict.forecast", stream="room", steps=3)
        self.assertEqual(self.d.stop(), 0)
        self.d.start()
        self.client = self.d.client()
        self.assertEqual(self.client.call("predict.forecast", stream="room", steps=3), before)

    def test_what_cannot_be_told(self):
        self.assertFails("busy", "predict.forecast", stream="room")
        self.assertFails("notfound", "predict.forecast", stream="nowhere")
        self.assertFails("unsupported", "predict.forecast", stream="s")
        self.feed(100)
        self.assertFails("notfound", "predict.forecast", stream="room", channel="noise")
        self.assertRpcError(INVALID, self.client.call, "predict.forecast", stream="room", steps=0)
        self.assertRpcError(INVALID, self.client.call, "predict.forecast", stream="room", steps=1001)


class Status(Text):
    def test_what_it_says(self):
        for i in range(30):
            self.put(*[f"request {i} {k} done in {k * 7} ms" for k in range(20)])
        status = self.client.call("daemon.status")
        self.assertEqual((status["state"], status["pid"]), ("running", self.d.process.pid))
        self.assertEqual(status["records"], 600)
        self.assertEqual(status["open_records"], 0)
        self.assertEqual(status["database"], str(self.d.database))
        self.assertGreater(status["resident_bytes"], 1 << 20)
        self.assertGreater(status["file_bytes"] + status["wal_bytes"], 4096)
        paths = status["paths"]
        moments = status["moments"]
        self.assertGreaterEqual(moments, 30)
        self.assertEqual(paths["latent"] + paths["discrete"], moments)
        self.assertAlmostEqual(paths["latent_share"], paths["latent"] / moments, places=3)
        queues = status["queues"]
        for name in ("model_bytes", "model_jobs", "writer_jobs", "waiting_for_room"):
            self.assertEqual(queues[name], 0, name)
        self.assertEqual(queues["model_bound"], 16 << 20)
        for name in ("dropped", "redacted", "late", "gaps"):
            self.assertEqual(status[name], 0, name)
        self.assertGreater(status["writer"]["commits"], 0)
        self.assertGreaterEqual(status["clients"]["connections"], 1)
        stream = next(s for s in status["streams"] if s["stream"] == "s")
        self.assertEqual((stream["records"], stream["moments"]), (600, moments))
        self.assertEqual(stream["latent"] + stream["discrete"], moments)
        self.assertTrue(0 <= stream["tau"] <= 1)
        self.assertEqual(self.client.call("stream.list")["items"], status["streams"])

    def test_late_gaps_and_secrets(self):
        self.client.append("s", [
            {"seq": "10", "time": "2026-01-02T00:00:00Z", "text": "a"},
            {"seq": "11", "time": "2026-01-03T00:00:00Z", "text": "password=abcdefgh1"}])
        self.client.call("stream.flush", stream="s")
        self.client.append("s", [
            {"seq": "20", "time": "2026-01-01T00:00:00Z", "text": "late"}])
        self.client.call("stream.flush", stream="s")
        for _ in range(2):
            status = self.client.call("daemon.status")
            self.assertEqual((status["records"], status["late"], status["redacted"]), (3, 1, 1))
            self.assertGreaterEqual(status["gaps"], 1)
            self.assertEqual(self.d.stop(), 0)
            self.d.start()
            self.client = self.d.client()

    def test_metrics(self):
        odd = 'odd "name" \\ here'
        self.client.call("stream.open", name=odd, kind="text")
        self.put("one", "two")
        self.put("three", stream=odd)
        text = self.client.call("daemon.metrics")["text"]
        values, types = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertNotIn(name, types)
                types[name] = kind
            elif not line.startswith("# HELP "):
                match = re.fullmatch(r'([a-z_]+)(\{(?:stream|kind)="((?:[^"\\\n]|\\["\\n])*)"\})? (\S+)', line)
                self.assertIsNotNone(match, line)
                self.assertIn(match[1], types, "a value before its type")
                values[match[1], match[3]] = float(match[4])
        self.assertEqual(values["varve_stream_records_total", "s"], 2)
        self.assertEqual(values["varve_stream_records_total", odd.replace("\\", "\\\\")
                                .replace('"', '\\"')], 1)
        status = self.client.call("daemon.status")
        self.assertEqual(values["varve_moments", None], status["moments"])
        self.assertEqual(values["varve_latent_path_total", None] +
                         values["varve_discrete_path_total", None], status["moments"])
        for name in ("model_queue_bytes", "writer_queue_bytes", "waiting_for_room"):
            self.assertEqual(values["varve_" + name, None], 0)
        for name in types:
            self.assertEqual(name.endswith("_total"), types[name] == "counter", name)


class Reload(Text):
    def test_what_is_taken_and_what_needs_a_restart(self):
        self.d.configure("[redact]\npattern = number ([0-9]+)\n[model]\nthreads = 3\n"
                         "queue = 1MiB\n[log]\nlevel = debug\n")
        answer = self.client.call("daemon.reload")
        self.assertTrue(answer["reloaded"])
        self.assertEqual(len(answer["kept"]), 1)
        self.assertIn("threads", answer["kept"][0])
        self.assertNotIn("queue", answer["kept"][0])
        self.put("number 4711 is gone")
        self.assertEqual(self.d.records("s")[0]["text"], "number [redacted] is gone")
        self.assertEqual(self.client.call("daemon.status")["queues"]["model_bound"], 1 << 20)
        self.d.configure("")
        self.assertEqual(self.client.call("daemon.reload")["kept"], [])
        self.put("number 4712 stays")
        self.assertEqual(self.d.records("s")[1]["text"], "number 4712 stays")

    def test_a_mistake_changes_nothing(self):
        self.d.configure("[redact]\npattern = ([\n")
        failed = self.assertFails("parse", "daemon.reload")
        self.assertIn("pattern", failed.message)
        self.d.configure("[model]\nqeue = 1MiB\n")
        failed = self.assertFails("invalid", "daemon.reload")
        self.assertIn(f"{self.d.config}:4:1: ", failed.message)
        self.put("goes on")
        self.assertEqual(self.d.records("s")[0]["text"], "goes on")


if __name__ == "__main__":
    unittest.main()
