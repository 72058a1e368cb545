/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single values out of the file for the daemon's own use, each over a connection of its own: for things
 * that happen rarely. Any thread.
 */
#ifndef VARVE_MEMORY_LOOKUP_H
#define VARVE_MEMORY_LOOKUP_H

#include "base/buf.h"
#include "base/error.h"

/* What store_state_put kept under `key`, appended to `out`; ERR_NOTFOUND. */
int lookup_state(const char *path, const char *key, struct buf *out, struct errmsg *err);
/* The moment that holds record `seq` of a stream; ERR_NOTFOUND while it lies in none. */
int lookup_moment_of(const char *path, int64_t stream, uint64_t seq, int64_t *ret_id,
                     struct errmsg *err);

#endif
