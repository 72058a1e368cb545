/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/calendar.h"

#include "base/clock.h"
#include "base/record.h"
#include "base/timespec.h"
#include "base/timestamp.h"

/* 0 Monday … 6 Sunday. */
static int weekday_of(const struct civil *c)
{
    return (timestamp_weekday(c) + 6) % 7;
}

/* Local midnight of the first of the month, `months` later. */
static int64_t first_of_month(int64_t t, int months)
{
    struct civil c;
    timestamp_to_civil_local(t, &c);
    c.month += months;
    c.day = 1;
    c.hour = c.minute = c.second = c.microsecond = 0;
    return timestamp_from_civil_local(&c);
}

int64_t calendar_start(int stratum, int64_t t)
{
    struct civil c;
    int64_t start;
    switch (stratum) {
    case STRATUM_HOUR:
        start = t / US_PER_HOUR * US_PER_HOUR;
        break;
    case STRATUM_DAY:
        start = timespec_midnight(t, 0);
        break;
    case STRATUM_WEEK:
        timestamp_to_civil_local(t, &c);
        start = timespec_midnight(t, -weekday_of(&c));
        break;
    default:
        start = first_of_month(t, 0);
        break;
    }
    return start < TIME_MIN ? TIME_MIN : start > t ? t : start;
}

int64_t calendar_end(int stratum, int64_t start)
{
    struct civil c;
    int64_t end;
    switch (stratum) {
    case STRATUM_HOUR:
        return start + US_PER_HOUR;
    case STRATUM_DAY:
        end = timespec_midnight(start, 1);
        break;
    case STRATUM_WEEK:
        timestamp_to_civil_local(start, &c);
        end = timespec_midnight(start, 7 - weekday_of(&c));
        break;
    default:
        end = first_of_month(start, 1);
        break;
    }
    return end > start ? end : start + US_PER_DAY;
}

int calendar_hour_of_week(int64_t t)
{
    struct civil c;
    timestamp_to_civil_local(t, &c);
    return weekday_of(&c) * 24 + c.hour;
}
