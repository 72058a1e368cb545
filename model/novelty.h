/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a channel does something it never did before. Six views of it (the value; its distance
 * from what its season expects, at three scales; how much it varies; how badly it was foreseen of
 * late) are each held against their whole range so far. An alert is a push beyond that range by a
 * share of it. One change gives one alert, then only something far stronger does. Memory about 2
 * KiB, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_NOVELTY_H
#define VARVE_MODEL_NOVELTY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/state.h"

enum novelty_view {
    NOVELTY_VALUE,
    NOVELTY_AWAY,   /* distance from the season */
    NOVELTY_AWAY4,  /* its mean over 4 samples */
    NOVELTY_AWAY16, /* over 16 */
    NOVELTY_CHANGE, /* log of the mean change from sample to sample over 64 */
    NOVELTY_BITS,   /* mean surprise over 32 */
    NOVELTY_VIEWS,
};

#define NOVELTY_RING 64

struct novelty_range {
    double low, high;         /* of the present block of samples */
    double low_old, high_old; /* of the block before */
    double push;              /* recent pushes beyond the range, in units of an alert, leaking */
};

struct novelty {
    uint64_t seen;
    uint64_t block_start;
    uint64_t alert_age; /* samples since the last alert */
    double last;
    uint64_t still;      /* samples that the value has not moved */
    int64_t still_since; /* time of the first of them, microseconds */
    double away[NOVELTY_RING], change[NOVELTY_RING], bits[NOVELTY_RING];
    double sums[NOVELTY_VIEWS];
    struct novelty_range ranges[NOVELTY_VIEWS];
};

struct novelty_input {
    int64_t time;
    double value;  /* finite */
    double season; /* what was expected of it, by season or slow level */
    double bits;   /* surprise of this sample */
    double floor;  /* smallest difference that matters, > 0 */
    double spread; /* mean distance from the slow level, >= 0 */
};

struct novelty_finding {
    double strength; /* 1 and above: an alert; 0..1e3 */
    enum novelty_view view;
    bool up;          /* beyond the upper end of the range */
    double level;     /* the view's value */
    double low, high; /* its range before */
};

void novelty_init(struct novelty *n);
/*
 * Judges and learns one sample. `count` is how many channels are watched together: the more, the
 * stronger a push must be.
 */
void novelty_observe(struct novelty *n, const struct novelty_input *in, uint32_t count,
                     struct novelty_finding *ret);
/* Saves or loads; see state.h. */
void novelty_walk(struct novelty *n, struct state *s);

#endif
