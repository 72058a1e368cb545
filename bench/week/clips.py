# SPDX-License-Identifier: Apache-2.0
"""Short sounds and films of a cellar, made from a seed and encoded by ffmpeg.

A clip is 16 kHz sound (Opus or FLAC) or 320x180 pictures at 4 a second (H.264 or MJPEG): a background
that never repeats, and perhaps one event in it. Speech is espeak-ng's, crashes are samples of Debian's
sonic-pi-samples, clothes are of its dataset-fashion-mnist. The same clip gives the same file.
"""
import array
import functools
import gzip
import math
import pathlib
import random
import shutil
import subprocess

RATE = 16000
FPS = 4
WIDTH, HEIGHT = 320, 180
CLOTHES = pathlib.Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
SAMPLES = pathlib.Path("/usr/share/sonic-pi/samples")
CRASHES = ("drum_cymbal_hard", "drum_cymbal_open", "drum_splash_hard")
AMBIENT = 70              # of 32768: rms of the background
SENTENCES = ("the filter has to be changed before friday", "please close the door when you leave",
             "i am down here, the meter shows nine hundred", "hold the lamp a little higher",
             "this valve is stuck again, bring the wrench", "it should be running quietly now")
VOICES = ("en", "en+f3", "en+m3", "de", "fr+f2")


def missing():
    """What has to be installed for clips, as text; empty: nothing."""
    gone = [program for program in ("ffmpeg", "espeak-ng") if not shutil.which(program)]
    gone += [package for package, path in (("sonic-pi-samples", SAMPLES),
                                           ("dataset-fashion-mnist", CLOTHES)) if not path.exists()]
    return ", ".join(gone)


def run(*command, data=None):
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


# ---- sound ----

@functools.lru_cache(maxsize=None)
def hum_and_hiss():
    """Some seconds of a cellar's background, of which every clip takes its own part."""
    r = random.Random("cellar")
    out, v = array.array("h"), 0.0
    for i in range(1 << 19):
        v = 0.5 * v + 0.87 * r.gauss(0, 1)
        out.append(round(AMBIENT * (v + 0.6 * math.sin(2 * math.pi * 100 * i / RATE))))
    return out


@functools.lru_cache(maxsize=None)
def pcm_of(data):
    """Any sound file's content at RATE."""
    out = array.array("h")
    out.frombytes(run("ffmpeg", "-v", "error", "-i", "-", "-ac", "1", "-ar", str(RATE), "-f", "s16le",
                      "-", data=data))
    return out


def knock(r):
    """Two to four blows on wood."""
    out = []
    for _ in range(r.randrange(2, 5)):
        hz, decay = r.uniform(90, 240), r.uniform(0.008, 0.014)
        blow = [9000 * math.exp(-i / RATE / decay) * (math.sin(2 * math.pi * hz * i / RATE)
                                                      + 0.5 * r.gauss(0, 1)) for i in range(1600)]
        out += blow + [0.0] * r.randrange(3000, 5600)
    return out


def tone(r):
    hz = r.choice((700, 950, 1300, 1800, 2400))
    return [5000 * math.sin(2 * math.pi * hz * i / RATE) * min(1, i / 400) for i in range(3 * RATE)]


