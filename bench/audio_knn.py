#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbour in frozen latents of sound, beside the mean mel cepstra every one begins with.

  bench/audio_knn.py [--build DIR] [--data DIR] [--pcm DIR] [--embed] [--scale] [--json]

ESC-10: each fold against the two others. FSDD: takes 0-4 against 5-49, and each speaker's takes 0-4
against the other speakers only. One neighbour, cosine. The data lies outside the project; ffmpeg
decodes it to 16 kHz, into --pcm if that is given (what lies there already is used again).
--embed takes the latents from `varve embed`, as users do, which decodes by itself and takes minutes.
--scale prints model/audio_scale.c instead, the constants by which the features are scaled.
"""
import argparse
import concurrent.futures
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def decode(source, target):
    if not target.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", source, "-ac", "1", "-ar",
                        "16000", "-f", "s16le", target], check=True)
    return target


def vectors(program, what, paths):
    """One vector a file."""
    out = subprocess.run([program, what, *paths], check=True, stdout=subprocess.PIPE)
    rows = [[float(v) for v in line.split()] for line in out.stdout.decode().splitlines()]
    if len(rows) != len(paths):
        raise SystemExit(f"{len(paths)} files, {len(rows)} {what}")
    return rows


def embedded(varve, paths):
    """The latents of the files themselves."""
    out = subprocess.run([varve, "embed", "--kind", "audio", *paths], stdout=subprocess.PIPE)
    if out.returncode:
        raise SystemExit("audio_knn: varve embed failed")
    return [json.loads(line)["latent"] for line in out.stdout.decode().splitlines()]


def unit(v):
    size = math.sqrt(sum(x * x for x in v)) or 1
    return [x / size for x in v]


def hits(items, is_query, is_known, label):
    """Share of the queries whose nearest neighbour among the known has their label."""
    known = [(i[1], label(i)) for i in items if is_known(i)]
    right = total = 0
    for item in items:
        if not is_query(item):
            continue
        q = item[1]
        near = max(known, key=lambda k: sum(map(float.__mul__, q, k[0])))
        right += near[1] == label(item)
        total += 1
    return right / total


def esc10(names, rows, fold):
    items = list(zip(names, map(unit, rows)))
    return [hits(items, lambda i: fold[i[0]][0] == f, lambda i: fold[i[0]][0] != f,
                 lambda i: fold[i[0]][1]) for f in sorted({v[0] for v in fold.values()})]


def fsdd(names, rows):
    items = [(n.split("_"), unit(r)) for n, r in zip(names, rows)]
    test, digit = (lambda i: int(i[0][2]) < 5), (lambda i: i[0][0])
    official = hits(items, test, lambda i: not test(i), digit)
    strange = [hits(items, lambda i: test(i) and i[0][1] == s,
                    lambda i: not test(i) and i[0][1] != s, digit)
               for s in sorted({i[0][1] for i in items})]
    return official, sum(strange) / len(strange)


def scale(rows):
    """Mean and one over the deviation of each column, as C."""
    print("/* SPDX-License-Identifier: Apache-2.0 */\n"
          "/* Made by bench/audio_knn.py --scale; not to be edited by hand. */\n"
          '#include "model/audio_span.h"')
    columns = list(zip(*rows))
    means = [sum(c) / len(c) for c in columns]
    scales = [1 / (math.sqrt(sum((x - m) ** 2 for x in c) / len(c)) + 1e-3)
              for c, m in zip(columns, means)]
    for name, values in (("usual", means), ("scale", scales)):
        print(f"\nconst float audio_span_{name}[SPAN_FEATURES] = {{")
        for i in range(0, len(values), 8):
            print("    " + " ".join(f"{v:.4g}{'' if '.' in f'{v:.4g}' else '.0'}f,"
                                    for v in values[i:i + 8]))
        print("};")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(
        os.environ.get("VARVE_SHARED_DATA") or ROOT.parent / "shared/data"))
    parser.add_argument("--pcm", type=pathlib.Path)
    parser.add_argument("--embed", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sources = {"esc10": sorted((args.data / "esc10/audio").glob("*.ogg")),
               "fsdd": sorted((args.data / "fsdd").glob("*.wav"))}
    if not all(sources.values()):
        print(f"audio_knn: no esc10 and fsdd in {args.data}, skipped", file=sys.stderr)
        return 0
    subprocess.run(["ninja", "-C", args.build, "--quiet", "bench/bench_audio"], check=True,
                   stdout=sys.stderr)
    program = args.build / "bench/bench_audio"
    result = {}
    with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(2) as pool:
        pcm = {}
        for name, files in sources.items():
            folder = (args.pcm or pathlib.Path(tmp)) / name
            folder.mkdir(parents=True, exist_ok=True)
            pcm[name] = list(pool.map(lambda f: decode(f, folder / (f.stem + ".raw")), files))
        if args.scale:
            # As many of the one as of the other.
            spoken = pcm["fsdd"][::max(1, len(pcm["fsdd"]) // len(pcm["esc10"]))]
            scale(vectors(program, "features", pcm["esc10"] + spoken))
            return 0
        with open(args.data / "esc10/classes.csv", newline="") as f:
            fold = {r["file"].rsplit(".", 1)[0]: (r["fold"], r["class_id"])
                    for r in csv.DictReader(f)}
        for what in ("latents", "cepstra"):
            rows = {n: embedded(args.build / "cli/varve", sources[n])
                    if args.embed and what == "latents" else vectors(program, what, pcm[n])
                    for n in pcm}
            folds = esc10([p.stem for p in pcm["esc10"]], rows["esc10"], fold)
            official, strange = fsdd([p.stem for p in pcm["fsdd"]], rows["fsdd"])
            result[what] = {"esc10": sum(folds) / len(folds), "esc10_folds": folds,
                            "fsdd": official, "fsdd_other_speakers": strange}
        for what in ("speech", "speed"):
            result[what] = subprocess.run([program, what, *pcm["esc10"]], check=True,
                                          stdout=subprocess.PIPE).stdout.decode().strip()
    if args.json:
        json.dump(result, sys.stdout, indent=1)
        print()
        return 0
    print(f"{'':34}{'latents':>9}{'mean cepstra':>14}")
    for key, name in (("esc10", "ESC-10, leave one fold out"), ("fsdd", "FSDD, official split"),
                      ("fsdd_other_speakers", "FSDD, other speakers only")):
        print(f"{name:34}{100 * result['latents'][key]:8.1f}%"
              f"{100 * result['cepstra'][key]:13.1f}%")
    print(f"ESC-10, in which nobody talks: {result['speech']}")
    print(f"ESC-10, never quiet: {result['speed']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
