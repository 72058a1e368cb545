/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: load the span with all that its words were made of, take exactly these words out of
 * the index (it is contentless: a row goes only with the text that went in), then its rows
 * everywhere. What stays of it above is remainder.c's.
 *
 * Sizes: a moment has up to 257 rows in the index and some ten rows elsewhere.
 */
#include "memory/erase.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory/erase_internal.h"
#include "memory/evidence.h"
#include "memory/forget_internal.h"
#include "memory/keep_internal.h"

#define ARENA_CHUNK (64u << 10)
#define ARENA_KEPT (4u << 20)

static const char *const statement_sql[ERASE_STATEMENT_COUNT] = {
#define ERASE_SQL(name, sql) sql,
    ERASE_STATEMENTS(ERASE_SQL)
#undef ERASE_SQL
};

void erasure_free(struct erasure *e)
{
    if (!e)
        return;
    for (int i = 0; i < ERASE_STATEMENT_COUNT; i++)
        sqlite3_finalize(e->statements[i]);
    store_words_free(e->words);
    arena_deinit(&e->arena);
    mem_free(e);
}

int erase_prepare(struct store *s, struct errmsg *err)
{
    int r = con_prepare(s, err);
    if (r || s->erasure)
        return r;
    struct erasure *e = mem_calloc(1, sizeof(*e));
    if (!e)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    arena_init(&e->arena, ARENA_CHUNK);
    e->words = store_words_new();
    if (!e->words)
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    for (int i = 0; i < ERASE_STATEMENT_COUNT && r == 0; i++)
        r = sql_prepare(s->db, statement_sql[i], &e->statements[i], err);
    if (r)
        erasure_free(e);
    else
        s->erasure = e;
    return r;
}

/* A text column in the arena, with a NUL behind; NULL: out of memory. */
static const char *column_copy(struct arena *a, sqlite3_stmt *q, int column, size_t *ret_size)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    size_t size = text ? (size_t)sqlite3_column_bytes(q, column) : 0;
    char *copy = arena_alloc(a, size + 1);
    if (copy) {
        memcpy(copy, text ? (const char *)text : "", size);
        copy[size] = '\0';
    }
    *ret_size = size;
    return copy;
}

static int nomem(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

static int read_row(struct store *s, sqlite3_stmt *q, struct erased *e, struct errmsg *err)
{
    struct arena *a = &s->erasure->arena;
    size_t size;
    e->row = (struct moment_row){
        .stratum = sqlite3_column_int(q, 0),
        .stream = sqlite3_column_int64(q, 1),
        .t_start = sqlite3_column_int64(q, 3),
        .t_end = sqlite3_column_int64(q, 4),
        .records = sqlite3_column_int64(q, 5),
        .raw_bytes = sqlite3_column_int64(q, 6),
        .bits = sqlite3_column_double(q, 7),
        .bits_max = sqlite3_column_double(q, 8),
        .z = sqlite3_column_double(q, 9),
        .unusual = sqlite3_column_int64(q, 10),
        .path = sqlite3_column_int(q, 11),
        .model = (uint32_t)sqlite3_column_int64(q, 12),
        .flags = (uint32_t)sqlite3_column_int64(q, 13),
    };
    e->parent = sqlite3_column_int64(q, 2);
    e->moment.path = (enum moment_path)e->row.path;
    e->moment.kind = (enum stream_kind)sqlite3_column_int(q, 17);
    e->row.title.data = column_copy(a, q, 14, &e->row.title.size);
    e->moment.gist.data = column_copy(a, q, 15, &e->moment.gist.size);
    e->stream_name = column_copy(a, q, 16, &size);
    if (!e->row.title.data || !e->moment.gist.data || !e->stream_name)
        return nomem(err);
    snprintf(e->moment.title, sizeof(e->moment.title), "%s", e->row.title.data);
    e->evidence = sqlite3_column_type(q, 18) != SQLITE_NULL;
    if (!e->evidence)
        return 0;
    struct slice block = {sqlite3_column_blob(q, 18), (size_t)sqlite3_column_bytes(q, 18)};
    struct record *records;
    e->block_size = block.size;
    int r = evidence_decode(block, a, &records, &e->moment.record_count, err);
    e->moment.records = records;
    return r;
}

static int load_whys(struct store *s, struct erased *e, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_WHYS);
    struct buf whys = {0};
    int r;
    sqlite3_bind_int64(q, 1, e->id);
    while ((r = sql_step(q, err)) == 0) {
        struct unusual u = {0};
        snprintf(u.why, sizeof(u.why), "%s", (const char *)sqlite3_column_text(q, 0));
        buf_append(&whys, &u, sizeof(u));
    }
    struct unusual *copy = whys.size ? arena_alloc(&s->erasure->arena, whys.size) : NULL;
    if (r == SQL_DONE && (buf_failed(&whys) || (whys.size && !copy)))
        r = nomem(err);
    if (r == SQL_DONE && copy)
        memcpy(copy, whys.data, whys.size);
    e->moment.unusual = copy;
    e->moment.unusual_count = (uint32_t)(whys.size / sizeof(struct unusual));
    buf_deinit(&whys);
    return r == SQL_DONE ? 0 : r;
}

