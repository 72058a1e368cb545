/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The remainder of a span: one row of the stratum below for all its children that were evicted,
 * with their sums, parts, mean latent and links to entities, and without words of its own. Its
 * stratum is ~k (-1 for moments, -2 for episodes, …), so nobody who asks for a stratum meets it;
 * consolidation takes it for one child more. So a span can be made again after some of its children
 * were evicted, and one that is forgotten is left out of it exactly.
 *
 * A part names its stream's most and least surprising moment, for title and gist: when that one
 * goes, the words that are shown of it stay in table past while the part of a remainder names it.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "memory/erase_internal.h"

struct totals {
    int64_t id, t_start, t_end, records, raw_bytes;
    double bits, bits_max, z;
    int64_t unusual, model, flags;
};

static int find(struct store *s, int stratum, int64_t parent, int64_t t_start, int64_t t_end,
                int64_t *ret_id, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHILD);
    sqlite3_bind_int(q, 1, stratum);
    sqlite3_bind_int64(q, 2, t_start);
    sqlite3_bind_int64(q, 3, t_end);
    sqlite3_bind_int64(q, 4, parent);
    int r = sql_step(q, err);
    *ret_id = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* *ret_new: there was none. */
static int find_or_make(struct store *s, const struct erased *e, int64_t *ret_id, bool *ret_new,
                        struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_SPAN_OF);
    sqlite3_bind_int64(q, 1, e->parent);
    int r = sql_step(q, err);
    if (r)
        return r == SQL_DONE ? err_set(err, ERR_CORRUPT, "moment %lld: its parent is missing",
                                       (long long)e->id)
                             : r;
    int64_t t_start = sqlite3_column_int64(q, 1), t_end = sqlite3_column_int64(q, 2);
    sqlite3_reset(q);
    r = find(s, ~e->row.stratum, e->parent, t_start, t_end, ret_id, err);
    *ret_new = r == 0 && *ret_id == 0;
    if (*ret_new) {
        const struct moment_row row = {.stratum = ~e->row.stratum, .t_start = e->row.t_start};
        r = store_insert_moment(s, &row, ret_id, err);
    }
    return r;
}

static int load(struct store *s, int64_t id, struct totals *ret, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_REMAINDER);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    if (r)
        return r == SQL_DONE ? err_set(err, ERR_CORRUPT, "remainder %lld", (long long)id) : r;
    *ret = (struct totals){
        .id = id,
        .t_start = sqlite3_column_int64(q, 0),
        .t_end = sqlite3_column_int64(q, 1),
        .records = sqlite3_column_int64(q, 2),
        .raw_bytes = sqlite3_column_int64(q, 3),
        .bits = sqlite3_column_double(q, 4),
        .bits_max = sqlite3_column_double(q, 5),
        .z = sqlite3_column_double(q, 6),
        .unusual = sqlite3_column_int64(q, 7),
        .model = sqlite3_column_int64(q, 8),
        .flags = sqlite3_column_int64(q, 9),
    };
    sqlite3_reset(q);
    return 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int add_totals(struct store *s, const struct erased *e, const struct totals *t, bool new,
                      struct errmsg *err)
{
    const struct moment_row *m = &e->row;
    int64_t records = t->records + m->records;
    double bits = t->bits * (double)t->records + m->bits * (double)m->records;
    sqlite3_stmt *q = erase_stmt(s, ERASE_REMAINDER_PUT);
    sqlite3_bind_int64(q, 1, t->id);
    sqlite3_bind_int64(q, 2, new ? m->t_start : least(t->t_start, m->t_start));
    sqlite3_bind_int64(q, 3, new ? m->t_end : most(t->t_end, m->t_end));
    sqlite3_bind_int64(q, 4, records);
    sqlite3_bind_int64(q, 5, t->raw_bytes + m->raw_bytes);
    sqlite3_bind_double(q, 6, records ? bits / (double)records : 0);
    sqlite3_bind_double(q, 7, fmax(t->bits_max, m->bits_max));
    sqlite3_bind_double(q, 8, new ? m->z : fmax(t->z, m->z));
    sqlite3_bind_int64(q, 9, t->unusual + m->unusual);
    sqlite3_bind_int64(q, 10, new || m->records > t->records ? (int64_t)m->model : t->model);
    sqlite3_bind_int64(q, 11, t->flags | (int64_t)m->flags);
    sqlite3_bind_int64(q, 12, e->parent);
    return sql_run(q, err);
}

