/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: each record joins the window with its time, surprise and token (int8, one scale).
 * Three detectors name a place where the moment ended: a gap in time at once, a surprise at once, a
 * topic shift half a window after its peak. The place of a surprise or shift moves back to where
 * the tokens part best: of all cuts the one that maximises two-community modularity, whose
 * adjacency of dot products lets sums of tokens stand for it, so a refinement costs one pass
 * (EM-LLM §3.2 needs n²). Without any, a moment is cut at its greatest length once nothing can cut
 * inside it any more. Failure modes: none after _new. Sizes: about 145 KiB a segmenter.
 *
 * Robust scale: median and MAD over the last RECENT surprises, renewed every RENEW records; heavy
 * tails want gamma near 3 (a Gaussian's 1 would cut every sixth record).
 */
#include "pipeline/segment.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define RECENT 256
#define RENEW 16
#define BINS 512         /* of 1/8 bit for surprise, 1/256 for distance */
#define SCALE_FLOOR 0.5f /* bits: streams that are all but constant do not cut on noise */
#define SHIFT_WINDOW 16
#define SHIFT_FLOOR 0.15f
#define SHIFT_SCALE 0.05f
#define SENSOR_ALERT 0.8  /* score of a sample so far out that it is a boundary by itself */
#define CONFIRM 1.0f      /* what a surprise needs of a shift beside it */
#define SURPRISE_BITS 4   /* least distance from the median */
#define SURPRISE_REACH 64 /* how far back a surprise's cut may move */
#define LAG 128           /* records until a place is settled */
#define GAP_BINS 96       /* half octaves of a microsecond */
#define GAP_LEAST (60 * US_PER_SECOND)
#define GAP_FIRST US_PER_HOUR /* until enough gaps are known */
#define GAP_KNOWN 8
#define GAP_FACTOR 10
#define GAP_FEW (30 * US_PER_MINUTE) /* what parts fewer records than the least of a moment */
#define SEGMENT_MAGIC 0x31474553u

/* The last values of a series with their median and MAD. */
struct robust {
    uint16_t recent[RECENT]; /* bins */
    uint32_t count;          /* ever */
    float median, mad;       /* in bins */
};

struct segmenter {
    struct segment_options options;
    bool sensor;
    uint32_t lag;
    uint32_t count; /* of the window */
    int8_t latents[SEGMENT_WINDOW][LATENT_DIM];
    float scales[SEGMENT_WINDOW];
    float bits[SEGMENT_WINDOW];
    int64_t times[SEGMENT_WINDOW];
    uint32_t cut;     /* decided and not yet taken; 0: none */
    bool after_event; /* a surprise or shift cut before the window */
    uint32_t pending; /* a surprise whose aftermath is waited for; 0: none */
    enum moment_end ended;
    struct robust surprise, shift;
    float older[LATENT_DIM], newer[LATENT_DIM]; /* sums of the two adjacent windows at the end */
    float distances[SEGMENT_WINDOW];            /* at the place between them; < 0: not known */
    uint32_t gaps[GAP_BINS];
    uint32_t gap_count;
};

static float clampf(float v, float low, float high)
{
    return v < low ? low : (v > high ? high : v);
}

static void robust_renew(struct robust *r)
{
    uint16_t bins[BINS] = {0};
    uint32_t n = r->count < RECENT ? r->count : RECENT;
    for (uint32_t i = 0; i < n; i++)
        bins[r->recent[i]]++;
    uint32_t seen = 0, at = 0;
    while (at < BINS - 1 && (seen += bins[at]) * 2 < n)
        at++;
    uint32_t near = bins[at], away = 0;
    while (near * 2 < n && away < BINS) {
        away++;
        near += at >= away ? bins[at - away] : 0;
        near += at + away < BINS ? bins[at + away] : 0;
    }
    r->median = (float)at;
    r->mad = (float)away;
}

static void robust_add(struct robust *r, float bin)
{
    r->recent[r->count % RECENT] = (uint16_t)clampf(bin, 0, BINS - 1);
    r->count++;
    if (r->count % RENEW == 0 || r->count == 4)
        robust_renew(r);
}

int segmenter_new(enum stream_kind kind, const struct segment_options *options,
                  struct segmenter **ret)
{
    struct segmenter *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    struct segment_options *o = &s->options;
    *o = *options;
    if (o->gamma <= 0)
        o->gamma = 3;
    if (o->shift <= 0)
        o->shift = 4;
    if (o->min_records == 0)
        o->min_records = kind == KIND_VIDEO ? 1 : 8;
    if (o->max_records == 0 || o->max_records > MOMENT_RECORDS)
        o->max_records = MOMENT_RECORDS;
    if (o->min_records > o->max_records)
        o->min_records = o->max_records;
    /* A change of regime is known late; shapes, not single samples, make a sensor's moments. */
    s->lag = kind == KIND_SENSOR ? SEGMENT_LAG_MAX : LAG;
    s->sensor = kind == KIND_SENSOR;
    /* A scene ends where the model says so. What moves in it is told inside its moment. */
    o->no_shift |= s->sensor || kind == KIND_VIDEO;
    o->no_surprise |= kind == KIND_VIDEO;
    *ret = s;
    return 0;
}

void segmenter_free(struct segmenter *s)
{
    mem_free(s);
}

/* out += weight * token i. */
static void add_latent(const struct segmenter *s, uint32_t i, float weight, float *restrict out)
{
    float w = weight * s->scales[i];
    const int8_t *restrict q = s->latents[i];
    for (int d = 0; d < LATENT_DIM; d++)
        out[d] += w * (float)q[d];
}

static float dot(const float *a, const float *b)
{
    float sum[8] = {0};
    for (int d = 0; d < LATENT_DIM; d += 8)
        for (int k = 0; k < 8; k++)
            sum[k] += a[d + k] * b[d + k];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static void store_latent(struct segmenter *s, uint32_t i, const float *restrict latent)
{
    float lanes[8] = {0};
    for (int d = 0; d < LATENT_DIM; d += 8)
        for (int k = 0; k < 8; k++) {
            float size = latent[d + k] < 0 ? -latent[d + k] : latent[d + k];
            lanes[k] = size > lanes[k] ? size : lanes[k];
        }
    float most = 0;
    for (int k = 0; k < 8; k++)
        most = lanes[k] > most ? lanes[k] : most;
    int8_t *restrict q = s->latents[i];
    s->scales[i] = most > 1e-12f && most < 1e6f ? most / 127 : 0;
    float up = s->scales[i] > 0 ? 127 / most : 0;
    for (int d = 0; d < LATENT_DIM; d++) {
        float v = latent[d] * up;
        q[d] = (int8_t)(v + (v < 0 ? -0.5f : 0.5f));
    }
}

/* ---- refinement ------------------------------------------------------------------------------ */

/*
 * Modularity of the cut before `at` over the window [from, to): with A_ij = x_i·x_j it is, up to
 * constants, |S1|² + |S2|² − ((S1·S)² + (S2·S)²) / |S|², S the sums of tokens. Of equal cuts the
 * later one stays.
 */
static uint32_t refine(const struct segmenter *s, uint32_t from, uint32_t lowest, uint32_t at,
                       uint32_t to)
{
    float left[LATENT_DIM] = {0}, all[LATENT_DIM] = {0}, right[LATENT_DIM];
    for (uint32_t i = from; i < to; i++)
        add_latent(s, i, 1, all);
    float whole = dot(all, all);
    if (!(whole > 0))
        return at;
    uint32_t best = at;
    double best_q = -INFINITY;
    for (uint32_t i = from; i < at; i++) {
        add_latent(s, i, 1, left);
        if (i + 1 < lowest)
            continue;
        for (int d = 0; d < LATENT_DIM; d++)
            right[d] = all[d] - left[d];
        double la = dot(left, all), ra = dot(right, all);
        double q = dot(left, left) + dot(right, right) - (la * la + ra * ra) / whole;
        if (q >= best_q) {
            best_q = q;
            best = i + 1;
        }
    }
    return best;
}

/* Cosine distance of the mean tokens of up to SHIFT_WINDOW records on either side of a place. */
static float distance_at(const struct segmenter *s, uint32_t at)
{
    float before[LATENT_DIM] = {0}, behind[LATENT_DIM] = {0};
    for (uint32_t i = at > SHIFT_WINDOW ? at - SHIFT_WINDOW : 0; i < at; i++)
        add_latent(s, i, 1, before);
    for (uint32_t i = at; i < s->count && i < at + SHIFT_WINDOW; i++)
        add_latent(s, i, 1, behind);
    float norm = sqrtf(dot(before, before) * dot(behind, behind));
    return norm > 1e-6f ? 1 - dot(before, behind) / norm : 0;
}

/* Moves a cut at most `reach` records back to where the tokens on both sides part best. */
static uint32_t refined(const struct segmenter *s, uint32_t at, uint32_t reach)
{
    uint32_t least = s->options.min_records;
    uint32_t settled = segmenter_settled(s);
    uint32_t from = at > 2 * reach ? at - 2 * reach : 0;
    uint32_t to = at + SHIFT_WINDOW < s->count ? at + SHIFT_WINDOW : s->count;
    uint32_t lowest = at > reach ? at - reach : 1;
    lowest = lowest > settled + 1 ? lowest : settled + 1;
    lowest = lowest > least ? lowest : least;
    if (s->options.no_refine || lowest >= at)
        return at;
    return refine(s, from, lowest, at, to);
}

/* ---- detectors ------------------------------------------------------------------------------- */

static uint32_t gap_bin(int64_t gap)
{
    if (gap <= 1)
        return 0;
    uint64_t g = (uint64_t)gap;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(g);
    uint32_t half = octave > 0 ? (uint32_t)(g >> (octave - 1)) & 1 : 0;
    uint32_t bin = 2 * octave + half;
    return bin < GAP_BINS ? bin : GAP_BINS - 1;
}

int64_t segmenter_usual_gap(const struct segmenter *s)
{
    if (s->gap_count < GAP_KNOWN)
        return 0;
    uint32_t seen = 0, bin = 0;
    while (bin < GAP_BINS - 1 && (seen += s->gaps[bin]) * 20 < s->gap_count * 17) /* 85 % */
        bin++;
    return bin < 2 ? 1 : (int64_t)(1ULL << (bin / 2)) * (bin % 2 ? 4 : 3) / 2;
}

static void learn_gap(struct segmenter *s, int64_t gap)
{
    s->gaps[gap_bin(gap)]++;
    if (++s->gap_count < 1024)
        return;
    s->gap_count = 0;
    for (int i = 0; i < GAP_BINS; i++)
        s->gap_count += s->gaps[i] /= 2;
}

/* Between the last of `count` records and the one at `now`? */
static bool is_gap(struct segmenter *s, uint32_t count, int64_t before, int64_t now)
{
    int64_t gap = now - before;
    int64_t usual = segmenter_usual_gap(s);
    int64_t bound = s->gap_count < GAP_KNOWN ? GAP_FIRST : GAP_FACTOR * usual;
    int64_t least = count < s->options.min_records ? GAP_FEW : GAP_LEAST;
    learn_gap(s, gap < 0 ? 0 : gap);
    return !s->options.no_gap && gap > (bound > least ? bound : least);
}

float segmenter_z(const struct segmenter *s, double bits)
{
    const struct robust *r = &s->surprise;
    float scale = 1.4826f * r->mad / 8;
    return ((float)bits - r->median / 8) / (scale > SCALE_FLOOR ? scale : SCALE_FLOOR);
}

static bool is_surprise(const struct segmenter *s, uint32_t at, double score)
{
    if (s->options.no_surprise || at < s->options.min_records || s->surprise.count < RENEW)
        return false;
    if (s->sensor)
        return score >= SENSOR_ALERT;
    float bits = s->bits[at];
    return bits - s->surprise.median / 8 >= SURPRISE_BITS &&
           segmenter_z(s, bits) > s->options.gamma;
}

/*
 * Sums of the SHIFT_WINDOW tokens before and behind a place, kept up as the window moves on. The
 * place looked at lies SHIFT_WINDOW records back.
 */
static void slide(struct segmenter *s)
{
    uint32_t n = s->count;
    add_latent(s, n - 1, 1, s->newer);
    if (n > SHIFT_WINDOW) {
        add_latent(s, n - 1 - SHIFT_WINDOW, -1, s->newer);
        add_latent(s, n - 1 - SHIFT_WINDOW, 1, s->older);
    }
    if (n > 2 * SHIFT_WINDOW)
        add_latent(s, n - 1 - 2 * SHIFT_WINDOW, -1, s->older);
    s->distances[n - 1] = -1;
    if (n < 2 * SHIFT_WINDOW)
        return;
    float norm = sqrtf(dot(s->older, s->older) * dot(s->newer, s->newer));
    float distance = norm > 1e-6f ? 1 - dot(s->older, s->newer) / norm : 0;
    s->distances[n - SHIFT_WINDOW] = clampf(distance, 0, 2);
    robust_add(&s->shift, distance * 256);
}

/* The distance that lies so many robust deviations above the usual one. */
static float shift_bound(const struct segmenter *s, float deviations)
{
    float scale = 1.4826f * s->shift.mad / 256;
    float bound = s->shift.median / 256 + deviations * (scale > SHIFT_SCALE ? scale : SHIFT_SCALE);
    return bound > SHIFT_FLOOR ? bound : SHIFT_FLOOR;
}

/* A peak of the distance, known as such half a window later. */
static uint32_t find_shift(const struct segmenter *s)
{
    uint32_t half = SHIFT_WINDOW / 2;
    if (s->options.no_shift || s->count < 2 * SHIFT_WINDOW + half || s->shift.count < 4 * RENEW)
        return 0;
    uint32_t at = s->count - SHIFT_WINDOW - half;
    if (at < s->options.min_records)
        return 0;
    float d = s->distances[at];
    if (d < shift_bound(s, s->options.shift))
        return 0;
    for (uint32_t i = at > half ? at - half : 0; i <= at + half; i++)
        if (s->distances[i] > d || (s->distances[i] == d && i > at))
            return 0;
    return at;
}

static void decide(struct segmenter *s, uint32_t at, enum moment_end why)
{
    s->cut = at;
    s->ended = why;
    s->pending = 0;
}

/*
 * A surprise begins a moment when what comes after it is also unlike what was before: one odd
 * record in a stream that goes on as usual is an unusual span and no boundary.
 */
static void look(struct segmenter *s)
{
    if (s->pending && s->count >= s->pending + SHIFT_WINDOW) {
        uint32_t at = refined(s, s->pending, SURPRISE_REACH);
        s->pending = 0;
        if (distance_at(s, at) >= shift_bound(s, CONFIRM))
            decide(s, at, END_SURPRISE);
    }
    uint32_t shift = s->cut ? 0 : find_shift(s);
    if (shift)
        decide(s, refined(s, shift, SHIFT_WINDOW / 2), END_SHIFT);
}

/*
 * The model knows of a change only some time later, and its word outweighs the others'.
 * Where the place has settled meanwhile, the cut comes as early as it still can.
 */
static void take_regime(struct segmenter *s, uint32_t back)
{
    uint32_t settled = segmenter_settled(s);
    uint32_t at = s->count - 1 > back ? s->count - 1 - back : 0;
    at = at > settled ? at : settled + 1;
    at = at > s->options.min_records ? at : s->options.min_records;
    /* The change that a surprise has just cut for is told a second time. */
    bool told = s->sensor && s->after_event && at < SURPRISE_REACH;
    if (at < s->count && !told)
        decide(s, at, END_SHIFT);
}

void segmenter_push(struct segmenter *s, int64_t time, const struct observation *o, bool backward)
{
    uint32_t i = s->count++;
    float b = clampf((float)o->bits, 0, 1000);
    s->times[i] = time;
    s->bits[i] = b;
    store_latent(s, i, o->latent);
    slide(s);
    bool gap = backward || (i > 0 && is_gap(s, i, s->times[i - 1], time));
    if (!s->pending && is_surprise(s, i, o->score))
        s->pending = i;
    if (gap && i > 0)
        decide(s, i, END_GAP);
    else if (s->sensor && s->pending)
        decide(s, s->pending, END_SURPRISE);
    else if (o->shift && !s->options.no_regime)
        take_regime(s, o->shift);
    else if (!s->cut)
        look(s);
    robust_add(&s->surprise, b * 8);
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* The first n records leave the window. */
static void leave(struct segmenter *s, uint32_t n)
{
    uint32_t rest = s->count - n;
    memmove(s->latents, s->latents + n, rest * sizeof(s->latents[0]));
    memmove(s->scales, s->scales + n, rest * sizeof(s->scales[0]));
    memmove(s->bits, s->bits + n, rest * sizeof(s->bits[0]));
    memmove(s->times, s->times + n, rest * sizeof(s->times[0]));
    s->count = rest;
    s->cut = s->cut > n ? s->cut - n : 0;
    s->pending = s->pending > n ? s->pending - n : 0;
    /* The windows of the shift never reach across a cut. */
    memset(s->older, 0, sizeof(s->older));
    memset(s->newer, 0, sizeof(s->newer));
    for (uint32_t i = 0; i < rest; i++)
        s->distances[i] = -1;
    uint32_t middle = rest > SHIFT_WINDOW ? rest - SHIFT_WINDOW : 0;
    uint32_t first = rest > 2 * SHIFT_WINDOW ? rest - 2 * SHIFT_WINDOW : 0;
    for (uint32_t i = first; i < rest; i++)
        add_latent(s, i, 1, i < middle ? s->older : s->newer);
}

/* Unusual records say more of a moment than the hundredth repeat of a usual one. */
static void moment_latent(const struct segmenter *s, uint32_t n, float *ret)
{
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    for (uint32_t i = 0; i < n; i++)
        add_latent(s, i, 1 + clampf(s->bits[i], 0, 16) / 4, ret);
    float norm = sqrtf(dot(ret, ret));
    for (int d = 0; d < LATENT_DIM; d++)
        ret[d] = norm > 1e-9f ? ret[d] / norm : 0;
}

static int take(struct segmenter *s, uint32_t n, enum moment_end why, struct segment_cut *ret)
{
    *ret = (struct segment_cut){.count = n, .ended = why};
    moment_latent(s, n, ret->latent);
    s->after_event = why == END_SURPRISE || why == END_SHIFT;
    leave(s, n);
    return SEGMENT_CUT;
}

int segmenter_cut(struct segmenter *s, struct segment_cut *ret)
{
    uint32_t most = s->options.max_records;
    if (s->cut)
        return s->cut > most ? take(s, most, END_LENGTH, ret) : take(s, s->cut, s->ended, ret);
    return s->count >= most + s->lag ? take(s, most, END_LENGTH, ret) : 0;
}

int segmenter_flush(struct segmenter *s, enum moment_end why, struct segment_cut *ret)
{
    uint32_t most = s->options.max_records;
    if (s->cut)
        return segmenter_cut(s, ret);
    if (s->count == 0)
        return 0;
    return s->count > most ? take(s, most, END_LENGTH, ret) : take(s, s->count, why, ret);
}

uint32_t segmenter_settled(const struct segmenter *s)
{
    return s->count > s->lag ? s->count - s->lag : 0;
}

/* ---- state ----------------------------------------------------------------------------------- */

static void save_robust(const struct robust *r, struct buf *out)
{
    uint32_t n = r->count < RECENT ? r->count : RECENT;
    buf_put_varint(out, n);
    for (uint32_t i = 0; i < n; i++)
        buf_put_varint(out, r->recent[(r->count - n + i) % RECENT]);
}

static bool load_robust(struct robust *r, struct cursor *in)
{
    uint64_t n = cursor_varint(in);
    if (n > RECENT)
        return false;
    memset(r, 0, sizeof(*r));
    for (uint64_t i = 0; i < n && !in->failed; i++)
        robust_add(r, (float)cursor_varint(in));
    robust_renew(r);
    return !in->failed;
}

/* When the next renewal comes, and what holds until then. */
static void save_phase(const struct robust *r, struct buf *out)
{
    buf_put_varint(out, r->count % RECENT);
    buf_put_f32(out, r->median);
    buf_put_f32(out, r->mad);
}

/* Behind load_robust: its values move to where they stood in the ring. */
static bool load_phase(struct robust *r, struct cursor *in)
{
    uint16_t recent[RECENT];
    uint64_t phase = cursor_varint(in);
    float median = cursor_f32(in), mad = cursor_f32(in);
    if (in->failed || phase >= RECENT || !(median >= 0 && median < BINS) ||
        !(mad >= 0 && mad <= BINS))
        return false;
    r->median = median;
    r->mad = mad;
    if (r->count < RECENT)
        return true;
    memcpy(recent, r->recent, sizeof(recent));
    for (uint32_t i = 0; i < RECENT; i++)
        r->recent[(phase + i) % RECENT] = recent[i];
    r->count = RECENT + (uint32_t)phase;
    return true;
}

int segmenter_save(const struct segmenter *s, struct buf *out)
{
    buf_put_u32(out, SEGMENT_MAGIC);
    save_robust(&s->surprise, out);
    save_robust(&s->shift, out);
    for (int i = 0; i < GAP_BINS; i++)
        buf_put_varint(out, s->gaps[i]);
    return buf_failed(out) ? ERR_NOMEM : 0;
}

void segmenter_save_phase(const struct segmenter *s, struct buf *out)
{
    save_phase(&s->surprise, out);
    save_phase(&s->shift, out);
    buf_put_varint(out, s->gap_count);
    buf_put_u8(out, s->after_event);
}

int segmenter_load_phase(struct segmenter *s, struct cursor *in, struct errmsg *err)
{
    bool good = load_phase(&s->surprise, in) && load_phase(&s->shift, in);
    uint64_t gaps = cursor_varint(in);
    uint8_t after = cursor_u8(in);
    if (!good || in->failed || gaps > 1024)
        return err_set(err, ERR_CORRUPT, "the segmenter's snapshot is damaged");
    s->gap_count = (uint32_t)gaps;
    s->after_event = after != 0;
    return 0;
}

int segmenter_load(struct segmenter *s, struct cursor *in, struct errmsg *err)
{
    bool good = cursor_u32(in) == SEGMENT_MAGIC && load_robust(&s->surprise, in) &&
                load_robust(&s->shift, in);
    s->gap_count = 0;
    for (int i = 0; good && i < GAP_BINS; i++) {
        uint64_t n = cursor_varint(in);
        good = !in->failed && n <= 1024;
        s->gaps[i] = good ? (uint32_t)n : 0;
        s->gap_count += s->gaps[i];
    }
    good = good && s->gap_count <= 1024;
    if (good)
        return 0;
    memset(&s->surprise, 0, sizeof(s->surprise));
    memset(&s->shift, 0, sizeof(s->shift));
    memset(s->gaps, 0, sizeof(s->gaps));
    s->gap_count = 0;
    return err_set(err, ERR_CORRUPT, "the segmenter's snapshot is damaged");
}
