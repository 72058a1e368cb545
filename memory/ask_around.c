/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came just before or after something, on whatever stream. Happy path: the event itself, a
 * record or an unusual run of a sensor ▸ what was out of the ordinary around it: unusual runs, and
 * records with words that hardly ever occur ▸ ordered by how remarkable and how near they are.
 *
 * Everyday lines are no answer: on a busy stream something came a second before anything. Sizes: 48
 * moments and 1 MB of records around the event, 256 unusual runs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory/answer.h"
#include "memory/candidates.h"

#define WINDOW (3 * US_PER_HOUR)
#define NEAR_BY (25.0 * US_PER_MINUTE) /* nearness falls to 1/e over this */
#define NEAR_CAUSE (90.0 * US_PER_MINUTE)
#define LAG (2 * US_PER_MINUTE) /* a sensor's change shows some time after its cause */
#define RUNS 256
#define MOMENTS 96
#define DECODE_BYTES (1u << 20)
#define EVENTS_MAX 512
#define RARE_RECORDS 6  /* a word in at most so many records is a mark of its record */
#define SHARED_WORD 1.6 /* a neighbour that shares such a word with the event */
#define SHOWN 8

struct event {
    int64_t moment, stream, start, end;
    const struct record *record; /* NULL: an unusual run */
    const struct recall_unusual *run;
    double strength, score;
};

struct around {
    struct answering *a;
    struct event anchor;
    struct slice anchor_text;
    bool before;
    struct recall_unusual *runs;
    uint32_t run_count;
    struct event *events;
    uint32_t count;
};

/* ---- the event itself ---- */

static int64_t stream_id(const struct answering *a, const char *name)
{
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (strcmp(a->streams[i].name, name) == 0)
            return a->streams[i].id;
    return 0;
}

/* How much of the question a run's words hold; its stream's name counts with them. */
static double run_coverage(const struct rank_query *rank, const struct recall_unusual *u)
{
    uint64_t terms = rank_terms(rank, (struct slice){u->why, strlen(u->why)}) |
                     rank_terms(rank, (struct slice){u->stream, strlen(u->stream)});
    return rank_coverage(rank, terms);
}

static struct event event_of_run(const struct answering *a, const struct recall_unusual *u)
{
    return (struct event){.moment = u->id,
                          .stream = stream_id(a, u->stream),
                          .start = u->start,
                          .end = u->end,
                          .run = u,
                          .strength = u->score};
}

/* 0, or 1 when nothing in memory is the event. */
static int find_anchor(struct around *w, struct errmsg *err)
{
    struct answering *a = w->a;
    struct search_result found;
    struct search_query sq = {.text = {a->phrase.rest, strlen(a->phrase.rest)},
                              .filter = &a->filter};
    struct recall_unusual *runs;
    uint32_t count = 0;
    double best = 0;
    int rc = search_run(a->r, &sq, &found, err);
    if (rc == 0 && a->timed)
        rc = reader_surprise(a->r, &a->filter, RUNS, &a->r->scratch, &runs, &count, err);
    if (rc)
        return rc;
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
    return best > 0 ? 0 : 1;
}

/* ---- what stands around it ---- */

static bool inside(const struct around *w, int64_t start, int64_t end)
{
    const struct event *x = &w->anchor;
    if (w->before)
        return start < x->start + LAG && end > x->start - WINDOW;
    return end > x->end - LAG && start < x->end + WINDOW;
}

static bool is_anchor(const struct around *w, int64_t stream, int64_t start, int64_t end)
{
    const struct event *x = &w->anchor;
    return stream == x->stream && start <= x->end && end >= x->start;
}

static int add_runs(struct around *w, struct errmsg *err)
{
    struct reader_filter span = w->a->filter;
    span.since = w->before ? w->anchor.start - WINDOW : w->anchor.end - LAG;
    span.until = w->before ? w->anchor.start + LAG : w->anchor.end + WINDOW;
    span.stream_count = 0;
    int rc = reader_surprise(w->a->r, &span, RUNS, w->a->arena, &w->runs, &w->run_count, err);
    for (uint32_t i = 0; rc == 0 && i < w->run_count && w->count < EVENTS_MAX; i++) {
        struct event e = event_of_run(w->a, &w->runs[i]);
        if (inside(w, e.start, e.end) && !is_anchor(w, e.stream, e.start, e.end))
            w->events[w->count++] = e;
    }
    return rc;
}

