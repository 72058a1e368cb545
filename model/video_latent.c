/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: each part is brought to about zero mean and to the weight it has in a cosine; what is
 * left of the 256 places stays empty before the turn. Failure modes: none. Sizes: 2 KiB of stack.
 */
#include "model/video_latent.h"

#include <math.h>
#include <string.h>

#include "model/kernels.h"

#define PATCH 4       /* raster pixels, the finest */
#define SHARPEST 1.5f /* grey levels a pixel from which an edge is counted */
#define EDGE_COLUMNS 3
#define EDGE_ROWS 2
/* Typical lengths of the parts stand against each other as these do. */
#define W_LAYOUT 0.012f
#define W_TINT 0.03f
#define W_EDGES 0.9f
#define W_COLOURS 0.9f
#define W_MOTION 0.35f
#define USUAL_LIGHT 110.0f

static uint32_t way_of(float gx, float gy)
{
    float angle = atan2f(gy, gx);
    if (angle < 0)
        angle += (float)M_PI;
    uint32_t way = (uint32_t)(angle / (float)M_PI * EDGE_WAYS + 0.5f);
    return way % EDGE_WAYS;
}

void video_weights_init(struct video_weights *w)
{
    /* A slope of one grey level a pixel gives one. */
    for (uint32_t i = 0; i < PATCH * PATCH; i++) {
        float middle = (PATCH - 1) / 2.0f, squares = PATCH * PATCH * (PATCH * PATCH - 1) / 12.0f;
        w->across[0][i] = ((float)(i % PATCH) - middle) / squares;
        w->down[0][i] = ((float)(i / PATCH) - middle) / squares;
    }
    for (uint32_t l = 1; l < PATCH_LEVELS; l++) {
        patch_enlarge(w->across[l - 1], PATCH << (l - 1), w->across[l]);
        patch_enlarge(w->down[l - 1], PATCH << (l - 1), w->down[l]);
    }
}

/* One look at all patches of a size; returns how many they are. */
static uint32_t look(const struct video_weights *w, const float *luma, uint32_t level, float *ret)
{
    uint32_t size = PATCH << level, n = 0;
    memset(ret, 0, EDGE_CELLS * EDGE_WAYS * sizeof(*ret));
    for (uint32_t top = 0; top < RASTER_HEIGHT; top += size)
        for (uint32_t left = 0; left < RASTER_WIDTH; left += size, n++) {
            float gx = 0, gy = 0;
            for (uint32_t y = 0; y < size; y++) {
                const float *at = luma + (top + y) * RASTER_WIDTH + left;
                for (uint32_t x = 0; x < size; x++) {
                    gx += w->across[level][y * size + x] * at[x];
                    gy += w->down[level][y * size + x] * at[x];
                }
            }
            float strength = sqrtf(gx * gx + gy * gy);
            uint32_t cell =
                top * EDGE_ROWS / RASTER_HEIGHT * EDGE_COLUMNS + left * EDGE_COLUMNS / RASTER_WIDTH;
            if (strength >= SHARPEST)
                ret[cell * EDGE_WAYS + way_of(gx, gy)] += strength * (float)(size * size);
        }
    return n;
}

uint32_t video_look(struct video_detail *d, const struct video_weights *w, const struct raster *r,
                    uint32_t level)
{
    float edges[EDGE_CELLS * EDGE_WAYS];
    uint32_t n = look(w, r->planes[RASTER_Y], level, edges);
    if (level == 0) {
        memcpy(d->luma, r->planes[RASTER_Y], sizeof(d->luma));
        memcpy(d->edges, edges, sizeof(edges));
        memcpy(d->now, edges, sizeof(edges));
        memset(d->known, 0, sizeof(d->known));
        return n;
    }
    if (!d->known[level - 1])
        n += look(w, d->luma, level, d->coarse[level - 1]);
    d->known[level - 1] = true;
    for (uint32_t i = 0; i < EDGE_CELLS * EDGE_WAYS; i++)
        d->now[i] = fmaxf(d->edges[i] + edges[i] - d->coarse[level - 1][i], 0);
    return n;
}

