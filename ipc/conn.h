/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server.c (listening, limits), conn.c (bytes in and out), rpc.c (JSON-RPC lines) and
 * channel.c (frames) share. All on the loop's thread.
 *
 * A connection is written to by appending to `out` and calling conn_queue: the server's prepare
 * handle then serves each queued connection once, before the loop waits again, so all answers that
 * became ready in one turn leave in one write.
 */
#ifndef VARVE_IPC_CONN_H
#define VARVE_IPC_CONN_H

#include <uv.h>

#include "ipc/frame.h"
#include "ipc/server.h"

#define READ_SIZE (64u << 10)
#define POOL_LINE (64u << 10) /* longer lines are parsed on libuv's pool */
#define BATCHES_KEPT 32
#define REQUESTS_KEPT 64
#define ID_MAX 128 /* bytes of a request's id as written */

struct rpc_request;

struct server {
    uv_loop_t *loop;
    struct server_options options;
    uv_pipe_t listener;
    uv_prepare_t prepare;
    uv_pipe_t away; /* closes on who comes when memory is out */
    bool turning_away, turn_next;
    char path[108];
    uint64_t path_dev, path_ino; /* the socket file, while it is ours */
    bool listening, draining, closing;
    unsigned handles; /* of our own that are not closed yet */
    gid_t group;
    bool has_group;
    struct ipc_conn *conns; /* all whose memory lives */
    struct ipc_conn *queue; /* to be served before the loop waits */
    size_t buffered;        /* bytes of unfinished lines and frames */
    struct json_scanner *scanner;
    struct rpc_request *free_requests;
    unsigned free_request_count;
    struct ipc_batch *free_batches[BATCHES_KEPT];
    unsigned free_batch_count;
    struct server_stats stats;
    void (*done)(void *user);
    void *done_user;
    char scratch[READ_SIZE];
};

struct ipc_conn {
    struct server *server;
    struct ipc_conn *prev, *next;
    struct ipc_conn *queue_next;
    uv_pipe_t pipe;
    unsigned refs; /* the handle, requests, a job on the pool */
    uid_t uid;
    char name[32];
    void *user;

    bool admitted; /* counts as a connection; callbacks hear of it */
    bool reading, eof, closing;
    bool last_words; /* closes once everything is written; nothing is read any more */
    bool queued;
    bool busy;    /* input waits: for the pool, or for stream.open to be answered */
    bool paused;  /* by the channel's owner */
    bool starved; /* input waits for room in max_pending */
    bool processing;

    struct buf in;  /* what stands before the end of a line or frame */
    size_t scanned; /* of `in`: holds no line end */
    size_t in_flight;

    struct buf out;     /* ready */
    struct buf writing; /* under way */
    size_t written;     /* of `writing`, by the first try */
    uv_write_t write;

    bool framed; /* an ingest channel */
    enum stream_kind kind;
    void *channel;
    uint64_t records; /* numbered so far */
    uint64_t credits, outstanding;
    uint8_t named[CHANNELS_MAX / 8]; /* wire indices that have a name: one bit each */
};

struct rpc_request {
    struct ipc_request pub; /* first */
    struct rpc_request *next;
    struct json *params;
    size_t bytes; /* charged to max_pending */
    bool opens;   /* the connection's input waits for its answer */
    char id[ID_MAX + 1];
};

/* server.c */
void server_trouble(struct server *s, const struct ipc_conn *c, const char *what);
/* Room in max_pending again: serves the connections that wait for it. */
void server_feed_starved(struct server *s);
/* Frees the server once everything of it is gone. */
void server_check_done(struct server *s);

/* conn.c */
/* NULL when memory is out. The pipe is initialised; conn_close frees it in time. */
struct ipc_conn *conn_new(struct server *s);
void conn_start(struct ipc_conn *c);
void conn_ref(struct ipc_conn *c);
void conn_unref(struct ipc_conn *c);
void conn_queue(struct ipc_conn *c);
/* Called by the prepare handle: goes on with input that waited, writes what is ready. */
void conn_serve(struct ipc_conn *c);
/* Closes at once, without a word. */
void conn_close(struct ipc_conn *c);
void conn_flush(struct ipc_conn *c);
/* True when a further request or frame may be taken. */
bool conn_may_take(const struct ipc_conn *c);
/*
 * After bytes were appended to `out`, which held `before`: counts them, sees to it that they are
 * written, and closes the connection where the client has let too much pile up (ERR_LIMIT) or
 * memory is out (ERR_NOMEM).
 */
int conn_put(struct ipc_conn *c, size_t before);
/* Tells the client and the log, then closes. */
void conn_refuse(struct ipc_conn *c, int code, const char *text);

/* rpc.c */
/* One line, without its end. */
void rpc_line(struct ipc_conn *c, const char *line, size_t size);
/* `code` is JSON-RPC's; `data` as in ipc_reply_error. */
void rpc_put_error(struct ipc_conn *c, const char *id, int code, const char *name, const char *text,
                   struct slice data);
#define RPC_NAME_SIZE 32
/* "notfound": err_name in lower case, into out. */
const char *rpc_error_name(int err, char out[RPC_NAME_SIZE]);
void rpc_free_requests(struct server *s);

/* channel.c */
/* Takes whole frames off data[0..size) as long as it may; returns the bytes taken. */
size_t channel_take(struct ipc_conn *c, const char *data, size_t size);
void channel_free_batches(struct server *s);

#endif
