# SPDX-License-Identifier: Apache-2.0
"""What is compared: varved as it is, varved that hears and sees as well, varved with one feature off,
and three baselines on SQLite's FTS5.

An arm takes the fortnight's slices and erasures and then answers questions in the shape of `varve ask
--json`. To add one, add a line to ARMS.
"""
import json
import os
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import time

import clips
import score
import story

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import varvetest  # noqa: E402  (the client that the integration tests use)

ANSWER_BYTES = 4096
SETTLED = 0.5             # seconds without work that make a settled daemon
PATIENCE = 1800           # seconds; a daemon short of room slows its clients down
HOUR = 3600 * story.SECOND


def svarint(value):
    """Zigzag LEB128 of a time, which is never negative."""
    return varvetest.varint(value << 1)


def pack(s):
    """The records of a slice as they go into a RECORDS frame, one bytes object each."""
    varint = varvetest.varint
    if s.kind == "text":
        for t, text in zip(s.times, s.payloads):
            data = text.encode()
            yield b"\x02" + svarint(t) + varint(len(data)) + data
        return
    n = len(s.channels)
    values = struct.Struct("<" + "Hd" * n)
    flat = [0] * (2 * n)
    flat[::2] = range(n)
    for t, row in zip(s.times, s.payloads):
        flat[1::2] = row
        yield b"\x02" + svarint(t) + varint(n) + values.pack(*flat)


