/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: libjpeg decodes at the largest of its own scales that fits (an eighth at the least,
 * which is nearly free), what is still too large is averaged over squares of pixels, and rows are
 * packed again as they come. Failure modes: libjpeg leaves by longjmp to thumbnail_make, which
 * never lets it out (jpeg_guard.h).
 */
#include "model/thumbnail.h"

#include <string.h>

#include "base/mem.h"
#include "base/record.h"
#include "model/jpeg_guard.h"

#define QUALITY 60
#define EIGHTHS 8
/* More than the largest result's pixels, so that libjpeg never needs room of its own. */
#define ROOM (512u << 10)
#define PLANES 3

struct shrinking {
    struct jpeg_decompress_struct decoder;
    struct jpeg_compress_struct encoder;
    struct jpeg_guard guard;
    unsigned char *room; /* ROOM bytes, in which the small picture is written */
    unsigned char *data;
    unsigned long size;
    JSAMPLE row[VIDEO_SIDE_MAX * PLANES];
    uint32_t sums[THUMBNAIL_SIDE_MAX * PLANES]; /* of the squares of one row of the result */
};

static void prepare(struct shrinking *s)
{
    jpeg_guard_attach(&s->guard, (j_common_ptr)&s->decoder);
    jpeg_guard_attach(&s->guard, (j_common_ptr)&s->encoder);
    jpeg_create_decompress(&s->decoder);
    jpeg_create_compress(&s->encoder);
    jpeg_guard_bound(&s->guard, &s->decoder);
}

/* Reads the header and starts; returns how many pixels a side become one. */
static uint32_t start_reading(struct shrinking *s, struct slice jpeg, uint32_t side)
{
    struct jpeg_decompress_struct *d = &s->decoder;
    jpeg_mem_src(d, (const unsigned char *)jpeg.data, jpeg.size);
    jpeg_read_header(d, TRUE);
    uint32_t longer = d->image_width > d->image_height ? d->image_width : d->image_height;
    if (longer > VIDEO_SIDE_MAX)
        jpeg_guard_fail(&s->guard, ERR_INVALID, "more pixels a side than are taken");
    if (d->num_components != 1 && d->num_components != PLANES)
        jpeg_guard_fail(&s->guard, ERR_INVALID, "neither grey nor of three components");
    d->out_color_space = d->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    d->dct_method = JDCT_ISLOW;
    d->scale_denom = EIGHTHS;
    d->scale_num = EIGHTHS;
    while (d->scale_num > 1 && longer * d->scale_num > side * EIGHTHS)
        d->scale_num--;
    jpeg_start_decompress(d);
    longer = d->output_width > d->output_height ? d->output_width : d->output_height;
    return (longer + side - 1) / side;
}

static void start_writing(struct shrinking *s, uint32_t square)
{
    struct jpeg_compress_struct *c = &s->encoder;
    s->data = s->room;
    s->size = ROOM;
    jpeg_mem_dest(c, &s->data, &s->size);
    c->image_width = s->decoder.output_width / square;
    c->image_height = s->decoder.output_height / square;
    c->image_width += c->image_width == 0;
    c->image_height += c->image_height == 0;
    c->input_components = s->decoder.output_components;
    c->in_color_space = s->decoder.out_color_space;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, QUALITY, TRUE);
    c->optimize_coding = TRUE;
    jpeg_start_compress(c, TRUE);
}

/* Takes a row in; what lies beyond the last whole square is left out. */
static void add_row(struct shrinking *s, uint32_t square)
{
    uint32_t planes = (uint32_t)s->decoder.output_components;
    for (uint32_t x = 0; x < s->encoder.image_width * square && x < s->decoder.output_width; x++)
        for (uint32_t p = 0; p < planes; p++)
            s->sums[x / square * planes + p] += s->row[x * planes + p];
}

static void put_row(struct shrinking *s, uint32_t square)
{
    JSAMPLE row[THUMBNAIL_SIDE_MAX * PLANES];
    JSAMPROW rows[1] = {row};
    uint32_t n = s->encoder.image_width * (uint32_t)s->encoder.input_components;
    for (uint32_t i = 0; i < n; i++)
        row[i] = (JSAMPLE)(s->sums[i] / (square * square));
    memset(s->sums, 0, n * sizeof(*s->sums));
    jpeg_write_scanlines(&s->encoder, rows, 1);
}

static void shrink(struct shrinking *s, struct slice jpeg, uint32_t side)
{
    prepare(s);
    uint32_t square = start_reading(s, jpeg, side);
    start_writing(s, square);
    JSAMPROW rows[1] = {s->row};
    for (uint32_t y = 0; y < s->decoder.output_height; y++) {
        if (jpeg_read_scanlines(&s->decoder, rows, 1) != 1)
            jpeg_guard_fail(&s->guard, ERR_INVALID, "the picture ends early");
        if (s->encoder.next_scanline == s->encoder.image_height)
            continue;
        add_row(s, square);
        if ((y + 1) % square == 0 || y + 1 == s->decoder.output_height)
            put_row(s, square);
    }
    jpeg_finish_compress(&s->encoder);
}

int thumbnail_make(struct slice jpeg, uint32_t side, struct buf *out, struct errmsg *err)
{
    struct shrinking *s = mem_calloc(1, sizeof(*s));
    if (!s || !(s->room = mem_alloc(ROOM))) {
        mem_free(s);
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    }
    int r = 0;
    if (setjmp(s->guard.leave)) {
        r = err_set(err, s->guard.code, "JPEG: %s", s->guard.text);
    } else {
        shrink(s, jpeg, side < THUMBNAIL_SIDE_MAX ? side : THUMBNAIL_SIDE_MAX);
        buf_append(out, s->data, s->size);
        r = buf_failed(out) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM)) : 0;
    }
    jpeg_destroy_compress(&s->encoder);
    jpeg_destroy_decompress(&s->decoder);
    mem_free(s->room);
    mem_free(s);
    return r;
}
