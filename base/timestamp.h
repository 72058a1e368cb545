/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 and civil-time arithmetic, microseconds UTC in int64. No locale, no time zone database
 * except where a function says "local". Thread: any (TZ must not change while running). */
#ifndef VARVE_BASE_TIMESTAMP_H
#define VARVE_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_SIZE 32

struct civil {
    int year, month, day;     /* month and day from 1 */
    int hour, minute, second; /* second 60 is accepted as the next minute's first */
    int microsecond;
};

/* "2026-11-23T12:16:34.000000Z" into out[TIMESTAMP_SIZE]; returns out. */
char *timestamp_format(int64_t us, char *out);

/*
 * Reads an RFC 3339 time ("T" or a blank between, fraction of any length, "Z" or an offset). With
 * *ret_zoned (may be NULL) false when there was no zone: then the time was read as UTC and the
 * caller decides. The whole of s[0..n) must be the time. Returns 0, ERR_PARSE or ERR_RANGE.
 */
int timestamp_parse(const char *s, size_t n, int64_t *ret_us, bool *ret_zoned);

/* Days and seconds of UTC civil time; fields may be out of their usual range and carry over. */
int64_t timestamp_from_civil(const struct civil *c);
void timestamp_to_civil(int64_t us, struct civil *ret);

/* The same in the process's local zone (TZ). Of an hour that comes twice it is the first; one that
 * DST skips is read in standard time, so it lies an hour later. */
int64_t timestamp_from_civil_local(const struct civil *c);
void timestamp_to_civil_local(int64_t us, struct civil *ret);

/* Weekday of a civil date: 0 Sunday … 6 Saturday. */
int timestamp_weekday(const struct civil *c);

#endif
