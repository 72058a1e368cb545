/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is: u8 what follows (HAS_*), then as far as it has them varint seq, svarint time, varint
 * length and ref; then varint length and text or media, or varint count and samples of u16 channel
 * and f64. A frame holds a few hundred records, 64 KiB is typical.
 *
 * Every count is compared with the bytes that are left before anything is allocated for it, so a
 * frame costs memory in proportion to its own size.
 */
#include "ipc/frame.h"

#include <math.h>
#include <string.h>

#include "base/media.h"
#include "base/utf8.h"

enum { HAS_SEQ = 1, HAS_TIME = 2, HAS_REF = 4, HAS_ALL = 7 };

#define SAMPLE_SIZE 10

/* ---- writing --------------------------------------------------------------------------------- */

/* Returns where the frame's length goes once its body is known. */
static size_t begin_frame(struct buf *out, enum frame_type type)
{
    size_t at = out->size;
    buf_put_u32(out, 0);
    buf_put_u8(out, (uint8_t)type);
    return at;
}

static void end_frame(struct buf *out, size_t at)
{
    if (buf_failed(out))
        return;
    uint32_t length = (uint32_t)(out->size - at - 4);
    for (unsigned i = 0; i < 4; i++)
        out->data[at + i] = (char)(length >> (8 * i));
}

static void put_bytes(struct buf *out, struct slice s)
{
    buf_put_varint(out, s.size);
    buf_append(out, s.data, s.size);
}

static void put_record(struct buf *out, enum stream_kind kind, const struct record *r)
{
    bool timed = !(r->flags & RECORD_NO_TIME);
    buf_put_u8(out, (uint8_t)((r->seq ? HAS_SEQ : 0) | (timed ? HAS_TIME : 0) |
                              (r->ref.size ? HAS_REF : 0)));
    if (r->seq)
        buf_put_varint(out, r->seq);
    if (timed)
        buf_put_svarint(out, r->time);
    if (r->ref.size)
        put_bytes(out, r->ref);
    if (kind == KIND_TEXT) {
        put_bytes(out, r->text);
        return;
    }
    if (kind != KIND_SENSOR) {
        put_bytes(out, r->media);
        return;
    }
    buf_put_varint(out, r->sample_count);
    for (uint32_t i = 0; i < r->sample_count; i++) {
        buf_put_u16(out, r->samples[i].channel);
        buf_put_f64(out, r->samples[i].value);
    }
}

void frame_put_records(struct buf *out, enum stream_kind kind, const struct record *records,
                       uint32_t count)
{
    size_t at = begin_frame(out, FRAME_RECORDS);
    buf_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_record(out, kind, &records[i]);
    end_frame(out, at);
}

void frame_put_channels(struct buf *out, const struct frame_channel *channels, uint32_t count)
{
    size_t at = begin_frame(out, FRAME_CHANNELS);
    buf_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        buf_put_u16(out, channels[i].index);
        put_bytes(out, channels[i].name);
    }
    end_frame(out, at);
}

void frame_put_empty(struct buf *out, enum frame_type type)
{
    end_frame(out, begin_frame(out, type));
}

static void put_pair(struct buf *out, enum frame_type type, uint64_t a, uint64_t b)
{
    size_t at = begin_frame(out, type);
    buf_put_varint(out, a);
    buf_put_varint(out, b);
    end_frame(out, at);
}

void frame_put_hello(struct buf *out, uint64_t credits, uint64_t next_seq)
{
    put_pair(out, FRAME_HELLO, credits, next_seq);
}

void frame_put_ack(struct buf *out, uint64_t seq, uint64_t credits)
{
    put_pair(out, FRAME_ACK, seq, credits);
}

void frame_put_error(struct buf *out, const struct frame_error *e)
{
    size_t at = begin_frame(out, FRAME_ERROR);
    buf_put_varint(out, e->number);
    buf_put_u32(out, (uint32_t)e->code);
    put_bytes(out, e->name);
    put_bytes(out, e->text);
    end_frame(out, at);
}

/* ---- reading --------------------------------------------------------------------------------- */

