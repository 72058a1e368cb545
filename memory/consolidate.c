/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is due, and when. Every moment that is stored marks the hour it starts in (table dirty) with
 * the earliest time that changed; episodes are made hour by hour from there on, changed episodes
 * mark their hour's row, changed hours their day, and so on up to months. A call does one such
 * unit: reads and computes, then writes in one short transaction that also takes the mark away, so
 * a kill at any time leaves either the mark or the result. Made again, a unit gives the same.
 */
#include "base/mem.h"
#include "memory/consolidate_internal.h"

#define STEP_MOST (8 * 1000)       /* µs after which an hour's episodes wait for the next call */
#define BORDER (5 * US_PER_MINUTE) /* how far an hour's episodes may reach over its ends */
/* A unit rests for this many times what it cost, and at least so long. */
#define REST_FACTOR 100
#define REST_WITHIN 20 /* in the middle of an hour, which is not done again for it */
static const int64_t rest_least[STRATA] = {0,
                                           2 * US_PER_SECOND,
                                           10 * US_PER_SECOND,
                                           60 * US_PER_SECOND,
                                           60 * US_PER_SECOND,
                                           60 * US_PER_SECOND};

static const char *const statement_sql[CONSOLIDATE_STATEMENT_COUNT] = {
#define CONSOLIDATE_SQL(name, sql) sql,
    CONSOLIDATE_STATEMENTS(CONSOLIDATE_SQL)
#undef CONSOLIDATE_SQL
};

void consolidation_free(struct consolidation *c)
{
    if (!c)
        return;
    for (int i = 0; i < CONSOLIDATE_STATEMENT_COUNT; i++)
        sqlite3_finalize(c->statements[i]);
    store_words_free(c->words);
    buf_deinit(&c->gist);
    con_sums_deinit(c);
    mem_free(c->children);
    mem_free(c->parts);
    mem_free(c->old);
    mem_free(c);
}

int con_grow(void **array, uint32_t *capacity, uint32_t count, size_t size, struct errmsg *err)
{
    if (count < *capacity)
        return 0;
    uint32_t room = *capacity ? *capacity * 2 : 64;
    void *grown = mem_realloc(*array, room * size);
    if (!grown)
        return err_set(err, ERR_NOMEM, "consolidation: %s", err_text(ERR_NOMEM));
    *array = grown;
    *capacity = room;
    return 0;
}

int con_prepare(struct store *s, struct errmsg *err)
{
    if (s->consolidation)
        return 0;
    struct consolidation *c = mem_calloc(1, sizeof(*c));
    if (c)
        con_sums_init(c);
    int r = c && (c->words = store_words_new())
                ? 0
                : err_set(err, ERR_NOMEM, "consolidation: %s", err_text(ERR_NOMEM));
    for (int i = 0; i < CONSOLIDATE_STATEMENT_COUNT && r == 0; i++)
        r = sql_prepare(s->db, statement_sql[i], &c->statements[i], err);
    if (r)
        consolidation_free(c);
    else
        s->consolidation = c;
    return r;
}

int con_begin(struct store *s, struct errmsg *err)
{
    return s->in_transaction ? 0 : store_begin(s, err);
}

int con_mark(struct store *s, int stratum, int64_t unit, int64_t t, struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_DIRTY_PUT);
    int r = con_begin(s, err);
    if (r)
        return r;
    sqlite3_bind_int(put, 1, stratum);
    sqlite3_bind_int64(put, 2, unit);
    sqlite3_bind_int64(put, 3, t);
    return sql_run(put, err);
}

/* Marks an hour's episodes; most moments find it marked already. */
static int mark_hour(struct store *s, int64_t unit, int64_t t, struct errmsg *err)
{
    struct dirty_mark *mark = NULL;
    t = t < 0 ? 0 : t;
    for (int i = 0; i < DIRTY_KNOWN && !mark; i++)
        if (s->known[i].unit == unit)
            mark = &s->known[i];
    if (mark && mark->t <= t)
        return 0;
    if (!mark)
        mark = &s->known[s->known_next++ % DIRTY_KNOWN];
    *mark = (struct dirty_mark){unit, t};
    return con_mark(s, STRATUM_EPISODE, unit, t, err);
}

int store_mark_dirty(struct store *s, int64_t t, struct errmsg *err)
{
    int64_t hour = t / US_PER_HOUR, start = hour * US_PER_HOUR, into = t - start;
    /* Near its ends a moment may move the border to the next hour's episodes. */
    int r = mark_hour(s, hour, into <= BORDER ? start - BORDER : t, err);
    if (r == 0 && into <= BORDER && hour > 0)
        r = mark_hour(s, hour - 1, start - BORDER, err);
    if (r == 0 && into >= US_PER_HOUR - BORDER)
        r = mark_hour(s, hour + 1, start + US_PER_HOUR - BORDER, err);
    return r;
}

