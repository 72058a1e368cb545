# SPDX-License-Identifier: Apache-2.0
"""The generated fortnight of bench/week: its bytes, its questions, its scorer, and a small run."""
import hashlib
import pathlib
import sys
import tempfile
import unittest

import varvetest

sys.path.insert(0, str(varvetest.ROOT / "bench" / "week"))
import arms      # noqa: E402
import generate  # noqa: E402
import score     # noqa: E402
import story     # noqa: E402

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


class Scorer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.questions = generate.Week(7, SMALL).questions

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
