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
#include "model/patch.h"
#include "model/picture.h"

/* Cells of two by two tiles. */
#define CELL_COLUMNS (TILE_COLUMNS / 2)
#define CELL_ROWS (TILE_ROWS / 2)
#define CELLS (CELL_COLUMNS * CELL_ROWS)
#define EDGE_CELLS 6
#define EDGE_WAYS 6

/*
 * What of a frame is told by its patches, one token each: which way edges run, from a gradient a
 * patch. A patch of 8x8 or 16x16 raster pixels has the weights of one of 4x4, enlarged. Between two
 * fine looks the coarse ones only move the fine one's result by what they themselves have changed
 * since.
 */
struct video_detail {
    float luma[RASTER_SIZE];                                /* of the frame last looked at finely */
    float edges[EDGE_CELLS * EDGE_WAYS];                    /* found in it */
    float coarse[PATCH_LEVELS - 1][EDGE_CELLS * EDGE_WAYS]; /* found in it by a coarse look, ... */
    bool known[PATCH_LEVELS - 1];                           /* ... which is had when first needed */
    float now[EDGE_CELLS * EDGE_WAYS];                      /* what it comes to */
};

struct video_weights {
    float across[PATCH_LEVELS][16 * 16], down[PATCH_LEVELS][16 * 16];
};

void video_weights_init(struct video_weights *w);
/* Looks at the frame with patches of that level, 0 the first time; returns the tokens, those of a
 * coarse look at the last fine frame included. */
uint32_t video_look(struct video_detail *d, const struct video_weights *w, const struct raster *r,
                    uint32_t level);
/* Saves or loads; brief: nothing, the next look must be fine. See state.h. */
void video_detail_walk(struct video_detail *d, struct state *s);
/* The frame's latent. ret[LATENT_DIM], unit length or zero. */
void video_latent(const struct picture *p, const struct motion_finding *m,
                  const struct video_detail *d, float *ret);

#endif
