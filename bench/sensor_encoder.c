/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples a second through the sensor model, one channel and sixteen, beside a plain exponentially
 * weighted mean and deviation (what a simple alarm does) over the same values in the same run.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/encoder.h"

#define SAMPLES 1000000

static double *make_values(void)
{
    double *v = mem_alloc(SAMPLES * sizeof(*v));
    uint64_t rng = 88172645463325252ULL;
    for (int i = 0; v && i < SAMPLES; i++) {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        v[i] = 20 * sin(i * 0.02) + (double)(rng >> 40) / 8388608.0;
    }
    return v;
}

static double since(int64_t start)
{
    const struct clock *c = clock_system();
    return (double)(clock_mono(c) - start) / US_PER_SECOND;
}

static double run_ewma(const double *v, double *ret_sum)
{
    int64_t start = clock_mono(clock_system());
    double mean = v[0], size = 1, sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double away = v[i] - mean;
        sum += fabs(away) > 4 * size;
        mean += 0.02 * away;
        size += 0.02 * (fabs(away) - size);
    }
    *ret_sum = sum;
    return SAMPLES / since(start);
}

static double run_model(const double *v, uint32_t channels, double *ret_bits)
{
    struct encoder *e;
    struct sample samples[16];
    if (encoder_new(KIND_SENSOR, &e) < 0)
        exit(1);
    int64_t start = clock_mono(clock_system());
    double bits = 0;
    for (uint32_t i = 0; i + channels <= SAMPLES; i += channels) {
        for (uint32_t c = 0; c < channels; c++)
            samples[c] = (struct sample){.channel = (uint16_t)c, .value = v[i + c]};
        struct record r = {.seq = i + 1,
                           .time = (int64_t)i * US_PER_SECOND,
                           .samples = samples,
                           .sample_count = channels};
        struct observation o;
        encoder_observe(e, &r, &o);
        bits += o.bits;
    }
    *ret_bits = bits / (SAMPLES / channels);
    double rate = SAMPLES / since(start);
    encoder_free(e);
    return rate;
}

int main(void)
{
    double *v = make_values(), sum, bits, bits16;
    if (!v)
        return 1;
    double plain = run_ewma(v, &sum), one = run_model(v, 1, &bits),
           many = run_model(v, 16, &bits16);
    printf("sensor model, 1 channel:   %8.0f samples/s, mean surprise %.2f bits\n", one, bits);
    printf("sensor model, 16 channels: %8.0f samples/s, mean surprise %.2f bits\n", many, bits16);
    printf("plain EWMA alarm:          %8.0f samples/s, %.0f alarms\n", plain, sum);
    mem_free(v);
    return 0;
}
