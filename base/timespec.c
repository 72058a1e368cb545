/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: one of four shapes, tried in order; each must take the whole text. */
#include "base/timespec.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/record.h"
#include "base/timestamp.h"

static int name_index(const char *s, int n, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if ((n == 3 || n == (int)strlen(names[i])) && strncasecmp(s, names[i], (size_t)n) == 0)
            return i;
    return -1;
}

int timespec_weekday(const char *s, int n)
{
    static const char *const names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
    return name_index(s, n, names, 7);
}

int timespec_month(const char *s, int n)
{
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    return name_index(s, n, names, 12) + 1;
}

int64_t timespec_midnight(int64_t us, int days)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    c.hour = c.minute = c.second = c.microsecond = 0;
    c.day += days;
    return timestamp_from_civil_local(&c);
}

/* "-1h30m": every number has its unit. */
static bool parse_ago(const char *s, int64_t *ret_us)
{
    static const struct {
        char unit;
        int64_t us;
    } units[] = {{'s', US_PER_SECOND},
                 {'m', US_PER_MINUTE},
                 {'h', US_PER_HOUR},
                 {'d', US_PER_DAY},
                 {'w', 7 * US_PER_DAY}};
    if (*s++ != '-' || !*s)
        return false;
    int64_t sum = 0;
    while (*s) {
        int64_t v = 0;
        const char *start = s;
        for (; *s >= '0' && *s <= '9' && s - start < 9; s++)
            v = v * 10 + (*s - '0');
        int64_t unit = 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (*s == units[i].unit)
                unit = units[i].us;
        if (s == start || !unit)
            return false;
        s++;
        sum = v > (TIME_MAX - sum) / unit ? TIME_MAX : sum + v * unit;
    }
    *ret_us = sum;
    return true;
}

/* "13:00[:05]" */
static bool parse_clock(const char *s, struct civil *c)
{
    int used = 0;
    int hour, minute, second = 0;
    if (strspn(s, "0123456789:") != strlen(s) || sscanf(s, "%2d:%2d%n", &hour, &minute, &used) != 2)
        return false;
    if (s[used] == ':') {
        int more = 0;
        if (sscanf(s + used, ":%2d%n", &second, &more) != 1)
            return false;
        used += more;
    }
    if (s[used] || hour > 23 || minute > 59 || second > 59)
        return false;
    c->hour = hour;
    c->minute = minute;
    c->second = second;
    return true;
}

/* A day's name and perhaps a time, or a time alone. */
static bool parse_named(const char *s, int64_t now, int64_t *ret_us)
{
    struct civil c;
    timestamp_to_civil_local(now, &c);
    int today = timestamp_weekday(&c);
    c.hour = c.minute = c.second = c.microsecond = 0;
    if (parse_clock(s, &c)) {
        *ret_us = timestamp_from_civil_local(&c);
        return true;
    }
    int n = (int)strcspn(s, " ");
    int weekday = timespec_weekday(s, n);
    if (weekday >= 0)
        c.day -= (today - weekday + 7) % 7;
    else if (n == 9 && strncasecmp(s, "yesterday", 9) == 0)
        c.day -= 1;
    else if (n == 8 && strncasecmp(s, "tomorrow", 8) == 0)
        c.day += 1;
    else if (n != 5 || strncasecmp(s, "today", 5) != 0)
        return false;
    if (s[n] && !parse_clock(s + n + 1, &c))
        return false;
    *ret_us = timestamp_from_civil_local(&c);
    return true;
}

int timespec_parse(const char *s, int64_t now, int64_t *ret_us, struct errmsg *err)
{
    int64_t us;
    bool zoned = false;
    int rc = timestamp_parse(s, strlen(s), &us, &zoned);
    if (rc == 0 && !zoned) {
        struct civil c;
        timestamp_to_civil(us, &c);
        us = timestamp_from_civil_local(&c);
    } else if (rc == ERR_PARSE) {
        int64_t ago;
        rc = 0;
        if (parse_ago(s, &ago))
            us = now - ago;
        else if (strcasecmp(s, "now") == 0)
            us = now;
        else if (!parse_named(s, now, &us))
            return err_set(err, ERR_PARSE,
                           "\"%.64s\" is no time: expected 2026-11-20, \"2026-11-20 13:00\", "
                           "2026-11-20T13:00:00Z, 13:00, -2h, yesterday, monday or now",
                           s);
    }
    if (rc || us < TIME_MIN || us >= TIME_MAX)
        return err_set(err, ERR_RANGE, "\"%.64s\" lies outside 1970 to 2200", s);
    *ret_us = us;
    return 0;
}
