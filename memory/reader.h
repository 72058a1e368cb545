/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file as a query thread sees it: one read-only connection with its prepared statements and
 * scratch memory. memory/recall.h asks the questions.
 *
 * Thread: a reader belongs to one thread at a time; open one for each query thread. It never writes
 * and never checkpoints. The file must exist (the store creates it).
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
    const struct clock *clock;           /* "now" of recency and time phrases */
    const struct sketch_index *sketches; /* shared, may be NULL: then latents are not searched */
    const struct words_df *df;           /* the live store's, shared; NULL: the file's is loaded */
    int cache_kib;                       /* SQLite page cache; 0: 4096 */
    const struct rank_weights *weights;  /* NULL: the defaults (memory/rank.h); benchmarks */
};

/* Takes a few ms. ERR_NOTFOUND without a file, ERR_CORRUPT, ERR_UNSUPPORTED for another schema. */
int reader_open(const struct reader_options *options, struct reader **ret, struct errmsg *err);
/* NULL is allowed. */
void reader_close(struct reader *r);

#endif
