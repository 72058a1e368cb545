/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: what each frame showed (model/video_encoder.h) is put together to spells of motion,
 * darkness, freezing and flicker, and to the cut that the moment begins with; the title tells what
 * is unusual or else what the picture did, the gist every spell. Failure modes: none; what does not
 * fit is left out. Sizes: a few spells on the stack.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "model/video_encoder.h"
#include "pipeline/summary_impl.h"

#define SPELLS 24
#define MOTION_LEAST 0.004f /* of the picture */
#define MOTION_PAUSE (3 * US_PER_SECOND)
#define DARK_LEAST (2 * US_PER_SECOND) /* to stand for a moment */
#define DARK_LIGHT 40.0f               /* grey levels under which a picture is called dim */

enum spell_kind { SPELL_MOTION, SPELL_DARK, SPELL_STILL, SPELL_FLICKER, SPELL_STEP, SPELL_FLASH };

/* A run of records of one kind; motion with its largest share and where that was on the whole. */
struct spell {
    enum spell_kind kind;
    int64_t start, end;
    float share;         /* motion: largest; step: grey levels */
    double x, y, weight; /* motion: weighted sums */
};

struct film {
    struct spell spells[SPELLS];
    uint32_t count;
    bool cut;                /* the moment begins with one */
    uint32_t broken, unread; /* frames that were damaged, and of these the unreadable ones */
    double light;
};

static struct spell *open_spell(struct film *f, enum spell_kind kind, int64_t at, int64_t pause)
{
    for (uint32_t i = f->count; i-- > 0;)
        if (f->spells[i].kind == kind && at - f->spells[i].end <= pause) {
            f->spells[i].end = at;
            return &f->spells[i];
        }
    if (f->count == SPELLS)
        return NULL;
    f->spells[f->count] = (struct spell){.kind = kind, .start = at, .end = at};
    return &f->spells[f->count++];
}

static void add_motion(struct film *f, const float *traits, int64_t at)
{
    struct spell *s = open_spell(f, SPELL_MOTION, at, MOTION_PAUSE);
    if (!s)
        return;
    float share = traits[VIDEO_MOTION];
    s->share = fmaxf(s->share, share);
    s->x += (double)share * traits[VIDEO_MOTION_X];
    s->y += (double)share * traits[VIDEO_MOTION_Y];
    s->weight += share;
}

static void add_record(struct film *f, const float *traits, int64_t at, int64_t step)
{
    if (traits[VIDEO_MOTION] >= MOTION_LEAST)
        add_motion(f, traits, at);
    if (traits[VIDEO_DARK] > 0)
        open_spell(f, SPELL_DARK, at, 2 * step);
    if (traits[VIDEO_STILL] > 0) {
        struct spell *s = open_spell(f, SPELL_STILL, at, 2 * step);
        int64_t since = at - (int64_t)(traits[VIDEO_STILL] * (float)US_PER_SECOND);
        if (s && since < s->start)
            s->start = since;
    }
    if (traits[VIDEO_FLICKER] > 0)
        open_spell(f, SPELL_FLICKER, at, 2 * step);
    if (traits[VIDEO_FLASH] > 0)
        open_spell(f, SPELL_FLASH, at, 0);
    if (traits[VIDEO_STEP] != 0) {
        struct spell *s = open_spell(f, SPELL_STEP, at, 0);
        if (s)
            s->share = traits[VIDEO_STEP];
    }
}

static void read_film(const struct noted *notes, const struct moment *m, struct film *f)
{
    int64_t step = m->record_count > 1 ? (m->end - m->start) / (m->record_count - 1) : 0;
    memset(f, 0, sizeof(*f));
    for (uint32_t i = 0; i < m->record_count; i++) {
        const float *traits = notes[i].traits;
        f->cut |= traits[VIDEO_CUT] > 0 && (float)i == traits[VIDEO_CUT];
        f->broken += traits[VIDEO_BROKEN] > 0;
        f->unread += traits[VIDEO_BROKEN] == 1;
        f->light += (double)traits[VIDEO_LIGHT];
        add_record(f, traits, m->records[i].time, step);
    }
    f->light /= m->record_count > f->unread ? m->record_count - f->unread : 1;
}

static void put_for(struct wording *w, const struct spell *s)
{
    if (s->end - s->start < US_PER_SECOND)
        return;
    wording_printf(w, " for ");
    wording_span(w, s->end - s->start);
}

