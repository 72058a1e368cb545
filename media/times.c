/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An input's own times start anywhere, may jump where it is damaged or was cut together, and may be
 * missing. Event times start where they should and never go backwards.
 */
#include <libavutil/dict.h>
#include <libavutil/parseutils.h>

#include "base/clock.h"
#include "media/media.h"

#define CLOCK_SLACK                                                                                \
    (US_PER_SECOND / 2) /* a live input's own times may stray from the clock by it */
#define CREATED_MIN (631152000LL * US_PER_SECOND) /* 1990: earlier ones are an unset clock */

/* When the container says it was made; TIME_UNKNOWN when it does not, or nonsense. */
static int64_t creation_time(const AVFormatContext *format, int64_t now)
{
    const AVDictionaryEntry *e = av_dict_get(format->metadata, "creation_time", NULL, 0);
    int64_t t;
    if (!e || av_parse_time(&t, e->value, 0) < 0)
        return TIME_UNKNOWN;
    return t < CREATED_MIN || t > now + US_PER_DAY ? TIME_UNKNOWN : t;
}

void media_times_init(struct media_times *t, const struct media_options *o,
                      const struct media_input *in, int64_t now)
{
    const AVFormatContext *format = in->format;
    t->last = TIME_UNKNOWN;
    t->live = o->live || media_input_is_live(in);
    t->origin = TIME_UNKNOWN;
    t->base = now;
    if (o->start != TIME_UNKNOWN) {
        t->base = o->start;
        return;
    }
    if (t->live)
        return;
    /* One origin for all streams of a file, so that its sound and its pictures stay together. */
    if (format->start_time != AV_NOPTS_VALUE)
        t->origin = format->start_time;
    int64_t created = creation_time(format, now);
    if (created != TIME_UNKNOWN)
        t->base = created;
    else if (in->origin == MEDIA_FILE)
        t->base = in->mtime -
                  (format->duration > 0 && format->duration < MEDIA_SPAN ? format->duration : 0);
    if (t->base < TIME_MIN)
        t->base = TIME_MIN;
}

int64_t media_times_map(struct media_times *t, int64_t pts, int64_t step, int64_t now)
{
    bool first = t->last == TIME_UNKNOWN;
    int64_t expected = first ? t->base : t->last + step;
    if (pts == AV_NOPTS_VALUE)
        return t->last = expected;
    if (t->origin == TIME_UNKNOWN)
        t->origin = pts;
    int64_t distance;
    bool sane = !__builtin_sub_overflow(pts, t->origin, &distance) && distance > -MEDIA_GAP &&
                distance < TIME_MAX;
    int64_t time = sane ? t->base + distance : expected;
    if (first)
        sane = sane && distance < MEDIA_GAP;
    else
        sane = sane && time >= t->last && time <= t->last + MEDIA_GAP;
    if (sane && t->live && (time < now - CLOCK_SLACK || time > now + CLOCK_SLACK)) {
        time = first || now > t->last ? now : t->last;
        sane = false;
    } else if (!sane) {
        time = expected;
    }
    if (!sane) {
        t->base = time;
        t->origin = pts;
    }
    return t->last = time;
}
