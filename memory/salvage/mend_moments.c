/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of evidence proves itself by its hash; a row of `moment` is believed where it agrees with
 * its block, and made again where it does not or is lost. The stream of a lost row is known from
 * the indexes; where these are lost too its records go to a stream of their own, with numbers of
 * their own, as two such streams may have used the same ones.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/media.h"
#include "base/utf8.h"
#include "memory/evidence.h"
#include "memory/resend.h"
#include "memory/salvage/mend.h"

#define LEVEL 3
#define TITLE_MAX 120

struct mending {
    struct store *s;
    struct salvage_report *report;
    struct arena arena;
    struct buf block, seqs;
    sqlite3_stmt *next, *insert, *update, *evidence, *drop_evidence, *drop_moment, *kind, *set_kind,
        *channel;
    int64_t nameless[KIND_VIDEO + 1];  /* streams made here, by kind; 0: not yet */
    uint64_t numbered[KIND_VIDEO + 1]; /* their highest seq */
};

/* One block of evidence and what its row says. */
struct found {
    int64_t id, stream;
    bool has_row;
    struct record *records;
    uint32_t count;
    int64_t t_start, t_end, bytes;
    uint64_t seq_first, seq_last;
    unsigned char hash[16];
    enum stream_kind kind;
};

static int find_or_make_nameless(struct mending *m, enum stream_kind kind, int64_t *ret_id,
                                 struct errmsg *err)
{
    char name[40];
    int r = 0;
    snprintf(name, sizeof(name), "recovered-%s", stream_kind_name(kind));
    if (m->nameless[kind] == 0)
        r = store_stream_create(m->s, name, kind, "salvage", &m->nameless[kind], err);
    *ret_id = m->nameless[kind];
    return r;
}

/* The kind that the stream's row says; 0: not known yet; negative: no such stream. */
static int kind_of(struct mending *m, int64_t stream, int *ret_kind, struct errmsg *err)
{
    sqlite3_bind_int64(m->kind, 1, stream);
    int r = sql_step(m->kind, err);
    *ret_kind = r == 0 ? sqlite3_column_int(m->kind, 0) : -1;
    sqlite3_reset(m->kind);
    return r == SQL_DONE ? 0 : r;
}

static enum stream_kind kind_of_payload(const struct record *r)
{
    if (r->media.size)
        return media_is_jpeg(r->media) ? KIND_VIDEO : KIND_AUDIO;
    return r->samples ? KIND_SENSOR : KIND_TEXT;
}

static int sum_up(struct found *f, struct slice block, struct errmsg *err)
{
    struct evidence_info info;
    int r = evidence_info(block, &info, err);
    if (r)
        return r;
    if (f->count > MOMENT_RECORDS)
        return ERR_CORRUPT;
    memcpy(f->hash, info.hash, sizeof(f->hash));
    f->seq_first = UINT64_MAX;
    f->seq_last = 0;
    f->bytes = 0;
    f->kind = kind_of_payload(&f->records[0]);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct record *rec = &f->records[i];
        if ((i && rec->time < rec[-1].time) || rec->seq > SEQ_MAX)
            return ERR_CORRUPT;
        f->seq_first = rec->seq < f->seq_first ? rec->seq : f->seq_first;
        f->seq_last = rec->seq > f->seq_last ? rec->seq : f->seq_last;
        f->bytes += (int64_t)record_payload_size(rec);
    }
    f->t_start = f->records[0].time;
    f->t_end = f->records[f->count - 1].time;
    return 0;
}

/* Columns of m->next: id, block, then the row's own: stratum, stream, …; the last is the place's.
 */
