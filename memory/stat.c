/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the spans that cover a time are walked from the coarsest down; a span that lies whole
 * inside is taken by its own row of stat, one at an edge by its children. What is in no hour yet is
 * found through the marks of consolidation. Failure modes: a damaged blob is ERR_CORRUPT and names
 * its span. Sizes: one span's sums, and what is asked for.
 */
#include "memory/stat.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "memory/reader_internal.h"
#include "memory/sums.h"

#define ARENA_CHUNK (64u << 10)
#define MONTH_MOST (32 * US_PER_DAY) /* how far back a span that reaches into a time may start */
#define BORDER (5 * US_PER_MINUTE)   /* how far an hour's moments may lie outside of it */
/* Below this share of the records in its children, a span's own sums say more than theirs. */
#define CHILDREN_SHARE 0.9

/* A question inside a snapshot that runs already is part of it. */
struct question {
    struct reader *r;
    bool own;
    struct arena arena, profiles;
};

static int begin(struct question *q, struct reader *r, struct errmsg *err)
{
    *q = (struct question){.r = r, .own = sqlite3_get_autocommit(r->db) != 0};
    arena_init(&q->arena, ARENA_CHUNK);
    arena_init(&q->profiles, ARENA_CHUNK);
    return q->own ? sql_exec(r->db, "BEGIN", err) : 0;
}

static int end(struct question *q, int rc)
{
    if (q->own && !sqlite3_get_autocommit(q->r->db))
        sqlite3_exec(q->r->db, "COMMIT", NULL, NULL, NULL);
    arena_deinit(&q->arena);
    arena_deinit(&q->profiles);
    return rc == SQL_DONE ? 0 : rc;
}

/* ---- spans ---- */

struct span {
    int64_t id, start, end, records, stream;
    int stratum; /* below 0: a remainder, what is left of evicted ones of stratum ~stratum */
};

struct cover {
    struct question *q;
    int64_t since, until;
    /* Inside is what is asked for, or (outside) what is left out. */
    bool outside;
    int64_t stream; /* 0: all */
    int (*take)(void *arg, const struct span *s, struct errmsg *err);
    void *arg;
};

static void read_span(sqlite3_stmt *q, struct span *ret)
{
    *ret = (struct span){.id = sqlite3_column_int64(q, 0),
                         .stratum = sqlite3_column_int(q, 1),
                         .start = sqlite3_column_int64(q, 2),
                         .end = sqlite3_column_int64(q, 3),
                         .records = sqlite3_column_int64(q, 4),
                         .stream = sqlite3_column_int64(q, 5)};
}

/* The spans that a statement gives, in the question's arena. */
static int collect(struct cover *c, sqlite3_stmt *q, struct span **ret, uint32_t *ret_count,
                   struct errmsg *err)
{
    struct span *spans = NULL;
    uint32_t count = 0, room = 0;
    int r;
    while ((r = sql_step(q, err)) == 0) {
        if (count == room) {
            room = room ? 2 * room : 64;
            struct span *grown = arena_alloc(&c->q->arena, room * sizeof(*grown));
            if (!grown) {
                sqlite3_reset(q);
                return reader_nomem(err);
            }
            if (count)
                memcpy(grown, spans, count * sizeof(*grown));
            spans = grown;
        }
        read_span(q, &spans[count++]);
    }
    *ret = spans;
    *ret_count = count;
    return r == SQL_DONE ? 0 : r;
}

static int children_of(struct cover *c, const struct span *s, struct span **ret,
                       uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = reader_statement(c->q->r, SQL_COVER_CHILDREN, &q, err);
    if (r)
        return r;
    sqlite3_bind_int(q, 1, s->stratum - 1);
    sqlite3_bind_int64(q, 2, s->start);
    sqlite3_bind_int64(q, 3, s->end);
    sqlite3_bind_int64(q, 4, s->id);
    return collect(c, q, ret, ret_count, err);
}

