/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audio_speech.h"

#include <math.h>

#define ABOVE_FLOOR 9.0 /* dB */
#define LEAST_LEVEL (-62.0)
#define FIRST_BAND 2 /* about 150 to 4000 Hz */
#define LAST_BAND 28
#define FLATNESS (-6.0) /* dB; that of noise is about -2, of vowels -8 to -15 */
#define PITCHED (-22.0) /* below it a whistle rather than a voice */
#define SWING 3.0       /* dB, deviation of the level inside a record */
#define HOLD 15         /* frames */

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

double audio_speech_observe(struct audio_speech *s, const struct audio_frame *frames, uint32_t n,
                            double floor)
{
    double sum = 0, squares = 0, least = fmax(floor + ABOVE_FLOOR, LEAST_LEVEL);
    for (uint32_t i = 0; i < n; i++) {
        double level = fmax((double)frames[i].level, LEAST_LEVEL);
        sum += level;
        squares += level * level;
    }
    bool swings = squares / n - (sum / n) * (sum / n) > SWING * SWING;
    uint32_t spoken = 0;
    for (uint32_t i = 0; i < n; i++) {
        double flat = (double)frames[i].level < least ? 0 : flatness(&frames[i]);
        if (swings && flat < FLATNESS && flat > PITCHED)
            s->hold = HOLD;
        else if (s->hold)
            s->hold--;
        spoken += s->hold > 0;
    }
    return (double)spoken / n;
}

void audio_speech_walk(struct audio_speech *s, struct state *state)
{
    state_u32(state, &s->hold, HOLD);
}
