/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When something has to go. The budget is split once: a part for the log (with its index in shared
 * memory), the rest for the database, whose pages SQLite itself is told not to exceed. In the
 * database a reserve is kept free, so that what comes in seldom waits for what goes out.
 *
 * A step does the cheapest thing that helps: checkpoint a full log; put the index together where
 * deleted rows fill it (an FTS5 row that was deleted keeps its room until segments merge); let some
 * memories go, of the first class that holds more than its share; make what is due to be summed up,
 * so that more may go. Each is one short transaction.
 */
#include "memory/keep.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "memory/erase.h"
#include "memory/keep_internal.h"
#include "memory/scrub.h"
#include "memory/sums.h"
#include "memory/words_internal.h"

#define KIB 1024
#define MIB (1024 * KIB)
#define LOG_LEAST (384 * KIB)
#define LOG_MOST (64 * MIB)
#define RESERVE_LEAST (224 * KIB)
#define RESERVE_MOST (32 * MIB)
#define WRITE_LEAST (256 * KIB) /* of the log, that any transaction may take */
#define WRITE_GROWTH 14         /* its share for a byte of a moment's job, as measured */
#define VICTIM_LOG (48 * KIB)   /* that letting one memory go may take */
#define VICTIMS_MOST 64
#define GROWTH 5 /* a record's bytes in a memory that is full: index, rows, log pages */
#define MERGE_BYTES (256 * KIB)
#define UPKEEP_PAGES 64
#define SMALL_BUDGET (256ll * MIB)
#define COMMITS_A_MERGE 6
#define LOOKS_A_MEASURE 32
#define DEAD_LEAST 256 /* rows of the index: no merging for less */
#define PROFILES_SHARE 8 /* of the budget */
#define PROFILE_BYTES (10 * KIB) /* one of a stream in some weeks of spans and their remainders */

