#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tree keeps to its arrows, and the check sees it when it does not."""
import os
import pathlib
import tempfile
import unittest

import layering

ROOT = pathlib.Path(os.environ.get("VARVE_SOURCE_ROOT", pathlib.Path(__file__).parents[2]))


class Tree(unittest.TestCase):
    def test_the_project_keeps_to_its_arrows(self):
        self.assertEqual(layering.check_tree(ROOT), [])


class Planted(unittest.TestCase):
    """Each of these is a break, or nearly one."""

    def complaint(self, folder, line):
        return layering.check_line(folder, line)

    def test_upward_and_sideways(self):
        self.assertIn("base may not know", self.complaint("base", '#include "config/config.h"'))
        self.assertIn("model may not know", self.complaint("model", '#include "memory/store.h"'))
        self.assertIn("cli may not know", self.complaint("cli", '#include "memory/store.h"'))
        self.assertIn("ipc may not know", self.complaint("ipc", '  #  include "daemon/x.h"'))
        self.assertIn("memory may not know", self.complaint("memory", '#include "model/text.h"'))
        self.assertIn("pipeline may not know", self.complaint("pipeline", '#include "ipc/api.h"'))
        self.assertIn("daemon may not know", self.complaint("daemon", '#include "tests/x.h"'))

    def test_allowed(self):
        for folder, header in [("config", "base/error.h"), ("cli", "model/encoder.h"),
                               ("memory", "model/kernels.h"), ("pipeline", "ipc/json.h"),
                               ("daemon", "memory/store.h"), ("daemon", "base/buf.h")]:
            self.assertIsNone(self.complaint(folder, f'#include "{header}"'))

    def test_libraries_stay_in_their_folder(self):
        self.assertIn("memory only", self.complaint("daemon", "#include <sqlite3.h>"))
        self.assertIn("model only", self.complaint("memory", "#include <cblas.h>"))
        self.assertIn("ipc only", self.complaint("cli", "#include <cjson/cJSON.h>"))
        self.assertIn("daemon, ipc only", self.complaint("memory", "#include <uv.h>"))
        self.assertIsNone(self.complaint("memory", "#include <sqlite3.h>"))
        self.assertIsNone(self.complaint("base", "#include <stdio.h>"))

    def test_a_header_without_its_folder(self):
        self.assertIn("needs its folder", self.complaint("base", '#include "error.h"'))

    def test_a_planted_break_is_found_with_its_place(self):
        with tempfile.TemporaryDirectory() as root:
            for folder in layering.BUILDS_ON:
                os.mkdir(os.path.join(root, folder))
                with open(os.path.join(root, folder, "meson.build"), "w") as f:
                    f.write("x = static_library('x', 'x.c')\n")
            self.assertEqual(layering.check_tree(root), [])
            with open(os.path.join(root, "base", "bad.c"), "w") as f:
                f.write('/* */\n#include "daemon/loop.h"\n')
            with open(os.path.join(root, "ipc", "meson.build"), "a") as f:
                f.write("y = static_library('y', 'y.c')\n")
            self.assertEqual(layering.check_tree(root), [
                'base/bad.c:2: base may not know "daemon/loop.h"',
                "ipc/meson.build: one static library a folder, not 2"])


if __name__ == "__main__":
    unittest.main()
