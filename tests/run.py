#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the project in several ways, runs its tests, and sums them up in one last line.

usage: tests/run.py [BUILD...]

Without names every build of BUILDS is made, under build-check/. What counts is the single test: those
that Check reports, those of a Python test file, and programs that are one test by themselves. Skipped
tests are shown and counted neither way.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Instrumented programs are slower: every limit of waiting grows.
SLOW = {"CK_TIMEOUT_MULTIPLIER": "8", "VARVE_TEST_SLOW": "8"}

# name, meson options, suites to run (none: all), environment
BUILDS = [
    ("debug", ["-Dbuildtype=debug", "-Dwerror=true"], [], {}),
    ("sanitize", ["-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined"],
     ["unit", "fuzz", "integration"],
     {**SLOW, "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
      "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1"}),
    ("thread", ["-Dbuildtype=debugoptimized", "-Db_sanitize=thread"], ["threads"],
     {**SLOW, "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}),
    ("fault", ["-Dbuildtype=debugoptimized", "-Dfault=true", "-Db_sanitize=address"], ["fault"],
     {**SLOW, "ASAN_OPTIONS": "abort_on_error=1"}),
]

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?", re.M)
SKIP = re.compile(r"^.*\bskip(?:ped|ping)?\b.*$", re.M | re.I)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count_check(output):
    """Check's summary line; a line that starts with "skip" takes one test out of the passed."""
    ran = failed = 0
    for checks, failures, errors in CHECK.findall(output):
        ran += int(checks)
        failed += int(failures) + int(errors)
    skipped = len(re.findall(r"^skip", output, re.M | re.I))
    return Count(ran - failed - skipped, failed, skipped)


def count_unittest(output):
    total = Count()
    for ran, rest in UNITTEST.findall(output):
        parts = dict(re.findall(r"([\w ]+)=(\d+)", rest))
        parts = {key.strip(): int(value) for key, value in parts.items()}
        failed = (parts.get("failures", 0) + parts.get("errors", 0) +
                  parts.get("unexpected successes", 0))
        skipped = parts.get("skipped", 0)
        total.add(Count(int(ran) - failed - skipped, failed, skipped))
    return total


def count_one(test):
    """What one of meson's tests stands for."""
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return Count(skipped=1)
    if CHECK.search(output):
        count = count_check(output)
    elif UNITTEST.search(output):
        count = count_unittest(output)
    else:
        count = Count(passed=1)
    if good:
        return count
    if count.failed == 0:  # it ended badly without saying so: killed, timed out, sanitizer
        count = Count(max(count.passed - 1, 0), 1, count.skipped)
    return count


def run(command, **kwargs):
    return subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)


def build(name, options):
    """Returns the folder, or None after showing what went wrong."""
    folder = ROOT / "build-check" / name
    verb = ["--reconfigure"] if (folder / "build.ninja").exists() else []
    for command in (["meson", "setup", *verb, str(folder), *options],
                    ["ninja", "-C", str(folder), "--quiet"]):
        done = run(command)
        if done.returncode != 0:
            print(done.stdout)
            return None
    return folder


def show(test, count):
    output = (test.get("stdout", "") + "\n" + test.get("stderr", "")).strip()
    name = test["name"].split(" / ")[-1]
    if count.failed:
        print(f"---- {name}: {test['result']}")
        print("\n".join(output.splitlines()[-200:]))
        print("----")
    elif count.skipped:
        reasons = sorted(set(line.strip() for line in SKIP.findall(output)))
        print(f"     {name}: {count.skipped} skipped")
        for reason in reasons:
            print(f"       {reason}")


def test_build(name, options, suites, environment):
    started = time.monotonic()
    folder = build(name, options)
    if folder is None:
        print(f"{name}: the build failed")
        return Count(failed=1)
    built = time.monotonic()
    command = ["meson", "test", "-C", str(folder), "--no-rebuild", "--timeout-multiplier",
               environment.get("VARVE_TEST_SLOW", "1")]
    for suite in suites:
        command += ["--suite", suite]
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    done = run(command, env={**os.environ, "CK_DEFAULT_TIMEOUT": "60", **environment})
    total = Count()
    tests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for test in sorted(tests, key=lambda t: t["name"]):
        count = count_one(test)
        total.add(count)
        show(test, count)
    if done.returncode != 0 and total.failed == 0:
        print(done.stdout)
        total.failed = 1
    if not tests:
        print(done.stdout)
        print(f"{name}: no test ran")
        total.failed += 1
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{name}: {total.passed} passed, {total.failed} failed{skipped} "
          f"(build {built - started:.0f} s, tests {time.monotonic() - built:.0f} s)", flush=True)
    return total


def main(names):
    unknown = set(names) - {b[0] for b in BUILDS}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    total = Count()
    for name, options, suites, environment in BUILDS:
        if not names or name in names:
            total.add(test_build(name, options, suites, environment))
    if total.skipped:
        print(f"{total.skipped} skipped, see above")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
