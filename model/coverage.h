/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a memory is about, as few of many features: a sparse dictionary over latents, learned online.
 * A latent's code is up to COVERAGE_ACTIVE features, each the one with the largest product (at least
 * COVERAGE_LEAST) with what the ones before it left; decoder and encoder are the same unit vectors. Whoever keeps memories counts for
 * each feature how many of them have it, and keeps what uniquely has one.
 *
 * Thread: one at a time. Allocates at _new only. 256 KiB.
 */
#ifndef VARVE_MODEL_COVERAGE_H
#define VARVE_MODEL_COVERAGE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"

#define COVERAGE_FEATURES 256 /* an id fits a byte */
#define COVERAGE_ACTIVE 8
#define COVERAGE_LEAST 0.2f

struct coverage;

struct coverage_code {
    uint32_t count;
    uint8_t ids[COVERAGE_ACTIVE]; /* in the order they were taken */
    float values[COVERAGE_ACTIVE];
};

int coverage_new(struct coverage **ret);
/* NULL is allowed. */
void coverage_free(struct coverage *c);

/* latent[LATENT_DIM], unit length or zero; a zero or not finite one has no features. */
void coverage_encode(const struct coverage *c, const float *latent, struct coverage_code *ret);
/*
 * Learns from a latent, and gives its code as it is after that. A latent that the dictionary cannot
 * put together well gets a feature of its own from those that are not in use: never used, or not
 * used lately and with kept[id] 0. kept[COVERAGE_FEATURES]: memories that have the feature.
 */
void coverage_learn(struct coverage *c, const float *latent, const uint32_t *kept,
                    struct coverage_code *ret);
/* Share of a latent that its code does not give back, 0..1. */
float coverage_error(const struct coverage *c, const float *latent);
/* Features in use. */
uint32_t coverage_used(const struct coverage *c);

/* A byte a number. The live vectors become what was saved, so that a restart changes nothing. */
int coverage_save(struct coverage *c, struct buf *out);
/* ERR_CORRUPT leaves it empty. */
int coverage_load(struct coverage *c, struct cursor *in, struct errmsg *err);

#endif
