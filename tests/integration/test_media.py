# SPDX-License-Identifier: Apache-2.0
"""Sound and pictures from files, pipes, sources and a camera, whole, damaged and hostile."""
import concurrent.futures
import datetime
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time
import unittest

import damaged
import varvetest

try:
    MEDIA = varvetest.program("varve-media")
except FileNotFoundError:
    MEDIA = None

SLOW = varvetest.SLOW > 1
START = "2026-11-20T12:00:00Z"
START_US = int(datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.timezone.utc).timestamp() * 1e6)


class Frames:
    """What varve-media wrote: [(time in microseconds, payload)], the error, whether all was read."""

    def __init__(self, data):
        self.records, self.error, self.closed = [], None, False
        at = 0
        while at < len(data):
            size, kind = struct.unpack_from("<IB", data, at)
            body = data[at + 5:at + 4 + size]
            at += 4 + size
            assert self.error is None and not self.closed, "a frame behind the end"
            if kind == varvetest.FRAME_RECORDS:
                count, start = varvetest.read_varint(body, 0)
                assert count == 1 and body[start] == 2, body[:16]
                when, start = varvetest.read_varint(body, start + 1)
                length, start = varvetest.read_varint(body, start)
                self.records.append((when >> 1, body[start:start + length]))
            elif kind == varvetest.FRAME_ERROR:
                self.error = body[11:].decode(errors="replace")
            else:
                assert kind == varvetest.FRAME_CLOSE, kind
                self.closed = True


def decode(*arguments, stdin=subprocess.DEVNULL):
    done = subprocess.run([MEDIA, *map(str, arguments)], stdin=stdin, capture_output=True,
                          timeout=varvetest.PATIENCE * 2)
    return done.returncode, Frames(done.stdout), done.stderr.decode(errors="replace")


def jpeg_size(data):
    at = 2
    while data[at + 1] != 0xc0:
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    height, width = struct.unpack_from(">HH", data, at + 5)
    return width, height


