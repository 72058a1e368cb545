#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTML timeline in headless Chromium: what a person does with it, from a file and offline."""
import json
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import varvetest
import webdriver

MOMENTS = 300
ODD_TITLE = "disk sda: 8 unreadable sectors"
MARKUP = "<script>window.harm = 1</script><img src=x onerror='window.harm = 2'>"
HEADING = "const h = document.querySelector('#panel h2'); return h ? h.textContent : null"


@unittest.skipUnless(webdriver.available(), "no chromium or chromedriver here")
class Timeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.pages = {}
        for name, moments in [("page", MOMENTS), ("empty", 0), ("one", 1)]:
            database = cls.folder / f"{name}.db"
            subprocess.run([varvetest.program("sample-db"), database, str(moments)], check=True)
            page = subprocess.run([varvetest.program("varve-dump"), database, "--format", "html"],
                                  check=True, stdout=subprocess.PIPE).stdout
            cls.pages[name] = cls.folder / f"{name}.html"
            cls.pages[name].write_bytes(page)
        text = cls.pages["page"].read_text()
        cls.data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))
        cls.browser = webdriver.Browser(zone="Europe/Berlin")
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.load()

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])
        for url in self.browser.requests():
            self.assertRegex(url, r"^(file|data|chrome|chrome-untrusted):")

    def load(self, name="page", fragment=""):
        self.browser.open("/dev/null")  # or a change of the fragment alone would not load anew
        self.browser.color_scheme("light")
        self.browser.open(self.pages[name], fragment)
        self.browser.wait("return document.querySelector('#range').textContent")

    def node(self, title, start=0):
        """Index of the first moment from `start` on with this title."""
        moments = next(s for s in self.data["strata"] if s["stratum"] == 0)["count"]
        for n in range(start, moments):
            if self.data["texts"][self.data["title"][n]] == title:
                return n
        self.fail(f"no moment {title}")

    def place(self, n):
        """Where a moment lies on the screen while all is in view."""
        starts, at = [], 0
        for delta in self.data["start"]:
            at += delta
            starts.append(at)
        ends = [s + length for s, length in zip(starts, self.data["length"])]
        days = sum(s["count"] for s in self.data["strata"] if s["stratum"] <= 3)
        starts, ends = starts[:days], ends[:days]  # weeks and months reach further than the view
        span = max(ends) - min(starts)
        t0, t1 = min(starts) - span * .02, max(ends) + span * .02
        name = self.data["streams"][self.data["stream"][n]]["name"]
        box = self.browser.run("""const c = document.querySelector('#canvas').getBoundingClientRect();
            const lane = [...document.querySelectorAll('#lanes .lane')]
              .find((l) => l.querySelector('b').textContent === arguments[0]).getBoundingClientRect();
            return [c.left, c.width, lane.bottom - 8]""", name)
        middle = (starts[n] + ends[n]) / 2
        return box[0] + (middle - t0) / (t1 - t0) * box[1], box[2]

    def shown_span(self):
        return self.browser.run("return document.querySelector('#range small').textContent")

    def settled(self):
        """Returns when no animation moves the view any more."""
        self.browser.run("window.still = 0")
        self.browser.wait("""const now = document.querySelector('#range').textContent;
            const still = window.seen === now ? (window.still || 0) + 1 : 0;
            window.seen = now; window.still = still; return still > 20;""")

    def test_lanes_are_there(self):
        names = self.browser.run(
            "return [...document.querySelectorAll('#lanes .lane b')].map((b) => b.textContent)")
        for name in ("host", "journal", "notes"):
            self.assertIn(name, names)
        colors = self.browser.run("""const c = document.querySelector('#canvas');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            const seen = new Set();
            for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);
            return seen.size""")
        self.assertGreater(colors, 8)

    def test_click_opens_a_moment(self):
        n = self.node(ODD_TITLE)
        self.browser.click_at(*self.place(n))
        self.browser.wait(HEADING)
        self.assertEqual(self.browser.run(HEADING), ODD_TITLE)
        text = self.browser.run("return document.querySelector('#panel').innerText")
        self.assertIn("first line of its kind", text)
        self.assertIn("kernel: " + ODD_TITLE, text)
        self.assertIn("02:55:2", text)  # 01:55:20 UTC, shown in the page's zone
        self.assertEqual(self.browser.run("return location.hash"), f"#{self.data['id'][n]}")
        self.browser.keys("\ue00c")
        self.assertIsNone(self.browser.run(HEADING))
        self.assertEqual(self.browser.run("return location.hash"), "")

    def test_hover_tells(self):
        x, y = self.place(self.node(ODD_TITLE))
        self.browser.actions("pointer", [{"type": "pointerMove", "duration": 0, "x": int(x),
                                          "y": int(y)}])
        self.browser.wait("return !document.querySelector('#tip').hidden")
        self.assertIn(ODD_TITLE, self.browser.run("return document.querySelector('#tip').innerText"))

    def test_wheel_and_keys_zoom(self):
        whole = self.shown_span()
        x, y = self.place(self.node(ODD_TITLE))
        self.browser.wheel(x, y, -600)
        self.browser.wait("return document.querySelector('#range small').textContent !== arguments[0]",
                          whole)
        zoomed = self.browser.run("return document.querySelector('#range').textContent")
        self.browser.drag(x, y + 30, -200, 0)
        self.browser.wait("return document.querySelector('#range').textContent !== arguments[0]",
                          zoomed)
        self.browser.keys("0")
        self.settled()
        self.assertEqual(self.shown_span(), whole)
        self.browser.click("#zoom-in")
        self.settled()
        self.assertNotEqual(self.shown_span(), whole)

    def test_level_buttons(self):
        self.browser.run("""[...document.querySelectorAll('#levels button')]
            .find((b) => b.textContent === 'Hour').click()""")
        self.settled()
        self.assertEqual(self.shown_span(), "1 h")

    def test_search_filters_and_clears(self):
        wanted = sum(1 for n in range(len(self.data["id"]))
                     if "unreadable" in self.data["texts"][self.data["title"][n]].lower() or
                     self.data["gist"][n] >= 0 and
                     "unreadable" in self.data["texts"][self.data["gist"][n]].lower())
        self.assertGreater(wanted, 0)
        self.browser.type("#search", "UNREADABLE")
        self.browser.wait("return document.querySelector('#found')")
        found = self.browser.run("return document.querySelector('#found').textContent")
        self.assertTrue(found.startswith(f"{wanted} "), found)
        self.assertTrue(self.browser.run("return document.querySelectorAll('#panel mark').length"))
        self.browser.type("#search", "\ue007")  # Enter opens the first
        self.browser.wait(HEADING)
        self.assertIn(ODD_TITLE, self.browser.run(HEADING))
        self.browser.keys("\ue00c\ue00c")
        self.assertIsNone(self.browser.run("return document.querySelector('#found')"))
        self.assertEqual(self.browser.run("return document.querySelector('#search').value"), "")

    def test_most_unusual_first_and_neighbours(self):
        self.browser.click("#panel .list button")
        self.browser.wait(HEADING)
        self.assertEqual(self.browser.run(HEADING), "cpu 97.25, usually 6 to 18")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "title")
        self.assertGreaterEqual(self.browser.run(
            "return document.querySelectorAll('#panel .chart canvas').length"), 1)
        self.browser.keys("]")
        self.browser.wait(HEADING)
        self.assertEqual(self.browser.run(HEADING), "cpu, memory and load1 as usual")
        self.browser.keys("[n")
        self.browser.wait("return document.querySelector('#panel h2').textContent === arguments[0]",
                          ODD_TITLE)

    def test_deep_link(self):
        n = self.node(ODD_TITLE, self.node(ODD_TITLE) + 1)
        self.load(fragment=f"#{self.data['id'][n]}")
        self.browser.wait(HEADING)
        self.assertEqual(self.browser.run(HEADING), ODD_TITLE)
        self.settled()
        self.assertNotIn("1 d", self.shown_span())

    def test_markup_is_inert(self):
        n = self.node(MARKUP)
        self.load(fragment=f"#{self.data['id'][n]}")
        self.browser.wait(HEADING)
        self.assertEqual(self.browser.run(HEADING), MARKUP)
        self.browser.type("#search", "window.harm")
        self.browser.wait("return document.querySelector('#found')")
        self.assertIsNone(self.browser.run("return window.harm === undefined ? null : window.harm"))
        self.assertEqual(self.browser.run("return document.querySelectorAll('img').length"), 0)
        self.assertEqual(self.browser.run("return document.scripts.length"), 2)

    def test_the_policy_stops_what_is_put_in(self):
        self.browser.run("""const s = document.createElement('script');
            s.textContent = 'window.harm = 3'; document.body.append(s);
            const i = document.createElement('img'); i.src = 'http://192.0.2.1/x'; document.body.append(i);""")
        self.assertIsNone(self.browser.run("return window.harm === undefined ? null : window.harm"))
        complaints = " ".join(self.browser.complaints())
        self.assertIn("script-src", complaints)
        self.assertIn("img-src", complaints)
        self.browser.requests()

    def test_dark_and_light(self):
        ground = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(ground)
        self.browser.color_scheme("dark")
        self.browser.wait(ground + f" !== '{light}'")

    def test_empty_and_single(self):
        self.load("empty")
        self.assertFalse(self.browser.run("return document.querySelector('#empty').hidden"))
        self.load("one")
        self.assertTrue(self.browser.run("return document.querySelector('#empty').hidden"))
        self.browser.run("document.querySelectorAll('#panel .tabs button')[1].click()")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#panel .list li').length"), 3)

    def test_screenshot(self):
        picture = self.browser.screenshot()
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", picture[16:24])
        self.assertGreaterEqual(width, 1200)
        self.assertGreaterEqual(height, 700)
        self.assertGreater(len(picture), 20000)  # an empty page packs much smaller


if __name__ == "__main__":
    unittest.main()
