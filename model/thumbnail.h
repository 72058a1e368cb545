/* SPDX-License-Identifier: Apache-2.0 */
/* A camera's JPEG as a smaller one, for people to look at. Pure function, any thread. */
#ifndef VARVE_MODEL_THUMBNAIL_H
#define VARVE_MODEL_THUMBNAIL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define THUMBNAIL_SIDE_MAX 320

/*
 * Appends a JPEG whose longer side has at most `side` pixels, 16 to THUMBNAIL_SIDE_MAX; a smaller
 * picture keeps its size. What is damaged is shown as far as it goes. ERR_INVALID with libjpeg's
 * words: nothing can be seen; ERR_NOMEM. libjpeg takes its memory from malloc and gives it back
 * before this returns: at most 40 MiB, for a progressive file of full size.
 */
int thumbnail_make(struct slice jpeg, uint32_t side, struct buf *out, struct errmsg *err);

#endif
