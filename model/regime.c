/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the new window's correlation with every kept one comes from dot products that are
 * carried along per lag (the diagonals of STOMP), one pass over contiguous floats; a few neighbours
 * change; every EVERY values all cuts are scored in one linear pass. Nothing fails after _new.
 *
 * The score of all cuts at once: a window j whose middle neighbour (of three) is c is taken for
 * "left of cut s" exactly when c < s. So windows rightly taken for left are those with max(j, c) <
 * s, rightly taken for right those with min(j, c) >= s: two histograms and their running sums.
 */
#include "model/regime.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

#define LENGTH REGIME_LENGTH
#define WIDTH REGIME_WIDTH
/* Nearer windows overlap, and a smooth series resembles itself a little later: twice the width. */
#define APART 40
#define EVERY 64 /* pushes between scorings, which cost as much as a dozen of them */
/* Fewest windows on either side of a cut; the newer side may be short so that changes are known
 * soon. */
#define LEAST_OLD 100
#define LEAST_NEW 60
/* A cut counts when the neighbours' verdicts left and right of it differ by this many standard
 * errors: about 1e-45, near the 1e-50 of ClaSS; flat from 12 to 15. Less lets slow drifts cut. */
#define CERTAIN 14.0
#define VALUE_MAX 16.0f
/* A window whose variance is below this is flat and has no shape. */
#define FLAT 1e-6
#define NEIGHBOURS 3
#define NONE UINT16_MAX

#define LANES 4
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t lane_masks __attribute__((vector_size(4 * LANES)));

struct regime {
    uint32_t count;        /* values kept */
    uint32_t since_scored; /* values since the cuts were scored */
    float values[LENGTH];
    /* Of the window that begins at each value. */
    float mean[LENGTH];
    float scale[LENGTH]; /* 1 / standard deviation; 0: flat */
    float worst[LENGTH]; /* correlation of the third neighbour: what a new one must beat */
    float like[LENGTH][NEIGHBOURS];
    uint16_t near[LENGTH][NEIGHBOURS];
    /* Dot product of the newest window with the one `lag` before, at LENGTH - 1 - lag. */
    float dots[LENGTH];
};

int regime_new(struct regime **ret)
{
    *ret = mem_calloc(1, sizeof(**ret));
    return *ret ? 0 : ERR_NOMEM;
}

void regime_free(struct regime *r)
{
    mem_free(r);
}

static uint32_t window_count(const struct regime *r)
{
    return r->count >= WIDTH ? r->count - WIDTH + 1 : 0;
}

static void measure(struct regime *r, uint32_t i)
{
    double sum = 0, squares = 0;
    for (uint32_t k = 0; k < WIDTH; k++) {
        double v = (double)r->values[i + k];
        sum += v;
        squares += v * v;
    }
    double mean = sum / WIDTH, variance = squares / WIDTH - mean * mean;
    r->mean[i] = (float)mean;
    r->scale[i] = variance > FLAT ? (float)(1 / sqrt(variance)) : 0;
}

/* ---- neighbours ---- */

static void make_neighbour(struct regime *r, uint32_t of, uint32_t window, float like)
{
    int at = NEIGHBOURS - 1;
    for (; at > 0 && like > r->like[of][at - 1]; at--) {
        r->like[of][at] = r->like[of][at - 1];
        r->near[of][at] = r->near[of][at - 1];
    }
    r->like[of][at] = like;
    r->near[of][at] = (uint16_t)window;
    r->worst[of] = r->like[of][NEIGHBOURS - 1];
}

static void clear_neighbours(struct regime *r, uint32_t i)
{
    for (int k = 0; k < NEIGHBOURS; k++) {
        r->like[i][k] = 0; /* only a positive correlation makes a neighbour */
        r->near[i][k] = NONE;
    }
    r->worst[i] = 0;
}

static void meet(struct regime *r, uint32_t i, uint32_t j, float like)
{
    if (like > r->worst[i])
        make_neighbour(r, i, j, like);
    if (like > r->worst[j])
        make_neighbour(r, j, i, like);
}

