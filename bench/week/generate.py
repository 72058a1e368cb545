#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A household and a server for a fortnight, on one clock, from a seed.

  bench/week/generate.py --seed 1 --bytes 20000000 --out DIR

writes one NDJSON file (text) or CSV file (sensors) a stream, questions.jsonl and erasures.jsonl, and
where what senses.py needs is installed its clips with their times, clips.csv, and senses.jsonl. The
same seed gives the same bytes. --bytes changes the background only: what is planted (story.py) and
what is asked about it (questions.py) stay the same. Raw bytes are those of the texts and ten a sensor
value. Every hour of every stream has its own random numbers, so one slice can be made by itself.
"""
import argparse
import json
import marshal
import math
import pathlib
import random
import sys

import clips
import questions
import senses
import story

HOUR = 3600 * story.SECOND
TEXT_SHARE = 0.6          # of the raw bytes; the rest are sensor values
VALUE_BYTES = 10
SLOWEST = 120.0           # seconds between two samples, however small the week

PEOPLE = ["ida", "tomas", "mara", "jonas", "lena", "oskar"]
PATHS = ["/", "/index.html", "/cart", "/cart/items", "/api/orders", "/api/orders/status", "/login",
         "/static/app.js", "/static/site.css", "/images/logo.png", "/search", "/products",
         "/products/list", "/help", "/feed.xml", "/robots.txt", "/account", "/api/health"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4)",
          "Mozilla/5.0 (Windows NT 10.0; Win64)", "curl/7.88.1", "feedfetcher/2.1"]
UNITS = ["logrotate", "apt-daily", "fstrim", "man-db", "certwatch", "ntpsync", "mdcheck"]
ROOMS = ["kitchen", "hall", "bath", "office", "bedroom", "livingroom", "cellar", "garage"]


def skewed(r, items):
    """Early items far more often than late ones."""
    return items[int(len(items) * r.random() ** 3)]


def address(r):
    return f"10.{r.getrandbits(1)}.{int(40 * r.random() ** 2)}.{int(250 * r.random()) + 2}"


# Templates of a stream's everyday lines with their weights.
def web_lines():
    def page(r):
        return (f'{address(r)} - - "GET {skewed(r, PATHS)} HTTP/1.1" 200 {int(900 / (r.random() + .02))}'
                f' "{skewed(r, AGENTS)}" {r.random() ** 4:.3f}')

    def item(r):
        return (f'{address(r)} - - "GET /products/{int(4000 * r.random() ** 2)} HTTP/1.1" '
                f'{200 if r.random() < .97 else 404} {int(900 / (r.random() + .02))} '
                f'"{skewed(r, AGENTS)}" {r.random() ** 4:.3f}')

    def post(r):
        return (f'{address(r)} - - "POST /api/orders HTTP/1.1" 201 {int(300 * r.random()) + 90} '
                f'"{skewed(r, AGENTS)}" {r.random() ** 2:.3f}')

    def moved(r):
        return f'{address(r)} - - "GET /old/{int(99 * r.random())} HTTP/1.1" 301 162 "curl/7.88.1" 0.000'
    return [(60, page), (30, item), (8, post), (2, moved)]


def app_lines():
    def order(r):
        return (f"INFO orders-api order {r.getrandbits(24):06x} accepted items={int(1 / (r.random() + .08))}"
                f" total={r.random() * 180:.2f} took={int(20 / (r.random() + .05))}ms")

    def cache(r):
        return f"DEBUG catalog cache {'hit' if r.random() < .9 else 'miss'} key=product:{int(4000 * r.random() ** 2)}"

    def mail(r):
        return f"INFO mailer sent confirmation for order {r.getrandbits(24):06x} in {int(400 * r.random())}ms"

    def retry(r):
        return f"WARN payments retry {int(3 * r.random()) + 1} of 3 for order {r.getrandbits(24):06x}: timeout"

    def pool(r):
        return f"INFO worker-{int(8 * r.random())} pool idle={int(30 * r.random())} busy={int(9 * r.random())}"
    return [(45, order), (30, cache), (15, mail), (2, retry), (8, pool)]


def syslog_lines():
    def cron(r):
        return f"CRON[{r.getrandbits(15)}]: (root) CMD (/usr/lib/jobs/{skewed(r, UNITS)} --quiet)"

    def unit(r):
        return f"systemd[1]: {skewed(r, UNITS)}.service: Deactivated successfully."

    def started(r):
        return f"systemd[1]: Started {skewed(r, UNITS)}.service - periodic job."

    def firewall(r):
        return (f"kernel: [UFW BLOCK] IN=eth0 SRC={address(r)} DST=10.0.0.2 LEN={40 + int(20 * r.random())}"
                f" PROTO=TCP SPT={r.getrandbits(16)} DPT={skewed(r, [22, 23, 445, 80, 3389, 8080])}")

    def dhcp(r):
        return f"dhcpd: DHCPACK on {address(r)} to 52:54:00:{r.getrandbits(8):02x}:{int(40 * r.random()):02x}:01"
    return [(30, cron), (15, unit), (15, started), (30, firewall), (10, dhcp)]


def sshd_lines():
    def accepted(r):
        return f"sshd[{r.getrandbits(15)}]: Accepted publickey for {skewed(r, PEOPLE)} from {address(r)} port {r.getrandbits(16)} ssh2"

    def failed(r):
        return f"sshd[{r.getrandbits(15)}]: Failed password for invalid user {skewed(r, ['admin', 'test', 'oracle', 'pi', 'git'])} from {address(r)} port {r.getrandbits(16)} ssh2"

    def closed(r):
        return f"sshd[{r.getrandbits(15)}]: Connection closed by {address(r)} port {r.getrandbits(16)} [preauth]"

    def session(r):
        return f"sshd[{r.getrandbits(15)}]: pam_unix(sshd:session): session {'opened' if r.random() < .5 else 'closed'} for user {skewed(r, PEOPLE)}"
    return [(20, accepted), (35, failed), (25, closed), (20, session)]


def home_lines():
    def light(r):
        return f"light {skewed(r, ROOMS)} switched {'on' if r.random() < .5 else 'off'} by {'motion' if r.random() < .7 else skewed(r, PEOPLE)}"

    def motion(r):
        return f"motion {skewed(r, ROOMS)} detected for {int(90 * r.random()) + 1} s"

    def door(r):
        return f"door {skewed(r, ['front', 'garden', 'garage', 'cellar'])} {'opened' if r.random() < .5 else 'closed'}"

    def valve(r):
        return f"radiator {skewed(r, ROOMS)} valve at {int(100 * r.random())} percent"

    def pump(r):
        return f"pump 1: bearing check passed, rms {0.9 + r.random() * .5:.2f} mm/s"
    return [(35, light), (35, motion), (15, door), (12, valve), (3, pump)]


def backup_lines():
    def copied(r):
        return f"job hourly-{skewed(r, ['etc', 'srv', 'home', 'db'])}: copied {int(90 / (r.random() + .01))} files, {r.random() * 900:.1f} MiB, no errors"

    def scan(r):
        return f"job hourly-{skewed(r, ['etc', 'srv', 'home', 'db'])}: scanned {int(30000 * r.random())} files in {r.random() * 60:.1f} s"

    def prune(r):
        return f"retention: kept {int(60 * r.random()) + 7} snapshots, removed {int(4 * r.random())}"
    return [(45, copied), (45, scan), (10, prune)]


# name: lines, share of the text bytes, how strong the day's and the week's rhythm are
TEXT = {
    "web": (web_lines(), 0.50, 0.8, 0.3),
    "app": (app_lines(), 0.22, 0.8, 0.3),
    "syslog": (syslog_lines(), 0.12, 0.2, 0.0),
    "sshd": (sshd_lines(), 0.08, 0.4, 0.2),
    "home": (home_lines(), 0.05, 0.9, -0.3),
    "backup": (backup_lines(), 0.03, 0.1, 0.0),
}


class Channel:
    """A sensor's channel: level, a day's wave and its hour, a weekend's shift, drift a day, noise."""

    def __init__(self, name, level, day=0.0, peak=15, weekend=0.0, drift=0.0, noise=0.0, digits=2):
        self.name, self.level, self.day, self.peak = name, level, day, peak
        self.weekend, self.drift, self.noise, self.digits = weekend, drift, noise, digits

    def usual(self, t):
        """The value without noise and faults at t microseconds after the start."""
        days = t / story.DAY
        value = self.level + self.drift * days
        value += self.day * math.cos(2 * math.pi * (days - self.peak / 24))
        weekday = int(days) % 7
        return value + (self.weekend if weekday >= 5 else 0.0)


