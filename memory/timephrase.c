/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: split into words; at each word try the shapes from the most to the least specific;
 * what matches narrows the span and is cut out of the text. Nothing fails: what is not understood
 * stays in the text. Sizes: the first 160 words and 2 KiB of a question; words, figures and units
 * are timephrase_words.c's.
 */
#include "memory/timephrase.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/record.h"
#include "base/timespec.h"
#include "base/utf8.h"
#include "memory/timephrase_words.h"

/* What one expression says: a stretch of days, a part of a day, a clock, in any combination. */
struct expr {
    bool base;
    int64_t from, to;
    int part; /* index of parts[], 0: none */
    bool clock, minutes, around;
    int hour, minute;
    bool bare; /* the hour has neither am nor pm nor minutes */
};

static const struct {
    const char *name;
    int from, to; /* hours of the day */
} parts[] = {{NULL, 0, 0},
             {"morning", 5, 12},
             {"afternoon", 12, 18},
             {"evening", 18, 24},
             {"night", 20, 30}};
#define PART_NIGHT 4

/* ---- calendar ---- */

static int64_t midnight(int year, int month, int day)
{
    return timestamp_from_civil_local(&(struct civil){year, month, day, 0, 0, 0, 0});
}

/* `hour` and `minute` of the day `days` after that in which `us` lies; hours past 24 are the next
 * day's. */
static int64_t clock_on(int64_t us, int days, int hour, int minute)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    c = (struct civil){c.year, c.month, c.day + days + hour / 24, hour % 24, minute, 0, 0};
    return timestamp_from_civil_local(&c);
}

static void set_base(struct expr *e, int64_t from, int64_t to)
{
    /* Two of them ("monday last week") meet where they overlap. */
    if (e->base && from < e->to && to > e->from) {
        from = from > e->from ? from : e->from;
        to = to < e->to ? to : e->to;
    }
    e->base = true;
    e->from = from;
    e->to = to;
}

static void base_days(const struct timephrase_parser *p, struct expr *e, int first, int count)
{
    set_base(e, timespec_midnight(p->now, first), timespec_midnight(p->now, first + count));
}

/* Calendar units around now, `back` of them ago. */
static void base_calendar(const struct timephrase_parser *p, struct expr *e, enum timephrase_unit u,
                          int back)
{
    const struct civil *c = &p->local;
    int monday = (timestamp_weekday(c) + 6) % 7;
    if (u == TIMEPHRASE_DAY)
        base_days(p, e, -back, 1);
    else if (u == TIMEPHRASE_WEEK)
        base_days(p, e, -monday - 7 * back, 7);
    else if (u == TIMEPHRASE_MONTH)
        set_base(e, midnight(c->year, c->month - back, 1),
                 midnight(c->year, c->month - back + 1, 1));
    else
        set_base(e, midnight(c->year - back, 1, 1), midnight(c->year - back + 1, 1, 1));
}

/* A day (0: all of the month) without a year is the most recent that has begun; `back` a year
 * earlier. */
static void base_date(const struct timephrase_parser *p, struct expr *e, int year, int month,
                      int day, bool back)
{
    if (!year) {
        *p->yearless = true;
        year = p->local.year;
        if (midnight(year, month, day ? day : 1) > p->now)
            year--;
        if (back && year == p->local.year && month == p->local.month)
            year--;
    }
    if (day)
        set_base(e, midnight(year, month, day), midnight(year, month, day + 1));
    else
        set_base(e, midnight(year, month, 1), midnight(year, month + 1, 1));
}

/* ---- expressions: each matcher returns how many words it took, 0 if none ---- */

static int month_at(const struct timephrase_parser *p, int i)
{
    if (i >= p->count || p->used[i])
        return 0;
    return timespec_month(p->tokens[i].text, (int)strlen(p->tokens[i].text));
}

