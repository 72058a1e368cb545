/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own numbers from /proc and /sys: CPU, memory, swap, load, pressure, disks, network,
 * temperatures. Files stay open and are read again from their start, so that a sample costs a few
 * dozen reads. What a machine does not have is left out. Not thread-safe; one owner.
 */
#ifndef VARVE_DAEMON_HOST_METRICS_H
#define VARVE_DAEMON_HOST_METRICS_H

#include <stdint.h>

struct host_metrics;

/* `root` is "" for the real machine; tests give a folder that holds proc/ and sys/. 0 or ERR_NOMEM.
 */
int host_metrics_new(const char *root, struct host_metrics **ret);
/* NULL is allowed. */
void host_metrics_free(struct host_metrics *h);

/*
 * Reads everything once and calls `emit` for each metric; names live for the call. Rates need an
 * earlier sample and are left out of the first. `mono` is the monotonic clock, microseconds.
 */
void host_metrics_sample(struct host_metrics *h, int64_t mono,
                         void (*emit)(void *arg, const char *name, double value), void *arg);

#endif
