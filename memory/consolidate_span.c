/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of an episode, hour or day: its sums, title, gist and latent, from its children and from
 * what each stream contributed (parts). A hash over all of it tells whether anything has to be
 * written.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"
#include "memory/consolidate_internal.h"

struct part con_part_of(int64_t stream, int64_t id, int64_t records, int64_t bytes, int64_t unusual,
                        double bits, double z)
{
    return (struct part){.stream = stream,
                         .moments = 1,
                         .records = records,
                         .bytes = bytes,
                         .unusual = unusual,
                         .usual = id,
                         .usual_bits = bits,
                         .peak = id,
                         .peak_z = z};
}

/* A moment that stood out comes before one that only had a high z; the earlier one of equals. */
static bool peaks_over(const struct part *a, const struct part *b)
{
    if ((a->unusual > 0) != (b->unusual > 0))
        return a->unusual > 0;
    return a->peak_z != b->peak_z ? a->peak_z > b->peak_z : a->peak < b->peak;
}

static bool is_more_usual(const struct part *a, const struct part *b)
{
    return a->usual_bits != b->usual_bits ? a->usual_bits < b->usual_bits : a->usual < b->usual;
}

void con_merge_part(struct part *to, const struct part *p)
{
    if (peaks_over(p, to)) {
        to->peak = p->peak;
        to->peak_z = p->peak_z;
    }
    if (is_more_usual(p, to)) {
        to->usual = p->usual;
        to->usual_bits = p->usual_bits;
    }
    to->moments += p->moments;
    to->records += p->records;
    to->bytes += p->bytes;
    to->unusual += p->unusual;
}

void con_read_part(sqlite3_stmt *q, struct part *ret)
{
    *ret = (struct part){
        .stream = sqlite3_column_int64(q, 0),
        .moments = sqlite3_column_int64(q, 1),
        .records = sqlite3_column_int64(q, 2),
        .bytes = sqlite3_column_int64(q, 3),
        .unusual = sqlite3_column_int64(q, 4),
        .usual = sqlite3_column_int64(q, 5),
        .usual_bits = sqlite3_column_double(q, 6),
        .peak = sqlite3_column_int64(q, 7),
        .peak_z = sqlite3_column_double(q, 8),
    };
}

int con_add_part(struct store *s, const struct part *p, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    uint32_t k = 0;
    while (k < c->part_count && c->parts[k].stream != p->stream)
        k++;
    if (k < c->part_count) {
        con_merge_part(&c->parts[k], p);
        return 0;
    }
    int r = con_grow((void **)&c->parts, &c->part_capacity, k, sizeof(struct part), err);
    if (r == 0)
        c->parts[c->part_count++] = *p;
    return r;
}

int con_add_parts_of(struct store *s, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_PARTS);
    struct part p;
    int r;
    sqlite3_bind_int64(q, 1, id);
    while ((r = sql_step(q, err)) == 0) {
        con_read_part(q, &p);
        r = con_add_part(s, &p, err);
        if (r)
            break;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* Unusual ones first, the most surprising before; then by how much they recorded. */
static int compare_parts(const void *pa, const void *pb)
{
    const struct part *a = pa, *b = pb;
    if ((a->unusual > 0) != (b->unusual > 0))
        return a->unusual > 0 ? -1 : 1;
    if (a->unusual > 0 && a->peak_z != b->peak_z)
        return a->peak_z > b->peak_z ? -1 : 1;
    if (a->records != b->records)
        return a->records > b->records ? -1 : 1;
    return (a->stream > b->stream) - (a->stream < b->stream);
}

/* Also picks the model whose latents weigh most: latents of different models lie in different
 * spaces. */
static void sum_up(const struct child *children, uint32_t count, struct moment_row *row)
{
    int64_t best = -1;
    double bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct child *c = &children[i];
        row->records += c->records;
        row->raw_bytes += c->raw_bytes;
        row->unusual += c->unusual;
        row->flags |= c->flags;
        row->bits_max = c->bits_max > row->bits_max ? c->bits_max : row->bits_max;
        row->z = i == 0 || c->z > row->z ? c->z : row->z;
        bits += c->bits * (double)c->records;
        if (c->records > best) {
            best = c->records;
            row->model = c->model;
        }
    }
    row->bits = row->records ? bits / (double)row->records : 0;
}

/* Hashes a part with what came before it. */
static XXH128_hash_t hash_on(XXH128_hash_t h, const void *data, size_t size)
{
    return XXH3_128bits_withSeed(data, size, h.low64 ^ h.high64);
}

