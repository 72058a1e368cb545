/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool tail(const unsigned char *s, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t utf8_sequence(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return n >= 2 && tail(s, 2) ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        if (n < 3 || !tail(s, 3) || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
            return 0;
        return 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        if (n < 4 || !tail(s, 4) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

bool utf8_valid(const char *s, size_t n, size_t *ret_at)
{
    size_t i = 0;
    while (i < n) {
        uint64_t word;
        if (n - i >= 8) { /* most text is ASCII: eight bytes at a time */
            memcpy(&word, s + i, 8);
            if (!(word & 0x8080808080808080ULL)) {
                i += 8;
                continue;
            }
        }
        size_t width = utf8_sequence(s + i, n - i);
        if (width == 0) {
            if (ret_at)
                *ret_at = i;
            return false;
        }
        i += width;
    }
    return true;
}

size_t utf8_cut(const char *s, size_t n, size_t max)
{
    if (n <= max)
        return n;
    while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
        max--;
    return max;
}

size_t utf8_repair(const char *s, size_t n, char *out)
{
    size_t size = 0;
    size_t i = 0;
    while (i < n) {
        size_t width = s[i] == '\0' ? 0 : utf8_sequence(s + i, n - i);
        if (width == 0) {
            memcpy(out + size, "\xef\xbf\xbd", 3);
            size += 3;
            i++;
        } else {
            memcpy(out + size, s + i, width);
            size += width;
            i += width;
        }
    }
    return size;
}
