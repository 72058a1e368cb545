/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures as a file that any player opens: AVI with one stream of JPEGs (MJPEG), as in Microsoft's
 * AVI RIFF File Reference. Pure functions, any thread.
 */
#ifndef VARVE_MEMORY_AVI_H
#define VARVE_MEMORY_AVI_H

#include "base/record.h"

/*
 * Appends the file that shows the records' pictures at their times, to the nearest frame: they are
 * in time order, at least one, each a JPEG whose header reads. A pause repeats the picture before
 * it. buf_failed says when memory was out.
 */
void avi_put(struct buf *out, const struct record *records, uint32_t count);

#endif
