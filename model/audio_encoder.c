/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a record's frames are measured; four measures (loudness, loudest instant, sharpest
 * onset, band furthest out) each have a predictor; the least of their probabilities is ranked among
 * the stream's recent ones, which makes it calibrated whatever the four have in common. Alerts are
 * what lies audibly beyond the stream's usual range, and each makes the next one harder for some
 * minutes. Failure modes: none after _new; a record too short for a frame only waits for the next
 * one; one of no or odd size is passed over. Sizes: about 500 KiB a stream.
 */
#include "model/audio_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/audio_frames.h"
#include "model/audio_latent.h"
#include "model/audio_sound.h"
#include "model/audio_span.h"
#include "model/audio_speech.h"
#include "model/audio_words.h"
#include "model/predictor.h"
#include "model/tail.h"

#define AUDIO_VERSION 1
#define STATE_MAGIC 0x41565231u /* "AVR1" */
/* Bits alone never alert, as with sensors: among two records a second some are far out by chance.
 */
#define BITS_SCORE 0.45
#define BITS_HALF 12.0
#define WORDED_BITS 10.0 /* from which on what is no alert is worded too */
/* An alert sees more than the measures' forecasts do: the record in which it begins is as unlikely
 * as that is on this stream, one in a thousand before any came, learnt over half an hour. */
#define ALERTS_FIRST (1.0 / 1024)
#define ALERTS_RATE (1.0 / 4096)
/* What an alert lies beyond the usual range, dB: twice as loud to the ear for the whole, less for
 * one band, whose mean over a record hardly moves in noise. */
#define LOUD_LEAST 10.0
#define BAND_LEAST 8.0
#define QUIET_LEAST 12.0
/* A sound that begins stands so far over the last seconds, dB; a tone's band over its background.
 */
#define EVENT_LEAST 12.0
#define EVENT_CALM 2 /* records without one before the next */
#define NEAR_RISE 0.1
#define NEAR_RISE_MOST 0.6 /* dB a record */
#define NEAR_FALL 0.5
#define HEARD (-70.0) /* dBFS: what is softer is no loud sound */
#define YOUNG 20      /* records before which nothing is an alert: the usual is not known yet */
/* Each alert of the last minutes asks so much more of the next one. */
#define TIRING 0.2
#define REST_SECONDS 600.0
#define LASTS 6 /* records: so long after an alert what goes on is the same event */
/* Event time may jitter so much between records that follow each other. */
#define JITTER (200 * 1000)

enum measure { LEVEL, PEAK, ONSET, AWAY, MEASURES };

struct audio_encoder {
    struct encoder base;
    struct audio_frames *frames;
    struct audio_frames *span_frames; /* apart from observe's: a span is told whole */
    struct audio_span *span;
    int64_t span_next;
    struct audio_background background;
    struct audio_speech speech;
    struct predictor predictors[MEASURES];
    struct audio_range usual[MEASURES];
    struct tail tail;
    int64_t next;   /* event time at which the next record begins if it follows; 0: none came yet */
    double near;    /* dBFS: how loud it was in the last seconds, without events */
    uint32_t calm;  /* records since the last event, up to EVENT_CALM */
    double alerts;  /* share of the records in which an alert begins */
    double tired;   /* by recent alerts */
    uint32_t quiet; /* records since the last alert, up to LASTS */
    double strongest; /* alert of the present event */
    float latent[LATENT_DIM];
    char why[160];
};

static struct audio_encoder *self(const struct encoder *e)
{
    return (struct audio_encoder *)e;
}

static void start(struct audio_encoder *a)
{
    audio_frames_reset(a->frames);
    audio_background_init(&a->background);
    audio_speech_start(&a->speech);
    memset(a->usual, 0, sizeof(a->usual));
    for (int i = 0; i < MEASURES; i++)
        predictor_init(&a->predictors[i]);
    tail_init(&a->tail);
    a->next = 0;
    a->tired = a->strongest = 0;
    a->alerts = ALERTS_FIRST;
    a->near = 0;
    a->calm = EVENT_CALM;
    a->quiet = LASTS;
}

/* Bits of the least probable measure, not calibrated yet. */
static double judge_measures(struct audio_encoder *a, int64_t time, const double *values)
{
    double least = 1;
    for (int i = 0; i < MEASURES; i++) {
        struct prediction p;
        predictor_observe(&a->predictors[i], time, values[i], &p);
        /* Less of a peak, onset or band than usual is nothing that happened. */
        if (i == LEVEL || p.units > 0)
            least = fmin(least, p.probability);
    }
    double any = -expm1(MEASURES * log1p(-least));
    return least >= 1 || any >= 1 ? 0 : -log2(any);
}

static double calibrate(struct tail *t, double raw)
{
    double bits = -log2(tail_rank(t, raw));
    tail_learn(t, raw);
    return fmax(0, bits);
}

