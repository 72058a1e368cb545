/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a batch that is being numbered and of those that are being journaled, by number:
 * what the file does not know yet. Made for one batch, so its cost is that of the records it looks
 * through once. Thread: the turn's.
 */
#ifndef VARVE_DAEMON_UNDER_WAY_H
#define VARVE_DAEMON_UNDER_WAY_H

#include "daemon/batch.h"

struct under_way_slot {
    uint64_t seq;
    const struct batch *batch; /* NULL: empty */
    uint32_t index;
};

/* Zeroed: empty, and not made yet. */
struct under_way {
    struct under_way_slot *slots;
    uint32_t size; /* a power of two; 0: not made */
};

/* With room for all of `journaling` and of b, and filled with the former. 0 or ERR_NOMEM. */
int under_way_make(struct under_way *u, const struct batch *journaling, const struct batch *b);
void under_way_deinit(struct under_way *u);
/* b->records[index]; of two with one number the first one stays. It must have been made. */
void under_way_add(struct under_way *u, const struct batch *b, uint32_t index);
/* NULL when there is none. *ret_batch may be NULL. */
const struct record *under_way_find(const struct under_way *u, uint64_t seq,
                                    const struct batch **ret_batch);

#endif
