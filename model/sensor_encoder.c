/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: observe walks the record's samples, each through its channel's predictor and novelty
 * watch, and keeps the most surprising one for bits, score and the words. Failure: only a channel's
 * first sample allocates (ERR_NOMEM; the record is then skipped for that channel alone and the code
 * returned). Sizes: about 15 KiB a channel, CHANNELS_MAX at most; samples of a channel beyond it
 * and values that are not finite are passed over, the pipeline refuses both before.
 */
#include "model/sensor_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/novelty.h"
#include "model/predictor.h"
#include "model/regime.h"
#include "model/sensor_latent.h"
#include "model/sensor_words.h"

#define SENSOR_VERSION 1
#define STATE_MAGIC 0x53565231u /* "SVR1" */
/* Bits alone never alert: with thousands of samples a day some are far out by chance. They fill the
 * scale below 0.5. */
#define BITS_SCORE 0.45
#define BITS_HALF 12.0
/* Some 2.5 alerts in 4,000 samples of usual data of ten kinds: one in 2^10.6. */
#define ALERT_BITS 10.0

/* Channels of a stream that are watched for a change of regime, the first ones: a watch takes 105
 * KiB and three microseconds a sample. */
#define REGIME_CHANNELS 4

struct channel {
    char name[CHANNEL_NAME_MAX];
    uint32_t place;
    struct predictor predictor;
    struct novelty novelty;
    struct sensor_latent latent;
    struct regime *regime; /* NULL from REGIME_CHANNELS on */
};

struct sensor_encoder {
    struct encoder base;
    struct channel *channels[CHANNELS_MAX]; /* NULL: not seen yet */
    uint32_t count;                         /* of those seen */
    float latent[LATENT_DIM];
    char why[160];
};

/* The most telling samples of a record so far. */
struct candidate {
    double probability;        /* the least */
    struct sensor_words words; /* of the sample of the strongest finding, or that least probable */
    struct sensor_words rare;
    uint32_t shift;
};

static struct sensor_encoder *self(const struct encoder *e)
{
    return (struct sensor_encoder *)e;
}

static void free_channel(struct channel *c)
{
    if (c)
        regime_free(c->regime);
    mem_free(c);
}

static int ensure_channel(struct sensor_encoder *s, uint16_t index, struct channel **ret)
{
    struct channel *c = s->channels[index];
    if (!c) {
        c = mem_calloc(1, sizeof(*c));
        if (!c || (index < REGIME_CHANNELS && regime_new(&c->regime) < 0)) {
            free_channel(c);
            return ERR_NOMEM;
        }
        snprintf(c->name, sizeof(c->name), "channel %u", index);
        c->place = sensor_latent_place(c->name);
        predictor_init(&c->predictor);
        novelty_init(&c->novelty);
        s->channels[index] = c;
        s->count++;
    }
    *ret = c;
    return 0;
}

static int name_channel(struct encoder *e, uint16_t index, const char *name)
{
    struct channel *c;
    if (index >= CHANNELS_MAX)
        return ERR_LIMIT;
    int r = ensure_channel(self(e), index, &c);
    if (r < 0)
        return r;
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->place = sensor_latent_place(c->name);
    return 0;
}

static void observe_sample(struct sensor_encoder *s, struct channel *c, int64_t time, double value,
                           struct candidate *best)
{
    struct predictor *p = &c->predictor;
    struct sensor_words w = {.name = c->name, .time = time, .value = value};
    w.season = p->seen ? predictor_season(p, time) : value;
    memcpy(w.usual, p->usual, sizeof(w.usual));
    double floor = predictor_floor(p), spread = p->spread;
    double away = (value - p->slow) / (spread > floor ? spread : floor);
    predictor_observe(p, time, value, &w.prediction);
    struct novelty_input in = {.time = time,
                               .value = value,
                               .season = w.season,
                               .bits = -log2(w.prediction.probability),
                               .floor = floor,
                               .spread = spread};
    novelty_observe(&c->novelty, &in, s->count, &w.finding);
    w.still = c->novelty.still;
    w.still_since = c->novelty.still_since;
    sensor_latent_add(&c->latent, c->place, fmax(-1e6, fmin(1e6, away)), w.prediction.units,
                      s->latent);
    uint32_t back;
    if (c->regime && regime_push(c->regime, away, &back) && back > best->shift)
        best->shift = back;
    if (w.prediction.probability < best->probability || !best->rare.name) {
        best->probability = w.prediction.probability;
        best->rare = w;
    }
    if (w.finding.strength > best->words.finding.strength || !best->words.name)
        best->words = w;
}

static int observe(struct encoder *e, const struct record *r, struct observation *ret)
{
    struct sensor_encoder *s = self(e);
    struct candidate best = {.probability = 1};
    int64_t time = r->time < TIME_MIN ? TIME_MIN : r->time > TIME_MAX ? TIME_MAX : r->time;
    int result = 0;
    memset(s->latent, 0, sizeof(s->latent));
    for (uint32_t i = 0; i < r->sample_count; i++) {
        const struct sample *sample = &r->samples[i];
        struct channel *c;
        if (sample->channel >= CHANNELS_MAX || !isfinite(sample->value))
            continue;
        int rc = ensure_channel(s, sample->channel, &c);
        if (rc < 0) {
            result = rc;
            continue;
        }
        observe_sample(s, c, time, sample->value, &best);
    }
    sensor_latent_finish(s->latent);
    /* The least of m probabilities is as small by chance as one would be: Sidak's correction. */
    double p = -expm1((double)(s->count > 0 ? s->count : 1) * log1p(-best.probability));
    double bits = best.probability >= 1 || p >= 1 ? 0 : -log2(p);
    double strength = best.words.finding.strength, score = strength / (1 + strength);
    double by_bits = BITS_SCORE * bits / (bits + BITS_HALF);
    s->why[0] = '\0';
    if (score >= 0.5)
        sensor_words_alert(&best.words, s->why, sizeof(s->why));
    else if (best.rare.name)
        sensor_words_rare(&best.rare, bits, s->why, sizeof(s->why));
    /* An alert sees more than one forecast's error does: it is at least as unlikely as alerts are. */
    if (score >= 0.5)
        bits = fmax(bits, ALERT_BITS);
    score = score > by_bits ? score : by_bits;
    *ret = (struct observation){
        .bits = bits, .score = score, .latent = s->latent, .shift = best.shift, .why = s->why};
    return result;
}

