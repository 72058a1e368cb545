/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvarve: a blocking client of varved. Link with `pkg-config --libs varve`.
 *
 * A connection belongs to one thread at a time. Functions that can fail return 0 or a negative code
 * of enum varve_code; varve_error() then tells people what happened. Strings are UTF-8. Times are
 * microseconds since 1970, UTC.
 */
#ifndef VARVE_H
#define VARVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VARVE_API __attribute__((visibility("default")))
#define VARVE_TIME_NONE INT64_MIN /* stamped when it arrives */

enum varve_code {
    VARVE_OK = 0,
    VARVE_NOMEM = -1,
    VARVE_IO = -2,
    VARVE_INVALID = -3,
    VARVE_PARSE = -4,
    VARVE_LIMIT = -5,
    VARVE_RANGE = -6,
    VARVE_NOTFOUND = -7,
    VARVE_EXISTS = -8,
    VARVE_BUSY = -9,
    VARVE_CORRUPT = -10,
    VARVE_FULL = -11,
    VARVE_PERM = -12,
    VARVE_CONFLICT = -13,
    VARVE_CLOSED = -14,
    VARVE_TIMEOUT = -15,
    VARVE_UNSUPPORTED = -16,
    VARVE_READONLY = -17,
    VARVE_INTERNAL = -18,
};

struct varve;
struct varve_channel;

/*
 * Connects to the socket at `path`; NULL looks where the programs look: $VARVE_SOCKET, the user's
 * daemon, the system's. *ret is set in any case but VARVE_NOMEM, so that varve_error can be asked;
 * close it always.
 */
VARVE_API int varve_connect(const char *path, struct varve **ret);
/* NULL is allowed. */
VARVE_API void varve_close(struct varve *v);
/* What the last failed call met; "" when none failed. Lives until the next call. */
VARVE_API const char *varve_error(const struct varve *v);
/* The daemon's error member of the last failed varve_call as JSON, or "". */
VARVE_API const char *varve_error_json(const struct varve *v);
/* How long a call may wait for the daemon, milliseconds; 0: for ever. 60,000 at first. */
VARVE_API void varve_set_timeout(struct varve *v, int milliseconds);
/* Path of the socket that answered. */
VARVE_API const char *varve_path(const struct varve *v);
/* For poll(): readable when a notification may be waiting. */
VARVE_API int varve_fd(const struct varve *v);

/*
 * Calls a method. `params` is a JSON object or NULL. *ret_result is the result as JSON, which lives
 * until the next call on this connection.
 */
VARVE_API int varve_call(struct varve *v, const char *method, const char *params,
                         const char **ret_result);
/*
 * Waits for a notification (memory.watch): *ret_params is its params as JSON. VARVE_TIMEOUT when
 * none came within `milliseconds` (negative: waits for ever).
 */
VARVE_API int varve_next_notification(struct varve *v, int milliseconds, const char **ret_method,
                                      const char **ret_params);

/*
 * Turns the connection into an ingest channel of a stream, made where there is none. kind is
 * "text", "sensor", "audio" or "video". The connection then takes no calls. Frees with
 * varve_channel_close or varve_close.
 */
VARVE_API int varve_channel_open(struct varve *v, const char *stream, const char *kind,
                                 struct varve_channel **ret);
/* The seq that the daemon will give the next unnumbered record. */
VARVE_API uint64_t varve_channel_next_seq(const struct varve_channel *c);

/*
 * Queue one record; sent in batches, waiting only for credits. seq 0: the daemon numbers. `ref` may
 * be NULL. A record that the daemon refuses is told to the function of varve_channel_on_error.
 */
VARVE_API int varve_channel_put_text(struct varve_channel *c, uint64_t seq, int64_t time,
                                     const char *ref, const char *text, size_t size);
VARVE_API int varve_channel_put_values(struct varve_channel *c, uint64_t seq, int64_t time,
                                       const char *ref, const uint16_t *channels,
                                       const double *values, size_t count);
/*
 * Sound: 1 to 16,000 samples of 16-bit little-endian PCM, mono, 16 kHz, `time` that of the first.
 * Video: one JPEG of at most 1 MiB, its sides 16 to 1920 pixels.
 */
VARVE_API int varve_channel_put_media(struct varve_channel *c, uint64_t seq, int64_t time,
                                      const char *ref, const void *data, size_t size);
/* The index of a sensor channel's name, for varve_channel_put_values. */
VARVE_API int varve_channel_name(struct varve_channel *c, const char *name, uint16_t *ret_index);
/*
 * Called from within the channel's functions for each record that the daemon refused: `number`
 * counts those whose put returned 0, from 1; text lives that long.
 */
VARVE_API void varve_channel_on_error(struct varve_channel *c,
                                      void (*call)(void *user, uint64_t number, const char *text),
                                      void *user);
/* Highest seq up to which everything received is durable, as far as was heard. */
VARVE_API uint64_t varve_channel_acked(const struct varve_channel *c);
/* Sends what is queued, without waiting for the daemon: before a pause between records. */
VARVE_API int varve_channel_send(struct varve_channel *c);
/* Sends what is queued; returns when all of it is durable and searchable. */
VARVE_API int varve_channel_flush(struct varve_channel *c);
/* Flushes, ends the stream's channel and frees c, also when it fails. */
VARVE_API int varve_channel_close(struct varve_channel *c);

#ifdef __cplusplus
}
#endif

#endif
