/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days of a small machine through the pipeline and the store, on a clock of their own, under a
 * budget: is the file ever more than 2 % above it, does memory grow, what is left after how long.
 *
 * usage: bench_days [--days N] [--records N] [--budget MIB] [--evict coverage|salience|fifo|random]
 *                   [--seed N] [--folder DIR] [--decay tau|wall] [--sign fast|slow] [--quiet]
 *
 * --records is of each day; a twentieth of them are rows of a sensor. About one line in 20,000 is
 * of a kind that is never seen again: how many of these are still kept at the end is printed beside
 * what is kept of everything. Exit status 1: the budget was broken, or the file is not sound.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/bench.h"
#include "memory/evidence.h"
#include "memory/keep.h"
#include "memory/sqlite.h"
#include "memory/verify.h"
#include "memory/words.h"
#include "model/kernels.h"
#include "pipeline/stream.h"

#define STREAMS 4
#define CHANNELS 3
#define START 1767225600000000LL /* 2026-01-01 */
#define COMMIT (2 * US_PER_MINUTE)
#define SNAPSHOT (10 * US_PER_MINUTE)
#define RARE_MAX 4096

struct options {
    int days, records;
    double budget;
    int evict, sign;
    bool wall, quiet;
    unsigned seed;
    const char *folder;
};

struct source {
    struct world *world;
    struct pipeline_stream *pipeline;
    int64_t id;
    const char *name;
    enum stream_kind kind;
    uint64_t seq;
};

struct world {
    struct options o;
    struct clock clock;
    struct store *store;
    struct source sources[STREAMS];
    struct store_words *words;
    struct buf block;
    char folder[256], path[300];
    uint64_t random;
    uint64_t records, moments, raw_bytes;
    uint64_t rare_seq[RARE_MAX];
    int rare_stream[RARE_MAX];
    int rare;
    int64_t pending_bytes;
    bool in_transaction;
    double keep_seconds, consolidate_seconds;
    int64_t worst_total, worst_log;
    int worst_hour, broken, refused;
};

static struct errmsg err;

static uint32_t below(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)((w->random >> 32) % n);
}

/* ---- what a day says ---- */

static const char *const nouns[] = {"disk",   "session", "request", "backup", "sensor", "cache",
                                    "worker", "mailbox", "queue",   "tunnel", "index",  "lease"};
static const char *const verbs[] = {"opened",  "closed",   "started", "finished", "renewed",
                                    "expired", "accepted", "flushed", "rotated",  "checked"};

static int usual_line(struct world *w, int stream, char *out, size_t size)
{
    uint32_t kind = below(w, 8) * below(w, 3) + (uint32_t)stream * 17;
    const char *noun = nouns[kind % 12], *verb = verbs[(kind / 3) % 10];
    switch (kind % 4) {
    case 0:
        return snprintf(out, size, "%s[%u]: %s %u %s in %u ms", noun, 300 + kind, noun,
                        below(w, 5000), verb, below(w, 900));
    case 1:
        return snprintf(out, size, "host-%02u %s %s for user%u from 10.0.%u.%u", kind % 7, noun, verb,
                        below(w, 20), below(w, 3), below(w, 250));
    case 2:
        return snprintf(out, size, "INFO %s: %s (id=%08x, size %u KiB)", noun, verb,
                        below(w, 1u << 31), below(w, 4096));
    default:
        return snprintf(out, size, "%s %s: %u of %u done", noun, verb, below(w, 100), 100);
    }
}

static int rare_line(struct world *w, char *out, size_t size)
{
    char word[9];
    for (int i = 0; i < 8; i++)
        word[i] = (char)('a' + below(w, 26));
    word[8] = '\0';
    return snprintf(out, size, "CRITICAL %s%d failure: voltage of %s fell to %u mV", word, w->rare,
                    word, below(w, 900));
}

static void push(struct world *w, int stream, int64_t time, const char *text, int size,
                 const struct sample *samples)
{
    struct source *s = &w->sources[stream];
    struct record r = {.seq = ++s->seq, .time = time, .arrival = time};
    if (samples) {
        r.samples = samples;
        r.sample_count = CHANNELS;
    } else {
        r.text = (struct slice){text, (size_t)size};
    }
    w->records++;
    w->raw_bytes += record_payload_size(&r);
    MUST(pipeline_stream_push(s->pipeline, &r, 1, NULL));
}