struct marks {
    const struct words_df *df;
    uint64_t rare[16];
    uint32_t count;
    double top; /* idf of the rarest word of letters */
    double total;
};

static void mark_word(void *arg, const struct word *word)
{
    struct marks *m = arg;
    bool letters = true;
    for (uint16_t i = 0; i < word->size; i++)
        letters &= (word->text[i] >= 'a' && word->text[i] <= 'z') || word->text[i] & 0x80;
    if (!letters)
        return;
    double with = words_df_records(m->df, word->hash);
    double idf = log(1 + (m->total - with + 0.5) / (with + 0.5));
    m->top = idf > m->top ? idf : m->top;
    if (with <= RARE_RECORDS && m->count < 16)
        m->rare[m->count++] = word->hash;
}

static struct marks marks_of(const struct reader *r, struct slice text)
{
    struct marks m = {.df = r->df, .total = (double)words_df_total_records(r->df) + 1};
    words_each(text, mark_word, &m);
    return m;
}

static bool share_a_mark(const struct marks *a, const struct marks *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < b->count; k++)
            if (a->rare[i] == b->rare[k])
                return true;
    return false;
}

static int add_records(struct around *w, const struct moment_row *row, const struct marks *anchor,
                       size_t *bytes, struct errmsg *err)
{
    struct record *records = NULL;
    uint32_t count = 0;
    struct reader *r = w->a->r;
    int rc = reader_evidence(r, row->id, &r->scratch, &records, &count, err);
    if (rc)
        return rc == SQL_DONE ? 0 : rc;
    for (uint32_t i = 0; i < count && w->count < EVENTS_MAX; i++) {
        *bytes += records[i].text.size;
        int64_t t = records[i].time;
        if (!inside(w, t, t) || (w->anchor.record && is_anchor(w, row->stream, t, t)))
            continue;
        struct marks marks = marks_of(r, records[i].text);
        if (!marks.count)
            continue;
        double strength = 0.8 * marks.top / log(1 + marks.total);
        if (share_a_mark(&marks, anchor))
            strength *= SHARED_WORD;
        w->events[w->count++] = (struct event){.moment = row->id,
                                               .stream = row->stream,
                                               .start = t,
                                               .end = t,
                                               .record = &records[i],
                                               .strength = strength};
    }
    return 0;
}

/* Text moments of the window, the nearest first, as far as the bounds reach. */
static int add_moments(struct around *w, struct errmsg *err)
{
    struct reader *r = w->a->r;
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
    int64_t from = w->before ? w->anchor.start - WINDOW : w->anchor.end - LAG;
    int64_t to = w->before ? w->anchor.start + LAG : w->anchor.end + WINDOW;
    sqlite3_bind_int64(stmt, 1, STRATUM_MOMENT);
    sqlite3_bind_int64(stmt, 2, from - reach);
    sqlite3_bind_int64(stmt, 3, to);
    sqlite3_bind_int64(stmt, 4, MOMENTS);
    sqlite3_bind_int64(stmt, 5, from);
    while (count < MOMENTS && (rc = sql_step(stmt, err)) == 0)
        if (reader_moment_columns(stmt, &r->scratch, &rows[count++]))
            return reader_nomem(err);
    sqlite3_reset(stmt);
    struct marks anchor = marks_of(r, w->anchor_text);
    for (uint32_t i = 0; i < count && rc >= 0 && bytes < DECODE_BYTES; i++) {
        const struct known_stream *stream = reader_known_stream(r, rows[i].stream);
        if (stream && stream->kind == KIND_TEXT)
            rc = add_records(w, &rows[i], &anchor, &bytes, err);
    }
    return rc < 0 ? rc : 0;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->start > y->start) - (x->start < y->start);
}

static int64_t distance(const struct around *w, const struct event *e)
{
    int64_t d = w->before ? w->anchor.start - e->end : e->start - w->anchor.end;
    return d > 0 ? d : 0;
}

static void score_events(struct around *w)
{
    double near = w->a->question.cause ? NEAR_CAUSE : NEAR_BY;
    for (uint32_t i = 0; i < w->count; i++) {
        struct event *e = &w->events[i];
        e->score = e->strength * exp(-(double)distance(w, e) / near);
    }
    qsort(w->events, w->count, sizeof(*w->events), compare_events);
}

/* ---- the answer ---- */