/* Meets the windows j..j+LANES-1 of which some lane of `hit` is set. */
static inline void meet_lanes(struct regime *r, uint32_t i, uint32_t j, lanes like, lane_masks hit)
{
    union {
        lane_masks mask;
        uint64_t any[LANES / 2];
    } u = {.mask = hit};
    uint64_t any = 0;
    for (int k = 0; k < LANES / 2; k++)
        any |= u.any[k];
    if (any)
        for (uint32_t k = 0; k < LANES; k++)
            meet(r, i, j + k, like[k]);
}

/*
 * One pass over all kept windows: the dot products move from the window before to window i, and
 * where they lie far enough back the correlations follow.
 */
static void find_neighbours(struct regime *r, uint32_t i)
{
    float *dots = r->dots + LENGTH - 1 - i; /* dots[j]: with window j */
    const float *in = r->values + WIDTH - 1, *out = r->values - 1;
    clear_neighbours(r, i);
    dots[0] = 0;
    for (uint32_t k = 0; k < WIDTH; k++)
        dots[0] += r->values[i + k] * r->values[k];
    uint32_t end = r->scale[i] > 0 && i >= APART ? i - APART + 1 : 0, j = 1;
    float new = in[i], old = i ? out[i] : 0, mean = WIDTH * r->mean[i], scale = r->scale[i] / WIDTH;
    if (end > 0)
        meet(r, i, 0, (dots[0] - mean * r->mean[0]) * scale * r->scale[0]);
    for (; j + LANES <= end; j += LANES) {
        lanes d = *(lanes *)&dots[j] + new **(const lanes *)&in[j] - old **(const lanes *)&out[j];
        *(lanes *)&dots[j] = d;
        lanes like =
            (d - mean * *(const lanes *)&r->mean[j]) * (scale * *(const lanes *)&r->scale[j]);
        meet_lanes(r, i, j, like, (like > r->worst[i]) | (like > *(const lanes *)&r->worst[j]));
    }
    for (; j < end; j++) {
        dots[j] += new *in[j] - old *out[j];
        meet(r, i, j, (dots[j] - mean * r->mean[j]) * (scale * r->scale[j]));
    }
    for (; j + LANES <= i + 1; j += LANES)
        *(lanes *)&dots[j] += new **(const lanes *)&in[j] - old **(const lanes *)&out[j];
    for (; j <= i; j++)
        dots[j] += new *in[j] - old *out[j];
}

/*
 * Forgets the first n values. A neighbour among them is lost, but its likeness stays the mark to
 * beat: filled up with later ones, old windows would all seem to belong to the new side.
 */
static void drop(struct regime *r, uint32_t n)
{
    uint32_t windows = window_count(r), kept = windows > n ? windows - n : 0;
    memmove(r->values, r->values + n, (r->count - n) * sizeof(r->values[0]));
    memmove(r->mean, r->mean + n, kept * sizeof(r->mean[0]));
    memmove(r->scale, r->scale + n, kept * sizeof(r->scale[0]));
    memmove(r->like, r->like + n, kept * sizeof(r->like[0]));
    memmove(r->near, r->near + n, kept * sizeof(r->near[0]));
    r->count -= n;
    memmove(r->worst, r->worst + n, kept * sizeof(r->worst[0]));
    for (uint32_t i = 0; i < kept; i++)
        for (int k = 0; k < NEIGHBOURS; k++)
            if (r->near[i][k] != NONE)
                r->near[i][k] = r->near[i][k] < n ? NONE : (uint16_t)(r->near[i][k] - n);
}

/* ---- cuts ---- */

