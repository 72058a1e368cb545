/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records come from without a client: one small module a type behind one function table. Most
 * sources feed one stream; a file source that follows several files feeds one a file. Everything
 * here is the loop's.
 *
 * Life: configured -> stream opened -> started -> (paused <-> running) -> stopping -> closed. A
 * source that cannot start or fails says why in `trouble` and tries again by itself; it never ends
 * the daemon.
 */
#ifndef VARVE_DAEMON_SOURCE_H
#define VARVE_DAEMON_SOURCE_H

#include "daemon/daemon.h"
#include "daemon/stream.h"

struct source;
struct source_stream;

struct source_ops {
    enum stream_policy policy;
    /* Begins to read. Not 0: `trouble` says why; it is tried again later. */
    int (*start)(struct source *s);
    /* Ends reading; calls source_closed when every handle is closed, possibly at once. */
    void (*stop)(struct source *s);
    /*
     * The stream's queue is full (`ss->paused` is set), or has room again. NULL: nothing to do
     * then, `ss->paused` is looked at before each read.
     */
    void (*pause)(struct source_stream *ss);
    void (*resume)(struct source_stream *ss);
    /* True: opens its streams itself, as it finds what to put into them. NULL: it has one. */
    bool (*many)(const struct config_source *config);
};

/* A stream that a source feeds. */
struct source_stream {
    struct source_stream *next; /* of its source */
    struct source *source;      /* NULL: the source went while the stream was being opened */
    struct live_stream *stream; /* NULL until it is open */
    char name[STREAM_NAME_MAX + 1], about[160];
    bool opening, paused;
    char trouble[200]; /* "" when all is well */
    /* It is open, or `trouble` says why not: then it is tried again, a second later. */
    void (*opened)(struct source_stream *ss);
};

struct source {
    struct source *next;
    struct daemon *daemon;
    const struct source_ops *ops;
    const struct config_source *config; /* of the running configuration; not while stopping */
    char name[STREAM_NAME_MAX + 1];
    struct source_stream *streams; /* the first is the only one, unless ops->many */
    void *impl;                    /* the module's */
    bool many, started, stopping;
    unsigned retry_after, waited; /* seconds, while it cannot start */
    void (*closed_cb)(struct source *);
    uint64_t errors, restarts;
    char trouble[200];    /* "" when all is well */
    char switch_off[160]; /* what to write to switch it off */
    char about[160];      /* what it reads, for `varve streams` */
};

/* One of each type; journal_none.c stands in where libsystemd is not. */
extern const struct source_ops source_file, source_exec, source_journal, source_host, source_media;
/* Can this machine's journal be read by this process? */
bool source_journal_readable(void);

/* Makes and starts the configured sources; on a reload stops those that are gone or changed. */
int sources_apply(struct daemon *d);
/* Stops all; `done` when they are closed. */
void sources_stop(struct daemon *d, void (*done)(struct daemon *));
/* Once a second: starts again what could not start. */
void sources_tick(struct daemon *d);
/* There may be room in the queues: goes on with what is paused. */
void sources_resume(struct daemon *d);

/* For the modules: every handle is closed. */
void source_closed(struct source *s);
/* For the modules: notes trouble, once a change, in the log too. */
void source_set_trouble(struct source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * For the modules: one more stream. `opened` may be called before this returns. `about` is kept
 * with the stream as what it was read from. NULL when memory is out.
 */
struct source_stream *source_stream_add(struct source *s, const char *name, const char *about,
                                        void (*opened)(struct source_stream *ss));
/* For the modules: hands a batch to the stream, and pauses it when its queue is full. */
void source_submit(struct source_stream *ss, struct batch *b);
/* For the modules: a batch whose cursor says where the source stands behind it. 0 or ERR_NOMEM. */
int source_batch_place(struct batch *b, const char *key, struct slice place);
/* For the modules: keeps a value under a key, behind what was submitted before. 0 or ERR_NOMEM. */
int source_note(struct source_stream *ss, const char *key, struct slice value);

/*
 * For the modules: where the source stands under this key: what it submitted last in this run, or
 * else what the file holds. Appended to `out`; ERR_NOTFOUND when it is new.
 */
int source_place_get(struct source *s, const char *key, struct buf *out);
/* For source_submit: remembers what a batch says. */
void source_place_note(struct daemon *d, const struct batch *b);
/* At the very end. */
void source_places_free(struct daemon *d);

/* NULL: no source feeds this stream. */
const struct source_stream *source_of_stream(const struct daemon *d,
                                             const struct live_stream *stream);
/* "running", "slowed down", "starting" or what is wrong. */
const char *source_state(const struct source *s);
const char *source_stream_state(const struct source_stream *ss);

#endif
