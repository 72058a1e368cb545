/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open-addressing table that is at most half full. Numbers mostly follow each other, so their
 * low bits after a multiplication spread them. Sizes: 48 bytes a record that is under way.
 */
#include "daemon/under_way.h"

#include "base/mem.h"

static uint32_t slot_of(const struct under_way *u, uint64_t seq)
{
    uint32_t at = (uint32_t)((seq * 0x9e3779b97f4a7c15ULL) >> 32) & (u->size - 1);
    while (u->slots[at].batch && u->slots[at].seq != seq)
        at = (at + 1) & (u->size - 1);
    return at;
}

int under_way_make(struct under_way *u, const struct batch *journaling, const struct batch *b)
{
    size_t records = b->count;
    for (const struct batch *j = journaling; j; j = j->next)
        records += j->count;
    uint32_t size = 16;
    while (size < 2 * records && size < UINT32_MAX / 2)
        size *= 2;
    u->slots = mem_calloc(size, sizeof(*u->slots));
    if (!u->slots)
        return ERR_NOMEM;
    u->size = size;
    for (const struct batch *j = journaling; j; j = j->next)
        for (uint32_t i = 0; i < j->count; i++)
            under_way_add(u, j, i);
    return 0;
}

void under_way_deinit(struct under_way *u)
{
    mem_free(u->slots);
    *u = (struct under_way){0};
}

void under_way_add(struct under_way *u, const struct batch *b, uint32_t index)
{
    uint64_t seq = b->records[index].seq;
    struct under_way_slot *slot = &u->slots[slot_of(u, seq)];
    if (!slot->batch)
        *slot = (struct under_way_slot){seq, b, index};
}

const struct record *under_way_find(const struct under_way *u, uint64_t seq,
                                    const struct batch **ret_batch)
{
    const struct under_way_slot *slot = &u->slots[slot_of(u, seq)];
    if (!slot->batch)
        return NULL;
    if (ret_batch)
        *ret_batch = slot->batch;
    return &slot->batch->records[slot->index];
}
