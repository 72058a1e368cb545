/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of a configuration file, not its meaning: [section] and [section NAME], key = value, #
 * comments. Gives each to a handler, in order. The text is not trusted: it must be UTF-8 without
 * NUL.
 */
#ifndef VARVE_CONFIG_PARSE_H
#define VARVE_CONFIG_PARSE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define PARSE_FILE_MAX (1u << 20) /* bytes */
#define PARSE_WORD_MAX 64         /* bytes of a section, a source's name or a key */

struct parse_place {
    const char *file;
    unsigned line, column; /* from 1; columns count bytes */
};

struct parse_handler {
    /* `name` is "" where none was written. An error ends the parse; the place is put before it. */
    int (*section)(void *arg, const char *section, const char *name,
                   const struct parse_place *place, struct errmsg *err);
    /*
     * `value` has no comment and no blanks around it; quotes are still there. On an error *ret_at
     * is the offset in the value where it lies.
     */
    int (*entry)(void *arg, const char *key, struct slice value, const struct parse_place *place,
                 size_t *ret_at, struct errmsg *err);
};

/* What `entry` sets *ret_at to when the key is what is wrong. */
#define PARSE_AT_KEY ((size_t)-1)

/* Returns 0, or the error with FILE:LINE:COLUMN before its text. */
int parse_text(const char *file, const char *data, size_t size, const struct parse_handler *handler,
               void *arg, struct errmsg *err);

/* Puts FILE:LINE:COLUMN before the text and returns `code`. */
int parse_error(const struct parse_place *place, int code, struct errmsg *err);

#endif
