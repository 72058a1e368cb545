/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often, the first or last time, and what holds: answers from all records that match, not from
 * the best few. Where records are gone, kinds of lines that hold all the words are counted in the
 * sums of the strata. Nothing that matches: 1, and the caller searches.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "memory/answer.h"
#include "memory/matches.h"
#include "memory/stat.h"

#define SHOWN 12 /* records of a count that are shown: its first and its last ones */
#define KINDS 8  /* kinds of lines that one question may count */
#define VALUE_MAX 80
#define CLAIM_TEXTS 40 /* matches in which the question's claims are looked for */

/* ---- showing matches ---- */

static int add_match_item(struct answering *a, const struct match *m, struct errmsg *err)
{
    struct recall_items *items = &a->out->items;
    for (uint32_t i = 0; i < items->count; i++)
        if (items->items[i].id == m->moment)
            return 0;
    if (items->count == a->limit) {
        items->more = true;
        return 0;
    }
    struct moment_row row;
    int rc = reader_moment(a->r, m->moment, &a->r->scratch, &row, err);
    if (rc == 0)
        rc = reader_item(a->r, &row, a->arena, &items->items[items->count], err);
    if (rc)
        return rc;
    struct recall_item *item = &items->items[items->count];
    if (!answer_spend(a, strlen(item->title))) {
        items->more = true;
        return 0;
    }
    item->score = m->coverage < 1 ? m->coverage : 1;
    item->share = 1;
    item->through = "words";
    items->count++;
    return 0;
}

static int add_match_record(struct answering *a, const struct match *m, struct errmsg *err)
{
    struct recall_record *out = &a->out->records[a->out->record_count];
    const struct known_stream *stream = reader_known_stream(a->r, m->stream);
    const struct record *from = m->record;
    *out = (struct recall_record){.id = m->moment,
                                  .seq = from->seq,
                                  .time = from->time,
                                  .score = m->coverage < 1 ? m->coverage : 1};
    out->stream =
        arena_copy(a->arena, stream ? stream->name : "", stream ? strlen(stream->name) : 0);
    if (from->ref.size)
        out->ref = arena_copy(a->arena, from->ref.data, from->ref.size);
    if (!out->stream || (from->ref.size && !out->ref))
        return reader_nomem(err);
    if (answer_spend(a, from->text.size)) {
        out->text = arena_copy(a->arena, from->text.data, from->text.size);
        if (!out->text)
            return reader_nomem(err);
    }
    a->out->record_count++;
    return 0;
}

/* Items and records of the matches in the order given by `order`, a list of indexes. */
static int show(struct answering *a, const struct matches *found, const uint32_t *order,
                uint32_t count, struct errmsg *err)
{
    struct recall_answer *out = a->out;
    out->items.items = arena_alloc(a->arena, (a->limit + 1) * sizeof(*out->items.items));
    out->records = arena_alloc(a->arena, (count + 1) * sizeof(*out->records));
    if (!out->items.items || !out->records)
        return reader_nomem(err);
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = add_match_item(a, &found->items[order[i]], err);
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = add_match_record(a, &found->items[order[i]], err);
    if (rc)
        return rc;
    answer_shares(&out->items);
    return answer_gists(a, err);
}

/* From the newest, or the oldest, on; both ends where there are more than fit. */
static uint32_t pick(const struct matches *found, bool newest, uint32_t order[SHOWN])
{
    uint32_t n = found->count < SHOWN ? found->count : SHOWN;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t back = found->count - 1 - i;
        if (found->count <= SHOWN || i < SHOWN / 2)
            order[i] = newest ? back : i;
        else
            order[i] = newest ? n - 1 - i : found->count - (n - i);
    }
    return n;
}

static void say_match(struct answering *a, const struct match *m)
{
    const struct known_stream *stream = reader_known_stream(a->r, m->stream);
    answer_time(&a->text, m->record->time);
    buf_printf(&a->text, " %s: ", stream ? stream->name : "");
    answer_quote(&a->text, m->record->text.data, m->record->text.size);
}

static double confidence_of(const struct matches *found)
{
    double agreed = found->count > 1 ? 1 : 1 / 1.3;
    return found->count ? found->coverage * agreed : 0;
}

/* Is there something that matches, and is it what the question names? */
static bool answers(struct answering *a, const struct matches *found)
{
    struct slice texts[CLAIM_TEXTS];
    uint32_t n = found->count < CLAIM_TEXTS ? found->count : CLAIM_TEXTS;
    if (found->count == 0 ||
        confidence_of(found) - answer_unknown_names(a, &found->rank) < ANSWER_ABSENT_BELOW)
        return false;
    for (uint32_t i = 0; i < n; i++)
        texts[i] = found->items[found->count - 1 - i].record->text;
    return !answer_unsupported(a, texts, n);
}

