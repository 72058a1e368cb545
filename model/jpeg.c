/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the header is read and held against the limits, libjpeg decodes row by row at its
 * smallest scale that is no smaller than the raster, each row is averaged into the raster's
 * columns and added to the raster's rows that it covers. Failure modes: libjpeg leaves by longjmp
 * to jpeg_read, which never lets it out (jpeg_guard.h).
 * Sizes: 15 KiB of tables and a row of at most 1920 pixels, beside what libjpeg takes for a file.
 */
#include "model/jpeg.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/record.h"
#include "model/jpeg_guard.h"

#define SCALE_DENOMINATOR 8
#define ROWS_LEAST 45 /* 640x360 at an eighth is near enough to the raster */

struct jpeg_reader {
    struct jpeg_decompress_struct decoder;
    struct jpeg_guard guard;
    JSAMPLE row[VIDEO_SIDE_MAX * RASTER_PLANES];
    float sums[VIDEO_SIDE_MAX + 1]; /* of one plane's row up to a column */
    struct raster raster;
};

int jpeg_reader_new(struct jpeg_reader **ret)
{
    struct jpeg_reader *j = mem_calloc(1, sizeof(*j));
    if (!j)
        return ERR_NOMEM;
    jpeg_guard_attach(&j->guard, (j_common_ptr)&j->decoder);
    if (setjmp(j->guard.leave)) {
        jpeg_reader_free(j);
        return ERR_NOMEM;
    }
    jpeg_create_decompress(&j->decoder);
    jpeg_guard_bound(&j->guard, &j->decoder);
    *ret = j;
    return 0;
}

void jpeg_reader_free(struct jpeg_reader *j)
{
    if (!j)
        return;
    jpeg_destroy_decompress(&j->decoder);
    mem_free(j);
}

/* ---- averaging into the raster --------------------------------------------------------------- */

/* The mean of each column's share of the row: the difference of two sums, cut inside a pixel. */
static void shrink_row(struct jpeg_reader *j, uint32_t width, uint32_t stride, uint32_t plane,
                       float *restrict ret)
{
    float *sums = j->sums;
    for (uint32_t x = 0; x < width; x++)
        sums[x + 1] = sums[x] + (float)j->row[x * stride + plane];
    float step = (float)width / RASTER_WIDTH, before = 0;
    for (uint32_t c = 0; c < RASTER_WIDTH; c++) {
        float edge = (float)(c + 1) * step;
        uint32_t whole = edge < (float)width ? (uint32_t)edge : width;
        float upto = sums[whole];
        if (whole < width)
            upto += (edge - (float)whole) * (float)j->row[whole * stride + plane];
        ret[c] = (upto - before) / step;
        before = upto;
    }
}

/* A row of the picture covers one or several rows of the raster, or a share of one. */
static void add_row(struct jpeg_reader *j, uint32_t y, uint32_t height, uint32_t plane,
                    const float *restrict row)
{
    float tall = (float)RASTER_HEIGHT / (float)height;
    float from = (float)y * tall, to = from + tall;
    for (uint32_t t = (uint32_t)from; t < RASTER_HEIGHT && (float)t < to; t++) {
        float top = from > (float)t ? from : (float)t;
        float bottom = to < (float)(t + 1) ? to : (float)(t + 1);
        float *restrict sum = j->raster.planes[plane] + t * RASTER_WIDTH;
        for (uint32_t c = 0; c < RASTER_WIDTH; c++)
            sum[c] += (bottom - top) * row[c];
    }
}

/* JFIF's weights, for the rare file that holds red, green and blue. */
static void convert_rgb(struct jpeg_reader *j, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        JSAMPLE *p = j->row + 3 * x;
        float r = p[0], g = p[1], b = p[2], y = 0.299f * r + 0.587f * g + 0.114f * b;
        p[0] = (JSAMPLE)y;
        p[1] = (JSAMPLE)(127.5f + 0.564f * (b - y));
        p[2] = (JSAMPLE)(127.5f + 0.713f * (r - y));
    }
}

