/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How other threads speak to the loop: a message names the function that the loop runs. Messages of
 * one thread arrive in the order they were posted. This and the two job queues (pool, writer) are
 * the only places in the daemon where threads meet.
 */
#ifndef VARVE_DAEMON_MAILBOX_H
#define VARVE_DAEMON_MAILBOX_H

#include <pthread.h>
#include <uv.h>

/* Embedded in what it is about; the poster gives it away, `deliver` gets it back. */
struct message {
    struct message *next;
    void (*deliver)(struct message *); /* on the loop thread */
};

struct mailbox {
    uv_async_t async;
    pthread_mutex_t lock;
    struct message *first, **last;
};

/* 0 or a base error code. Loop thread. */
int mailbox_init(struct mailbox *m, uv_loop_t *loop);
/* Closes the handle; what is still posted is delivered first. Loop thread. */
void mailbox_close(struct mailbox *m);
/* Any thread. */
void mailbox_post(struct mailbox *m, struct message *message);

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#endif
