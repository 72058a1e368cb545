/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: two passes over a record's frames. Nothing fails. */
#include "model/audio_sound.h"

#include <math.h>

/* A quantile moves so many dB a record, quicker while it is young: an hour's habit is left within
 * minutes, one event does not move it. */
#define RANGE_STEP 0.2
#define RANGE_STEP_YOUNG 2.0
#define RANGE_YOUNG 20
#define QUANTILE 0.95
/* The background forgets within a minute of records of half a second; one record moves it by at
 * most so many dB. */
#define BACKGROUND_RATE (1.0 / 120)
#define BACKGROUND_STEP 6.0
/* The floor falls at once and rises slowly, but for the first seconds. */
#define FLOOR_START (-70.0) /* dBFS */
#define FLOOR_FALL 0.5
#define FLOOR_RISE 0.01
#define FLOOR_YOUNG 20
#define FLOOR_FRAMES 50.0 /* of half a second */
#define SILENT (-75.0f)   /* dB of a band below which changes are not heard */
#define LASTING 10.0f     /* dB below the loudest frame that still belong to it */
#define RISE_FRAMES 3
/* A tone: its band and the next ones stand out, those around do not. */
#define TONE_ALONE 6.0
#define TONE_REACH 3
#define DB_MAX 200.0

void audio_range_learn(struct audio_range *r, double value)
{
    double step = r->seen < RANGE_YOUNG ? RANGE_STEP_YOUNG : RANGE_STEP;
    if (r->seen++ == 0) {
        r->low = r->high = value;
        return;
    }
    r->high += step * (value > r->high ? QUANTILE : QUANTILE - 1);
    r->low -= step * (value < r->low ? QUANTILE : QUANTILE - 1);
    if (r->low > r->high)
        r->low = r->high = (r->low + r->high) / 2;
}

void audio_range_walk(struct audio_range *r, struct state *s)
{
    state_u64(s, &r->seen, UINT64_MAX / 2);
    state_f64(s, &r->low);
    state_f64(s, &r->high);
    s->failed |= !(r->low <= r->high);
}

void audio_background_init(struct audio_background *b)
{
    *b = (struct audio_background){.floor = FLOOR_START};
}

void audio_background_gap(struct audio_background *b)
{
    b->follows = false;
}

/* Mean over the bands of what they gained, where it can be heard. */
static double rise(const struct audio_frame *from, const struct audio_frame *to)
{
    float sum = 0;
    for (int i = 0; i < AUDIO_BANDS; i++)
        sum += fmaxf(0, fmaxf(to->bands[i], SILENT) - fmaxf(from->bands[i], SILENT));
    return (double)(sum / AUDIO_BANDS);
}

static const struct audio_frame *frame_at(const struct audio_background *b,
                                          const struct audio_frame *frames, int64_t i)
{
    return i >= 0 ? &frames[i] : b->follows ? &b->before : &frames[0];
}

/* The band furthest above the background, and whether it is a tone. */
static void find_band(const struct audio_background *b, struct audio_sound *s)
{
    double above[AUDIO_BANDS];
    int best = 0;
    for (int i = 0; i < AUDIO_BANDS; i++) {
        above[i] = b->seen ? s->bands[i] - b->mean[i] : 0;
        if (above[i] > above[best])
            best = i;
    }
    double around = -DB_MAX, sum = 0, weighted = 0;
    for (int i = 0; i < AUDIO_BANDS; i++) {
        int distance = i > best ? i - best : best - i;
        if (distance >= TONE_REACH)
            around = fmax(around, above[i]);
        if (distance > 1)
            continue;
        double power = pow(10, s->bands[i] / 10);
        sum += power;
        weighted += power * i;
    }
    s->away = above[best];
    s->hz = audio_band_hz(weighted / sum);
    s->alone = s->away - fmax(around, 0);
    s->tone = s->alone >= TONE_ALONE;
}

static void learn(struct audio_background *b, const struct audio_sound *s, double quiet, uint32_t n)
{
    double rate = fmax(1 / ((double)b->seen + 1), BACKGROUND_RATE);
    for (int i = 0; i < AUDIO_BANDS; i++) {
        double away = s->bands[i] - b->mean[i];
        if (b->seen)
            away = fmax(-BACKGROUND_STEP, fmin(BACKGROUND_STEP, away));
        b->mean[i] += rate * away;
    }
    /* In short records it rises by as much less. */
    double part = fmin(1, n / FLOOR_FRAMES);
    double rising = b->seen < FLOOR_YOUNG ? 1 / (FLOOR_YOUNG - (double)b->seen) : FLOOR_RISE;
    b->floor += (quiet - b->floor) * (quiet < b->floor ? FLOOR_FALL : part * rising);
    b->seen++;
}

void audio_sound_observe(struct audio_background *b, const struct audio_frame *frames, uint32_t n,
                         struct audio_sound *ret)
{
    *ret = (struct audio_sound){.peak = (double)AUDIO_QUIETEST};
    double power = 0, quiet = 0;
    for (uint32_t i = 0; i < n; i++) {
        power += pow(10, (double)frames[i].level / 10);
        ret->peak = fmax(ret->peak, (double)frames[i].level);
        quiet = fmin(quiet, (double)frames[i].level);
        ret->onset =
            fmax(ret->onset, rise(frame_at(b, frames, (int64_t)i - RISE_FRAMES), &frames[i]));
        for (int k = 0; k < AUDIO_BANDS; k++)
            ret->bands[k] += (double)frames[i].bands[k] / n;
    }
    uint32_t loud = 0;
    for (uint32_t i = 0; i < n; i++)
        loud += frames[i].level >= (float)ret->peak - LASTING;
    ret->length = loud * (double)AUDIO_HOP / AUDIO_RATE;
    ret->level = fmax(10 * log10(power / n), (double)AUDIO_QUIETEST);
    find_band(b, ret);
    learn(b, ret, quiet, n);
    b->before = frames[n - 1];
    b->follows = true;
}

static void walk_decibel(struct state *s, double *v)
{
    state_f64(s, v);
    s->failed |= !(fabs(*v) <= DB_MAX);
}

void audio_background_walk(struct audio_background *b, struct state *s)
{
    state_u64(s, &b->seen, UINT64_MAX / 2);
    state_bool(s, &b->follows);
    state_f32(s, &b->before.level);
    state_f32s(s, b->before.bands, AUDIO_BANDS);
    for (int i = 0; i < AUDIO_BANDS; i++) {
        s->failed |= !(fabsf(b->before.bands[i]) <= (float)DB_MAX);
        walk_decibel(s, &b->mean[i]);
    }
    walk_decibel(s, &b->floor);
}
