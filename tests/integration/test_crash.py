#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: no acknowledged record is missing, and none is there twice."""
import os
import random
import signal
import threading
import unittest

import varvetest

ROUNDS = int(os.environ.get("VARVE_CRASH_ROUNDS", "8"))
SEED = int(os.environ.get("VARVE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


class Feeder(threading.Thread):
    """Sends numbered records until the daemon is gone; resends what was not acknowledged."""

    def __init__(self, d, stream, kind, first, rng):
        super().__init__()
        self.d, self.stream, self.kind, self.rng = d, stream, kind, rng
        self.next = first
        self.acked = first - 1
        self.error = None
        self.started = threading.Event()

    def payload(self, seq):
        if self.kind == "sensor":
            return {"values": {"a": seq * 0.5, "b": float(seq % 17)}}
        return {"text": f"{self.stream} record {seq}: " + "word " * (seq * 7 % 40)}

    def run(self):
        try:
            client = varvetest.Client(self.d.socket)
            client.call("stream.open", name=self.stream, kind=self.kind)
            while True:
                count = self.rng.randrange(1, 200)
                records = [{"seq": str(seq), **self.payload(seq)}
                           for seq in range(self.acked + 1, self.acked + 1 + count)]
                self.acked = int(client.call("stream.append", stream=self.stream,
                                             records=records)["acked"])
                self.started.set()
                if self.rng.random() < 0.1:
                    client.call("stream.flush", stream=self.stream)
        except (varvetest.Closed, OSError):
            pass  # killed, as intended
        except Exception as e:  # noqa: BLE001, told to the test's thread
            self.error = e
        finally:
            self.started.set()


class Crash(varvetest.Case):
    def check(self, d, feeders):
        for feeder in feeders:
            records = d.records(feeder.stream)
            seqs = [int(r["seq"]) for r in records]
            self.assertEqual(len(seqs), len(set(seqs)), f"{feeder.stream}: a record is doubled")
            missing = set(range(1, feeder.acked + 1)) - set(seqs)
            self.assertEqual(missing, set(), f"{feeder.stream}: acknowledged records are missing")
            for record in records:
                want = feeder.payload(int(record["seq"]))
                for key, value in want.items():
                    self.assertEqual(record[key], value)

    def test_kill_at_random_moments(self):
        print(f"VARVE_CRASH_SEED={SEED}")
        rng = random.Random(SEED)
        d = self.daemon(start=False)
        acked = {"one": 0, "two": 0, "readings": 0}
        for _ in range(ROUNDS):
            d.start()
            feeders = [Feeder(d, name, "sensor" if name == "readings" else "text", done + 1,
                              random.Random(rng.randrange(1 << 30)))
                       for name, done in acked.items()]
            for feeder in feeders:
                feeder.start()
            for feeder in feeders:
                feeder.started.wait(varvetest.PATIENCE)
            # The moment is what is random here; nothing is waited for.
            threading.Event().wait(rng.random() * 0.5)
            d.signal(signal.SIGKILL)
            d.wait()
            for feeder in feeders:
                feeder.join()
                self.assertIsNone(feeder.error)
            self.check(d, feeders)
            acked = {feeder.stream: feeder.acked for feeder in feeders}
        d.start()
        client = d.client()
        for name in acked:
            client.call("stream.flush", stream=name)
        self.assertEqual(d.stop(), 0)
        self.check(d, feeders)
        verified = d.dump("--verify")
        self.assertEqual(verified.status, 0, verified.out + verified.err)

    def test_numbers_in_any_order_and_twice_in_one_batch(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        count = 20000  # downwards: each of them is below the next free number
        records = [{"seq": str(count - i), "text": f"record {count - i}"} for i in range(count)]
        again = [dict(r) for r in records[::7]]
        self.assertEqual(client.append("s", records + again), count)
        with self.assertRaises(varvetest.RpcError) as caught:
            client.append("s", [{"seq": str(count + 2), "text": "one"},
                                {"seq": str(count + 1), "text": "two"},
                                {"seq": str(count + 2), "text": "another"}])
        self.assertEqual(caught.exception.name, "seq_conflict")
        client.call("stream.flush", stream="s")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(sorted(int(r["seq"]) for r in d.records("s")),
                         list(range(1, count + 1)))

    def test_a_resend_changes_nothing_and_a_conflict_is_refused(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        first = [{"seq": str(i), "text": f"t{i}", "time": "2026-01-01T00:00:00Z"}
                 for i in range(1, 6)]
        self.assertEqual(client.append("s", first), 5)
        self.assertEqual(client.append("s", first), 5)
        client.call("stream.flush", stream="s")
        self.assertEqual(client.append("s", first[2:] + [{"seq": "6", "text": "t6"}]), 6)
        d.kill()
        d.start()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        self.assertEqual(client.append("s", first), 6)
        changed = [{"seq": "7", "text": "new"}, {"seq": "3", "text": "other"}]
        with self.assertRaises(varvetest.RpcError) as caught:
            client.append("s", changed)
        self.assertEqual(caught.exception.name, "seq_conflict")
        client.call("stream.flush", stream="s")
        self.assertEqual([r["text"] for r in d.records("s")],
                         ["t1", "t2", "t3", "t4", "t5", "t6"])

    def test_a_large_resend_after_a_restart_in_any_order(self):
        """Far more numbers than are looked up at once, upwards, downwards and mixed, with a gap."""
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        count, gap = 5000, range(3000, 3010)
        records = [{"seq": str(i), "text": f"t{i}", "time": "2026-01-01T00:00:00Z"}
                   for i in range(1, count + 1) if i not in gap]
        self.assertEqual(client.append("s", records), count)
        client.call("stream.flush", stream="s")
        mixed = [records[i * 1777 % len(records)] for i in range(len(records))]
        for again in (records, records[::-1], mixed):
            d.kill()
            d.start()
            client = d.client()
            client.call("stream.open", name="s", kind="text")
            self.assertEqual(client.append("s", again), count)
            with self.assertRaises(varvetest.RpcError) as caught:
                client.append("s", [*again[:1500], {"seq": again[1700]["seq"], "text": "other"}])
            self.assertEqual(caught.exception.name, "seq_conflict")
        late = [{"seq": str(i), "text": f"late {i}"} for i in gap]
        self.assertEqual(client.append("s", late + again[:2000]), count)
        client.call("stream.flush", stream="s")
        self.assertEqual(d.stop(), 0)
        stored = d.records("s")
        self.assertEqual(sorted(int(r["seq"]) for r in stored), list(range(1, count + 1)))
        self.assertEqual(sum(r["text"].startswith("late") for r in stored), len(gap))

    def test_a_gap_is_taken(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", [{"seq": "10", "text": "a"}, {"seq": "20", "text": "b"}])
        client.call("stream.flush", stream="s")
        self.assertEqual([r["seq"] for r in d.records("s")], ["10", "20"])


if __name__ == "__main__":
    unittest.main()
