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
 * they are served with; `socket`: there is one to the daemon.
 */
int sandbox_lock(enum media_origin origin, bool socket, struct errmsg *err);

/*
 * After `seconds` without a call of watchdog_feed `stalled` goes to `fd` and the process ends with
 * status 1; times in which others let the process wait do not count (watchdog_rest). Both texts
 * stay the caller's.
 */
void watchdog_init(int fd, struct slice stalled, unsigned seconds);
void watchdog_feed(void);
void watchdog_rest(void);
/* The same with `endless`, once the process has used so many seconds of CPU time. */
int watchdog_limit_cpu(struct slice endless, unsigned seconds, struct errmsg *err);

#endif