/* ---- how often ---- */

/* Does a record state the amount that "how many reallocated sectors" asks for: a number before it?
 */
static bool states_amount(const struct answering *a, const struct match *m)
{
    struct words_query asked, one;
    const char *about = a->question.about;
    size_t n = strcspn(about, " \t");
    if (words_query((struct slice){about, n}, &asked) || asked.count == 0)
        return false;
    struct slice text = m->record->text;
    bool number = false;
    for (size_t i = 0; i < text.size;) {
        size_t gap = 0, size = 0;
        while (i + gap < text.size && (text.data[i + gap] == ' ' || text.data[i + gap] == ','))
            gap++;
        while (i + gap + size < text.size && text.data[i + gap + size] != ' ')
            size++;
        struct slice token = {text.data + i + gap, size};
        if (number && words_query(token, &one) == 0 && one.count &&
            one.words[0].hash == asked.words[0].hash)
            return true;
        number = size > 0 && isdigit((unsigned char)token.data[0]);
        i += gap + size;
    }
    return false;
}

static void say_count(struct answering *a, uint64_t count, bool at_least, int64_t first,
                      int64_t last)
{
    if (at_least)
        buf_puts(&a->text, "At least ");
    answer_count(&a->text, count, "time");
    if (a->timed) {
        buf_puts(&a->text, ", ");
        answer_span(a, &a->text);
    }
    if (count) {
        buf_puts(&a->text, count > 1 ? ": first " : ": ");
        answer_time(&a->text, first);
        if (count > 1) {
            buf_puts(&a->text, ", last ");
            answer_time(&a->text, last);
        }
    }
    buf_putc(&a->text, '.');
}

/* Lines of kinds that hold all the words, from the sums; 1 when there is no such kind. */
static int count_kinds(struct answering *a, struct errmsg *err)
{
    struct stat_item *kinds, *sums;
    uint32_t kind_count, sum_count;
    const struct reader_filter *f = &a->filter;
    int rc = stat_find(a->r, f->stream_count == 1 ? f->streams[0] : 0, a->phrase.rest, KINDS,
                       &a->r->scratch, &kinds, &kind_count, err);
    if (rc || kind_count == 0)
        return rc ? rc : 1;
    int64_t since = f->since == TIME_UNKNOWN ? TIME_MIN : f->since;
    int64_t until = f->until == INT64_MAX ? TIME_MAX : f->until;
    uint64_t total = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    const char *names[KINDS];
    uint32_t named = 0;
    for (uint32_t k = 0; k < kind_count; k++) {
        if (kinds[k].what != STAT_KIND)
            continue;
        rc =
            stat_range(a->r, kinds[k].stream, since, until, &a->r->scratch, &sums, &sum_count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < sum_count; i++) {
            if (sums[i].what != STAT_KIND || sums[i].id != kinds[k].id || !sums[i].count)
                continue;
            total += sums[i].count;
            first = sums[i].first_at < first ? sums[i].first_at : first;
            last = sums[i].last_at > last ? sums[i].last_at : last;
        }
        names[named++] = kinds[k].name;
    }
    if (!named)
        return 1;
    a->out->count = (int64_t)total;
    a->out->time = total ? last : TIME_UNKNOWN;
    a->out->confidence = 1;
    a->out->absent = total == 0;
    answer_step(a, "counted %u kinds of lines in the sums of the strata", named);
    say_count(a, total, false, first, last);
    buf_puts(&a->text, " Counted: ");
    for (uint32_t k = 0; k < named; k++) {
        buf_puts(&a->text, k ? ", " : "");
        answer_quote(&a->text, names[k], strlen(names[k]));
    }
    buf_putc(&a->text, '.');
    return 0;
}

static int show_count(struct answering *a, const struct matches *found, struct errmsg *err)
{
    uint32_t order[SHOWN];
    const struct match *first = &found->items[0], *last = &found->items[found->count - 1];
    uint32_t n = pick(found, false, order);
    a->out->count = found->count;
    a->out->at_least = !found->all;
    a->out->time = last->record->time;
    a->out->confidence = confidence_of(found);
    answer_step(a, "counted %u records that hold the same words", found->count);
    int rc = show(a, found, order, n, err);
    if (rc)
        return rc;
    say_count(a, found->count, !found->all, first->record->time, last->record->time);
    buf_puts(&a->text, " The last: ");
    say_match(a, last);
    answer_age(a, last->record->time);
    buf_putc(&a->text, '.');
    return 0;
}

