/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: take up to BATCH_JOBS queued jobs, begin, apply each, commit, post them back. Lazy
 * jobs alone wait until they are many or old, as a commit costs more than most jobs. Between
 * batches: consolidate a little when the queue is empty, checkpoint when the WAL has grown. A WAL
 * that grew is cut down at rest only, so that a busy one is written in place again and again. Room
 * within the budget is made before each batch, and ahead of need when the queue is empty.
 * Failure: see writer.h. Sizes: a queue of at most QUEUE_BYTES plus what the loop itself posts.
 */
#include "daemon/writer.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define BATCH_JOBS 256
#define BATCH_BYTES (8u << 20) /* bounds the time of a commit, so an acknowledgement's delay */
#define QUEUE_BYTES (16u << 20)
#define LAZY_BYTES (1u << 20)
#define LAZY_MS 20
#define CHECKPOINT_BYTES (16u << 20) /* of jobs since the last one: the WAL stays near it */
#define IDLE_MS 1000
#define BETWEEN_MS 20 /* two steps of consolidation */
#define LET_GO_MOST 64
#define NO_ROOM_MS 20 /* a wait for a reader to end, or for more to be summed up */
#define NO_ROOM_WAITS 50
#define WANTED_LEAST (16u << 10)
#define WANTED_MOST (64u << 20)
#define COMPLAIN_US (60 * US_PER_SECOND)

static void deliver_done(struct message *message)
{
    struct write_job *job = container_of(message, struct write_job, message);
    job->done(job);
}

static void settle(struct writer *w, struct write_job *job, int status)
{
    job->status = status;
    job->message.deliver = deliver_done;
    atomic_fetch_add(&w->counters.jobs, 1);
    mailbox_post(w->mailbox, &job->message);
}

/* The index takes room at a commit as it likes, and a week takes more than an hour: what did not fit
 * gets twice the room before it is tried again, and what did lets the reserve go back. */
static void adapt_reserve(struct writer *w, int rc)
{
    if (rc == ERR_FULL && w->wanted < WANTED_MOST)
        w->wanted = w->wanted ? 2 * w->wanted : WANTED_LEAST;
    else if (rc >= 0)
        w->wanted -= w->wanted > WANTED_LEAST ? w->wanted / 8 : w->wanted;
}

static int apply_all(struct writer *w, struct write_job *list, struct errmsg *err)
{
    int rc = store_begin(w->store, err);
    if (rc != 0)
        return rc;
    for (struct write_job *job = list; job && rc == 0; job = job->next)
        rc = job->apply(job, w->store, err);
    if (rc == 0)
        rc = store_commit(w->store, err);
    if (rc != 0) {
        store_rollback(w->store);
        atomic_fetch_add(&w->counters.failed_commits, 1);
    } else {
        atomic_fetch_add(&w->counters.commits, 1);
    }
    adapt_reserve(w, rc);
    return rc;
}

static void lay_aside(struct writer *w, struct write_job *job)
{
    job->next = NULL;
    *w->aside_last = job;
    w->aside_last = &job->next;
    if (job->ordered)
        w->aside_ordered++;
    if (!job->aside && job->err.text[0])
        log_warn("memory: what must be kept waits to be written: %s", job->err.text);
    job->aside = true;
    atomic_fetch_add(&w->counters.laid_aside, 1);
}

static void run_singly(struct writer *w, struct write_job *list)
{
    while (list) {
        struct write_job *job = list;
        list = job->next;
        job->next = NULL;
        if (job->ordered && w->aside_ordered > 0) {
            lay_aside(w, job);
            continue;
        }
        int rc = apply_all(w, job, &job->err);
        if (rc != 0 && job->keep && (rc == ERR_FULL || rc == ERR_IO || rc == ERR_NOMEM))
            lay_aside(w, job);
        else
            settle(w, job, rc);
    }
}

static void run_batch(struct writer *w, struct write_job *list)
{
    struct errmsg err = {""};
    if (w->aside_ordered > 0) { /* each for itself: those behind it must not overtake it */
        run_singly(w, list);
        return;
    }
    int64_t start = clock_mono(clock_system());
    int rc = apply_all(w, list, &err);
    int64_t took = clock_mono(clock_system()) - start;
    if ((unsigned long long)took > atomic_load(&w->counters.commit_us_max))
        atomic_store(&w->counters.commit_us_max, (unsigned long long)took);
    if (rc != 0) {
        run_singly(w, list);
        return;
    }
    while (list) {
        struct write_job *job = list;
        list = job->next;
        settle(w, job, 0);
    }
}