/* "20 november [2026]", "november 20th[, 2026]", "november 2026", "in november". */
static int match_date(const struct timephrase_parser *p, int i, bool preposition, struct expr *e)
{
    int64_t us;
    if (i < p->count && !p->used[i] && strlen(p->tokens[i].text) == 10 &&
        timestamp_parse(p->tokens[i].text, 10, &us, NULL) == 0) {
        struct civil c;
        timestamp_to_civil(us, &c);
        base_date(p, e, c.year, c.month, c.day, false);
        return 1;
    }
    int day = 0, used = 0;
    if (timephrase_figure(p, i, 1, 31) &&
        (month_at(p, i + 1) || (timephrase_is(p, i + 1, "of") && month_at(p, i + 2)))) {
        day = p->tokens[i].number;
        used = timephrase_is(p, i + 1, "of") ? 2 : 1;
    }
    int month = month_at(p, i + used);
    if (!month)
        return 0;
    bool whole = strlen(p->tokens[i + used].text) > 3;
    used++;
    if (!day && timephrase_figure(p, i + used, 1, 31) && !timephrase_unit_at(p, i + used + 1)) {
        day = p->tokens[i + used].number;
        used++;
    }
    int year = 0;
    if (timephrase_figure(p, i + used, 1970, 2199)) {
        year = p->tokens[i + used].number;
        used++;
    }
    bool plain = used == 1;
    if (plain && !(preposition && (whole || month == 5)))
        return 0;
    base_date(p, e, year, month, day, false);
    return used;
}

static int match_last(const struct timephrase_parser *p, int i, struct expr *e)
{
    bool last = timephrase_is(p, i, "last") || timephrase_is(p, i, "previous");
    if (!last && !timephrase_is(p, i, "this"))
        return 0;
    int next = i + 1;
    if (next >= p->count || p->used[next])
        return 0;
    const char *w = p->tokens[next].text;
    int weekday = timespec_weekday(w, (int)strlen(w));
    int today = timestamp_weekday(&p->local);
    enum timephrase_unit u = timephrase_unit_at(p, next);
    if (weekday >= 0 && strlen(w) > 3) {
        int back = (today - weekday + 7) % 7;
        base_days(p, e, -(last && !back ? 7 : back), 1);
    } else if (month_at(p, next)) {
        base_date(p, e, 0, month_at(p, next), 0, last);
    } else if (strcmp(w, "weekend") == 0) {
        /* This weekend's Saturday is the last one begun; on a weekend "last" means the one before.
         */
        int back = (today + 1) % 7;
        base_days(p, e, -back - (last && back <= 1 ? 7 : 0), 2);
    } else if (u >= TIMEPHRASE_WEEK || (u == TIMEPHRASE_DAY && !last)) {
        base_calendar(p, e, u, last);
    } else {
        return 0;
    }
    return 2;
}

/* Nights: "last night", "tonight", "overnight"; and "this morning", "this evening". */
static int match_day_part(const struct timephrase_parser *p, int i, struct expr *e)
{
    bool small_hours = p->local.hour < 6;
    if (timephrase_is(p, i, "overnight") ||
        (timephrase_is(p, i, "last") && timephrase_is(p, i + 1, "night"))) {
        set_base(e, clock_on(p->now, -1, 20, 0), clock_on(p->now, 0, 6, 0));
        return timephrase_is(p, i, "overnight") ? 1 : 2;
    }
    if (timephrase_is(p, i, "tonight")) {
        int day = small_hours ? -1 : 0;
        set_base(e, clock_on(p->now, day, 18, 0), clock_on(p->now, day + 1, 6, 0));
        return 1;
    }
    bool last = timephrase_is(p, i, "last");
    if (!last && !timephrase_is(p, i, "this"))
        return 0;
    for (int k = 1; k < PART_NIGHT; k++)
        if (timephrase_is(p, i + 1, parts[k].name)) {
            base_days(p, e, last ? -1 : 0, 1);
            e->part = k;
            return 2;
        }
    return 0;
}

