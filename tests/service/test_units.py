#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The units are sound, closed enough, and leave open what the daemon needs."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["VARVE_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["VARVE_BUILD_ROOT"])
ANALYZE = shutil.which("systemd-analyze")
EXPOSURE_MAX = 10  # tenths: 1.0
EXPOSURE_MAX_NET = 15  # what reads from the network cannot be without it


def directives(text):
    """The unit's settings without its comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def place(self, source, name):
        """A copy that names a program which is there."""
        path = pathlib.Path(self.folder.name) / name
        text = pathlib.Path(source).read_text()
        path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
        return str(path)

    def analyze(self, *words):
        environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder.name,
                       "SYSTEMD_UNIT_PATH": self.folder.name + ":"}
        done = subprocess.run([ANALYZE, *words], capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout + done.stderr

    @unittest.skipUnless(ANALYZE, "skipped: systemd-analyze is not installed")
    def test_exposure(self):
        for name, most in [("varved.service", EXPOSURE_MAX),
                           ("varve-media@.service", EXPOSURE_MAX_NET)]:
            if not (BUILD / "systemd" / name).exists():
                self.skipTest(f"skipped: {name} is not built")
            unit = self.place(BUILD / "systemd" / name, name.replace("@", "@cam"))
            status, output = self.analyze("security", "--offline=true", "--no-pager",
                                          f"--threshold={most}", unit)
            self.assertEqual(status, 0, output)
            level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", output).group(1))
            self.assertLessEqual(level, most / 10)

    @unittest.skipUnless(ANALYZE, "skipped: systemd-analyze is not installed")
    def test_the_threshold_can_fail(self):
        unit = pathlib.Path(self.folder.name) / "open.service"
        unit.write_text("[Service]\nExecStart=/bin/true\n")
        status, _ = self.analyze("security", "--offline=true", "--no-pager",
                                 f"--threshold={EXPOSURE_MAX}", str(unit))
        self.assertNotEqual(status, 0)

    def test_cameras(self):
        """What keeps the daemon's memory from what reads the network, and what the lock-up needs."""
        unit = BUILD / "systemd" / "varve-media@.service"
        if not unit.exists():
            self.skipTest("skipped: varve-media is not built")
        lines = directives(unit.read_text())
        for line in ("InaccessiblePaths=-/var/lib/varved", "NoNewPrivileges=yes", "PrivateDevices=yes",
                     "CapabilityBoundingSet=", "ProtectSystem=strict", "SystemCallFilter=seccomp"):
            self.assertIn(line, lines)
        self.assertFalse([line for line in lines if "rtsp" in line or "password" in line])
        self.assertIn("SystemCallFilter=seccomp",
                      directives((BUILD / "systemd" / "varved.service").read_text()))

    @unittest.skipUnless(ANALYZE, "skipped: systemd-analyze is not installed")
    def test_verify(self):
        for scope, service, socket in [
                ("--system", BUILD / "systemd/varved.service", ROOT / "systemd/varved.socket"),
                ("--user", BUILD / "systemd/user-varved.service",
                 ROOT / "systemd/user-varved.socket")]:
            units = [self.place(service, "varved.service"), self.place(socket, "varved.socket")]
            camera = BUILD / "systemd/varve-media@.service"
            if scope == "--system" and camera.exists():
                units.append(self.place(camera, "varve-media@cam.service"))
            status, output = self.analyze(scope, "verify", "--man=no", *units)
            if "Failed to initialize manager" in output:
                self.skipTest(f"skipped: no unit can be loaded here: {output.strip()}")
            self.assertEqual((status, output.strip()), (0, ""), scope)

    def test_what_must_stay_open(self):
        text = (BUILD / "systemd" / "varved.service").read_text()
        for line in directives(text):
            for key in ("PrivateUsers=", "ProcSubset=", "PrivateNetwork="):
                self.assertFalse(line.startswith(key), line)

    def test_what_must_be_closed(self):
        lines = directives((BUILD / "systemd" / "varved.service").read_text())
        for line in ("Type=notify", "StateDirectoryMode=0700", "RestrictAddressFamilies=AF_UNIX",
                     "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict",
                     "MemoryDenyWriteExecute=yes"):
            self.assertIn(line, lines)
        self.assertTrue(any(line.startswith("WatchdogSec=") for line in lines))
        socket = directives((ROOT / "systemd" / "varved.socket").read_text())
        self.assertIn("SocketMode=0660", socket)
        self.assertIn("SocketGroup=varved", socket)

    @unittest.skipUnless(shutil.which("systemd-sysusers"), "skipped: no systemd-sysusers")
    def test_sysusers_and_tmpfiles(self):
        root = pathlib.Path(self.folder.name) / "root"
        (root / "etc").mkdir(parents=True)
        done = subprocess.run(["systemd-sysusers", f"--root={root}",
                               str(ROOT / "systemd/varved.sysusers")],
                              capture_output=True, text=True)
        if done.returncode != 0 and os.geteuid() != 0:
            self.skipTest(f"skipped: needs root: {done.stderr.strip()}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("varved:x:", (root / "etc/passwd").read_text())
        done = subprocess.run(["systemd-tmpfiles", "--create", f"--root={root}",
                               str(ROOT / "systemd/varved.tmpfiles")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((root / "run/varved").stat().st_mode & 0o7777, 0o755)


if __name__ == "__main__":
    unittest.main()
