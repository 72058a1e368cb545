/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record's token: what each channel does now, at several scales, as a point in LATENT_DIM
 * dimensions. Every feature (level, slopes, roughness, surprise) lights one or two of a few soft
 * bins, so that the mean of the tokens of a span is the joint histogram of its features: spans of
 * like regime have a cosine near 1, other level, amplitude or rhythm turns it down. Each channel
 * has its own places, hashed from its name. No allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_SENSOR_LATENT_H
#define VARVE_MODEL_SENSOR_LATENT_H

#include <stdint.h>

#include "base/record.h"
#include "model/state.h"

#define SENSOR_LATENT_SCALES 4

/* One channel's state. */
struct sensor_latent {
    double means[SENSOR_LATENT_SCALES]; /* of the normalised value, quick to slow */
    double rough[SENSOR_LATENT_SCALES]; /* mean size of the bands between them */
    uint64_t seen;
};

/* Where a channel's bins lie, from its name. */
uint32_t sensor_latent_place(const char *name);

/*
 * Adds one channel's sample to a token. `value` is normalised by the channel's slow level and
 * spread, `units` the forecast error in usual sizes. ret[LATENT_DIM].
 */
void sensor_latent_add(struct sensor_latent *l, uint32_t place, double value, double units,
                       float *ret);

/* To unit length; all zero stays so. */
void sensor_latent_finish(float *latent);

/* Saves or loads; see state.h. */
void sensor_latent_walk(struct sensor_latent *l, struct state *s);

#endif
