/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entity's life, over all names it went by. A rename that a line states weighs three votes, and
 * each later day on which the old name still goes about takes one away; a name beside an address
 * weighs one a moment, and each moment in which either stands beside another one takes one away
 * (M3-Agent's votes on edges). With RECALL_MERGE_VOTES two names count as one here; nothing in the
 * file is merged, so what comes later may part them again.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/fact.h"
#include "memory/reader_internal.h"
#include "memory/remains.h"

#define HISTORY_DEFAULT 50
#define HISTORY_ROWS 4000
#define NAMES_MAX 16 /* of one entity */
#define SAME_MAX 64  /* that are weighed */

/* All names of one entity; the first was asked for. */
struct names {
    struct recall_entity list[NAMES_MAX];
    uint32_t count;
};

/* "kind:name", or a name, which may hold a colon itself. */
static int find_entity(struct reader *r, const char *name, struct arena *arena,
                       struct recall_entity *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_ENTITY, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sql_step(stmt, err);
    const char *colon = strchr(name, ':');
    if (rc == SQL_DONE && colon) {
        rc = reader_statement(r, SQL_ENTITY_OF_KIND, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_text(stmt, 1, colon + 1, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, name, (int)(colon - name), SQLITE_STATIC);
        rc = sql_step(stmt, err);
    }
    if (rc == SQL_DONE)
        return err_set(err, ERR_NOTFOUND, "no entity \"%.96s\"", name);
    if (rc == 0 && reader_entity_columns(stmt, arena, ret))
        rc = reader_nomem(err);
    sqlite3_reset(stmt);
    return rc;
}

/* ---- names that are one ---- */

static int number(struct reader *r, enum reader_sql which, int64_t a, int64_t b, int64_t *ret,
                  struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, which, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, a);
    sqlite3_bind_int64(stmt, 2, b);
    rc = sql_step(stmt, err);
    *ret = rc == 0 ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int entity_by_id(struct reader *r, int64_t id, struct arena *arena,
                        struct recall_entity *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_ENTITY_BY_ID, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc == SQL_DONE)
        return err_set(err, ERR_CORRUPT, "entity %lld is missing", (long long)id);
    if (rc == 0 && reader_entity_columns(stmt, arena, ret))
        rc = reader_nomem(err);
    sqlite3_reset(stmt);
    return rc;
}

/* A pair as the table has it: a is the old name, or the one beside the address b. */
struct pair {
    int64_t a, b, renamed, beside, last;
};

static int read_pairs(struct reader *r, int64_t id, struct pair *ret, uint32_t *ret_count,
                      struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_ENTITY_SAME, &stmt, err);
    if (rc)
        return rc;
    *ret_count = 0;
    sqlite3_bind_int64(stmt, 1, id);
    while (*ret_count < SAME_MAX && (rc = sql_step(stmt, err)) == 0) {
        int64_t other = sqlite3_column_int64(stmt, 0);
        bool first = sqlite3_column_int(stmt, 1);
        ret[(*ret_count)++] = (struct pair){
            .a = first ? id : other,
            .b = first ? other : id,
            .renamed = sqlite3_column_int64(stmt, 2),
            .beside = sqlite3_column_int64(stmt, 3),
            .last = sqlite3_column_int64(stmt, 4),
        };
    }
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int weigh(struct reader *r, const struct pair *p, struct recall_same *ret,
                 struct errmsg *err)
{
    int64_t days = 0, rivals = 0;
    int rc = 0;
    if (p->renamed)
        rc = number(r, SQL_ENTITY_DAYS_AFTER, p->a, p->last / US_PER_DAY + 1, &days, err);
    if (rc == 0 && p->beside)
        rc = number(r, SQL_ENTITY_RIVALS, p->a, p->b, &rivals, err);
    ret->renamed = p->renamed;
    ret->beside = p->beside;
    ret->against = days + rivals;
    ret->votes = 3 * p->renamed + p->beside - ret->against;
    ret->merged = ret->votes >= RECALL_MERGE_VOTES;
    return rc;
}

static bool knows(const struct names *names, int64_t id)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (names->list[i].id == id)
            return true;
    return false;
}

static bool told(const struct recall_life *life, int64_t id)
{
    for (uint32_t i = 0; i < life->same_count; i++)
        if (life->same[i].entity.id == id)
            return true;
    return false;
}

