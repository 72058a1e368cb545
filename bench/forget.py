#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long forgetting takes, and what questions feel of it.

usage: bench/forget.py --build BUILD [--records N]

A file of N records (1,000,000) in four streams over ten days; then a single record, a day and a
stream are forgotten, while a client asks one question after the other.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

DAYS, STREAMS = 10, 4
T0 = datetime.datetime(2026, 11, 2, tzinfo=datetime.timezone.utc)


def stamp(seconds):
    return (T0 + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_log(path, stream, count):
    step = DAYS * 86400 / count
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            n = i * 2654435761 % 4294967296
            text = (f"host{n % 5} app[{n % 997}]: request {i} for user{n % 211} from 10.{stream}."
                    f"{n % 250}.{n // 250 % 250} took {n % 1700} ms")
            if i % 50 == 7:
                text = f"host{n % 5} kernel: disk sd{'abcd'[n % 4]} reset, link error {n % 90}"
            if stream == 0 and i == count // 2:
                text = "host1 app[1]: request for Zanzibar from 10.9.9.9 took 12 ms"
            out.write(f"{stamp(i * step)} {text}\n")


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def call(self, method, **params):
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.socket.sendall(line.encode() + b"\n")
        answer = json.loads(self.file.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


class Beside:
    """What a thread does while the block lasts."""

    def __init__(self, path):
        self.path, self.stop = path, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Phases(Beside):
    """Which phase the forgetting is in, every few milliseconds: seconds of each."""

    def __init__(self, path):
        super().__init__(path)
        self.spent = {}

    def run(self):
        client, last = Client(self.path), time.monotonic()
        while not self.stop.wait(0.005):
            now, under_way = time.monotonic(), client.call("daemon.status")["forgetting"]
            if under_way:
                phase = under_way["phase"]
                self.spent[phase] = self.spent.get(phase, 0) + now - last
            last = now

    def __str__(self):
        return ", ".join(f"{phase} {spent:.2f}" for phase, spent in self.spent.items())


QUESTIONS = ["link error disk reset", "request user17", "host3 kernel", "zanzibar", "user42 took"]


class Asking(Beside):
    """Asks until it is told to stop; milliseconds of every question."""

    def __init__(self, path):
        super().__init__(path)
        self.took = []

    def run(self):
        client, n = Client(self.path), 0
        while not self.stop.is_set():
            before = time.monotonic()
            client.call("memory.search", query=QUESTIONS[n % len(QUESTIONS)])
            self.took.append((time.monotonic() - before) * 1000)
            n += 1

    def __str__(self):
        if len(self.took) < 2:
            return f"{len(self.took)} questions"
        p99 = statistics.quantiles(self.took, n=100, method="inclusive")[98]
        return (f"{len(self.took)} questions, p50 {statistics.median(self.took):.1f} ms, "
                f"p99 {p99:.1f} ms, longest {max(self.took):.0f} ms")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=pathlib.Path, required=True)
    p.add_argument("--records", type=int, default=1000000)
    a = p.parse_args()
    build = a.build.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-"))
    path = folder / "s"
    (folder / "conf").write_text("[sources]\ndefault = off\n", encoding="utf-8")
    environment = {**os.environ, "TZ": "UTC", "VARVE_SOCKET": str(path)}
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen([build / "daemon/varved", "--config", folder / "conf", "--state",
                                   folder / "state", "--socket", path], env=environment,
                                  stdout=log, stderr=log)
    try:
        while not path.exists() and daemon.poll() is None:
            threading.Event().wait(0.01)
        for i in range(STREAMS):
            write_log(folder / "lines", i, a.records // STREAMS)
            subprocess.run([build / "cli/varve", "ingest", "--stream", f"log{i}", "--kind", "text",
                            folder / "lines"], env=environment, check=True,
                           stderr=subprocess.DEVNULL)
        client = Client(path)
        while client.call("daemon.status").get("queues", {}).get("writer_jobs", 0):
            threading.Event().wait(0.1)
        database = folder / "state/memory.db"
        size = sum(f.stat().st_size for f in (folder / "state").iterdir())
        print(f"{a.records:,} records in {STREAMS} streams over {DAYS} days, {size / 1e6:.0f} MB")
        with Asking(path) as asking:
            threading.Event().wait(10)
        print(f"at rest: {asking}")
        day = {"since": stamp(3 * 86400), "until": stamp(4 * 86400)}
        for what, selector in (("one record (--match)", {"match": "Zanzibar"}), ("a day", day),
                               ("a stream", {"stream": "log2"})):
            before = time.monotonic()
            with Asking(path) as asking, Phases(path) as phases:
                receipt = client.call("memory.forget", confirm=True, **selector)
            took = time.monotonic() - before
            print(f"{what}: {took:.2f} s, {receipt['records']:,} records, {receipt['moments']:,} "
                  f"moments whole, {receipt['rewritten']:,} in part, {receipt['spans']:,} spans "
                  f"made again; seconds in {phases}; meanwhile {asking}", flush=True)
        subprocess.run([build / "memory/varve-dump", database, "--verify"], check=True)
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
