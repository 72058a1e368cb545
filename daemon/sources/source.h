/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records come from without a client: one small module a type behind one function table. A
 * source feeds one stream. Everything here is the loop's.
 *
 * Life: configured -> stream opened -> started -> (paused <-> running) -> stopping -> closed. A source
 * that cannot start or fails says why in `trouble` and tries again by itself; it never ends the daemon.
 */
#ifndef VARVE_DAEMON_SOURCE_H
#define VARVE_DAEMON_SOURCE_H

#include "daemon/daemon.h"
#include "daemon/stream.h"

struct source;

struct source_ops {
    enum stream_policy policy;
    /* Begins to read. `s->stream` is there. Not 0: `s->trouble` says why; it is tried again later. */
    int (*start)(struct source *s);
    /* Ends reading; calls source_closed when every handle is closed, possibly at once. */
    void (*stop)(struct source *s);
    /* The stream's queue is full; resume comes when there is room. NULL for live sources. */
    void (*pause)(struct source *s);
    void (*resume)(struct source *s);
};

struct source {
    struct source *next;
    struct daemon *daemon;
    const struct source_ops *ops;
    const struct config_source *config; /* of the running configuration; not while stopping */
    char name[STREAM_NAME_MAX + 1];
    struct live_stream *stream;         /* NULL until it is open */
    void *impl;                         /* the module's */
    bool started, paused, stopping;
    void (*closed_cb)(struct source *);
    uint64_t errors, restarts;
    char trouble[200];     /* "" when all is well */
    char switch_off[160];  /* what to write to switch it off */
    char about[160];       /* what it reads, for `varve streams` */
};

/* One of each type; journal_none.c stands in where libsystemd is not. */
extern const struct source_ops source_file, source_exec, source_journal, source_host;
/* Can this machine's journal be read by this process? */
bool source_journal_readable(void);

/* Makes and starts the configured sources; on a reload stops those that are gone or changed. */
int sources_apply(struct daemon *d);
/* Stops all; `done` when they are closed. */
void sources_stop(struct daemon *d, void (*done)(struct daemon *));
/* At the very end. */
void sources_free_places(struct daemon *d);
/* Once a second: starts again what could not start. */
void sources_tick(struct daemon *d);

/* For the modules: every handle is closed. */
void source_closed(struct source *s);
/* For the modules: notes trouble, once a change, in the log too. */
void source_set_trouble(struct source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For the modules: hands a batch to the stream, and pauses the source when its queue is full. */
void source_submit(struct source *s, struct batch *b);

/*
 * For the modules: where the source stands under this key: what it submitted last in this run, or else
 * what the file holds. Appended to `out`; ERR_NOTFOUND when it is new.
 */
int source_state_get(struct source *s, const char *key, struct buf *out);

/* NULL: no source feeds this stream. */
const struct source *source_of_stream(const struct daemon *d, const struct live_stream *stream);
/* "running", "waiting: …", "off". */
const char *source_state(const struct source *s);

#endif
