/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: each part is brought to about zero mean and to the weight it has in a cosine; what is
 * left of the 256 places stays empty before the turn. Failure modes: none. Sizes: 1 KiB of stack.
 */
#include "model/video_latent.h"

#include <math.h>
#include <string.h>

#include "model/kernels.h"

#define SHARPEST 6.0f /* grey levels between neighbours from which a way is counted */
#define ROUGH_USUAL 2.0f
/* Typical lengths of the parts stand against each other as these do. */
#define W_LAYOUT 0.012f
#define W_TINT 0.03f
#define W_EDGES 0.9f
#define W_ROUGH 0.15f
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

static void look_for_edges(const struct raster *r, struct video_detail *ret)
{
    const float *luma = r->planes[RASTER_Y];
    float rough[CELLS] = {0};
    for (uint32_t y = 1; y + 1 < RASTER_HEIGHT; y++)
        for (uint32_t x = 1; x + 1 < RASTER_WIDTH; x++) {
            const float *at = luma + y * RASTER_WIDTH + x;
            float gx = at[1] - at[-1], gy = at[RASTER_WIDTH] - at[-RASTER_WIDTH];
            float size = sqrtf(gx * gx + gy * gy);
            rough[y * CELL_ROWS / RASTER_HEIGHT * CELL_COLUMNS + x * CELL_COLUMNS / RASTER_WIDTH] +=
                size;
            if (size < SHARPEST)
                continue;
            uint32_t cell = y * 2 / RASTER_HEIGHT * 3 + x * 3 / RASTER_WIDTH;
            ret->edges[cell * EDGE_WAYS + way_of(gx, gy)] += size;
        }
    for (uint32_t c = 0; c < CELLS; c++)
        ret->rough[c] = log1pf(rough[c] * CELLS / RASTER_SIZE) - ROUGH_USUAL;
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

void video_latent_detail(const struct raster *r, const struct picture *p, struct video_detail *ret)
{
    memset(ret, 0, sizeof(*ret));
    look_for_edges(r, ret);
    even_out(ret->edges, EDGE_CELLS * EDGE_WAYS);
    memcpy(ret->colours, p->colours, sizeof(ret->colours));
    even_out(ret->colours, COLOUR_BINS);
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
    uint32_t at = 0;
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    for (uint32_t c = 0; c < CELLS; c++) {
        ret[at++] = W_LAYOUT * (cell_mean(p->tiles[RASTER_Y], c) - USUAL_LIGHT);
        ret[at++] = W_TINT * (cell_mean(p->tiles[RASTER_CB], c) - 128);
        ret[at++] = W_TINT * (cell_mean(p->tiles[RASTER_CR], c) - 128);
        ret[at++] = W_ROUGH * d->rough[c];
        ret[at++] = W_MOTION * sqrtf(cell_mean(m->moved, c));
    }
    for (uint32_t i = 0; i < EDGE_CELLS * EDGE_WAYS; i++)
        ret[at++] = W_EDGES * d->edges[i];
    for (uint32_t i = 0; i < COLOUR_BINS; i++)
        ret[at++] = W_COLOURS * d->colours[i];
    _Static_assert(5 * CELLS + EDGE_CELLS * EDGE_WAYS + COLOUR_BINS <= LATENT_DIM,
                   "too many parts");
    turn(ret);
    kernel_normalise(ret, LATENT_DIM);
}