/* The strongest finding, in units of what an alert takes. */
static double find(const struct audio_encoder *a, const double *values, struct audio_words *w)
{
    static const double least[AUDIO_FINDINGS] = {LOUD_LEAST, BAND_LEAST, QUIET_LEAST};
    double beyond[AUDIO_FINDINGS] = {
        [AUDIO_LOUD] = values[PEAK] - fmax(a->usual[PEAK].high, HEARD),
        [AUDIO_BAND] = values[PEAK] < HEARD ? 0 : values[AWAY] - a->usual[AWAY].high,
        [AUDIO_QUIET] = a->usual[LEVEL].low - values[LEVEL],
    };
    double strength = 0;
    for (int i = 0; i < AUDIO_FINDINGS; i++) {
        if (beyond[i] / least[i] <= strength)
            continue;
        strength = beyond[i] / least[i];
        w->finding = (enum audio_finding)i;
        w->beyond = beyond[i];
    }
    return a->usual[LEVEL].seen < YOUNG ? fmin(strength, 0.9) : strength;
}

/* Many alerts in a short time tire: only what is stronger gets through, until some minutes passed.
 */
static double habituate(struct audio_encoder *a, double strength, double seconds)
{
    a->tired *= exp(-seconds / REST_SECONDS);
    double left = strength / (1 + TIRING * a->tired);
    bool goes_on = a->quiet < LASTS;
    if (goes_on)
        left = fmin(strength, a->strongest);
    a->quiet += a->quiet < LASTS;
    if (left >= 1) {
        a->tired += !goes_on;
        a->strongest = goes_on ? fmax(a->strongest, left) : left;
        a->quiet = 0;
    }
    return left;
}

/* dB by which a sound that begins in this record stands over what was just before, 0 for none. */
static double find_event(struct audio_encoder *a, const struct audio_sound *s)
{
    double above = s->peak - a->near;
    if (s->tone)
        above = fmax(above, s->away);
    bool event = s->peak > HEARD && above >= EVENT_LEAST;
    double step = s->peak - a->near;
    a->near += step < 0 ? NEAR_FALL * step : fmin(NEAR_RISE * step, NEAR_RISE_MOST);
    bool begins = event && a->calm == EVENT_CALM;
    a->calm = event ? 0 : a->calm + (a->calm < EVENT_CALM);
    return begins ? above : 0;
}

static int64_t time_of(const struct record *r)
{
    return r->time < TIME_MIN ? TIME_MIN : r->time > TIME_MAX ? TIME_MAX : r->time;
}

static uint32_t samples_of(const struct record *r)
{
    size_t whole = r->media.size / 2;
    return whole < AUDIO_RECORD_SAMPLES_MAX ? (uint32_t)whole : AUDIO_RECORD_SAMPLES_MAX;
}

/* Whether the record begins where the last one ended; *next is where the one after it should. */
static bool follows(const struct record *r, int64_t *next)
{
    int64_t time = time_of(r), due = *next;
    *next = time + (int64_t)samples_of(r) * US_PER_SECOND / AUDIO_RATE;
    return due && llabs(time - due) <= JITTER;
}

static int observe(struct encoder *e, const struct record *r, struct observation *ret)
{
    struct audio_encoder *a = self(e);
    int64_t time = time_of(r);
    uint32_t samples = samples_of(r);
    const struct audio_frame *frames;
    *ret = (struct observation){
        .traits[AUDIO_LEVEL] = AUDIO_QUIETEST, .latent = a->latent, .why = a->why};
    memset(a->latent, 0, sizeof(a->latent));
    a->why[0] = '\0';
    int64_t due = a->next;
    double passed = (double)samples / AUDIO_RATE;
    if (!follows(r, &a->next)) {
        audio_frames_reset(a->frames);
        audio_background_gap(&a->background);
        audio_speech_start(&a->speech);
        /* Where only clips are recorded, one rests between them as well. */
        a->quiet = LASTS;
        passed += due && time > due ? (double)(time - due) / US_PER_SECOND : 0;
    }
    uint32_t n = audio_frames_push(a->frames, r->media.data, samples, &frames);
    struct audio_sound sound = {0};
    double floor = a->background.floor;
    if (n > 0)
        audio_sound_observe(&a->background, frames, n, &sound);
    struct audio_speech_input heard = {r->media.data, samples, frames, n, floor, sound.alone};
    double speech = audio_speech_observe(&a->speech, &heard);
    ret->traits[AUDIO_SPEECH] = (float)speech;
    if (n == 0)
        return 0;
    double values[MEASURES] = {sound.level, sound.peak, sound.onset, sound.away};
    struct audio_words words = {.sound = &sound, .speech = speech, .level = &a->usual[LEVEL]};
    double bits = calibrate(&a->tail, judge_measures(a, time, values));
    bool begins = a->quiet == LASTS;
    double strength = find(a, values, &words);
    strength = habituate(a, strength, passed);
    begins = begins && strength >= 1;
    if (begins)
        bits = fmax(bits, -log2(a->alerts));
    a->alerts += ALERTS_RATE * (begins - a->alerts);
    double score = strength / (1 + strength), by_bits = BITS_SCORE * bits / (bits + BITS_HALF);
    double event = find_event(a, &sound);
    bool worded = strength >= 1 || (words.beyond > 0 && bits >= WORDED_BITS);
    if (event > 0 && !worded) {
        words.finding = AUDIO_NEAR;
        words.beyond = event;
    }
    if (worded || event > 0)
        audio_words_put(&words, a->why, sizeof(a->why));
    ret->bits = bits;
    ret->score = strength >= 1 ? score : fmax(fmin(score, BITS_SCORE), by_bits);
    ret->traits[AUDIO_LEVEL] = (float)sound.level;
    ret->traits[AUDIO_EVENT] = (float)event;
    for (int i = 0; i < MEASURES; i++)
        audio_range_learn(&a->usual[i], values[i]);
    audio_latent_token(&sound, speech, a->latent);
    return 0;
}

