/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader's files share: reader.c splits lines and tells formats apart, csv.c and ndjson.c
 * make records of them. */
#ifndef VARVE_PIPELINE_READER_IMPL_H
#define VARVE_PIPELINE_READER_IMPL_H

#include "base/arena.h"
#include "ipc/json.h"
#include "pipeline/reader.h"
#include "pipeline/timeshape.h"

#define FIELD_NAME_MAX 128
#define CSV_COLUMNS_MAX 2048

enum input_mode { MODE_UNKNOWN, MODE_LINES, MODE_NDJSON, MODE_CSV };

enum column_role {
    COLUMN_OPEN,   /* nothing in it so far */
    COLUMN_NUMBER, /* a channel */
    COLUMN_WORDS,  /* not numbers: passed over */
    COLUMN_TIME,
    COLUMN_CLOCK, /* time of day, beside a date in COLUMN_TIME */
    COLUMN_REF,
    COLUMN_SEQ,
};

struct column {
    enum column_role role;
    uint16_t channel;
    struct slice name; /* in csv.names */
};

struct csv {
    char delimiter;
    bool have_header, have_roles, row_names;
    bool had_header;        /* the input before this one had, and its columns are still there */
    struct column *columns; /* column_count, as in the header */
    uint32_t column_count;
    struct slice *cells; /* CSV_COLUMNS_MAX + 1 */
    struct arena names;  /* column names, until the next header */
    struct buf unquoted; /* cells of this row that held doubled quotes */
    struct buf joined;   /* date and time of day in one */
    int64_t start;       /* rows without time: the first one's */
    uint64_t rows;
};

struct record_reader {
    struct record_reader_options options;
    struct record_reader_callbacks callbacks;
    char text_field[FIELD_NAME_MAX], time_field[FIELD_NAME_MAX];
    char ref_field[FIELD_NAME_MAX], seq_field[FIELD_NAME_MAX];
    bool time_field_given;
    enum input_mode mode;
    uint64_t lines; /* that have ended, with the header */
    struct timeshape shape;
    struct buf head;    /* of the input: 'l', 'n', or 'c' and the header line */
    struct buf partial; /* the line whose end has not come */
    size_t unfinished;  /* its bytes so far, also those that were dropped */
    bool oversized;     /* its end is waited for, its bytes are dropped */
    bool begun;         /* the byte order mark was looked for */
    struct buf repaired;
    struct arena scratch; /* one line's */
    struct json_scanner *json;
    struct csv csv;
    struct sample *samples; /* CHANNELS_MAX */
    uint32_t channel_count;
    char **channels;         /* names, CHANNELS_MAX */
    uint16_t *channel_slots; /* hash table of index + 1, 2 * CHANNELS_MAX */
};

/* Reports what is wrong with the current line; 0 or what the callback returned. */
int reader_error(struct record_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Completes arrival and flags and hands the record on. */
int reader_record(struct record_reader *r, struct record *rec);
/*
 * The channel of that name, created and announced when it is new. READER_REPORTED: an error was
 * reported (too many, or no usable name).
 */
#define READER_REPORTED 1
int reader_channel_find(struct record_reader *r, struct slice name, uint16_t *ret_index);
/* A finite decimal number, the whole of s; ERR_PARSE or, for nan, inf and overflow, ERR_RANGE. */
int reader_number(const char *s, size_t n, bool decimal_comma, double *ret);
/* Reports what timeshape_field said about a time cell. */
int reader_time_error(struct record_reader *r, int code, struct slice text);
/* "17" and the like, from 1. ERR_PARSE. */
int reader_seq(const char *s, size_t n, uint64_t *ret);

int csv_line(struct record_reader *r, struct slice line);
/* The header of an input that is taken up in its middle. */
int csv_resume(struct record_reader *r, struct slice header);
void csv_restart(struct record_reader *r);
int ndjson_line(struct record_reader *r, struct slice line);
/* Whether the line is an object that has the string field `text`. */
bool ndjson_has_text(struct record_reader *r, struct slice line);

#endif
