# SPDX-License-Identifier: Apache-2.0
"""Scores answers to the week's questions. No judge: times, words and numbers are compared.

An answer is what `varve ask --json` prints; the baselines give the same shape. What is looked at:

  entry    an item (title, gist and the texts of its records), a record, or an unusual span
  hit@k    one of the first k items, records or unusual spans overlaps a gold's time (10 minutes of
           tolerance), is of its stream or of all streams, and holds its words; for a sensor's gold
           nothing longer than six hours counts unless the question is a gist-level one
           to how often (NUMBERS) only the number said is a hit; a value said (now, asof)
           is one too
  bytes    a hit anywhere in the answer, which has 4 KiB of room in every arm
  said     the answer's own sentence holds it: the words (what), the time to two minutes (the others
           of TIMED), the number (NUMBERS), the value before any stale one (now, asof); what is heard and seen (senses.py) likewise
  error    TIMED: seconds from the gold to the farther end of the best hit
  absent   F1 over all questions; false refusals: answerable ones that got `absent`
"""
import datetime
import re
import statistics

TOLERANCE = 600_000_000
SENSOR_SPAN = 6 * 3600 * 1_000_000
STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?|\d{4}-\d\d-\d\d|\b\d{1,2}:\d\d(?::\d\d)?\b")
ASIDE = re.compile(r"\d+ (more|other|days ago|hours ago|minutes ago)\b")
TIMED = ("when", "what", "changed", "first", "last", "heard", "seen", "latest")
FACTS = ("now", "asof")
NUMBERS = ("count", "week", "times", "often")


def parse(text):
    """RFC 3339 UTC to microseconds."""
    base, _, rest = text.rstrip("Z").partition(".")
    at = datetime.datetime.fromisoformat(base).replace(tzinfo=datetime.timezone.utc)
    return int(at.timestamp()) * 1_000_000 + int((rest or "0").ljust(6, "0")[:6])


class Entry:
    def __init__(self, start, end, stream, text, unusual=False):
        self.start, self.end, self.stream, self.text = start, end, stream, text.lower()
        self.unusual = unusual

    def holds(self, gold, gist):
        if self.end < gold["start"] - TOLERANCE or self.start > gold["end"] + TOLERANCE:
            return False
        if self.stream and self.stream not in gold["streams"]:
            return False
        if gold["end"] > gold["start"] and not gist and self.end - self.start > SENSOR_SPAN:
            return False
        return all(w.lower() in self.text for w in gold["words"])

    def error(self, gold):
        return max(abs(self.start - gold["start"]), abs(self.end - gold["start"])) / 1e6


def entries(answer):
    """The answer's three lists: items, records, unusual spans."""
    texts = {}
    for r in answer.get("records", []):
        texts.setdefault(r.get("id"), []).append(r.get("text") or "")
    items = [Entry(parse(i["start"]), parse(i["end"]), i.get("stream"),
                   "\n".join([i.get("title") or "", i.get("gist") or ""] + texts.get(i["id"], [])))
             for i in answer.get("items", [])]
    records = [Entry(parse(r["time"]), parse(r["time"]), r.get("stream"), r.get("text") or "")
               for r in answer.get("records", [])]
    unusual = [Entry(parse(u["start"]), parse(u["end"]), u.get("stream"), u.get("why") or "", True)
               for u in answer.get("unusual", [])]
    return items, records, unusual


def rank(question, lists, golds=None):
    """(1-based rank, best entry, its gold) of the first hit in any list, or (None, None, None)."""
    best = (None, None, None)
    for found in lists:
        for i, e in enumerate(found):
            g = next((g for g in golds or question["gold"] if e.holds(g, question["level"] == "gist")),
                     None)
            if g:
                closer = best[0] == i + 1 and e.error(g) < best[1].error(best[2])
                if best[0] is None or i + 1 < best[0] or closer:
                    best = (i + 1, e, g)
                break
    return best


def calls_unusual(question, lists):
    """Does the answer call the channel unusual in that span?"""
    begin, end = parse(question["since"]), parse(question["until"])
    channel = (question.get("channel") or question["gold"][0]["words"][0]).lower()
    stream = question.get("stream") or question["gold"][0]["streams"][0]
    items, _, unusual = lists
    for e in unusual + items:
        if e.end < begin or e.start >= end or e.stream not in (None, stream):
            continue
        if any(channel in line and (e.unusual or "unusual" in line) for line in e.text.split("\n")):
            return True
    return False


def near(question, answer, lists):
    """Is the channel's usual value told, beside its name?"""
    want, tolerance = question["near"]
    lines = [answer.get("text") or ""] + [e.text for e in lists[0][:5]]
    for line in "\n".join(lines).lower().replace(";", "\n").split("\n"):
        at = line.find(question["channel"])
        if at < 0:
            continue
        for number in re.findall(r"-?\d+(?:\.\d+)?", STAMP.sub(" ", line[at:])):
            if abs(float(number) - want) <= tolerance:
                return True
    return False


