/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: order the question's words by what looking them up costs; take them, rarest first,
 * until the bound; each row met adds its word's weight to its moment in a hash table. A word that
 * alone is over the bound is read newest first for half of what is left and in slices over all of
 * memory for the other half. A filter becomes a set of ids when it is small, bounds of rowids
 * otherwise. Sizes: 4,000 rows, 8,192 ids of a span, 128 sketches.
 */
#include "memory/candidates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/sketch.h"

#define SPAN_IDS 8192
#define SPAN_PROBES 64
#define SLICES 8
#define SAMPLE_ROWS 1600 /* of a word that is over the bound */
#define SKETCH_HITS 128
#define TABLE_SIZE 32768 /* over twice what can be found; a power of two */
#define SCRATCH_TIME_MIN (INT64_MIN / 4)

struct span_ids {
    bool bounded; /* the filter says anything */
    bool exact;   /* ids holds all of them, sorted */
    int64_t *ids;
    uint32_t count;
    int64_t low, high; /* of ids */
};

struct search {
    struct reader *r;
    const struct candidate_query *q;
    struct span_ids span;
    struct candidate *found;
    uint32_t count;
    uint32_t *table; /* 1 + index into found */
    uint32_t rows_left;
};

int candidates_span_max(struct reader *r, int stratum, int64_t *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_STRATA, &stmt, err);
    *ret = 0;
    while (rc == 0 && (rc = sql_step(stmt, err)) == 0)
        if (sqlite3_column_int(stmt, 0) == stratum)
            *ret = sqlite3_column_int64(stmt, 2);
    return rc == SQL_DONE ? 0 : rc;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Adds up to `limit` ids of a stream's (0: the stratum's) span. */
