/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of the line is copied into a small buffer with NULs behind it, so that the readers
 * below look ahead without bounds: a NUL is no digit. One switch on the first byte picks the shapes
 * that can be; each reads itself to its end or gives up. Dates and zone offsets come from one-entry
 * caches since neighbouring lines share them: mktime() alone would cost more than all the rest.
 */
#include "pipeline/timeshape.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"
#include "base/timestamp.h"

#define LOOK 96 /* longest start of a line that is looked at */
#define QUARTER (15 * US_PER_MINUTE)
#define CLF_SEARCH 256

struct parts {
    int year; /* 0: not written */
    int month, day, hour, minute, second, microsecond;
    bool zoned;
    int64_t offset;
};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Two digits, or -1. */
static inline int two(const char *p)
{
    if (!is_digit(p[0]) || !is_digit(p[1]))
        return -1;
    return (p[0] - '0') * 10 + p[1] - '0';
}

static inline int four(const char *p)
{
    int a = two(p);
    if (a < 0)
        return -1;
    int b = two(p + 2);
    return b < 0 ? -1 : a * 100 + b;
}

/* The fraction's digits into microseconds, as many as there are. */
static const char *read_fraction(const char *p, int *ret_us)
{
    int us = 0;
    int scale = 100000;
    for (; is_digit(*p); p++, scale /= 10)
        us += (*p - '0') * scale;
    *ret_us = us;
    return p;
}

/* HH:MM[:SS[.fraction]] with `sep` between; NULL when it is none. */
static const char *read_clock(const char *p, char sep, struct parts *t)
{
    t->hour = two(p);
    if (t->hour < 0 || t->hour > 23 || p[2] != sep)
        return NULL;
    t->minute = two(p + 3);
    if (t->minute < 0 || t->minute > 59)
        return NULL;
    p += 5;
    if (*p != sep || two(p + 1) < 0)
        return p;
    t->second = two(p + 1);
    if (t->second > 60)
        return NULL;
    p += 3;
    if ((*p == '.' || *p == ',' || *p == ':') && is_digit(p[1]))
        p = read_fraction(p + 1, &t->microsecond);
    return p;
}

/* Z, UTC, GMT, +hh, +hhmm, +hh:mm, each also behind a blank. Leaves p where no zone stands. */
static const char *read_zone(const char *p, struct parts *t)
{
    const char *q = *p == ' ' ? p + 1 : p;
    if ((*q == 'Z' || *q == 'z') && !isalpha((unsigned char)q[1])) {
        t->zoned = true;
        return q + 1;
    }
    if (q > p && (memcmp(q, "UTC", 3) == 0 || memcmp(q, "GMT", 3) == 0)) {
        t->zoned = true;
        return q + 3;
    }
    if (*q != '+' && *q != '-')
        return p;
    int hours = two(q + 1);
    if (hours < 0 || hours > 23)
        return p;
    const char *end = q + 3;
    int minutes = 0;
    const char *m = *end == ':' ? end + 1 : end;
    if (two(m) >= 0) {
        minutes = two(m);
        end = m + 2;
    } else if (q > p) {
        return p; /* " -12 " after a time is text rather than a zone */
    }
    if (minutes > 59 || is_digit(*end))
        return p;
    t->zoned = true;
    t->offset = (hours * US_PER_HOUR + minutes * US_PER_MINUTE) * (*q == '-' ? -1 : 1);
    return end;
}

static int month_name(const char *p)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int m = 0; m < 12; m++)
        if (memcmp(p, names + 3 * m, 3) == 0)
            return m + 1;
    return 0;
}

static int64_t zone_offset(struct timeshape *ts, int64_t local)
{
    int64_t slot = local / QUARTER - (local < 0);
    if (!ts->zone_known || slot != ts->zone_slot) {
        struct civil c;
        timestamp_to_civil(slot * QUARTER, &c);
        ts->zone_offset = slot * QUARTER - timestamp_from_civil_local(&c);
        ts->zone_slot = slot;
        ts->zone_known = true;
    }
    return ts->zone_offset;
}

static bool date_valid(int year, int month, int day)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    return month != 2 || day != 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static int64_t date_us(struct timeshape *ts, int year, int month, int day)
{
    int key = (year << 9) | (month << 5) | day;
    if (!ts->date_known || key != ts->date_key) {
        struct civil c = {.year = year, .month = month, .day = day};
        ts->date_us = timestamp_from_civil(&c);
        ts->date_key = key;
        ts->date_known = true;
    }
    return ts->date_us;
}

