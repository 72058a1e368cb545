/* SPDX-License-Identifier: Apache-2.0 */
/* A memory.db in a folder of its own, and moments to put into it. */
#ifndef VARVE_TESTS_UNIT_STORE_FIXTURE_H
#define VARVE_TESTS_UNIT_STORE_FIXTURE_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "memory/evidence.h"
#include "memory/sqlite.h"
#include "memory/store.h"
#include "memory/verify.h"
#include "memory/words.h"

#define T0 1700000000000000LL

static char folder[120], path[160];
static struct clock now;
static struct errmsg err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.text)

static inline void setup(void)
{
    /* In memory where there is such a place: thousands of syncs are made. */
    const char *place = getenv("TMPDIR");
    place = place ? place : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/varve-store-XXXXXX", place);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/memory.db", folder);
    clock_simulated_init(&now, T0);
}

static inline void teardown(void)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static inline struct store *opened(void)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = &now, .no_sync = true};
    OK(store_open(&o, &s, &err));
    return s;
}

static inline int open_code(void)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = &now, .no_sync = true};
    int r = store_open(&o, &s, &err);
    if (r == 0)
        store_close(s);
    return r;
}

static inline int64_t number(const char *sql)
{
    sqlite3 *db;
    int64_t v;
    OK(sqlite_open_readonly(path, 0, &db, &err));
    ck_assert_msg(sql_int64(db, sql, &v, &err) == 0, "%s: %s", sql, err.text);
    sqlite3_close(db);
    return v;
}

/* Records seq..seq+n-1, a second apart from `time`, as one moment. */
static inline int put_lines(struct store *s, int64_t stream, uint64_t seq, uint32_t n, int64_t time,
                            enum moment_path how, enum moment_end ended, int64_t *ret_id)
{
    struct record records[MOMENT_RECORDS];
    char lines[MOMENT_RECORDS][64];
    struct buf block = {0};
    struct store_words *w = store_words_new();
    for (uint32_t i = 0; i < n; i++) {
        snprintf(lines[i], sizeof(lines[i]), "request %u failed on disk", (unsigned)(seq + i));
        records[i] = (struct record){
            .seq = seq + i, .time = time + i * US_PER_SECOND, .text = {lines[i], strlen(lines[i])}};
    }
    struct unusual u = {
        .start = time, .end = time, .bits = 9, .z = 5, .score = 0.7f, .why = "first of its kind"};
    struct entity_seen seen[] = {
        {"host", "web-01", 2}, {"process", "sshd", 1}, {"host", "web-01", 1}};
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time + (n - 1) * US_PER_SECOND,
                       .records = records,
                       .record_count = n,
                       .ended = ended,
                       .model = 3,
                       .bits = 1,
                       .bits_max = 9,
                       .z = 5,
                       .path = how,
                       .unusual = &u,
                       .unusual_count = 1,
                       .entities = seen,
                       .entity_count = 3,
                       .gist = {"a gist", 6}};
    m.latent[3] = 0.6f;
    m.latent[4] = -0.8f;
    snprintf(m.title, sizeof(m.title), "title %u", (unsigned)seq);
    int r = w ? evidence_encode(records, n, 3, &block) : ERR_NOMEM;
    if (r == 0)
        r = words_index(&m, "sys.log", NULL, 0, w);
    if (r == 0)
        r = store_moment_put(s, stream, &m, (struct slice){block.data, block.size}, w, ret_id,
                             &err);
    buf_deinit(&block);
    store_words_free(w);
    return r;
}

/* Puts a moment as the writer does, in a transaction of its own. */
static inline int64_t commit_samples(struct store *s, int64_t stream, const char *name,
                                     const char *const *channels, uint32_t channel_count,
                                     const struct moment *m)
{
    struct buf block = {0};
    struct store_words *w = store_words_new();
    int64_t id;
    OK(evidence_encode(m->records, m->record_count, 3, &block));
    OK(words_index(m, name, channels, channel_count, w));
    OK(store_begin(s, &err));
    OK(store_moment_put(s, stream, m, (struct slice){block.data, block.size}, w, &id, &err));
    OK(store_commit(s, &err));
    buf_deinit(&block);
    store_words_free(w);
    return id;
}

static inline int64_t commit_moment(struct store *s, int64_t stream, const char *name,
                                    const struct moment *m)
{
    return commit_samples(s, stream, name, NULL, 0, m);
}

static inline int64_t stream_of(struct store *s, const char *name)
{
    int64_t id;
    OK(store_begin(s, &err));
    OK(store_stream_create(s, name, KIND_TEXT, "test", &id, &err));
    struct store_stream stream = {.id = id,
                                  .source = "test",
                                  .next_seq = 1 << 30,
                                  .first_time = TIME_UNKNOWN,
                                  .last_time = TIME_UNKNOWN};
    OK(store_stream_update(s, &stream, &err));
    OK(store_commit(s, &err));
    return id;
}

/* Commits it in a transaction of its own. */
static inline int64_t put_moment(struct store *s, int64_t stream, uint64_t seq, uint32_t n,
                                 int64_t time, enum moment_end ended)
{
    int64_t id;
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, seq, n, time, seq % 2 ? PATH_LATENT : PATH_DISCRETE, ended, &id));
    OK(store_commit(s, &err));
    return id;
}

static inline void consolidate_all(struct store *s)
{
    int r;
    while ((r = store_consolidate(s, &err)) == STORE_MORE)
        ;
    ck_assert_msg(r == 0, "%s", err.text);
}

static inline void check_sound(void)
{
    ck_assert_msg(verify_file(path, NULL, &err) == 0, "%s", err.text);
}

#endif
