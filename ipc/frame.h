/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an ingest channel: u32 length (little endian, of what follows), u8 type, body. Pure
 * functions over bytes that are not trusted; any thread.
 *
 * client to daemon                                daemon to client
 *   CHANNELS  count, {u16 index, name}              HELLO    credits, next_seq
 *   RECORDS   count, {record}                       ACK      seq, credits
 *   FLUSH                                           FLUSHED
 *   CLOSE                                           CLOSED
 *                                                   ERROR    number, i32 code, name, text
 *
 * An error's number is that of the record among all that came on this channel, from 1; 0 is about
 * the channel as a whole.
 *
 * Credits are bytes of whole frames (length field included) that hold RECORDS: a client may have at
 * most that many under way, but one frame always; an ACK gives them back when the records are
 * durable.
 */
#ifndef VARVE_IPC_FRAME_H
#define VARVE_IPC_FRAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"

#define FRAME_HEADER 5                 /* length and type */
#define FRAME_RECORDS_MAX 4096         /* records in one frame */
#define FRAME_SAMPLES_MAX CHANNELS_MAX /* samples in one record */
#define FRAME_CREDITS (1u << 20)       /* what a channel starts with */

enum frame_type {
    FRAME_RECORDS = 1,
    FRAME_CHANNELS = 2,
    FRAME_FLUSH = 3,
    FRAME_CLOSE = 4,
    FRAME_HELLO = 16,
    FRAME_ACK = 17,
    FRAME_FLUSHED = 18,
    FRAME_CLOSED = 19,
    FRAME_ERROR = 20,
};

struct frame {
    enum frame_type type;
    struct slice body;
    size_t size; /* of the whole frame */
};

#define FRAME_MORE 1

/*
 * The first frame of data[0..size): 0 and *ret, or FRAME_MORE when it is not whole yet (ret->size
 * is then its size, or 0 while the header is not whole). ERR_LIMIT when longer than max, ERR_PARSE
 * when the length is 0.
 */
int frame_next(const void *data, size_t size, size_t max, struct frame *ret, struct errmsg *err);

/* One channel name of a CHANNELS frame; the wire index is the client's own numbering. */
struct frame_channel {
    uint16_t index;
    struct slice name;
};

struct frame_error {
    uint64_t number;   /* of the record on this channel, from 1; 0: the channel */
    int code;          /* base/error.h */
    struct slice name; /* "conflict", "seq_conflict" */
    struct slice text;
};

/* Each appends one whole frame. buf_failed says when memory was out. */
void frame_put_records(struct buf *out, enum stream_kind kind, const struct record *records,
                       uint32_t count);
void frame_put_channels(struct buf *out, const struct frame_channel *channels, uint32_t count);
void frame_put_empty(struct buf *out, enum frame_type type);
void frame_put_hello(struct buf *out, uint64_t credits, uint64_t next_seq);
void frame_put_ack(struct buf *out, uint64_t seq, uint64_t credits);
void frame_put_error(struct buf *out, const struct frame_error *e);

/*
 * Decoders. Slices point into the body; arrays live in the arena. ERR_PARSE or ERR_LIMIT: the frame
 * is malformed and nothing of it can be used.
 *
 * A record whose structure is whole but whose content is not (text that is not UTF-8, a value that
 * is not finite, a time outside 1970 to 2200, …) is told to `bad`, which may be NULL, and left out.
 * Of the others `tag` is the index in the frame; without a time of its own a record has
 * RECORD_NO_TIME and time 0; seq 0 asks for a number; arrival is 0; no other flag can come from a
 * client.
 */
int frame_get_records(struct slice body, enum stream_kind kind, struct arena *arena,
                      void (*bad)(void *arg, uint32_t index, const char *text), void *arg,
                      struct record **ret_records, uint32_t *ret_count, uint32_t *ret_total,
                      struct errmsg *err);
/* 0, or ERR_INVALID with what is wrong: what the decoder would tell `bad`. */
int frame_check_record(enum stream_kind kind, const struct record *r, struct errmsg *err);
int frame_get_channels(struct slice body, struct arena *arena, struct frame_channel **ret_channels,
                       uint32_t *ret_count, struct errmsg *err);
int frame_get_hello(struct slice body, uint64_t *ret_credits, uint64_t *ret_next_seq);
int frame_get_ack(struct slice body, uint64_t *ret_seq, uint64_t *ret_credits);
int frame_get_error(struct slice body, struct frame_error *ret);

#endif