/* How much of it lies in [since, until), as a share. */
static double share_inside(const struct cover *c, const struct span *s)
{
    int64_t end = s->end + 1;
    int64_t from = s->start > c->since ? s->start : c->since;
    int64_t to = end < c->until ? end : c->until;
    return to > from ? (double)(to - from) / (double)(end - s->start) : 0;
}

static int visit(struct cover *c, const struct span *s, struct errmsg *err)
{
    double inside = share_inside(c, s);
    if (s->stratum == STRATUM_MOMENT && c->stream && s->stream != c->stream)
        return 0;
    if (inside >= 1 || inside <= 0)
        return (inside >= 1) != c->outside ? c->take(c->arg, s, err) : 0;
    struct span *children = NULL;
    uint32_t count = 0;
    int64_t records = 0;
    int r = s->stratum > 0 ? children_of(c, s, &children, &count, err) : 0;
    for (uint32_t i = 0; i < count; i++)
        records += children[i].records;
    if (r)
        return r;
    if (count == 0 || (double)records < CHILDREN_SHARE * (double)s->records)
        return !c->outside && inside > 0.5 ? c->take(c->arg, s, err) : 0;
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = visit(c, &children[i], err);
    return r;
}

/* Spans of the stratum that start in [since, until) and belong to nothing. */
static int visit_roots(struct cover *c, int stratum, int64_t since, int64_t until,
                       struct errmsg *err)
{
    sqlite3_stmt *q;
    struct span *roots;
    uint32_t count;
    int r = reader_statement(c->q->r, SQL_COVER_ROOTS, &q, err);
    if (r)
        return r;
    sqlite3_bind_int(q, 1, stratum);
    sqlite3_bind_int64(q, 2, since);
    sqlite3_bind_int64(q, 3, until);
    r = collect(c, q, &roots, &count, err);
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = visit(c, &roots[i], err);
    return r;
}

/* Moments that are in no episode and episodes in no hour: only where something is marked. */
static int visit_marked(struct cover *c, int stratum, int64_t since, int64_t until,
                        struct errmsg *err)
{
    sqlite3_stmt *q;
    int64_t hours[256], seen = INT64_MIN;
    uint32_t count = 0;
    int r = reader_statement(c->q->r, SQL_MARKED_HOURS, &q, err);
    if (r)
        return r;
    sqlite3_bind_int(q, 1, stratum + 1);
    sqlite3_bind_int64(q, 2, since > 0 ? since / US_PER_HOUR - 1 : 0);
    sqlite3_bind_int64(q, 3, until / US_PER_HOUR + 1);
    while (count < 256 && (r = sql_step(q, err)) == 0)
        hours[count++] = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    r = r == SQL_DONE ? 0 : r;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        int64_t from = hours[i] * US_PER_HOUR - BORDER;
        int64_t to = from + US_PER_HOUR + 2 * BORDER;
        from = from > seen ? from : seen;
        r = visit_roots(c, stratum, from, to, err);
        seen = to;
    }
    return r;
}

static int walk(struct cover *c, struct errmsg *err)
{
    int64_t since = c->outside || c->since < MONTH_MOST ? 0 : c->since - MONTH_MOST;
    int64_t until = c->outside ? INT64_MAX / 2 : c->until;
    int r = 0;
    for (int stratum = STRATUM_MONTH; stratum >= STRATUM_HOUR && r == 0; stratum--)
        r = visit_roots(c, stratum, since, until, err);
    for (int stratum = STRATUM_EPISODE; stratum >= STRATUM_MOMENT && r == 0; stratum--)
        r = visit_marked(c, stratum, since, until, err);
    return r;
}

/* ---- sums of spans ---- */

static int merge_row(sqlite3_stmt *q, struct sums *sums, int64_t moment, int hour,
                     struct errmsg *err)
{
    int r = sums_merge(sums, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), hour);
    return r ? err_set(err, r, "sums of moment %lld: %s", (long long)moment, err_text(r)) : 0;
}

