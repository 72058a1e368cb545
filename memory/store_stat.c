/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a moment counted, as its row of stat, and the kinds of lines that it counted. A stream has
 * at most KINDS_MAX kinds; lines of later ones count as records only.
 *
 * A small table remembers which row the encoder's number stands for. When the encoder finds that a
 * word of a kind varies, its text changes: then the row is renamed, so that it stays one kind.
 */
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"
#include "memory/store_internal.h"
#include "memory/sums.h"

#define KINDS_MAX 512
#define KIND_TEXT_MAX 200

static int find_kind(struct store *s, int64_t stream, struct slice text, int64_t *ret,
                     struct errmsg *err)
{
    sqlite3_stmt *find = store_stmt(s, SQL_KIND_FIND);
    sqlite3_bind_int64(find, 1, stream);
    sqlite3_bind_text(find, 2, text.data, (int)text.size, SQLITE_STATIC);
    int r = sql_step(find, err);
    *ret = r == 0 ? sqlite3_column_int64(find, 0) : 0;
    sqlite3_reset(find);
    return r == SQL_DONE ? 0 : r;
}

/* *ret 0: there is no room for another. */
static int insert_kind(struct store *s, int64_t stream, const struct tally *t, struct slice text,
                       int64_t *ret, struct errmsg *err)
{
    sqlite3_stmt *count = store_stmt(s, SQL_KIND_COUNT), *put = store_stmt(s, SQL_KIND_INSERT);
    sqlite3_bind_int64(count, 1, stream);
    int r = sql_step(count, err);
    int64_t there = r == 0 ? sqlite3_column_int64(count, 0) : 0;
    sqlite3_reset(count);
    *ret = 0;
    if (r || there >= KINDS_MAX)
        return r;
    sqlite3_bind_int64(put, 1, stream);
    sqlite3_bind_text(put, 2, text.data, (int)text.size, SQLITE_STATIC);
    sqlite3_bind_int64(put, 3, t->first_at);
    sqlite3_bind_int64(put, 4, t->last_at);
    r = sql_run(put, err);
    *ret = r == 0 ? sqlite3_last_insert_rowid(s->db) : 0;
    return r;
}

/* The text of a known kind has changed; *ret 0 when there is a row of the new text already. */
static int rename_kind(struct store *s, int64_t id, struct slice text, int64_t *ret,
                       struct errmsg *err)
{
    sqlite3_stmt *rename = store_stmt(s, SQL_KIND_RENAME);
    sqlite3_bind_int64(rename, 1, id);
    sqlite3_bind_text(rename, 2, text.data, (int)text.size, SQLITE_STATIC);
    int r = sql_run(rename, err);
    *ret = r == 0 && sqlite3_changes(s->db) > 0 ? id : 0;
    return r;
}

static int kind_of(struct store *s, int64_t stream, const struct tally *t, int64_t *ret,
                   struct errmsg *err)
{
    struct slice text = {t->kind.data, utf8_cut(t->kind.data, t->kind.size, KIND_TEXT_MAX)};
    uint64_t hash = XXH3_64bits_withSeed(text.data, text.size, (uint64_t)stream);
    struct kind_slot *slot = &s->kinds[((uint64_t)stream * 31 + t->kind_model) % KIND_SLOTS];
    bool known = slot->kind && slot->stream == stream && slot->model == t->kind_model;
    *ret = 0;
    if (known && slot->hash == hash) {
        *ret = slot->kind;
        return 0;
    }
    int r = known ? rename_kind(s, slot->kind, text, ret, err) : 0;
    if (r == 0 && *ret == 0)
        r = find_kind(s, stream, text, ret, err);
    if (r == 0 && *ret == 0)
        r = insert_kind(s, stream, t, text, ret, err);
    if (r == 0)
        *slot = (struct kind_slot){stream, *ret, hash, t->kind_model};
    return r;
}

