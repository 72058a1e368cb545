/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/media_frames.h"

#include <string.h>

#include "ipc/frame.h"

#define FRAME_MAX (RECORD_SIZE_MAX + 4096) /* one record, and what goes with it */
#define ARENA_CHUNK 4096

void media_frames_init(struct media_frames *m, enum stream_kind kind)
{
    *m = (struct media_frames){.kind = kind};
    arena_init(&m->arena, ARENA_CHUNK);
}

void media_frames_deinit(struct media_frames *m)
{
    buf_deinit(&m->in);
    arena_deinit(&m->arena);
}

static void note_bad(void *arg, uint32_t index, const char *text)
{
    err_set(arg, ERR_PARSE, "%s", text);
}

static int take_records(struct media_frames *m, const struct frame *f,
                        int (*record)(void *arg, const struct record *r), void *arg,
                        struct errmsg *err)
{
    struct record *records;
    struct errmsg bad = {""};
    uint32_t count, total;
    arena_reset(&m->arena);
    int rc = frame_get_records(f->body, m->kind, &m->arena, note_bad, &bad, &records, &count,
                               &total, err);
    if (rc == 0 && count < total)
        rc = err_set(err, ERR_PARSE, "varve-media: %s", bad.text);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        m->count++;
        rc = record(arg, &records[i]);
    }
    return rc;
}

static int take_error(struct media_frames *m, const struct frame *f, struct errmsg *err)
{
    struct frame_error e;
    if (frame_get_error(f->body, &e) < 0)
        return err_set(err, ERR_PARSE, "varve-media wrote a malformed error");
    m->ended = true;
    m->code = e.code < 0 ? e.code : ERR_PARSE;
    size_t n = e.text.size < sizeof(m->error.text) ? e.text.size : sizeof(m->error.text) - 1;
    for (size_t i = 0; i < n; i++) /* it goes to logs and terminals */
        m->error.text[i] = (unsigned char)e.text.data[i] < ' ' ? '?' : e.text.data[i];
    m->error.text[n] = '\0';
    return 0;
}

int media_frames_take(struct media_frames *m, const void *data, size_t size,
                      int (*record)(void *arg, const struct record *r), void *arg,
                      struct errmsg *err)
{
    size_t at = 0;
    int rc = 0;
    buf_append(&m->in, data, size);
    if (buf_failed(&m->in))
        return err_set(err, ERR_NOMEM, "out of memory");
    while (rc == 0 && at < m->in.size) {
        struct frame f;
        int got = frame_next(m->in.data + at, m->in.size - at, FRAME_MAX, &f, err);
        if (got == FRAME_MORE)
            break;
        if (got == 0 && m->ended)
            got = err_set(err, ERR_PARSE, "varve-media wrote on behind its end");
        if (got != 0)
            return got;
        if (f.type == FRAME_RECORDS)
            rc = take_records(m, &f, record, arg, err);
        else if (f.type == FRAME_ERROR)
            rc = take_error(m, &f, err);
        else if (f.type == FRAME_CLOSE)
            m->ended = true;
        else
            rc = err_set(err, ERR_PARSE, "varve-media wrote a frame of type %d", (int)f.type);
        at += f.size;
    }
    buf_consume(&m->in, at);
    return rc;
}

int media_frames_verdict(const struct media_frames *m, int exit_status, int signal,
                         struct errmsg *err)
{
    if (m->code)
        return err_set(err, m->code, "%s", m->error.text);
    if (m->ended)
        return 0;
    if (signal)
        return err_set(err, ERR_IO, "varve-media broke down over it (signal %d, %s)", signal,
                       strsignal(signal));
    return err_set(err, ERR_IO, "varve-media ended with status %d", exit_status);
}
