/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came just before or after something, on whatever stream. Happy path: the event itself, a
 * record or the unusual runs of a sensor ▸ what was remarkable around it ▸ ordered by how
 * remarkable and how near it is, and by what it shares with the event.
 *
 * Everyday lines are no answer: on a busy stream something came a second before anything. Sizes: 96
 * moments and 1 MB of records around the event, 256 unusual runs.
 */
#include <math.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/events.h"

#define WINDOW (3 * US_PER_HOUR)
#define NEAR_BY (25.0 * US_PER_MINUTE)   /* nearness falls to 1/e over this */
#define NEAR_SLOW (50.0 * US_PER_MINUTE) /* after a sensor's change, which takes its time */
#define NEAR_CAUSE (90.0 * US_PER_MINUTE)
#define LAG (2 * US_PER_MINUTE)      /* a sensor's change shows some time after its cause */
#define LAG_SLOW (5 * US_PER_MINUTE) /* around a sensor's change */
#define SAME_CHANGE (2 * US_PER_HOUR)
#define RUNS 256
#define MOMENTS 96
#define DECODE_BYTES (1u << 20)
#define SHARED_MARK 1.6  /* a neighbour that shares a rare word with the event */
#define SHARED_TOPIC 1.4 /* … or a word of the question */
#define SHOWN 8
#define ANCHOR_SHARE 0.5 /* of attention, to a neighbour's score */

struct around {
    struct answering *a;
    struct rank_query rank;
    struct event anchor;
    bool before;
    bool both; /* before in one go, after in another */
    struct events found;
};

/* ---- the event itself ---- */

/* How much of the question a run's words hold; its stream's name counts with them. */
static double run_coverage(const struct rank_query *rank, const struct recall_unusual *u)
{
    uint64_t terms = rank_terms(rank, (struct slice){u->why, strlen(u->why)}) |
                     rank_terms(rank, (struct slice){u->stream, strlen(u->stream)});
    return rank_coverage(rank, terms);
}

/* The runs that fit the question as well as the best, joined where they follow each other. */
static void join_runs(struct around *w, const struct recall_unusual *runs, uint32_t count,
                      double best)
{
    bool grown = true;
    while (grown) {
        grown = false;
        for (uint32_t i = 0; i < count; i++) {
            const struct recall_unusual *u = &runs[i];
            if (strcmp(u->stream, w->anchor.run->stream) != 0 ||
                run_coverage(&w->rank, u) < 0.99 * best || u->start > w->anchor.end + SAME_CHANGE ||
                u->end < w->anchor.start - SAME_CHANGE ||
                (u->start >= w->anchor.start && u->end <= w->anchor.end))
                continue;
            if (u->start < w->anchor.start) {
                w->anchor.run = u;
                w->anchor.moment = u->id;
                w->anchor.start = u->start;
            }
            w->anchor.end = u->end > w->anchor.end ? u->end : w->anchor.end;
            grown = true;
        }
    }
}

/* 0, or 1 when nothing in memory is the event. */
static int find_anchor(struct around *w, struct errmsg *err)
{
    struct answering *a = w->a;
    struct search_result found;
    struct search_query sq = {.text = {a->phrase.rest, strlen(a->phrase.rest)},
                              .filter = &a->filter,
                              .without = a->q->without};
    struct recall_unusual *runs = NULL;
    uint32_t count = 0;
    double best = 0;
    int rc = search_run(a->r, &sq, &found, err);
    if (rc == 0 && a->timed)
        rc = reader_surprise(a->r, &a->filter, RUNS, &a->r->scratch, &runs, &count, err);
    if (rc)
        return rc;
    w->rank = found.rank;
    double confidence = answer_confidence(a, &found);
    if (found.best_count && confidence >= ANSWER_ABSENT_BELOW) {
        const struct search_record *r = &found.best[0];
        best = rank_coverage(&found.rank, rank_terms(&found.rank, r->record->text));
        w->anchor = (struct event){.moment = r->id,
                                   .stream = r->stream,
                                   .start = r->record->time,
                                   .end = r->record->time,
                                   .record = r->record,
                                   .strength = 1};
        a->out->confidence = confidence;
    }
    for (uint32_t i = 0; i < count; i++) {
        double coverage = run_coverage(&found.rank, &runs[i]);
        if (coverage <= best || coverage < ANSWER_ABSENT_BELOW)
            continue;
        best = coverage;
        w->anchor = event_of_run(a, &runs[i]);
        a->out->confidence = coverage / 1.3;
    }
    if (w->anchor.run)
        join_runs(w, runs, count, best);
    return best > 0 ? 0 : 1;
}

