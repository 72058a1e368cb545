/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All moments' latents as one-bit sketches in memory: the sieve before the exact comparison. A sketch is
 * the signs of a latent's 256 numbers; the Hamming distance of two estimates their angle.
 *
 * Thread: one thread appends (the one that learns of committed moments, in any order of ids), any
 * number search at the same time without locks. 56 bytes a moment, never moved: chunks that are
 * published by a counter.
 */
#ifndef VARVE_MEMORY_SKETCH_H
#define VARVE_MEMORY_SKETCH_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/record.h"

struct sketch_index;

int sketch_index_new(struct sketch_index **ret);
/* NULL is allowed. No search may be running. */
void sketch_index_free(struct sketch_index *ix);

/* An all-zero latent is not kept. Returns 0, ERR_NOMEM or ERR_LIMIT (16 million moments). */
int sketch_index_append(struct sketch_index *ix, int64_t id, int64_t stream, enum stream_kind kind,
                        int64_t time, const float *latent);
/* Memories that were forgotten or let go: their room is used again. One scan a call; orders `ids`;
 * the appending thread's. Unknown ids are ignored. */
void sketch_index_remove(struct sketch_index *ix, int64_t *ids, size_t count);
/* How many there are. */
uint32_t sketch_index_count(const struct sketch_index *ix);

/*
 * Appends what the file holds, oldest first, over a connection of its own: moments up to `max_id` (those
 * that were there when the daemon started; 0: all). Meant for a background thread, which is the one that
 * appends until this returns. *stop, when not NULL, ends it early.
 */
int sketch_index_load(struct sketch_index *ix, const char *path, int64_t max_id,
                      const atomic_bool *stop, struct errmsg *err);

/* The exact comparison behind the sieve; 0 when either is all zero. a[LATENT_DIM], b[LATENT_DIM]. */
double latent_cosine(const float *a, const float *b);

struct sketch_hit {
    int64_t id;
    uint32_t distance; /* bits of 256 that differ */
};

/* What may be hit: TIME_UNKNOWN leaves a side open; streams by id, none: all. */
struct sketch_filter {
    enum stream_kind kind;
    int64_t since, until;
    const int64_t *streams;
    uint32_t stream_count;
};

/* The nearest `max` in ret, nearest first; returns how many. */
uint32_t sketch_index_search(const struct sketch_index *ix, const float *latent,
                             const struct sketch_filter *filter, struct sketch_hit *ret,
                             uint32_t max);

#endif
