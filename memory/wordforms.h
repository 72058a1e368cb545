/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other forms of a query's words, where English changes the word itself ("go" and "went"): what a
 * stemmer cannot fold. The index keeps words as they were written, so a query looks up each form.
 *
 * Thread: any; no state.
 */
#ifndef VARVE_MEMORY_WORDFORMS_H
#define VARVE_MEMORY_WORDFORMS_H

#include "memory/words.h"

#define WORDFORMS_MAX 64 /* of a query; what is beyond has only the form it was asked with */
#define WORDFORM_SIZE 11

struct wordforms {
    uint32_t count;
    struct {
        char text[WORDFORM_SIZE + 1];
        uint8_t size, word; /* word: index into the query's */
        uint64_t hash;
    } forms[WORDFORMS_MAX];
};

void wordforms_of(const struct words_query *words, struct wordforms *ret);

#endif
