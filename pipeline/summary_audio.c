/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: what was unusual and for how long somebody spoke come first, then how loud the moment
 * was beside the stream's usual, the running mean of earlier moments' 5 and 95 per cent. Failure
 * modes: none; what does not fit is cut.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "model/audio_encoder.h"
#include "pipeline/summary_impl.h"

#define SPEECH_LEAST 0.3f /* share of a record from which on it is part of a talk */
#define SPEECH_GAP 4      /* records of silence that a talk bridges */
#define TALKS_MAX 6       /* that are told one by one */
#define EVENTS_MAX 6
#define TITLE_EVENTS 2
#define EVENT_SPOKEN 2 /* records after its beginning that make an event speech */

struct loudness {
    double mean, most; /* dBFS */
    double spoken;     /* seconds */
    bool known;        /* what is usual */
    bool loud;         /* most of its records are louder than usual */
    double low, high;  /* the usual, before this moment */
};

static int64_t record_span(const struct record *r)
{
    return (int64_t)(r->media.size / 2) * US_PER_SECOND / AUDIO_RATE;
}

static void measure(struct summariser *s, const struct noted *notes, const struct moment *m,
                    struct loudness *ret)
{
    struct channel_range *usual = &s->channels[0];
    *ret = (struct loudness){.most = -INFINITY, .low = usual->low, .high = usual->high};
    double power = 0;
    uint32_t above = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        double level = (double)notes[i].traits[AUDIO_LEVEL];
        s->values[i] = level;
        power += pow(10, level / 10);
        ret->most = fmax(ret->most, level);
        above += level > usual->high;
        if (notes[i].traits[AUDIO_SPEECH] >= SPEECH_LEAST)
            ret->spoken +=
                (double)notes[i].traits[AUDIO_SPEECH] * (double)record_span(&m->records[i]);
    }
    ret->spoken /= US_PER_SECOND;
    ret->mean = 10 * log10(power / m->record_count);
    ret->known = range_known(usual);
    ret->loud = ret->known && 2 * above > m->record_count;
    range_learn(usual, s->values, m->record_count);
}

static void put_loudness(const struct loudness *l, struct wording *w)
{
    wording_printf(w, "%.0f dBFS", l->mean);
    if (l->known)
        wording_printf(w, ", usually %.0f to %.0f", l->low, l->high);
}

/* A sound that began there and is no alert; speech is told by itself. */
static bool is_event(const struct noted *notes, const struct moment *m, uint32_t i)
{
    if (!(notes[i].traits[AUDIO_EVENT] > 0) || notes[i].score >= UNUSUAL_ALERT)
        return false;
    for (uint32_t k = i; k < m->record_count && k <= i + EVENT_SPOKEN; k++)
        if (notes[k].traits[AUDIO_SPEECH] >= SPEECH_LEAST)
            return false;
    return notes[i].why[0] != '\0';
}

/* The events of a moment, alerts first, but for speech where that is told already. */
static void put_events(const struct summariser *s, const struct noted *notes,
                       const struct moment *m, bool spoken, struct wording *w)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < s->unusual_count && told < TITLE_EVENTS; i++) {
        const struct unusual *u = &s->unusual[i];
        if (u->score < UNUSUAL_ALERT || (spoken && strncmp(u->why, "speech", 6) == 0))
            continue;
        wording_printf(w, "%s%s at ", w->size ? ", " : "", u->why);
        wording_time(w, u->start);
        told++;
    }
    for (uint32_t i = 0; i < m->record_count && told < TITLE_EVENTS; i++) {
        if (!is_event(notes, m, i))
            continue;
        wording_printf(w, "%s%.*s at ", w->size ? ", " : "", (int)strcspn(notes[i].why, ","),
                       notes[i].why);
        wording_time(w, m->records[i].time);
        told++;
    }
}

static void put_title(const struct summariser *s, const struct noted *notes, struct moment *m,
                      const struct loudness *l)
{
    char room[64];
    struct wording title, end;
    wording_init(&end, room, sizeof(room));
    wording_printf(&end, "; ");
    put_loudness(l, &end);
    /* How loud it was has its place; the events take what is left. */
    wording_init(&title, m->title, sizeof(m->title) - end.size);
    bool spoken = l->spoken >= 0.5;
    if (spoken) {
        wording_printf(&title, "speech for ");
        wording_span(&title, (int64_t)fmax(1, round(l->spoken)) * US_PER_SECOND);
    }
    put_events(s, notes, m, spoken, &title);
    if (title.size == 0)
        wording_printf(&title, l->loud ? "louder than usual" : "nothing but the usual sound");
    else if (!l->loud && l->spoken * US_PER_SECOND < (double)(m->end - m->start) / 2)
        wording_printf(&title, ", quiet otherwise");
    title.room = sizeof(m->title);
    wording_put(&title, room, end.size);
}

/* Where somebody spoke, one line each, in the words that people ask with. */
static void put_talks(const struct noted *notes, const struct moment *m, struct wording *w)
{
    uint32_t talks = 0;
    for (uint32_t i = 0; i < m->record_count && talks < TALKS_MAX; i++) {
        if (notes[i].traits[AUDIO_SPEECH] < SPEECH_LEAST)
            continue;
        uint32_t last = i;
        for (uint32_t k = i; k < m->record_count && k <= last + SPEECH_GAP; k++)
            if (notes[k].traits[AUDIO_SPEECH] >= SPEECH_LEAST)
                last = k;
        wording_printf(w, "speech ");
        wording_time(w, m->records[i].time);
        wording_printf(w, " for ");
        wording_span(w,
                     m->records[last].time + record_span(&m->records[last]) - m->records[i].time);
        wording_printf(w, " (speaking, talking)\n");
        talks++;
        i = last;
    }
}

static void put_gist(const struct summariser *s, const struct noted *notes, const struct moment *m,
                     const struct loudness *l, struct wording *w)
{
    wording_printf(w, "sound of ");
    wording_span(w, m->end - m->start + record_span(&m->records[m->record_count - 1]));
    wording_printf(w, ", loudest %.0f dBFS, mean ", l->most);
    put_loudness(l, w);
    wording_printf(w, "\n");
    for (uint32_t i = 0; i < s->unusual_count; i++) {
        if (!s->unusual[i].why[0])
            continue;
        wording_printf(w, s->unusual[i].score >= UNUSUAL_ALERT ? "unusual " : "surprising ");
        wording_time(w, s->unusual[i].start);
        wording_printf(w, " %s\n", s->unusual[i].why);
    }
    uint32_t told = 0;
    for (uint32_t i = 0; i < m->record_count && told < EVENTS_MAX; i++) {
        if (!is_event(notes, m, i))
            continue;
        wording_printf(w, "heard ");
        wording_time(w, m->records[i].time);
        wording_printf(w, " %s\n", notes[i].why);
        told++;
    }
    put_talks(notes, m, w);
}

void sum_audio(struct summariser *s, const struct noted *notes, struct moment *m)
{
    struct wording gist;
    struct loudness l;
    wording_init(&gist, s->gist, sizeof(s->gist));
    measure(s, notes, m, &l);
    put_title(s, notes, m, &l);
    put_gist(s, notes, m, &l, &gist);
}
