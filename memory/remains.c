/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gist's line begins with what it tells of, then a time as far as the span needs one: "00:46:02",
 * "01:56", "Tue 21:04", "3 Mar 21:04", local. What has no such time is of the whole span and stays
 * in the gist. Sizes: 64 lines a span, 24 spans a question.
 */
#include "memory/remains.h"

#include <stdio.h>
#include <string.h>

#include "base/timespec.h"
#include "base/timestamp.h"

#define LINES 64
#define GONE 0.2     /* of a span's moments: then its gist is read for them */
#define LEFT_ROWS 64 /* moments of a span that are counted for it */
#define SPANS 24     /* of a stratum that one question reads */
#define SAME (2 * US_PER_MINUTE)
#define FIRST_SCORE 0.4f /* of a line that tells of the first of a kind */

int remains_gone(struct reader *r, const struct moment_row *row, double *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_SPAN_LEFT, &stmt, err);
    *ret = 0;
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, row->id);
    sqlite3_bind_int64(stmt, 2, row->start);
    sqlite3_bind_int64(stmt, 3, row->end);
    sqlite3_bind_int64(stmt, 4, LEFT_ROWS);
    rc = sql_step(stmt, err);
    if (rc == 0) {
        double made_of = sqlite3_column_double(stmt, 0), left = sqlite3_column_double(stmt, 1);
        made_of = made_of < LEFT_ROWS ? made_of : LEFT_ROWS;
        *ret = made_of > left ? 1 - left / made_of : 0;
    }
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

/* ---- lines of a gist ---- */

struct line {
    int64_t time;
    struct slice stream, text; /* "network", "network: …" */
    bool first;
};

/* Reads the time at s[0..n) of a span that starts at `start`; its bytes, 0 when there is none. */
static size_t read_time(const char *s, size_t n, int64_t start, int64_t *ret)
{
    struct civil c;
    char text[24];
    char word[4] = "";
    int day = 0, hour, minute, second = 0, used = 0;
    snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) - 1 ? n : sizeof(text) - 1), s);
    timestamp_to_civil_local(start, &c);
    int64_t base = start;
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) == 2) {
    } else if (sscanf(text, "%3[A-Za-z] %2d:%2d%n", word, &hour, &minute, &used) == 3) {
        int weekday = timespec_weekday(word, (int)strlen(word));
        if (weekday < 0)
            return 0;
        c.day += (weekday - timestamp_weekday(&c) + 7) % 7;
    } else if (sscanf(text, "%2d %3[A-Za-z] %2d:%2d%n", &day, word, &hour, &minute, &used) == 4) {
        int month = timespec_month(word, (int)strlen(word));
        if (!month || day < 1 || day > 31)
            return 0;
        c.year += month < c.month;
        c.month = month;
        c.day = day;
    } else {
        return 0;
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return 0;
    int more = 0;
    if (sscanf(text + used, ":%2d%n", &second, &more) == 1 && second >= 0 && second < 60)
        used += more;
    else
        second = 0;
    c.hour = hour;
    c.minute = minute;
    c.second = second;
    c.microsecond = 0;
    *ret = timestamp_from_civil_local(&c);
    if (*ret < base - US_PER_HOUR)
        *ret += US_PER_DAY;
    return (size_t)used;
}

static bool read_line(const char *s, size_t n, int64_t start, struct line *ret)
{
    static const char *const kinds[] = {"unusual ", "first ", "changed ", "stated "};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        size_t skip = strlen(kinds[k]);
        if (n <= skip || memcmp(s, kinds[k], skip) != 0)
            continue;
        size_t used = read_time(s + skip, n - skip, start, &ret->time);
        if (!used || n <= skip + used + 1)
            return false;
        ret->text = (struct slice){s + skip + used + 1, n - skip - used - 1};
        const char *colon = memchr(ret->text.data, ':', ret->text.size);
        ret->stream =
            (struct slice){ret->text.data, k < 2 && colon ? (size_t)(colon - ret->text.data) : 0};
        ret->first = k == 1;
        return true;
    }
    return false;
}

static int read_lines(struct reader *r, const struct moment_row *row, struct arena *arena,
                      struct line lines[LINES], uint32_t *ret_count, struct errmsg *err)
{
    const char *gist;
    int rc = reader_gist(r, row->id, arena, &gist, err);
    *ret_count = 0;
    if (rc)
        return rc;
    for (const char *s = gist; *s && *ret_count < LINES;) {
        size_t n = strcspn(s, "\n");
        *ret_count += read_line(s, n, row->start, &lines[*ret_count]);
        s += n + (s[n] == '\n');
    }
    return 0;
}

