/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, transactions, checkpoints. Debian's SQLite 3.40.1 loses data when two connections write
 * or checkpoint a WAL at the same time, so there is one: the lock file keeps other processes out,
 * readers open read-only, wal_autocheckpoint is off and every checkpoint is made here.
 *
 * What a transaction changes in memory (word counters, counts, marks) is kept aside in `effects`
 * until the commit returned, so a rollback leaves nothing behind.
 */
#include "memory/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "memory/keep_internal.h"
#include "memory/lockfile.h"
#include "memory/migrate.h"
#include "memory/store_internal.h"

#define CACHE_KIB 8192
/* Counters are saved again when this share of the moments is new: a crash loses no more of them. */
#define DF_SHARE 16
#define DF_LEAST 64

static const char *const statement_sql[STORE_STATEMENT_COUNT] = {
#define STATEMENT_SQL(name, sql) sql,
    STORE_STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* Creates the file with mode 0600, or takes rights that others have on it away. */
static int prepare_file(const char *path, struct errmsg *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    int r = 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        r = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = err_set(err, ERR_INVALID, "%s: not a regular file", path);
    else if (st.st_mode & 077 && fchmod(fd, 0600) != 0)
        r = err_set(err, err_from_errno(errno), "%s: cannot take others' rights away: %s", path,
                    strerror(errno));
    if (fd >= 0)
        close(fd);
    return r;
}

static int configure(struct store *s, const struct store_options *options, struct errmsg *err)
{
    char sql[512];
    snprintf(sql, sizeof(sql),
             "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
             "PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=0; PRAGMA mmap_size=0;"
             "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF; PRAGMA foreign_keys=OFF;"
             "PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=%d; PRAGMA cache_size=-%d;",
             SCHEMA_PAGE_SIZE, options->no_sync ? "NORMAL" : "FULL", 64 << 20,
             options->cache_kib > 0 ? options->cache_kib : CACHE_KIB);
    return sql_exec(s->db, sql, err);
}

/* Before anything is written, the journal mode included: a foreign file stays as it is. */
static int check_ours(struct store *s, int *ret_version, struct errmsg *err)
{
    int64_t objects, id;
    int r = sql_int64(s->db, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (r == 0)
        r = sql_int64(s->db, "PRAGMA application_id", &id, err);
    if (r)
        return err_wrap(err, r, "%s", s->path);
    *ret_version = 0;
    return objects > 0 || id != 0 ? sqlite_check_ours(s->db, s->path, ret_version, err) : 0;
}

/* An empty file (also one that a kill left so) gets its tables, an older one its migrations. */
static int bring_up(struct store *s, const struct store_options *options, int version,
                    struct errmsg *err)
{
    const struct migrate_watch watch = {s->clock, options->progress, options->progress_arg};
    int r = version < SCHEMA_VERSION ? migrate(s->db, version, &watch, err) : 0;
    if (r == 0)
        r = store_check_tables(s->db, err);
    return r ? err_wrap(err, r, "%s", s->path) : 0;
}

static int prepare_statements(struct store *s, struct errmsg *err)
{
    for (int i = 0; i < STORE_STATEMENT_COUNT; i++) {
        int r = sql_prepare(s->db, statement_sql[i], &s->statements[i], err);
        if (r)
            return r;
    }
    return 0;
}

static int load_counters(struct store *s, struct errmsg *err)
{
    int r = words_df_new(&s->df);
    if (r)
        return err_set(err, r, "%s", err_text(r));
    r = words_df_load(s->df, s->db, err);
    int64_t moments = 0;
    if (r == 0)
        r = sql_int64(s->db, "SELECT moments FROM stratum WHERE stratum=0", &moments, err);
    s->moments_indexed = (uint64_t)moments;
    for (int i = 0; i < STRATA && r == 0; i++) {
        char sql[80];
        snprintf(sql, sizeof(sql), "SELECT span_max FROM stratum WHERE stratum=%d", i);
        r = sql_int64(s->db, sql, &s->span_max[i], err);
    }
    return r;
}

/* Facts about the file, for whoever looks into it. */
static int put_facts(struct store *s, struct errmsg *err)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "INSERT OR IGNORE INTO meta VALUES('created', %lld);"
             "INSERT INTO meta VALUES('program', 'varve " VARVE_VERSION "'), ('words', %d)"
             " ON CONFLICT(key) DO UPDATE SET value=excluded.value WHERE value<>excluded.value;",
             (long long)clock_now(s->clock), WORDS_VERSION);
    return sql_exec(s->db, sql, err);
}

static int open_database(struct store *s, const struct store_options *options, struct errmsg *err)
{
    int r = sqlite_setup();
    if (r)
        return err_set(err, r, "%s: %s", s->path, err_text(r));
    int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return sql_error(s->db, rc, err, s->path);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    int version;
    r = check_ours(s, &version, err);
    if (r)
        return r;
    r = configure(s, options, err);
    if (r)
        return err_wrap(err, r, "%s", s->path);
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return err_set(err, ERR_READONLY, "%s: %s", s->path, err_text(ERR_READONLY));
    r = bring_up(s, options, version, err);
    if (r)
        return r;
    r = prepare_statements(s, err);
    if (r == 0)
        r = load_counters(s, err);
    if (r == 0)
        r = keep_open(s, err);
    if (r == 0)
        r = put_facts(s, err);
    return r ? err_wrap(err, r, "%s", s->path) : 0;
}

