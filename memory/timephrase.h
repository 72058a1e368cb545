/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what a question says about time, in local time (TZ): "what happened last night", "sshd
 * since monday", "load between 2 and 4 pm yesterday". Pure: text and now in, a span and the rest
 * out. Any thread. What is meant is chosen by fixed rules, all looking back from `now`:
 *
 *   day     a weekday is the most recent one, today included; "last monday" lies before today; a
 *           day or month without a year is the most recent that has begun
 *   parts   morning 05-12, afternoon 12-18, evening 18-24, night 20-06 of the next day; "last
 *           night" is the night that ended last, or goes on now; a part without a day is the last
 *           one begun
 *   clock   an hour ("3 am") is 02:45 to 04:00, a minute ("3:20") the quarter of an hour on either
 *           side, "around" half an hour; without a day the most recent one; within "last night" it
 *           is the one of that night
 *   ago     "two hours ago" has a margin of half a unit or 15 %, whichever is more; "three days
 *           ago" is that day, months and years whole ones
 *   last    "last hour", "past 3 days" reach back from now; "last week", "last month", "last year"
 *           are calendar ones (weeks start on Monday)
 *   ranges  since, after, before, until, between ... and ..., from ... to ...: a day's start or end
 *           where a day is named ("after", "until" and the end of a range: its end), the instant
 *           where a clock is; a range whose end is not after its start ends on the next day
 *
 * Words that only may be times ("may", "second", "march on") are left alone without a number or
 * preposition that makes them one. An hour that DST repeats is its first, a skipped one lies an
 * hour later.
 */
#ifndef VARVE_MEMORY_TIMEPHRASE_H
#define VARVE_MEMORY_TIMEPHRASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define TIMEPHRASE_TEXT_MAX 2048

struct timephrase {
    bool found;
    bool yearless;                      /* a month or day without its year was among them */
    int64_t since, until;               /* since inclusive, until exclusive; TIME_UNKNOWN: open */
    char said[160];                     /* the phrases understood, as they stood, joined by ", " */
    char rest[TIMEPHRASE_TEXT_MAX + 1]; /* the question without them, cut there */
};

void timephrase_parse(struct slice text, int64_t now, struct timephrase *ret);

#endif