static void span_add(struct encoder *e, const struct record *r)
{
    struct audio_encoder *a = self(e);
    const struct audio_frame *frames;
    if (!follows(r, &a->span_next))
        audio_frames_reset(a->span_frames);
    uint32_t n = audio_frames_push(a->span_frames, r->media.data, samples_of(r), &frames);
    audio_span_add(a->span, frames, n);
}

static void span_latent(struct encoder *e, float *ret)
{
    struct audio_encoder *a = self(e);
    audio_span_latent(a->span, ret);
    audio_frames_reset(a->span_frames);
    a->span_next = 0;
}

static void walk(struct audio_encoder *a, struct state *s)
{
    audio_frames_walk(a->frames, s);
    audio_background_walk(&a->background, s);
    audio_speech_walk(&a->speech, s);
    for (int i = 0; i < MEASURES; i++) {
        predictor_walk(&a->predictors[i], s);
        audio_range_walk(&a->usual[i], s);
    }
    tail_walk(&a->tail, s);
    state_i64(s, &a->next);
    s->failed |= a->next < 0 || a->next > TIME_MAX + US_PER_MINUTE;
    state_f64(s, &a->tired);
    state_f64(s, &a->near);
    s->failed |= !(fabs(a->near) <= 200);
    state_u32(s, &a->calm, EVENT_CALM);
    state_f64(s, &a->alerts);
    s->failed |= !(a->alerts > 1e-12 && a->alerts <= 1);
    state_f64(s, &a->strongest);
    state_u32(s, &a->quiet, LASTS);
    s->failed |= !(a->tired >= 0) || !(a->strongest >= 0);
}

static int save(const struct encoder *e, bool brief, struct buf *out)
{
    struct state state = {.out = out, .brief = brief};
    buf_put_u32(out, STATE_MAGIC);
    buf_put_u32(out, AUDIO_VERSION);
    walk(self(e), &state);
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static int load(struct encoder *e, const void *data, size_t size, struct errmsg *err)
{
    struct audio_encoder *a = self(e);
    struct state state = {0};
    cursor_init(&state.in, data, size);
    uint32_t magic = cursor_u32(&state.in), version = cursor_u32(&state.in);
    if (state.in.failed || magic != STATE_MAGIC)
        return err_set(err, ERR_CORRUPT, "audio model: not a saved state");
    if (version != AUDIO_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "audio model: state of version %" PRIu32 ", this is %d", version,
                       AUDIO_VERSION);
    walk(a, &state);
    if (!state.failed && state.in.at == state.in.size)
        return 0;
    start(a);
    return err_set(err, ERR_CORRUPT, "audio model: damaged before byte %zu", state.in.at);
}

static void free_encoder(struct encoder *e)
{
    audio_frames_free(self(e)->frames);
    audio_frames_free(self(e)->span_frames);
    audio_span_free(self(e)->span);
    mem_free(self(e));
}

static const struct encoder_ops ops = {
    .version = AUDIO_VERSION,
    .observe = observe,
    .save = save,
    .load = load,
    .free = free_encoder,
    .span_add = span_add,
    .span_latent = span_latent,
};

int audio_encoder_new(struct encoder **ret)
{
    struct audio_encoder *a = mem_calloc(1, sizeof(*a));
    if (!a)
        return ERR_NOMEM;
    a->base.ops = &ops;
    if (audio_frames_new(&a->frames) < 0 || audio_frames_new(&a->span_frames) < 0 ||
        audio_span_new(&a->span) < 0) {
        free_encoder(&a->base);
        return ERR_NOMEM;
    }
    start(a);
    *ret = &a->base;
    return 0;
}
