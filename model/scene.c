/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a frame that is like the last one costs one correlation. One that is not puts the
 * change in doubt: the picture before it is kept, and the next frames decide. Black frames are a
 * state of their own, at whose end the picture before is held against the one behind. Failure
 * modes: none; where every frame is unlike the last one (snow, a camera thrown about) nothing is a
 * cut. Sizes: two pictures, 10 KiB.
 */
#include "model/scene.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* All of these were chosen on the clips of bench/scenes.py. */
#define SAME 0.5f            /* share of blocks that are found again in the same scene, where ... */
#define AS_IT_LIES 0.4f      /* ... the correlation of the whole counts for so much ... */
#define COLOURS 0.5f         /* ... and that it shares more than ... */
#define COLOURS_LEAST 0.6f   /* ... so many of its colours. */
#define TEXTURE_COLOUR 0.9f  /* colours and layout of a scene whose texture alone is another, */
#define TEXTURE_LAYOUT 12.0f /* as of water or snow */
#define FOUND_USUAL 0.5f     /* and what of the usual share a cut stays under */
#define FOUND_RATE 0.05f
#define FLAT 0.2f    /* share of textured blocks under which colours decide */
#define COLOUR 0.5f  /* colours that flat pictures share across no cut */
#define LAYOUT 24.0f /* grey levels that they differ by across a cut */
#define HOLD_US                                                                                    \
    (130 * US_PER_SECOND / 1000) /* a change that counts lasts so long: flashes are shorter */
#define HOLD_MAX 5               /* frames of it */
#define DOUBT_MAX 10             /* frames until which it must have come to rest */
#define BLACK_MEAN 14.0f         /* grey levels */
#define BLACK_RISE 5.0f          /* by which the light has come back */
#define BLACK_SPREAD 8.0f
#define CLEAR_SPREAD 12.0f /* from which a picture can be compared well */
#define RETURN_US (US_PER_SECOND / 2)
#define RETURN_MAX 24   /* frames until which it is judged as it is */
#define FADE_STEP 20.0f /* grey levels; a fade goes by smaller steps */
#define FADE_RISE 1.5f
#define FADE_DARK_MAX (5 * US_PER_SECOND)

void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->found = 1;
}

static bool is_black(const struct picture *p)
{
    return p->mean < BLACK_MEAN && p->deviation < BLACK_SPREAD;
}

static bool is_same(const struct picture_likeness *l)
{
    if (l->textured < FLAT)
        return l->colour >= COLOUR || l->layout < LAYOUT;
    if (l->colour >= TEXTURE_COLOUR && l->layout < TEXTURE_LAYOUT)
        return true;
    return l->found + AS_IT_LIES * fmaxf(l->correlation, 0) +
               COLOURS * fmaxf(l->colour - COLOURS_LEAST, 0) >=
           SAME;
}

static void settle(struct scene *s, enum scene_event event, struct scene_finding *ret)
{
    ret->event = event;
    s->doubt = 0;
    s->returning = 0;
}

static void settle_cut(struct scene *s, uint32_t back, const struct picture *p,
                       struct scene_finding *ret)
{
    ret->back = back;
    s->old = *p;
    settle(s, SCENE_CUT, ret);
}

/* ---- the dark -------------------------------------------------------------------------------- */

static void enter_dark(struct scene *s, int64_t time, const struct picture *p,
                       struct scene_finding *ret)
{
    s->dark_frames = 0;
    s->black = p->mean;
    s->faded_out = s->seen > 0 && s->last.mean - p->mean < FADE_STEP;
    s->dark = true;
    s->time = time;
    settle(s, SCENE_DARK, ret);
}

static void leave_dark(struct scene *s, int64_t time, const struct picture *p)
{
    s->dark = false;
    s->dark_for = time - s->time;
    s->time = time;
    s->returning = 1;
    s->return_mean = p->mean;
}

/* A black that is long is a time of its own; a short one is parted between the scenes. */
static uint32_t back_into_dark(const struct scene *s)
{
    uint32_t back = s->returning - 1 + (s->dark_for < FADE_DARK_MAX ? s->dark_frames / 2 : 0);
    return back < SCENE_BACK_MAX ? back : SCENE_BACK_MAX;
}

