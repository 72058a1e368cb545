/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ThinkRouter's rule (arXiv 2602.11683) one level up, for a moment instead of a token: with p the
 * unfiltered, temperature-scaled distribution over the stream's concept codes and c = max p,
 *
 *     c >= tau: latent path   the moment is of a known sort; its latent leans on the blend of the j
 *                             likeliest codes, weights renormalised to 1
 *     c <  tau: discrete path the moment is committed to the one explicit code it teaches, its own
 *                             latent is kept as it is, its evidence is indexed record by record
 *
 * tau moves with load inside its bounds: an idle machine looks closely (tau_max, more discrete), a
 * full queue takes the cheap path (tau_min). Deterministic: no code is drawn, the likeliest is
 * taken. Thread: one at a time. Allocates at _new only.
 */
#ifndef VARVE_MODEL_ROUTE_H
#define VARVE_MODEL_ROUTE_H

#include "base/error.h"
#include "base/record.h"
#include "model/codebook.h"

struct router;

struct router_options {
    float tau_min, tau_max; /* 0: 0.4 and 0.9 */
    uint32_t top;           /* j; 0: 10 */
    float blend;            /* share of the codes' blend in a latent-path latent; 0: 0.25 */
    struct codebook_options codebook;
};

struct route {
    enum moment_path path;
    uint32_t code;    /* the likeliest; on the discrete path the one learnt */
    float confidence; /* c; 0 while there is no code */
    float tau;
    float latent[LATENT_DIM]; /* to be stored: unit length or zero */
};

/* ERR_INVALID when the bounds are not 0 <= min <= max <= 1. ERR_NOMEM. */
int router_new(const struct router_options *options, struct router **ret);
void router_free(struct router *r);

/* How full the queues are, 0..1. Moves tau at once; other values are clamped. */
void router_load(struct router *r, float fill);
float router_tau(const struct router *r);

/* latent[LATENT_DIM], unit length or zero. The codebook learns from it after the decision. */
void router_route(struct router *r, const float *latent, struct route *ret);

/* blend[LATENT_DIM]: of the `top` likeliest of p[k], renormalised; not normalised in length. */
void router_blend(const struct codebook *c, const float *p, uint32_t k, uint32_t top, float *blend);

int router_save(const struct router *r, struct buf *out);
int router_restore(struct router *r, struct cursor *in, struct errmsg *err);

#endif
