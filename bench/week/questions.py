# SPDX-License-Identifier: Apache-2.0
"""Questions about a story, with exact answers.

A question is an object: `id`, `class`, `level` (gist or detail), `query`, `age` in days at the end of
the fortnight (null where it has none), `since`/`until` of the span it names (null: none), `gold`: what
answers it, any one of them: {start, end, streams, words}, times in microseconds; `cross`: the gold lies
on another stream than what the question names. Further by class: `number` (how often), `value` and
`stale` (facts), `near` (a value and its tolerance), `secrets` (erased), `absent` (true: nothing there).

  first last           one kind of event in general words, without a rare word or date
  times                how often that was: `number` has to stand in the answer's text
  when what            one line with a rare word; time error is taken on these
  before after why     the neighbour, or the first cause, of an event of another stream
  count week           how often on a day, in a week: `number` has to stand in the answer's text
  changed now asof     facts: when it changed, what holds now, what held on a day before the change
  absent               never seen; seen but never together; seen on another day
  erased               erased during the fortnight: the secret must be nowhere in the answer
  abnormal normal      a sensor in a span with a fault, and in one without
  usual                a channel's usual value in a part of the week
  topic day night both weeks part stream
                       gist: what happened with X on a day; what was unusual on a day, in a night, in
                       each of the two weeks (both weeks), in a part of a day, on one stream on a day
"""
import datetime
import math

import story as st

HOUR = 3600 * st.SECOND


def iso(t):
    return None if t is None else st.stamp(t)