/* Whom one name is said to be; merged ones are looked at in their turn. */
static int follow(struct reader *r, struct names *names, uint32_t at, struct arena *arena,
                  struct recall_life *ret, struct errmsg *err)
{
    struct pair pairs[SAME_MAX];
    uint32_t count;
    int64_t id = names->list[at].id;
    int rc = read_pairs(r, id, pairs, &count, err);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        int64_t other = pairs[i].a == id ? pairs[i].b : pairs[i].a;
        if (ret->same_count == SAME_MAX || knows(names, other) || told(ret, other))
            continue;
        struct recall_same *same = &ret->same[ret->same_count];
        *same = (struct recall_same){0};
        rc = weigh(r, &pairs[i], same, err);
        if (rc == 0)
            rc = entity_by_id(r, other, arena, &same->entity, err);
        if (rc)
            return rc;
        same->merged = same->merged && names->count < NAMES_MAX;
        if (same->merged)
            names->list[names->count++] = same->entity;
        ret->same_count++;
    }
    return rc;
}

/* A name goes before an address, else the one seen last is the present one; the one that was asked
 * for takes its place among the others. */
static void choose_name(const struct names *names, struct recall_life *ret)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < names->count; i++) {
        const struct recall_entity *e = &names->list[i], *b = &names->list[best];
        bool address = strcmp(e->kind, "address") == 0, was = strcmp(b->kind, "address") == 0;
        if (address != was ? was : e->last > b->last)
            best = i;
    }
    ret->entity = names->list[best];
    for (uint32_t i = 0; i < ret->same_count && best > 0; i++)
        if (ret->same[i].entity.id == ret->entity.id)
            ret->same[i].entity = names->list[0];
    for (uint32_t i = 0; i < names->count; i++) {
        const struct recall_entity *e = &names->list[i];
        ret->entity.first = e->first < ret->entity.first ? e->first : ret->entity.first;
        ret->entity.last = e->last > ret->entity.last ? e->last : ret->entity.last;
        ret->entity.count += i == best ? 0 : e->count;
    }
}

/* ---- days ---- */

static int compare_days(const void *a, const void *b)
{
    const struct recall_day *x = a, *y = b;
    return (y->start > x->start) - (y->start < x->start);
}

static void add_day(struct recall_day *to, const struct recall_day *d)
{
    to->moments += d->moments;
    to->count += d->count;
    to->unusual += d->unusual;
    to->first = d->first < to->first ? d->first : to->first;
    to->last = d->last > to->last ? d->last : to->last;
    if (d->peak && (!to->peak || d->z > to->z)) {
        to->peak = d->peak;
        to->z = d->z;
    }
}

/* What was met on one day only may have no row for it: its own row says the same. */
static void add_only_day(const struct recall_entity *e, struct buf *days)
{
    const struct recall_day d = {.start = e->first / US_PER_DAY * US_PER_DAY,
                                 .moments = 1,
                                 .count = e->count,
                                 .first = e->first,
                                 .last = e->last,
                                 .what = ""};
    buf_append(days, &d, sizeof(d));
}

static int read_days(struct reader *r, const struct recall_entity *e, struct buf *days,
                     struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    size_t before = days->size;
    int rc = reader_statement(r, SQL_ENTITY_DAYS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, e->id);
    while ((rc = sql_step(stmt, err)) == 0) {
        const struct recall_day d = {.start = sqlite3_column_int64(stmt, 0) * US_PER_DAY,
                                     .moments = (uint64_t)sqlite3_column_int64(stmt, 1),
                                     .count = (uint64_t)sqlite3_column_int64(stmt, 2),
                                     .unusual = (uint64_t)sqlite3_column_int64(stmt, 3),
                                     .first = sqlite3_column_int64(stmt, 4),
                                     .last = sqlite3_column_int64(stmt, 5),
                                     .peak = sqlite3_column_int64(stmt, 6),
                                     .z = sqlite3_column_double(stmt, 7),
                                     .what = ""};
        buf_append(days, &d, sizeof(d));
    }
    if (days->size == before)
        add_only_day(e, days);
    return rc == SQL_DONE ? 0 : rc;
}

