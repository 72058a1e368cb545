/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: probability, then learn, once a sample. Nothing fails. A histogram instead of a
 * fitted law because calibration must hold for gaussian, uniform, heavy-tailed and quantised errors
 * alike; the fitted part is only the tail nobody has seen yet.
 */
#include "model/residual.h"

#include <math.h>
#include <string.h>

#define BINS_PER_OCTAVE 8
#define FIRST_OCTAVE (-4)
/* Errors remembered, in effect: 2^13 leave eight beyond the 2^-10 quantile, enough to calibrate 10
 * bits, and forget a former regime within a day or so of minutes. */
#define MEMORY 8192.0
#define GRAIN_MAX 1e12f
#define COUNT_MAX 1e20f /* far over MEMORY * GRAIN_MAX; a saved state over it is damaged */
/* Scale: the recent size of errors. 32 follows a change of variance within a moment, 512 keeps it
 * from wandering; their geometric mean does both. */
#define QUICK_RATE (1.0 / 32)
#define SLOW_RATE (1.0 / 512)
/* One error counts at most this many times the present size: a spike must not blind what follows.
 */
#define CLIP 6.0
/* The share of the errors beyond which the tail is a power law, and bounds for its index. */
#define TAIL_SHARE 0.03
#define TAIL_INDEX_MIN 0.02
#define TAIL_INDEX_MAX 1.0
#define PROBABILITY_MIN 0x1p-40
/* Weight of what was believed before the first error: a Laplace law of unit mean size. */
#define PRIOR 4.0
/* Above this share of repeats the errors are discrete and ties count in full. */
#define DISCRETE 0.2

void residual_init(struct residual *r)
{
    memset(r, 0, sizeof(*r));
    r->grain = 1;
}

static double size_of(const struct residual *r, double floor)
{
    double size = sqrt(r->quick) * sqrt(r->slow);
    if (!(size > floor))
        size = floor;
    return size > 0 ? size : 1e-300;
}

double residual_units(const struct residual *r, double error, double floor)
{
    double z = error / size_of(r, floor);
    return z > 1e12 ? 1e12 : z < -1e12 ? -1e12 : z;
}

/* The bin of |z| and in *ret_inside how far into it, 0..1; -1: in the middle. */
static int bin_of(double z, double *ret_inside)
{
    double at = (log2(z > 1e-30 ? z : 1e-30) - FIRST_OCTAVE) * BINS_PER_OCTAVE;
    if (at < 0) {
        *ret_inside = z / exp2(FIRST_OCTAVE);
        return -1;
    }
    if (at >= RESIDUAL_BINS) {
        *ret_inside = 1;
        return RESIDUAL_BINS - 1;
    }
    int bin = (int)at;
    *ret_inside = at - bin;
    return bin;
}

static double bin_start(int bin)
{
    return exp2(FIRST_OCTAVE + (double)bin / BINS_PER_OCTAVE);
}

static double sum(const float *v, int n)
{
    float a = 0, b = 0, c = 0, d = 0;
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        a += v[i];
        b += v[i + 1];
        c += v[i + 2];
        d += v[i + 3];
    }
    for (; i < n; i++)
        a += v[i];
    return (double)a + b + c + d;
}

/*
 * Beyond the last filled bin: P(Z > z) = P(Z > u) (z / u)^(-1/index), Hill's estimate of the index
 * over the outermost TAIL_SHARE of both sides (one side alone would have too few).
 */
static double tail_beyond(const struct residual *r, int side, double z, double total)
{
    double want = TAIL_SHARE * total, have = 0, weighted = 0;
    int bin = RESIDUAL_BINS;
    while (bin > 1 && have < want) {
        bin--;
        double here = (double)r->counts[0][bin] + r->counts[1][bin];
        have += here;
        weighted += here * (bin + 0.5);
    }
    double u = bin_start(bin);
    if (have <= 0 || z <= u)
        return 1;
    double index = (weighted / have - bin) / BINS_PER_OCTAVE * M_LN2;
    if (index < TAIL_INDEX_MIN)
        index = TAIL_INDEX_MIN;
    if (index > TAIL_INDEX_MAX)
        index = TAIL_INDEX_MAX;
    /* Half of the outermost errors lie on this side, unless it never had any so far out. */
    double own = sum(&r->counts[side][bin], RESIDUAL_BINS - bin);
    return (own + 0.25 * have) / total * 0.8 * pow(z / u, -1 / index);
}

