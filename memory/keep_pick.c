/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which memory is worth least. A look reads some SAMPLE rows of a class: all when there are no more
 * of them, else runs at random places, and keeps the worst KEEP_POOL of them, an eighth; those go
 * one after the other before the next look. So a memory that goes was among the worst eighth of a
 * sample, and costs some ten rows to read, however many there are.
 *
 * A run at a random place meets what lies sparse, as old memories do, more often than what lies
 * dense: so each candidate counts by the density of its run.
 *
 * value = salience * (LEAST + strength) + coverage, over the root of its size
 *   salience: alerts, how surprising it was for its stream, and whether it helped
 *   strength = exp(-age / (TAU_0 (1 + accesses))), age in tau or on the wall
 *   coverage: the sum over its features of 1 / (memories that have it), at most 1
 */
#include <math.h>
#include <stdlib.h>

#include "memory/keep_internal.h"

#define SAMPLE (8 * KEEP_POOL)
#define RUN 64
#define BEHIND 3 /* with this part of what may go waiting, summing up comes first */
#define TAU_0 (7.0 * 86400)
#define LEAST 0.25
#define FIXED_LEAST (200 << 10) /* empty tables, their indexes, the schema */

struct look {
    struct store *s;
    enum keep_class class;
    bool all;
    struct keep_candidate found[SAMPLE + RUN];
    uint32_t count;
    double waiting; /* weight of what is left out: to be summed up first */
    int64_t due[64][2];
    uint32_t due_count;
};

static uint64_t next_random(struct keeper *k)
{
    k->random ^= k->random << 13;
    k->random ^= k->random >> 7;
    k->random ^= k->random << 17;
    return k->random;
}

uint64_t keep_random(struct store *s)
{
    return next_random(s->keeper);
}

/* How far behind its start a unit of a stratum reaches. */
static int64_t unit_length(int64_t stratum)
{
    switch (stratum) {
    case STRATUM_EPISODE:
    case STRATUM_HOUR:
        return US_PER_HOUR;
    case STRATUM_DAY:
        return 25 * US_PER_HOUR;
    case STRATUM_WEEK:
        return 8 * US_PER_DAY;
    default:
        return 32 * US_PER_DAY;
    }
}

/* Is what sums up a span of stratum `below` that starts at t to be made again? */
static bool is_due(const struct look *l, int64_t stratum, int64_t t)
{
    for (uint32_t i = 0; i < l->due_count; i++) {
        int64_t start = l->due[i][1];
        if (l->due[i][0] != stratum)
            continue;
        if (stratum <= STRATUM_HOUR)
            start *= US_PER_HOUR;
        if (t >= start && t < start + unit_length(stratum))
            return true;
    }
    return false;
}

static int load_due(struct look *l, struct errmsg *err)
{
    sqlite3_stmt *q = keep_stmt(l->s, KEEP_SQL_DUE);
    int r;
    l->due_count = 0;
    while (l->due_count < 64 && (r = sql_step(q, err)) == 0) {
        l->due[l->due_count][0] = sqlite3_column_int64(q, 0);
        l->due[l->due_count++][1] = sqlite3_column_int64(q, 1);
    }
    sqlite3_reset(q);
    return l->due_count == 64 || r == SQL_DONE ? 0 : r;
}

static double coverage_of(const struct look *l, const uint8_t *ids, int count)
{
    const uint32_t *kept = l->s->keeper->counts.kept[l->class != KEEP_EVIDENCE];
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += 1.0 / (kept[ids[i]] ? kept[ids[i]] : 1);
    return sum < 1 ? sum : 1;
}

/* How far z is above what is usual for the stream, in its mean distances from that. */
static double over_usual(const struct keeper *k, int64_t stream, double z)
{
    const struct keep_usual *u = &k->counts.usual[stream % KEEP_STREAMS];
    if (stream == 0 || u->stream != stream || !(u->off > 0))
        return z / 5; /* of a span, or of a stream that is new again */
    return (z - u->mean) / u->off;
}