/* Rows of the same start become one; at most `most` are left. */
static int join_days(const struct recall_day *from, uint32_t count, uint32_t most,
                     struct arena *arena, struct recall_day **ret, uint32_t *ret_count)
{
    uint32_t n = 0;
    struct recall_day *out = arena_alloc(arena, most * sizeof(*out));
    if (!out)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (n && out[n - 1].start == from[i].start)
            add_day(&out[n - 1], &from[i]);
        else if (n < most)
            out[n++] = from[i];
        else
            break;
    }
    *ret = out;
    *ret_count = n;
    return 0;
}

static int tell_peaks(struct reader *r, struct recall_day *days, uint32_t count,
                      struct arena *arena, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (days[i].peak == 0)
            continue;
        rc = reader_statement(r, SQL_TITLE_NOW_OR_PAST, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(stmt, 1, days[i].peak);
        rc = sql_step(stmt, err);
        if (rc == 0 && !(days[i].what = reader_column_text(stmt, 0, arena)))
            rc = reader_nomem(err);
        sqlite3_reset(stmt);
        rc = rc == SQL_DONE ? 0 : rc;
    }
    return rc;
}

static int fill_days(struct reader *r, const struct names *names, struct arena *arena,
                     struct recall_life *ret, struct errmsg *err)
{
    struct buf rows = {0};
    int rc = 0;
    for (uint32_t i = 0; i < names->count && rc == 0; i++)
        rc = read_days(r, &names->list[i], &rows, err);
    struct recall_day *days = (struct recall_day *)(void *)rows.data;
    uint32_t count = (uint32_t)(rows.size / sizeof(*days));
    if (rc == 0 && buf_failed(&rows))
        rc = reader_nomem(err);
    if (rc == 0)
        qsort(days, count, sizeof(*days), compare_days);
    if (rc == 0 && join_days(days, count, RECALL_LIFE_DAYS, arena, &ret->days, &ret->day_count))
        rc = reader_nomem(err);
    for (uint32_t i = 0; i < count && rc == 0; i++) /* 1970 began on a Thursday */
        days[i].start -= (days[i].start / US_PER_DAY + 3) % 7 * US_PER_DAY;
    if (rc == 0 && join_days(days, count, RECALL_LIFE_WEEKS, arena, &ret->weeks, &ret->week_count))
        rc = reader_nomem(err);
    buf_deinit(&rows);
    if (rc == 0)
        rc = tell_peaks(r, ret->days, ret->day_count, arena, err);
    return rc ? rc : tell_peaks(r, ret->weeks, ret->week_count, arena, err);
}

