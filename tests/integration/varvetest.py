# SPDX-License-Identifier: Apache-2.0
"""Starts the real programs on a folder of their own and speaks to them as clients do.

A test file looks like this:

    import unittest
    import varvetest

    class Something(varvetest.Case):
        def test_it(self):
            daemon = self.daemon()                      # running, with [sources] default = off
            client = daemon.client()
            client.call("stream.open", name="s", kind="text")
            client.append("s", ["one", "two"])
            client.call("stream.flush", stream="s")
            found = daemon.varve("search", "two", "--json").json()

    if __name__ == "__main__":
        unittest.main()

Nothing is waited for by sleeping: a daemon is ready when it takes a connection, and gone when the
process has ended. Everything a test starts is ended by its process id. When a test fails, the
daemon's log is printed.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = pathlib.Path(os.environ.get("VARVE_BUILD_ROOT", "build"))
ROOT = pathlib.Path(os.environ.get("VARVE_SOURCE_ROOT",
                                   pathlib.Path(__file__).resolve().parents[2]))
# Sanitizers slow things down; this scales every limit of waiting.
SLOW = float(os.environ.get("VARVE_TEST_SLOW", "1"))
PATIENCE = 60 * SLOW

# What a sanitizer prints. Such a line fails the test even when the daemon ends well.
SANITIZER = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
             ": runtime error: ")

PROGRAMS = {"varved": "daemon", "varve": "cli", "varve-dump": "memory",
            "sample-db": "tests/sample", "varve-media": "media"}


def program(name):
    """The built program's path."""
    expected = BUILD / PROGRAMS[name] / name
    if expected.is_file():
        return str(expected)
    for path in BUILD.rglob(name):
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(f"{name} is not built in {BUILD}")


