/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds or held, and what changed. Facts keep their versions when the records that stated them
 * are gone; where no fact is known, what was said last about it holds until something newer is
 * said.
 */
#include <string.h>

#include "memory/answer.h"
#include "memory/fact.h"

#define FACTS 8
#define FACT_MATCH 0.5 /* of the question's weight that a fact's words must hold */
#define CHANGES 24
#define CHANGES_SAID 6
#define RUNS 64

/* The fact that the question is about, as it was at the end of the span; 1: none is known. */
static int find_fact(struct answering *a, struct fact *ret, struct errmsg *err)
{
    struct fact *facts;
    uint32_t count;
    int64_t until = a->filter.until;
    int64_t at = until == INT64_MAX || until > clock_now(a->r->clock) ? TIME_UNKNOWN : until - 1;
    int rc = fact_search(a->r, a->phrase.rest, at, FACTS, &a->r->scratch, &facts, &count, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        struct buf text = {0};
        buf_printf(&text, "%s %s", facts[i].subject, facts[i].value);
        struct slice whole = {text.data, text.size};
        bool fits = facts[i].match >= FACT_MATCH && !answer_unsupported(a, &whole, 1);
        buf_deinit(&text);
        if (!fits)
            continue;
        *ret = facts[i];
        return 0;
    }
    return 1;
}

static int say_fact(struct answering *a, const struct fact *f, struct errmsg *err)
{
    a->out->value = arena_copy(a->arena, f->value, strlen(f->value));
    if (!a->out->value)
        return reader_nomem(err);
    a->out->time = f->since == TIME_MIN ? f->last : f->since;
    buf_printf(&a->text, "%s (%s", f->value, f->subject);
    if (f->since != TIME_MIN) {
        buf_puts(&a->text, ", since ");
        answer_time(&a->text, f->since);
    }
    if (f->until != TIME_UNKNOWN) {
        buf_puts(&a->text, ", until ");
        answer_time(&a->text, f->until);
    }
    buf_putc(&a->text, ')');
    return 0;
}

/* What stands behind "from A to" in a record that tells of a change; false: it tells of none. */
static bool value_after_change(struct slice text, struct slice *ret)
{
    const char *from = memmem(text.data, text.size, " from ", 6);
    size_t left = from ? text.size - (size_t)(from - text.data) : 0;
    const char *to = from ? memmem(from, left, " to ", 4) : NULL;
    if (!to)
        return false;
    to += 4;
    size_t n = 0, room = text.size - (size_t)(to - text.data);
    while (n < room && to[n] != ' ')
        n++;
    *ret = (struct slice){to, n};
    return n > 0;
}

/* The records about it, the newest first; 1 when none may answer. */
static int by_records(struct answering *a, struct matches *found, struct errmsg *err)
{
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    struct reader_filter f = a->filter;
    f.since = TIME_UNKNOWN;
    int rc = matches_find(a->r, text, &f, MATCHES_ABOUT, a->deadline, found, err);
    if (rc || !answer_supported(a, found))
        return rc ? rc : 1;
    const struct match *m = &found->items[found->count - 1];
    /* What people tell is ranked, not dated; an event of another time is no answer. */
    if (answer_is_told(m->record->text) ||
        (m->record->time < a->filter.since && !a->question.lasts))
        return 1;
    return 0;
}

static int say_newest(struct answering *a, const struct matches *found, bool valued,
                      struct errmsg *err)
{
    const struct match *m = &found->items[found->count - 1];
    struct slice value;
    int rc = answer_matches(a, found, true, err);
    if (rc)
        return rc;
    answer_step(a, "took the newest of %u records about it%s", found->count,
                a->timed ? " before the end of that time" : "");
    if (!valued)
        a->out->time = m->record->time;
    if (!valued && value_after_change(m->record->text, &value)) {
        a->out->value = arena_copy(a->arena, value.data, value.size);
        if (!a->out->value)
            return reader_nomem(err);
        buf_puts(&a->text, a->out->value);
        valued = true;
    }
    if (valued)
        buf_puts(&a->text, ": ");
    answer_match(a, m);
    answer_age(a, m->record->time);
    if (a->timed && m->record->time < a->filter.since)
        buf_puts(&a->text, ", the last word on it before then");
    return 0;
}

