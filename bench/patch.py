#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The patch scheduler (model/patch.h) on streams with known events: tokens an hour, time, events
looked at and nearness of latents, beside differences of a lower order at the same tokens and fixed
patches.

usage: bench/patch.py BUILD [--data DIR]

Video: ten minutes of a fixed noisy scene at 2 frames a second, in which a small shape walks now and
then, and a fixed camera's clip. Audio: ten minutes of noise with knocks and tones. Sensor: series of
DIR/nab, their labelled windows the events.
"""
import argparse
import csv
import datetime
import json
import os
import subprocess
import sys

SECONDS = 600
EVENTS = [(60 + 37 * i, 64 + 37 * i) for i in range(14)]
ACTIVE = "+".join(f"between(t,{a},{b})" for a, b in EVENTS)
SERIES = ["realKnownCause/nyc_taxi", "realKnownCause/machine_temperature_system_failure",
          "realKnownCause/ambient_temperature_system_failure",
          "artificialWithAnomaly/art_daily_jumpsup"]


def ffmpeg(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", *map(str, arguments)], check=True,
                          capture_output=True).stdout


def bench(build, kind, rate, events, data):
    out = subprocess.run([os.path.join(build, "bench", "bench_patch"), kind, str(rate),
                          ",".join(f"{a}-{b}" for a, b in events)], input=data, check=True,
                         capture_output=True)
    sys.stdout.write(out.stdout.decode())
    sys.stdout.flush()


def video(side):
    graph = ("mandelbrot=s=640x360:r=2:start_scale=0.4:end_scale=0.4,trim=end_frame=1,loop=-1:1,"
             f"noise=alls=10:allf=t[a];color=c=gray:s={side}x{2 * side}:r=2,noise=alls=30[b];"
             f"[a][b]overlay=x='40+mod(t-60,37)*100':y='200':enable='{ACTIVE}'")
    return ffmpeg("-f", "lavfi", "-i", graph, "-t", SECONDS, "-q:v", 4, "-f", "image2pipe", "-c:v",
                  "mjpeg", "-")


def audio():
    graph = (f"anoisesrc=r=16000:a=0.01:c=pink:seed=3[n];aevalsrc='0.05*({ACTIVE})*(sin(2*PI*900*t)*"
             "gt(mod(t,2),1)+8*exp(-60*mod(t,0.5))*(random(0)-0.5))':s=16000[e];[n][e]amix=2")
    return ffmpeg("-f", "lavfi", "-i", graph, "-t", SECONDS, "-f", "s16le", "-ac", 1, "-ar", 16000,
                  "-")


def series(data, name):
    """The values, samples a second, and the labelled windows in seconds from the start."""
    with open(os.path.join(data, "nab", name + ".csv"), newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    times = [datetime.datetime.fromisoformat(r["timestamp"]) for r in rows]
    step = sorted((b - a).total_seconds() for a, b in zip(times, times[1:]))[len(times) // 2]
    with open(os.path.join(data, "nab", "labels", "combined_windows.json"), encoding="utf-8") as f:
        windows = json.load(f)[name + ".csv"]
    index = [(sum(t < datetime.datetime.fromisoformat(a) for t in times) * step,
              sum(t <= datetime.datetime.fromisoformat(b) for t in times) * step)
             for a, b in windows]
    return "\n".join(r["value"] for r in rows).encode(), 1 / step, index


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build")
    parser.add_argument("--data", default=os.environ.get("VARVE_SHARED_DATA", "../shared/data"))
    o = parser.parse_args()
    for side in (15, 30, 60):
        share = 200 * side * side / (640 * 360)
        print(f"-- video, a shape of {share:.1f} % of the picture")
        bench(o.build, "video", 2, EVENTS, video(side))
    clip = os.path.join(o.data, "video", "intel", "one-by-one-person-detection.mp4")
    if os.path.exists(clip):
        print("-- video, a fixed camera")
        bench(o.build, "video", 2, [], ffmpeg("-i", clip, "-vf", "fps=2,scale=640:-2", "-q:v", 4,
                                              "-f", "image2pipe", "-c:v", "mjpeg", "-"))
    print("-- audio, knocks and tones in noise")
    bench(o.build, "audio", 2, EVENTS, audio())
    for name in SERIES:
        if os.path.exists(os.path.join(o.data, "nab", name + ".csv")):
            print(f"-- sensor, {name}")
            values, rate, events = series(o.data, name)
            bench(o.build, "sensor", rate / 64, events, values)
    return 0


if __name__ == "__main__":
    sys.exit(main())
