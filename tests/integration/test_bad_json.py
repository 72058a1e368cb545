#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that are wrong get an error that names the place, and harm nobody."""
import json
import unittest

import varvetest

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602


class BadJson(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon("[ipc]\nmax_request = 64KiB\n")
        self.bystander = self.d.client()
        self.bystander.call("stream.open", name="calm", kind="text")
        self.sent = 0

    def tearDown(self):
        """Another client works on, and what it was told is durable is there."""
        self.assertEqual(self.bystander.append("calm", ["still here"]), 1)
        self.bystander.call("stream.flush", stream="calm")
        self.assertEqual(self.d.stop(), 0)
        self.assertEqual([r["text"] for r in self.d.records("calm")], ["still here"])

    def raw(self, line, client=None):
        client = client or self.d.client()
        client.send_raw(line if isinstance(line, bytes) else line.encode())
        client.send_raw(b"\n")
        return client.answer()

    def refused(self, line, code, names=""):
        answer = self.raw(line)
        self.assertEqual(answer["error"]["code"], code, (line[:80], answer))
        self.assertIn(names, answer["error"]["message"], line[:80])
        return answer

    def test_not_json(self):
        for line in ["nonsense", "{", '{"a":}', "{'a':1}", '{"a":1,}', "[1,2", '"open', "{}x",
                     '{"jsonrpc":"2.0","id":1,"method":"daemon.status"} extra', "\x00", "nul",
                     '{"a":01}', '{"a":+1}', '{"a":.5}', '{"a":1.}', "[1 2]"]:
            answer = self.refused(line, PARSE)
            self.assertIsNone(answer["id"])
            self.assertIn("byte", answer["error"]["message"])

    def test_not_utf8(self):
        for bad in [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]:
            self.refused(b'{"jsonrpc":"2.0","id":1,"method":"' + bad + b'"}', PARSE, "byte")

    def test_nul_and_lone_surrogates(self):
        for text in [r"a\u0000b", r"\ud800", r"\udc00x"]:
            self.refused('{"jsonrpc":"2.0","id":1,"method":"%s"}' % text, PARSE, "byte")

    def test_a_key_twice(self):
        self.refused('{"jsonrpc":"2.0","id":1,"id":2,"method":"daemon.status"}', PARSE, "id")
        self.refused(r'{"jsonrpc":"2.0","id":1,"method":"memory.search",'
                     r'"params":{"query":"a","qu\u0065ry":"b"}}', PARSE)

    def test_deep(self):
        for depth in (40, 20000):
            answer = self.raw('{"jsonrpc":"2.0","id":1,"method":"daemon.status","params":' +
                              "[" * depth + "]" * depth + "}")
            self.assertIn("error", answer)

    def test_numbers_that_are_none(self):
        self.bystander.call("stream.open", name="s", kind="sensor")
        for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "nan", "0x10"]:
            self.refused('{"jsonrpc":"2.0","id":1,"method":"stream.append","params":{"stream":"s",'
                         '"records":[{"values":{"a":%s}}]}}' % number, PARSE)
        self.bystander.call("stream.flush", stream="s")
        self.assertEqual(self.bystander.call("stream.append", stream="s",
                                             records=[{"values": {"a": 1.5}}])["acked"], "1")

    def test_oversized(self):
        client = self.d.client()
        client.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"memory.search","params":{"query":"')
        try:
            for _ in range(64):
                client.send_raw(b"x" * 4096)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon need not read on after its answer
        answer = client.answer()
        self.assertIsNone(answer["id"])
        self.assertIn("error", answer)
        with self.assertRaises(varvetest.Closed):
            client.answer()

    def test_not_a_request(self):
        for line in ["1", '"daemon.status"', "null", "[]", "{}", '{"jsonrpc":"1.0","id":1}',
                     '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","id":1,"method":7}',
                     '{"jsonrpc":"2.0","id":{},"method":"daemon.status"}']:
            self.refused(line, REQUEST)

    def test_unknown_method_and_bad_params(self):
        client = self.d.client()
        self.assertRpcError(METHOD, client.call, "memory.explode")
        for params in [{}, {"query": 7}, {"query": "x", "limit": 0}, {"query": "x", "limit": 1.5},
                       {"query": "x", "limit": "three"}, {"query": "x", "colour": "red"},
                       {"query": "x" * 5000}, {"query": "x", "streams": [1]},
                       {"query": "x", "since": "the twelfth of never"}]:
            with self.subTest(params=str(params)[:60]):
                error = self.assertRpcError(PARAMS, client.call, "memory.search", params)
                self.assertTrue(error.message)
        answer = self.raw('{"jsonrpc":"2.0","id":1,"method":"memory.search","params":[1]}')
        self.assertEqual(answer["error"]["code"], PARAMS)

    def test_every_line_gets_one_answer_in_order_of_its_id(self):
        client = self.d.client()
        lines = []
        for i in range(200):
            lines.append("oops" if i % 3 == 0 else
                         json.dumps({"jsonrpc": "2.0", "id": i, "method": "daemon.status"}))
        client.send_raw("\n".join(lines).encode() + b"\n")
        answers = [client.answer() for _ in range(200)]
        self.assertEqual(sorted(a["id"] for a in answers if a["id"] is not None),
                         [i for i in range(200) if i % 3])

    def test_bad_records_are_refused_whole(self):
        client = self.d.client()
        client.call("stream.open", name="s", kind="text")
        for record in [{}, {"text": 1}, {"text": "x", "seq": "0"}, {"text": "x", "seq": "-1"},
                       {"text": "x", "seq": "18446744073709551616"}, {"text": "x", "seq": "1x"},
                       {"text": "x", "time": "yesterday-ish"}, {"values": {"a": 1}},
                       {"text": "x", "time": "1969-12-31T23:59:59Z"},
                       {"text": "x", "time": "2200-01-02T00:00:00Z"},
                       {"text": "x", "ref": "r" * 300}, "x", None]:
            with self.assertRaises(varvetest.RpcError, msg=str(record)) as caught:
                client.call("stream.append", stream="s",
                            records=[{"text": "good"}, record])
            self.assertTrue(caught.exception.code == PARAMS or -32100 < caught.exception.code <= -32000,
                            str(caught.exception))
            self.assertRegex(caught.exception.message, r"\b[12]\b|\[1\]", str(record))
        self.assertEqual(client.append("s", ["only this"]), 1)
        client.call("stream.flush", stream="s")
        self.assertEqual([r["text"] for r in self.d.records("s")], ["only this"])

    def test_far_times(self):
        client = self.d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", [{"text": "old", "time": "1970-01-01T00:00:00Z"},
                            {"text": "far", "time": "2199-12-31T23:59:59Z"}])
        client.call("stream.flush", stream="s")
        times = {r["text"]: r["time"] for r in self.d.records("s")}
        self.assertTrue(times["old"].startswith("1970-01-01"))
        self.assertTrue(times["far"].startswith("2199-12-31"))


if __name__ == "__main__":
    unittest.main()
