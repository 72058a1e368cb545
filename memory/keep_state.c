/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeping needs of each moment, counted as it comes and goes, in two small values of table
 * state ("keep", "tau") that are written by the transaction that moved them: a restart goes on
 * where the last commit was. The dictionary ("coverage") is large; it is saved with the word
 * counters.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "memory/keep_internal.h"

#define MAGIC 0x3250454bu
#define USUAL_FADES 128 /* moments that the mean of z reaches back over */

static const char *const statement_sql[KEEP_STATEMENT_COUNT] = {
#define KEEP_SQL_TEXT(name, sql) sql,
    KEEP_STATEMENTS(KEEP_SQL_TEXT)
#undef KEEP_SQL_TEXT
};

void keep_free(struct store *s)
{
    struct keeper *k = s->keeper;
    if (!k)
        return;
    for (int i = 0; i < KEEP_STATEMENT_COUNT; i++)
        sqlite3_finalize(k->statements[i]);
    coverage_free(k->coverage);
    mem_free(k);
    s->keeper = NULL;
}

static int save_counts(const struct keep_counts *c, struct buf *out)
{
    buf_put_u32(out, MAGIC);
    buf_put_varint(out, (uint64_t)c->evidence_bytes);
    buf_put_varint(out, (uint64_t)c->evidence);
    for (int i = 0; i < KEEP_CLASSES; i++)
        buf_put_varint(out, (uint64_t)c->let_go[i]);
    for (int i = 0; i < 2; i++)
        for (int f = 0; f < COVERAGE_FEATURES; f++)
            buf_put_varint(out, c->kept[i][f]);
    for (int i = 0; i < KEEP_STREAMS; i++) {
        if (c->usual[i].stream == 0)
            continue;
        buf_put_varint(out, (uint64_t)c->usual[i].stream);
        buf_put_varint(out, c->usual[i].moments);
        buf_put_f32(out, c->usual[i].mean);
        buf_put_f32(out, c->usual[i].off);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static int load_counts(struct keep_counts *c, const struct buf *in, struct errmsg *err)
{
    struct cursor at;
    cursor_init(&at, in->data, in->size);
    bool good = cursor_u32(&at) == MAGIC;
    c->evidence_bytes = (int64_t)(cursor_varint(&at) & INT64_MAX);
    c->evidence = (int64_t)(cursor_varint(&at) & INT64_MAX);
    for (int i = 0; i < KEEP_CLASSES; i++)
        c->let_go[i] = (int64_t)(cursor_varint(&at) & INT64_MAX);
    for (int i = 0; i < 2; i++)
        for (int f = 0; f < COVERAGE_FEATURES; f++)
            c->kept[i][f] = (uint32_t)cursor_varint(&at);
    while (good && !at.failed && at.at < at.size) {
        struct keep_usual u = {.stream = (int64_t)(cursor_varint(&at) & INT64_MAX)};
        u.moments = (uint32_t)cursor_varint(&at);
        u.mean = cursor_f32(&at);
        u.off = cursor_f32(&at);
        good = isfinite(u.mean) && isfinite(u.off) && u.off >= 0;
        c->usual[u.stream % KEEP_STREAMS] = u;
    }
    return good && !at.failed ? 0 : err_set(err, ERR_CORRUPT, "state keep: damaged");
}

/* A file of version 1, or one whose state was lost: counted once. */
static int count_evidence(struct store *s, struct errmsg *err)
{
    struct keep_counts *c = &s->keeper->counts;
    int r = sql_int64(s->db, "SELECT count(*) FROM evidence", &c->evidence, err);
    return r ? r
             : sql_int64(s->db, "SELECT coalesce(sum(length(block)), 0) FROM evidence",
                         &c->evidence_bytes, err);
}

/* ERR_NOTFOUND and ERR_CORRUPT leave what the value was for as it is at first. */
static int load_all(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    struct buf value = {0};
    struct cursor at;
    tau_init(&k->tau);
    int r = store_state_get(s, "tau", &value, err);
    if (r == 0)
        r = tau_load(&k->tau, value.data, value.size, err);
    if (r == 0 || r == ERR_NOTFOUND || r == ERR_CORRUPT) {
        buf_clear(&value);
        r = store_state_get(s, "coverage", &value, err);
    }
    if (r == 0) {
        cursor_init(&at, value.data, value.size);
        r = coverage_load(k->coverage, &at, err);
    }
    if (r == 0 || r == ERR_NOTFOUND || r == ERR_CORRUPT) {
        buf_clear(&value);
        r = store_state_get(s, "keep", &value, err);
    }
    if (r == 0)
        r = load_counts(&k->counts, &value, err);
    if (r == ERR_NOTFOUND || r == ERR_CORRUPT) {
        k->counts = (struct keep_counts){0};
        r = count_evidence(s, err);
    }
    buf_deinit(&value);
    return r;
}

int keep_open(struct store *s, struct errmsg *err)
{
    struct keeper *k = mem_calloc(1, sizeof(*k));
    s->keeper = k;
    if (!k || coverage_new(&k->coverage) != 0)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    k->random = 0x9e3779b97f4a7c15u;
    k->budget.sign = 1;
    for (int i = 0; i < KEEP_CLASSES; i++)
        k->span_bytes[i] = 1500;
    int r = 0;
    for (int i = 0; i < KEEP_STATEMENT_COUNT && r == 0; i++)
        r = sql_prepare(s->db, statement_sql[i], &k->statements[i], err);
    if (r == 0)
        r = load_all(s, err);
    for (int i = 0; i < KEEP_CLASSES; i++)
        k->residue += k->counts.let_go[i] > 0;
    k->durable = k->counts;
    k->tau_durable = k->tau;
    return r;
}

static void count_features(struct keeper *k, const uint8_t *ids, size_t count, bool evidence,
                           bool moment, int add)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t *of[] = {&k->counts.kept[0][ids[i]], &k->counts.kept[1][ids[i]]};
        for (int n = 0; n < 2; n++)
            if ((n == 0 ? evidence : moment) && (add > 0 || *of[n] > 0))
                *of[n] += (uint32_t)add;
    }
    k->changed = true;
}