static int merge_span(struct question *q, const struct span *s, int64_t stream, struct sums *sums,
                      int hour, struct errmsg *err)
{
    sqlite3_stmt *stat;
    if (s->stratum == STRATUM_MOMENT && s->stream == stream &&
        sums_count(sums, STAT_RECORDS, 0, (uint64_t)s->records, s->start, s->end))
        return reader_nomem(err);
    int r = reader_statement(q->r, SQL_STAT, &stat, err);
    if (r)
        return r;
    sqlite3_bind_int64(stat, 1, s->id);
    sqlite3_bind_int64(stat, 2, stream);
    r = sql_step(stat, err);
    if (r == 0)
        r = merge_row(stat, sums, s->id, hour, err);
    sqlite3_reset(stat);
    return r == SQL_DONE ? 0 : r;
}

static int item_name(struct question *q, int64_t stream, const struct sum *sum, struct arena *arena,
                     const char **ret, struct errmsg *err)
{
    sqlite3_stmt *s;
    *ret = "";
    if (sum->what == STAT_RECORDS)
        return 0;
    bool kind = sum->what == STAT_KIND;
    int r = reader_statement(q->r, kind ? SQL_KIND : SQL_CHANNEL, &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, sum->id);
    if (!kind)
        sqlite3_bind_int64(s, 2, stream);
    r = sql_step(s, err);
    if (r == 0)
        *ret = reader_column_text(s, 0, arena);
    sqlite3_reset(s);
    return r < 0 ? r : *ret ? 0 : reader_nomem(err);
}

/* Items of the sums behind those there are already. */
static int give_items(struct question *q, int64_t stream, const struct sums *sums,
                      struct arena *arena, struct stat_item **items, uint32_t *count,
                      struct errmsg *err)
{
    struct stat_item *all = arena_alloc(arena, (*count + sums->count + 1) * sizeof(*all));
    int r = 0;
    if (!all)
        return reader_nomem(err);
    if (*count)
        memcpy(all, *items, *count * sizeof(*all));
    for (uint32_t i = 0; i < sums->count && r == 0; i++) {
        const struct sum *s = &sums->items[i];
        struct stat_item *item = &all[(*count)++];
        *item = (struct stat_item){.stream = stream,
                                   .what = s->what,
                                   .id = s->id,
                                   .count = s->count,
                                   .first_at = s->first_at,
                                   .last_at = s->last_at,
                                   .first = s->first,
                                   .last = s->last,
                                   .least = s->values.least,
                                   .most = s->values.most,
                                   .mean = s->values.mean,
                                   .sd = spread_sd(&s->values),
                                   .least_at = s->least_at,
                                   .most_at = s->most_at};
        r = item_name(q, stream, s, arena, &item->name, err);
    }
    *items = all;
    return r;
}

struct range {
    struct question *q;
    int64_t stream;
    struct sums sums;
};

static int take_range(void *arg, const struct span *s, struct errmsg *err)
{
    struct range *range = arg;
    return merge_span(range->q, s, range->stream, &range->sums, -1, err);
}

/* Calls `one` for the stream, or for each. */
static int each_stream(struct question *q, int64_t stream, void *arg,
                       int (*one)(void *arg, struct question *q, int64_t stream,
                                  struct errmsg *err),
                       struct errmsg *err)
{
    struct store_stream *streams;
    uint32_t count;
    if (stream)
        return one(arg, q, stream, err);
    int r = reader_streams_read(q->r, &q->arena, &streams, &count, err);
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = one(arg, q, streams[i].id, err);
    return r;
}

struct answer {
    int64_t since, until;
    struct arena *arena;
    struct stat_item *items;
    uint32_t count;
};

static int answer_range(void *arg, struct question *q, int64_t stream, struct errmsg *err)
{
    struct answer *a = arg;
    struct range range = {.q = q, .stream = stream};
    arena_reset(&q->profiles);
    sums_init(&range.sums, &q->profiles, &q->profiles);
    struct cover c = {.q = q,
                      .since = a->since,
                      .until = a->until,
                      .stream = stream,
                      .take = take_range,
                      .arg = &range};
    int r = walk(&c, err);
    return r ? r : give_items(q, stream, &range.sums, a->arena, &a->items, &a->count, err);
}

