/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution of one channel's forecast errors, learnt online, so that an error becomes a
 * probability that holds whatever its shape is: a histogram over the sign and the logarithm of the
 * error in units of its own recent size, slowly forgetting, and a power-law tail (Hill's estimate)
 * beyond what was seen. Fixed memory (about 1.5 KiB), no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_RESIDUAL_H
#define VARVE_MODEL_RESIDUAL_H

#include <stdint.h>

#include "model/state.h"

#define RESIDUAL_BINS 96 /* a side, an eighth of an octave each: 2^-4 to 2^8 */

struct residual {
    float counts[2][RESIDUAL_BINS]; /* below and above zero; in units of `grain` */
    float middle;                   /* errors smaller than the first bin */
    float grain;                    /* what the next error counts: grows, so that the past fades */
    double quick;                   /* recent size of an error, mean absolute, robust */
    double slow;
    double repeats; /* share of errors that repeat the one before: discrete data */
    double before;
    uint64_t seen;
};

void residual_init(struct residual *r);

/*
 * The two-sided probability of an error at least as far out as this one, before it is learnt;
 * 2^-40..1. `floor` is the smallest error that matters (the channel's resolution), >= 0.
 */
double residual_probability(const struct residual *r, double error, double floor);

/* Learns it. */
void residual_learn(struct residual *r, double error, double floor);

/* The error in units of its usual size. */
double residual_units(const struct residual *r, double error, double floor);

/* The errors between which the middle `share` (0.5..0.999) of them lie. */
void residual_interval(const struct residual *r, double share, double floor, double *ret_low,
                       double *ret_high);

void residual_walk(struct residual *r, struct state *s);

#endif