@unittest.skipUnless(MEDIA, "skipped: varve-media is not built")
@unittest.skipUnless(damaged.FFMPEG, "skipped: ffmpeg is not installed")
class MediaCase(varvetest.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = varvetest.tempfile.TemporaryDirectory(prefix="varve-media-")
        cls.addClassCleanup(cls.files.cleanup)
        cls.whole = damaged.make_whole(cls.files.name)

    def make(self, name, *arguments):
        return damaged.ffmpeg(pathlib.Path(self.folder) / name, *arguments)

    def states(self, client):
        """What is told about all streams, in one text."""
        return "\n".join(s["state"] for s in client.call("stream.list")["items"])


class Decoding(MediaCase):
    def test_sound_of_every_container(self):
        for name, path in self.whole.items():
            if name.endswith(".gif"):
                continue
            status, frames, noise = decode("--kind", "audio", "--start", START, path)
            self.assertEqual((status, frames.error, noise, frames.closed), (0, None, "", True), name)
            self.assertTrue(all(len(data) == 16000 for _, data in frames.records[:-1]), name)
            samples = sum(len(data) for _, data in frames.records) // 2
            self.assertAlmostEqual(samples / 16000, 3, delta=0.15, msg=name)
            self.assertEqual(frames.records[0][0], START_US, name)
            self.assertEqual(frames.records[1][0] - frames.records[0][0], 500000, name)
            values = struct.unpack("<8000h", frames.records[2][1])
            crossings = sum(a < 0 <= b for a, b in zip(values, values[1:]))
            self.assertAlmostEqual(crossings, 220, delta=3, msg=name)  # 440 Hz, half a second

    def test_pictures_of_every_container(self):
        for name, path in self.whole.items():
            if not name.startswith(("clip", "head")):
                continue
            status, frames, noise = decode("--kind", "video", "--start", START, path)
            self.assertEqual((status, frames.error, noise, frames.closed), (0, None, "", True), name)
            self.assertIn(len(frames.records), (6, 7), name)
            self.assertEqual(frames.records[0][0], START_US, name)
            for i, (when, data) in enumerate(frames.records):
                self.assertAlmostEqual(when - START_US, i * 500000, delta=70000, msg=name)
                self.assertEqual(jpeg_size(data), (160, 120), name)

    def test_rate_and_width(self):
        clip = self.make("wide.mp4", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=2",
                         "-bf", "2", "-g", "20")
        for fps, wanted in (("0.5", 1), ("5", 10), ("60", 60)):
            _, frames, _ = decode("--kind", "video", "--fps", fps, clip)
            self.assertEqual((frames.error, len(frames.records)), (None, wanted), fps)
            self.assertEqual(jpeg_size(frames.records[0][1]), (640, 360))
        _, frames, _ = decode("--kind", "video", "--width", "200", clip)
        self.assertEqual(jpeg_size(frames.records[0][1]), (200, 112))

    def test_pictures_are_those_of_their_time(self):
        """What is skipped between two wanted pictures must not change them."""
        clips = [self.make("count.mp4", "-f", "lavfi", "-i",
                           "color=black:size=64x64:rate=25:duration=4,geq=lum='16+N*2':cb=128:cr=128",
                           "-bf", "3", "-g", "40", "-qp", "1"),
                 self.make("vp9.webm", *damaged.SHAPES, "-c:v", "libvpx-vp9", "-cpu-used", "8")]
        clips += [path for name, path in self.whole.items() if name.startswith(("clip", "head"))]
        for clip in clips:
            _, whole, _ = decode("--kind", "video", "--fps", "25", clip)
            _, some, _ = decode("--kind", "video", "--fps", "2", clip)
            by_time = dict(whole.records)
            self.assertIn(len(some.records), (6, 7, 8), clip.name)
            for when, data in some.records:
                self.assertEqual(by_time[when], data, clip.name)

    def test_shapes(self):
        for size, wanted in (("2x2", (16, 16)), ("2000x20", (1024, 16)), ("16x4000", (16, 1920))):
            path = self.make(f"{size}.png", "-f", "lavfi", "-i", f"testsrc2=size={size}",
                             "-frames:v", "1")
            _, frames, _ = decode("--kind", "video", path)
            self.assertEqual((frames.error, len(frames.records)), (None, 1), size)
            self.assertEqual(jpeg_size(frames.records[0][1])[1], wanted[1], size)
        (self.folder / "one.png").write_bytes(damaged.png(1, 1))
        _, frames, _ = decode("--kind", "video", self.folder / "one.png")
        self.assertEqual(jpeg_size(frames.records[0][1]), (16, 16))

    def test_pipes(self):
        for name in ("tone.ogg", "clip.ts"):
            with open(self.whole[name], "rb") as f:
                cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
                status, frames, _ = decode("--kind", "audio", "-", stdin=cat.stdout)
                cat.stdout.close()
                self.assertEqual(cat.wait(), 0)
            self.assertEqual((status, frames.error), (0, None), name)
            self.assertIn(len(frames.records), (6, 7), name)

    def test_a_named_pipe(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen([MEDIA, "--kind", "audio", "--start", START, pipe],
                              stdout=subprocess.PIPE) as process:
            pipe.write_bytes(self.whole["tone.opus"].read_bytes())
            frames = Frames(process.communicate()[0])
        self.assertEqual((process.returncode, frames.error), (0, None))
        self.assertEqual(frames.records[0][0], START_US)

    def test_times_of_files(self):
        made = self.make("made.mp4", *damaged.TONE, "-metadata", "creation_time=" + START)
        _, frames, _ = decode("--kind", "audio", made)
        self.assertEqual(frames.records[0][0], START_US)
        plain = self.make("plain.wav", *damaged.TONE)
        os.utime(plain, (START_US / 1e6, START_US / 1e6))
        _, frames, _ = decode("--kind", "audio", plain)
        self.assertEqual(frames.records[0][0], START_US - 3000000)

    def test_what_is_not_there(self):
        for arguments, text in [
                (("--kind", "video", self.whole["tone.wav"]), "there is no picture in it"),
                (("--kind", "audio", self.whole["clip.gif"]), "there is no sound in it"),
                (("--kind", "audio", "/nonexistent"), "No such file"),
                (("--kind", "audio", self.folder), "is a folder"),
                (("--kind", "video", "/dev/video99"), "cannot be opened"),
                (("--kind", "video", "http://localhost/x"), "only rtsp://")]:
            status, frames, _ = decode(*arguments)
            self.assertEqual((status, frames.records, frames.closed), (1, [], False), text)
            self.assertIn(text, frames.error)
        for wrong in (["--kind", "text", "x"], ["--kind", "audio"], ["--kind", "audio", "a", "b"],
                      ["--kind", "video", "--fps", "0", "x"], ["--nonsense"]):
            self.assertEqual(decode(*wrong)[0], 2, wrong)

    def test_a_microphone(self):
        """ALSA's null device: the calls that devices are served with are not among the forbidden."""
        process = subprocess.Popen([MEDIA, "--kind", "audio", "alsa:null"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        first = process.stdout.read(5)
        process.kill()
        said = process.communicate()[1]
        size, kind = struct.unpack("<IB", first)
        if kind == varvetest.FRAME_ERROR:
            self.skipTest("skipped: there is no ALSA here")
        self.assertEqual((kind, said), (varvetest.FRAME_RECORDS, b""))


class Client(MediaCase):
    def test_ingest_and_ask(self):
        d = self.daemon()
        done = d.varve("ingest", "--stream", "talk", "--kind", "audio", "--start", START,
                       self.whole["tone.ogg"], check=True)
        self.assertRegex(done.out, r"^[67] records in ")
        done = d.varve("ingest", "--stream", "cam", "--kind", "video", "--fps", "4", "--start", START,
                       self.whole["clip.mp4"], check=True)
        self.assertRegex(done.out, r"^1[23] records in ")
        items = d.varve("timeline", "--stream", "cam", "--json").json()["items"]
        self.assertEqual(items[0]["start"], "2026-11-20T12:00:00.000000Z")
        for kind, name, stream in (("audio", "tone.wav", "talk"), ("video", "clip.mkv", "cam")):
            items = d.varve("similar", "--file", self.whole[name], "--kind", kind, "--json").json()
            self.assertEqual(items["items"][0]["stream"], stream)
        done = d.varve("similar", "--file", self.whole["clip.gif"])
        self.assertEqual(done.status, 1)
        self.assertIn("there is no sound in it", done.err)

    def test_once(self):
        d = self.daemon()
        options = ["--stream", "talk", "--kind", "audio", "--once", self.whole["tone.flac"]]
        self.assertRegex(d.varve("ingest", *options, check=True).out, r"^[67] records")
        done = d.varve("ingest", *options, check=True)
        self.assertRegex(done.out, r"^0 records")
        self.assertIn("was ingested before", done.err)

    def test_without_a_daemon(self):
        d = self.daemon(start=False)
        done = d.varve("score", "--kind", "audio", "--start", START, self.whole["tone.wav"], check=True)
        rows = done.out.splitlines()
        self.assertEqual(rows[0], "time,seq,bits,score,boundary")
        self.assertTrue(rows[1].startswith("2026-11-20T12:00:00.000000Z,1,"))
        self.assertIn(len(rows), (7, 8))
        done = d.varve("embed", "--kind", "video", self.whole["clip.mp4"], self.whole["clip.mkv"],
                       check=True)
        latents = [line["latent"] for line in done.lines()]
        self.assertEqual([len(latent) for latent in latents], [256, 256])
        self.assertGreater(sum(a * b for a, b in zip(*latents)), 0.9)

    def test_a_part_is_called_a_part(self):
        d = self.daemon()
        for name in ("tone.wav", "tone.flac", "head.mp4", "clip.mkv"):
            whole = self.whole[name].read_bytes()
            part = self.folder / name
            part.write_bytes(whole[:len(whole) // 2])
            done = d.varve("ingest", "--stream", "s", "--kind", "audio", part)
            self.assertEqual(done.status, 1, name)
            self.assertRegex(done.err, r"was ingested in part: [2-5] records", name)
            self.assertEqual(d.varve("embed", "--kind", "audio", part).status, 1, name)

    def fake(self, script):
        """A varve-media of our own; returns the environment that makes it the one."""
        folder = self.folder / "libexec"
        folder.mkdir(exist_ok=True)
        path = folder / "varve-media"
        path.write_text("#!/usr/bin/env python3\nimport os, struct, sys\n" + script)
        path.chmod(0o755)
        return {"VARVE_LIBEXEC": str(folder)}

    def test_a_decoder_that_breaks(self):
        cases = [("os.kill(os.getpid(), 11)", "broke down over it (signal 11"),
                 ("sys.exit(3)", "ended with status 3"),
                 ("os.write(1, b'\\xff' * 100)", "a frame of 4294967295 bytes"),
                 ("os.write(1, struct.pack('<IB', 1, 9))", "wrote a frame of type 9"),
                 ("os.write(1, struct.pack('<IBBB', 3, 1, 255, 255))", "malformed|shorter"),
                 ("os.write(1, struct.pack('<IB', 1, 4) * 2)", "wrote on behind its end")]
        d = self.daemon()
        for script, text in cases:
            d.environment.update(self.fake(script))
            done = d.varve("ingest", "--stream", "s", "--kind", "audio", "x")
            self.assertEqual(done.status, 1, script)
            self.assertRegex(done.err, re.escape(text) if "|" not in text else "frame|record", script)
        d.environment.update(self.fake("os.write(1, struct.pack('<IBB', 9, 1, 1) + "
                                       "bytes([2, 2, 4, 0, 0, 0, 0]))\nos.kill(os.getpid(), 11)"))
        done = d.varve("ingest", "--stream", "s", "--kind", "audio", "x")
        self.assertEqual(done.status, 1)
        self.assertIn("x was ingested in part: 1 records", done.err)
        d.environment["VARVE_LIBEXEC"] = str(self.folder)
        done = d.varve("ingest", "--stream", "s", "--kind", "audio", "x")
        self.assertIn("there is no varve-media in", done.err)
        self.assertEqual(d.stop(), 0)

    def test_a_source_whose_decoder_breaks(self):
        environment = self.fake("os.kill(os.getpid(), 11)")
        d = self.daemon("[source cam]\ntype = media\nurl = /dev/video7\nrestart = 10ms\n",
                        environment=environment)
        client = d.client()
        self.poll(lambda: "signal 11" in self.states(client), "trouble")
        again = self.fake("import time\nos.write(1, struct.pack('<IBB', 9, 1, 1) + "
                          "bytes([2, 2, 4, 0, 0, 0, 0]))\ntime.sleep(1000)\n")
        self.assertEqual(again, environment)
        d.configure("[source cam]\ntype = media\nurl = alsa:x\nrestart = 10ms\n[source c2]\n"
                    "type = media\nurl = y\nkind = audio\nrestart = 10ms\n")
        client.call("daemon.reload")
        self.poll(lambda: any(s["stream"] == "c2" and s["records"] == 1
                              for s in client.call("stream.list")["items"]), "a record")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.log().count("signal 11"), 1)


class Sources(MediaCase):
    def test_files_as_if_they_were_live(self):
        before = time.time()
        d = self.daemon(f"[source mic]\ntype = media\nkind = audio\nurl = {self.whole['tone.wav']}\n"
                        f"[source cam]\ntype = media\nurl = {self.whole['clip.mp4']}\nfps = 4\n"
                        f"width = 64\n")
        client = d.client()

        def records():
            return {s["stream"]: s for s in client.call("stream.list")["items"]}
        self.poll(lambda: sum(s["records"] >= 3 for s in records().values()) == 2, "records")
        for name, kind in (("mic", "audio"), ("cam", "video")):
            s = records()[name]
            self.assertEqual((s["kind"], s["state"]), (kind, "running"))
            first = datetime.datetime.fromisoformat(s["first"].replace("Z", "+00:00")).timestamp()
            self.assertGreater(first, before - 1)
        self.assertEqual(d.stop(), 0)

    def test_what_cannot_be_read(self):
        (self.folder / "letter.mp4").write_text("Dear Sir or Madam, this is no film.\n" * 50)
        d = self.daemon(f"[source cam]\ntype = media\nurl = {self.folder}/letter.mp4\n"
                        "restart = 10ms\n")
        client = d.client()
        self.poll(lambda: "not sound or pictures" in self.states(client), "what is wrong")
        self.poll(lambda: client.call("daemon.status"), "an answer")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.log().count("not sound or pictures"), 1)


class Camera(threading.Thread):
    """An RTSP server for one client: a telephone's sound, and then it hangs up."""

    def __init__(self, packets):
        super().__init__()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = "rtsp://user:secret@127.0.0.1:%d/a" % self.server.getsockname()[1]
        self.packets = packets

    def run(self):
        with self.server, self.server.accept()[0] as connection:
            lines = connection.makefile("rb")
            while True:
                request = lines.readline().decode()
                headers = dict(line.split(": ", 1) for line in
                               iter(lambda: lines.readline().decode().strip(), ""))
                verb = request.split(" ")[0]
                if not verb:
                    return
                body, more = "", ""
                if verb == "DESCRIBE":
                    body = ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
                            "m=audio 0 RTP/AVP 0\r\na=control:track1\r\n")
                    more = "Content-Type: application/sdp\r\n"
                elif verb == "SETUP":
                    more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n"
                elif verb == "OPTIONS":
                    more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
                connection.sendall((f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{more}"
                                    f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
                if verb == "PLAY":
                    break
            for i in range(self.packets):
                rtp = struct.pack(">BBHII", 0x80, 0, i, i * 160, 1) + bytes([0xff, 0x7f] * 80)
                connection.sendall(b"$\0" + struct.pack(">H", len(rtp)) + rtp)


class Network(MediaCase):
    def test_a_camera_as_a_client_of_its_own(self):
        d = self.daemon()
        camera = Camera(200)
        camera.start()
        done = subprocess.run([MEDIA, "--socket", str(d.socket), "--stream", "door", "--kind", "audio"],
                              env={**d.environment, "VARVE_MEDIA_URL": camera.url},
                              capture_output=True, text=True, timeout=varvetest.PATIENCE)
        camera.join()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("varve-media: the camera: stopped sending", done.stderr)
        self.assertNotIn("secret", done.stderr)
        streams = d.client().call("stream.list")["items"]
        self.assertEqual([(s["stream"], s["kind"]) for s in streams], [("door", "audio")])
        self.assertGreaterEqual(streams[0]["records"], 6)  # four seconds less what probing took

    def test_no_camera_there(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = "rtsp://user:secret@127.0.0.1:%d/a" % server.getsockname()[1]
        _, frames, _ = decode("--kind", "video", url)
        self.assertRegex(frames.error, "the camera: cannot be opened: .*refused")


class Hostile(MediaCase):
    COUNT = 30 if SLOW else 200

    def ingest(self, d, path):
        kind = "audio" if "tone" in path.name or path.suffix == ".mkv" else "video"
        done = d.varve("ingest", "--stream", kind, "--kind", kind, path, timeout=600)
        return path, kind, done

    def check(self, path, kind, done):
        """One file's answer; returns how many records came of it."""
        clue = f"{path.name} as {kind}: status {done.status}\n{done.out}{done.err}"
        self.assertIn(done.status, (0, 1), clue)
        self.assertNotRegex(done.err, "broke down|ended with status|" + "|".join(varvetest.SANITIZER), clue)
        records = int(re.match(r"([\d,]+) record", done.out).group(1).replace(",", ""))
        if done.status == 0:
            self.assertEqual(done.err, "", clue)
            self.assertGreater(records, 0, clue)
        else:
            self.assertRegex(done.err, r"^varve ingest: \S", clue)
            self.assertEqual("in part" in done.err, records > 0, clue)
        return records

    def check_that_nothing_was_kept_quiet(self, path, done):
        """What the ffmpeg program finds wrong with a file of nothing but sound, we do, too."""
        if done.status == 0 and "-tone-" in path.name:
            said = subprocess.run([damaged.FFMPEG, "-v", "error", "-nostdin", "-i", str(path), "-map",
                                   "0:a:0", "-f", "null", "-"], capture_output=True, text=True).stderr
            self.assertEqual(said, "", path.name)

    def test_damaged_files(self):
        d = self.daemon()
        files = damaged.make_damaged(self.folder, self.whole, self.COUNT,
                                     tracks=100000 if SLOW else 1000000)
        self.assertEqual(len(files), self.COUNT)
        sums = {"audio": 0, "video": 0}
        refused = 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, kind, done in pool.map(lambda path: self.ingest(d, path), files):
                sums[kind] += self.check(path, kind, done)
                refused += done.status
                if not SLOW:
                    self.check_that_nothing_was_kept_quiet(path, done)
        self.assertGreater(refused, self.COUNT // 3)
        streams = d.client().call("stream.list")["items"]
        self.assertEqual({s["stream"]: s["records"] for s in streams}, sums)
        self.assertNotRegex(d.log(), "(?m)^(warning|error)")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.dump("--verify").status, 0)

    def test_what_was_made_to_hurt(self):
        made = dict(damaged.by_hand(20000 if SLOW else 100000))
        for name, kind, text in [("large.png", "video", "larger pictures than 36 megapixels are not read"),
                                 ("tracks.mkv", "audio", "has more than 256 streams"),
                                 ("bomb.gif", "video", "too much work for its size"),
                                 ("list.m3u8", "audio", "can be read|made out"),
                                 ("concat.txt", "audio", "can be read|made out")]:
            (self.folder / name).write_bytes(made[name])
            _, frames, _ = decode("--kind", kind, self.folder / name)
            self.assertRegex(frames.error or "", text, name)


del MediaCase

if __name__ == "__main__":
    unittest.main()
