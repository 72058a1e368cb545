/* SPDX-License-Identifier: Apache-2.0 */
#include "base/media.h"

#include <string.h>

/* Start of frame: what a JPEG's size stands in. C4, C8 and CC share the range and are others. */
#define MARKER_SOF_BASELINE 0xc0
#define MARKER_SOF_EXTENDED 0xc1
#define MARKER_SOF_PROGRESSIVE 0xc2
#define MARKER_SOI 0xd8
#define MARKER_EOI 0xd9
#define MARKER_SOS 0xda

static int not_jpeg(struct errmsg *err, const char *what)
{
    return err_set(err, ERR_INVALID, "media: %s", what);
}

static bool is_sof(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static int read_sof(struct cursor *c, uint8_t marker, struct media_jpeg *ret, struct errmsg *err)
{
    if (marker > MARKER_SOF_PROGRESSIVE)
        return not_jpeg(err, "a JPEG, but neither baseline nor progressive");
    uint8_t bits = cursor_u8(c);
    uint32_t side[2];
    for (int i = 0; i < 2; i++) {
        side[i] = (uint32_t)cursor_u8(c) << 8;
        side[i] |= cursor_u8(c);
    }
    uint8_t components = cursor_u8(c);
    if (c->failed)
        return not_jpeg(err, "the JPEG ends in its header");
    if (bits != 8)
        return not_jpeg(err, "a JPEG of other than 8 bits a component");
    *ret = (struct media_jpeg){.width = side[1],
                               .height = side[0],
                               .components = components,
                               .progressive = marker == MARKER_SOF_PROGRESSIVE};
    return 0;
}

int media_jpeg_header(struct slice jpeg, struct media_jpeg *ret, struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, jpeg.data, jpeg.size);
    if (!media_is_jpeg(jpeg))
        return not_jpeg(err, "not a JPEG");
    cursor_bytes(&c, 2);
    while (!c.failed) {
        if (cursor_u8(&c) != 0xff)
            return not_jpeg(err, c.failed ? "the JPEG ends in its header"
                                          : "the JPEG's header is damaged");
        uint8_t marker = cursor_u8(&c);
        while (marker == 0xff) /* fill bytes */
            marker = cursor_u8(&c);
        if (marker == MARKER_SOS || marker == MARKER_EOI || marker == MARKER_SOI || marker == 0)
            return not_jpeg(err, "the JPEG's header names no size");
        uint32_t size = (uint32_t)cursor_u8(&c) << 8;
        size |= cursor_u8(&c);
        if (is_sof(marker))
            return read_sof(&c, marker, ret, err);
        cursor_bytes(&c, size < 2 ? SIZE_MAX : size - 2);
    }
    return not_jpeg(err, "the JPEG ends in its header");
}

bool media_is_jpeg(struct slice payload)
{
    return payload.size >= 3 && memcmp(payload.data, "\xff\xd8\xff", 3) == 0;
}

static int check_frame(struct slice payload, struct errmsg *err)
{
    struct media_jpeg head;
    if (payload.size > RECORD_SIZE_MAX)
        return err_set(err, ERR_INVALID, "media: longer than %u bytes", RECORD_SIZE_MAX);
    int r = media_jpeg_header(payload, &head, err);
    if (r)
        return r;
    if (head.width < VIDEO_SIDE_MIN || head.width > VIDEO_SIDE_MAX ||
        head.height < VIDEO_SIDE_MIN || head.height > VIDEO_SIDE_MAX)
        return err_set(err, ERR_INVALID,
                       "media: a picture of %ux%u, each side must have %d to %d pixels", head.width,
                       head.height, VIDEO_SIDE_MIN, VIDEO_SIDE_MAX);
    if (head.components != 1 && head.components != 3)
        return err_set(err, ERR_INVALID, "media: a JPEG of %u components, not 1 or 3",
                       head.components);
    return 0;
}

int media_check(enum stream_kind kind, struct slice payload, struct errmsg *err)
{
    if (kind == KIND_VIDEO)
        return check_frame(payload, err);
    if (payload.size == 0 || payload.size % 2 || payload.size > 2 * AUDIO_RECORD_SAMPLES_MAX)
        return err_set(err, ERR_INVALID,
                       "media: %zu bytes, where 1 to %d samples of 2 bytes must be", payload.size,
                       AUDIO_RECORD_SAMPLES_MAX);
    return 0;
}
