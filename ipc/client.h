/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of libvarve share. */
#ifndef VARVE_IPC_CLIENT_H
#define VARVE_IPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/paths.h"
#include "ipc/json.h"
#include "ipc/varve.h"

struct varve {
    int fd; /* -1: not connected */
    char path[CONFIG_SOCKET_SIZE];
    int timeout; /* milliseconds; 0: none */
    struct errmsg err;
    struct buf error_json;
    struct buf in;    /* received */
    size_t taken;     /* of `in`: used up */
    size_t scanned;   /* of `in`: holds no line end */
    struct buf out;   /* to be sent */
    struct buf notes; /* notifications that came while a call waited, one a line */
    struct buf result, method;
    uint64_t calls;
    struct json_scanner *scanner;
    struct varve_channel *channel;
};

/* When a wait ends, microseconds of the monotonic clock; INT64_MAX: never. */
int64_t client_deadline(int milliseconds);
/* The connection is of no further use: remembers why, returns `code`. */
int client_lost(struct varve *v, int code, const char *text);
/*
 * Sends all of `out` and meanwhile takes in what comes, so that neither side waits for the other.
 * ERR_TIMEOUT when nothing moved for the timeout.
 */
int client_send(struct varve *v);
/* Waits for bytes. 0 when some came; ERR_TIMEOUT, ERR_CLOSED, ERR_LIMIT, ERR_NOMEM. */
int client_receive(struct varve *v, int64_t deadline);
void channel_free(struct varve_channel *c);

#endif
