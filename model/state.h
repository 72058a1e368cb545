/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over a model's fields serves both directions: saving appends them, loading reads and
 * checks them (finite, inside their range). After the first bad field a load stays failed and
 * changes nothing more, so the caller drops the half-read struct.
 */
#ifndef VARVE_MODEL_STATE_H
#define VARVE_MODEL_STATE_H

#include <math.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/record.h"

struct state {
    struct buf *out; /* saving when set, else loading */
    bool brief;      /* saving without what is large and soon learnt again */
    struct cursor in;
    bool failed;
};

static inline void state_f64(struct state *s, double *v)
{
    if (s->out) {
        buf_put_f64(s->out, *v);
        return;
    }
    double got = cursor_f64(&s->in);
    if (s->in.failed || !isfinite(got))
        s->failed = true;
    if (!s->failed)
        *v = got;
}

static inline void state_f32(struct state *s, float *v)
{
    if (s->out) {
        buf_put_f32(s->out, *v);
        return;
    }
    float got = cursor_f32(&s->in);
    if (s->in.failed || !isfinite(got))
        s->failed = true;
    if (!s->failed)
        *v = got;
}

static inline void state_f64s(struct state *s, double *v, size_t count)
{
    for (size_t i = 0; i < count; i++)
        state_f64(s, &v[i]);
}

static inline void state_f32s(struct state *s, float *v, size_t count)
{
    for (size_t i = 0; i < count; i++)
        state_f32(s, &v[i]);
}

/* A load fails when the number is over `max`. */
static inline void state_u64(struct state *s, uint64_t *v, uint64_t max)
{
    if (s->out) {
        buf_put_varint(s->out, *v);
        return;
    }
    uint64_t got = cursor_varint(&s->in);
    if (s->in.failed || got > max)
        s->failed = true;
    if (!s->failed)
        *v = got;
}

static inline void state_u32(struct state *s, uint32_t *v, uint32_t max)
{
    uint64_t wide = *v;
    state_u64(s, &wide, max);
    *v = (uint32_t)wide;
}

static inline void state_bool(struct state *s, bool *v)
{
    uint64_t wide = *v;
    state_u64(s, &wide, 1);
    *v = wide != 0;
}

static inline void state_i64(struct state *s, int64_t *v)
{
    if (s->out) {
        buf_put_svarint(s->out, *v);
        return;
    }
    int64_t got = cursor_svarint(&s->in);
    if (s->in.failed)
        s->failed = true;
    if (!s->failed)
        *v = got;
}

/* An event time, or the distance of two: both lie within TIME_MAX of zero. */
static inline void state_time(struct state *s, int64_t *v)
{
    int64_t got = *v;
    state_i64(s, &got);
    if (got < -TIME_MAX || got > TIME_MAX)
        s->failed = true;
    if (!s->failed)
        *v = got;
}

#endif
