/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers in a template's places and their usual range. A line's outcome is the worst of its
 * values': usual, beyond the range, far beyond it; the outcome has a probability learned for its
 * template and for the stream, so places whose values jump about cost few bits. One owner, no
 * thread.
 */
#ifndef VARVE_MODEL_VALUES_H
#define VARVE_MODEL_VALUES_H

#include <stdint.h>

#include "base/error.h"
#include "model/state.h"
#include "model/tokens.h"

enum { VALUE_USUAL, VALUE_BEYOND, VALUE_FAR, VALUE_OUTCOMES };

struct value_range {
    uint32_t id; /* template; 0 empty */
    uint32_t count;
    double low, high; /* where the values usually lie */
    uint8_t place;    /* token */
    bool fraction;    /* a value that is no integer was seen */
};

struct value_outcomes {
    uint32_t id;
    uint32_t count[VALUE_OUTCOMES];
};

struct values {
    struct value_range *ranges; /* sets of 4; the least seen goes */
    uint32_t range_capacity, range_used;
    struct value_outcomes *outcomes; /* by template slot */
    uint32_t outcome_capacity;
    double lines[VALUE_OUTCOMES]; /* over the whole stream */
};

struct value_finding {
    int outcome;
    double bits;             /* -log2 of the outcome's probability */
    int place;               /* the token of the unusual value, -1: none */
    double value, low, high; /* the value, and the usual range before it */
    bool fraction;           /* the place's values are not all integers */
};

int values_init(struct values *v);
void values_deinit(struct values *v);
#define VALUE_UNKNOWN (-1)
/*
 * Judges and learns the values of a line of the template `id` in `slot`. `words`: the outcome of
 * its constant words, VALUE_UNKNOWN while they are too new to tell. Best effort when memory is out.
 */
void values_observe(struct values *v, uint32_t slot, uint32_t id, const struct tokens *line,
                    int words, struct value_finding *ret);
/* Saves, or loads onto an initialised, empty one; see state.h. */
void values_walk(struct values *v, struct state *s);

#endif
