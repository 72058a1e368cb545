/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: one walk over the text makes its words, in order; the rest answers what word i is.
 * Nothing fails: words past the 160th are not seen, of a long word the first 27 bytes count.
 */
#include "memory/timephrase_words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static int number_word(const char *w)
{
    static const char *const words[] = {"zero",  "one",   "two",  "three", "four",   "five",  "six",
                                        "seven", "eight", "nine", "ten",   "eleven", "twelve"};
    for (int i = 0; i < 13; i++)
        if (strcmp(w, words[i]) == 0)
            return i;
    if (strcmp(w, "a") == 0 || strcmp(w, "an") == 0)
        return 1;
    if (strcmp(w, "fifteen") == 0)
        return 15;
    if (strcmp(w, "twenty") == 0)
        return 20;
    return strcmp(w, "thirty") == 0 ? 30 : -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static void add_token(struct timephrase_parser *p, size_t from, size_t to)
{
    if (p->count == TIMEPHRASE_TOKENS_MAX)
        return;
    struct timephrase_token *t = &p->tokens[p->count++];
    size_t n = 0;
    t->digits = true;
    for (size_t i = from; i < to; i++) {
        char c = p->s[i];
        t->digits &= is_digit(c);
        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        if (n + 1 < sizeof(t->text))
            t->text[n++] = c;
    }
    t->text[n] = '\0';
    if (strcmp(t->text, "a.m") == 0 || strcmp(t->text, "p.m") == 0)
        memmove(t->text + 1, t->text + 2, 2);
    t->number = -1;
    if (!t->digits)
        t->number = number_word(t->text);
    else if (n <= 4)
        sscanf(t->text, "%4d", &t->number);
    t->from = from;
    t->to = to;
}

/* A figure and what is glued to it ("3am", "24h", "8th") are two words; "th" and the like are
 * dropped. */
static void split_token(struct timephrase_parser *p, size_t from, size_t to)
{
    size_t i = from;
    while (i < to && is_digit(p->s[i]))
        i++;
    bool letters = i > from && i < to && to - i <= 7;
    for (size_t k = i; k < to; k++)
        letters &= !is_digit(p->s[k]) && p->s[k] != ':' && p->s[k] != '-';
    if (!letters) {
        add_token(p, from, to);
        return;
    }
    bool ordinal =
        to - i == 2 && (!strncasecmp(p->s + i, "th", 2) || !strncasecmp(p->s + i, "st", 2) ||
                        !strncasecmp(p->s + i, "nd", 2) || !strncasecmp(p->s + i, "rd", 2));
    add_token(p, from, i);
    if (!ordinal)
        add_token(p, i, to);
    else if (p->count)
        p->tokens[p->count - 1].to = to;
}

void timephrase_split(struct timephrase_parser *p)
{
    size_t i = 0;
    while (i < p->size) {
        if (!is_word(p->s[i])) {
            i++;
            continue;
        }
        size_t from = i;
        /* Signs between two word characters belong to the word: 13:00, 2026-11-20, a.m., o'clock.
         */
        while (i < p->size && (is_word(p->s[i]) || (strchr(":-.'+", p->s[i]) && p->s[i] &&
                                                    i + 1 < p->size && is_word(p->s[i + 1]))))
            i++;
        split_token(p, from, i);
    }
}

bool timephrase_is(const struct timephrase_parser *p, int i, const char *word)
{
    return i < p->count && !p->used[i] && strcmp(p->tokens[i].text, word) == 0;
}

bool timephrase_any(const struct timephrase_parser *p, int i, const char *const *words)
{
    for (; *words; words++)
        if (timephrase_is(p, i, *words))
            return true;
    return false;
}

int timephrase_number(const struct timephrase_parser *p, int i)
{
    return i < p->count && !p->used[i] ? p->tokens[i].number : -1;
}

bool timephrase_figure(const struct timephrase_parser *p, int i, int low, int high)
{
    return i < p->count && !p->used[i] && p->tokens[i].digits && p->tokens[i].number >= low &&
           p->tokens[i].number <= high;
}

enum timephrase_unit timephrase_unit_at(const struct timephrase_parser *p, int i)
{
    static const char *const names[TIMEPHRASE_UNITS][6] = {
        [TIMEPHRASE_SECOND] = {"second", "seconds", "sec", "secs", "s"},
        [TIMEPHRASE_MINUTE] = {"minute", "minutes", "min", "mins", "m"},
        [TIMEPHRASE_HOUR] = {"hour", "hours", "hr", "hrs", "h"},
        [TIMEPHRASE_DAY] = {"day", "days", "d"},
        [TIMEPHRASE_WEEK] = {"week", "weeks", "w"},
        [TIMEPHRASE_MONTH] = {"month", "months"},
        [TIMEPHRASE_YEAR] = {"year", "years"},
    };
    for (int u = TIMEPHRASE_SECOND; u < TIMEPHRASE_UNITS; u++)
        if (timephrase_any(p, i, names[u]))
            return u;
    return TIMEPHRASE_NONE;
}

int64_t timephrase_unit_us(enum timephrase_unit u)
{
    static const int64_t us[TIMEPHRASE_UNITS] = {
        [TIMEPHRASE_SECOND] = US_PER_SECOND,  [TIMEPHRASE_MINUTE] = US_PER_MINUTE,
        [TIMEPHRASE_HOUR] = US_PER_HOUR,      [TIMEPHRASE_DAY] = US_PER_DAY,
        [TIMEPHRASE_WEEK] = 7 * US_PER_DAY,   [TIMEPHRASE_MONTH] = 30 * US_PER_DAY,
        [TIMEPHRASE_YEAR] = 365 * US_PER_DAY,
    };
    return us[u];
}