/* Leaves the records that hold the fact's value, if there are any; 1: there are none. */
static int keep_with_value(struct matches *found, const char *value)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        struct slice text = found->items[i].record->text;
        if (memmem(text.data, text.size, value, strlen(value)))
            found->items[kept++] = found->items[i];
    }
    if (kept)
        found->count = kept;
    return kept ? 0 : 1;
}

int answer_state(struct answering *a, struct errmsg *err)
{
    struct matches found;
    struct fact fact;
    int records = by_records(a, &found, err);
    if (records < 0)
        return records;
    int facts = find_fact(a, &fact, err);
    if (facts < 0)
        return facts;
    if (facts && records)
        return 1;
    if (facts == 0 && records == 0)
        records = keep_with_value(&found, fact.value);
    int rc = 0;
    if (facts == 0) {
        answer_step(a, "a fact with its versions is known of it");
        a->out->confidence = fact.match;
        rc = say_fact(a, &fact, err);
        if (rc == 0 && records && fact.moment) {
            rc = answer_room(a, 0, err);
            if (rc == 0)
                rc = answer_add_item(a, fact.moment, 1, "fact", err);
            if (rc == 0)
                rc = answer_gists(a, err);
        }
    }
    if (rc == 0 && records == 0) {
        double agreement = answer_agreement(&found);
        if (agreement > a->out->confidence)
            a->out->confidence = agreement;
        rc = say_newest(a, &found, facts == 0, err);
    }
    buf_putc(&a->text, '.');
    return rc;
}

/* ---- what changed ---- */

static bool is_change(const struct recall_unusual *u)
{
    return strncmp(u->why, "level of ", 9) == 0 || strncmp(u->why, "spread of ", 10) == 0 ||
           strncmp(u->why, "regime", 6) == 0;
}

static int regime_changes(struct answering *a, struct errmsg *err)
{
    struct recall_unusual *runs;
    uint32_t count;
    int rc = reader_surprise(a->r, &a->filter, RUNS, a->arena, &runs, &count, err);
    if (rc)
        return rc;
    a->out->unusual = runs;
    for (uint32_t i = 0; i < count; i++)
        if (is_change(&runs[i]) && a->out->unusual_count < CHANGES_SAID)
            runs[a->out->unusual_count++] = runs[i];
    return 0;
}

int answer_changed(struct answering *a, struct errmsg *err)
{
    struct fact *facts;
    uint32_t count, said = 0;
    int64_t since = a->filter.since == TIME_UNKNOWN ? TIME_MIN : a->filter.since;
    int64_t until = a->filter.until == INT64_MAX ? TIME_MAX : a->filter.until;
    bool generic = false;
    if (question_is_generic((struct slice){a->phrase.rest, strlen(a->phrase.rest)}, &generic))
        return reader_nomem(err);
    if (!generic)
        return 1;
    int rc = fact_changes(a->r, since, until, CHANGES, &a->r->scratch, &facts, &count, err);
    if (rc == 0)
        rc = regime_changes(a, err);
    if (rc == 0)
        rc = answer_room(a, 0, err);
    if (rc)
        return rc;
    answer_step(a, "looked for facts and levels that changed: %u and %u", count,
                a->out->unusual_count);
    answer_span(a, &a->text);
    buf_puts(&a->text, ": ");
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (said < CHANGES_SAID) {
            buf_puts(&a->text, said++ ? "; " : "");
            answer_time(&a->text, facts[i].since);
            buf_printf(&a->text, " %s: %s became %s", facts[i].stream_name, facts[i].subject,
                       facts[i].value);
        }
        if (facts[i].moment)
            rc = answer_add_item(a, facts[i].moment, 1, "fact", err);
    }
    for (uint32_t i = 0; i < a->out->unusual_count && rc == 0; i++) {
        const struct recall_unusual *u = &a->out->unusual[i];
        buf_puts(&a->text, said++ ? "; " : "");
        answer_time(&a->text, u->start);
        buf_printf(&a->text, " %s: %s", u->stream, u->why);
        rc = answer_add_item(a, u->id, u->score, "unusual", err);
    }
    if (!said)
        buf_puts(&a->text, "no fact and no level changed");
    buf_putc(&a->text, '.');
    a->out->confidence = said ? 1 : 0.5;
    if (a->out->items.count)
        answer_shares(&a->out->items);
    return rc ? rc : answer_gists(a, err);
}