def said(question, text):
    lower = text.lower()
    cls = question["class"]
    if cls == "what":
        return all(w.lower() in lower for w in question["gold"][0]["words"])
    if cls in TIMED:
        for s in re.findall(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", text):
            if any(abs(parse(s.replace(" ", "T") + ":30") - g["start"]) <= 120_000_000
                   for g in question["gold"]):
                return True
        return False
    if cls in NUMBERS:
        text = ASIDE.sub(" ", STAMP.sub(" ", text.replace(",", "")))
        return str(question["number"]) in re.findall(r"\d+", text)
    if cls in FACTS:
        at = lower.find(question["value"].lower())
        stale = [lower.find(v.lower()) for v in question["stale"]]
        return at >= 0 and all(s < 0 or s > at for s in stale) or changed_to(lower, question["value"])
    return None


def changed_to(text, value):
    """"from OLD to NEW" names the new value second and still says it."""
    return re.search(r"\bto " + re.escape(value.lower()) + r"\b", text) is not None


def score(question, answer):
    """One row: what was measured on this question."""
    lists = entries(answer)
    row = {"id": question["id"], "class": question["class"], "level": question["level"],
           "age": question["age"], "cross": question.get("cross", False),
           "absent": bool(answer.get("absent")), "truth": bool(question.get("absent")),
           "sort": question.get("sort")}
    cls = question["class"]
    if question.get("absent"):
        row["hit"] = row["absent"]
        if cls == "erased":
            shown = [answer.get("text") or ""] + [e.text for found in lists for e in found]
            row["leak"] = any(s.lower() in t.lower() for s in question["secrets"] for t in shown)
        return row
    if cls in ("normal", "abnormal"):
        row["hit"] = not row["absent"] and calls_unusual(question, lists) == (cls == "abnormal")
        return row
    if cls == "usual":
        row["hit"] = near(question, answer, lists)
        return row
    at, entry, gold = rank(question, lists)
    row["rank"] = at
    row["said"] = said(question, answer.get("text") or "")
    if cls in NUMBERS:
        at = 1 if row["said"] else None
    elif cls in FACTS and row["said"]:
        at = 1
    row["hit"] = at is not None and at <= 5
    row["first"] = at == 1
    row["anywhere"] = at is not None
    if cls in TIMED and row["hit"]:
        row["error"] = entry.error(gold)
    if "parts" in question:
        hits = [rank(question, lists, part)[0] is not None for part in question["parts"]]
        row["recall"] = sum(hits) / len(hits)
    return row


def mean(values):
    values = [float(v) for v in values if v is not None]
    return sum(values) / len(values) if values else None


def slope(points):
    """Least squares of (age, hit): the change of the hit rate from day 1 to day 14."""
    if len({a for a, _ in points}) < 2:
        return None
    ma, mh = mean(a for a, _ in points), mean(h for _, h in points)
    var = sum((a - ma) ** 2 for a, _ in points)
    return 13 * sum((a - ma) * (h - mh) for a, h in points) / var


def summary(rows):
    """The figures of one arm, over any number of seeds."""
    out = {"questions": len(rows)}
    answerable = [r for r in rows if not r["truth"]]
    looked = [r for r in answerable if "rank" in r]
    out["hit@1"] = mean(r["first"] for r in looked)
    out["hit@5"] = mean(r["hit"] for r in looked)
    out["bytes"] = mean(r["anywhere"] for r in looked)
    for level in ("detail", "gist"):
        some = [r for r in looked if r["level"] == level]
        out[f"{level} hit@5"] = mean(r["hit"] for r in some)
        out[f"{level} slope"] = slope([(r["age"], float(r["hit"])) for r in some if r["age"]])
        out[f"{level} ages"] = {a: mean(r["hit"] for r in some if r["age"] == a)
                                for a in sorted({r["age"] for r in some if r["age"]})}
    out["rare hit@5"] = mean(r["hit"] for r in looked if r["class"] in ("what", "when"))
    out["cross hit@5"] = mean(r["hit"] for r in looked if r["cross"])
    errors = [r["error"] for r in looked if "error" in r]
    out["time error"] = statistics.median(errors) if errors else None
    out["said"] = mean(r["said"] for r in looked if r["said"] is not None)
    right = sum(r["absent"] and r["truth"] for r in rows)
    called = sum(r["absent"] for r in rows)
    there = sum(r["truth"] for r in rows)
    out["absent P"] = right / called if called else None
    out["absent R"] = right / there if there else None
    out["absent F1"] = 2 * right / (called + there) if called + there else None
    out["false refusals"] = mean(r["absent"] for r in answerable)
    out["leaks"] = sum(bool(r.get("leak")) for r in rows)
    out["day recall"] = mean(r.get("recall") for r in looked)
    out["classes"] = {c: {"n": sum(r["class"] == c for r in rows),
                          "hit": mean(r["hit"] for r in rows if r["class"] == c),
                          "said": mean(r.get("said") for r in rows if r["class"] == c),
                          "refused": mean(r["absent"] for r in rows if r["class"] == c)}
                      for c in dict.fromkeys(r["class"] for r in rows)}
    return out
