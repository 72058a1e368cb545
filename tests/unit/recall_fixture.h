/* SPDX-License-Identifier: Apache-2.0 */
/* A memory with moments of chosen lines, and a reader on it. */
#ifndef VARVE_TESTS_UNIT_RECALL_FIXTURE_H
#define VARVE_TESTS_UNIT_RECALL_FIXTURE_H

#include "memory/recall.h"
#include "memory/recall_json.h"
#include "memory/sketch.h"
#include "tests/unit/store_fixture.h"

static struct store *store;
static struct reader *reader;
static struct arena arena;
static struct sketch_index *sketches;
static uint64_t next_seq;

#define ALL                                                                                        \
    (struct recall_filter)                                                                         \
    {                                                                                              \
        TIME_UNKNOWN, TIME_UNKNOWN, NULL, 0                                                        \
    }

static inline void memory_setup(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    setup();
    next_seq = 1;
    store = opened();
    arena_init(&arena, 4096);
    ck_assert_int_eq(sketch_index_new(&sketches), 0);
    struct reader_options o = {
        .path = path, .clock = &now, .df = store_df(store), .sketches = sketches};
    OK(reader_open(&o, &reader, &err));
}

static inline void memory_teardown(void)
{
    reader_close(reader);
    sketch_index_free(sketches);
    arena_deinit(&arena);
    store_close(store);
    teardown();
}

/* Lines separated by '\n', ten seconds apart from `time`, refs "STREAM:N"; its id. */
static inline int64_t remember_as(int64_t stream, const char *name, int64_t time, const char *lines,
                                  enum moment_path how, const struct unusual *unusual)
{
    struct record records[MOMENT_RECORDS];
    char refs[MOMENT_RECORDS][40];
    struct buf block = {0};
    struct store_words *w = store_words_new();
    uint32_t n = 0;
    for (const char *s = lines; *s; n++) {
        size_t size = strcspn(s, "\n");
        int64_t t = time + n * 10 * US_PER_SECOND;
        int ref = snprintf(refs[n], sizeof(refs[n]), "%s:%u", name, (unsigned)next_seq);
        records[n] = (struct record){.seq = next_seq++,
                                     .time = t,
                                     .arrival = t,
                                     .text = {s, size},
                                     .ref = {refs[n], (size_t)ref}};
        s += size + (s[size] == '\n');
    }
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = records[n - 1].time,
                       .records = records,
                       .record_count = n,
                       .ended = END_GAP,
                       .model = 3,
                       .bits = 1,
                       .bits_max = 2,
                       .z = 1,
                       .path = how,
                       .unusual = unusual,
                       .unusual_count = unusual ? 1 : 0,
                       .gist = {lines, strcspn(lines, "\n")}};
    for (const char *s = lines; *s; s++)
        m.latent[(unsigned char)*s] += 1;
    snprintf(m.title, sizeof(m.title), "%.*s", (int)strcspn(lines, "\n"), lines);
    ck_assert_int_eq(evidence_encode(records, n, 3, &block), 0);
    ck_assert_int_eq(words_index(&m, name, NULL, 0, w), 0);
    int64_t id;
    OK(store_begin(store, &err));
    OK(store_moment_put(store, stream, &m, (struct slice){block.data, block.size}, w, &id, &err));
    OK(store_commit(store, &err));
    ck_assert_int_eq(sketch_index_append(sketches, id, stream, KIND_TEXT, time, m.latent), 0);
    buf_deinit(&block);
    store_words_free(w);
    return id;
}

static inline int64_t remember(int64_t stream, const char *name, int64_t time, const char *lines)
{
    return remember_as(stream, name, time, lines, next_seq % 2 ? PATH_LATENT : PATH_DISCRETE, NULL);
}

static inline struct recall_found searched(const char *text, struct recall_filter filter,
                                           uint32_t limit)
{
    struct recall_found found;
    struct recall_query q = {.text = {text, strlen(text)}, .filter = filter, .limit = limit};
    arena_reset(&arena);
    OK(recall_search(reader, &q, &arena, &found, &err));
    return found;
}

#endif
