/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of records in recycled blocks, and the bounded buffer in which they wait for their place
 * in time. A block goes from the sorter to the open moment without another copy. One owner, no
 * thread.
 */
#ifndef VARVE_PIPELINE_SORTER_H
#define VARVE_PIPELINE_SORTER_H

#include "base/error.h"
#include "base/record.h"

#define POOL_CLASSES 14 /* 128 bytes to 1 MiB: what a record's bytes are rounded up to */

struct block {
    struct block *next;
    uint32_t size_class;  /* POOL_CLASSES: too large to be kept */
    uint32_t size;        /* bytes of `data` */
    struct record record; /* its pointers go into `data` */
    _Alignas(8) char data[];
};

struct pool {
    struct block *kept[POOL_CLASSES];
    size_t kept_bytes; /* bounded: what is over goes back to the allocator */
    size_t bytes;      /* all that is held, in use or kept */
};

void pool_deinit(struct pool *p);
/* ERR_NOMEM. */
int pool_copy(struct pool *p, const struct record *r, struct block **ret);
/* NULL is allowed. */
void pool_give(struct pool *p, struct block *b);

#define SORTER_RECORDS 4096
#define SORTER_BYTES (8u << 20)

struct waiting {
    int64_t time;    /* event time */
    int64_t arrived; /* monotonic */
    struct block *block;
};

struct sorter {
    struct waiting *items; /* 2 * SORTER_RECORDS, sorted from `head`; equal times as they came */
    uint32_t head, tail;
    size_t bytes;
    int64_t high;     /* latest time seen, TIME_UNKNOWN at first */
    int64_t released; /* time of the last one that left */
};

int sorter_init(struct sorter *s);
void sorter_deinit(struct sorter *s, struct pool *pool);
static inline uint32_t sorter_count(const struct sorter *s)
{
    return s->tail - s->head;
}
static inline bool sorter_full(const struct sorter *s)
{
    return sorter_count(s) == SORTER_RECORDS || s->bytes > SORTER_BYTES;
}
/* True when a record of that time cannot be sorted in any more: older than what has left, or than
 * the bound. */
bool sorter_too_late(const struct sorter *s, int64_t time, int64_t lateness);
/* The caller has seen to it that the sorter is not full. */
void sorter_add(struct sorter *s, struct block *b, int64_t arrived);
/* The earliest when it has a time of at most `until`; else NULL. */
struct block *sorter_take(struct sorter *s, int64_t until);
/* The latest time among those that arrived by `arrived`: up to it all must go. TIME_UNKNOWN: none.
 */
int64_t sorter_due(const struct sorter *s, int64_t arrived);
/* Begins anew in another time; must be empty. */
void sorter_rewind(struct sorter *s);

#endif
