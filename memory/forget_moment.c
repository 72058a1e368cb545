/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment that loses some of its records: the block is encoded anew, so are its sums, and as the
 * model is not at hand here, title and gist are worded plainly from what is left. Runs that held a
 * record that goes go too; an entity stays where a record that stays still names it. The latent
 * was made of all records and goes. The id stays.
 */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "memory/evidence.h"
#include "memory/forget_internal.h"
#include "memory/keep_internal.h"

#define EVIDENCE_LEVEL 3
#define RUNS_MAX 64
#define REWORDED "unusual"
#define TITLE_CHANNELS 3

static bool is_going(const struct forget_some *some, uint32_t i)
{
    return some->records[i / 8] >> i % 8 & 1;
}

/* Copies what stays into the arena; places[i] is where record i is then, or UINT32_MAX. */
static int keep_records(struct store *s, const struct erased *e, const struct forget_some *some,
                        struct erased *ret, uint32_t *places, struct errmsg *err)
{
    const struct moment *m = &e->moment;
    struct record *kept =
        arena_alloc(&s->erasure->arena, (m->record_count + 1) * sizeof(struct record));
    if (!kept)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    *ret = *e;
    struct moment_row *row = &ret->row;
    row->raw_bytes = row->flags = 0;
    row->seq_first = INT64_MAX;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        const struct record *r = &m->records[i];
        places[i] = is_going(some, i) ? UINT32_MAX : n;
        if (is_going(some, i))
            continue;
        kept[n++] = *r;
        row->raw_bytes += (int64_t)record_payload_size(r);
        row->flags |= r->flags;
        row->seq_first = (int64_t)r->seq < row->seq_first ? (int64_t)r->seq : row->seq_first;
        row->seq_last = (int64_t)r->seq > row->seq_last ? (int64_t)r->seq : row->seq_last;
    }
    row->records = n;
    if (n) {
        row->t_start = kept[0].time;
        row->t_end = kept[n - 1].time;
    }
    ret->moment.records = kept;
    ret->moment.record_count = n;
    return 0;
}

/* "cpu 3-21": a channel's range in what is left. False when it is not there. */
static bool put_range(const struct erased *e, uint16_t channel, struct buf *out)
{
    double low = 0, high = 0;
    bool any = false;
    for (uint32_t i = 0; i < e->moment.record_count; i++) {
        const struct record *r = &e->moment.records[i];
        for (uint32_t k = 0; k < r->sample_count; k++) {
            double v = r->samples[k].value;
            if (r->samples[k].channel != channel)
                continue;
            low = !any || v < low ? v : low;
            high = !any || v > high ? v : high;
            any = true;
        }
    }
    if (any)
        buf_printf(out, "%s%s %.4g to %.4g", out->size ? ", " : "", e->channels[channel], low,
                   high);
    return any;
}

static void put_line(const struct record *r, struct buf *out)
{
    const char *end = memchr(r->text.data, '\n', r->text.size);
    size_t size = end ? (size_t)(end - r->text.data) : r->text.size;
    buf_append(out, r->text.data, utf8_cut(r->text.data, size, 150));
}

/* What it holds; what was heard or seen in it goes with what was forgotten of it. */
static void put_media(const struct moment *m, struct buf *out)
{
    size_t samples = 0;
    for (uint32_t i = 0; i < m->record_count; i++)
        samples += m->records[i].media.size / 2;
    if (m->kind == KIND_AUDIO)
        buf_printf(out, "%.1f s of sound", (double)samples / AUDIO_RATE);
    else
        buf_printf(out, "%u frame%s", m->record_count, m->record_count == 1 ? "" : "s");
}

