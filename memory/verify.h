/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every invariant of the file, read in one snapshot, with the daemon running or not. Memory: 8
 * bytes a record of the stream whose sequence numbers overlap most, else little. Thread: any.
 */
#ifndef VARVE_MEMORY_VERIFY_H
#define VARVE_MEMORY_VERIFY_H

#include <stdint.h>

#include "base/error.h"

struct verify_counts {
    uint64_t moments, records; /* of stratum 0 */
    uint64_t above;            /* episodes, hours, days */
    uint64_t journaled;        /* records that lie in no moment yet */
};

/*
 * ERR_CORRUPT names the first broken invariant; the codes of sqlite_open_readonly. *ret (may be
 * NULL) is what was found sound.
 */
int verify_file(const char *path, struct verify_counts *ret, struct errmsg *err);

#endif