static void one_record(struct world *w, int64_t time)
{
    char line[200];
    if (below(w, 20) == 0) {
        double day = (double)(time % US_PER_DAY) / US_PER_DAY * 6.2832;
        struct sample samples[CHANNELS];
        for (int c = 0; c < CHANNELS; c++)
            samples[c] = (struct sample){(uint16_t)c, 20 + 5 * c + 3 * sin(day + c) +
                                                          below(w, 100) / 100.0};
        push(w, STREAMS - 1, time, NULL, 0, samples);
        return;
    }
    int stream = (int)below(w, STREAMS - 1);
    bool rare = below(w, 20000) == 0 && w->rare < RARE_MAX;
    int n = rare ? rare_line(w, line, sizeof(line)) : usual_line(w, stream, line, sizeof(line));
    push(w, stream, time, line, n, NULL);
    if (rare) {
        w->rare_stream[w->rare] = stream;
        w->rare_seq[w->rare++] = w->sources[stream].seq;
    }
}

/* ---- the writer's part ---- */

static void make_room(struct world *w, int64_t need)
{
    double before = cpu_seconds();
    int r;
    while ((r = store_make_room(w->store, need, &err)) == STORE_MORE)
        ;
    must(r, "make room", &err);
    w->refused += r == STORE_NO_ROOM;
    w->keep_seconds += cpu_seconds() - before;
}

static void commit(struct world *w)
{
    if (!w->in_transaction)
        return;
    int r = store_commit(w->store, &err);
    must(r, "commit", &err);
    w->in_transaction = false;
    w->pending_bytes = 0;
    if (store_log_is_full(w->store))
        MUST(store_checkpoint(w->store, false, &err));
}

static void begin(struct world *w)
{
    if (w->in_transaction)
        return;
    make_room(w, 64 << 10);
    MUST(store_begin(w->store, &err));
    w->in_transaction = true;
}

static int on_moment(void *arg, const struct moment *m)
{
    struct source *s = arg;
    struct world *w = s->world;
    static const char *const channels[CHANNELS] = {"cpu", "temp", "fan"};
    bool sensor = s->kind == KIND_SENSOR;
    int64_t id;
    buf_clear(&w->block);
    MUST(evidence_encode(m->records, m->record_count, 3, &w->block));
    MUST(words_index(m, s->name, sensor ? channels : NULL, sensor ? CHANNELS : 0, w->words));
    begin(w);
    struct slice block = {w->block.data, w->block.size};
    MUST(store_moment_put(w->store, s->id, m, block, w->words, &id, &err));
    w->moments++;
    w->pending_bytes += (int64_t)w->block.size;
    if (w->pending_bytes > (int64_t)store_batch_most(w->store))
        commit(w);
    return 0;
}

static void snapshot(struct world *w)
{
    begin(w);
    for (int i = 0; i < STREAMS; i++) {
        struct source *s = &w->sources[i];
        struct buf state = {0};
        char key[40];
        snprintf(key, sizeof(key), "encoder/%d", i);
        MUST(pipeline_stream_save(s->pipeline, false, &state));
        MUST(store_state_put(w->store, key, (struct slice){state.data, state.size}, &err));
        buf_deinit(&state);
        struct store_stream row = {.id = s->id, .source = "bench", .next_seq = s->seq + 1,
                                   .first_time = START, .last_time = clock_now(&w->clock)};
        MUST(store_stream_update(w->store, &row, &err));
    }
    commit(w);
}

static void consolidate(struct world *w)
{
    double before = cpu_seconds();
    int r;
    int64_t wanted = 16 << 10;
    while ((r = store_consolidate(w->store, &err)) == STORE_MORE ||
           (r == ERR_FULL && wanted < 16 << 20)) {
        if (r == ERR_FULL) /* as the writer does */
            make_room(w, wanted *= 2);
        if (store_log_is_full(w->store))
            MUST(store_checkpoint(w->store, false, &err));
    }
    must(r, "consolidate", &err);
    w->consolidate_seconds += cpu_seconds() - before;
}

/* ---- what is looked at ---- */

