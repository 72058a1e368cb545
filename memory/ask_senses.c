/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about what microphones heard and cameras saw. Their moments have no words but those of
 * their titles and gists, so whole moments are counted, dated and shown instead of records. Happy
 * path: the moments of such streams that hold the question's words ▸ those that follow each other
 * are one event ▸ the first, the last, their number, or what else there was then. Where other
 * streams answer better, or a memory has no such streams, all this says nothing (1). Sizes: the
 * hits of one search.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory/candidates.h"
#include "memory/events.h"

#define LEAST 0.5                       /* of the question's weight that a moment holds */
#define ALIKE 0.9                       /* of the best one's */
#define SAME_EVENT (30 * US_PER_SECOND) /* between moments of one event */
#define BESIDE (10 * US_PER_MINUTE)     /* around what is asked for */
#define NEAR_BY (150.0 * US_PER_SECOND) /* nearness falls to 1/e over this */
#define ORDINARY 0.2                    /* of a moment in which nothing was unusual */
#define SEARCHED 64                     /* hits that a search brings however many match */
#define RUNS 64
#define MOMENTS 64 /* of one stream around it */
#define SHOWN 5

struct sensed {
    struct search_result found;
    const struct moment_row **events; /* by time */
    uint32_t count;
    bool at_least; /* there may be more than the search brought */
    double coverage;
};

static bool is_media(enum stream_kind kind)
{
    return kind == KIND_AUDIO || kind == KIND_VIDEO;
}

bool answer_media_streams(struct answering *a, enum stream_kind kind, struct reader_filter *f)
{
    int64_t *streams = arena_alloc(&a->r->scratch, (a->stream_count + 1) * sizeof(*streams));
    uint32_t count = 0;
    for (uint32_t i = 0; streams && i < a->stream_count; i++) {
        const struct store_stream *s = &a->streams[i];
        bool asked = f->stream_count == 0;
        for (uint32_t k = 0; k < f->stream_count; k++)
            asked |= f->streams[k] == s->id;
        if (asked && (kind ? s->kind == kind : is_media(s->kind)))
            streams[count++] = s->id;
    }
    if (count == 0)
        return false;
    f->streams = streams;
    f->stream_count = count;
    return true;
}

static int search(struct answering *a, const struct reader_filter *filter,
                  struct search_result *ret, double *ret_best, struct errmsg *err)
{
    struct search_query sq = {.text = {a->phrase.rest, strlen(a->phrase.rest)},
                              .filter = filter,
                              .without = a->q->without};
    int rc = search_run(a->r, &sq, ret, err);
    *ret_best = 0;
    for (uint32_t i = 0; rc == 0 && i < ret->count; i++)
        *ret_best = fmax(*ret_best, ret->hits[i].coverage);
    return rc;
}

static int compare_starts(const void *a, const void *b)
{
    const struct moment_row *x = *(const struct moment_row *const *)a;
    const struct moment_row *y = *(const struct moment_row *const *)b;
    return (x->start > y->start) - (x->start < y->start);
}

/* 0, or 1 when no moment of sound or pictures answers as well as anything else does. */
static int find_sensed(struct answering *a, struct sensed *ret, struct errmsg *err)
{
    struct reader_filter media = a->filter;
    struct search_result all;
    double best = 0;
    *ret = (struct sensed){0};
    if (!answer_media_streams(a, a->sense.kind, &media))
        return 1;
    int rc = search(a, &media, &ret->found, &ret->coverage, err);
    if (rc == 0 && !a->sense.kind && ret->coverage >= LEAST)
        rc = search(a, &a->filter, &all, &best, err);
    if (rc || ret->coverage < LEAST || ret->coverage < best)
        return rc ? rc : 1;
    ret->events = arena_alloc(&a->r->scratch, ret->found.count * sizeof(*ret->events));
    if (!ret->events)
        return reader_nomem(err);
    for (uint32_t i = 0; i < ret->found.count; i++) {
        const struct search_hit *hit = &ret->found.hits[i];
        if (hit->row.stratum == STRATUM_MOMENT && hit->coverage >= ALIKE * ret->coverage)
            ret->events[ret->count++] = &hit->row;
    }
    qsort(ret->events, ret->count, sizeof(*ret->events), compare_starts);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ret->count; i++) {
        const struct moment_row *last = kept ? ret->events[kept - 1] : NULL, *m = ret->events[i];
        if (!last || m->stream != last->stream || m->start > last->end + SAME_EVENT)
            ret->events[kept++] = m;
    }
    ret->count = kept;
    ret->at_least = ret->found.bounded || ret->found.count >= SEARCHED;
    return kept ? 0 : 1;
}

