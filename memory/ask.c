/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the question's form ▸ time phrases become the filter ▸ what is left decides: nothing
 * but "what happened" asks for the span's overview, anything else goes by its form.
 */
#include <string.h>
#include <strings.h>

#include "memory/answer.h"

#define TIME_BUDGET (US_PER_SECOND / 2)

/* Is s[0..n) a stream's name? Its index, or -1. */
static int stream_named(const struct answering *a, const char *s, size_t n)
{
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (strlen(a->streams[i].name) == n && strncasecmp(a->streams[i].name, s, n) == 0)
            return (int)i;
    return -1;
}

/*
 * "what happened on syslog": names of streams standing alone become the filter when nothing else is
 * left of the question. Cuts them out of `rest` then.
 */
static int take_stream_names(struct answering *a, char *rest, bool *ret_generic, struct errmsg *err)
{
    char without[TIMEPHRASE_TEXT_MAX + 1];
    int64_t *streams = arena_alloc(&a->r->scratch, (a->stream_count + 1) * sizeof(*streams));
    uint32_t count = 0;
    size_t out = 0;
    if (!streams)
        return reader_nomem(err);
    for (const char *s = rest; *s;) {
        size_t gap = strspn(s, " \t\n?!,;\"'"), n = strcspn(s + gap, " \t\n?!,;\"'");
        int index = n ? stream_named(a, s + gap, n) : -1;
        if (index >= 0 && count < a->stream_count) {
            streams[count++] = a->streams[index].id;
        } else {
            memcpy(without + out, s, gap + n);
            out += gap + n;
        }
        s += gap + n;
    }
    without[out] = '\0';
    if (question_is_generic((struct slice){without, out}, ret_generic))
        return reader_nomem(err);
    if (!*ret_generic || count == 0)
        return 0;
    if (a->filter.stream_count == 0) {
        a->filter.streams = streams;
        a->filter.stream_count = count;
        answer_step(a, "understood %u stream name%s", count, count == 1 ? "" : "s");
    }
    memcpy(rest, without, out + 1);
    return 0;
}

static void join_span(struct answering *a, const struct timephrase *phrase)
{
    struct reader_filter *f = &a->filter;
    int64_t until = phrase->until == TIME_UNKNOWN ? INT64_MAX : phrase->until;
    if (phrase->since > f->since)
        f->since = phrase->since;
    if (until < f->until)
        f->until = until;
    /* The caller's span and the question's exclude each other: an empty span, nothing recorded. */
    if (f->until <= f->since)
        f->until = f->since;
}

/*
 * Time phrases are read as of now. A month or day without its year that lies behind all that memory
 * holds is the one that memory knows.
 */
static void read_time(struct answering *a)
{
    struct slice about = {a->question.about, strlen(a->question.about)};
    int64_t now = clock_now(a->r->clock);
    timephrase_parse(about, now, &a->phrase);
    if (!a->phrase.yearless || a->newest == TIME_UNKNOWN || a->newest >= now ||
        a->phrase.since == TIME_UNKNOWN || a->phrase.since <= a->newest)
        return;
    timephrase_parse(about, a->newest, &a->phrase);
    answer_step(a, "memory ends before that: took the last such time before its end");
}

static void understand(struct answering *a)
{
    bool generic = false;
    struct reader_filter any = a->filter;
    question_parse(a->q->text, &a->question);
    a->sense = (struct question_sense){0};
    if (a->question.kind != QUESTION_BEFORE && a->question.kind != QUESTION_AFTER &&
        answer_media_streams(a, 0, &any))
        question_cut_sense(&a->question, &a->sense);
    read_time(a);
    struct slice rest = {a->phrase.rest, strlen(a->phrase.rest)};
    enum question_kind kind = a->question.kind;
    /* "what happened before 3 am" asks for a span, not for a neighbour. */
    if ((kind == QUESTION_BEFORE || kind == QUESTION_AFTER) &&
        question_is_generic(rest, &generic) == 0 && generic) {
        a->question.kind = QUESTION_PLAIN;
        size_t n = a->q->text.size < TIMEPHRASE_TEXT_MAX ? a->q->text.size : TIMEPHRASE_TEXT_MAX;
        memcpy(a->question.about, a->q->text.data, n);
        a->question.about[n] = '\0';
        read_time(a);
    }
}

