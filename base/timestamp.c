/* SPDX-License-Identifier: Apache-2.0 */
/* Civil dates by day counting (Howard Hinnant's "days from civil" scheme), exact over int64 years.
 */
#include "base/timestamp.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t timestamp_from_civil(const struct civil *c)
{
    int64_t months = (int64_t)c->year * 12 + c->month - 1;
    int64_t year = floor_div(months, 12);
    int month = (int)(months - year * 12) + 1;
    int64_t days = days_from_civil(year, month, 1) + c->day - 1;
    int64_t seconds = ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
    return seconds * US_PER_SECOND + c->microsecond;
}

void timestamp_to_civil(int64_t us, struct civil *ret)
{
    int64_t days = floor_div(us, US_PER_DAY);
    int64_t rest = us - days * US_PER_DAY;
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    ret->year = (int)(yoe + era * 400 + (ret->month <= 2));
    ret->hour = (int)(rest / US_PER_HOUR);
    ret->minute = (int)(rest / US_PER_MINUTE % 60);
    ret->second = (int)(rest / US_PER_SECOND % 60);
    ret->microsecond = (int)(rest % US_PER_SECOND);
}

static time_t make_local(const struct civil *c, int dst, struct tm *ret)
{
    *ret = (struct tm){.tm_year = c->year - 1900,
                       .tm_mon = c->month - 1,
                       .tm_mday = c->day,
                       .tm_hour = c->hour,
                       .tm_min = c->minute,
                       .tm_sec = c->second,
                       .tm_isdst = dst};
    return mktime(ret);
}

/*
 * Left alone, mktime answers for an hour that comes twice or never by what it was asked before. An
 * answer whose minutes and hour are not those that were asked for lies in a gap; one that is an
 * hour after the same civil time is the second of two.
 */
int64_t timestamp_from_civil_local(const struct civil *c)
{
    struct tm tm, other;
    time_t t = make_local(c, -1, &tm);
    time_t hour_before = t - 3600;
    if (tm.tm_hour != c->hour && c->hour >= 0 && c->hour < 24 && c->minute >= 0 && c->minute < 60)
        t = make_local(c, 0, &tm);
    else if (localtime_r(&hour_before, &other) && other.tm_hour == tm.tm_hour &&
             other.tm_min == tm.tm_min)
        t = hour_before;
    return (int64_t)t * US_PER_SECOND + c->microsecond;
}

void timestamp_to_civil_local(int64_t us, struct civil *ret)
{
    time_t seconds = (time_t)floor_div(us, US_PER_SECOND);
    struct tm tm;
    localtime_r(&seconds, &tm);
    *ret = (struct civil){tm.tm_year + 1900,
                          tm.tm_mon + 1,
                          tm.tm_mday,
                          tm.tm_hour,
                          tm.tm_min,
                          tm.tm_sec,
                          (int)(us - (int64_t)seconds * US_PER_SECOND)};
}

int timestamp_weekday(const struct civil *c)
{
    int64_t days = days_from_civil(c->year, c->month, c->day);
    return (int)(((days + 4) % 7 + 7) % 7);
}

char *timestamp_format(int64_t us, char *out)
{
    struct civil c;
    timestamp_to_civil(us, &c);
    /* Every field is in its range, which the compiler cannot see. */
    snprintf(out, TIMESTAMP_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)c.year % 10000,
             (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100,
             (unsigned)c.minute % 100, (unsigned)c.second % 100, (unsigned)c.microsecond % 1000000);
    return out;
}

static bool digits(const char **s, const char *end, int count, int *ret)
{
    int v = 0;
    for (int i = 0; i < count; i++) {
        if (*s == end || **s < '0' || **s > '9')
            return false;
        v = v * 10 + (*(*s)++ - '0');
    }
    *ret = v;
    return true;
}

static bool literal(const char **s, const char *end, char c)
{
    if (*s == end || **s != c)
        return false;
    (*s)++;
    return true;
}

static bool read_fraction(const char **s, const char *end, int *ret_us)
{
    *ret_us = 0;
    if (*s == end || (**s != '.' && **s != ','))
        return true;
    (*s)++;
    int count = 0;
    int scale = 100000;
    for (; *s < end && **s >= '0' && **s <= '9'; (*s)++, count++) {
        *ret_us += (**s - '0') * scale;
        scale /= 10;
    }
    return count > 0;
}

static bool read_zone(const char **s, const char *end, int64_t *ret_offset, bool *ret_zoned)
{
    *ret_offset = 0;
    *ret_zoned = false;
    if (*s == end)
        return true;
    *ret_zoned = true;
    if (**s == 'Z' || **s == 'z') {
        (*s)++;
        return true;
    }
    if (**s != '+' && **s != '-')
        return false;
    int sign = *(*s)++ == '-' ? -1 : 1;
    int hours, minutes = 0;
    if (!digits(s, end, 2, &hours))
        return false;
    if (*s < end) {
        literal(s, end, ':');
        if (!digits(s, end, 2, &minutes))
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *ret_offset = sign * (hours * US_PER_HOUR + minutes * US_PER_MINUTE);
    return true;
}

int timestamp_parse(const char *s, size_t n, int64_t *ret_us, bool *ret_zoned)
{
    const char *end = s + n;
    struct civil c = {0};
    int64_t offset = 0;
    bool zoned = false;
    if (!digits(&s, end, 4, &c.year) || !literal(&s, end, '-') || !digits(&s, end, 2, &c.month) ||
        !literal(&s, end, '-') || !digits(&s, end, 2, &c.day))
        return ERR_PARSE;
    if (s < end) {
        if (*s != 'T' && *s != 't' && *s != ' ')
            return ERR_PARSE;
        s++;
        if (!digits(&s, end, 2, &c.hour) || !literal(&s, end, ':') ||
            !digits(&s, end, 2, &c.minute))
            return ERR_PARSE;
        if (s < end && *s == ':') {
            s++;
            if (!digits(&s, end, 2, &c.second) || !read_fraction(&s, end, &c.microsecond))
                return ERR_PARSE;
        }
        if (!read_zone(&s, end, &offset, &zoned))
            return ERR_PARSE;
    }
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (s != end || c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days[c.month - 1] ||
        c.hour > 23 || c.minute > 59 || c.second > 60)
        return ERR_PARSE;
    if (c.month == 2 && c.day == 29 && (c.year % 4 || (c.year % 100 == 0 && c.year % 400)))
        return ERR_PARSE;
    int64_t us = timestamp_from_civil(&c) - offset;
    if (us < TIME_MIN || us >= TIME_MAX)
        return ERR_RANGE;
    *ret_us = us;
    if (ret_zoned)
        *ret_zoned = zoned;
    return 0;
}
