/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of sound as a token: its bands, loudness, onset and speech each light one or two of a
 * few soft bins, so that the mean of the tokens of a span is the joint histogram of them, and a
 * change of what is heard turns it. No state, no allocation; any thread.
 */
#ifndef VARVE_MODEL_AUDIO_LATENT_H
#define VARVE_MODEL_AUDIO_LATENT_H

#include "model/audio_sound.h"

/* speech: share of the record, 0..1. ret[LATENT_DIM], unit length. */
void audio_latent_token(const struct audio_sound *s, double speech, float *ret);

#endif
