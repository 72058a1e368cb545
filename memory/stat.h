/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was counted and measured of each stream in spans of time: how often each kind of line, the
 * range and mean of each channel. Moments carry sums (table stat), and each stratum carries those
 * of what lies below it, so an answer needs neither moments nor evidence and outlives them.
 *
 * From days up there is also a profile over the hours of a week, from which "was this normal for a
 * Tuesday night?" is answered.
 *
 * Thread: as the reader. Every call is one snapshot of its own.
 */
#ifndef VARVE_MEMORY_STAT_H
#define VARVE_MEMORY_STAT_H

#include "base/arena.h"
#include "base/error.h"
#include "memory/calendar.h"
#include "memory/reader.h"

enum stat_what {
    STAT_RECORDS = 0, /* all records of the stream; id 0 */
    STAT_KIND = 1,    /* lines of a kind; id is that of table kind */
    STAT_CHANNEL = 2, /* values of a channel; id is its index */
};

struct stat_item {
    int64_t stream;
    enum stat_what what;
    int64_t id;
    const char *name;          /* the kind's words with <*>, or the channel's name; "" */
    uint64_t count;            /* records, lines or values */
    int64_t first_at, last_at; /* event times, to the second */
    /* channels only */
    double first, last, least, most, mean, sd;
    int64_t least_at, most_at;
};

/*
 * Items over [since, until), each time counted once: the coarsest spans that lie inside, finer ones
 * at the ends. Where only a coarse span is left of an end it is counted if more than half of it
 * lies inside.
 */
int stat_range(struct reader *r, int64_t stream, int64_t since, int64_t until, struct arena *arena,
               struct stat_item **ret, uint32_t *ret_count, struct errmsg *err);

/*
 * What is usual. Of a channel: of its values. Of records and kinds: of how many come in an hour
 * (hours without any count as 0).
 */
struct stat_usual {
    uint64_t n;     /* values, or hours, that it rests on; 0: nothing is known */
    uint32_t weeks; /* over how many weeks they are spread */
    double mean, sd, least, most;
};

/*
 * For an hour of the week (calendar_hour_of_week; -1: any hour) from all strata that are left,
 * without what lies in [except_since, except_until), which may be empty.
 */
int stat_usual(struct reader *r, int64_t stream, enum stat_what what, int64_t id, int hour,
               int64_t except_since, int64_t except_until, struct stat_usual *ret,
               struct errmsg *err);

/* A kind of line by words that all occur in it, or a channel by its name: those that match best
 * first, at most `limit`; only what, id, stream, name, count, first_at and last_at are filled. */
int stat_find(struct reader *r, int64_t stream, const char *words, uint32_t limit,
              struct arena *arena, struct stat_item **ret, uint32_t *ret_count, struct errmsg *err);

#endif
