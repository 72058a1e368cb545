/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a question as timephrase.c reads them, and its state while it does. Within memory/
 * only. Pure; any thread that owns the parser. An index past the last word, or of a word that was
 * taken, is no word: it equals nothing and has no number.
 */
#ifndef VARVE_MEMORY_TIMEPHRASE_WORDS_H
#define VARVE_MEMORY_TIMEPHRASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timestamp.h"

#define TIMEPHRASE_TOKENS_MAX 160

struct timephrase_token {
    char text[28];   /* lower case, cut */
    int number;      /* -1: none; a figure or a number word */
    bool digits;     /* written in figures */
    size_t from, to; /* where it stands in the text */
};

struct timephrase_parser {
    const char *s; /* lent by the caller */
    size_t size;
    struct timephrase_token tokens[TIMEPHRASE_TOKENS_MAX];
    int count;
    bool used[TIMEPHRASE_TOKENS_MAX]; /* taken by a phrase */
    int64_t now;
    struct civil local; /* of now */
    bool *yearless;     /* set where a year was guessed */
};

enum timephrase_unit {
    TIMEPHRASE_NONE,
    TIMEPHRASE_SECOND,
    TIMEPHRASE_MINUTE,
    TIMEPHRASE_HOUR,
    TIMEPHRASE_DAY,
    TIMEPHRASE_WEEK,
    TIMEPHRASE_MONTH,
    TIMEPHRASE_YEAR,
    TIMEPHRASE_UNITS
};

/* Fills the words of s and size; count is 0 before. */
void timephrase_split(struct timephrase_parser *p);

/* Whether word i is `word`, in lower case; whether it is one of `words`, which end in NULL. */
bool timephrase_is(const struct timephrase_parser *p, int i, const char *word);
bool timephrase_any(const struct timephrase_parser *p, int i, const char *const *words);

/* The number that word i says, in figures or letters ("a" is 1); -1: none. */
int timephrase_number(const struct timephrase_parser *p, int i);

/* Whether word i is a number in figures, low and high included. */
bool timephrase_figure(const struct timephrase_parser *p, int i, int low, int high);

/* TIMEPHRASE_NONE: word i is no unit of time. */
enum timephrase_unit timephrase_unit_at(const struct timephrase_parser *p, int i);

/* Microseconds; a month is 30 days here, a year 365. 0 for TIMEPHRASE_NONE. */
int64_t timephrase_unit_us(enum timephrase_unit u);

#endif
