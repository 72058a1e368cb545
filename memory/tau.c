/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time comes from the moments, not from the wall: a fortnight replayed in an hour gives the tau of
 * the fortnight. A moment that is marked as ahead of the clock does not move it, older ones than
 * `last` add load and no time, and one step covers at most TAU_STEP_MAX of silence and as much of
 * work, so that no jump moves it by more than TAU_FASTEST times that.
 */
#include "memory/tau.h"

#include <math.h>
#include <string.h>

#define MAGIC 0x31554154u
#define SLOW 8192       /* windows that a slow mean looks back over: about a day */
#define FRICTION 0.02   /* a share that is nothing special */
#define TERM_MAX 64.0   /* of U, F, E each */

void tau_init(struct tau_clock *c)
{
    *c = (struct tau_clock){.last = TIME_UNKNOWN, .until = TIME_UNKNOWN, .busy_from = TIME_UNKNOWN};
}

static double bounded(double v, double least, double most)
{
    return !(v > least) ? least : v < most ? v : most;
}

/* A mean over all windows at first, over about SLOW of them later. */
static void follow(double *mean, double v, uint32_t windows)
{
    uint32_t n = windows < SLOW ? windows + 1 : SLOW;
    *mean += (v - *mean) / n;
}

static double over_usual(double v, double *usual, uint32_t windows)
{
    follow(usual, v, windows);
    return *usual > 0 ? bounded(v / *usual, 0, TERM_MAX) : 0;
}

static double load_of(struct tau_clock *c, double seconds)
{
    double u = 0, items = (double)(c->items ? c->items : 1);
    int kinds = 0;
    for (int k = 0; k < TAU_KINDS; k++) {
        if (c->records[k] == 0)
            continue;
        kinds++;
        u += over_usual(c->bits[k] / (double)c->records[k], &c->usual_bits[k], c->windows);
    }
    double share = bounded((double)c->friction / items, 0, 1);
    follow(&c->usual_friction, share, c->windows);
    double f = share / (c->usual_friction + FRICTION);
    double e = over_usual(c->bytes / seconds, &c->usual_rate, c->windows);
    return ((kinds ? u / kinds : 0) + f + e) / 3;
}

static double at_most(int64_t us)
{
    return (double)(us < TAU_STEP_MAX ? us : TAU_STEP_MAX) / US_PER_SECOND;
}

static void close_window(struct tau_clock *c, int sign)
{
    int64_t from = c->busy_from == TIME_UNKNOWN || c->busy_from < c->last ? c->last : c->busy_from;
    double silent = at_most(from - c->last), busy = at_most(c->until - from);
    busy = busy > 1e-6 ? busy : 1e-6;
    c->load = load_of(c, busy);
    follow(&c->mean, c->load, c->windows);
    double pace = c->mean > 0 ? c->load / c->mean : 1;
    pace = sign < 0 ? 1 / (pace > 0 ? pace : 1e-9) : pace;
    double step = busy * bounded(pace, TAU_SLOWEST, TAU_FASTEST) +
                  silent * (sign < 0 ? TAU_FASTEST : TAU_SLOWEST);
    /* So late that a step is lost in rounding, it still goes on. */
    c->tau = c->tau + step > c->tau ? c->tau + step : nextafter(c->tau, INFINITY);
    c->windows += c->windows < UINT32_MAX;
    c->last = c->until;
    c->busy_from = TIME_UNKNOWN;
    memset(c->bits, 0, sizeof(c->bits));
    memset(c->records, 0, sizeof(c->records));
    c->bytes = 0;
    c->friction = c->items = 0;
}

void tau_moment(struct tau_clock *c, enum stream_kind kind, const struct moment *m, size_t bytes,
                int sign)
{
    int k = (int)kind - 1;
    if (k < 0 || k >= TAU_KINDS)
        return;
    c->bits[k] += bounded((double)m->bits, 0, 1e6) * m->record_count;
    c->records[k] += m->record_count;
    c->bytes += (double)bytes;
    c->items++;
    c->friction += (m->flags & (RECORD_LATE | RECORD_FUTURE)) != 0;
    if (m->flags & RECORD_FUTURE)
        return;
    if (c->last == TIME_UNKNOWN)
        c->last = m->start;
    if (c->until == TIME_UNKNOWN || m->end > c->until)
        c->until = m->end;
    int64_t start = m->start < c->last ? c->last : m->start;
    if (c->busy_from == TIME_UNKNOWN || start < c->busy_from)
        c->busy_from = start;
    if (c->until - c->last >= TAU_WINDOW)
        close_window(c, sign);
}

void tau_friction(struct tau_clock *c)
{
    c->friction++;
    c->items++;
}

int tau_save(const struct tau_clock *c, struct buf *out)
{
    const double reals[] = {c->tau, c->load, c->mean, c->usual_rate, c->usual_friction, c->bytes};
    const uint64_t whole[] = {(uint64_t)c->last, (uint64_t)c->until, (uint64_t)c->busy_from,
                              c->windows, c->friction, c->items};
    buf_put_u32(out, MAGIC);
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++)
        buf_put_f64(out, reals[i]);
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
        buf_put_u64(out, whole[i]);
    for (int k = 0; k < TAU_KINDS; k++) {
        buf_put_f64(out, c->usual_bits[k]);
        buf_put_f64(out, c->bits[k]);
        buf_put_u64(out, c->records[k]);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static bool sound(double v)
{
    return isfinite(v) && v >= 0;
}

static bool load(struct tau_clock *c, struct cursor *in)
{
    double *const reals[] = {&c->tau,        &c->load,           &c->mean,
                             &c->usual_rate, &c->usual_friction, &c->bytes};
    bool good = cursor_u32(in) == MAGIC;
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
        *reals[i] = cursor_f64(in);
        good = good && sound(*reals[i]);
    }
    c->last = (int64_t)cursor_u64(in);
    c->until = (int64_t)cursor_u64(in);
    c->busy_from = (int64_t)cursor_u64(in);
    uint64_t windows = cursor_u64(in);
    c->windows = windows < UINT32_MAX ? (uint32_t)windows : UINT32_MAX;
    c->friction = cursor_u64(in);
    c->items = cursor_u64(in);
    for (int k = 0; k < TAU_KINDS; k++) {
        c->usual_bits[k] = cursor_f64(in);
        c->bits[k] = cursor_f64(in);
        c->records[k] = cursor_u64(in);
        good = good && sound(c->usual_bits[k]) && sound(c->bits[k]);
    }
    const int64_t times[] = {c->last, c->until, c->busy_from};
    for (int i = 0; i < 3; i++)
        good = good && (times[i] == TIME_UNKNOWN || (times[i] >= TIME_MIN && times[i] <= TIME_MAX));
    return good && !in->failed;
}

int tau_load(struct tau_clock *c, const void *data, size_t size, struct errmsg *err)
{
    struct cursor in;
    cursor_init(&in, data, size);
    tau_init(c);
    if (load(c, &in))
        return 0;
    tau_init(c);
    return err_set(err, ERR_CORRUPT, "the subjective clock's state is damaged");
}
