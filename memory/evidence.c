/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding: records ▸ columns in the thread's body buffer ▸ XXH3-128 ▸ one zstd frame behind the
 * header. Sound and pictures are the body's last column: the sound of a moment becomes FLAC behind
 * the other columns, which are few bytes. zstd takes 2 to 10 % off a moving scene's JPEGs and
 * nearly everything off those of a still one. Decoding trusts nothing: the header's bounds first,
 * then the hash over the whole body, then every count and size against what is left, every time,
 * text, value and payload against base/record.h. Sizes: a moment of 256 log lines is 20 to 40 KiB
 * of body and a tenth of it as a frame; two minutes of sound are 4 MB and about half of it.
 */
#include "memory/evidence.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/media.h"
#include "base/utf8.h"
#include "memory/flac.h"
#include "memory/thread.h"

enum column {
    COLUMN_FLAGS = 1,
    COLUMN_REFS = 2,
    COLUMN_TEXTS = 4,
    COLUMN_SAMPLES = 8,
    COLUMN_MEDIA = 16,
    COLUMNS = 31,
};
enum body { BODY_PLAIN = 0, BODY_ZSTD = 1, BODY_FLAC = 2 };

#define BODY_KEPT (1u << 20) /* by a thread, for the next one */
#define LEVEL_TRANSIENT 1    /* the journal's: sound is not packed for some seconds */

static int columns_of(const struct record *records, uint32_t count)
{
    int columns = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct record *r = &records[i];
        columns |= (r->flags ? COLUMN_FLAGS : 0) | (r->ref.size ? COLUMN_REFS : 0) |
                   (r->text.size ? COLUMN_TEXTS : 0) | (r->samples ? COLUMN_SAMPLES : 0) |
                   (r->media.size ? COLUMN_MEDIA : 0);
    }
    return columns;
}

/* a - b modulo 2^64, as zigzag wants it. */
static int64_t delta(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b);
}

static void put_numbers(struct buf *b, const struct record *records, uint32_t count, int columns)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < count; before = records[i++].seq)
        buf_put_svarint(b, delta(records[i].seq, before));
    before = 0;
    for (uint32_t i = 0; i < count; before = (uint64_t)records[i++].time)
        buf_put_svarint(b, delta((uint64_t)records[i].time, before));
    before = 0;
    for (uint32_t i = 0; i < count; before = (uint64_t)records[i++].arrival)
        buf_put_svarint(b, delta((uint64_t)records[i].arrival, before));
    for (uint32_t i = 0; i < count && columns & COLUMN_FLAGS; i++)
        buf_put_varint(b, records[i].flags);
}

static void put_bytes(struct buf *b, const struct record *records, uint32_t count, size_t offset)
{
    for (uint32_t i = 0; i < count; i++)
        buf_put_varint(b, ((const struct slice *)((const char *)&records[i] + offset))->size);
    for (uint32_t i = 0; i < count; i++) {
        const struct slice *s = (const struct slice *)((const char *)&records[i] + offset);
        buf_append(b, s->data, s->size);
    }
}

static bool same_channels(const struct record *a, const struct record *b)
{
    if (a->sample_count != b->sample_count)
        return false;
    for (uint32_t i = 0; i < a->sample_count; i++)
        if (a->samples[i].channel != b->samples[i].channel)
            return false;
    return true;
}

/*
 * Gives every sample its place in the order by channel: after this, `next[c]` is the place of the
 * first sample of channel c; whoever walks the records in order takes next[c]++.
 */
static size_t place_samples(const struct record *records, uint32_t count, size_t *next)
{
    size_t total = 0;
    memset(next, 0, (CHANNELS_MAX + 1) * sizeof(*next));
    for (uint32_t i = 0; i < count; i++) {
        total += records[i].sample_count;
        for (uint32_t k = 0; k < records[i].sample_count; k++)
            next[records[i].samples[k].channel + 1]++;
    }
    for (uint32_t c = 1; c <= CHANNELS_MAX; c++)
        next[c] += next[c - 1];
    return total;
}

