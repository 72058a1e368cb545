# SPDX-License-Identifier: Apache-2.0
"""The generated fortnight of bench/week: its bytes, its questions, its scorer, and a small run."""
import hashlib
import pathlib
import sys
import tempfile
import unittest

import varvetest

sys.path.insert(0, str(varvetest.ROOT / "bench" / "week"))
import arms       # noqa: E402
import clips      # noqa: E402
import generate   # noqa: E402
import questions  # noqa: E402
import score      # noqa: E402
import senses     # noqa: E402
import story      # noqa: E402

SMALL = 1_000_000


def oracle(q):
    """What somebody would say who knows everything."""
    if q.get("absent"):
        return {"absent": True, "text": "Not in memory."}
    records = [{"id": "1", "stream": g["streams"][0], "time": story.stamp(g["start"]),
                "text": " ".join(g["words"])}
               for part in q.get("parts", [q["gold"][:1]]) for g in part[:1]]
    text = " ".join([r["text"] for r in records[:1]] +
                    [story.stamp(g["start"]) for g in q["gold"][:1]])
    unusual = []
    if q["class"] == "abnormal":
        g = q["gold"][0]
        unusual = [{"stream": g["streams"][0], "start": story.stamp(g["start"]),
                    "end": story.stamp(g["end"]), "why": g["words"][0] + " fell"}]
    if "number" in q:
        text = f"{q['number']} times, first {text}"
    if "value" in q:
        text = f"it is {q['value']}"
    if "near" in q:
        text = f"{q['channel']} is about {q['near'][0]}"
    return {"absent": False, "text": text, "records": records, "unusual": unusual, "items": []}


class Generated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.week = generate.Week(7, SMALL)
        cls.slices = list(cls.week.slices())
        cls.texts = {}
        for s in cls.slices:
            if s.kind == "text":
                cls.texts.setdefault(s.stream, []).extend(zip(s.times, s.payloads))

    def find(self, stream, words, since, until):
        return [t for t, text in self.texts[stream] if since <= t < until
                and all(w.lower() in text.lower() for w in words)]

    @staticmethod
    def digest(slices):
        h = hashlib.sha256()
        for s in slices:
            h.update(repr((s.stream, s.times, s.payloads)).encode())
        return h.hexdigest()

    def test_same_seed_same_bytes(self):
        again = generate.Week(7, SMALL)
        self.assertEqual(self.digest(self.slices), self.digest(again.slices()))
        self.assertEqual(self.week.questions, again.questions)
        self.assertNotEqual(self.digest(self.slices), self.digest(generate.Week(8, SMALL).slices()))

    def test_kept_slices_are_the_made_ones(self):
        with tempfile.TemporaryDirectory() as folder:
            week = generate.Week(7, SMALL)
            size = week.keep(pathlib.Path(folder))
            self.assertEqual(self.digest(self.slices), self.digest(week.slices()))
            self.assertEqual(size, sum(s.raw_bytes() for s in self.slices))

    def test_size_changes_the_background_only(self):
        larger = generate.Week(7, 8_000_000)
        self.assertEqual(self.week.questions, larger.questions)
        self.assertEqual(self.week.story.erasures, larger.story.erasures)
        self.assertGreaterEqual(sum(s.raw_bytes() for s in larger.slices()), 8_000_000)

    def test_time_order_and_every_age(self):
        last = {}
        for s in self.slices:
            self.assertEqual(s.times, sorted(s.times))
            if s.times:
                self.assertGreaterEqual(s.times[0], last.get(s.stream, story.START))
                self.assertLess(s.times[-1], story.END)
                last[s.stream] = s.times[-1]
        ages = {q["age"] for q in self.week.questions if q["age"] is not None}
        self.assertEqual(ages, set(range(1, 15)))
        self.assertGreaterEqual(len(self.week.questions), 300)

    def test_gold_lies_in_the_data(self):
        for q in self.week.questions:
            for g in q["gold"]:
                if g["end"] > g["start"]:
                    continue
                self.assertTrue(self.find(g["streams"][0], g["words"], g["start"], g["start"] + 1), q)

    def test_numbers_are_exact(self):
        for q in self.week.questions:
            if q["class"] in ("count", "week"):
                g = q["gold"][0]
                found = self.find(g["streams"][0], g["words"], score.parse(q["since"]),
                                  score.parse(q["until"]))
                self.assertEqual(len(found), q["number"], q)

    def test_absent_is_absent(self):
        everything = "\n".join(text for rows in self.texts.values() for _, text in rows).lower()
        for q in self.week.questions:
            word = q["query"].rstrip("?").split()
            if q.get("sort") == "unseen":
                self.assertTrue(any(w.removesuffix(".example").lower() not in everything for w in word), q)
            if q["class"] == "erased":
                self.assertTrue(all(s in everything for s in q["secrets"]), q)

    def test_faults_show_in_the_samples(self):
        for e in self.week.story.effects:
            channel = next(c for c in generate.SENSORS[e.stream] if c.name == e.channel)
            at = generate.SENSORS[e.stream].index(channel)
            seen = [(t, row[at]) for s in self.slices if s.stream == e.stream
                    for t, row in zip(s.times, s.payloads) if e.start <= t < e.end]
            worst = max(abs(v - channel.usual(t - story.START)) for t, v in seen)
            self.assertGreater(worst, 3 * channel.noise, e.channel)


