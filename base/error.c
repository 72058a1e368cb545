/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_name(int code)
{
    switch (code) {
    case ERR_OK:
        return "OK";
#define ERR_CASE(n, name, text)                                                                    \
    case ERR_##name:                                                                               \
        return #name;
        ERR_MAP(ERR_CASE)
#undef ERR_CASE
    default:
        return "UNKNOWN";
    }
}

const char *err_text(int code)
{
    switch (code) {
    case ERR_OK:
        return "done";
#define ERR_CASE(n, name, text)                                                                    \
    case ERR_##name:                                                                               \
        return text;
        ERR_MAP(ERR_CASE)
#undef ERR_CASE
    default:
        return "unknown error";
    }
}

int err_set(struct errmsg *e, int code, const char *format, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(e->text, sizeof(e->text), format, ap);
        va_end(ap);
    }
    return code;
}

int err_wrap(struct errmsg *e, int code, const char *format, ...)
{
    if (e) {
        char old[sizeof(e->text)];
        memcpy(old, e->text, sizeof(old));
        va_list ap;
        va_start(ap, format);
        int n = vsnprintf(e->text, sizeof(e->text), format, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n + 2 < sizeof(e->text))
            snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %.*s",
                     (int)(sizeof(e->text) - (size_t)n - 3), old);
    }
    return code;
}

int err_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EACCES:
    case EPERM:
        return ERR_PERM;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EROFS:
        return ERR_READONLY;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case EINVAL:
        return ERR_INVALID;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}