/* The middle one of the three neighbours; NONE when one is missing or lost. */
static uint32_t verdict(const struct regime *r, uint32_t i)
{
    uint32_t a = r->near[i][0], b = r->near[i][1], c = r->near[i][2];
    if (a == NONE || b == NONE || c == NONE)
        return NONE;
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/*
 * Macro F1 of the verdicts for one cut: n[2] windows a side, right[2] of them rightly placed. 0
 * when the sides do not differ for certain.
 */
static double cut_score(const double *n, const double *right)
{
    double wrong0 = n[0] - right[0], wrong1 = n[1] - right[1], total = n[0] + n[1];
    double p = (right[0] + wrong1) / total;
    double apart = right[0] / n[0] - wrong1 / n[1];
    double variance = p * (1 - p) * total / (n[0] * n[1]);
    if (apart <= 0 || apart * apart < CERTAIN * CERTAIN * variance)
        return 0;
    return right[0] / (2 * right[0] + wrong0 + wrong1) +
           right[1] / (2 * right[1] + wrong0 + wrong1);
}

/* The best cut: the first window of its right side; 0: none is certain. */
static uint32_t best_cut(const struct regime *r)
{
    uint16_t later[LENGTH] = {0}, sooner[LENGTH] = {0}, judged[LENGTH] = {0};
    uint32_t windows = window_count(r), total = 0, best = 0;
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t c = verdict(r, i);
        if (c == NONE)
            continue;
        later[i > c ? i : c]++;
        sooner[i < c ? i : c]++;
        judged[i] = 1;
        total++;
    }
    double left = 0, right_of_left = 0, below = 0, best_score = 0;
    for (uint32_t s = 1; s + LEAST_NEW <= windows; s++) {
        right_of_left += later[s - 1];
        below += sooner[s - 1];
        left += judged[s - 1];
        double n[2] = {left, total - left}, right[2] = {right_of_left, total - below};
        if (s < LEAST_OLD || n[0] < LEAST_OLD / 2 || n[1] < LEAST_NEW / 2)
            continue;
        double score = cut_score(n, right);
        if (score > best_score) {
            best_score = score;
            best = s;
        }
    }
    return best;
}

int regime_push(struct regime *r, double value, uint32_t *ret_back)
{
    if (r->count == LENGTH)
        drop(r, LENGTH / 4);
    float v = (float)value;
    r->values[r->count++] = v > VALUE_MAX ? VALUE_MAX : v >= -VALUE_MAX ? v : -VALUE_MAX;
    uint32_t windows = window_count(r);
    if (windows == 0)
        return 0;
    measure(r, windows - 1);
    find_neighbours(r, windows - 1);
    if (++r->since_scored < EVERY)
        return 0;
    r->since_scored = 0;
    uint32_t cut = windows >= LEAST_OLD + LEAST_NEW ? best_cut(r) : 0;
    if (!cut)
        return 0;
    /* The first window of the new shape lies half across the change. */
    *ret_back = r->count - 1 - (cut + WIDTH / 2);
    drop(r, cut);
    return 1;
}

/* ---- state ---- */

static void walk_neighbours(struct regime *r, uint32_t windows, struct state *s)
{
    for (uint32_t i = 0; i < windows && !s->failed; i++) {
        for (int k = 0; k < NEIGHBOURS; k++) {
            uint32_t near = r->near[i][k];
            state_u32(s, &near, NONE);
            state_f32(s, &r->like[i][k]);
            s->failed |= near != NONE && near >= windows;
            r->near[i][k] = (uint16_t)near;
        }
        r->worst[i] = r->like[i][NEIGHBOURS - 1];
    }
}

void regime_walk(struct regime *r, struct state *s)
{
    if (s->brief) {
        uint32_t none[2] = {0, 0};
        state_u32(s, &none[0], LENGTH);
        state_u32(s, &none[1], EVERY);
        return;
    }
    state_u32(s, &r->count, LENGTH);
    state_u32(s, &r->since_scored, EVERY);
    state_f32s(s, r->values, r->count);
    for (uint32_t i = 0; i < r->count; i++)
        s->failed |= !(fabsf(r->values[i]) <= VALUE_MAX);
    uint32_t windows = window_count(r);
    state_f32s(s, r->dots + LENGTH - windows, windows);
    walk_neighbours(r, windows, s);
    if (s->failed) {
        r->count = 0;
        return;
    }
    for (uint32_t i = 0; !s->out && i < windows; i++)
        measure(r, i);
}
