/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample-db PATH [MOMENTS [kill]]: the sample as a file, for tests that start programs. With "kill"
 * it ends like a daemon that was killed: what it wrote last stands in the write-ahead log only.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sample/sample_db.h"

int main(int argc, char **argv)
{
    struct errmsg err = {.text = ""};
    struct store *store;
    bool killed = argc == 4 && strcmp(argv[3], "kill") == 0;
    if (argc < 2 || argc > 4 || (argc == 4 && !killed)) {
        fprintf(stderr, "usage: sample-db PATH [MOMENTS [kill]]\n");
        return 2;
    }
    uint32_t moments = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 300;
    if (sample_db_make(argv[1], moments, killed ? &store : NULL, &err) != 0) {
        fprintf(stderr, "sample-db: %s\n", err.text);
        return 1;
    }
    return killed ? raise(SIGKILL) : 0;
}
