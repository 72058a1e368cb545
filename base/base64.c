/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>

#include "base/error.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, const void *data, size_t size)
{
    const unsigned char *in = data;
    if (buf_reserve(out, BASE64_ENCODED(size)))
        return;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;
        if (i + 1 < size)
            v |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < size)
            v |= in[i + 2];
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < size ? digits[v >> 6 & 63] : '=',
                        i + 2 < size ? digits[v & 63] : '='};
        buf_append(out, four, sizeof(four));
    }
}

/* The value of a digit, 64 for anything else. */
static uint32_t value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int base64_decode(const char *text, size_t size, void *ret, size_t *ret_size)
{
    unsigned char *out = ret;
    if (size % 4)
        return ERR_PARSE;
    size_t pad = size && text[size - 1] == '=' ? 1u + (text[size - 2] == '=') : 0;
    uint32_t wrong = 0, v = 0;
    for (size_t i = 0; i < size; i += 4) {
        v = 0;
        for (size_t k = i; k < i + 4; k++) {
            uint32_t digit = k >= size - pad ? 0 : value_of((unsigned char)text[k]);
            wrong |= digit & 64;
            v = v << 6 | digit;
        }
        *out++ = (unsigned char)(v >> 16);
        if (i + 4 < size || pad < 2)
            *out++ = (unsigned char)(v >> 8);
        if (i + 4 < size || pad < 1)
            *out++ = (unsigned char)v;
    }
    uint32_t rest = pad == 2 ? v & 0xffff : pad == 1 ? v & 0xff : 0;
    if (wrong || rest)
        return ERR_PARSE;
    *ret_size = (size_t)(out - (unsigned char *)ret);
    return 0;
}
