/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pool.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/error.h"

static void deliver_done(struct message *message)
{
    struct work *w = container_of(message, struct work, message);
    w->done(w);
}

static void *thread_main(void *arg)
{
    struct pool_thread *self = arg;
    struct pool *p = self->pool;
    /* Linux: of this thread alone. Where it is not allowed all threads weigh the same. */
    if (p->nice)
        setpriority(PRIO_PROCESS, 0, p->nice);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stopping)
            pthread_cond_wait(&p->wake, &p->lock);
        struct work *w = p->first;
        if (!w)
            break;
        p->first = w->next;
        if (!p->first)
            p->last = &p->first;
        p->waiting--;
        w->dropped = p->dropping;
        pthread_mutex_unlock(&p->lock);
        if (!w->dropped)
            w->run(w, self->index);
        w->message.deliver = deliver_done;
        mailbox_post(p->mailbox, &w->message);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pool_init(struct pool *p, unsigned threads, const char *name, int nice, struct mailbox *mailbox)
{
    *p = (struct pool){.mailbox = mailbox, .nice = nice};
    p->last = &p->first;
    if (pthread_mutex_init(&p->lock, NULL) != 0 || pthread_cond_init(&p->wake, NULL) != 0)
        return ERR_NOMEM;
    p->started = true;
    /* Signals are the loop's: a pool thread that took one would only delay it. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = 0;
    for (unsigned i = 0; i < threads && i < POOL_THREADS_MAX; i++) {
        struct pool_thread *t = &p->threads[i];
        t->pool = p;
        t->index = i;
        if (pthread_create(&t->id, NULL, thread_main, t) != 0) {
            rc = ERR_NOMEM;
            break;
        }
        char title[16];
        snprintf(title, sizeof(title), "%.10s-%u", name, i);
        pthread_setname_np(t->id, title);
        p->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        pool_stop(p);
    return rc;
}

void pool_stop(struct pool *p)
{
    if (!p->started)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i].id, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    p->started = false;
}

void pool_drop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->dropping = true;
    pthread_mutex_unlock(&p->lock);
}

void pool_submit(struct pool *p, struct work *w)
{
    w->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->last = w;
    p->last = &w->next;
    p->waiting++;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

unsigned pool_waiting(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->waiting;
    pthread_mutex_unlock(&p->lock);
    return n;
}
