/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sound as frames: windows of 25 ms every 10 ms, each with its loudness and the power in
 * AUDIO_BANDS bands of equal width on the mel scale from 60 to 7800 Hz. What is left of a record
 * after its last whole window waits for the next one, so records of any size give the same frames
 * as one long one. Allocates at _new only. One owner, no thread.
 */
#ifndef VARVE_MODEL_AUDIO_FRAMES_H
#define VARVE_MODEL_AUDIO_FRAMES_H

#include "base/error.h"
#include "base/record.h"
#include "model/state.h"

#define AUDIO_BANDS 40
#define AUDIO_WINDOW 400 /* samples */
#define AUDIO_HOP 160
#define AUDIO_FRAMES_MAX (AUDIO_RECORD_SAMPLES_MAX / AUDIO_HOP + 1) /* of one push */
#define AUDIO_QUIETEST (-96.0f)                                     /* dBFS of digital silence */

/* All in dB; 0 is a square wave of full scale, so a sine of full scale has a level of -3. */
struct audio_frame {
    float level;              /* of the window, at least AUDIO_QUIETEST */
    float bands[AUDIO_BANDS]; /* at least -100 */
};

struct audio_frames;

/* 0 or ERR_NOMEM. */
int audio_frames_new(struct audio_frames **ret);
void audio_frames_free(struct audio_frames *a);
/* What waits is dropped: the next sample does not follow the last one. */
void audio_frames_reset(struct audio_frames *a);
/*
 * The frames that these samples complete, AUDIO_FRAMES_MAX at most; *ret lives until the next push.
 * `pcm`: 16-bit little-endian, `samples` of them, at most AUDIO_RECORD_SAMPLES_MAX (what is over is
 * passed over).
 */
uint32_t audio_frames_push(struct audio_frames *a, const void *pcm, uint32_t samples,
                           const struct audio_frame **ret);
/* The middle of a band, Hz; fractions lie between bands. */
double audio_band_hz(double band);

/* Saves or loads what waits; see state.h. */
void audio_frames_walk(struct audio_frames *a, struct state *s);

#endif