/* The latest year whose month and day lie at most a day ahead of the arrival. */
static int infer_year(struct timeshape *ts, int month, int day, int64_t arrival)
{
    int64_t arrival_day = arrival / US_PER_DAY;
    if (!ts->arrival_known || arrival_day != ts->arrival_day) {
        struct civil c;
        timestamp_to_civil((arrival_day + 1) * US_PER_DAY, &c);
        ts->arrival_day = arrival_day;
        ts->arrival_known = true;
        ts->year = c.year;
        ts->month = c.month;
        ts->day = c.day;
    }
    int year = ts->year;
    if (month > ts->month || (month == ts->month && day > ts->day))
        year--;
    for (int i = 0; i < 8 && !date_valid(year, month, day); i++)
        year--;
    return year;
}

/* ERR_PARSE: no such date. ERR_RANGE: not from 1970 to 2200. */
static int resolve(struct timeshape *ts, const struct parts *t, int64_t arrival, int64_t *ret_us)
{
    if (t->month < 1 || t->month > 12 || t->day < 1 || t->day > 31)
        return ERR_PARSE;
    int year = t->year ? t->year : infer_year(ts, t->month, t->day, arrival);
    if (!date_valid(year, t->month, t->day))
        return ERR_PARSE;
    int64_t us = date_us(ts, year, t->month, t->day) + t->hour * US_PER_HOUR +
                 t->minute * US_PER_MINUTE + t->second * US_PER_SECOND + t->microsecond;
    if (us < -2 * US_PER_DAY || us > TIME_MAX + 2 * US_PER_DAY)
        return ERR_RANGE;
    us -= t->zoned ? t->offset : zone_offset(ts, us);
    if (us < TIME_MIN || us >= TIME_MAX)
        return ERR_RANGE;
    *ret_us = us;
    return 0;
}

/* YYYY-MM-DD or with slashes or dots, then a clock after `T`, blank, `_` or `-`. */
static const char *shape_iso(const char *p, struct parts *t)
{
    t->year = four(p);
    char sep = p[4];
    if (t->year < 0 || (sep != '-' && sep != '/' && sep != '.') || p[7] != sep)
        return NULL;
    t->month = two(p + 5);
    t->day = two(p + 8);
    if (t->month < 0 || t->day < 0)
        return NULL;
    const char *q = p + 10;
    if (*q != 'T' && *q != 't' && *q != ' ' && *q != '_' && *q != '-')
        return NULL;
    q = read_clock(q + 1, *q == '-' && q[3] == '.' ? '.' : ':', t);
    return q ? read_zone(q, t) : NULL;
}

/* "Jun 14 15:16:01", "Jul  1 09:00:55", "Dec 10 2005 06:55:46", "Jan 17 2024, 11:02:03". */
static const char *shape_syslog(const char *p, struct parts *t)
{
    t->month = month_name(p);
    if (!t->month || p[3] != ' ')
        return NULL;
    p += 4;
    if (*p == ' ')
        p++;
    if (!is_digit(*p))
        return NULL;
    t->day = *p++ - '0';
    if (is_digit(*p))
        t->day = t->day * 10 + *p++ - '0';
    if (*p == ',')
        p++;
    if (*p++ != ' ')
        return NULL;
    if (four(p) >= 0 && (p[4] == ' ' || p[4] == ',')) {
        t->year = four(p);
        p += p[4] == ',' ? 6 : 5;
    }
    p = read_clock(p, ':', t);
    return p && p[-3] == ':' && p[-6] == ':' ? p : (p && t->microsecond ? p : NULL);
}

/* "Sun Dec 04 04:47:44 2005", the seconds with or without a fraction. */
static const char *shape_ctime(const char *p, struct parts *t)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    int d = 0;
    while (d < 7 && memcmp(p, days + 3 * d, 3) != 0)
        d++;
    if (d == 7)
        return NULL;
    p += p[3] == ',' ? 4 : 3;
    if (*p != ' ')
        return NULL;
    p = shape_syslog(p + 1, t);
    if (!p)
        return NULL;
    if (*p == ' ' && four(p + 1) >= 0 && !is_digit(p[5])) {
        t->year = four(p + 1);
        p += 5;
    }
    return p;
}

