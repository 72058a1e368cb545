/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: tile by tile, absolute differences less the median tile's change of light; a pixel
 * moved when its difference is far out of its tile's noise, which is learnt from what does not
 * move. Failure modes: none. Sizes: a frame's luma and 4 KiB of stack.
 */
#include "model/motion.h"

#include <math.h>
#include <string.h>

#define NOISE_FIRST 1.0f /* grey levels */
#define NOISE_LEAST 0.3f
#define NOISE_RATE 0.02f
#define MOVED 5.0f       /* times the noise */
#define MOVED_LEAST 6.0f /* grey levels */
#define SHARE_SURE 0.02f /* of a tile's pixels: one or two are noise */
/* A picture that stands still, encoded as video, still settles: few pixels, by a level or two. */
#define SETTLES_SHARE 0.05f
#define SETTLES_MOST 2.0f

void motion_init(struct motion *m)
{
    memset(m, 0, sizeof(*m));
    for (uint32_t t = 0; t < TILES; t++)
        m->noise[t] = NOISE_FIRST;
}

void motion_restart(struct motion *m)
{
    m->seen = 0;
}

/* The middle one of the tiles' mean changes: what moves inside the picture does not shift it. */
static float median_change(const float *changes)
{
    float sorted[TILES];
    memcpy(sorted, changes, sizeof(sorted));
    for (uint32_t i = 1; i < TILES; i++) {
        float v = sorted[i];
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > v; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = v;
    }
    return sorted[TILES / 2];
}

static uint32_t pixel_of(uint32_t tile, uint32_t i)
{
    uint32_t x = tile % TILE_COLUMNS * TILE + i % TILE, y = tile / TILE_COLUMNS * TILE + i / TILE;
    return y * RASTER_WIDTH + x;
}

static void learn_noise(struct motion *m, uint32_t t, float difference)
{
    float most = 2 * m->noise[t] + 0.1f;
    m->noise[t] += NOISE_RATE * ((difference < most ? difference : most) - m->noise[t]);
    if (m->noise[t] < NOISE_LEAST)
        m->noise[t] = NOISE_LEAST;
}

/* One tile's differences; returns their mean. */
static float look_at_tile(struct motion *m, uint32_t t, const float *differences, float light,
                          struct motion_finding *ret)
{
    float bound = fmaxf(MOVED * m->noise[t], MOVED_LEAST), sum = 0;
    uint32_t moved = 0;
    for (uint32_t i = 0; i < TILE * TILE; i++) {
        float d = fabsf(differences[pixel_of(t, i)] - light);
        sum += d;
        moved += d > bound;
    }
    ret->moved[t] = (float)moved / (TILE * TILE);
    return sum / (TILE * TILE);
}

void motion_observe(struct motion *m, const struct raster *r, struct motion_finding *ret)
{
    float differences[RASTER_SIZE], changes[TILES] = {0};
    float all = 0, usual = 0, weight = 0, most = 0;
    uint32_t differ = 0;
    *ret = (struct motion_finding){.x = 0.5f, .y = 0.5f};
    for (uint32_t i = 0; i < RASTER_SIZE; i++) {
        float v = r->planes[RASTER_Y][i];
        differences[i] = m->seen ? v - m->last[i] : 0;
        most = fmaxf(most, fabsf(differences[i]));
        differ += differences[i] != 0;
        m->last[i] = v;
        changes[i / RASTER_WIDTH / TILE * TILE_COLUMNS + i % RASTER_WIDTH / TILE] +=
            differences[i] / (TILE * TILE);
    }
    ret->identical = m->seen > 0 && most <= SETTLES_MOST && differ <= SETTLES_SHARE * RASTER_SIZE;
    if (m->seen++ == 0 || ret->identical)
        return;
    ret->light = median_change(changes);
    float x = 0, y = 0;
    for (uint32_t t = 0; t < TILES; t++) {
        float difference = look_at_tile(m, t, differences, ret->light, ret);
        ret->strength = fmaxf(ret->strength, difference / m->noise[t]);
        all += difference;
        usual += m->noise[t];
        if (ret->moved[t] > SHARE_SURE) {
            weight += ret->moved[t];
            x += ret->moved[t] * ((float)(t % TILE_COLUMNS) + 0.5f) / TILE_COLUMNS;
            y += ret->moved[t] * ((float)(t / TILE_COLUMNS) + 0.5f) / TILE_ROWS;
        }
        learn_noise(m, t, difference);
    }
    ret->overall = all / usual;
    ret->share = weight / TILES;
    if (weight > 0) {
        ret->x = x / weight;
        ret->y = y / weight;
    }
}

void motion_walk(struct motion *m, struct state *s)
{
    bool frame = m->seen > 0 && !s->brief;
    state_bool(s, &frame);
    state_f32s(s, m->noise, TILES);
    for (uint32_t t = 0; t < TILES; t++)
        s->failed |= !(m->noise[t] >= NOISE_LEAST && m->noise[t] <= 1e4f);
    if (!frame || s->failed)
        return;
    state_u64(s, &m->seen, UINT64_MAX);
    raster_walk(m->last, s);
}