void video_detail_walk(struct video_detail *d, struct state *s)
{
    bool whole = !s->brief;
    state_bool(s, &whole);
    if (!whole || s->failed)
        return;
    raster_walk(d->luma, s);
    state_f32s(s, d->edges, EDGE_CELLS * EDGE_WAYS);
    for (int l = 0; l < PATCH_LEVELS - 1; l++) {
        state_bool(s, &d->known[l]);
        state_f32s(s, d->coarse[l], EDGE_CELLS * EDGE_WAYS);
    }
}

/* Roots of shares, so that a rare one counts, less the root of an even share. */
static void even_out(float *shares, uint32_t n)
{
    float sum = 1e-6f;
    for (uint32_t i = 0; i < n; i++)
        sum += shares[i];
    for (uint32_t i = 0; i < n; i++)
        shares[i] = sqrtf(shares[i] / sum) - (sum > 1e-3f ? sqrtf(0.5f / (float)n) : 0);
}

static float cell_mean(const float *tiles, uint32_t cell)
{
    const float *at = tiles + cell / CELL_COLUMNS * 2 * TILE_COLUMNS + cell % CELL_COLUMNS * 2;
    return (at[0] + at[1] + at[TILE_COLUMNS] + at[TILE_COLUMNS + 1]) / 4;
}

/* A hash's bit decides the sign, then the unnormalised Walsh-Hadamard transform in place. */
static void turn(float *v)
{
    uint32_t hash = 0x9e3779b9u;
    for (uint32_t i = 0; i < LATENT_DIM; i++) {
        hash ^= hash << 13;
        hash ^= hash >> 17;
        hash ^= hash << 5;
        v[i] = hash & 0x10000 ? -v[i] : v[i];
    }
    for (uint32_t half = 1; half < LATENT_DIM; half *= 2)
        for (uint32_t i = 0; i < LATENT_DIM; i += 2 * half)
            for (uint32_t k = i; k < i + half; k++) {
                float a = v[k], b = v[k + half];
                v[k] = a + b;
                v[k + half] = a - b;
            }
}

void video_latent(const struct picture *p, const struct motion_finding *m,
                  const struct video_detail *d, float *ret)
{
    float edges[EDGE_CELLS * EDGE_WAYS], colours[COLOUR_BINS];
    uint32_t at = 0;
    memcpy(edges, d->now, sizeof(edges));
    memcpy(colours, p->colours, sizeof(colours));
    even_out(edges, EDGE_CELLS * EDGE_WAYS);
    even_out(colours, COLOUR_BINS);
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    for (uint32_t c = 0; c < CELLS; c++) {
        ret[at++] = W_LAYOUT * (cell_mean(p->tiles[RASTER_Y], c) - USUAL_LIGHT);
        ret[at++] = W_TINT * (cell_mean(p->tiles[RASTER_CB], c) - 128);
        ret[at++] = W_TINT * (cell_mean(p->tiles[RASTER_CR], c) - 128);
        ret[at++] = W_MOTION * sqrtf(cell_mean(m->moved, c));
    }
    for (uint32_t i = 0; i < EDGE_CELLS * EDGE_WAYS; i++)
        ret[at++] = W_EDGES * edges[i];
    for (uint32_t i = 0; i < COLOUR_BINS; i++)
        ret[at++] = W_COLOURS * colours[i];
    _Static_assert(EDGE_ROWS * EDGE_COLUMNS == EDGE_CELLS, "cells of edges");
    _Static_assert(4 * CELLS + EDGE_CELLS * EDGE_WAYS + COLOUR_BINS <= LATENT_DIM,
                   "too many parts");
    turn(ret);
    kernel_normalise(ret, LATENT_DIM);
}
