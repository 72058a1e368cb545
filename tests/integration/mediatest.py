# SPDX-License-Identifier: Apache-2.0
"""Sound and pictures made of nothing, as ingest takes them, and their files read back."""
import base64
import datetime
import math
import random
import struct

RATE = 16000
START = datetime.datetime(2026, 11, 20, 12, 0, 0, tzinfo=datetime.timezone.utc)


def at(seconds):
    """The time so many seconds after START, as on the wire."""
    return (START + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def seconds(time):
    """The other way round."""
    return (datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) - START).total_seconds()


def micros(seconds):
    return int(START.timestamp() * 1e6) + int(seconds * 1e6)


def tone(seconds, hertz=440, level=6000):
    return struct.pack(f"<{int(seconds * RATE)}h", *(
        int(level * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(int(seconds * RATE))))


def hiss(seconds, level=60, seed=1):
    rng = random.Random(seed)
    return struct.pack(f"<{int(seconds * RATE)}h", *(
        rng.randint(-level, level) for _ in range(int(seconds * RATE))))


def sound_records(pcm, start=0.0, piece=8000):
    """Records of stream.append: half a second each."""
    step = 2 * piece
    return [{"time": at(start + i / 2 / RATE), "media": base64.b64encode(pcm[i:i + step]).decode()}
            for i in range(0, len(pcm), step)]


# ---- JPEG: grey, baseline, each 8x8 block of one brightness ----

# Huffman codes of the categories 0 to 8 (Annex K, luminance DC); AC only has an end of block.
_DC_COUNTS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
_DC_CODES = ["00", "010", "011", "100", "101", "110", "1110", "11110", "111110"]
_QUANT = 8  # one step of brightness a step of DC


def _segment(marker, body):
    return bytes([0xff, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(width, height, brightness):
    """A picture whose block in column x, row y has brightness(x, y), 0 to 255."""
    bits, last = [], 0
    for y in range((height + 7) // 8):
        for x in range((width + 7) // 8):
            value = int(brightness(x, y)) - 128
            diff, last = value - last, value
            size = abs(diff).bit_length()
            bits.append(_DC_CODES[size])
            if size:
                bits.append(format(diff if diff > 0 else diff + (1 << size) - 1, f"0{size}b"))
            bits.append("0")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")
    return (b"\xff\xd8" + _segment(0xdb, bytes([0]) + bytes([_QUANT] * 64)) +
            _segment(0xc0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00") +
            _segment(0xc4, b"\0" + _DC_COUNTS + bytes(range(12))) +
            _segment(0xc4, b"\x10" + bytes([1] + [0] * 15) + b"\0") +
            _segment(0xda, b"\x01\x01\x00\x00\x3f\x00") + scan + b"\xff\xd9")


def scene(step, width=160, height=120, base=90, box=220):
    """A grey room in which a bright box of 4 by 4 blocks moves a block a step."""
    def brightness(x, y):
        inside = step % 16 <= x < step % 16 + 4 and 5 <= y < 9
        return box if inside else base + (x * 7 + y * 13) % 17
    return jpeg(width, height, brightness)


def frame_records(frames, start=0.0, fps=2):
    return [{"time": at(start + i / fps), "media": base64.b64encode(f).decode()}
            for i, f in enumerate(frames)]


# ---- files ----

def flac_info(data):
    """(rate, channels, bits, samples, md5 of the samples) as the file's header says."""
    assert data[:4] == b"fLaC" and data[4] & 0x7f == 0, data[:8]
    packed = int.from_bytes(data[18:26], "big")
    return (packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & (1 << 36) - 1,
            data[26:42])


def chunks(data, start, end):
    """The chunks of RIFF between two offsets: (name, offset of the content, size)."""
    while start < end:
        name, size = struct.unpack_from("<4sI", data, start)
        yield name, start + 8, size
        start += 8 + size + size % 2


def avi_frames(data):
    """(seconds a frame, size of the picture, [the chunks of pictures]) of an AVI file."""
    assert data[:4] == b"RIFF" and data[8:12] == b"AVI ", data[:12]
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    lists = {data[at:at + 4]: (at + 4, at + size)
             for name, at, size in chunks(data, 12, len(data)) if name == b"LIST"}
    header = next(chunks(data, *lists[b"hdrl"]))
    fields = struct.unpack_from("<14I", data, header[1])
    pictures = [data[at:at + size] for name, at, size in chunks(data, *lists[b"movi"])]
    index = [c for c in chunks(data, 12, len(data)) if c[0] == b"idx1"][0]
    movi = lists[b"movi"][0] - 4
    for i, picture in enumerate(pictures):
        name, _, offset, size = struct.unpack_from("<4s3I", data, index[1] + 16 * i)
        found = data[movi + offset + 8:movi + offset + 8 + size]
        assert name == b"00dc" and found == picture, (i, name, offset, size)
    assert fields[4] == len(pictures) and index[2] == 16 * len(pictures)
    return fields[0] / 1e6, (fields[8], fields[9]), pictures