/* "10/Oct/2000:13:55:36 -0700". */
static const char *shape_clf(const char *p, struct parts *t)
{
    t->day = two(p);
    if (t->day < 0 || p[2] != '/' || p[6] != '/' || p[11] != ':')
        return NULL;
    t->month = month_name(p + 3);
    t->year = four(p + 7);
    if (!t->month || t->year < 0)
        return NULL;
    p = read_clock(p + 12, ':', t);
    return p ? read_zone(p, t) : NULL;
}

/* "10.30 16:49:06" and "03-17 16:13:38.811". */
static const char *shape_month_day(const char *p, char sep, struct parts *t)
{
    t->month = two(p);
    t->day = two(p + 3);
    if (t->month < 0 || t->day < 0 || p[2] != sep || p[5] != ' ')
        return NULL;
    p = read_clock(p + 6, ':', t);
    return p && (p[-3] == ':' || t->microsecond || p[-4] == '.') ? p : NULL;
}

/* "081109 203615 " and "20171223-22:15:29:606|". */
static const char *shape_packed(const char *p, struct parts *t)
{
    if (p[6] == ' ' && two(p + 11) >= 0 && (p[13] == ' ' || p[13] == '\0')) {
        int year = two(p);
        t->year = 2000 + year;
        t->month = two(p + 2);
        t->day = two(p + 4);
        t->hour = two(p + 7);
        t->minute = two(p + 9);
        t->second = two(p + 11);
        bool fits = year >= 0 && t->month >= 0 && t->day >= 0 && t->hour >= 0 && t->hour < 24 &&
                    t->minute >= 0 && t->minute < 60 && t->second < 61;
        return fits ? p + 13 : NULL;
    }
    if (p[8] != '-' && p[8] != ' ' && p[8] != 'T')
        return NULL;
    t->year = four(p);
    t->month = two(p + 4);
    t->day = two(p + 6);
    if (t->year < 0 || t->month < 0 || t->day < 0)
        return NULL;
    p += 9;
    t->hour = two(p);
    if (t->hour < 0 || t->hour > 23)
        return NULL;
    if (p[2] != ':') { /* 20171223T221529Z */
        t->minute = two(p + 2);
        t->second = t->minute < 0 ? -1 : two(p + 4);
        return t->minute > 59 || t->second < 0 || t->second > 60 ? NULL : read_zone(p + 6, t);
    }
    /* HealthApp does not pad: 22:15:9:3. */
    int *fields[] = {&t->minute, &t->second, NULL};
    p += 2;
    for (int i = 0; fields[i] && *p == ':' && is_digit(p[1]); i++) {
        p++;
        *fields[i] = *p++ - '0';
        if (is_digit(*p))
            *fields[i] = *fields[i] * 10 + *p++ - '0';
    }
    if (*p == ':' && is_digit(p[1])) {
        int ms = 0;
        for (p++; is_digit(*p) && ms < 1000; p++)
            ms = ms * 10 + *p - '0';
        t->microsecond = ms % 1000 * 1000;
    }
    return t->minute > 59 || t->second > 60 ? NULL : p;
}

/* "17/06/09 20:10:40". */
static const char *shape_short_year(const char *p, struct parts *t)
{
    int year = two(p);
    t->month = two(p + 3);
    t->day = two(p + 6);
    if (year < 0 || p[2] != '/' || p[5] != '/' || p[8] != ' ' || t->month < 0 || t->day < 0)
        return NULL;
    t->year = 2000 + year;
    return read_clock(p + 9, ':', t);
}

/* 10, 13, 16 or 19 digits from 2001 to 2039: shorter or other numbers are more likely something
 * else. */
static const char *shape_epoch(const char *p, int64_t *ret_us)
{
    uint64_t v = 0;
    int digits = 0;
    for (; is_digit(p[digits]) && digits < 20; digits++)
        v = v * 10 + (uint64_t)(p[digits] - '0');
    char next = p[digits];
    if (next == ':' && is_digit(p[digits + 1]))
        return NULL;
    if (next && !strchr(" \t,.:|;]", next))
        return NULL;
    static const struct {
        int digits;
        uint64_t scale;
    } units[] = {{10, 1}, {13, 1000}, {16, 1000000}, {19, 1000000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].digits != digits)
            continue;
        uint64_t scale = units[i].scale;
        if (v / scale < 1000000000 || v / scale > 2200000000)
            return NULL;
        *ret_us = (int64_t)(v / scale) * US_PER_SECOND;
        *ret_us += scale > 1000000 ? (int64_t)(v % scale / 1000) : 0;
        *ret_us += scale == 1000 ? (int64_t)(v % scale) * 1000 : 0;
        *ret_us += scale == 1000000 ? (int64_t)(v % scale) : 0;
        p += digits;
        int fraction = 0;
        if (scale == 1 && *p == '.' && is_digit(p[1]))
            p = read_fraction(p + 1, &fraction);
        *ret_us += fraction;
        return p;
    }
    return NULL;
}

