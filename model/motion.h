/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves from frame to frame, and how much the light changes: differences to the frame before,
 * freed of the light's own change and held against the noise that each part of the picture usually
 * has. Fixed memory, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_MOTION_H
#define VARVE_MODEL_MOTION_H

#include <stdbool.h>

#include "model/picture.h"
#include "model/state.h"

struct motion {
    uint64_t seen;
    float last[RASTER_SIZE]; /* luma of the last frame */
    float noise[TILES];      /* usual mean difference of a tile's pixels, grey levels */
};

struct motion_finding {
    float share;        /* of the picture's pixels that moved, 0..1 */
    float x, y;         /* their centre, 0..1 from the upper left; 0.5 when nothing moved */
    float strength;     /* of the most moved tile, in units of its noise */
    float overall;      /* mean difference of all pixels, in units of theirs */
    float light;        /* how much brighter the whole became, grey levels */
    bool identical;     /* the frame before once more, but for what encoding it anew changed */
    float moved[TILES]; /* share of each tile's pixels */
};

void motion_init(struct motion *m);
/* The first frame moves nothing. */
void motion_observe(struct motion *m, const struct raster *r, struct motion_finding *ret);
/* As if the next frame were the first: what changed while nobody looked is no motion. */
void motion_restart(struct motion *m);
/* Saves or loads; brief: without the frame. See state.h. */
void motion_walk(struct motion *m, struct state *s);

#endif
