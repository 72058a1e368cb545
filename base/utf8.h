/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 checks over borrowed bytes. Overlong forms, surrogates and values past U+10FFFF are errors.
 */
#ifndef VARVE_BASE_UTF8_H
#define VARVE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the valid sequence that starts at s (1 to 4), or 0. */
size_t utf8_sequence(const char *s, size_t n);
/* True when all n bytes are valid; else *ret_at (may be NULL) is the offset of the first bad byte.
 */
bool utf8_valid(const char *s, size_t n, size_t *ret_at);
/* The largest size <= max that does not cut a sequence of valid UTF-8 s. */
size_t utf8_cut(const char *s, size_t n, size_t max);
/* Copies n bytes to out (room for 3 n) with bad bytes and NULs as U+FFFD; returns the new size. */
size_t utf8_repair(const char *s, size_t n, char *out);

#endif