class Planned(unittest.TestCase):
    """What a microphone and a camera are to hear and see."""
    @classmethod
    def setUpClass(cls):
        cls.week = generate.Week(7, SMALL)
        cls.senses = cls.week.senses

    def test_the_same_for_the_same_seed_and_beside_the_story(self):
        again = generate.Week(7, SMALL).senses
        self.assertEqual([vars(c) for c in self.senses.clips], [vars(c) for c in again.clips])
        self.assertEqual(self.senses.questions, again.questions)
        self.assertNotEqual(self.senses.questions, generate.Week(8, SMALL).senses.questions)
        alone = story.Story(7)
        usual = [(s, c) for s, cs in generate.SENSORS.items() for c in cs
                 if c.name in generate.USUAL]
        self.assertEqual(self.week.questions, questions.make(alone, usual))
        self.assertEqual(self.week.story.lines, alone.lines)

    def test_size_changes_the_ordinary_clips_only(self):
        larger = generate.Week(7, 100_000_000).senses
        self.assertEqual(self.senses.questions, larger.questions)
        planted = [[vars(c) for c in s.clips if c.event] for s in (self.senses, larger)]
        self.assertEqual(planted[0], planted[1])
        self.assertGreater(len(larger.clips), 2 * len(self.senses.clips))

    def test_clips_lie_apart_in_the_fortnight(self):
        for stream in senses.STREAMS:
            mine = [c for c in self.senses.clips if c.stream == stream]
            self.assertGreaterEqual(mine[0].start, story.START)
            self.assertLess(mine[-1].end, story.END)
            for a, b in zip(mine, mine[1:]):
                self.assertLess(a.end, b.start)

    def test_gold_happens(self):
        happened = [(e.stream, e.t, e.words) for e in self.senses.events]
        told = [(g["streams"], g["start"], g["words"]) for q in self.week.questions for g in q["gold"]]
        asked = set()
        for q in self.senses.questions:
            asked.add(q["class"])
            self.assertEqual(bool(q.get("absent")), q["class"] == "nothing")
            self.assertEqual(bool(q["gold"]), not q.get("absent"), q)
            for g in q["gold"]:
                if q["class"] == "cause":
                    self.assertIn((g["streams"], g["start"], g["words"]), told)
                else:
                    self.assertIn((g["streams"][0], g["start"], g["words"]), happened, q)
                if q["since"]:
                    begin = score.parse(q["since"])
                    inside = g["start"] < score.parse(q["until"]) and g["start"] >= begin
                    self.assertTrue(inside or q["class"] == "cause", q)
            if "number" in q:
                alike = [h for h in happened if h[2] == q["gold"][0]["words"]]
                self.assertEqual(len(alike), q["number"])
        self.assertEqual(asked, set(senses.CLASSES))

    def test_nothing_happens_where_nothing_did(self):
        about = {"mic": ("knock", "speak", "speech", "talk"),
                 "cam": ("dark", "frozen", "freeze", "scene")}
        for q in self.senses.questions:
            if q.get("sort") != "other day":
                continue
            stream = next(s for s, words in about.items() if any(w in q["query"] for w in words))
            begin, end = score.parse(q["since"]), score.parse(q["until"])
            kinds = [w for w in senses.WHAT if senses.WHAT[w][0] == stream and any(
                form.format("")[:-1] in q["query"] for form in map(str.capitalize, senses.WHAT[w][2]))]
            for e in self.senses.events:
                if begin <= e.t < end:
                    self.assertNotIn(e.what, kinds or ["speech"], q)


