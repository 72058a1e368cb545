/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread of the query pool keeps from question to question. Its own thread's, once started.
 */
#ifndef VARVE_DAEMON_QUERY_THREAD_H
#define VARVE_DAEMON_QUERY_THREAD_H

#include "base/arena.h"
#include "memory/reader.h"

struct daemon;

#define QUERY_ARENA_KEPT (4u << 20) /* a larger answer gives its room back */

struct query_thread {
    struct reader *reader; /* opened at the first question */
    struct arena arena;    /* one answer's results */
};

/* 0, or why the file cannot be read. */
int query_thread_ready(struct daemon *d, struct query_thread *t, struct errmsg *err);
void query_thread_deinit(struct query_thread *t);

#endif