static int match_day(const struct timephrase_parser *p, int i, bool preposition, struct expr *e)
{
    int n = match_day_part(p, i, e);
    if (!n)
        n = match_last(p, i, e);
    if (!n)
        n = match_date(p, i, preposition, e);
    if (n || i >= p->count || p->used[i])
        return n;
    const char *w = p->tokens[i].text;
    int weekday = timespec_weekday(w, (int)strlen(w));
    if (timephrase_is(p, i, "the") && timephrase_is(p, i + 1, "day") &&
        timephrase_is(p, i + 2, "before") && timephrase_is(p, i + 3, "yesterday")) {
        base_days(p, e, -2, 1);
        return 4;
    }
    if (weekday >= 0 && strlen(w) > 3)
        base_days(p, e, -((timestamp_weekday(&p->local) - weekday + 7) % 7), 1);
    else if (strcmp(w, "today") == 0)
        base_days(p, e, 0, 1);
    else if (strcmp(w, "yesterday") == 0)
        base_days(p, e, -1, 1);
    else if (strcmp(w, "tomorrow") == 0)
        base_days(p, e, 1, 1);
    else if (preposition && timephrase_figure(p, i, 1970, 2199) && !timephrase_unit_at(p, i + 1))
        set_base(e, midnight(p->tokens[i].number, 1, 1), midnight(p->tokens[i].number + 1, 1, 1));
    else
        return 0;
    return 1;
}

/* "3 am", "3:15", "3:15 pm", "15:30", "3 o'clock", "noon", "midnight"; with `bare` an hour alone
 * too. */
static int match_clock(const struct timephrase_parser *p, int i, bool bare, struct expr *e)
{
    if (e->clock || i >= p->count || p->used[i])
        return 0;
    int used = 1, hour = -1, minute = 0, taken = 0;
    const char *w = p->tokens[i].text;
    if (strcmp(w, "noon") == 0 || strcmp(w, "midnight") == 0) {
        e->clock = true;
        e->bare = e->minutes = false;
        e->hour = w[0] == 'n' ? 12 : 0;
        e->minute = 0;
        return 1;
    }
    bool colon = strspn(w, "0123456789:") == strlen(w) &&
                 sscanf(w, "%2d:%2d%n", &hour, &minute, &taken) == 2 &&
                 (!w[taken] || w[taken] == ':');
    if (!colon) {
        minute = 0;
        hour = timephrase_figure(p, i, 0, 24) ? p->tokens[i].number : -1;
    }
    bool am = timephrase_is(p, i + used, "am"), pm = timephrase_is(p, i + used, "pm"),
         clock = timephrase_is(p, i + used, "o'clock");
    if (hour < 0 || hour > 24 || minute > 59 || (!colon && !am && !pm && !clock && !bare) ||
        ((am || pm) && (hour > 12 || hour == 0)))
        return 0;
    used += am || pm || clock;
    if (am || pm)
        hour = hour % 12 + (pm ? 12 : 0);
    e->clock = true;
    e->minutes = colon;
    e->bare = !am && !pm && !colon;
    e->hour = hour % 24;
    e->minute = minute;
    return used;
}

static int match_part(const struct timephrase_parser *p, int i, struct expr *e)
{
    if (e->part)
        return 0;
    for (int k = 1; k <= PART_NIGHT; k++)
        if (timephrase_is(p, i, parts[k].name)) {
            e->part = k;
            return 1;
        }
    return 0;
}

/* "2 hours ago", "a few minutes ago". */
static int match_ago(const struct timephrase_parser *p, int i, struct expr *e)
{
    int used = 0, n = timephrase_number(p, i);
    if (timephrase_is(p, i, "a") &&
        (timephrase_is(p, i + 1, "few") || timephrase_is(p, i + 1, "couple"))) {
        n = timephrase_is(p, i + 1, "few") ? 3 : 2;
        used = timephrase_is(p, i + 2, "of") ? 3 : 2;
    } else if (n >= 0) {
        used = 1;
    }
    enum timephrase_unit u = timephrase_unit_at(p, i + used);
    if (!used || !u || n > 9999 || !timephrase_is(p, i + used + 1, "ago"))
        return 0;
    if (u == TIMEPHRASE_DAY || u >= TIMEPHRASE_MONTH) {
        base_calendar(p, e, u, n);
    } else {
        int64_t distance = n * timephrase_unit_us(u);
        int64_t margin = distance * 15 / 100 > timephrase_unit_us(u) / 2
                             ? distance * 15 / 100
                             : timephrase_unit_us(u) / 2;
        set_base(e, p->now - distance - margin, p->now - distance + margin);
    }
    return used + 2;
}

