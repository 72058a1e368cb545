/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `varve ingest --once`: was this content ingested into this stream before? Memory itself knows:
 * each such ingest leaves a pinned note in the stream "ingests", whose ref is stream and content
 * hash.
 */
#ifndef VARVE_CLI_ONCE_H
#define VARVE_CLI_ONCE_H

#include <stdbool.h>

#include "cli/args.h"

#define ONCE_STREAM "ingests"

struct once {
    bool known;
    char hash[33]; /* XXH3, 128 bits */
};

/* 0 and *ret, or an exit status with the reason printed. */
int once_check(const struct args *a, const char *stream, const char *path, struct once *ret);
/* Leaves the note. */
int once_note(const struct args *a, const char *stream, const char *path, const struct once *once,
              uint64_t records);

#endif
