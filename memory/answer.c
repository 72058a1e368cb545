/* SPDX-License-Identifier: Apache-2.0 */
/* Words, budgets and shares of an answer; see answer.h. */
#include "memory/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "memory/candidates.h"
#include "memory/stat.h"

#define SUM_ROWS 50000 /* moments of a span that are counted at most */

void answer_step(struct answering *a, const char *format, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (a->out->step_count == STEPS_MAX)
        return;
    const char *copy = arena_copy(a->arena, text, strlen(text));
    if (copy)
        a->steps[a->out->step_count++] = copy;
}

void answer_time(struct buf *out, int64_t us)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    buf_printf(out, "%04d-%02d-%02d %02d:%02d", c.year, c.month, c.day, c.hour, c.minute);
}

void answer_span(const struct answering *a, struct buf *out)
{
    const struct reader_filter *f = &a->filter;
    bool since = f->since != TIME_UNKNOWN, until = f->until != INT64_MAX;
    bool named = a->said[0];
    if (!since && !until) {
        buf_puts(out, "all of memory");
        return;
    }
    if (named)
        buf_printf(out, "%s (", a->said);
    if (since && !until)
        buf_puts(out, "since ");
    if (since)
        answer_time(out, f->since);
    if (until)
        buf_puts(out, since ? " to " : "before ");
    if (until)
        answer_time(out, f->until);
    if (named)
        buf_putc(out, ')');
}

void answer_count(struct buf *out, uint64_t n, const char *noun)
{
    char digits[32];
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            buf_putc(out, ',');
        buf_putc(out, digits[i]);
    }
    buf_printf(out, " %s%s", noun, n == 1 ? "" : "s");
}

bool answer_spend(struct answering *a, size_t size)
{
    if (size > a->left || clock_mono(a->r->clock) > a->deadline)
        return false;
    a->left -= size;
    a->out->spent += size;
    return true;
}

int answer_gists(struct answering *a, struct errmsg *err)
{
    for (uint32_t i = 0; i < a->out->items.count; i++) {
        struct recall_item *item = &a->out->items.items[i];
        const char *gist;
        int rc = reader_gist(a->r, item->id, a->arena, &gist, err);
        if (rc)
            return rc;
        if (gist[0] && answer_spend(a, strlen(gist)))
            item->gist = gist;
    }
    return 0;
}

void answer_shares(struct recall_items *items)
{
    double sum = 0;
    for (uint32_t i = 0; i < items->count; i++)
        sum += items->items[i].share;
    for (uint32_t i = 0; i < items->count; i++)
        items->items[i].share = sum > 0 ? items->items[i].share / sum : 1.0 / items->count;
}

static bool asked_for(const struct reader_filter *f, int64_t stream)
{
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (f->streams[i] == stream)
            return true;
    return f->stream_count == 0;
}

static int sum_rows(struct answering *a, sqlite3_stmt *stmt, int64_t key, int64_t reach,
                    struct stream_sum *sums, struct errmsg *err)
{
    const struct reader_filter *f = &a->filter;
    uint32_t rows = 0;
    int rc;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, f->since == TIME_UNKNOWN ? TIME_UNKNOWN : f->since - reach);
    sqlite3_bind_int64(stmt, 3, f->until);
    sqlite3_bind_int64(stmt, 4, SUM_ROWS);
    sqlite3_bind_int64(stmt, 5, f->since);
    while ((rc = sql_step(stmt, err)) == 0) {
        int64_t stream = sqlite3_column_int64(stmt, 1);
        rows++;
        for (uint32_t i = 0; i < a->stream_count; i++) {
            if (a->streams[i].id != stream)
                continue;
            double bits = sqlite3_column_double(stmt, 3);
            if (!sums[i].moments++ || bits < sums[i].usual_bits) {
                sums[i].usual = sqlite3_column_int64(stmt, 0);
                sums[i].usual_bits = bits;
            }
            sums[i].records += (uint64_t)sqlite3_column_int64(stmt, 2);
        }
    }
    if (rows == SUM_ROWS)
        answer_step(a, "counted the first %d moments only", SUM_ROWS);
    return rc == SQL_DONE ? 0 : rc;
}

/* What the sums of the strata say of records whose moments are gone. */
static int sum_strata(struct answering *a, struct stream_sum *sums, struct errmsg *err)
{
    const struct reader_filter *f = &a->filter;
    struct stat_item *items;
    uint32_t count;
    int rc = stat_range(a->r, 0, f->since == TIME_UNKNOWN ? TIME_MIN : f->since,
                        f->until == INT64_MAX ? TIME_MAX : f->until, &a->r->scratch, &items, &count,
                        err);
    for (uint32_t k = 0; rc == 0 && k < count; k++)
        for (uint32_t i = 0; i < a->stream_count; i++)
            if (items[k].what == STAT_RECORDS && items[k].stream == a->streams[i].id &&
                items[k].count > sums[i].records && asked_for(f, items[k].stream))
                sums[i].records = items[k].count;
    return rc;
}

int answer_sums(struct answering *a, struct stream_sum **ret, struct errmsg *err)
{
    const struct reader_filter *f = &a->filter;
    sqlite3_stmt *stmt = NULL;
    int64_t reach;
    struct stream_sum *sums = arena_alloc(&a->r->scratch, (a->stream_count + 1) * sizeof(*sums));
    if (!sums)
        return reader_nomem(err);
    memset(sums, 0, (a->stream_count + 1) * sizeof(*sums));
    int rc = candidates_span_max(a->r, STRATUM_MOMENT, &reach, err);
    for (uint32_t i = 0; i < (f->stream_count ? f->stream_count : 1) && rc == 0; i++) {
        rc = reader_statement(a->r, f->stream_count ? SQL_STREAM_SPAN_SUMS : SQL_SPAN_SUMS, &stmt,
                              err);
        if (rc == 0)
            rc = sum_rows(a, stmt, f->stream_count ? f->streams[i] : 0, reach, sums, err);
    }
    *ret = sums;
    return rc ? rc : sum_strata(a, sums, err);
}

bool answer_asked_for(const struct answering *a, const char *stream)
{
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (strcmp(a->streams[i].name, stream) == 0)
            return asked_for(&a->filter, a->streams[i].id);
    return false;
}

int answer_silent(struct answering *a, const struct stream_sum *sums, struct errmsg *err)
{
    const char **names = arena_alloc(a->arena, (a->stream_count + 1) * sizeof(*names));
    if (!names)
        return reader_nomem(err);
    for (uint32_t i = 0; i < a->stream_count; i++) {
        if (sums[i].records || sums[i].moments || !asked_for(&a->filter, a->streams[i].id))
            continue;
        const char *name = arena_copy(a->arena, a->streams[i].name, strlen(a->streams[i].name));
        if (!name)
            return reader_nomem(err);
        names[a->out->silent_count++] = name;
    }
    a->out->silent = names;
    return 0;
}

void answer_name_silent(struct answering *a)
{
    for (uint32_t i = 0; i < a->out->silent_count; i++)
        buf_printf(&a->text, "%s%s", i ? ", " : " Silent: ", a->out->silent[i]);
    if (a->out->silent_count)
        buf_putc(&a->text, '.');
}