static int prepositions(const struct timephrase_parser *p, int i, bool *ret_at, bool *ret_around)
{
    static const char *const words[] = {"on", "in",     "at",         "during", "over", "for",
                                        "of", "within", "throughout", "by",     NULL};
    int n = 0;
    *ret_at = *ret_around = false;
    if (timephrase_any(p, i, words)) {
        *ret_at = timephrase_is(p, i, "at") || timephrase_is(p, i, "by");
        n++;
    }
    if (timephrase_is(p, i + n, "around") || timephrase_is(p, i + n, "about")) {
        *ret_around = true;
        n++;
    }
    if (timephrase_is(p, i + n, "the") && !timephrase_is(p, i + n + 1, "day"))
        n++;
    return n;
}

/* Days, parts and clocks in any order, each with its prepositions. `bare`: an hour needs no am or
 * pm. */
static int match_expr(const struct timephrase_parser *p, int i, bool bare, struct expr *e)
{
    int used = 0;
    *e = (struct expr){0};
    for (;;) {
        bool at, around;
        int lead = prepositions(p, i + used, &at, &around);
        int from = i + used + lead;
        bool first = used == 0;
        int n = match_ago(p, from, e);
        if (!n)
            n = match_day(p, from, lead > 0 || bare, e);
        if (!n)
            n = match_clock(p, from, bare, e);
        if (!n && (at || around) && timephrase_figure(p, from, 0, 24)) {
            /* "at 3": only where nothing follows that would make it another number. */
            bool alone = from + 1 >= p->count;
            struct expr ahead = {0};
            bool a, b;
            int skip = alone ? 0 : prepositions(p, from + 1, &a, &b);
            if (alone || match_day(p, from + 1 + skip, skip > 0, &ahead) ||
                match_part(p, from + 1 + skip, &ahead))
                n = match_clock(p, from, true, e);
        }
        if (!n && (!first || lead > 1 || bare))
            n = match_part(p, from, e);
        if (!n)
            break;
        e->around |= around;
        used += lead + n;
    }
    /* "in the night" names no span by itself in "how many in the night shift"; a day or clock must
     * help. */
    if (used && !e->base && !e->clock && e->part && i + used < p->count && !bare)
        return 0;
    return used;
}

/* ---- from words to spans ---- */

static int64_t clock_instant(const struct timephrase_parser *p, struct expr *e)
{
    if (e->bare && e->part >= 2 && e->hour < 12 && !(e->part == PART_NIGHT && e->hour < 6))
        e->hour += 12;
    if (e->base) {
        int64_t t = clock_on(e->from, 0, e->hour, e->minute);
        return t < e->from ? clock_on(e->from, 1, e->hour, e->minute) : t;
    }
    int64_t t = clock_on(p->now, 0, e->hour, e->minute);
    return t > p->now ? clock_on(p->now, -1, e->hour, e->minute) : t;
}

/* The span of an expression; of a clock [instant, instant], its margins are the caller's. */
static void expr_span(const struct timephrase_parser *p, struct expr *e, int64_t *ret_from,
                      int64_t *ret_to)
{
    if (e->clock) {
        *ret_from = *ret_to = clock_instant(p, e);
    } else if (e->part) {
        int64_t day = e->base ? e->from : p->now;
        int from = parts[e->part].from;
        int days = !e->base && clock_on(day, 0, from, 0) > p->now ? -1 : 0;
        *ret_from = clock_on(day, days, from, 0);
        *ret_to = clock_on(day, days, parts[e->part].to, 0);
    } else {
        *ret_from = e->from;
        *ret_to = e->to;
    }
}

struct span {
    int64_t since, until;
};

static struct span expr_margins(const struct timephrase_parser *p, struct expr *e)
{
    struct span s;
    expr_span(p, e, &s.since, &s.until);
    if (e->clock) {
        int64_t quarter = 15 * US_PER_MINUTE;
        int64_t instant = s.since;
        s.since = instant - (e->around ? 2 * quarter : quarter);
        s.until = instant + (e->around ? 2 * quarter : e->minutes ? quarter : 4 * quarter);
    }
    return s;
}

