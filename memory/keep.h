/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept when room is short: the budget, what is let go first, and the subjective clock by
 * which memories fade. docs/architecture.md, "What is kept", says how; docs/format.md what is left
 * of what goes.
 *
 * Thread: the writer's. Nothing here is called inside a transaction but store_touch.
 */
#ifndef VARVE_MEMORY_KEEP_H
#define VARVE_MEMORY_KEEP_H

#include "memory/schema.h"
#include "memory/store.h"

enum keep_class { KEEP_EVIDENCE, KEEP_MOMENTS, KEEP_EPISODES, KEEP_HOURS, KEEP_DAYS, KEEP_CLASSES };

enum keep_evict { KEEP_BY_COVERAGE = 1, KEEP_BY_SALIENCE, KEEP_FIFO, KEEP_RANDOM };

struct store_budget {
    int64_t bytes; /* database, write-ahead log and temporary files together; 0: no bound */
    double share[KEEP_CLASSES]; /* of the bytes, 0..1; what one class leaves, others may use */
    double pinned;              /* 0..1 */
    enum keep_evict evict;
    bool wall; /* memories fade by the time on the wall instead of tau */
    int sign;  /* of the load in tau: 1 or -1 */
};

/* Before it is called nothing is let go. */
void store_set_budget(struct store *s, const struct store_budget *budget);

/*
 * One bounded step towards room for `need` bytes more (of records, before they are indexed) and a
 * reserve: a checkpoint, a few memories let go, a piece of the index put together, pages given back.
 * 0: there is room. STORE_MORE: call again. STORE_NO_ROOM: nothing is left that may go, or a reader
 * holds the log: wait, or write and take what comes; the database never grows beyond its bound,
 * ERR_FULL is what comes.
 */
#define STORE_NO_ROOM 2
int store_make_room(struct store *s, int64_t need, struct errmsg *err);
/* Most bytes of records that one transaction should hold. */
size_t store_batch_most(const struct store *s);
/* After a commit: does the log want a checkpoint? */
bool store_log_is_full(const struct store *s);

/* Ids of moments that went since the last call, at most `max`: for the sketches. A few may be left
 * out. */
size_t store_let_go(struct store *s, int64_t *ids, size_t max);

/* Memories that answers used, as one job of a transaction: they are fresh again. Unknown ids are
 * ignored. */
int store_touch(struct store *s, const int64_t *ids, size_t count, struct errmsg *err);

/* All as of the last commit; bytes of spans are estimates, those of evidence and files exact. */
struct store_usage {
    int64_t budget, database, log;
    int64_t room;   /* free in the database's share */
    int64_t pinned; /* bytes of what is pinned */
    int64_t bytes[KEEP_CLASSES], count[KEEP_CLASSES];
    int64_t let_go[KEEP_CLASSES]; /* since the file was made */
    double tau, load, load_mean;
    uint32_t features; /* of the dictionary, in use */
};
int store_usage(struct store *s, struct store_usage *ret, struct errmsg *err);

#endif
