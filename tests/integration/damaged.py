# SPDX-License-Identifier: Apache-2.0
"""Sound and video files, whole and damaged in every way that a disk, a network or an enemy knows.

All of it is generated: whole files by ffmpeg, damage from a seed.
"""
import pathlib
import random
import shutil
import struct
import subprocess
import zlib

FFMPEG = shutil.which("ffmpeg")

TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=3"]
SHAPES = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=15:duration=3"]
WHOLE = {
    "tone.wav": TONE + ["-ar", "22050"],
    "tone.ogg": TONE + ["-c:a", "libvorbis"],
    "tone.opus": TONE + ["-c:a", "libopus"],
    "tone.mp3": TONE + ["-c:a", "libmp3lame"],
    "tone.flac": TONE,
    "clip.mp4": SHAPES + TONE + ["-c:v", "libx264", "-g", "30", "-c:a", "aac"],
    "head.mp4": SHAPES + TONE + ["-c:v", "mpeg4", "-movflags", "+faststart"],
    "clip.mkv": SHAPES + TONE + ["-c:v", "libx264", "-c:a", "libvorbis"],
    "clip.ts": SHAPES + TONE + ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "clip.avi": SHAPES + TONE + ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
    "clip.gif": SHAPES,
}


def ffmpeg(out, *arguments):
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments, str(out)], check=True,
                   stdin=subprocess.DEVNULL)
    return out


def make_whole(folder):
    """The undamaged files, by name."""
    return {name: ffmpeg(pathlib.Path(folder) / name, *arguments)
            for name, arguments in WHOLE.items()}


# ---- damage ----

def cut(data, rng):
    return data[:rng.randrange(1, len(data))]


def flip(data, rng):
    out = bytearray(data)
    for _ in range(rng.choice([1, 10, 100, 1000])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_head(data, rng):
    out = bytearray(data)
    for _ in range(rng.randrange(1, 40)):
        out[rng.randrange(min(len(out), 600))] ^= 1 << rng.randrange(8)
    return bytes(out)


def zero(data, rng):
    at = rng.randrange(len(data))
    size = rng.randrange(1, len(data))
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size:]


def behead(data, rng):
    return data[rng.randrange(1, len(data)):]


def repeat(data, rng):
    at, size = rng.randrange(len(data)), rng.randrange(1, len(data))
    return data[:at + size] + data[at:]


def noise(data, rng):
    at, size = rng.randrange(len(data)), rng.randrange(1, 5000)
    return data[:at] + rng.randbytes(size) + data[at + size:]


def extremes(data, rng):
    """Sizes and counts, wherever they may lie, as large as they go."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(len(out), 2000))
        out[at:at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
    return bytes(out)


DAMAGE = [cut, flip, flip_head, zero, behead, repeat, noise, extremes]


# ---- made by hand ----

def png(width, height):
    """A black picture; its size in bytes does not grow with that."""
    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def gif_bomb(side, frames):
    """Each frame is a few bytes and clears a picture of side x side."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    frame = (b"!\xf9\x04\x08\x01\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
             + b"\x02\x02\x44\x01\0")
    return head + frame * frames + b";"


def matroska(tracks):
    """So many tracks of sound, and one packet."""
    def element(ident, data):
        return ident + struct.pack(">Q", len(data) | 1 << 56) + data
    head = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm")
    track = b"\xae\x9b\xd7\x84%s\x73\xc5\x84%s\x83\x81\x02\x86\x89A_MPEG/L3"
    numbers = (struct.pack(">I", i + 1) for i in range(tracks))
    body = b"".join(track % (n, n) for n in numbers)
    packet = element(b"\xa3", b"\x81\0\0\x80" + bytes(100))
    return head + element(b"\x18\x53\x80\x67", element(b"\x16\x54\xae\x6b", body) +
                          element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0" + packet))


def by_hand(tracks=1000000):
    """Name and bytes of what no disk would do."""
    yield "empty.mp4", b""
    yield "one-byte.wav", b"R"
    yield "letter.mp4", b"Dear Sir or Madam,\nthis is no film.\n" * 100
    yield "zeros.ts", bytes(200000)
    yield "large.png", png(16384, 16384)
    yield "tracks.mkv", matroska(tracks)
    yield "bomb.gif", gif_bomb(5000, 20000)
    yield "list.m3u8", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    yield "concat.txt", b"ffconcat version 1.0\nfile /etc/passwd\n"


def make_damaged(folder, whole, count, seed=1, tracks=1000000):
    """`count` files; those made by hand first, then damaged ones of every kind in turn."""
    folder = pathlib.Path(folder)
    rng = random.Random(seed)
    made = []
    for name, data in by_hand(tracks):
        (folder / name).write_bytes(data)
        made.append(folder / name)
    names = sorted(whole)
    for i in range(count - len(made)):
        name = names[i % len(names)]
        damage = DAMAGE[i // len(names) % len(DAMAGE)]
        data = damage(whole[name].read_bytes(), rng)
        suffix = pathlib.Path(rng.choice(names)).suffix  # most often a wrong one
        path = folder / f"{i:03}-{damage.__name__}-{name.replace('.', '-')}{suffix}"
        path.write_bytes(data)
        made.append(path)
    return made