static void learn_usual(struct keep_usual *u, int64_t stream, double z)
{
    if (!isfinite(z))
        return;
    if (u->stream != stream)
        *u = (struct keep_usual){.stream = stream};
    if (u->moments < USUAL_FADES)
        u->moments++;
    float apart = (float)z - u->mean;
    u->mean += apart / (float)u->moments;
    if (u->moments > 1)
        u->off += (fabsf(apart) - u->off) / (float)(u->moments - 1);
}

int keep_moment(struct store *s, int64_t stream, int64_t id, const struct moment *m, size_t size,
                struct errmsg *err)
{
    struct keeper *k = s->keeper;
    struct coverage_code code;
    learn_usual(&k->counts.usual[stream % KEEP_STREAMS], stream, m->z);
    tau_moment(&k->tau, m->kind, m, size, k->budget.sign);
    k->tau_changed = k->changed = true;
    k->counts.evidence++;
    k->counts.evidence_bytes += (int64_t)size;
    coverage_learn(k->coverage, m->latent, k->counts.kept[1], &code);
    if (code.count == 0)
        return 0;
    count_features(k, code.ids, code.count, true, true, 1);
    sqlite3_stmt *put = keep_stmt(s, KEEP_SQL_FEATURES_PUT);
    sqlite3_bind_int64(put, 1, id);
    sqlite3_bind_blob(put, 2, code.ids, (int)code.count, SQLITE_STATIC);
    return sql_run(put, err);
}

int keep_gone(struct store *s, int64_t id, bool moment, size_t size, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_FEATURES);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    if (r == 0) {
        const uint8_t *ids = sqlite3_column_blob(q, 0);
        count_features(k, ids, (size_t)sqlite3_column_bytes(q, 0), size > 0, moment, -1);
    }
    sqlite3_reset(q);
    if (size > 0) {
        k->counts.evidence--;
        k->counts.evidence_bytes -= (int64_t)size;
        k->changed = true;
    }
    return r == SQL_DONE ? 0 : r;
}

int keep_rewritten(struct store *s, int64_t id, size_t before, size_t size, struct errmsg *err)
{
    int r = keep_gone(s, id, true, before, err);
    s->keeper->counts.evidence += size > 0;
    s->keeper->counts.evidence_bytes += (int64_t)size;
    return r;
}

int keep_save(struct store *s, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    struct buf value = {0};
    int r = 0;
    if (k->tau_changed) {
        r = tau_save(&k->tau, &value);
        r = r ? err_set(err, r, "%s", err_text(r))
              : store_state_put(s, "tau", (struct slice){value.data, value.size}, err);
    }
    if (r == 0 && k->changed) {
        buf_clear(&value);
        r = save_counts(&k->counts, &value);
        r = r ? err_set(err, r, "%s", err_text(r))
              : store_state_put(s, "keep", (struct slice){value.data, value.size}, err);
    }
    buf_deinit(&value);
    return r;
}

int keep_save_dictionary(struct store *s, struct errmsg *err)
{
    struct buf value = {0};
    int r = coverage_save(s->keeper->coverage, &value);
    r = r ? err_set(err, r, "%s", err_text(r))
          : store_state_put(s, "coverage", (struct slice){value.data, value.size}, err);
    buf_deinit(&value);
    return r;
}

void keep_settle(struct store *s, bool committed)
{
    struct keeper *k = s->keeper;
    if (k->changed) {
        if (committed)
            k->durable = k->counts;
        else
            k->counts = k->durable;
    }
    if (k->tau_changed) {
        if (committed)
            k->tau_durable = k->tau;
        else
            k->tau = k->tau_durable;
    }
    k->commits += committed;
    if (!committed)
        tau_friction(&k->tau);
    k->changed = k->tau_changed = false;
    keep_lend(s, false);
}

int keep_may_pin(struct store *s, int64_t id, struct errmsg *err)
{
    struct keeper *k = s->keeper;
    sqlite3_stmt *q = keep_stmt(s, KEEP_SQL_SPAN_BYTES);
    if (k->budget.bytes == 0)
        return 0;
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    if (r)
        return r == SQL_DONE ? 0 : r; /* whoever pins it says that it is not there */
    int64_t bytes = sqlite3_column_int64(q, 0);
    bool pinned = sqlite3_column_int(q, 1) != 0;
    sqlite3_reset(q);
    q = keep_stmt(s, KEEP_SQL_PINNED);
    r = pinned ? 0 : sql_step(q, err);
    if (r || pinned)
        return r;
    int64_t before = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    int64_t most = (int64_t)((double)k->budget.bytes * k->budget.pinned);
    if (before + bytes <= most)
        return 0;
    return err_set(
        err, ERR_LIMIT,
        "memory %lld takes %lld bytes: with the %lld that are pinned already this is more "
        "than [memory] pinned allows, %lld",
        (long long)id, (long long)bytes, (long long)before, (long long)most);
}