static int64_t file_size(const struct world *w, const char *suffix)
{
    char name[340];
    struct stat st;
    snprintf(name, sizeof(name), "%s%s", w->path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void look(struct world *w, int hour)
{
    int64_t log = file_size(w, "-wal");
    int64_t total = file_size(w, "") + log + file_size(w, "-shm");
    if (log > w->worst_log)
        w->worst_log = log;
    if (total > w->worst_total) {
        w->worst_total = total;
        w->worst_hour = hour;
    }
    w->broken += w->o.budget > 0 && (double)total > 1.02 * w->o.budget;
    if (!w->o.quiet && hour % (24 * (w->o.days > 20 ? 10 : 1)) == 0) {
        struct store_usage u;
        MUST(store_usage(w->store, &u, &err));
        printf("day %3d: %6.2f MiB (log %4.0f KiB), rss %.1f MiB, evidence %lld (%lld KiB), moments "
               "%lld, episodes %lld, hours %lld, tau %.2f days, %u features\n",
               hour / 24, (double)total / (1 << 20), (double)log / 1024, resident_mib(),
               (long long)u.count[0], (long long)u.bytes[0] >> 10, (long long)u.count[1],
               (long long)u.count[2], (long long)u.count[3], u.tau / 86400, u.features);
        fflush(stdout);
    }
}

static int64_t number(sqlite3 *db, const char *sql)
{
    int64_t v = 0;
    MUST(sql_int64(db, sql, &v, &err));
    return v;
}

static void report_ages(struct world *w, sqlite3 *db)
{
    static const int from[] = {0, 1, 3, 7, 14, 30, 60, 1000};
    int64_t now = clock_now(&w->clock);
    for (int i = 0; i + 1 < (int)(sizeof(from) / sizeof(*from)) && from[i] < w->o.days; i++) {
        char sql[300];
        int64_t until = now - from[i] * US_PER_DAY, since = now - from[i + 1] * US_PER_DAY;
        int64_t n[4];
        for (int k = 0; k < 4; k++) {
            snprintf(sql, sizeof(sql),
                     k < 3 ? "SELECT count(*) FROM moment WHERE stratum=%d AND t_start>%lld AND "
                             "t_start<=%lld"
                           : "SELECT count(*) FROM moment m JOIN evidence e ON e.moment=m.id WHERE "
                             "stratum=%d AND t_start>%lld AND t_start<=%lld",
                     k % 3, (long long)since, (long long)until);
            n[k] = number(db, sql);
        }
        printf("  age %2d to %3d days: %6lld with evidence, %6lld moments, %5lld episodes, %4lld "
               "hours\n",
               from[i], from[i + 1] < w->o.days ? from[i + 1] : w->o.days, (long long)n[3],
               (long long)n[0], (long long)n[1], (long long)n[2]);
    }
}

/* Of the lines that were like no other, those whose moment, and whose text, is still there. */
static void report_rare(struct world *w, sqlite3 *db)
{
    int moments = 0, evidence = 0;
    for (int i = 0; i < w->rare; i++) {
        char sql[300];
        const char *from = "FROM moment m LEFT JOIN evidence e ON e.moment=m.id WHERE m.stream=";
        snprintf(sql, sizeof(sql),
                 "SELECT 10 * count(*) + count(e.moment) %s%lld AND seq_first<=%llu AND "
                 "seq_last>=%llu",
                 from, (long long)w->sources[w->rare_stream[i]].id,
                 (unsigned long long)w->rare_seq[i], (unsigned long long)w->rare_seq[i]);
        int64_t n = number(db, sql);
        moments += n >= 10;
        evidence += n % 10 > 0;
    }
    printf("rare lines: %d; moment kept of %d, text of %d. All moments: %llu; kept %lld, text of %lld\n",
           w->rare, moments, evidence, (unsigned long long)w->moments,
           (long long)number(db, "SELECT count(*) FROM moment WHERE stratum=0"),
           (long long)number(db, "SELECT count(*) FROM evidence"));
}

static void report(struct world *w)
{
    sqlite3 *db;
    MUST(sqlite_open_readonly(w->path, 0, &db, &err));
    report_ages(w, db);
    report_rare(w, db);
    sqlite3_close(db);
}

/* ---- all of it ---- */

static void open_all(struct world *w)
{
    static const char *const names[STREAMS] = {"syslog", "auth", "app", "host"};
    struct store_options so = {.path = w->path, .clock = &w->clock, .no_sync = true};
    MUST(store_open(&so, &w->store, &err));
    struct store_budget budget = {.bytes = (int64_t)w->o.budget,
                                  .share = {0.4, 0.4, 0.12, 0.06, 0.04},
                                  .pinned = 0.1,
                                  .evict = (enum keep_evict)w->o.evict,
                                  .wall = w->o.wall,
                                  .sign = w->o.sign};
    store_set_budget(w->store, &budget);
    MUST(store_begin(w->store, &err));
    for (int i = 0; i < STREAMS; i++) {
        struct source *s = &w->sources[i];
        *s = (struct source){.world = w, .name = names[i]};
        s->kind = i == STREAMS - 1 ? KIND_SENSOR : KIND_TEXT;
        MUST(store_stream_create(w->store, s->name, s->kind, "bench", &s->id, &err));
        struct pipeline_options po = {.kind = s->kind, .clock = &w->clock};
        struct pipeline_callbacks pc = {.arg = s, .moment = on_moment};
        MUST(pipeline_stream_new(&po, &pc, &s->pipeline));
        for (uint16_t c = 0; s->kind == KIND_SENSOR && c < CHANNELS; c++) {
            static const char *const channels[CHANNELS] = {"cpu", "temp", "fan"};
            MUST(store_channel_put(w->store, s->id, c, channels[c], &err));
            MUST(pipeline_stream_channel(s->pipeline, c, channels[c]));
        }
    }
    MUST(store_commit(w->store, &err));
}

static void run(struct world *w)
{
    int64_t step = US_PER_DAY / w->o.records, now = START, last_commit = now, last_snapshot = now;
    int64_t end = START + w->o.days * US_PER_DAY;
    int hour = 0;
    while (now < end) {
        int64_t next = now + step / 2 + (int64_t)below(w, (uint32_t)step);
        clock_advance(&w->clock, next - now);
        now = next;
        one_record(w, now);
        if (now - last_commit >= COMMIT) {
            for (int i = 0; i < STREAMS; i++)
                MUST(pipeline_stream_tick(w->sources[i].pipeline));
            commit(w);
            last_commit = now;
        }
        if (now - last_snapshot >= SNAPSHOT) {
            snapshot(w);
            last_snapshot = now;
        }
        if ((now - START) / US_PER_HOUR > hour) {
            hour = (int)((now - START) / US_PER_HOUR);
            commit(w);
            consolidate(w);
            make_room(w, 0);
            look(w, hour);
        }
    }
    for (int i = 0; i < STREAMS; i++)
        MUST(pipeline_stream_flush(w->sources[i].pipeline));
    snapshot(w);
    consolidate(w);
    make_room(w, 0);
    look(w, hour + 1);
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"days", 1, NULL, 'd'},   {"records", 1, NULL, 'r'}, {"budget", 1, NULL, 'b'},
        {"evict", 1, NULL, 'e'},  {"seed", 1, NULL, 's'},    {"folder", 1, NULL, 'f'},
        {"decay", 1, NULL, 'y'},  {"sign", 1, NULL, 'g'},    {"quiet", 0, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };
    static const char *const evictions[] = {"", "coverage", "salience", "fifo", "random"};
    int c;
    *o = (struct options){.days = 90, .records = 20000, .budget = 64, .evict = 1, .sign = 1, .seed = 1};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'd': o->days = atoi(optarg); break;
        case 'r': o->records = atoi(optarg); break;
        case 'b': o->budget = atof(optarg); break;
        case 's': o->seed = (unsigned)atoi(optarg); break;
        case 'f': o->folder = optarg; break;
        case 'y': o->wall = strcmp(optarg, "wall") == 0; break;
        case 'g': o->sign = strcmp(optarg, "slow") == 0 ? -1 : 1; break;
        case 'q': o->quiet = true; break;
        case 'e':
            for (o->evict = 4; o->evict > 0 && strcmp(optarg, evictions[o->evict]) != 0;)
                o->evict--;
            break;
        default: return false;
        }
    }
    o->budget *= 1 << 20;
    return o->days > 0 && o->records > 0 && o->evict > 0;
}

