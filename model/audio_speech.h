/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether somebody speaks: by the network of voice.h when its weights are loaded, else by energy
 * and flatness. Fixed memory, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_AUDIO_SPEECH_H
#define VARVE_MODEL_AUDIO_SPEECH_H

#include "model/audio_frames.h"
#include "model/voice.h"

struct audio_speech {
    uint32_t hold; /* frames for which speech goes on after the last one that sounded like it */
    uint32_t rings; /* frames for which a tone is still heard */
    double level, swing; /* dBFS over the last half second, and its variance */
    struct voice voice;
    float waiting[VOICE_STEP]; /* samples, until there are enough for a step */
    uint32_t count;
    uint32_t soft; /* steps since the last one above the floor, up to those that are still heard */
    bool speaking;
};

/* One record, and what the frames make of it. */
struct audio_speech_input {
    const void *pcm; /* 16-bit little-endian */
    uint32_t samples;
    const struct audio_frame *frames;
    uint32_t n;   /* frames; 0 for a record that completes none */
    double floor; /* dBFS when nothing happens */
    double alone; /* dB by which one pitch stands over the others; 0: none does */
};

/*
 * The share of the record that is speech, 0..1. The network runs only where the sound rises above
 * the floor. Without it: frames far above the floor whose power lies in a few bands, as that of
 * voices does, in a record whose loudness goes up and down, as that of syllables does, and which is
 * no tone alone.
 */
double audio_speech_observe(struct audio_speech *s, const struct audio_speech_input *in);
/* The beginning, also when the next record does not follow the last one. */
void audio_speech_start(struct audio_speech *s);
void audio_speech_walk(struct audio_speech *s, struct state *state);

#endif
