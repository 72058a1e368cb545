/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a record is copied into a block, waits in its lane's sorter until what comes after it
 * is more than the lateness bound ahead, is observed, joins the segmenter's window; when the
 * segmenter cuts, the moment is summed up, routed and handed out, and its blocks go back to the
 * pool. Failure modes: no memory for a copy (the record is not taken); an encoder out of memory
 * (the record counts as no surprise and stays); the callback's error (the first one is returned,
 * the rest of the work goes on). Sizes: a lane about 300 KiB and 200 KiB of sorter, the second one
 * only when needed; blocks as records need, kept ones at most 1 MiB.
 */
#include "pipeline/stream.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/route.h"
#include "model/video_encoder.h"
#include "pipeline/lane.h"

#define LATENESS (5 * US_PER_SECOND)
#define SILENCE (30 * US_PER_SECOND)
#define OPEN_MAX (5 * US_PER_MINUTE)
#define OPEN_BYTES_MAX (4u << 20)
#define STREAM_MAGIC 0x32545350u
#define STREAM_MAGIC_1 0x31545350u /* ends with the encoder */

struct pipeline_stream {
    struct pipeline_options options;
    struct pipeline_callbacks callbacks;
    struct encoder *encoder;
    struct summariser *summariser;
    struct router *router;
    struct pool pool;
    struct lane *lanes[2]; /* the main one; late and future records */
    struct pipeline_stats stats;
    uint64_t observed; /* highest seq that the encoder has seen; UINT64_MAX: nobody knows */
    int failed; /* the first error a callback returned since it was last reported */
};

static struct lane *lane_free(struct lane *l, struct pool *pool)
{
    if (!l)
        return NULL;
    sorter_deinit(&l->sorter, pool);
    for (uint32_t i = 0; i < l->open; i++)
        pool_give(pool, l->blocks[i]);
    segmenter_free(l->segmenter);
    mem_free(l);
    return NULL;
}

static int lane_new(struct pipeline_stream *s, struct lane **ret)
{
    struct lane *l = mem_calloc(1, sizeof(*l));
    if (!l)
        return ERR_NOMEM;
    int rc = sorter_init(&l->sorter);
    if (!rc)
        rc = segmenter_new(s->options.kind, &s->options.segment, &l->segmenter);
    if (rc) {
        lane_free(l, &s->pool);
        return rc;
    }
    *ret = l;
    return 0;
}