int stat_range(struct reader *reader, int64_t stream, int64_t since, int64_t until,
               struct arena *arena, struct stat_item **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct question q;
    struct answer a = {.since = since, .until = until, .arena = arena};
    int r = begin(&q, reader, err);
    if (r == 0)
        r = each_stream(&q, stream, &a, answer_range, err);
    *ret = a.items;
    *ret_count = a.count;
    return end(&q, r);
}

/* ---- what is usual ---- */

struct usual {
    struct question *q;
    int64_t stream, id;
    enum stat_what what;
    int hour;
    int64_t first, last; /* of the stream's records */
    struct spread spread;
    uint64_t hours; /* that lie in what was taken, of that hour of the week */
};

/* How often the hour of the week begins in [from, to]. */
static uint64_t count_hours(const struct usual *u, int64_t from, int64_t to)
{
    from = from > u->first ? from : u->first;
    to = to < u->last ? to : u->last;
    from = from / US_PER_HOUR * US_PER_HOUR;
    if (from > to)
        return 0;
    if (u->hour < 0)
        return (uint64_t)((to - from) / US_PER_HOUR + 1);
    uint64_t n = 0;
    int steps = HOURS_OF_WEEK + 2;
    while (from <= to) {
        if (calendar_hour_of_week(from) == u->hour) {
            n++;
            from += (HOURS_OF_WEEK - 2) * US_PER_HOUR; /* the clock may have been changed since */
            steps = HOURS_OF_WEEK + 2;
        } else {
            from += US_PER_HOUR;
            if (--steps < 0)
                break;
        }
    }
    return n;
}

static int take_usual(void *arg, const struct span *s, struct errmsg *err)
{
    struct usual *u = arg;
    struct sums sums;
    bool fine = s->stratum <= STRATUM_HOUR && s->stratum > ~STRATUM_HOUR; /* has no profile */
    if (fine && u->hour >= 0 && calendar_hour_of_week(s->start) != u->hour)
        return 0;
    u->hours += count_hours(u, s->start, s->end);
    arena_reset(&u->q->profiles);
    sums_init(&sums, &u->q->profiles, &u->q->profiles);
    int r = merge_span(u->q, s, u->stream, &sums, -1, err);
    const struct sum *sum = r == 0 ? sums_find(&sums, u->what, u->id) : NULL;
    if (!sum)
        return r;
    if (fine && u->what == STAT_CHANNEL)
        spread_add(&u->spread, &sum->values);
    else if (fine)
        spread_value(&u->spread, (double)sum->count);
    for (int h = 0; h < HOURS_OF_WEEK && !fine && sum->hours; h++)
        if (u->hour < 0 || h == u->hour)
            spread_add(&u->spread, &sum->hours[h]);
    return 0;
}

/* Hours in which nothing came count as none. */
static void add_empty_hours(struct usual *u)
{
    struct spread *s = &u->spread;
    if (u->what == STAT_CHANNEL || u->hours <= s->n)
        return;
    const struct spread none = {.n = u->hours - s->n};
    spread_add(s, &none);
}

int stat_usual(struct reader *reader, int64_t stream, enum stat_what what, int64_t id, int hour,
               int64_t except_since, int64_t except_until, struct stat_usual *ret,
               struct errmsg *err)
{
    struct question q;
    struct store_stream *streams;
    uint32_t count = 0;
    struct usual u = {.q = &q, .stream = stream, .what = what, .id = id, .hour = hour};
    struct cover c = {.q = &q,
                      .since = except_since,
                      .until = except_until,
                      .outside = true,
                      .stream = stream,
                      .take = take_usual,
                      .arg = &u};
    if (what != STAT_RECORDS && what != STAT_KIND && what != STAT_CHANNEL)
        return err_set(err, ERR_INVALID, "no such kind of sum: %d", (int)what);
    int r = begin(&q, reader, err);
    if (r == 0)
        r = reader_streams_read(reader, &q.arena, &streams, &count, err);
    for (uint32_t i = 0; i < count && r == 0; i++) {
        if (streams[i].id != stream || streams[i].first_time == TIME_UNKNOWN)
            continue;
        u.first = streams[i].first_time;
        u.last = streams[i].last_time;
        r = walk(&c, err);
    }
    *ret = (struct stat_usual){0};
    if (r == 0 && u.spread.n) {
        add_empty_hours(&u);
        *ret = (struct stat_usual){
            .n = u.spread.n,
            .weeks = (uint32_t)(hour < 0 ? (u.hours + HOURS_OF_WEEK - 1) / HOURS_OF_WEEK : u.hours),
            .mean = u.spread.mean,
            .sd = spread_sd(&u.spread),
            .least = u.spread.least,
            .most = u.spread.most};
    }
    return end(&q, r);
}

