/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers what: one function a method, all on the loop thread. Each answers its request once.
 */
#ifndef VARVE_DAEMON_HANDLERS_H
#define VARVE_DAEMON_HANDLERS_H

#include "base/jsonw.h"
#include "daemon/daemon.h"
#include "ipc/server.h"

/* Callbacks of the socket's server; `user` is the daemon. */
extern const struct server_callbacks handlers_callbacks;

/* Reads from memory: search, ask, timeline, open, raw, similar, surprise, entities (query.c). */
void handle_query(struct daemon *d, struct ipc_request *req);

/* streams.c */
/* What stream.open answers. */
void stream_opened_json(const struct live_stream *s, struct buf *out);
void handle_stream_open(struct daemon *d, struct ipc_request *req);
void handle_stream_append(struct daemon *d, struct ipc_request *req);
void handle_stream_flush(struct daemon *d, struct ipc_request *req); /* and stream.close */
void handle_stream_list(struct daemon *d, struct ipc_request *req);
/* Writes the streams' JSON array; of status and stream.list. */
void streams_json(struct daemon *d, struct jsonw *w);
/*
 * The payload of an audio or video record from its base64, checked; the bytes live in `arena`.
 * ERR_INVALID, ERR_LIMIT, ERR_NOMEM.
 */
int media_from_json(enum stream_kind kind, const struct json *field, struct arena *arena,
                    struct slice *ret, struct errmsg *err);

/* channel.c: ingest channels, the binary framing. */
struct ingest_channel;
void channel_open(struct daemon *d, struct ipc_request *req, struct live_stream *s);
void channel_on_batch(void *user, void *channel, struct ipc_batch *batch);
void channel_on_name(void *user, void *channel, uint16_t index, const char *name);
void channel_on_flush(void *user, void *channel);
void channel_on_close(void *user, void *channel);
void channel_conn_closed(struct ipc_conn *conn);

/* notes.c */
void handle_remember(struct daemon *d, struct ipc_request *req);
void handle_pin(struct daemon *d, struct ipc_request *req); /* and memory.unpin */
void handle_feedback(struct daemon *d, struct ipc_request *req);

/* forget.c */
void handle_forget(struct daemon *d, struct ipc_request *req);
/* The sketches are there: one that waited for them begins. */
void forgetting_begin(struct daemon *d);
/* How far the one under way is, or null; of status. */
void forgetting_json(const struct daemon *d, struct jsonw *w);

/* forecast.c */
void handle_forecast(struct daemon *d, struct ipc_request *req);

/* status.c */
void handle_status(struct daemon *d, struct ipc_request *req);
void handle_metrics(struct daemon *d, struct ipc_request *req);
void handle_reload(struct daemon *d, struct ipc_request *req);

/* For all of them: the text of `err`, or the code's own where it is empty. */
void reply_error(struct ipc_request *req, int code, const struct errmsg *err);
/* Answers with what was written, or that memory is out; frees the buffer. */
void reply_buf(struct ipc_request *req, struct buf *result);

#endif
