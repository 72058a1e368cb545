/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subjective clock: how much has happened, not how long it took. It is a variable that
 * forgetting runs by, and says nothing about experience.
 *
 * Load L = (U + F + E) / 3 of a window of TAU_WINDOW of event time: U the surprise of its moments
 * over the usual surprise of their kind, F the share of what went against the grain (late records,
 * failed writes) over a small constant and its usual share, E the bytes a second over the usual.
 * Then dtau = dt * clip((L / mean L)^s, TAU_SLOWEST, TAU_FASTEST), in seconds of an ordinary day;
 * silence counts as no load. s = 1: busy hours are long; s = -1: they are short. docs/architecture.md
 * says what it is used for.
 *
 * All of it is a plain struct that is kept in the file; the same moments give the same tau.
 */
#ifndef VARVE_MEMORY_TAU_H
#define VARVE_MEMORY_TAU_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"

#define TAU_WINDOW (10 * US_PER_SECOND)
#define TAU_STEP_MAX (10 * US_PER_MINUTE) /* of event time in one step, busy or silent */
#define TAU_SLOWEST 0.05
#define TAU_FASTEST 8.0
#define TAU_KINDS 4

struct tau_clock {
    double tau;        /* strictly increasing; seconds of an ordinary day */
    double load;       /* of the last window */
    double mean;       /* slow mean of the load */
    int64_t last;      /* event time up to which it has run; TIME_UNKNOWN: not yet */
    uint32_t windows;  /* closed; saturates */
    double usual_bits[TAU_KINDS], usual_rate, usual_friction;
    /* The open window. */
    int64_t until;     /* latest end of its moments */
    int64_t busy_from; /* earliest start of them that is not before `last` */
    double bits[TAU_KINDS], bytes;
    uint64_t records[TAU_KINDS], friction, items;
};

void tau_init(struct tau_clock *c);
/* A moment was laid down. sign: 1 or -1. */
void tau_moment(struct tau_clock *c, enum stream_kind kind, const struct moment *m, size_t bytes,
                int sign);
/* Something failed and has to be done again. */
void tau_friction(struct tau_clock *c);

int tau_save(const struct tau_clock *c, struct buf *out);
/* ERR_CORRUPT leaves it as tau_init does. */
int tau_load(struct tau_clock *c, const void *data, size_t size, struct errmsg *err);

#endif
