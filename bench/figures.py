#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The speed figures of the README, measured on the real programs.

  bench/figures.py [--build DIR] [--lines N] [--moments N] [--data DIR] [--skip NAME ...]

  ingest   durable and searchable text lines a second through `varve ingest`, beside bare SQLite with
           the same rows and an FTS5 index in the same run
  search   memory.search on a file of N moments while ingest goes on: p50 and p95, resident memory,
           and the time from starting the daemon on that file to its first answer
  idle     share of a core with the host and journal sources on and nobody asking

Lines come from loghub where ../shared/data (or --data, VARVE_SHARED_DATA) is there, else they are made.
Timings are this machine's; the ratios are what can be compared.
"""
import argparse
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))


def make_lines(path, count, data):
    """Writes `count` log lines; returns where they come from."""
    seed = []
    for log in sorted(pathlib.Path(data).glob("loghub/*/*_2k.log")):
        seed += log.read_text(encoding="utf-8", errors="replace").splitlines()
    source = f"loghub, {len(seed)} lines repeated with changing numbers"
    rng = random.Random(1)
    if not seed:
        source = "made lines"
        words = ["accepted", "connection", "from", "closed", "session", "opened", "disk", "failed"]
        seed = [f"Jun 14 15:16:{i % 60:02} host app[{i}]: " + " ".join(rng.choices(words, k=8))
                for i in range(2000)]
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            line = seed[i % len(seed)]
            if i >= len(seed):
                line = LAST_NUMBER.sub(lambda m: str(rng.randrange(10 ** len(m[1]))), line, count=1)
            out.write(line + "\n")
    return source


# Digits that end a line's last number: times at its beginning stay what they are.
LAST_NUMBER = re.compile(r"(\d{1,6})(?=\D*$)")


class Daemon:
    def __init__(self, build, folder, config="[sources]\ndefault = off\n"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.socket = str(self.folder / "s")
        conf = self.folder / "varved.conf"
        conf.write_text(config)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [build / "daemon/varved", "--config", conf, "--state", self.folder / "state",
             "--socket", self.socket], stderr=open(self.folder / "log", "ab"))
        while True:
            try:
                self.connect().close()
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    sys.exit((self.folder / "log").read_text())
                time.sleep(0.002)

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.socket)
        return s

    def call(self, s, method, **params):
        s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                              "params": params}).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += s.recv(1 << 20)
        answer = json.loads(data)
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']}")
        return answer["result"]

    def status(self, key):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(key):
                return int(line.split()[1]) * 1024

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def row(name, value, target=""):
    print(f"| {name} | {value} | {target} |", flush=True)


def ingest(build, folder, lines, count, rounds=3):
    best = []
    for i in range(rounds):
        bare = subprocess.run([build / "bench/bare_sqlite", lines, folder / f"bare{i}.db"],
                              capture_output=True, text=True, check=True).stdout.split()
        (folder / f"bare{i}.db").unlink()
        d = Daemon(build, folder / f"ingest{i}")
        start = time.monotonic()
        subprocess.run([build / "cli/varve", "--socket", d.socket, "ingest", "--stream", "log",
                        "--kind", "text", lines], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        d.stop()
        best.append((count / seconds, int(bare[0]) / float(bare[1])))
    best.sort(key=lambda x: x[0] / x[1])
    ours, theirs = best[len(best) // 2]
    row("text ingest, durable and searchable", f"{ours:,.0f} lines/s", "50,000")
    row("the same rows in bare SQLite with FTS5", f"{theirs:,.0f} lines/s", "")
    row("ratio", f"{ours / theirs:.2f}", "0.5")


QUERIES = ["failed password root", "connection refused", "block terminating", "error state 6",
           "session opened user", "cache parity error corrected", "notification time out",
           "authentication failure", "task finished stage", "received connection request",
           "worker leaving thread", "invalid user webmaster"]


def search(build, folder, lines, moments):
    d = Daemon(build, folder / "search")
    s = d.connect()
    # Small streams with gaps in time make many short moments out of the same lines.
    texts = open(lines, encoding="utf-8").read().splitlines()
    d.call(s, "stream.open", name="log", kind="text")
    base = 1_700_000_000
    i = 0
    while d.call(s, "daemon.status")["moments"] < moments:
        records = []
        for group in range(200):
            for k in range(4):
                stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                      time.gmtime(base + (i + group) * 600 + k))
                records.append({"time": stamp, "text": texts[((i + group) * 4 + k) % len(texts)]})
        i += 200
        d.call(s, "stream.append", stream="log", records=records)
        if i % 4000 == 0:
            d.call(s, "stream.flush", stream="log")
    d.call(s, "stream.flush", stream="log")
    made = d.call(s, "daemon.status")["moments"]
    d.stop()
    start = time.monotonic()
    d = Daemon(build, folder / "search")
    s = d.connect()
    d.call(s, "memory.search", query="failed password root", limit=10)
    first = time.monotonic() - start
    feeding = subprocess.Popen([build / "cli/varve", "--socket", d.socket, "ingest", "--stream",
                                "live", "--kind", "text", lines], stdout=subprocess.DEVNULL)
    times = []
    while feeding.poll() is None or len(times) < 200:
        t = time.monotonic()
        d.call(s, "memory.search", query=QUERIES[len(times) % len(QUERIES)], limit=10)
        times.append(time.monotonic() - t)
        if len(times) >= 5000:
            break
    feeding.wait()
    quiet = []
    for n in range(300):
        t = time.monotonic()
        d.call(s, "memory.search", query=QUERIES[n % len(QUERIES)], limit=10)
        quiet.append(time.monotonic() - t)
    rss = d.status("VmRSS")
    peak = d.status("VmHWM")
    d.stop()
    for name, values in (("while ingest runs", times), ("at rest", quiet)):
        values.sort()
        row(f"memory.search at {made:,} moments, {name}",
            f"p50 {1e3 * values[len(values) // 2]:.1f} ms, p95 {1e3 * values[int(.95 * len(values))]:.1f} ms",
            "p95 10 ms" if name.startswith("while") else "")
    row("daemon memory then", f"{rss / 2**20:.0f} MiB (peak {peak / 2**20:.0f})", "80 MiB")
    row("start to first answer", f"{1e3 * first:.0f} ms", "300 ms")


def idle(build, folder, seconds):
    d = Daemon(build, folder / "idle", config="[sources]\ndefault = on\n")
    time.sleep(5)
    before = d.cpu()
    time.sleep(seconds)
    share = (d.cpu() - before) / seconds
    d.stop()
    row("idle, host and journal sources", f"{100 * share:.2f} % of a core", "1 %")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    p.add_argument("--lines", type=int, default=500_000)
    p.add_argument("--moments", type=int, default=100_000)
    p.add_argument("--idle-seconds", type=float, default=60)
    p.add_argument("--data", default=os.environ.get("VARVE_SHARED_DATA", ROOT.parent / "shared/data"))
    p.add_argument("--skip", nargs="*", default=[], choices=["ingest", "search", "idle", "rpc"])
    a = p.parse_args()
    a.build = a.build.resolve()
    with tempfile.TemporaryDirectory(prefix="varve-bench-") as name:
        folder = pathlib.Path(name)
        lines = folder / "lines"
        source = make_lines(lines, a.lines, a.data)
        print(f"{a.lines:,} lines: {source}\n\n| what | measured | wanted |\n|---|---|---|", flush=True)
        if "ingest" not in a.skip:
            ingest(a.build, folder, lines, a.lines)
        if "rpc" not in a.skip and (a.build / "bench/bench_rpc").exists():
            out = subprocess.run([a.build / "bench/bench_rpc"], capture_output=True, text=True).stdout
            row("trivial RPC at 16 clients beside a bare echo server", out.strip().splitlines()[-1], "0.8")
        if "search" not in a.skip:
            search(a.build, folder, lines, a.moments)
        if "idle" not in a.skip:
            idle(a.build, folder, a.idle_seconds)


if __name__ == "__main__":
    main()