SENSORS = {
    "climate": [Channel("livingroom_temp", 20.6, 0.9, 17, 0.5, 0, 0.12),
                Channel("cellar_temp", 12.4, 0.3, 16, 0, 0.02, 0.06),
                Channel("outdoor_temp", 6.5, 4.2, 15, 0, 0.15, 0.35),
                Channel("cellar_humidity", 61.0, 1.5, 5, 0, 0, 0.5, 1),
                Channel("freezer_temp", -18.5, 0.3, 16, 0, 0, 0.25)],
    "power": [Channel("house_w", 640, 280, 19, 120, 0, 45, 0),
              Channel("heatpump_w", 1150, 260, 5, 0, -6, 60, 0),
              Channel("pump_w", 410, 12, 14, 0, 0, 6, 0),
              Channel("freezer_w", 92, 4, 16, 0, 0, 5, 0)],
    "pump": [Channel("vibration", 1.15, 0.05, 14, 0, 0.004, 0.05, 3),
             Channel("rpm", 2900, 8, 14, 0, 0, 7, 0),
             Channel("motor_temp", 48, 2.5, 15, 0, 0, 0.5)],
    "server": [Channel("cpu", 24, 12, 14, -6, 0, 3.0, 1), Channel("mem", 57, 3, 15, -2, 0, 0.8, 1),
               Channel("disk_used", 61, 0.4, 22, 0, 0.25, 0.05)],
    "network": [Channel("latency_ms", 18, 5, 20, 0, 0, 1.5, 1),
                Channel("rx_kbs", 820, 420, 20, 200, 0, 70, 0),
                Channel("tx_kbs", 240, 110, 20, 60, 0, 25, 0)],
}


