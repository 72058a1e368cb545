/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Was the cpu normal last night?", "what is the usual cpu on a Monday night?": a channel is found
 * by its name, its values in the span and what is usual at such hours come from the sums of the
 * strata, so both outlive records and moments. No channel is named: 1, and the caller goes on.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory/answer.h"
#include "memory/calendar.h"
#include "memory/stat.h"

#define RUNS 64
#define RUNS_SHOWN 5
#define FAR_SPREADS 4.0 /* beyond what is usual by so many spreads, and … */
#define FAR_RANGE 0.25  /* … by so much of the usual range, is out of the usual */
#define CLEAR_Z 8.0     /* of a run that is unusual for its channel, if no alert */
#define SHIFTED 3.0     /* spreads that the mean may lie from the usual mean */

struct channel {
    int64_t stream;
    const char *stream_name, *name;
    int64_t index;
    double weight; /* of the question's words in its name and its stream's */
};

/* Are all words of the name in the question? */
static bool names_all(const struct rank_query *q, const char *name, uint64_t *ret_terms)
{
    struct words_query words;
    struct slice text = {name, strlen(name)};
    *ret_terms = rank_terms(q, text);
    return words_query(text, &words) == 0 && words.count &&
           words.count == (uint32_t)__builtin_popcountll(*ret_terms);
}

static int channels_of(struct answering *a, const struct rank_query *q,
                       const struct store_stream *stream, struct channel *best, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(a->r, SQL_CHANNELS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, stream->id);
    while ((rc = sql_step(stmt, err)) == 0) {
        uint64_t terms, of_stream;
        const char *name = reader_column_text(stmt, 1, &a->r->scratch);
        if (!name)
            return reader_nomem(err);
        if (!names_all(q, name, &terms))
            continue;
        of_stream = rank_terms(q, (struct slice){stream->name, strlen(stream->name)});
        double weight = rank_coverage(q, terms) + rank_coverage(q, of_stream);
        if (weight > best->weight)
            *best = (struct channel){stream->id, stream->name, name, sqlite3_column_int64(stmt, 0),
                                     weight};
    }
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

/* 0, or 1 when the question names none. */
static int find_channel(struct answering *a, struct channel *ret, struct errmsg *err)
{
    struct words_query words;
    struct rank_query q;
    if (words_query((struct slice){a->phrase.rest, strlen(a->phrase.rest)}, &words))
        return reader_nomem(err);
    rank_query_init(&q, &words, a->r->df);
    *ret = (struct channel){0};
    int rc = 0;
    for (uint32_t i = 0; i < a->stream_count && rc == 0; i++)
        if (a->streams[i].kind == KIND_SENSOR)
            rc = channels_of(a, &q, &a->streams[i], ret, err);
    return rc ? rc : ret->name ? 0 : 1;
}

/* ---- what is usual ---- */

struct usual {
    uint64_t n;
    uint32_t weeks;
    double mean, m2, least, most;
};

static void add_usual(struct usual *to, const struct stat_usual *u)
{
    if (!u->n)
        return;
    double n = (double)(to->n + u->n), d = u->mean - to->mean;
    to->m2 += u->sd * u->sd * (double)u->n + d * d * (double)to->n * (double)u->n / n;
    to->mean += d * (double)u->n / n;
    to->least = to->n && to->least < u->least ? to->least : u->least;
    to->most = to->n && to->most > u->most ? to->most : u->most;
    to->weeks = u->weeks > to->weeks ? u->weeks : to->weeks;
    to->n += u->n;
}

static double spread_of(const struct usual *u)
{
    return u->n ? sqrt(u->m2 / (double)u->n) : 0;
}

/* Over the hours of the week that [since, until) touches; TIME_UNKNOWN: over all. */
static int usual_of(struct answering *a, const struct channel *c, int64_t since, int64_t until,
                    bool every_day, bool without, struct usual *ret, struct errmsg *err)
{
    struct stat_usual u;
    *ret = (struct usual){0};
    bool done[HOURS_OF_WEEK] = {false};
    bool all = since == TIME_UNKNOWN || until == INT64_MAX || until - since > 7 * US_PER_DAY;
    int rc = 0;
    if (all) {
        rc = stat_usual(a->r, c->stream, STAT_CHANNEL, c->index, -1, since, since, &u, err);
        if (rc == 0)
            add_usual(ret, &u);
        return rc;
    }
    for (int64_t t = since; t < until && rc == 0; t += US_PER_HOUR) {
        int hour = calendar_hour_of_week(t);
        for (int day = 0; day < (every_day ? 7 : 1) && rc == 0; day++) {
            int h = (hour + 24 * day) % HOURS_OF_WEEK;
            if (done[h])
                continue;
            done[h] = true;
            rc = stat_usual(a->r, c->stream, STAT_CHANNEL, c->index, h, without ? since : 0,
                            without ? until : 0, &u, err);
            if (rc == 0)
                add_usual(ret, &u);
        }
    }
    return rc;
}

static bool names_weekday(const char *text)
{
    static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                       "friday", "saturday", "sunday"};
    for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++)
        if (strcasestr(text, days[i]))
            return true;
    return false;
}