static int load_channels(struct store *s, struct erased *e, struct errmsg *err)
{
    struct arena *a = &s->erasure->arena;
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHANNELS);
    e->channels = arena_alloc(a, CHANNELS_MAX * sizeof(*e->channels));
    if (!e->channels)
        return nomem(err);
    int r;
    sqlite3_bind_int64(q, 1, e->row.stream);
    memset(e->channels, 0, CHANNELS_MAX * sizeof(*e->channels));
    while ((r = sql_step(q, err)) == 0) {
        int64_t at = sqlite3_column_int64(q, 0);
        size_t size;
        if (at < 0 || at >= CHANNELS_MAX)
            continue;
        e->channels[at] = column_copy(a, q, 1, &size);
        if (!e->channels[at])
            break;
        e->channel_count = (uint32_t)at + 1;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r ? r : nomem(err);
}

int erase_load(struct store *s, int64_t id, struct erased *ret, struct errmsg *err)
{
    int r = erase_prepare(s, err);
    if (r)
        return r;
    arena_trim(&s->erasure->arena, ARENA_KEPT);
    *ret = (struct erased){.id = id};
    sqlite3_stmt *q = erase_stmt(s, ERASE_LOAD);
    sqlite3_bind_int64(q, 1, id);
    r = sql_step(q, err);
    if (r == SQL_DONE)
        return err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)id);
    if (r == 0)
        r = read_row(s, q, ret, err);
    sqlite3_reset(q);
    if (r == 0)
        r = load_whys(s, ret, err);
    if (r == 0 && ret->evidence && ret->moment.kind == KIND_SENSOR)
        r = load_channels(s, ret, err);
    return r ? err_wrap(err, r, "memory %lld", (long long)id) : 0;
}

/* The words that are in the index for the span as it was loaded. */
int erase_index_words(struct store *s, const struct erased *e, struct errmsg *err)
{
    struct store_words *w = s->erasure->words;
    int r = e->row.stratum == STRATUM_MOMENT
                ? words_index(&e->moment, e->stream_name, e->channels, e->channel_count, w)
                : words_index_text(e->row.title, e->moment.gist, w);
    return r ? err_set(err, r, "%s", err_text(r)) : 0;
}

int erase_delete_words(struct store *s, const struct erased *e, struct errmsg *err)
{
    int r = erase_index_words(s, e, err);
    return r ? r : store_delete_words(s, e->id, s->erasure->words, err);
}

int erase_one(struct store *s, enum erase_statement which, int64_t id, struct errmsg *err)
{
    sqlite3_bind_int64(erase_stmt(s, which), 1, id);
    return sql_run(erase_stmt(s, which), err);
}