static int add_item(struct answering *a, const struct event *e, double share, const char *through,
                    struct errmsg *err)
{
    struct recall_items *items = &a->out->items;
    struct moment_row row;
    for (uint32_t i = 0; i < items->count; i++)
        if (items->items[i].id == e->moment)
            return 0;
    if (items->count == a->limit)
        return 0;
    int rc = reader_moment(a->r, e->moment, &a->r->scratch, &row, err);
    if (rc == 0)
        rc = reader_item(a->r, &row, a->arena, &items->items[items->count], err);
    if (rc)
        return rc == SQL_DONE ? 0 : rc;
    struct recall_item *item = &items->items[items->count];
    if (!answer_spend(a, strlen(item->title)))
        return 0;
    item->score = share < 1 ? share : 1;
    item->share = share;
    item->through = through;
    items->count++;
    return 0;
}

static int add_record(struct answering *a, const struct event *e, struct errmsg *err)
{
    struct recall_record *out = &a->out->records[a->out->record_count];
    const struct known_stream *stream = reader_known_stream(a->r, e->stream);
    *out = (struct recall_record){.id = e->moment,
                                  .seq = e->record->seq,
                                  .time = e->record->time,
                                  .score = e->score < 1 ? e->score : 1};
    out->stream =
        arena_copy(a->arena, stream ? stream->name : "", stream ? strlen(stream->name) : 0);
    if (e->record->ref.size)
        out->ref = arena_copy(a->arena, e->record->ref.data, e->record->ref.size);
    if (answer_spend(a, e->record->text.size))
        out->text = arena_copy(a->arena, e->record->text.data, e->record->text.size);
    a->out->record_count++;
    return out->stream ? 0 : reader_nomem(err);
}

static void say_event(struct answering *a, const struct event *e)
{
    const struct known_stream *stream = reader_known_stream(a->r, e->stream);
    answer_time(&a->text, e->start);
    buf_printf(&a->text, " %s: ", stream ? stream->name : "");
    if (e->record)
        answer_quote(&a->text, e->record->text.data, e->record->text.size);
    else
        buf_puts(&a->text, e->run->why);
}

static int show(struct around *w, struct errmsg *err)
{
    struct answering *a = w->a;
    struct recall_answer *out = a->out;
    uint32_t shown = w->count < SHOWN ? w->count : SHOWN;
    out->items.items = arena_alloc(a->arena, (a->limit + 1) * sizeof(*out->items.items));
    out->records = arena_alloc(a->arena, (SHOWN + 1) * sizeof(*out->records));
    out->unusual = arena_alloc(a->arena, (SHOWN + 1) * sizeof(*out->unusual));
    if (!out->items.items || !out->records || !out->unusual)
        return reader_nomem(err);
    int rc = 0;
    for (uint32_t i = 0; i < shown && rc == 0; i++) {
        const struct event *e = &w->events[i];
        if (e->run)
            out->unusual[out->unusual_count++] = *e->run;
        else
            rc = add_record(a, e, err);
        if (rc == 0)
            rc = add_item(a, e, e->score, "neighbour", err);
    }
    if (rc == 0)
        rc = add_item(a, &w->anchor, 0.5, "words", err);
    if (rc)
        return rc;
    answer_shares(&out->items);
    const char *relation = a->question.cause ? "Before" : w->before ? "Just before" : "Just after";
    buf_printf(&a->text, "%s ", relation);
    say_event(a, &w->anchor);
    for (uint32_t i = 0; i < shown && i < 3; i++) {
        buf_puts(&a->text, i ? "; then " : " came ");
        say_event(a, &w->events[i]);
    }
    buf_putc(&a->text, '.');
    if (w->count)
        out->time = w->events[0].start;
    return answer_gists(a, err);
}

int answer_around(struct answering *a, struct errmsg *err)
{
    struct around w = {.a = a, .before = a->question.kind == QUESTION_BEFORE};
    int rc = find_anchor(&w, err);
    if (rc)
        return rc;
    w.events = arena_alloc(&a->r->scratch, EVENTS_MAX * sizeof(*w.events));
    if (!w.events)
        return reader_nomem(err);
    w.anchor_text = w.anchor.record ? w.anchor.record->text
                                    : (struct slice){w.anchor.run->why, strlen(w.anchor.run->why)};
    answer_step(a, "found the event, looked %s it on all streams", w.before ? "before" : "after");
    rc = add_runs(&w, err);
    if (rc == 0)
        rc = add_moments(&w, err);
    if (rc)
        return rc;
    answer_step(a, "%u remarkable things stand there", w.count);
    score_events(&w);
    if (w.count)
        return show(&w, err);
    return 1;
}