class Channel:
    """An ingest channel: frames under way are bounded by the daemon's credits."""
    ROOM = 128 * 1024

    def __init__(self, daemon, s, budget):
        # A frame of each stream may lie in the journal, which has a quarter of the budget.
        self.room = min(self.ROOM, budget // 64) if budget else self.ROOM
        self.client = daemon.client()
        self.client.socket.settimeout(PATIENCE)
        self.credit, _ = self.client.open_channel(s.stream, s.kind)
        self.open = self.credit
        if s.kind == "sensor":
            body = varvetest.varint(len(s.channels))
            for i, name in enumerate(s.channels):
                body += struct.pack("<H", i) + varvetest.varint(len(name)) + name.encode()
            self.client.send_raw(varvetest.frame(varvetest.FRAME_CHANNELS, body))

    def take(self, wanted):
        """Reads frames until `wanted` came."""
        while True:
            kind, body = self.client.read_frame()
            if kind == varvetest.FRAME_ERROR:
                raise RuntimeError(f"the daemon refused a record: {body!r}")
            if kind == varvetest.FRAME_ACK:
                _, at = varvetest.read_varint(body, 0)
                self.credit += varvetest.read_varint(body, at)[0]
            if kind == wanted:
                return

    def send(self, records):
        frame = varvetest.frame(varvetest.FRAME_RECORDS,
                                varvetest.varint(len(records)) + b"".join(records))
        while self.credit < len(frame) and self.credit < self.open:
            self.take(varvetest.FRAME_ACK)
        self.credit -= len(frame)
        self.client.send_raw(frame)

    def feed(self, s):
        part, size = [], 0
        for record in pack(s):
            part.append(record)
            size += len(record)
            if size > self.room or len(part) == 4096:
                self.send(part)
                part, size = [], 0
        if part:
            self.send(part)

    def flush(self):
        self.client.send_raw(varvetest.frame(varvetest.FRAME_FLUSH))
        self.take(varvetest.FRAME_FLUSHED)

    def close(self):
        self.client.send_raw(varvetest.frame(varvetest.FRAME_CLOSE))
        self.take(varvetest.FRAME_CLOSED)
        self.client.close()


class Refused(Exception):
    """The daemon does not take the configuration: too small a budget, or an option it lacks; or there
    is nothing to make sound and pictures with."""


def decoded(clip):
    """The frames that varve-media makes of a clip's file: what `varve ingest` passes on."""
    return subprocess.run([varvetest.program("varve-media"), "--kind", clip.kind, "--start",
                           story.stamp(clip.start), "--", str(clip.path)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=True).stdout


class Varve:
    """varved, fed through ingest channels as fast as it takes them, a flush at each midnight.

    With `senses` the clips of the microphone and the camera are given to `varve ingest`, each when its
    hour is over.
    """

    def __init__(self, options=None, ask=None, senses=False):
        self.options, self.extra, self.senses = options or {}, ask or {}, senses
        self.largest = 0

    def prepare(self, week, folder):
        """Makes the clips where they are wanted. Returns the bytes that they add to the raw ones."""
        if not self.senses:
            return 0
        if clips.missing():
            raise Refused(f"there is no {clips.missing()}")
        return week.senses.keep(folder, decoded)

    def start(self, folder, budget):
        self.budget = budget
        memory = {"budget": str(budget) if budget else "8GiB"}
        sections = {"memory": memory}
        for name, pairs in self.options.items():
            sections.setdefault(name, {}).update(pairs)
        config = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in pairs.items())
                         for name, pairs in sections.items())
        self.daemon = varvetest.Daemon(folder, config)
        checked = self.daemon.run("varved", "--config", self.daemon.config, "--check-config")
        if checked.status:
            raise Refused(checked.err.strip())
        self.daemon.start()
        self.client = self.daemon.client()
        self.client.socket.settimeout(PATIENCE)
        self.notes = []

    def feed(self, week):
        channels, erasures = {}, list(week.story.erasures)
        self.clips = list(reversed(week.senses.clips)) if self.senses else []
        day = 0
        for s in week.slices():
            if not s.times:
                continue
            self.perceive(s.times[0] // HOUR * HOUR)
            self.largest = max(self.largest, self.bytes())
            today = (s.times[0] - story.START) // story.DAY
            if today > day:
                self.midnight(channels, erasures, story.START + today * story.DAY)
                day = today
            if s.stream not in channels:
                channels[s.stream] = Channel(self.daemon, s, self.budget)
            channels[s.stream].feed(s)
        self.perceive(story.END)
        self.midnight(channels, erasures, story.END)
        for c in channels.values():
            c.close()
        self.settle()

    def perceive(self, until):
        """The clips that are over by then."""
        while self.clips and self.clips[-1].end <= until:
            c = self.clips.pop()
            done = self.daemon.varve("ingest", "--stream", c.stream, "--kind", c.kind, "--start",
                                     story.stamp(c.start), c.path, timeout=PATIENCE)
            if done.status:
                self.notes.append(f"varve ingest of {c.name}: {done.err.strip()}")

    def midnight(self, channels, erasures, now):
        for c in channels.values():
            c.flush()
        while erasures and erasures[0]["at"] <= now:
            erasure = erasures.pop(0)
            if list(erasure["params"]) == ["stream"]:
                channels.pop(erasure["params"]["stream"]).close()
            self.forget(erasure)
        self.settle()

    def forget(self, erasure):
        """Erases, then looks for what was erased in the raw bytes of all files."""
        try:
            receipt = self.client.call("memory.forget", {**erasure["params"], "confirm": True})
        except varvetest.RpcError as e:
            self.notes.append(f"memory.forget {erasure['params']}: {e.message}")
            return
        if receipt["records"] == 0:
            self.notes.append(f"nothing was left to erase by {erasure['params']}")
        for f in self.daemon.state.iterdir():
            data = f.read_bytes() if f.is_file() else b""
            for secret in erasure["secrets"]:
                if secret.encode() in data:
                    self.notes.append(f"{secret} is still in {f.name} after it was erased")

    def settle(self):
        """Until the writer, which also consolidates and lets go, has had nothing to do for a while."""
        last = None
        while True:
            status = self.client.call("daemon.status")
            self.largest = max(self.largest, self.bytes())
            now = (status["writer"]["commits"], status["forgetting"], self.due())
            if now == last and status["queues"]["writer_jobs"] == 0:
                return
            last = now
            time.sleep(SETTLED)

    def due(self):
        """Spans that are to be made (again): where some rest until later, that many stay."""
        db = sqlite3.connect(f"file:{self.daemon.database}?mode=ro", uri=True)
        try:
            return db.execute("SELECT count(*) FROM dirty").fetchone()[0]
        finally:
            db.close()

    def bytes(self):
        """Database, WAL and whatever else lies in the folder; a file may go while it is looked at."""
        total = 0
        for f in os.scandir(self.daemon.state):
            try:
                total += f.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def ask(self, question):
        return self.client.call("memory.ask", query=question["query"], budget=ANSWER_BYTES, **self.extra)

    def stop(self):
        for c in self.daemon.clients:
            c.close()
        self.daemon.stop()
        checked = self.daemon.run("varve-dump", self.daemon.database, "--verify", timeout=600)
        if checked.status:
            self.notes.append(f"varve-dump --verify: {checked.err.strip() or checked.out.strip()}")


STOP = set("""a about after all an and any anything at before between by came come degrees did do does for from get
got had happen happened has have how in is it just led many me normal now of often on or our right see
seen since strange that the there time to unusual was we went were what when where which who whose why
with wrong present followed preceded so first last most recent times two night usual""".split())
CLOCK = re.compile(r"\b\d{1,2}:\d\d\b")
DATES = re.compile(r"\b(on |of |in )?((mon|tues|wednes|thurs|fri|satur|sun)day )?"
                   r"(\d{4}-\d\d-\d\d|\d{1,2} (and \d{1,2} )?(february|march|april)( \d{4})?|"
                   r"(february|march|april) \d{1,2}(, \d{4})?)", re.I)


class Fts:
    """Raw records in FTS5, BM25 over the question's words: all of them, or as many as fit the bytes."""

    def __init__(self, keep, window=False):
        self.keep, self.window = keep, window
        self.notes, self.largest = [], 0
        self.senses = False

    def prepare(self, week, folder):
        return 0

    def start(self, folder, budget):
        self.path, self.budget = pathlib.Path(folder) / f"{self.keep}.db", budget
        self.everything = pathlib.Path(folder).parent / "everything.db"

    @staticmethod
    def tables(db):
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("CREATE TABLE records(id INTEGER PRIMARY KEY, stream TEXT, time INTEGER, text TEXT)")
        db.execute("CREATE VIRTUAL TABLE words USING fts5(text, content=records, content_rowid=id)")

    def build_everything(self, week):
        """One file for all arms of a seed."""
        if self.everything.exists():
            return
        db = sqlite3.connect(self.everything)
        self.tables(db)
        for s in week.slices():
            texts = s.payloads
            if s.kind == "sensor":
                form = " ".join(f"{c} %s" for c in s.channels)
                texts = [form % row for row in s.payloads]
            db.executemany("INSERT INTO records(stream, time, text) VALUES(?,?,?)",
                           zip([s.stream] * len(texts), s.times, texts))
        for e in week.story.erasures:
            p = e["params"]
            if "match" in p:
                db.execute("DELETE FROM records WHERE text LIKE ?", (f"%{p['match']}%",))
            else:
                db.execute("DELETE FROM records WHERE stream = ? AND time >= ? AND time < ?",
                           (p["stream"], score.parse(p["since"]) if "since" in p else 0,
                            score.parse(p["until"]) if "until" in p else story.END))
        db.execute("INSERT INTO words(words) VALUES('rebuild')")
        db.commit()
        db.close()

    def feed(self, week):
        self.build_everything(week)
        if self.keep == "all":
            self.path = self.everything
        else:
            self.cut_to_budget()
        self.db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        self.largest = self.path.stat().st_size
        # Records are numbered hour by hour, so a span of hours is a span of numbers.
        self.hours = self.db.execute("SELECT (time - ?) / ?, min(id), max(id) FROM records GROUP BY 1",
                                     (story.START, HOUR)).fetchall()

    def cut_to_budget(self):
        """The share of the records whose file is just within the budget."""
        share = self.budget / self.everything.stat().st_size
        for _ in range(6):
            self.copy(share)
            size = self.path.stat().st_size
            if 0.97 * self.budget <= size <= self.budget:
                return
            share *= 0.985 * self.budget / size

    def copy(self, share):
        self.path.unlink(missing_ok=True)
        db = sqlite3.connect(self.path)
        self.tables(db)
        db.execute("ATTACH ? AS whole", (str(self.everything),))
        count = db.execute("SELECT count(*) FROM whole.records").fetchone()[0]
        chosen = {"fifo": "ORDER BY time DESC LIMIT :n",
                  "random": "WHERE (id * 2654435761) % 1000003 < :part"}[self.keep]
        db.execute(f"INSERT INTO main.records SELECT * FROM whole.records {chosen}",
                   {"n": int(count * share), "part": int(1000003 * share)})
        db.execute("INSERT INTO main.words(words) VALUES('rebuild')")
        db.commit()
        db.close()

    def bytes(self):
        return self.path.stat().st_size

    def ask(self, question):
        text = DATES.sub(" ", question["query"])
        if question["since"]:
            text = CLOCK.sub(" ", text)
        words = [w for w in dict.fromkeys(re.findall(r"[a-z0-9]+", text.lower())) if w not in STOP]
        if not words:
            return {"absent": False}
        where, values = "", {"q": " OR ".join(f'"{w}"' for w in words)}
        if self.window and question["since"]:
            first, last = [(score.parse(question[k]) - story.START) / HOUR for k in ("since", "until")]
            inside = [(low, high) for hour, low, high in self.hours if first <= hour < last]
            where = "AND rowid BETWEEN :low AND :high"
            values.update(low=min((i for i, _ in inside), default=0),
                          high=max((i for _, i in inside), default=0))
        rows = self.db.execute(
            "SELECT r.id, r.stream, r.time, r.text FROM (SELECT rowid AS id, rank FROM words "
            f"WHERE words MATCH :q {where} ORDER BY rank LIMIT 60) AS best JOIN records r USING (id) "
            "ORDER BY best.rank", values).fetchall()
        best = max((sum(w in re.findall(r"[a-z0-9]+", r[3].lower()) for w in words) for r in rows),
                   default=0)
        records, room = [], ANSWER_BYTES
        for i, stream, t, text in rows:
            room -= len(text)
            if room < 0:
                break
            records.append({"id": str(i), "stream": stream, "time": story.stamp(t), "text": text})
        return {"absent": 2 * best < len(words), "text": records[0]["text"] if records else "",
                "items": [], "records": records}

    def stop(self):
        self.db.close()


ARMS = {
    "varve": lambda: Varve(),
    # Given sound and pictures as well, and asked about them.
    "varve-senses": lambda: Varve(senses=True),
    # One feature off, or another in its place.
    "no-coverage": lambda: Varve({"memory": {"evict": "salience"}}),
    "evict-fifo": lambda: Varve({"memory": {"evict": "fifo"}}),
    "evict-random": lambda: Varve({"memory": {"evict": "random"}}),
    "no-tau": lambda: Varve({"memory": {"decay": "wall"}}),
    "tau-slow": lambda: Varve({"memory": {"tau_sign": "slow"}}),
    "refine": lambda: Varve({"memory": {"refine": "on"}}),
    "no-neighbours": lambda: Varve(ask={"without": ["neighbours"]}),
    "no-lending": lambda: Varve(ask={"without": ["lending"]}),
    "no-coarse": lambda: Varve(ask={"without": ["coarse"]}),
    # Raw records in FTS5.
    "fts-all": lambda: Fts("all"),
    "fts-all-window": lambda: Fts("all", window=True),
    "fifo": lambda: Fts("fifo"),
    "random": lambda: Fts("random"),
}
