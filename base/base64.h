/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as text, in which JSON carries sound and pictures (RFC 4648 §4). Pure functions. */
#ifndef VARVE_BASE_BASE64_H
#define VARVE_BASE_BASE64_H

#include "base/buf.h"

/* Appends the base64 of data, padded. */
void base64_put(struct buf *out, const void *data, size_t size);

#define BASE64_DECODED_MAX(size) ((size) / 4 * 3)
#define BASE64_ENCODED(size) (((size) + 2) / 3 * 4)

/*
 * Padded base64 without white space into ret[BASE64_DECODED_MAX(size)]. ERR_PARSE when it is not
 * that, or its last bits are not zero.
 */
int base64_decode(const char *text, size_t size, void *ret, size_t *ret_size);

#endif