static void say_moment(struct answering *a, const struct moment_row *m)
{
    const struct known_stream *stream = reader_known_stream(a->r, m->stream);
    answer_time(&a->text, m->start);
    buf_printf(&a->text, " %s: ", stream ? stream->name : "");
    answer_quote(&a->text, m->title, strlen(m->title));
}

static void say_number(struct answering *a, const struct sensed *s)
{
    if (s->at_least)
        buf_puts(&a->text, "At least ");
    answer_count(&a->text, s->count, "time");
    buf_puts(&a->text, s->count > 1 ? ": first " : ": ");
    answer_time(&a->text, s->events[0]->start);
    if (s->count > 1) {
        buf_puts(&a->text, ", last ");
        answer_time(&a->text, s->events[s->count - 1]->start);
    }
    buf_puts(&a->text, ". The last: ");
}

int answer_sensed(struct answering *a, struct errmsg *err)
{
    enum question_kind kind = a->question.kind;
    bool counts = kind == QUESTION_COUNT || kind == QUESTION_AMOUNT;
    struct sensed s;
    if (!counts && kind != QUESTION_WHEN && kind != QUESTION_EXISTS && !a->sense.kind)
        return 1;
    int rc = find_sensed(a, &s, err);
    if (rc)
        return rc;
    bool newest = counts || a->question.which == QUESTION_LAST;
    const struct moment_row *chosen = s.events[newest ? s.count - 1 : 0];
    answer_step(a, "found %u moments of sound or pictures", s.count);
    a->out->confidence = s.coverage;
    a->out->time = chosen->start;
    rc = answer_room(a, 0, err);
    for (uint32_t i = 0; i < s.count && rc == 0; i++)
        rc = answer_add_item(a, s.events[newest ? s.count - 1 - i : i]->id, s.coverage, "words",
                             err);
    if (rc)
        return rc;
    answer_shares(&a->out->items);
    if (counts) {
        a->out->count = s.count;
        a->out->at_least = s.at_least;
        say_number(a, &s);
    }
    say_moment(a, chosen);
    answer_age(a, chosen->end);
    buf_putc(&a->text, '.');
    if (!counts && s.count > 1) {
        buf_putc(&a->text, ' ');
        answer_count(&a->text, s.count, "time");
        buf_puts(&a->text, " in all.");
    }
    return answer_gists(a, err);
}

/* ---- at the same time ------------------------------------------------------------------------ */

static void weigh(struct event *e, const struct event *anchor, const struct recall_unusual *runs,
                  uint32_t count)
{
    e->strength = ORDINARY;
    for (uint32_t i = 0; i < count; i++)
        if (runs[i].id == e->moment)
            e->strength = fmax(e->strength, 0.5 + runs[i].score / 2);
    int64_t apart = e->start > anchor->end ? e->start - anchor->end : anchor->start - e->end;
    e->score = e->strength * exp(-(double)(apart > 0 ? apart : 0) / NEAR_BY);
}