static double value_of(const struct look *l, sqlite3_stmt *q)
{
    struct keeper *k = l->s->keeper;
    double bytes = (double)sqlite3_column_int64(q, 1), touched = sqlite3_column_double(q, 2);
    double hits = (double)sqlite3_column_int64(q, 3), uses = (double)sqlite3_column_int64(q, 4);
    double helped = (double)sqlite3_column_int64(q, 5), alerts = (double)sqlite3_column_int64(q, 6);
    double z = sqlite3_column_double(q, 7);
    int64_t start = sqlite3_column_int64(q, 8), end = sqlite3_column_int64(q, 9);
    if (k->budget.evict == KEEP_FIFO)
        return (double)start;
    if (k->budget.evict == KEEP_RANDOM)
        return (double)(next_random(k) >> 11);
    double age =
        k->budget.wall ? (double)(k->tau.until - end) / US_PER_SECOND : k->tau.tau - touched;
    double strength = exp(-fmax(age, 0) / (TAU_0 * (1 + hits + uses)));
    double salience = 0.1 + 0.2 * fmin(3, fmax(over_usual(k, sqlite3_column_int64(q, 12), z), 0));
    if (alerts > 0)
        salience += 0.5 + fmin(0.5, log2(1 + alerts) / 6);
    salience += 0.5 * fmin(2, helped) - 0.1 * fmin(1, uses - helped);
    double value = fmax(salience, 0.01) * (LEAST + strength);
    if (k->budget.evict == KEEP_BY_COVERAGE)
        value += coverage_of(l, sqlite3_column_blob(q, 10), sqlite3_column_bytes(q, 10));
    return value / sqrt(1 + bytes / 1024);
}

/* Rows from `from` on, at most `limit` more. *ret_next: behind the last one; INT64_MAX: none are
 * left. */
static int read_run(struct look *l, int64_t from, uint32_t limit, int64_t *ret_next,
                    struct errmsg *err)
{
    bool evidence = l->class == KEEP_EVIDENCE;
    sqlite3_stmt *q = keep_stmt(l->s, evidence ? KEEP_SQL_EVIDENCE : KEEP_SQL_SPANS);
    uint32_t rows = 0, first = l->count, waiting = 0;
    int r;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, limit);
    if (!evidence)
        sqlite3_bind_int(q, 3, keep_stratum(l->class));
    while ((r = sql_step(q, err)) == 0) {
        int64_t id = sqlite3_column_int64(q, 0), start = sqlite3_column_int64(q, 8);
        *ret_next = evidence ? id + 1 : start + 1;
        rows++;
        int above = evidence ? STRATUM_EPISODE : keep_stratum(l->class) + 1;
        bool taken_up = sqlite3_column_int(q, 11);
        if ((!taken_up && !(l->all && evidence)) || (!l->all && is_due(l, above, start))) {
            waiting++;
            continue;
        }
        l->found[l->count++] = (struct keep_candidate){id, value_of(l, q), 0};
    }
    sqlite3_reset(q);
    /* A look at all of them, or one of many runs? */
    double weight = rows && limit == RUN ? (double)rows / (double)(*ret_next - from) : 1;
    for (uint32_t i = first; i < l->count; i++)
        l->found[i].weight = weight;
    l->waiting += weight * waiting;
    if (rows < limit)
        *ret_next = INT64_MAX;
    return r == SQL_DONE ? 0 : r;
}

static int bound_of(struct look *l, enum keep_statement evidence, enum keep_statement span,
                    int64_t *ret, struct errmsg *err)
{
    bool of_evidence = l->class == KEEP_EVIDENCE;
    sqlite3_stmt *q = keep_stmt(l->s, of_evidence ? evidence : span);
    if (!of_evidence)
        sqlite3_bind_int(q, 1, keep_stratum(l->class));
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return r;
}

int keep_count(struct store *s, enum keep_class class, int64_t *ret, struct errmsg *err)
{
    if (class == KEEP_EVIDENCE) {
        *ret = s->keeper->counts.evidence;
        return 0;
    }
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_COUNT);
    sqlite3_bind_int(q, 1, keep_stratum(class));
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* A random moment of evidence, or the time when one starts: of all times few may hold anything,
 * with a single memory of 2200. */
