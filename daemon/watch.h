/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standing queries (memory.watch): each closed moment is put to every watch that may want it, by
 * the same search that answers memory.search, and hits go out as notifications. Loop thread.
 */
#ifndef VARVE_DAEMON_WATCH_H
#define VARVE_DAEMON_WATCH_H

#include <stdint.h>

struct daemon;
struct live_stream;
struct ipc_conn;
struct ipc_request;

/* Handlers of memory.watch and memory.unwatch; they answer the request. */
void watch_add(struct daemon *d, struct ipc_request *req);
void watch_remove(struct daemon *d, struct ipc_request *req);
void watch_conn_closed(struct daemon *d, struct ipc_conn *conn);
void watch_moment_closed(struct daemon *d, struct live_stream *s, int64_t id, int64_t start,
                         int64_t end);
void watch_free_all(struct daemon *d);

#endif
