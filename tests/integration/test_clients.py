#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that flood, never read or die in mid-frame cost nobody else anything."""
import json
import threading
import unittest

import varvetest


class BadClients(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon("[ipc]\nmax_connections = 32\n")
        self.good = self.d.client()
        self.good.call("stream.open", name="good", kind="text")

    def still_well(self, count=3):
        before = self.good.append("good", ["line"] * count)
        self.good.call("stream.flush", stream="good")
        return before

    def test_dies_in_mid_line(self):
        for part in (b"{", b'{"jsonrpc":"2.0","id":1,"method":"stream.append","params":{"stream":'):
            client = self.d.client()
            client.send_raw(part)
            client.close()
        self.assertEqual(self.still_well(), 3)

    def test_dies_in_mid_frame(self):
        client = self.d.client()
        client.open_channel("cut")
        whole = varvetest.text_records_frame(["first", "second"])
        client.send_raw(whole + whole[:-3])
        client.close()
        self.assertEqual(self.still_well(), 3)
        other = self.d.client()
        other.call("stream.open", name="cut", kind="text")
        other.call("stream.flush", stream="cut")
        self.assertEqual([r["text"] for r in self.d.records("cut")], ["first", "second"])

    def test_frames_of_nonsense(self):
        bodies = [b"\0\0\0\0", b"\xff\xff\xff\xff\x01", varvetest.frame(99, b"x"),
                  varvetest.frame(varvetest.FRAME_RECORDS, b"\xff" * 20),
                  varvetest.frame(varvetest.FRAME_RECORDS, varvetest.varint(1 << 40)),
                  varvetest.frame(varvetest.FRAME_CHANNELS, b"\x05"),
                  varvetest.frame(varvetest.FRAME_HELLO, b"\x01\x01")]
        for body in bodies:
            client = self.d.client()
            client.open_channel("frames")
            try:
                client.send_raw(body)
                client.socket.shutdown(1)
                types = []
                while True:
                    types.append(client.read_frame()[0])
            except (varvetest.Closed, OSError):
                pass
            client.close()
        self.assertEqual(self.still_well(), 3)
        self.assertEqual(self.d.records("frames"), [])

    def test_a_bad_record_does_not_cost_its_neighbours(self):
        client = self.d.client()
        client.open_channel("mixed")
        client.send_raw(varvetest.text_records_frame(["one", b"\xff\xfe", "three"]) +
                        varvetest.frame(varvetest.FRAME_FLUSH))
        errors = []
        while True:
            kind, body = client.read_frame()
            if kind == varvetest.FRAME_ERROR:
                errors.append(varvetest.read_varint(body, 0)[0])
            if kind == varvetest.FRAME_FLUSHED:
                break
        self.assertEqual(errors, [2])
        self.assertEqual([r["text"] for r in self.d.records("mixed")], ["one", "three"])

    def test_never_reads(self):
        """Answers that nobody fetches are bounded: the client stalls or is closed on."""
        deaf = self.d.client()
        deaf.socket.setblocking(False)
        line = (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "daemon.status"}) + "\n").encode()
        try:
            for _ in range(200000):
                deaf.socket.send(line)
        except OSError:
            pass  # full, or closed: either is fine
        self.assertEqual(self.still_well(), 3)
        status = self.good.call("daemon.status")
        self.assertIsInstance(status, dict)

    def test_flood(self):
        """Four clients write as fast as they can while another one works as usual."""
        failures = []
        done = threading.Event()

        def flood(number):
            try:
                client = varvetest.Client(self.d.socket)
                name = f"flood{number}"
                client.call("stream.open", name=name, kind="text")
                total = 0
                while not done.is_set():
                    total += 500
                    acked = client.append(name, [f"line {total + i} of the flood"
                                                 for i in range(500)])
                    assert acked == total, (acked, total)
                client.close()
                counts[number] = total
            except Exception as e:  # noqa: BLE001, told to the test's thread
                failures.append(f"{type(e).__name__}: {e}")

        counts = [0] * 4
        threads = [threading.Thread(target=flood, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        try:
            for i in range(20):
                self.assertEqual(self.still_well(1), i + 1)
                self.good.call("memory.search", query="flood")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.d.stop(), 0)
        for number, total in enumerate(counts):
            seqs = [int(r["seq"]) for r in self.d.records(f"flood{number}")]
            self.assertEqual(sorted(seqs), list(range(1, total + 1)))

    def test_too_many_connections(self):
        """One over the limit is refused; the ones that are in stay."""
        inside = [self.d.client() for _ in range(31)]
        for client in inside:
            client.call("daemon.status")
        extra = self.d.client()
        try:
            extra.send("daemon.status")
            answer = extra.answer()
            self.assertIn("error", answer)
        except (varvetest.Closed, OSError):
            pass
        for client in inside:
            client.call("daemon.status")
        for client in inside:
            client.close()
        self.assertEqual(self.still_well(), 3)


if __name__ == "__main__":
    unittest.main()