static int put_values(struct buf *b, struct buf *scratch, const struct record *records,
                      uint32_t count)
{
    size_t next[CHANNELS_MAX + 1];
    size_t total = place_samples(records, count, next);
    buf_clear(scratch);
    if (buf_reserve(scratch, total * sizeof(uint64_t)) || buf_reserve(b, total * 8))
        return ERR_NOMEM;
    uint64_t *bits = (uint64_t *)(void *)scratch->data;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < records[i].sample_count; k++)
            memcpy(&bits[next[records[i].samples[k].channel]++], &records[i].samples[k].value, 8);
    /* next[c] is now the end of channel c. */
    unsigned char *planes = (unsigned char *)b->data + b->size;
    uint32_t c = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < total; i++) {
        if (i == next[c]) {
            before = 0;
            while (i == next[c])
                c++;
        }
        uint64_t x = bits[i] ^ before;
        before = bits[i];
        for (int p = 0; p < 8; p++)
            planes[(size_t)p * total + i] = (unsigned char)(x >> (56 - 8 * p));
    }
    b->size += total * 8;
    return 0;
}

static int put_samples(struct buf *b, struct buf *scratch, const struct record *records,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct record *r = &records[i];
        if (i > 0 && same_channels(r, r - 1)) {
            buf_put_varint(b, 0);
            continue;
        }
        buf_put_varint(b, 1 + (uint64_t)r->sample_count);
        for (uint32_t k = 0; k < r->sample_count; k++) {
            if (r->samples[k].channel >= CHANNELS_MAX)
                return ERR_RANGE;
            buf_put_varint(b, r->samples[k].channel);
        }
    }
    return put_values(b, scratch, records, count);
}

/* Also takes the sticky failure away. */
static void drop_body(struct buf *b)
{
    buf_deinit(b);
    *b = (struct buf){0};
}

static int make_body(struct thread_state *t, const struct record *records, uint32_t count)
{
    struct buf *b = &t->body;
    int columns = columns_of(records, count);
    buf_clear(b);
    buf_put_u8(b, (uint8_t)columns);
    put_numbers(b, records, count, columns);
    if (columns & COLUMN_REFS)
        put_bytes(b, records, count, offsetof(struct record, ref));
    if (columns & COLUMN_TEXTS)
        put_bytes(b, records, count, offsetof(struct record, text));
    int r = columns & COLUMN_SAMPLES ? put_samples(b, &t->scratch, records, count) : 0;
    if (columns & COLUMN_MEDIA)
        put_bytes(b, records, count, offsetof(struct record, media));
    if (buf_failed(b) || r == ERR_NOMEM) {
        drop_body(b);
        return ERR_NOMEM;
    }
    return r ? r : b->size > EVIDENCE_BODY_MAX ? ERR_LIMIT : 0;
}

/* What a body of these records is packed as, and how much of its end is sound. */
static enum body choose_body(const struct record *records, uint32_t count, int level,
                             size_t *ret_sound)
{
    size_t sound = 0;
    bool other = false;
    for (uint32_t i = 0; i < count; i++) {
        sound += records[i].media.size;
        other |= records[i].media.size % 2 || media_is_jpeg(records[i].media);
    }
    *ret_sound = sound;
    if (sound == 0 || other)
        return BODY_ZSTD;
    return level <= LEVEL_TRANSIENT ? BODY_PLAIN : BODY_FLAC;
}

static int put_zstd(struct thread_state *t, int level, struct buf *out)
{
    size_t bound = ZSTD_compressBound(t->body.size);
    if (buf_reserve(out, bound))
        return ERR_NOMEM;
    size_t packed = ZSTD_compressCCtx(t->compress, out->data + out->size, bound, t->body.data,
                                      t->body.size, level);
    if (ZSTD_isError(packed))
        return ERR_NOMEM; /* with room for the bound, memory is all that can be missing */
    out->size += packed;
    return 0;
}

static int put_flac(const struct buf *body, size_t sound, struct buf *out)
{
    size_t head = body->size - sound;
    buf_put_varint(out, head);
    buf_append(out, body->data, head);
    return flac_encode(body->data + head, sound, out);
}

