/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From surprise in bits to unusualness: where a surprise lies among those of the stream's last some
 * 4,000 records. Fixed memory; one owner, no thread.
 */
#ifndef VARVE_MODEL_TAIL_H
#define VARVE_MODEL_TAIL_H

#include <stdint.h>

#include "model/state.h"

#define TAIL_BINS 256

struct tail {
    uint64_t seen;
    double weight; /* of the next record; grows, which is how earlier ones fade */
    double total;
    double bins[TAIL_BINS]; /* weight of the surprises of so many quarter bits */
};

void tail_init(struct tail *t);
/*
 * How likely so much surprise or more is on this stream, 0..1. Never less than 2^-bits: what the
 * model gave that probability cannot be rarer.
 */
double tail_probability(const struct tail *t, double bits);
/*
 * The share of the recent surprises that were at least so great, this one counted among them: what
 * makes a calibrated probability of one that is not. Beyond the greatest it halves a bit. 0..1.
 */
double tail_rank(const struct tail *t, double bits);
void tail_learn(struct tail *t, double bits);
/* 0..1; 0.5 for one in a thousand. Below 0.5 during the stream's first records, whatever they are.
 */
double tail_score(const struct tail *t, double probability);
/* Saves or loads; see state.h. */
void tail_walk(struct tail *t, struct state *s);

#endif