static int open_all(struct store *s, const struct store_options *options, struct errmsg *err)
{
    size_t size = strlen(options->path) + sizeof(".lock");
    MEM_AUTO char *lock = mem_alloc(size);
    s->path = mem_strdup(options->path);
    if (!s->path || !lock)
        return err_set(err, ERR_NOMEM, "%s: %s", options->path, err_text(ERR_NOMEM));
    snprintf(lock, size, "%s.lock", s->path);
    int r = lockfile_open(lock, &s->lock_fd, err);
    if (r == 0)
        r = prepare_file(s->path, err);
    if (r == 0)
        r = store_check_file(s->path, err);
    if (r == 0)
        r = open_database(s, options, err);
    return r;
}

static void forget_effects(struct store *s);

static void release(struct store *s)
{
    for (int i = 0; i < STORE_STATEMENT_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    consolidation_free(s->consolidation);
    keep_free(s);
    erasure_free(s->erasure);
    sqlite3_close(s->db);
    lockfile_close(s->lock_fd);
    words_df_free(s->df);
    mem_free(s->effects.words);
    arena_deinit(&s->sums_arena);
    buf_deinit(&s->sums_blob);
    buf_deinit(&s->scrub_pages);
    mem_free(s->path);
    mem_free(s);
}

int store_open(const struct store_options *options, struct store **ret, struct errmsg *err)
{
    struct store *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "%s: %s", options->path, err_text(ERR_NOMEM));
    s->clock = options->clock;
    s->lock_fd = -1;
    s->entity_rows = -1;
    arena_init(&s->sums_arena, 16u << 10);
    forget_effects(s);
    int r = open_all(s, options, err);
    if (r) {
        release(s);
        return r;
    }
    *ret = s;
    return 0;
}

static int save_df(struct store *s, struct errmsg *err)
{
    int r = words_df_save(s->df, store_stmt(s, SQL_DF_PUT), err);
    s->effects.df_saved = r == 0;
    return r ? r : keep_save_dictionary(s, err);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->in_transaction)
        store_rollback(s);
    /* What fails here is lost counters and a longer recovery; the records are in the WAL. */
    if (s->moments_since_df && store_begin(s, NULL) == 0) {
        if (save_df(s, NULL) != 0 || store_commit(s, NULL) != 0)
            store_rollback(s);
    }
    s->scrubbing = false;
    store_checkpoint(s, true, NULL);
    release(s);
}

static void forget_effects(struct store *s)
{
    struct word_delta *words = s->effects.words;
    uint32_t capacity = s->effects.word_capacity;
    s->effects = (struct store_effects){.words = words, .word_capacity = capacity};
    for (int i = 0; i < DIRTY_KNOWN; i++)
        s->known[i] = (struct dirty_mark){INT64_MIN, INT64_MAX};
}

int store_begin(struct store *s, struct errmsg *err)
{
    int r = sql_run(store_stmt(s, SQL_BEGIN), err);
    s->in_transaction = r == 0;
    return r;
}

static int put_counts(struct store *s, struct errmsg *err)
{
    int r = 0;
    for (int i = 0; i < STRATA && r == 0; i++) {
        if (s->effects.added[i] == 0 && s->effects.span_max[i] <= s->span_max[i])
            continue;
        sqlite3_stmt *add = store_stmt(s, SQL_STRATUM_ADD);
        sqlite3_bind_int(add, 1, i);
        sqlite3_bind_int64(add, 2, s->effects.added[i]);
        sqlite3_bind_int64(add, 3, s->effects.span_max[i]);
        r = sql_run(add, err);
    }
    return r;
}

/* The marks stay known: they are in the file now. */
static void apply_effects(struct store *s)
{
    struct store_effects *e = &s->effects;
    if (e->df_saved) {
        words_df_saved(s->df);
        s->moments_since_df = 0;
    }
    for (uint32_t i = 0; i < e->word_count; i++)
        words_df_add(s->df, e->words[i].hash, e->words[i].rows, e->words[i].records);
    if (e->rows || e->records)
        words_df_add_totals(s->df, e->rows, e->records);
    s->moments_since_df += e->moments;
    s->moments_indexed += e->moments;
    for (int i = 0; i < STRATA; i++)
        if (e->span_max[i] > s->span_max[i])
            s->span_max[i] = e->span_max[i];
    *e = (struct store_effects){.words = e->words, .word_capacity = e->word_capacity};
}

int store_commit(struct store *s, struct errmsg *err)
{
    int r = put_counts(s, err);
    if (r == 0)
        r = store_entities_write(s, err);
    if (r == 0)
        r = keep_save(s, err);
    if (r == 0 && s->moments_since_df >= DF_LEAST + s->moments_indexed / DF_SHARE)
        r = save_df(s, err);
    if (r == 0)
        r = sql_run(store_stmt(s, SQL_COMMIT), err);
    if (r)
        return r;
    s->in_transaction = false;
    apply_effects(s);
    keep_settle(s, true);
    return 0;
}

void store_rollback(struct store *s)
{
    /* Some errors have rolled back already. */
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_transaction = false;
    forget_effects(s);
    store_entities_forget(s);
    store_kinds_forget(s);
    keep_settle(s, false);
}

int store_checkpoint(struct store *s, bool truncate, struct errmsg *err)
{
    if (s->scrubbing)
        return 0;
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    /* Readers in the way are no error: the next checkpoint goes on where this one stopped. */
    sqlite3_busy_timeout(s->db, 0);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    return rc == SQLITE_BUSY ? 0 : sql_error(s->db, rc, err, "checkpoint");
}

const struct words_df *store_df(const struct store *s)
{
    return s->df;
}

void store_count_span(struct store *s, int stratum, int64_t added, int64_t span)
{
    if (stratum < 0) /* a remainder */
        return;
    s->effects.added[stratum] += added;
    if (span > s->effects.span_max[stratum])
        s->effects.span_max[stratum] = span;
}