static void walk_channel(struct channel *c, struct state *s)
{
    for (size_t i = 0; i < sizeof(c->name); i++) {
        uint32_t byte = (unsigned char)c->name[i];
        state_u32(s, &byte, UINT8_MAX);
        c->name[i] = (char)byte;
    }
    s->failed |= memchr(c->name, '\0', sizeof(c->name)) == NULL;
    if (s->failed)
        return;
    c->place = sensor_latent_place(c->name);
    predictor_walk(&c->predictor, s);
    novelty_walk(&c->novelty, s);
    sensor_latent_walk(&c->latent, s);
    if (c->regime)
        regime_walk(c->regime, s);
}

static int save(const struct encoder *e, bool brief, struct buf *out)
{
    struct sensor_encoder *s = self(e);
    struct state state = {.out = out, .brief = brief};
    buf_put_u32(out, STATE_MAGIC);
    buf_put_u32(out, SENSOR_VERSION);
    buf_put_u32(out, s->count);
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        if (!s->channels[i])
            continue;
        buf_put_u16(out, (uint16_t)i);
        walk_channel(s->channels[i], &state);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static void drop_channels(struct sensor_encoder *s)
{
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        free_channel(s->channels[i]);
        s->channels[i] = NULL;
    }
    s->count = 0;
}

static int load_channels(struct sensor_encoder *s, struct state *state, uint32_t count,
                         struct errmsg *err)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t index = cursor_u16(&state->in);
        struct channel *c;
        if (state->in.failed || index >= CHANNELS_MAX || s->channels[index])
            return err_set(err, ERR_CORRUPT, "sensor model: bad channel number at byte %zu",
                           state->in.at);
        int r = ensure_channel(s, index, &c);
        if (r < 0)
            return err_set(err, r, "sensor model: no memory for channel %u", index);
        walk_channel(c, state);
        if (state->failed)
            return err_set(err, ERR_CORRUPT, "sensor model: channel %u is damaged before byte %zu",
                           index, state->in.at);
    }
    if (state->in.at != state->in.size)
        return err_set(err, ERR_CORRUPT, "sensor model: %zu bytes too many",
                       state->in.size - state->in.at);
    return 0;
}

static int load(struct encoder *e, const void *data, size_t size, struct errmsg *err)
{
    struct sensor_encoder *s = self(e);
    struct state state = {0};
    cursor_init(&state.in, data, size);
    uint32_t magic = cursor_u32(&state.in), version = cursor_u32(&state.in);
    uint32_t count = cursor_u32(&state.in);
    if (state.in.failed || magic != STATE_MAGIC || count > CHANNELS_MAX)
        return err_set(err, ERR_CORRUPT, "sensor model: not a saved state");
    if (version != SENSOR_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "sensor model: state of version %" PRIu32 ", this is %d", version,
                       SENSOR_VERSION);
    drop_channels(s);
    int r = load_channels(s, &state, count, err);
    if (r < 0)
        drop_channels(s);
    return r;
}

/* With its name goes what was learnt of it. */
static void forget(struct encoder *e, bool (*knows)(const void *arg, const char *text, size_t size),
                   const void *arg)
{
    struct sensor_encoder *s = self(e);
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        struct channel *c = s->channels[i];
        if (!c || !knows(arg, c->name, strlen(c->name)))
            continue;
        free_channel(c);
        s->channels[i] = NULL;
        s->count--;
    }
    memset(s->why, 0, sizeof(s->why));
}

static void free_encoder(struct encoder *e)
{
    drop_channels(self(e));
    mem_free(self(e));
}

static const struct encoder_ops ops = {
    .version = SENSOR_VERSION,
    .observe = observe,
    .channel = name_channel,
    .save = save,
    .load = load,
    .free = free_encoder,
    .forget = forget,
};

int sensor_encoder_new(struct encoder **ret)
{
    struct sensor_encoder *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->base.ops = &ops;
    *ret = &s->base;
    return 0;
}

int sensor_encoder_forecast(const struct encoder *e, uint16_t channel, int64_t horizon_us,
                            double *ret_mid, double *ret_low, double *ret_high)
{
    const struct sensor_encoder *s = self(e);
    if (channel >= CHANNELS_MAX || !s->channels[channel])
        return ERR_NOTFOUND;
    return predictor_forecast(&s->channels[channel]->predictor, horizon_us, ret_mid, ret_low,
                              ret_high);
}

int sensor_encoder_rhythm(const struct encoder *e, uint16_t channel, int64_t *ret_last,
                          int64_t *ret_step)
{
    const struct sensor_encoder *s = self(e);
    if (channel >= CHANNELS_MAX || !s->channels[channel])
        return ERR_NOTFOUND;
    const struct predictor *p = &s->channels[channel]->predictor;
    if (p->seen < 2 || p->step < 1)
        return ERR_NOTFOUND;
    *ret_last = p->time;
    *ret_step = (int64_t)p->step;
    return 0;
}