/* ---- what stands around it ---- */

static int64_t lag(const struct around *w)
{
    return w->both ? 0 : w->anchor.run ? LAG_SLOW : LAG;
}

static struct reader_filter window(const struct around *w)
{
    struct reader_filter span = w->a->filter;
    const struct event *x = &w->anchor;
    span.since = w->before ? x->start - WINDOW : x->start - lag(w);
    span.until = w->before ? x->start + lag(w) : x->end + WINDOW;
    span.stream_count = 0;
    return span;
}

static bool inside(const struct reader_filter *span, int64_t start, int64_t end)
{
    return start < span->until && end > span->since;
}

static bool is_anchor(const struct around *w, int64_t stream, int64_t start, int64_t end)
{
    const struct event *x = &w->anchor;
    return stream == x->stream && start <= x->end && end >= x->start;
}

static int64_t distance(const struct around *w, const struct event *e)
{
    int64_t d = w->before ? w->anchor.start - e->end : e->start - w->anchor.start;
    return d > 0 ? d : 0;
}

static bool is_sensor(const struct around *w, int64_t stream)
{
    const struct known_stream *s = reader_known_stream(w->a->r, stream);
    return s && s->kind == KIND_SENSOR;
}

static void add(struct around *w, struct event e, struct slice text, bool shared)
{
    /* Only a sensor's change is seen late: of two records the times tell which came first. */
    bool dated = w->anchor.record && (e.record || !is_sensor(w, e.stream));
    if (dated && (w->before ? e.start > w->anchor.start : e.start < w->anchor.start))
        return;
    /* It was met on the way back. */
    if (w->both && !w->before && e.start < w->anchor.start)
        return;

    double near = w->a->question.cause ? NEAR_CAUSE : w->anchor.run ? NEAR_SLOW : NEAR_BY;
    if (shared)
        e.strength *= SHARED_MARK;
    else if (rank_terms(&w->rank, text))
        e.strength *= SHARED_TOPIC;
    e.score = e.strength * exp(-(double)distance(w, &e) / near);
    events_add(&w->found, &e);
}

static int add_runs(struct around *w, struct errmsg *err)
{
    struct reader_filter span = window(w);
    struct recall_unusual *runs;
    uint32_t count;
    int rc = reader_surprise(w->a->r, &span, RUNS, w->a->arena, &runs, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct event e = event_of_run(w->a, &runs[i]);
        if (inside(&span, e.start, e.end) && !is_anchor(w, e.stream, e.start, e.end))
            add(w, e, (struct slice){runs[i].why, strlen(runs[i].why)}, false);
    }
    return rc;
}

static int add_records(struct around *w, const struct moment_row *row, const struct marks *anchor,
                       const struct reader_filter *span, size_t *bytes, struct errmsg *err)
{
    struct record *records = NULL;
    uint32_t count = 0;
    struct reader *r = w->a->r;
    int rc = reader_evidence(r, row->id, &r->scratch, &records, &count, err);
    if (rc)
        return rc == SQL_DONE ? 0 : rc;
    for (uint32_t i = 0; i < count; i++) {
        *bytes += records[i].text.size;
        int64_t t = records[i].time;
        if (!inside(span, t, t) || (w->anchor.record && is_anchor(w, row->stream, t, t)))
            continue;
        struct marks marks = marks_of(r, records[i].text);
        if (!marks.count)
            continue;
        struct event e = {.moment = row->id,
                          .stream = row->stream,
                          .start = t,
                          .end = t,
                          .record = &records[i],
                          .strength = 0.8 * marks.strength};
        add(w, e, records[i].text, marks_shared(&marks, anchor));
    }
    return 0;
}

