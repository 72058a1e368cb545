/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve-dump: people's view of one memory file, read-only, beside a running daemon or without one.
 * One thread. Nothing here holds a read transaction while it writes to its output, so that a pager
 * left open does not keep the daemon's write-ahead log from being reset.
 */
#ifndef VARVE_MEMORY_DUMP_DUMP_H
#define VARVE_MEMORY_DUMP_DUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"

enum dump_action {
    DUMP_SPANS,
    DUMP_RECORDS,
    DUMP_STATS,
    DUMP_VERIFY,
    DUMP_BACKUP,
    DUMP_SALVAGE,
    DUMP_USAGE,
    DUMP_VERSION
};
enum dump_format { DUMP_TEXT, DUMP_NDJSON, DUMP_HTML };

#define DUMP_EXCERPTS_DEFAULT 400
#define DUMP_EXCERPTS_MAX 100000

struct dump_options {
    enum dump_action action;
    enum dump_format format;
    char path[4096];      /* of memory.db */
    int64_t since, until; /* TIME_UNKNOWN: open; since inclusive, until exclusive */
    int stratum;          /* -1: all */
    const char *stream;   /* NULL: all; borrowed from argv */
    const char *target;   /* where --backup and --salvage write */
    uint32_t excerpts;    /* html: at most so many moments carry an excerpt of their evidence */
};

/* Reads the command line; `now` for relative times. ERR_INVALID and ERR_PARSE say what is wrong. */
int dump_options_parse(int argc, char **argv, int64_t now, struct dump_options *ret,
                       struct errmsg *err);
extern const char dump_usage[];

/* Where output goes: collected, then written in pieces; ERR_IO and ERR_FULL name the target. */
struct dump_out {
    struct buf buf;
    int fd;
    int columns; /* of a terminal; 0: not one, nothing is cut */
    bool color;
};

void dump_out_init(struct dump_out *out, int fd);
void dump_out_deinit(struct dump_out *out);
/* Writes when enough has come together, or all of it. */
int dump_out_flush(struct dump_out *out, bool all, struct errmsg *err);
/* Appends text for people: control characters and broken UTF-8 made harmless; columns 0: uncut. */
int dump_out_text(struct dump_out *out, const char *s, int columns);

struct dump_file;

int dump_text(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
              struct errmsg *err);
int dump_ndjson(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
                struct errmsg *err);
int dump_html(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
              struct errmsg *err);
int dump_records(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
                 struct errmsg *err);
int dump_stats(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
               struct errmsg *err);

/* The whole program: returns its exit status. Errors go to `errors`. */
int dump_run(int argc, char **argv, int output, FILE *errors);

#endif
