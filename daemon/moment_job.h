/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A closed moment on its way to the file: its own copy of everything, the evidence block and the
 * index words, made on the pool so that the writer only writes.
 */
#ifndef VARVE_DAEMON_MOMENT_JOB_H
#define VARVE_DAEMON_MOMENT_JOB_H

#include "base/arena.h"
#include "daemon/stream.h"

struct store_words;

struct moment_job {
    struct write_job job;
    struct live_stream *stream;
    struct moment moment; /* all it points to lies in the arena */
    struct arena arena;
    struct buf block;
    struct store_words *words;
    struct batch *finished; /* batches whose last record this is: their journal rows go */
    int64_t id;             /* once written */
};

/* A pool thread. ERR_NOMEM. */
int moment_job_new(struct live_stream *s, const struct moment *m, struct moment_job **ret);
void moment_job_post(struct moment_job *job);

#endif