int pipeline_stream_new(const struct pipeline_options *options,
                        const struct pipeline_callbacks *callbacks, struct pipeline_stream **ret)
{
    struct pipeline_stream *s = mem_calloc(1, sizeof(*s));
    if (!s) {
        encoder_free(options->encoder);
        return ERR_NOMEM;
    }
    s->options = *options;
    s->callbacks = *callbacks;
    s->encoder = options->encoder;
    if (s->options.lateness_us <= 0)
        s->options.lateness_us = LATENESS;
    if (s->options.silence_us <= 0)
        s->options.silence_us = SILENCE;
    if (s->options.max_open_us <= 0)
        s->options.max_open_us = OPEN_MAX;
    if (s->options.open_bytes == 0)
        s->options.open_bytes = OPEN_BYTES_MAX;
    int rc = s->encoder ? 0 : encoder_new(options->kind, &s->encoder);
    rc = rc ? rc : summariser_new(options->kind, s->encoder, &s->summariser);
    rc = rc ? rc
            : router_new(&(struct router_options){.tau_min = (float)options->tau_min,
                                                  .tau_max = (float)options->tau_max},
                         &s->router);
    rc = rc ? rc : lane_new(s, &s->lanes[0]);
    if (rc) {
        pipeline_stream_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void pipeline_stream_free(struct pipeline_stream *s)
{
    if (!s)
        return;
    for (int i = 0; i < 2; i++)
        lane_free(s->lanes[i], &s->pool);
    pool_deinit(&s->pool);
    summariser_free(s->summariser);
    router_free(s->router);
    encoder_free(s->encoder);
    mem_free(s);
}

int pipeline_stream_channel(struct pipeline_stream *s, uint16_t index, const char *name)
{
    int rc = s->encoder->ops->channel ? s->encoder->ops->channel(s->encoder, index, name) : 0;
    return rc ? rc : summariser_channel(s->summariser, index, name);
}

/* ---- from the window to a moment ------------------------------------------------------------- */

/* By the encoder if it tells spans whole, else by the mean of the tokens. */
static void span_latent(struct pipeline_stream *s, const struct lane *l,
                        const struct segment_cut *cut, float *ret)
{
    const struct encoder_ops *ops = s->encoder->ops;
    if (!ops->span_latent) {
        memcpy(ret, cut->latent, sizeof(cut->latent));
        return;
    }
    for (uint32_t i = 0; i < cut->count; i++)
        ops->span_add(s->encoder, &l->records[i]);
    ops->span_latent(s->encoder, ret);
}

/* The first n records of the lane's window go out as a moment. */
static void emit(struct pipeline_stream *s, struct lane *l, const struct segment_cut *cut)
{
    struct moment m = {.kind = s->options.kind,
                       .records = l->records,
                       .record_count = cut->count,
                       .ended = cut->ended,
                       .model = s->encoder->ops->version};
    struct route route;
    float latent[LATENT_DIM];
    summariser_sum(s->summariser, l->notes, &m);
    span_latent(s, l, cut, latent);
    router_route(s->router, latent, &route);
    memcpy(m.latent, route.latent, sizeof(m.latent));
    m.path = route.path;
    m.code = route.code;
    m.confidence = route.confidence;
    m.tau = route.tau;
    s->stats.moments++;
    if (m.path == PATH_LATENT)
        s->stats.latent++;
    else
        s->stats.discrete++;
    int rc = s->callbacks.moment(s->callbacks.arg, &m);
    if (rc && !s->failed)
        s->failed = rc;
    for (uint32_t i = 0; i < cut->count; i++) {
        l->open_bytes -= l->blocks[i]->size;
        pool_give(&s->pool, l->blocks[i]);
    }
    uint32_t rest = l->open - cut->count;
    memmove(l->blocks, l->blocks + cut->count, rest * sizeof(l->blocks[0]));
    memmove(l->records, l->records + cut->count, rest * sizeof(l->records[0]));
    memmove(l->notes, l->notes + cut->count, rest * sizeof(l->notes[0]));
    l->open = rest;
    l->open_mono = l->last_mono;
}

static void close_lane(struct pipeline_stream *s, struct lane *l, enum moment_end why)
{
    struct segment_cut cut;
    while (segmenter_flush(l->segmenter, why, &cut) == SEGMENT_CUT)
        emit(s, l, &cut);
}

static void note(struct noted *n, const struct segmenter *segmenter, const struct observation *o)
{
    n->bits = (float)o->bits;
    n->score = (float)o->score;
    n->z = segmenter_z(segmenter, o->bits);
    n->template_id = o->template_id;
    memcpy(n->traits, o->traits, sizeof(n->traits));
    size_t why = o->why ? strnlen(o->why, WHY_MAX - 1) : 0;
    memcpy(n->why, o->why ? o->why : "", why);
    n->why[why] = '\0';
}

/* A record leaves the sorter: observed once, in the window from here on. */
static void observe(struct pipeline_stream *s, struct lane *l, struct block *b)
{
    static const float nothing[LATENT_DIM];
    struct segment_cut cut;
    struct observation o;
    if (l->open == 0)
        l->open_mono = l->last_mono;
    if (encoder_observe(s->encoder, &b->record, &o) != 0 || !isfinite(o.bits))
        o = (struct observation){.latent = nothing, .why = ""};
    if (b->record.seq > s->observed || s->observed == UINT64_MAX)
        s->observed = b->record.seq;
    if (s->options.kind == KIND_VIDEO)
        s->stats.tokens += (uint64_t)o.traits[VIDEO_TOKENS];
    if (s->callbacks.observed)
        s->callbacks.observed(s->callbacks.arg, &b->record, &o);
    note(&l->notes[l->open], l->segmenter, &o);
    bool backward = l->open > 0 && b->record.time < l->last_time;
    l->blocks[l->open] = b;
    l->records[l->open] = b->record;
    l->open++;
    l->open_bytes += b->size;
    l->last_time = b->record.time;
    if (!o.latent)
        o.latent = nothing;
    segmenter_push(l->segmenter, b->record.time, &o, backward);
    while (segmenter_cut(l->segmenter, &cut) == SEGMENT_CUT)
        emit(s, l, &cut);
    if (l->open_bytes > s->options.open_bytes)
        close_lane(s, l, END_LENGTH);
}

static void release(struct pipeline_stream *s, struct lane *l, int64_t until)
{
    struct block *b;
    while ((b = sorter_take(&l->sorter, until)))
        observe(s, l, b);
}

/* Everything of the lane out; its next record begins in another time. */
static void drain(struct pipeline_stream *s, struct lane *l, enum moment_end why)
{
    release(s, l, INT64_MAX);
    close_lane(s, l, why);
}

/* ---- in ---- */

/* Late and future records have a lane of their own; the second lane follows wherever they lead. */
static int choose_lane(struct pipeline_stream *s, struct record *r, struct lane **ret)
{
    int64_t lateness = s->options.lateness_us;
    if (r->time > r->arrival + lateness)
        r->flags |= RECORD_FUTURE;
    else if (sorter_too_late(&s->lanes[0]->sorter, r->time, lateness))
        r->flags |= RECORD_LATE;
    if (!(r->flags & (RECORD_FUTURE | RECORD_LATE))) {
        *ret = s->lanes[0];
        return 0;
    }
    if (!s->lanes[1]) {
        int rc = lane_new(s, &s->lanes[1]);
        if (rc)
            return rc;
    }
    struct lane *l = s->lanes[1];
    if (sorter_too_late(&l->sorter, r->time, lateness)) {
        drain(s, l, END_GAP);
        sorter_rewind(&l->sorter);
    }
    *ret = l;
    return 0;
}

static int push_one(struct pipeline_stream *s, const struct record *given, int64_t mono)
{
    struct record r = *given;
    struct lane *l;
    struct block *b;
    if (!(r.flags & RECORD_LATE))
        r.flags &= ~(uint32_t)RECORD_FUTURE;
    int rc = choose_lane(s, &r, &l);
    rc = rc ? rc : pool_copy(&s->pool, &r, &b);
    if (rc)
        return rc;
    while (sorter_full(&l->sorter)) {
        struct block *first = sorter_take(&l->sorter, INT64_MAX);
        observe(s, l, first);
    }
    s->stats.records++;
    s->stats.late += (r.flags & RECORD_LATE) != 0;
    s->stats.future += (r.flags & RECORD_FUTURE) != 0;
    l->last_mono = mono;
    sorter_add(&l->sorter, b, mono);
    release(s, l, l->sorter.high - s->options.lateness_us - 1);
    return 0;
}

/* What a callback returned, once. */
static int outcome(struct pipeline_stream *s)
{
    int rc = s->failed;
    s->failed = 0;
    return rc;
}

int pipeline_stream_push(struct pipeline_stream *s, const struct record *records, uint32_t count,
                         uint32_t *ret_taken)
{
    int64_t mono = clock_mono(s->options.clock);
    int rc = 0;
    uint32_t i = 0;
    for (; i < count && rc == 0; i++) {
        rc = push_one(s, &records[i], mono);
        if (rc)
            break;
    }
    if (ret_taken)
        *ret_taken = i;
    int failed = outcome(s);
    return failed ? failed : rc;
}

int pipeline_stream_tick(struct pipeline_stream *s)
{
    int64_t mono = clock_mono(s->options.clock);
    for (int i = 0; i < 2; i++) {
        struct lane *l = s->lanes[i];
        if (!l)
            continue;
        int64_t due = sorter_due(&l->sorter, mono - s->options.lateness_us);
        if (due != TIME_UNKNOWN)
            release(s, l, due);
        if (l->open == 0)
            continue;
        int64_t usual = 4 * segmenter_usual_gap(l->segmenter);
        int64_t silence = usual > s->options.silence_us ? usual : s->options.silence_us;
        if (silence > s->options.max_open_us)
            silence = s->options.max_open_us;
        if (sorter_count(&l->sorter) == 0 && mono - l->last_mono > silence)
            close_lane(s, l, END_GAP);
        else if (mono - l->open_mono > s->options.max_open_us)
            close_lane(s, l, END_LENGTH);
    }
    return outcome(s);
}

int pipeline_stream_flush(struct pipeline_stream *s)
{
    for (int i = 0; i < 2; i++)
        if (s->lanes[i])
            drain(s, s->lanes[i], END_FLUSH);
    return outcome(s);
}

void pipeline_stream_load_set(struct pipeline_stream *s, double fill)
{
    router_load(s->router, (float)fill);
}

void pipeline_stream_stats(const struct pipeline_stream *s, struct pipeline_stats *ret)
{
    *ret = s->stats;
    ret->bytes = sizeof(*s) + s->pool.bytes + s->pool.kept_bytes;
    ret->tau = router_tau(s->router);
    for (int i = 0; i < 2; i++) {
        const struct lane *l = s->lanes[i];
        if (!l)
            continue;
        ret->waiting += sorter_count(&l->sorter);
        ret->open += l->open;
        ret->bytes += sizeof(*l) + mem_size(l->segmenter) + mem_size(l->sorter.items);
    }
}

void pipeline_stream_forget(struct pipeline_stream *s,
                            bool (*knows)(const void *arg, const char *text, size_t size),
                            const void *arg)
{
    if (s->encoder->ops->forget)
        s->encoder->ops->forget(s->encoder, knows, arg);
    summariser_forget(s->summariser, knows, arg);
}

uint64_t pipeline_stream_observed(const struct pipeline_stream *s)
{
    return s->observed;
}

/* The window is empty before and after: what it cuts is known to be a moment already. */
void pipeline_stream_relearn(struct pipeline_stream *s, const struct record *records,
                             uint32_t count)
{
    struct lane *l = s->lanes[0];
    struct segment_cut cut;
    struct route ignored;
    uint64_t before = s->observed;
    uint32_t learnt = 0;
    for (uint32_t i = 0; i < count && i < SEGMENT_WINDOW; i++) {
        struct observation o;
        if (records[i].seq <= before || encoder_observe(s->encoder, &records[i], &o) != 0)
            continue;
        note(&l->notes[i], l->segmenter, &o);
        segmenter_push(l->segmenter, records[i].time, &o, false);
        while (segmenter_cut(l->segmenter, &cut) == SEGMENT_CUT)
            router_route(s->router, cut.latent, &ignored);
        s->observed = records[i].seq > s->observed ? records[i].seq : s->observed;
        learnt++;
    }
    while (segmenter_flush(l->segmenter, END_FLUSH, &cut) == SEGMENT_CUT)
        router_route(s->router, cut.latent, &ignored);
    struct moment m = {.kind = s->options.kind, .records = records, .record_count = count};
    if (learnt == count)
        summariser_sum(s->summariser, l->notes, &m);
}

const struct encoder *pipeline_stream_encoder(const struct pipeline_stream *s)
{
    return s->encoder;
}

/* ---- snapshots ---- */

static void save_place(const struct lane *l, struct buf *out)
{
    segmenter_save_phase(l->segmenter, out);
    buf_put_u64(out, (uint64_t)l->sorter.high);
    buf_put_u64(out, (uint64_t)l->sorter.released);
    buf_put_u64(out, (uint64_t)l->last_time);
}

static int load_place(struct lane *l, struct cursor *in, struct errmsg *err)
{
    int rc = segmenter_load_phase(l->segmenter, in, err);
    int64_t high = (int64_t)cursor_u64(in), released = (int64_t)cursor_u64(in);
    int64_t last = (int64_t)cursor_u64(in);
    if (rc)
        return rc;
    if (in->failed || high > TIME_MAX || released > TIME_MAX || last > TIME_MAX)
        return err_set(err, ERR_CORRUPT, "the stream's snapshot is damaged");
    l->sorter.high = high;
    l->sorter.released = released;
    l->last_time = last;
    return 0;
}

/* Behind the encoder, where programs that know less stop reading: what makes a restart exact. */
static int save_rest(const struct pipeline_stream *s, struct buf *out)
{
    int rc = 0;
    buf_put_u64(out, s->observed);
    buf_put_u8(out, s->lanes[1] ? 2 : 1);
    save_place(s->lanes[0], out);
    if (s->lanes[1]) {
        rc = segmenter_save(s->lanes[1]->segmenter, out);
        save_place(s->lanes[1], out);
    }
    return rc ? rc : summariser_save(s->summariser, out);
}

static int load_rest(struct pipeline_stream *s, struct cursor *in, struct errmsg *err)
{
    uint64_t observed = cursor_u64(in);
    uint8_t lanes = cursor_u8(in);
    int rc = load_place(s->lanes[0], in, err);
    if (rc == 0 && lanes == 2) {
        if (!s->lanes[1] && lane_new(s, &s->lanes[1]) != 0)
            return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        rc = segmenter_load(s->lanes[1]->segmenter, in, err);
        rc = rc ? rc : load_place(s->lanes[1], in, err);
    }
    rc = rc ? rc : summariser_load(s->summariser, in, err);
    if (rc == 0 && (in->failed || in->at != in->size))
        rc = err_set(err, ERR_CORRUPT, "the stream's snapshot ends early or late");
    if (rc == 0)
        s->observed = observed;
    return rc;
}

int pipeline_stream_save(const struct pipeline_stream *s, bool brief, struct buf *out)
{
    struct buf part = {0};
    buf_put_u32(out, STREAM_MAGIC);
    buf_put_u8(out, (uint8_t)s->options.kind);
    int rc = segmenter_save(s->lanes[0]->segmenter, out);
    rc = rc ? rc : router_save(s->router, out);
    rc = rc ? rc : s->encoder->ops->save(s->encoder, brief, &part);
    if (!rc) {
        buf_put_u32(out, s->encoder->ops->version);
        buf_put_varint(out, part.size);
        buf_append(out, part.data, part.size);
        rc = save_rest(s, out);
    }
    buf_deinit(&part);
    return rc ? rc : (buf_failed(out) ? ERR_NOMEM : 0);
}

int pipeline_stream_restore(struct pipeline_stream *s, const void *data, size_t size,
                            struct errmsg *err)
{
    struct cursor in;
    cursor_init(&in, data, size);
    uint32_t magic = cursor_u32(&in);
    if ((magic != STREAM_MAGIC && magic != STREAM_MAGIC_1) || cursor_u8(&in) != s->options.kind)
        return err_set(err, ERR_CORRUPT, "not a snapshot of a stream of this kind");
    int rc = segmenter_load(s->lanes[0]->segmenter, &in, err);
    rc = rc ? rc : router_restore(s->router, &in, err);
    if (rc)
        return rc;
    uint32_t version = cursor_u32(&in);
    struct slice part = cursor_bytes(&in, cursor_varint(&in));
    if (in.failed)
        return err_set(err, ERR_CORRUPT, "the stream's snapshot is cut short");
    if (version != s->encoder->ops->version)
        return err_set(err, ERR_UNSUPPORTED, "the snapshot is of model version %u", version);
    rc = s->encoder->ops->load(s->encoder, part.data, part.size, err);
    if (rc == 0 && magic == STREAM_MAGIC_1)
        s->observed = UINT64_MAX;
    return rc || magic == STREAM_MAGIC_1 ? rc : load_rest(s, &in, err);
}
