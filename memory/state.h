/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the table `state` as they lie in the file (state.c). */
#ifndef VARVE_MEMORY_STATE_H
#define VARVE_MEMORY_STATE_H

#include "base/buf.h"
#include "base/error.h"

/* Appends what store_state_put was given. ERR_CORRUPT, ERR_NOMEM. */
int state_unpack(struct slice value, struct buf *out, struct errmsg *err);

#endif