static int reword(struct store *s, struct erased *e, struct errmsg *err)
{
    struct buf title = {0}, gist = {0};
    const struct moment *m = &e->moment;
    struct arena *a = &s->erasure->arena;
    uint32_t ranges = 0;
    if (m->kind == KIND_TEXT) {
        put_line(&m->records[0], &title);
        buf_printf(&gist, "%u record%s\n", m->record_count, m->record_count == 1 ? "" : "s");
        put_line(&m->records[m->record_count - 1], &gist);
    } else if (m->kind != KIND_SENSOR) {
        put_media(m, &title);
        put_media(m, &gist);
    } else {
        for (uint32_t c = 0; c < e->channel_count; c++) {
            ranges += e->channels[c] && put_range(e, (uint16_t)c, &gist);
            if (ranges <= TITLE_CHANNELS && title.size < gist.size) {
                buf_clear(&title);
                buf_append(&title, gist.data, utf8_cut(gist.data, gist.size, 150));
            }
        }
    }
    size_t size = utf8_cut(gist.data ? gist.data : "", gist.size, 1500);
    char *copy = arena_alloc(a, size + 1);
    bool ok = copy && !buf_failed(&title) && !buf_failed(&gist);
    if (ok) {
        memcpy(copy, gist.data ? gist.data : "", size);
        e->moment.gist = (struct slice){copy, size};
        snprintf(e->moment.title, sizeof(e->moment.title), "%.*s", (int)title.size,
                 title.data ? title.data : "");
    }
    buf_deinit(&title);
    buf_deinit(&gist);
    return ok ? 0 : err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

struct run {
    int64_t stream, t_start, t_end, first, last;
    double bits, z, score;
    char why[160];
};

static uint32_t read_runs(struct store *s, int64_t id, struct run runs[RUNS_MAX], int *ret,
                          struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_RUNS);
    uint32_t n = 0;
    sqlite3_bind_int64(q, 1, id);
    while ((*ret = sql_step(q, err)) == 0 && n < RUNS_MAX) {
        struct run *u = &runs[n++];
        *u = (struct run){.stream = sqlite3_column_int64(q, 0),
                          .t_start = sqlite3_column_int64(q, 1),
                          .t_end = sqlite3_column_int64(q, 2),
                          .first = sqlite3_column_int64(q, 3),
                          .last = sqlite3_column_int64(q, 4),
                          .bits = sqlite3_column_double(q, 5),
                          .z = sqlite3_column_double(q, 6),
                          .score = sqlite3_column_double(q, 7)};
        snprintf(u->why, sizeof(u->why), "%s", (const char *)sqlite3_column_text(q, 8));
    }
    sqlite3_reset(q);
    *ret = *ret == SQL_DONE ? 0 : *ret;
    return n;
}

static bool stays(const struct run *u, const uint32_t *places, uint32_t count)
{
    for (int64_t i = u->first; i <= u->last; i++)
        if (i < 0 || i >= count || places[i] == UINT32_MAX)
            return false;
    return true;
}

static int put_run(struct store *s, int64_t id, uint32_t n, const struct run *u,
                   const uint32_t *places, struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_UNUSUAL_PUT);
    const int64_t numbers[] = {id, n, u->stream, u->t_start, u->t_end};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(put, i + 1, numbers[i]);
    sqlite3_bind_int64(put, 6, places[u->first]);
    sqlite3_bind_int64(put, 7, places[u->last]);
    sqlite3_bind_double(put, 8, u->bits);
    sqlite3_bind_double(put, 9, u->z);
    sqlite3_bind_double(put, 10, u->score);
    sqlite3_bind_text(put, 11, u->why, -1, SQLITE_STATIC);
    return sql_run(put, err);
}

/* Writes the runs that stay; the most surprising record may have gone with the others. */
static int rewrite_runs(struct store *s, struct erased *e, bool reword_all, const uint32_t *places,
                        uint32_t count, struct errmsg *err)
{
    struct run runs[RUNS_MAX];
    int r;
    uint32_t n = read_runs(s, e->id, runs, &r, err), kept = 0;
    struct unusual *whys = arena_alloc(&s->erasure->arena, (n + 1) * sizeof(*whys));
    if (r == 0 && !whys)
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (r == 0)
        r = erase_one(s, ERASE_UNUSUAL_DELETE, e->id, err);
    bool all = true;
    double bits = e->row.bits, z = 0;
    e->row.unusual = 0;
    for (uint32_t i = 0; i < n && r == 0; i++) {
        struct run *u = &runs[i];
        if (!stays(u, places, count)) {
            all = false;
            continue;
        }
        if (reword_all)
            snprintf(u->why, sizeof(u->why), REWORDED);
        snprintf(whys[kept].why, sizeof(whys[kept].why), "%s", u->why);
        r = put_run(s, e->id, kept++, u, places, err);
        bits = u->bits > bits ? u->bits : bits;
        z = u->z > z ? u->z : z;
        e->row.unusual += u->score >= (double)UNUSUAL_ALERT;
    }
    if (!all) {
        e->row.bits_max = bits;
        e->row.z = z;
    }
    e->moment.unusual = whys;
    e->moment.unusual_count = kept;
    return r;
}