static void run_alone(struct writer *w, struct write_job *job)
{
    settle(w, job, job->apply(job, w->store, &job->err));
}

static void retry_aside(struct writer *w)
{
    struct write_job *list = w->aside;
    if (!list)
        return;
    w->aside = NULL;
    w->aside_last = &w->aside;
    w->aside_ordered = 0;
    /* Counted until it is settled: whoever sees none may rely on it. */
    unsigned long long tried = atomic_load(&w->counters.laid_aside);
    run_singly(w, list);
    atomic_fetch_sub(&w->counters.laid_aside, tried);
}

/* What can be told without being asked; a failure leaves what was known before. */
static void look_at_usage(struct writer *w)
{
    struct store_usage usage;
    struct errmsg err;
    int64_t now = clock_mono(clock_system());
    if (w->usage_at != 0 && now - w->usage_at < US_PER_SECOND)
        return;
    w->usage_at = now;
    if (store_usage(w->store, &usage, &err) != 0)
        return;
    pthread_mutex_lock(&w->lock);
    w->usage = usage;
    pthread_mutex_unlock(&w->lock);
}

/* One step towards room for `need` bytes; says what store_make_room said, 0 for an error. */
static int room_step(struct writer *w, size_t need)
{
    struct errmsg err = {""};
    int rc = store_make_room(w->store, (int64_t)need, &err);
    int64_t ids[LET_GO_MOST];
    size_t gone = store_let_go(w->store, ids, LET_GO_MOST);
    if (gone > 0)
        w->let_go(w->let_go_arg, ids, gone);
    int64_t now = clock_mono(clock_system());
    if (rc >= 0 && rc != STORE_NO_ROOM)
        return rc;
    if (w->complained == 0 || now - w->complained > COMPLAIN_US)
        log_warn("memory: %s", rc < 0 ? err.text
                                      : "no room within [memory] budget: nothing is left that may go, "
                                        "or a reader holds the log; what comes waits");
    w->complained = now;
    return rc < 0 ? 0 : rc;
}

static bool is_stopping(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return stopping;
}

/* Ingest waits here rather than breaks the budget, but not for ever: the database's own bound says
 * no in the end. */
static void make_room(struct writer *w, size_t need, bool hasty)
{
    struct timespec wait = {0, NO_ROOM_MS * 1000000L};
    int rc, waits = 0;
    do {
        rc = room_step(w, need);
        if (rc == STORE_NO_ROOM && hasty)
            return;
        if (rc == STORE_NO_ROOM)
            nanosleep(&wait, NULL);
        /* A budget that was made much smaller may take a while; a stop does not wait for it. */
    } while ((rc == STORE_MORE || (rc == STORE_NO_ROOM && ++waits < NO_ROOM_WAITS)) &&
             !is_stopping(w));
}

/* Cuts a batch off the queue; the lock is held. *ret_bytes: what it holds. */
static struct write_job *take_batch(struct writer *w, size_t *ret_bytes)
{
    struct write_job *list = w->first;
    struct write_job **end = &w->first;
    size_t bytes = 0, most = store_batch_most(w->store);
    unsigned count = 0;
    most = most < BATCH_BYTES ? most : BATCH_BYTES;
    while (*end && count < BATCH_JOBS && bytes < most) {
        if (count > 0 && ((*end)->alone || w->first->alone))
            break;
        bytes += (*end)->size;
        w->urgent -= !(*end)->lazy;
        end = &(*end)->next;
        count++;
    }
    if (count == 0) {
        *ret_bytes = 0;
        return NULL;
    }
    w->first = *end;
    if (!w->first)
        w->last = &w->first;
    *end = NULL;
    w->queued_bytes -= bytes;
    atomic_store(&w->counters.queued_bytes, w->queued_bytes);
    atomic_fetch_sub(&w->counters.queued_jobs, count);
    pthread_cond_broadcast(&w->room);
    *ret_bytes = bytes;
    return list;
}

