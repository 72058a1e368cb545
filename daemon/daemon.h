/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon as a whole: what its parts share. All fields are the loop thread's unless said
 * otherwise. */
#ifndef VARVE_DAEMON_DAEMON_H
#define VARVE_DAEMON_DAEMON_H

#include <uv.h>

#include "base/clock.h"
#include "config/config.h"
#include "config/paths.h"
#include "daemon/budget.h"
#include "daemon/mailbox.h"
#include "daemon/pool.h"
#include "daemon/query_thread.h"
#include "daemon/writer.h"
#include "memory/store.h"

struct forgetting;
struct live_stream;
struct stream_waiter;
struct server;
struct source;
struct source_place;
struct watch;
struct sketch_index;
struct reader;

#define OLD_CONFIGS 8

struct daemon {
    uv_loop_t loop;
    const struct clock *clock;
    struct config *config;
    struct config_args args; /* for reloads */
    char state[CONFIG_PATH_SIZE], database[CONFIG_PATH_SIZE + 16], socket[CONFIG_SOCKET_SIZE];
    struct store *store; /* the writer's while it runs */
    struct mailbox mailbox;
    struct writer writer;
    struct touched touched; /* used by answers, the writer does not know yet */
    struct pool model_pool, query_pool;
    struct query_thread query_threads[POOL_THREADS_MAX]; /* each its own thread's */
    struct reader *model_readers[POOL_THREADS_MAX];      /* one a model thread, for resends */
    struct sketch_index *sketches;                       /* appended to by the loop once loaded */
    bool sketches_loaded;
    atomic_bool sketches_stop; /* ends their loading early */
    struct live_stream *streams, **streams_last;
    struct live_stream *retired; /* streams that were forgotten, or are to be; until the end */
    struct forgetting *forgetting; /* NULL: none is under way */
    unsigned stream_count;
    size_t undone_bytes; /* of all streams together */
    struct stream_waiter *waiters;
    atomic_size_t journal_bytes; /* of batches that lie, or are to lie, in the journal */
    atomic_size_t batch_most;    /* of them in one batch; all may be JOURNAL_BATCHES such */
    atomic_bool hurry; /* the stop's time is up: turns leave what they have not begun */
    struct server *server;
    struct source *sources;
    struct source_place *places;
    unsigned paused_streams; /* of sources, for want of room in the queues */
    void (*sources_stopped)(struct daemon *);
    struct watch *watches;
    uint64_t last_watch;
    unsigned looks;  /* that watches wait for */
    bool looks_full; /* some were passed over, and it was said */
    uv_timer_t second, drain, reload;
    unsigned seconds;          /* since the start */
    unsigned watchdog_seconds; /* 0: nobody watches */
    struct work sketch_work;
    struct config
        *old_configs[OLD_CONFIGS]; /* replaced by reloads; a source that ends uses it still */
    uv_signal_t sigterm, sigint, sighup;
    int64_t started; /* by the clock */
    bool stopping;
    /* Steps of the stop, in order. */
    unsigned flushes_open;
    uint64_t drain_start; /* by uv_now */
    bool saving, server_closing, server_closed, finished;
};

/* Fills of the queues before the model, 0..1: what the routers' thresholds follow. */
double daemon_load(const struct daemon *d);

#endif
