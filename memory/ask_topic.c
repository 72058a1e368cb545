/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "What went wrong with the pump on Tuesday?": of all that a span holds about it, what was
 * remarkable. Happy path: the span's unusual runs and the records that hold a word of the question
 * ▸ those that speak of it ▸ more where other streams had something at the same time. A stream
 * whose name begins with a word of the question is about it. Nothing remarkable: 1, it is searched
 * for.
 */
#include <string.h>
#include <strings.h>

#include "memory/events.h"

#define RUNS 256
#define SHOWN 8
#define SAID 4
#define PREFIX 3 /* letters of a stream's name that a word must have in common */
#define COMPANY_BONUS 0.35
#define RECORD_STRENGTH 0.8

/* "ssh" speaks of stream "sshd". */
static bool names_stream(const char *text, const char *stream)
{
    for (const char *s = text; *s;) {
        size_t gap = strspn(s, " \t\n?!,;.:\"'()"), n = strcspn(s + gap, " \t\n?!,;.:\"'()");
        if (n >= PREFIX && strncasecmp(s + gap, stream, n) == 0)
            return true;
        s += gap + n;
    }
    return false;
}

static double about(const struct answering *a, const struct rank_query *q, const char *stream,
                    struct slice text)
{
    uint64_t terms = rank_terms(q, text) | rank_terms(q, (struct slice){stream, strlen(stream)});
    double coverage = rank_coverage(q, terms);
    return coverage > 0 || !names_stream(a->phrase.rest, stream) ? coverage : 0.5;
}

static void add(struct events *found, struct event e, double coverage,
                const struct recall_unusual *runs, uint32_t count, const char *stream)
{
    uint32_t company = events_company(runs, count, stream, e.start, e.end);
    e.score = e.strength * coverage * (1 + COMPANY_BONUS * company);
    events_add(found, &e);
}

int answer_topic(struct answering *a, struct errmsg *err)
{
    struct matches records;
    struct recall_unusual *runs;
    struct events found;
    uint32_t count = 0;
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    int rc = events_init(&found, a, err);
    if (rc == 0)
        rc = matches_find(a->r, text, &a->filter, MATCHES_ANY, a->deadline, &records, err);
    if (rc == 0)
        rc = reader_surprise(a->r, &a->filter, RUNS, a->arena, &runs, &count, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        double coverage = about(a, &records.rank, runs[i].stream,
                                (struct slice){runs[i].why, strlen(runs[i].why)});
        if (coverage > 0)
            add(&found, event_of_run(a, &runs[i]), coverage, runs, count, runs[i].stream);
    }
    for (uint32_t i = 0; i < records.count; i++) {
        const struct match *m = &records.items[i];
        const struct known_stream *stream = reader_known_stream(a->r, m->stream);
        struct marks marks = marks_of(a->r, m->record->text);
        if (!marks.count || !stream)
            continue;
        struct event e = {.moment = m->moment,
                          .stream = m->stream,
                          .start = m->record->time,
                          .end = m->record->time,
                          .record = m->record,
                          .strength = RECORD_STRENGTH * marks.strength};
        add(&found, e, m->coverage, runs, count, stream->name);
    }
    answer_step(a, "of %u records and %u unusual runs %u are remarkable and about it",
                records.count, count, found.count);
    if (!found.count)
        return 1;
    events_sort(&found);
    rc = answer_room(a, SHOWN, err);
    if (rc == 0)
        rc = events_show(&found, SHOWN, "unusual", err);
    if (rc)
        return rc;
    answer_shares(&a->out->items);
    a->out->confidence = found.count > 1 ? 0.8 : 0.6;
    a->out->time = found.items[0].start;
    answer_span(a, &a->text);
    buf_puts(&a->text, ": ");
    for (uint32_t i = 0; i < found.count && i < SAID; i++) {
        buf_puts(&a->text, i ? "; " : "");
        events_say(a, &found.items[i]);
    }
    buf_putc(&a->text, '.');
    return answer_gists(a, err);
}
