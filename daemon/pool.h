/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed pool of threads with one first-in-first-out queue. The daemon has two: one for model work
 * (it owns the cores that OpenBLAS must not take for itself), one for queries, so that a burst of
 * records never makes an answer wait.
 */
#ifndef VARVE_DAEMON_POOL_H
#define VARVE_DAEMON_POOL_H

#include <stdbool.h>

#include "daemon/mailbox.h"

#define POOL_THREADS_MAX 16

/* Embedded in what it is about. `run` is called on a pool thread, then `done` on the loop. */
struct work {
    struct message message;
    struct work *next;
    bool dropped; /* by pool_drop */
    void (*run)(struct work *, unsigned thread);
    void (*done)(struct work *);
};

struct pool {
    struct mailbox *mailbox;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, **last;
    unsigned waiting; /* jobs in the queue */
    int nice;
    bool stopping, dropping;
    bool started; /* the loop's: there is something to stop */
    unsigned thread_count;
    struct pool_thread {
        struct pool *pool;
        pthread_t id;
        unsigned index;
    } threads[POOL_THREADS_MAX];
};

/* Starts `threads` threads, named for people who look with top, at priority `nice` (0: the
 * process's). */
int pool_init(struct pool *p, unsigned threads, const char *name, int nice,
              struct mailbox *mailbox);
/* Runs what is queued, then joins the threads. Loop thread; `done`s come through the mailbox. */
void pool_stop(struct pool *p);
/* `done` without `run`, and `dropped` set, for what is queued and for all that comes. Loop thread.
 */
void pool_drop(struct pool *p);
/* Loop thread. */
void pool_submit(struct pool *p, struct work *w);
unsigned pool_waiting(struct pool *p);

#endif
