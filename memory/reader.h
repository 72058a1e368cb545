/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file as a query thread sees it: one read-only connection with its prepared statements and
 * scratch memory. memory/recall.h asks the questions.
 *
 * Thread: a reader belongs to one thread at a time; open one for each query thread. It never writes and
 * never checkpoints. The file must exist (the store creates it).
 */
#ifndef VARVE_MEMORY_READER_H
#define VARVE_MEMORY_READER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "memory/schema.h"
#include "memory/store.h"

struct reader;
struct sketch_index;
struct words_df;
struct rank_weights;

struct reader_options {
    const char *path;
    const struct clock *clock;             /* "now" of recency and time phrases */
    const struct sketch_index *sketches;   /* shared, may be NULL: then latents are not searched */
    const struct words_df *df;             /* the live store's, shared; NULL: the file's is loaded */
    int cache_kib;                         /* SQLite page cache; 0: 4096 */
    const struct rank_weights *weights;    /* NULL: the defaults (memory/rank.h); benchmarks */
};

/* Takes a few ms. ERR_NOTFOUND without a file, ERR_CORRUPT, ERR_UNSUPPORTED for another schema. */
int reader_open(const struct reader_options *options, struct reader **ret, struct errmsg *err);
/* NULL is allowed. */
void reader_close(struct reader *r);

/* All streams in id order, in `arena`. */
int reader_streams(struct reader *r, struct arena *arena, struct store_stream **ret,
                   uint32_t *ret_count, struct errmsg *err);
/* ERR_NOTFOUND when there is none of that name. */
int reader_stream_find(struct reader *r, const char *name, struct store_stream *ret,
                       struct errmsg *err);

struct reader_stats {
    uint64_t moments[STRATA];   /* a stratum each: moments, episodes, …, months */
    uint64_t streams, records, payload_bytes;
    uint64_t file_bytes;        /* pages of the database, without WAL */
    int64_t first_time, last_time; /* TIME_UNKNOWN when empty */
};

/* Reads counters only: its cost does not grow with the file. */
int reader_stats(struct reader *r, struct reader_stats *ret, struct errmsg *err);

#endif