/* The header and the body of the thread, packed. */
static int put_block(struct thread_state *t, const struct record *records, uint32_t count,
                     int level, struct buf *out)
{
    size_t at = out->size, size = t->body.size, sound = 0;
    enum body as = choose_body(records, count, level, &sound);
    if (buf_reserve(out, EVIDENCE_HEADER + size))
        return ERR_NOMEM;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(t->body.data, size));
    buf_append(out, "vE\1", 3);
    buf_put_u8(out, (uint8_t)as);
    buf_put_u32(out, count);
    buf_put_u32(out, (uint32_t)size);
    buf_append(out, hash.digest, sizeof(hash.digest));
    int r = as == BODY_ZSTD   ? put_zstd(t, level, out)
            : as == BODY_FLAC ? put_flac(&t->body, sound, out)
                              : 0;
    if (r || buf_failed(out)) {
        out->size = at;
        return ERR_NOMEM;
    }
    if (as == BODY_PLAIN || out->size - at - EVIDENCE_HEADER >= size) {
        out->size = at + EVIDENCE_HEADER;
        out->data[at + 3] = BODY_PLAIN;
        buf_append(out, t->body.data, size);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

int evidence_encode(const struct record *records, uint32_t count, int level, struct buf *out)
{
    if (count == 0)
        return ERR_INVALID;
    if (count > EVIDENCE_RECORDS_MAX)
        return ERR_LIMIT;
    struct thread_state *t = thread_state_get();
    if (!t)
        return ERR_NOMEM;
    int r = make_body(t, records, count);
    if (r == 0)
        r = put_block(t, records, count, level, out);
    if (t->body.capacity > BODY_KEPT)
        drop_body(&t->body);
    return r;
}

int evidence_info(struct slice block, struct evidence_info *ret, struct errmsg *err)
{
    if (block.size < EVIDENCE_HEADER || memcmp(block.data, "vE", 2) != 0)
        return err_set(err, ERR_CORRUPT, "evidence: not a block");
    if (block.data[2] != 1 || (unsigned char)block.data[3] > BODY_FLAC)
        return err_set(err, ERR_CORRUPT, "evidence: version %d.%d is not known", block.data[2],
                       block.data[3]);
    struct cursor c;
    cursor_init(&c, block.data + 4, EVIDENCE_HEADER - 4);
    ret->count = cursor_u32(&c);
    ret->body_size = cursor_u32(&c);
    memcpy(ret->hash, cursor_bytes(&c, 16).data, 16);
    /* A record takes three bytes at least. */
    if (ret->count == 0 || ret->count > EVIDENCE_RECORDS_MAX ||
        ret->body_size > EVIDENCE_BODY_MAX || ret->body_size / 3 < ret->count)
        return err_set(err, ERR_CORRUPT, "evidence: %u records in %u bytes", ret->count,
                       ret->body_size);
    return 0;
}

/* What stands before the sound; its size is checked. */
static int flac_head(struct slice packed, const struct evidence_info *info, struct slice *ret_head,
                     struct slice *ret_flac, struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, packed.data, packed.size);
    uint64_t size = cursor_varint(&c);
    *ret_head = cursor_bytes(&c, size > packed.size ? SIZE_MAX : (size_t)size);
    if (c.failed || size > info->body_size)
        return err_set(err, ERR_CORRUPT, "evidence: the body's size is not %u", info->body_size);
    *ret_flac = (struct slice){packed.data + c.at, packed.size - c.at};
    return 0;
}

static int unpack_flac(struct slice packed, const struct evidence_info *info, char *body,
                       struct errmsg *err)
{
    struct slice head, flac;
    int r = flac_head(packed, info, &head, &flac, err);
    if (r)
        return r;
    memcpy(body, head.data, head.size);
    r = flac_decode(flac, body + head.size, info->body_size - head.size, err);
    return r ? err_wrap(err, r, "evidence") : 0;
}

static int unpack_zstd(struct slice packed, const struct evidence_info *info, char *body,
                       struct errmsg *err)
{
    struct thread_state *t = thread_state_get();
    if (!t)
        return err_set(err, ERR_NOMEM, "evidence: %s", err_text(ERR_NOMEM));
    size_t n = ZSTD_decompressDCtx(t->decompress, body, info->body_size, packed.data, packed.size);
    if (ZSTD_isError(n) || n != info->body_size)
        return err_set(err, ERR_CORRUPT, "evidence: %s",
                       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "short body");
    return 0;
}

static int unpack(struct slice block, const struct evidence_info *info, struct arena *arena,
                  struct slice *ret, struct errmsg *err)
{
    struct slice packed = {block.data + EVIDENCE_HEADER, block.size - EVIDENCE_HEADER};
    enum body as = (enum body)block.data[3];
    bool fits = as == BODY_PLAIN ? packed.size == info->body_size
                : as == BODY_ZSTD
                    ? ZSTD_getFrameContentSize(packed.data, packed.size) == info->body_size
                    : true;
    if (!fits)
        return err_set(err, ERR_CORRUPT, "evidence: the body's size is not %u", info->body_size);
    char *body = arena_alloc(arena, info->body_size);
    if (!body)
        return err_set(err, ERR_NOMEM, "evidence: %s", err_text(ERR_NOMEM));
    int r = 0;
    if (as == BODY_PLAIN)
        memcpy(body, packed.data, packed.size);
    else
        r = as == BODY_ZSTD ? unpack_zstd(packed, info, body, err)
                            : unpack_flac(packed, info, body, err);
    if (r)
        return r;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(body, info->body_size));
    if (memcmp(hash.digest, info->hash, sizeof(info->hash)) != 0)
        return err_set(err, ERR_CORRUPT, "evidence: the body does not match its hash");
    *ret = (struct slice){body, info->body_size};
    return 0;
}

