/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of text streams behind encoder.h: online, no training. A line's surprise is that of its
 * template coming next, of its being new, and of its values being out of their usual range. Under
 * 100 KiB when new, about 3 MiB when full.
 */
#ifndef VARVE_MODEL_TEXT_ENCODER_H
#define VARVE_MODEL_TEXT_ENCODER_H

#include "model/encoder.h"

#define TEXT_ENCODER_VERSION 1

/* 0 or ERR_NOMEM. Free with encoder_free. */
int text_encoder_new(struct encoder **ret);

#endif
