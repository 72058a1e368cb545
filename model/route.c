/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ThinkRouter: one comparison decides. The stored latent of the latent path is own·(1−b) + blend·b,
 * renormalised: leaning on the codes takes noise out of what is common, and the own share keeps two
 * moments of one sort apart in a search. Failure modes: none after _new. Sizes: the codebook's.
 */
#include "model/route.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

struct router {
    struct router_options options;
    struct codebook *codebook;
    float fill;
};

int router_new(const struct router_options *options, struct router **ret)
{
    struct router_options o = *options;
    if (o.tau_min == 0 && o.tau_max == 0) {
        o.tau_min = 0.4f;
        o.tau_max = 0.9f;
    }
    o.top = o.top ? o.top : 10;
    o.blend = o.blend == 0 ? 0.25f : o.blend;
    if (!(o.tau_min >= 0 && o.tau_min <= o.tau_max && o.tau_max <= 1 && o.blend >= 0 &&
          o.blend <= 1))
        return ERR_INVALID;
    struct router *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->options = o;
    int rc = codebook_new(&o.codebook, &r->codebook);
    if (rc) {
        mem_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    codebook_free(r->codebook);
    mem_free(r);
}

void router_load(struct router *r, float fill)
{
    r->fill = fill > 0 ? fminf(fill, 1) : 0;
}

float router_tau(const struct router *r)
{
    return r->options.tau_max - r->fill * (r->options.tau_max - r->options.tau_min);
}

void router_blend(const struct codebook *c, const float *p, uint32_t k, uint32_t top, float *blend)
{
    bool taken[CODEBOOK_MAX] = {false};
    uint32_t likely[CODEBOOK_MAX];
    float sum = 0;
    uint32_t j = top < k ? top : k;
    for (uint32_t n = 0; n < j; n++) {
        uint32_t best = k;
        for (uint32_t i = 0; i < k; i++)
            if (!taken[i] && (best == k || p[i] > p[best]))
                best = i;
        taken[best] = true;
        likely[n] = best;
        sum += p[best];
    }
    memset(blend, 0, LATENT_DIM * sizeof(*blend));
    for (uint32_t n = 0; sum > 0 && n < j; n++) {
        const float *code = codebook_code(c, likely[n]);
        float weight = p[likely[n]] / sum;
        for (int d = 0; d < LATENT_DIM; d++)
            blend[d] += weight * code[d];
    }
}

static void lean(const struct router *r, const float *own, const float *p, uint32_t k, float *out)
{
    float blend[LATENT_DIM];
    float norm = 0;
    router_blend(r->codebook, p, k, r->options.top, blend);
    for (int d = 0; d < LATENT_DIM; d++) {
        out[d] = (1 - r->options.blend) * own[d] + r->options.blend * blend[d];
        norm += out[d] * out[d];
    }
    norm = sqrtf(norm);
    for (int d = 0; d < LATENT_DIM; d++)
        out[d] = norm > 1e-6f ? out[d] / norm : own[d];
}

void router_route(struct router *r, const float *latent, struct route *ret)
{
    float p[CODEBOOK_MAX];
    uint32_t k = codebook_count(r->codebook);
    codebook_distribution(r->codebook, latent, p);
    *ret = (struct route){.path = PATH_DISCRETE, .tau = router_tau(r)};
    for (uint32_t i = 0; i < k; i++) {
        if (p[i] > ret->confidence) {
            ret->confidence = p[i];
            ret->code = i;
        }
    }
    if (k > 0 && ret->confidence >= ret->tau) {
        ret->path = PATH_LATENT;
        lean(r, latent, p, k, ret->latent);
        codebook_learn(r->codebook, latent);
        return;
    }
    memcpy(ret->latent, latent, sizeof(ret->latent));
    ret->code = codebook_learn(r->codebook, latent);
}

int router_save(const struct router *r, struct buf *out)
{
    return codebook_save(r->codebook, out);
}

int router_restore(struct router *r, struct cursor *in, struct errmsg *err)
{
    return codebook_load(r->codebook, in, err);
}