class RpcError(Exception):
    """An error the daemon answered with."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code = error["code"]
        self.message = error["message"]
        self.name = (error.get("data") or {}).get("code")


class Closed(Exception):
    """The daemon closed the connection."""


class Client:
    """One connection. `call` is for answers in order; the raw functions for everything else."""

    def __init__(self, path, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.pending = b""
        self.notifications = []
        self.next_id = 1

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, method, params=None, **more):
        """Sends a request and returns its id."""
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method,
                   "params": {**(params or {}), **more}}
        self.next_id += 1
        self.send_raw(json.dumps(request).encode() + b"\n")
        return request["id"]

    def read_line(self):
        """The next line as an object; Closed at the end of the connection."""
        while b"\n" not in self.pending:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionError as e:
                raise Closed(str(e)) from e
            if not data:
                raise Closed("end of the connection")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def read_exactly(self, size):
        while len(self.pending) < size:
            data = self.socket.recv(1 << 20)
            if not data:
                raise Closed("end of the connection")
            self.pending += data
        data, self.pending = self.pending[:size], self.pending[size:]
        return data

    def answer(self):
        """The next response; notifications that come before it are kept."""
        while True:
            message = self.read_line()
            if "method" not in message:
                return message
            self.notifications.append(message)

    def notification(self):
        if self.notifications:
            return self.notifications.pop(0)
        message = self.read_line()
        assert "method" in message, message
        return message

    def call(self, method, params=None, **more):
        """The result, or RpcError."""
        wanted = self.send(method, params, **more)
        message = self.answer()
        if "error" in message:
            raise RpcError(message["error"])
        assert message["id"] == wanted, message
        return message["result"]

    def append(self, stream, records):
        """Appends texts, or records as they are on the wire. Returns `acked` as a number."""
        records = [{"text": r} if isinstance(r, str) else r for r in records]
        return int(self.call("stream.append", stream=stream, records=records)["acked"])

    def open_channel(self, stream, kind="text"):
        """Turns this connection into an ingest channel; returns (credits, next_seq)."""
        self.call("stream.open", name=stream, kind=kind, framing="binary")
        frame_type, body = self.read_frame()
        assert frame_type == FRAME_HELLO, frame_type
        credit, at = read_varint(body, 0)
        next_seq, _ = read_varint(body, at)
        return credit, next_seq

    def read_frame(self):
        size, frame_type = struct.unpack("<IB", self.read_exactly(5))
        return frame_type, self.read_exactly(size - 1)


FRAME_RECORDS, FRAME_CHANNELS, FRAME_FLUSH, FRAME_CLOSE = 1, 2, 3, 4
FRAME_HELLO, FRAME_ACK, FRAME_FLUSHED, FRAME_CLOSED, FRAME_ERROR = 16, 17, 18, 19, 20


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at += 1
        shift += 7
        if not byte & 0x80:
            return value, at


def frame(frame_type, body=b""):
    return struct.pack("<IB", len(body) + 1, frame_type) + body


def text_records_frame(texts, first_seq=0):
    """A RECORDS frame of texts; first_seq 0 lets the daemon number."""
    body = varint(len(texts))
    for i, text in enumerate(texts):
        data = text.encode() if isinstance(text, str) else text
        body += bytes([1]) + varint(first_seq + i) if first_seq else b"\0"
        body += varint(len(data)) + data
    return frame(FRAME_RECORDS, body)


class Done:
    """What a program left behind."""

    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    def json(self):
        if self.status != 0:
            raise AssertionError(f"status {self.status}: {self.err}")
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Daemon:
    """A varved with a folder of its own. Use Case.daemon, which ends it too."""

    def __init__(self, folder, config="", default_sources=False, environment=None):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.socket = self.folder / "varved.sock"
        self.database = self.state / "memory.db"
        self.config = self.folder / "varved.conf"
        self.log_path = self.folder / "log"
        self.process = None
        self.clients = []
        self.environment = {**os.environ, "HOME": str(self.folder), "TZ": "UTC", "LC_ALL": "C.UTF-8",
                            "XDG_RUNTIME_DIR": str(self.folder), "VARVE_SOCKET": str(self.socket),
                            **(environment or {})}
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY", "NOTIFY_SOCKET"):
            self.environment.pop(name, None)
        self.default_sources = default_sources
        self.configure(config)

    def configure(self, config):
        """Writes the configuration; takes effect with the next start or reload."""
        text = "" if self.default_sources else "[sources]\ndefault = off\n"
        self.config.write_text(text + config)

    def command(self, *more):
        return [program("varved"), "--config", str(self.config), "--state", str(self.state),
                "--socket", str(self.socket), *more]

    def spawn(self, *more, **kwargs):
        """Starts the process without waiting for it."""
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, env=self.environment, **kwargs)
        log.close()
        return self

    def start(self, *more, **kwargs):
        """Starts it and returns when it takes connections."""
        self.spawn(*more, **kwargs)
        self.wait_ready()
        return self

    def wait_ready(self):
        limit = time.monotonic() + PATIENCE
        while True:
            try:
                with Client(self.socket) as probe:
                    probe.call("daemon.status")
                return
            except (OSError, Closed):
                if self.process.poll() is not None:
                    raise AssertionError(f"varved ended with status {self.process.returncode}:\n"
                                         f"{self.log()}") from None
                if time.monotonic() > limit:
                    raise
                # Nothing announces a socket that is about to appear; a bounded retry it is.
                threading.Event().wait(0.005)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def client(self):
        client = Client(self.socket)
        self.clients.append(client)
        return client

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """The exit status, negative for a signal."""
        return self.process.wait(timeout)

    def stop(self):
        """Asks it to end, as systemd does, and returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        self.wait()

    def run(self, name, *arguments, stdin=None, check=False, timeout=PATIENCE):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        completed = subprocess.run([program(name), *map(str, arguments)], env=self.environment,
                                   input=data, stdin=None if data is not None else
                                   subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, timeout=timeout)
        completed.stdout = completed.stdout.decode(errors="replace")
        completed.stderr = completed.stderr.decode(errors="replace")
        done = Done(completed)
        if check and done.status != 0:
            raise AssertionError(f"{name} {arguments}: status {done.status}: {done.err}")
        return done

    def varve(self, *arguments, **kwargs):
        return self.run("varve", *arguments, **kwargs)

    def dump(self, *arguments, **kwargs):
        return self.run("varve-dump", self.database, *arguments, **kwargs)

    def records(self, stream=None):
        """Every stored record, straight from the file, its payload named as on the wire."""
        arguments = ["--records"] + (["--stream", stream] if stream else [])
        records = self.dump(*arguments, check=True).lines()
        for record in records:
            payload = record.pop("payload")
            record["text" if isinstance(payload, str) else "values"] = payload
        return records

    def close(self):
        for client in self.clients:
            client.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Case(unittest.TestCase):
    """A folder a test, and the daemons in it ended when the test is over."""

    def setUp(self):
        # Short, because a socket's path must fit 108 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-"))
        self.daemons = []
        self.addCleanup(self.tidy)

    def failed(self):
        result = self._outcome.result
        return any(getattr(case, "test_case", case) is self
                   for case, _ in result.failures + result.errors)

    def tidy(self):
        for daemon in self.daemons:
            daemon.close()
        complaints = [line for daemon in self.daemons for line in daemon.log().splitlines()
                      if any(mark in line for mark in SANITIZER)]
        if complaints or self.failed():
            for daemon in self.daemons:
                print(f"---- log of {daemon.folder}\n{daemon.log()[-20000:]}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(complaints, [], "a sanitizer complained")

    def daemon(self, config="", start=True, name="d", **kwargs):
        """A daemon in a sub-folder of its own; the same name gives the same folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, config, **kwargs)
        self.daemons.append(daemon)
        if start:
            daemon.start()
        return daemon

    def poll(self, check, what="it"):
        """Asks again until check() says something; bounded."""
        limit = time.monotonic() + PATIENCE
        while True:
            result = check()
            if result:
                return result
            if time.monotonic() > limit:
                self.fail(f"{what} did not come")
            # Nothing announces what a source is about to read; a bounded retry it is.
            threading.Event().wait(0.02)

    def assertRpcError(self, code, call, *arguments, **kwargs):
        """The call answers with this JSON-RPC code; returns the error."""
        with self.assertRaises(RpcError) as caught:
            call(*arguments, **kwargs)
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        return caught.exception
