/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers by chance, the same in every run. */
#ifndef VARVE_TESTS_UNIT_RANDOM_FIXTURE_H
#define VARVE_TESTS_UNIT_RANDOM_FIXTURE_H

#include <math.h>
#include <stdint.h>

static uint64_t rng; /* a test sets it first; not 0 */

static inline uint64_t random_next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* In (0, 1). */
static inline double uniform(void)
{
    return ((double)(random_next() >> 11) + 0.5) / 9007199254740992.0;
}

static inline double gauss(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

#endif
