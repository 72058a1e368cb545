/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zeros in every byte of memory.db that belongs to no row: what rows leave behind in their pages
 * when they go or move (SQLite clears some of it in secure_delete mode, not all), what is left over
 * in the last page of a large value, and free pages. SQLite never reads these bytes, so readers go
 * on meanwhile.
 *
 * Thread: the writer's, outside a transaction. From a zeroed struct, scrub_step until it returns 0:
 * transactions may lie between the steps, checkpoints are put off (or scrub_note). The WAL is empty at the end.
 */
#ifndef VARVE_MEMORY_SCRUB_H
#define VARVE_MEMORY_SCRUB_H

#include "memory/store.h"

struct scrub {
    uint32_t next; /* page */
    bool started;
};

/* A bounded piece of work: 0 when all is done, STORE_MORE when there is more, also where a reader
 * is in the way of the WAL's end: the caller comes back. */
int scrub_step(struct store *s, struct scrub *x, struct errmsg *err);
/* Before a checkpoint that cannot wait: the pages that it writes are looked at again at the end. */
int scrub_note(struct store *s, struct errmsg *err);

#endif