@unittest.skipIf(clips.missing(), f"there is no {clips.missing()}")
class Rendered(unittest.TestCase):
    """Clips of each kind of event, as files and decoded."""
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.senses = generate.Week(7, SMALL).senses
        kinds = {(c.event, c.name[-4:]): c for c in reversed(cls.senses.clips)}
        cls.some = list(kinds.values())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def render(self, week, name):
        place = pathlib.Path(self.folder.name) / name
        place.mkdir()
        out = []
        for c in self.some:
            c.path = place / c.name
            clips.make(c, week, c.path)
            out.append((c.path.read_bytes(), arms.decoded(c)))
        return out

    def test_same_seed_same_files_and_records(self):
        once, twice = self.render(7, "once"), self.render(7, "twice")
        self.assertEqual(once, twice)
        for (file, records), (others, more) in zip(once, self.render(8, "other")):
            self.assertNotEqual(file, others)
            self.assertNotEqual(records, more)

    def test_sounds_stand_out(self):
        for c in self.some:
            if c.kind == "audio" and c.event:
                heard = clips.content(c, 7)
                self.assertEqual(len(heard), c.seconds * clips.RATE)
                first = c.offset * clips.RATE
                before, after = max(map(abs, heard[:first])), max(map(abs, heard[first:]))
                self.assertGreater(after, 6 * before, c.event)

    def test_pictures_show_it(self):
        size = clips.WIDTH * clips.HEIGHT
        for c in self.some:
            if c.kind != "video" or not c.event:
                continue
            frames = clips.content(c, 7)
            first = c.offset * clips.FPS
            self.assertEqual({len(f) for f in frames}, {size})
            before, last = frames[first - 1], frames[-1]
            changed = sum(abs(a - b) > 16 for f in frames[first:] for a, b in zip(before, f))
            changed /= size * (len(frames) - first)
            if c.event == "dark":
                self.assertLess(sum(last), 10 * size)
            elif c.event == "frozen":
                self.assertEqual(set(frames[first:]), {before})
            elif c.event == "turned":
                self.assertGreater(changed, 0.4)
            else:
                self.assertGreater(changed, 0.004, c.event)

    def test_the_microphone_and_the_camera_are_remembered(self):
        arm = arms.ARMS["varve-senses"]()
        until = story.START + 4 * story.DAY
        self.senses.clips = [c for c in self.senses.clips if c.end < until]
        place = pathlib.Path(self.folder.name)
        self.assertGreater(self.senses.keep(place / "few", arms.decoded), 3_000_000)
        (place / "arm").mkdir()
        arm.start(place / "arm", None)
        try:
            arm.clips = list(reversed(self.senses.clips))
            arm.perceive(until)
            arm.settle()
            asked = [q for q in self.senses.questions if q["class"] in ("heard", "seen")
                     and q["until"] and score.parse(q["until"]) <= until]
            hits = [score.score(q, arm.ask(q))["hit"] for q in asked]
        finally:
            arm.stop()
        self.assertEqual(arm.notes, [])
        self.assertGreater(sum(hits), 0.4 * len(hits))


