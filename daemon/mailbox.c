/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mailbox.h"

#include "base/error.h"

static void deliver_all(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    struct message *message = m->first;
    m->first = NULL;
    m->last = &m->first;
    pthread_mutex_unlock(&m->lock);
    while (message) {
        struct message *next = message->next;
        message->deliver(message);
        message = next;
    }
}

static void on_async(uv_async_t *async)
{
    deliver_all(container_of(async, struct mailbox, async));
}

int mailbox_init(struct mailbox *m, uv_loop_t *loop)
{
    m->first = NULL;
    m->last = &m->first;
    if (uv_async_init(loop, &m->async, on_async) != 0)
        return ERR_IO;
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        uv_close((uv_handle_t *)&m->async, NULL);
        return ERR_NOMEM;
    }
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct mailbox *m = container_of(handle, struct mailbox, async);
    pthread_mutex_destroy(&m->lock);
}

void mailbox_close(struct mailbox *m)
{
    deliver_all(m);
    uv_close((uv_handle_t *)&m->async, on_closed);
}

void mailbox_post(struct mailbox *m, struct message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&m->lock);
    *m->last = message;
    m->last = &message->next;
    /* Under the lock, so that the mailbox cannot be closed between the append and the wake-up. */
    uv_async_send(&m->async);
    pthread_mutex_unlock(&m->lock);
}