int frame_next(const void *data, size_t size, size_t max, struct frame *ret, struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, data, size);
    uint32_t length = cursor_u32(&c);
    ret->size = 0;
    if (c.failed)
        return FRAME_MORE;
    if (length == 0)
        return err_set(err, ERR_PARSE, "a frame of length 0");
    if (length > max)
        return err_set(err, ERR_LIMIT, "a frame of %u bytes, at most %zu are allowed", length, max);
    ret->size = (size_t)length + 4;
    ret->type = (enum frame_type)cursor_u8(&c);
    ret->body = cursor_bytes(&c, length - 1);
    return c.failed ? FRAME_MORE : 0;
}

static struct slice get_bytes(struct cursor *c)
{
    uint64_t size = cursor_varint(c);
    return cursor_bytes(c, size > c->size ? SIZE_MAX : (size_t)size);
}

static bool clean_text(struct slice s)
{
    return utf8_valid(s.data, s.size, NULL) && !memchr(s.data, '\0', s.size);
}

int frame_check_record(enum stream_kind kind, const struct record *r, struct errmsg *err)
{
    if (r->seq > SEQ_MAX)
        return err_set(err, ERR_INVALID, "seq: above %llu", (unsigned long long)SEQ_MAX);
    if (!(r->flags & RECORD_NO_TIME) && (r->time < TIME_MIN || r->time > TIME_MAX))
        return err_set(err, ERR_INVALID, "time: not between 1970 and 2200");
    if (r->ref.size > RECORD_REF_MAX)
        return err_set(err, ERR_INVALID, "ref: longer than %d bytes", RECORD_REF_MAX);
    if (r->ref.size > 0 && !clean_text(r->ref))
        return err_set(err, ERR_INVALID, "ref: not UTF-8, or a NUL in it");
    if (kind == KIND_TEXT) {
        if (r->text.size > RECORD_SIZE_MAX)
            return err_set(err, ERR_INVALID, "text: longer than %u bytes", RECORD_SIZE_MAX);
        if (r->text.size > 0 && !clean_text(r->text))
            return err_set(err, ERR_INVALID, "text: not UTF-8, or a NUL in it");
        return 0;
    }
    if (kind != KIND_SENSOR)
        return media_check(kind, r->media, err);
    if (r->sample_count > FRAME_SAMPLES_MAX)
        return err_set(err, ERR_INVALID, "values: more than %d", FRAME_SAMPLES_MAX);
    for (uint32_t i = 0; i < r->sample_count; i++) {
        if (r->samples[i].channel >= CHANNELS_MAX)
            return err_set(err, ERR_INVALID, "values: no channel %u", r->samples[i].channel);
        if (!isfinite(r->samples[i].value))
            return err_set(err, ERR_INVALID, "values: channel %u is not finite",
                           r->samples[i].channel);
    }
    return 0;
}

/* False when the frame is cut or memory is out (then *ret_nomem). */
static bool get_record(struct cursor *c, enum stream_kind kind, struct arena *arena,
                       struct record *ret, bool *ret_nomem)
{
    *ret = (struct record){0};
    uint8_t has = cursor_u8(c);
    if (has & ~HAS_ALL)
        return false;
    if (has & HAS_SEQ)
        ret->seq = cursor_varint(c);
    if (has & HAS_TIME)
        ret->time = cursor_svarint(c);
    else
        ret->flags = RECORD_NO_TIME;
    if (has & HAS_REF)
        ret->ref = get_bytes(c);
    if (kind == KIND_TEXT) {
        ret->text = get_bytes(c);
        return !c->failed;
    }
    if (kind != KIND_SENSOR) {
        ret->media = get_bytes(c);
        return !c->failed;
    }
    uint64_t count = cursor_varint(c);
    if (c->failed || count > cursor_left(c) / SAMPLE_SIZE)
        return false;
    struct sample *samples = arena_alloc(arena, count * sizeof(*samples));
    if (!samples) {
        *ret_nomem = true;
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        samples[i].channel = cursor_u16(c);
        samples[i].value = cursor_f64(c);
    }
    ret->samples = samples;
    ret->sample_count = (uint32_t)count;
    return !c->failed;
}

