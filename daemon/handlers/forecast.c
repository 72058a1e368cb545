/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict.forecast: asks a sensor stream's own predictor, in the stream's turn. What comes back is
 * marked as generated, with method and model version, and is never evidence.
 */
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "daemon/handlers/handlers.h"
#include "daemon/stream.h"
#include "model/sensor_encoder.h"
#include "pipeline/stream.h"

struct forecast {
    struct stream_call call;
    struct ipc_request *req;
    struct live_stream *stream;
    uint16_t first, end; /* channels */
    int steps;
    struct buf result;
    bool any;
};

static void forecast_channel(struct forecast *f, const struct encoder *e, uint16_t channel,
                             struct jsonw *w)
{
    int64_t last, step;
    if (sensor_encoder_rhythm(e, channel, &last, &step) != 0)
        return;
    for (int i = 1; i <= f->steps; i++) {
        double mid, low, high;
        if (sensor_encoder_forecast(e, channel, step * i, &mid, &low, &high) != 0)
            return;
        jsonw_object(w);
        jsonw_kv_string(w, "channel", f->stream->channels[channel]);
        jsonw_kv_time(w, "time", last + step * i);
        jsonw_kv_double(w, "value", mid);
        jsonw_kv_double(w, "low", low);
        jsonw_kv_double(w, "high", high);
        jsonw_object_end(w);
        f->any = true;
    }
}

static void forecast_run(struct stream_call *call, struct pipeline_stream *pipeline)
{
    struct forecast *f = container_of(call, struct forecast, call);
    struct jsonw w;
    jsonw_init(&w, &f->result);
    jsonw_object(&w);
    jsonw_kv_string(&w, "stream", f->stream->row.name);
    jsonw_kv_bool(&w, "generated", true);
    jsonw_kv_string(&w, "method", "online level, trend and season; 90 % intervals");
    const struct encoder *e = pipeline ? pipeline_stream_encoder(pipeline) : NULL;
    jsonw_kv_int(&w, "model", e ? e->ops->version : 0);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    for (uint16_t c = f->first; e && c < f->end; c++)
        forecast_channel(f, e, c, &w);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
}

static void forecast_done(struct stream_call *call)
{
    struct forecast *f = container_of(call, struct forecast, call);
    struct errmsg err;
    if (!f->any) {
        err_set(&err, ERR_BUSY, "stream %s: too little was seen yet to say what comes next",
                f->stream->row.name);
        reply_error(f->req, ERR_BUSY, &err);
        buf_deinit(&f->result);
    } else {
        reply_buf(f->req, &f->result);
    }
    mem_free(f);
}

static int find_channels(struct forecast *f, struct errmsg *err)
{
    const struct live_stream *s = f->stream;
    const char *name = json_string(json_get(f->req->params, "channel"));
    f->first = 0;
    f->end = s->channel_count;
    if (!name)
        return 0;
    char room[CHANNEL_GONE_ROOM];
    while (f->first < f->end && strcmp(stream_channel_name(s, f->first, room), name) != 0)
        f->first++;
    if (f->first == f->end)
        return err_set(err, ERR_NOTFOUND, "stream %s has no channel \"%s\"", s->row.name, name);
    f->end = (uint16_t)(f->first + 1);
    return 0;
}

void handle_forecast(struct daemon *d, struct ipc_request *req)
{
    struct errmsg err = {""};
    const char *name = json_string(json_get(req->params, "stream"));
    struct live_stream *s = stream_find(d, name);
    int rc = 0;
    if (!s)
        rc = err_set(&err, ERR_NOTFOUND, "no stream is called \"%s\"", name);
    else if (s->row.kind != KIND_SENSOR)
        rc =
            err_set(&err, ERR_UNSUPPORTED, "stream %s holds text; only sensors are forecast", name);
    struct forecast *f = rc == 0 ? mem_calloc(1, sizeof(*f)) : NULL;
    if (rc == 0 && !f)
        rc = err_set(&err, ERR_NOMEM, "out of memory");
    if (rc == 0) {
        f->req = req;
        f->stream = s;
        f->steps = (int)api_int(req->method, req->params, "steps");
        rc = find_channels(f, &err);
    }
    if (rc != 0) {
        mem_free(f);
        reply_error(req, rc, &err);
        return;
    }
    f->call.run = forecast_run;
    f->call.done = forecast_done;
    stream_ask_model(s, &f->call);
}
