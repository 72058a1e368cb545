/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the evidence speak of the very thing that the question names? "by technician Mironix" is not
 * answered by a line that says "by technician Goliborg", however many other words it shares. Pure.
 */
#ifndef VARVE_MEMORY_CLAIMS_H
#define VARVE_MEMORY_CLAIMS_H

#include <stdbool.h>

#include "memory/words.h"

#define CLAIM_WORD_MAX 48

struct claim {
    char head[CLAIM_WORD_MAX], word[CLAIM_WORD_MAX]; /* "technician", "mironix"; stems */
};

/*
 * Looks for a rare word of the question that stands behind a common one, where the texts put other
 * rare words in its place and never this one. True fills *ret.
 */
bool claims_unsupported(const struct words_df *df, struct slice question, const struct slice *texts,
                        uint32_t count, struct claim *ret);

#endif
