/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which template comes next: a mixture of how often each was seen and of what followed the one
 * before it, with room for one never seen. The probabilities of all known templates and of "a new
 * one" sum to at most 1 at every moment. Bounded, deterministic; one owner, no thread.
 */
#ifndef VARVE_MODEL_SEQUENCE_H
#define VARVE_MODEL_SEQUENCE_H

#include <stdint.h>

#include "base/error.h"
#include "model/state.h"

#define SEQUENCE_BINS 4

struct sequence_context {
    uint32_t id; /* template; 0 empty */
    uint32_t count, followers;
};

struct sequence_pair {
    uint32_t from, to, count;
};

struct sequence {
    uint64_t total, singles;           /* lines; templates seen once */
    struct sequence_context *contexts; /* by slot */
    uint32_t context_capacity;
    struct sequence_pair *pairs; /* sets of 4; least seen goes */
    uint32_t pair_capacity, pair_used;
    double trust[SEQUENCE_BINS]; /* weight of the order-1 part, by how well its context is known */
    uint32_t last_slot, last_id; /* the template before; id 0: none */
};

/* One line's template as the predictor is to know it. */
struct sequence_symbol {
    uint32_t slot, id;
    uint64_t count; /* lines of it before this one; 0: a new one */
};

int sequence_init(struct sequence *s);
void sequence_deinit(struct sequence *s);
/* Probability that the next line is of this template (count > 0) or of any new one (count 0). */
double sequence_predict(const struct sequence *s, const struct sequence_symbol *next);
/* The same for this template by its frequency alone, whatever came before it. */
double sequence_predict_alone(const struct sequence *s, const struct sequence_symbol *next);
/* Best effort when memory is out: then what it could not note is forgotten. */
void sequence_learn(struct sequence *s, const struct sequence_symbol *next);
/* Saves, or loads onto an initialised, empty one (see state.h); want of memory makes a load fail
 * too. */
void sequence_walk(struct sequence *s, struct state *state);

#endif