/* How many of the records that stay name it. */
static int64_t named(const struct erased *e, const char *kind, const char *name)
{
    int64_t n = 0;
    size_t size = strlen(name);
    for (uint32_t i = 0; i < e->moment.record_count; i++) {
        const struct record *r = &e->moment.records[i];
        bool found = r->text.size >= size && memmem(r->text.data, r->text.size, name, size);
        for (uint32_t k = 0; k < r->sample_count && !found && strcmp(kind, "channel") == 0; k++) {
            uint16_t c = r->samples[k].channel;
            found = c < e->channel_count && e->channels[c] && strcmp(e->channels[c], name) == 0;
        }
        n += found;
    }
    return n;
}

struct link {
    int64_t entity, count, left;
};

static int rewrite_links(struct store *s, const struct erased *e, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINK_NAMES), *put = store_stmt(s, SQL_ENTITY_MOMENT_PUT);
    struct buf links = {0};
    int r;
    sqlite3_bind_int64(q, 1, e->id);
    while ((r = sql_step(q, err)) == 0) {
        struct link l = {.entity = sqlite3_column_int64(q, 0), .count = sqlite3_column_int64(q, 1)};
        l.left = named(e, (const char *)sqlite3_column_text(q, 2),
                       (const char *)sqlite3_column_text(q, 3));
        l.left = l.left < l.count ? l.left : l.count;
        buf_append(&links, &l, sizeof(l));
    }
    if (r == SQL_DONE)
        r = buf_failed(&links) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                               : store_entities_write(s, err);
    if (r == 0)
        r = store_entity_same_take_back(s, e->id, err);
    if (r == 0)
        r = erase_one(s, ERASE_LINKS_DELETE, e->id, err);
    for (size_t at = 0; at < links.size && r == 0; at += sizeof(struct link)) {
        struct link l;
        memcpy(&l, links.data + at, sizeof(l));
        if (l.left) {
            sqlite3_bind_int64(put, 1, l.entity);
            sqlite3_bind_int64(put, 2, e->id);
            sqlite3_bind_int64(put, 3, l.left);
            r = sql_run(put, err);
        }
        const struct entity_share share = {.entity = l.entity,
                                           .count = l.count - l.left,
                                           .moment = e->id,
                                           .t_start = e->row.t_start,
                                           .all = l.left == 0,
                                           .unusual = e->row.unusual > 0};
        if (r == 0 && l.left < l.count)
            r = store_entity_day_take_back(s, &share, err);
        if (r == 0 && l.left < l.count)
            r = erase_entity_count(s, l.entity, l.count - l.left, err);
    }
    buf_deinit(&links);
    return r;
}

/* Did a record of that time go, and none that stays and holds the value is of it? */
static bool is_unsaid(const struct erased *was, const struct erased *e, const uint32_t *places,
                      int64_t at, const char *value)
{
    bool gone = false;
    for (uint32_t i = 0; i < was->moment.record_count; i++)
        gone |= places[i] == UINT32_MAX && was->moment.records[i].time == at;
    for (uint32_t i = 0; i < e->moment.record_count && gone; i++) {
        const struct record *r = &e->moment.records[i];
        if (r->time == at && memmem(r->text.data, r->text.size, value, strlen(value)))
            return false;
    }
    return gone;
}

/* What it was the first to state goes with the record that did, or when no record that stays holds
 * the value. */
