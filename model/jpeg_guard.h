/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds libjpeg back where it reads bytes from outside: its errors come back by longjmp to the
 * caller's setjmp(guard.leave), with code and text; a file of endless scans is one of them; nothing
 * is printed, and what libjpeg takes for a file is bounded.
 *
 * Ownership: part of its user, whose client_data it is. Thread: its user's.
 */
#ifndef VARVE_MODEL_JPEG_GUARD_H
#define VARVE_MODEL_JPEG_GUARD_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

#include "base/error.h"

struct jpeg_guard {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    uint32_t warnings; /* damage that libjpeg read over */
    int code;          /* of the failure */
    char text[JMSG_LENGTH_MAX];
};

/* Before jpeg_create_decompress or jpeg_create_compress. */
void jpeg_guard_attach(struct jpeg_guard *g, j_common_ptr jpeg);
/* After jpeg_create_decompress. */
void jpeg_guard_bound(struct jpeg_guard *g, j_decompress_ptr decoder);
/* Leaves for setjmp(g->leave); does not return. */
void jpeg_guard_fail(struct jpeg_guard *g, int code, const char *text) __attribute__((noreturn));

#endif
