/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: each channel's range in the moment stands against its usual one, the running mean of
 * earlier moments' 5 and 95 per cent; the channels furthest beyond theirs come first in title, gist
 * and entities. Failure modes: none; channels without room are left out of the words.
 */
#include <math.h>
#include <string.h>

#include "pipeline/summary_impl.h"

#define USUAL_MOMENTS 50 /* moments that the usual range remembers */
#define USUAL_KNOWN 3    /* from which on it says anything */
#define TITLE_CHANNELS 3
#define STEADY 0.02 /* a range below that share of the value is no range */

static void tally_value(struct tally *t, int64_t at, double value)
{
    if (t->count++ == 0) {
        t->first_at = t->least_at = t->most_at = at;
        t->first = t->least = t->most = value;
    }
    if (value < t->least) {
        t->least = value;
        t->least_at = at;
    }
    if (value > t->most) {
        t->most = value;
        t->most_at = at;
    }
    t->last = value;
    t->last_at = at;
    double away = value - t->mean;
    t->mean += away / t->count;
    t->m2 += away * (value - t->mean);
}

static void see(struct summariser *s, int64_t at, const struct sample *sample)
{
    if (sample->channel >= s->channel_room)
        return;
    uint16_t slot = s->slots[sample->channel];
    if (!slot) {
        s->seen[s->seen_count] = (struct channel_seen){
            .channel = sample->channel, .least = sample->value, .most = sample->value};
        s->tallies[s->seen_count] = (struct tally){.channel = sample->channel};
        slot = s->slots[sample->channel] = (uint16_t)++s->seen_count;
    }
    struct channel_seen *c = &s->seen[slot - 1];
    c->count++;
    c->sum += sample->value;
    c->least = fmin(c->least, sample->value);
    c->most = fmax(c->most, sample->value);
    tally_value(&s->tallies[slot - 1], at, sample->value);
}

/* The moment's values of a channel. It mostly lies at the same place in every record. */
static uint32_t collect(struct summariser *s, const struct moment *m, uint16_t channel)
{
    uint32_t n = 0, hint = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        const struct record *r = &m->records[i];
        uint32_t k = hint;
        if (k >= r->sample_count || r->samples[k].channel != channel)
            for (k = 0; k < r->sample_count && r->samples[k].channel != channel;)
                k++;
        if (k == r->sample_count)
            continue;
        s->values[n++] = r->samples[k].value;
        hint = k;
    }
    return n;
}

/* The value of that rank; the array is put into an order around it (Hoare's selection). */
static double select_rank(double *v, uint32_t n, uint32_t rank)
{
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        uint32_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                double swap = v[i];
                v[i++] = v[j];
                v[j] = swap;
                if (j == 0)
                    break;
                j--;
            }
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            break;
    }
    return v[rank];
}

bool range_known(const struct channel_range *usual)
{
    return usual->moments >= USUAL_KNOWN;
}

void range_learn(struct channel_range *usual, double *values, uint32_t n)
{
    double low = select_rank(values, n, n / 20);
    double high = select_rank(values, n, n - 1 - n / 20);
    usual->moments += usual->moments < USUAL_MOMENTS;
    usual->low += (low - usual->low) / usual->moments;
    usual->high += (high - usual->high) / usual->moments;
}

/* How far the channel went beyond its usual range, then the moment moves that. */
static void judge(struct summariser *s, const struct moment *m, struct channel_seen *c)
{
    struct channel_range *usual = &s->channels[c->channel];
    c->usual_low = usual->low;
    c->usual_high = usual->high;
    if (range_known(usual)) {
        double width = fmax(usual->high - usual->low, STEADY * fabs(usual->high) + 1e-9);
        c->away = fmax(fmax(c->most - usual->high, usual->low - c->least) / width, 0);
    }
    range_learn(usual, s->values, collect(s, m, c->channel));
}

