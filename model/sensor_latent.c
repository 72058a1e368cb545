/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: about 20 additions a channel a record. Nothing fails. */
#include "model/sensor_latent.h"

#include <math.h>

#define BINS 8
/* The first mean is the value of the moment itself. */
static const double rates[SENSOR_LATENT_SCALES] = {1, 1.0 / 3, 1.0 / 12, 1.0 / 48};

uint32_t sensor_latent_place(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

/* Spreads a weight over the two bins nearest to u in 0..1, at places of this channel and feature.
 */
static void light(float *latent, uint32_t place, uint32_t feature, double u, float weight)
{
    double at = u * (BINS - 1);
    int bin = at < 0 ? 0 : at >= BINS - 1 ? BINS - 2 : (int)at;
    float part = (float)(at - bin);
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    uint32_t slot = place + feature * BINS + (uint32_t)bin;
    latent[slot % LATENT_DIM] += weight * (1 - part);
    latent[(slot + 1) % LATENT_DIM] += weight * part;
}

/* The real line to 0..1, steepest around zero. */
static double squash(double v)
{
    return 0.5 + 0.5 * v / (1 + fabs(v));
}

void sensor_latent_add(struct sensor_latent *l, uint32_t place, double value, double units,
                       float *ret)
{
    double before = value;
    uint32_t feature = 0;
    for (int i = 0; i < SENSOR_LATENT_SCALES; i++) {
        double old = l->means[i];
        double rate = 1 / ((double)l->seen + 1);
        rate = rate > rates[i] ? rate : rates[i];
        l->means[i] = old + rate * (value - old);
        double band = before - (i ? l->means[i] : old);
        l->rough[i] += rate * (fabs(band) - l->rough[i]);
        before = l->means[i];
        light(ret, place, feature++, squash(l->means[i]), i == 0 ? 1.0f : 0.7f);
        light(ret, place, feature++, squash(2 * band), 0.5f);
        if (i)
            light(ret, place, feature++, squash(2 * log2(l->rough[i] + 0.03) + 3), 1.0f);
    }
    light(ret, place, feature, squash(units / 2), 0.5f);
    l->seen++;
}

void sensor_latent_finish(float *latent)
{
    float sums[8] = {0}; /* eight, so that the compiler may use vectors */
    for (int i = 0; i < LATENT_DIM; i += 8)
        for (int j = 0; j < 8; j++)
            sums[j] += latent[i + j] * latent[i + j];
    float sum =
        (sums[0] + sums[1]) + (sums[2] + sums[3]) + (sums[4] + sums[5]) + (sums[6] + sums[7]);
    if (!(sum > 0))
        return;
    float by = 1 / sqrtf(sum);
    for (int i = 0; i < LATENT_DIM; i++)
        latent[i] *= by;
}

void sensor_latent_walk(struct sensor_latent *l, struct state *s)
{
    state_f64s(s, l->means, SENSOR_LATENT_SCALES);
    state_f64s(s, l->rough, SENSOR_LATENT_SCALES);
    state_u64(s, &l->seen, UINT64_MAX / 2);
    for (int i = 0; i < SENSOR_LATENT_SCALES; i++)
        s->failed |= l->rough[i] < 0;
}
