#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins the timeline's page, style and scripts into one C file: the text before the data and after it.

The page's policy names the script and the style by their hashes, so that nothing else can run in it,
whatever a log line in the data says, and nothing can be fetched.

    embed.py OUT.c page.html style.css SCRIPT.js...
"""
import base64
import hashlib
import sys


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def hash_source(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def c_array(name, text):
    data = text.encode()
    rows = [",".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    return (f"const unsigned char {name}[] = {{\n" + ",\n".join(rows) + "};\n"
            f"const unsigned long {name}_size = sizeof({name});\n")


def main():
    out, page_path, style_path, *script_paths = sys.argv[1:]
    page, style = read(page_path), read(style_path)
    script = "(() => {\n'use strict';\n" + "".join(read(p) for p in script_paths) + "})();\n"
    for part in (style, script):
        if "</" + "script" in part or "</" + "style" in part:
            sys.exit("embed.py: a closing tag inside the style or the script")
    policy = ("default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
              f"script-src {hash_source(script)}; style-src {hash_source(style)}")
    page = page.replace("@policy@", policy).replace("@style@", style).replace("@script@", script)
    head, tail = page.split("@data@")
    with open(out, "w", encoding="utf-8") as f:
        f.write("/* Made by embed.py; not to be edited. */\n#include \"memory/dump/timeline_page.h\"\n\n")
        f.write(c_array("timeline_head", head))
        f.write(c_array("timeline_tail", tail))


if __name__ == "__main__":
    main()
