/* SPDX-License-Identifier: Apache-2.0 */
/* The search behind recall_search, recall_similar and recall_ask. Everything in the scratch arena.
 */
#ifndef VARVE_MEMORY_SEARCH_H
#define VARVE_MEMORY_SEARCH_H

#include "memory/reader_internal.h"

struct search_query {
    struct slice text;
    const float *latent; /* NULL: words only */
    const struct reader_filter *filter;
    double recency;
    struct recall_without without;
};

struct search_hit {
    struct moment_row row;
    double score; /* 0..1 */
    double
        coverage; /* 0..1: of the question's weight, by its best single record or its index words */
    uint64_t terms;
    uint32_t first, count; /* its records in `records` of the result, best first; none: count 0 */
};

struct search_record {
    int64_t id;
    int64_t stream;
    const struct record *record;
    double score; /* 0..1 */
};

struct search_result {
    struct rank_query rank;
    struct search_hit *hits; /* best first */
    uint32_t count;
    struct search_record *records; /* supporting ones, grouped by hit */
    struct search_record *best;    /* over all, at most RECALL_RECORDS */
    uint32_t best_count;
    uint32_t candidates; /* moments the sieve let through */
    bool bounded;        /* common words were left out */
};

int search_run(struct reader *r, const struct search_query *q, struct search_result *ret,
               struct errmsg *err);

/* Copies what the wire carries of a hit and of the best records into `arena`. */
int search_item(struct reader *r, const struct search_result *found, const struct search_hit *hit,
                struct arena *arena, struct recall_item *ret, struct errmsg *err);
int search_records(struct reader *r, const struct search_result *found, struct arena *arena,
                   struct recall_record **ret, uint32_t *ret_count, struct errmsg *err);

#endif
