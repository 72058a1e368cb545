/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the JPEG becomes a raster; motion, scene and background each say how much of them is
 * new, every such quantity is ranked among its own recent values, and the least likely one is
 * ranked once more among its like: that is the surprise, calibrated on any stream whose nature does
 * not change. An alert is a rare one that also amounts to something: a share of the picture, a step
 * of the light. Failure modes: a file that is none gives an observation that says so (surprise 0,
 * no latent), and the model goes on as if it had not come. Sizes: about 130 KiB a stream, most of
 * it the raster and two pictures; nothing is allocated after _new but what libjpeg takes and gives
 * back within the call.
 */
#include "model/video_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/scene.h"
#include "model/state.h"
#include "model/tail.h"
#include "model/video_latent.h"

#define VIDEO_VERSION 1
#define STATE_MAGIC 0x31445656u /* "VVD1" */
#define NOISE_LEAST 0.1f        /* grey levels of the half raster: a drawn film has none */
#define BITS_SCORE 0.45         /* bits alone never alert, see sensor_encoder.c */
#define BITS_HALF 12.0
#define RARE_BITS 6.0       /* from which words are found */
#define MOTION_ALERT 0.004f /* of the picture: 30x30 pixels of 640x360 */
#define LIGHT_ALERT 8.0f    /* grey levels at once */
#define PLACE_ALERT 16.0f   /* grey levels that a tile lies off its usual */
#define STILL_LEAST (3 * US_PER_SECOND)
#define STILL_ALERT 24.0 /* bits that an unbroken run of identical frames is worth */
#define STILL_TOLD 8     /* records for which it is news */
#define STILL_RATE 0.004f
#define STILL_FIRST 0.02f /* share of identical frames before any is known */
#define FLICKER_STEPS 8
#define FLICKER_TURNS 6 /* of the light's direction within those */
#define FLICKER_LEAST 3.0f
#define USUAL_RATE 0.02f
#define PLACES_MAX 63.0   /* of a tail */
#define EVENT_MAX 16      /* records; what lasts longer is how the stream is */
#define PAUSE_LEAST 10.0f /* seconds, and so many usual steps from frame to frame: what differs */
#define PAUSE_STEPS 8.0f  /* behind such a pause came about meanwhile and is no motion */
#define STEP_RATE 0.1f
#define PAUSE_MOST 600.0f /* seconds that one pause may count */
#define DUTY_LEAST 0.03   /* share of the time recorded; with less, no clip is rarer */
#define DUTY_FADES 0.9995 /* a frame */

enum view {
    VIEW_STRENGTH, /* motion of the most moved tile */
    VIEW_OVERALL,
    VIEW_LIGHT,
    VIEW_LIKENESS, /* how unlike the frame before */
    VIEW_PLACE,    /* how far a part of the picture is off its usual look */
    VIEWS,
};

struct video_encoder {
    struct encoder base;
    struct jpeg_reader *reader;
    struct raster raster;
    struct picture picture;
    struct scene scene;
    struct motion motion;
    struct patch *patch; /* how finely each frame is looked at */
    struct video_weights weights;
    struct video_detail detail;
    struct tail views[VIEWS], whole;
    struct tail
        events;     /* as whole, but what goes on counts once: a second passer-by is still rare */
    uint32_t event; /* records that the present event has lasted, 0: none */
    float event_raw;
    float usual[RASTER_PLANES][TILES]; /* the scene's look, slowly followed */
    bool usual_known;
    int64_t last;               /* event time of the last frame, 0: none */
    float step;                 /* usual time from frame to frame, seconds */
    double recorded, elapsed;   /* seconds, of some last 2,000 frames: with and without pauses */
    float held;                 /* surprise of the change in doubt, before ranking, bits */
    float steps[FLICKER_STEPS]; /* of the light, a ring */
    uint32_t step_at;
    bool flickered;
    uint32_t still; /* frames identical to the one before, unbroken */
    uint32_t told;  /* of those, since it was news */
    int64_t still_since, dark_since;
    float still_usual; /* share of identical frames */
    float latent[LATENT_DIM];
    char why[160];
};

/* What a frame amounts to, by its strongest side. */
struct verdict {
    double raw;    /* bits before the last ranking */
    bool material; /* may be an alert */
};

static struct video_encoder *self(const struct encoder *e)
{
    return (struct video_encoder *)e;
}