static int64_t bounded(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static int count_log(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct keeper *k = arg;
    k->log_bytes = (int64_t)pages * (SCHEMA_PAGE_SIZE + 24);
    return SQLITE_OK;
}

static int pragma(struct store *s, enum keep_statement which, int64_t *ret, struct errmsg *err)
{
    sqlite3_stmt *q = keep_stmt(s, which);
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return r;
}

/* Pages in use and free ones, inside the file. */
static int count_pages(struct store *s, int64_t *ret_all, int64_t *ret_free, struct errmsg *err)
{
    int r = pragma(s, KEEP_SQL_PAGES, ret_all, err);
    return r ? r : pragma(s, KEEP_SQL_FREE, ret_free, err);
}

/*
 * What comes in may not use the last of the reserve: taking things out needs some room, too, and
 * above all in a file that is to become smaller than it is.
 */
static void bound_pages(struct store *s, bool upkeep)
{
    const struct keeper *k = s->keeper;
    char sql[64];
    int64_t most = k->pages_most, all, unused;
    if (!upkeep)
        most -= k->reserve * 2 / 5 / SCHEMA_PAGE_SIZE;
    else if (count_pages(s, &all, &unused, NULL) == 0 && all + UPKEEP_PAGES > most)
        most =
            all + UPKEEP_PAGES + (all > most ? (all - most) / 2 : 0); /* a large index wants much */
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld", (long long)most);
    sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

void keep_lend(struct store *s, bool lend)
{
    if (s->keeper->budget.bytes == 0 || s->keeper->lent == lend)
        return;
    s->keeper->lent = lend;
    bound_pages(s, lend);
}

void store_set_budget(struct store *s, const struct store_budget *budget)
{
    struct keeper *k = s->keeper;
    char sql[160];
    k->budget = *budget;
    k->pool_count = 0;
    sqlite3_wal_hook(s->db, count_log, k);
    if (budget->bytes == 0)
        return;
    k->log_most = bounded(budget->bytes / 8, LOG_LEAST, LOG_MOST);
    /* Shared memory: 32 KiB for each 4096 frames. */
    int64_t shared = 32 * KIB * (1 + k->log_most / (16 * MIB));
    k->pages_most = (budget->bytes - k->log_most - shared) / SCHEMA_PAGE_SIZE;
    k->reserve = bounded(budget->bytes / 32, RESERVE_LEAST, RESERVE_MOST);
    snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%lld", (long long)k->log_most);
    sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    bound_pages(s, false);
}

size_t store_batch_most(const struct store *s)
{
    const struct keeper *k = s->keeper;
    return k->budget.bytes == 0 ? SIZE_MAX : (size_t)(k->log_most / 32);
}

/* From here on the next transaction might not fit any more. */
static int64_t log_full(const struct keeper *k)
{
    int64_t write = bounded(k->log_most * WRITE_GROWTH / 32, WRITE_LEAST, k->log_most);
    return k->log_most - write;
}

bool store_log_is_full(const struct store *s)
{
    const struct keeper *k = s->keeper;
    return k->budget.bytes != 0 && k->log_bytes > log_full(k);
}

/* ---- steps ---- */

static int in_transaction(struct store *s, int (*step)(struct store *, struct errmsg *),
                          struct errmsg *err)
{
    int r = store_begin(s, err);
    int did = r ? r : step(s, err);
    if (r == 0 && did >= 0)
        r = store_commit(s, err);
    if (r || did < 0)
        store_rollback(s);
    return r ? r : did;
}

static int64_t merge_pages(const struct keeper *k)
{
    return bounded(k->log_most / 4, 32 * KIB, MERGE_BYTES) / SCHEMA_PAGE_SIZE;
}

static int merge_step(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    sqlite3_stmt *merge = keep_stmt(s, KEEP_SQL_MERGE);
    int64_t pages = merge_pages(k);
    int r = k->merging ? 0 : words_trim_levels(s->db, err);
    if (r)
        return r;
    int before = sqlite3_total_changes(s->db);
    /* Negative: all segments are to become one; after that, go on with what was begun. */
    sqlite3_bind_int64(merge, 1, k->merging ? pages : -pages);
    if (!k->merging)
        k->rows_dead = 0;
    k->merging = true;
    r = sql_run(merge, err);
    if (r == 0 && sqlite3_total_changes(s->db) - before < 2)
        k->merging = false;
    return r;
}

/*
 * FTS5 puts segments together by itself when it commits, up to 16 of a level at once: in a small
 * file that is most of the index, and twice its room. Done before, in steps, it never comes to
 * that.
 */
static bool index_wants_merge(const struct store *s)
{
    const struct keeper *k = s->keeper;
    return k->budget.bytes < SMALL_BUDGET && (k->settling || k->commits >= COMMITS_A_MERGE);
}

static int settle_step(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    sqlite3_stmt *merge = keep_stmt(s, KEEP_SQL_MERGE);
    int before = sqlite3_total_changes(s->db);
    sqlite3_bind_int64(merge, 1, merge_pages(k));
    int r = sql_run(merge, err);
    k->commits = 0;
    k->settling = r == 0 && sqlite3_total_changes(s->db) - before >= 2;
    return r;
}

static bool index_is_loose(const struct store *s)
{
    const struct keeper *k = s->keeper;
    return k->merging || k->rows_dead > DEAD_LEAST + (int64_t)words_df_total_rows(s->df) / 2;
}

static int has_evidence(struct store *s, int64_t id, bool *ret, struct errmsg *err)
{
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_HAS_EVIDENCE);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    sqlite3_reset(q);
    *ret = r == 0;
    return r == SQL_DONE ? 0 : r;
}

/* A moment that has evidence loses that first; the rest of it at another time. */
static int let_go(struct store *s, enum keep_class class, int64_t id, struct errmsg *err)
{
    bool evidence = false;
    int found = class == KEEP_MOMENTS ? has_evidence(s, id, &evidence, err) : 0;
    if (found)
        return found;
    class = evidence ? KEEP_EVIDENCE : class;
    int r = class == KEEP_EVIDENCE  ? store_erase_evidence(s, id, err)
            : class == KEEP_MOMENTS ? store_erase_moment(s, id, ERASE_EVICT, err)
                                    : store_erase_span(s, id, err);
    if (r == ERASE_HAS_CHILDREN || r == ERR_BUSY || r == ERR_NOTFOUND)
        return 0; /* the file changed since the look */
    struct keeper *k = s->keeper;
    if (r == 0)
        k->counts.let_go[class]++;
    if (r == 0 && class == KEEP_MOMENTS && k->gone_count < KEEP_POOL)
        k->gone[k->gone_count++] = id;
    return r;
}

size_t store_let_go(struct store *s, int64_t *ids, size_t max)
{
    struct keeper *k = s->keeper;
    size_t n = k->gone_count < max ? k->gone_count : max;
    memcpy(ids, k->gone, n * sizeof(*ids));
    memmove(k->gone, k->gone + n, (k->gone_count - n) * sizeof(*ids));
    k->gone_count -= (uint32_t)n;
    return n;
}

/* STORE_MORE: something went. 0: nothing of the class may. */
static int let_some_go(struct store *s, enum keep_class class, bool all, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int64_t most = bounded((k->log_most - log_full(k)) / VICTIM_LOG, 2, VICTIMS_MOST), id;
    uint32_t before = k->gone_count;
    most = k->cautious ? 1 : most;
    int r = store_begin(s, err), n = 0;
    if (r)
        return r;
    while (n < most && (r = keep_pick(s, class, all, &id, err)) == 0) {
        r = let_go(s, class, id, err);
        n++;
        if (r)
            break;
    }
    if (r == 0 || r == SQL_DONE)
        r = store_commit(s, err);
    if (r) {
        store_rollback(s);
        k->gone_count = before;
    }
    if (r == ERR_FULL && !k->cautious) { /* fewer at a time take less room on the way */
        k->cautious = true;
        k->pool_count = 0;
        return STORE_MORE;
    }
    k->cautious = r == ERR_FULL;
    return r ? r : n > 0 ? STORE_MORE : 0;
}

static int class_bytes(struct store *s, int64_t bytes[KEEP_CLASSES], struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int64_t all = 0, unused = 0, count;
    int r = count_pages(s, &all, &unused, err);
    if (r == 0 && (k->measures == 0 || ++k->looks % LOOKS_A_MEASURE == 0))
        r = keep_measure(s, err);
    bytes[KEEP_EVIDENCE] = k->counts.evidence_bytes;
    int64_t rest = (all - unused) * SCHEMA_PAGE_SIZE - bytes[KEEP_EVIDENCE];
    for (enum keep_class c = KEEP_EPISODES; c < KEEP_CLASSES && r == 0; c++) {
        r = keep_count(s, c, &count, err);
        bytes[c] = (int64_t)((double)count * k->span_bytes[c]);
        rest -= bytes[c];
    }
    rest -= k->fixed;
    bytes[KEEP_MOMENTS] = rest > 0 ? rest : 0; /* with the index */
    return r;
}

/* First what is furthest over its share, then whatever there is, the lowest rung first. */
static int evict(struct store *s, bool all, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int64_t bytes[KEEP_CLASSES];
    double over[KEEP_CLASSES], shared;
    int r = class_bytes(s, bytes, err);
    shared = (double)(k->pages_most * SCHEMA_PAGE_SIZE - k->fixed - k->reserve);
    for (enum keep_class c = 0; c < KEEP_CLASSES; c++)
        over[c] = (double)bytes[c] - k->budget.share[c] * shared;
    while (r == 0) {
        enum keep_class most = 0;
        for (enum keep_class c = 1; c < KEEP_CLASSES; c++)
            if (over[c] > over[most])
                most = c;
        if (over[most] <= 0)
            break;
        over[most] = 0;
        r = let_some_go(s, most, all, err);
    }
    /* While detail still waits to be summed up, what sums up the rest stays. */
    enum keep_class last = all ? KEEP_DAYS : KEEP_EPISODES;
    for (enum keep_class c = 0; c <= last && r == 0; c++)
        r = let_some_go(s, c, all, err);
    return r;
}

static int give_back(struct store *s, int64_t pages, struct errmsg *err)
{
    char sql[64];
    int64_t most = s->keeper->log_most / 4 / SCHEMA_PAGE_SIZE;
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%lld)",
             (long long)(pages < most ? pages : most));
    int r = sql_exec(s->db, sql, err);
    return r ? r : STORE_MORE;
}