static bool row_agrees(sqlite3_stmt *q, const struct found *f)
{
    return f->has_row && sqlite3_column_int64(q, 2) == 0 &&
           sqlite3_column_type(q, 3) != SQLITE_NULL && sqlite3_column_int64(q, 4) == f->t_start &&
           sqlite3_column_int64(q, 5) == f->t_end && sqlite3_column_int64(q, 6) == f->count &&
           sqlite3_column_int64(q, 7) == f->bytes &&
           sqlite3_column_int64(q, 8) == (int64_t)f->seq_first &&
           sqlite3_column_int64(q, 9) == (int64_t)f->seq_last &&
           sqlite3_column_bytes(q, 10) == 16 &&
           memcmp(sqlite3_column_blob(q, 10), f->hash, 16) == 0;
}

static void make_title(const struct found *f, char out[TITLE_MAX + 1])
{
    const struct slice *text = &f->records[0].text;
    if (f->kind == KIND_TEXT) {
        size_t n = utf8_cut(text->data, text->size, TITLE_MAX);
        memcpy(out, text->data ? text->data : "", n);
        out[n] = '\0';
        for (size_t i = 0; i < n; i++)
            out[i] = (unsigned char)out[i] < ' ' ? ' ' : out[i];
    } else {
        snprintf(out, TITLE_MAX + 1, "%u %s brought out of a damaged memory", f->count,
                 f->kind == KIND_SENSOR  ? "samples"
                 : f->kind == KIND_AUDIO ? "pieces of sound"
                                         : "frames");
    }
}

static void bind_facts(sqlite3_stmt *put, const struct found *f)
{
    sqlite3_bind_int64(put, 1, f->id);
    sqlite3_bind_int64(put, 2, f->stream);
    sqlite3_bind_int64(put, 3, f->t_start);
    sqlite3_bind_int64(put, 4, f->t_end);
    sqlite3_bind_int64(put, 5, f->count);
    sqlite3_bind_int64(put, 6, f->bytes);
    sqlite3_bind_int64(put, 7, (int64_t)f->seq_first);
    sqlite3_bind_int64(put, 8, (int64_t)f->seq_last);
    sqlite3_bind_blob(put, 9, f->hash, sizeof(f->hash), SQLITE_STATIC);
}

static int rebuild_row(struct mending *m, const struct found *f, struct errmsg *err)
{
    char title[TITLE_MAX + 1];
    m->report->rebuilt++;
    sqlite3_stmt *put = f->has_row ? m->update : m->insert;
    bind_facts(put, f);
    if (!f->has_row) {
        make_title(f, title);
        sqlite3_bind_int(put, 10, f->kind == KIND_TEXT ? PATH_DISCRETE : PATH_LATENT);
        sqlite3_bind_int(put, 11, END_FLUSH);
        sqlite3_bind_int64(put, 12, clock_now(m->s->clock));
        sqlite3_bind_text(put, 13, title, -1, SQLITE_STATIC);
    }
    return sql_run(put, err);
}

/* The block again, of fewer records or with other numbers. */
static int rewrite_block(struct mending *m, struct found *f, struct errmsg *err)
{
    buf_clear(&m->block);
    int r = evidence_encode(f->records, f->count, LEVEL, &m->block);
    struct slice block = {m->block.data, m->block.size};
    if (r == 0)
        r = sum_up(f, block, err);
    if (r)
        return err_set(err, r, "%s", err_text(r));
    sqlite3_bind_int64(m->evidence, 1, f->id);
    sqlite3_bind_blob(m->evidence, 2, block.data, (int)block.size, SQLITE_STATIC);
    return sql_run(m->evidence, err);
}

static int drop_block(struct mending *m, int64_t id, struct errmsg *err)
{
    mend_count(m->report, "evidence", 1);
    sqlite3_bind_int64(m->drop_evidence, 1, id);
    return sql_run(m->drop_evidence, err);
}

static int make_nameless(struct mending *m, struct found *f, struct errmsg *err)
{
    int r = find_or_make_nameless(m, f->kind, &f->stream, err);
    for (uint32_t i = 0; i < f->count; i++)
        f->records[i].seq = ++m->numbered[f->kind];
    m->report->nameless++;
    return r ? r : rewrite_block(m, f, err);
}

