/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audio_speech.h"

#include <math.h>
#include <string.h>

#define ABOVE_FLOOR 9.0 /* dB */
#define LEAST_LEVEL (-62.0)
#define FIRST_BAND 2 /* about 150 to 4000 Hz */
#define LAST_BAND 28
#define FLATNESS (-6.0) /* dB; that of noise is about -2, of vowels -8 to -15 */
#define PITCHED (-22.0) /* below it a whistle rather than a voice */
#define SWING 3.0       /* dB, deviation of the level inside a record */
#define HOLD 15         /* frames */
/* The network: probabilities at which speech begins and ends, and where it is not worth running. */
#define BEGINS 0.5
#define GOES_ON 0.35
#define HEARD_ABOVE_FLOOR 3.0 /* dB; steady noise moves by less than one */
#define HEARD_LEAST (-65.0)   /* dBFS */
#define HEARD_AFTER 8         /* steps: a quarter of a second after the last one above it */

/* Geometric against arithmetic mean of the power in the bands of voices, dB. */
static double flatness(const struct audio_frame *f)
{
    double sum = 0, power = 0;
    int n = LAST_BAND - FIRST_BAND;
    for (int i = FIRST_BAND; i < LAST_BAND; i++) {
        sum += (double)f->bands[i];
        power += pow(10, (double)f->bands[i] / 10);
    }
    return sum / n - 10 * log10(power / n);
}

static double by_energy(struct audio_speech *s, const struct audio_speech_input *in)
{
    double sum = 0, squares = 0, least = fmax(in->floor + ABOVE_FLOOR, LEAST_LEVEL);
    for (uint32_t i = 0; i < in->n; i++) {
        double level = fmax((double)in->frames[i].level, LEAST_LEVEL);
        sum += level;
        squares += level * level;
    }
    bool swings = squares / in->n - (sum / in->n) * (sum / in->n) > SWING * SWING;
    uint32_t spoken = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        const struct audio_frame *f = &in->frames[i];
        double flat = (double)f->level < least ? 0 : flatness(f);
        if (swings && flat < FLATNESS && flat > PITCHED)
            s->hold = HOLD;
        else if (s->hold)
            s->hold--;
        spoken += s->hold > 0;
    }
    return (double)spoken / in->n;
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

void audio_speech_gap(struct audio_speech *s)
{
    *s = (struct audio_speech){0};
}

void audio_speech_walk(struct audio_speech *s, struct state *state)
{
    state_u32(state, &s->hold, HOLD);
    voice_walk(&s->voice, state);
    state_u32(state, &s->count, VOICE_STEP - 1);
    state_f32s(state, s->waiting, state->failed ? 0 : s->count);
    for (uint32_t i = 0; i < s->count; i++)
        state->failed |= !(fabsf(s->waiting[i]) <= 1);
    state_u32(state, &s->soft, HEARD_AFTER);
    state_bool(state, &s->speaking);
}
