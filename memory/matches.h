/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All records that hold what a question asks for, in time order: for counting them, for the first
 * and the last, for the newest of a fact. Search finds the best few; this finds every one.
 */
#ifndef VARVE_MEMORY_MATCHES_H
#define VARVE_MEMORY_MATCHES_H

#include "memory/reader_internal.h"

struct match {
    int64_t moment, stream;
    const struct record *record;
    uint64_t terms;
    double coverage; /* of the question's weight, words of the stream's name included */
};

struct matches {
    struct rank_query rank;
    struct match *items; /* in time order */
    uint32_t count;
    uint64_t terms;  /* words that the best of them hold together */
    double coverage; /* of the best one */
    bool all;        /* none was left out: no bound was reached, no evidence gone */
};

/* How much of what the best match holds the others must hold. */
enum matches_how {
    MATCHES_SAME,  /* all its words */
    MATCHES_ANY,   /* one of the question's rarest words */
    MATCHES_ABOUT, /* its rarest word and a good part of the weight */
};

/*
 * In the reader's scratch arena; stops at `deadline` (monotonic). One of the rarest words that
 * memory has seen must be in every match.
 */
int matches_find(struct reader *r, struct slice text, const struct reader_filter *filter,
                 enum matches_how how, int64_t deadline, struct matches *ret, struct errmsg *err);

#endif
