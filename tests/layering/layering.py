#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the #include lines and says which of them go against the arrows of docs/architecture.md."""
import pathlib
import re
import sys

# Which folders a folder builds on. An arrow reaches on: what config may know, model may know too.
BUILDS_ON = {
    "base": [],
    "config": ["base"],
    "model": ["config"],
    "memory": ["config"],
    "ipc": ["config"],
    "pipeline": ["model"],
    "daemon": ["pipeline", "memory", "ipc"],
    "cli": ["pipeline", "ipc"],
    "media": ["ipc"],
}

# Single headers that may be known beyond the arrows: plain functions over arrays or text.
ALSO = {
    "memory": {"model/coverage.h", "model/kernels.h", "model/encoder.h",
               "model/thumbnail.h"},
    "pipeline": {"ipc/json.h"},
}

# A library's header stays in the folders that wrap it.
LIBRARIES = {
    r"cblas\.h|openblas.*": {"model"},
    r"sqlite3(ext)?\.h": {"memory"},
    r"cjson/cJSON\.h|cJSON\.h": {"ipc"},
    r"FLAC/.*": {"memory"},
    r"jpeglib\.h|jerror\.h": {"model"},
    r"uv\.h": {"daemon", "ipc"},
    r"systemd/.*": {"daemon"},
    r"libav\w*/.*|libsw\w*/.*": {"media"},
    r"seccomp\.h": {"media"},
    r"check\.h": set(),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def may_know(folder):
    known = {folder}
    for below in BUILDS_ON[folder]:
        known |= may_know(below)
    return known


def check_line(folder, line):
    """The complaint about one line, or None."""
    match = INCLUDE.match(line)
    if not match:
        return None
    quote, header = match.groups()
    for pattern, folders in LIBRARIES.items():
        if re.fullmatch(pattern, header) and folder not in folders:
            where = ", ".join(sorted(folders)) or "tests"
            return f"<{header}> belongs to {where} only"
    if quote == "<":
        return None
    target = header.split("/")[0]
    if "/" not in header:
        return f'"{header}" needs its folder: includes start at the project\'s root'
    if target in may_know(folder) or header in ALSO.get(folder, ()):
        return None
    return f'{folder} may not know "{header}"'


def check_tree(root):
    """All complaints about a source tree, as FILE:LINE: text."""
    root = pathlib.Path(root)
    complaints = []
    for folder in BUILDS_ON:
        for path in sorted((root / folder).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                complaint = check_line(folder, line)
                if complaint:
                    complaints.append(f"{path.relative_to(root)}:{number}: {complaint}")
        libraries = sum(m.read_text().count("static_library(")
                        for m in (root / folder).rglob("meson.build"))
        if libraries > 1:
            complaints.append(f"{folder}/meson.build: one static library a folder, not {libraries}")
    return complaints


if __name__ == "__main__":
    found = check_tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    print("\n".join(found))
    sys.exit(bool(found))