static void say_usual(struct answering *a, const struct usual *u)
{
    double sd = spread_of(u);
    buf_printf(&a->text, "usually %.4g (%.4g to %.4g), least %.4g, most %.4g", u->mean,
               u->mean - sd, u->mean + sd, u->least, u->most);
}

/* Items are the newest moments or spans that hold the stream; here the coarse ones of the span. */
static int add_spans(struct answering *a, const struct channel *c, struct errmsg *err)
{
    struct recall_timeline_query q = {.time = TIME_UNKNOWN, .stratum = -1};
    struct recall_items *items = &a->out->items;
    const char *names[] = {c->stream_name};
    q.filter = (struct recall_filter){.since = a->filter.since,
                                      .until = a->filter.until == INT64_MAX ? TIME_UNKNOWN
                                                                            : a->filter.until,
                                      .streams = names,
                                      .stream_count = 1};
    q.limit = a->limit;
    int rc = reader_timeline(a->r, &q, a->arena, items, err);
    for (uint32_t i = 0; rc == 0 && i < items->count; i++) {
        items->items[i].share = 1;
        items->items[i].through = "usual";
        if (!answer_spend(a, strlen(items->items[i].title)))
            items->count = i;
    }
    if (rc == 0 && items->count)
        answer_shares(items);
    return rc;
}

int answer_usual(struct answering *a, struct errmsg *err)
{
    struct channel c;
    struct usual u;
    int rc = find_channel(a, &c, err);
    if (rc)
        return rc;
    bool every_day = !names_weekday(a->question.about);
    rc = usual_of(a, &c, a->phrase.found ? a->filter.since : TIME_UNKNOWN, a->filter.until,
                  every_day, false, &u, err);
    if (rc)
        return rc;
    answer_step(a, "read the profile of %s of %s over the hours of the week", c.name,
                c.stream_name);
    a->out->absent = u.n == 0;
    a->out->confidence = u.n ? 1 : 0;
    buf_printf(&a->text, "%s of %s", c.name, c.stream_name);
    if (a->said[0])
        buf_printf(&a->text, ", %s", a->said);
    buf_puts(&a->text, ": ");
    if (u.n) {
        char value[40];
        say_usual(a, &u);
        buf_puts(&a->text, ", from ");
        answer_count(&a->text, u.n, "value");
        if (u.weeks) {
            buf_puts(&a->text, " of ");
            answer_count(&a->text, u.weeks, "week");
        }
        snprintf(value, sizeof(value), "%.6g", u.mean);
        a->out->value = arena_copy(a->arena, value, strlen(value));
        if (!a->out->value)
            return reader_nomem(err);
    } else {
        buf_puts(&a->text, "nothing is known of such hours");
    }
    buf_putc(&a->text, '.');
    return 0;
}

/* ---- was it normal ---- */

struct seen {
    bool any;
    double least, most, mean, sd;
    uint64_t count;
};