/* The first ones that are told of: furthest beyond their range first, then in channel order. */
static void rank_channels(struct summariser *s)
{
    for (uint32_t i = 0; i < s->seen_count && i < ENTITIES_MAX; i++) {
        uint32_t best = i;
        for (uint32_t k = i + 1; k < s->seen_count; k++) {
            const struct channel_seen *a = &s->seen[k], *b = &s->seen[best];
            if (a->away > b->away || (a->away == b->away && a->channel < b->channel))
                best = k;
        }
        struct channel_seen swap = s->seen[i];
        s->seen[i] = s->seen[best];
        s->seen[best] = swap;
    }
}

static bool is_steady(const struct channel_seen *c)
{
    return c->most - c->least <= STEADY * fmax(fabs(c->most), fabs(c->least));
}

static void put_range(const struct summariser *s, const struct channel_seen *c, struct wording *w)
{
    wording_printf(w, "%s ", s->channels[c->channel].name);
    if (c->least == c->most)
        wording_printf(w, "%.4g", c->most);
    else if (is_steady(c))
        wording_printf(w, "steady %.4g", c->sum / c->count);
    else
        wording_printf(w, "%.4g\xe2\x80\x93%.4g", c->least, c->most);
}

static void put_title(struct summariser *s, struct wording *w)
{
    if (s->unusual_count && s->unusual[0].score >= UNUSUAL_ALERT) {
        wording_printf(w, "%s at ", s->unusual[0].why);
        wording_time(w, s->unusual[0].start);
    }
    for (uint32_t i = 0; i < s->seen_count && i < TITLE_CHANNELS; i++) {
        size_t before = w->size;
        wording_printf(w, "%s", i ? ", " : (before ? "; " : ""));
        put_range(s, &s->seen[i], w);
        if (w->size >= w->room - 1 && before) {
            wording_cut(w, before);
            return;
        }
    }
    if (s->seen_count > TITLE_CHANNELS)
        wording_printf(w, " and %u more", s->seen_count - TITLE_CHANNELS);
}

static void put_gist(struct summariser *s, const struct moment *m, struct wording *w)
{
    wording_printf(w, "%u record%s of %u channel%s in ", m->record_count,
                   m->record_count == 1 ? "" : "s", s->seen_count, s->seen_count == 1 ? "" : "s");
    wording_span(w, m->end - m->start);
    wording_printf(w, "\n");
    for (uint32_t i = 0; i < s->unusual_count; i++) {
        wording_printf(w, s->unusual[i].score >= UNUSUAL_ALERT ? "unusual " : "surprising ");
        wording_time(w, s->unusual[i].start);
        wording_printf(w, " %s\n", s->unusual[i].why);
    }
    for (uint32_t i = 0; i < s->seen_count; i++) {
        const struct channel_seen *c = &s->seen[i];
        size_t before = w->size;
        put_range(s, c, w);
        if (!is_steady(c))
            wording_printf(w, ", mean %.4g", c->sum / c->count);
        if (c->away > 0)
            wording_printf(w, ", usually %.4g to %.4g", c->usual_low, c->usual_high);
        wording_printf(w, "\n");
        if (w->size >= w->room - 1) {
            wording_cut(w, before);
            return;
        }
    }
}

void sum_sensor(struct summariser *s, const struct noted *notes, struct moment *m)
{
    struct wording title, gist;
    wording_init(&title, m->title, sizeof(m->title));
    wording_init(&gist, s->gist, sizeof(s->gist));
    s->seen_count = 0;
    for (uint32_t i = 0; i < m->record_count; i++)
        for (uint32_t k = 0; k < m->records[i].sample_count; k++)
            see(s, m->records[i].time, &m->records[i].samples[k]);
    s->tally_count = s->seen_count;
    for (uint32_t i = 0; i < s->seen_count; i++)
        s->slots[s->seen[i].channel] = 0;
    for (uint32_t i = 0; i < s->seen_count; i++)
        judge(s, m, &s->seen[i]);
    rank_channels(s);
    put_title(s, &title);
    put_gist(s, m, &gist);
    for (uint32_t i = 0; i < s->seen_count && i < ENTITIES_MAX; i++) {
        const char *name = s->channels[s->seen[i].channel].name;
        entity_add(s, "channel", name, strlen(name), s->seen[i].count);
    }
}
