/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a moment that lost records counted, from those that are left. Channels are measured again.
 * The kinds of lines were told by the model, which is not at hand: of each kind that the moment had
 * counted the lines are counted that have its constant words in order, never more than there were.
 */
#include <string.h>

#include "memory/forget_internal.h"
#include "memory/sums.h"

#define PLACE "<*>"

static int nomem(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM));
}

/* The text between the variable places of the kind, in order, anywhere in the line. */
static bool is_of_kind(struct slice kind, struct slice line)
{
    const char *k = kind.data, *k_end = kind.data + kind.size;
    const char *l = line.data, *l_end = line.data + line.size;
    while (k < k_end) {
        const char *place = memmem(k, (size_t)(k_end - k), PLACE, strlen(PLACE));
        const char *end = place ? place : k_end;
        if (end > k) {
            const char *found = memmem(l, (size_t)(l_end - l), k, (size_t)(end - k));
            if (!found)
                return false;
            l = found + (end - k);
        }
        k = place ? place + strlen(PLACE) : k_end;
    }
    return true;
}

static int kind_text(struct store *s, int64_t kind, struct buf *out, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_KIND_TEXT);
    sqlite3_bind_int64(q, 1, kind);
    int r = sql_step(q, err);
    buf_clear(out);
    if (r == 0)
        buf_append(out, sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0));
    sqlite3_reset(q);
    return buf_failed(out) ? nomem(err) : r == SQL_DONE ? 0 : r;
}

static int recount_kind(struct store *s, const struct erased *e, const struct sum *was,
                        struct sums *sums, struct errmsg *err)
{
    struct buf text = {0};
    struct sum now = {.what = STAT_KIND, .id = was->id};
    int r = kind_text(s, was->id, &text, err);
    struct slice kind = {text.data, text.size};
    for (uint32_t i = 0; i < e->moment.record_count && r == 0 && now.count < was->count; i++) {
        const struct record *rec = &e->moment.records[i];
        if (kind.size == 0 || !is_of_kind(kind, rec->text))
            continue;
        now.first_at = now.count ? now.first_at : rec->time;
        now.last_at = rec->time;
        now.count++;
    }
    buf_deinit(&text);
    if (r == 0)
        r = store_take_back_kind(s, was->id, was->count - now.count, err);
    if (r == 0 && now.count && sums_add(sums, &now))
        r = nomem(err);
    return r;
}

/* Into `sums`; of the times the seconds count. */
static int measure(const struct record *r, struct sums *sums, struct errmsg *err)
{
    for (uint32_t i = 0; i < r->sample_count; i++) {
        double v = r->samples[i].value;
        const struct sum one = {.what = STAT_CHANNEL,
                                .id = r->samples[i].channel,
                                .first_at = r->time,
                                .last_at = r->time,
                                .count = 1,
                                .values = {1, v, 0, v, v},
                                .first = v,
                                .last = v,
                                .least_at = r->time,
                                .most_at = r->time};
        if (one.id < SUMS_CHANNELS && sums_add(sums, &one))
            return nomem(err);
    }
    return 0;
}

int forget_recount(struct store *s, const struct erased *e, struct errmsg *err)
{
    struct sums was, now;
    struct buf blob = {0};
    sqlite3_stmt *q = store_stmt(s, SQL_STAT_GET);
    struct arena *a = &s->erasure->arena;
    sums_init(&was, a, a);
    sums_init(&now, a, a);
    sqlite3_bind_int64(q, 1, e->id);
    sqlite3_bind_int64(q, 2, e->row.stream);
    int r = sql_step(q, err);
    if (r)
        return r == SQL_DONE ? 0 : r;
    r = sums_merge(&was, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), -1);
    sqlite3_reset(q);
    if (r)
        return err_set(err, r, "sums of memory %lld: %s", (long long)e->id, err_text(r));
    for (uint32_t i = 0; i < was.count && r == 0; i++)
        if (was.items[i].what == STAT_KIND)
            r = recount_kind(s, e, &was.items[i], &now, err);
    for (uint32_t i = 0; i < e->moment.record_count && r == 0; i++)
        r = measure(&e->moment.records[i], &now, err);
    if (r == 0)
        sums_put(&now, 0, &blob);
    if (r == 0 && buf_failed(&blob))
        r = nomem(err);
    if (r == 0)
        r = store_put_stat(s, e->id, e->row.stream, (struct slice){blob.data, blob.size}, err);
    buf_deinit(&blob);
    return r;
}

static bool channel_goes(const struct forget *f, int64_t stream, const struct sum *sum)
{
    int64_t id = FORGET_CHANNEL_ID(stream, sum->id);
    for (size_t at = 0; at < f->channels.size && sum->what == STAT_CHANNEL; at += sizeof(id))
        if (memcmp(f->channels.data + at, &id, sizeof(id)) == 0)
            return true;
    return false;
}

bool forget_sums_match(struct forget *f, struct slice blob, int64_t stream, struct arena *a)
{
    struct sums sums;
    bool found = false;
    sums_init(&sums, a, a);
    if (sums_merge(&sums, blob.data, blob.size, -1) != 0)
        return false;
    for (uint32_t i = 0; i < sums.mark_count && !found; i++)
        found = forget_matches(f, sums.marks[i].why);
    for (uint32_t i = 0; i < sums.count && !found; i++)
        found = channel_goes(f, stream, &sums.items[i]);
    return found;
}

static int drop_nameless(struct store *s, int64_t stream, struct sums *sums, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHANNELS_BLANK);
    int r;
    sqlite3_bind_int64(q, 1, stream);
    while ((r = sql_step(q, err)) == 0) {
        struct sum *sum = sums_find(sums, STAT_CHANNEL, sqlite3_column_int64(q, 0));
        if (!sum)
            continue;
        size_t behind = sums->count - 1 - (size_t)(sum - sums->items);
        memmove(sum, sum + 1, behind * sizeof(*sum));
        sums->count--;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

int forget_drop_sums(struct store *s, int64_t id, int64_t stream, struct errmsg *err)
{
    struct sums sums;
    struct buf blob = {0};
    struct arena *a = &s->erasure->arena;
    sqlite3_stmt *q = store_stmt(s, SQL_STAT_GET);
    arena_reset(a);
    sums_init(&sums, a, a);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, stream);
    int r = sql_step(q, err);
    if (r)
        return r == SQL_DONE ? 0 : r;
    r = sums_merge(&sums, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), -1);
    sqlite3_reset(q);
    if (r)
        return err_set(err, r, "sums of memory %lld: %s", (long long)id, err_text(r));
    sums.mark_count = 0;
    r = drop_nameless(s, stream, &sums, err);
    if (r)
        return r;
    sums_put(&sums, PROFILE_CHANNELS, &blob);
    r = buf_failed(&blob)
            ? nomem(err)
            : store_put_stat(s, id, stream, (struct slice){blob.data, blob.size}, err);
    buf_deinit(&blob);
    return r;
}
