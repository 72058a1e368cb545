/* SPDX-License-Identifier: Apache-2.0 */
#include "base/record.h"

#include <string.h>
#include <xxhash.h>

#include "base/error.h"

static const char *const kind_names[] = {NULL, "text", "sensor", "audio", "video"};

const char *stream_kind_name(enum stream_kind kind)
{
    if (kind < KIND_TEXT || kind > KIND_VIDEO)
        return NULL;
    return kind_names[kind];
}

int stream_kind_parse(const char *name, enum stream_kind *ret_kind)
{
    for (int k = KIND_TEXT; k <= KIND_VIDEO; k++) {
        if (strcmp(name, kind_names[k]) == 0) {
            *ret_kind = (enum stream_kind)k;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

uint64_t record_hash(const struct record *r)
{
    int64_t time = r->flags & RECORD_NO_TIME ? 0 : r->time;
    uint64_t h = XXH3_64bits_withSeed(r->ref.data ? r->ref.data : "", r->ref.size, (uint64_t)time);
    if (r->samples) {
        for (uint32_t i = 0; i < r->sample_count; i++) {
            char bytes[10];
            memcpy(bytes, &r->samples[i].channel, 2);
            memcpy(bytes + 2, &r->samples[i].value, 8);
            h = XXH3_64bits_withSeed(bytes, sizeof(bytes), h);
        }
        return h;
    }
    const struct slice *payload = r->media.size ? &r->media : &r->text;
    return XXH3_64bits_withSeed(payload->data ? payload->data : "", payload->size, h);
}

size_t record_payload_size(const struct record *r)
{
    return r->samples ? (size_t)r->sample_count * 10 : r->text.size + r->media.size;
}