int main(int argc, char **argv)
{
    static struct world w;
    if (!parse(argc, argv, &w.o)) {
        fprintf(stderr, "usage: see the head of bench/days.c\n");
        return 2;
    }
    MUST(model_blas_check(&err));
    snprintf(w.folder, sizeof(w.folder), "%s/varve-days-XXXXXX",
             w.o.folder ? w.o.folder : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(w.folder))
        return 1;
    snprintf(w.path, sizeof(w.path), "%s/memory.db", w.folder);
    w.random = w.o.seed * 0x9e3779b97f4a7c15u + 1;
    w.words = store_words_new();
    clock_simulated_init(&w.clock, START);
    open_all(&w);
    double before = cpu_seconds();
    run(&w);
    double took = cpu_seconds() - before;
    report(&w);
    printf("%llu records (%.1f MB), %.0f s of CPU (%.0f records/s): letting go %.1f s, consolidation "
           "%.1f s\nlargest total %.3f MiB = %.2f %% of the budget, in hour %d; largest log %.0f KiB; "
           "%d hours above 102 %%; rss %.1f MiB\n",
           (unsigned long long)w.records, (double)w.raw_bytes / 1e6, took, (double)w.records / took,
           w.keep_seconds, w.consolidate_seconds, (double)w.worst_total / (1 << 20),
           w.o.budget > 0 ? 100.0 * (double)w.worst_total / w.o.budget : 0, w.worst_hour,
           (double)w.worst_log / 1024, w.broken, resident_mib());
    for (int i = 0; i < STREAMS; i++)
        pipeline_stream_free(w.sources[i].pipeline);
    store_close(w.store);
    int r = verify_file(w.path, NULL, &err);
    if (r)
        fprintf(stderr, "the file is not sound: %s\n", err.text);
    store_words_free(w.words);
    buf_deinit(&w.block);
    char command[300];
    snprintf(command, sizeof(command), "rm -r '%s'", w.folder);
    if (getenv("KEEP_FILE") == NULL && system(command) != 0)
        return 1;
    return w.broken || r ? 1 : 0;
}