/* By the question's form; searched for where that finds nothing. */
static int by_form(struct answering *a, struct errmsg *err)
{
    enum question_kind kind = a->question.kind;
    int rc = kind == QUESTION_NORMAL ? answer_normal(a, err) : 1;
    if (rc > 0 && a->sense.meanwhile)
        rc = answer_meanwhile(a, err);
    else if (rc > 0 && !a->remarkable)
        rc = answer_sensed(a, err);
    bool open = kind == QUESTION_PLAIN || kind == QUESTION_STATE || kind == QUESTION_NORMAL;
    if (rc > 0 && a->remarkable && a->timed && open)
        rc = answer_topic(a, err);
    if (rc <= 0)
        return rc;
    switch (kind) {
    case QUESTION_COUNT:
    case QUESTION_AMOUNT:
        rc = answer_how_often(a, err);
        break;
    case QUESTION_WHEN:
        if (a->question.which != QUESTION_ANY)
            rc = answer_first_or_last(a, err);
        break;
    case QUESTION_BEFORE:
    case QUESTION_AFTER:
        rc = answer_around(a, err);
        break;
    case QUESTION_STATE:
        rc = answer_state(a, err);
        break;
    case QUESTION_CHANGED:
        rc = answer_changed(a, err);
        break;
    case QUESTION_USUAL:
        rc = answer_usual(a, err);
        break;
    default:
        break;
    }
    return rc > 0 ? answer_content(a, err) : rc;
}

static int ask(struct answering *a, struct errmsg *err)
{
    bool generic;
    int rc = reader_filter_resolve(a->r, &a->q->filter, &a->filter, err);
    if (rc == 0)
        rc = reader_streams_read(a->r, &a->r->scratch, &a->streams, &a->stream_count, err);
    if (rc)
        return rc;
    a->newest = TIME_UNKNOWN;
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (a->streams[i].last_time > a->newest)
            a->newest = a->streams[i].last_time;
    understand(a);
    a->timed = a->phrase.found || a->filter.since != TIME_UNKNOWN || a->filter.until != INT64_MAX;
    a->said = a->phrase.said;
    if (a->phrase.found) {
        struct buf span = {0};
        join_span(a, &a->phrase);
        answer_span(a, &span);
        answer_step(a, "understood the time: %s", span.data ? span.data : "");
        buf_deinit(&span);
    }
    rc = take_stream_names(a, a->phrase.rest, &generic, err);
    if (rc)
        return rc;
    if (generic && a->sense.kind)
        answer_media_streams(a, a->sense.kind, &a->filter);
    if (!generic)
        a->remarkable = question_drop_unusual(a->phrase.rest);
    if (a->question.kind == QUESTION_CHANGED)
        generic = false; /* "what changed yesterday?" needs no more words */
    rc = generic ? answer_overview(a, err) : by_form(a, err);
    a->out->form = generic ? "overview" : question_form_name(a->question.kind);
    a->out->since = a->filter.since;
    a->out->until = a->filter.until == INT64_MAX ? TIME_UNKNOWN : a->filter.until;
    return rc;
}

int recall_ask(struct reader *r, const struct recall_question *q, struct arena *arena,
               struct recall_answer *ret, struct errmsg *err)
{
    struct answering a = {.r = r,
                          .q = q,
                          .arena = arena,
                          .out = ret,
                          .said = "",
                          .left = q->budget ? q->budget : RECALL_BUDGET_DEFAULT,
                          .deadline = clock_mono(r->clock) +
                                      (q->time_budget ? q->time_budget : TIME_BUDGET)};
    *ret = (struct recall_answer){
        .since = TIME_UNKNOWN, .until = TIME_UNKNOWN, .count = -1, .time = TIME_UNKNOWN};
    int rc = reader_limit(q->limit, RECALL_LIMIT_DEFAULT, &a.limit, err);
    if (rc == 0 && q->budget > RECALL_BUDGET_MAX)
        rc = err_set(err, ERR_INVALID, "budget %u: at most %u bytes", q->budget, RECALL_BUDGET_MAX);
    if (rc)
        return rc;
    rc = reader_begin(r, err);
    rc = reader_end(r, rc ? rc : ask(&a, err));
    const char **steps = arena_alloc(arena, (ret->step_count + 1) * sizeof(*steps));
    ret->text = arena_copy(arena, a.text.data ? a.text.data : "", a.text.size);
    if (rc == 0 && (!steps || !ret->text || buf_failed(&a.text)))
        rc = reader_nomem(err);
    buf_deinit(&a.text);
    if (rc)
        return rc;
    memcpy(steps, a.steps, ret->step_count * sizeof(*steps));
    ret->steps = steps;
    return 0;
}
