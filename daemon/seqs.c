/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected: numbers come in order, resends reach back a few thousand at most. A slot a number
 * modulo the ring's size; a number that was overwritten is SEQ_OLD.
 */
#include "daemon/seqs.h"

#include <string.h>

#include "base/mem.h"

#define RING_SMALL 256
#define RING_LARGE 16384

struct slot {
    uint64_t seq; /* 0: empty */
    uint64_t hash;
};

struct seqs {
    uint64_t next;
    uint64_t floor; /* numbers below were taken before this process */
    struct slot *ring;
    uint32_t size;
};

int seqs_new(uint64_t next, struct seqs **ret)
{
    struct seqs *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->ring = mem_calloc(RING_SMALL, sizeof(*s->ring));
    if (!s->ring) {
        mem_free(s);
        return ERR_NOMEM;
    }
    s->size = RING_SMALL;
    s->next = s->floor = next ? next : 1;
    *ret = s;
    return 0;
}

void seqs_free(struct seqs *s)
{
    if (s) {
        mem_free(s->ring);
        mem_free(s);
    }
}

uint64_t seqs_next(const struct seqs *s)
{
    return s->next;
}

enum seq_verdict seqs_check(const struct seqs *s, uint64_t seq, uint64_t hash)
{
    if (seq >= s->next)
        return SEQ_NEW;
    const struct slot *slot = &s->ring[seq % s->size];
    if (slot->seq != seq)
        return SEQ_OLD;
    return slot->hash == hash ? SEQ_SAME : SEQ_OTHER;
}

/* A stream that is written to in earnest gets the large ring; without memory the small one serves.
 */
static void grow(struct seqs *s)
{
    struct slot *ring = mem_calloc(RING_LARGE, sizeof(*ring));
    if (!ring)
        return;
    for (uint32_t i = 0; i < s->size; i++)
        if (s->ring[i].seq)
            ring[s->ring[i].seq % RING_LARGE] = s->ring[i];
    mem_free(s->ring);
    s->ring = ring;
    s->size = RING_LARGE;
}

bool seqs_take(struct seqs *s, uint64_t seq, uint64_t hash)
{
    if (s->size == RING_SMALL && s->next - s->floor >= RING_SMALL)
        grow(s);
    bool gap = seq > s->next;
    s->ring[seq % s->size] = (struct slot){seq, hash};
    if (seq >= s->next)
        s->next = seq + 1;
    return gap;
}

void seqs_untake(struct seqs *s, uint64_t seq)
{
    struct slot *slot = &s->ring[seq % s->size];
    if (slot->seq == seq)
        slot->seq = 0;
}

void seqs_rewind(struct seqs *s, uint64_t next)
{
    s->next = next;
    if (s->floor > next)
        s->floor = next;
}
