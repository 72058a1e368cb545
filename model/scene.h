/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one scene ends and another begins: a hard cut, or another picture behind a spell of black.
 * No cut is a flash, a light switched on or off, a pan, or something large that passes: a change
 * counts once the next frames stay with the new picture and the old one is not found in it. Fixed
 * memory, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_SCENE_H
#define VARVE_MODEL_SCENE_H

#include <stdbool.h>

#include "model/picture.h"
#include "model/state.h"

#define SCENE_BACK_MAX 120

enum scene_event {
    SCENE_NOTHING,
    SCENE_CHANGE, /* all of the picture is another at once: a cut or a flash, not known yet */
    SCENE_CUT,    /* it was a cut, `back` records before this one */
    SCENE_FLASH,  /* it was none: the old picture is back */
    SCENE_DARK,   /* the picture has gone black */
    SCENE_LIGHT,  /* it shows something again, the same as before or nothing to compare */
};

struct scene {
    uint64_t seen;
    int64_t time;        /* of what is in doubt: the change, the dark or the return, microseconds */
    struct picture last; /* valid once seen > 0 */
    struct picture old;  /* the scene as it was last seen well, before what is in doubt */
    bool old_known;
    uint32_t doubt; /* frames since a change in doubt, that one included; 0: none */
    bool calm;      /* one of them was like the one before it */
    bool dark;
    uint32_t dark_frames; /* of the dark, or of the one that has ended */
    int64_t dark_for;     /* of the dark that has ended, microseconds */
    float black;          /* least light of the dark */
    bool faded_out;       /* the dark came by degrees */
    uint32_t returning;   /* frames since the dark ended, the first included; 0: not after a dark */
    float return_mean;    /* light of that first frame */
    float found;          /* usual share of blocks found again from frame to frame */
};

struct scene_finding {
    enum scene_event event;
    uint32_t back; /* SCENE_CUT: records from the first one of the new scene to this one, 1 to
                      SCENE_BACK_MAX; of a spell of black the second half is the new scene's */
    struct picture_likeness likeness; /* to the frame before; of the first frame all zero */
};

void scene_init(struct scene *s);
/* One frame, in order of arrival; time in microseconds. */
void scene_observe(struct scene *s, int64_t time, const struct picture *p,
                   struct scene_finding *ret);
/* Saves or loads; brief: without the pictures, as if the next frame were the first. See state.h. */
void scene_walk(struct scene *s, struct state *state);

#endif
