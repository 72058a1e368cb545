/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers in JSON, for json.c and json_scan.c. Both give 0 and *ret, or ERR_INVALID. */
#ifndef VARVE_IPC_JSON_TEXT_H
#define VARVE_IPC_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A decimal string of an int64. */
int json_text_int64(const char *s, size_t n, int64_t *ret);
/* A whole number within JSON_INT_MAX. */
int json_number_int64(double v, int64_t *ret);

#endif
