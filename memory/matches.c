/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the sieve's moments that hold one of the question's rarest known words ▸ their
 * evidence ▸ every record's words ▸ those that hold as much as the best. Bounds: 4,000 rows of the
 * index, 2,000 moments, 12 MB of records, the deadline; what is over them makes `all` false.
 */
#include "memory/matches.h"

#include <stdlib.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/remains.h"

#define DECODE_MOMENTS 2000
#define DECODE_BYTES (12u << 20)
#define MATCHES_MAX 50000
#define COMMON_ROWS 400 /* of the index: a word with more may be left out by the sieve */
#define RARE_WORDS 3    /* one of so many of the rarest words must be in a match */
#define ABOUT_SHARE 0.3 /* of the best one's coverage */

struct finding {
    struct reader *r;
    const struct reader_filter *filter;
    struct matches *out;
    uint64_t required;
    uint32_t capacity;
    size_t bytes;
    uint32_t decoded;
    double best; /* coverage */
};

/* The rarest words of the question that memory knows, at most `max` of those in `among`. */
static uint64_t rarest_known(const struct reader *r, const struct rank_query *q, uint64_t among,
                             int max)
{
    uint64_t mask = 0;
    for (; max > 0; max--) {
        double best = 0;
        uint64_t next = 0;
        for (uint32_t i = 0; i < q->words.count; i++)
            if (among >> i & 1 && !(mask >> i & 1) && q->idf[i] > best && q->rows[i]) {
                best = q->idf[i];
                next = 1ull << i;
            }
        mask |= next;
    }
    return mask;
}

static int add(struct finding *f, const struct match *m, struct errmsg *err)
{
    struct matches *out = f->out;
    if (out->count == MATCHES_MAX) {
        out->all = false;
        return 0;
    }
    if (out->count == f->capacity) {
        uint32_t capacity = f->capacity ? 2 * f->capacity : 256;
        struct match *items = arena_alloc(&f->r->scratch, capacity * sizeof(*items));
        if (!items)
            return reader_nomem(err);
        if (out->count)
            memcpy(items, out->items, out->count * sizeof(*items));
        out->items = items;
        f->capacity = capacity;
    }
    out->items[out->count++] = *m;
    return 0;
}

static int read_moment(struct finding *f, const struct moment_row *row, struct errmsg *err)
{
    const struct known_stream *stream = reader_known_stream(f->r, row->stream);
    struct record *records = NULL;
    uint32_t count = 0;
    if (!stream || stream->kind != KIND_TEXT)
        return 0;
    int rc = reader_evidence(f->r, row->id, &f->r->scratch, &records, &count, err);
    if (rc == SQL_DONE) {
        f->out->all = false;
        rc = remains_read(f->r, row, &f->r->scratch, &records, &count, err);
    }
    if (rc)
        return rc;
    uint64_t of_stream =
        rank_terms(&f->out->rank, (struct slice){stream->name, strlen(stream->name)});
    f->decoded++;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        f->bytes += records[i].text.size;
        if (records[i].time < f->filter->since || records[i].time >= f->filter->until)
            continue;
        uint64_t terms = rank_terms(&f->out->rank, records[i].text);
        if (!(terms & f->required))
            continue;
        terms |= of_stream;
        struct match m = {row->id, row->stream, &records[i], terms,
                          rank_coverage(&f->out->rank, terms)};
        if (m.coverage > f->best)
            f->best = m.coverage;
        rc = add(f, &m, err);
    }
    return rc;
}

static int compare_times(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    if (x->record->time != y->record->time)
        return x->record->time < y->record->time ? -1 : 1;
    return (x->record->seq > y->record->seq) - (x->record->seq < y->record->seq);
}

static void keep_like_best(const struct reader *r, struct matches *out, enum matches_how how)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++)
        if (out->items[i].coverage > out->coverage) {
            out->coverage = out->items[i].coverage;
            out->terms = out->items[i].terms;
        }
    uint64_t required = rarest_known(r, &out->rank, out->terms, 1);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct match *m = &out->items[i];
        bool keep = how == MATCHES_ANY ? true
                    : how == MATCHES_SAME
                        ? (m->terms & out->terms) == out->terms
                        : (m->terms & required) && m->coverage >= ABOUT_SHARE * out->coverage;
        if (keep)
            out->items[kept++] = *m;
    }
    out->count = kept;
    if (kept)
        qsort(out->items, kept, sizeof(*out->items), compare_times);
}

/* Words that the sieve may not have looked up in every moment. */
static uint64_t common_words(const struct reader *r, const struct rank_query *q)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < q->words.count; i++)
        if (q->rows[i] > COMMON_ROWS)
            mask |= 1ull << i;
    return mask;
}

/* Can a moment with these words hold a record that is kept beside the best so far? */
static bool may_match(const struct finding *f, uint64_t terms, uint64_t common,
                      enum matches_how how, double best)
{
    double coverage = rank_coverage(&f->out->rank, terms | common);
    return how == MATCHES_ANY || coverage >= (how == MATCHES_SAME ? 0.999 : ABOUT_SHARE) * best;
}

int matches_find(struct reader *r, struct slice text, const struct reader_filter *filter,
                 enum matches_how how, int64_t deadline, struct matches *ret, struct errmsg *err)
{
    struct words_query words;
    struct candidate *candidates;
    uint32_t count;
    bool bounded;
    *ret = (struct matches){.all = true};
    if (words_query(text, &words))
        return reader_nomem(err);
    rank_query_init(&ret->rank, &words, r->df);
    struct finding f = {.r = r, .filter = filter, .out = ret};
    f.required = rarest_known(r, &ret->rank, UINT64_MAX, RARE_WORDS);
    if (!f.required)
        return 0;
    struct candidate_query cq = {.rank = &ret->rank, .filter = filter};
    uint64_t common = common_words(r, &ret->rank);
    int rc = candidates_find(r, &cq, &candidates, &count, &bounded, err);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        struct moment_row row;
        if (!(candidates[i].terms & f.required) ||
            !may_match(&f, candidates[i].terms, common, how, f.best))
            continue;
        if (f.decoded == DECODE_MOMENTS || f.bytes > DECODE_BYTES ||
            clock_mono(r->clock) > deadline) {
            ret->all = false;
            break;
        }
        rc = reader_moment(r, candidates[i].id, &r->scratch, &row, err);
        if (rc == 0 && row.stratum == STRATUM_MOMENT && reader_moment_passes(&row, filter))
            rc = read_moment(&f, &row, err);
        if (rc == SQL_DONE)
            rc = 0;
    }
    if (rc)
        return rc;
    /* The sieve reads the rarest words first: this one is cut only where it is common itself. */
    uint64_t rarest = rarest_known(r, &ret->rank, UINT64_MAX, 1);
    if (bounded && ret->rank.rows[__builtin_ctzll(rarest)] > CANDIDATE_ROWS / 2)
        ret->all = false;
    keep_like_best(r, ret, how);
    return 0;
}
