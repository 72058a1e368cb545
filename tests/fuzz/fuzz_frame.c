/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as frames of an ingest channel, read as the daemon and as the client does. What was
 * decoded is written and read again and must be the same.
 */
#include <assert.h>
#include <string.h>

#include "ipc/frame.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static uint32_t bad;

static void on_bad(void *arg, uint32_t index, const char *text)
{
    assert(*text);
    bad++;
}

static void check_again(enum stream_kind kind, const struct record *records, uint32_t count)
{
    struct arena arena;
    struct buf out = {0};
    struct frame f;
    struct record *again;
    uint32_t n, total;
    arena_init(&arena, 4096);
    frame_put_records(&out, kind, records, count);
    assert(frame_next(out.data, out.size, out.size, &f, NULL) == 0 && f.size == out.size);
    assert(frame_get_records(f.body, kind, &arena, NULL, NULL, &again, &n, &total, NULL) == 0);
    assert(n == count && total == count);
    for (uint32_t i = 0; i < n; i++) {
        assert(record_hash(&records[i]) == record_hash(&again[i]));
        assert(records[i].seq == again[i].seq && records[i].flags == again[i].flags);
    }
    buf_deinit(&out);
    arena_deinit(&arena);
}

static void read_records(struct slice body, enum stream_kind kind)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct record *records;
    uint32_t count, total;
    bad = 0;
    if (frame_get_records(body, kind, &arena, on_bad, NULL, &records, &count, &total, NULL) == 0) {
        assert(count + bad == total);
        check_again(kind, records, count);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct frame f;
    struct errmsg err;
    size_t at = 0;
    while (at <= size && frame_next(data + at, size - at, 1 << 20, &f, &err) == 0) {
        struct arena arena;
        struct frame_channel *channels;
        struct frame_error e;
        uint64_t a, b;
        uint32_t count;
        arena_init(&arena, 4096);
        read_records(f.body, KIND_TEXT);
        read_records(f.body, KIND_SENSOR);
        read_records(f.body, KIND_AUDIO);
        read_records(f.body, KIND_VIDEO);
        frame_get_channels(f.body, &arena, &channels, &count, &err);
        frame_get_hello(f.body, &a, &b);
        frame_get_ack(f.body, &a, &b);
        frame_get_error(f.body, &e);
        arena_deinit(&arena);
        at += f.size;
    }
    return 0;
}
