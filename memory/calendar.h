/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the spans of the higher strata begin and end. Hours are UTC hours; days, weeks (Monday to
 * Sunday) and months are the local zone's, in which TZ must not change while running.
 *
 * A span belongs to the one of the next stratum in which it starts: a week to the month of its
 * Monday. Thread: any.
 */
#ifndef VARVE_MEMORY_CALENDAR_H
#define VARVE_MEMORY_CALENDAR_H

#include <stdint.h>

#include "memory/schema.h"

/* Start of the hour, day, week or month in which t lies; never before TIME_MIN nor after t. */
int64_t calendar_start(int stratum, int64_t t);
/* Start of the one behind that which starts at `start`. */
int64_t calendar_end(int stratum, int64_t start);

/* Hours of a week, by local time: 0 is Monday 00:00 to 01:00. */
#define HOURS_OF_WEEK 168
int calendar_hour_of_week(int64_t t);

#endif
