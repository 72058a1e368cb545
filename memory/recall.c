/* SPDX-License-Identifier: Apache-2.0 */
/* Search, similar, timeline: lists of moments. Each opens a snapshot, asks, and copies what it
 * found. */
#include "memory/recall.h"

#include <stdlib.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/search.h"
#include "memory/sketch.h"

#define SIMILAR_HITS 128
#define NEIGHBOURS_DEFAULT 20
#define SPAN_DEFAULT 100

/* ---- search ---- */

static int search_items(struct reader *r, const struct search_result *found, uint32_t limit,
                        struct arena *arena, struct recall_items *ret, struct errmsg *err)
{
    uint32_t count = found->count < limit ? found->count : limit;
    *ret = (struct recall_items){.count = count, .more = found->count > limit};
    ret->items = arena_alloc(arena, (count + 1) * sizeof(*ret->items));
    if (!ret->items)
        return reader_nomem(err);
    for (uint32_t i = 0; i < count; i++) {
        int rc = search_item(r, found, &found->hits[i], arena, &ret->items[i], err);
        if (rc)
            return rc;
    }
    return 0;
}

static int search(struct reader *r, const struct recall_query *q, struct arena *arena,
                  struct recall_found *ret, struct errmsg *err)
{
    struct reader_filter filter;
    struct search_result found;
    uint32_t limit = 0;
    int rc = reader_limit(q->limit, RECALL_LIMIT_DEFAULT, &limit, err);
    if (rc == 0)
        rc = reader_filter_resolve(r, &q->filter, &filter, err);
    if (rc)
        return rc;
    struct search_query sq = {.text = q->text,
                              .latent = q->latent,
                              .filter = &filter,
                              .recency = q->recency,
                              .without = q->without};
    rc = search_run(r, &sq, &found, err);
    if (rc == 0)
        rc = search_items(r, &found, limit, arena, &ret->items, err);
    if (rc == 0)
        rc = search_records(r, &found, arena, &ret->records, &ret->record_count, err);
    return rc;
}

int recall_search(struct reader *r, const struct recall_query *q, struct arena *arena,
                  struct recall_found *ret, struct errmsg *err)
{
    int rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : search(r, q, arena, ret, err));
}

/* ---- similar ---- */

struct similar {
    int64_t id;
    double cosine;
};

static int compare_similar(const void *a, const void *b)
{
    const struct similar *x = a, *y = b;
    if (x->cosine != y->cosine)
        return x->cosine < y->cosine ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

static int similar_by_latent(struct reader *r, const struct recall_example *q, const float *latent,
                             enum stream_kind kind, const struct reader_filter *f, uint32_t limit,
                             struct arena *arena, struct recall_items *ret, struct errmsg *err)
{
    struct sketch_hit hits[SIMILAR_HITS];
    struct similar near[SIMILAR_HITS];
    struct sketch_filter filter = {.kind = kind,
                                   .since = f->since,
                                   .until = f->until == INT64_MAX ? TIME_UNKNOWN : f->until,
                                   .streams = f->streams,
                                   .stream_count = f->stream_count};
    uint32_t n = sketch_index_search(r->sketches, latent, &filter, hits, SIMILAR_HITS), count = 0;
    float other[LATENT_DIM];
    for (uint32_t i = 0; i < n; i++) {
        int rc = hits[i].id == q->id ? SQL_DONE : reader_latent(r, hits[i].id, other, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            near[count++] = (struct similar){hits[i].id, latent_cosine(latent, other)};
    }
    qsort(near, count, sizeof(*near), compare_similar);
    *ret = (struct recall_items){.more = count > limit};
    ret->items = arena_alloc(arena, (limit + 1) * sizeof(*ret->items));
    if (!ret->items)
        return reader_nomem(err);
    for (uint32_t i = 0; i < count && ret->count < limit; i++) {
        struct moment_row row;
        int rc = reader_moment(r, near[i].id, &r->scratch, &row, err);
        if (rc == SQL_DONE)
            continue;
        if (rc == 0)
            rc = reader_item(r, &row, arena, &ret->items[ret->count], err);
        if (rc)
            return rc;
        double c = near[i].cosine;
        ret->items[ret->count++].score = c < 0 ? 0 : c > 1 ? 1 : c;
    }
    return 0;
}

static int similar(struct reader *r, const struct recall_example *q, struct arena *arena,
                   struct recall_items *ret, struct errmsg *err)
{
    struct reader_filter filter;
    float own[LATENT_DIM];
    uint32_t limit = 0;
    const float *latent = q->latent;
    enum stream_kind kind = q->kind;
    int rc = reader_limit(q->limit, RECALL_LIMIT_DEFAULT, &limit, err);
    if (rc == 0)
        rc = reader_filter_resolve(r, &q->filter, &filter, err);
    if (rc)
        return rc;
    if (q->id) {
        struct moment_row row;
        rc = reader_moment(r, q->id, &r->scratch, &row, err);
        if (rc == 0)
            rc = reader_latent(r, q->id, own, err);
        else if (rc == SQL_DONE)
            return err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)q->id);
        if (rc == SQL_DONE) /* nothing to compare: nothing is like it */
            return 0;
        if (rc)
            return rc;
        const struct known_stream *stream = reader_known_stream(r, row.stream);
        kind = stream ? stream->kind : KIND_TEXT;
        latent = own;
    }
    if (latent && r->sketches)
        return similar_by_latent(r, q, latent, kind, &filter, limit, arena, ret, err);
    if (q->latent && !q->text.size)
        return err_set(err, ERR_BUSY, "the latents are still being read: ask again");
    if (!q->text.size)
        return q->id ? 0 : err_set(err, ERR_INVALID, "an example is needed: an id or a payload");
    struct search_result found;
    struct search_query sq = {.text = q->text, .filter = &filter};
    rc = search_run(r, &sq, &found, err);
    return rc ? rc : search_items(r, &found, limit, arena, ret, err);
}

