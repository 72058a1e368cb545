#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recall on the LoCoMo conversations, through varved and varve as users run them.

  bench/locomo.py [--build DIR] [--data DIR] [--ranks FILE] [--json]

For each conversation: an empty daemon, one stream "chat" with a line a turn ("Speaker: text [image:
caption]", the session's date and 20 s a turn, the turn's id as ref), then `varve search QUESTION
--limit 20 --json` for each question; the ranking is its "records". Scored by the data's own scorer with
--captions. The programs are taken from --build or VARVED and VARVE. Without the data it says so and ends.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
UTC = datetime.timezone.utc


def turns(conversation):
    """(time, id, text) of every turn, in order."""
    sessions = [k for k in conversation if re.fullmatch(r"session_\d+", k)]
    for key in sorted(sessions, key=lambda k: int(k[8:])):
        date = datetime.datetime.strptime(conversation[key + "_date_time"], "%I:%M %p on %d %B, %Y")
        for i, turn in enumerate(conversation[key]):
            text = f"{turn['speaker']}: {turn.get('text') or ''}"
            if turn.get("blip_caption"):
                text += f" [image: {turn['blip_caption']}]"
            yield date.replace(tzinfo=UTC) + datetime.timedelta(seconds=20 * i), turn["dia_id"], text


class Memory:
    """A daemon on an empty file; nothing is remembered but what is sent."""

    def __init__(self, varved, varve, folder):
        self.varve = varve
        self.socket = str(folder / "s")
        config = folder / "varved.conf"
        config.write_text("[sources]\ndefault = off\n")
        self.daemon = subprocess.Popen([varved, "--config", str(config), "--state",
                                        str(folder / "state"), "--socket", self.socket])
        for _ in range(500):
            if self.daemon.poll() is not None:
                raise SystemExit(f"varved ended with {self.daemon.returncode}")
            if self.run("status", check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise SystemExit("varved does not answer")

    def run(self, *args, check=True, **more):
        return subprocess.run([self.varve, "--socket", self.socket, *args], check=check,
                              stdout=subprocess.PIPE, stderr=None if check else subprocess.DEVNULL,
                              **more)

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(10)


def rank(varved, varve, path, ranks, latencies):
    data = json.loads(path.read_text())
    lines = "".join(json.dumps({"time": t.strftime("%Y-%m-%dT%H:%M:%SZ"), "ref": ref, "text": text})
                    + "\n" for t, ref, text in turns(data["conversation"]))
    with tempfile.TemporaryDirectory(prefix="varve-locomo-") as folder:
        memory = Memory(varved, varve, pathlib.Path(folder))
        try:
            memory.run("ingest", "--stream", "chat", "--kind", "text", "-", input=lines.encode())
            for q in data["qa"]:
                start = time.perf_counter()
                out = memory.run("search", "--limit", "20", "--json", "--", q["question"]).stdout
                latencies.append(time.perf_counter() - start)
                ranks[q["question_id"]] = [r["ref"] for r in json.loads(out)["records"]]
        finally:
            memory.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    ap.add_argument("--data", type=pathlib.Path,
                    default=pathlib.Path(os.environ.get("VARVE_SHARED_DATA", ROOT / "../shared/data")))
    ap.add_argument("--ranks", type=pathlib.Path, help="keep the rankings in this file")
    ap.add_argument("--json", action="store_true", help="the scorer's JSON")
    a = ap.parse_args()
    varved = os.environ.get("VARVED", str(a.build / "daemon/varved"))
    varve = os.environ.get("VARVE", str(a.build / "cli/varve"))
    paths = sorted((a.data / "locomo").glob("conv-*.json"))
    if not paths:
        print(f"skipped: no conversations under {a.data / 'locomo'}")
        return
    ranks, latencies = {}, []
    for path in paths:
        rank(varved, varve, path, ranks, latencies)
        print(f"{path.name}: {len(ranks)} questions so far", file=sys.stderr)
    latencies.sort()
    with tempfile.TemporaryDirectory(prefix="varve-locomo-") as folder:
        out = a.ranks or pathlib.Path(folder) / "ranks.json"
        out.write_text(json.dumps(ranks))
        scorer = [sys.executable, str(a.data / "scorers/score_locomo.py"), str(a.data / "locomo"),
                  "--ranks", str(out), "--captions"]
        subprocess.run(scorer + (["--json"] if a.json else []), check=True)
    if not a.json:
        print(f"varve search, the whole command: median {1e3 * latencies[len(latencies) // 2]:.1f} ms, "
              f"p95 {1e3 * latencies[int(0.95 * len(latencies))]:.1f} ms")


if __name__ == "__main__":
    main()
