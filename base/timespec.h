/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as people give them on a command line. Local zone (TZ), except where the text names one.
 * Thread: any. `struct timespec` of the C library has nothing to do with it.
 */
#ifndef VARVE_BASE_TIMESPEC_H
#define VARVE_BASE_TIMESPEC_H

#include <stdint.h>

#include "base/error.h"

/*
 * Reads one of
 *   2026-11-20T13:00:00Z, 2026-11-20T13:00+01:00    RFC 3339
 *   2026-11-20, 2026-11-20 13:00[:05], 13:00[:05]    local; a time alone is today's
 *   now, today, yesterday, tomorrow, monday, ...     local midnight; a weekday is the most recent
 *                                                    one, today included; a time may follow:
 *                                                    "yesterday 13:00"
 *   -90s, -30m, -2h, -3d, -1w, -1h30m                before now, exact hours whatever DST does
 *
 * `now` in microseconds UTC. ERR_PARSE with what was expected; ERR_RANGE outside 1970 to 2200.
 */
int timespec_parse(const char *s, int64_t now, int64_t *ret_us, struct errmsg *err);

/* Local midnight of the day in which `us` lies, `days` later (or earlier). */
int64_t timespec_midnight(int64_t us, int days);
/* 0 Sunday … 6 Saturday for a whole name or its first three letters, any case, n bytes; else -1. */
int timespec_weekday(const char *s, int n);
/* 1 to 12 likewise; else 0. */
int timespec_month(const char *s, int n);

#endif