static int count_kind(struct store *s, int64_t kind, const struct tally *t, struct errmsg *err)
{
    sqlite3_stmt *add = store_stmt(s, SQL_KIND_ADD);
    sqlite3_bind_int64(add, 1, kind);
    sqlite3_bind_int64(add, 2, t->first_at);
    sqlite3_bind_int64(add, 3, t->last_at);
    sqlite3_bind_int64(add, 4, t->count);
    return sql_run(add, err);
}

static int add_tally(struct store *s, int64_t stream, const struct tally *t, struct sums *sums,
                     struct errmsg *err)
{
    struct sum one = {.what = STAT_CHANNEL, .id = t->channel, .count = t->count};
    int r = 0;
    if (t->count == 0 || t->first_at > t->last_at)
        return err_set(err, ERR_INVALID, "a tally of nothing");
    if (t->kind.size) {
        one.what = STAT_KIND;
        r = kind_of(s, stream, t, &one.id, err);
        if (r == 0 && one.id)
            r = count_kind(s, one.id, t, err);
        if (r || one.id == 0)
            return r;
    } else {
        one.values = (struct spread){t->count, t->mean, t->m2, t->least, t->most};
        one.first = t->first;
        one.last = t->last;
        one.least_at = t->least_at;
        one.most_at = t->most_at;
    }
    one.first_at = t->first_at;
    one.last_at = t->last_at;
    return sums_add(sums, &one) ? err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM)) : 0;
}

int store_put_stat(struct store *s, int64_t id, int64_t stream, struct slice blob,
                   struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_STAT_PUT);
    sqlite3_bind_int64(put, 1, id);
    sqlite3_bind_int64(put, 2, stream);
    sqlite3_bind_blob(put, 3, blob.data, (int)blob.size, SQLITE_STATIC);
    return sql_run(put, err);
}

int store_put_tallies(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                      struct errmsg *err)
{
    struct sums sums;
    int r = 0;
    if (m->tally_count == 0)
        return 0;
    arena_reset(&s->sums_arena);
    buf_clear(&s->sums_blob);
    sums_init(&sums, &s->sums_arena, &s->sums_arena);
    for (uint32_t i = 0; i < m->tally_count && r == 0; i++)
        r = add_tally(s, stream, &m->tallies[i], &sums, err);
    if (r)
        return r;
    sums_put(&sums, 0, &s->sums_blob);
    if (buf_failed(&s->sums_blob))
        return err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM));
    return store_put_stat(s, id, stream, (struct slice){s->sums_blob.data, s->sums_blob.size}, err);
}

int store_take_back_kind(struct store *s, int64_t kind, uint64_t count, struct errmsg *err)
{
    sqlite3_stmt *sub = store_stmt(s, SQL_KIND_SUB), *delete = store_stmt(s, SQL_KIND_DELETE);
    sqlite3_bind_int64(sub, 1, kind);
    sqlite3_bind_int64(sub, 2, (int64_t)count);
    int r = sql_run(sub, err);
    if (r)
        return r;
    sqlite3_bind_int64(delete, 1, kind);
    r = sql_run(delete, err);
    if (r == 0 && sqlite3_changes(s->db) > 0)
        store_kinds_forget(s);
    return r;
}

int store_take_back_tallies(struct store *s, int64_t id, int64_t stream, struct errmsg *err)
{
    struct sums sums;
    sqlite3_stmt *get = store_stmt(s, SQL_STAT_GET);
    arena_reset(&s->sums_arena);
    sums_init(&sums, &s->sums_arena, &s->sums_arena);
    sqlite3_bind_int64(get, 1, id);
    sqlite3_bind_int64(get, 2, stream);
    int r = sql_step(get, err);
    if (r == 0) {
        r = sums_merge(&sums, sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0),
                       -1);
        if (r)
            err_set(err, r, "sums of moment %lld: %s", (long long)id, err_text(r));
    }
    sqlite3_reset(get);
    for (uint32_t i = 0; i < sums.count && r == 0; i++)
        if (sums.items[i].what == STAT_KIND)
            r = store_take_back_kind(s, sums.items[i].id, sums.items[i].count, err);
    return r == SQL_DONE ? 0 : r;
}

void store_kinds_forget(struct store *s)
{
    memset(s->kinds, 0, sizeof(s->kinds));
}
