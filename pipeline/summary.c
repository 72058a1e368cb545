/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: runs of records that the encoder scored as alerts, or that stand far out of the
 * stream's recent surprises, become the moment's unusual spans, most surprising first; then the
 * kind's own file words title and gist. Failure modes: none; what does not fit is cut at a whole
 * character or left out. Sizes: about 70 KiB a text stream; sensors 280 bytes a channel.
 */
#include "pipeline/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "pipeline/summary_impl.h"

#define UNUSUAL_Z 6.0f
#define UNUSUAL_BITS 8.0f
#define RUN_GAP 2 /* quiet records that do not end a run */

/* Room for `count` channels; the four arrays grow together or not at all. */
static int channels_reserve(struct summariser *s, uint32_t count)
{
    if (count <= s->channel_room)
        return 0;
    uint32_t room = s->channel_room ? 2 * s->channel_room : 8;
    while (room < count)
        room *= 2;
    struct channel_range *channels = mem_realloc(s->channels, room * sizeof(*channels));
    if (channels)
        s->channels = channels;
    struct channel_seen *seen = mem_realloc(s->seen, room * sizeof(*seen));
    if (seen)
        s->seen = seen;
    uint16_t *slots = mem_realloc(s->slots, room * sizeof(*slots));
    if (slots)
        s->slots = slots;
    struct tally *tallies = mem_realloc(s->tallies, room * sizeof(*tallies));
    if (tallies)
        s->tallies = tallies;
    if (!channels || !seen || !slots || !tallies)
        return ERR_NOMEM;
    memset(channels + s->channel_room, 0, (room - s->channel_room) * sizeof(*channels));
    memset(slots + s->channel_room, 0, (room - s->channel_room) * sizeof(*slots));
    s->channel_room = room;
    return 0;
}

int summariser_new(enum stream_kind kind, const struct encoder *encoder, struct summariser **ret)
{
    struct summariser *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->kind = kind;
    s->encoder = encoder;
    if (kind == KIND_TEXT) {
        s->words = mem_calloc(WORDS, sizeof(*s->words));
        s->tallies = mem_calloc(GROUPS_MAX, sizeof(*s->tallies));
        if (!s->words || !s->tallies) {
            summariser_free(s);
            return ERR_NOMEM;
        }
    }
    if (kind == KIND_AUDIO && channels_reserve(s, 1) < 0) {
        summariser_free(s);
        return ERR_NOMEM;
    }
    *ret = s;
    return 0;
}

void summariser_free(struct summariser *s)
{
    if (!s)
        return;
    mem_free(s->words);
    mem_free(s->tallies);
    mem_free(s->channels);
    mem_free(s->seen);
    mem_free(s->slots);
    mem_free(s);
}

int summariser_channel(struct summariser *s, uint16_t index, const char *name)
{
    if (s->kind != KIND_SENSOR || index >= CHANNELS_MAX)
        return ERR_INVALID;
    int rc = channels_reserve(s, (uint32_t)index + 1);
    if (rc)
        return rc;
    size_t n = utf8_cut(name, strlen(name), CHANNEL_NAME_MAX - 1);
    memcpy(s->channels[index].name, name, n);
    s->channels[index].name[n] = '\0';
    return 0;
}

void summariser_forget(struct summariser *s,
                       bool (*knows)(const void *arg, const char *text, size_t size),
                       const void *arg)
{
    for (uint32_t i = 0; i < s->channel_room; i++)
        if (knows(arg, s->channels[i].name, strlen(s->channels[i].name)))
            memset(&s->channels[i], 0, sizeof(s->channels[i]));
}

/* ---- state ---- */

