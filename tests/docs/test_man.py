#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages are clean, and say what the programs take."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["VARVE_BUILD_ROOT"])
PAGES = sorted(p for p in (BUILD / "man").glob("*.[1-8]"))

# What scdoc writes for every page, and every formatter takes.
HABITS = re.compile(r"WARNING: skipping paragraph macro")


class Man(unittest.TestCase):
    def test_there_are_pages(self):
        self.assertGreaterEqual({p.name for p in PAGES}, {"varve.1", "varved.8", "varved.conf.5"})

    @unittest.skipUnless(shutil.which("mandoc"), "skipped: mandoc is not installed")
    def test_lint(self):
        for page in PAGES:
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)],
                                  capture_output=True, text=True)
            complaints = [line for line in (done.stdout + done.stderr).splitlines()
                          if not HABITS.search(line)]
            self.assertEqual(complaints, [], page.name)

    def test_every_option_of_the_table_is_in_the_page(self):
        page = (BUILD / "man" / "varved.conf.5").read_text()
        options = subprocess.run([BUILD / "config" / "config_text", "file"], capture_output=True,
                                 text=True, check=True).stdout
        keys = re.findall(r"^#(\w+) =", options, re.M)
        self.assertGreater(len(keys), 20)
        for key in keys:
            self.assertIn(key, page)

    def test_every_flag_of_the_daemon_is_in_its_page(self):
        page = (BUILD / "man" / "varved.8").read_text().replace("\\-", "-")
        for flag in ("--config", "--state", "--socket", "--check-config"):
            self.assertIn(flag, page)

    def test_every_command_and_option_of_the_client_is_in_its_page(self):
        page = (BUILD / "man" / "varve.1").read_text().replace("\\-", "-")
        varve = BUILD / "cli" / "varve"
        commands = re.findall(r"^  (\w+) ", self.output(varve, "--help"), re.M)
        self.assertGreater(len(commands), 15)
        for command in commands:
            self.assertIn(f"\\fB{command}\\fR", page)
            for flag in re.findall(r"^  (--[a-z-]+)", self.output(varve, "help", command), re.M):
                self.assertIn(f"{flag}\\fR", page, command)

    def output(self, *words):
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    unittest.main()
