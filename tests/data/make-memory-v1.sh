#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How memory-v1.db.gz was made: by the programs of the last commit with schema version 1, the sample
# that tests use and some records that their daemon took, with what its models had learnt.
# usage: make-memory-v1.sh OUT.db, in a clone of this repository.
set -e
out=$(realpath "$1")
work=$(mktemp -d)
git worktree add --detach "$work/source" 3878f60
meson setup "$work/build" "$work/source"
ninja -C "$work/build" tests/sample/sample-db daemon/varved cli/varve
mkdir -m 700 "$work/state"
"$work/build/tests/sample/sample-db" "$work/state/memory.db" 6
printf '[sources]\ndefault = off\n' > "$work/varved.conf"
"$work/build/daemon/varved" --config "$work/varved.conf" --state "$work/state" --socket "$work/socket" &
pid=$!
while ! "$work/build/cli/varve" --socket "$work/socket" status > "$work/log" 2>&1; do :; done
python3 - "$work" <<'END'
import random, sys
random.seed(1)
with open(sys.argv[1] + "/lines", "w") as lines, open(sys.argv[1] + "/rows", "w") as rows:
    rows.write("time,boiler\n")
    for i in range(400):
        stamp = "2026-11-21T%02d:%02d:00Z" % (i // 60, i % 60)
        user, port = random.choice(("anna", "ben", "carla")), random.randrange(1024, 65535)
        lines.write(f"{stamp} gate sshd[{300 + i}]: Accepted key for {user} from 10.0.0.7 port {port}\n")
        rows.write(f"{stamp},{60 + random.gauss(0, 0.5):.2f}\n")
END
"$work/build/cli/varve" --socket "$work/socket" ingest --stream gate --kind text "$work/lines"
"$work/build/cli/varve" --socket "$work/socket" ingest --stream cellar --kind sensor "$work/rows"
kill $pid
wait $pid
cp "$work/state/memory.db" "$out"
gzip -9 "$out"
git worktree remove --force "$work/source"
rm -r "$work"
