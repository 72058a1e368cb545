#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sound and pictures from the door to the file and back: exact, durable, findable, forgettable."""
import base64
import contextlib
import hashlib
import random
import sqlite3
import unittest

import mediatest as media
import varvetest
import webdriver

INVALID, NOTFOUND, UNSUPPORTED = -32602, -32007, -32016


def joined(records):
    return b"".join(base64.b64decode(r["media"]) for r in records)


class Media(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon()
        self.client = self.d.client()

    def open(self, name, kind):
        self.client.call("stream.open", name=name, kind=kind)

    def put(self, name, records):
        self.client.append(name, records)
        self.client.call("stream.flush", stream=name)

    def moments(self, name=None, stratum=0):
        streams = {"streams": [name]} if name else {}
        return self.client.call("memory.timeline", stratum=stratum, limit=1000, **streams)["items"]

    def episode_of_all(self):
        """The episode in which all moments lie, once it is made."""
        moments = {m["id"] for m in self.moments()}
        return self.poll(lambda: next((
            e for e in self.moments(stratum=1)
            if moments <= set(self.client.call("memory.open", id=e["id"])["children"])), None),
            "one episode of all")

    def raw(self, item):
        return self.client.call("memory.raw", id=item["id"])

    def verify(self):
        done = self.d.dump("--verify")
        self.assertEqual(done.status, 0, done.out + done.err)

    def stored(self, name):
        """The payloads of a stream as the export has them."""
        return [(r["seq"], base64.b64decode(r["payload"]))
                for r in self.d.dump("--records", "--stream", name, check=True).lines()]


class Sound(Media):
    def setUp(self):
        super().setUp()
        self.open("mic", "audio")
        self.pcm = media.hiss(6) + media.tone(2) + media.hiss(4.25, seed=2)
        self.records = media.sound_records(self.pcm)

    def test_there_and_back(self):
        self.put("mic", self.records)
        moments = self.moments("mic")
        self.assertGreaterEqual(len(moments), 1)
        found, file_samples = b"", 0
        for item in moments:
            raw = self.raw(item)
            self.assertEqual(raw["kind"], "audio")
            pcm = joined(raw["records"])
            found += pcm
            opened = self.client.call("memory.open", id=item["id"])
            self.assertEqual(opened["media"], {"seconds": round(len(pcm) / 32000, 3)})
            self.assertRegex(opened["body"], r"^[0-9.]+ s of sound, 16 kHz mono")
            answer = self.client.call("memory.raw", id=item["id"], form="file")
            self.assertEqual(answer["type"], "audio/flac")
            flac = base64.b64decode(answer["data"])
            rate, channels, bits, samples, md5 = media.flac_info(flac)
            self.assertEqual((rate, channels, bits, samples), (16000, 1, 16, len(pcm) // 2))
            self.assertEqual(md5, hashlib.md5(pcm).digest())
            file_samples += samples
            out = self.folder / "sound.flac"
            self.assertEqual(self.d.varve("raw", item["id"], "--out", out).status, 0)
            self.assertEqual(out.read_bytes(), flac)
        self.assertEqual(found, self.pcm)
        self.assertEqual(file_samples, len(self.pcm) // 2)
        self.assertEqual(b"".join(p for _, p in self.stored("mic")), self.pcm)
        self.verify()
        self.assertIn("audio", self.d.dump("--stats", check=True).out)

    def test_similar_by_an_example(self):
        """A tone finds the memory of tones, and noise that of noise, in whatever stream."""
        for name, make in (("whistle", lambda i: media.tone(4, 1000 + i)),
                           ("rain", lambda i: media.hiss(4, 3000, seed=i))):
            self.open(name, "audio")
            self.put(name, media.sound_records(make(1), start=100))
        for name, example in (("whistle", media.tone(3, 1010, 5000)),
                              ("rain", media.hiss(3, 2500, seed=9))):
            pieces = [r["media"] for r in media.sound_records(example)]
            found = self.client.call("memory.similar", kind="audio", media=pieces)["items"]
            self.assertEqual(found[0]["stream"], name)
            self.assertGreater(found[0]["score"], found[1]["score"])
            found = self.client.call("memory.similar", kind="audio", media=pieces[0])["items"]
            self.assertEqual(found[0]["stream"], name)
        for wrong in ({}, {"kind": "audio"}, {"media": pieces}, {"kind": "audio", "media": []},
                      {"kind": "audio", "media": ["odd"]}, {"kind": "text", "media": pieces},
                      {"kind": "video", "media": pieces}, {"kind": "audio", "media": ["Zg=="]},
                      {"kind": "audio", "media": pieces, "text": "words"}):
            self.assertRpcError(INVALID, self.client.call, "memory.similar", wrong)

    def test_found_by_the_words_of_its_title(self):
        self.put("mic", self.records)
        for item in self.moments("mic"):
            word = max(item["title"].replace(",", " ").split(), key=len)
            found = self.client.call("memory.search", query=word, streams=["mic"])["items"]
            self.assertIn(item["id"], [f["id"] for f in found], word)

    def test_asked_what_was_heard(self):
        self.open("log", "text")
        for hour in (0, 1, 2):
            pcm = media.hiss(15, seed=hour) + (media.tone(2) if hour < 2 else b"") + media.hiss(3)
            self.put("mic", media.sound_records(pcm, start=3600 * hour))
        self.put("log", [{"time": media.at(15), "text": "relay kelvane stopped pump 1"},
                         {"time": media.at(7200), "text": "relay sulborg tested"}])

        def ask(query):
            return self.client.call("memory.ask", query=query)
        answer = ask("how often was there a tone?")
        self.assertEqual(answer["count"], 2, answer["text"])
        answer = ask("when did we hear a tone last?")
        self.assertAlmostEqual(media.seconds(answer["time"]), 3615, delta=20)
        answer = ask("what was heard at the time of relay kelvane stopping the pump?")
        self.assertEqual(answer["items"][0]["stream"], "mic", answer["text"])
        self.assertIn("a tone near 440 Hz", answer["text"])
        self.assertIn("kelvane", ask("what happened when there was a tone?")["text"])
        for query in ("did anybody speak?", "when did the microphone hear a knock?"):
            self.assertTrue(ask(query)["absent"], query)
        self.assertIn("kelvane", ask("what did the camera see when relay kelvane stopped?")["text"])

    def test_a_channel_and_what_it_refuses(self):
        with self.d.client() as channel:
            channel.open_channel("mic", "audio")
            good = self.pcm[:16000]
            body = varvetest.varint(4)
            for i, pcm in enumerate([good, b"odd", b"", good * 3]):
                body += b"\2" + varvetest.varint(2 * media.micros(i))
                body += varvetest.varint(len(pcm)) + pcm
            channel.send_raw(varvetest.frame(varvetest.FRAME_RECORDS, body))
            channel.send_raw(varvetest.frame(varvetest.FRAME_CLOSE))
            errors, kind = [], None
            while kind != varvetest.FRAME_CLOSED:
                kind, body = channel.read_frame()
                if kind == varvetest.FRAME_ERROR:
                    errors.append(body[0])
        self.assertEqual(errors, [2, 3, 4])
        self.assertEqual([p for _, p in self.stored("mic")], [good])

    def test_bad_records_cost_nothing_else(self):
        for wrong in ({"media": "not base64"}, {"media": "Zg=="}, {"media": ""}, {"text": "words"},
                      {"media": 5}, {}, {"media": "A" * 64000}):
            error = self.assertRpcError(INVALID, self.client.append, "mic", [wrong])
            self.assertIn("records[0]", error.message)
        self.put("mic", self.records[:3])
        self.assertEqual(b"".join(p for _, p in self.stored("mic")), joined(self.records[:3]))

    def test_a_kill_loses_nothing_and_a_resend_adds_nothing(self):
        numbered = [{"seq": str(i + 1), **r} for i, r in enumerate(self.records)]
        self.client.append("mic", numbered)
        self.d.kill()
        self.assertEqual(b"".join(p for _, p in self.stored("mic")), self.pcm)
        self.d.start()
        self.client = self.d.client()
        self.client.append("mic", numbered)
        self.client.call("stream.flush", stream="mic")
        self.assertEqual(b"".join(p for _, p in self.stored("mic")), self.pcm)
        other = {**numbered[3], "media": numbered[4]["media"]}
        with self.assertRaises(varvetest.RpcError) as caught:
            self.client.append("mic", [other])
        self.assertEqual(caught.exception.name, "seq_conflict")
        self.verify()

    def test_forgotten_by_time(self):
        """What was heard in the time is gone; what lies around it stays exactly."""
        self.put("mic", self.records)
        self.client.call("memory.forget", confirm=True, since=media.at(3), until=media.at(5))
        left = [base64.b64decode(r["media"]) for i, r in enumerate(self.records)
                if not 6 <= i < 10]
        self.assertEqual([p for _, p in self.stored("mic")], left)
        self.verify()
        self.d.stop()
        self.assertNotIn(joined(self.records[6:7]), self.d.database.read_bytes())
        self.d.start()
        self.client = self.d.client()
        self.client.call("memory.forget", confirm=True, stream="mic")
        self.assertEqual(self.d.dump("--records", check=True).lines(), [])
        self.verify()

    def test_a_pattern_does_not_look_into_sound(self):
        text = b"secret words"
        self.put("mic", media.sound_records(text * 500))
        self.client.call("memory.forget", confirm=True, match="secret words")
        self.assertEqual(b"".join(p for _, p in self.stored("mic")), text * 500)

    def test_salvage_and_backup(self):
        self.put("mic", self.records)
        copy = self.folder / "copy.db"
        self.assertEqual(self.d.dump("--backup", copy).status, 0)
        done = self.d.run("varve-dump", copy, "--records", "--stream", "mic", check=True)
        self.assertEqual(b"".join(base64.b64decode(r["payload"]) for r in done.lines()), self.pcm)
        self.d.stop()
        data = bytearray(self.d.database.read_bytes())
        data[:100] = bytes(100)
        self.d.database.write_bytes(data)
        for name in ("memory.db-wal", "memory.db-shm"):
            (self.d.state / name).unlink(missing_ok=True)
        out = self.folder / "salvaged.db"
        self.d.dump("--salvage", out)
        done = self.d.run("varve-dump", out, "--records", check=True)
        self.assertEqual(b"".join(base64.b64decode(r["payload"]) for r in done.lines()), self.pcm)

    def test_salvage_tells_sound_from_pictures(self):
        """Where neither stream nor moment is left, the payload says what it was."""
        frames = [media.scene(i) for i in range(20)]
        self.open("cam", "video")
        self.put("mic", self.records)
        self.put("cam", media.frame_records(frames))
        self.d.stop()
        with contextlib.closing(sqlite3.connect(self.d.database)) as db:
            db.execute("DELETE FROM stream")
            db.execute("DELETE FROM moment WHERE stratum = 0")
            db.commit()
        out = self.folder / "salvaged.db"
        self.d.dump("--salvage", out)
        self.assertEqual(self.d.run("varve-dump", out, "--verify").status, 0)
        for name, payload in (("audio", self.pcm), ("video", b"".join(frames))):
            done = self.d.run("varve-dump", out, "--records", "--stream", f"recovered-{name}",
                              check=True)
            found = b"".join(base64.b64decode(r["payload"]) for r in done.lines())
            self.assertEqual(found, payload)


class Pictures(Media):
    def setUp(self):
        super().setUp()
        self.open("cam", "video")
        self.frames = ([media.scene(0)] * 30 + [media.scene(i) for i in range(8)] +
                       [media.jpeg(160, 120, lambda x, y: 20)] * 12)
        self.records = media.frame_records(self.frames)

    def test_there_and_back(self):
        self.put("cam", self.records)
        self.assertEqual([p for _, p in self.stored("cam")], self.frames)
        found, out = [], self.folder / "film.avi"
        for item in self.moments("cam"):
            raw = self.raw(item)
            frames = [base64.b64decode(r["media"]) for r in raw["records"]]
            found += frames
            opened = self.client.call("memory.open", id=item["id"])
            self.assertEqual(opened["media"],
                             {"seconds": (len(frames) - 1) / 2, "frames": len(frames),
                              "width": 160, "height": 120})
            self.assertIn("160x120", opened["body"])
            answer = self.client.call("memory.raw", id=item["id"], form="file")
            data = base64.b64decode(answer["data"])
            self.assertEqual(self.d.varve("raw", item["id"], "--out", out).status, 0)
            self.assertEqual(out.read_bytes(), data)
            if len(frames) == 1:
                self.assertEqual((answer["type"], data), ("image/jpeg", frames[0]))
                continue
            self.assertEqual(answer["type"], "video/x-msvideo")
            seconds, size, pictures = media.avi_frames(data)
            self.assertEqual((seconds, size), (0.5, (160, 120)))
            self.assertEqual(pictures, frames)
        self.assertEqual(found, self.frames)
        self.verify()
        self.assertIn("video", self.d.dump("--stats", check=True).out)

    def test_a_film_keeps_its_time(self):
        """A pause is as long in the file as it was: pictures' places are their times."""
        times = [0, .5, 1.02, 1.49, 4, 4.5]
        records = [{"time": media.at(t), "media": self.records[i]["media"]}
                   for i, t in enumerate(times)]
        self.put("cam", records)
        for item in self.moments("cam"):
            answer = self.client.call("memory.raw", id=item["id"], form="file")
            if answer["type"] != "video/x-msvideo":
                continue
            seconds, _, pictures = media.avi_frames(base64.b64decode(answer["data"]))
            first = times.index(round(media.seconds(item["start"]), 2))
            shown = [i * seconds for i, p in enumerate(pictures) if p]
            for i, at in enumerate(shown):
                self.assertAlmostEqual(at, times[first + i] - times[first], delta=seconds)

    def test_one_frame_is_a_picture(self):
        self.put("cam", self.records[:1])
        item, = self.moments("cam")
        out = self.folder / "frame.jpg"
        self.assertEqual(self.d.varve("raw", item["id"], "--out", out).status, 0)
        self.assertEqual(out.read_bytes(), self.frames[0])

    def test_what_is_no_frame(self):
        large = media.jpeg(2000, 16, lambda x, y: 0)
        for wrong in (b"", b"GIF89a", self.frames[0][:30], large, media.jpeg(8, 8, lambda x, y: 0)):
            record = {"media": base64.b64encode(wrong).decode()}
            self.assertRpcError(INVALID, self.client.append, "cam", [record])
        with self.d.client() as channel:
            channel.open_channel("cam", "video")
            body = varvetest.varint(3)
            for jpeg in (self.frames[0], large, b"\xff" * 100):
                body += b"\0" + varvetest.varint(len(jpeg)) + jpeg
            channel.send_raw(varvetest.frame(varvetest.FRAME_RECORDS, body))
            channel.send_raw(varvetest.frame(varvetest.FRAME_CLOSE))
            errors, kind = [], None
            while kind != varvetest.FRAME_CLOSED:
                kind, body = channel.read_frame()
                if kind == varvetest.FRAME_ERROR:
                    errors.append(body[0])
        self.assertEqual(errors, [2, 3])
        self.assertEqual([p for _, p in self.stored("cam")], self.frames[:1])

    def test_a_kill_a_resend_and_a_broken_frame(self):
        """Whatever lies behind a good header is kept as it came, and costs nothing else."""
        broken = self.frames[3][:-150] + b"\x12" * 60
        records = self.records[:10] + [{"media": base64.b64encode(broken).decode(),
                                        "time": media.at(5)}]
        numbered = [{"seq": str(i + 1), **r} for i, r in enumerate(records)]
        self.client.append("cam", numbered)
        self.d.kill()
        self.d.start()
        self.client = self.d.client()
        self.client.append("cam", numbered)
        self.client.call("stream.flush", stream="cam")
        self.assertEqual([p for _, p in self.stored("cam")], self.frames[:10] + [broken])
        self.verify()

    def test_forgotten_by_id(self):
        self.put("cam", self.records)
        for item in self.moments("cam"):
            self.client.call("memory.forget", id=item["id"], confirm=True)
        self.assertEqual(self.stored("cam"), [])
        self.verify()


class Room(Media):
    BUDGET = 8 << 20

    def setUp(self):
        varvetest.Case.setUp(self)
        self.d = self.daemon(f"[memory]\nbudget = {self.BUDGET}\n")
        self.client = self.d.client()
        self.random = random.Random(1)

    def test_sound_and_pictures_fade_like_all_else(self):
        """Noise beyond the budget: the file stays inside, what was let go is still known of."""
        self.open("mic", "audio")
        self.open("cam", "video")
        for minute in range(10):
            pcm = self.random.randbytes(2 * media.RATE * 60)
            picture = media.jpeg(640, 360, lambda x, y: self.random.randrange(256))
            sound = media.sound_records(pcm, start=120 * minute)
            for i in range(0, len(sound), 20):
                self.client.append("mic", sound[i:i + 20])
            self.put("mic", [])
            self.put("cam", media.frame_records([picture] * 60, start=120 * minute, fps=1))
        size = sum(f.stat().st_size for f in self.d.state.glob("memory.db*"))
        self.assertLess(size, 1.1 * self.BUDGET)
        self.verify()
        gone = kept = 0
        for item in self.moments("mic"):
            opened = self.client.call("memory.open", id=item["id"])
            if opened["provenance"]["evidence"]:
                kept += len(joined(self.raw(item)["records"]))
                continue
            gone += 1
            self.assertTrue(opened["title"] and opened["gist"])
            self.assertNotIn("media", opened)
            for form in ("records", "file"):
                self.assertRpcError(NOTFOUND, self.client.call, "memory.raw", id=item["id"],
                                    form=form)
        self.assertGreater(kept, 0)
        self.assertLess(kept, self.BUDGET)
        self.assertGreater(gone, 0)
        self.client.call("stream.open", name="log", kind="text")
        self.put("log", ["words are no file"])
        item, = self.moments("log")
        self.assertRpcError(UNSUPPORTED, self.client.call, "memory.raw", id=item["id"], form="file")


class Again(Media):
    def test_what_was_learnt_outlives_a_stop_and_a_kill(self):
        """The models go on from their snapshot, or from the evidence of what came after it."""
        self.open("mic", "audio")
        self.open("cam", "video")
        sent = 0
        for end in (self.d.stop, self.d.kill, self.d.stop):
            self.put("mic", media.sound_records(media.hiss(10, seed=sent), start=10 * sent))
            self.put("cam", media.frame_records([media.scene(i) for i in range(20)],
                                                start=10 * sent))
            sent += 1
            end()
            self.d.start()
            self.client = self.d.client()
        self.put("mic", media.sound_records(media.tone(1), start=30))
        self.put("cam", media.frame_records([media.scene(5)], start=30))
        self.assertNotIn("warning", self.d.log())
        worst = self.client.call("predict.surprise", streams=["mic"])["items"][0]
        self.assertGreaterEqual(media.seconds(worst["end"]), 30, worst)
        self.verify()


class Together(Media):
    def test_one_episode(self):
        """Sound, picture, sensor and log of the same seconds meet; opening tells what each saw."""
        for name, kind in (("mic", "audio"), ("cam", "video"), ("temp", "sensor"), ("log", "text")):
            self.open(name, kind)
        self.client.append("mic", media.sound_records(media.hiss(20) + media.tone(2) +
                                                      media.hiss(8, seed=3)))
        self.client.append("cam", media.frame_records([media.scene(i // 30) for i in range(60)]))
        self.client.append("temp", [{"time": media.at(i), "values": {"celsius": 20 + i % 3 / 10}}
                                    for i in range(30)])
        self.client.append("log", [{"time": media.at(i), "text": f"valve {i} opened"}
                                   for i in range(30)])
        for name in ("mic", "cam", "temp", "log"):
            self.client.call("stream.flush", stream=name)
        moments = self.moments()
        episode = self.episode_of_all()
        opened = self.client.call("memory.open", id=episode["id"])
        self.assertEqual(sorted(opened["children"]), sorted(m["id"] for m in moments))
        blocks = {}
        for line in opened["body"].splitlines():
            if not line.startswith("  "):
                seen = blocks.setdefault(line, [])
            else:
                seen.append(line.strip())
        self.assertEqual(sorted(blocks), ["cam (video)", "log (text)", "mic (audio)",
                                          "temp (sensor)"])
        for moment in moments:
            heading = next(b for b in blocks if b.startswith(moment["stream"]))
            self.assertIn(f"{moment['start']} {moment['title']}", blocks[heading])
        self.assertIn("mic (audio)", self.d.varve("open", episode["id"], check=True).out)
        self.verify()


@unittest.skipUnless(webdriver.available(), "no chromium or chromedriver here")
class Page(Media):
    """The HTML timeline: what was heard and seen can be seen."""

    def setUp(self):
        super().setUp()
        self.open("mic", "audio")
        self.open("cam", "video")
        self.put("mic", media.sound_records(media.hiss(20) + media.tone(2) + media.hiss(8, seed=3)))
        self.put("cam", media.frame_records([media.scene(0, 640, 360)] * 30 +
                                            [media.scene(i, 640, 360) for i in range(30)]))
        self.episode = self.episode_of_all()
        self.page = self.folder / "page.html"
        self.page.write_text(self.d.dump("--format", "html", check=True).out)
        self.browser = webdriver.Browser()
        self.addCleanup(self.browser.close)

    def show(self, item):
        self.browser.open("/dev/null")
        self.browser.open(self.page, f"#{item['id']}")
        self.browser.wait("return document.querySelector('#panel h2')")

    def sections(self):
        return self.browser.run("return [...document.querySelectorAll('#panel h3')]"
                                ".map((h) => h.firstChild.textContent)")

    def test_thumbnails_and_waveforms(self):
        for item in self.moments("cam"):
            self.show(item)
            self.assertIn("Seen", self.sections())
            sizes = self.browser.wait("""const all = [...document.querySelectorAll('.frames img')];
                return all.length && all.every((i) => i.complete)
                  && all.map((i) => [i.naturalWidth, i.naturalHeight])""")
            self.assertTrue(all(size == [160, 90] for size in sizes), sizes)
        for item in self.moments("mic"):
            self.show(item)
            self.assertIn("Heard", self.sections())
            drawn = self.browser.run("""const b = document.querySelector('.wave path').getBBox();
                return [b.width, b.height]""")
            self.assertGreater(drawn[0], 200)
            self.assertGreater(drawn[1], 50)
        self.assertEqual(self.browser.complaints(), [])
        for url in self.browser.requests():
            self.assertRegex(url, r"^(file|data|chrome|chrome-untrusted):")

    def test_evidence_is_left_out_on_demand(self):
        page = self.d.dump("--format", "html", "--excerpts", "0", check=True).out
        self.assertIn('"media":{}', page)
        self.assertNotIn('"media":{}', self.page.read_text())

    def test_an_episode_shows_all_streams(self):
        self.show(self.episode)
        names = self.browser.run("return [...document.querySelectorAll('#panel h4')]"
                                 ".map((h) => h.childNodes[1].textContent)")
        self.assertEqual(sorted(names), ["cam", "mic"])
        self.assertIsNotNone(self.browser.run("return document.querySelector('.wave path')"))
        self.assertIsNotNone(self.browser.run("return document.querySelector('.frames img')"))
        self.assertEqual(self.browser.complaints(), [])


if __name__ == "__main__":
    unittest.main()