static int fill_with(struct reader *r, const struct names *names, struct arena *arena,
                     struct recall_life *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    ret->with = arena_alloc(arena, RECALL_LIFE_WITH * sizeof(*ret->with));
    int rc = ret->with ? reader_statement(r, SQL_ENTITY_WITH, &stmt, err) : reader_nomem(err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, ret->entity.id);
    sqlite3_bind_int64(stmt, 2, RECALL_LIFE_WITH + NAMES_MAX);
    while (ret->with_count < RECALL_LIFE_WITH && (rc = sql_step(stmt, err)) == 0) {
        if (knows(names, sqlite3_column_int64(stmt, 0)))
            continue;
        if (reader_entity_columns(stmt, arena, &ret->with[ret->with_count++]))
            return reader_nomem(err);
    }
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

/* ---- moments ---- */

static int compare_starts(const void *a, const void *b)
{
    const struct recall_item *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}
/* The newest `limit` moments of one name, behind those that are there. */
static int add_items(struct reader *r, int64_t id, const struct reader_filter *f, uint32_t limit,
                     struct arena *arena, struct recall_items *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    uint32_t before = ret->count;
    int rc = reader_statement(r, SQL_ENTITY_MOMENTS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, HISTORY_ROWS);
    while ((rc = sql_step(stmt, err)) == 0) {
        struct moment_row m;
        rc = reader_moment(r, sqlite3_column_int64(stmt, 0), &r->scratch, &m, err);
        if (rc < 0)
            return rc;
        if (rc == SQL_DONE || !reader_moment_passes(&m, f))
            continue;
        if (ret->count - before == limit) {
            ret->more = true;
            break;
        }
        rc = reader_item(r, &m, arena, &ret->items[ret->count++], err);
        if (rc)
            return rc;
    }
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

/* A moment that has two of the names comes once; of all the newest stay. */
static void settle_items(struct recall_items *items, uint32_t limit)
{
    qsort(items->items, items->count, sizeof(*items->items), compare_starts);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < items->count; i++)
        if (kept == 0 || items->items[kept - 1].id != items->items[i].id)
            items->items[kept++] = items->items[i];
    items->count = kept;
    if (kept <= limit)
        return;
    memmove(items->items, items->items + (kept - limit), limit * sizeof(*items->items));
    items->count = limit;
    items->more = true;
}

static int fill_items(struct reader *r, const struct names *names, const struct reader_filter *f,
                      uint32_t limit, struct arena *arena, struct recall_life *ret,
                      struct errmsg *err)
{
    int rc = 0;
    ret->items.items = arena_alloc(arena, (size_t)limit * names->count * sizeof(*ret->items.items));
    if (!ret->items.items)
        return reader_nomem(err);
    for (uint32_t i = 0; i < names->count && rc == 0; i++) {
        int64_t moments = 0;
        rc = number(r, SQL_ENTITY_MOMENT_COUNT, names->list[i].id, 0, &moments, err);
        ret->entity.moments += (uint64_t)moments;
        if (rc == 0)
            rc = add_items(r, names->list[i].id, f, limit, arena, &ret->items, err);
    }
    if (rc == 0)
        settle_items(&ret->items, limit);
    return rc;
}

static int history(struct reader *r, const char *name, const struct recall_filter *filter,
                   uint32_t limit, struct arena *arena, struct recall_life *ret, struct errmsg *err)
{
    struct reader_filter f;
    struct names names = {.count = 1};
    ret->same = arena_alloc(arena, SAME_MAX * sizeof(*ret->same));
    int rc = ret->same ? reader_filter_resolve(r, filter, &f, err) : reader_nomem(err);
    if (rc == 0)
        rc = find_entity(r, name, arena, &names.list[0], err);
    for (uint32_t i = 0; rc == 0 && i < names.count; i++)
        rc = follow(r, &names, i, arena, ret, err);
    if (rc)
        return rc;
    choose_name(&names, ret);
    rc = fill_days(r, &names, arena, ret, err);
    if (rc == 0)
        rc = fill_with(r, &names, arena, ret, err);
    return rc ? rc : fill_items(r, &names, &f, limit, arena, ret, err);
}

/* Adds the facts; rc is what was found without them. */
static int stated_of(struct reader *r, const char *name, int rc, struct arena *arena,
                     struct recall_life *ret, struct errmsg *err)
{
    const char *colon = rc == 0 ? NULL : strchr(name, ':');
    const char *words = rc == 0 ? ret->entity.name : colon ? colon + 1 : name;
    struct errmsg why;
    int r_facts = fact_about(r, words, 0, arena, &ret->facts, &ret->fact_count, &why);
    if (r_facts)
        return err_set(err, r_facts, "%s", why.text);
    if (rc == 0 || ret->fact_count == 0)
        return rc;
    ret->entity = (struct recall_entity){.kind = "subject",
                                         .name = arena_copy(arena, words, strlen(words)),
                                         .first = ret->facts[0].last,
                                         .last = ret->facts[0].last};
    for (uint32_t i = 0; i < ret->fact_count; i++) {
        const struct fact *f = &ret->facts[i];
        int64_t first = f->since > TIME_MIN ? f->since : f->last;
        ret->entity.count += f->seen;
        ret->entity.first = first < ret->entity.first ? first : ret->entity.first;
        ret->entity.last = f->last > ret->entity.last ? f->last : ret->entity.last;
    }
    return ret->entity.name ? 0 : reader_nomem(err);
}

int recall_entity_history(struct reader *r, const char *name, const struct recall_filter *filter,
                          uint32_t limit, struct arena *arena, struct recall_life *ret,
                          struct errmsg *err)
{
    *ret = (struct recall_life){0};
    int rc = reader_limit(limit, HISTORY_DEFAULT, &limit, err);
    if (rc)
        return rc;
    rc = reader_begin(r, err);
    if (rc == 0)
        rc = history(r, name, filter, limit, arena, ret, err);
    if (rc == 0 || rc == ERR_NOTFOUND)
        rc = stated_of(r, name, rc, arena, ret, err);
    return reader_end(r, rc);
}
