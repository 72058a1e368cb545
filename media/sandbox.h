/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a decoder that was taken over, or that runs wild, from doing harm: resource limits, no
 * new privileges, a list of system calls, and a watchdog.
 */
#ifndef VARVE_MEDIA_SANDBOX_H
#define VARVE_MEDIA_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"
#include "media/media.h"

/* Limits of memory and descriptors; no core dump; no new privileges. Before the input is opened. */
int sandbox_limit(struct errmsg *err);
/*
 * From here on the process cannot open files or sockets, start programs or threads, or reach other
 * processes: asking for a file or a socket fails with EACCES, all else outside of the list ends it
 * with SIGSYS. What is open can be read and written; devices and connections keep the calls that
 * they are served with; `socket`: there is one to the daemon. The CPU time of a file that is not
 * read as if it were `live` is bounded, too.
 */
int sandbox_lock(enum media_origin origin, bool live, bool socket, struct errmsg *err);

/* After MEDIA_STALL seconds without a call of watchdog_feed, `what` goes to `fd` and the process
 * ends with status 1. Times in which others let the process wait do not count: watchdog_rest. */
void watchdog_init(int fd, const void *what, size_t size, unsigned seconds);
void watchdog_feed(void);
void watchdog_rest(void);

#endif
