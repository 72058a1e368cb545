/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/query_thread.h"

#include "daemon/daemon.h"

#define ARENA_CHUNK (64u << 10)

int query_thread_ready(struct daemon *d, struct query_thread *t, struct errmsg *err)
{
    if (t->reader)
        return 0;
    struct reader_options options = {
        .path = d->database, .clock = d->clock, .sketches = d->sketches, .df = store_df(d->store)};
    int rc = reader_open(&options, &t->reader, err);
    if (rc == 0)
        arena_init(&t->arena, ARENA_CHUNK);
    return rc;
}

void query_thread_deinit(struct query_thread *t)
{
    if (!t->reader)
        return;
    reader_close(t->reader);
    arena_deinit(&t->arena);
    t->reader = NULL;
}
