/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patch scheduler over a whole stream on standard input: tokens an hour, time a grid, how many
 * of the events named were looked at finely, and how near the latents stay to those of fine looks
 * only. Beside it the same with differences of order 2 and 1, each with the slack that brings it to
 * the same tokens, and fixed patches.
 *
 * usage: bench_patch video FPS EVENTS   JPEGs one behind the other
 *        bench_patch audio RECORDS_A_SECOND EVENTS   16-bit little-endian, 16 kHz
 *        bench_patch sensor WINDOWS_A_SECOND EVENTS   one number a line, windows of 64
 * EVENTS: "START-END,START-END,…" in seconds, or "".
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/bench.h"
#include "model/audio_frames.h"
#include "model/jpeg.h"
#include "model/kernels.h"
#include "model/motion.h"
#include "model/patch.h"
#include "model/picture.h"
#include "model/video_latent.h"

#define EVENTS_MAX 256
#define WINDOW 64 /* samples of a sensor's grid */
#define EVEN_SEARCH 24

/* What video needs of a frame beside its grid. */
struct frame {
    struct raster raster;
    struct picture picture;
    struct motion_finding motion;
};

struct stream {
    struct patch_options options;
    double rate; /* grids a second */
    struct buf grids, frames;
    uint32_t count, cells;
    double events[EVENTS_MAX][2];
    uint32_t event_count;
};

struct result {
    double tokens, microseconds, cosine, cosine_low;
    uint32_t seen;
};

static void read_events(struct stream *s, const char *text)
{
    while (*text && s->event_count < EVENTS_MAX) {
        char *end;
        s->events[s->event_count][0] = strtod(text, &end);
        s->events[s->event_count++][1] = strtod(*end == '-' ? end + 1 : end, &end);
        text = *end == ',' ? end + 1 : "";
    }
}

static void load_video(struct stream *s, const struct buf *in)
{
    static struct frame f;
    struct jpeg_reader *reader;
    struct motion motion;
    size_t at = 0;
    struct slice jpeg;
    s->options = (struct patch_options){
        .width = HALF_WIDTH, .height = HALF_HEIGHT, .size = 2, .noise_least = 0.1f};
    if (jpeg_reader_new(&reader))
        exit(1);
    motion_init(&motion);
    while ((jpeg = next_jpeg(in, &at)).size > 0) {
        if (jpeg_read(reader, jpeg, &f.raster, NULL))
            continue;
        picture_of(&f.raster, &f.picture);
        motion_observe(&motion, &f.raster, &f.motion);
        buf_append(&s->frames, &f, sizeof(f));
        buf_append(&s->grids, f.picture.half, sizeof(f.picture.half));
        s->count++;
    }
    jpeg_reader_free(reader);
}

/* A grid a record: its spectrogram, times across and bands down. */
static void load_audio(struct stream *s, const struct buf *in)
{
    uint32_t samples = (uint32_t)(AUDIO_RATE / s->rate), wide = samples / AUDIO_HOP - 2;
    float grid[PATCH_CELLS_MAX];
    struct audio_frames *a;
    const struct audio_frame *frames;
    s->options = (struct patch_options){
        .width = wide, .height = AUDIO_BANDS, .size = 4, .noise_least = 0.1f};
    if (audio_frames_new(&a) || wide * AUDIO_BANDS > PATCH_CELLS_MAX)
        exit(1);
    for (size_t at = 0; at + 2 * samples <= in->size; at += 2 * samples) {
        audio_frames_reset(a);
        if (audio_frames_push(a, in->data + at, samples, &frames) < wide)
            break;
        for (uint32_t i = 0; i < wide * AUDIO_BANDS; i++)
            grid[i] = frames[i % wide].bands[i / wide];
        buf_append(&s->grids, grid, wide * AUDIO_BANDS * sizeof(*grid));
        s->count++;
    }
    audio_frames_free(a);
}

static void load_sensor(struct stream *s, struct buf *in)
{
    float grid[WINDOW];
    uint32_t n = 0;
    s->options = (struct patch_options){.width = WINDOW, .height = 1, .size = 4};
    buf_putc(in, '\0');
    double change = 0, last = 0, all = 0;
    for (char *at = in->data, *end; *at; at = end) {
        double v = strtod(at, &end);
        if (end == at)
            break;
        change += all++ > 0 ? fabs(v - last) : 0;
        last = v;
        grid[n++] = (float)v;
        if (n < WINDOW)
            continue;
        buf_append(&s->grids, grid, sizeof(grid));
        s->count++;
        n = 0;
    }
    s->options.noise_least = (float)fmax(change / fmax(all, 1) / 100, 1e-6);
}

/* ---- latents --------------------------------------------------------------------------------- */

