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
database="$folder/state/memory.db"
export VARVE_SOCKET="$folder/varved.sock"
daemon=''

start()
{
    varved --config "$folder/varved.conf" --state "$folder/state" --socket "$VARVE_SOCKET" \
        >>"$folder/varved.log" 2>&1 &
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
}

stop()
{
    [ -n "$daemon" ] || return 0
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" || true
    daemon=''
}
trap stop EXIT
trap 'exit 130' INT TERM

title()
{
    printf '\n== %s\n' "$1"
}

# Prints a command as it could be typed, then what it answers.
show()
{
    line='$'
    for word in "$@"; do
        case $word in
        *' '*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '\n%s\n' "$line"
    "$@"
}

title 'Starting varved on an empty memory'
: >"$folder/varved.conf" # no configuration: all defaults
start
echo "It remembers this machine from now on. Its memory: $database"

title 'Two files, ingested by hand: a shop, and the sensors of its cold room'
python3 "$here/sample.py" "$folder"
show varve ingest --stream shop --kind text "$folder/shop.log"
show varve ingest --stream coldroom --kind sensor "$folder/coldroom.csv"

title 'Asking'
show varve ask 'what happened last night?' --budget 2500
show varve ask 'why did the compressor stop?' --budget 1200
show varve search 'breaker F7' --limit 3
show varve ask 'did anybody steal the printer?'
show varve surprise --stream coldroom --limit 3

title 'A few seconds later, and after a restart: what it knows of this machine'
sleep 10 # a few seconds of metrics
stop
start
show varve streams
show varve ask 'what happened in the last five minutes?' --stream host --budget 1500
show varve search install --limit 3
show varve status

title 'The memory itself'
printf '\n$ varve-dump %s --since -12h | head -n 40\n' "$database"
varve-dump "$database" >"$folder/memory.txt"
varve-dump "$database" --since -12h | head -n 40
echo "... all $(wc -l <"$folder/memory.txt") lines are in $folder/memory.txt"
varve-dump "$database" --format html >"$folder/timeline.html"

title 'Done'
cat <<END
The timeline, for a browser:  file://$folder/timeline.html
Go on asking:                 varved --state $folder/state   and   varve ask "..."
                              (the programs are in $build/daemon and $build/cli)
Remove it all:                rm -r $folder
END
