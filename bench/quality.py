#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quality on the development data, through `varve score` as users run it.

  bench/quality.py [--varve PATH] [--data DIR] [--only nab,loghub,tssb] [--json]

Anomalies (NAB, one threshold of 0.5 for all series), log grouping (loghub, one setting for all
systems) and segmentation (TSSB, boundary 1 only). The data lies outside the project and is scored by
its own scorers; what is absent is skipped and said to be.
"""
import argparse
import csv
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def score(varve, kind, path):
    """The rows of `varve score`, header dropped."""
    out = subprocess.run([varve, "score", "--kind", kind, str(path)], check=True,
                         env={**os.environ, "TZ": "UTC"}, stdout=subprocess.PIPE)
    return list(csv.DictReader(out.stdout.decode().splitlines()))


def scorer(data, name, *args):
    out = subprocess.run([sys.executable, str(data / "scorers" / name), *map(str, args), "--json"],
                         check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def nab(varve, data, tmp):
    for path in sorted((data / "nab").glob("*/*.csv")):
        rows = list(csv.DictReader(open(path, newline="")))
        scored = score(varve, "sensor", path)
        if len(scored) != len(rows):
            raise SystemExit(f"{path}: {len(rows)} rows, {len(scored)} scores")
        target = tmp / path.parent.name / path.name
        target.parent.mkdir(exist_ok=True)
        with open(target, "w", newline="") as f:
            w = csv.writer(f)
            w.writerow(["timestamp", "value", "anomaly_score"])
            for row, s in zip(rows, scored):
                w.writerow([row["timestamp"], row["value"], s["score"]])
    return scorer(data, "score_nab.py", tmp, "--labels", data / "nab/labels/combined_windows.json",
                  "--threshold", 0.5)


def loghub(varve, data, tmp):
    for system in sorted(p for p in (data / "loghub").iterdir() if p.is_dir()):
        rows = score(varve, "text", system / f"{system.name}_2k.log")
        with open(tmp / f"{system.name}.csv", "w", newline="") as f:
            w = csv.writer(f)
            w.writerow(["LineId", "GroupId"])
            w.writerows((i + 1, r["template"]) for i, r in enumerate(rows))
    return scorer(data, "score_grouping.py", data / "loghub", "--pred", tmp)


def tssb(varve, data, tmp):
    cuts, points, busy = {}, 0, cpu_of_children()
    for path in sorted((data / "tssb").glob("*.csv")):
        rows = score(varve, "sensor", path)
        points += len(rows)
        cuts[path.stem] = [i for i, r in enumerate(rows) if r["boundary"] == "1"]
    busy = cpu_of_children() - busy
    (tmp / "cuts.json").write_text(json.dumps(cuts))
    r = scorer(data, "score_tssb.py", tmp / "cuts.json", "--labels", data / "tssb/labels.json")
    return {**r, "points_per_cpu_second": round(points / busy)}


SETS = {"nab": nab, "loghub": loghub, "tssb": tssb}


def default_varve():
    build = os.environ.get("VARVE_BUILD_ROOT", ROOT / "build")
    return str(pathlib.Path(build) / "cli" / "varve")


def table(results):
    """One line a figure: set, measure, value, seconds."""
    for name, r in results.items():
        if name == "nab":
            p = r["profiles"]["standard"]
            yield (f"nab     standard profile, threshold 0.5   {p['fixed']:6.2f}   "
                   f"{p['fixed_windows_hit']} of {r['windows']} windows, "
                   f"{p['fixed_rows_false']} false rows   {r['seconds']} s")
        elif name == "loghub":
            yield f"loghub  grouping accuracy, mean           {r['mean']['ga']:6.3f}   {r['seconds']} s"
            for system, v in r["systems"].items():
                yield f"          {system:<12}                    {v['ga']:6.3f}"
        else:
            yield (f"tssb    covering, cuts unknown            {r['mean']['covering'] * 100:6.1f}   "
                   f"f1 {r['mean']['f1']:.3f}   {r['points_per_cpu_second']:,} points/s of CPU   "
                   f"{r['seconds']} s")


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--varve", default=default_varve())
    ap.add_argument("--data", default=os.environ.get("VARVE_SHARED_DATA", ROOT.parent / "shared/data"))
    ap.add_argument("--only", default="")
    ap.add_argument("--json", action="store_true")
    a = ap.parse_args()
    data = pathlib.Path(a.data)
    results = {}
    for name in [s for s in SETS if not a.only or s in a.only.split(",")]:
        if not (data / name).is_dir() or not (data / "scorers").is_dir():
            print(f"{name}: skipped, {data / name} is not there", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as tmp:
            began = time.monotonic()
            results[name] = SETS[name](a.varve, data, pathlib.Path(tmp))
            results[name]["seconds"] = round(time.monotonic() - began, 2)
    if a.json:
        print(json.dumps(results, indent=1))
        return
    for line in table(results):
        print(line)


if __name__ == "__main__":
    main()
