/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in, records out (`struct record_reader`; memory has a `struct reader` of its own): plain
 * text lines, NDJSON, and CSV with a header. Bytes are fed in chunks of any size and split; lines
 * end at LF, trailing CRs are dropped, a byte order mark at the start too.
 *
 * What the input is, is found out from its first line: text is NDJSON when that is an object with
 * the text field, else plain lines; sensor data is NDJSON when it begins with `{`, else CSV (`,`,
 * `;` or tab, quoted fields, the time column by name or by shape, every other numeric column a
 * channel). A bad record is reported with its line and the rest goes on. A plain line that is not
 * UTF-8 is repaired with U+FFFD; an NDJSON line that is not UTF-8 is a bad record. A
 * blank plain line is a record with empty text; blank NDJSON and CSV lines are passed over. A CSV
 * cell that is no finite number is reported and left out, the rest of its row stays; an empty cell
 * is no sample.
 *
 * Times without a zone are local: TZ of the process, which must not change while a reader lives.
 * Thread: one at a time.
 */
#ifndef VARVE_PIPELINE_READER_H
#define VARVE_PIPELINE_READER_H

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"

struct record_reader;

struct record_reader_options {
    enum stream_kind kind;  /* KIND_TEXT or KIND_SENSOR */
    const char *text_field; /* NDJSON; NULL: "text" */
    const char *time_field; /* NDJSON and CSV; NULL: "time", for CSV also other names and shapes */
    const char *ref_field;  /* NDJSON and CSV; NULL: "ref" */
    const char *seq_field;  /* NDJSON and CSV; NULL: none, record.seq is then 0 */
    double rate_hz;         /* sensor data without a time column; 0: 1 */
    bool live;              /* without a time column a row's time is its arrival, not its number */
    const struct clock *clock; /* stamps the arrival, and the year on times that have none */
};

struct record_reader_callbacks {
    void *arg;
    /*
     * seq is 0 without a seq field. A record without a time of its own has time = arrival and
     * RECORD_NO_TIME; CSV rows without a time column are numbered from the reader's first record's
     * arrival at rate_hz and are marked so as well. sample_count may be 0 when every cell of a row
     * was empty or bad. Not 0 stops the reader and is returned by record_reader_feed.
     */
    int (*record)(void *arg, const struct record *r, uint64_t line);
    /* A sensor channel's name, before its first sample. Same return. May be NULL. */
    int (*channel)(void *arg, uint16_t index, const char *name);
    /* What was wrong with `line`; `text` names the column or byte. Same return. May be NULL. */
    int (*error)(void *arg, uint64_t line, const char *text);
};

/* Copies the options' strings. ERR_UNSUPPORTED for other kinds, ERR_INVALID, ERR_NOMEM. */
int record_reader_new(const struct record_reader_options *options,
                      const struct record_reader_callbacks *callbacks, struct record_reader **ret,
                      struct errmsg *err);
void record_reader_free(struct record_reader *r);

/* 0, ERR_NOMEM, or what a callback returned. */
int record_reader_feed(struct record_reader *r, const void *data, size_t size, struct errmsg *err);
/* The input has ended: a last line without LF is a line. */
int record_reader_end(struct record_reader *r, struct errmsg *err);
/*
 * Forgets a half-read line and what the first line was taken for: the next byte begins an input.
 * For files that were truncated or replaced. Channels keep their numbers; a CSV that goes on with
 * rows of the same width and no header of its own keeps the header it had.
 */
void record_reader_restart(struct record_reader *r);
/* Numbers a channel before any input, as a stream that is taken up again had it. */
int record_reader_channel(struct record_reader *r, uint16_t index, const char *name);
/*
 * What the first line decided (for CSV with the header itself): all that is needed to take the
 * input up again behind any later line. Empty while nothing was decided. Valid until the next call.
 */
struct slice record_reader_head(const struct record_reader *r);
/* Takes an input up behind a line, with the head it had; an empty head: its first line is yet to
 * come. */
int record_reader_resume(struct record_reader *r, struct slice head);
/* Bytes of a line whose end has not come yet; a follower's resume offset is that much behind. */
size_t record_reader_partial(const struct record_reader *r);

#endif
