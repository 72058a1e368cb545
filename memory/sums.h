/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one stream counted and measured in a span, as sums that can be merged, and the blob of table
 * stat that holds them (docs/format.md). The writer merges children with it, readers what they ask
 * for.
 *
 * Memory comes from the two arenas given at init: one for what lives as long as the sums, one for
 * profiles, which are large. Thread: none of its own.
 */
#ifndef VARVE_MEMORY_SUMS_H
#define VARVE_MEMORY_SUMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "memory/calendar.h"
#include "memory/stat.h"

#define SUMS_KINDS 256      /* of a span; the commonest stay, the rest counts as records only */
#define SUMS_CHANNELS 128   /* of a stream, the first ones */
#define SUMS_NAMES 5        /* entities of a span */
#define SUMS_MARKS 4        /* unusual runs of a span */
#define SUMS_FACTS 6        /* facts that a span was the first to state */
#define SUMS_MARK_TEXT 120  /* bytes of why */
#define PROFILE_KINDS 8     /* most kinds that have a profile, the commonest */
#define PROFILE_CHANNELS 32 /* most channels that have one, the first ones */

/* n values by their mean and the sum of their squared distances from it. */
struct spread {
    uint64_t n;
    double mean, m2, least, most;
};

struct sum {
    enum stat_what what;
    int64_t id;
    int64_t first_at, last_at; /* microseconds UTC, whole seconds once they were in a blob */
    uint64_t count;
    /* channels */
    struct spread values;
    double first, last;
    int64_t least_at, most_at;
    /* HOURS_OF_WEEK of them or NULL; of channels their values, else the count in an hour */
    struct spread *hours;
};

/* A name that the stream's records held. */
struct sum_name {
    int64_t entity;
    uint64_t count;
};

/* One of the most unusual runs. */
struct sum_mark {
    int64_t moment, at;
    double score, bits;
    uint32_t times; /* how many runs of the same wording it stands for */
    struct slice why;
};

/* A fact that was stated first in the span. */
struct sum_fact {
    int64_t fact, at;
    bool changed; /* it took another value's place */
};

struct sums {
    struct arena *arena, *profiles;
    struct sum *items; /* by what, id */
    uint32_t count, capacity;
    struct sum_name names[2 * SUMS_NAMES]; /* most frequent first; what is behind SUMS_NAMES is
                                              dropped when written */
    uint32_t name_count;
    struct sum_mark marks[SUMS_MARKS]; /* most unusual first */
    uint32_t mark_count;
    struct sum_fact facts[SUMS_FACTS]; /* changes before first statements, then by time */
    uint32_t fact_count;
};

void spread_add(struct spread *to, const struct spread *more);
void spread_value(struct spread *to, double value);
double spread_sd(const struct spread *s);

void sums_init(struct sums *s, struct arena *arena, struct arena *profiles);
/* The item, made when it is missing; NULL when memory is out. Valid until the next one is made. */
struct sum *sums_item(struct sums *s, enum stat_what what, int64_t id);
/* NULL when there is none. */
struct sum *sums_find(const struct sums *s, enum stat_what what, int64_t id);
/* Adds one item's numbers, without its profile. 0 or ERR_NOMEM. */
int sums_add(struct sums *s, const struct sum *more);
/* Counts `count` things of one time. */
int sums_count(struct sums *s, enum stat_what what, int64_t id, uint64_t count, int64_t first_at,
               int64_t last_at);
void sums_name(struct sums *s, int64_t entity, uint64_t count);
/* Keeps it if there is room, or it says more than one that is kept. */
void sums_fact(struct sums *s, const struct sum_fact *fact);
/* Keeps it if it is among the most unusual; the text is copied to the arena. 0 or ERR_NOMEM. */
int sums_mark(struct sums *s, const struct sum_mark *mark);

/*
 * Reads a blob and adds it. What a damaged one says is bounded: ERR_CORRUPT, then nothing or a part
 * of it was added. hour_of_week >= 0: the blob is that of an hour, whose sums join the profile.
 */
int sums_merge(struct sums *s, const void *blob, size_t size, int hour_of_week);
/*
 * Appends the blob. Keeps only what the bounds above allow, and of profiles that of all records
 * together and of at most `profiles` kinds or channels; 0: none at all.
 */
void sums_put(struct sums *s, uint32_t profiles, struct buf *out);

#endif
