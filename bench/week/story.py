# SPDX-License-Identifier: Apache-2.0
"""What is planted in the fortnight: episodes with a cause and an effect across streams, rare events,
facts that change, repeated events, near-duplicates of all of them, and what is erased again.

A story is a list of lines (time, stream, text) and of effects on sensor channels. The questions that
follow from it are made by questions.py. Nothing here depends on the size of the background.
"""
import datetime
import random

import episodes

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86400 * SECOND
DAYS = 14
# A Monday; fixed, so that the same seed gives the same bytes.
START = int(datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc).timestamp()) * SECOND
END = START + DAYS * DAY


def stamp(t):
    """RFC 3339, UTC, microseconds."""
    at = datetime.datetime.fromtimestamp(t // SECOND, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + f".{t % SECOND:06d}Z"


def age(t):
    """Days before the end of the fortnight, 1 to 14."""
    return DAYS - (t - START) // DAY


class Effect:
    """Changes a channel between start and end: `add` an amount, `ramp` up to it, or `set` to it."""

    def __init__(self, stream, channel, start, end, shape, amount):
        self.stream, self.channel = stream, channel
        self.start, self.end, self.shape, self.amount = start, end, shape, amount

    def overlaps(self, times):
        return bool(times) and times[-1] >= self.start and times[0] < self.end

    def apply(self, t, value):
        if not self.start <= t < self.end:
            return value
        if self.shape == "add":
            return value + self.amount
        if self.shape == "set":
            return self.amount + 0.02 * (value % 1)
        return value + self.amount * (t - self.start) / (self.end - self.start)


class Words:
    """Rare words that look like names, never the same twice."""
    HEADS = ["bra", "kel", "vor", "sul", "tam", "dri", "fen", "gol", "hax", "jor", "lum", "mir", "nov",
             "pel", "quo", "rud", "sab", "tov", "ulm", "wex", "yar", "zin", "ost", "crel"]
    TAILS = ["mark", "vane", "dell", "wick", "stran", "borg", "lath", "nix", "ford", "gast", "holm",
             "kren", "mond", "pash", "rill", "tusk", "vex", "zard", "bane", "corr"]

    def __init__(self, r):
        self.r, self.used = r, set()

    def __call__(self):
        while True:
            word = self.r.choice(self.HEADS) + self.r.choice("aeiou") + self.r.choice(self.TAILS)
            if word not in self.used:
                self.used.add(word)
                return word


class Step:
    """One event of an episode. Its gold is `words` on `stream` between start and end."""

    def __init__(self, stream, start, end, words, name):
        self.stream, self.start, self.end, self.words, self.name = stream, start, end, words, name
        self.text = None


class Story:
    def __init__(self, seed):
        self.r = random.Random(f"{seed}/story")
        self.word = Words(self.r)
        self.lines, self.effects = [], []
        self.episodes, self.rare, self.facts, self.repeats, self.erased = [], [], [], [], []
        self.erasures = []
        self.busy = []
        self.plant_episodes()
        self.plant_rare()
        self.plant_facts()
        self.plant_repeats()
        self.plant_erased()

    def line(self, t, stream, text):
        self.lines.append((t, stream, text))

    # ---- episodes ----

    def plant_episodes(self):
        """Three a day, one of them at night; every kind as often as the others, never twice a day."""
        kinds = []
        for day in range(DAYS):
            for begin in (1.5, 9.0, 17.0):
                if not kinds:
                    kinds = list(episodes.KINDS)
                    self.r.shuffle(kinds)
                t = START + day * DAY + int((begin + 3.5 * self.r.random()) * 3600) * SECOND
                t += self.r.randrange(SECOND)
                taken = [e.kind for e in self.episodes if e.day == day]
                kind = next((k for k in reversed(kinds) if k not in taken), kinds[-1])
                kinds.remove(kind)
                self.episodes.append(self.build(kind, day, t))
        for e in self.episodes:
            self.plant_near(e)

    def build(self, kind, day, t):
        e = episodes.Episode(kind, day, t)
        for spec in kind.steps(self.r, self.word, e):
            at = t + int(spec["at"] * MINUTE)
            if "text" in spec:
                step = Step(spec["stream"], at, at, spec["words"], spec["name"])
                step.text = spec["text"]
                self.line(at, spec["stream"], spec["text"])
            else:
                until = at + int(spec["lasts"] * MINUTE)
                step = Step(spec["stream"], at, until, [spec["channel"]], spec["name"])
                self.effects.append(Effect(spec["stream"], spec["channel"], at, until,
                                           spec["shape"], spec["amount"]))
            step.once = spec.get("once", False)
            e.steps.append(step)
        self.busy.append((e.steps[0].start, max(s.end for s in e.steps)))
        return e

    def plant_near(self, e):
        """Lines that look like the episode's, with other ids, on other days."""
        for stream, text in e.kind.near(self.r, self.word):
            day = self.r.choice([d for d in range(DAYS) if d != e.day])
            self.line(START + day * DAY + self.r.randrange(DAY), stream, text)

    # ---- one line each ----

    def plant_rare(self):
        for day in range(DAYS):
            for make in self.r.sample(episodes.RARE, 3):
                stream, text, ask, words = make(self.r, self.word)
                t = START + day * DAY + self.r.randrange(DAY)
                self.line(t, stream, text)
                self.rare.append({"time": t, "stream": stream, "text": text, "ask": ask,
                                  "words": words})

    # ---- facts with versions ----

    def plant_facts(self):
        """Each is stated, changes once or twice on later days, and is said again now and then."""
        for i, make in enumerate(episodes.FACTS * 2):
            fact = make(self.r, self.word)
            count = self.r.choice([2, 2, 3])
            first = i % 4
            days = [first] + sorted(self.r.sample(range(first + 2, DAYS), count - 1))
            values = self.r.sample(fact["values"], count)
            versions = []
            for k, (day, value) in enumerate(zip(days, values)):
                t = START + day * DAY + self.r.randrange(8 * 60, 20 * 60) * MINUTE
                if k == 0:
                    text = fact["first"].format(value)
                else:
                    text = fact["changed"].format(values[k - 1], value)
                self.line(t, fact["stream"], text)
                versions.append({"time": t, "value": value, "text": text})
            for k, v in enumerate(versions):
                until = versions[k + 1]["time"] if k + 1 < len(versions) else END
                v["until"] = until
                v["said"] = [v["time"]]
                if until - v["time"] > 3 * DAY:
                    t = v["time"] + DAY + self.r.randrange(DAY)
                    self.line(t, fact["stream"], fact["again"].format(v["value"]))
                    v["said"].append(t)
            fact["versions"] = versions
            self.facts.append(fact)

    # ---- how often ----

    def plant_repeats(self):
        """One kind of event a day that comes a number of times, and some again all through a week."""
        for day in range(DAYS):
            self.repeats.append(self.repeat(day, day + 1, self.r.randrange(5, 38)))
        for first in (0, 7):
            for _ in range(4):
                self.repeats.append(self.repeat(first, first + 7, self.r.randrange(11, 60)))

    def repeat(self, first, last, count):
        stream, text, ask, word = self.r.choice(episodes.REPEATS)(self.r, self.word)
        times = sorted(START + first * DAY + self.r.randrange((last - first) * DAY)
                       for _ in range(count))
        for k, t in enumerate(times):
            self.line(t, stream, text(k))
        return {"first": first, "last": last, "count": count, "times": times, "stream": stream,
                "ask": ask, "words": [word]}

    # ---- what is erased again ----

    def plant_erased(self):
        """Secrets, and when and how they are erased: by match, by stream, by time range."""
        for day in range(1, 12):
            make = episodes.ERASED[day % len(episodes.ERASED)]
            stream, texts, ask, handle, secrets = make(self.r, self.word)
            t = START + day * DAY + self.r.randrange(9 * 60, 18 * 60) * MINUTE + 500_000
            for k, text in enumerate(texts):
                self.line(t + k * 20 * SECOND, stream, text)
            how = ("match", "range", "match")[day % 3]
            if how == "match":
                what = {"match": handle}
            else:
                what = {"stream": stream, "since": stamp(t - SECOND),
                        "until": stamp(t + len(texts) * 20 * SECOND)}
            at = min(END, START + (day + self.r.randrange(1, 4)) * DAY)
            self.erasures.append({"at": at, "params": what, "secrets": secrets})
            self.erased.append({"time": t, "stream": stream, "ask": ask, "secrets": secrets,
                                "handle": handle, "at": at})
        # A stream of its own, gone as a whole.
        word, secret, t = self.word(), self.word(), START + 3 * DAY + 11 * 60 * MINUTE
        for k in range(6):
            self.line(t + k * MINUTE, "diary", f"note {k + 1} about {word}: the meeting place is {secret}")
        self.erasures.append({"at": START + 8 * DAY, "params": {"stream": "diary"},
                              "secrets": [secret]})
        self.erased.append({"time": t, "stream": "diary", "secrets": [secret], "handle": word,
                            "ask": f"where is the meeting place for {word}?", "at": START + 8 * DAY})
        self.erasures.sort(key=lambda e: e["at"])
