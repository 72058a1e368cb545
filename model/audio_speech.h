/* SPDX-License-Identifier: Apache-2.0 */
/* Whether somebody speaks. Allocates at _new only. One owner, no thread. */
#ifndef VARVE_MODEL_AUDIO_SPEECH_H
#define VARVE_MODEL_AUDIO_SPEECH_H

#include "model/audio_frames.h"

struct audio_speech {
    uint32_t hold; /* frames for which speech goes on after the last one that sounded like it */
};

/*
 * The share of these frames that is speech, 0..1, by energy and flatness: a frame far above the
 * floor whose power lies in a few bands, as that of voices does, in a record whose loudness goes up
 * and down, as that of syllables does. n > 0.
 */
double audio_speech_observe(struct audio_speech *s, const struct audio_frame *frames, uint32_t n,
                            double floor);
void audio_speech_walk(struct audio_speech *s, struct state *state);

#endif