/* Reads the header and unpacks what follows it. */
static int open_block(struct slice block, struct arena *arena, struct evidence_info *ret_info,
                      struct slice *ret_body, struct errmsg *err)
{
    *ret_body = (struct slice){0};
    int r = evidence_info(block, ret_info, err);
    return r ? r : unpack(block, ret_info, arena, ret_body, err);
}

static int get_numbers(struct cursor *c, struct record *records, uint32_t count, int columns,
                       struct errmsg *err)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        records[i].seq = value += (uint64_t)cursor_svarint(c);
        if (records[i].seq == 0)
            return err_set(err, ERR_CORRUPT, "evidence: record %u has no seq", i);
    }
    value = 0;
    for (uint32_t i = 0; i < count; i++) {
        records[i].time = (int64_t)(value += (uint64_t)cursor_svarint(c));
        if (records[i].time < TIME_MIN || records[i].time > TIME_MAX)
            return err_set(err, ERR_CORRUPT, "evidence: record %u: time out of range", i);
    }
    value = 0;
    for (uint32_t i = 0; i < count; i++)
        records[i].arrival = (int64_t)(value += (uint64_t)cursor_svarint(c));
    for (uint32_t i = 0; i < count && columns & COLUMN_FLAGS; i++)
        records[i].flags = (uint32_t)cursor_varint(c);
    return 0;
}

static int get_bytes(struct cursor *c, struct record *records, uint32_t count, size_t offset,
                     size_t max, bool text, struct errmsg *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice *s = (struct slice *)((char *)&records[i] + offset);
        uint64_t size = cursor_varint(c);
        if (size > max)
            return err_set(err, ERR_CORRUPT, "evidence: record %u: too long", i);
        s->size = (size_t)size;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct slice *s = (struct slice *)((char *)&records[i] + offset);
        *s = cursor_bytes(c, s->size);
        if (c->failed || (text && (!utf8_valid(s->data, s->size, NULL) ||
                                   (s->size && memchr(s->data, '\0', s->size)))))
            return err_set(err, ERR_CORRUPT, "evidence: record %u: %s", i,
                           text ? "not text" : "cut");
    }
    return 0;
}

static int get_channels(struct cursor *c, struct record *records, uint32_t count,
                        struct arena *arena, struct errmsg *err)
{
    size_t total = 0, room = c->size / 8; /* every sample has eight bytes further on */
    for (uint32_t i = 0; i < count; i++) {
        struct record *r = &records[i];
        uint64_t n = cursor_varint(c);
        uint32_t samples = i && n == 0 ? r[-1].sample_count : n ? (uint32_t)(n - 1) : 0;
        if (c->failed || (n == 0 && i == 0) || n > CHANNELS_MAX * 64 || samples > room - total)
            return err_set(err, ERR_CORRUPT, "evidence: record %u: samples", i);
        total += samples;
        struct sample *s = arena_alloc(arena, samples * sizeof(*s));
        if (!s)
            return err_set(err, ERR_NOMEM, "evidence: %s", err_text(ERR_NOMEM));
        for (uint32_t k = 0; k < samples; k++) {
            uint64_t channel = n ? cursor_varint(c) : r[-1].samples[k].channel;
            if (channel >= CHANNELS_MAX)
                return err_set(err, ERR_CORRUPT, "evidence: record %u: channel", i);
            s[k] = (struct sample){.channel = (uint16_t)channel};
        }
        r->samples = s;
        r->sample_count = samples;
    }
    return 0;
}

static int get_values(struct cursor *c, struct record *records, uint32_t count, struct errmsg *err)
{
    size_t next[CHANNELS_MAX + 1];
    uint64_t before[CHANNELS_MAX] = {0};
    size_t total = place_samples(records, count, next);
    const unsigned char *planes = (const unsigned char *)cursor_bytes(c, total * 8).data;
    if (c->failed)
        return 0; /* the caller says it */
    for (uint32_t i = 0; i < count; i++) {
        struct sample *s = (struct sample *)records[i].samples;
        for (uint32_t k = 0; k < records[i].sample_count; k++) {
            size_t at = next[s[k].channel]++;
            uint64_t x = 0;
            for (int p = 0; p < 8; p++)
                x = x << 8 | planes[(size_t)p * total + at];
            x = before[s[k].channel] ^= x;
            memcpy(&s[k].value, &x, 8);
            if (!isfinite(s[k].value))
                return err_set(err, ERR_CORRUPT, "evidence: record %u: value is not finite", i);
        }
    }
    return 0;
}

