/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: frames are kept until a piece of PIECE of them is full or the span ends; then its
 * features are scaled, cut at CLIP and brought to unit length. A span of several pieces is their
 * mean, in which a piece counts more when something stands out in it. Nothing fails after _new.
 */
#include "model/audio_span.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/kernels.h"

#define PIECE 1024 /* frames: 10 s, so that what lies inside can be told from beginning to end */
#define FLOOR (-90.0f)
/* Frames that count: so many dB below the loudest one, and no silence. */
#define ACTIVE 45.0f
#define SILENT (-85.0f)
#define ACTIVE_LEAST 3
#define PATTERN 30.0f /* dB below the loudest: where the pattern begins and ends */
#define PATTERN_DEPTH 60.0f
#define LOUDNESS_BINS 256 /* of half a dB */
#define GROUP (AUDIO_BANDS / SPAN_GROUPS)
#define CLIP 4.0f
#define STANDS_OUT 10.0f /* dB of the loudest frame over the mean that double a piece's weight */

static const uint32_t lags[SPAN_LAGS] = {1, 2, 4, 8, 16, 32, 64};

struct audio_span {
    uint32_t count;
    float loudest;                   /* of the piece's frames, dB */
    float bands[PIECE][AUDIO_BANDS]; /* dB, not below FLOOR */
    float loudness[PIECE];           /* dB over all bands */
    const float *active[PIECE];      /* into `bands` */
    float cosines[SPAN_CEPSTRA][AUDIO_BANDS];
    float sum[LATENT_DIM]; /* of the pieces before */
};

_Static_assert(SPAN_FEATURES <= LATENT_DIM, "a latent holds the features");

int audio_span_new(struct audio_span **ret)
{
    struct audio_span *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    for (int k = 0; k < SPAN_CEPSTRA; k++)
        for (int b = 0; b < AUDIO_BANDS; b++)
            s->cosines[k][b] =
                (float)(cos(M_PI * k * (b + 0.5) / AUDIO_BANDS) * sqrt(2.0 / AUDIO_BANDS));
    *ret = s;
    return 0;
}

void audio_span_free(struct audio_span *s)
{
    mem_free(s);
}

/* ---- features: each writes its own and returns where the next begin ---- */

static float *put_deviations(const double *sum, const double *squares, double n, float *at)
{
    for (int k = 0; k < SPAN_CEPSTRA; k++) {
        double mean = n > 0 ? sum[k] / n : 0, variance = n > 0 ? squares[k] / n - mean * mean : 0;
        *at++ = (float)sqrt(fmax(0, variance));
    }
    return at;
}

/* Mean of the cepstra but for the first, which is loudness; deviations; those of their steps. */
static float *put_cepstra(const struct audio_span *s, uint32_t n, float *at)
{
    double sum[2][SPAN_CEPSTRA] = {{0}}, squares[2][SPAN_CEPSTRA] = {{0}};
    float c[SPAN_CEPSTRA], before[SPAN_CEPSTRA];
    for (uint32_t i = 0; i < n; i++) {
        kernel_matrix_vector(s->cosines[0], SPAN_CEPSTRA, AUDIO_BANDS, s->active[i], c);
        for (int k = 0; k < SPAN_CEPSTRA; k++) {
            double step = i ? (double)(c[k] - before[k]) : 0;
            sum[0][k] += (double)c[k];
            squares[0][k] += (double)c[k] * (double)c[k];
            sum[1][k] += step;
            squares[1][k] += step * step;
        }
        memcpy(before, c, sizeof(before));
    }
    for (int k = 1; k < SPAN_CEPSTRA; k++)
        *at++ = (float)(sum[0][k] / n);
    at = put_deviations(sum[0], squares[0], n, at);
    return put_deviations(sum[1], squares[1], n - 1, at);
}

/* How much the bands change over 10 to 640 ms. */
static float *put_lags(const struct audio_span *s, uint32_t n, float *at)
{
    for (int l = 0; l < SPAN_LAGS; l++) {
        float sum[SPAN_GROUPS] = {0};
        for (uint32_t i = lags[l]; i < n; i++) {
            const float *now = s->active[i], *then = s->active[i - lags[l]];
            for (int b = 0; b < AUDIO_BANDS; b++)
                sum[b / GROUP] += fabsf(now[b] - then[b]);
        }
        float by = n > lags[l] ? 1 / ((float)(n - lags[l]) * GROUP) : 0;
        for (int g = 0; g < SPAN_GROUPS; g++)
            *at++ = logf(sum[g] * by + 0.5f);
    }
    return at;
}

/* dB below the loudest frame under which that share of the frames lies. */
static float loudness_quantile(const uint32_t *bins, uint32_t n, double share)
{
    uint32_t at = LOUDNESS_BINS - 1, seen = 0;
    while (at > 0 && (seen += bins[at]) < share * n)
        at--;
    return -(float)at / 2;
}

