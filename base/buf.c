/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

void buf_deinit(struct buf *b)
{
    if (b) {
        mem_free(b->data);
        memset(b, 0, sizeof(*b));
    }
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

int buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return ERR_NOMEM;
    if (b->data && b->capacity - b->size > more)
        return 0;
    if (more > SIZE_MAX / 2 - b->size - 1) {
        b->failed = true;
        return ERR_NOMEM;
    }
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity <= b->size + more)
        capacity *= 2;
    char *data = mem_realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return ERR_NOMEM;
    }
    b->data = data;
    b->capacity = capacity;
    return 0;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
    if (size == 0 || buf_reserve(b, size) != 0)
        return;
    memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char small[256];
    int n = vsnprintf(small, sizeof(small), format, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        buf_append(b, small, (size_t)n);
    } else if (n >= 0 && buf_reserve(b, (size_t)n) == 0) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(b, format, ap);
    va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->size) {
        b->size = 0;
    } else {
        memmove(b->data, b->data + n, b->size - n);
        b->size -= n;
    }
    if (b->data)
        b->data[b->size] = '\0';
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_append(b, &v, 1);
}

static void put_le(struct buf *b, uint64_t v, unsigned bytes)
{
    uint8_t out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, out, bytes);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    put_le(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    put_le(b, v, 8);
}

void buf_put_f32(struct buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_le(b, bits, 4);
}

void buf_put_f64(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_le(b, bits, 8);
}

void buf_put_varint(struct buf *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    do {
        out[n] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
        n++;
    } while (v);
    buf_append(b, out, n);
}

void buf_put_svarint(struct buf *b, int64_t v)
{
    buf_put_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

void cursor_init(struct cursor *c, const void *data, size_t size)
{
    c->data = data;
    c->size = size;
    c->at = 0;
    c->failed = false;
}

static uint64_t get_le(struct cursor *c, unsigned bytes)
{
    if (c->failed || c->size - c->at < bytes) {
        c->failed = true;
        return 0;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)c->data[c->at + i] << (8 * i);
    c->at += bytes;
    return v;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)get_le(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)get_le(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)get_le(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return get_le(c, 8);
}

float cursor_f32(struct cursor *c)
{
    uint32_t bits = cursor_u32(c);
    float v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

double cursor_f64(struct cursor *c)
{
    uint64_t bits = cursor_u64(c);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

uint64_t cursor_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(c);
        if (c->failed)
            return 0;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->failed = true;
    return 0;
}

int64_t cursor_svarint(struct cursor *c)
{
    uint64_t v = cursor_varint(c);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

struct slice cursor_bytes(struct cursor *c, size_t size)
{
    if (c->failed || c->size - c->at < size) {
        c->failed = true;
        return (struct slice){(const char *)c->data, 0};
    }
    struct slice s = {(const char *)c->data + c->at, size};
    c->at += size;
    return s;
}
