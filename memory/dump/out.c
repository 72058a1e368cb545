/* SPDX-License-Identifier: Apache-2.0 */
/* Output in pieces of 64 KiB, and text made fit for a terminal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "memory/dump/dump.h"

#define OUT_PIECE (64u << 10)

void dump_out_init(struct dump_out *out, int fd)
{
    memset(out, 0, sizeof(*out));
    out->fd = fd;
    struct winsize size;
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
    if (!isatty(fd))
        return;
    out->columns = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
    out->color = term && strcmp(term, "dumb") != 0 && !(plain && plain[0]);
}

void dump_out_deinit(struct dump_out *out)
{
    buf_deinit(&out->buf);
}

int dump_out_flush(struct dump_out *out, bool all, struct errmsg *err)
{
    if (buf_failed(&out->buf))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (!all && out->buf.size < OUT_PIECE)
        return 0;
    size_t at = 0;
    while (at < out->buf.size) {
        ssize_t n = write(out->fd, out->buf.data + at, out->buf.size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, err_from_errno(errno), "standard output: %s", strerror(errno));
        at += (size_t)n;
    }
    buf_clear(&out->buf);
    return 0;
}

/*
 * One code point a step. What could move the cursor or hide text (controls, bidi overrides) and
 * broken bytes become U+FFFD or a blank: titles come from logs, and logs from anywhere.
 */
int dump_out_text(struct dump_out *out, const char *s, int columns)
{
    size_t n = strlen(s), cut_at = out->buf.size;
    int used = 0, used_at_cut = 0;
    for (size_t i = 0; i < n;) {
        size_t size = utf8_sequence(s + i, n - i);
        utf8proc_int32_t c = 0xFFFD;
        if (size)
            utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)size, &c);
        bool blank = c == '\t' || c == '\n' || c == '\r';
        bool bad = !size || c < 0x20 || (c >= 0x7f && c < 0xa0) ||
                   utf8proc_category(c) == UTF8PROC_CATEGORY_CF;
        int width = blank || bad ? 1 : utf8proc_charwidth(c);
        if (columns && used + width > columns) {
            out->buf.size = cut_at;
            buf_puts(&out->buf, "…");
            return used_at_cut + 1;
        }
        if (blank)
            buf_putc(&out->buf, ' ');
        else if (bad)
            buf_puts(&out->buf, "\xef\xbf\xbd");
        else
            buf_append(&out->buf, s + i, size);
        used += width;
        if (!columns || used <= columns - 1) {
            cut_at = out->buf.size;
            used_at_cut = used;
        }
        i += size ? size : 1;
    }
    return used;
}
