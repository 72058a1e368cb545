/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_audio features|cepstra|latents|speech|speed FILE…
 * Over files of 16-bit little-endian PCM, mono, 16 kHz: a line of numbers for each file (the span's
 * features not scaled, the mean cepstra that a baseline compares, the latent), what share of all is
 * speech, or what the model costs for a second of sound.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/audio_encoder.h"
#include "model/audio_span.h"
#include "model/encoder.h"
#include "model/kernels.h"
#include "model/voice.h"

#define RECORD 8000 /* samples, as they come from outside */
#define BASELINE 20

struct pcm {
    uint8_t *data;
    uint32_t samples;
};

static int read_pcm(const char *path, struct pcm *ret)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    ret->data = size > 0 && size < INT32_MAX ? mem_alloc((size_t)size) : NULL;
    bool good = ret->data && fseek(f, 0, SEEK_SET) == 0 &&
                fread(ret->data, 1, (size_t)size, f) == (size_t)size;
    ret->samples = good ? (uint32_t)(size / 2) : 0;
    if (f)
        fclose(f);
    if (!good)
        fprintf(stderr, "bench_audio: cannot read %s\n", path);
    return good ? 0 : -1;
}

static void print(const float *v, int n)
{
    for (int i = 0; i < n; i++)
        printf("%s%.6g", i ? " " : "", (double)v[i]);
    printf("\n");
}

static uint32_t left(const struct pcm *p, uint32_t at)
{
    return p->samples - at < RECORD ? p->samples - at : RECORD;
}

static void print_features(const struct pcm *p, struct audio_frames *frames,
                           struct audio_span *span)
{
    float features[SPAN_FEATURES] = {0}, latent[LATENT_DIM];
    audio_frames_reset(frames);
    for (uint32_t at = 0; at < p->samples; at += RECORD) {
        const struct audio_frame *f;
        uint32_t n = audio_frames_push(frames, p->data + 2 * at, left(p, at), &f);
        audio_span_add(span, f, n);
    }
    audio_span_features(span, features);
    print(features, SPAN_FEATURES);
    audio_span_latent(span, latent);
}

/* What most would begin with: the mean of the mel cepstra. */
static void print_cepstra(const struct pcm *p, struct audio_frames *frames)
{
    double sum[AUDIO_BANDS] = {0};
    float c[BASELINE] = {0};
    uint32_t count = 0;
    audio_frames_reset(frames);
    for (uint32_t at = 0; at < p->samples; at += RECORD) {
        const struct audio_frame *f;
        uint32_t n = audio_frames_push(frames, p->data + 2 * at, left(p, at), &f);
        for (uint32_t i = 0; i < n; i++, count++)
            for (int b = 0; b < AUDIO_BANDS; b++)
                sum[b] += (double)f[i].bands[b];
    }
    for (int k = 0; k < BASELINE && count; k++)
        for (int b = 0; b < AUDIO_BANDS; b++)
            c[k] += (float)(sum[b] / count * cos(M_PI * k * (b + 0.5) / AUDIO_BANDS));
    print(c, BASELINE);
}

static void print_latent(const struct pcm *p, struct encoder *e)
{
    float latent[LATENT_DIM];
    for (uint32_t at = 0; at < p->samples; at += RECORD) {
        struct record r = {.time = (int64_t)at * US_PER_SECOND / AUDIO_RATE,
                           .media = {(const char *)p->data + 2 * at, 2 * left(p, at)}};
        e->ops->span_add(e, &r);
    }
    e->ops->span_latent(e, latent);
    print(latent, LATENT_DIM);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Every record observed, and added to the span of its moment, as a live stream does; returns how
 * many records are speech. */
static uint32_t run_stream(const struct pcm *p, struct encoder *e, int64_t *time)
{
    struct observation o;
    float latent[LATENT_DIM];
    uint32_t spoken = 0;
    for (uint32_t at = 0; at + RECORD <= p->samples; at += RECORD) {
        struct record r = {
            .seq = 1, .time = *time, .media = {(const char *)p->data + 2 * at, 2 * RECORD}};
        *time += (int64_t)RECORD * US_PER_SECOND / AUDIO_RATE;
        encoder_observe(e, &r, &o);
        spoken += o.traits[AUDIO_SPEECH] >= 0.3f;
        e->ops->span_add(e, &r);
    }
    e->ops->span_latent(e, latent);
    return spoken;
}

int main(int argc, char **argv)
{
    struct encoder *e = NULL;
    struct audio_frames *frames = NULL;
    struct audio_span *span = NULL;
    const char *what = argc > 2 ? argv[1] : "";
    bool speed = strcmp(what, "speed") == 0, speech = strcmp(what, "speech") == 0;
    uint32_t spoken = 0;
    struct errmsg err;
    int voice = voice_load(&err);
    if (voice != 0 && voice != ERR_NOTFOUND)
        fprintf(stderr, "bench_audio: %s\n", err.text);
    int64_t time = US_PER_SECOND;
    double seconds = 0, spent = 0;
    if (model_blas_check(&err) < 0 || encoder_new(KIND_AUDIO, &e) < 0 ||
        audio_frames_new(&frames) < 0 || audio_span_new(&span) < 0)
        return 1;
    for (int i = 2; i < argc; i++) {
        struct pcm p;
        if (read_pcm(argv[i], &p) < 0)
            return 1;
        if (strcmp(what, "features") == 0)
            print_features(&p, frames, span);
        else if (strcmp(what, "cepstra") == 0)
            print_cepstra(&p, frames);
        else if (strcmp(what, "latents") == 0)
            print_latent(&p, e);
        double start = cpu_seconds();
        if (speed || speech)
            spoken += run_stream(&p, e, &time);
        spent += cpu_seconds() - start;
        seconds += p.samples / (double)AUDIO_RATE;
        mem_free(p.data);
    }
    if (speed && seconds > 0)
        printf("%.0f s of sound, %.2f ms CPU a second: %.0f live streams a core (%s)\n", seconds,
               1e3 * spent / seconds, seconds / spent, voice_detector());
    if (speech && seconds > 0)
        printf("%.1f %% of the records are speech (%s)\n",
               100 * spoken * (double)RECORD / AUDIO_RATE / seconds, voice_detector());
    voice_unload();
    audio_span_free(span);
    audio_frames_free(frames);
    encoder_free(e);
    return 0;
}
