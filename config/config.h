/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as plain values. What can be written, its bounds, defaults and words are the
 * table in config/options.c; this header is where the values lie once read.
 *
 * Ownership: a struct config owns all it points to; config_free gives it back. It is never changed
 * after config_load, so any thread may read it. Sizes are bytes, durations microseconds.
 */
#ifndef VARVE_CONFIG_CONFIG_H
#define VARVE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct config_list {
    char **items;
    size_t count;
};

enum config_source_type {
    CONFIG_SOURCE_FILE = 1,
    CONFIG_SOURCE_EXEC,
    CONFIG_SOURCE_JOURNAL,
    CONFIG_SOURCE_HOST,
    CONFIG_SOURCE_MEDIA,
};

enum config_evict {
    CONFIG_EVICT_COVERAGE = 1,
    CONFIG_EVICT_SALIENCE,
    CONFIG_EVICT_FIFO,
    CONFIG_EVICT_RANDOM,
};

enum config_decay { CONFIG_DECAY_TAU = 1, CONFIG_DECAY_WALL };

#define CONFIG_SOURCES_MAX 256

/* One [source NAME]; the sources that are on by default look as if somebody had written them. */
struct config_source {
    char *name;
    int type; /* enum config_source_type */
    bool enabled;
    bool fallback;              /* the default log files: only where the journal cannot be read */
    char *stream;               /* the stream's name; the source's where none was written */
    int kind;                   /* enum stream_kind */
    struct config_list path;    /* file: absolute paths and globs */
    struct config_list command; /* exec: argv, no shell */
    struct config_list match;   /* journal: FIELD=VALUE or a unit's name; empty: everything */
    int64_t restart;            /* exec, media: shortest wait before the child is started again */
    char *url;                  /* media */
    double fps;                 /* media, video */
    int64_t width;              /* media, video: pixels */
    int64_t interval;           /* host: between two samples */
    int64_t lateness;           /* the stream's bound; that of [streams] where none was written */
    char *why;                  /* "written in FILE:LINE" or "on by default" */
};

struct config {
    struct {
        char *directory; /* "" when not written: see config_resolve_state */
        int64_t budget;  /* database, WAL and temporary files together */
        double pinned;   /* percent of the budget, as the shares below */
        double evidence, moments, episodes, hours, days;
        int evict;    /* enum config_evict */
        int decay;    /* enum config_decay */
        int tau_sign; /* 1 or -1 */
        bool refine;  /* boundaries of episodes */
    } memory;
    struct {
        char *socket; /* "" when not written: see config_resolve_socket */
        char *group;  /* "" or who may connect beside the owner */
        int64_t max_request;
        int64_t max_connections;
    } ipc;
    struct {
        int64_t threads;
        int64_t queue; /* bytes of records that wait for the model, all streams together */
        double tau_min, tau_max; /* the router's threshold: under full load, and at rest */
    } model;
    struct {
        int64_t lateness;
        int64_t max; /* most streams */
    } streams;
    struct {
        bool builtin; /* the list of patterns that comes with the daemon */
        struct config_list pattern;
    } redact;
    struct {
        bool on; /* [sources] default */
    } sources;
    struct {
        int level; /* enum log_level */
    } log;
    struct config_source *source; /* the written ones first, in order; then the default ones */
    size_t source_count;
};

struct option;

#define CONFIG_ARGS_MAX 8

/* What the command line said. Text is borrowed from argv. */
struct config_args {
    const char *file; /* --config; NULL: the default file */
    bool check;       /* --check-config */
    bool help, version;
    struct {
        const struct option *option;
        const char *text;
    } set[CONFIG_ARGS_MAX]; /* options of the file that were given as flags: --state, --socket */
    size_t set_count;
};

/* ERR_INVALID names the word that is wrong (exit status 2). */
int config_parse_args(int argc, char **argv, struct config_args *ret, struct errmsg *err);
/* The usage text, from the table. */
void config_usage(struct buf *out);

/*
 * Reads args->file or the default file (which may be missing), then FILE's varved.conf.d/<*>.conf
 * in lexical order, then lays the command line's options over it, and checks the whole. The message
 * of ERR_PARSE, ERR_RANGE, ERR_INVALID and ERR_LIMIT starts with FILE:LINE:COLUMN; ERR_NOTFOUND and
 * others name the file.
 */
int config_load(const struct config_args *args, struct config **ret, struct errmsg *err);
/* NULL is allowed. */
void config_free(struct config *c);

/*
 * For a reload: what cannot change while running is taken over from `running` into `fresh`, and the
 * options that were written anew all the same are named in kept->text ("[ipc] socket, …"), which is
 * "" when there was none. Returns 0 or ERR_NOMEM.
 */
int config_keep_fixed(const struct config *running, struct config *fresh, struct errmsg *kept);
/* True when a source need not be restarted. */
bool config_source_equal(const struct config_source *a, const struct config_source *b);

/* "file", "exec", "journal", "host", "media". Static storage. */
const char *config_source_type_name(int type);

#endif
