/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named values in the table `state`. Snapshots of models are large and compress well, so a value of
 * more than SMALL bytes is one zstd frame; a frame is known by its magic number, and a small value
 * that happens to begin like one is made one. Sizes: a value has at most VALUE_MAX bytes.
 */
#include <endian.h>
#include <string.h>
#include <zstd.h>

#include "memory/state.h"
#include "memory/store_internal.h"
#include "memory/thread.h"

#define SMALL 512
#define LEVEL 3
#define VALUE_MAX (64u << 20)

static bool is_frame(struct slice v)
{
    uint32_t magic;
    if (v.size < sizeof(magic))
        return false;
    memcpy(&magic, v.data, sizeof(magic));
    return le32toh(magic) == ZSTD_MAGICNUMBER;
}

/* *ret is `value` itself, or a frame in the thread's buffer. */
static int pack(struct slice value, struct slice *ret, struct errmsg *err)
{
    struct thread_state *t = thread_state_get();
    *ret = value;
    if (value.size <= SMALL && !is_frame(value))
        return 0;
    if (value.size > VALUE_MAX)
        return err_set(err, ERR_LIMIT, "%zu bytes: %s", value.size, err_text(ERR_LIMIT));
    size_t bound = ZSTD_compressBound(value.size);
    if (t)
        buf_clear(&t->body);
    if (!t || buf_reserve(&t->body, bound) != 0)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    size_t n =
        ZSTD_compressCCtx(t->compress, t->body.data, bound, value.data, value.size, LEVEL);
    if (ZSTD_isError(n))
        return err_set(err, ERR_INTERNAL, "%s", ZSTD_getErrorName(n));
    *ret = (struct slice){t->body.data, n};
    return 0;
}

int state_unpack(struct slice value, struct buf *out, struct errmsg *err)
{
    if (!is_frame(value)) {
        buf_append(out, value.data, value.size);
    } else {
        unsigned long long size = ZSTD_getFrameContentSize(value.data, value.size);
        struct thread_state *t = thread_state_get();
        if (size > VALUE_MAX) /* the codes for unknown and error are larger still */
            return err_set(err, ERR_CORRUPT, "a frame without a sound size");
        if (!t || buf_reserve(out, size) != 0)
            return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        size_t n = ZSTD_decompressDCtx(t->decompress, out->data + out->size, size, value.data,
                                       value.size);
        if (ZSTD_isError(n) || n != size)
            return err_set(err, ERR_CORRUPT, "a frame that is damaged");
        out->size += n;
    }
    return buf_failed(out) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM)) : 0;
}

int store_state_put(struct store *s, const char *key, struct slice value, struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_STATE_PUT);
    int r = pack(value, &value, err);
    if (r)
        return err_wrap(err, r, "state %s", key);
    sqlite3_bind_text(put, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(put, 2, value.data ? value.data : "", value.size, SQLITE_STATIC);
    return sql_run(put, err);
}

int store_state_get(struct store *s, const char *key, struct buf *out, struct errmsg *err)
{
    sqlite3_stmt *get = store_stmt(s, SQL_STATE_GET);
    sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    int r = sql_step(get, err);
    if (r == SQL_DONE)
        return err_set(err, ERR_NOTFOUND, "state %s: %s", key, err_text(ERR_NOTFOUND));
    if (r)
        return r;
    struct slice value = {sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0)};
    r = state_unpack(value, out, err);
    sqlite3_reset(get);
    return r ? err_wrap(err, r, "state %s", key) : 0;
}
