/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sensor_words.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"

/* From here on a run may be called surprising (pipeline/summary.c), and then it must be said why. */
#define RARE_BITS 8.0 /* rarer than PREDICTION_RARE */
/* As many samples at rest are "flat" and not merely calm. */
#define FLAT_MIN 16
#define NAME "%.60s"

/* Four digits as people write them: 97.2, 18267, 3.2e+09. */
struct number {
    char text[32];
};

static struct number number(double v)
{
    struct number n;
    double size = fabs(v);
    snprintf(n.text, sizeof(n.text), size >= 1e4 && size < 1e7 ? "%.0f" : "%.4g", v);
    return n;
}

/* "40 min": the largest unit that leaves at least two. */
static void span_text(int64_t us, char *ret, size_t size)
{
    static const struct {
        int64_t unit;
        const char *name;
    } units[] = {{US_PER_DAY, "days"}, {US_PER_HOUR, "h"}, {US_PER_MINUTE, "min"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (us >= 2 * units[i].unit) {
            snprintf(ret, size, "%.0f %s", (double)us / (double)units[i].unit, units[i].name);
            return;
        }
    }
    snprintf(ret, size, "%.0f s", us > 0 ? (double)us / US_PER_SECOND : 0);
}

static void change_text(const struct sensor_words *w, char *ret, size_t size)
{
    const struct novelty_finding *f = &w->finding;
    struct number usual = number(exp((f->low + f->high) / 2)), now = number(exp(f->level));
    char span[32];
    if (f->up) {
        snprintf(ret, size, NAME " jumps by %s from sample to sample, usually by %s", w->name,
                 now.text, usual.text);
    } else if (w->still >= FLAT_MIN) {
        span_text(w->time - w->still_since, span, sizeof(span));
        snprintf(ret, size, NAME " flat at %s for %s, usually varies by %s", w->name,
                 number(w->value).text, span, usual.text);
    } else {
        snprintf(ret, size, NAME " unusually calm: varies by %s, usually by %s", w->name, now.text,
                 usual.text);
    }
}

void sensor_words_alert(const struct sensor_words *w, char *ret, size_t size)
{
    const struct novelty_finding *f = &w->finding;
    switch (f->view) {
    case NOVELTY_VALUE:
        snprintf(ret, size, NAME " %s, usually %s to %s, never beyond %s", w->name,
                 number(w->value).text, number(w->usual[0]).text, number(w->usual[1]).text,
                 number(f->up ? f->high : f->low).text);
        break;
    case NOVELTY_AWAY:
        snprintf(ret, size, NAME " %s, expected about %s at this time", w->name,
                 number(w->value).text, number(w->season).text);
        break;
    case NOVELTY_AWAY4:
    case NOVELTY_AWAY16:
        snprintf(ret, size, "level of " NAME " %s from %s to %s", w->name,
                 f->level > 0 ? "rose" : "fell", number(w->season).text,
                 number(w->season + f->level).text);
        break;
    case NOVELTY_CHANGE:
        change_text(w, ret, size);
        break;
    default:
        if (f->up)
            snprintf(ret, size,
                     NAME " moves in a new way: %.1f bits of surprise a sample, at most %.1f "
                          "before",
                     w->name, f->level, f->high);
        else
            snprintf(ret, size, NAME " moves more evenly than ever before", w->name);
    }
}

void sensor_words_rare(const struct sensor_words *w, double bits, char *ret, size_t size)
{
    if (bits < RARE_BITS)
        ret[0] = '\0';
    else
        snprintf(ret, size, NAME " %s, expected %s to %s", w->name, number(w->value).text,
                 number(w->prediction.low).text, number(w->prediction.high).text);
}
