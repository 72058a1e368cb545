/* SPDX-License-Identifier: Apache-2.0 */
/* What answers of every form put into their lists: items, records, all that matches. */
#include <string.h>

#include "memory/answer.h"

#define SHOWN ANSWER_MATCHES

int answer_room(struct answering *a, uint32_t records, struct errmsg *err)
{
    struct recall_answer *out = a->out;
    out->items.items = arena_alloc(a->arena, (a->limit + 1) * sizeof(*out->items.items));
    out->records = arena_alloc(a->arena, (records + 1) * sizeof(*out->records));
    return out->items.items && out->records ? 0 : reader_nomem(err);
}

int answer_add_item(struct answering *a, int64_t id, double share, const char *through,
                    struct errmsg *err)
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
    struct recall_item *item = &items->items[items->count];
    int rc = reader_moment(a->r, id, &a->r->scratch, &row, err);
    if (rc == 0)
        rc = reader_item(a->r, &row, a->arena, item, err);
    if (rc)
        return rc == SQL_DONE ? 0 : rc;
    if (!answer_spend(a, strlen(item->title))) {
        items->more = true;
        return 0;
    }
    item->score = share < 1 ? share : 1;
    item->share = share;
    item->through = through;
    items->count++;
    return 0;
}

int answer_add_record(struct answering *a, int64_t moment, int64_t stream_id,
                      const struct record *from, double score, struct errmsg *err)
{
    struct recall_record *out = &a->out->records[a->out->record_count];
    const struct known_stream *stream = reader_known_stream(a->r, stream_id);
    const char *name = stream ? stream->name : "";
    *out = (struct recall_record){
        .id = moment, .seq = from->seq, .time = from->time, .score = score < 1 ? score : 1};
    out->stream = arena_copy(a->arena, name, strlen(name));
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

int answer_matches(struct answering *a, const struct matches *found, bool newest,
                   struct errmsg *err)
{
    uint32_t order[SHOWN], n = pick(found, newest, order);
    int rc = answer_room(a, n, err);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct match *m = &found->items[order[i]];
        rc = answer_add_item(a, m->moment, m->coverage, "words", err);
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct match *m = &found->items[order[i]];
        rc = answer_add_record(a, m->moment, m->stream, m->record, m->coverage, err);
    }
    if (rc)
        return rc;
    answer_shares(&a->out->items);
    return answer_gists(a, err);
}

void answer_match(struct answering *a, const struct match *m)
{
    const struct known_stream *stream = reader_known_stream(a->r, m->stream);
    answer_time(&a->text, m->record->time);
    buf_printf(&a->text, " %s: ", stream ? stream->name : "");
    answer_quote_record(&a->text, m->record);
}

double answer_agreement(const struct matches *found)
{
    double agreed = found->count > 1 ? 1 : 1 / 1.3;
    return found->count ? found->coverage * agreed : 0;
}

bool answer_supported(struct answering *a, const struct matches *found)
{
    struct slice texts[RECALL_RECORDS];
    uint32_t n = found->count < RECALL_RECORDS ? found->count : RECALL_RECORDS;
    if (found->count == 0 ||
        answer_agreement(found) - answer_unknown_names(a, &found->rank) < ANSWER_ABSENT_BELOW)
        return false;
    for (uint32_t i = 0; i < n; i++)
        texts[i] = found->items[found->count - 1 - i].record->text;
    return !answer_unsupported(a, texts, n);
}
