/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as SQLite's file format writes them, for what reads pages without SQLite. */
#ifndef VARVE_MEMORY_SQLITE_FORMAT_H
#define VARVE_MEMORY_SQLITE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t format_be16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t format_be32(const unsigned char *p)
{
    return format_be16(p) << 16 | format_be16(p + 2);
}

/* Big-endian, seven bits a byte, the ninth whole. Returns its size; 0: the bytes end before. */
static inline uint32_t format_varint(const unsigned char *p, size_t size, uint64_t *ret)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < 9 && i < size; i++) {
        if (i == 8) {
            *ret = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7f);
        if (p[i] < 0x80) {
            *ret = v;
            return i + 1;
        }
    }
    return 0;
}

#endif