static int values_of(struct answering *a, const struct channel *c, struct seen *ret,
                     struct errmsg *err)
{
    struct stat_item *items;
    uint32_t count;
    int64_t until = a->filter.until == INT64_MAX ? TIME_MAX : a->filter.until;
    *ret = (struct seen){0};
    int rc =
        stat_range(a->r, c->stream, a->filter.since, until, &a->r->scratch, &items, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (items[i].what == STAT_CHANNEL && items[i].id == c->index && items[i].count)
            *ret = (struct seen){true,          items[i].least, items[i].most,
                                 items[i].mean, items[i].sd,    items[i].count};
    return rc;
}

/* The channel's own unusual runs in the span. */
static int runs_of(struct answering *a, const struct channel *c, struct errmsg *err)
{
    struct reader_filter f = a->filter;
    int64_t stream = c->stream;
    struct recall_unusual *runs;
    uint32_t count;
    size_t size = strlen(c->name);
    f.streams = &stream;
    f.stream_count = 1;
    int rc = reader_surprise(a->r, &f, RUNS, a->arena, &runs, &count, err);
    if (rc)
        return rc;
    a->out->unusual = runs;
    for (uint32_t i = 0; i < count; i++) {
        const char *at = strstr(runs[i].why, c->name);
        if (at && at[size] != '_' && (runs[i].score >= UNUSUAL_ALERT || runs[i].z >= CLEAR_Z) &&
            a->out->unusual_count < RUNS_SHOWN)
            runs[a->out->unusual_count++] = runs[i];
    }
    return 0;
}

static bool is_far(const struct seen *s, const struct usual *u)
{
    double sd = spread_of(u), range = u->most - u->least;
    double margin = fmax(FAR_SPREADS * sd, FAR_RANGE * range);
    if (u->n < 20)
        return false;
    return s->least < u->mean - margin || s->most > u->mean + margin ||
           fabs(s->mean - u->mean) > SHIFTED * sd;
}

/*
 * The values of the span; where only a coarser span is left of that time, those of the day or week
 * it lies in, and the answer is about that.
 */
static int values_left(struct answering *a, const struct channel *c, struct seen *ret,
                       struct errmsg *err)
{
    int rc = values_of(a, c, ret, err);
    int64_t since = a->filter.since;
    for (int stratum = STRATUM_DAY; rc == 0 && !ret->any && stratum < STRATA - 1; stratum++) {
        a->filter.since = calendar_start(stratum, since);
        a->filter.until = calendar_end(stratum, a->filter.since);
        rc = values_of(a, c, ret, err);
        if (rc == 0 && ret->any) {
            answer_step(a, "of that time only the %s is left", stratum_name(stratum));
            a->said = "";
        }
    }
    return rc;
}

int answer_normal(struct answering *a, struct errmsg *err)
{
    struct channel c;
    struct seen seen;
    struct usual usual;
    if (!a->timed) { /* "is the cpu normal": now */
        a->filter.since = a->newest - US_PER_HOUR;
        a->said = "in the last hour of records";
    }
    int rc = find_channel(a, &c, err);
    if (rc == 0)
        rc = values_left(a, &c, &seen, err);
    if (rc)
        return rc;
    rc = usual_of(a, &c, a->filter.since, a->filter.until, false, true, &usual, err);
    if (rc == 0 && usual.n < 20)
        rc = usual_of(a, &c, a->filter.since, a->filter.until, true, true, &usual, err);
    if (rc == 0)
        rc = runs_of(a, &c, err);
    if (rc)
        return rc;
    answer_step(a, "compared %s of %s with its profile of these hours; %u unusual runs", c.name,
                c.stream_name, a->out->unusual_count);
    a->out->absent = !seen.any;
    a->out->confidence = seen.any ? usual.n ? 1 : 0.5 : 0;
    buf_printf(&a->text, "%s of %s, ", c.name, c.stream_name);
    answer_span(a, &a->text);
    if (!seen.any) {
        buf_puts(&a->text, ": nothing was recorded.");
        return 0;
    }
    bool far = usual.n && is_far(&seen, &usual);
    bool unusual = far || a->out->unusual_count;
    buf_printf(&a->text, ": %s. It was %.4g (%.4g to %.4g)", unusual ? "unusual" : "normal",
               seen.mean, seen.least, seen.most);
    if (usual.n) {
        buf_puts(&a->text, "; at such hours ");
        say_usual(a, &usual);
    }
    buf_putc(&a->text, '.');
    for (uint32_t i = 0; i < a->out->unusual_count; i++) {
        buf_putc(&a->text, ' ');
        answer_time(&a->text, a->out->unusual[i].start);
        buf_printf(&a->text, ": %s.", a->out->unusual[i].why);
    }
    return add_spans(a, &c, err);
}