/* Where a stream has no encoder that takes patches: their means, laid onto the finest ones. */
static void means_of(const struct stream *s, const float *grid, uint32_t level, float *ret)
{
    const struct patch_options *o = &s->options;
    uint32_t large = o->size << level, n = 0;
    for (uint32_t y = 0; y < o->height; y += o->size)
        for (uint32_t x = 0; x < o->width; x += o->size) {
            uint32_t left = x / large * large, top = y / large * large, cells = 0;
            float sum = 0;
            for (uint32_t v = top; v < top + large && v < o->height; v++)
                for (uint32_t u = left; u < left + large && u < o->width; u++, cells++)
                    sum += grid[v * o->width + u];
            ret[n++] = sum / (float)cells;
        }
    float mean = 0;
    for (uint32_t i = 0; i < n; i++)
        mean += ret[i] / (float)n;
    for (uint32_t i = 0; i < n; i++)
        ret[i] -= mean;
    kernel_normalise(ret, n);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The scheme is a scheduler, or with `p` NULL always `level`. */
static void run(const struct stream *s, struct patch *p, uint32_t level, struct result *ret)
{
    static struct video_weights weights;
    static struct video_detail scheduled, fine;
    static float a[PATCH_CELLS_MAX], b[PATCH_CELLS_MAX];
    const struct frame *frames = (const struct frame *)s->frames.data;
    const struct patch_options *o = &s->options;
    double *cosines = mem_calloc(s->count, sizeof(*cosines)), nanoseconds = 0;
    bool seen[EVENTS_MAX] = {false};
    if (!cosines)
        exit(1);
    memset(ret, 0, sizeof(*ret));
    video_weights_init(&weights);
    for (uint32_t i = 0; i < s->count; i++) {
        const float *grid = (const float *)s->grids.data + (size_t)i * s->cells;
        struct patch_choice c = {.level = level,
                                 .tokens = patch_tokens(o->width, o->height, o->size << level)};
        double start = cpu_seconds();
        if (p)
            patch_push(p, grid, (int64_t)i, false, &c);
        if (frames) {
            c.tokens = video_look(&scheduled, &weights, &frames[i].raster, i ? c.level : 0);
            video_latent(&frames[i].picture, &frames[i].motion, &scheduled, a);
        } else {
            means_of(s, grid, c.level, a);
        }
        nanoseconds += (cpu_seconds() - start) * 1e9;
        uint32_t n = frames ? LATENT_DIM : patch_tokens(o->width, o->height, o->size);
        if (frames) {
            video_look(&fine, &weights, &frames[i].raster, 0);
            video_latent(&frames[i].picture, &frames[i].motion, &fine, b);
        } else {
            means_of(s, grid, 0, b);
        }
        cosines[i] = (double)kernel_dot(a, b, n);
        ret->cosine += cosines[i] / s->count;
        ret->tokens += c.tokens;
        for (uint32_t e = 0; e < s->event_count; e++) {
            double at = i / s->rate, slack = 1 / s->rate;
            if (at >= s->events[e][0] - slack && at <= s->events[e][1] + slack && c.level == 0 &&
                !c.forced)
                seen[e] = true;
        }
    }
    qsort(cosines, s->count, sizeof(*cosines), by_value);
    ret->cosine_low = cosines[s->count / 100];
    ret->microseconds = nanoseconds / 1e3 / s->count;
    for (uint32_t e = 0; e < s->event_count; e++)
        ret->seen += seen[e];
    mem_free(cosines);
}

static void run_order(const struct stream *s, uint32_t order, float slack, struct result *ret)
{
    struct patch_options o = s->options;
    struct patch *p;
    o.order = order;
    o.slack = slack;
    if (patch_new(&o, &p))
        exit(1);
    run(s, p, 0, ret);
    patch_free(p);
}

/* The slack at which an order costs as many tokens as wanted. */
static float even_slack(const struct stream *s, uint32_t order, double tokens)
{
    float low = 0.05f, high = 200;
    struct result r;
    for (int i = 0; i < EVEN_SEARCH; i++) {
        float middle = sqrtf(low * high);
        run_order(s, order, middle, &r);
        *(r.tokens > tokens ? &low : &high) = middle;
    }
    return high;
}

static void print(const struct stream *s, const char *name, const struct result *r)
{
    double hours = s->count / s->rate / 3600;
    printf("%-22s %9.0f tokens/h %6.1f a grid  %5.1f us  events %u of %u  cosine %.4f, worst of "
           "100 %.4f\n",
           name, r->tokens / hours, r->tokens / s->count, r->microseconds, r->seen, s->event_count,
           r->cosine, r->cosine_low);
}

int main(int argc, char **argv)
{
    static struct stream s;
    struct buf in = {0};
    struct result third, other;
    char name[64];
    if (argc != 4 || !((s.rate = atof(argv[2])) > 0)) {
        fprintf(stderr, "usage: bench_patch video|audio|sensor RATE EVENTS < STREAM\n");
        return 2;
    }
    read_events(&s, argv[3]);
    if (read_input(&in))
        return 1;
    if (strcmp(argv[1], "video") == 0)
        load_video(&s, &in);
    else if (strcmp(argv[1], "audio") == 0)
        load_audio(&s, &in);
    else
        load_sensor(&s, &in);
    s.cells = s.options.width * s.options.height;
    if (buf_failed(&s.grids) || buf_failed(&s.frames) || s.count < 8)
        return 1;
    run(&s, NULL, 0, &other);
    print(&s, "fixed, small", &other);
    run(&s, NULL, 1, &other);
    print(&s, "fixed, twice as large", &other);
    run_order(&s, 3, 0, &third);
    print(&s, "third difference", &third);
    for (uint32_t order = 2; order >= 1; order--) {
        float slack = even_slack(&s, order, third.tokens);
        run_order(&s, order, slack, &other);
        snprintf(name, sizeof(name), "order %u, slack %.2f", order, (double)slack);
        print(&s, name, &other);
    }
    buf_deinit(&in);
    buf_deinit(&s.grids);
    buf_deinit(&s.frames);
    return 0;
}