def beep(r):
    """An alarm: on and off."""
    hz = r.choice((1900, 2300, 2700))
    return [5000 * math.sin(2 * math.pi * hz * i / RATE) * (i // 5600 % 2 == 0) for i in range(3 * RATE)]


def speech(r):
    wav = run("espeak-ng", "-v", r.choice(VOICES), "-s", str(r.randrange(135, 175)), "--stdout",
              r.choice(SENTENCES))
    return [0.35 * v for v in pcm_of(wav)]


def water(r):
    out, v = [], 0.0
    for i in range(4 * RATE):
        v = 0.3 * v + r.gauss(0, 1)
        out.append(1800 * v * min(1, i / 2000))
    return out


def crash(r):
    sample = pcm_of((SAMPLES / f"{r.choice(CRASHES)}.flac").read_bytes())
    most = max(map(abs, sample))
    return [9000 * v / most for v in sample[:3 * RATE]]


SOUNDS = {"knock": knock, "tone": tone, "beep": beep, "speech": speech, "water": water, "crash": crash}


def sound(clip, r):
    """Its samples."""
    count = int(clip.seconds * RATE)
    ambient = hum_and_hiss()
    at = r.randrange(len(ambient) - count)
    samples = ambient[at:at + count]
    if clip.event:
        first = int(clip.offset * RATE)
        for i, v in enumerate(SOUNDS[clip.event](r)[:count - first], first):
            samples[i] = max(-32768, min(32767, samples[i] + round(v)))
    return samples


# ---- pictures: grey bytes, row by row ----

SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd",
            "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg"}
BARS = {"a": (0, 0, 8, 2), "b": (6, 0, 2, 8), "c": (6, 7, 2, 8), "d": (0, 13, 8, 2), "e": (0, 7, 2, 8),
        "f": (0, 0, 2, 8), "g": (0, 7, 8, 2)}


def fill(frame, x, y, width, height, value):
    left, right = max(x, 0), min(x + width, WIDTH)
    if left < right:
        for row in range(max(y, 0), min(y + height, HEIGHT)):
            frame[row * WIDTH + left:row * WIDTH + right] = bytes([value]) * (right - left)


@functools.lru_cache(maxsize=None)
def clothes():
    with gzip.open(CLOTHES) as f:
        return f.read()[16:16 + 200 * 784]


def garment(index, scale):
    """Rows of one picture of clothes, enlarged."""
    pixels = clothes()[index * 784:(index + 1) * 784]
    rows = [bytes(v for v in pixels[y * 28:y * 28 + 28] for _ in range(scale)) for y in range(28)]
    return [row for row in rows for _ in range(scale)]


def paste(frame, x, y, rows):
    """Where it is black the frame shows through."""
    left, right = max(x, 0), min(x + len(rows[0]), WIDTH)
    if left >= right:
        return
    for k, row in enumerate(rows):
        at = (y + k) * WIDTH
        under, over = frame[at + left:at + right], row[left - x:right - x]
        frame[at + left:at + right] = bytes(b if b > 24 else a for a, b in zip(under, over))


@functools.lru_cache(maxsize=None)
def room(turned):
    """A wall, a floor, a shelf with washing on it and a pump; or the other wall."""
    frame = bytearray(WIDTH * HEIGHT)
    for y in range(HEIGHT):
        wall = 96 + y // 6 if y < 130 else 70 + (y - 130) // 4
        fill(frame, 0, y, WIDTH, 1, 190 - wall if turned else wall)
    if turned:
        for x in range(10, WIDTH, 44):
            fill(frame, x, 20, 30, 140, 40 + x % 50)
        return bytes(frame)
    fill(frame, 180, 60, 130, 5, 150)
    for i in range(3):
        paste(frame, 184 + 42 * i, 32, garment(3 + i, 1))
    fill(frame, 30, 90, 60, 50, 60)
    fill(frame, 42, 100, 36, 30, 140)
    return bytes(frame)


def clock_face(frame, minutes):
    for i, digit in enumerate(f"{minutes // 60:02d}{minutes % 60:02d}"):
        x = 8 + 12 * i + 4 * (i > 1)
        for bar in SEGMENTS[digit]:
            bx, by, w, h = BARS[bar]
            fill(frame, x + bx, 8 + by, w, h, 200)


def fan(frame, turn):
    """A small thing that always moves."""
    for k in range(6):
        a = turn + k % 2 * math.pi
        fill(frame, 290 + round(k * math.cos(a) / 1.4), 160 + round(k * math.sin(a) / 1.4), 3, 3, 170)


def passer_by(r):
    """Somebody in some clothes walks through the room."""
    rows, leftwards = garment(r.randrange(200), 4), r.random() < 0.5
    y, speed = r.randrange(30, 60), r.uniform(46, 62)

    def draw(frame, t):
        way = int(-112 + speed * t)
        paste(frame, WIDTH - 112 - way if leftwards else way, y, rows)
    return draw


def steam(r):
    """Bright clouds rise at the pump."""
    puffs = [(r.randrange(24, 80), r.uniform(0, 3), r.uniform(18, 40)) for _ in range(9)]

    def draw(frame, t):
        for x, since, speed in puffs:
            if t > since:
                y = int(86 - speed * (t - since))
                fill(frame, x, y, 22, 16, 225)
    return draw


PICTURES = {"passer-by": passer_by, "steam": steam}
UNLIT = bytes(v // 40 + 2 for v in range(256))


def film(clip, r):
    """Its frames."""
    light, drift = r.uniform(0.96, 1.04), r.uniform(-0.002, 0.002)
    draw = PICTURES[clip.event](r) if clip.event in PICTURES else None
    minutes = clip.start // 60_000_000 % 1440
    frames = []
    for i in range(int(clip.seconds * FPS)):
        t = i / FPS - clip.offset
        during = clip.event and t >= 0
        if during and clip.event == "frozen":
            frames.append(frames[-1])
            continue
        frame = bytearray(room(bool(during and clip.event == "turned")))
        if during and draw:
            draw(frame, t)
        fan(frame, 0.9 * i)
        clock_face(frame, minutes)
        level = light + drift * i
        frame = frame.translate(bytes(min(255, int(v * level)) for v in range(256)))
        if during and clip.event == "dark":
            frame = frame.translate(UNLIT)
        frames.append(grain(frame, r.randrange(4096)))
    return frames


@functools.lru_cache(maxsize=None)
def speckles():
    """Noise of a camera, for adding as one long number: bytes of 0 to 3."""
    r = random.Random("grain")
    return bytes(min(3, int(abs(r.gauss(0, 1.4)))) for _ in range(WIDTH * HEIGHT + 4096))


def grain(frame, at):
    """No byte overflows into its neighbour: the brightest is 252."""
    n = WIDTH * HEIGHT
    low = frame.translate(bytes(min(v, 252) for v in range(256)))
    return (int.from_bytes(low, "little")
            + int.from_bytes(speckles()[at:at + n], "little")).to_bytes(n, "little")


# What a file's suffix stands for.
CODECS = {".ogg": ("-c:a", "libopus", "-b:a", "40k"), ".flac": ("-c:a", "flac"),
          ".mp4": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"),
          ".avi": ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")}


def content(clip, seed):
    """Samples, or frames."""
    r = random.Random(f"{seed}/{clip.stream}/{clip.start}")
    return sound(clip, r) if clip.kind == "audio" else film(clip, r)


def make(clip, seed, path):
    what = content(clip, seed)
    if clip.kind == "audio":
        source, data = ("-f", "s16le", "-ar", str(RATE), "-ac", "1"), what.tobytes()
    else:
        source = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS))
        data = b"".join(what)
    # One thread and no stamp of the version or the time: the same bytes each time.
    run("ffmpeg", "-v", "error", "-y", *source, "-i", "-", "-threads", "1", *CODECS[path.suffix],
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact", str(path), data=data)
