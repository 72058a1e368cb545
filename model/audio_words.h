/* SPDX-License-Identifier: Apache-2.0 */
/* What of a record of sound was unusual, for people. */
#ifndef VARVE_MODEL_AUDIO_WORDS_H
#define VARVE_MODEL_AUDIO_WORDS_H

#include "model/audio_sound.h"

/* The last one is no alert: beyond what was heard just before, however usual that is. */
enum audio_finding { AUDIO_LOUD, AUDIO_BAND, AUDIO_QUIET, AUDIO_FINDINGS, AUDIO_NEAR };

struct audio_words {
    const struct audio_sound *sound;
    double speech; /* share, 0..1 */
    enum audio_finding finding;
    double beyond;                   /* dB beyond the usual range, or what came before */
    const struct audio_range *level; /* the usual one */
};

/* The share of a record from which on it is called speech. */
#define AUDIO_SPEECH_LEAST 0.3

void audio_words_put(const struct audio_words *w, char *ret, size_t size);

#endif
