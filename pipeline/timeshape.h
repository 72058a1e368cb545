/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as logs and tables write them. Times without a zone are in the process's local zone; times
 * without a year are the latest such moment that is not ahead of the arrival by more than a day.
 * A `struct timeshape` holds small caches (zone offset of the quarter hour, last date) and is used
 * by one thread at a time; zeroed memory is ready. Nothing allocates.
 */
#ifndef VARVE_PIPELINE_TIMESHAPE_H
#define VARVE_PIPELINE_TIMESHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timeshape {
    bool zone_known, date_known, arrival_known;
    bool day_first;      /* a field like 23/04/2024 was seen: day before month from then on */
    int64_t zone_slot;   /* local quarter hour that zone_offset is for */
    int64_t zone_offset; /* microseconds east of UTC */
    int date_key;        /* year, month, day packed */
    int64_t date_us;
    int64_t arrival_day;
    int year, month, day; /* of the arrival day, UTC */
};

/*
 * The time at the beginning of a log line (ISO 8601 and its log variants, syslog with and without
 * priority, Apache error, HDFS, Spark, BGL, Android, HealthApp, Proxifier, klog, epoch numbers;
 * also the bracketed time inside a common-log-format line). 0 with the time and the offset behind
 * it and the punctuation that follows; ERR_NOTFOUND when the line begins with none; ERR_RANGE when
 * it does but the time is outside TIME_MIN..TIME_MAX.
 */
int timeshape_line(struct timeshape *t, const char *s, size_t n, int64_t arrival, int64_t *ret_us,
                   size_t *ret_end);

/*
 * A whole field of a table or an object: RFC 3339 with or without zone, date alone, 2024/04/23 and
 * 04/23/2024 with a time, 23.04.2024, epoch numbers in s, ms, us or ns by their magnitude.
 * 0, ERR_PARSE or ERR_RANGE.
 */
int timeshape_field(struct timeshape *t, const char *s, size_t n, int64_t *ret_us);

/* An epoch number in s, ms, us or ns by its magnitude; ERR_RANGE, also for what is not finite. */
int timeshape_epoch(double value, int64_t *ret_us);

#endif
