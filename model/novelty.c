/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: six means, six ranges, about 100 ns. Nothing fails.
 *
 * Why ranges and not probabilities: views are strongly autocorrelated, so their tail probabilities
 * are far off, while "beyond all it did so far" holds for any distribution; its chance falls with
 * the length of the history by itself (a record among n). The constants below were chosen in the
 * middle of plateaus, on labelled machine series and on ten kinds of synthetic ones alike.
 */
#include "model/novelty.h"

#include <math.h>
#include <string.h>

#include "base/record.h"

/* An alert is a push of this share of the range: below, records of pure noise count; far above,
 * slow or seasonal changes are missed. Flat between 0.03 and 0.05. Surprise is a statistic of the
 * tail, so its own range is twice as ragged as the others'. */
#define SHARE 0.04
#define SHARE_BITS 0.08
/* A young range is known badly: at n samples the share is larger by (1 + YOUNG / n). More trades
 * hits for fewer false alarms, one for one, from 500 to 2000. */
#define YOUNG 750.0
/* No alert before this: ranges of two hundred samples and less say nothing. */
#define WARM 200
/* Pushes within a few samples belong together (a mean over 16 walks out in small steps): what is
 * left of one after a sample, exp(-1/4). */
#define LEAK 0.7788
/* After an alert the need is 1 + AGAIN, fading within AGAIN_REST samples: the same change must not
 * alert again, a far stronger one must. */
#define AGAIN 8.0
#define AGAIN_REST 80.0
/* The range is that of the last two blocks. A block is half the life, so that alerts get rarer with
 * age as records do, but at most a million samples, so that no outlier blinds a channel for ever.
 */
#define BLOCK_MIN 5000
#define BLOCK_MAX 1000000
#define PUSH_MAX 10.0
#define STRENGTH_MAX 1e3

static const int widths[NOVELTY_VIEWS] = {1, 1, 4, 16, 64, 32};

void novelty_init(struct novelty *n)
{
    memset(n, 0, sizeof(*n));
    n->alert_age = UINT32_MAX;
}

/*
 * A mean over the last `width` entries. The sum is made anew each turn, so rounding cannot pile up,
 * and when something huge has left, which took all the digits.
 */
static double slide(double *sum, const double *ring, uint64_t seen, int width, double out)
{
    uint64_t at = seen % NOVELTY_RING;
    double next = *sum + ring[at] - (seen >= (uint64_t)width ? out : 0);
    if (seen % (uint64_t)width == 0 || fabs(out) > 1e6 * fabs(next)) {
        *sum = 0;
        for (int i = 0; i < width && (uint64_t)i <= seen; i++)
            *sum += ring[(at + NOVELTY_RING - (uint64_t)i) % NOVELTY_RING];
    } else {
        *sum = next;
    }
    return *sum / (seen + 1 < (uint64_t)width ? (double)seen + 1 : width);
}

static double leaving(const double *ring, uint64_t seen, int width)
{
    return ring[(seen + NOVELTY_RING - (uint64_t)width) % NOVELTY_RING];
}

static void take_views(struct novelty *n, const struct novelty_input *in, double *views)
{
    uint64_t at = n->seen % NOVELTY_RING;
    double out4 = leaving(n->away, n->seen, 4), out16 = leaving(n->away, n->seen, 16);
    double out_bits = leaving(n->bits, n->seen, 32), out_change = n->change[at];
    n->away[at] = in->value - in->season;
    n->change[at] = n->seen ? fabs(in->value - n->last) : 0;
    n->bits[at] = in->bits;
    views[NOVELTY_VALUE] = in->value;
    views[NOVELTY_AWAY] = n->away[at];
    views[NOVELTY_AWAY4] = slide(&n->sums[NOVELTY_AWAY4], n->away, n->seen, 4, out4);
    views[NOVELTY_AWAY16] = slide(&n->sums[NOVELTY_AWAY16], n->away, n->seen, 16, out16);
    double change = slide(&n->sums[NOVELTY_CHANGE], n->change, n->seen, 64, out_change);
    views[NOVELTY_CHANGE] = log(fabs(change) + in->floor + 1e-6 * in->spread);
    views[NOVELTY_BITS] = slide(&n->sums[NOVELTY_BITS], n->bits, n->seen, 32, out_bits);
}

