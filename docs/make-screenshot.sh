#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: docs/make-screenshot.sh BUILD [DB [ID]]
# Makes docs/timeline.png: the timeline of a memory file, or of what the demo has varved remember. With
# an ID that memory is open in it, otherwise the most unusual one is. Needs Chromium.
set -eu

[ $# -ge 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo 'make-screenshot.sh: no Chromium here' >&2
    exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/varve-picture.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

if [ $# -ge 2 ]; then
    db=$2
else
    TMPDIR=$work "$here/../demo/run.sh" "$build" >"$work/demo.txt"
    db=$(echo "$work"/varve-demo.*/state/memory.db)
fi
"$build/memory/varve-dump" "$db" --format html >"$work/timeline.html"
id=${3:-$("$build/memory/varve-dump" "$db" --format ndjson --stratum moment | python3 -c '
import json, sys
def worst(span):
    return max((u["score"] for u in span["unusual"]), default=0)
print(max(map(json.loads, sys.stdin), key=worst)["id"])')}

"$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
    --user-data-dir="$work/profile" --virtual-time-budget=4000 --window-size=1400,860 \
    --screenshot="$here/timeline.png" "file://$work/timeline.html#$id" 2>/dev/null
echo "$here/timeline.png: $(wc -c <"$here/timeline.png") bytes"
