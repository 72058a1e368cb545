/* SPDX-License-Identifier: Apache-2.0 */
/* The timestamp that a log line begins with, where its time is told already. Thread: any. */
#ifndef VARVE_BASE_STAMP_H
#define VARVE_BASE_STAMP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes at the start of s[0..n) that only say the time `us` once more, with the blanks and signs
 * behind them; 0 when there are none, when they say another time, or nothing else is in the line.
 * Shapes: 2026-11-23 03:12:00,5+01:00 (or with T, slashes), Nov 23 03:12:00, [23/Nov/2026:03:12:00
 * +0000]. Whatever the zone, a time that lies whole quarters of an hour and less than a day apart
 * is the same.
 */
size_t stamp_size(const char *s, size_t n, int64_t us);

#endif
