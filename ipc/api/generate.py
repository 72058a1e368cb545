#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes from the method descriptions beside it: the C table, the protocol page, MCP's tool list.

  generate.py c HEADER SOURCE     the enum and the table
  generate.py doc PAGE            rewrites the page's section between the two markers
  generate.py check PAGE          exit 1 when that section is not what `doc` would write
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {
    "string": "API_STRING",
    "int": "API_INT",
    "number": "API_NUMBER",
    "bool": "API_BOOL",
    "strings": "API_STRINGS",
    "object": "API_OBJECT",
    "array": "API_ARRAY",
}
SCHEMA = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
    "array": {"type": "array"},
}
METHOD_KEYS = {"name", "summary", "durable", "params", "result", "errors", "tool"}
PARAM_KEYS = {"name", "type", "required", "min", "max", "choices", "default", "doc"}
FAMILIES = ["stream", "memory", "predict", "entity", "daemon"]
BEGIN = "<!-- methods: made by ipc/api/generate.py from ipc/api/*.json -->"
END = "<!-- end of methods -->"


def load():
    """All descriptions, families in the order of the page, checked for slips."""
    methods = []
    for path in sorted(HERE.glob("*.json")):
        method = json.loads(path.read_text(encoding="utf-8"))
        if method["name"] + ".json" != path.name:
            sys.exit(f"{path.name}: holds {method['name']}")
        unknown = set(method) - METHOD_KEYS
        for param in method["params"]:
            unknown |= set(param) - PARAM_KEYS
            if param["type"] not in TYPES:
                sys.exit(f"{path.name}: {param['name']} has type {param['type']}")
        if unknown:
            sys.exit(f"{path.name}: unknown keys {sorted(unknown)}")
        names = {p["name"] for p in method["params"]}
        missing = set(method.get("tool", {}).get("params", [])) - names
        if missing:
            sys.exit(f"{path.name}: the tool names no params {sorted(missing)}")
        methods.append(method)
    methods.sort(key=lambda m: (FAMILIES.index(m["name"].split(".")[0]), m["name"]))
    return methods


def symbol(name):
    return "API_" + name.replace(".", "_").upper()


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?") + '"'


def tool(method):
    """One member of MCP's tools array; short on purpose, every client pays for it in tokens."""
    spec = method["tool"]
    offered = spec.get("params")
    params = [p for p in method["params"] if offered is None or p["name"] in offered]
    schema = {"type": "object", "properties": {}}
    for p in params:
        schema["properties"][p["name"]] = dict(SCHEMA[p["type"]])
        if "choices" in p:
            schema["properties"][p["name"]]["enum"] = p["choices"]
    if not method.get("durable"):  # what changes something answers in a line
        schema["properties"]["max_bytes"] = {"type": "integer"}
    required = [p["name"] for p in params if p.get("required")]
    if required:
        schema["required"] = required
    result = {"name": spec["name"], "description": spec["description"], "inputSchema": schema}
    return json.dumps(result, ensure_ascii=False, separators=(",", ":"))


def header(methods):
    lines = ["/* Made by ipc/api/generate.py. */", "#ifndef VARVE_IPC_API_METHODS_H"]
    lines += ["#define VARVE_IPC_API_METHODS_H", "", "enum api_method {"]
    lines += [f"    {symbol(m['name'])}," for m in methods]
    lines += ["    API_METHODS,", "};", "", "#endif", ""]
    return "\n".join(lines)


def param_row(method, p):
    textual = p["type"] in ("string", "strings", "array")
    low = p.get("min", 0 if textual else "-INFINITY")
    high = p.get("max", "INFINITY")
    choices = "NULL"
    if "choices" in p:
        choices = f"choices_{symbol(method['name'])}_{p['name']}"
    default = p.get("default")
    return "    {%s, %s, %s, %s, %s, %s, %s, %s,\n     %s}," % (
        c_string(p["name"]),
        TYPES[p["type"]],
        "true" if p.get("required") else "false",
        low,
        high,
        choices,
        "true" if default is not None else "false",
        float(default) if default is not None else 0,
        c_string(p["doc"]),
    )


