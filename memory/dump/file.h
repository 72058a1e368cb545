/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file as varve-dump reads it: its streams, and spans of any stratum by filter. One thread.
 * Every call is a read transaction of its own and over when it returns, unless file_begin was
 * called.
 */
#ifndef VARVE_MEMORY_DUMP_FILE_H
#define VARVE_MEMORY_DUMP_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/record.h"
#include "memory/dump/dump.h"
#include "memory/reader.h"

struct file_stream {
    struct store_stream row;
    const char **channels; /* by index; NULL where there is none of that index */
    uint32_t channel_count;
};

struct file_span {
    int64_t id, parent; /* parent 0: none */
    int64_t start, end; /* microseconds UTC */
    int64_t records, bytes;
    uint64_t seq_first, seq_last;
    int64_t stream; /* 0 above stratum 0 */
    int stratum;
    double bits, bits_max, z, confidence, tau;
    uint32_t path, code, model, flags, ended;
    bool pinned, evidence;
    int64_t unusual; /* runs in it that are alerts */
    double score;    /* of the most unusual run in its time; 0: none */
    const char *why; /* of that run; "" when none, or above stratum 0 */
    const char *title;
};

/* What may be read: as in dump_options, the stream by id (0: all). */
struct file_filter {
    int64_t since, until;
    int64_t stream;
};

struct dump_file {
    sqlite3 *db;
    const char *path;
    struct arena arena; /* streams live here */
    struct file_stream *streams;
    uint32_t stream_count;
    struct file_filter filter;
    sqlite3_stmt *by_id, *children, *unusual, *entities, *gist, *evidence, *stat, *kind;
};

/*
 * Opens read-only and reads the streams. A file whose daemon was killed is read with what its
 * write-ahead log holds, also from a folder that may not be written to. ERR_NOTFOUND, ERR_CORRUPT,
 * ERR_UNSUPPORTED, ERR_PERM with the path; ERR_NOTFOUND for an unknown --stream.
 */
int file_open(const struct dump_options *o, struct dump_file **ret, struct errmsg *err);
void file_close(struct dump_file *f);

/* NULL when there is none. */
const struct file_stream *file_stream(const struct dump_file *f, int64_t id);

/* One snapshot for several calls. */
int file_begin(struct dump_file *f, struct errmsg *err);
void file_end(struct dump_file *f);

/*
 * Ids of the spans from which a walk begins, by start, coarser ones first: those that pass the
 * filter and lie in no other span (only stratum `stratum` ones, whatever they lie in, unless -1).
 * In `arena`.
 */
int file_roots(struct dump_file *f, int stratum, struct arena *arena, int64_t **ret,
               uint32_t *ret_count, struct errmsg *err);
/* The span in `arena`; ERR_NOTFOUND when it is there no more. */
int file_span(struct dump_file *f, int64_t id, struct arena *arena, struct file_span *ret,
              struct errmsg *err);
/* Direct children that pass the filter, by start. */
int file_children(struct dump_file *f, const struct file_span *of, struct arena *arena,
                  struct file_span **ret, uint32_t *ret_count, struct errmsg *err);
/* All spans of a stratum that pass the filter, by start; at most `limit`, the newest. */
int file_spans(struct dump_file *f, int stratum, uint32_t limit, struct arena *arena,
               struct file_span **ret, uint32_t *ret_count, struct errmsg *err);

struct file_unusual {
    int64_t start, end;
    uint32_t first, last;
    double bits, z, score;
    const char *why;
};

int file_unusual(struct dump_file *f, int64_t id, struct arena *arena, struct file_unusual **ret,
                 uint32_t *ret_count, struct errmsg *err);

struct file_entity {
    int64_t id;
    const char *kind, *name;
    int64_t count; /* mentions in this span */
};

/* Most mentioned first. */
int file_entities(struct dump_file *f, int64_t id, uint32_t limit, struct arena *arena,
                  struct file_entity **ret, uint32_t *ret_count, struct errmsg *err);
/* NULL when there is none. */
int file_gist(struct dump_file *f, int64_t id, struct arena *arena, const char **ret,
              struct errmsg *err);
/* *ret_count 0 when the evidence was let go. Errors name the moment. */
int file_evidence(struct dump_file *f, int64_t id, struct arena *arena, struct record **ret,
                  uint32_t *ret_count, struct errmsg *err);

#define HEAT_FULL_BITS 16.0
#define HEAT_FADE 0.85
/*
 * How hot a span is shown, 0 to 1, the same on a terminal and in the page. From 0.5 on it is the
 * calibrated score of the worst alert in it, fading a little with each stratum above moments.
 * Without an alert it is below: its surprise beyond what its number of records explains, for of a
 * thousand records one is always a one-in-a-thousand.
 */
double file_heat(const struct file_span *span);

#endif
