/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a channel does something it never did before: its value, or its mean over three scales, lies
 * beyond the whole range seen so far by a share of that range. One change gives one alert, then rest.
 * Fixed memory, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_NOVELTY_H
#define VARVE_MODEL_NOVELTY_H

#include <stdint.h>

#include "model/state.h"

#define NOVELTY_SCALES 4

struct novelty {
    uint64_t seen;
    double mean[NOVELTY_SCALES];
    double low[NOVELTY_SCALES], high[NOVELTY_SCALES];
    uint64_t rest; /* records until the next alert is allowed */
};

struct novelty_finding {
    double strength; /* 1 and above: an alert */
    int scale;       /* which mean; 0: the value itself */
    double level;    /* that mean */
    double low, high; /* its range before */
};

void novelty_init(struct novelty *n);
/* Judges and learns one sample; value finite. */
void novelty_observe(struct novelty *n, double value, double floor, struct novelty_finding *ret);
/* Saves or loads; see state.h. */
void novelty_walk(struct novelty *n, struct state *s);

#endif