double residual_probability(const struct residual *r, double error, double floor)
{
    double z = residual_units(r, error, floor), inside, grain = (double)r->grain;
    int side = z > 0, bin = bin_of(fabs(z), &inside);
    if (r->repeats > DISCRETE)
        inside = bin < 0 && z != 0 ? inside : 0;
    double all[2] = {sum(r->counts[0], RESIDUAL_BINS), sum(r->counts[1], RESIDUAL_BINS)};
    double total = all[0] + all[1] + (double)r->middle, prior = PRIOR * grain;
    double beyond, own = 0;
    if (bin < 0) {
        own = (double)r->middle * 0.5;
        beyond = all[side] + own * (1 - inside);
    } else {
        own = (double)r->counts[side][bin];
        beyond = sum(&r->counts[side][bin], RESIDUAL_BINS - bin) - own * inside;
    }
    /* The outermost errors are too few to count; there the tail's law speaks. */
    if (beyond < 4 * grain && total > 0) {
        double law = tail_beyond(r, side, fabs(z), total) * total;
        double part = beyond / (4 * grain);
        beyond = part * beyond + (1 - part) * (law < beyond + grain ? law : beyond + grain);
    }
    double up = (beyond + prior * 0.5 * exp(-fabs(z))) / (total + prior);
    double rest = 1 - up;
    double p = 2 * (up < rest || z == 0 ? up : rest);
    return p > 1 ? 1 : p < PROBABILITY_MIN ? PROBABILITY_MIN : p;
}

static void fade(struct residual *r)
{
    float by = 1 / r->grain;
    for (int i = 0; i < RESIDUAL_BINS; i++) {
        r->counts[0][i] *= by;
        r->counts[1][i] *= by;
    }
    r->middle *= by;
    r->grain = 1;
}

void residual_learn(struct residual *r, double error, double floor)
{
    double z = residual_units(r, error, floor), inside;
    int bin = bin_of(fabs(z), &inside);
    if (r->seen) {
        if (bin < 0)
            r->middle += r->grain;
        else
            r->counts[z > 0][bin] += r->grain;
        r->grain *= (float)(1 + 1 / MEMORY);
        if (r->grain > GRAIN_MAX)
            fade(r);
    }
    r->repeats += ((error == r->before) - r->repeats) / 128;
    r->before = error;
    r->seen++;
    double size = fabs(error), limit = CLIP * size_of(r, floor);
    /* The first few set the scale; after them one error moves it by a bounded step. */
    if (r->seen > 16 && size > limit)
        size = limit;
    double start = 1 / (double)r->seen;
    r->quick += (size - r->quick) * (start > QUICK_RATE ? start : QUICK_RATE);
    r->slow += (size - r->slow) * (start > SLOW_RATE ? start : SLOW_RATE);
}

/* The |z| on one side beyond which `share` of all errors lie. */
static double quantile(const struct residual *r, int side, double share)
{
    double total =
        sum(r->counts[0], RESIDUAL_BINS) + sum(r->counts[1], RESIDUAL_BINS) + (double)r->middle;
    double want = share * total, have = 0;
    if (total < 8 * (double)r->grain)
        return -log(2 * share);
    for (int bin = RESIDUAL_BINS - 1; bin >= 0; bin--) {
        double own = (double)r->counts[side][bin];
        if (have + own >= want)
            return bin_start(bin) * exp2((1 - (want - have) / own) / BINS_PER_OCTAVE);
        have += own;
    }
    return 0;
}

void residual_interval(const struct residual *r, double share, double floor, double *ret_low,
                       double *ret_high)
{
    double size = size_of(r, floor), out = (1 - share) / 2;
    *ret_low = -size * quantile(r, 0, out);
    *ret_high = size * quantile(r, 1, out);
}

void residual_walk(struct residual *r, struct state *s)
{
    state_f32s(s, r->counts[0], RESIDUAL_BINS);
    state_f32s(s, r->counts[1], RESIDUAL_BINS);
    state_f32(s, &r->middle);
    state_f32(s, &r->grain);
    state_f64(s, &r->quick);
    state_f64(s, &r->slow);
    state_f64(s, &r->repeats);
    state_f64(s, &r->before);
    state_u64(s, &r->seen, UINT64_MAX);
    for (int i = 0; i < RESIDUAL_BINS; i++)
        s->failed |= !(r->counts[0][i] >= 0 && r->counts[0][i] < COUNT_MAX) ||
                     !(r->counts[1][i] >= 0 && r->counts[1][i] < COUNT_MAX);
    s->failed |= !(r->middle >= 0 && r->middle < COUNT_MAX) || !(r->grain >= 1) ||
                 r->grain > GRAIN_MAX || r->quick < 0 || r->slow < 0;
}
