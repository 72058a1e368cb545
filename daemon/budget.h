/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of [memory] on its way to the writer, and memories that answers used. Loop. */
#ifndef VARVE_DAEMON_BUDGET_H
#define VARVE_DAEMON_BUDGET_H

#include "config/config.h"
#include "memory/keep.h"

struct daemon;

void budget_of(const struct config *c, struct store_budget *ret);
/* After a reload; while the writer runs. */
void budget_apply(struct daemon *d);
/* Most payload that may wait for the model: [model] queue, or what a small budget has room for. */
size_t budget_queue(const struct config *c);

/* Most records of a moment: with little room, small ones. 0: as many as there may be. */
uint32_t budget_moment_records(const struct config *c);
uint32_t budget_moment_bytes(const struct config *c);
/* Are the models' snapshots to be small? The full ones of a few sensors take more than a megabyte. */
bool budget_brief(const struct config *c);
/* The largest batch, as it lies in the journal, that can become moments within the budget. */
size_t budget_batch(const struct config *c);
#define JOURNAL_BATCHES 2

#define TOUCHED_MAX 256

/* Ids that wait to be touched. */
struct touched {
    int64_t ids[TOUCHED_MAX];
    size_t count;
};

/* On the writer's thread: moments were let go, their sketches go too. `arg` is the daemon. */
void budget_let_go(void *arg, const int64_t *ids, size_t count);

/* An answer used a memory. Beyond TOUCHED_MAX between two seconds they are not counted. */
void budget_used(struct daemon *d, int64_t id);
/* Once a second: gives them to the writer. */
void budget_tick(struct daemon *d);

#endif