/* ---- as records ---- */

static int runs_as_records(struct reader *r, const struct moment_row *row, struct arena *arena,
                           struct record *out, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_MOMENT_UNUSUAL, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, row->id);
    while (*ret_count < LINES && (rc = sql_step(stmt, err)) == 0) {
        struct recall_unusual u;
        if (reader_unusual_columns(r, stmt, arena, &u))
            return reader_nomem(err);
        out[(*ret_count)++] =
            (struct record){.time = u.start, .arrival = u.start, .text = {u.why, strlen(u.why)}};
    }
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

int remains_read(struct reader *r, const struct moment_row *row, struct arena *arena,
                 struct record **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct record *out = arena_alloc(arena, LINES * sizeof(*out));
    *ret = out;
    *ret_count = 0;
    if (!out)
        return reader_nomem(err);
    if (row->stratum == STRATUM_MOMENT)
        return runs_as_records(r, row, arena, out, ret_count, err);
    struct line lines[LINES];
    uint32_t count;
    int rc = read_lines(r, row, arena, lines, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        out[(*ret_count)++] =
            (struct record){.time = lines[i].time, .arrival = lines[i].time, .text = lines[i].text};
    return rc;
}

/* ---- as unusual runs ---- */

static bool is_known(const struct recall_unusual *runs, uint32_t count, const struct line *l)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t apart = runs[i].start - l->time;
        if (apart <= SAME && apart >= -SAME && strlen(runs[i].stream) == l->stream.size &&
            memcmp(runs[i].stream, l->stream.data, l->stream.size) == 0)
            return true;
    }
    return false;
}

static int runs_of_span(struct reader *r, const struct moment_row *row,
                        const struct reader_filter *f, uint32_t max, struct recall_unusual *ret,
                        uint32_t *ret_count, struct errmsg *err)
{
    struct line lines[LINES];
    uint32_t count;
    int rc = read_lines(r, row, &r->scratch, lines, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count && *ret_count < max; i++) {
        const struct line *l = &lines[i];
        if (!l->stream.size || l->time < f->since || l->time >= f->until ||
            is_known(ret, *ret_count, l))
            continue;
        size_t skip = l->stream.size + 1;
        while (skip < l->text.size && l->text.data[skip] == ' ')
            skip++;
        struct recall_unusual *u = &ret[*ret_count];
        *u = (struct recall_unusual){.id = row->id,
                                     .start = l->time,
                                     .end = l->time,
                                     .score = l->first ? FIRST_SCORE : UNUSUAL_ALERT,
                                     .count = 1};
        u->stream = arena_copy(&r->scratch, l->stream.data, l->stream.size);
        u->why = arena_copy(&r->scratch, l->text.data + skip, l->text.size - skip);
        if (!u->stream || !u->why)
            return reader_nomem(err);
        ++*ret_count;
    }
    return rc;
}

int remains_runs(struct reader *r, const struct reader_filter *f, uint32_t max,
                 struct recall_unusual *ret, uint32_t *ret_count, struct errmsg *err)
{
    /* The finest first: what it tells is told most exactly. */
    for (int stratum = STRATUM_HOUR; stratum < STRATA; stratum++) {
        struct moment_row rows[SPANS];
        uint32_t count = 0;
        sqlite3_stmt *stmt = NULL;
        int rc = reader_statement(r, SQL_SPAN, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(stmt, 1, stratum);
        sqlite3_bind_int64(stmt, 2, f->since - 32 * US_PER_DAY);
        sqlite3_bind_int64(stmt, 3, f->until);
        sqlite3_bind_int64(stmt, 4, SPANS);
        sqlite3_bind_int64(stmt, 5, f->since);
        while (count < SPANS && (rc = sql_step(stmt, err)) == 0)
            if (reader_moment_columns(stmt, &r->scratch, &rows[count++]))
                return reader_nomem(err);
        sqlite3_reset(stmt);
        for (uint32_t i = 0; i < count && rc >= 0; i++) {
            double gone;
            rc = remains_gone(r, &rows[i], &gone, err);
            if (rc == 0 && gone > GONE)
                rc = runs_of_span(r, &rows[i], f, max, ret, ret_count, err);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}
