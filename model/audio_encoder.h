/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARVE_MODEL_AUDIO_ENCODER_H
#define VARVE_MODEL_AUDIO_ENCODER_H

#include "model/encoder.h"

/* Where in an observation's traits what stands. */
enum audio_trait {
    AUDIO_LEVEL,  /* loudness, dBFS */
    AUDIO_SPEECH, /* the share of the record that is speech, 0..1 */
    AUDIO_EVENT,  /* dB by which a sound that begins here stands over what was before; 0: none */
};

/* 0 or ERR_NOMEM. Allocates here only. */
int audio_encoder_new(struct encoder **ret);

#endif
