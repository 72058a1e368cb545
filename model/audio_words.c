/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audio_words.h"

#include <math.h>
#include <stdio.h>

/* A knock comes at once and is over soon. */
#define KNOCK_LENGTH 0.2 /* seconds */
#define KNOCK_ONSET 5.0  /* dB */

/* To what the bands can tell apart. */
static double round_hz(double hz)
{
    double step = hz < 1000 ? 10 : 100;
    return round(hz / step) * step;
}

void audio_words_put(const struct audio_words *w, char *ret, size_t size)
{
    const struct audio_sound *s = w->sound;
    char what[48];
    snprintf(what, sizeof(what), w->finding == AUDIO_NEAR ? "a sound" : "a loud noise");
    if (w->finding == AUDIO_QUIET) {
        snprintf(ret, size, "quiet: %.0f dBFS, usually %.0f to %.0f", s->level, w->level->low,
                 w->level->high);
        return;
    }
    if (w->speech >= AUDIO_SPEECH_LEAST)
        snprintf(what, sizeof(what), "speech");
    else if (s->tone)
        snprintf(what, sizeof(what), "a tone near %.0f Hz", round_hz(s->hz));
    else if (s->length <= KNOCK_LENGTH && s->onset >= KNOCK_ONSET)
        snprintf(what, sizeof(what), "a knock");
    else if (w->finding == AUDIO_BAND)
        snprintf(what, sizeof(what), "a loud noise near %.0f Hz", round_hz(s->hz));
    snprintf(ret, size, "%s, %.0f dB above the %s", what, w->beyond,
             w->finding == AUDIO_NEAR ? "background" : "usual");
}
