/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tail.h"

#define BIN_BITS 0.25
#define WINDOW 4096.0 /* records: long enough that one in a thousand can be told from its rank */
#define WARM_UP 100   /* records before which nothing is an alert: its usual is not known yet */
#define WEIGHT_MAX 1e12
#define ALERT_DECADES 3.0 /* one in a thousand */

void tail_init(struct tail *t)
{
    *t = (struct tail){.weight = 1};
}

static int bin_of(double bits)
{
    return bits >= TAIL_BINS * BIN_BITS ? TAIL_BINS - 1 : (int)(bits / BIN_BITS);
}

double tail_probability(const struct tail *t, double bits)
{
    int bin = bin_of(bits);
    double above = 0;
    for (int i = bin; i < TAIL_BINS; i++)
        above += t->bins[i];
    /* One record's weight stands for what was not seen yet; beyond the highest seen it halves a
     * bit. */
    double unseen = t->weight;
    if (!(above > 0)) {
        int highest = bin;
        while (highest > 0 && !(t->bins[highest - 1] > 0))
            highest--;
        unseen *= exp2(-(bin - highest) * BIN_BITS);
    }
    double rank = (above + unseen) / (t->total + t->weight);
    return fmin(1, fmax(rank, exp2(-bits)));
}

double tail_rank(const struct tail *t, double bits)
{
    int bin = bin_of(bits), highest = TAIL_BINS;
    double inside = fmin(bits / BIN_BITS - bin, 1), above = t->bins[bin] * (1 - inside);
    for (int i = bin + 1; i < TAIL_BINS; i++)
        above += t->bins[i];
    if (above > 0)
        return (above + t->weight) / (t->total + t->weight);
    while (highest > 0 && !(t->bins[highest - 1] > 0))
        highest--;
    return t->weight / (t->total + t->weight) * exp2(fmin(0, highest * BIN_BITS - bits));
}

void tail_learn(struct tail *t, double bits)
{
    t->seen++;
    t->bins[bin_of(bits)] += t->weight;
    t->total += t->weight;
    t->weight /= 1 - 1 / WINDOW;
    /* The total fades as the weights grow. */
    if (t->weight < WEIGHT_MAX)
        return;
    for (int i = 0; i < TAIL_BINS; i++)
        t->bins[i] /= t->weight;
    t->total /= t->weight;
    t->weight = 1;
}

double tail_score(const struct tail *t, double probability)
{
    double decades = -log10(fmax(probability, 1e-300));
    double score = decades / (decades + ALERT_DECADES);
    return t->seen < WARM_UP ? fmin(score, 0.49) : score;
}

void tail_walk(struct tail *t, struct state *s)
{
    state_u64(s, &t->seen, UINT64_MAX);
    state_f64(s, &t->weight);
    state_f64(s, &t->total);
    state_f64s(s, t->bins, TAIL_BINS);
    s->failed |= !(t->weight > 0 && t->weight <= WEIGHT_MAX && t->total >= 0);
    for (int i = 0; i < TAIL_BINS; i++)
        s->failed |= !(t->bins[i] >= 0);
}
