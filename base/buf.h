/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with a sticky error: appends after a failed allocation do nothing, and the
 * writer asks once at the end (`buf_failed`). Zeroed memory is an empty buffer. One owner, no
 * thread.
 */
#ifndef VARVE_BASE_BUF_H
#define VARVE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NUL behind size when data is set by appends, for convenience; may be NULL when
                   empty */
    size_t size;
    size_t capacity;
    bool failed;
};

/* Borrowed bytes; not NUL-terminated. */
struct slice {
    const char *data;
    size_t size;
};

void buf_deinit(struct buf *b);
/* Keeps the memory. */
void buf_clear(struct buf *b);
/* Room for `more` bytes behind size; 0 or ERR_NOMEM. */
int buf_reserve(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *data, size_t size);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list ap);
/* Removes the first n bytes. */
void buf_consume(struct buf *b, size_t n);
static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}

/* Little-endian fixed and LEB128 integers, for evidence blocks, snapshots and frames. */
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_f32(struct buf *b, float v);
void buf_put_f64(struct buf *b, double v);
void buf_put_varint(struct buf *b, uint64_t v);
/* Zigzag. */
void buf_put_svarint(struct buf *b, int64_t v);

/*
 * Reads what buf_put_* wrote, from bytes that are not trusted: past the end every getter returns 0
 * and `failed` stays set. Zero-copy: slices point into the input.
 */
struct cursor {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

void cursor_init(struct cursor *c, const void *data, size_t size);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
float cursor_f32(struct cursor *c);
double cursor_f64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);
int64_t cursor_svarint(struct cursor *c);
struct slice cursor_bytes(struct cursor *c, size_t size);
static inline size_t cursor_left(const struct cursor *c)
{
    return c->failed ? 0 : c->size - c->at;
}

#endif