/* Holds what came after the dark against what was before it, once it shows enough of itself. */
static void judge_return(struct scene *s, int64_t time, const struct picture *p,
                         struct scene_finding *ret)
{
    struct picture_likeness l;
    s->returning++;
    if (p->deviation < CLEAR_SPREAD && time - s->time < RETURN_US && s->returning < RETURN_MAX)
        return;
    picture_compare(&s->old, p, &l);
    bool faded_in = s->return_mean < BLACK_MEAN + FADE_STEP && p->mean > FADE_RISE * s->return_mean;
    bool faded = s->faded_out && faded_in && s->dark_for < FADE_DARK_MAX;
    bool cut = l.textured < FLAT ? faded : !is_same(&l);
    if (s->old_known && cut)
        settle_cut(s, back_into_dark(s), p, ret);
    else
        settle(s, SCENE_LIGHT, ret);
}

/* ---- changes in the light -------------------------------------------------------------------- */

static void judge_doubt(struct scene *s, int64_t time, const struct picture *p,
                        struct scene_finding *ret)
{
    struct picture_likeness to_old;
    s->doubt++;
    s->calm |= is_same(&ret->likeness);
    picture_compare(&s->old, p, &to_old);
    bool held = time - s->time >= HOLD_US || s->doubt > HOLD_MAX;
    if (is_same(&to_old))
        settle(s, SCENE_FLASH, ret);
    else if (s->calm && held)
        settle_cut(s, s->doubt - 1, p, ret);
    else if (s->doubt >= DOUBT_MAX)
        settle(s, SCENE_NOTHING, ret);
}

static void look(struct scene *s, int64_t time, struct scene_finding *ret)
{
    const struct picture_likeness *l = &ret->likeness;
    bool change = !is_same(l) && (l->textured < FLAT || l->found <= FOUND_USUAL * s->found - 0.01f);
    s->found += FOUND_RATE * (l->found - s->found);
    if (!change)
        return;
    s->doubt = 1;
    s->calm = false;
    s->time = time;
    ret->event = SCENE_CHANGE;
}

void scene_observe(struct scene *s, int64_t time, const struct picture *p,
                   struct scene_finding *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (s->seen > 0)
        picture_compare(&s->last, p, &ret->likeness);
    bool black = is_black(p);
    if (black && !s->dark && !s->returning)
        enter_dark(s, time, p, ret);
    else if (s->dark && (!black || p->mean > s->black + BLACK_RISE))
        leave_dark(s, time, p);
    else if (s->returning)
        judge_return(s, time, p, ret);
    else if (s->doubt)
        judge_doubt(s, time, p, ret);
    else if (!black && s->seen > 0)
        look(s, time, ret);
    bool open = s->dark || s->returning || s->doubt;
    if (!open &&
        (!s->old_known || p->deviation >= CLEAR_SPREAD || s->old.deviation < CLEAR_SPREAD)) {
        s->old = *p;
        s->old_known = true;
    }
    if (s->dark) {
        s->dark_frames += s->dark_frames < UINT32_MAX;
        s->black = fminf(s->black, p->mean);
    }
    s->last = *p;
    s->seen++;
}

/* ---- state ----------------------------------------------------------------------------------- */

static void walk_picture(struct picture *p, struct state *state)
{
    state_f32s(state, p->half, HALF_SIZE);
    for (uint32_t i = 0; i < RASTER_PLANES; i++)
        state_f32s(state, p->tiles[i], TILES);
    state_f32s(state, p->colours, COLOUR_BINS);
    state_f32(state, &p->mean);
    state_f32(state, &p->deviation);
}

void scene_walk(struct scene *s, struct state *state)
{
    bool pictures = s->seen > 0 && !state->brief;
    state_bool(state, &pictures);
    state_f32(state, &s->found);
    if (!pictures || state->failed)
        return;
    state_u64(state, &s->seen, UINT64_MAX);
    state_time(state, &s->time);
    walk_picture(&s->last, state);
    walk_picture(&s->old, state);
    state_bool(state, &s->old_known);
    state_u32(state, &s->doubt, DOUBT_MAX);
    state_bool(state, &s->calm);
    state_bool(state, &s->dark);
    state_u32(state, &s->dark_frames, UINT32_MAX);
    state_time(state, &s->dark_for);
    state_f32(state, &s->black);
    state_bool(state, &s->faded_out);
    state_u32(state, &s->returning, RETURN_MAX);
    state_f32(state, &s->return_mean);
}