/* ---- by words ---- */

/* Every word of `words` occurs in it, upper and lower case alike. */
static bool matches(const char *text, const char *words)
{
    while (*words) {
        while (*words && !isalnum((unsigned char)*words) && (unsigned char)*words < 0x80)
            words++;
        size_t n = 0;
        while (isalnum((unsigned char)words[n]) || (unsigned char)words[n] >= 0x80 ||
               (n > 0 && words[n] && strchr("._-/", words[n])))
            n++;
        const char *at = text;
        while (n && *at && strncasecmp(at, words, n) != 0)
            at++;
        if (n && !*at)
            return false;
        words += n;
    }
    return true;
}

struct search {
    const char *words;
    uint32_t limit;
    struct answer answer;
};

/* Keeps the list by falling count. */
static int keep_found(struct search *f, const struct stat_item *item, struct errmsg *err)
{
    struct answer *a = &f->answer;
    if (!a->items) {
        a->items = arena_alloc(a->arena, f->limit * sizeof(*a->items));
        if (!a->items)
            return reader_nomem(err);
    }
    if (a->count == f->limit && a->items[a->count - 1].count >= item->count)
        return 0;
    struct stat_item kept = *item;
    kept.name = arena_copy(a->arena, item->name, strlen(item->name));
    if (!kept.name)
        return reader_nomem(err);
    uint32_t at = a->count < f->limit ? a->count++ : f->limit - 1;
    for (; at > 0 && a->items[at - 1].count < kept.count; at--)
        a->items[at] = a->items[at - 1];
    a->items[at] = kept;
    return 0;
}

static int search_stream(void *arg, struct question *q, int64_t stream, struct errmsg *err)
{
    struct search *f = arg;
    static const enum reader_sql lists[] = {SQL_KINDS, SQL_CHANNEL_LIST};
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        sqlite3_stmt *s;
        r = reader_statement(q->r, lists[i], &s, err);
        if (r)
            return r;
        sqlite3_bind_int64(s, 1, stream);
        while ((r = sql_step(s, err)) == 0) {
            const char *name = (const char *)sqlite3_column_text(s, 1);
            const struct stat_item item = {.stream = stream,
                                           .what = i ? STAT_CHANNEL : STAT_KIND,
                                           .id = sqlite3_column_int64(s, 0),
                                           .name = name,
                                           .count = (uint64_t)sqlite3_column_int64(s, 2),
                                           .first_at = sqlite3_column_int64(s, 3),
                                           .last_at = sqlite3_column_int64(s, 4)};
            if (!name || !matches(name, f->words))
                continue;
            r = keep_found(f, &item, err);
            if (r)
                break;
        }
        sqlite3_reset(s);
        r = r == SQL_DONE ? 0 : r;
    }
    return r;
}

int stat_find(struct reader *reader, int64_t stream, const char *words, uint32_t limit,
              struct arena *arena, struct stat_item **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct question q;
    struct search f = {.words = words, .answer = {.arena = arena}};
    int r = reader_limit(limit, 10, &f.limit, err);
    if (r)
        return r;
    r = begin(&q, reader, err);
    if (r == 0)
        r = each_stream(&q, stream, &f, search_stream, err);
    *ret = f.answer.items;
    *ret_count = f.answer.count;
    return end(&q, r);
}
