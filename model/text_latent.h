/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of text as unit vectors: hashed words and character n-grams, weighted by how rare a word is
 * on the stream. What a line shares with its template is computed once and kept; its values, and
 * its header, are added for each line and weigh less. One owner, no thread.
 */
#ifndef VARVE_MODEL_TEXT_LATENT_H
#define VARVE_MODEL_TEXT_LATENT_H

#include <stdint.h>

#include "base/error.h"
#include "base/record.h"
#include "model/template.h"
#include "model/tokens.h"

#define LATENT_WORDS 16384 /* buckets of words counted */
#define LATENT_BASE_WORDS 40

struct text_latent_base {
    uint32_t id, version, epoch; /* id 0: empty */
    uint16_t count;
    uint16_t words[LATENT_BASE_WORDS]; /* buckets of the template's words */
    float sum[LATENT_DIM];
};

struct text_latent {
    uint16_t *count; /* lines that held a word of the bucket */
    uint8_t *weight; /* of a word, in sixteenths of a bit: as of the start of this epoch */
    uint64_t lines;  /* what `count` counts */
    uint64_t seen, next_epoch;
    uint32_t epoch;
    uint8_t unseen;                 /* weight of a word that was not seen when the epoch began */
    struct text_latent_base *bases; /* direct mapped by slot; a pure cache */
    uint32_t bases_size;
};

int text_latent_init(struct text_latent *l);
void text_latent_deinit(struct text_latent *l);
/* Mean bits of the words of a line of a new kind, by how common each is on the stream; 0 without
 * words. */
double text_latent_word_bits(const struct text_latent *l, const char *text, size_t n);
/* Learns the line's words and writes its latent: unit length, or zero for a line without any. */
void text_latent_observe(struct text_latent *l, const struct template *t, uint32_t slot,
                         const struct tokens *tokens, const char *line, float *ret);
/* Saves, or loads onto an initialised, empty one; see state.h. */
void text_latent_walk(struct text_latent *l, struct state *s);

#endif