/* Text moments of the window, the nearest first, as far as the bounds reach. */
static int add_moments(struct around *w, struct errmsg *err)
{
    struct reader *r = w->a->r;
    struct reader_filter span = window(w);
    sqlite3_stmt *stmt = NULL;
    int64_t reach;
    struct moment_row *rows = arena_alloc(&r->scratch, MOMENTS * sizeof(*rows));
    uint32_t count = 0;
    size_t bytes = 0;
    int rc = rows ? candidates_span_max(r, STRATUM_MOMENT, &reach, err) : reader_nomem(err);
    if (rc == 0)
        rc = reader_statement(r, w->before ? SQL_SPAN_BACK : SQL_SPAN, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, STRATUM_MOMENT);
    sqlite3_bind_int64(stmt, 2, span.since - reach);
    sqlite3_bind_int64(stmt, 3, span.until);
    sqlite3_bind_int64(stmt, 4, MOMENTS);
    sqlite3_bind_int64(stmt, 5, span.since);
    while (count < MOMENTS && (rc = sql_step(stmt, err)) == 0)
        if (reader_moment_columns(stmt, &r->scratch, &rows[count++]))
            return reader_nomem(err);
    sqlite3_reset(stmt);
    const char *said = w->anchor.run ? w->anchor.run->why : "";
    struct slice text =
        w->anchor.record ? w->anchor.record->text : (struct slice){said, strlen(said)};
    struct marks anchor = marks_of(r, text);
    for (uint32_t i = 0; i < count && rc >= 0 && bytes < DECODE_BYTES; i++) {
        const struct known_stream *stream = reader_known_stream(r, rows[i].stream);
        if (stream && stream->kind == KIND_TEXT)
            rc = add_records(w, &rows[i], &anchor, &span, &bytes, err);
    }
    return rc < 0 ? rc : 0;
}

/* ---- the answer ---- */

static int show(struct around *w, struct errmsg *err)
{
    struct answering *a = w->a;
    int rc = answer_room(a, SHOWN, err);
    if (rc == 0)
        rc = events_show(&w->found, SHOWN, "neighbour", err);
    if (rc == 0)
        rc = answer_add_item(a, w->anchor.moment, ANCHOR_SHARE, "words", err);
    if (rc)
        return rc;
    answer_shares(&a->out->items);
    a->out->time = w->found.items[0].start;
    buf_puts(&a->text, w->both             ? "With "
                       : a->question.cause ? "Before "
                       : w->before         ? "Just before "
                                           : "Just after ");
    events_say(a, &w->anchor);
    for (uint32_t i = 0; i < w->found.count && i < 3; i++) {
        buf_puts(&a->text, i ? "; then " : " came ");
        events_say(a, &w->found.items[i]);
    }
    buf_putc(&a->text, '.');
    return answer_gists(a, err);
}

int answer_around(struct answering *a, struct errmsg *err)
{
    struct around w = {.a = a, .before = a->question.kind == QUESTION_BEFORE};
    int rc = events_init(&w.found, a, err);
    if (rc == 0)
        rc = find_anchor(&w, err);
    if (rc)
        return rc;
    answer_step(a, "found the event, looked %s it on all streams", w.before ? "before" : "after");
    rc = add_runs(&w, err);
    if (rc == 0)
        rc = add_moments(&w, err);
    if (rc)
        return rc;
    answer_step(a, "%u remarkable things stand there", w.found.count);
    events_sort(&w.found);
    return w.found.count ? show(&w, err) : 1;
}

int events_beside(struct answering *a, const struct rank_query *rank, const struct event *moment,
                  struct errmsg *err)
{
    struct around w = {.a = a, .rank = *rank, .anchor = *moment, .both = true};
    int rc = events_init(&w.found, a, err);
    for (int back = 1; back >= 0 && rc == 0; back--) {
        w.before = back;
        rc = add_runs(&w, err);
        if (rc == 0)
            rc = add_moments(&w, err);
    }
    if (rc)
        return rc;
    answer_step(a, "%u remarkable things stand around it", w.found.count);
    events_sort(&w.found);
    return w.found.count ? show(&w, err) : 1;
}
