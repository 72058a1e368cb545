#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: demo/run.sh BUILD
# Starts varved as the calling user on a folder of its own, lets it remember this machine and two
# small files, asks it things, and ends it again. The folder stays, to look around in.
set -eu

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
PATH="$build/daemon:$build/cli:$build/memory:$PATH"
folder=$(mktemp -d "${TMPDIR:-/tmp}/varve-demo.XXXXXX")
export VARVE_SOCKET="$folder/varved.sock"
daemon=''

finish()
{
    if [ -n "$daemon" ]; then
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" || true
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

title()
{
    printf '\n== %s\n' "$1"
}

# Shows a command as it could be typed, then what it answers.
show()
{
    printf '\n$ '
    for word in "$@"; do
        case $word in
        *' '*) printf '"%s" ' "$word" ;;
        *) printf '%s ' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

title 'Starting varved on an empty memory'
: >"$folder/varved.conf" # no configuration: all defaults
varved --config "$folder/varved.conf" --state "$folder/state" >"$folder/varved.log" 2>&1 &
daemon=$!
tries=0
until varve status >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$daemon" 2>/dev/null; then
        echo 'varved did not start:' >&2
        cat "$folder/varved.log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "It remembers this machine from now on. Its memory: $folder/state/memory.db"

title 'Two files, ingested by hand: a shop, and the sensors of its cold room'
python3 "$here/sample.py" "$folder"
show varve ingest --stream shop --kind text "$folder/shop.log"
show varve ingest --stream coldroom --kind sensor "$folder/coldroom.csv"

title 'Asking'
show varve ask 'what happened last night?'
show varve ask 'why did the compressor stop?'
show varve search 'breaker F7' --limit 3
show varve ask 'did anybody steal the printer?'
show varve surprise --stream coldroom --limit 3

title 'What it knows of this machine so far'
sleep 10 # a few seconds of metrics
show varve streams
show varve ask 'how busy is this machine right now?'
show varve status

title 'The memory itself'
printf '\n$ varve-dump %s | head -n 40\n' "$folder/state/memory.db"
varve-dump "$folder/state/memory.db" >"$folder/memory.txt"
head -n 40 "$folder/memory.txt"
lines=$(wc -l <"$folder/memory.txt")
[ "$lines" -le 40 ] || echo "... $((lines - 40)) more lines in $folder/memory.txt"
varve-dump "$folder/state/memory.db" --format html >"$folder/timeline.html"

title 'Done'
cat <<END
The timeline, for a browser:  file://$folder/timeline.html
Go on asking:                 varved --state $folder/state   and   varve ask "..."
                              (the programs are in $build/daemon and $build/cli)
Remove it all:                rm -r $folder
END
