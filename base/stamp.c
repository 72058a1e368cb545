/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a date of one of three shapes, a clock behind it, and what hangs on: fraction, zone,
 * bracket. A line that says another time than its record's (a note of an appointment, say) keeps
 * it: such a time is what the line is about.
 */
#include "base/stamp.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/timespec.h"
#include "base/timestamp.h"

#define QUARTER (15 * US_PER_MINUTE)

struct reading {
    const char *s;
    size_t n, at;
};

static char peek(const struct reading *r)
{
    return r->at < r->n ? r->s[r->at] : '\0';
}

static bool skip(struct reading *r, char c)
{
    bool is = c && peek(r) == c;
    r->at += is;
    return is;
}

static bool digit(const struct reading *r)
{
    return peek(r) >= '0' && peek(r) <= '9';
}

/* A number of `least` to `most` digits, with no digit behind it. */
static bool number(struct reading *r, int least, int most, int *ret)
{
    int digits = 0;
    for (*ret = 0; digits < most && digit(r); digits++)
        *ret = 10 * *ret + (r->s[r->at++] - '0');
    return digits >= least && !digit(r);
}

static bool month(struct reading *r, int *ret)
{
    *ret = r->at + 3 <= r->n ? timespec_month(r->s + r->at, 3) : 0;
    r->at += 3;
    return *ret > 0;
}

static bool date(struct reading *r, struct civil *c)
{
    struct reading from = *r;
    if (number(r, 4, 4, &c->year) && (skip(r, '-') || skip(r, '/')) && number(r, 2, 2, &c->month) &&
        (skip(r, '-') || skip(r, '/')) && number(r, 2, 2, &c->day))
        return skip(r, ' ') || skip(r, 'T');
    *r = from;
    if (number(r, 2, 2, &c->day) && skip(r, '/') && month(r, &c->month) && skip(r, '/') &&
        number(r, 4, 4, &c->year))
        return skip(r, ':');
    *r = from;
    c->year = 0;
    return month(r, &c->month) && skip(r, ' ') && (skip(r, ' ') || true) &&
           number(r, 1, 2, &c->day) && skip(r, ' ');
}

static bool clock(struct reading *r, struct civil *c)
{
    if (!number(r, 2, 2, &c->hour) || !skip(r, ':') || !number(r, 2, 2, &c->minute))
        return false;
    if (skip(r, ':') && !number(r, 2, 2, &c->second))
        return false;
    if (skip(r, '.') || skip(r, ','))
        while (digit(r))
            r->at++;
    return true;
}

/* Behind a blank only in brackets: "03:12:00 -1200 sold" tells of twelve hundred. */
static void zone(struct reading *r, bool bracket)
{
    struct reading from = *r;
    int digits = 0;
    if (skip(r, 'Z'))
        return;
    if (bracket)
        skip(r, ' ');
    if (skip(r, '+') || skip(r, '-'))
        for (; digits < 4 && digit(r); digits++) {
            r->at++;
            if (digits == 1)
                skip(r, ':');
        }
    if (digits < 4 || digit(r))
        *r = from;
}

static bool same(const struct civil *c, int64_t us)
{
    struct civil there, said = *c;
    timestamp_to_civil(us, &there);
    if (!said.year)
        said.year = there.year;
    there.microsecond = 0;
    int64_t apart = timestamp_from_civil(&said) - timestamp_from_civil(&there);
    return apart > -US_PER_DAY && apart < US_PER_DAY && apart % QUARTER == 0;
}

size_t stamp_size(const char *s, size_t n, int64_t us)
{
    struct reading r = {.s = s, .n = n};
    struct civil c = {0};
    bool bracket = skip(&r, '[');
    if (!date(&r, &c) || !clock(&r, &c))
        return 0;
    zone(&r, bracket);
    if (bracket && !skip(&r, ']'))
        return 0;
    if (!skip(&r, ','))
        skip(&r, ':');
    if (peek(&r) != ' ' && peek(&r) != '\t')
        return 0;
    while (skip(&r, ' ') || skip(&r, '\t'))
        ;
    return r.at < n && same(&c, us) ? r.at : 0;
}