/* "- 1117838570 2005.06.03 …" and "APPREAD 1117869872 2005.06.04 …". */
static const char *shape_bgl(const char *p, int64_t *ret_us)
{
    while ((*p >= 'A' && *p <= 'Z') || *p == '-' || *p == '_')
        p++;
    if (*p != ' ')
        return NULL;
    p = shape_epoch(p + 1, ret_us);
    if (!p || *p != ' ' || four(p + 1) < 0 || p[5] != '.' || two(p + 6) < 0 || p[8] != '.')
        return NULL;
    return p + 11;
}

/* What begins with a digit. *ret_us is set instead of `t` for epoch numbers. */
static const char *shapes_digit(const char *p, struct parts *t, int64_t *ret_us)
{
    const char *end = NULL;
    if (is_digit(p[2]) && !is_digit(p[4]))
        end = shape_iso(p, t);
    else if (p[2] == '/')
        end = p[5] == '/' ? shape_short_year(p, t) : shape_clf(p, t);
    else if (p[2] == '-' || p[2] == '.')
        end = shape_month_day(p, p[2], t);
    else if (is_digit(p[4]) && is_digit(p[5])) {
        end = shape_packed(p, t);
        if (!end) {
            *t = (struct parts){0};
            end = shape_epoch(p, ret_us);
        }
    }
    return end;
}

/* klog: "I1018 12:33:11.123456". */
static const char *shape_klog(const char *p, struct parts *t)
{
    t->month = two(p + 1);
    t->day = two(p + 3);
    if (t->month < 0 || t->day < 0 || p[5] != ' ')
        return NULL;
    p = read_clock(p + 6, ':', t);
    return p && t->month && p[-7] == '.' ? p : NULL;
}

static const char *shapes_letter(const char *p, struct parts *t, int64_t *ret_us)
{
    const char *end = shape_syslog(p, t);
    if (!end && p[3] == ' ' && strchr("SMTWF", p[0]))
        end = shape_ctime(p, t);
    if (!end && strchr("IWEF", p[0]) && is_digit(p[1]))
        end = shape_klog(p, t);
    if (!end && *p >= 'A' && *p <= 'Z')
        end = shape_bgl(p, ret_us);
    if (!end) { /* logfmt */
        size_t key = strncmp(p, "time=", 5) == 0 ? 5 : (strncmp(p, "ts=", 3) == 0 ? 3 : 0);
        if (key) {
            *t = (struct parts){0};
            p += key + (p[key] == '"');
            end = is_digit(*p) ? shapes_digit(p, t, ret_us) : NULL;
        }
    }
    return end;
}

/* `<134>1 ` and `<34>`. */
static const char *skip_priority(const char *p)
{
    const char *q = p + 1;
    while (is_digit(*q) && q - p < 5)
        q++;
    if (q == p + 1 || *q != '>')
        return p;
    q++;
    return *q == '1' && q[1] == ' ' ? q + 2 : q;
}

static const char *any_shape(const char *p, struct parts *t, int64_t *ret_us)
{
    if (*p == '<')
        p = skip_priority(p);
    if (*p == '[')
        p++;
    if (is_digit(*p))
        return shapes_digit(p, t, ret_us);
    if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
        return shapes_letter(p, t, ret_us);
    return *p == '-' ? shape_bgl(p, ret_us) : NULL;
}