static void watch_stillness(struct novelty *n, const struct novelty_input *in)
{
    if (!n->seen || in->value != n->last) {
        n->still = 0;
        n->still_since = in->time;
    }
    n->still++;
    n->last = in->value;
}

static bool block_is_full(const struct novelty *n)
{
    uint64_t block = n->seen / 2;
    block = block < BLOCK_MIN ? BLOCK_MIN : block > BLOCK_MAX ? BLOCK_MAX : block;
    return n->seen - n->block_start >= block;
}

/* Pushes one view against its range, keeps the strongest in *best, and widens the range. */
static void push_view(struct novelty *n, int view, double level, double floor, bool turn,
                      struct novelty_finding *best)
{
    struct novelty_range *r = &n->ranges[view];
    if (n->seen < 2 || n->seen < (uint64_t)widths[view]) {
        *r = (struct novelty_range){level, level, level, level, 0};
        return;
    }
    double low = fmin(r->low, r->low_old), high = fmax(r->high, r->high_old);
    double over = level > high ? level - high : low - level, push = 0;
    if (over > 0)
        push = over / ((view == NOVELTY_BITS ? SHARE_BITS : SHARE) * (high - low) + floor);
    r->push = r->push * LEAK + (push < PUSH_MAX ? push : PUSH_MAX);
    if (r->push > best->strength)
        *best = (struct novelty_finding){r->push, (enum novelty_view)view, level > high, level, low,
                                         high};
    if (turn) {
        r->low_old = r->low;
        r->high_old = r->high;
        r->low = r->high = level;
    }
    r->low = fmin(r->low, level);
    r->high = fmax(r->high, level);
}

/* What a push must reach now. */
static double need(const struct novelty *n, uint32_t count)
{
    /* A record of m channels is m times as likely; tails are about exponential, so ln m. */
    double need = (1 + YOUNG / (double)n->seen) * (1 + 0.5 * log(count > 1 ? count : 1));
    if ((double)n->alert_age < 20 * AGAIN_REST)
        need *= 1 + AGAIN * exp(-(double)n->alert_age / AGAIN_REST);
    return need;
}

void novelty_observe(struct novelty *n, const struct novelty_input *in, uint32_t count,
                     struct novelty_finding *ret)
{
    double views[NOVELTY_VIEWS];
    take_views(n, in, views);
    watch_stillness(n, in);
    bool turn = block_is_full(n);
    if (turn)
        n->block_start = n->seen;
    struct novelty_finding best = {.level = in->value};
    for (int i = 0; i < NOVELTY_VIEWS; i++) {
        double floor = i == NOVELTY_CHANGE ? 0.01 : i == NOVELTY_BITS ? 0.001 : in->floor;
        push_view(n, i, views[i], floor, turn, &best);
    }
    n->seen++;
    best.strength = n->seen > WARM ? best.strength / need(n, count) : 0;
    best.strength = best.strength < STRENGTH_MAX ? best.strength : STRENGTH_MAX;
    n->alert_age += n->alert_age < UINT32_MAX;
    if (best.strength >= 1) {
        n->alert_age = 0;
        for (int i = 0; i < NOVELTY_VIEWS; i++)
            n->ranges[i].push = 0;
    }
    *ret = best;
}

void novelty_walk(struct novelty *n, struct state *s)
{
    state_u64(s, &n->seen, UINT64_MAX / 2);
    state_u64(s, &n->block_start, n->seen);
    state_u64(s, &n->alert_age, UINT32_MAX);
    state_f64(s, &n->last);
    state_u64(s, &n->still, UINT64_MAX / 2);
    state_i64(s, &n->still_since);
    state_f64s(s, n->away, NOVELTY_RING);
    state_f64s(s, n->change, NOVELTY_RING);
    state_f64s(s, n->bits, NOVELTY_RING);
    state_f64s(s, n->sums, NOVELTY_VIEWS);
    for (int i = 0; i < NOVELTY_VIEWS; i++) {
        struct novelty_range *r = &n->ranges[i];
        double *fields[] = {&r->low, &r->high, &r->low_old, &r->high_old, &r->push};
        for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++)
            state_f64(s, fields[j]);
        s->failed |= r->push < 0;
    }
    s->failed |= n->still_since < TIME_MIN || n->still_since > TIME_MAX;
}
