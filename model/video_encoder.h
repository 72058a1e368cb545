/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder of camera and film frames: scene cuts, motion and where, light, dark, a frozen or
 * flickering picture, without training. See encoder.h for the contract.
 */
#ifndef VARVE_MODEL_VIDEO_ENCODER_H
#define VARVE_MODEL_VIDEO_ENCODER_H

#include "model/encoder.h"

/* Places in observation.traits. */
enum video_trait {
    VIDEO_CUT,    /* records from the new scene's first to this one, where a cut is told; 0: none */
    VIDEO_MOTION, /* share of the picture that moved, 0..1 */
    VIDEO_MOTION_X, /* centre of it, 0..1 from the upper left */
    VIDEO_MOTION_Y,
    VIDEO_LIGHT,   /* mean grey level, 0..255 */
    VIDEO_STEP,    /* sudden change of the light in one scene, grey levels; 0: none */
    VIDEO_DARK,    /* 1: black */
    VIDEO_STILL,   /* seconds for which the picture has not changed by one pixel, where it should */
    VIDEO_FLICKER, /* 1 */
    VIDEO_FLASH,   /* 1: a flash was over with this record */
    VIDEO_BROKEN,  /* 1: not readable, all else is zero; 0.5: damaged */
    VIDEO_TOKENS,  /* what it cost */
    VIDEO_TRAITS,
};

int video_encoder_new(struct encoder **ret);

/* "in the upper left", "on the right", "all over" for a share above half. Static storage. */
const char *video_where(float x, float y, float share);

#endif
