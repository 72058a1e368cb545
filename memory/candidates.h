/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which moments may answer at all: the cheap sieve before any evidence is read. Words come from the
 * full-text index, rarest first and only so many rows of it; latents from the sketches in memory.
 */
#ifndef VARVE_MEMORY_CANDIDATES_H
#define VARVE_MEMORY_CANDIDATES_H

#include "memory/reader_internal.h"

#define CANDIDATE_ROWS 4000 /* rows of the index that one question reads at most */

struct candidate {
    int64_t id;
    double score;   /* sum of idf of its words, plus the latent's share */
    uint64_t terms; /* words of the question found in the index for it */
    float latent;   /* cosine, 0: not compared */
};

struct candidate_query {
    const struct rank_query *rank;
    const float *latent; /* NULL: words only */
    const struct reader_filter *filter;
    double latent_weight; /* of a cosine of 1, relative to all of the question's words */
};

/*
 * Best first, ties newest first; in the reader's scratch arena. *ret_bounded (may be NULL) tells
 * that common words were left out or cut.
 */
int candidates_find(struct reader *r, const struct candidate_query *q, struct candidate **ret,
                    uint32_t *ret_count, bool *ret_bounded, struct errmsg *err);

/* The longest span of a stratum: how much earlier than a filter's since a moment may start. */
int candidates_span_max(struct reader *r, int stratum, int64_t *ret, struct errmsg *err);

#endif
