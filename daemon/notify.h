/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager hears and gives; notify_none.c stands in where libsystemd is not. */
#ifndef VARVE_DAEMON_NOTIFY_H
#define VARVE_DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "RELOADING=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=…\nSTATUS=…"; nothing
 * happens outside systemd. */
void notify_state(const char *state);
/* How often WATCHDOG=1 is expected, microseconds; 0: never. */
uint64_t notify_watchdog_interval(void);
/* The one listening socket that systemd passed on, or -1. */
int notify_listen_fd(void);

#endif
