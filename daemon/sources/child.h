/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that a source keeps running: its standard output goes to the source, its standard error
 * to the log. When it ends it is started again after a wait that doubles up to a minute and falls
 * back once it has lived for a minute. The loop's.
 */
#ifndef VARVE_DAEMON_CHILD_H
#define VARVE_DAEMON_CHILD_H

#include "daemon/sources/source.h"

struct child;

struct child_ops {
    /* It was started, again perhaps: an output begins. */
    void (*begin)(void *arg);
    void (*output)(void *arg, const void *data, size_t size);
    void (*end)(void *arg);
    /*
     * It ended with this status, or by this signal if that is not 0; all of its output was given.
     * True: as it should, so the wait does not grow. Not called of a source that is stopping.
     */
    bool (*ended)(void *arg, int status, int signal);
    /* After child_stop: all handles are closed and the child is freed. */
    void (*closed)(void *arg);
};

/*
 * Starts the program: `words` are copied, the first is its path or name; `ops` is static. 0 or
 * ERR_NOMEM; what goes wrong later is the source's trouble and tried again.
 */
int child_start(struct source *s, const char *const *words, size_t count,
                const struct child_ops *ops, void *arg, struct child **ret);
/* Ends it: SIGTERM, half a second later SIGKILL. `closed` may be called before this returns. */
void child_stop(struct child *c);
/* Whether its output is read; it waits in its write meanwhile. */
void child_pause(struct child *c);
void child_resume(struct child *c);

#endif
