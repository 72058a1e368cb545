/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/record.h"
#include "base/timestamp.h"
#include "base/utf8.h"

void jsonw_init(struct jsonw *w, struct buf *out)
{
    w->out = out;
    w->comma = false;
}

static void before_value(struct jsonw *w)
{
    if (w->comma)
        buf_putc(w->out, ',');
    w->comma = true;
}

static void open_with(struct jsonw *w, char c)
{
    before_value(w);
    buf_putc(w->out, c);
    w->comma = false;
}

static void close_with(struct jsonw *w, char c)
{
    buf_putc(w->out, c);
    w->comma = true;
}

void jsonw_object(struct jsonw *w)
{
    open_with(w, '{');
}

void jsonw_object_end(struct jsonw *w)
{
    close_with(w, '}');
}

void jsonw_array(struct jsonw *w)
{
    open_with(w, '[');
}

void jsonw_array_end(struct jsonw *w)
{
    close_with(w, ']');
}

static void put_escaped(struct buf *out, const char *s, size_t n)
{
    buf_putc(out, '"');
    size_t plain = 0; /* start of the run that needs no escape */
    size_t i = 0;
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        size_t width = c < 0x80 ? 1 : utf8_sequence(s + i, n - i);
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && width > 0) {
            i += width;
            continue;
        }
        buf_append(out, s + plain, i - plain);
        if (width == 0)
            buf_puts(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            buf_append(out, (char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c == '\t')
            buf_puts(out, "\\t");
        else if (c == '\r')
            buf_puts(out, "\\r");
        else
            buf_printf(out, "\\u%04x", c);
        i++;
        plain = i;
    }
    buf_append(out, s + plain, n - plain);
    buf_putc(out, '"');
}

void jsonw_key(struct jsonw *w, const char *key)
{
    before_value(w);
    put_escaped(w->out, key, strlen(key));
    buf_putc(w->out, ':');
    w->comma = false;
}

void jsonw_string(struct jsonw *w, const char *s)
{
    if (s)
        jsonw_string_n(w, s, strlen(s));
    else
        jsonw_null(w);
}

void jsonw_string_n(struct jsonw *w, const char *s, size_t n)
{
    before_value(w);
    put_escaped(w->out, s, n);
}

void jsonw_int(struct jsonw *w, int64_t v)
{
    before_value(w);
    buf_printf(w->out, "%lld", (long long)v);
}

void jsonw_u64_string(struct jsonw *w, uint64_t v)
{
    before_value(w);
    buf_printf(w->out, "\"%llu\"", (unsigned long long)v);
}

void jsonw_double(struct jsonw *w, double v)
{
    if (!isfinite(v)) {
        jsonw_null(w);
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    before_value(w);
    buf_puts(w->out, text);
}

void jsonw_fixed(struct jsonw *w, double v, int digits)
{
    if (!isfinite(v)) {
        jsonw_null(w);
        return;
    }
    char text[400];
    int n = snprintf(text, sizeof(text), "%.*f", digits, v);
    if (digits > 0) {
        while (n > 0 && text[n - 1] == '0')
            n--;
        if (n > 0 && text[n - 1] == '.')
            n--;
    }
    if (n == 2 && text[0] == '-' && text[1] == '0')
        text[0] = '0', n = 1;
    before_value(w);
    buf_append(w->out, text, (size_t)n);
}

void jsonw_bool(struct jsonw *w, bool v)
{
    before_value(w);
    buf_puts(w->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w)
{
    before_value(w);
    buf_puts(w->out, "null");
}

void jsonw_time(struct jsonw *w, int64_t us)
{
    if (us == TIME_UNKNOWN) {
        jsonw_null(w);
        return;
    }
    char text[TIMESTAMP_SIZE];
    timestamp_format(us, text);
    before_value(w);
    buf_printf(w->out, "\"%s\"", text);
}

void jsonw_raw(struct jsonw *w, const char *json, size_t size)
{
    before_value(w);
    buf_append(w->out, json, size);
}

void jsonw_base64(struct jsonw *w, const void *data, size_t size)
{
    before_value(w);
    buf_putc(w->out, '"');
    base64_put(w->out, data, size);
    buf_putc(w->out, '"');
}

void jsonw_kv_string(struct jsonw *w, const char *key, const char *s)
{
    jsonw_key(w, key);
    jsonw_string(w, s);
}

void jsonw_kv_int(struct jsonw *w, const char *key, int64_t v)
{
    jsonw_key(w, key);
    jsonw_int(w, v);
}

void jsonw_kv_double(struct jsonw *w, const char *key, double v)
{
    jsonw_key(w, key);
    jsonw_double(w, v);
}

void jsonw_kv_fixed(struct jsonw *w, const char *key, double v, int digits)
{
    jsonw_key(w, key);
    jsonw_fixed(w, v, digits);
}

void jsonw_kv_bool(struct jsonw *w, const char *key, bool v)
{
    jsonw_key(w, key);
    jsonw_bool(w, v);
}

void jsonw_kv_time(struct jsonw *w, const char *key, int64_t us)
{
    jsonw_key(w, key);
    jsonw_time(w, us);
}
