/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How finely a stream's next grid is looked at: DDiT's scheduler (arXiv 2602.16968) applied to
 * stream time instead of denoising time. Of the last four grids z (a frame, a tile of a
 * spectrogram, a window of samples as a grid of height 1) the third difference
 *
 *     d3 = z[t] - 3 z[t-1] + 3 z[t-2] - z[t-3]
 *
 * is cut into patches; the largest patch size of 4p, 2p, p is taken for which a quantile of the
 * patches' standard deviations stays under tau. Ours: tau follows the measured noise, whose third
 * difference is sqrt(20) times as large; a grid is looked at finely where the caller says (a cut),
 * at the start, after an irregular step of time and every `refresh` grids; coarser goes one size at
 * a time, finer at once; and the quantile is near the top, because an event is small and the
 * paper's 0.4 would not see one in less than half of the picture.
 *
 * Thread: one owner. Allocates at _new only.
 */
#ifndef VARVE_MODEL_PATCH_H
#define VARVE_MODEL_PATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/state.h"

#define PATCH_LEVELS 3 /* 0: p, 1: 2p, 2: 4p */
#define PATCH_CELLS_MAX 4096

struct patch_options {
    uint32_t width, height; /* of a grid, 1..PATCH_CELLS_MAX cells together */
    uint32_t size;          /* p, in cells, at least 1 */
    float quantile;         /* 0: 0.97 */
    float slack;            /* tau in units of the noise's third difference; 0: 1.6 */
    float noise_least;      /* least noise that counts, in the grid's unit, > 0 */
    uint32_t refresh;       /* K; 0: 60 */
    uint32_t order;         /* of the difference: 0: 3; 1 and 2 for comparison */
};

struct patch_choice {
    uint32_t level;  /* 0..PATCH_LEVELS - 1 */
    uint32_t size;   /* p << level */
    uint32_t tokens; /* patches of that size, those cut by the edge included */
    bool forced;     /* fine by rule, not by measure */
};

struct patch;

/* ERR_INVALID, ERR_NOMEM. */
int patch_new(const struct patch_options *options, struct patch **ret);
void patch_free(struct patch *p);
/*
 * The next grid[height][width], finite, at `time` in any unit; `fine` demands the fine size and
 * that what was before is not compared with: the scene is another.
 */
void patch_push(struct patch *p, const float *grid, int64_t time, bool fine,
                struct patch_choice *ret);
/* As new. */
void patch_restart(struct patch *p);
/* Standard deviation of the grid's noise as it is taken to be now. */
float patch_noise(const struct patch *p);
/* Saves or loads; brief: without the grids, as if the next were the first. See state.h. */
void patch_walk(struct patch *p, struct state *s);

/* ---- the parts, pure functions over arrays ---- */

/* ret[n]: third difference of grids[0] (the newest) to grids[3]. */
void patch_third_difference(const float *const grids[4], uint32_t n, float *ret);
/* Tokens that a grid costs in patches of that size. */
uint32_t patch_tokens(uint32_t width, uint32_t height, uint32_t size);
/*
 * The quantile (0..1) over all patches of the standard deviation inside each; a patch cut by the
 * edge counts with the cells it has. grid[height][width]; work[patch_tokens()] is written.
 */
float patch_spread(const float *grid, uint32_t width, uint32_t height, uint32_t size,
                   float quantile, float *work);
/*
 * What weights[size][size] of an embedding become for patches twice as large, so that a patch
 * enlarged bilinearly gives the same token: R (R'R)^-1 w with R the enlargement (FlexiViT). `size`
 * 1..8; ret[2 size][2 size].
 */
void patch_enlarge(const float *weights, uint32_t size, float *ret);
/* R itself: ret[2 size][2 size] of patch[size][size], edges repeated. */
void patch_upsample(const float *patch, uint32_t size, float *ret);

#endif
