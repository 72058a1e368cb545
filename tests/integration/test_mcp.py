#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`varve mcp` against the messages that a real client sends."""
import json
import subprocess
import unittest

import varvetest


class Mcp(varvetest.Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon()
        client = self.d.client()
        client.call("stream.open", name="s", kind="text")
        client.append("s", [f"a heron stood in pond {n}" for n in range(200)])
        client.call("stream.flush", stream="s")
        self.bridge()

    def bridge(self):
        self.p = subprocess.Popen([varvetest.program("varve"), "mcp"], env=self.d.environment,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        for step in (self.p.stdin.close, self.p.stderr.close, self.p.stdout.close, self.p.wait,
                     self.p.kill):
            self.addCleanup(step)

    def send(self, message):
        text = message if isinstance(message, str) else json.dumps(message)
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()

    def ask(self, method, params=None, number=1):
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        answer = json.loads(self.p.stdout.readline())
        self.assertEqual((answer["jsonrpc"], answer["id"]), ("2.0", number))
        return answer

    def tool(self, tool, **arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]
        self.assertEqual([c["type"] for c in result["content"]], ["text"])
        return result["isError"], result["content"][0]["text"]

    def test_handshake(self):
        for asked, given in (("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"),
                             ("2025-06-18", "2025-06-18"), ("2031-01-01", "2025-06-18")):
            result = self.ask("initialize", {"protocolVersion": asked, "capabilities": {},
                                             "clientInfo": {"name": "t", "version": "0"}})["result"]
            self.assertEqual(result["protocolVersion"], given)
            self.assertEqual(result["serverInfo"]["name"], "varve")
            self.assertIn("tools", result["capabilities"])
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.assertEqual(self.ask("ping", number="p")["result"], {})

    def test_tools(self):
        tools = self.ask("tools/list", {})["result"]["tools"]
        names = {t["name"] for t in tools}
        self.assertLessEqual({"ask", "search", "timeline", "open", "raw", "remember", "surprise"},
                             names)
        for tool in tools:
            self.assertEqual(tool["inputSchema"]["type"], "object")
            self.assertLessEqual(set(tool["inputSchema"].get("required", [])),
                                 set(tool["inputSchema"]["properties"]))
        # Every client pays for this list in every conversation.
        self.assertLess(len(json.dumps(tools)), 5000)

    def test_calls(self):
        failed, text = self.tool("search", query="heron", limit=2)
        self.assertFalse(failed)
        identity = text.split()[0]
        failed, text = self.tool("open", id=identity)
        self.assertFalse(failed)
        self.assertIn("heron", text)
        failed, text = self.tool("ask", query="zebra crossing")
        self.assertFalse(failed)
        self.assertTrue(text.startswith("absent: true\n"))
        failed, text = self.tool("remember", text="the ladder stands in the shed")
        self.assertFalse(failed)
        failed, text = self.tool("search", query="ladder")
        self.assertIn("shed", text)
        for tool in ("streams", "status", "surprise", "entities", "timeline"):
            self.assertFalse(self.tool(tool)[0], tool)

    def test_budget(self):
        identity = self.tool("search", query="heron", limit=1)[1].split()[0]
        _, whole = self.tool("raw", id=identity, max_bytes=65536)
        self.assertNotIn("[cut", whole)
        _, usual = self.tool("raw", id=identity)
        self.assertLessEqual(len(usual.encode()), 4096)
        _, cut = self.tool("raw", id=identity, max_bytes=500)
        self.assertLessEqual(len(cut.encode()), 500)
        self.assertIn(f"of {len(whole.encode())} bytes shown", cut)
        self.assertTrue(whole.startswith(cut[:cut.index("\n[cut")]))
        self.assertTrue(self.tool("raw", id=identity, max_bytes=1)[0])
        self.assertTrue(self.tool("raw", id=identity, max_bytes="many")[0])

    def test_what_is_wrong(self):
        self.assertEqual(self.ask("tools/call", {"name": "nope"})["error"]["code"], -32602)
        self.assertEqual(self.ask("tools/call", {})["error"]["code"], -32602)
        self.assertEqual(self.ask("tools/call", {"name": "ask", "arguments": []})["error"]["code"],
                         -32602)
        self.assertEqual(self.ask("resources/list")["error"]["code"], -32601)
        # The model can read these and try again.
        self.assertEqual(self.tool("search"), (True, "query: is missing"))
        self.assertEqual(self.tool("search", query="x", limit=0), (True, "limit: at least 1"))
        failed, text = self.tool("open", id="999999")
        self.assertTrue(failed)
        self.assertIn("999999", text)
        for line, code in (("{nonsense", -32700), ('{"a":1,"a":2}', -32700), ("17", -32700),
                           ('{"jsonrpc":"2.0","id":1}', -32600), ("[]", -32600)):
            self.send(line)
            answer = json.loads(self.p.stdout.readline())
            self.assertEqual(answer["error"]["code"], code, line)
        self.send('{"jsonrpc":"2.0","id":9,"result":{}}')  # an answer to nothing: no answer
        self.assertEqual(self.ask("ping", number=10)["result"], {})

    def test_batch(self):
        self.send([{"jsonrpc": "2.0", "id": "a,]\"}", "method": "ping"},
                   {"jsonrpc": "2.0", "method": "notifications/progress"},
                   {"jsonrpc": "2.0", "id": 2, "method": "nope"}])
        answers = json.loads(self.p.stdout.readline())
        self.assertEqual([a["id"] for a in answers], ["a,]\"}", 2])

    def test_the_daemon_restarts(self):
        self.assertFalse(self.tool("status")[0])
        self.d.kill()
        failed, text = self.tool("search", query="heron")
        self.assertTrue(failed)
        self.assertIn("start it with `varved`", text)
        self.d.start()
        failed, text = self.tool("search", query="heron")
        self.assertFalse(failed, text)
        self.d.stop()
        self.d.start()
        failed, text = self.tool("remember", text="after a restart")
        self.assertFalse(failed, text)

    def test_ends_with_its_input(self):
        out, err = self.p.communicate('{"jsonrpc":"2.0","id":1,"method":"ping"}',
                                      timeout=varvetest.PATIENCE)
        self.assertEqual(json.loads(out)["id"], 1)
        self.assertEqual((err, self.p.returncode), ("", 0))


if __name__ == "__main__":
    unittest.main()
