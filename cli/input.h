/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how input is read, the same for ingest, score and embed, and the reading. */
#ifndef VARVE_CLI_INPUT_H
#define VARVE_CLI_INPUT_H

#include "base/error.h"
#include "base/record.h"
#include "pipeline/reader.h"

struct input_options {
    enum stream_kind kind; /* 0: not given */
    struct record_reader_options reader;
    bool strict; /* stop at the first bad record */
};

/*
 * Looks at argv[*at]: --kind, --text-field, --time-field, --ref-field, --seq-field, --rate, --tz,
 * --strict, each value also after `=`. INPUT_OPTION: it was one and *at stands behind it and its
 * value
 * (--tz has set TZ for the process). 0: it is none of these. ERR_INVALID says what is wrong.
 */
#define INPUT_OPTION 1
int input_option(struct input_options *o, int argc, char **argv, int *at, struct errmsg *err);

/*
 * Feeds a whole file ("-": standard input) and ends the reader. `chunk` (may be NULL) is called
 * after each piece, before the next read may wait. 0, ERR_IO and the like naming the path, or what
 * the reader returned.
 */
int input_read(const char *path, struct record_reader *r, int (*chunk)(void *arg), void *arg,
               struct errmsg *err);

/* The reader's error callback for programs: "FILE:LINE: text" on standard error, counted. */
struct input_errors {
    const char *program, *path;
    uint64_t count;
    bool strict; /* then it stops the reader with ERR_PARSE */
};
int input_error(void *arg, uint64_t line, const char *text);

#endif