/* "between 2 and 8 March": the number is a day of the month that follows. */
static int match_days(const struct timephrase_parser *p, int i, struct span *ret)
{
    static const char *const to[] = {"to", "until", "till", "and", NULL};
    struct expr e = {0};
    if (!timephrase_figure(p, i + 1, 1, 31) || !timephrase_any(p, i + 2, to))
        return 0;
    int n = match_date(p, i + 3, true, &e);
    struct civil c;
    timestamp_to_civil_local(e.from, &c);
    int first = p->tokens[i + 1].number;
    if (!n || !timephrase_figure(p, i + 3, 1, 31) || first >= c.day)
        return 0;
    ret->since = midnight(c.year, c.month, first);
    ret->until = e.to;
    return 3 + n;
}

/* "between X and Y", "from X to Y". `day` is an expression just before it that may name the day. */
static int match_range(const struct timephrase_parser *p, int i, const struct expr *day,
                       struct span *ret)
{
    static const char *const to[] = {"to", "until", "till", "and", NULL};
    bool between = timephrase_is(p, i, "between");
    if (!between && !timephrase_is(p, i, "from"))
        return 0;
    struct expr x, y;
    int days = match_days(p, i, ret);
    if (days)
        return days;
    int a = match_expr(p, i + 1, true, &x);
    if (!a || !timephrase_any(p, i + 1 + a, to) || (between && !timephrase_is(p, i + 1 + a, "and")))
        return 0;
    int b = match_expr(p, i + 2 + a, true, &y);
    /* "between August 11 and August 15 2023": the year at the end is that of both. */
    if (b && y.base && !y.clock && x.base && x.from >= y.to) {
        struct timephrase_parser then = *p;
        then.now = y.to - 1;
        timestamp_to_civil_local(then.now, &then.local);
        a = match_expr(&then, i + 1, true, &x);
    }
    /* Bare numbers are hours only when the other side is a clock: "between 2 and 4 pm". */
    if (!b || x.clock != y.clock || (x.clock && x.bare && y.bare && !day && !x.base && !y.base))
        return 0;
    if (x.clock && x.bare && !y.bare && y.hour >= 12 && x.hour < 12 && x.hour + 12 <= y.hour)
        x.hour += 12;
    const struct expr *named = x.base ? &x : y.base ? &y : day;
    if (named && named->base && !x.base && x.clock) {
        x.base = true;
        x.from = named->from;
        x.to = named->to;
    }
    int64_t ignored, end;
    expr_span(p, &x, &ret->since, &ignored);
    if (!y.base && y.clock) {
        y.base = true;
        y.from = ret->since;
    }
    expr_span(p, &y, &ignored, &end);
    if (end <= ret->since && y.clock)
        end = clock_on(end, 1, y.hour, y.minute);
    ret->until = end;
    return end > ret->since ? 2 + a + b : 0;
}

/* "since X", "after X", "before X", "until X". */
static int match_open(const struct timephrase_parser *p, int i, struct span *ret)
{
    static const char *const until[] = {"until", "till", NULL};
    bool since = timephrase_is(p, i, "since"), after = timephrase_is(p, i, "after"),
         before = timephrase_is(p, i, "before");
    if (!since && !after && !before && !timephrase_any(p, i, until))
        return 0;
    struct expr e;
    int n = match_expr(p, i + 1, false, &e);
    if (!n && since) /* "since november" */
        n = match_day(p, i + 1, true, &e);
    if (!n)
        return 0;
    int64_t from, to;
    expr_span(p, &e, &from, &to);
    *ret = (struct span){TIME_UNKNOWN, TIME_UNKNOWN};
    if (since || after)
        ret->since = since ? from : to;
    else
        ret->until = before ? from : to;
    return 1 + n;
}