def source(methods):
    lines = ["/* Made by ipc/api/generate.py. */", "#include <math.h>", "#include <stddef.h>", ""]
    lines += ['#include "ipc/api.h"', '#include "ipc/api_table.h"', ""]
    for m in methods:
        for p in m["params"]:
            if "choices" in p:
                words = ", ".join(c_string(c) for c in p["choices"])
                lines.append(
                    f"static const char *const choices_{symbol(m['name'])}_{p['name']}[] = "
                    f"{{{words}, NULL}};"
                )
    for m in methods:
        if m["params"]:
            lines.append(f"static const struct api_param params_{symbol(m['name'])}[] = {{")
            lines += [param_row(m, p) for p in m["params"]]
            lines.append("};")
    lines += ["", "const struct api_info api_table[API_METHODS] = {"]
    for m in methods:
        params = f"params_{symbol(m['name'])}" if m["params"] else "NULL"
        name = c_string(m["tool"]["name"]) if "tool" in m else "NULL"
        durable = "true" if m.get("durable") else "false"
        lines.append(f"    [{symbol(m['name'])}] = {{{c_string(m['name'])},")
        lines.append(f"        {c_string(m['summary'])},")
        lines.append(f"        {name},")
        lines.append(f"        {c_string(tool(m)) if 'tool' in m else 'NULL'},")
        lines.append(f"        {params}, {len(m['params'])}, {durable}}},")
    lines += ["};", ""]
    return "\n".join(lines)


def bounds(p):
    unit = " bytes" if p["type"] == "string" else ""
    if p["type"] in ("strings", "array"):
        unit = " members"
    if "min" in p and "max" in p:
        return f"{p['min']} to {p['max']}{unit}"
    if "max" in p:
        return f"at most {p['max']}{unit}"
    if "min" in p:
        return f"at least {p['min']}{unit}"
    return ""


def page(methods):
    lines = [BEGIN, ""]
    for m in methods:
        lines += [f"### `{m['name']}`", "", m["summary"], ""]
        if m["params"]:
            lines += ["| param | type | | what |", "|---|---|---|---|"]
            for p in m["params"]:
                notes = []
                if p.get("required"):
                    notes.append("required")
                if "choices" in p:
                    notes.append(" or ".join(f"`{c}`" for c in p["choices"]))
                elif bounds(p):
                    notes.append(bounds(p))
                if "default" in p:
                    notes.append(f"default `{json.dumps(p['default'])}`")
                doc = p["doc"].replace("|", "\\|")
                lines.append(f"| `{p['name']}` | {p['type']} | {', '.join(notes)} | {doc} |")
            lines.append("")
        lines += ["Result: " + m["result"], ""]
        for name, text in m.get("errors", {}).items():
            lines.append(f"- error `{name}`: {text}")
        if m.get("errors"):
            lines.append("")
        if "tool" in m:
            lines += [f"MCP tool: `{m['tool']['name']}`.", ""]
    lines.append(END)
    return "\n".join(lines)


def with_section(text, section):
    try:
        head, rest = text.split(BEGIN, 1)
        tail = rest.split(END, 1)[1]
    except (ValueError, IndexError):
        sys.exit("the page has no markers for the methods")
    return head + section + tail


def main(argv):
    if len(argv) == 4 and argv[1] == "c":
        methods = load()
        pathlib.Path(argv[2]).write_text(header(methods), encoding="utf-8")
        pathlib.Path(argv[3]).write_text(source(methods), encoding="utf-8")
    elif len(argv) == 3 and argv[1] in ("doc", "check"):
        path = pathlib.Path(argv[2])
        old = path.read_text(encoding="utf-8")
        new = with_section(old, page(load()))
        if argv[1] == "doc":
            path.write_text(new, encoding="utf-8")
        elif new != old:
            sys.exit(f"{path.name} is not up to date: run ipc/api/generate.py doc docs/protocol.md")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
