/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "what happened last night?": the most unusual first, then for each stream what was
 * usual, with counts, then who was silent. Happy path: count moments a stream ▸ the span's unusual
 * runs ▸ items ▸ words. Nothing recorded: absent.
 */
#include <string.h>

#include "memory/answer.h"

#define UNUSUAL_SHOWN 10
#define UNUSUAL_SAID 5
#define USUAL_SHARE 0.05 /* of attention that one usual moment gets, to an alert's score of 1 */

static int add_item(struct answering *a, int64_t id, double share, struct errmsg *err)
{
    struct recall_items *items = &a->out->items;
    for (uint32_t i = 0; i < items->count; i++)
        if (items->items[i].id == id) {
            items->items[i].share += share;
            return 0;
        }
    if (items->count == a->limit) {
        items->more = true;
        return 0;
    }
    struct moment_row row;
    int rc = reader_moment(a->r, id, &a->r->scratch, &row, err);
    if (rc == 0)
        rc = reader_item(a->r, &row, a->arena, &items->items[items->count], err);
    if (rc)
        return rc == SQL_DONE ? 0 : rc;
    if (!answer_spend(a, strlen(items->items[items->count].title))) {
        items->more = true;
        return 0;
    }
    items->items[items->count].score = share < 1 ? share : 1;
    items->items[items->count++].share = share;
    return 0;
}

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
    if (alerts == 0)
        buf_puts(&a->text, ": nothing unusual.");
    else
        buf_printf(&a->text, ": %u unusual thing%s.", alerts, alerts == 1 ? "" : "s");
    for (uint32_t i = 0; i < alerts && i < UNUSUAL_SAID; i++) {
        const struct recall_unusual *u = &a->out->unusual[i];
        buf_putc(&a->text, ' ');
        answer_time(&a->text, u->start);
        buf_printf(&a->text, " %s: %s", u->stream, u->why);
        buf_puts(&a->text, i + 1 < alerts && i + 1 < UNUSUAL_SAID ? ";" : ".");
    }
}

static void say_usual(struct answering *a, const struct stream_sum *sums, const uint32_t *order)
{
    bool first = true;
    for (uint32_t k = 0; k < a->stream_count; k++) {
        const struct stream_sum *s = &sums[order[k]];
        if (!s->moments)
            continue;
        buf_printf(&a->text, "%s %s ", first ? " Recorded:" : ";", a->streams[order[k]].name);
        answer_count(&a->text, s->records, "record");
        buf_puts(&a->text, " in ");
        answer_count(&a->text, s->moments, "moment");
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
        moments += (*ret)[i].moments;
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

static int unusual_items(struct answering *a, uint32_t *ret_alerts, struct errmsg *err)
{
    struct recall_answer *out = a->out;
    int rc = reader_surprise(a->r, &a->filter, UNUSUAL_SHOWN, a->arena, &out->unusual,
                             &out->unusual_count, err);
    *ret_alerts = 0;
    for (uint32_t i = 0; i < out->unusual_count && rc == 0; i++) {
        if (out->unusual[i].score < UNUSUAL_ALERT) {
            out->unusual_count = i;
            break;
        }
        ++*ret_alerts;
        rc = add_item(a, out->unusual[i].id, out->unusual[i].score, err);
    }
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
        heard += sums[i].moments > 0;
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
    for (uint32_t k = 0; k < a->stream_count && rc == 0; k++)
        if (sums[order[k]].usual)
            rc = add_item(a, sums[order[k]].usual, USUAL_SHARE, err);
    if (rc)
        return rc;
    answer_step(a, "added what was usual in %u stream%s", heard, heard == 1 ? "" : "s");
    answer_shares(&a->out->items);
    say_unusual(a, alerts);
    say_usual(a, sums, order);
    answer_name_silent(a);
    return answer_gists(a, err);
}
