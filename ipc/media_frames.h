/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What varve-media writes to its standard output, for those who start it: RECORDS frames, then
 * CLOSE or ERROR with number 0. The process may have been taken over by what it reads, so its bytes
 * are checked like anybody's. One owner, no thread.
 */
#ifndef VARVE_IPC_MEDIA_FRAMES_H
#define VARVE_IPC_MEDIA_FRAMES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/record.h"

struct media_frames {
    enum stream_kind kind;
    struct buf in;       /* a frame that is not whole yet */
    struct arena arena;  /* of the frame at hand */
    uint64_t count;      /* records so far */
    bool ended;          /* CLOSE or ERROR came: nothing may follow */
    int code;            /* of ERROR; 0: none came */
    struct errmsg error; /* its text */
};

void media_frames_init(struct media_frames *m, enum stream_kind kind);
void media_frames_deinit(struct media_frames *m);

/*
 * Takes bytes in and gives the records in them to `record`, which may end it with a code of its
 * own. 0, ERR_NOMEM, or ERR_PARSE and ERR_LIMIT: these are not the bytes of varve-media, do not go
 * on.
 */
int media_frames_take(struct media_frames *m, const void *data, size_t size,
                      int (*record)(void *arg, const struct record *r), void *arg,
                      struct errmsg *err);
/*
 * The process has ended with this wait status. 0: it read all of its input. Else what it said was
 * wrong, or that and how it broke down.
 */
int media_frames_verdict(const struct media_frames *m, int exit_status, int signal,
                         struct errmsg *err);

#endif