int erase_con_one(struct store *s, enum consolidate_statement which, int64_t id, struct errmsg *err)
{
    sqlite3_bind_int64(con_stmt(s, which), 1, id);
    return sql_run(con_stmt(s, which), err);
}

static int load_moment(struct store *s, int64_t id, struct erased *ret, struct errmsg *err)
{
    int r = erase_load(s, id, ret, err);
    if (r == 0 && ret->row.stratum != STRATUM_MOMENT)
        r = err_set(err, ERR_NOTFOUND, "memory %lld is no moment", (long long)id);
    return r;
}

int store_erase_evidence(struct store *s, int64_t id, struct errmsg *err)
{
    struct erased e;
    int r = load_moment(s, id, &e, err);
    if (r || !e.evidence)
        return r;
    r = erase_delete_words(s, &e, err);
    if (r == 0)
        r = gone_add_records(s, e.row.stream, e.moment.records, e.moment.record_count, err);
    if (r == 0)
        r = keep_gone(s, id, false, e.block_size, err);
    s->keeper->residue++;
    if (r == 0)
        r = erase_one(s, ERASE_EVIDENCE_DELETE, id, err);
    e.moment.record_count = 0;
    if (r == 0)
        r = erase_index_words(s, &e, err);
    return r ? r : store_put_words(s, id, s->erasure->words, err);
}

int erase_entity_recount(struct store *s, int64_t entity, struct errmsg *err)
{
    sqlite3_stmt *span = erase_stmt(s, ERASE_ENTITY_SPAN);
    sqlite3_bind_int64(span, 1, entity);
    int r = sql_step(span, err);
    if (r)
        return r;
    bool none = sqlite3_column_type(span, 0) == SQLITE_NULL;
    int64_t first = sqlite3_column_int64(span, 0), last = sqlite3_column_int64(span, 1);
    sqlite3_reset(span);
    if (none) {
        /* Its id may be remembered, with counts that are not written yet. */
        r = store_entities_write(s, err);
        store_entities_forget(s);
        if (r == 0)
            r = store_entity_drop(s, entity, err);
        return r ? r : erase_one(s, ERASE_ENTITY_DELETE, entity, err);
    }
    sqlite3_stmt *put = erase_stmt(s, ERASE_ENTITY_SPAN_PUT);
    sqlite3_bind_int64(put, 1, entity);
    sqlite3_bind_int64(put, 2, first);
    sqlite3_bind_int64(put, 3, last);
    return sql_run(put, err);
}

int erase_entity_count(struct store *s, int64_t entity, int64_t count, struct errmsg *err)
{
    sqlite3_stmt *sub = erase_stmt(s, ERASE_ENTITY_SUB);
    sqlite3_bind_int64(sub, 1, entity);
    sqlite3_bind_int64(sub, 2, count);
    int r = sql_run(sub, err);
    if (r)
        return r;
    return s->erasure->later ? forget_note(s, FORGET_RECOUNT, entity, (struct slice){NULL, 0}, err)
                             : erase_entity_recount(s, entity, err);
}

static int take_back_days(struct store *s, const struct erased *e, int64_t entity, int64_t count,
                          struct errmsg *err)
{
    const struct entity_share share = {.entity = entity,
                                       .count = count,
                                       .moment = e->id,
                                       .t_start = e->row.t_start,
                                       .all = true,
                                       .unusual = e->row.unusual > 0};
    return store_entity_day_take_back(s, &share, err);
}