/* Moments of one stream that overlap the span. */
static int add_stream(struct events *found, int64_t stream, const struct reader_filter *span,
                      int64_t reach, struct errmsg *err)
{
    struct reader *r = found->a->r;
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_STREAM_SPAN, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, stream);
    sqlite3_bind_int64(stmt, 2, span->since - reach);
    sqlite3_bind_int64(stmt, 3, span->until);
    sqlite3_bind_int64(stmt, 4, MOMENTS);
    sqlite3_bind_int64(stmt, 5, span->since);
    while ((rc = sql_step(stmt, err)) == 0) {
        struct moment_row m;
        if (reader_moment_columns(stmt, &r->scratch, &m)) {
            rc = reader_nomem(err);
            break;
        }
        struct event e = {
            .moment = m.id, .stream = m.stream, .start = m.start, .end = m.end, .title = m.title};
        events_add(found, &e);
    }
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int add_moments(struct events *found, const struct reader_filter *span,
                       const struct event *anchor, struct errmsg *err)
{
    struct reader *r = found->a->r;
    struct recall_unusual *runs;
    int64_t reach;
    uint32_t count;
    int rc = reader_surprise(r, span, RUNS, &r->scratch, &runs, &count, err);
    if (rc == 0)
        rc = candidates_span_max(r, STRATUM_MOMENT, &reach, err);
    for (uint32_t i = 0; rc == 0 && i < span->stream_count; i++)
        rc = add_stream(found, span->streams[i], span, reach, err);
    for (uint32_t i = 0; rc == 0 && i < found->count; i++)
        weigh(&found->items[i], anchor, runs, count);
    return rc;
}

static int show_moments(struct events *found, const struct event *anchor, struct errmsg *err)
{
    struct answering *a = found->a;
    int rc = answer_room(a, 0, err);
    for (uint32_t i = 0; i < found->count && i < SHOWN && rc == 0; i++)
        rc = answer_add_item(a, found->items[i].moment, found->items[i].score, "neighbour", err);
    if (rc == 0)
        rc = answer_add_item(a, anchor->moment, ORDINARY, "words", err);
    if (rc)
        return rc;
    answer_shares(&a->out->items);
    a->out->time = found->items[0].start;
    buf_puts(&a->text, "With ");
    events_say(a, anchor);
    buf_puts(&a->text, " came ");
    answer_time(&a->text, found->items[0].start);
    buf_puts(&a->text, " ");
    answer_quote(&a->text, found->items[0].title, strlen(found->items[0].title));
    buf_putc(&a->text, '.');
    return answer_gists(a, err);
}

/* What the microphones or cameras recorded around a record of another stream. */
static int beside_record(struct answering *a, struct errmsg *err)
{
    struct search_result found;
    struct events events;
    double best;
    int rc = search(a, &a->filter, &found, &best, err);
    if (rc || found.best_count == 0)
        return rc ? rc : 1;
    a->out->confidence = answer_confidence(a, &found);
    if (a->out->confidence < ANSWER_ABSENT_BELOW)
        return 1;
    const struct search_record *r = &found.best[0];
    struct event anchor = {.moment = r->id,
                           .stream = r->stream,
                           .start = r->record->time,
                           .end = r->record->time,
                           .record = r->record};
    struct reader_filter span = a->filter;
    span.since = anchor.start - BESIDE;
    span.until = anchor.end + BESIDE;
    if (!answer_media_streams(a, a->sense.kind, &span))
        return 1;
    rc = events_init(&events, a, err);
    if (rc == 0)
        rc = add_moments(&events, &span, &anchor, err);
    if (rc || events.count == 0)
        return rc ? rc : 1;
    answer_step(a, "found the event, looked at what was recorded with it");
    events_sort(&events);
    return show_moments(&events, &anchor, err);
}

int answer_meanwhile(struct answering *a, struct errmsg *err)
{
    struct sensed s;
    if (a->sense.kind)
        return beside_record(a, err);
    int rc = find_sensed(a, &s, err);
    if (rc)
        return rc;
    const struct moment_row *m = s.events[0];
    struct event anchor = {
        .moment = m->id, .stream = m->stream, .start = m->start, .end = m->end, .title = m->title};
    a->out->confidence = s.coverage;
    answer_step(a, "found the moment, looked around it on all streams");
    return events_beside(a, &s.found.rank, &anchor, err);
}
