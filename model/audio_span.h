/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latent of a whole span of sound, for neighbours: what its spectrum is on average, how it
 * varies and how quickly, how its loudness is shared out, and how its spectrum goes from beginning
 * to end. It depends on the span alone, hardly on how loud it was recorded, and is the same for a
 * moment and for a file. Allocates at _new only. One owner, no thread.
 *
 * The features are scaled by constants (audio_scale.c) so that each kind of them has its say in a
 * cosine; they come from bench/audio_knn.py --scale.
 */
#ifndef VARVE_MODEL_AUDIO_SPAN_H
#define VARVE_MODEL_AUDIO_SPAN_H

#include "model/audio_frames.h"

#define SPAN_CEPSTRA 20
#define SPAN_LAGS 7
#define SPAN_GROUPS 8 /* of five bands */
#define SPAN_SHARES 8 /* of loudness */
#define SPAN_SLICES 8 /* from beginning to end */
#define SPAN_SHAPE 13 /* cepstra of a slice */
#define SPAN_FEATURES                                                                              \
    (3 * SPAN_CEPSTRA - 1 + SPAN_LAGS * SPAN_GROUPS + SPAN_SHARES + SPAN_SLICES * SPAN_SHAPE)

/* The usual value of each feature, and one over its deviation. */
extern const float audio_span_usual[SPAN_FEATURES];
extern const float audio_span_scale[SPAN_FEATURES];

struct audio_span;

/* 0 or ERR_NOMEM. About 210 KiB. */
int audio_span_new(struct audio_span **ret);
void audio_span_free(struct audio_span *s);
void audio_span_add(struct audio_span *s, const struct audio_frame *frames, uint32_t n);
/* Of what was added since the last call; unit length, zero if that was nothing. ret[LATENT_DIM]. */
void audio_span_latent(struct audio_span *s, float *ret);
/* The features of its last ten seconds at most, not scaled; false if there is no frame. For the
 * program that finds the scale. ret[SPAN_FEATURES]. */
bool audio_span_features(struct audio_span *s, float *ret);

#endif
