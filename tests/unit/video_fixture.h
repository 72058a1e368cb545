/* SPDX-License-Identifier: Apache-2.0 */
/* Frames drawn and packed as a camera would, for tests of what reads them. */
#ifndef VARVE_TESTS_VIDEO_FIXTURE_H
#define VARVE_TESTS_VIDEO_FIXTURE_H

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/buf.h"

#define CANVAS_WIDTH 640
#define CANVAS_HEIGHT 360
#define SCENE_WIDTH 320 /* small, so that many can be drawn */
#define SCENE_HEIGHT 180

/* Red, green and blue in rows. */
struct canvas {
    uint32_t width, height;
    uint8_t pixels[CANVAS_WIDTH * CANVAS_HEIGHT * 3];
};

struct packing {
    bool grey, progressive, cmyk;
    int quality; /* 0: 80 */
};

/* `how` NULL: colour, baseline. The bytes are the caller's, from malloc. */
static inline struct slice pack(const struct canvas *c, const struct packing *how)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    struct packing p = how ? *how : (struct packing){0};
    int parts = p.grey ? 1 : (p.cmyk ? 4 : 3);
    uint8_t *row = malloc((size_t)c->width * 4);
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &data, &size);
    j.image_width = c->width;
    j.image_height = c->height;
    j.input_components = parts;
    j.in_color_space = p.grey ? JCS_GRAYSCALE : (p.cmyk ? JCS_CMYK : JCS_RGB);
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, p.quality ? p.quality : 80, TRUE);
    if (p.progressive)
        jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        const uint8_t *from = c->pixels + (size_t)j.next_scanline * c->width * 3;
        for (uint32_t x = 0; x < c->width; x++)
            for (int k = 0; k < parts; k++)
                row[x * (uint32_t)parts + (uint32_t)k] =
                    p.grey ? from[x * 3 + 1] : from[x * 3 + (uint32_t)k % 3];
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&j, rows, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    free(row);
    return (struct slice){(char *)data, size};
}

static inline void fill(struct canvas *c, uint8_t r, uint8_t g, uint8_t b)
{
    for (size_t i = 0; i < (size_t)c->width * c->height; i++) {
        c->pixels[3 * i] = r;
        c->pixels[3 * i + 1] = g;
        c->pixels[3 * i + 2] = b;
    }
}

static inline uint8_t level_of(double v)
{
    return v < 0 ? 0 : (v > 255 ? 255 : (uint8_t)v);
}

/* A scene of its own for every seed: a few dozen coloured rectangles on a slope of light. `light`
 * scales it (1: as it is), `dx` moves the camera by pixels. */
static inline void draw_scene(struct canvas *c, uint32_t seed, double light, int dx)
{
    static const uint32_t steps = 40;
    uint32_t h = seed * 2654435761u + 12345;
    c->width = SCENE_WIDTH;
    c->height = SCENE_HEIGHT;
    for (uint32_t y = 0; y < c->height; y++)
        for (uint32_t x = 0; x < c->width; x++) {
            double v = light * (60 + (seed * 37 % 80) + 0.2 * y);
            uint8_t *p = c->pixels + 3 * ((size_t)y * c->width + x);
            p[0] = p[1] = p[2] = level_of(v);
        }
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t n[7];
        for (int k = 0; k < 7; k++) {
            h = h * 1664525u + 1013904223u;
            n[k] = h >> 12;
        }
        int x0 = (int)(n[0] % 500) - 90 + dx, y0 = (int)(n[1] % 180) - 10;
        int w = 15 + (int)(n[2] % 60), t = 10 + (int)(n[3] % 40);
        for (int y = y0 < 0 ? 0 : y0; y < y0 + t && y < SCENE_HEIGHT; y++)
            for (int x = x0 < 0 ? 0 : x0; x < x0 + w && x < SCENE_WIDTH; x++) {
                uint8_t *p = c->pixels + 3 * ((size_t)y * c->width + (size_t)x);
                for (int k = 0; k < 3; k++)
                    p[k] = level_of(light * (20 + n[4 + k] % 220));
            }
    }
}

static inline void draw_box(struct canvas *c, int x0, int y0, int w, int h, uint8_t level)
{
    for (int y = y0 < 0 ? 0 : y0; y < y0 + h && y < (int)c->height; y++)
        for (int x = x0 < 0 ? 0 : x0; x < x0 + w && x < (int)c->width; x++)
            memset(c->pixels + 3 * ((size_t)y * c->width + (size_t)x), level, 3);
}

static inline void add_noise(struct canvas *c, double sigma)
{
    for (size_t i = 0; i < (size_t)c->width * c->height; i++) {
        double n = sigma * (uniform() - 0.5) * 3.464;
        for (int k = 0; k < 3; k++)
            c->pixels[3 * i + (size_t)k] = level_of(c->pixels[3 * i + (size_t)k] + n);
    }
}

#endif
