/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera's JPEG to a small picture, over libjpeg-turbo (jpeglib.h only here). Decoded at the
 * smallest of libjpeg's own scales that still holds the raster, so that most of the work is that of
 * reading the coefficients. One owner, no thread.
 */
#ifndef VARVE_MODEL_JPEG_H
#define VARVE_MODEL_JPEG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* The raster every frame is brought to, whatever its size and shape: three scales of square patches
 * divide it. */
#define RASTER_WIDTH 80
#define RASTER_HEIGHT 48
#define RASTER_SIZE (RASTER_WIDTH * RASTER_HEIGHT)
#define RASTER_STEPS 8 /* of a grey level */

enum raster_plane { RASTER_Y, RASTER_CB, RASTER_CR, RASTER_PLANES };

/* 0..255 in whole eighths, in rows; Cb and Cr are 128 for grey. */
struct raster {
    float planes[RASTER_PLANES][RASTER_SIZE];
    uint32_t width, height; /* of the JPEG, pixels */
    uint32_t warnings;      /* what libjpeg had to mend: 0 for a sound file */
};

struct jpeg_reader;

/* ERR_NOMEM. */
int jpeg_reader_new(struct jpeg_reader **ret);
void jpeg_reader_free(struct jpeg_reader *j);

/*
 * ERR_INVALID with libjpeg's words: not a JPEG, of a sort that is not taken (CMYK, more than 1920 a
 * side, more than 64 scans), or so damaged that nothing can be seen. A file cut short or with a bad
 * stretch gives the picture as far as it goes, and `warnings`. ERR_NOMEM. *ret is written on
 * success only. libjpeg takes its memory from malloc and gives it back before this returns: at
 * most 40 MiB, for a progressive file of full size.
 */
int jpeg_read(struct jpeg_reader *j, struct slice jpeg, struct raster *ret, struct errmsg *err);

#endif
