/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one typed option table. The configuration file, the command line, what a reload may change,
 * the default file and the man page's options are all made from it.
 */
#ifndef VARVE_CONFIG_OPTIONS_H
#define VARVE_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

enum option_type {
    OPTION_BOOL,     /* bool: on/off, yes/no, true/false */
    OPTION_INT,      /* int64_t */
    OPTION_REAL,     /* double */
    OPTION_SIZE,     /* int64_t bytes: 512, 64KiB, 8MiB, 2GiB, 1TiB; kB, MB, GB, TB in thousands */
    OPTION_DURATION, /* int64_t microseconds: 250ms, 5s, 2min, 1h, 7d */
    OPTION_PERCENT,  /* double, "10%" */
    OPTION_STRING,   /* char *; on the command line only: const char *, borrowed */
    OPTION_PATH,     /* char *, absolute */
    OPTION_NAME,     /* char *, a stream's name */
    OPTION_CHOICE,   /* int, one of `choices` */
    OPTION_WORDS,    /* struct config_list: words, quotes as in a shell; may be repeated */
    OPTION_PATHS,    /* the same, each word absolute */
    OPTION_PATTERNS, /* struct config_list: the whole value is one POSIX extended regular
                        expression; may be repeated */
};

struct option_choice {
    const char *name;
    int value;
    const char *refuse; /* known, but not taken: the reason; else NULL */
};

struct option {
    const char *section; /* "source": in every [source NAME]; "": on the command line only */
    const char *key;
    const char *flag; /* the command line's --flag, or NULL */
    enum option_type type;
    size_t offset;   /* in struct config, struct config_source or struct config_args */
    double min, max; /* of numbers, in the value's own unit */
    const struct option_choice *choices; /* ends with a NULL name */
    const char *initial;                 /* the default as it would be written; "" for none */
    bool live;                           /* a reload may change it */
    const char *argument; /* what the usage and the man page call the value; NULL: by its type */
    const char *doc;      /* sentences */
};

/* All options in the order of the documentation; *ret_count of them. Static storage. */
const struct option *options_all(size_t *ret_count);
/* NULL when there is no such key in the section. */
const struct option *options_find(const char *section, const char *key);
/* One paragraph about a section, NULL when there is no such section. Static storage. */
const char *options_section_doc(const char *section);

/*
 * Reads one value as it stands in the file, quotes and all, and stores it at its place in `base`
 * (struct config_source for "source", else struct config). Lists are appended to, an empty value
 * empties them. The message says what is wrong and what is allowed; *ret_at is the offset of the
 * bad byte in `text`. `text` is valid UTF-8 without NUL.
 */
int option_set(const struct option *o, const char *text, size_t size, void *base, size_t *ret_at,
               struct errmsg *err);
/* The same for words of the command line: no quotes, and a path may be relative. */
int option_set_plain(const struct option *o, const char *text, void *base, struct errmsg *err);
/* Gives back what the value in `base` owns. */
void option_release(const struct option *o, void *base);
bool option_equal(const struct option *o, const void *a, const void *b);
/* dst takes over a copy of src's value; 0 or ERR_NOMEM. */
int option_copy(const struct option *o, const void *src, void *dst);
static inline bool option_is_list(const struct option *o)
{
    return o->type >= OPTION_WORDS;
}
/* What the documentation calls the value. */
const char *option_argument(const struct option *o);

/* The default varved.conf: every option, commented out, with its words. */
void options_print_file(struct buf *out);
/* The options of varved.conf(5) in scdoc. */
void options_print_man(struct buf *out);

#endif