static int note_channels(struct mending *m, const struct found *f, struct errmsg *err)
{
    int top = -1;
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t k = 0; k < f->records[i].sample_count; k++)
            if (f->records[i].samples[k].channel > top)
                top = f->records[i].samples[k].channel;
    if (top < 0)
        return 0;
    sqlite3_bind_int64(m->channel, 1, f->stream);
    sqlite3_bind_int(m->channel, 2, top);
    return sql_run(m->channel, err);
}

/* Whether the block may stay in the stream that its row or an index names. */
static int check_stream(struct mending *m, struct found *f, bool *ret_known, struct errmsg *err)
{
    int kind;
    int r = kind_of(m, f->stream, &kind, err);
    if (r)
        return r;
    if (kind == 0) { /* the stream's row is lost: what it holds says what it was */
        sqlite3_bind_int64(m->set_kind, 1, f->stream);
        sqlite3_bind_int(m->set_kind, 2, (int)f->kind);
        r = sql_run(m->set_kind, err);
        kind = (int)f->kind;
    }
    *ret_known = kind == (int)f->kind;
    return r;
}

/* m->next stands on a row. *ret_last is its id. */
static int mend_block(struct mending *m, int64_t *ret_last, struct errmsg *err)
{
    sqlite3_stmt *q = m->next;
    struct slice block = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
    struct found f = {.id = sqlite3_column_int64(q, 0)};
    arena_reset(&m->arena);
    *ret_last = f.id;
    f.has_row = sqlite3_column_type(q, 2) != SQLITE_NULL;
    int r = evidence_decode(block, &m->arena, &f.records, &f.count, err);
    if (r == 0)
        r = sum_up(&f, block, err);
    bool agrees = r == 0 && row_agrees(q, &f), known = false;
    f.stream = sqlite3_column_int64(q, sqlite3_column_type(q, 3) == SQLITE_NULL ? 11 : 3);
    if (r == 0)
        r = check_stream(m, &f, &known, err);
    /* The records point into the arena, so the row may go. */
    sqlite3_reset(q);
    if (r == ERR_CORRUPT || f.id < 1 || f.id > INT64_MAX / WORDS_ROWS - 1)
        return drop_block(m, f.id, err);
    if (r == 0 && !known)
        r = make_nameless(m, &f, err);
    if (r == 0 && (!known || !agrees))
        r = rebuild_row(m, &f, err);
    return r ? r : note_channels(m, &f, err);
}

/* ---- no seq twice in a stream ---- */

struct twice {
    struct buf *seqs;
    uint64_t count;
};

static void note_seq(void *arg, uint64_t seq, uint64_t hash)
{
    struct twice *t = arg;
    buf_append(t->seqs, &seq, sizeof(seq));
}

static bool is_in(const struct buf *seqs, uint64_t seq)
{
    uint32_t times = 0;
    for (size_t i = 0; i < seqs->size; i += sizeof(seq))
        times += memcmp(seqs->data + i, &seq, sizeof(seq)) == 0;
    return times > 1;
}

/* Takes what another moment has as well out of this one. */
static int drop_twice(struct mending *m, struct found *f, struct errmsg *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (!is_in(&m->seqs, f->records[i].seq))
            f->records[kept++] = f->records[i];
    if (kept == f->count)
        return 0;
    f->count = kept;
    f->has_row = true;
    if (kept == 0) {
        sqlite3_bind_int64(m->drop_moment, 1, f->id);
        int r = sql_run(m->drop_moment, err);
        return r ? r : drop_block(m, f->id, err);
    }
    int r = rewrite_block(m, f, err);
    return r ? r : rebuild_row(m, f, err);
}

