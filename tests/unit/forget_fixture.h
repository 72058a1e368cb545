/* SPDX-License-Identifier: Apache-2.0 */
/* A memory.db that holds a secret, ways to forget it, and a look for it in the file's bytes. */
#ifndef VARVE_TESTS_UNIT_FORGET_FIXTURE_H
#define VARVE_TESTS_UNIT_FORGET_FIXTURE_H

#include <zstd.h>

#include "memory/erase.h"
#include "memory/forget.h"
#include "memory/keep_internal.h"
#include "tests/unit/store_fixture.h"

#define MINUTE US_PER_MINUTE
/* 2023-11-14 22:00 UTC */
#define HOUR0 1699999200000000LL
#define SECRET "Zanzibar"

static const struct forget_selector any = {.since = TIME_UNKNOWN, .until = TIME_UNKNOWN};

/* Lines of a moment: line k of `hidden` holds the secret. */
static inline int64_t put_texts(struct store *s, int64_t stream, uint64_t seq, uint32_t n, int64_t time,
                         uint32_t hidden, enum moment_path how)
{
    struct record records[MOMENT_RECORDS];
    char lines[MOMENT_RECORDS][96];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(lines[i], sizeof(lines[i]), "user %s%u logged in from host web-%u",
                 i == hidden ? SECRET : "plain", (unsigned)(seq + i), i % 3);
        records[i] = (struct record){
            .seq = seq + i, .time = time + i * US_PER_SECOND, .text = {lines[i], strlen(lines[i])}};
    }
    struct unusual u[2] = {
        {.start = time, .end = time, .bits = 9, .z = 5, .score = 0.7f, .why = "first of its kind"},
        {.start = time + hidden * US_PER_SECOND,
         .end = time + hidden * US_PER_SECOND,
         .first = hidden,
         .last = hidden,
         .bits = 12,
         .z = 8,
         .score = 0.9f,
         .why = "new user " SECRET}};
    struct entity_seen seen[] = {{"host", "web-1", 2}, {"user", SECRET, 1}};
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time + (n - 1) * US_PER_SECOND,
                       .records = records,
                       .record_count = n,
                       .ended = END_GAP,
                       .model = 3,
                       .bits = 1,
                       .bits_max = hidden < n ? 12 : 9,
                       .z = hidden < n ? 8 : 5,
                       .path = how,
                       .unusual = u,
                       .unusual_count = hidden < n ? 2 : 1,
                       .entities = seen,
                       .entity_count = hidden < n ? 2 : 1,
                       .gist = {"logins, among them " SECRET, hidden < n ? 27 : 6}};
    m.latent[3] = 1;
    snprintf(m.title, sizeof(m.title), "%s", hidden < n ? "login of " SECRET : "logins");
    return commit_moment(s, stream, "sys.log", &m);
}

static inline int one_step(struct store *s, struct forget *f, bool fail)
{
    bool alone = forget_phase(f) == FORGET_FILE;
    if (!alone)
        OK(store_begin(s, &err));
    int r = forget_step(s, f, &err);
    if (!alone && (r < 0 || fail))
        store_rollback(s);
    else if (!alone)
        OK(store_commit(s, &err));
    forget_settle(f, r >= 0 && !(fail && !alone));
    return r < 0 ? r : 0;
}

/* To the end; with `fail` each step is rolled back once first. */
static inline int forget(struct store *s, const struct forget_selector *x, bool fail,
                  struct forget_receipt *ret)
{
    struct forget *f;
    int r = forget_new(x, &f, &err);
    if (r)
        return r;
    while (r == 0 && forget_phase(f) != FORGET_DONE) {
        if (fail)
            r = one_step(s, f, true);
        if (r == 0)
            r = one_step(s, f, false);
    }
    forget_receipt(f, ret);
    ret->ids = NULL;
    forget_free(f);
    return r;
}

static inline bool holds(const char *data, size_t size, const char *secret)
{
    size_t n = strlen(secret);
    for (size_t i = 0; i + n <= size; i++)
        if (strncasecmp(data + i, secret, n) == 0)
            return true;
    return false;
}

/* As it lies there, and inside of every zstd frame at any place, whole or cut off. */
static inline bool file_holds(const char *name, const char *secret)
{
    static char body[1 << 20];
    FILE *file = fopen(name, "rb");
    if (!file)
        return false;
    struct buf all = {0};
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buf_append(&all, chunk, n);
    fclose(file);
    bool found = holds(all.data, all.size, secret);
    ZSTD_DCtx *z = ZSTD_createDCtx();
    for (size_t i = 0; i + 4 <= all.size && !found; i++) {
        if (memcmp(all.data + i, "\x28\xb5\x2f\xfd", 4) != 0)
            continue;
        ZSTD_inBuffer in = {all.data + i, all.size - i, 0};
        ZSTD_outBuffer out = {body, sizeof(body), 0};
        ZSTD_DCtx_reset(z, ZSTD_reset_session_only);
        while (in.pos < in.size && out.pos < out.size) {
            size_t left = ZSTD_decompressStream(z, &out, &in);
            if (ZSTD_isError(left) || left == 0)
                break;
        }
        found = holds(body, out.pos, secret);
    }
    ZSTD_freeDCtx(z);
    buf_deinit(&all);
    return found;
}

static inline bool is_in_files(const char *secret)
{
    char wal[200];
    snprintf(wal, sizeof(wal), "%s-wal", path);
    return file_holds(path, secret) || file_holds(wal, secret);
}

/* Three hours of moments; those of `stream` numbered 3 and 7 hold the secret in line 5. */
static inline struct store *filled(int64_t stream[2], int64_t id[12])
{
    struct store *s = opened();
    stream[0] = stream_of(s, "sys.log");
    stream[1] = stream_of(s, "other");
    for (uint32_t i = 0; i < 12; i++) {
        bool secret = i == 3 || i == 7;
        /* Journal rows that are gone leave their bytes in the file. */
        int64_t pending;
        struct record r = {.seq = 1, .time = HOUR0, .text = {"the journal had " SECRET, 24}};
        struct buf block = {0};
        OK(evidence_encode(&r, 1, 1, &block));
        OK(store_begin(s, &err));
        OK(store_pending_put(s, stream[0], 1, 1, 1, (struct slice){block.data, block.size},
                             &pending, &err));
        OK(store_commit(s, &err));
        OK(store_begin(s, &err));
        OK(store_pending_delete(s, pending, &err));
        OK(store_commit(s, &err));
        buf_deinit(&block);
        id[i] = put_texts(s, stream[i % 2 == 0], 1 + 100 * i, 20, HOUR0 + i * 15 * MINUTE,
                          secret ? 5 : 99, i % 4 == 3 ? PATH_LATENT : PATH_DISCRETE);
    }
    consolidate_all(s);
    check_sound();
    OK(store_checkpoint(s, false, &err));
    ck_assert(is_in_files(SECRET));
    return s;
}

static inline void check_forgotten(const char *secret)
{
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM forget"), 0);
    ck_assert_msg(!is_in_files(secret), "%s is still in the file", secret);
}

#endif
