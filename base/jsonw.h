/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small streaming JSON writer onto a `struct buf`; it puts the commas. Strings are escaped, and
 * bytes that are not UTF-8 come out as U+FFFD, so the output is always valid JSON on one line.
 * Numbers that are not finite come out as null.
 */
#ifndef VARVE_BASE_JSONW_H
#define VARVE_BASE_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct jsonw {
    struct buf *out;
    bool comma; /* a value stands before the next one */
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object(struct jsonw *w);
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_array_end(struct jsonw *w);
/* The name of the value that follows. */
void jsonw_key(struct jsonw *w, const char *key);
/* NULL gives null. */
void jsonw_string(struct jsonw *w, const char *s);
void jsonw_string_n(struct jsonw *w, const char *s, size_t n);
void jsonw_int(struct jsonw *w, int64_t v);
/* 64-bit numbers that matter travel as strings. */
void jsonw_u64_string(struct jsonw *w, uint64_t v);
/* Shortest text that reads back as the same double. */
void jsonw_double(struct jsonw *w, double v);
/* With `digits` behind the point, trailing zeros cut. */
void jsonw_fixed(struct jsonw *w, double v, int digits);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
/* RFC 3339 UTC with microseconds; null for TIME_UNKNOWN. */
void jsonw_time(struct jsonw *w, int64_t us);
/* Text that is JSON already. */
void jsonw_raw(struct jsonw *w, const char *json, size_t size);
/* Bytes, as a string. */
void jsonw_base64(struct jsonw *w, const void *data, size_t size);

/* jsonw_key and the value in one. */
void jsonw_kv_string(struct jsonw *w, const char *key, const char *s);
void jsonw_kv_int(struct jsonw *w, const char *key, int64_t v);
void jsonw_kv_double(struct jsonw *w, const char *key, double v);
void jsonw_kv_fixed(struct jsonw *w, const char *key, double v, int digits);
void jsonw_kv_bool(struct jsonw *w, const char *key, bool v);
void jsonw_kv_time(struct jsonw *w, const char *key, int64_t us);

#endif