/* STORE_NO_ROOM: a reader is in the way. */
static int empty_log(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int frames = 0, done = 0;
    int r = scrub_note(s, err);
    if (r)
        return r;
    sqlite3_busy_timeout(s->db, 0);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, &frames, &done);
    sqlite3_busy_timeout(s->db, 10000);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return sql_error(s->db, rc, err, "checkpoint");
    if (rc == SQLITE_OK) {
        k->log_bytes = 0;
        return STORE_MORE;
    }
    return STORE_NO_ROOM;
}

static int sum_up(struct store *s, struct errmsg *err)
{
    s->hurried = true;
    int r = store_consolidate(s, err);
    s->hurried = false;
    return r;
}

/* STORE_MORE, 0: nothing can be done, or an error. */
static int free_some(struct store *s, struct errmsg *err)
{
    int r = 0;
    if (index_is_loose(s)) {
        r = in_transaction(s, merge_step, err);
        if (r != ERR_FULL)
            return r ? r : STORE_MORE;
        s->keeper->merging = false;
    }
    /* What waits to be summed up may not go, and in its stead older things would. */
    if (s->keeper->behind) {
        r = sum_up(s, err);
        s->keeper->behind = r == STORE_MORE;
        if (r && r != ERR_FULL)
            return r;
    }
    r = evict(s, false, err);
    if (r == 0) /* STORE_MORE: something more was summed up, and may go now */
        r = sum_up(s, err);
    if (r == 0 || r == ERR_FULL)
        r = evict(s, true, err);
    if (r || s->keeper->rows_dead == 0)
        return r;
    /* A few dead rows, but of large records: nothing else is left to take. */
    r = in_transaction(s, merge_step, err);
    return r ? r : STORE_MORE;
}

