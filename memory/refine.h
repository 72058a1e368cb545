/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where between two events the cut belongs: EM-LLM's refinement of event boundaries (Fountas et
 * al., 2024) over moments of all streams. Thread: none of its own; no state.
 */
#ifndef VARVE_MEMORY_REFINE_H
#define VARVE_MEMORY_REFINE_H

#include <stdint.h>

#include "base/record.h"

#define REFINE_WINDOW 24 /* moments on either side that are looked at */

struct refine_item {
    int64_t time;   /* of its start */
    uint32_t model; /* latents of different models are not compared; 0: it has none */
    signed char vec[LATENT_DIM];
};

/*
 * Of the cuts from..cut, that which divides items[0..n) (by time, n <= 2 * REFINE_WINDOW) best into
 * two groups whose members are alike and close in time: greatest modularity. from >= 1.
 */
uint32_t refine_cut(const struct refine_item *items, uint32_t n, uint32_t from, uint32_t cut);

#endif
