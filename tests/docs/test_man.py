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


if __name__ == "__main__":
    unittest.main()
