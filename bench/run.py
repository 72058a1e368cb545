#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the README states: usage: bench/run.py BUILD [--quick]

Speed on any machine; quality where the development data lies beside the checkout (../shared/data or
VARVE_SHARED_DATA), else that part says that it is left out. About ten minutes, --quick about three.
Of the generated fortnight it takes a tenth of one seed; bench/week/run.py without options takes it all.
Run it on a machine that has nothing else to do.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*command):
    print(f"\n$ {' '.join(str(c) for c in command)}", flush=True)
    return subprocess.run([str(c) for c in command], cwd=ROOT).returncode


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    build = a.build.resolve()
    data = pathlib.Path(os.environ.get("VARVE_SHARED_DATA", ROOT.parent / "shared/data"))
    status = run("ninja", "-C", build, "--quiet", "bench/bench_rpc")
    smaller = ["--lines", "100000", "--moments", "20000", "--idle-seconds", "20"] if a.quick else []
    status |= run(sys.executable, "bench/figures.py", "--build", build, *smaller)
    status |= run(sys.executable, "bench/forget.py", "--build", build, "--records",
                  "200000" if a.quick else "1000000")
    status |= run(sys.executable, "bench/week/run.py", "--build", build, "--seeds", "1", "--bytes",
                  "22000000", "--budgets", "10", "--arms", "varve,fts-all,fifo,random")
    if shutil.which("ffmpeg") and (build / "media/varve-media").exists():
        status |= run(sys.executable, "bench/live_streams.py", build)
    else:
        print("\nlive streams left out: varve-media or ffmpeg is missing")
    if shutil.which("ffmpeg"):
        status |= run("ninja", "-C", build, "--quiet", "bench/bench_video", "bench/bench_patch")
        status |= run(sys.executable, "bench/scenes.py", build, "--data", data)
        status |= run(sys.executable, "bench/patch.py", build, "--data", data)
    else:
        print("\nscene cuts and patches left out: ffmpeg is missing")
    if data.is_dir():
        status |= run(sys.executable, "bench/quality.py", "--varve", build / "cli/varve", "--data", data)
        status |= run(sys.executable, "bench/locomo.py", "--build", build, "--data", data)
    else:
        print(f"\nquality left out: there is no development data in {data}")
    return status


if __name__ == "__main__":
    sys.exit(main())
