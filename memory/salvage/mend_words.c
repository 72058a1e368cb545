/* SPDX-License-Identifier: Apache-2.0 */
/* The index is made from titles, gists and evidence as it was when the moments were stored. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "memory/consolidate_internal.h"
#include "memory/evidence.h"
#include "memory/salvage/mend.h"

#define MOMENTS_A_COMMIT 500
#define UNUSUAL_MAX 256

struct indexing {
    struct store *s;
    struct arena arena;
    struct store_words *words;
    const char *channels[CHANNELS_MAX];
    struct unusual unusual[UNUSUAL_MAX];
    sqlite3_stmt *next, *why, *channel;
};

static char *copy_text(struct arena *a, sqlite3_stmt *q, int column, size_t *ret_size)
{
    *ret_size = (size_t)sqlite3_column_bytes(q, column);
    const char *text = (const char *)sqlite3_column_text(q, column);
    return arena_copy(a, text ? text : "", *ret_size);
}

static int read_why(struct indexing *x, struct moment *m, int64_t id, struct errmsg *err)
{
    int r;
    sqlite3_bind_int64(x->why, 1, id);
    while ((r = sql_step(x->why, err)) == 0 && m->unusual_count < UNUSUAL_MAX) {
        struct unusual *u = &x->unusual[m->unusual_count++];
        snprintf(u->why, sizeof(u->why), "%s", (const char *)sqlite3_column_text(x->why, 0));
    }
    sqlite3_reset(x->why);
    m->unusual = x->unusual;
    return r == SQL_DONE ? 0 : r;
}

static int read_channels(struct indexing *x, int64_t stream, struct errmsg *err)
{
    int r;
    size_t size;
    memset(x->channels, 0, sizeof(x->channels));
    sqlite3_bind_int64(x->channel, 1, stream);
    while ((r = sql_step(x->channel, err)) == 0) {
        int64_t i = sqlite3_column_int64(x->channel, 0);
        if (i >= 0 && i < CHANNELS_MAX &&
            !(x->channels[i] = copy_text(&x->arena, x->channel, 1, &size))) {
            sqlite3_reset(x->channel);
            return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        }
    }
    return r == SQL_DONE ? 0 : r;
}

static int index_span(struct indexing *x, int64_t id, int stratum, const struct moment *m,
                      struct errmsg *err)
{
    int r = m->gist.data
                ? words_index_text((struct slice){m->title, strlen(m->title)}, m->gist, x->words)
                : ERR_NOMEM;
    if (r)
        return err_set(err, r, "%s", err_text(r));
    r = store_put_words(x->s, id, x->words, err);
    if (r == 0 && stratum > STRATUM_EPISODE)
        r = con_mark(x->s, stratum, stratum == STRATUM_HOUR ? m->start / US_PER_HOUR : m->start,
                     m->start, err);
    return r ? r : store_mark_dirty(x->s, m->start, err);
}

/*
 * x->next stands on a span: id, stream, kind, name, path, t_start, title, gist, block, stratum. A
 * moment without evidence has the one row that erasing it left.
 */
static int index_moment(struct indexing *x, int64_t *ret_id, struct errmsg *err)
{
    sqlite3_stmt *q = x->next;
    struct slice block = {sqlite3_column_blob(q, 8), (size_t)sqlite3_column_bytes(q, 8)};
    struct record *records = NULL;
    int stratum = sqlite3_column_int(q, 9);
    struct moment m = {.kind = (enum stream_kind)sqlite3_column_int(q, 2),
                       .path = (enum moment_path)sqlite3_column_int(q, 4),
                       .start = sqlite3_column_int64(q, 5)};
    int64_t stream = sqlite3_column_int64(q, 1);
    size_t size;
    *ret_id = sqlite3_column_int64(q, 0);
    arena_reset(&x->arena);
    char *name = copy_text(&x->arena, q, 3, &size);
    m.gist.data = copy_text(&x->arena, q, 7, &m.gist.size);
    snprintf(m.title, sizeof(m.title), "%s", (const char *)sqlite3_column_text(q, 6));
    int r = block.size ? evidence_decode(block, &x->arena, &records, &m.record_count, err) : 0;
    sqlite3_reset(q);
    if (r == 0 && stratum > 0)
        return index_span(x, *ret_id, stratum, &m, err);
    if (r == 0 && (!name || !m.gist.data))
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    m.records = records;
    if (r == 0)
        r = read_why(x, &m, *ret_id, err);
    if (r == 0 && m.kind == KIND_SENSOR)
        r = read_channels(x, stream, err);
    if (r == 0 && (r = words_index(&m, name, x->channels, CHANNELS_MAX, x->words)) != 0)
        err_set(err, r, "%s", err_text(r));
    if (r == 0)
        r = store_put_words(x->s, *ret_id, x->words, err);
    if (r == 0)
        r = store_mark_dirty(x->s, m.start, err);
    x->s->effects.moments++;
    return r;
}

static int index_some(struct indexing *x, int64_t *id, struct errmsg *err)
{
    int r = store_begin(x->s, err);
    for (int i = 0; i < MOMENTS_A_COMMIT && r == 0; i++) {
        sqlite3_bind_int64(x->next, 1, *id);
        r = sql_step(x->next, err);
        if (r == 0)
            r = index_moment(x, id, err);
    }
    if (r >= 0) {
        int c = store_commit(x->s, err);
        r = c ? c : r;
    }
    if (r < 0)
        store_rollback(x->s);
    else
        store_checkpoint(x->s, true, NULL);
    return r;
}

int mend_words(struct store *s, struct errmsg *err)
{
    struct indexing *x = mem_calloc(1, sizeof(*x));
    int64_t id = 0;
    if (!x)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    x->s = s;
    arena_init(&x->arena, 256u << 10);
    x->words = store_words_new();
    int r = x->words ? 0 : err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (r == 0)
        r = sql_prepare(
            s->db,
            "SELECT m.id, m.stream, s.kind, s.name, m.path, m.t_start, m.title, g.text, "
            "e.block, m.stratum FROM moment m LEFT JOIN stream s ON s.id=m.stream "
            "LEFT JOIN evidence e ON e.moment=m.id LEFT JOIN gist g ON g.moment=m.id "
            "WHERE m.id>?1 AND m.stratum>=0 ORDER BY m.id LIMIT 1",
            &x->next, err);
    if (r == 0)
        r = sql_prepare(s->db, "SELECT why FROM unusual WHERE moment=?1 ORDER BY n", &x->why, err);
    if (r == 0)
        r = sql_prepare(s->db, "SELECT idx, name FROM channel WHERE stream=?1", &x->channel, err);
    while (r == 0)
        r = index_some(x, &id, err);
    sqlite3_finalize(x->next);
    sqlite3_finalize(x->why);
    sqlite3_finalize(x->channel);
    store_words_free(x->words);
    arena_deinit(&x->arena);
    mem_free(x);
    return r == SQL_DONE ? 0 : r;
}
