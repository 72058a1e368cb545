#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a live camera and a live microphone cost: CPU time of varve-media and of the daemon, and the
daemon's memory for each stream.

usage: bench/live_streams.py BUILD [--video N] [--audio N] [--seconds S]

Files are read at their own pace, as sources are (varved.conf, type = media): pictures of 1280x720 in
H.264 at 25 a second, of which 2 become records; sound in Opus. The figure is CPU time over time,
so that other work on the machine slows it down but does not change it much.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/integration"))

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of CPU time that a process has taken."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid):
    """MiB that it holds of its own: what it maps from files is shared by all."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def children(pid):
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def make(folder, seconds):
    """A street's worth of motion and noise, and speech-like sound."""
    ffmpeg = [shutil.which("ffmpeg"), "-v", "error", "-nostdin", "-y"]
    clip, sound = folder / "clip.mp4", folder / "sound.opus"
    subprocess.run(ffmpeg + ["-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=25:duration={seconds}",
                             "-vf", "noise=alls=4:allf=t", "-c:v", "libx264", "-preset", "veryfast",
                             "-bf", "0", "-g", "50", "-b:v", "2M", str(clip)], check=True)
    subprocess.run(ffmpeg + ["-f", "lavfi", "-i", f"sine=frequency=300:duration={seconds}", "-f", "lavfi",
                             "-i", f"anoisesrc=amplitude=0.02:duration={seconds}", "-filter_complex",
                             "amix", "-ac", "1", "-c:a", "libopus", str(sound)], check=True)
    return clip, sound


def measure(varvetest, folder, kind, path, count, seconds):
    """Runs so many sources and prints what they cost."""
    folder.mkdir()
    daemon = varvetest.Daemon(folder)
    daemon.start()
    before = rss(daemon.process.pid)
    daemon.configure("".join(f"[source {kind}{i}]\ntype = media\nkind = {kind}\nurl = {path}\nfps = 2\n"
                             for i in range(count)))
    client = daemon.client()
    client.call("daemon.reload")
    pid = daemon.process.pid

    def records():
        return {s["stream"]: s["records"] for s in client.call("stream.list")["items"]}
    while len(records()) < count or min(records().values()) < 8:  # all have begun
        threading.Event().wait(0.2)
    started = {p: cpu(p) for p in [pid, *children(pid)]}
    first = sum(records().values())
    threading.Event().wait(seconds)
    used = {p: cpu(p) - c for p, c in started.items() if os.path.exists(f"/proc/{p}")}
    made = sum(records().values()) - first
    grown = (rss(pid) - before) / count
    own = used.pop(pid) / seconds / count
    media = sum(used.values()) / seconds / max(len(used), 1)
    each = [rss(p) for p in children(pid)]
    status = daemon.stop()
    print(f"{count} live {kind} streams for {seconds} s: {made / seconds / count:.2f} records/s each; "
          f"CPU for each {100 * media:.2f} % varve-media + {100 * own:.2f} % varved = "
          f"{1 / (media + own):.0f} streams a core; varved grew by {grown:.1f} MiB a stream, "
          f"a varve-media holds {sum(each) / len(each):.0f} MiB; status {status}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--video", type=int, default=8)
    parser.add_argument("--audio", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    a = parser.parse_args()
    os.environ["VARVE_BUILD_ROOT"] = a.build
    import varvetest
    with tempfile.TemporaryDirectory(prefix="varve-") as name:
        folder = pathlib.Path(name)
        clip, sound = make(folder, a.seconds + 40)
        if a.video:
            measure(varvetest, folder / "v", "video", clip, a.video, a.seconds)
        if a.audio:
            measure(varvetest, folder / "a", "audio", sound, a.audio, a.seconds)


if __name__ == "__main__":
    main()