USUAL = ("livingroom_temp", "outdoor_temp", "heatpump_w", "cpu", "rx_kbs")


def noise_table():
    """Slowly wandering noise of unit size; every slice starts somewhere else in it."""
    r = random.Random("noise")
    out, v = [], 0.0
    for _ in range(1 << 16):
        v = 0.7 * v + 0.714 * r.gauss(0, 1)
        out.append(v)
    return out + out[:1 << 14]


class Slice:
    """One stream's records of one hour, in time order: texts, or a tuple of values a record."""
    __slots__ = ("stream", "kind", "channels", "times", "payloads")

    def __init__(self, stream, kind, channels, times, payloads):
        self.stream, self.kind, self.channels = stream, kind, channels
        self.times, self.payloads = times, payloads

    def raw_bytes(self):
        if self.kind == "sensor":
            return VALUE_BYTES * len(self.channels) * len(self.times)
        return sum(map(len, self.payloads))


class Week:
    def __init__(self, seed, size):
        self.seed = seed
        self.story = story.Story(seed)
        channels = sum(map(len, SENSORS.values()))
        values = size * (1 - TEXT_SHARE) / VALUE_BYTES / channels
        self.interval = int(min(SLOWEST, story.DAYS * 86400 / max(values, 1)) * story.SECOND)
        sensors = story.DAYS * story.DAY // self.interval * channels * VALUE_BYTES
        self.text_bytes = max(size * 1.01 - sensors, size * 0.2)
        self.noise = noise_table()
        usual = [(s, c) for s, cs in SENSORS.items() for c in cs if c.name in USUAL]
        self.questions = questions.make(self.story, usual)
        self.senses = senses.Senses(self.story, seed, size)
        self.rates = {name: self.rate(name) for name in TEXT}
        self.planted, self.kept = {}, None
        for t, stream, text in sorted(self.story.lines):
            self.planted.setdefault((stream, (t - story.START) // HOUR), []).append((t, text))

    def random(self, *what):
        return random.Random("/".join(map(str, (self.seed, *what))))

    def rate(self, name):
        """Lines of each hour of the fortnight."""
        lines, share, day, week = TEXT[name]
        r = self.random("length", name)
        pick = r.choices([f for _, f in lines], [w for w, _ in lines], k=500)
        length = sum(len(f(r)) for f in pick) / len(pick)
        shape = []
        for hour in range(story.DAYS * 24):
            wave = 1 + day * math.cos(2 * math.pi * (hour - 15) / 24)
            if hour // 24 % 7 >= 5:
                wave *= 1 - week
            shape.append(wave)
        scale = self.text_bytes * share / length / sum(shape)
        return [scale * s for s in shape]

    def texts(self, name, hour):
        r = self.random(name, hour)
        expected = self.rates[name][hour]
        count = int(expected * (0.9 + 0.2 * r.random()) + r.random())
        start = story.START + hour * HOUR
        lines = TEXT[name][0]
        times = sorted(start + int(r.random() * HOUR) for _ in range(count))
        makers = r.choices([f for _, f in lines], [w for w, _ in lines], k=count)
        texts = [f(r) for f in makers]
        planted = self.planted.get((name, hour))
        if planted:
            merged = sorted(list(zip(times, texts)) + planted)
            times, texts = [t for t, _ in merged], [x for _, x in merged]
        return Slice(name, "text", None, times, texts)

    def samples(self, name, hour):
        r = self.random(name, hour)
        begin, end = hour * HOUR, (hour + 1) * HOUR
        first = -(-begin // self.interval)
        count = -(-end // self.interval) - first
        times = [story.START + (first + i) * self.interval for i in range(count)]
        columns = []
        for c in SENSORS[name]:
            a, b = c.usual(begin), c.usual(end - 1)
            step = (b - a) / count if count else 0
            at = r.getrandbits(16)
            noise, sd, digits = self.noise, c.noise, c.digits or None
            column = [a + step * i + sd * n for i, n in enumerate(noise[at:at + count])]
            for e in self.story.effects:
                if e.stream == name and e.channel == c.name and e.overlaps(times):
                    column = [e.apply(t, v) for t, v in zip(times, column)]
            columns.append([round(v, digits) for v in column])
        return Slice(name, "sensor", [c.name for c in SENSORS[name]], times, list(zip(*columns)))

    def only_planted(self, name, hour):
        """A stream without a background: what people write by hand."""
        rows = self.planted[(name, hour)]
        return Slice(name, "text", None, [t for t, _ in rows], [x for _, x in rows])

    def keep(self, folder):
        """Makes everything once and keeps it for the next calls of slices(). Returns the raw bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        path, raw = folder / "slices", 0
        with open(path, "wb") as f:
            for s in self.made():
                raw += s.raw_bytes()
                marshal.dump((s.stream, s.kind, s.channels, s.times, s.payloads), f)
        self.kept = path
        return raw

    def slices(self):
        """Everything, hour by hour, in time order between streams to the hour."""
        if not self.kept:
            yield from self.made()
            return
        with open(self.kept, "rb") as f:
            while True:
                try:
                    yield Slice(*marshal.load(f))
                except EOFError:
                    return

    def made(self):
        extra = sorted({s for s, _ in self.planted} - set(TEXT))
        for hour in range(story.DAYS * 24):
            for name in TEXT:
                yield self.texts(name, hour)
            for name in extra:
                if (name, hour) in self.planted:
                    yield self.only_planted(name, hour)
            for name in SENSORS:
                yield self.samples(name, hour)


def write(week, out):
    """The files that `varve ingest` reads."""
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    raw = 0
    for s in week.slices():
        raw += s.raw_bytes()
        if s.stream not in files:
            suffix = "ndjson" if s.kind == "text" else "csv"
            files[s.stream] = open(out / f"{s.stream}.{suffix}", "w", encoding="utf-8")
            if s.kind == "sensor":
                files[s.stream].write("time," + ",".join(s.channels) + "\n")
        f = files[s.stream]
        if s.kind == "text":
            for t, text in zip(s.times, s.payloads):
                f.write(json.dumps({"time": story.stamp(t), "text": text}) + "\n")
        else:
            for t, values in zip(s.times, s.payloads):
                f.write(story.stamp(t) + "," + ",".join(map(str, values)) + "\n")
    for f in files.values():
        f.close()
    for name, rows in (("questions", week.questions), ("erasures", week.story.erasures),
                       ("senses", week.senses.questions)):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(q) + "\n" for q in rows))
    return raw


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bytes", type=int, default=20_000_000)
    p.add_argument("--out", type=pathlib.Path, required=True)
    a = p.parse_args()
    week = Week(a.seed, a.bytes)
    raw = write(week, a.out)
    if clips.missing():
        print(f"no sound and pictures: there is no {clips.missing()}", file=sys.stderr)
    else:
        week.senses.keep(a.out / "clips")
        (a.out / "clips.csv").write_text("".join(
            f"{c.stream},{c.kind},{story.stamp(c.start)},clips/{c.name}\n" for c in week.senses.clips))
    print(f"{raw} raw bytes, {len(week.questions)} questions, in {a.out}")


if __name__ == "__main__":
    main()