class Scorer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        week = generate.Week(7, SMALL)
        cls.questions = week.questions + week.senses.questions

    def rows(self, answerer):
        return [score.score(q, answerer(q)) for q in self.questions]

    def test_oracle_has_full_marks(self):
        rows = self.rows(oracle)
        self.assertEqual([r for r in rows if not r["hit"]], [])
        self.assertEqual([r for r in rows if r.get("said") is False], [])
        s = score.summary(rows)
        for key in ("hit@1", "hit@5", "bytes", "said", "day recall", "absent F1", "cross hit@5"):
            self.assertEqual(s[key], 1.0, key)
        self.assertEqual((s["false refusals"], s["leaks"], s["time error"]), (0, 0, 0))

    def test_silence_has_none(self):
        s = score.summary(self.rows(lambda q: {"absent": False, "text": "Something happened."}))
        for key in ("hit@5", "bytes", "said", "day recall", "absent R"):
            self.assertEqual(s[key], 0.0, key)
        s = score.summary(self.rows(lambda q: {"absent": True, "text": "Not in memory."}))
        self.assertEqual((s["hit@5"], s["false refusals"], s["absent R"]), (0.0, 1.0, 1.0))

    def test_the_wrong_time_and_stream_are_no_hit(self):
        q = next(q for q in self.questions if q["class"] == "when")
        right = oracle(q)
        for change in ({"stream": "elsewhere"},
                       {"time": story.stamp(q["gold"][0]["start"] + story.DAY)},
                       {"text": "another"}):
            wrong = {**right, "records": [{**right["records"][0], **change}]}
            self.assertFalse(score.score(q, wrong)["hit"], change)
        self.assertTrue(score.score(q, right)["hit"])

    def test_a_secret_told_is_a_leak(self):
        q = next(q for q in self.questions if q["class"] == "erased")
        self.assertFalse(score.score(q, oracle(q))["leak"])
        told = {"absent": False, "text": f"it is {q['secrets'][0]}"}
        self.assertTrue(score.score(q, told)["leak"])

    def test_stale_values_are_not_what_is(self):
        q = next(q for q in self.questions if q["class"] == "now")
        self.assertFalse(score.said(q, f"it is {q['stale'][0]}, later {q['value']}"))
        self.assertTrue(score.said(q, f"changed from {q['stale'][0]} to {q['value']}"))


class Run(varvetest.Case):
    def test_a_small_week(self):
        """Bounds that only something broken misses; figures come from the benchmark."""
        week = generate.Week(7, SMALL)
        rows = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in ("varve", "fts-all", "fifo"):
                arm = arms.ARMS[name]()
                place = pathlib.Path(folder) / name
                place.mkdir()
                arm.start(place, None if name == "varve" else 200_000)
                try:
                    arm.feed(week)
                    rows[name] = [score.score(q, arm.ask(q)) for q in week.questions]
                    if name == "fifo":
                        self.assertLessEqual(arm.bytes(), 200_000)
                finally:
                    arm.stop()
                self.assertEqual(arm.notes, [])
        figures = {name: score.summary(r) for name, r in rows.items()}
        self.assertGreater(figures["varve"]["rare hit@5"], 0.8)
        self.assertGreater(figures["varve"]["hit@5"], 0.4)
        self.assertGreater(figures["varve"]["day recall"], 0.4)
        self.assertLess(figures["varve"]["false refusals"], 0.3)
        self.assertEqual(figures["varve"]["leaks"], 0)
        self.assertGreater(figures["fts-all"]["rare hit@5"], 0.9)
        self.assertLess(figures["fifo"]["rare hit@5"], 0.5)


if __name__ == "__main__":
    arms.SETTLED = 0.05
    unittest.main()
