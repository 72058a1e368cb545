/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout: RIFF('AVI ' LIST('hdrl' avih LIST('strl' strh strf)) LIST('movi' 00dc…) idx1). AVI knows
 * only a steady rate: a frame's time is its place. The rate is that of the usual distance of two
 * pictures; where the next one is later, chunks without data stand for "as before". Sizes: a moment
 * is at most some MiB, so all offsets fit 32 bits.
 */
#include "memory/avi.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/media.h"

#define PERIOD_LEAST 1000    /* µs; closer pictures share a rate of 1000 a second */
#define PERIOD_MOST 60000000 /* µs */
#define SLOTS_MAX 16         /* for each picture; a file of longer pauses shows them shorter */
#define AVIF_HASINDEX 0x10
#define AVIIF_KEYFRAME 0x10

static size_t begin_chunk(struct buf *out, const char *name)
{
    buf_append(out, name, 4);
    buf_put_u32(out, 0);
    return out->size;
}

static void end_chunk(struct buf *out, size_t at)
{
    if (buf_failed(out))
        return;
    uint32_t size = (uint32_t)(out->size - at);
    for (unsigned i = 0; i < 4; i++)
        out->data[at - 4 + i] = (char)(size >> (8 * i));
    if (size % 2)
        buf_putc(out, '\0');
}

static size_t begin_list(struct buf *out, const char *name, const char *type)
{
    size_t at = begin_chunk(out, name);
    buf_append(out, type, 4);
    return at;
}

static void put_numbers(struct buf *out, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_put_u32(out, numbers[i]);
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The usual distance of two pictures, microseconds. */
static int64_t usual_period(const struct record *records, uint32_t count)
{
    int64_t gaps[MOMENT_RECORDS];
    uint32_t n = 0;
    for (uint32_t i = 1; i < count && n < MOMENT_RECORDS; i++)
        gaps[n++] = records[i].time - records[i - 1].time;
    qsort(gaps, n, sizeof(*gaps), compare_times);
    int64_t period = n ? gaps[n / 2] : US_PER_SECOND;
    return period < PERIOD_LEAST ? PERIOD_LEAST : period > PERIOD_MOST ? PERIOD_MOST : period;
}

/* How many frames the picture is shown: until the next one. */
static uint32_t slots_of(const struct record *records, uint32_t count, uint32_t i, int64_t period)
{
    if (i + 1 == count)
        return 1;
    int64_t from = (records[i].time - records[0].time + period / 2) / period;
    int64_t to = (records[i + 1].time - records[0].time + period / 2) / period;
    return to - from < 1 ? 1 : to - from > SLOTS_MAX ? SLOTS_MAX : (uint32_t)(to - from);
}

static void put_headers(struct buf *out, const struct media_jpeg *head, int64_t period,
                        uint32_t frames, uint32_t largest)
{
    size_t hdrl = begin_list(out, "LIST", "hdrl");
    size_t at = begin_chunk(out, "avih");
    uint64_t rate = (uint64_t)largest * US_PER_SECOND / (uint64_t)period;
    put_numbers(out,
                (uint32_t[]){(uint32_t)period, rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate, 0,
                             AVIF_HASINDEX, frames, 0, 1, largest, head->width, head->height, 0, 0,
                             0, 0},
                14);
    end_chunk(out, at);
    size_t strl = begin_list(out, "LIST", "strl");
    at = begin_chunk(out, "strh");
    buf_append(out, "vidsMJPG", 8);
    put_numbers(out,
                (uint32_t[]){0, 0, 0, (uint32_t)period, US_PER_SECOND, 0, frames, largest,
                             UINT32_MAX, 0, 0, head->height << 16 | head->width},
                12);
    end_chunk(out, at);
    at = begin_chunk(out, "strf"); /* BITMAPINFOHEADER */
    put_numbers(out, (uint32_t[]){40, head->width, head->height, 24 << 16 | 1}, 4);
    buf_append(out, "MJPG", 4);
    put_numbers(out, (uint32_t[]){head->width * head->height * 3, 0, 0, 0, 0}, 5);
    end_chunk(out, at);
    end_chunk(out, strl);
    end_chunk(out, hdrl);
}

static void put_frame(struct buf *out, struct buf *index, size_t movi, struct slice jpeg)
{
    buf_append(index, "00dc", 4);
    buf_put_u32(index, AVIIF_KEYFRAME);
    buf_put_u32(index, (uint32_t)(out->size - movi));
    buf_put_u32(index, (uint32_t)jpeg.size);
    size_t at = begin_chunk(out, "00dc");
    buf_append(out, jpeg.data, jpeg.size);
    end_chunk(out, at);
}

void avi_put(struct buf *out, const struct record *records, uint32_t count)
{
    struct media_jpeg head = {0};
    struct buf index = {0};
    int64_t period = usual_period(records, count);
    uint32_t frames = 0, largest = 0;
    media_jpeg_header(records[0].media, &head, NULL);
    for (uint32_t i = 0; i < count; i++) {
        frames += slots_of(records, count, i, period);
        largest = records[i].media.size > largest ? (uint32_t)records[i].media.size : largest;
    }
    size_t riff = begin_list(out, "RIFF", "AVI ");
    put_headers(out, &head, period, frames, largest);
    size_t movi = begin_list(out, "LIST", "movi");
    for (uint32_t i = 0; i < count; i++) {
        put_frame(out, &index, movi, records[i].media);
        for (uint32_t k = slots_of(records, count, i, period); k > 1; k--)
            put_frame(out, &index, movi, (struct slice){"", 0});
    }
    end_chunk(out, movi);
    size_t at = begin_chunk(out, "idx1");
    buf_append(out, index.data, index.size);
    if (buf_failed(&index))
        out->failed = true;
    end_chunk(out, at);
    end_chunk(out, riff);
    buf_deinit(&index);
}