static float *put_loudness(const struct audio_span *s, float *at)
{
    static const float near[] = {10, 20, 40};
    uint32_t bins[LOUDNESS_BINS] = {0}, n = s->count;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        float below = s->loudest - s->loudness[i];
        sum += (double)below;
        squares += (double)below * (double)below;
        bins[below * 2 < LOUDNESS_BINS - 1 ? (int)(below * 2 + 0.5f) : LOUDNESS_BINS - 1]++;
    }
    double mean = sum / n;
    *at++ = (float)-mean;
    *at++ = (float)sqrt(fmax(0, squares / n - mean * mean));
    *at++ = loudness_quantile(bins, n, 0.1);
    *at++ = loudness_quantile(bins, n, 0.5);
    *at++ = loudness_quantile(bins, n, 0.9);
    for (int k = 0; k < 3; k++) {
        uint32_t inside = 0;
        for (uint32_t i = 0; i < n; i++)
            inside += s->loudness[i] > s->loudest - near[k];
        *at++ = (float)inside / (float)n;
    }
    return at;
}

/* The cepstra of slices of equal length between the first and the last loud frame. */
static float *put_pattern(const struct audio_span *s, float *at)
{
    uint32_t first = 0, last = s->count - 1;
    while (first < last && s->loudness[first] <= s->loudest - PATTERN)
        first++;
    while (last > first && s->loudness[last] <= s->loudest - PATTERN)
        last--;
    uint32_t n = last - first + 1;
    float most = FLOOR;
    for (uint32_t i = first; i <= last; i++)
        for (int b = 0; b < AUDIO_BANDS; b++)
            most = fmaxf(most, s->bands[i][b]);
    for (uint32_t k = 0; k < SPAN_SLICES; k++) {
        uint32_t from = first + k * n / SPAN_SLICES;
        uint32_t to = first + ((k + 1) * n + SPAN_SLICES - 1) / SPAN_SLICES;
        float mean[AUDIO_BANDS] = {0}, c[SPAN_CEPSTRA];
        for (uint32_t i = from; i < to; i++)
            for (int b = 0; b < AUDIO_BANDS; b++)
                mean[b] += fmaxf(s->bands[i][b], most - PATTERN_DEPTH) / (float)(to - from);
        kernel_matrix_vector(s->cosines[0], SPAN_CEPSTRA, AUDIO_BANDS, mean, c);
        memcpy(at, c + 1, SPAN_SHAPE * sizeof(*at));
        at += SPAN_SHAPE;
    }
    return at;
}

bool audio_span_features(struct audio_span *s, float *ret)
{
    if (s->count == 0)
        return false;
    uint32_t n = 0;
    float least = fmaxf(s->loudest - ACTIVE, SILENT);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->loudness[i] > least)
            s->active[n++] = s->bands[i];
    if (n < ACTIVE_LEAST)
        for (n = 0; n < s->count; n++)
            s->active[n] = s->bands[n];
    float *at = put_cepstra(s, n, ret);
    at = put_lags(s, n, at);
    at = put_loudness(s, at);
    put_pattern(s, at);
    return true;
}

/* ---- the latent ---- */

/* What a feature weighs: all of one kind together as much as those of another, but for the pattern
 * and the lags, which tell the most apart, and the loudness, which tells the least. */
static float weight_of(int feature)
{
    static const struct {
        int count;
        float weight;
    } kinds[] = {{SPAN_CEPSTRA - 1, 1}, {SPAN_CEPSTRA, 1},
                 {SPAN_CEPSTRA, 1},     {SPAN_LAGS * SPAN_GROUPS, 1.2f},
                 {SPAN_SHARES, 0.6f},   {SPAN_SLICES * SPAN_SHAPE, 1.5f}};
    int kind = 0;
    while (feature >= kinds[kind].count)
        feature -= kinds[kind++].count;
    return kinds[kind].weight / sqrtf((float)kinds[kind].count);
}

/* The present piece joins the sum. */
static void close_piece(struct audio_span *s)
{
    float features[SPAN_FEATURES], latent[LATENT_DIM] = {0}, mean = 0;
    if (!audio_span_features(s, features))
        return;
    for (int i = 0; i < SPAN_FEATURES; i++) {
        float away = (features[i] - audio_span_usual[i]) * audio_span_scale[i];
        latent[i] = fmaxf(-CLIP, fminf(CLIP, away)) * weight_of(i);
    }
    kernel_normalise(latent, LATENT_DIM);
    for (uint32_t i = 0; i < s->count; i++)
        mean += s->loudness[i] / (float)s->count;
    kernel_axpy((float)s->count * (1 + (s->loudest - mean) / STANDS_OUT), latent, s->sum,
                LATENT_DIM);
    s->count = 0;
}

static void add_frame(struct audio_span *s, const struct audio_frame *f)
{
    float power = 0, *bands = s->bands[s->count];
    for (int b = 0; b < AUDIO_BANDS; b++) {
        bands[b] = fmaxf(f->bands[b], FLOOR);
        power += exp2f(bands[b] * 0.33219281f); /* 10^(dB / 10) */
    }
    float loudness = 10 * log10f(power);
    s->loudest = s->count ? fmaxf(s->loudest, loudness) : loudness;
    s->loudness[s->count++] = loudness;
}

void audio_span_add(struct audio_span *s, const struct audio_frame *frames, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s->count == PIECE)
            close_piece(s);
        add_frame(s, &frames[i]);
    }
}

void audio_span_latent(struct audio_span *s, float *ret)
{
    close_piece(s);
    memcpy(ret, s->sum, sizeof(s->sum));
    kernel_normalise(ret, LATENT_DIM);
    memset(s->sum, 0, sizeof(s->sum));
}