int recall_similar(struct reader *r, const struct recall_example *q, struct arena *arena,
                   struct recall_items *ret, struct errmsg *err)
{
    *ret = (struct recall_items){0};
    int rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : similar(r, q, arena, ret, err));
}

/* ---- timeline ---- */

struct rows {
    struct moment_row *rows;
    uint32_t count, capacity;
};

/* Appends up to `limit` rows that start in [from, to) and end at `ends` or later, in time order or
 * back. */
static int read_span(struct reader *r, bool stream, int64_t key, int64_t from, int64_t to,
                     int64_t ends, bool back, uint32_t limit, struct rows *out, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    enum reader_sql which = stream ? (back ? SQL_STREAM_SPAN_BACK : SQL_STREAM_SPAN)
                                   : (back ? SQL_SPAN_BACK : SQL_SPAN);
    int rc = reader_statement(r, which, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, from);
    sqlite3_bind_int64(stmt, 3, to);
    sqlite3_bind_int64(stmt, 4, limit);
    sqlite3_bind_int64(stmt, 5, ends);
    while ((rc = sql_step(stmt, err)) == 0 && out->count < out->capacity)
        if (reader_moment_columns(stmt, &r->scratch, &out->rows[out->count++]))
            return reader_nomem(err);
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

static int compare_rows(const void *a, const void *b)
{
    const struct moment_row *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Of a stratum or of the named streams; what started earlier but reaches in comes first. */
static int read_strand(struct reader *r, int stratum, const struct reader_filter *f, int64_t from,
                       int64_t to, bool back, uint32_t limit, struct rows *out, struct errmsg *err)
{
    uint32_t strands = f->stream_count ? f->stream_count : 1;
    int rc = 0;
    *out = (struct rows){.capacity = strands * limit};
    out->rows = arena_alloc(&r->scratch, (out->capacity + 1) * sizeof(*out->rows));
    if (!out->rows)
        return reader_nomem(err);
    for (uint32_t i = 0; i < strands && rc == 0; i++)
        rc = read_span(r, f->stream_count > 0, f->stream_count ? f->streams[i] : stratum, from, to,
                       f->since, back, limit, out, err);
    if (rc)
        return rc;
    qsort(out->rows, out->count, sizeof(*out->rows), compare_rows);
    if (out->count > limit) {
        if (back)
            memmove(out->rows, out->rows + out->count - limit, limit * sizeof(*out->rows));
        out->count = limit;
    }
    return 0;
}

static int copy_items(struct reader *r, const struct rows *rows, uint32_t count,
                      struct arena *arena, struct recall_items *ret, struct errmsg *err)
{
    ret->items = arena_alloc(arena, (count + 1) * sizeof(*ret->items));
    if (!ret->items)
        return reader_nomem(err);
    for (uint32_t i = 0; i < count; i++) {
        int rc = reader_item(r, &rows->rows[i], arena, &ret->items[i], err);
        if (rc)
            return rc;
    }
    ret->count = count;
    return 0;
}

/* The whole span: of the finest stratum that fits when none is named. */
static int timeline_span(struct reader *r, int stratum, const struct reader_filter *f,
                         uint32_t limit, struct arena *arena, struct recall_items *ret,
                         struct errmsg *err)
{
    struct rows rows;
    int level = stratum < 0 ? STRATUM_MOMENT : stratum;
    for (;; level++) {
        int64_t reach;
        int rc = candidates_span_max(r, level, &reach, err);
        int64_t from =
            f->since == TIME_UNKNOWN || f->since < reach ? TIME_UNKNOWN : f->since - reach;
        if (rc == 0)
            rc = read_strand(r, level, f, from, f->until, false, limit + 1, &rows, err);
        if (rc)
            return rc;
        if (rows.count <= limit || stratum >= 0 || f->stream_count || level == STRATA - 1)
            break;
    }
    ret->more = rows.count > limit;
    return copy_items(r, &rows, ret->more ? limit : rows.count, arena, ret, err);
}

/* Neighbours of a point in time (or of a moment), half of them before it. */
static int timeline_around(struct reader *r, int64_t time, int stratum,
                           const struct reader_filter *f, uint32_t limit, struct arena *arena,
                           struct recall_items *ret, struct errmsg *err)
{
    struct rows before, after, all;
    uint32_t half = limit / 2;
    int rc = read_strand(r, stratum, f, f->since, time, true, limit, &before, err);
    if (rc == 0)
        rc = read_strand(r, stratum, f, time, f->until, false, limit, &after, err);
    if (rc)
        return rc;
    /* Where one side has less than its half the other gets the room. */
    uint32_t ahead = after.count < limit - half ? after.count : limit - half;
    uint32_t behind = before.count < limit - ahead ? before.count : limit - ahead;
    ahead = after.count < limit - behind ? after.count : limit - behind;
    all = (struct rows){.rows = arena_alloc(&r->scratch, (limit + 1) * sizeof(*all.rows))};
    if (!all.rows)
        return reader_nomem(err);
    memcpy(all.rows, before.rows + before.count - behind, behind * sizeof(*all.rows));
    memcpy(all.rows + behind, after.rows, ahead * sizeof(*all.rows));
    all.count = behind + ahead;
    ret->more = before.count > behind || after.count > ahead;
    return copy_items(r, &all, all.count, arena, ret, err);
}

int reader_timeline(struct reader *r, const struct recall_timeline_query *q, struct arena *arena,
                    struct recall_items *ret, struct errmsg *err)
{
    struct reader_filter filter;
    uint32_t limit = 0;
    bool point = q->id || q->time != TIME_UNKNOWN;
    int rc = reader_limit(q->limit, point ? NEIGHBOURS_DEFAULT : SPAN_DEFAULT, &limit, err);
    if (rc == 0 && (q->stratum < -1 || q->stratum >= STRATA))
        rc = err_set(err, ERR_INVALID, "stratum %d: 0 to %d", q->stratum, STRATA - 1);
    if (rc == 0 && q->stratum > 0 && q->filter.stream_count)
        rc = err_set(err, ERR_INVALID, "stratum %d spans streams: it cannot be of one", q->stratum);
    if (rc == 0)
        rc = reader_filter_resolve(r, &q->filter, &filter, err);
    if (rc)
        return rc;
    if (!point)
        return timeline_span(r, q->stratum, &filter, limit, arena, ret, err);
    int64_t time = q->time;
    int stratum = q->stratum < 0 ? STRATUM_MOMENT : q->stratum;
    if (q->id) {
        struct moment_row row;
        rc = reader_moment(r, q->id, &r->scratch, &row, err);
        if (rc)
            return rc == SQL_DONE ? err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)q->id)
                                  : rc;
        time = row.start;
        stratum = q->stratum < 0 ? row.stratum : q->stratum;
    }
    return timeline_around(r, time, stratum, &filter, limit, arena, ret, err);
}

int recall_timeline(struct reader *r, const struct recall_timeline_query *q, struct arena *arena,
                    struct recall_items *ret, struct errmsg *err)
{
    *ret = (struct recall_items){0};
    int rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : reader_timeline(r, q, arena, ret, err));
}