static int rewrite_facts(struct store *s, const struct erased *was, const struct erased *e,
                         const uint32_t *places, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_FACT_VALUES);
    int r;
    sqlite3_bind_int64(q, 1, e->id);
    while ((r = sql_step(q, err)) == 0) {
        const char *value = (const char *)sqlite3_column_text(q, 1);
        if (named(e, "", value) > 0 && !is_unsaid(was, e, places, sqlite3_column_int64(q, 2), value))
            continue;
        r = forget_note(s, FORGET_FACT, sqlite3_column_int64(q, 0), (struct slice){NULL, 0}, err);
        if (r)
            break;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int put_evidence(struct store *s, struct erased *e, struct errmsg *err)
{
    struct buf block = {0};
    struct evidence_info info;
    int r = evidence_encode(e->moment.records, e->moment.record_count, EVIDENCE_LEVEL, &block);
    if (r)
        err_set(err, r, "%s", err_text(r));
    struct slice bytes = {block.data, block.size};
    if (r == 0)
        r = evidence_info(bytes, &info, err);
    if (r == 0) {
        memcpy(e->row.hash, info.hash, sizeof(e->row.hash));
        r = keep_rewritten(s, e->id, e->block_size, block.size, err);
        sqlite3_stmt *q = erase_stmt(s, ERASE_EVIDENCE_UPDATE);
        sqlite3_bind_int64(q, 1, e->id);
        sqlite3_bind_blob(q, 2, block.data, (int)block.size, SQLITE_STATIC);
        r = r ? r : sql_run(q, err);
    }
    buf_deinit(&block);
    return r;
}

static int put_row(struct store *s, const struct erased *e, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_MOMENT_UPDATE);
    const int64_t numbers[] = {e->id,           e->row.t_start,   e->row.t_end,
                               e->row.records,  e->row.raw_bytes, e->row.seq_first,
                               e->row.seq_last, e->row.unusual,   (int64_t)e->row.flags};
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(q, i + 1, numbers[i]);
    sqlite3_bind_double(q, 10, e->row.bits_max);
    sqlite3_bind_double(q, 11, e->row.z);
    sqlite3_bind_blob(q, 12, e->row.hash, sizeof(e->row.hash), SQLITE_STATIC);
    sqlite3_bind_text(q, 13, e->moment.title, -1, SQLITE_STATIC);
    int r = sql_run(q, err);
    sqlite3_stmt *gist = store_stmt(s, SQL_GIST_PUT);
    sqlite3_bind_int64(gist, 1, e->id);
    sqlite3_bind_text(gist, 2, e->moment.gist.data, (int)e->moment.gist.size, SQLITE_STATIC);
    return r ? r : sql_run(gist, err);
}

/* The numbers of what goes; those around stay. */
static int let_numbers_go(struct store *s, const struct erased *e, const uint32_t *places,
                          struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < e->moment.record_count && r == 0; i++)
        if (places[i] == UINT32_MAX)
            r = gone_add_records(s, e->row.stream, &e->moment.records[i], 1, err);
    return r;
}

int forget_rewrite(struct store *s, struct erased *e, const struct forget_some *some, bool *ret_all,
                   struct errmsg *err)
{
    struct erased n;
    uint32_t places[MOMENT_RECORDS], count = e->moment.record_count;
    int r = count > MOMENT_RECORDS
                ? err_set(err, ERR_CORRUPT, "memory %lld: %u records", (long long)e->id, count)
                : keep_records(s, e, some, &n, places, err);
    *ret_all = r == 0 && n.moment.record_count == 0;
    if (r || *ret_all)
        return r;
    r = erase_delete_words(s, e, err);
    if (r == 0)
        r = let_numbers_go(s, e, places, err);
    if (r == 0)
        r = reword(s, &n, err);
    if (r == 0)
        r = rewrite_runs(s, &n, some->reword, places, count, err);
    if (r == 0)
        r = rewrite_links(s, &n, err);
    if (r == 0)
        r = forget_recount(s, &n, err);
    if (r == 0)
        r = rewrite_facts(s, e, &n, places, err);
    if (r == 0)
        r = put_evidence(s, &n, err);
    if (r == 0)
        r = put_row(s, &n, err);
    if (r == 0)
        r = erase_con_one(s, CON_LATENT_DELETE, e->id, err);
    if (r == 0)
        r = erase_index_words(s, &n, err);
    if (r == 0)
        r = store_put_words(s, e->id, s->erasure->words, err);
    if (r == 0)
        r = store_mark_dirty(s, e->row.t_start, err);
    return r ? r : store_mark_dirty(s, n.row.t_start, err);
}