int store_make_room(struct store *s, int64_t need, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int64_t all, unused;
    if (k->budget.bytes == 0)
        return 0;
    int r = store_log_is_full(s) ? empty_log(s, err) : 0;
    if (r == 0)
        r = count_pages(s, &all, &unused, err);
    if (r)
        return r;
    int64_t spare = k->pages_most - all, room = (spare + unused) * SCHEMA_PAGE_SIZE;
    if (index_wants_merge(s)) {
        r = in_transaction(s, settle_step, err);
        if (r != ERR_FULL)
            return r ? r : STORE_MORE;
    }
    if (spare < 0 && unused > 0) /* the budget was made smaller */
        return give_back(s, -spare, err);
    int64_t wanted = bounded(k->reserve + GROWTH * need, 0, k->pages_most * SCHEMA_PAGE_SIZE / 4);
    if (room >= wanted) {
        /* At rest, what is free beyond need goes back. */
        int64_t idle = unused - 4 * k->reserve / SCHEMA_PAGE_SIZE;
        return need == 0 && idle > 0 ? give_back(s, idle, err) : 0;
    }
    bound_pages(s, true);
    r = free_some(s, err);
    bound_pages(s, false);
    return r ? r : STORE_NO_ROOM;
}

int store_touch(struct store *s, const int64_t *ids, size_t count, struct errmsg *err)
{
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_TOUCH);
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        sqlite3_bind_int64(q, 1, ids[i]);
        sqlite3_bind_double(q, 2, s->keeper->tau.tau);
        r = sql_run(q, err);
    }
    return r;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4200];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s%s", path, suffix);
    return n > 0 && (size_t)n < sizeof(name) && stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

int store_usage(struct store *s, struct store_usage *ret, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    int64_t all = 0, unused = 0;
    *ret = (struct store_usage){.budget = k->budget.bytes,
                                .database = size_of(s->path, ""),
                                .log = size_of(s->path, "-wal"),
                                .tau = k->tau.tau,
                                .load = k->tau.load,
                                .load_mean = k->tau.mean,
                                .features = coverage_used(k->coverage)};
    int r = count_pages(s, &all, &unused, err);
    ret->room = k->budget.bytes ? (k->pages_most - all + unused) * SCHEMA_PAGE_SIZE : 0;
    if (r == 0)
        r = class_bytes(s, ret->bytes, err);
    for (enum keep_class c = 0; c < KEEP_CLASSES && r == 0; c++)
        r = keep_count(s, c, &ret->count[c], err);
    memcpy(ret->let_go, k->counts.let_go, sizeof(ret->let_go));
    return r ? r : pragma(s, KEEP_SQL_PINNED, &ret->pinned, err);
}

int64_t keep_gone_most(const struct store *s)
{
    int64_t budget = s->keeper->budget.bytes;
    return budget ? bounded(budget / (16 * KIB), 64, 2048) : 2048;
}

uint32_t store_profiles_most(const struct store *s, uint32_t streams)
{
    int64_t budget = s->keeper ? s->keeper->budget.bytes : 0;
    int64_t most = budget / PROFILES_SHARE / (PROFILE_BYTES * (int64_t)(streams ? streams : 1));
    return budget ? (uint32_t)bounded(most - 1, 1, PROFILE_CHANNELS) : PROFILE_CHANNELS;
}
