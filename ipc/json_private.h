/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON files and the server share beside ipc/json.h. */
#ifndef VARVE_IPC_JSON_PRIVATE_H
#define VARVE_IPC_JSON_PRIVATE_H

#include "ipc/json.h"

/* 0 and *ret, or ERR_INVALID: a decimal string of an int64; a whole number within JSON_INT_MAX. */
int json_text_int64(const char *s, size_t n, int64_t *ret);
int json_number_int64(double v, int64_t *ret);

/* The tree of a text that the scanner has passed already. NULL when memory is out. */
struct json *json_tree(const char *text, size_t size);

#endif
