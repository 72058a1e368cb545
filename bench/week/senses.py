# SPDX-License-Identifier: Apache-2.0
"""What a microphone and a camera in the cellar heard and saw in the fortnight, and questions about it.

Both record short clips: some every day whether anything happens or not, and one wherever something
does. Episodes of the story (story.py) are heard and seen where that is natural; more happens for
itself. Nothing here changes the story or its questions. The classes:

  heard seen   when something was heard, seen, on a day
  latest       when the last time was, without a date
  often        how often in all, a number
  spoke        did anybody speak on a day (somebody did)
  meanwhile    what was heard or seen when a text stream told something
  cause        what the text streams told when something was heard or seen
  sensed       gist: what was unusual on the stream on a day
  nothing      it was not heard or seen on that day, or never
"""
import concurrent.futures
import random

import clips
import questions
import story as st

CLASSES = ("heard", "seen", "latest", "often", "spoke", "meanwhile", "cause", "sensed", "nothing")
STREAMS = {"mic": ("audio", (".ogg", ".flac")), "cam": ("video", (".mp4", ".avi"))}
LEAD = 5                  # seconds of background before an event
SECONDS = {"mic": 10, "cam": 12}
ORDINARY = 4              # seconds of a clip in which nothing happens
ORDINARY_BYTES = ORDINARY * (32_000 + 12_000)  # of the two streams, about
WORKERS = 6               # most of the time they wait for ffmpeg
APART = 20 * st.MINUTE    # between what happens on one stream

# what: stream, the words that varve has for it, how people ask
WHAT = {
    "knock": ("mic", ["knock"], ("when was there a knock{}?", "when did somebody knock{}?",
                                 "at what time did we hear a knock{}?")),
    "tone": ("mic", ["tone"], ("when was there a tone{}?", "when did we hear a tone{}?")),
    "speech": ("mic", ["speech"], ("when did somebody speak{}?", "at what time was there speech{}?",
                                   "when did anybody talk{}?")),
    "noise": ("mic", ["loud"], ("when was there a loud noise{}?", "when did we hear a loud noise{}?")),
    "motion": ("cam", ["motion"], ("when was there motion in the picture{}?",
                                   "when did the camera see something move{}?")),
    "dark": ("cam", ["dark"], ("when did the camera go dark{}?", "when was the picture dark{}?")),
    "frozen": ("cam", ["frozen"], ("when was the picture frozen{}?", "when did the camera freeze{}?")),
    "turned": ("cam", ["scene"], ("when was there a scene cut{}?",
                                  "when did the camera show another scene{}?")),
}
HAPPENED = {
    "knock": ("was there a knock", "there was a knock"),
    "tone": ("was there a tone", "there was a tone"),
    "speech": ("did somebody speak", "somebody spoke"),
    "noise": ("was there a loud noise", "there was a loud noise"),
    "motion": ("was there motion in the picture", "there was motion in the picture"),
    "dark": ("did the camera go dark", "the camera went dark"),
    "frozen": ("was the picture frozen", "the picture was frozen"),
    "turned": ("was there a scene cut", "there was a scene cut"),
}
# kind of episode: (what, the event's sound or picture, the step that it comes with, seconds after it)
WITH = {
    "Pump": [("tone", "tone", 1, 2), ("motion", "steam", 2, 1)],
    "Door": [("knock", "knock", 0, 3), ("motion", "passer-by", 0, 6)],
    "Outage": [("dark", "dark", 1, 4)],
    "Freezer": [("tone", "beep", 3, 1)],
    "HeatPump": [("speech", "speech", 3, -20), ("motion", "passer-by", 3, -28)],
    "Leak": [("noise", "water", 1, 5)],
}
ALONE = [("speech", "speech", 4), ("knock", "knock", 4), ("noise", "crash", 2), ("motion", "passer-by", 4), ("dark", "dark", 2),
         ("frozen", "frozen", 3), ("turned", "turned", 3)]
NEVER = ("when did a dog bark{}?", "when did a baby cry{}?", "when did the camera see a horse{}?",
         "did we hear an explosion{}?")


class Event:
    def __init__(self, what, event, t, episode=None, step=None):
        self.what, self.event, self.t, self.episode, self.step = what, event, t, episode, step
        self.stream, self.words, _ = WHAT[what]

    def gold(self):
        return questions.gold(self.t, self.t, [self.stream], self.words)


class Clip:
    def __init__(self, stream, start, seconds, event=None):
        self.stream, self.start, self.seconds, self.event = stream, start, seconds, event
        self.offset = LEAD if event else 0
        self.kind, suffixes = STREAMS[stream]
        # A day with the one codec, a day with the other.
        self.end = start + seconds * st.SECOND
        self.name = f"{stream}-{start}{suffixes[(start - st.START) // st.DAY % 2]}"