int answer_how_often(struct answering *a, struct errmsg *err)
{
    struct matches found;
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    int rc = matches_find(a->r, text, &a->filter, MATCHES_SAME, a->deadline, &found, err);
    if (rc)
        return rc;
    if (a->question.kind == QUESTION_AMOUNT && found.count &&
        states_amount(a, &found.items[found.count - 1]))
        return 1;
    bool enough = answers(a, &found);
    if (enough && found.all)
        return show_count(a, &found, err);
    rc = count_kinds(a, err);
    return rc > 0 && enough ? show_count(a, &found, err) : rc;
}

/* ---- the first and the last time ---- */

int answer_first_or_last(struct answering *a, struct errmsg *err)
{
    struct matches found;
    uint32_t order[SHOWN];
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    bool last = a->question.which == QUESTION_LAST;
    int rc = matches_find(a->r, text, &a->filter, MATCHES_SAME, a->deadline, &found, err);
    if (rc || !answers(a, &found))
        return rc ? rc : 1;
    const struct match *m = &found.items[last ? found.count - 1 : 0];
    a->out->time = m->record->time;
    a->out->count = found.count;
    a->out->at_least = !found.all;
    a->out->confidence = confidence_of(&found);
    answer_step(a, "took the %s of %u records that hold the same words", last ? "last" : "first",
                found.count);
    rc = show(a, &found, order, pick(&found, last, order), err);
    if (rc)
        return rc;
    buf_puts(&a->text, last ? "Last " : "First ");
    say_match(a, m);
    answer_age(a, m->record->time);
    buf_putc(&a->text, '.');
    if (found.count > 1) {
        const struct match *other = &found.items[last ? 0 : found.count - 1];
        buf_putc(&a->text, ' ');
        answer_count(&a->text, found.count, "time");
        buf_puts(&a->text, last ? " in all, first " : " in all, last ");
        answer_time(&a->text, other->record->time);
        buf_putc(&a->text, '.');
    }
    return 0;
}

/* ---- what holds ---- */

/* What stands behind "from A to" in a record that tells of a change; false: it tells of none. */
static bool value_after_change(struct slice text, char out[VALUE_MAX])
{
    for (size_t i = 0; i + 6 < text.size; i++) {
        if (memcmp(text.data + i, " from ", 6) != 0)
            continue;
        for (size_t k = i + 6; k + 4 < text.size; k++) {
            if (memcmp(text.data + k, " to ", 4) != 0)
                continue;
            size_t n = 0;
            while (k + 4 + n < text.size && n + 1 < VALUE_MAX && text.data[k + 4 + n] != ' ')
                n++;
            memcpy(out, text.data + k + 4, n);
            out[n] = '\0';
            return n > 0;
        }
    }
    return false;
}

/*
 * The newest record about it before the end of the span that was asked for: what was said last
 * holds until something newer is said.
 */
int answer_state(struct answering *a, struct errmsg *err)
{
    struct matches found;
    uint32_t order[SHOWN];
    char value[VALUE_MAX];
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    struct reader_filter f = a->filter;
    f.since = TIME_UNKNOWN;
    int rc = matches_find(a->r, text, &f, MATCHES_ABOUT, a->deadline, &found, err);
    if (rc || !answers(a, &found))
        return rc ? rc : 1;
    const struct match *m = &found.items[found.count - 1];
    /* What people tell is ranked, not dated; an event of another time is no answer. */
    if (answer_is_told(m->record->text) ||
        (m->record->time < a->filter.since && !a->question.lasts))
        return 1;
    rc = show(a, &found, order, pick(&found, true, order), err);
    if (rc)
        return rc;
    a->out->time = m->record->time;
    a->out->confidence = confidence_of(&found);
    answer_step(a, "took the newest of %u records about it%s", found.count,
                a->timed ? " before the end of that time" : "");
    if (value_after_change(m->record->text, value)) {
        a->out->value = arena_copy(a->arena, value, strlen(value));
        if (!a->out->value)
            return reader_nomem(err);
        buf_printf(&a->text, "%s: ", value);
    }
    say_match(a, m);
    answer_age(a, m->record->time);
    if (a->timed && m->record->time < a->filter.since)
        buf_puts(&a->text, ", the last word on it before then");
    buf_putc(&a->text, '.');
    return 0;
}
