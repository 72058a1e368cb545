/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that owns the one writing SQLite connection: it takes jobs in order, commits many
 * of them together, and makes every checkpoint.
 *
 * A transaction that fails is rolled back and its jobs are tried again one by one, so that each
 * gets its own verdict and none pays for another. A job that must not be lost (`keep`) and fails
 * for want of room is laid aside and tried again after the next success, at least once a second.
 */
#ifndef VARVE_DAEMON_WRITER_H
#define VARVE_DAEMON_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "daemon/mailbox.h"
#include "memory/keep.h"

struct write_job {
    struct message message;
    struct write_job *next;
    /* On the writer thread, inside a transaction; may run again after a rollback. */
    int (*apply)(struct write_job *, struct store *, struct errmsg *);
    /* On the loop, when `status` is settled: 0 means durable. */
    void (*done)(struct write_job *);
    size_t size; /* bytes it holds, for the queue's bound */
    bool keep;
    bool lazy;    /* nobody waits for it: it may wait a moment for others to be committed with */
    bool ordered; /* of kept ones: none is tried while an earlier ordered one is laid aside */
    bool alone;   /* applied outside of a transaction, after all before it are committed */
    bool hasty;   /* gives room: where none can be made it is tried at once. May be ERR_FULL */
    bool aside;   /* was laid aside before: people know */
    int status;
    struct errmsg err;
};

struct writer_counters {
    atomic_ullong commits, jobs, checkpoints, failed_commits;
    atomic_ullong queued_jobs, queued_bytes;
    atomic_ullong laid_aside; /* `keep` jobs waiting for room */
    atomic_ullong commit_us_max;
};

struct writer {
    struct store *store;
    struct mailbox *mailbox;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, room;
    struct write_job *first, **last;
    size_t queued_bytes;
    unsigned urgent; /* of the queued jobs: those that are not lazy */
    bool started, stopping;
    void (*let_go)(void *arg, const int64_t *ids, size_t count); /* its thread: moments went */
    void *let_go_arg;
    struct store_usage usage;              /* a second old at most while there is work */
    int64_t usage_at;                      /* monotonic */
    int64_t complained;                    /* that there is no room; monotonic */
    struct write_job *aside, **aside_last; /* writer thread only */
    unsigned aside_ordered;
    size_t wanted; /* bytes of room beyond the usual: something found none lately */
    struct writer_counters counters;
};

/* Takes over `store`: from now on only the writer's thread touches it. */
int writer_init(struct writer *w, struct store *store, struct mailbox *mailbox,
                void (*let_go)(void *arg, const int64_t *ids, size_t count), void *arg);
/* Any thread but the writer's. A pool thread waits while the queue is over its bound; the loop,
 * which must not wait, passes `may_wait` false. */
void writer_post(struct writer *w, struct write_job *job, bool may_wait);
/* What the file holds, as the writer last looked. Any thread. */
void writer_usage(struct writer *w, struct store_usage *ret);
/* Commits all that is queued, checkpoints, joins. The store stays open for its owner to close. */
void writer_stop(struct writer *w);

#endif