class Senses:
    def __init__(self, story, seed, size):
        self.story, self.seed = story, seed
        self.r = random.Random(f"{seed}/senses")
        self.events, self.raw = [], None
        self.plant_with_episodes()
        self.plant_alone()
        self.events.sort(key=lambda e: e.t)
        self.clips = self.plan(size)
        self.questions = self.ask()

    # ---- what happens ----

    def plant_with_episodes(self):
        for e in self.story.episodes:
            for what, event, step, after in WITH.get(e.kind.__name__, ()):
                at = e.steps[step].start + after * st.SECOND
                self.events.append(Event(what, event, at, e, e.steps[step]))

    def free(self, stream, t):
        return all(e.stream != stream or abs(e.t - t) > APART for e in self.events)

    def plant_alone(self):
        for what, event, count in ALONE:
            days = [d for d in range(st.DAYS)
                    if not any(e.what == what and self.day(e.t) == d for e in self.events)]
            for day in self.r.sample(days, min(count, len(days))):
                while True:
                    t = st.START + day * st.DAY + self.r.randrange(7 * 60, 23 * 60) * st.MINUTE
                    if self.free(WHAT[what][0], t):
                        break
                self.events.append(Event(what, event, t))

    @staticmethod
    def day(t):
        return (t - st.START) // st.DAY

    def plan(self, size):
        """The clips of what happens, and as many ordinary ones as suit the size, none beside those."""
        out = [Clip(e.stream, e.t - LEAD * st.SECOND, SECONDS[e.stream], e.event) for e in self.events]
        a_day = max(4, min(24, size // st.DAYS // ORDINARY_BYTES))
        for k in range(st.DAYS * a_day):
            # Before everything else there is some background.
            t = st.START + k * st.DAY // a_day + 7 * st.SECOND
            out += [Clip(s, t, ORDINARY * (1 + 4 * (k == 0))) for s in STREAMS if self.free(s, t)]
        return sorted(out, key=lambda c: (c.start, c.stream))

    # ---- questions ----

    def ask(self):
        m = questions.Maker(self.story)
        m.r = random.Random(f"{self.seed}/senses/questions")
        self.about_days(m)
        self.about_all(m)
        self.about_both(m)
        self.about_nothing(m)
        for i, q in enumerate(m.out):
            q["id"] = f"s{i:03d}"
        return m.out

    def on(self, day, what=None, stream=None):
        return [e for e in self.events if self.day(e.t) == day and what in (None, e.what)
                and stream in (None, e.stream)]

    def about_days(self, m):
        for day in range(st.DAYS):
            begin = st.START + day * st.DAY
            window = (begin, begin + st.DAY)
            for what, (stream, _, forms) in WHAT.items():
                found = self.on(day, what)
                if not found:
                    continue
                m.add("heard" if stream == "mic" else "seen", m.say(*forms).format(" " + m.date(begin)),
                      [e.gold() for e in found], t=begin, window=window)
                if what == "speech":
                    m.add("spoke", self.speak(m, begin), [e.gold() for e in found], t=begin,
                          window=window)
            for stream in STREAMS:
                found = self.on(day, stream=stream)
                if found:
                    m.add("sensed", m.say("what was unusual on {} {}?", "what happened on {} {}?").format(
                        stream, m.date(begin)), [e.gold() for e in found], level="gist", t=begin,
                        window=window, parts=[[e.gold()] for e in found])

    @staticmethod
    def speak(m, begin):
        return m.say("did anybody speak {}?", "was there any speech {}?",
                     "did somebody talk {}?").format(m.date(begin))

    def about_all(self, m):
        for what, (asked, told) in HAPPENED.items():
            found = [e for e in self.events if e.what == what]
            last = found[-1]
            m.add("latest", m.say(f"when {asked} last?", f"when was the last time that {told}?"),
                  [last.gold()], t=last.t)
            m.add("often", f"how often {asked}?", [e.gold() for e in found], number=len(found),
                  t=found[len(found) // 2].t)

    def about_both(self, m):
        for e in self.events:
            if not e.step:
                continue
            forms = ("what was heard at the time of {}?", "what did the microphone hear around {}?")
            if e.stream == "cam":
                forms = ("what was seen at the time of {}?", "what did the camera see around {}?")
            m.add("meanwhile", m.say(*forms).format(e.step.name), [e.gold()], t=e.t, cross=True)
            alone = len(self.on(self.day(e.t), e.what)) == 1
            if alone:
                told = HAPPENED[e.what][1]
                m.add("cause", f"what happened when {told} {m.date(e.t)}?",
                      [questions.of_step(s) for s in e.episode.steps if s.name], t=e.t, cross=True,
                      window=questions.day_window(e.t))

    def about_nothing(self, m):
        for day in range(st.DAYS):
            begin = st.START + day * st.DAY
            window = (begin, begin + st.DAY)
            if not self.on(day, "speech"):
                m.add("nothing", self.speak(m, begin), t=begin, window=window, absent=True,
                      sort="other day")
            quiet = [w for w in ("knock", "dark", "frozen", "turned") if not self.on(day, w)]
            for what in m.r.sample(quiet, min(1, len(quiet))):
                m.add("nothing", m.say(*WHAT[what][2]).format(" " + m.date(begin)), t=begin,
                      window=window, absent=True, sort="other day")
        for form in NEVER:
            m.add("nothing", form.format(""), absent=True, sort="unseen")

    # ---- files ----

    def keep(self, folder, decoded=None):
        """Makes the clips' files, once. Returns the bytes of what decoded(clip) makes of them."""
        if self.raw is None:
            folder.mkdir(parents=True, exist_ok=True)
            with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                self.raw = sum(pool.map(lambda c: self.make(c, folder, decoded), self.clips))
        return self.raw

    def make(self, clip, folder, decoded):
        clip.path = folder / clip.name
        clips.make(clip, self.seed, clip.path)
        return len(decoded(clip)) if decoded else 0