int erase_links(struct store *s, const struct erased *e, struct errmsg *err)
{
    int64_t id = e->id;
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINKS);
    struct buf links = {0};
    /* What is counted but not written yet must not be lost with the ids. */
    int r = store_entities_write(s, err);
    if (r == 0)
        r = store_entity_same_take_back(s, id, err);
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, id);
    while ((r = sql_step(q, err)) == 0) {
        const int64_t link[] = {sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
        buf_append(&links, link, sizeof(link));
    }
    r = r != SQL_DONE        ? r
        : buf_failed(&links) ? nomem(err)
                             : erase_one(s, ERASE_LINKS_DELETE, id, err);
    /* Of a remainder nobody knows which of its days a name was met on, nor all of its names. */
    if (r == 0 && e->row.stratum < 0)
        r = store_entity_days_drop(s, 0, e->row.t_start, e->row.t_end, err);
    for (size_t at = 0; at < links.size && r == 0; at += 2 * sizeof(int64_t)) {
        int64_t link[2];
        memcpy(link, links.data + at, sizeof(link));
        r = e->row.stratum < 0 ? 0 : take_back_days(s, e, link[0], link[1], err);
        if (r == 0)
            r = erase_entity_count(s, link[0], link[1], err);
    }
    buf_deinit(&links);
    return r;
}

int erase_rows(struct store *s, const struct erased *e, struct errmsg *err)
{
    static const enum erase_statement ours[] = {ERASE_EVIDENCE_DELETE, ERASE_UNUSUAL_DELETE,
                                                ERASE_STAT_DELETE};
    static const enum consolidate_statement theirs[] = {CON_GIST_DELETE, CON_LATENT_DELETE,
                                                        CON_PARTS_DELETE, CON_MOMENT_DELETE};
    int r = e->row.stratum == STRATUM_MOMENT ? keep_gone(s, e->id, true, e->block_size, err) : 0;
    s->keeper->residue++;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours) && r == 0; i++)
        r = erase_one(s, ours[i], e->id, err);
    for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs) && r == 0; i++)
        r = erase_con_one(s, theirs[i], e->id, err);
    store_count_span(s, e->row.stratum, -1, 0);
    return r;
}

int erase_loaded(struct store *s, const struct erased *e, enum erase_why why, struct errmsg *err)
{
    int r = erase_delete_words(s, e, err);
    if (r == 0 && e->evidence)
        r = gone_add_records(s, e->row.stream, e->moment.records, e->moment.record_count, err);
    if (r == 0 && why == ERASE_EVICT)
        r = remainder_add(s, e, err);
    if (r == 0 && why == ERASE_FORGET)
        r = erase_links(s, e, err);
    if (r == 0 && why == ERASE_FORGET)
        r = store_take_back_tallies(s, e->id, e->row.stream, err);
    if (r == 0 && why == ERASE_FORGET)
        r = store_take_back_facts(s, e->id, e->row.stream, err);
    if (r == 0 && why == ERASE_FORGET)
        r = store_mark_dirty(s, e->row.t_start, err);
    return r ? r : erase_rows(s, e, err);
}

int store_erase_moment(struct store *s, int64_t id, enum erase_why why, struct errmsg *err)
{
    struct erased e;
    int r = load_moment(s, id, &e, err);
    if (r == 0 && why == ERASE_EVICT && e.parent == 0)
        r = err_set(err, ERR_BUSY, "memory %lld lies in no episode yet", (long long)id);
    return r ? r : erase_loaded(s, &e, why, err);
}

int store_erase_span(struct store *s, int64_t id, struct errmsg *err)
{
    struct erased e;
    int r = erase_load(s, id, &e, err);
    if (r)
        return r;
    if (e.row.stratum < STRATUM_EPISODE)
        return err_set(err, ERR_NOTFOUND, "memory %lld is no span above moments", (long long)id);
    if (e.parent == 0)
        return err_set(err, ERR_BUSY, "memory %lld: nothing above sums it up", (long long)id);
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHILD);
    sqlite3_bind_int(q, 1, e.row.stratum - 1);
    sqlite3_bind_int64(q, 2, e.row.t_start);
    sqlite3_bind_int64(q, 3, e.row.t_end);
    sqlite3_bind_int64(q, 4, id);
    r = sql_step(q, err);
    sqlite3_reset(q);
    if (r == 0)
        return ERASE_HAS_CHILDREN;
    if (r == SQL_DONE)
        r = erase_delete_words(s, &e, err);
    if (r == 0)
        r = remainder_add(s, &e, err);
    return r ? r : erase_rows(s, &e, err);
}