/* The latent of a span times its weight, added; nothing where there is none of that model. */
static int add_latent(struct store *s, int64_t id, int64_t model, double weight, double *sum,
                      struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_LATENT);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, model);
    int r = sql_step(q, err);
    if (r == 0 && sqlite3_column_bytes(q, 1) == LATENT_DIM) {
        const signed char *vec = sqlite3_column_blob(q, 1);
        double scale = sqlite3_column_double(q, 0) * weight;
        for (int k = 0; k < LATENT_DIM; k++)
            sum[k] += scale * vec[k];
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* Latents of different models lie in different spaces: the one that weighs more stays. */
static int merge_latents(struct store *s, const struct erased *e, const struct totals *t,
                         struct errmsg *err)
{
    double sum[LATENT_DIM] = {0}, norm = 0;
    float mean[LATENT_DIM] = {0};
    int64_t model = e->row.records > t->records ? (int64_t)e->row.model : t->model;
    int r = add_latent(s, t->id, model, (double)t->records, sum, err);
    if (r == 0)
        r = add_latent(s, e->id, model, (double)e->row.records, sum, err);
    if (r)
        return r;
    for (int k = 0; k < LATENT_DIM; k++)
        norm += sum[k] * sum[k];
    for (int k = 0; k < LATENT_DIM && norm > 0; k++)
        mean[k] = (float)(sum[k] / sqrt(norm));
    return store_put_latent(s, t->id, (uint32_t)model, mean, err);
}

/* What is shown of a moment goes when the merged part names it no more. */
static int settle_past(struct store *s, const struct part *merged, int64_t id, struct errmsg *err)
{
    return id == merged->usual || id == merged->peak ? 0
                                                     : erase_one(s, ERASE_PAST_DELETE, id, err);
}

static int merge_part(struct store *s, int64_t remainder, const struct part *p, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_PART);
    struct part merged = *p, before = *p;
    sqlite3_bind_int64(q, 1, remainder);
    sqlite3_bind_int64(q, 2, p->stream);
    int r = sql_step(q, err);
    if (r == 0) {
        con_read_part(q, &before);
        merged = before;
        con_merge_part(&merged, p);
        sqlite3_reset(q);
        sqlite3_stmt *delete = erase_stmt(s, ERASE_PART_DELETE);
        sqlite3_bind_int64(delete, 1, remainder);
        sqlite3_bind_int64(delete, 2, p->stream);
        r = sql_run(delete, err);
    } else if (r == SQL_DONE) {
        r = 0;
    }
    if (r == 0)
        r = con_put_part(s, remainder, &merged, err);
    const int64_t named[] = {p->usual, p->peak, before.usual, before.peak};
    for (int i = 0; i < 4 && r == 0; i++)
        r = settle_past(s, &merged, named[i], err);
    return r;
}

