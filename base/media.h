/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the payload of an audio or video record must be (base/record.h), checked without decoding
 * it. Pure functions over bytes that are not trusted; any thread.
 */
#ifndef VARVE_BASE_MEDIA_H
#define VARVE_BASE_MEDIA_H

#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"

/* 0, or ERR_INVALID and what is wrong with it, beginning with "media: ". */
int media_check(enum stream_kind kind, struct slice payload, struct errmsg *err);

struct media_jpeg {
    uint32_t width, height; /* pixels */
    uint32_t components;
    bool progressive;
};

/*
 * Reads a JPEG's header up to its size. ERR_INVALID: it is none, or of a sort that is not taken
 * (lossless, arithmetic, hierarchical, 12 bits). Any size and any number of components is told.
 */
int media_jpeg_header(struct slice jpeg, struct media_jpeg *ret, struct errmsg *err);

/* Sound or a picture, told by the payload alone: where a stream's kind is not known. */
bool media_is_jpeg(struct slice payload);

#endif
