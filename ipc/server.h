/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of the socket: JSON-RPC lines, ingest channels, limits. Everything here is
 * called on the loop's thread, and all callbacks come there; large lines are parsed on libuv's
 * pool.
 *
 * The process must ignore SIGPIPE.
 *
 * Who gets in: root, the user the daemon runs as, and members of the socket file's group; anybody
 * else gets one error line and is closed on. One connection's faults never touch another.
 */
#ifndef VARVE_IPC_SERVER_H
#define VARVE_IPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"
#include "ipc/api.h"
#include "ipc/json.h"

struct server;
struct ipc_conn;

/*
 * One request that waits for its answer. It belongs to the handler from the callback until
 * ipc_reply or ipc_reply_error, which free it; that must happen once, in the callback or any time
 * later, also when the connection is gone (the answer then goes nowhere).
 */
struct ipc_request {
    struct ipc_conn *conn; /* valid as long as the request */
    enum api_method method;
    const struct json *params; /* checked against the table; NULL when there were none */
    void *user;                /* the handler's */
};

/*
 * Records of one frame, in order; the handler's until ipc_batch_release. A record's tag is its
 * number on the channel, from 1. Bad ones were answered already and are left out; count is at
 * least 1.
 */
struct ipc_batch {
    struct record *records; /* arrival is 0; the handler may change them */
    uint32_t count;
    size_t bytes;       /* credits to give back with ipc_channel_ack */
    struct arena arena; /* holds what the records point to; the handler may allocate from it */
};

struct server_callbacks {
    void (*request)(void *user, struct ipc_request *req);
    /* A connection is gone: drop its watches, end its channel (its last frame was whole). */
    void (*closed)(void *user, struct ipc_conn *conn);
    /* Of ingest channels; `channel` is what ipc_reply_channel was given. They stop once closed
     * came. */
    void (*batch)(void *user, void *channel, struct ipc_batch *batch);
    /* The client's wire index -> name; records use these indices from now on. */
    void (*channel_name)(void *user, void *channel, uint16_t index, const char *name);
    void (*flush)(void *user, void *channel); /* answer with ipc_channel_flushed */
    void (*close)(void *user, void *channel); /* answer with ipc_channel_closed */
    /* Something for the log: why a connection was closed on. `conn` may be NULL. May be NULL. */
    void (*trouble)(void *user, const struct ipc_conn *conn, const char *what);
};

/* A size of 0 takes the default. */
struct server_options {
    const char *path;       /* of the socket file; NULL with fd */
    int fd;                 /* a listening socket that was inherited; else -1 */
    const char *group;      /* the socket file's group; NULL or "": the process's */
    size_t max_request;     /* bytes of a line or frame; 8 MiB */
    size_t max_connections; /* 256 */
    size_t max_in_flight;   /* requests of one connection; 64: then reading stops */
    size_t max_outgoing;    /* bytes one connection has not read; 16 MiB: then it is closed */
    size_t max_pending;     /* bytes of requests of all connections that wait; 64 MiB: then reading
                               stops */
    const struct server_callbacks *callbacks;
    void *user;
};

/*
 * Listens. ERR_BUSY: a live daemon has the path; a dead one's file is replaced. ERR_PERM, ERR_LIMIT
 * (path too long), ERR_IO name the path.
 */
int server_open(uv_loop_t *loop, const struct server_options *options, struct server **ret,
                struct errmsg *err);
/* New limits for requests and connections from here on. */
void server_set_limits(struct server *s, size_t max_request, size_t max_connections);
/* No new connection and no new request from now on; answers still go out. */
void server_drain(struct server *s);
/*
 * Removes the socket file, writes what can be written, closes all connections; `done` comes when
 * every handle is closed and every request was answered, and frees the server.
 */
void server_close(struct server *s, void (*done)(void *user), void *user);

struct server_stats {
    uint64_t connections;                                    /* open now */
    uint64_t accepted, refused, requests, errors, overflows; /* for ever */
    uint64_t in_flight, pending_bytes, outgoing_bytes;       /* now */
    uint64_t bytes_in, bytes_out;
};
void server_stats(const struct server *s, struct server_stats *ret);

/* `result` is JSON; it is copied. */
void ipc_reply(struct ipc_request *req, struct slice result);
/*
 * `code` of base/error.h; data.code becomes `name`, or the code's own in lower case where NULL
 * ("notfound"). `data` is further JSON members without braces ("\"expected\":\"7\""), size 0: none.
 */
void ipc_reply_error(struct ipc_request *req, int code, const char *name, const char *text,
                     struct slice data);
/*
 * Answers stream.open and turns the connection into an ingest channel of this kind: HELLO with
 * `credits` and `next_seq` goes out, callbacks get `channel`. What the client had sent behind the
 * request is read as frames.
 */
void ipc_reply_channel(struct ipc_request *req, struct slice result, enum stream_kind kind,
                       void *channel, uint64_t credits, uint64_t next_seq);

/* ERR_LIMIT: the client does not read and was closed on. `params` is JSON; it is copied. */
int ipc_notify(struct ipc_conn *conn, const char *method, struct slice params);
/* "uid 1000", for messages and `varve streams`. */
const char *ipc_conn_name(const struct ipc_conn *conn);
/* True once `closed` was called: the handler must not tie anything to it any more. */
bool ipc_conn_is_gone(const struct ipc_conn *conn);
/* The handler's own pointer of a connection; NULL at first. */
void ipc_conn_set_user(struct ipc_conn *conn, void *user);
void *ipc_conn_user(const struct ipc_conn *conn);

/* Everything up to seq is durable; `bytes` credits go back. */
void ipc_channel_ack(struct ipc_conn *conn, uint64_t seq, uint64_t bytes);
/*
 * About one record (its number on the channel, from 1) or the channel (0). The channel goes on;
 * ipc_conn_close ends it.
 */
void ipc_channel_error(struct ipc_conn *conn, uint64_t number, int code, const char *name,
                       const char *text);
void ipc_channel_flushed(struct ipc_conn *conn);
void ipc_channel_closed(struct ipc_conn *conn);
/* Reading stops and goes on. */
void ipc_channel_pause(struct ipc_conn *conn);
void ipc_channel_resume(struct ipc_conn *conn);
/* Hands the memory back for the next frame. Also after the connection is gone. */
void ipc_batch_release(struct server *s, struct ipc_batch *batch);

/* Writes what is ready, then closes. */
void ipc_conn_close(struct ipc_conn *conn);

#endif
