#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A question finds what came a moment ago, before anything closed the moment it lies in."""
import unittest

import varvetest


class Fresh(varvetest.Case):
    def test_ask_sees_open_moments(self):
        client = self.daemon().client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", ["the coffee machine caught fire", "somebody put it out"])
        answer = client.call("memory.ask", query="what caught fire?")
        self.assertFalse(answer["absent"], answer)
        self.assertIn("coffee", answer["items"][0]["title"] + answer["items"][0]["gist"])

    def test_questions_do_not_cut_a_stream_to_pieces(self):
        d = self.daemon()
        client = d.client()
        client.call("stream.open", name="s", kind="text")
        for i in range(20):
            client.append("s", [f"step {i} of the job is done"])
            client.call("memory.ask", query="job")
        client.call("stream.flush", stream="s")
        items = client.call("memory.timeline", stratum=0, limit=100)["items"]
        self.assertLessEqual(len(items), 3)

    def test_the_word_unusual_is_no_content(self):
        client = self.daemon().client()
        client.call("stream.open", name="s", kind="text")
        for i in range(5):
            client.append("s", [{"time": f"2026-01-01T0{i}:00:00Z",
                                 "text": f"unusual traffic: unusual, very unusual, day {i}"}])
        client.append("s", [{"time": "2026-01-01T08:00:00Z", "text": "the boiler leaks"}])
        answer = client.call("memory.ask", query="anything unusual with the boiler?")
        self.assertIn("boiler", answer["items"][0]["title"])
        found = [item for item in answer["items"] if item["through"] != "neighbour"]
        self.assertEqual(len(found), 1)

    def test_many_ask_at_once(self):
        d = self.daemon()
        feeder = d.client()
        feeder.call("stream.open", name="s", kind="text")
        feeder.append("s", ["one line"])
        clients = [d.client() for _ in range(16)]
        for client in clients:
            client.send("memory.ask", query="line")
        for client in clients:
            self.assertIn("result", client.answer())


if __name__ == "__main__":
    unittest.main()