/* "the Sunday before 25 October", "the weekend after": the nearest such day on that side. */
static int match_day_beside(const struct timephrase_parser *p, int k, const struct expr *e,
                            bool before, struct span *ret)
{
    const char *w = p->tokens[k].text;
    bool weekend = timephrase_is(p, k, "weekend");
    int weekday = weekend ? 6 : timespec_weekday(w, (int)strlen(w));
    if (weekday < 0 || (!weekend && strlen(w) <= 3) || e->clock || !e->base)
        return 0;
    struct civil c;
    timestamp_to_civil_local(before ? e->from : e->to - 1, &c);
    int away = before ? timestamp_weekday(&c) - weekday : weekday - timestamp_weekday(&c);
    away = (away + 7) % 7 ? (away + 7) % 7 : 7;
    int first = before ? -away : away;
    int64_t day = before ? e->from : e->to - 1;
    *ret = (struct span){timespec_midnight(day, first),
                         timespec_midnight(day, first + (weekend ? 2 : 1))};
    return 1;
}

/*
 * "the week before 3 August", "10 minutes after 3 am": a stretch beside a time; "two weeks before
 * 11 August" is not a stretch but that week.
 */
static int match_beside(const struct timephrase_parser *p, int i, struct span *ret)
{
    bool at, around;
    int k = i + prepositions(p, i, &at, &around);
    k += timephrase_is(p, k, "the"); /* "the day": not taken with the preposition */
    bool whole = k > i && timephrase_is(p, k - 1, "the");
    k += timephrase_is(p, k, "last");
    int count = timephrase_number(p, k);
    k += count > 0;
    if (count <= 0)
        count = 1;
    bool before = timephrase_is(p, k + 1, "before");
    if (k >= p->count || p->used[k] || (!before && !timephrase_is(p, k + 1, "after")))
        return 0;
    struct expr e;
    int n = match_expr(p, k + 2, true, &e);
    if (!n)
        return 0;
    enum timephrase_unit u = timephrase_unit_at(p, k);
    if (!u)
        return match_day_beside(p, k, &e, before, ret) ? k + 2 + n - i : 0;
    int64_t from, to, unit = timephrase_unit_us(u);
    expr_span(p, &e, &from, &to);
    int64_t far = count, near = whole || u < TIMEPHRASE_DAY ? 0 : count - 1;
    if (u < TIMEPHRASE_DAY) {
        *ret = before ? (struct span){from - far * unit, from} : (struct span){to, to + far * unit};
    } else {
        int days = (int)(unit / US_PER_DAY);
        *ret = before ? (struct span){timespec_midnight(from, -days * (int)far),
                                      timespec_midnight(from, -days * (int)near)}
                      : (struct span){timespec_midnight(to, days * (int)near),
                                      timespec_midnight(to, days * (int)far)};
    }
    return k + 2 + n - i;
}

/* "[in the] last 10 minutes", "past hour", "just now". */
static int match_recent(const struct timephrase_parser *p, int i, struct span *ret)
{
    bool at, around;
    if (timephrase_is(p, i, "just") && timephrase_is(p, i + 1, "now")) {
        *ret = (struct span){p->now - 5 * US_PER_MINUTE, TIME_UNKNOWN};
        return 2;
    }
    if (timephrase_is(p, i, "right") && timephrase_is(p, i + 1, "now")) {
        *ret = (struct span){p->now - US_PER_MINUTE, TIME_UNKNOWN};
        return 2;
    }
    int lead = prepositions(p, i, &at, &around);
    int k = i + lead;
    bool last = timephrase_is(p, k, "last"), past = timephrase_is(p, k, "past");
    if (!last && !past)
        return 0;
    k++;
    int n = timephrase_number(p, k);
    if (n > 0 || timephrase_is(p, k, "few") || timephrase_is(p, k, "couple")) {
        if (n <= 0)
            n = timephrase_is(p, k, "few") ? 3 : 2;
        k += timephrase_is(p, k + 1, "of") ? 2 : 1;
    } else {
        n = 0;
    }
    enum timephrase_unit u = timephrase_unit_at(p, k);
    /* "last week" is the calendar's and "last second" most often no time at all. */
    if (!u || (!n && ((last && u >= TIMEPHRASE_DAY) || u == TIMEPHRASE_SECOND)))
        return 0;
    *ret = (struct span){p->now - (int64_t)(n ? n : 1) * timephrase_unit_us(u), TIME_UNKNOWN};
    if (ret->since < TIME_MIN)
        ret->since = TIME_MIN;
    return k + 1 - i;
}

