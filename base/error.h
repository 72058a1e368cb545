/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of error codes, and the message that travels with them.
 *
 * A function that can fail returns 0, a negative code of this list (fatal to the operation,
 * forwarded unchanged), or a positive outcome that its own header comment names. Foreign codes
 * (errno, libuv, SQLite) are translated once, in the file that calls the library. The text for
 * people goes into a `struct errmsg` that the caller passes; NULL is allowed everywhere and means
 * "no text wanted".
 */
#ifndef VARVE_BASE_ERROR_H
#define VARVE_BASE_ERROR_H

#define ERR_MAP(X)                                                                                 \
    X(1, NOMEM, "out of memory")                                                                   \
    X(2, IO, "input/output error")                                                                 \
    X(3, INVALID, "invalid argument")                                                              \
    X(4, PARSE, "malformed input")                                                                 \
    X(5, LIMIT, "over a configured limit")                                                         \
    X(6, RANGE, "value out of range")                                                              \
    X(7, NOTFOUND, "not found")                                                                    \
    X(8, EXISTS, "exists already")                                                                 \
    X(9, BUSY, "busy")                                                                             \
    X(10, CORRUPT, "damaged data")                                                                 \
    X(11, FULL, "no space left")                                                                   \
    X(12, PERM, "permission denied")                                                               \
    X(13, CONFLICT, "conflicts with what is stored")                                               \
    X(14, CLOSED, "closed")                                                                        \
    X(15, TIMEOUT, "timed out")                                                                    \
    X(16, UNSUPPORTED, "not supported")                                                            \
    X(17, READONLY, "read-only")                                                                   \
    X(18, INTERNAL, "internal error")

enum err_code {
    ERR_OK = 0,
#define ERR_ENUM(n, name, text) ERR_##name = -(n),
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

struct errmsg {
    char text[512];
};

/* "NOMEM", "IO", …; "OK" for 0, "UNKNOWN" for a foreign number. Static storage. */
const char *err_name(int code);

/* The general text of a code. Static storage. */
const char *err_text(int code);

/* Writes the text (cut to fit) and returns `code`, so that `return err_set(e, ERR_IO, …)` reads
 * well. */
int err_set(struct errmsg *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there; returns `code`. */
int err_wrap(struct errmsg *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Translates errno: ENOMEM, ENOSPC, EACCES, ENOENT, EROFS and the like; the rest is ERR_IO. */
int err_from_errno(int errnum);

#endif
