/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audio_latent.h"

#include <math.h>
#include <string.h>

#include "model/kernels.h"

#define TOKEN_BANDS 20 /* of two each */
#define BAND_BINS 10
#define LEVEL_BINS 16
#define FEW_BINS 8

/* Spreads a weight over the two bins nearest to u in 0..1; returns where the next feature begins.
 */
static float *light(float *at, int bins, double u, float weight)
{
    double place = fmax(0, fmin(1, u)) * (bins - 1);
    int bin = place >= bins - 1 ? bins - 2 : (int)place;
    float part = (float)(place - bin);
    at[bin] += weight * (1 - part);
    at[bin + 1] += weight * part;
    return at + bins;
}

void audio_latent_token(const struct audio_sound *s, double speech, float *ret)
{
    float *at = ret;
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    for (int i = 0; i < TOKEN_BANDS; i++) {
        double band = (s->bands[2 * i] + s->bands[2 * i + 1]) / 2;
        at = light(at, BAND_BINS, (band + 90) / 80, 1);
    }
    at = light(at, LEVEL_BINS, (s->level + 80) / 80, 2);
    at = light(at, FEW_BINS, s->onset / 20, 1);
    at = light(at, FEW_BINS, s->length / 0.5, 1);
    light(at, FEW_BINS, speech, 2);
    kernel_normalise(ret, LATENT_DIM);
}
