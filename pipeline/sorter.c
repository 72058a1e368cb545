/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: records come nearly in order, so one comparison at the end of the array finds the
 * place and the head leaves by moving an index. A record out of order moves those behind it, at
 * most SORTER_RECORDS. Failure modes: memory, in pool_copy alone.
 */
#include "pipeline/sorter.h"

#include <string.h>

#include "base/mem.h"

#define CLASS_FIRST 128
#define KEPT_MAX (1u << 20)

static uint32_t class_of(size_t size)
{
    uint32_t c = 0;
    size_t room = CLASS_FIRST;
    while (c < POOL_CLASSES && room < size) {
        room *= 2;
        c++;
    }
    return c;
}

/* Bytes the block holds from the allocator. */
static size_t footprint(const struct block *b)
{
    size_t data = b->size_class < POOL_CLASSES ? (size_t)CLASS_FIRST << b->size_class : b->size;
    return sizeof(*b) + data;
}

void pool_deinit(struct pool *p)
{
    for (int c = 0; c < POOL_CLASSES; c++) {
        while (p->kept[c]) {
            struct block *b = p->kept[c];
            p->kept[c] = b->next;
            mem_free(b);
        }
    }
    p->kept_bytes = p->bytes = 0;
}

static struct block *take_block(struct pool *p, size_t size)
{
    uint32_t c = class_of(size);
    struct block *b = c < POOL_CLASSES ? p->kept[c] : NULL;
    if (b) {
        p->kept[c] = b->next;
        p->kept_bytes -= footprint(b);
    } else {
        b = mem_alloc(sizeof(*b) + (c < POOL_CLASSES ? (size_t)CLASS_FIRST << c : size));
        if (!b)
            return NULL;
        b->size_class = c;
    }
    b->next = NULL;
    b->size = (uint32_t)size;
    return b;
}

int pool_copy(struct pool *p, const struct record *r, struct block **ret)
{
    size_t samples = (size_t)r->sample_count * sizeof(struct sample);
    struct block *b = take_block(p, samples + r->text.size + r->media.size + r->ref.size + 2);
    if (!b)
        return ERR_NOMEM;
    p->bytes += footprint(b);
    b->record = *r;
    char *at = b->data;
    if (r->samples) {
        memcpy(at, r->samples, samples);
        b->record.samples = (const struct sample *)at;
        at += samples;
    }
    if (r->media.size)
        memcpy(at, r->media.data, r->media.size);
    b->record.media.data = at;
    at += r->media.size;
    if (r->text.size)
        memcpy(at, r->text.data, r->text.size);
    at[r->text.size] = '\0';
    b->record.text.data = at;
    at += r->text.size + 1;
    if (r->ref.size)
        memcpy(at, r->ref.data, r->ref.size);
    at[r->ref.size] = '\0';
    b->record.ref.data = at;
    *ret = b;
    return 0;
}

void pool_give(struct pool *p, struct block *b)
{
    if (!b)
        return;
    size_t bytes = footprint(b);
    p->bytes -= bytes;
    if (b->size_class == POOL_CLASSES || p->kept_bytes + bytes > KEPT_MAX) {
        mem_free(b);
        return;
    }
    b->next = p->kept[b->size_class];
    p->kept[b->size_class] = b;
    p->kept_bytes += bytes;
}

int sorter_init(struct sorter *s)
{
    *s = (struct sorter){.high = TIME_UNKNOWN, .released = TIME_UNKNOWN};
    s->items = mem_alloc(2 * SORTER_RECORDS * sizeof(*s->items));
    return s->items ? 0 : ERR_NOMEM;
}

void sorter_deinit(struct sorter *s, struct pool *pool)
{
    for (uint32_t i = s->head; s->items && i < s->tail; i++)
        pool_give(pool, s->items[i].block);
    mem_free(s->items);
    s->items = NULL;
    s->head = s->tail = 0;
}

bool sorter_too_late(const struct sorter *s, int64_t time, int64_t lateness)
{
    if (s->high == TIME_UNKNOWN)
        return false;
    return time < s->high - lateness || (s->released != TIME_UNKNOWN && time < s->released);
}

void sorter_add(struct sorter *s, struct block *b, int64_t arrived)
{
    if (s->tail == 2 * SORTER_RECORDS) {
        memmove(s->items, s->items + s->head, sorter_count(s) * sizeof(*s->items));
        s->tail -= s->head;
        s->head = 0;
    }
    uint32_t at = s->tail++;
    while (at > s->head && s->items[at - 1].time > b->record.time) {
        s->items[at] = s->items[at - 1];
        at--;
    }
    s->items[at] = (struct waiting){b->record.time, arrived, b};
    s->bytes += b->size;
    if (b->record.time > s->high)
        s->high = b->record.time;
}

struct block *sorter_take(struct sorter *s, int64_t until)
{
    if (s->head == s->tail || s->items[s->head].time > until)
        return NULL;
    struct block *b = s->items[s->head++].block;
    s->bytes -= b->size;
    s->released = b->record.time;
    if (s->head == s->tail)
        s->head = s->tail = 0;
    return b;
}

int64_t sorter_due(const struct sorter *s, int64_t arrived)
{
    for (uint32_t i = s->tail; i > s->head; i--)
        if (s->items[i - 1].arrived <= arrived)
            return s->items[i - 1].time;
    return TIME_UNKNOWN;
}

void sorter_rewind(struct sorter *s)
{
    s->high = s->released = TIME_UNKNOWN;
}
