/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "what happened last night?": the most unusual first, then for each stream what was
 * usual, with counts, then who was silent. Happy path: count moments a stream ▸ the span's unusual
 * runs ▸ items ▸ words. Nothing recorded: absent.
 */
#include <stdlib.h>
#include <string.h>

#include "memory/events.h"

#define UNUSUAL_SHOWN 10
#define UNUSUAL_SAID 5
#define NOTED 2 /* said of a span without an alert */
#define SPANS_READ 32
#define SPANS_SHOWN 3
#define SPAN_SHARE 0.3 /* of attention that the gist of a span gets, to an alert's 1 */
#define UNUSUAL_READ 256
#define UNUSUAL_LEAST 0.25f  /* below it a run is hardly worth a line */
#define UNUSUAL_COMPANY 0.25 /* more for each other stream with something at the same time */
#define USUAL_SHARE 0.05     /* of attention that one usual moment gets, to an alert's score of 1 */

/* Most records first. */
static void order_streams(const struct answering *a, const struct stream_sum *sums, uint32_t *order)
{
    for (uint32_t i = 0; i < a->stream_count; i++) {
        uint32_t k = i;
        for (; k > 0 && sums[order[k - 1]].records < sums[i].records; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

static void say_unusual(struct answering *a, uint32_t alerts)
{
    uint32_t said = alerts ? alerts : a->out->unusual_count < NOTED ? a->out->unusual_count : NOTED;
    if (alerts)
        buf_printf(&a->text, ": %u unusual thing%s.", alerts, alerts == 1 ? "" : "s");
    else
        buf_puts(&a->text, said ? ": no alert. Most notable:" : ": nothing unusual.");
    for (uint32_t i = 0; i < said && i < UNUSUAL_SAID; i++) {
        const struct recall_unusual *u = &a->out->unusual[i];
        buf_putc(&a->text, ' ');
        answer_time(&a->text, u->start);
        buf_printf(&a->text, " %s: %s", u->stream, u->why);
        buf_puts(&a->text, i + 1 < said && i + 1 < UNUSUAL_SAID ? ";" : ".");
    }
}

static void say_usual(struct answering *a, const struct stream_sum *sums, const uint32_t *order)
{
    bool first = true;
    for (uint32_t k = 0; k < a->stream_count; k++) {
        const struct stream_sum *s = &sums[order[k]];
        if (!s->records)
            continue;
        buf_printf(&a->text, "%s %s ", first ? " Recorded:" : ";", a->streams[order[k]].name);
        answer_count(&a->text, s->records, "record");
        if (s->moments) {
            buf_puts(&a->text, " in ");
            answer_count(&a->text, s->moments, "moment");
        }
        first = false;
    }
    if (!first)
        buf_putc(&a->text, '.');
}

/* Without a span of its own a question is about the last day; about all of memory when that is
 * empty. */
static int sums_of_span(struct answering *a, struct stream_sum **ret, struct errmsg *err)
{
    bool free_span = a->filter.since == TIME_UNKNOWN && a->filter.until == INT64_MAX;
    if (free_span) {
        a->filter.since = clock_now(a->r->clock) - US_PER_DAY;
        a->said = "the last 24 hours";
    }
    int rc = answer_sums(a, ret, err);
    uint64_t moments = 0;
    for (uint32_t i = 0; rc == 0 && i < a->stream_count; i++)
        moments += (*ret)[i].moments + (*ret)[i].records;
    if (rc || !free_span)
        return rc;
    if (moments) {
        answer_step(a, "no time was named: the last 24 hours");
        return 0;
    }
    answer_step(a, "no time was named and the last 24 hours are empty: all of memory");
    a->filter.since = TIME_UNKNOWN;
    a->said = "";
    return answer_sums(a, ret, err);
}

struct weighed {
    struct recall_unusual run;
    double weight;
};

static int compare_weighed(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return (x->run.start > y->run.start) - (x->run.start < y->run.start);
}

/*
 * The span's most unusual runs, more so where other streams had something at the same time. Those
 * below an alert fill what room the alerts leave: a quiet day has its best moments too.
 */
static int unusual_items(struct answering *a, uint32_t *ret_alerts, struct errmsg *err)
{
    struct recall_answer *out = a->out;
    struct recall_unusual *runs;
    uint32_t count;
    struct reader_filter all = a->filter;
    all.stream_count = 0;
    *ret_alerts = 0;
    int rc = reader_surprise(a->r, &all, UNUSUAL_READ, a->arena, &runs, &count, err);
    struct weighed *list = arena_alloc(&a->r->scratch, (count + 1) * sizeof(*list));
    out->unusual = arena_alloc(a->arena, (UNUSUAL_SHOWN + 1) * sizeof(*out->unusual));
    if (rc == 0 && (!list || !out->unusual))
        rc = reader_nomem(err);
    if (rc)
        return rc;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (runs[i].score < UNUSUAL_LEAST || !answer_asked_for(a, runs[i].stream))
            continue;
        uint32_t company = events_company(runs, count, runs[i].stream, runs[i].start, runs[i].end);
        list[kept++] = (struct weighed){runs[i], runs[i].score * (1 + UNUSUAL_COMPANY * company)};
    }
    qsort(list, kept, sizeof(*list), compare_weighed);
    for (uint32_t i = 0; i < kept && i < UNUSUAL_SHOWN && rc == 0; i++) {
        out->unusual[out->unusual_count++] = list[i].run;
        *ret_alerts += list[i].weight >= UNUSUAL_ALERT;
        if (a->out->items.count + SPANS_SHOWN < a->limit)
            rc = answer_add_item(a, list[i].run.id, list[i].weight, "unusual", err);
    }
    return rc;
}

/*
 * The gists of the span: of the coarsest stratum that lies inside with at least one and with few
 * spans, the most unusual of them. They outlive moments and their runs.
 */
static int span_items(struct answering *a, struct errmsg *err)
{
    const struct reader_filter *f = &a->filter;
    struct moment_row rows[SPANS_READ];
    uint32_t count = 0;
    if (a->q->without.coarse || f->since == TIME_UNKNOWN)
        return 0;
    for (int stratum = STRATA - 1; stratum > STRATUM_EPISODE && count == 0; stratum--) {
        sqlite3_stmt *stmt = NULL;
        int rc = reader_statement(a->r, SQL_SPAN, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(stmt, 1, stratum);
        sqlite3_bind_int64(stmt, 2, f->since);
        sqlite3_bind_int64(stmt, 3, f->until);
        sqlite3_bind_int64(stmt, 4, SPANS_READ);
        sqlite3_bind_int64(stmt, 5, f->since);
        while (count < SPANS_READ && (rc = sql_step(stmt, err)) == 0) {
            if (reader_moment_columns(stmt, &a->r->scratch, &rows[count]))
                return reader_nomem(err);
            /* A week that only begins in the span says little of it. */
            count += rows[count].end <= f->until + US_PER_MINUTE;
        }
        sqlite3_reset(stmt);
        if (rc < 0)
            return rc;
    }
    uint32_t shown = 0;
    int rc = 0;
    for (int unusual = 1; unusual >= 0; unusual--)
        for (uint32_t i = 0; i < count && shown < SPANS_SHOWN && rc == 0; i++)
            if ((strstr(rows[i].title, "unusual") != NULL) == unusual) {
                rc = answer_add_item(a, rows[i].id, SPAN_SHARE, "gist", err);
                shown++;
            }
    if (shown)
        answer_step(a, "read the gists of %u %s%s", shown, stratum_name(rows[0].stratum),
                    shown == 1 ? "" : "s");
    return rc;
}

int answer_overview(struct answering *a, struct errmsg *err)
{
    struct stream_sum *sums;
    uint32_t alerts = 0, heard = 0;
    uint32_t *order = arena_alloc(&a->r->scratch, (a->stream_count + 1) * sizeof(*order));
    a->out->items.items = arena_alloc(a->arena, (a->limit + 1) * sizeof(struct recall_item));
    if (!order || !a->out->items.items)
        return reader_nomem(err);
    int rc = sums_of_span(a, &sums, err);
    if (rc == 0)
        rc = answer_silent(a, sums, err);
    if (rc)
        return rc;
    order_streams(a, sums, order);
    for (uint32_t i = 0; i < a->stream_count; i++)
        heard += sums[i].moments > 0 || sums[i].records > 0;
    a->out->absent = heard == 0;
    a->out->confidence = heard ? (double)heard / (heard + a->out->silent_count) : 0;
    answer_span(a, &a->text);
    if (heard == 0) {
        answer_step(a, "nothing was recorded in that span");
        buf_puts(&a->text, ": nothing was recorded.");
        answer_name_silent(a);
        return 0;
    }
    rc = unusual_items(a, &alerts, err);
    answer_step(a, "looked for what was unusual: %u found", alerts);
    if (rc == 0)
        rc = span_items(a, err);
    for (uint32_t k = 0; k < a->stream_count && rc == 0; k++)
        if (sums[order[k]].usual)
            rc = answer_add_item(a, sums[order[k]].usual, USUAL_SHARE, "usual", err);
    if (rc)
        return rc;
    answer_step(a, "added what was usual in %u stream%s", heard, heard == 1 ? "" : "s");
    answer_shares(&a->out->items);
    say_unusual(a, alerts);
    say_usual(a, sums, order);
    answer_name_silent(a);
    return answer_gists(a, err);
}