/* Into the consolidation's parts. */
static int load_parts(struct store *s, int64_t id, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    sqlite3_stmt *q = con_stmt(s, CON_PARTS);
    int r;
    c->part_count = 0;
    sqlite3_bind_int64(q, 1, id);
    while ((r = sql_step(q, err)) == 0) {
        r = con_grow((void **)&c->parts, &c->part_capacity, c->part_count, sizeof(struct part),
                     err);
        if (r)
            break;
        con_read_part(q, &c->parts[c->part_count++]);
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int merge_parts(struct store *s, const struct erased *e, int64_t remainder,
                       struct errmsg *err)
{
    if (e->row.stratum == STRATUM_MOMENT) {
        const struct part p = con_part_of(e->row.stream, e->id, e->row.records, e->row.raw_bytes,
                                          e->row.unusual, e->row.bits, e->row.z);
        int r = erase_one(s, ERASE_PAST_PUT, e->id, err);
        return r ? r : merge_part(s, remainder, &p, err);
    }
    int r = load_parts(s, e->id, err);
    for (uint32_t i = 0; i < s->consolidation->part_count && r == 0; i++)
        r = merge_part(s, remainder, &s->consolidation->parts[i], err);
    return r;
}

/* A span may have several remainders, of spans that became one: what only one of them named, and
 * not the span itself, is named by nothing once they go. */
static int leave_past(struct store *s, int64_t from, int64_t to, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    sqlite3_stmt *q = erase_stmt(s, ERASE_PART);
    int r = load_parts(s, from, err);
    for (uint32_t i = 0; i < c->part_count && r == 0; i++) {
        struct part above = {0};
        sqlite3_bind_int64(q, 1, to);
        sqlite3_bind_int64(q, 2, c->parts[i].stream);
        r = sql_step(q, err);
        if (r == 0)
            con_read_part(q, &above);
        sqlite3_reset(q);
        r = r == SQL_DONE ? 0 : r;
        const int64_t named[] = {c->parts[i].usual, c->parts[i].peak};
        for (int k = 0; k < 2 && r == 0; k++)
            r = settle_past(s, &above, named[k], err);
    }
    return r;
}

/* One row at a time: a statement that copies many would need a statement journal, and FTS5 writes a
 * segment for each. */
static int move_links(struct store *s, int64_t from, int64_t to, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINKS);
    sqlite3_stmt *put = store_stmt(s, SQL_ENTITY_MOMENT_PUT);
    int r;
    sqlite3_bind_int64(q, 1, from);
    struct buf links = {0};
    while ((r = sql_step(q, err)) == 0) {
        const int64_t link[] = {sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
        buf_append(&links, link, sizeof(link));
    }
    r = r != SQL_DONE        ? r
        : buf_failed(&links) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                             : erase_one(s, ERASE_LINKS_DELETE, from, err);
    for (size_t at = 0; at < links.size && r == 0; at += 2 * sizeof(int64_t)) {
        int64_t link[2];
        memcpy(link, links.data + at, sizeof(link));
        sqlite3_bind_int64(put, 1, link[0]);
        sqlite3_bind_int64(put, 2, to);
        sqlite3_bind_int64(put, 3, link[1]);
        r = sql_run(put, err);
    }
    buf_deinit(&links);
    return r;
}

/*
 * The names of evicted memories pile up: there would soon be as many as the file has room for, and
 * none would ever go. A remainder keeps those met over the longest time. A name that is linked
 * nowhere else goes; of the others it is not counted here any more, but stays so by the day.
 */
static int trim_links(struct store *s, int64_t id, int stratum, struct errmsg *err)
{
    int64_t most = store_links_most(s, stratum), count;
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINK_COUNT);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    count = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    if (r || count <= most)
        return r;
    struct buf names = {0}, links = {0};
    q = erase_stmt(s, ERASE_LINKS_LEAST);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, count - most * 3 / 4);
    while ((r = sql_step(q, err)) == 0) {
        const int64_t link[] = {sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
        if (sqlite3_column_int(q, 2))
            buf_append(&links, link, sizeof(link));
        else
            buf_append(&names, link, sizeof(*link));
    }
    r = r != SQL_DONE ? r
        : buf_failed(&names) || buf_failed(&links)
            ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
            : 0;
    q = erase_stmt(s, ERASE_LINK_DELETE);
    r = r ? r : store_entities_write(s, err); /* what is counted there is not in the rows yet */
    for (size_t at = 0; at < links.size && r == 0; at += 2 * sizeof(int64_t)) {
        int64_t link[2];
        memcpy(link, links.data + at, sizeof(link));
        sqlite3_bind_int64(q, 1, link[0]);
        sqlite3_bind_int64(q, 2, id);
        r = sql_run(q, err);
        sqlite3_bind_int64(erase_stmt(s, ERASE_ENTITY_SUB), 1, link[0]);
        sqlite3_bind_int64(erase_stmt(s, ERASE_ENTITY_SUB), 2, link[1]);
        r = r ? r : sql_run(erase_stmt(s, ERASE_ENTITY_SUB), err);
    }
    if (r == 0 && names.size)
        r = store_entities_drop(s, (const int64_t *)(const void *)names.data,
                                (uint32_t)(names.size / sizeof(int64_t)), err);
    buf_deinit(&names);
    buf_deinit(&links);
    return r;
}

int remainder_add(struct store *s, const struct erased *e, struct errmsg *err)
{
    struct totals t;
    int64_t id;
    bool new;
    int r = find_or_make(s, e, &id, &new, err);
    if (r == 0)
        r = load(s, id, &t, err);
    if (r == 0)
        r = merge_latents(s, e, &t, err);
    if (r == 0)
        r = merge_parts(s, e, id, err);
    const struct child child = {.id = e->id,
                                .stream = e->row.stream,
                                .t_start = e->row.t_start,
                                .t_end = e->row.t_end,
                                .records = e->row.records,
                                .unusual = e->row.unusual};
    if (r == 0)
        r = con_evict_sums(s, e->row.stratum, &child, id, err);
    if (r == 0)
        r = move_links(s, e->id, id, err);
    if (r == 0)
        r = add_totals(s, e, &t, new, err);
    if (r == 0 && e->row.stratum > STRATUM_MOMENT)
        r = remainder_drop(s, e, id, err);
    return r ? r : trim_links(s, id, ~e->row.stratum, err);
}

int remainder_drop(struct store *s, const struct erased *span, int64_t to, struct errmsg *err)
{
    static const enum consolidate_statement deletes[] = {CON_PARTS_DELETE, CON_LATENT_DELETE,
                                                         CON_MOMENT_DELETE};
    int64_t id;
    int r;
    while ((r = find(s, ~(span->row.stratum - 1), span->id, span->row.t_start, span->row.t_end, &id,
                     err)) == 0 &&
           id) {
        r = leave_past(s, id, to, err);
        if (r == 0)
            r = move_links(s, id, to, err);
        if (r == 0)
            r = erase_one(s, ERASE_STAT_DELETE, id, err);
        for (size_t i = 0; i < 3 && r == 0; i++) {
            sqlite3_bind_int64(con_stmt(s, deletes[i]), 1, id);
            r = sql_run(con_stmt(s, deletes[i]), err);
        }
        if (r)
            break;
    }
    return r;
}
