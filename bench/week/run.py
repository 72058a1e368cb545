#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds the fortnight to varved and to the baselines, asks, scores, and prints the tables.

  bench/week/run.py --build build --seeds 1 --bytes 20000000 --budgets 0,10 --arms varve,fts-all,fifo

A budget is a percentage of the raw bytes, 0 is none. README.md beside this file says how to read it.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    p.add_argument("--seeds", default="1,2,3")
    p.add_argument("--bytes", type=int, default=212_000_000,
                   help="raw bytes of a fortnight; 1 %% of the default is just over 2 MiB")
    p.add_argument("--budgets", default="1,3,10", help="percent of the raw bytes; 0: no budget")
    p.add_argument("--arms", default="varve,varve-senses,fts-all,fifo,random")
    p.add_argument("--classes", help="only questions of these classes")
    p.add_argument("--answers", type=pathlib.Path, help="keep questions, answers and scores here, a line each")
    p.add_argument("--json", type=pathlib.Path, help="keep the figures here")
    p.add_argument("--misses", type=int, default=0, metavar="N", help="print N misses of each class")
    p.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    return p.parse_args()


def one(arm, week, folder, budget, questions):
    """Rows and figures of one arm on one seed."""
    folder.mkdir(parents=True)
    arm.start(folder, budget)
    try:
        begin = time.monotonic()
        arm.feed(week)
        fed = time.monotonic() - begin
        size, latencies, out = arm.bytes(), [], []
        for q in questions:
            begin = time.monotonic()
            answer = arm.ask(q)
            latencies.append(time.monotonic() - begin)
            out.append((q, answer, score.score(q, answer)))
    finally:
        arm.stop()
    latencies.sort()
    return out, {"fed": fed, "bytes a day": size / story.DAYS, "largest": arm.largest,
                 "p50": latencies[len(latencies) // 2], "p99": latencies[int(.99 * len(latencies))],
                 "notes": arm.notes}


def number(v, form="{:.3f}"):
    return "–" if v is None else form.format(v)


COLUMNS = [("hit@1", "hit@1"), ("hit@5", "hit@5"), ("4 KiB", "bytes"), ("rare@5", "rare hit@5"),
           ("detail@5", "detail hit@5"), ("gist@5", "gist hit@5"), ("gist slope", "gist slope"),
           ("cross@5", "cross hit@5"), ("said", "said"), ("day recall", "day recall"),
           ("absent F1", "absent F1"), ("P", "absent P"), ("R", "absent R"),
           ("refused", "false refusals")]


SENSED = [("hit@5", "hit@5"), ("said", "said"), ("day recall", "day recall"), ("absent F1", "absent F1"),
          ("refused", "false refusals")]


def print_senses(figures):
    """What was heard and seen, in a table of its own."""
    figures = {k: f["senses"] for k, f in figures.items() if f["senses"]["questions"]}
    if not figures:
        return
    classes = next(iter(figures.values()))["classes"]
    print("\nheard and seen, by class hit (said):\n")
    print("| arm | budget | " + " | ".join(c for c, _ in SENSED) + " | time error | " +
          " | ".join(f"{c} ({v['n']})" for c, v in classes.items()) + " |")
    print("|---" * (len(SENSED) + len(classes) + 3) + "|")
    for (name, percent), s in figures.items():
        print(f"| {name} | {percent:g} % | " + " | ".join(number(s[k]) for _, k in SENSED) +
              f" | {number(s['time error'], '{:.0f} s')} | " +
              " | ".join(hit_said(s["classes"][c]) for c in classes) + " |")


def hit_said(v):
    return number(v["hit"], "{:.2f}") + ("" if v["said"] is None else f" ({v['said']:.2f})")


def print_table(figures):
    print("\n| arm | budget | " + " | ".join(c for c, _ in COLUMNS) +
          " | time error | leaks | bytes a day | most/budget | fed s | p50/p99 ms |")
    print("|---" * (len(COLUMNS) + 8) + "|")
    for (name, percent), f in figures.items():
        s, m = f["summary"], f["measured"]
        over = m["largest"] / f["budget"] if f["budget"] and name != "fts-all" else None
        print(f"| {name} | {percent:g} % | " + " | ".join(number(s[k]) for _, k in COLUMNS) +
              f" | {number(s['time error'], '{:.0f} s')} | {s['leaks']} | {m['bytes a day']:,.0f} | "
              f"{number(over)} | {m['fed']:.0f} | {1e3 * m['p50']:.1f}/{1e3 * m['p99']:.1f} |")
    print("\nhit@5 by age in days (gist, then detail):\n")
    print("| arm | budget | level | " + " | ".join(str(a) for a in range(1, 15)) + " |")
    print("|---" * 17 + "|")
    for (name, percent), f in figures.items():
        for level in ("gist", "detail"):
            ages = f["summary"][f"{level} ages"]
            print(f"| {name} | {percent:g} % | {level} | " +
                  " | ".join(number(ages.get(a), "{:.2f}") for a in range(1, 15)) + " |")
    print("\nby class, hit (said):\n")
    classes = next(iter(figures.values()))["summary"]["classes"]
    print("| arm | budget | " + " | ".join(f"{c} ({v['n']})" for c, v in classes.items()) + " |")
    print("|---" * (len(classes) + 2) + "|")
    for (name, percent), f in figures.items():
        cells = [hit_said(f["summary"]["classes"][c]) for c in classes]
        print(f"| {name} | {percent:g} % | " + " | ".join(cells) + " |")


def print_misses(rows, count):
    shown = {}
    for q, answer, r in rows:
        if r["hit"] or shown.get(q["class"], 0) >= count:
            continue
        shown[q["class"]] = shown.get(q["class"], 0) + 1
        gold = [f"{story.stamp(g['start'])[:19]} {g['streams']} {g['words']}" for g in q["gold"][:3]]
        print(f"\n{q['class']} (age {q['age']}): {q['query']}\n  gold: {gold or 'absent'}"
              f"\n  said: {(answer.get('text') or '')[:300]!r} absent={answer.get('absent')}")
        for i in answer.get("items", [])[:3]:
            print(f"  item: {i['stratum']} {i['stream']} {i['start'][:19]} {i['title'][:110]!r}")


def main():
    a = arguments()
    seeds = [int(s) for s in a.seeds.split(",")]
    budgets = [float(b) for b in a.budgets.split(",")]
    names = a.arms.split(",")
    unknown = [n for n in names if n not in arms.ARMS]
    if unknown:
        sys.exit(f"no such arm: {', '.join(unknown)}; there are {', '.join(arms.ARMS)}")
    rows, measured = {}, {}
    with tempfile.TemporaryDirectory(prefix="varve-week-") as folder:
        base = a.keep or pathlib.Path(folder)
        for seed in seeds:
            begin = time.monotonic()
            week = generate.Week(seed, a.bytes)
            size = week.keep(base / f"seed-{seed}")
            print(f"seed {seed}: {size} raw bytes, {len(week.questions)} questions, made in "
                  f"{time.monotonic() - begin:.0f} s", file=sys.stderr)
            for name in names:
                arm = arms.ARMS[name]()
                try:
                    raw = size + arm.prepare(week, base / f"seed-{seed}" / "clips")
                except arms.Refused as e:
                    print(f"  {name} left out: {e}", file=sys.stderr)
                    continue
                asked = week.questions + (week.senses.questions if arm.senses else [])
                questions = [q for q in asked if not a.classes or q["class"] in a.classes.split(",")]
                for percent in budgets:
                    room = int(raw * percent / 100)
                    if name.startswith("fts-all") and percent != budgets[0]:
                        continue
                    if name in ("fifo", "random") and not room:
                        continue
                    key = (name, percent)
                    try:
                        out, m = one(arms.ARMS[name](), week,
                                     base / f"seed-{seed}" / f"{name}-{percent:g}", room, questions)
                    except arms.Refused as e:
                        print(f"  {name} {percent:g} % left out: {e}", file=sys.stderr)
                        continue
                    rows.setdefault(key, []).extend(out)
                    measured[key] = {**m, "budget": room}
                    print(f"  {name} {percent:g} %: fed in {m['fed']:.0f} s, hit@5 "
                          f"{number(score.summary([r for _, _, r in out])['hit@5'])}"
                          + "".join(f"; {n}" for n in m["notes"]), file=sys.stderr, flush=True)
    figures = {k: {"summary": score.summary([r for _, _, r in v if r["class"] not in senses.CLASSES]),
                   "senses": score.summary([r for _, _, r in v if r["class"] in senses.CLASSES]),
                   "measured": measured[k], "budget": measured[k]["budget"]} for k, v in rows.items()}
    print_table(figures)
    print_senses(figures)
    if a.misses:
        for k, v in rows.items():
            print(f"\n## misses of {k[0]} at {k[1]:g} %")
            print_misses(v, a.misses)
    if a.answers:
        with open(a.answers, "w", encoding="utf-8") as f:
            for (name, percent), v in rows.items():
                for q, answer, r in v:
                    f.write(json.dumps({"arm": name, "budget": percent, "question": q,
                                        "answer": answer, "score": r}) + "\n")
    if a.json:
        a.json.write_text(json.dumps({f"{n} {p:g} %": f for (n, p), f in figures.items()}, indent=1))


if __name__ == "__main__":
    if "--build" in sys.argv:
        os.environ["VARVE_BUILD_ROOT"] = sys.argv[sys.argv.index("--build") + 1]
    import arms
    import generate
    import score
    import senses
    import story
    main()
