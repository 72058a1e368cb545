/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame as the video model keeps it, and how two frames are alike. What tells a new scene from
 * the same one under other light, shaken, panned or crossed by something large is not how much
 * changed but whether pieces of the one are found in the other: small blocks are searched for by
 * normalised correlation, which neither gain nor offset of the light changes. Pure functions; any
 * thread.
 */
#ifndef VARVE_MODEL_PICTURE_H
#define VARVE_MODEL_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/jpeg.h"
#include "model/state.h"

/* Tiles of 8x8 raster pixels. */
#define TILE 8
#define TILE_COLUMNS (RASTER_WIDTH / TILE)
#define TILE_ROWS (RASTER_HEIGHT / TILE)
#define TILES (TILE_COLUMNS * TILE_ROWS)

#define HALF_WIDTH (RASTER_WIDTH / 2)
#define HALF_HEIGHT (RASTER_HEIGHT / 2)
#define HALF_SIZE (HALF_WIDTH * HALF_HEIGHT)

#define COLOUR_BINS 64 /* 4 of luma by 4x4 of chroma */

struct picture {
    float half[HALF_SIZE];             /* luma, averages of 2x2 */
    float tiles[RASTER_PLANES][TILES]; /* means */
    float colours[COLOUR_BINS];        /* shares of the picture, sum 1 */
    float mean, deviation;             /* of luma */
};

/* ret is written whole. */
void picture_of(const struct raster *r, struct picture *ret);

struct picture_likeness {
    float correlation; /* of the two half rasters as they lie, -1..1; 0 where either is flat */
    float found;       /* share of the textured blocks of each that the other has, 0..1 */
    float textured;    /* share of blocks that could be searched for, of the poorer one, 0..1; both
                          are 1, unsearched, where the correlation leaves no doubt */
    float colour;      /* shared colours: intersection of the histograms, 0..1 */
    float layout;      /* mean distance of the tiles' colours without `light`, grey levels */
    float light;       /* b's mean luma less a's */
};

void picture_compare(const struct picture *a, const struct picture *b,
                     struct picture_likeness *ret);

/* Saves or loads one plane of a raster; see state.h. */
void raster_walk(float *plane, struct state *s);

#endif
