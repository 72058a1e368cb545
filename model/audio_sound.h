/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one record sounds like beside what its stream usually does: loudness, its loudest instant,
 * its sharpest onset, and the band that stands furthest out of the background. Fixed memory, no
 * allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_AUDIO_SOUND_H
#define VARVE_MODEL_AUDIO_SOUND_H

#include "model/audio_frames.h"

/* The usual range of a value: 5 and 95 % quantiles, tracked over some minutes. */
struct audio_range {
    uint64_t seen;
    double low, high;
};

void audio_range_learn(struct audio_range *r, double value);
void audio_range_walk(struct audio_range *r, struct state *s);

/* The background: each band's usual level. */
struct audio_background {
    uint64_t seen; /* records */
    bool follows;  /* `before` is the frame before the next one */
    struct audio_frame before;
    double mean[AUDIO_BANDS]; /* dB */
    double floor;             /* dBFS: how quiet it is when nothing happens */
};

struct audio_sound {
    double level;  /* dBFS, mean power of the frames */
    double peak;   /* dBFS of the loudest frame */
    double onset;  /* dB by which the sharpest rise over 30 ms stands out, mean over bands */
    double length; /* seconds within 10 dB of the loudest frame */
    double away;   /* dB by which the band furthest out lies above the background */
    double hz;     /* where that is */
    double alone; /* dB by which that band stands over those around it, above the background */
    bool tone;     /* it stands alone among its neighbours */
    double bands[AUDIO_BANDS]; /* mean of the frames, dB */
};

void audio_background_init(struct audio_background *b);
/* Measures and then learns; n > 0. */
void audio_sound_observe(struct audio_background *b, const struct audio_frame *frames, uint32_t n,
                         struct audio_sound *ret);
/* The next frame does not follow the last one. */
void audio_background_gap(struct audio_background *b);
void audio_background_walk(struct audio_background *b, struct state *s);

#endif