def civil(t):
    return datetime.datetime.fromtimestamp(t // st.SECOND, datetime.timezone.utc)


class Maker:
    def __init__(self, story):
        self.story, self.r = story, story.r
        self.out = []

    def date(self, t):
        """A day, said in one of the ways people say it."""
        d = civil(t)
        return self.r.choice([f"on {d.day} {d:%B} {d.year}", f"on {d:%B} {d.day}, {d.year}",
                              f"on {d:%Y-%m-%d}", f"on {d:%A} {d.day} {d:%B} {d.year}"])

    def say(self, *forms):
        return self.r.choice(forms)

    def add(self, cls, query, gold=(), level="detail", t=None, window=None, **more):
        begin, end = window or (None, None)
        q = {"id": f"{len(self.out):04d}", "class": cls, "level": level,
             "query": query[0].upper() + query[1:],
             "age": None if t is None else st.age(min(t, st.END - 1)),
             "since": iso(begin), "until": iso(end), "gold": list(gold)}
        q.update(more)
        self.out.append(q)


def gold(start, end, streams, words):
    return {"start": start, "end": end, "streams": streams, "words": words}


def of_step(step):
    return gold(step.start, step.end, [step.stream], step.words)


def day_window(t):
    start = st.START + (t - st.START) // st.DAY * st.DAY
    return start, start + st.DAY


def named_steps(e):
    return [s for s in e.steps if s.name]


def phrase(m, step):
    """The step's name; a date with it where the name holds no rare word."""
    if step.text:
        return step.name, None
    return f"{step.name} {m.date(step.start)}", day_window(step.start)


def about_episodes(m):
    for e in m.story.episodes:
        steps = named_steps(e)
        lines = [s for s in steps if s.text]
        pick = m.r.choice(lines)
        m.add("when", m.say(f"when was {pick.name}?", f"at what time did {pick.name} happen?",
                            f"when did we see {pick.name}?"),
              [of_step(pick)], t=pick.start)
        i = m.r.randrange(1, len(steps))
        name, window = phrase(m, steps[i])
        m.add("before", m.say(f"what came just before {name}?", f"what happened right before {name}?",
                              f"what preceded {name}?"),
              [of_step(steps[i - 1])], t=steps[i].start, window=window,
              cross=steps[i].stream != steps[i - 1].stream)
        i = m.r.randrange(0, len(steps) - 1)
        name, window = phrase(m, steps[i])
        m.add("after", m.say(f"what came just after {name}?", f"what happened right after {name}?",
                             f"what followed {name}?"),
              [of_step(steps[i + 1])], t=steps[i].start, window=window,
              cross=steps[i].stream != steps[i + 1].stream)
        if m.r.random() < 0.5:
            last = lines[-1]
            if last is not steps[0]:
                m.add("why", m.say(f"why did we get {last.name}?", f"what led to {last.name}?"),
                      [of_step(steps[0])], t=last.start, cross=last.stream != steps[0].stream)
        window = day_window(e.steps[0].start)
        topic = e.kind.topic
        m.add("topic", m.say(f"what happened with the {topic} {m.date(e.time)}?",
                             f"was there anything unusual with the {topic} {m.date(e.time)}?",
                             f"what went wrong with the {topic} {m.date(e.time)}?"),
              [of_step(s) for s in steps], level="gist", t=e.time, window=window)


def about_kinds(m):
    """Asked without a rare word and without a date."""
    for kind in dict.fromkeys(e.kind for e in m.story.episodes):
        shown = [e.steps[kind.shown_by] for e in m.story.episodes if e.kind is kind]
        m.add("last", m.say(f"when was the last time {kind.happening}?",
                            f"what was the most recent time that {kind.happening}?"),
              [of_step(shown[-1])], t=shown[-1].start)
        m.add("first", f"when was the first time {kind.happening}?", [of_step(shown[0])],
              t=shown[0].start)
        m.add("times", m.say(f"how many times was it that {kind.happening}?",
                             f"how often was it that {kind.happening}?"),
              [of_step(s) for s in shown], number=len(shown), t=shown[len(shown) // 2].start)


def about_days(m):
    for day in range(st.DAYS):
        begin = st.START + day * st.DAY
        today = [e for e in m.story.episodes if begin <= e.time < begin + st.DAY]
        m.add("day", m.say(f"what was unusual {m.date(begin)}?", f"what happened {m.date(begin)}?",
                           f"anything strange {m.date(begin)}?"),
              [of_step(s) for e in today for s in named_steps(e)], level="gist", t=begin,
              window=(begin, begin + st.DAY), parts=[[of_step(s) for s in named_steps(e)] for e in today])
        night = (begin + 20 * HOUR, begin + 30 * HOUR)
        found = [e for e in m.story.episodes if e.steps[-1].end >= night[0] and e.time < night[1]]
        if found and night[1] < st.END:
            d = civil(begin)
            m.add("night", m.say(f"what happened on the night of {d.day} {d:%B} {d.year}?",
                                 f"what was unusual in the night of {d:%B} {d.day}, {d.year}?"),
                  [of_step(s) for e in found for s in named_steps(e)], level="gist", t=night[0],
                  window=night, parts=[[of_step(s) for s in named_steps(e)] for e in found])
    for week in (0, 1):
        begin = st.START + 7 * week * st.DAY
        a, b = civil(begin), civil(begin + 6 * st.DAY)
        found = m.story.episodes[21 * week:21 * week + 21]
        m.add("both weeks", f"what was unusual between {a.day} {a:%B} and {b.day} {b:%B} {b.year}?",
              [of_step(s) for e in found for s in named_steps(e)], level="gist",
              window=(begin, begin + 7 * st.DAY),
              parts=[[of_step(s) for s in named_steps(e)] for e in found])


PARTS = (("morning", 5, 12), ("afternoon", 12, 18), ("evening", 18, 24))


def about_parts(m):
    """A part of a day, and one stream's day: what was planted there."""
    for e in m.story.episodes:
        begin, end = day_window(e.time)
        d = civil(begin)
        steps = named_steps(e)
        part = next((p for p in PARTS if p[1] <= (e.time - begin) // HOUR < p[2]), None)
        if part:
            name, first, last = part
            window = (begin + first * HOUR, begin + last * HOUR)
            inside = [of_step(s) for x in m.story.episodes for s in named_steps(x)
                      if s.start < window[1] and s.end >= window[0]]
            m.add("part", m.say(f"what was unusual on the {name} of {d.day} {d:%B} {d.year}?",
                                f"what happened on the {name} of {d:%B} {d.day}, {d.year}?"),
                  inside, level="gist", t=e.time, window=window)
        stream = m.r.choice(steps).stream
        today = [of_step(s) for x in m.story.episodes for s in named_steps(x)
                 if s.stream == stream and s.start < end and s.end >= begin]
        m.add("stream", m.say(f"what was unusual on {stream} {m.date(begin)}?",
                              f"what happened on {stream} {m.date(begin)}?"),
              today, level="gist", t=e.time, window=(begin, end))


def about_rare(m):
    for x in m.story.rare:
        m.add("what", x["ask"], [gold(x["time"], x["time"], [x["stream"]], x["words"])], t=x["time"])


def about_facts(m):
    for f in m.story.facts:
        versions = f["versions"]
        for i, v in enumerate(versions):
            others = [x["value"] for x in versions if x is not v]
            said = [gold(t, t, [f["stream"]], [f["subject"], v["value"]]) for t in v["said"]]
            if i == len(versions) - 1:
                m.add("now", f["ask"].format(m.say("", " now", " at present")), said, t=v["time"],
                      value=v["value"], stale=others)
                m.add("changed", f["changes"].format(v["value"]), said[:1], t=v["time"])
                continue
            first, last = v["time"] // st.DAY + 1, v["until"] // st.DAY
            days = [d * st.DAY for d in range(first, last)] or [v["time"]]
            t = m.r.choice(days)
            m.add("asof", f["asked"].format(m.date(t)), said, t=t, value=v["value"], stale=others,
                  window=day_window(t))


def about_repeats(m):
    for x in m.story.repeats:
        begin, end = st.START + x["first"] * st.DAY, st.START + x["last"] * st.DAY
        golds = [gold(t, t, [x["stream"]], x["words"]) for t in x["times"]]
        if x["last"] - x["first"] == 1:
            m.add("count", m.say(f"how many {x['ask']} were there {m.date(begin)}?",
                                 f"how often did we see {x['ask']} {m.date(begin)}?"),
                  golds, t=begin, window=(begin, end), number=x["count"])
            continue
        a, b = civil(begin), civil(end - 1)
        m.add("week", m.say(f"how many {x['ask']} were there between {a.day} {a:%B} and {b.day} {b:%B} {b.year}?",
                            f"how many {x['ask']} were there in all?"),
              golds, t=x["times"][len(x["times"]) // 2], number=x["count"], window=(begin, end))


def about_nothing(m):
    """Near misses of three sorts, each a third."""
    episodes = m.story.episodes
    rare = [(e.kind, s.words[-1]) for e in episodes for s in named_steps(e)
            if s.text and s.words[-1].isalpha()]
    for e in episodes:
        lines = [s for s in named_steps(e) if s.text and s.words[-1].isalpha() and s.words[-1] in s.name]
        if not lines:
            continue
        step = m.r.choice(lines)
        mine = step.words[-1]
        other = m.r.choice([word for kind, word in rare if kind is not e.kind])
        m.add("absent", f"when was {step.name.replace(mine, m.story.word())}?", absent=True, sort="unseen")
        m.add("absent", f"when was {step.name.replace(mine, other)}?", absent=True, sort="crossed")
        away = m.r.choice([d for d in range(st.DAYS) if abs(d - e.day) > 1])
        t = st.START + away * st.DAY
        m.add("absent", f"did we see {step.name} {m.date(t)}?", t=t, absent=True, sort="other day",
              window=day_window(t))


def about_erased(m):
    for x in m.story.erased:
        m.add("erased", x["ask"], t=x["time"], absent=True, secrets=x["secrets"], handle=x["handle"])


def about_normal(m, usual):
    """One span with a fault a day, one of the same stream without."""
    effects = m.story.effects
    for day in range(st.DAYS):
        begin = st.START + day * st.DAY
        today = [e for e in effects if begin <= e.start < begin + st.DAY]
        quiet = [d for d in range(st.DAYS) if d != day]
        if not today:
            continue
        e = m.r.choice(today)
        channel = e.channel.replace("_", " ")
        hour = (e.start - begin) // HOUR
        d = civil(begin)
        part = f"between {hour}:00 and {min(hour + 3, 23)}:59 {m.date(begin)}"
        window = (begin + hour * HOUR, begin + min(hour + 4, 24) * HOUR)
        ask = (f"was the {e.stream} {e.channel} normal {{}}?", f"was anything unusual with {e.channel} of {e.stream} {{}}?")
        m.add("abnormal", m.say(*ask).format(part), [gold(e.start, e.end, [e.stream], [e.channel])],
              level="gist", t=begin, window=window)
        m.r.shuffle(quiet)
        for other in quiet:
            a = st.START + other * st.DAY + hour * HOUR
            b = st.START + other * st.DAY + min(hour + 4, 24) * HOUR
            if all(x.stream != e.stream or x.end + HOUR < a or x.start - HOUR > b for x in effects):
                part = f"between {hour}:00 and {min(hour + 3, 23)}:59 {m.date(a)}"
                m.add("normal", m.say(*ask).format(part), level="gist", t=a, window=(a, b),
                      stream=e.stream, channel=e.channel)
                break
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    for stream, channel in usual:
        for day in m.r.sample(range(7), 2):
            name, first, last = m.r.choice([("night", 20, 30), ("morning", 5, 12), ("afternoon", 12, 18)])
            spans = [(w * 7 * st.DAY + day * st.DAY + h * HOUR) for w in (0, 1) for h in range(first, last)]
            values = [channel.usual(t + HOUR // 2) for t in spans if t < st.DAYS * st.DAY]
            mean = sum(values) / len(values)
            sd = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)) + channel.noise
            m.add("usual", f"what is the usual {channel.name} on a {days[day]} {name}?", level="gist",
                  t=None, stream=stream, channel=channel.name,
                  near=[mean, max(sd, 0.02 * abs(mean))])


def make(story, usual):
    """Questions of a story; `usual` are (stream, channel) whose usual values are asked for."""
    m = Maker(story)
    about_episodes(m)
    about_kinds(m)
    about_days(m)
    about_parts(m)
    about_rare(m)
    about_facts(m)
    about_repeats(m)
    about_nothing(m)
    about_erased(m)
    about_normal(m, usual)
    return m.out