/* A whole RFC 3339 time in one word. */
static int match_instant(const struct timephrase_parser *p, int i, struct span *ret)
{
    const struct timephrase_token *t = &p->tokens[i];
    int64_t us;
    bool zoned;
    if (t->to - t->from < 16 || timestamp_parse(p->s + t->from, t->to - t->from, &us, &zoned))
        return 0;
    if (!zoned) {
        struct civil c;
        timestamp_to_civil(us, &c);
        us = timestamp_from_civil_local(&c);
    }
    *ret = (struct span){us - 15 * US_PER_MINUTE, us + 15 * US_PER_MINUTE};
    return 1;
}

static void narrow(struct timephrase *t, struct span s)
{
    int64_t since = t->since, until = t->until;
    if (s.since != TIME_UNKNOWN && (since == TIME_UNKNOWN || s.since > since))
        since = s.since;
    if (s.until != TIME_UNKNOWN && (until == TIME_UNKNOWN || s.until < until))
        until = s.until;
    /* Phrases that exclude each other: the later one counts. */
    if (since != TIME_UNKNOWN && until != TIME_UNKNOWN && since >= until) {
        since = s.since;
        until = s.until;
    }
    t->since = since;
    t->until = until;
    t->found = true;
}

static void take(struct timephrase_parser *p, struct timephrase *t, int i, int n)
{
    size_t from = p->tokens[i].from, to = p->tokens[i + n - 1].to;
    size_t have = strlen(t->said);
    snprintf(t->said + have, sizeof(t->said) - have, "%s%.*s", have ? ", " : "",
             (int)utf8_cut(p->s + from, to - from, 60), p->s + from);
    for (int k = i; k < i + n; k++)
        p->used[k] = true;
}

/* The text without the words that were taken and the blanks doubled by it. */
static void leave_rest(const struct timephrase_parser *p, struct timephrase *t)
{
    size_t out = 0, at = 0;
    for (int k = 0; k <= p->count; k++) {
        if (k < p->count && !p->used[k])
            continue;
        size_t end = k < p->count ? p->tokens[k].from : p->size;
        /* What stood between two of its words ("8 May, 2023") goes with them. */
        if (k && k < p->count && p->used[k - 1])
            at = end;
        for (; at < end; at++) {
            bool blank = p->s[at] == ' ' || p->s[at] == '\n' || p->s[at] == '\t';
            if (!blank || (out && t->rest[out - 1] != ' '))
                t->rest[out++] = blank ? ' ' : p->s[at];
        }
        if (k < p->count)
            at = p->tokens[k].to;
    }
    while (out && t->rest[out - 1] == ' ')
        out--;
    t->rest[out] = '\0';
}

void timephrase_parse(struct slice text, int64_t now, struct timephrase *ret)
{
    struct timephrase_parser p = {.s = text.data, .now = now, .yearless = &ret->yearless};
    p.size = utf8_cut(text.data, text.size, TIMEPHRASE_TEXT_MAX);
    *ret = (struct timephrase){.since = TIME_UNKNOWN, .until = TIME_UNKNOWN};
    timestamp_to_civil_local(now, &p.local);
    timephrase_split(&p);
    struct expr day = {0};
    for (int i = 0; i < p.count; i++) {
        struct span s;
        struct expr e = {0};
        int n = match_instant(&p, i, &s);
        if (!n)
            n = match_range(&p, i, day.base ? &day : NULL, &s);
        if (!n)
            n = match_beside(&p, i, &s);
        if (!n)
            n = match_open(&p, i, &s);
        if (!n)
            n = match_recent(&p, i, &s);
        if (!n) {
            n = match_expr(&p, i, false, &e);
            /* "moved to 01:10": a value, not when it was. */
            if (n && i > 0 && e.clock && !e.base && timephrase_is(&p, i - 1, "to"))
                n = 0;
            if (n)
                s = expr_margins(&p, &e);
        }
        if (!n)
            continue;
        narrow(ret, s);
        take(&p, ret, i, n);
        day = e;
        i += n - 1;
    }
    leave_rest(&p, ret);
}