static struct timespec in_ms(long ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += ms % 1000 * 1000000L;
    at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

/* Is there reason to commit what is queued now? The lock is held. */
static bool is_due(const struct writer *w)
{
    return w->urgent > 0 || w->queued_bytes >= LAZY_BYTES ||
           atomic_load(&w->counters.queued_jobs) >= BATCH_JOBS;
}

static void wait_for_work(struct writer *w, long ms)
{
    struct timespec until = in_ms(w->first ? LAZY_MS : ms);
    bool waited_for = w->first != NULL;
    int rc = 0;
    while (!is_due(w) && !w->stopping && rc != ETIMEDOUT) {
        if (w->first && !waited_for) {
            waited_for = true;
            until = in_ms(LAZY_MS);
        }
        rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    }
}

static void checkpoint(struct writer *w, bool truncate)
{
    struct errmsg err = {""};
    if (store_checkpoint(w->store, truncate, &err) < 0)
        log_warn("memory: checkpoint: %s", err.text);
    atomic_fetch_add(&w->counters.checkpoints, 1);
}

static void *thread_main(void *arg)
{
    struct writer *w = arg;
    size_t since_checkpoint = 0;
    bool more_to_consolidate = true;
    bool grown = false; /* the WAL's file is large */
    pthread_mutex_lock(&w->lock);
    for (;;) {
        bool resting = !more_to_consolidate && !w->first;
        wait_for_work(w, resting ? IDLE_MS : BETWEEN_MS);
        size_t bytes;
        struct write_job *list = take_batch(w, &bytes);
        bool stopping = w->stopping;
        pthread_mutex_unlock(&w->lock);
        if (list) {
            make_room(w, bytes + w->wanted, list->hasty);
            if (list->alone)
                run_alone(w, list);
            else
                run_batch(w, list);
            since_checkpoint += bytes;
            more_to_consolidate = true;
        } else if (!stopping && room_step(w, w->wanted) == STORE_MORE) {
            more_to_consolidate = true;
        } else if (!stopping) {
            struct errmsg err = {""};
            int rc = store_consolidate(w->store, &err);
            adapt_reserve(w, rc);
            if (rc < 0)
                log_warn("memory: episodes: %s", err.text);
            more_to_consolidate = rc == STORE_MORE;
        }
        retry_aside(w);
        bool at_rest = resting && !list && !stopping;
        look_at_usage(w);
        bool large = since_checkpoint > CHECKPOINT_BYTES || store_log_is_full(w->store);
        if (large || (at_rest && (since_checkpoint > 0 || grown))) {
            checkpoint(w, at_rest && grown);
            grown = !at_rest;
            since_checkpoint = 0;
        }
        pthread_mutex_lock(&w->lock);
        if (stopping && !w->first)
            break;
    }
    pthread_mutex_unlock(&w->lock);
    while (w->aside) { /* no room until the end: their records stay in the journal */
        struct write_job *job = w->aside;
        w->aside = job->next;
        settle(w, job, ERR_FULL);
    }
    checkpoint(w, true);
    return NULL;
}

int writer_init(struct writer *w, struct store *store, struct mailbox *mailbox,
                void (*let_go)(void *arg, const int64_t *ids, size_t count), void *arg)
{
    *w = (struct writer){.store = store, .mailbox = mailbox, .let_go = let_go, .let_go_arg = arg};
    w->last = &w->first;
    w->aside_last = &w->aside;
    pthread_condattr_t monotonic; /* a jump of the wall clock must not make it wait for an hour */
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int rc = pthread_mutex_init(&w->lock, NULL);
    if (rc == 0)
        rc = pthread_cond_init(&w->wake, &monotonic);
    if (rc == 0)
        rc = pthread_cond_init(&w->room, NULL);
    pthread_condattr_destroy(&monotonic);
    if (rc != 0)
        return ERR_NOMEM;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&w->thread, NULL, thread_main, w) == 0 ? 0 : ERR_NOMEM;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0) {
        w->started = true;
        pthread_setname_np(w->thread, "writer");
    }
    return rc;
}

void writer_post(struct writer *w, struct write_job *job, bool may_wait)
{
    job->next = NULL;
    job->err.text[0] = '\0';
    pthread_mutex_lock(&w->lock);
    while (may_wait && w->queued_bytes > QUEUE_BYTES)
        pthread_cond_wait(&w->room, &w->lock);
    *w->last = job;
    w->last = &job->next;
    w->queued_bytes += job->size;
    w->urgent += !job->lazy;
    atomic_store(&w->counters.queued_bytes, w->queued_bytes);
    if (atomic_fetch_add(&w->counters.queued_jobs, 1) == 0 || is_due(w))
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->room);
    pthread_mutex_destroy(&w->lock);
    w->started = false;
}

void writer_usage(struct writer *w, struct store_usage *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->usage;
    pthread_mutex_unlock(&w->lock);
}
