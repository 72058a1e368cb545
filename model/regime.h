/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a series changes its regime: from when on its short shapes find their like only among
 * themselves. Streaming form of classification score profiles (ClaSP and ClaSS, Schäfer, Ermshaus
 * and Leser): each window of REGIME_WIDTH values knows its three nearest neighbours of like shape;
 * a cut is good when those neighbours tell on which side of it a window lies. Level and amplitude
 * alone do not count: windows are compared after taking out mean and size.
 *
 * About 105 KiB, no allocation after _new; a push costs in proportion to the values kept, some
 * microseconds. One owner, no thread.
 */
#ifndef VARVE_MODEL_REGIME_H
#define VARVE_MODEL_REGIME_H

#include <stdint.h>

#include "model/state.h"

#define REGIME_LENGTH 3072 /* values kept */
#define REGIME_WIDTH 20    /* values in a window */

struct regime;

/* 0 or ERR_NOMEM. */
int regime_new(struct regime **ret);
void regime_free(struct regime *r);

/*
 * The next value, best around -3..3 (it is cut at +-16). Returns 0, or 1 when a change is known:
 * *ret_back values ago (0: this one) the new regime began. That is a few hundred at most as a rule.
 */
int regime_push(struct regime *r, double value, uint32_t *ret_back);

/* Saves or loads; see state.h. Brief: an empty state. After a failed load the state is empty. */
void regime_walk(struct regime *r, struct state *s);

#endif
