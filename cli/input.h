/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how input is read, the same for ingest, score and embed, and the reading. */
#ifndef VARVE_CLI_INPUT_H
#define VARVE_CLI_INPUT_H

#include "base/error.h"
#include "base/record.h"
#include "base/timestamp.h"
#include "pipeline/reader.h"

struct input_options {
    enum stream_kind kind; /* 0: not given */
    struct record_reader_options reader;
    bool strict;                /* stop at the first bad record */
    char start[TIMESTAMP_SIZE]; /* audio, video: when the first record was, RFC 3339; "": not given
                                 */
    const char *fps;            /* video: pictures a second; NULL: not given */
};

/*
 * Looks at argv[*at]: --kind, --text-field, --time-field, --ref-field, --seq-field, --rate, --tz,
 * --start, --fps, --strict, each value also after `=`. INPUT_OPTION: it was one and *at stands
 * behind it and its value (--tz has set TZ for the process). 0: it is none of these. ERR_INVALID
 * says what is wrong.
 */
#define INPUT_OPTION 1
int input_option(struct input_options *o, int argc, char **argv, int *at, struct errmsg *err);

/*
 * Reads a whole file ("-": standard input): text and sensor data by pipeline/reader.h, sound and
 * pictures by varve-media, a "line" being the record's number then. `chunk` (may be NULL) is called
 * with the callbacks' argument after each piece, before the next read may wait. 0, ERR_IO and the
 * like naming the path, or what a callback returned. What was read before an error was given.
 */
int input_read(const struct input_options *o, const char *path,
               const struct record_reader_callbacks *callbacks, int (*chunk)(void *arg),
               struct errmsg *err);
/* The part of it for sound and pictures (media.c). */
int input_media(const struct input_options *o, const char *path,
                const struct record_reader_callbacks *callbacks, int (*chunk)(void *arg),
                struct errmsg *err);

/* The reader's error callback for programs: "FILE:LINE: text" on standard error, counted. */
struct input_errors {
    const char *program, *path;
    uint64_t count;
    bool strict; /* then it stops the reader with ERR_PARSE */
};
int input_error(void *arg, uint64_t line, const char *text);

#endif
