# SPDX-License-Identifier: Apache-2.0
"""A browser for tests: chromedriver's WebDriver protocol over urllib, no other library."""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"]


def available():
    return bool(shutil.which("chromedriver")) and bool(shutil.which("chromium"))


class WebDriverError(Exception):
    pass


class Browser:
    """One window. `zone` is the time zone the page sees."""

    def __init__(self, zone="UTC", width=1400, height=900):
        self.profile = tempfile.mkdtemp(prefix="varve-browser-")
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        environment = {**os.environ, "TZ": zone, "LC_ALL": "C.UTF-8", "HOME": self.profile}
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], env=environment,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.session = None
        try:
            self.base = f"http://127.0.0.1:{self.wait_for_port()}"
            flags = [*FLAGS, f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
            options = {"binary": shutil.which("chromium"), "args": flags}
            answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
            self.session = answer["sessionId"]
        except BaseException:
            self.close()
            raise

    def wait_for_port(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise WebDriverError("chromedriver ended before it listened")

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise WebDriverError(error.read().decode(errors="replace")) from None

    def do(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def open(self, path, fragment=""):
        self.do("POST", "/url", {"url": pathlib.Path(path).resolve().as_uri() + fragment})

    def run(self, script, *arguments):
        """Runs the body of a function in the page and returns what it returns."""
        return self.do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, *arguments):
        """Runs the page's frames until the script is true; no time of our own is involved."""
        body = """const done = arguments[arguments.length - 1];
            const test = new Function(arguments[0]);
            let frames = 0;
            const step = () => {
              const value = test(...arguments[1]);
              if (value || frames++ > 1200) done(value);
              else requestAnimationFrame(step);
            };
            step();"""
        value = self.do("POST", "/execute/async", {"script": body, "args": [script, arguments]})
        if not value:
            raise AssertionError(f"never true in the page: {script}")
        return value

    def find(self, selector):
        return self.do("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.do("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self.do("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def keys(self, text):
        self.actions("key", [{"type": kind, "value": key} for key in text
                             for kind in ("keyDown", "keyUp")])

    def actions(self, kind, steps):
        source = {"type": kind, "id": kind, "actions": steps}
        if kind == "pointer":
            source["parameters"] = {"pointerType": "mouse"}
        self.do("POST", "/actions", {"actions": [source]})
        self.do("DELETE", "/actions")

    def click_at(self, x, y):
        self.actions("pointer", [{"type": "pointerMove", "duration": 0, "x": int(x), "y": int(y)},
                                 {"type": "pointerDown", "button": 0},
                                 {"type": "pointerUp", "button": 0}])

    def drag(self, x, y, dx, dy):
        self.actions("pointer", [{"type": "pointerMove", "duration": 0, "x": int(x), "y": int(y)},
                                 {"type": "pointerDown", "button": 0},
                                 {"type": "pointerMove", "duration": 50, "x": int(x + dx),
                                  "y": int(y + dy)},
                                 {"type": "pointerUp", "button": 0}])

    def wheel(self, x, y, dy):
        self.actions("wheel", [{"type": "scroll", "x": int(x), "y": int(y), "deltaX": 0,
                                "deltaY": dy, "duration": 0}])

    def color_scheme(self, scheme):
        self.do("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def screenshot(self):
        return base64.b64decode(self.do("GET", "/screenshot"))

    def complaints(self):
        """Errors and warnings of the console, policy violations among them, since the last call."""
        return [entry["message"] for entry in self.do("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Addresses asked for since the last call."""
        urls = []
        for entry in self.do("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls

    def close(self):
        try:
            if self.session:
                self.do("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)