static void read_rows(struct jpeg_reader *j)
{
    struct jpeg_decompress_struct *d = &j->decoder;
    uint32_t width = d->output_width, stride = (uint32_t)d->output_components;
    JSAMPROW rows[1] = {j->row};
    float row[RASTER_WIDTH];
    while (d->output_scanline < d->output_height) {
        uint32_t y = d->output_scanline;
        if (jpeg_read_scanlines(d, rows, 1) != 1)
            jpeg_guard_fail(&j->guard, ERR_INVALID, "the picture ends early");
        if (d->out_color_space == JCS_RGB)
            convert_rgb(j, width);
        for (uint32_t p = 0; p < stride; p++) {
            shrink_row(j, width, stride, p, row);
            add_row(j, y, d->output_height, p, row);
        }
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void check_header(struct jpeg_reader *j)
{
    const struct jpeg_decompress_struct *d = &j->decoder;
    if (d->image_width > VIDEO_SIDE_MAX || d->image_height > VIDEO_SIDE_MAX)
        jpeg_guard_fail(&j->guard, ERR_INVALID, "more pixels a side than are taken");
    if (d->image_width < VIDEO_SIDE_MIN || d->image_height < VIDEO_SIDE_MIN)
        jpeg_guard_fail(&j->guard, ERR_INVALID, "fewer pixels a side than are taken");
    if (d->arith_code)
        jpeg_guard_fail(&j->guard, ERR_INVALID, "arithmetic coding is not taken");
    bool grey = d->jpeg_color_space == JCS_GRAYSCALE && d->num_components == 1;
    bool colour = (d->jpeg_color_space == JCS_YCbCr || d->jpeg_color_space == JCS_RGB) &&
                  d->num_components == 3;
    if (!grey && !colour)
        jpeg_guard_fail(&j->guard, ERR_INVALID, "neither grey nor of three components");
}

static void choose_scale(struct jpeg_decompress_struct *d)
{
    d->out_color_space = d->jpeg_color_space;
    d->dct_method = JDCT_ISLOW;
    d->do_fancy_upsampling = FALSE;
    d->do_block_smoothing = FALSE;
    d->scale_denom = SCALE_DENOMINATOR;
    d->scale_num = 1;
    while (d->scale_num < SCALE_DENOMINATOR &&
           (d->image_width * d->scale_num < RASTER_WIDTH * SCALE_DENOMINATOR ||
            d->image_height * d->scale_num < ROWS_LEAST * SCALE_DENOMINATOR))
        d->scale_num++;
}

int jpeg_read(struct jpeg_reader *j, struct slice jpeg, struct raster *ret, struct errmsg *err)
{
    struct jpeg_decompress_struct *d = &j->decoder;
    j->guard.warnings = 0;
    if (setjmp(j->guard.leave)) {
        jpeg_abort_decompress(d);
        return err_set(err, j->guard.code, "JPEG: %s", j->guard.text);
    }
    jpeg_mem_src(d, (const unsigned char *)jpeg.data, jpeg.size);
    jpeg_read_header(d, TRUE);
    check_header(j);
    choose_scale(d);
    memset(j->raster.planes, 0, sizeof(j->raster.planes));
    jpeg_start_decompress(d);
    read_rows(j);
    if (d->output_components == 1)
        for (uint32_t p = RASTER_CB; p <= RASTER_CR; p++)
            for (uint32_t i = 0; i < RASTER_SIZE; i++)
                j->raster.planes[p][i] = 128;
    for (uint32_t p = 0; p < RASTER_PLANES; p++)
        for (uint32_t i = 0; i < RASTER_SIZE; i++)
            j->raster.planes[p][i] = rintf(j->raster.planes[p][i] * RASTER_STEPS) / RASTER_STEPS;
    j->raster.width = d->image_width;
    j->raster.height = d->image_height;
    jpeg_finish_decompress(d);
    j->raster.warnings = j->guard.warnings;
    *ret = j->raster;
    return 0;
}
