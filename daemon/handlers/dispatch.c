/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handlers/handlers.h"
#include "daemon/watch.h"

void reply_error(struct ipc_request *req, int code, const struct errmsg *err)
{
    const char *text = err && err->text[0] ? err->text : err_text(code);
    ipc_reply_error(req, code, NULL, text, (struct slice){NULL, 0});
}

void reply_buf(struct ipc_request *req, struct buf *result)
{
    if (buf_failed(result))
        reply_error(req, ERR_NOMEM, NULL);
    else
        ipc_reply(req, (struct slice){result->data, result->size});
    buf_deinit(result);
}

static void on_request(void *user, struct ipc_request *req)
{
    static void (*const handlers[API_METHODS])(struct daemon *, struct ipc_request *) = {
        [API_STREAM_OPEN] = handle_stream_open,
        [API_STREAM_APPEND] = handle_stream_append,
        [API_STREAM_FLUSH] = handle_stream_flush,
        [API_STREAM_CLOSE] = handle_stream_flush,
        [API_STREAM_LIST] = handle_stream_list,
        [API_MEMORY_SEARCH] = handle_query,
        [API_MEMORY_TIMELINE] = handle_query,
        [API_MEMORY_OPEN] = handle_query,
        [API_MEMORY_RAW] = handle_query,
        [API_MEMORY_ASK] = handle_query,
        [API_MEMORY_SIMILAR] = handle_query,
        [API_MEMORY_REMEMBER] = handle_remember,
        [API_MEMORY_PIN] = handle_pin,
        [API_MEMORY_UNPIN] = handle_pin,
        [API_MEMORY_FEEDBACK] = handle_feedback,
        [API_MEMORY_FORGET] = handle_forget,
        [API_MEMORY_WATCH] = watch_add,
        [API_MEMORY_UNWATCH] = watch_remove,
        [API_PREDICT_SURPRISE] = handle_query,
        [API_PREDICT_FORECAST] = handle_forecast,
        [API_ENTITY_LIST] = handle_query,
        [API_ENTITY_HISTORY] = handle_query,
        [API_DAEMON_STATUS] = handle_status,
        [API_DAEMON_METRICS] = handle_metrics,
        [API_DAEMON_RELOAD] = handle_reload,
    };
    handlers[req->method](user, req);
}

static void on_closed(void *user, struct ipc_conn *conn)
{
    watch_conn_closed(user, conn);
    channel_conn_closed(conn);
}

const struct server_callbacks handlers_callbacks = {
    .request = on_request,
    .closed = on_closed,
    .batch = channel_on_batch,
    .channel_name = channel_on_name,
    .flush = channel_on_flush,
    .close = channel_on_close,
};
