/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was unusual, and what recurs: lists that are not moments. Surprise reads its own table, by
 * time where a span is given and by rank otherwise, and joins spans of a stream that overlap.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/fact.h"
#include "memory/reader_internal.h"
#include "memory/remains.h"

#define UNUSUAL_DEFAULT 20
#define UNUSUAL_ROWS 20000 /* of a span that are read at most */
#define UNUSUAL_PAGE 512
#define ENTITIES_DEFAULT 50

struct unusual_list {
    struct recall_unusual *items;
    uint32_t count, max;
};

static bool passes(const struct recall_unusual *u, int64_t stream, const struct reader_filter *f)
{
    if (u->start >= f->until || u->end < f->since)
        return false;
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (f->streams[i] == stream)
            return true;
    return f->stream_count == 0;
}

/* Reads rows of `stmt` into the list; *ret_rows counts what came. */
static int read_rows(struct reader *r, sqlite3_stmt *stmt, const struct reader_filter *f,
                     struct unusual_list *list, uint32_t *ret_rows, struct errmsg *err)
{
    int rc;
    *ret_rows = 0;
    while ((rc = sql_step(stmt, err)) == 0) {
        struct recall_unusual u;
        ++*ret_rows;
        if (list->count == list->max)
            continue;
        if (reader_unusual_columns(r, stmt, &r->scratch, &u))
            return reader_nomem(err);
        if (passes(&u, sqlite3_column_int64(stmt, 1), f))
            list->items[list->count++] = u;
    }
    return rc == SQL_DONE ? 0 : rc;
}

/* Most unusual first, page by page, until the list is full or UNUSUAL_ROWS were looked at. */
static int read_by_rank(struct reader *r, const struct reader_filter *f, uint32_t wanted,
                        struct unusual_list *list, struct errmsg *err)
{
    for (uint32_t offset = 0; offset < UNUSUAL_ROWS && list->count < wanted;
         offset += UNUSUAL_PAGE) {
        sqlite3_stmt *stmt = NULL;
        uint32_t rows;
        int rc = reader_statement(r, SQL_UNUSUAL_BY_SCORE, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(stmt, 1, UNUSUAL_PAGE);
        sqlite3_bind_int64(stmt, 2, offset);
        rc = read_rows(r, stmt, f, list, &rows, err);
        if (rc || rows < UNUSUAL_PAGE)
            return rc;
    }
    return 0;
}

static int read_by_time(struct reader *r, const struct reader_filter *f, struct unusual_list *list,
                        uint32_t *ret_rows, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t reach;
    int rc = candidates_span_max(r, STRATUM_MOMENT, &reach, err);
    if (rc == 0)
        rc = reader_statement(r, SQL_UNUSUAL_BY_TIME, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, f->since == TIME_UNKNOWN ? TIME_UNKNOWN : f->since - reach);
    sqlite3_bind_int64(stmt, 2, f->until);
    sqlite3_bind_int64(stmt, 3, UNUSUAL_ROWS);
    return read_rows(r, stmt, f, list, ret_rows, err);
}

static int compare_unusual(const void *a, const void *b)
{
    const struct recall_unusual *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->bits != y->bits)
        return x->bits < y->bits ? 1 : -1;
    return (x->start < y->start) - (x->start > y->start);
}

/* Joins what overlaps a more unusual span of its stream; keeps at most `limit`. */
static uint32_t join_overlapping(struct recall_unusual *items, uint32_t count, uint32_t limit)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct recall_unusual *u = &items[i], *into = NULL;
        for (uint32_t k = 0; k < kept && !into; k++)
            if (items[k].start <= u->end && u->start <= items[k].end &&
                strcmp(items[k].stream, u->stream) == 0)
                into = &items[k];
        if (into) {
            into->start = u->start < into->start ? u->start : into->start;
            into->end = u->end > into->end ? u->end : into->end;
            into->count++;
        } else if (kept < limit) {
            items[kept++] = *u;
        }
    }
    return kept;
}

