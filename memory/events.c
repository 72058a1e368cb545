/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RARE_RECORDS 6 /* a word in at most so many records is a mark of its record */
#define COMPANY (12 * US_PER_MINUTE)
#define COMPANY_MOST 2

int events_init(struct events *e, struct answering *a, struct errmsg *err)
{
    *e = (struct events){.a = a};
    e->items = arena_alloc(&a->r->scratch, EVENTS_MAX * sizeof(*e->items));
    return e->items ? 0 : reader_nomem(err);
}

void events_add(struct events *e, const struct event *one)
{
    if (e->count < EVENTS_MAX)
        e->items[e->count++] = *one;
}

struct event event_of_run(const struct answering *a, const struct recall_unusual *u)
{
    int64_t stream = 0;
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (strcmp(a->streams[i].name, u->stream) == 0)
            stream = a->streams[i].id;
    return (struct event){.moment = u->id,
                          .stream = stream,
                          .start = u->start,
                          .end = u->end,
                          .run = u,
                          .strength = u->score};
}

static void mark_word(void *arg, const struct word *word)
{
    struct marks *m = arg;
    for (uint16_t i = 0; i < word->size; i++)
        if (!(word->text[i] >= 'a' && word->text[i] <= 'z') && !(word->text[i] & 0x80))
            return;
    double with = words_df_records(m->df, word->hash);
    double strength = log(1 + (m->total - with + 0.5) / (with + 0.5)) / log(1 + m->total);
    m->strength = strength > m->strength ? strength : m->strength;
    if (with <= RARE_RECORDS && m->count < sizeof(m->rare) / sizeof(*m->rare))
        m->rare[m->count++] = word->hash;
}

struct marks marks_of(const struct reader *r, struct slice text)
{
    struct marks m = {.df = r->df, .total = (double)words_df_total_records(r->df) + 1};
    words_each(text, mark_word, &m);
    return m;
}

bool marks_shared(const struct marks *a, const struct marks *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < b->count; k++)
            if (a->rare[i] == b->rare[k])
                return true;
    return false;
}

uint32_t events_company(const struct recall_unusual *runs, uint32_t count, const char *stream,
                        int64_t start, int64_t end)
{
    const char *met[COMPANY_MOST];
    uint32_t n = 0;
    for (uint32_t i = 0; i < count && n < COMPANY_MOST; i++) {
        if (runs[i].start > end + COMPANY || runs[i].end < start - COMPANY ||
            strcmp(runs[i].stream, stream) == 0)
            continue;
        bool known = false;
        for (uint32_t k = 0; k < n; k++)
            known |= strcmp(met[k], runs[i].stream) == 0;
        if (!known)
            met[n++] = runs[i].stream;
    }
    return n;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->start > y->start) - (x->start < y->start);
}

void events_sort(struct events *e)
{
    qsort(e->items, e->count, sizeof(*e->items), compare_events);
}

int events_show(struct events *e, uint32_t most, const char *through, struct errmsg *err)
{
    struct recall_answer *out = e->a->out;
    uint32_t shown = e->count < most ? e->count : most;
    out->unusual = arena_alloc(e->a->arena, (shown + 1) * sizeof(*out->unusual));
    int rc = out->unusual ? 0 : reader_nomem(err);
    for (uint32_t i = 0; i < shown && rc == 0; i++) {
        const struct event *x = &e->items[i];
        if (x->run)
            out->unusual[out->unusual_count++] = *x->run;
        else
            rc = answer_add_record(e->a, x->moment, x->stream, x->record, x->score, err);
        if (rc == 0)
            rc = answer_add_item(e->a, x->moment, x->score, through, err);
    }
    return rc;
}

void events_say(struct answering *a, const struct event *e)
{
    const struct known_stream *stream = reader_known_stream(a->r, e->stream);
    answer_time(&a->text, e->start);
    buf_printf(&a->text, " %s: ", stream ? stream->name : "");
    if (e->record)
        answer_quote_record(&a->text, e->record);
    else if (e->title)
        answer_quote(&a->text, e->title, strlen(e->title));
    else
        buf_puts(&a->text, e->run->why);
}