static void make_hash(struct store *s, const struct child *children, uint32_t count,
                      struct moment_row *row)
{
    const struct consolidation *c = s->consolidation;
    XXH128_canonical_t canonical;
    XXH128_hash_t h = {0, 0};
    const int64_t numbers[] = {row->stratum,   row->t_start, row->t_end, row->records,
                               row->raw_bytes, row->unusual, row->flags};
    const double reals[] = {row->bits, row->bits_max, row->z};
    h = hash_on(h, numbers, sizeof(numbers));
    h = hash_on(h, reals, sizeof(reals));
    h = hash_on(h, c->title, strlen(c->title));
    h = hash_on(h, c->gist.data, c->gist.size);
    h = hash_on(h, c->blobs.data, c->blobs.size);
    for (uint32_t i = 0; i < count; i++)
        h = hash_on(h, &children[i].id, sizeof(children[i].id));
    XXH128_canonicalFromHash(&canonical, h);
    memcpy(row->hash, canonical.digest, sizeof(row->hash));
}

/* The mean of the children's latents, weighted by their records, into c->latent. */
static int make_latent(struct store *s, const struct child *children, uint32_t count,
                       uint32_t model, struct errmsg *err)
{
    float *mean = s->consolidation->latent;
    double norm = 0;
    sqlite3_stmt *q = con_stmt(s, CON_LATENT);
    int r = SQL_DONE;
    memset(mean, 0, LATENT_DIM * sizeof(*mean));
    for (uint32_t i = 0; i < count && r == SQL_DONE; i++) {
        if (children[i].model != model)
            continue;
        sqlite3_bind_int64(q, 1, children[i].id);
        sqlite3_bind_int64(q, 2, model);
        r = sql_step(q, err);
        if (r == 0 && sqlite3_column_bytes(q, 1) == LATENT_DIM) {
            const signed char *vec = sqlite3_column_blob(q, 1);
            float weight = (float)(sqlite3_column_double(q, 0) * (double)children[i].records);
            for (int k = 0; k < LATENT_DIM; k++)
                mean[k] += weight * (float)vec[k];
        }
        sqlite3_reset(q);
        r = r == 0 ? SQL_DONE : r;
    }
    for (int k = 0; k < LATENT_DIM; k++)
        norm += (double)mean[k] * (double)mean[k];
    for (int k = 0; k < LATENT_DIM && norm > 0; k++)
        mean[k] = (float)((double)mean[k] / __builtin_sqrt(norm));
    return r == SQL_DONE ? 0 : r;
}

int con_put_part(struct store *s, int64_t id, const struct part *p, struct errmsg *err)
{
    sqlite3_stmt *put = con_stmt(s, CON_PART_PUT);
    const int64_t numbers[] = {id,       p->stream,  p->moments, p->records,
                               p->bytes, p->unusual, p->usual};
    for (int k = 0; k < 7; k++)
        sqlite3_bind_int64(put, k + 1, numbers[k]);
    sqlite3_bind_double(put, 8, p->usual_bits);
    sqlite3_bind_int64(put, 9, p->peak);
    sqlite3_bind_double(put, 10, p->peak_z);
    return sql_run(put, err);
}

static int put_parts(struct store *s, int64_t id, struct errmsg *err)
{
    const struct consolidation *c = s->consolidation;
    sqlite3_stmt *delete = con_stmt(s, CON_PARTS_DELETE);
    sqlite3_bind_int64(delete, 1, id);
    int r = sql_run(delete, err);
    for (uint32_t i = 0; i < c->part_count && r == 0; i++)
        r = con_put_part(s, id, &c->parts[i], err);
    return r;
}

/* Takes the words of a row out of the index; they are made again from its title and gist. */
static int delete_words(struct store *s, int64_t id, struct slice title, struct slice gist,
                        struct errmsg *err)
{
    struct store_words *w = s->consolidation->words;
    int r = words_index_text(title, gist, w);
    return r ? err_set(err, r, "%s", err_text(r)) : store_delete_words(s, id, w, err);
}

static int put_words(struct store *s, int64_t id, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    struct slice title = {c->title, strlen(c->title)}, gist = {c->gist.data, c->gist.size};
    int r = words_index_text(title, gist, c->words);
    return r ? err_set(err, r, "%s", err_text(r)) : store_put_words(s, id, c->words, err);
}

static struct slice column_slice(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    return (struct slice){(const char *)text, text ? (size_t)sqlite3_column_bytes(q, column) : 0};
}

/* *ret_same: the row is as it would be written. Else its words are taken out of the index. */
static int compare_old(struct store *s, int64_t id, const unsigned char *hash, bool *ret_same,
                       struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_OLD);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    if (r == SQL_DONE)
        return err_set(err, ERR_CORRUPT, "moment %lld is missing", (long long)id);
    if (r)
        return r;
    const void *old = sqlite3_column_blob(q, 0);
    *ret_same = hash && sqlite3_column_bytes(q, 0) == 16 && memcmp(old, hash, 16) == 0;
    if (!*ret_same)
        r = delete_words(s, id, column_slice(q, 1), column_slice(q, 2), err);
    sqlite3_reset(q);
    return r;
}