int timeshape_line(struct timeshape *ts, const char *s, size_t n, int64_t arrival, int64_t *ret_us,
                   size_t *ret_end)
{
    char look[LOOK + 32] = {0};
    memcpy(look, s, n < LOOK ? n : LOOK);
    struct parts t = {0};
    int64_t us = TIME_UNKNOWN;
    size_t base = 0;
    const char *end = any_shape(look, &t, &us);
    if (!end) {
        const char *b = memchr(s, '[', n < CLF_SEARCH ? n : CLF_SEARCH);
        if (!b || (size_t)(s + n - b) < 22 || b[3] != '/' || b[7] != '/')
            return ERR_NOTFOUND;
        base = (size_t)(b + 1 - s);
        memset(look, 0, sizeof(look));
        memcpy(look, b + 1, n - base < LOOK ? n - base : LOOK);
        t = (struct parts){0};
        us = TIME_UNKNOWN;
        end = shape_clf(look, &t);
        if (!end)
            return ERR_NOTFOUND;
    }
    if (us == TIME_UNKNOWN) {
        int rc = resolve(ts, &t, arrival, &us);
        if (rc)
            return rc == ERR_RANGE ? rc : ERR_NOTFOUND;
    }
    while (*end && strchr("\"]),:;|", *end))
        end++;
    while (*end == ' ' || *end == '\t')
        end++;
    *ret_us = us;
    *ret_end = base + (size_t)(end - look);
    if (*ret_end > n)
        *ret_end = n;
    return 0;
}

int timeshape_epoch(double value, int64_t *ret_us)
{
    double scale = value < 1e11 ? 1e6 : (value < 1e14 ? 1e3 : (value < 1e17 ? 1 : 1e-3));
    double us = value * scale;
    if (!(us >= (double)TIME_MIN && us < (double)TIME_MAX))
        return ERR_RANGE;
    *ret_us = llround(us);
    return 0;
}

/* Digits alone keep all their digits, which a double would not for nanoseconds. */
static int field_number(const char *s, size_t n, int64_t *ret_us)
{
    char *end;
    double value = strtod(s, &end);
    if (end != s + n || s[0] == '+' || !isfinite(value))
        return ERR_PARSE;
    if (n <= 19 && n >= 15 && strspn(s, "0123456789") == n) {
        uint64_t v = strtoull(s, NULL, 10);
        int64_t us = (int64_t)(v < 100000000000000000ULL ? v : v / 1000);
        if (us >= TIME_MAX)
            return ERR_RANGE;
        *ret_us = us;
        return 0;
    }
    return timeshape_epoch(value, ret_us);
}

/* A date with its parts around `sep`: year first, or month or day first; a clock may follow. */
static const char *field_date(struct timeshape *ts, const char *p, struct parts *t)
{
    if (four(p) >= 0 && p[4] == p[7] && two(p + 5) >= 0 && two(p + 8) >= 0 &&
        (p[4] == '-' || p[4] == '/' || p[4] == '.')) {
        t->year = four(p);
        t->month = two(p + 5);
        t->day = two(p + 8);
        return p + 10;
    }
    int v[2];
    for (int i = 0; i < 2; i++) {
        if (!is_digit(*p))
            return NULL;
        v[i] = *p++ - '0';
        if (is_digit(*p))
            v[i] = v[i] * 10 + *p++ - '0';
        if (*p != '/' && *p != '.' && *p != '-')
            return NULL;
        ts->day_first |= i == 0 && (v[0] > 12 || *p == '.');
        p++;
    }
    t->year = four(p);
    if (t->year < 0)
        return NULL;
    bool day_first = ts->day_first && v[1] <= 12;
    t->month = day_first ? v[1] : v[0];
    t->day = day_first ? v[0] : v[1];
    return p + 4;
}

int timeshape_field(struct timeshape *ts, const char *s, size_t n, int64_t *ret_us)
{
    while (n && (*s == ' ' || *s == '\t')) {
        s++;
        n--;
    }
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= LOOK)
        return ERR_PARSE;
    char look[LOOK + 32] = {0};
    memcpy(look, s, n);
    int64_t us = TIME_UNKNOWN;
    if (strcspn(look, "/:TtZ") == n && strchr(look + 1, '-') == NULL) {
        int rc = field_number(look, n, ret_us);
        if (rc != ERR_PARSE)
            return rc;
    }
    struct parts t = {0};
    const char *end = field_date(ts, look, &t);
    if (end && *end) {
        if (*end != 'T' && *end != 't' && *end != ' ' && *end != '_')
            return ERR_PARSE;
        end = read_clock(end + 1, ':', &t);
        end = end ? read_zone(end, &t) : NULL;
    } else if (!end) {
        t = (struct parts){0};
        end = any_shape(look, &t, &us);
        if (!end || !(t.year || us != TIME_UNKNOWN))
            return ERR_PARSE;
    }
    if (!end || end != look + n)
        return ERR_PARSE;
    if (us != TIME_UNKNOWN) {
        *ret_us = us;
        return 0;
    }
    return resolve(ts, &t, 0, ret_us);
}
