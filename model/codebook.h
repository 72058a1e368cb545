/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An online codebook: spherical k-means that learns with every latent it sees, and a distribution
 * over its codes for the next one. K codes of LATENT_DIM unit vectors. Thread: one at a time.
 * Allocates at _new only.
 */
#ifndef VARVE_MODEL_CODEBOOK_H
#define VARVE_MODEL_CODEBOOK_H

#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"

#define CODEBOOK_MAX 256

struct codebook;

struct codebook_options {
    uint32_t codes;    /* K, 1..CODEBOOK_MAX; 0: 64 */
    float temperature; /* of the softmax over cosines; 0: 0.1 */
    float open;        /* a latent with no code at least this near opens a new one; 0: 0.6 */
};

/* ERR_INVALID, ERR_NOMEM. */
int codebook_new(const struct codebook_options *options, struct codebook **ret);
void codebook_free(struct codebook *c);

/* Codes in use. */
uint32_t codebook_count(const struct codebook *c);
/* codes[LATENT_DIM] of one code, unit length. */
const float *codebook_code(const struct codebook *c, uint32_t code);
/*
 * ret[codebook_count]: softmax of cosine / temperature over all codes in use, nothing filtered out,
 * and over "none of them", a code as near as `open`: so a young book of two codes is not sure of
 * what is like neither, and ret sums to less than 1. latent[LATENT_DIM], unit length or zero.
 */
void codebook_distribution(const struct codebook *c, const float *latent, float *ret);
/*
 * Learns: moves the nearest code by 1/n of its visits (at least 1/64, so old codes still follow),
 * or opens one while there is room; when there is none, the code used least lately and seldom gives
 * way to a latent that is far from all. Returns the code the latent now belongs to; a zero latent
 * teaches nothing and belongs to code 0.
 */
uint32_t codebook_learn(struct codebook *c, const float *latent);

int codebook_save(const struct codebook *c, struct buf *out);
/* ERR_CORRUPT leaves the codebook empty. */
int codebook_load(struct codebook *c, struct cursor *in, struct errmsg *err);

#endif
