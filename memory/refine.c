/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two items hang together by the cosine of their latents, where both have one of the same model,
 * and by how close in time they are, so that streams of different kinds join too. Modularity
 * compares what hangs together within the two sides with what chance would give. Sizes: 10 KiB of
 * stack.
 */
#include "memory/refine.h"

#include <math.h>

#include "base/clock.h"

#define CLOSE (60 * US_PER_SECOND)
#define TIME_WEIGHT 0.3

static double cosine(const struct refine_item *a, const struct refine_item *b)
{
    int64_t dot = 0, aa = 0, bb = 0;
    for (int i = 0; i < LATENT_DIM; i++) {
        dot += a->vec[i] * b->vec[i];
        aa += a->vec[i] * a->vec[i];
        bb += b->vec[i] * b->vec[i];
    }
    return aa && bb && dot > 0 ? (double)dot / sqrt((double)aa * (double)bb) : 0;
}

static float bond(const struct refine_item *a, const struct refine_item *b)
{
    double apart = fabs((double)(a->time - b->time)) / (double)CLOSE;
    double alike = a->model && a->model == b->model ? cosine(a, b) : 0;
    return (float)(alike + TIME_WEIGHT * exp(-apart));
}

uint32_t refine_cut(const struct refine_item *items, uint32_t n, uint32_t from, uint32_t cut)
{
    float bonds[2 * REFINE_WINDOW][2 * REFINE_WINDOW];
    double degree[2 * REFINE_WINDOW] = {0}, all = 0, best = -INFINITY;
    uint32_t best_at = cut;
    if (n > 2 * REFINE_WINDOW || from < 1 || cut >= n)
        return cut;
    for (uint32_t i = 0; i < n; i++) {
        bonds[i][i] = 0;
        for (uint32_t k = 0; k < i; k++)
            bonds[i][k] = bonds[k][i] = bond(&items[i], &items[k]);
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            degree[i] += (double)bonds[i][k];
    for (uint32_t i = 0; i < n; i++)
        all += degree[i];
    for (uint32_t at = from; at <= cut && all > 0; at++) {
        double within = 0, left = 0, right = 0;
        for (uint32_t i = 0; i < n; i++) {
            *(i < at ? &left : &right) += degree[i];
            for (uint32_t k = 0; k < n; k++)
                within += (i < at) == (k < at) ? (double)bonds[i][k] : 0;
        }
        double modularity = within / all - (left * left + right * right) / (all * all);
        if (modularity >= best) { /* of equals the later one: surprise said so */
            best = modularity;
            best_at = at;
        }
    }
    return best_at;
}
