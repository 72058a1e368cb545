/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: samples join those that wait; while a window is full it is weighted (Hann),
 * transformed (kissfft, 512 points) and summed into triangular bands; then it moves on by a hop.
 * Nothing fails after _new. Sizes: 36 KiB, most of it a push's frames and the transform's tables.
 */
#include "model/audio_frames.h"

#include <kiss_fftr.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define FFT 512
#define LOW_HZ 60.0
#define HIGH_HZ 7800.0
#define POWER_FLOOR 1e-10f
#define WAITING_MAX (AUDIO_WINDOW - 1)

struct audio_frames {
    kiss_fftr_cfg fft;
    float window[AUDIO_WINDOW];
    float scale; /* squares of the transform to power of full scale */
    /* The bin at which each band begins and ends, and the weights of the bins between. Each bin
     * lies on at most two triangles. */
    uint16_t first[AUDIO_BANDS], last[AUDIO_BANDS];
    float weights[AUDIO_BANDS][FFT / 8];
    float samples[WAITING_MAX + AUDIO_RECORD_SAMPLES_MAX];
    uint32_t waiting;
    struct audio_frame frames[AUDIO_FRAMES_MAX];
};

static double mel(double hz)
{
    return 2595 * log10(1 + hz / 700);
}

/* Edge i of the bands: band b rises from edge b to b + 1 and falls to b + 2. */
static double edge_hz(double i)
{
    double low = mel(LOW_HZ), high = mel(HIGH_HZ);
    return 700 * (pow(10, (low + (high - low) * i / (AUDIO_BANDS + 1)) / 2595) - 1);
}

double audio_band_hz(double band)
{
    return edge_hz(band + 1);
}

static void make_bands(struct audio_frames *a)
{
    for (int b = 0; b < AUDIO_BANDS; b++) {
        double low = edge_hz(b), middle = edge_hz(b + 1), high = edge_hz(b + 2);
        uint16_t from = (uint16_t)ceil(low * FFT / AUDIO_RATE);
        uint16_t to = (uint16_t)floor(high * FFT / AUDIO_RATE);
        a->first[b] = from;
        a->last[b] = to;
        for (uint16_t k = from; k <= to; k++) {
            double hz = (double)k * AUDIO_RATE / FFT;
            double up = (hz - low) / (middle - low), down = (high - hz) / (high - middle);
            a->weights[b][k - from] = (float)fmax(0, fmin(up, down));
        }
    }
}

int audio_frames_new(struct audio_frames **ret)
{
    size_t size = 0;
    kiss_fftr_alloc(FFT, 0, NULL, &size);
    struct audio_frames *a = mem_calloc(1, sizeof(*a));
    void *room = mem_alloc(size);
    if (!a || !room) {
        mem_free(a);
        mem_free(room);
        return ERR_NOMEM;
    }
    a->fft = kiss_fftr_alloc(FFT, 0, room, &size);
    double power = 0;
    for (int i = 0; i < AUDIO_WINDOW; i++) {
        a->window[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / AUDIO_WINDOW));
        power += (double)a->window[i] * (double)a->window[i];
    }
    a->scale = (float)(2 / (power * FFT));
    make_bands(a);
    *ret = a;
    return 0;
}

void audio_frames_free(struct audio_frames *a)
{
    if (a)
        mem_free(a->fft);
    mem_free(a);
}

void audio_frames_reset(struct audio_frames *a)
{
    a->waiting = 0;
}

static float decibel(float power)
{
    return 10 * log10f(power > POWER_FLOOR ? power : POWER_FLOOR);
}

static void make_frame(const struct audio_frames *a, const float *x, struct audio_frame *ret)
{
    float in[FFT] = {0}, power[FFT / 2 + 1], sum = 0;
    kiss_fft_cpx out[FFT / 2 + 1];
    for (int i = 0; i < AUDIO_WINDOW; i++) {
        in[i] = x[i] * a->window[i];
        sum += x[i] * x[i];
    }
    ret->level = fmaxf(AUDIO_QUIETEST, decibel(sum / AUDIO_WINDOW));
    kiss_fftr(a->fft, in, out);
    for (int k = 0; k <= FFT / 2; k++)
        power[k] = out[k].r * out[k].r + out[k].i * out[k].i;
    for (int b = 0; b < AUDIO_BANDS; b++) {
        float band = 0;
        for (uint16_t k = a->first[b]; k <= a->last[b]; k++)
            band += a->weights[b][k - a->first[b]] * power[k];
        ret->bands[b] = decibel(band * a->scale);
    }
}

uint32_t audio_frames_push(struct audio_frames *a, const void *pcm, uint32_t samples,
                           const struct audio_frame **ret)
{
    const uint8_t *in = pcm;
    samples = samples < AUDIO_RECORD_SAMPLES_MAX ? samples : AUDIO_RECORD_SAMPLES_MAX;
    for (uint32_t i = 0; i < samples; i++) {
        int16_t v = (int16_t)(uint16_t)(in[2 * i] | in[2 * i + 1] << 8);
        a->samples[a->waiting + i] = (float)v / 32768;
    }
    uint32_t have = a->waiting + samples, at = 0, n = 0;
    for (; at + AUDIO_WINDOW <= have; at += AUDIO_HOP)
        make_frame(a, a->samples + at, &a->frames[n++]);
    a->waiting = have - at;
    memmove(a->samples, a->samples + at, a->waiting * sizeof(a->samples[0]));
    *ret = a->frames;
    return n;
}

void audio_frames_walk(struct audio_frames *a, struct state *s)
{
    state_u32(s, &a->waiting, WAITING_MAX);
    state_f32s(s, a->samples, s->failed ? 0 : a->waiting);
    for (uint32_t i = 0; i < a->waiting; i++)
        s->failed |= !(fabsf(a->samples[i]) <= 1);
    if (s->failed)
        a->waiting = 0;
}
