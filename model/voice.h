/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Silero VAD: how likely it is that somebody speaks, every 32 ms. The network's weights are no part
 * of the repository: model/weights/silero.py makes the file that is read here.
 */
#ifndef VARVE_MODEL_VOICE_H
#define VARVE_MODEL_VOICE_H

#include <stdbool.h>

#include "base/error.h"
#include "model/state.h"

#define VOICE_STEP 512   /* samples at 16 kHz */
#define VOICE_CONTEXT 64 /* samples before them that it hears again */
#define VOICE_STATE 128
#define VOICE_WEIGHTS "silero-vad.weights"

/* One stream's; zeroed memory is the beginning. */
struct voice {
    float context[VOICE_CONTEXT];
    float hidden[VOICE_STATE], cell[VOICE_STATE];
};

/*
 * Reads the weights, for the whole process: call once at start, before any encoder. Looks for them
 * as config_data_file() does. ERR_NOTFOUND: there are none, which is no failure;
 * ERR_CORRUPT, ERR_IO, ERR_NOMEM: there is a file that cannot be used, and *err says why. In
 * either case what was loaded before stays, and without any speech is told by energy and flatness.
 */
int voice_load(struct errmsg *err);
/* The same from a file of that name. */
int voice_load_file(const char *path, struct errmsg *err);
/* After the last encoder; without weights nothing. */
void voice_unload(void);
bool voice_loaded(void);
/* What tells speech, for people: "silero-vad-6" or "energy and flatness". */
const char *voice_detector(void);

/* Needs weights. samples[VOICE_STEP], -1..1. Returns the probability of speech. Any thread. */
float voice_hear(struct voice *v, const float *samples);
/* Saves or loads; see state.h. */
void voice_walk(struct voice *v, struct state *s);

#endif
