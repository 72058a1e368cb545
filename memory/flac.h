/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sound packed without loss: 16-bit little-endian PCM, mono, AUDIO_RATE, as a whole FLAC file.
 * libFLAC allocates by itself, some 300 KiB a call, freed before it returns. Pure functions, any
 * thread. The one place that includes libFLAC's headers.
 */
#ifndef VARVE_MEMORY_FLAC_H
#define VARVE_MEMORY_FLAC_H

#include "base/buf.h"
#include "base/error.h"

/* Appends the file of size / 2 samples to `out`. ERR_NOMEM; `out` is then as it was. */
int flac_encode(const void *pcm, size_t size, struct buf *out);

/* The samples back into pcm[size]. ERR_CORRUPT unless they are exactly so many; ERR_NOMEM. */
int flac_decode(struct slice flac, void *pcm, size_t size, struct errmsg *err);

#endif
