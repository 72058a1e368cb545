/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sums of a span, stream by stream: those of its children merged. Episodes count their moments
 * themselves and take up the names, the facts and the unusual runs that these hold; from there on
 * only blobs are merged. Profiles are in memory for one stream at a time.
 */
#include <string.h>

#include "memory/consolidate_internal.h"

#define ARENA_CHUNK (64u << 10)

void con_sums_init(struct consolidation *c)
{
    arena_init(&c->sums_arena, ARENA_CHUNK);
    arena_init(&c->profile_arena, ARENA_CHUNK);
}

void con_sums_deinit(struct consolidation *c)
{
    arena_deinit(&c->sums_arena);
    arena_deinit(&c->profile_arena);
    buf_deinit(&c->blobs);
}

static int add_blob(struct store *s, struct sums *sums, int64_t child, int64_t stream, int hour,
                    struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_STAT);
    sqlite3_bind_int64(q, 1, child);
    sqlite3_bind_int64(q, 2, stream);
    int r = sql_step(q, err);
    if (r == 0) {
        r = sums_merge(sums, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), hour);
        /* Damage is named by varve-dump --verify; it must not keep all other spans from being made.
         */
        if (r == ERR_CORRUPT)
            r = 0;
        if (r)
            err_set(err, r, "sums of moment %lld: %s", (long long)child, err_text(r));
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

int con_add_sums_of(struct store *s, struct sums *sums, int64_t span, int64_t stream,
                    struct errmsg *err)
{
    return add_blob(s, sums, span, stream, -1, err);
}

static int add_names(struct store *s, struct sums *sums, int64_t moment, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_NAMES);
    int r;
    sqlite3_bind_int64(q, 1, moment);
    while ((r = sql_step(q, err)) == 0)
        sums_name(sums, sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1));
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int add_marks(struct store *s, struct sums *sums, int64_t moment, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_RUNS);
    int r;
    sqlite3_bind_int64(q, 1, moment);
    while ((r = sql_step(q, err)) == 0) {
        const struct sum_mark mark = {
            .moment = moment,
            .at = sqlite3_column_int64(q, 0),
            .bits = sqlite3_column_double(q, 1),
            .score = sqlite3_column_double(q, 2),
            .times = 1,
            .why = {(const char *)sqlite3_column_text(q, 3), (size_t)sqlite3_column_bytes(q, 3)}};
        r = sums_mark(sums, &mark);
        if (r) {
            err_set(err, r, "sums: %s", err_text(r));
            break;
        }
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int add_facts(struct store *s, struct sums *sums, int64_t moment, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_FACTS_OF);
    int r;
    sqlite3_bind_int64(q, 1, moment);
    while ((r = sql_step(q, err)) == 0)
        sums_fact(sums, &(struct sum_fact){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                                           sqlite3_column_int(q, 2) != 0});
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int add_moment(struct store *s, struct sums *sums, const struct child *m, struct errmsg *err)
{
    int r = sums_count(sums, STAT_RECORDS, 0, (uint64_t)m->records, m->t_start, m->t_end);
    if (r)
        return err_set(err, r, "sums: %s", err_text(r));
    r = add_blob(s, sums, m->id, m->stream, -1, err);
    if (r == 0)
        r = add_names(s, sums, m->id, err);
    if (r == 0)
        r = add_facts(s, sums, m->id, err);
    if (r == 0 && m->unusual > 0)
        r = add_marks(s, sums, m->id, err);
    return r;
}

/* Hours join the profile of what they belong to; all others have nothing to add, or their own. */
static int hour_of(int stratum, const struct child *child)
{
    return stratum == STRATUM_HOUR ? calendar_hour_of_week(child->t_start) : -1;
}

static int sum_stream(struct store *s, int stratum, const struct child *children, uint32_t count,
                      struct part *p, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int r = 0;
    arena_reset(&c->profile_arena);
    sums_init(&p->sums, &c->sums_arena, &c->profile_arena);
    for (uint32_t i = 0; i < count && r == 0; i++) {
        const struct child *child = &children[i];
        if (stratum > STRATUM_EPISODE || child->remainder)
            r = add_blob(s, &p->sums, child->id, p->stream,
                         child->remainder ? -1 : hour_of(stratum - 1, child), err);
        else if (child->stream == p->stream)
            r = add_moment(s, &p->sums, child, err);
    }
    if (r)
        return r;
    p->blob_at = c->blobs.size;
    sums_put(&p->sums, stratum >= STRATUM_DAY ? store_profiles_most(s, c->part_count) : 0,
             &c->blobs);
    p->blob_size = c->blobs.size - p->blob_at;
    for (uint32_t i = 0; i < p->sums.count; i++)
        p->sums.items[i].hours = NULL;
    return buf_failed(&c->blobs) ? err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM)) : 0;
}

int con_sum_streams(struct store *s, int stratum, const struct child *children, uint32_t count,
                    struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int r = 0;
    arena_reset(&c->sums_arena);
    buf_clear(&c->blobs);
    for (uint32_t i = 0; i < c->part_count && r == 0; i++)
        r = sum_stream(s, stratum, children, count, &c->parts[i], err);
    return r;
}

int con_put_stats(struct store *s, int64_t id, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    sqlite3_bind_int64(con_stmt(s, CON_STATS_DELETE), 1, id);
    int r = sql_run(con_stmt(s, CON_STATS_DELETE), err);
    for (uint32_t i = 0; i < c->part_count && r == 0; i++) {
        const struct part *p = &c->parts[i];
        r = store_put_stat(s, id, p->stream,
                           (struct slice){c->blobs.data + p->blob_at, p->blob_size}, err);
    }
    return r;
}

static int evict_stream(struct store *s, int stratum, const struct child *child, int64_t stream,
                        uint32_t streams, int64_t remainder, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    struct sums sums;
    arena_reset(&c->sums_arena);
    arena_reset(&c->profile_arena);
    buf_clear(&c->blobs);
    sums_init(&sums, &c->sums_arena, &c->profile_arena);
    int r = add_blob(s, &sums, remainder, stream, -1, err);
    if (r == 0)
        r = stratum == STRATUM_MOMENT
                ? add_moment(s, &sums, child, err)
                : add_blob(s, &sums, child->id, stream, hour_of(stratum, child), err);
    if (r)
        return r;
    sums_put(&sums, stratum >= STRATUM_HOUR ? store_profiles_most(s, streams) : 0, &c->blobs);
    if (buf_failed(&c->blobs))
        return err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM));
    return store_put_stat(s, remainder, stream, (struct slice){c->blobs.data, c->blobs.size}, err);
}

int con_evict_sums(struct store *s, int stratum, const struct child *child, int64_t remainder,
                   struct errmsg *err)
{
    if (stratum == STRATUM_MOMENT)
        return evict_stream(s, stratum, child, child->stream, 1, remainder, err);
    sqlite3_stmt *q = con_stmt(s, CON_STAT_STREAMS);
    struct buf streams = {0};
    int r;
    sqlite3_bind_int64(q, 1, child->id);
    while ((r = sql_step(q, err)) == 0)
        buf_put_u64(&streams, (uint64_t)sqlite3_column_int64(q, 0));
    r = r != SQL_DONE          ? r
        : buf_failed(&streams) ? err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM))
                               : 0;
    struct cursor in;
    cursor_init(&in, streams.data, streams.size);
    uint32_t count = (uint32_t)(streams.size / sizeof(uint64_t));
    while (r == 0 && cursor_left(&in))
        r = evict_stream(s, stratum, child, (int64_t)cursor_u64(&in), count, remainder, err);
    buf_deinit(&streams);
    return r;
}