int summariser_save(const struct summariser *s, struct buf *out)
{
    if (s->kind == KIND_TEXT) {
        buf_put_varint(out, s->lines);
        for (uint32_t i = 0; s->lines && i < WORDS; i++)
            buf_put_varint(out, s->words[i]);
    } else {
        buf_put_varint(out, s->channel_room);
        for (uint32_t i = 0; i < s->channel_room; i++) {
            const struct channel_range *c = &s->channels[i];
            buf_put_varint(out, c->moments);
            if (c->moments) {
                buf_put_f64(out, c->low);
                buf_put_f64(out, c->high);
            }
        }
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static bool load_words(struct summariser *s, struct cursor *in)
{
    uint64_t lines = cursor_varint(in);
    bool good = lines <= 1u << 20;
    for (uint32_t i = 0; lines && good && i < WORDS; i++) {
        uint64_t n = cursor_varint(in);
        good = !in->failed && n <= UINT32_MAX / 2;
        s->words[i] = good ? (uint32_t)n : 0;
    }
    s->lines = good ? lines : 0;
    return good && !in->failed;
}

static bool load_ranges(struct summariser *s, struct cursor *in)
{
    uint64_t count = cursor_varint(in);
    if (in->failed || count > 2 * CHANNELS_MAX || channels_reserve(s, (uint32_t)count) != 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct channel_range *c = &s->channels[i];
        uint64_t moments = cursor_varint(in);
        double low = moments ? cursor_f64(in) : 0, high = moments ? cursor_f64(in) : 0;
        if (in->failed || moments > UINT32_MAX / 2 || !isfinite(low) || !isfinite(high))
            return false;
        c->moments = (uint32_t)moments;
        c->low = low;
        c->high = high;
    }
    return true;
}

int summariser_load(struct summariser *s, struct cursor *in, struct errmsg *err)
{
    bool good = s->kind == KIND_TEXT ? load_words(s, in) : load_ranges(s, in);
    return good ? 0 : err_set(err, ERR_CORRUPT, "the summaries' snapshot is damaged");
}

/* ---- words ---- */

void wording_init(struct wording *w, char *room, size_t size)
{
    *w = (struct wording){room, 0, size};
    room[0] = '\0';
}

void wording_put(struct wording *w, const char *s, size_t n)
{
    size_t left = w->room - 1 - w->size;
    n = n <= left ? n : utf8_cut(s, n, left);
    memcpy(w->at + w->size, s, n);
    w->size += n;
    w->at[w->size] = '\0';
}

void wording_printf(struct wording *w, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n > 0)
        wording_put(w, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void wording_cut(struct wording *w, size_t size)
{
    w->size = size;
    w->at[size] = '\0';
}

void wording_time(struct wording *w, int64_t us)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    wording_printf(w, "%02d:%02d:%02d", c.hour, c.minute, c.second);
}

void wording_span(struct wording *w, int64_t us)
{
    int64_t s = us / US_PER_SECOND;
    if (s < 1)
        wording_printf(w, "less than a second");
    else if (s < 120)
        wording_printf(w, "%lld s", (long long)s);
    else if (s < 7200)
        wording_printf(w, "%lld min", (long long)(s + 30) / 60);
    else if (s < 2 * 86400)
        wording_printf(w, "%lld h", (long long)(s + 1800) / 3600);
    else
        wording_printf(w, "%lld days", (long long)(s + 43200) / 86400);
}

bool entity_add(struct summariser *s, const char *kind, const char *name, size_t n, uint32_t count)
{
    char cut[sizeof(s->entities[0].name)];
    n = utf8_cut(name, n, sizeof(cut) - 1);
    memcpy(cut, name, n);
    cut[n] = '\0';
    for (uint32_t i = 0; i < s->entity_count; i++) {
        struct entity_seen *e = &s->entities[i];
        if (strcmp(e->name, cut) == 0 && strcmp(e->kind, kind) == 0) {
            e->count += count;
            return true;
        }
    }
    if (s->entity_count == ENTITIES_MAX || n == 0)
        return false;
    struct entity_seen *e = &s->entities[s->entity_count++];
    snprintf(e->kind, sizeof(e->kind), "%s", kind);
    memcpy(e->name, cut, n + 1);
    e->count = count;
    return true;
}

/* ---- what was unusual ---- */

static bool is_unusual(const struct noted *n)
{
    return n->score >= UNUSUAL_ALERT || (n->z >= UNUSUAL_Z && n->bits >= UNUSUAL_BITS);
}

/* Alerts before what is merely surprising. */
static bool outranks(const struct unusual *a, const struct unusual *b)
{
    bool alert_a = a->score >= UNUSUAL_ALERT, alert_b = b->score >= UNUSUAL_ALERT;
    return alert_a != alert_b ? alert_a : a->bits > b->bits;
}

/* Keeps the list sorted; the least one falls out when it is full. */
static void keep(struct summariser *s, const struct unusual *u)
{
    uint32_t at = s->unusual_count < UNUSUAL_MAX ? s->unusual_count++ : UNUSUAL_MAX - 1;
    if (at == UNUSUAL_MAX - 1 && s->unusual[at].bits > 0 && !outranks(u, &s->unusual[at]))
        return;
    while (at > 0 && outranks(u, &s->unusual[at - 1])) {
        s->unusual[at] = s->unusual[at - 1];
        at--;
    }
    s->unusual[at] = *u;
}

/* The others say what in `why`; text adds the line itself. */
static void word_run(struct summariser *s, const struct moment *m, const struct noted *notes,
                     uint32_t peak, struct unusual *u)
{
    struct wording w;
    wording_init(&w, u->why, sizeof(u->why));
    wording_printf(&w, "%s", notes[peak].why);
    if (s->kind != KIND_TEXT)
        return;
    wording_printf(&w, "%s", w.size ? ": " : "");
    put_line(s, &m->records[peak], &w);
}

static void find_unusual(struct summariser *s, const struct noted *notes, struct moment *m)
{
    s->unusual_count = 0;
    memset(s->unusual, 0, sizeof(s->unusual));
    for (uint32_t i = 0; i < m->record_count; i++) {
        if (!is_unusual(&notes[i]))
            continue;
        uint32_t last = i, peak = i;
        for (uint32_t k = i + 1; k < m->record_count && k <= last + RUN_GAP + 1; k++) {
            if (!is_unusual(&notes[k]))
                continue;
            last = k;
            if (notes[k].score > notes[peak].score ||
                (notes[k].score == notes[peak].score && notes[k].bits > notes[peak].bits))
                peak = k;
        }
        struct unusual u = {.start = m->records[i].time,
                            .end = m->records[last].time,
                            .first = i,
                            .last = last,
                            .bits = notes[peak].bits,
                            .z = notes[peak].z,
                            .score = notes[peak].score};
        word_run(s, m, notes, peak, &u);
        keep(s, &u);
        i = last;
    }
}

/* Most often named first. The list is short, and qsort() would allocate. */
static void sort_entities(struct summariser *s)
{
    for (uint32_t i = 1; i < s->entity_count; i++) {
        struct entity_seen moved = s->entities[i];
        uint32_t at = i;
        for (; at > 0 && s->entities[at - 1].count < moved.count; at--)
            s->entities[at] = s->entities[at - 1];
        s->entities[at] = moved;
    }
}

void summariser_sum(struct summariser *s, const struct noted *notes, struct moment *m)
{
    uint32_t n = m->record_count;
    m->start = m->records[0].time;
    m->end = m->records[n - 1].time;
    double bits = 0;
    for (uint32_t i = 0; i < n; i++) {
        m->flags |= m->records[i].flags;
        bits += notes[i].bits;
        if (i == 0 || notes[i].bits > m->bits_max)
            m->bits_max = notes[i].bits;
        if (i == 0 || notes[i].z > m->z)
            m->z = notes[i].z;
    }
    m->bits = (float)(bits / n);
    s->entity_count = s->tally_count = s->fact_count = s->same_count = 0;
    find_unusual(s, notes, m);
    m->unusual = s->unusual;
    m->unusual_count = s->unusual_count;
    switch (s->kind) {
    case KIND_TEXT:
        sum_text(s, notes, m);
        break;
    case KIND_AUDIO:
        sum_audio(s, notes, m);
        break;
    case KIND_VIDEO:
        sum_video(s, notes, m);
        break;
    default:
        sum_sensor(s, notes, m);
    }
    sort_entities(s);
    m->entities = s->entities;
    m->entity_count = s->entity_count;
    m->same = s->same;
    m->same_count = s->same_count;
    m->tallies = s->tallies;
    m->tally_count = s->tally_count;
    m->facts = s->facts;
    m->fact_count = s->fact_count;
    m->gist = (struct slice){s->gist, strlen(s->gist)};
}