int evidence_decode(struct slice block, struct arena *arena, struct record **ret_records,
                    uint32_t *ret_count, struct errmsg *err)
{
    struct evidence_info info;
    struct slice body;
    int r = open_block(block, arena, &info, &body, err);
    if (r)
        return r;
    struct record *records = arena_alloc(arena, info.count * sizeof(*records));
    if (!records)
        return err_set(err, ERR_NOMEM, "evidence: %s", err_text(ERR_NOMEM));
    memset(records, 0, info.count * sizeof(*records));
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    int columns = cursor_u8(&c);
    if (columns & ~COLUMNS)
        return err_set(err, ERR_CORRUPT, "evidence: columns %#x are not known", (unsigned)columns);
    r = get_numbers(&c, records, info.count, columns, err);
    if (r == 0 && columns & COLUMN_REFS)
        r = get_bytes(&c, records, info.count, offsetof(struct record, ref), RECORD_REF_MAX, true,
                      err);
    if (r == 0 && columns & COLUMN_TEXTS)
        r = get_bytes(&c, records, info.count, offsetof(struct record, text), RECORD_SIZE_MAX, true,
                      err);
    if (r == 0 && columns & COLUMN_SAMPLES)
        r = get_channels(&c, records, info.count, arena, err);
    if (r == 0 && columns & COLUMN_SAMPLES)
        r = get_values(&c, records, info.count, err);
    if (r == 0 && columns & COLUMN_MEDIA)
        r = get_bytes(&c, records, info.count, offsetof(struct record, media), RECORD_SIZE_MAX,
                      false, err);
    if (r == 0 && (c.failed || c.at != c.size))
        r = err_set(err, ERR_CORRUPT, "evidence: the body ends %s", c.failed ? "early" : "late");
    if (r)
        return r;
    *ret_records = records;
    *ret_count = info.count;
    return 0;
}

static struct slice skip_bytes(struct cursor *c, uint32_t count)
{
    uint64_t size = 0, one;
    for (uint32_t i = 0; i < count && !c->failed; i++) {
        one = cursor_varint(c);
        size = one <= EVIDENCE_BODY_MAX ? size + one : EVIDENCE_BODY_MAX + 1;
        c->failed |= size > EVIDENCE_BODY_MAX;
    }
    return cursor_bytes(c, (size_t)size);
}

/* The body as far as it has texts: sound need not be unpacked for them. */
static int open_texts(struct slice block, struct arena *arena, struct evidence_info *ret_info,
                      struct slice *ret_body, struct errmsg *err)
{
    struct slice flac, packed = {block.data + EVIDENCE_HEADER, block.size - EVIDENCE_HEADER};
    int r = evidence_info(block, ret_info, err);
    if (r || block.data[3] != BODY_FLAC)
        return r ? r : unpack(block, ret_info, arena, ret_body, err);
    r = flac_head(packed, ret_info, ret_body, &flac, err);
    if (r == 0)
        ret_body->data = arena_copy(arena, ret_body->data, ret_body->size);
    return r || ret_body->data ? r : err_set(err, ERR_NOMEM, "evidence: %s", err_text(ERR_NOMEM));
}

int evidence_texts(struct slice block, struct arena *arena, struct slice *ret_refs,
                   struct slice *ret_texts, struct errmsg *err)
{
    struct evidence_info info;
    struct slice body;
    int r = open_texts(block, arena, &info, &body, err);
    if (r)
        return r;
    struct cursor c;
    cursor_init(&c, body.data, body.size);
    int columns = cursor_u8(&c);
    uint32_t numbers = columns & COLUMN_FLAGS ? 4 : 3;
    for (uint64_t i = 0; i < (uint64_t)numbers * info.count && !c.failed; i++)
        cursor_varint(&c);
    *ret_refs = columns & COLUMN_REFS ? skip_bytes(&c, info.count) : (struct slice){NULL, 0};
    *ret_texts = columns & COLUMN_TEXTS ? skip_bytes(&c, info.count) : (struct slice){NULL, 0};
    return c.failed ? err_set(err, ERR_CORRUPT, "evidence: the body ends early") : 0;
}
