/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame's latent, made by hand and without training: where which colours are, which way edges
 * run, what is rough and what smooth, which colours there are at all, and where it moves. The parts
 * are laid side by side and turned by a fixed orthonormal map (signs and a Walsh-Hadamard
 * transform), so that cosines of latents are cosines of the parts, and no single number of a latent
 * stands out. One owner, no thread.
 */
#ifndef VARVE_MODEL_VIDEO_LATENT_H
#define VARVE_MODEL_VIDEO_LATENT_H

#include "base/record.h"
#include "model/motion.h"
#include "model/picture.h"

/* Cells of two by two tiles. */
#define CELL_COLUMNS (TILE_COLUMNS / 2)
#define CELL_ROWS (TILE_ROWS / 2)
#define CELLS (CELL_COLUMNS * CELL_ROWS)
#define EDGE_CELLS 6
#define EDGE_WAYS 6

/* What only a finely looked at frame tells anew. */
struct video_detail {
    float edges[EDGE_CELLS * EDGE_WAYS];
    float rough[CELLS];
    float colours[COLOUR_BINS];
};

/* The fine part: 240 tokens. */
void video_latent_detail(const struct raster *r, const struct picture *p, struct video_detail *ret);
/* The whole, of this frame's coarse part and a detail that may be older. ret[LATENT_DIM], unit
 * length or zero. */
void video_latent(const struct picture *p, const struct motion_finding *m,
                  const struct video_detail *d, float *ret);

#endif