/* The count at a frame's start; each member takes at least `least` bytes. */
static int get_count(struct cursor *c, size_t least, uint32_t max, uint32_t *ret,
                     struct errmsg *err)
{
    uint64_t count = cursor_varint(c);
    if (count > max)
        return err_set(err, ERR_LIMIT, "more than %u in one frame", max);
    if (c->failed || count > cursor_left(c) / least)
        return err_set(err, ERR_PARSE, "the frame is shorter than its count says");
    *ret = (uint32_t)count;
    return 0;
}

static int check_left(const struct cursor *c, struct errmsg *err)
{
    return cursor_left(c) == 0 ? 0 : err_set(err, ERR_PARSE, "bytes behind the last member");
}

int frame_get_records(struct slice body, enum stream_kind kind, struct arena *arena,
                      void (*bad)(void *arg, uint32_t index, const char *text), void *arg,
                      struct record **ret_records, uint32_t *ret_count, uint32_t *ret_total,
                      struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    uint32_t total = 0, count = 0;
    int r = get_count(&c, 2, FRAME_RECORDS_MAX, &total, err);
    if (r < 0)
        return r;
    struct record *records = arena_alloc(arena, total * sizeof(*records));
    if (!records)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < total; i++) {
        bool nomem = false;
        struct record *record = &records[count];
        if (!get_record(&c, kind, arena, record, &nomem))
            return nomem ? err_set(err, ERR_NOMEM, "out of memory")
                         : err_set(err, ERR_PARSE, "record %u of the frame is malformed", i + 1);
        struct errmsg what;
        if (frame_check_record(kind, record, &what) == 0) {
            record->tag = i;
            count++;
        } else if (bad) {
            bad(arg, i, what.text);
        }
    }
    r = check_left(&c, err);
    if (r < 0)
        return r;
    *ret_records = records;
    *ret_count = count;
    *ret_total = total;
    return 0;
}

int frame_get_channels(struct slice body, struct arena *arena, struct frame_channel **ret_channels,
                       uint32_t *ret_count, struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    uint32_t count = 0;
    int r = get_count(&c, 3, CHANNELS_MAX, &count, err);
    if (r < 0)
        return r;
    struct frame_channel *channels = arena_alloc(arena, count * sizeof(*channels));
    if (!channels)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        channels[i].index = cursor_u16(&c);
        channels[i].name = get_bytes(&c);
        if (c.failed)
            return err_set(err, ERR_PARSE, "channel %u of the frame is malformed", i + 1);
        if (channels[i].index >= CHANNELS_MAX)
            return err_set(err, ERR_LIMIT, "channel %u: at most %d channels", channels[i].index,
                           CHANNELS_MAX);
        size_t size = channels[i].name.size;
        if (size == 0 || size > CHANNEL_NAME_MAX || !clean_text(channels[i].name))
            return err_set(err, ERR_PARSE, "channel %u: a name has 1 to %d bytes of UTF-8",
                           channels[i].index, CHANNEL_NAME_MAX);
    }
    r = check_left(&c, err);
    if (r < 0)
        return r;
    *ret_channels = channels;
    *ret_count = count;
    return 0;
}

static int get_pair(struct slice body, uint64_t *ret_a, uint64_t *ret_b)
{
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    uint64_t a = cursor_varint(&c), b = cursor_varint(&c);
    if (c.failed || cursor_left(&c) > 0)
        return ERR_PARSE;
    *ret_a = a;
    *ret_b = b;
    return 0;
}

int frame_get_hello(struct slice body, uint64_t *ret_credits, uint64_t *ret_next_seq)
{
    return get_pair(body, ret_credits, ret_next_seq);
}

int frame_get_ack(struct slice body, uint64_t *ret_seq, uint64_t *ret_credits)
{
    return get_pair(body, ret_seq, ret_credits);
}

int frame_get_error(struct slice body, struct frame_error *ret)
{
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    struct frame_error e;
    e.number = cursor_varint(&c);
    e.code = (int)(int32_t)cursor_u32(&c);
    e.name = get_bytes(&c);
    e.text = get_bytes(&c);
    if (c.failed || cursor_left(&c) > 0)
        return ERR_PARSE;
    *ret = e;
    return 0;
}