static int read_ids(struct search *s, enum reader_sql which, int64_t key, int64_t from, int64_t to,
                    uint32_t limit, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(s->r, which, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, from);
    sqlite3_bind_int64(stmt, 3, to);
    sqlite3_bind_int64(stmt, 4, limit);
    while ((rc = sql_step(stmt, err)) == 0 && s->span.count < SPAN_IDS + SPAN_PROBES)
        s->span.ids[s->span.count++] = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

/*
 * A span with too many moments: ids at even steps of time tell between which ids its moments lie.
 * True bounds where moments were stored in the order of their times; an older file that was taken
 * in meanwhile may leave some of its moments outside.
 */
static int probe_ids(struct search *s, enum reader_sql which, int64_t key, int64_t from, int64_t to,
                     struct errmsg *err)
{
    if (from < 0)
        from = 0;
    if (to > TIME_MAX)
        to = TIME_MAX;
    int64_t now = clock_now(s->r->clock);
    int64_t end = to < now ? to : now > from ? now : to;
    for (int i = 0; i < SPAN_PROBES; i++) {
        int64_t at = from + (end - from) / SPAN_PROBES * i;
        int rc = read_ids(s, which, key, at, to, 1, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int find_span(struct search *s, struct errmsg *err)
{
    const struct reader_filter *f = s->q->filter;
    struct span_ids *span = &s->span;
    *span = (struct span_ids){.low = 0, .high = INT64_MAX / WORDS_ROWS - 1};
    if (f->since == TIME_UNKNOWN && f->until == INT64_MAX && f->stream_count == 0)
        return 0;
    int64_t reach;
    int rc = candidates_span_max(s->r, STRATUM_MOMENT, &reach, err);
    if (rc)
        return rc;
    int64_t from = f->since == TIME_UNKNOWN ? SCRATCH_TIME_MIN : f->since - reach;
    span->ids = arena_alloc(&s->r->scratch, (SPAN_IDS + SPAN_PROBES) * sizeof(*span->ids));
    if (!span->ids)
        return reader_nomem(err);
    bool exact = true;
    for (uint32_t i = 0; i < (f->stream_count ? f->stream_count : 1) && rc == 0; i++) {
        bool stream = f->stream_count > 0;
        int64_t key = stream ? f->streams[i] : STRATUM_MOMENT;
        uint32_t room = SPAN_IDS - (span->count < SPAN_IDS ? span->count : SPAN_IDS), before;
        before = span->count;
        rc = read_ids(s, stream ? SQL_STREAM_SPAN_IDS : SQL_SPAN_IDS, key, from, f->until, room,
                      err);
        if (rc == 0 && span->count - before == room) {
            exact = false;
            rc = probe_ids(s, stream ? SQL_STREAM_SPAN_PROBE : SQL_SPAN_PROBE, key, from, f->until,
                           err);
        }
    }
    if (rc)
        return rc;
    qsort(span->ids, span->count, sizeof(*span->ids), compare_ids);
    span->bounded = true;
    span->exact = exact;
    if (span->count) {
        span->low = span->ids[0];
        span->high = span->ids[span->count - 1];
    }
    /* The last probe stands before the end: what came after it belongs to the span too. */
    if (!exact && f->until >= clock_now(s->r->clock))
        span->high = INT64_MAX / WORDS_ROWS - 1;
    return 0;
}

static bool in_span(const struct span_ids *span, int64_t id)
{
    return !span->exact || bsearch(&id, span->ids, span->count, sizeof(id), compare_ids) != NULL;
}

static struct candidate *candidate_at(struct search *s, int64_t id)
{
    uint32_t at = (uint32_t)((uint64_t)id * 0x9e3779b97f4a7c15ull >> 49) & (TABLE_SIZE - 1);
    while (s->table[at]) {
        if (s->found[s->table[at] - 1].id == id)
            return &s->found[s->table[at] - 1];
        at = (at + 1) & (TABLE_SIZE - 1);
    }
    s->table[at] = ++s->count;
    s->found[s->count - 1] = (struct candidate){.id = id};
    return &s->found[s->count - 1];
}

/* Rows of one form of a word. */
static int read_form(struct search *s, uint32_t word, const char *text, bool back, int64_t low,
                     int64_t high, uint32_t limit, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    char match[WORD_MAX + 3];
    int size = snprintf(match, sizeof(match), "\"%s\"", text);
    int rc = reader_statement(s->r, back ? SQL_WORD_ROWS_BACK : SQL_WORD_ROWS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_text(stmt, 1, match, size, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, low * WORDS_ROWS);
    sqlite3_bind_int64(stmt, 3, high * WORDS_ROWS + WORDS_ROWS - 1);
    sqlite3_bind_int64(stmt, 4, limit < s->rows_left ? limit : s->rows_left);
    while ((rc = sql_step(stmt, err)) == 0) {
        int64_t id = sqlite3_column_int64(stmt, 0) / WORDS_ROWS;
        s->rows_left -= s->rows_left > 0;
        if (!in_span(&s->span, id))
            continue;
        struct candidate *c = candidate_at(s, id);
        if (!(c->terms >> word & 1))
            c->score += s->q->rank->idf[word];
        c->terms |= 1ull << word;
    }
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

/*
 * Rows of one word between two moments, at most `limit` a form. Reading back costs three times as
 * much.
 */
static int read_rows(struct search *s, uint32_t word, bool back, int64_t low, int64_t high,
                     uint32_t limit, struct errmsg *err)
{
    const struct rank_query *q = s->q->rank;
    int rc = read_form(s, word, q->words.words[word].text, back, low, high, limit, err);
    for (uint32_t i = 0; i < q->forms.count && rc == 0; i++)
        if (q->forms.forms[i].word == word)
            rc = read_form(s, word, q->forms.forms[i].text, back, low, high, limit, err);
    return rc;
}

/* A word with too many rows: the newest, then slices over the whole range. */
static int sample_rows(struct search *s, uint32_t word, struct errmsg *err)
{
    int64_t newest;
    int rc = sql_int64(s->r->db, "SELECT coalesce(max(id), 0) FROM moment", &newest, err);
    int64_t low = s->span.low, high = s->span.high < newest ? s->span.high : newest;
    uint32_t half = (s->rows_left < SAMPLE_ROWS ? s->rows_left : SAMPLE_ROWS) / 2;
    if (rc == 0)
        rc = read_rows(s, word, true, low, high, half, err);
    for (int i = 0; i < SLICES && rc == 0; i++)
        rc = read_rows(s, word, false, low + (high - low) / SLICES * i, high, half / SLICES, err);
    return rc;
}

/* Rows of a word inside the rowid bounds, as if they were spread evenly. */
static uint32_t expected_rows(const struct search *s, uint32_t word, int64_t newest)
{
    double rows = s->q->rank->rows[word];
    if (!s->span.bounded || newest <= 0)
        return (uint32_t)rows;
    int64_t high = s->span.high < newest ? s->span.high : newest;
    double share = (double)(high - s->span.low + 1) / (double)newest;
    return (uint32_t)(rows * (share < 0 ? 0 : share > 1 ? 1 : share));
}

static int find_words(struct search *s, bool *ret_bounded, struct errmsg *err)
{
    uint32_t order[WORDS_QUERY_MAX], rows[WORDS_QUERY_MAX];
    uint32_t count = s->q->rank->words.count;
    int64_t newest = 0;
    int rc = 0;
    if (s->span.bounded)
        rc = sql_int64(s->r->db, "SELECT coalesce(max(id), 0) FROM moment", &newest, err);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = i;
        rows[i] = expected_rows(s, i, newest);
        for (; k > 0 && rows[order[k - 1]] > rows[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (uint32_t k = 0; k < count && rc == 0 && s->rows_left; k++) {
        uint32_t word = order[k];
        bool fits = rows[word] <= s->rows_left;
        if (fits)
            rc = read_rows(s, word, false, s->span.low, s->span.high, s->rows_left, err);
        else
            *ret_bounded = true;
        if (!fits && s->count < SKETCH_HITS && rc == 0)
            rc = sample_rows(s, word, err);
        if (!fits)
            break;
    }
    return rc;
}

static int find_latents(struct search *s, struct errmsg *err)
{
    struct sketch_hit hits[SKETCH_HITS];
    const struct reader_filter *f = s->q->filter;
    struct sketch_filter filter = {.kind = KIND_TEXT,
                                   .since = f->since,
                                   .until = f->until == INT64_MAX ? TIME_UNKNOWN : f->until,
                                   .streams = f->streams,
                                   .stream_count = f->stream_count};
    uint32_t n = sketch_index_search(s->r->sketches, s->q->latent, &filter, hits, SKETCH_HITS);
    for (uint32_t i = 0; i < n; i++) {
        float latent[LATENT_DIM];
        int rc = reader_latent(s->r, hits[i].id, latent, err);
        if (rc == SQL_DONE)
            continue; /* forgotten since */
        if (rc)
            return rc;
        double similar = latent_cosine(s->q->latent, latent);
        if (similar <= 0)
            continue;
        struct candidate *c = candidate_at(s, hits[i].id);
        c->latent = (float)similar;
        c->score += s->q->latent_weight * similar * s->q->rank->idf_sum;
    }
    return 0;
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

int candidates_find(struct reader *r, const struct candidate_query *q, struct candidate **ret,
                    uint32_t *ret_count, bool *ret_bounded, struct errmsg *err)
{
    struct search s = {.r = r, .q = q, .rows_left = CANDIDATE_ROWS};
    bool bounded = false;
    s.found = arena_alloc(&r->scratch, (CANDIDATE_ROWS + SKETCH_HITS + 1) * sizeof(*s.found));
    s.table = arena_alloc(&r->scratch, TABLE_SIZE * sizeof(*s.table));
    if (!s.found || !s.table)
        return reader_nomem(err);
    memset(s.table, 0, TABLE_SIZE * sizeof(*s.table));
    int rc = find_span(&s, err);
    if (rc == 0 && (!s.span.exact || s.span.count))
        rc = find_words(&s, &bounded, err);
    if (rc == 0 && q->latent && r->sketches && q->latent_weight > 0)
        rc = find_latents(&s, err);
    if (rc)
        return rc;
    qsort(s.found, s.count, sizeof(*s.found), compare_candidates);
    *ret = s.found;
    *ret_count = s.count;
    if (ret_bounded)
        *ret_bounded = bounded;
    return 0;
}
