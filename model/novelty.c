/* SPDX-License-Identifier: Apache-2.0 */
#include "model/novelty.h"

#include <math.h>
#include <string.h>

#define WARM 100
#define REST 150
#define SHARE 0.15

static const double rates[NOVELTY_SCALES] = {1, 1.0 / 8, 1.0 / 32, 1.0 / 96};

void novelty_init(struct novelty *n)
{
    memset(n, 0, sizeof(*n));
}

void novelty_observe(struct novelty *n, double value, double floor, struct novelty_finding *ret)
{
    *ret = (struct novelty_finding){.level = value, .low = value, .high = value};
    for (int i = 0; i < NOVELTY_SCALES; i++) {
        double before = n->seen ? n->mean[i] : value;
        double mean = n->mean[i] = before + rates[i] * (value - before);
        if ((double)n->seen < 1 / rates[i]) {
            n->low[i] = n->high[i] = mean;
            continue;
        }
        double spread = n->high[i] - n->low[i];
        double over = mean > n->high[i] ? mean - n->high[i] : n->low[i] - mean;
        if (over > 0 && n->seen >= WARM && !n->rest) {
            double strength = over / (SHARE * spread + floor);
            if (strength > ret->strength)
                *ret = (struct novelty_finding){strength, i, mean, n->low[i], n->high[i]};
        }
        n->low[i] = fmin(n->low[i], mean);
        n->high[i] = fmax(n->high[i], mean);
    }
    if (ret->strength > 1e6)
        ret->strength = 1e6;
    n->seen++;
    if (n->rest)
        n->rest--;
    else if (ret->strength >= 1)
        n->rest = REST;
}

void novelty_walk(struct novelty *n, struct state *s)
{
    state_u64(s, &n->seen, UINT64_MAX / 2);
    state_f64s(s, n->mean, NOVELTY_SCALES);
    state_f64s(s, n->low, NOVELTY_SCALES);
    state_f64s(s, n->high, NOVELTY_SCALES);
    state_u64(s, &n->rest, REST);
}