static bool resting(struct store *s, int stratum, int64_t unit, int64_t now)
{
    if (s->hurried)
        return false;
    for (int i = 0; i < RESTING; i++) {
        const struct rest *r = &s->consolidation->resting[i];
        if (r->stratum == stratum && r->unit == unit && r->until > now)
            return true;
    }
    return false;
}

static void let_rest(struct store *s, int stratum, int64_t unit, bool done, int64_t before)
{
    int64_t now = clock_mono(s->clock), took = now - before;
    if (took <= 0) /* a clock that stands still: replays and tests do not wait */
        return;
    int64_t least = done ? rest_least[stratum] : 0;
    int64_t rest = took * (done ? REST_FACTOR : REST_WITHIN);
    struct consolidation *c = s->consolidation;
    c->resting[c->resting_next++ % RESTING] =
        (struct rest){stratum, unit, now + (rest > least ? rest : least)};
}

static void read_due(sqlite3_stmt *q, struct due *ret)
{
    *ret = (struct due){sqlite3_column_int(q, 0), sqlite3_column_int64(q, 1),
                        sqlite3_column_int64(q, 2), INT64_MAX};
    if (sqlite3_column_type(q, 3) != SQLITE_NULL)
        ret->resume = sqlite3_column_int64(q, 3);
}

/* The first unit that is marked and does not rest, lower strata first. SQL_DONE when there is none.
 */
static int next_due(struct store *s, struct due *ret, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_DUE);
    int64_t now = clock_mono(s->clock);
    int r;
    while ((r = sql_step(q, err)) == 0) {
        read_due(q, ret);
        if (ret->stratum < STRATUM_EPISODE || ret->stratum > STRATUM_MONTH)
            r = err_set(err, ERR_CORRUPT, "dirty: stratum %d", ret->stratum);
        if (r || !resting(s, ret->stratum, ret->unit, now))
            break;
    }
    sqlite3_reset(q);
    return r;
}

static int finish(struct store *s, int stratum, int64_t unit, int64_t next, struct errmsg *err)
{
    int r = con_begin(s, err);
    if (r)
        return r;
    sqlite3_stmt *mark = con_stmt(s, next == INT64_MAX ? CON_DONE : CON_PROGRESS);
    sqlite3_bind_int(mark, 1, stratum);
    sqlite3_bind_int64(mark, 2, unit);
    if (next != INT64_MAX)
        sqlite3_bind_int64(mark, 3, next);
    for (int i = 0; i < DIRTY_KNOWN; i++)
        if (stratum == STRATUM_EPISODE && s->known[i].unit == unit)
            s->known[i] = (struct dirty_mark){INT64_MIN, INT64_MAX};
    return sql_run(mark, err);
}

/* *ret_done: nothing of the unit is left. */
static int do_unit(struct store *s, const struct due *due, bool *ret_done, struct errmsg *err)
{
    int64_t next = INT64_MAX;
    int r = due->stratum == STRATUM_EPISODE ? con_episodes(s, due, &next, err)
                                            : con_above(s, due->stratum, due->unit, err);
    *ret_done = next == INT64_MAX;
    return r ? r : finish(s, due->stratum, due->unit, next, err);
}

static int make_one(struct store *s, int stratum, int64_t unit, struct errmsg *err)
{
    struct due due;
    bool done;
    sqlite3_stmt *q = con_stmt(s, CON_DUE_ONE);
    int r;
    do {
        sqlite3_bind_int(q, 1, stratum);
        sqlite3_bind_int64(q, 2, unit);
        r = sql_step(q, err);
        if (r == 0)
            read_due(q, &due);
        sqlite3_reset(q);
        if (r == 0)
            r = do_unit(s, &due, &done, err);
    } while (r == 0);
    return r == SQL_DONE ? 0 : r;
}

/* Where the border between two hours has moved, an episode of the one is now the other's to make. */
int con_make(struct store *s, int stratum, int64_t unit, struct errmsg *err)
{
    static const int beside[] = {0, -1, 1, 0};
    int r = 0;
    s->consolidation->step_ends = INT64_MAX;
    for (int i = 0; i < (stratum == STRATUM_EPISODE ? 4 : 1) && r == 0; i++)
        r = make_one(s, stratum, unit + beside[i], err);
    return r;
}

void store_set_refine(struct store *s, bool refine)
{
    s->refine = refine;
}

int store_consolidate(struct store *s, struct errmsg *err)
{
    struct due due = {0};
    bool own = !s->in_transaction, done;
    int r = con_prepare(s, err);
    if (r == 0)
        r = next_due(s, &due, err);
    if (r)
        return r == SQL_DONE ? 0 : r;
    int64_t before = clock_mono(s->clock);
    s->consolidation->step_ends = before + STEP_MOST;
    r = do_unit(s, &due, &done, err);
    if (r == 0 && own)
        r = store_commit(s, err);
    if (r) {
        if (own && s->in_transaction)
            store_rollback(s);
        return r;
    }
    let_rest(s, due.stratum, due.unit, done, before);
    return STORE_MORE;
}