const char *video_where(float x, float y, float share)
{
    static const char *const names[3][3] = {
        {"in the upper left", "at the top", "in the upper right"},
        {"on the left", "in the middle", "on the right"},
        {"in the lower left", "at the bottom", "in the lower right"}};
    if (share > 0.5f)
        return "all over";
    int column = x < 1 / 3.0f ? 0 : (x < 2 / 3.0f ? 1 : 2);
    int row = y < 1 / 3.0f ? 0 : (y < 2 / 3.0f ? 1 : 2);
    return names[row][column];
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* How far the three tiles furthest off lie from their usual look; the look then follows. */
static float leave_usual(struct video_encoder *v, float light, bool restart)
{
    float far[3] = {0};
    float rate = restart || !v->usual_known ? 1 : USUAL_RATE;
    for (uint32_t t = 0; t < TILES; t++) {
        float away = 0;
        for (uint32_t p = 0; p < RASTER_PLANES; p++) {
            float d = v->picture.tiles[p][t] - v->usual[p][t];
            v->usual[p][t] += rate * d;
            away += fabsf(p == RASTER_Y ? d - light : d);
        }
        for (int i = 0; i < 3; i++)
            if (away > far[i]) {
                float less = far[i];
                far[i] = away;
                away = less;
            }
    }
    v->usual_known = true;
    return rate < 1 ? (far[0] + far[1] + far[2]) / 3 : 0;
}

/* The light goes up and down again and again. */
static bool flickers(struct video_encoder *v, float light)
{
    v->steps[v->step_at++ % FLICKER_STEPS] = light;
    uint32_t turns = 0;
    for (uint32_t i = 1; i < FLICKER_STEPS; i++) {
        float a = v->steps[(v->step_at + i - 1) % FLICKER_STEPS];
        float b = v->steps[(v->step_at + i) % FLICKER_STEPS];
        turns += a * b < 0 && fabsf(a) > FLICKER_LEAST && fabsf(b) > FLICKER_LEAST;
    }
    return turns >= FLICKER_TURNS;
}

/* Bits that the present run of identical frames is worth, given how usual such frames are. */
static double stand_still(struct video_encoder *v, int64_t time, bool identical)
{
    double bits = 0;
    if (!identical) {
        v->still = v->told = 0;
        v->still_since = time;
    } else {
        v->still++;
        bits = -log2(v->still_usual) * v->still;
    }
    v->still_usual += STILL_RATE * ((identical ? 1.0f : 0.0f) - v->still_usual);
    v->still_usual = fmaxf(v->still_usual, 1e-3f);
    return bits;
}

/* ---- one frame ------------------------------------------------------------------------------- */

static void say(struct video_encoder *v, struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first thing said stays. */
static void say(struct video_encoder *v, struct verdict *verdict, const char *format, ...)
{
    va_list ap;
    verdict->material = true;
    if (v->why[0])
        return;
    va_start(ap, format);
    vsnprintf(v->why, sizeof(v->why), format, ap);
    va_end(ap);
}

static void say_span(struct video_encoder *v, struct verdict *verdict, const char *what, int64_t us)
{
    if (us < US_PER_SECOND)
        say(v, verdict, "%s", what);
    else
        say(v, verdict, "%s %lld s", what, (long long)(us / US_PER_SECOND));
}

static void take_scene(struct video_encoder *v, int64_t time, const struct scene_finding *f,
                       struct verdict *verdict, struct observation *ret)
{
    switch (f->event) {
    case SCENE_CHANGE:
        v->held = (float)verdict->raw;
        say(v, verdict, "all of the picture changed");
        break;
    case SCENE_CUT:
        ret->shift = f->back;
        ret->traits[VIDEO_CUT] = (float)f->back;
        verdict->raw = fmax(verdict->raw, v->held);
        say(v, verdict, "scene cut");
        break;
    case SCENE_FLASH:
        ret->traits[VIDEO_FLASH] = 1;
        say(v, verdict, "a flash");
        break;
    case SCENE_DARK:
        v->dark_since = time;
        say(v, verdict, "went dark");
        break;
    case SCENE_LIGHT:
        if (v->scene.old_known && !v->dark_since)
            say(v, verdict, "light again");
        else if (v->scene.old_known)
            say_span(v, verdict, "light again, dark before for", time - v->dark_since);
        break;
    case SCENE_NOTHING:
        break;
    }
    ret->traits[VIDEO_DARK] = v->scene.dark;
}

static void take_still(struct video_encoder *v, int64_t time, bool identical,
                       struct verdict *verdict, struct observation *ret)
{
    double bits = stand_still(v, time, identical);
    int64_t lasted = time - v->still_since;
    if (bits < STILL_ALERT || lasted < STILL_LEAST || v->scene.dark)
        return;
    ret->traits[VIDEO_STILL] = (float)((double)lasted / US_PER_SECOND);
    if (v->told++ >= STILL_TOLD)
        return;
    verdict->raw = fmax(verdict->raw, fmin(bits, 40));
    say_span(v, verdict, "picture frozen for", lasted);
}

static void take_light(struct video_encoder *v, const struct motion_finding *m, bool quiet,
                       struct verdict *verdict, struct observation *ret)
{
    bool flicker = flickers(v, m->light);
    ret->traits[VIDEO_FLICKER] = flicker;
    if (flicker && !v->flickered)
        say(v, verdict, "flickering");
    v->flickered = flicker;
    if (quiet || flicker || fabsf(m->light) < LIGHT_ALERT)
        return;
    ret->traits[VIDEO_STEP] = m->light;
    say(v, verdict, "%s at once", m->light > 0 ? "brighter" : "darker");
}

static void take_motion(struct video_encoder *v, const struct motion_finding *m, float place,
                        struct verdict *verdict, struct observation *ret)
{
    ret->traits[VIDEO_MOTION] = m->share;
    ret->traits[VIDEO_MOTION_X] = m->x;
    ret->traits[VIDEO_MOTION_Y] = m->y;
    if (m->share >= MOTION_ALERT)
        say(v, verdict, "motion %s, %.3g %% of the picture", video_where(m->x, m->y, m->share),
            100 * (double)m->share);
    if (place >= PLACE_ALERT)
        say(v, verdict, "part of the picture is not as usual");
}

/* The frame's quantities on a scale for ranking: four steps for each doubling above their unit. */
static void scale_views(const struct motion_finding *m, const struct scene_finding *f, float place,
                        double *ret)
{
    double values[VIEWS] = {
        [VIEW_STRENGTH] = m->strength / 0.1,
        [VIEW_OVERALL] = m->overall / 0.1,
        [VIEW_LIGHT] = fabs((double)m->light) / 0.02,
        [VIEW_LIKENESS] = (1 - (double)f->likeness.correlation) / 1e-4,
        [VIEW_PLACE] = place / 0.1,
    };
    for (int i = 0; i < VIEWS; i++)
        ret[i] = fmin(4 * log2(1 + fmax(values[i], 0)), PLACES_MAX);
}

/* Bits of the least likely one, and which it is. */
static double rank_views(const struct video_encoder *v, const double *places, enum view *ret)
{
    double most = 0;
    for (int i = 0; i < VIEWS; i++) {
        double bits = -log2(tail_rank(&v->views[i], places[i]));
        if (bits <= most)
            continue;
        most = bits;
        *ret = (enum view)i;
    }
    return most;
}

/* What is rare and yet nothing that would be an alert. */
static void say_rare(struct video_encoder *v, enum view view)
{
    static const char *const words[VIEWS] = {
        [VIEW_STRENGTH] = "a slight stir",
        [VIEW_OVERALL] = "a slight stir all over",
        [VIEW_LIGHT] = "a slight change of the light",
        [VIEW_LIKENESS] = "a picture slightly unlike the one before",
        [VIEW_PLACE] = "a part of the picture slightly off its usual look",
    };
    if (!v->why[0])
        snprintf(v->why, sizeof(v->why), "%s", words[view]);
}

/*
 * How unusual an event is among the stream's events and quiet records. What goes on counts once and
 * is learnt when it is over, or when it has lasted so long that it is how the stream is.
 */
static double score_event(struct video_encoder *v, const struct verdict *verdict,
                          const double *places)
{
    double raw = fmin(verdict->raw, PLACES_MAX);
    /* Rare is what seldom comes in time, not among the few frames that a recorder of clips takes.
     */
    double duty = v->elapsed > 0 ? fmax(v->recorded / v->elapsed, DUTY_LEAST) : 1;
    double score =
        verdict->material ? tail_score(&v->events, duty * tail_rank(&v->events, raw)) : 0;
    if (verdict->material && v->event < EVENT_MAX) {
        v->event++;
        v->event_raw = fmaxf(v->event_raw, (float)raw);
        return score;
    }
    if (!verdict->material && v->event > 0) {
        tail_learn(&v->events, v->event_raw);
        v->event = 0;
        v->event_raw = 0;
    }
    tail_learn(&v->events, raw);
    for (int i = 0; i < VIEWS; i++)
        tail_learn(&v->views[i], places[i]);
    return score;
}

/* Behind a pause nothing has moved yet, and how long a dark lasted is not known. */
static void resume(struct video_encoder *v)
{
    motion_restart(&v->motion);
    v->dark_since = 0;
}

/* Did the camera record nothing for a while? */
static bool paused(struct video_encoder *v, int64_t time)
{
    float step = v->last ? fmaxf((float)(time - v->last) / US_PER_SECOND, 0) : 0;
    v->last = time;
    v->recorded *= DUTY_FADES;
    v->elapsed *= DUTY_FADES;
    if (step > fmaxf(PAUSE_LEAST, PAUSE_STEPS * v->step)) {
        /* A camera that is only slow makes itself known by doing it again. */
        v->step = fmaxf(v->step, PAUSE_LEAST / PAUSE_STEPS);
        v->step += STEP_RATE * v->step;
        v->elapsed += (double)fminf(step, PAUSE_MOST);
        return true;
    }
    v->step += STEP_RATE * (step - v->step);
    v->recorded += (double)step;
    v->elapsed += (double)step;
    return false;
}

static void observe_frame(struct video_encoder *v, int64_t time, struct observation *ret)
{
    struct motion_finding m;
    struct scene_finding f;
    struct patch_choice choice;
    double places[VIEWS];
    enum view view = VIEW_STRENGTH;
    picture_of(&v->raster, &v->picture);
    bool first = v->scene.seen == 0;
    if (paused(v, time))
        resume(v);
    motion_observe(&v->motion, &v->raster, &m);
    scene_observe(&v->scene, time, &v->picture, &f);
    bool unsettled = v->scene.doubt || v->scene.dark || v->scene.returning;
    float place = leave_usual(v, m.light, f.event == SCENE_CUT);
    scale_views(&m, &f, unsettled ? 0 : place, places);
    struct verdict verdict = {.raw = first ? 0 : rank_views(v, places, &view)};
    take_scene(v, time, &f, &verdict, ret);
    take_still(v, time, m.identical, &verdict, ret);
    take_light(v, &m, unsettled || f.event, &verdict, ret);
    /* When the light steps or the scene changes, that everything differs is no motion. */
    if (!unsettled && f.event != SCENE_FLASH && ret->traits[VIDEO_STEP] == 0 && !m.identical)
        take_motion(v, &m, place, &verdict, ret);
    double raw = fmin(verdict.raw, PLACES_MAX);
    ret->bits = fmax(-log2(tail_rank(&v->whole, raw)), 0);
    tail_learn(&v->whole, raw);
    ret->score =
        fmax(score_event(v, &verdict, places), BITS_SCORE * ret->bits / (ret->bits + BITS_HALF));
    if (ret->bits >= RARE_BITS)
        say_rare(v, view);
    patch_push(v->patch, v->picture.half, time, f.event == SCENE_CHANGE || f.event == SCENE_LIGHT,
               &choice);
    ret->traits[VIDEO_TOKENS] =
        (float)video_look(&v->detail, &v->weights, &v->raster, choice.level);
    video_latent(&v->picture, &m, &v->detail, v->latent);
    ret->traits[VIDEO_LIGHT] = v->picture.mean;
}

static int observe(struct encoder *e, const struct record *r, struct observation *ret)
{
    struct video_encoder *v = self(e);
    struct errmsg err;
    int64_t time = r->time < TIME_MIN ? TIME_MIN : r->time > TIME_MAX ? TIME_MAX : r->time;
    v->why[0] = '\0';
    *ret = (struct observation){.latent = v->latent, .why = v->why};
    int rc = jpeg_read(v->reader, r->media, &v->raster, &err);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc) {
        memset(v->latent, 0, sizeof(v->latent));
        snprintf(v->why, sizeof(v->why), "frame not readable: %.100s", err.text);
        ret->traits[VIDEO_BROKEN] = 1;
        return 0;
    }
    observe_frame(v, time, ret);
    ret->traits[VIDEO_BROKEN] = v->raster.warnings ? 0.5f : 0;
    return 0;
}

/* ---- state ----------------------------------------------------------------------------------- */

static void walk(struct video_encoder *v, struct state *s)
{
    for (int i = 0; i < VIEWS; i++)
        tail_walk(&v->views[i], s);
    tail_walk(&v->whole, s);
    tail_walk(&v->events, s);
    state_u32(s, &v->event, EVENT_MAX);
    state_f32(s, &v->event_raw);
    s->failed |= !(v->event_raw >= 0 && v->event_raw <= 64);
    scene_walk(&v->scene, s);
    motion_walk(&v->motion, s);
    for (uint32_t p = 0; p < RASTER_PLANES; p++)
        state_f32s(s, v->usual[p], TILES);
    state_bool(s, &v->usual_known);
    state_time(s, &v->last);
    state_f32(s, &v->step);
    s->failed |= !(v->step >= 0 && v->step <= 1e9f);
    state_f64(s, &v->recorded);
    state_f64(s, &v->elapsed);
    s->failed |= !(v->recorded >= 0 && v->elapsed >= v->recorded && v->elapsed <= 1e13);
    patch_walk(v->patch, s);
    video_detail_walk(&v->detail, s);
    state_f32(s, &v->held);
    state_f32s(s, v->steps, FLICKER_STEPS);
    state_u32(s, &v->step_at, UINT32_MAX);
    state_bool(s, &v->flickered);
    state_u32(s, &v->still, UINT32_MAX);
    state_u32(s, &v->told, UINT32_MAX);
    state_time(s, &v->still_since);
    state_time(s, &v->dark_since);
    state_f32(s, &v->still_usual);
    s->failed |= !(v->still_usual > 0 && v->still_usual <= 1);
}

static void restart(struct video_encoder *v)
{
    patch_restart(v->patch);
    for (int i = 0; i < VIEWS; i++)
        tail_init(&v->views[i]);
    tail_init(&v->whole);
    tail_init(&v->events);
    v->event = 0;
    v->event_raw = 0;
    scene_init(&v->scene);
    motion_init(&v->motion);
    memset(&v->detail, 0, sizeof(v->detail));
    memset(v->usual, 0, sizeof(v->usual));
    memset(v->steps, 0, sizeof(v->steps));
    v->usual_known = v->flickered = false;
    v->last = 0;
    v->step = 0;
    v->recorded = v->elapsed = 0;
    v->held = 0;
    v->step_at = v->still = v->told = 0;
    v->still_since = v->dark_since = 0;
    v->still_usual = STILL_FIRST;
}

static int save(const struct encoder *e, bool brief, struct buf *out)
{
    struct state state = {.out = out, .brief = brief};
    buf_put_u32(out, STATE_MAGIC);
    buf_put_u32(out, VIDEO_VERSION);
    walk(self(e), &state);
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static int load(struct encoder *e, const void *data, size_t size, struct errmsg *err)
{
    struct video_encoder *v = self(e);
    struct state state = {0};
    cursor_init(&state.in, data, size);
    uint32_t magic = cursor_u32(&state.in), version = cursor_u32(&state.in);
    if (state.in.failed || magic != STATE_MAGIC)
        return err_set(err, ERR_CORRUPT, "video model: not a saved state");
    if (version != VIDEO_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "video model: state of version %" PRIu32 ", this is %d", version,
                       VIDEO_VERSION);
    restart(v);
    walk(v, &state);
    if (!state.failed && state.in.at == state.in.size)
        return 0;
    restart(v);
    return err_set(err, ERR_CORRUPT, "video model: the state is damaged before byte %zu",
                   state.in.at);
}

/* It keeps no text but the last words. */
static void forget(struct encoder *e, bool (*knows)(const void *arg, const char *text, size_t size),
                   const void *arg)
{
    memset(self(e)->why, 0, sizeof(self(e)->why));
}

static void free_encoder(struct encoder *e)
{
    struct video_encoder *v = self(e);
    patch_free(v->patch);
    jpeg_reader_free(v->reader);
    mem_free(v);
}

static const struct encoder_ops ops = {
    .version = VIDEO_VERSION,
    .observe = observe,
    .save = save,
    .load = load,
    .free = free_encoder,
    .forget = forget,
};

int video_encoder_new(struct encoder **ret)
{
    static const struct patch_options patches = {
        .width = HALF_WIDTH, .height = HALF_HEIGHT, .size = 2, .noise_least = NOISE_LEAST};
    struct video_encoder *v = mem_calloc(1, sizeof(*v));
    if (!v)
        return ERR_NOMEM;
    v->base.ops = &ops;
    int rc = jpeg_reader_new(&v->reader);
    rc = rc ? rc : patch_new(&patches, &v->patch);
    if (rc) {
        free_encoder(&v->base);
        return rc;
    }
    video_weights_init(&v->weights);
    restart(v);
    *ret = &v->base;
    return 0;
}
