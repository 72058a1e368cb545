#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scene cuts: precision, recall and F1 of the video model, beside the plain mean difference of
frames with the threshold that is best for all clips of the run together.

usage: bench/scenes.py BUILD [--data DIR] [--fps N]... [--show]

Clips: those of DIR/video/scenes that have a scene list, and synthetic ones made by ffmpeg: rows of
unlike scenes with known cuts, and single scenes with fast motion, flashes, light switches, noise and
pans, in which there is none. A cut counts as found within half a second and half a frame's step of
where it is.
"""
import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile

TOLERANCE = 0.5
# Sources that look nothing alike, all 640x360 and moving.
SOURCES = [
    "testsrc2=s=640x360:r=25",
    "mandelbrot=s=640x360:r=25:start_scale=0.6:end_scale=0.05",
    "life=s=160x90:mold=10:r=25:ratio=0.1:death_color=#403020:life_color=#c0e060,scale=640:360",
    "gradients=s=640x360:r=25:c0=red:c1=blue:nb_colors=3:speed=0.02",
    "smptehdbars=s=640x360:r=25,noise=alls=12:allf=t",
    "cellauto=s=160x90:rule=110:r=25,scale=640:360,eq=brightness=0.1",
    "rgbtestsrc=s=640x360:r=25,hue=H=0.5*t,noise=alls=8:allf=t",
    "sierpinski=s=640x360:r=25",
    "mandelbrot=s=640x360:r=25:start_x=-1.25:start_y=0.02:start_scale=0.05:end_scale=0.01",
    "color=c=#506080:s=640x360:r=25,drawgrid=w=80:h=60:t=6:c=#e0d0a0,noise=alls=8:allf=t",
    "yuvtestsrc=s=640x360:r=25,rotate=0.05*t",
    "allrgb=r=25,scale=640:360",
]
STILL = "mandelbrot=s=1920x1080:r=25:start_scale=0.4:end_scale=0.4,trim=end_frame=1,loop=-1:1"
BLOBS = "life=s=480x270:mold=20:ratio=0.35:seed=5:r=25,gblur=6,trim=start_frame=40:end_frame=41,loop=-1:1,scale=1920:1080,eq=contrast=2"
# Scenes without any cut, by name.
QUIET = {
    "noise": STILL + ",scale=640:360,noise=alls=20:allf=t",
    "slow pan": STILL + ",crop=640:360:x='40+12*t':y=200",
    "fast pan": BLOBS + ",crop=640:360:x='640+600*sin(0.7*t)':y=300",
    "shake": BLOBS + ",crop=640:360:x='640+60*sin(23*t)':y='300+40*cos(31*t)'",
    "zoom": "mandelbrot=s=640x360:r=25:start_scale=1.2:end_scale=0.02",
    "flashes": STILL + ",scale=640:360,eq=brightness='if(lt(mod(t+1,1.7),0.07),0.8,0)':eval=frame",
    "light switch": STILL + ",scale=640:360,eq=brightness='if(lt(mod(t,4),2),0,-0.3)':contrast='if(lt(mod(t,4),2),1,0.5)':eval=frame,noise=alls=6:allf=t",
    "dimmer": BLOBS + ",scale=640:360,eq=brightness='0.3*sin(0.9*t)':eval=frame",
    "passing": "%s,scale=640:360[a];color=c=white:s=280x300:r=25,noise=alls=40[b];[a][b]overlay=x='mod(500*t,1200)-280':y=40" % STILL,
    "many moving": "testsrc2=s=640x360:r=25,rotate=0.6*t",
    "lens covered": "%s,scale=640:360,eq=brightness='if(between(mod(t,6),2,3.5),-1,0)':eval=frame" % STILL,
}


def run(command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def ffmpeg(*arguments, data=None):
    return run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], input=data)


def frames_of(path, fps):
    # Of each step the first frame in it, so that frame n is at n steps or less than a frame later.
    chosen = f"select='gte(t,selected_n/{fps})'," if fps else ""
    return ffmpeg("-i", path, "-vf", chosen + "scale='min(640,iw)':-2", "-fps_mode", "passthrough",
                  "-q:v", 4, "-f", "image2pipe", "-c:v", "mjpeg", "-")


def make_row(folder, seed, gap):
    """Unlike scenes one behind the other, most with a hard cut, each third through black."""
    rng = random.Random(seed)
    order = rng.sample(range(len(SOURCES)), 8)
    graph, cuts, at = [], [], 0.0
    for i, source in enumerate(order):
        long = round(rng.uniform(*gap) * 25) / 25
        fade = ""
        if i % 3 == 1:
            fade = f",fade=t=out:st={long - 0.48}:d=0.48"
        if i % 3 == 2:
            fade = ",fade=t=in:st=0:d=0.48"
        graph.append(f"{SOURCES[source]},trim=duration={long},setpts=PTS-STARTPTS,setsar=1,"
                     f"format=yuv420p{fade}[v{i}]")
        at += long
        cuts.append(at)
    joined = "".join(f"[v{i}]" for i in range(8)) + "concat=n=8:v=1"
    path = os.path.join(folder, f"row{seed}.mp4")
    if os.path.exists(path):
        return path, cuts[:-1]
    ffmpeg("-filter_complex", ";".join(graph) + ";" + joined, "-c:v", "libx264", "-preset",
           "ultrafast", "-crf", 24, path)
    return path, cuts[:-1]


def make_quiet(folder, name, graph):
    path = os.path.join(folder, name.replace(" ", "_") + ".mp4")
    if os.path.exists(path):
        return path
    ffmpeg("-f", "lavfi", "-i", graph, "-t", 14, "-pix_fmt", "yuv420p", "-c:v", "libx264",
           "-preset", "ultrafast", "-crf", 24, path)
    return path


def scene_lists(data):
    """The clips with a scene list: path to the times of their cuts. Of fades.mp4, which goes
    through black twice, the list of a detector of black is as good."""
    folder = os.path.join(data, "video", "scenes")
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not name.endswith("_scenes.csv"):
            continue
        clip = os.path.join(folder, name.removesuffix("_scenes.csv") + ".mp4")
        with open(os.path.join(folder, name), newline="", encoding="utf-8") as f:
            rows = [row for row in csv.reader(f) if len(row) == 4 and row[0].isdigit()]
        found[clip] = [int(row[3]) / 1000 for row in rows if int(row[3]) > 0]
    cuts = os.path.join(folder, "detector_cuts.json")
    if os.path.exists(cuts):
        with open(cuts, encoding="utf-8") as f:
            frames = json.load(f)["fades.mp4"]["ThresholdDetector.default"]
        found[os.path.join(folder, "fades.mp4")] = [n / 25 for n in frames]
        found[os.path.join(folder, "counter.mp4")] = []
    return found


def fixed_cameras(data):
    """Clips of one scene each."""
    folder = os.path.join(data, "video", "intel")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [(os.path.join(folder, n), []) for n in names if n.endswith(".mp4")]


def rate_of(path):
    text = subprocess.run(["ffmpeg", "-hide_banner", "-i", path], capture_output=True,
                          check=False).stderr.decode()
    return float(next(p for p in text.split(", ") if p.endswith(" fps")).removesuffix(" fps"))


def matched(told, true, step):
    """How many of the told cuts are true ones, each counted once."""
    left, hits = list(true), 0
    for t in told:
        near = [c for c in left if abs(c - t) <= TOLERANCE + step / 2 + 1e-6]
        if near:
            left.remove(min(near, key=lambda c: abs(c - t)))
            hits += 1
    return hits


def score(results, step):
    hits = sum(matched(told, true, step) for told, true in results)
    told = sum(len(t) for t, _ in results)
    true = sum(len(t) for _, t in results)
    precision, recall = hits / max(told, 1), hits / max(true, 1)
    f1 = 2 * hits / max(told + true, 1)
    return precision, recall, f1


def look(build, path, fps):
    """The model's cuts and each frame's plain difference, with its time."""
    rate = fps or rate_of(path)
    out = subprocess.run([os.path.join(build, "bench", "bench_video"), str(rate)], check=True,
                         input=frames_of(path, fps), capture_output=True)
    rows = list(csv.DictReader(io.StringIO(out.stdout.decode())))
    cuts = [(int(r["frame"]) - int(r["shift"])) / rate for r in rows if int(r["shift"])]
    return cuts, [(int(r["frame"]) / rate, float(r["difference"])) for r in rows]


def plain_cuts(differences, threshold):
    """Rises over the threshold."""
    cuts, over = [], False
    for time, value in differences:
        if value > threshold and not over:
            cuts.append(time)
        over = value > threshold
    return cuts


def best_plain(seen, step):
    best = None
    for half in range(2, 160):
        threshold = half / 2
        results = [(plain_cuts(d, threshold), true) for _, _, d, true in seen]
        got = score(results, step)
        if best is None or got[2] > best[1][2]:
            best = threshold, got
    return best


def report(label, seen, threshold, step, show):
    rows = [("varve", [(cuts, true) for _, cuts, _, true in seen]),
            (f"mean difference > {threshold:g}",
             [(plain_cuts(d, threshold), true) for _, _, d, true in seen])]
    for who, results in rows:
        p, r, f1 = score(results, step)
        true, told = (sum(len(r[i]) for r in results) for i in (1, 0))
        figures = f"precision {p:.3f} recall {r:.3f} F1 {f1:.3f}, " if true else ""
        print(f"{label:19} {who:23} {figures}{told} told of {true} cuts in {len(results)} clips")
    for name, cuts, _, true in seen if show else []:
        wrong = [round(c, 2) for c in cuts if not matched([c], true, step)]
        missed = [round(t, 2) for t in true if not matched(cuts, [t], step)]
        if wrong or missed:
            print(f"    {os.path.basename(name)}: too many {wrong}, missed {missed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build")
    parser.add_argument("--data", default=os.environ.get("VARVE_SHARED_DATA", "../shared/data"))
    parser.add_argument("--fps", type=float, action="append", help="0: the clip's own (default 0, 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", help="folder in which the synthetic clips are kept")
    parser.add_argument("--show", action="store_true", help="name what was missed")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = o.clips or temporary
        os.makedirs(folder, exist_ok=True)
        rows = [make_row(folder, o.seed + i, (1.5, 6)) for i in range(4)]
        quiet = [(make_quiet(folder, n, g), []) for n, g in QUIET.items()]
        listed = list(scene_lists(o.data).items())
        groups = [("scene lists", listed), ("fixed cameras", fixed_cameras(o.data)),
                  ("synthetic cuts", rows), ("synthetic, no cuts", quiet)]
        for fps in o.fps or [0, 2]:
            seen = [[(path, *look(o.build, path, fps), true) for path, true in clips]
                    for _, clips in groups]
            step = 1 / (fps or 25)
            threshold, _ = best_plain(sum(seen, []), step)
            print(f"-- at {fps:g} frames a second" if fps else "-- at the clips' own rate")
            for (label, _), one in zip(groups, seen):
                if one:
                    report(label, one, threshold, step, o.show)
            report("all", sum(seen, []), threshold, step, False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