static int random_place(struct look *l, int64_t first, int64_t last, int64_t *ret,
                        struct errmsg *err)
{
    uint64_t random = next_random(l->s->keeper);
    sqlite3_stmt *q = keep_stmt(l->s, KEEP_SQL_PLACE);
    if (l->class == KEEP_EVIDENCE) {
        *ret = first + (int64_t)(random % (uint64_t)(last - first + 1));
        return 0;
    }
    sqlite3_bind_int64(q, 1, (int64_t)(random >> 1));
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int64(q, 0) : first;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int read_places(struct look *l, int64_t first, int64_t last, struct errmsg *err)
{
    int r = 0;
    for (int i = 0; i < SAMPLE / RUN && r == 0; i++) {
        int64_t next = 0, from;
        r = random_place(l, first, last, &from, err);
        if (r == 0)
            r = read_run(l, from, RUN, &next, err);
    }
    return r;
}

static int by_value(const void *a, const void *b)
{
    const struct keep_candidate *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The same place may have been read twice. */
static uint32_t without_doubles(struct keep_candidate *c, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || c[kept - 1].id != c[i].id)
            c[kept++] = c[i];
    return kept;
}

static int fill_pool(struct look *l, struct errmsg *err)
{
    struct keeper *k = l->s->keeper;
    int64_t first, last, count, next = INT64_MIN;
    int r = load_due(l, err);
    if (r == 0)
        r = keep_count(l->s, l->class, &count, err);
    if (r == 0)
        r = bound_of(l, KEEP_SQL_EVIDENCE_FIRST, KEEP_SQL_SPAN_FIRST, &first, err);
    if (r == 0)
        r = bound_of(l, KEEP_SQL_EVIDENCE_LAST, KEEP_SQL_SPAN_LAST, &last, err);
    if (r)
        return r;
    if (count <= SAMPLE || last <= first || k->budget.evict == KEEP_FIFO)
        r = read_run(l, next, SAMPLE, &next, err);
    else
        r = read_places(l, first, last, err);
    if (r)
        return r;
    qsort(l->found, l->count, sizeof(*l->found), by_value);
    l->count = without_doubles(l->found, l->count);
    double all = 0, sum = 0;
    for (uint32_t i = 0; i < l->count; i++)
        all += l->found[i].weight;
    k->pool_count = k->pool_next = 0;
    k->pool_class = l->class;
    for (uint32_t i = 0; i < l->count && i < KEEP_POOL && sum < all / 8; i++) {
        k->pool[k->pool_count++] = l->found[i];
        sum += l->found[i].weight;
    }
    k->behind |= l->class <= KEEP_MOMENTS && l->waiting > all / BEHIND;
    return 0;
}

static int measure_class(struct look *l, struct errmsg *err)
{
    struct keeper *k = l->s->keeper;
    sqlite3_stmt *q = keep_stmt(l->s, KEEP_SQL_MEASURE);
    int64_t first, last;
    int r = bound_of(l, KEEP_SQL_EVIDENCE_FIRST, KEEP_SQL_SPAN_FIRST, &first, err);
    if (r == 0)
        r = bound_of(l, KEEP_SQL_EVIDENCE_LAST, KEEP_SQL_SPAN_LAST, &last, err);
    int64_t from;
    if (r == 0)
        r = random_place(l, first, last, &from, err);
    if (r)
        return r;
    sqlite3_bind_int(q, 1, keep_stratum(l->class));
    sqlite3_bind_int64(q, 2, from);
    r = sql_step(q, err);
    double mean = r == 0 ? sqlite3_column_double(q, 0) : 0;
    sqlite3_reset(q);
    if (r == 0 && mean > 0)
        k->span_bytes[l->class] += (mean - k->span_bytes[l->class]) / (k->measures < 8 ? 2 : 8);
    return r == SQL_DONE ? 0 : r;
}

int keep_measure(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_FIXED);
    int r = sql_step(q, err);
    if (r == 0)
        k->fixed = FIXED_LEAST + sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    for (enum keep_class c = KEEP_EPISODES; c < KEEP_CLASSES && r == 0; c++) {
        struct look l = {.s = s, .class = c};
        r = measure_class(&l, err);
    }
    k->measures++;
    return r;
}

/* Since the look it may have gone, or have been pinned. What is planned to be forgotten must not
 * slip into a remainder, nor a planned remainder into one further up. */
static int may_go(struct store *s, int64_t id, bool *ret, struct errmsg *err)
{
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_MAY_GO);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    *ret = r == 0 && sqlite3_column_int(q, 0);
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

int keep_pick(struct store *s, enum keep_class class, bool all, int64_t *ret_id, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    bool fresh = false, good = false;
    int r = 0;
    while (r == 0 && !good) {
        if (k->pool_class != class || k->pool_next >= k->pool_count) {
            if (fresh)
                return SQL_DONE;
            struct look l = {.s = s, .class = class, .all = all};
            fresh = true;
            r = fill_pool(&l, err);
            if (r == 0 && k->pool_count == 0)
                return SQL_DONE;
            continue;
        }
        *ret_id = k->pool[k->pool_next++].id;
        r = may_go(s, *ret_id, &good, err);
    }
    return r;
}