/* Runs of moments that were let go, as far as gists tell of them. */
static int add_remains(struct reader *r, const struct reader_filter *f, struct unusual_list *list,
                       struct errmsg *err)
{
    uint32_t before = list->count, kept = before;
    int rc = remains_runs(r, f, list->max, list->items, &list->count, err);
    for (uint32_t i = before; rc == 0 && i < list->count; i++) {
        bool asked = f->stream_count == 0;
        for (uint32_t k = 0; k < f->stream_count && !asked; k++) {
            const struct known_stream *s = reader_known_stream(r, f->streams[k]);
            asked = s && strcmp(s->name, list->items[i].stream) == 0;
        }
        if (asked)
            list->items[kept++] = list->items[i];
    }
    list->count = rc ? list->count : kept;
    return rc;
}

int reader_surprise(struct reader *r, const struct reader_filter *f, uint32_t limit,
                    struct arena *arena, struct recall_unusual **ret, uint32_t *ret_count,
                    struct errmsg *err)
{
    struct unusual_list list = {.max = UNUSUAL_ROWS};
    uint32_t rows = UNUSUAL_ROWS;
    int rc = 0;
    list.items = arena_alloc(&r->scratch, list.max * sizeof(*list.items));
    if (!list.items)
        return reader_nomem(err);
    if (f->since != TIME_UNKNOWN)
        rc = read_by_time(r, f, &list, &rows, err);
    if (rc == 0 && rows == UNUSUAL_ROWS) { /* too much of it, or no span: by rank */
        list.count = 0;
        rc = read_by_rank(r, f, 4 * limit, &list, err);
    }
    if (rc == 0 && f->since != TIME_UNKNOWN)
        rc = add_remains(r, f, &list, err);
    if (rc)
        return rc;
    qsort(list.items, list.count, sizeof(*list.items), compare_unusual);
    uint32_t count = join_overlapping(list.items, list.count, limit);
    struct recall_unusual *out = arena_alloc(arena, (count + 1) * sizeof(*out));
    if (!out)
        return reader_nomem(err);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = list.items[i];
        out[i].stream = arena_copy(arena, out[i].stream, strlen(out[i].stream));
        out[i].why = arena_copy(arena, out[i].why, strlen(out[i].why));
        if (!out[i].stream || !out[i].why)
            return reader_nomem(err);
    }
    *ret = out;
    *ret_count = count;
    return 0;
}

int recall_surprise(struct reader *r, const struct recall_filter *filter, uint32_t limit,
                    struct arena *arena, struct recall_unusual **ret, uint32_t *ret_count,
                    struct errmsg *err)
{
    struct reader_filter f;
    int rc = reader_limit(limit, UNUSUAL_DEFAULT, &limit, err);
    if (rc)
        return rc;
    rc = reader_begin(r, err);
    if (rc == 0)
        rc = reader_filter_resolve(r, filter, &f, err);
    if (rc == 0)
        rc = reader_surprise(r, &f, limit, arena, ret, ret_count, err);
    return reader_end(r, rc);
}

/* ---- entities ---- */

static int entities(struct reader *r, const char *kind, const char *match, uint32_t limit,
                    struct arena *arena, struct recall_entity **ret, uint32_t *ret_count,
                    struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    struct recall_entity *out = arena_alloc(arena, limit * sizeof(*out));
    int rc = out ? reader_statement(r, SQL_ENTITIES, &stmt, err) : reader_nomem(err);
    if (rc)
        return rc;
    char *lower = match ? arena_copy(&r->scratch, match, strlen(match)) : NULL;
    for (char *s = lower; s && *s; s++)
        *s = (char)tolower((unsigned char)*s);
    if (kind)
        sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
    if (lower)
        sqlite3_bind_text(stmt, 2, lower, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, limit);
    *ret_count = 0;
    while (*ret_count < limit && (rc = sql_step(stmt, err)) == 0)
        if (reader_entity_columns(stmt, arena, &out[(*ret_count)++]))
            return reader_nomem(err);
    *ret = out;
    return rc < 0 ? rc : 0;
}

int recall_entities(struct reader *r, const char *kind, const char *match, uint32_t limit,
                    struct arena *arena, struct recall_entity **ret, uint32_t *ret_count,
                    struct errmsg *err)
{
    int rc = reader_limit(limit, ENTITIES_DEFAULT, &limit, err);
    if (rc)
        return rc;
    rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : entities(r, kind, match, limit, arena, ret, ret_count, err));
}
