/* SPDX-License-Identifier: Apache-2.0 */
/* What a span counted and measured, and its most telling moments, for the formats of varve-dump. */
#ifndef VARVE_MEMORY_DUMP_SUMS_H
#define VARVE_MEMORY_DUMP_SUMS_H

#include "base/jsonw.h"
#include "memory/dump/file.h"

/* The keys `sums` and `telling` of an open object. A damaged row of stat is ERR_CORRUPT. */
int dump_sums(struct jsonw *w, struct dump_file *f, const struct file_span *s, struct errmsg *err);

#endif
