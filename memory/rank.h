/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores records against a question. Pure: no file, no clock; the caller brings the records of the
 * moments that may answer. Own BM25 of a record, then what its surroundings lend it:
 *
 *   own      BM25 over the question's words, more where they stand near each other as in the
 *            question, times 1 + coverage * (share of the question's weight that the record has)
 *   kin      a word that begins as one of the question's ("dancer", "dance")
 *   next     a share of the own score of the records one and two steps away, either side
 *   reply    a share more of the record before it where that ends in a question
 *   author   a record whose head ("Caroline: …") is the one author the question names
 *   session  the own score of the whole contiguous span it lies in
 *   others   what a record of another author than the named one counts there
 *   question a record that itself ends in a question answers less often
 *   date     the time that the question speaks of is a word like the others: the rarer its
 *            records, the more it says; what came soon after may tell of it
 *   latent   the similarity of its moment's latent to the question's; also a way to be found at all
 */
#ifndef VARVE_MEMORY_RANK_H
#define VARVE_MEMORY_RANK_H

#include "base/arena.h"
#include "base/record.h"
#include "memory/wordforms.h"
#include "memory/words.h"

struct rank_weights {
    double k1, b; /* BM25's */
    double near, coverage, kin, next, next2, reply, author, session, others, question, date, latent;
};

extern const struct rank_weights rank_weights_default;

struct rank_query {
    struct words_query words;
    struct wordforms forms;
    double idf[WORDS_QUERY_MAX];
    double idf_sum;
    uint32_t rows[WORDS_QUERY_MAX];  /* of the index that hold the word or one of its forms */
    uint32_t heads[WORDS_QUERY_MAX]; /* the first letters of a word of letters, else 0 */
    bool dated;                      /* the question speaks of since <= time < until */
    int64_t since, until;
    double date_idf;    /* of that time; the caller's to set */
    uint8_t slots[256]; /* a hash's low byte to 1 + a word's index, forms behind; linear probing */
};

/* From the question's words and how many records hold each; not dated. */
void rank_query_init(struct rank_query *q, const struct words_query *words,
                     const struct words_df *df);

struct rank_moment {
    int64_t stream;
    const struct record *records;
    uint32_t count;
    double latent; /* cosine to the question's, 0: none */
};

struct rank_record {
    uint32_t moment; /* index into the moments passed */
    uint32_t index;  /* of the record in its moment */
    uint64_t terms;  /* bit i: has word i of the question */
    float own;
    float total;
};

/*
 * moments must be in order of stream and time. ret: all their text records in that order, in the
 * arena; total is 0 where nothing speaks for a record. 0 or ERR_NOMEM.
 */
int rank_records(const struct rank_query *q, const struct rank_moment *moments,
                 uint32_t moment_count, const struct rank_weights *weights, struct arena *arena,
                 struct rank_record **ret, uint32_t *ret_count);

/* The question's words in a text, as a mask. */
uint64_t rank_terms(const struct rank_query *q, struct slice text);

/* What a record's time adds to its score. */
double rank_date(const struct rank_query *q, int64_t time, const struct rank_weights *weights);

/* idf of what `with` of `total` records have. */
double rank_idf(double with, double total);

/* Share 0..1 of the question's weight in the words of `terms`. */
double rank_coverage(const struct rank_query *q, uint64_t terms);

#endif
