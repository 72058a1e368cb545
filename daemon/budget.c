/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/budget.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "memory/sketch.h"

#define QUEUE_LEAST (128 << 10)
#define SMALL (16 << 20) /* a budget in which a moment of many records is a large thing */
#define SMALL_MOMENT 64
#define BATCH_SHARE 8
#define QUEUE_SHARE 32 /* of the budget: what waits lies in the journal too */

void budget_of(const struct config *c, struct store_budget *ret)
{
    *ret = (struct store_budget){.bytes = c->memory.budget,
                                 .share = {c->memory.evidence / 100, c->memory.moments / 100,
                                           c->memory.episodes / 100, c->memory.hours / 100,
                                           c->memory.days / 100},
                                 .pinned = c->memory.pinned / 100,
                                 .evict = (enum keep_evict)c->memory.evict,
                                 .wall = c->memory.decay == CONFIG_DECAY_WALL,
                                 .sign = c->memory.tau_sign};
}

size_t budget_queue(const struct config *c)
{
    int64_t most = c->memory.budget / QUEUE_SHARE;
    most = most < QUEUE_LEAST ? QUEUE_LEAST : most;
    return (size_t)(c->model.queue < most ? c->model.queue : most);
}

uint32_t budget_moment_records(const struct config *c)
{
    return c->memory.budget < SMALL ? SMALL_MOMENT : 0;
}

uint32_t budget_moment_bytes(const struct config *c)
{
    return c->memory.budget < SMALL ? (uint32_t)(c->memory.budget / QUEUE_SHARE) : 0;
}

bool budget_brief(const struct config *c)
{
    return c->memory.budget < SMALL;
}

size_t budget_batch(const struct config *c)
{
    return (size_t)(c->memory.budget / BATCH_SHARE);
}

struct budget_job {
    struct write_job job;
    struct store_budget budget;
};

static int budget_set(struct write_job *job, struct store *store, struct errmsg *err)
{
    store_set_budget(store, &container_of(job, struct budget_job, job)->budget);
    return 0;
}

static void budget_done(struct write_job *job)
{
    mem_free(container_of(job, struct budget_job, job));
}

void budget_apply(struct daemon *d)
{
    struct budget_job *b = mem_calloc(1, sizeof(*b));
    if (!b) {
        log_warn("the budget stays as it was: out of memory");
        return;
    }
    atomic_store(&d->batch_most, budget_batch(d->config));
    budget_of(d->config, &b->budget);
    b->job.apply = budget_set;
    b->job.done = budget_done;
    writer_post(&d->writer, &b->job, false);
}

struct touch_job {
    struct write_job job;
    struct touched touched;
};

static int touch_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    const struct touched *t = &container_of(job, struct touch_job, job)->touched;
    return store_touch(store, t->ids, t->count, err);
}

/* One that failed is a memory that fades a little too early. */
static void touch_done(struct write_job *job)
{
    mem_free(container_of(job, struct touch_job, job));
}

void budget_used(struct daemon *d, int64_t id)
{
    struct touched *t = &d->touched;
    for (size_t i = 0; i < t->count; i++)
        if (t->ids[i] == id)
            return;
    if (t->count < TOUCHED_MAX)
        t->ids[t->count++] = id;
}

void budget_tick(struct daemon *d)
{
    if (d->touched.count == 0)
        return;
    struct touch_job *t = mem_calloc(1, sizeof(*t));
    if (!t)
        return;
    t->touched = d->touched;
    d->touched.count = 0;
    t->job.apply = touch_apply;
    t->job.done = touch_done;
    t->job.lazy = true;
    t->job.size = sizeof(t->touched);
    writer_post(&d->writer, &t->job, false);
}

struct let_go {
    struct message message;
    struct daemon *daemon;
    size_t count;
    int64_t ids[];
};

/* While they are being loaded the loader owns them: what went then stays as a sketch of nothing. */
static void drop_sketches(struct message *message)
{
    struct let_go *l = container_of(message, struct let_go, message);
    if (l->daemon->sketches_loaded)
        sketch_index_remove(l->daemon->sketches, l->ids, l->count);
    mem_free(l);
}

void budget_let_go(void *arg, const int64_t *ids, size_t count)
{
    struct daemon *d = arg;
    struct let_go *l = mem_alloc(sizeof(*l) + count * sizeof(*ids));
    if (!l)
        return;
    *l = (struct let_go){.daemon = d, .count = count};
    memcpy(l->ids, ids, count * sizeof(*ids));
    l->message.deliver = drop_sketches;
    mailbox_post(&d->mailbox, &l->message);
}