static int check_twice(struct mending *m, int64_t *ret_last, struct errmsg *err)
{
    sqlite3_stmt *q = m->next;
    struct slice block = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
    struct found f = {.id = sqlite3_column_int64(q, 0), .stream = sqlite3_column_int64(q, 3)};
    uint64_t first = (uint64_t)sqlite3_column_int64(q, 8);
    uint64_t last = (uint64_t)sqlite3_column_int64(q, 9);
    *ret_last = f.id;
    arena_reset(&m->arena);
    int r = evidence_decode(block, &m->arena, &f.records, &f.count, err);
    sqlite3_reset(q);
    buf_clear(&m->seqs);
    struct twice t = {.seqs = &m->seqs};
    if (r == 0)
        r = resend_find(m->s->db, f.stream, first, last, false, note_seq, &t, err);
    if (r == 0 && buf_failed(&m->seqs))
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    /* Its own come back too; more than these are others' with numbers in its range. */
    if (r == 0 && m->seqs.size / sizeof(uint64_t) > f.count)
        r = drop_twice(m, &f, err);
    return r;
}

static int each_block(struct mending *m, int (*mend)(struct mending *, int64_t *, struct errmsg *),
                      struct errmsg *err)
{
    int64_t last = INT64_MIN;
    for (;;) {
        sqlite3_bind_int64(m->next, 1, last);
        int r = sql_step(m->next, err);
        if (r)
            return r == SQL_DONE ? 0 : r;
        r = mend(m, &last, err);
        if (r)
            return r;
        if (last == INT64_MAX)
            return 0;
    }
}

static int prepare(struct mending *m, struct errmsg *err)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&m->next, "SELECT e.moment, e.block, m.stratum, m.stream, m.t_start, m.t_end, m.records, "
                   "m.raw_bytes, m.seq_first, m.seq_last, m.hash, p.stream FROM evidence e "
                   "LEFT JOIN moment m ON m.id=e.moment LEFT JOIN place p ON p.moment=e.moment "
                   "WHERE e.moment>?1 ORDER BY e.moment LIMIT 1"},
        {&m->insert,
         "INSERT INTO moment(id, stratum, stream, t_start, t_end, records, raw_bytes, seq_first, "
         "seq_last, bits, bits_max, z, path, model, ended, created, hash, title) "
         "VALUES(?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, ?10, 0, ?11, ?12, ?9, ?13)"},
        {&m->update, "UPDATE moment SET stratum=0, stream=?2, t_start=?3, t_end=?4, records=?5, "
                     "raw_bytes=?6, seq_first=?7, seq_last=?8, hash=?9 WHERE id=?1"},
        {&m->evidence, "UPDATE evidence SET block=?2 WHERE moment=?1"},
        {&m->drop_evidence, "DELETE FROM evidence WHERE moment=?1"},
        {&m->drop_moment, "DELETE FROM moment WHERE id=?1"},
        {&m->kind, "SELECT kind FROM stream WHERE id=?1"},
        {&m->set_kind, "UPDATE stream SET kind=?2 WHERE id=?1"},
        {&m->channel, "INSERT INTO channels(stream, top) VALUES(?1, ?2) "
                      "ON CONFLICT DO UPDATE SET top=max(top, excluded.top)"},
    };
    int r = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all) && r == 0; i++)
        r = sql_prepare(m->s->db, all[i].sql, all[i].statement, err);
    return r;
}

int mend_moments(struct store *s, struct salvage_report *report, struct errmsg *err)
{
    struct mending m = {.s = s, .report = report};
    arena_init(&m.arena, 256u << 10);
    int r = prepare(&m, err);
    if (r == 0)
        r = each_block(&m, mend_block, err);
    if (r == 0) /* from here on every block has its row */
        r = each_block(&m, check_twice, err);
    sqlite3_stmt *all[] = {m.next,        m.insert, m.update,   m.evidence, m.drop_evidence,
                           m.drop_moment, m.kind,   m.set_kind, m.channel};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        sqlite3_finalize(all[i]);
    arena_deinit(&m.arena);
    buf_deinit(&m.block);
    buf_deinit(&m.seqs);
    return r;
}
