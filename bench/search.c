/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long memory.search takes on a large file: builds one through the store (moments of ten log
 * lines, words by a power law, so that the commonest stand in nearly every moment), then asks
 * questions of one to five words, common and rare, with and without a filter.
 *
 *   search [MOMENTS [FILE [QUERIES]]]   default 100000 /tmp/varve-search.db 2000; an existing FILE
 *                                       is used
 *   WRITE=1                             writes on while it asks
 *   WORDS="disk full"                   asks this question only
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "memory/evidence.h"
#include "memory/recall.h"
#include "memory/sketch.h"
#include "memory/words.h"

#define LINES 10
#define VOCABULARY 60000
#define EPOCH 1767225600000000LL /* 2026-01-01 */
#define BATCH 500

static uint64_t seed = 0x9e3779b97f4a7c15ull;
static atomic_bool stop;

static void fail(const char *what, const struct errmsg *err)
{
    fprintf(stderr, "search: %s: %s\n", what, err->text);
    exit(1);
}

static double uniform(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* Rank by a power law: word 0 in most lines, the last ones a few times in all. */
static unsigned word(uint64_t *state)
{
    return (unsigned)(pow(VOCABULARY, uniform(state)) - 1);
}

static int line(uint64_t *state, char *out, size_t size)
{
    int n = snprintf(out, size, "host%u app%u[%u]:", word(state) % 40, word(state) % 200,
                     (unsigned)(uniform(state) * 30000));
    int words = 6 + (int)(uniform(state) * 8);
    for (int i = 0; i < words; i++)
        n += snprintf(out + n, size - (size_t)n, " wq%uz", word(state));
    return n;
}

struct writer {
    struct store *store;
    int64_t stream;
    struct store_words *words;
    struct buf block;
    struct sketch_index *sketches;
    uint64_t seq, state;
    int64_t time;
};

static void put_moment(struct writer *w)
{
    char text[LINES][400];
    struct record records[LINES];
    struct moment m = {.kind = KIND_TEXT,
                       .records = records,
                       .record_count = LINES,
                       .ended = END_SURPRISE,
                       .model = 1,
                       .path = uniform(&w->state) < 0.3 ? PATH_DISCRETE : PATH_LATENT};
    struct errmsg err;
    int64_t id;
    for (int i = 0; i < LINES; i++) {
        int n = line(&w->state, text[i], sizeof(text[i]));
        w->time += US_PER_SECOND;
        records[i] = (struct record){
            .seq = ++w->seq, .time = w->time, .arrival = w->time, .text = {text[i], (size_t)n}};
    }
    for (int i = 0; i < LATENT_DIM; i++)
        m.latent[i] = (float)(uniform(&w->state) - 0.5);
    m.start = records[0].time;
    m.end = records[LINES - 1].time;
    snprintf(m.title, sizeof(m.title), "%.100s", text[0]);
    buf_clear(&w->block);
    if (evidence_encode(records, LINES, 3, &w->block) ||
        words_index(&m, "log", NULL, 0, w->words) ||
        store_moment_put(w->store, w->stream, &m, (struct slice){w->block.data, w->block.size},
                         w->words, &id, &err))
        fail("put", &err);
    if (sketch_index_append(w->sketches, id, w->stream, KIND_TEXT, m.start, m.latent))
        exit(1);
}

static void put_moments(struct writer *w, int count)
{
    struct errmsg err;
    for (int done = 0; done < count && !atomic_load(&stop);) {
        if (store_begin(w->store, &err))
            fail("begin", &err);
        for (int i = 0; i < BATCH && done < count; i++, done++)
            put_moment(w);
        if (store_commit(w->store, &err))
            fail("commit", &err);
    }
}

static void *write_on(void *arg)
{
    put_moments(arg, 1 << 30);
    return NULL;
}

static void open_writer(struct writer *w, const char *path)
{
    struct errmsg err;
    struct store_options options = {.path = path, .clock = clock_system(), .no_sync = true};
    if (store_open(&options, &w->store, &err))
        fail(path, &err);
    w->words = store_words_new();
    w->state = seed;
    w->time = EPOCH;
}

static void find_stream(void *arg, const struct store_stream *s)
{
    struct writer *w = arg;
    w->stream = s->id;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ask(struct reader *r, const struct writer *w, int count, int kind, const char *fixed)
{
    static const char *const kinds[] = {"rare words", "any words", "common words",
                                        "any words, last day"};
    double *ms = calloc((size_t)count, sizeof(double)),
           *cpu = calloc((size_t)count, sizeof(double));
    struct arena arena;
    uint64_t state = seed * 31 + (uint64_t)kind, found = 0;
    arena_init(&arena, 64 << 10);
    for (int i = 0; i < count; i++) {
        char text[256];
        int n = 0, words = 1 + (int)(uniform(&state) * 5);
        for (int k = 0; k < words; k++) {
            unsigned v = kind == 0   ? 1000 + (unsigned)(uniform(&state) * (VOCABULARY - 1000))
                         : kind == 2 ? (unsigned)(uniform(&state) * 30)
                                     : word(&state);
            n += snprintf(text + n, sizeof(text) - (size_t)n, "wq%uz ", v);
        }
        struct recall_query q = {.text = {fixed ? fixed : text, fixed ? strlen(fixed) : (size_t)n},
                                 .filter = {TIME_UNKNOWN, TIME_UNKNOWN, NULL, 0}};
        if (kind == 3)
            q.filter.since = w->time - US_PER_DAY;
        struct recall_found ret;
        struct errmsg err;
        arena_reset(&arena);
        double cpu_start = cpu_seconds();
        int64_t start = clock_mono(clock_system());
        if (recall_search(r, &q, &arena, &ret, &err))
            fail("search", &err);
        ms[i] = (double)(clock_mono(clock_system()) - start) / 1000;
        cpu[i] = 1e3 * (cpu_seconds() - cpu_start);
        found += ret.items.count;
    }
    qsort(ms, (size_t)count, sizeof(double), compare_doubles);
    qsort(cpu, (size_t)count, sizeof(double), compare_doubles);
    printf("%-20s p50 %6.2f ms  p95 %6.2f ms  max %6.2f ms  cpu p50 %.2f p95 %.2f ms  items %.1f\n",
           fixed ? fixed : kinds[kind], ms[count / 2], ms[count * 95 / 100], ms[count - 1],
           cpu[count / 2], cpu[count * 95 / 100], (double)found / count);
    free(ms);
    free(cpu);
    arena_deinit(&arena);
}

int main(int argc, char **argv)
{
    int moments = argc > 1 ? atoi(argv[1]) : 100000;
    const char *path = argc > 2 ? argv[2] : "/tmp/varve-search.db";
    int queries = argc > 3 ? atoi(argv[3]) : 2000;
    bool exists = access(path, F_OK) == 0;
    struct writer w = {0};
    struct errmsg err;
    pthread_t thread;
    open_writer(&w, path);
    if (sketch_index_new(&w.sketches))
        return 1;
    if (!exists) {
        int64_t start = clock_mono(clock_system());
        if (store_begin(w.store, &err) ||
            store_stream_create(w.store, "log", KIND_TEXT, "benchmark", &w.stream, &err) ||
            store_commit(w.store, &err))
            fail("create", &err);
        put_moments(&w, moments);
        store_checkpoint(w.store, true, &err);
        printf("built %d moments in %.1f s\n", moments,
               (double)(clock_mono(clock_system()) - start) / 1e6);
    } else {
        store_streams(w.store, find_stream, &w, &err);
        w.time = EPOCH + (int64_t)moments * LINES * US_PER_SECOND;
        w.seq = (uint64_t)moments * LINES;
        int64_t start = clock_mono(clock_system());
        if (sketch_index_load(w.sketches, path, 0, NULL, &err))
            fail("sketches", &err);
        printf("loaded %u sketches in %.0f ms\n", sketch_index_count(w.sketches),
               (double)(clock_mono(clock_system()) - start) / 1000);
    }
    struct reader *r;
    struct reader_options options = {
        .path = path, .clock = clock_system(), .df = store_df(w.store), .sketches = w.sketches};
    int64_t start = clock_mono(clock_system());
    if (reader_open(&options, &r, &err))
        fail("open", &err);
    printf("reader opened in %.1f ms\n", (double)(clock_mono(clock_system()) - start) / 1000);
    bool writing = getenv("WRITE") != NULL;
    if (writing && pthread_create(&thread, NULL, write_on, &w))
        return 1;
    const char *fixed = getenv("WORDS");
    for (int kind = 0; kind < (fixed ? 1 : 4); kind++)
        ask(r, &w, queries, kind, fixed);
    printf("resident %.0f MiB%s\n", resident_mib(), writing ? ", writing meanwhile" : "");
    atomic_store(&stop, true);
    if (writing)
        pthread_join(thread, NULL);
    reader_close(r);
    store_words_free(w.words);
    buf_deinit(&w.block);
    sketch_index_free(w.sketches);
    store_close(w.store);
    return 0;
}
