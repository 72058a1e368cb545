/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audio_speech.h"

#include <math.h>
#include <string.h>

#define ABOVE_FLOOR 9.0 /* dB */
#define LEAST_LEVEL (-62.0)
#define FIRST_BAND 2     /* about 150 Hz */
#define MIDDLE_BAND 14   /* 950 Hz */
#define LAST_BAND 28     /* 3600 Hz */
#define FLATNESS (-10.0) /* dB, geometric against arithmetic mean; that of noise is about -2 */
#define PITCHED (-22.0)  /* below it a whistle rather than a voice */
#define OVER_MIDDLE 5.0  /* dB by which low bands stand over those above them */
#define OVER_HIGH 10.0
#define SWING 3.5 /* dB, deviation of the level over some half second */
#define SWING_RATE (1.0 / 50)
#define HOLD 15         /* frames */
#define RINGS 4         /* frames into which the end of a tone reaches */
#define PURE_TONE 15.0  /* dB; with 6, every sixth spoken record of telephone prompts was lost */
#define TONE_LEAST 25   /* frames: for less than that a vowel may stand alone too */
/* The network: probabilities at which speech begins and ends, and where it is not worth running. */
#define BEGINS 0.5
#define GOES_ON 0.35
#define HEARD_ABOVE_FLOOR 3.0 /* dB; steady noise moves by less than one */
#define HEARD_LEAST (-65.0)   /* dBFS */
#define HEARD_AFTER 8         /* steps: a quarter of a second after the last one above it */

/* Mean power of some bands, dB. */
static double power_of(const struct audio_frame *f, int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += pow(10, (double)f->bands[i] / 10);
    return 10 * log10(sum / (to - from));
}

/* Power in few bands of those of voices, most of it in the low ones. */
static bool sounds_voiced(const struct audio_frame *f)
{
    double sum = 0, low = power_of(f, FIRST_BAND, MIDDLE_BAND);
    for (int i = FIRST_BAND; i < LAST_BAND; i++)
        sum += (double)f->bands[i];
    double flat = sum / (LAST_BAND - FIRST_BAND) - power_of(f, FIRST_BAND, LAST_BAND);
    return flat < FLATNESS && flat > PITCHED &&
           low - power_of(f, MIDDLE_BAND, LAST_BAND) > OVER_MIDDLE &&
           low - power_of(f, LAST_BAND, AUDIO_BANDS) > OVER_HIGH;
}

/* Whether the loudness went up and down of late; learns one frame's. */
static bool swings(struct audio_speech *s, double level)
{
    double away = fmax(level, LEAST_LEVEL) - s->level;
    s->level += SWING_RATE * away;
    s->swing += SWING_RATE * (away * away - s->swing);
    return s->swing > SWING * SWING;
}

static double by_energy(struct audio_speech *s, const struct audio_speech_input *in)
{
    double least = fmax(in->floor + ABOVE_FLOOR, LEAST_LEVEL);
    bool tone = in->alone >= PURE_TONE && in->n >= TONE_LEAST;
    uint32_t spoken = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        const struct audio_frame *f = &in->frames[i];
        bool swinging = swings(s, (double)f->level);
        s->rings = tone ? RINGS : s->rings - (s->rings > 0);
        if (swinging && !s->rings && (double)f->level >= least && sounds_voiced(f))
            s->hold = HOLD;
        else if (s->hold)
            s->hold--;
        spoken += s->hold > 0;
    }
    return in->n ? (double)spoken / in->n : s->hold > 0;
}

/* The samples that wait are a step. Where it is soft nobody is heard, and the network forgets. */
static void step(struct audio_speech *s, double floor)
{
    double power = 0, probability = 0;
    for (int i = 0; i < VOICE_STEP; i++)
        power += (double)s->waiting[i] * (double)s->waiting[i];
    double level = 10 * log10(power / VOICE_STEP + 1e-12);
    if (level > fmax(floor + HEARD_ABOVE_FLOOR, HEARD_LEAST))
        s->soft = 0;
    else if (s->soft < HEARD_AFTER)
        s->soft++;
    if (s->soft < HEARD_AFTER) {
        probability = (double)voice_hear(&s->voice, s->waiting);
    } else {
        s->voice = (struct voice){.hidden = {0}};
        memcpy(s->voice.context, s->waiting + VOICE_STEP - VOICE_CONTEXT, sizeof(s->voice.context));
    }
    s->speaking = probability >= (s->speaking ? GOES_ON : BEGINS);
    s->count = 0;
}

static double by_voice(struct audio_speech *s, const struct audio_speech_input *in)
{
    const uint8_t *pcm = in->pcm;
    uint32_t steps = 0, spoken = 0;
    for (uint32_t i = 0; i < in->samples; i++) {
        int16_t v = (int16_t)(uint16_t)(pcm[2 * i] | pcm[2 * i + 1] << 8);
        s->waiting[s->count++] = (float)v / 32768;
        if (s->count < VOICE_STEP)
            continue;
        step(s, in->floor);
        steps++;
        spoken += s->speaking;
    }
    return steps ? (double)spoken / steps : s->speaking;
}

double audio_speech_observe(struct audio_speech *s, const struct audio_speech_input *in)
{
    return voice_loaded() ? by_voice(s, in) : by_energy(s, in);
}

void audio_speech_start(struct audio_speech *s)
{
    *s = (struct audio_speech){.level = LEAST_LEVEL};
}

void audio_speech_walk(struct audio_speech *s, struct state *state)
{
    state_u32(state, &s->hold, HOLD);
    state_u32(state, &s->rings, RINGS);
    state_f64(state, &s->level);
    state_f64(state, &s->swing);
    state->failed |= !(fabs(s->level) <= 200) || !(s->swing >= 0 && s->swing <= 1e5);
    voice_walk(&s->voice, state);
    state_u32(state, &s->count, VOICE_STEP - 1);
    state_f32s(state, s->waiting, state->failed ? 0 : s->count);
    for (uint32_t i = 0; i < s->count; i++)
        state->failed |= !(fabsf(s->waiting[i]) <= 1);
    state_u32(state, &s->soft, HEARD_AFTER);
    state_bool(state, &s->speaking);
}