static void put_spell(struct wording *w, const struct spell *s)
{
    switch (s->kind) {
    case SPELL_MOTION: {
        double n = s->weight > 0 ? s->weight : 1;
        wording_printf(w, "motion %s", video_where((float)(s->x / n), (float)(s->y / n), s->share));
        put_for(w, s);
        wording_printf(w, ", %.2g %% of the picture", 100 * (double)s->share);
        break;
    }
    case SPELL_DARK:
        wording_printf(w, "dark");
        put_for(w, s);
        break;
    case SPELL_STILL:
        wording_printf(w, "picture frozen");
        put_for(w, s);
        break;
    case SPELL_FLICKER:
        wording_printf(w, "flickering");
        put_for(w, s);
        break;
    case SPELL_STEP:
        wording_printf(w, s->share > 0 ? "brighter at once" : "darker at once");
        break;
    case SPELL_FLASH:
        wording_printf(w, "a flash");
        break;
    }
}

/* A lasting state before motion, motion before what is over at once. */
static uint32_t rank_of(const struct spell *s)
{
    static const uint8_t ranks[] = {[SPELL_MOTION] = 2,  [SPELL_DARK] = 4, [SPELL_STILL] = 5,
                                    [SPELL_FLICKER] = 3, [SPELL_STEP] = 1, [SPELL_FLASH] = 0};
    bool lasts = s->end - s->start >= DARK_LEAST;
    return s->kind == SPELL_DARK && !lasts ? 1 : ranks[s->kind];
}

/* The spell that a title has room for, of motions the largest. */
static const struct spell *chief(const struct film *f)
{
    const struct spell *best = NULL;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct spell *s = &f->spells[i];
        if (!best || rank_of(s) > rank_of(best) ||
            (s->kind == SPELL_MOTION && best->kind == SPELL_MOTION && s->share > best->share))
            best = s;
    }
    return best;
}

static void put_title(const struct summariser *s, const struct film *f, const struct moment *m,
                      struct wording *w)
{
    const struct spell *main = chief(f);
    bool alert = s->unusual_count && s->unusual[0].score >= UNUSUAL_ALERT;
    if (f->cut)
        wording_printf(w, "new scene: ");
    if (alert) {
        wording_printf(w, "%s at ", s->unusual[0].why);
        wording_time(w, s->unusual[0].start);
    } else if (main) {
        put_spell(w, main);
    } else {
        wording_printf(w, f->unread == m->record_count ? "frames that cannot be read" : "calm");
    }
    if (!alert && f->light < DARK_LIGHT && (!main || main->kind != SPELL_DARK) &&
        f->unread < m->record_count)
        wording_printf(w, ", dim");
}

static void put_gist(const struct summariser *s, const struct film *f, const struct moment *m,
                     struct wording *w)
{
    wording_printf(w, "%u frame%s in ", m->record_count, m->record_count == 1 ? "" : "s");
    wording_span(w, m->end - m->start);
    wording_printf(w, ", mean light %.0f of 255\n", f->light);
    if (f->cut) {
        wording_printf(w, "scene cut at ");
        wording_time(w, m->start);
        wording_printf(w, "\n");
    }
    for (uint32_t i = 0; i < s->unusual_count; i++) {
        wording_printf(w, s->unusual[i].score >= UNUSUAL_ALERT ? "unusual " : "surprising ");
        wording_time(w, s->unusual[i].start);
        wording_printf(w, " %s\n", s->unusual[i].why);
    }
    for (uint32_t i = 0; i < f->count; i++) {
        size_t before = w->size;
        wording_time(w, f->spells[i].start);
        /* In the words that people ask with. */
        wording_printf(w, f->spells[i].kind == SPELL_MOTION ? " moving: " : " ");
        put_spell(w, &f->spells[i]);
        wording_printf(w, "\n");
        if (w->size >= w->room - 1) {
            wording_cut(w, before);
            return;
        }
    }
    if (f->broken)
        wording_printf(w, "%u frame%s damaged\n", f->broken, f->broken == 1 ? "" : "s");
}

void sum_video(struct summariser *s, const struct noted *notes, struct moment *m)
{
    struct film film;
    struct wording title, gist;
    wording_init(&title, m->title, sizeof(m->title));
    wording_init(&gist, s->gist, sizeof(s->gist));
    read_film(notes, m, &film);
    put_title(s, &film, m, &title);
    put_gist(s, &film, m, &gist);
}