static int update_row(struct store *s, int64_t id, const struct moment_row *row, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_UPDATE);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, row->t_start);
    sqlite3_bind_int64(q, 3, row->t_end);
    sqlite3_bind_int64(q, 4, row->records);
    sqlite3_bind_int64(q, 5, row->raw_bytes);
    sqlite3_bind_double(q, 6, row->bits);
    sqlite3_bind_double(q, 7, row->bits_max);
    sqlite3_bind_double(q, 8, row->z);
    sqlite3_bind_int64(q, 9, row->unusual);
    sqlite3_bind_int64(q, 10, row->model);
    sqlite3_bind_int64(q, 11, row->flags);
    sqlite3_bind_blob(q, 12, row->hash, sizeof(row->hash), SQLITE_STATIC);
    sqlite3_bind_text(q, 13, row->title.data, (int)row->title.size, SQLITE_STATIC);
    store_count_span(s, row->stratum, 0, row->t_end - row->t_start);
    return sql_run(q, err);
}

/* An episode that loses a moment to another one, maybe across an hour's border that has moved, is
 * to be made again: nothing else need have marked its hour. */
static int mark_robbed(struct store *s, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_STARTED);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    int64_t start = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    if (r)
        return r == SQL_DONE ? 0 : r;
    return store_mark_dirty(s, start, err);
}

static int adopt(struct store *s, int stratum, int64_t id, const struct child *children,
                 uint32_t count, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_ADOPT);
    int64_t robbed = 0;
    int r = 0;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        if (children[i].parent == id)
            continue;
        if (stratum == STRATUM_EPISODE && children[i].parent && children[i].parent != robbed) {
            robbed = children[i].parent;
            r = mark_robbed(s, robbed, err);
            if (r)
                break;
        }
        sqlite3_bind_int64(q, 1, children[i].id);
        sqlite3_bind_int64(q, 2, id);
        r = sql_run(q, err);
    }
    return r;
}

int con_write_span(struct store *s, int stratum, int64_t t_start, int64_t t_end,
                   struct child *children, uint32_t count, int64_t id, bool *ret_changed,
                   struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    struct moment_row row = {.stratum = stratum, .t_start = t_start, .t_end = t_end};
    bool same = false;
    /* Reading and computing … */
    sum_up(children, count, &row);
    qsort(c->parts, c->part_count, sizeof(*c->parts), compare_parts);
    int r = con_sum_streams(s, stratum, children, count, err);
    if (r == 0)
        r = con_describe(s, &row, children, count, err);
    if (r)
        return r;
    row.title = (struct slice){c->title, strlen(c->title)};
    make_hash(s, children, count, &row);
    r = make_latent(s, children, count, row.model, err);
    /* … comes before the first write. */
    if (r == 0)
        r = con_begin(s, err);
    if (r == 0 && id)
        r = compare_old(s, id, row.hash, &same, err);
    *ret_changed = !same;
    if (r || same)
        return r ? r : adopt(s, stratum, id, children, count, err);
    r = id ? update_row(s, id, &row, err) : store_insert_moment(s, &row, &id, err);
    if (r == 0) {
        sqlite3_stmt *gist = store_stmt(s, SQL_GIST_PUT);
        sqlite3_bind_int64(gist, 1, id);
        sqlite3_bind_text(gist, 2, c->gist.data, (int)c->gist.size, SQLITE_STATIC);
        r = sql_run(gist, err);
    }
    if (r == 0)
        r = put_words(s, id, err);
    if (r == 0)
        r = put_parts(s, id, err);
    if (r == 0)
        r = con_put_stats(s, id, err);
    if (r == 0)
        r = store_put_latent(s, id, row.model, c->latent, err);
    return r ? r : adopt(s, stratum, id, children, count, err);
}

int con_delete_span(struct store *s, int64_t id, int stratum, struct errmsg *err)
{
    static const enum consolidate_statement deletes[] = {
        CON_PARTS_DELETE, CON_STATS_DELETE, CON_GIST_DELETE, CON_LATENT_DELETE, CON_MOMENT_DELETE};
    bool same;
    int r = con_begin(s, err);
    if (r == 0)
        r = compare_old(s, id, NULL, &same, err);
    for (size_t i = 0; i < sizeof(deletes) / sizeof(*deletes) && r == 0; i++) {
        sqlite3_bind_int64(con_stmt(s, deletes[i]), 1, id);
        r = sql_run(con_stmt(s, deletes[i]), err);
    }
    store_count_span(s, stratum, -1, 0);
    return r;
}
