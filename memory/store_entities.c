/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs name the same hosts and processes in every moment. A direct-mapped table keeps the ids of
 * those seen last and sums up what a transaction adds to their rows, which are then written once,
 * when it commits or when another name takes the slot.
 *
 * None of these statements may need a statement journal (RETURNING or a trigger would): SQLite
 * opens a savepoint for it, and FTS5 answers each savepoint by writing a segment of its index.
 */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "memory/keep_internal.h"
#include "memory/store_internal.h"

#define ENTITIES_MAX 64  /* of a moment, whose names can be said to be one */
#define DAYS_MOST 100000 /* rows of entity_day; fewer where the budget is small */
#define DAYS_LEAST 1000
#define DAY_SHARE 2048  /* bytes of the budget for a row; it takes some 50 */
#define NAME_SHARE 6144 /* bytes of the budget for a name; with its links it takes some 400 */
#define LINK_SHARE (256 << 10) /* bytes of the budget for a link of each remainder */
#define LINKS_LEAST 16
#define LINKS_MOST 256
#define NAMES_LEAST 500
#define NAMES_SAMPLE 2048
#define NAMES_A_STEP 128
#define NAMES_STEPS 4 /* a commit */

static struct entity_slot *slot_of(struct store *s, const struct entity_seen *e,
                                   XXH128_hash_t *ret_hash)
{
    char key[sizeof(e->kind) + sizeof(e->name)];
    size_t kind = strnlen(e->kind, sizeof(e->kind) - 1);
    size_t name = strnlen(e->name, sizeof(e->name) - 1);
    memcpy(key, e->kind, kind);
    key[kind] = '\0';
    memcpy(key + kind + 1, e->name, name);
    *ret_hash = XXH3_128bits(key, kind + 1 + name);
    return &s->entities[ret_hash->low64 % ENTITY_SLOTS];
}

static int write_day(struct store *s, struct entity_slot *slot, struct errmsg *err)
{
    if (slot->today.moments == 0)
        return 0;
    sqlite3_stmt *put = store_stmt(s, SQL_ENTITY_DAY_PUT);
    const int64_t counts[] = {slot->id,          slot->today.day,     slot->today.moments,
                              slot->today.count, slot->today.unusual, slot->today.first,
                              slot->today.last,  slot->today.peak};
    for (int i = 0; i < 8; i++)
        sqlite3_bind_int64(put, i + 1, counts[i]);
    sqlite3_bind_double(put, 9, slot->today.z);
    slot->today.moments = 0;
    s->entity_days++;
    return sql_run(put, err);
}

static int write_slot(struct store *s, struct entity_slot *slot, struct errmsg *err)
{
    if (slot->count == 0)
        return 0;
    sqlite3_stmt *add = store_stmt(s, SQL_ENTITY_ADD);
    sqlite3_bind_int64(add, 1, slot->id);
    sqlite3_bind_int64(add, 2, slot->first);
    sqlite3_bind_int64(add, 3, slot->last);
    sqlite3_bind_int64(add, 4, slot->count);
    slot->count = 0;
    int r = sql_run(add, err);
    return r ? r : write_day(s, slot, err);
}

/* The row's id; the row is made, with nothing counted yet, when there is none. */
static int find_row(struct store *s, const struct entity_seen *e, int64_t first, int64_t last,
                    int64_t *ret_id, struct errmsg *err)
{
    sqlite3_stmt *find = store_stmt(s, SQL_ENTITY_FIND);
    sqlite3_bind_text(find, 1, e->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(find, 2, e->kind, -1, SQLITE_STATIC);
    int r = sql_step(find, err);
    if (r == 0) {
        *ret_id = sqlite3_column_int64(find, 0);
        sqlite3_reset(find);
        return 0;
    }
    if (r != SQL_DONE)
        return r;
    sqlite3_stmt *insert = store_stmt(s, SQL_ENTITY_INSERT);
    sqlite3_bind_text(insert, 1, e->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, e->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, first);
    sqlite3_bind_int64(insert, 4, last);
    r = sql_run(insert, err);
    if (r)
        return r;
    *ret_id = sqlite3_last_insert_rowid(s->db);
    s->entity_rows += s->entity_rows >= 0;
    return 0;
}

static void keep_peak(struct entity_slot *slot, int64_t moment, const struct moment *m)
{
    double z = isfinite(m->z) && m->z > 0 ? m->z : 0.001;
    if (z <= slot->today.z)
        return;
    slot->today.z = z;
    slot->today.peak = moment;
}

static int count_today(struct store *s, struct entity_slot *slot, const struct entity_seen *e,
                       int64_t moment, const struct moment *m, struct errmsg *err)
{
    int64_t day = m->start / US_PER_DAY;
    int r = slot->today.day == day ? 0 : write_day(s, slot, err);
    if (r)
        return r;
    if (slot->today.moments == 0) {
        memset(&slot->today, 0, sizeof(slot->today));
        slot->today.day = day;
        slot->today.first = m->start;
        slot->today.last = m->end;
    }
    slot->today.count += e->count;
    if (slot->today.moment == moment) /* a second entry of the same name */
        return 0;
    slot->today.moment = moment;
    slot->today.moments++;
    slot->today.first = m->start < slot->today.first ? m->start : slot->today.first;
    slot->today.last = m->end > slot->today.last ? m->end : slot->today.last;
    bool unusual = false;
    for (uint32_t i = 0; i < m->unusual_count; i++)
        unusual |= m->unusual[i].score >= UNUSUAL_ALERT;
    slot->today.unusual += unusual;
    if (unusual)
        keep_peak(slot, moment, m);
    return 0;
}

static int add_entity(struct store *s, const struct entity_seen *e, int64_t moment,
                      const struct moment *m, int64_t *ret_id, struct errmsg *err)
{
    XXH128_hash_t hash;
    struct entity_slot *slot = slot_of(s, e, &hash);
    if (slot->id == 0 || slot->hash[0] != hash.low64 || slot->hash[1] != hash.high64) {
        int64_t id;
        int r = write_slot(s, slot, err);
        if (r == 0)
            r = find_row(s, e, m->start, m->end, &id, err);
        if (r)
            return r;
        *slot = (struct entity_slot){.hash = {hash.low64, hash.high64}, .id = id};
    }
    if (slot->count == 0 || m->start < slot->first)
        slot->first = m->start;
    if (slot->count == 0 || m->end > slot->last)
        slot->last = m->end;
    slot->count += e->count;
    *ret_id = slot->id;
    return count_today(s, slot, e, moment, m, err);
}

static int64_t id_of(const struct moment *m, const int64_t *ids, const struct same_seen *same,
                     int which)
{
    for (uint32_t i = 0; i < m->entity_count && i < ENTITIES_MAX; i++)
        if (strcmp(m->entities[i].name, same->name[which]) == 0 &&
            strcmp(m->entities[i].kind, same->kind[which]) == 0)
            return ids[i];
    return 0;
}

static int put_same(struct store *s, const struct moment *m, const int64_t *ids,
                    const struct same_seen *same, struct errmsg *err)
{
    int64_t a = id_of(m, ids, same, 0), b = id_of(m, ids, same, 1);
    if (a == 0 || b == 0 || a == b)
        return 0;
    sqlite3_stmt *put = store_stmt(s, SQL_ENTITY_SAME_PUT);
    sqlite3_bind_int64(put, 1, a);
    sqlite3_bind_int64(put, 2, b);
    sqlite3_bind_int(put, 3, same->renamed);
    sqlite3_bind_int(put, 4, !same->renamed);
    sqlite3_bind_int64(put, 5, m->start);
    sqlite3_bind_int64(put, 6, m->end);
    return sql_run(put, err);
}

int store_entities_put(struct store *s, int64_t moment, const struct moment *m, struct errmsg *err)
{
    int64_t ids[ENTITIES_MAX], id;
    int r = 0;
    for (uint32_t i = 0; i < m->entity_count && r == 0; i++) {
        const struct entity_seen *e = &m->entities[i];
        r = add_entity(s, e, moment, m, &id, err);
        if (r)
            break;
        if (i < ENTITIES_MAX)
            ids[i] = id;
        sqlite3_stmt *link = store_stmt(s, SQL_ENTITY_MOMENT_PUT);
        sqlite3_bind_int64(link, 1, id);
        sqlite3_bind_int64(link, 2, moment);
        sqlite3_bind_int64(link, 3, e->count);
        r = sql_run(link, err);
    }
    for (uint32_t i = 0; i < m->same_count && r == 0; i++)
        r = put_same(s, m, ids, &m->same[i], err);
    return r;
}

/* Rarely run, so they are not kept. ?1 and on as given. */
static int change(struct store *s, const char *sql, const int64_t *values, int count,
                  struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, sql, &q, err);
    for (int i = 0; i < count && r == 0; i++)
        sqlite3_bind_int64(q, i + 1, values[i]);
    if (r == 0)
        r = sql_run(q, err);
    sqlite3_finalize(q);
    return r;
}

int store_entity_day_take_back(struct store *s, const struct entity_share *share,
                               struct errmsg *err)
{
    const int64_t values[] = {share->entity, share->t_start / US_PER_DAY,  share->count,
                              share->all,    share->all && share->unusual, share->moment};
    int r = change(s,
                   "UPDATE entity_day SET count=count-?3, moments=moments-?4, "
                   "unusual=max(unusual-?5, 0), "
                   "z=CASE WHEN ?4 AND peak=?6 THEN 0 ELSE z END, "
                   "peak=CASE WHEN ?4 AND peak=?6 THEN 0 ELSE peak END WHERE entity=?1 AND day=?2",
                   values, 6, err);
    return r ? r
             : change(
                   s,
                   "DELETE FROM entity_day WHERE entity=?1 AND day=?2 AND (moments<1 OR count<1)",
                   values, 2, err);
}

int store_entity_days_drop(struct store *s, int64_t entity, int64_t from, int64_t until,
                           struct errmsg *err)
{
    const int64_t values[] = {entity, from / US_PER_DAY, until / US_PER_DAY};
    return change(s,
                  entity ? "DELETE FROM entity_day WHERE entity=?1 AND day BETWEEN ?2 AND ?3"
                         : "DELETE FROM entity_day WHERE ?1=0 AND day BETWEEN ?2 AND ?3",
                  values, 3, err);
}

int store_entity_same_take_back(struct store *s, int64_t moment, struct errmsg *err)
{
    static const char less[] =
        "UPDATE entity_same SET renamed=max(renamed-1, 0), beside=max(beside-1, 0) WHERE "
        "a IN (SELECT entity FROM entity_moment WHERE moment=?1) AND "
        "b IN (SELECT entity FROM entity_moment WHERE moment=?1)";
    int r = change(s, less, &moment, 1, err);
    return r ? r : change(s, "DELETE FROM entity_same WHERE renamed+beside<1", NULL, 0, err);
}

int store_entity_drop(struct store *s, int64_t entity, struct errmsg *err)
{
    int r = change(s, "DELETE FROM entity_day WHERE entity=?1", &entity, 1, err);
    return r ? r : change(s, "DELETE FROM entity_same WHERE a=?1 OR b=?1", &entity, 1, err);
}

/*
 * Most names of a log are met on one day only, and their own row says all of it: their days go
 * first. Beyond that the oldest days go.
 */
static int trim_days(struct store *s, struct errmsg *err)
{
    int64_t budget = s->keeper ? s->keeper->budget.bytes : 0;
    int64_t most = budget > 0 ? budget / DAY_SHARE : DAYS_MOST;
    most = most < DAYS_LEAST ? DAYS_LEAST : most > DAYS_MOST ? DAYS_MOST : most;
    if (s->entity_days < most / 8)
        return 0;
    s->entity_days = 0;
    int r = change(s,
                   "DELETE FROM entity_day WHERE day<(SELECT max(day)-1 FROM entity_day) AND "
                   "entity IN (SELECT id FROM entity WHERE last/86400000000=first/86400000000)",
                   NULL, 0, err);
    return r ? r
             : change(s,
                      "DELETE FROM entity_day WHERE day<=(SELECT day FROM entity_day "
                      "ORDER BY day DESC LIMIT 1 OFFSET ?1)",
                      &most, 1, err);
}

/* The ids of a stretch of the table's that are worth least: names of one day before others, met once
 * before others, and those not met for long first; none of the last hour, whose moments may wait to
 * be summed up. */
static int pick_names(struct store *s, int64_t from, int64_t *ids, uint32_t *ret_count,
                      struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db,
                        "SELECT id FROM (SELECT * FROM entity WHERE id>=?1 ORDER BY id LIMIT ?2) "
                        "WHERE last<(SELECT max(t_start) FROM moment WHERE stratum=0)-?5 "
                        "ORDER BY last/?3>first/?3, count>1, last LIMIT ?4",
                        &q, err);
    *ret_count = 0;
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, NAMES_SAMPLE);
    sqlite3_bind_int64(q, 3, US_PER_DAY);
    sqlite3_bind_int64(q, 4, NAMES_A_STEP);
    sqlite3_bind_int64(q, 5, US_PER_HOUR);
    while (*ret_count < NAMES_A_STEP && (r = sql_step(q, err)) == 0)
        ids[(*ret_count)++] = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

static int drop_names(struct store *s, const int64_t *ids, uint32_t count, struct errmsg *err)
{
    static const char *const deletes[] = {
        "DELETE FROM entity_moment WHERE entity=?1", "DELETE FROM entity_day WHERE entity=?1",
        "DELETE FROM entity_same WHERE a=?1 OR b=?1", "DELETE FROM entity WHERE id=?1"};
    int r = 0;
    for (size_t i = 0; i < sizeof(deletes) / sizeof(*deletes) && r == 0; i++) {
        sqlite3_stmt *q;
        r = sql_prepare(s->db, deletes[i], &q, err);
        for (uint32_t k = 0; k < count && r == 0; k++) {
            sqlite3_bind_int64(q, 1, ids[k]);
            r = sql_run(q, err);
        }
        sqlite3_finalize(q);
    }
    return r;
}

int store_entities_drop(struct store *s, const int64_t *ids, uint32_t count, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < ENTITY_SLOTS && r == 0; i++)
        r = write_slot(s, &s->entities[i], err);
    if (r == 0)
        r = drop_names(s, ids, count, err);
    memset(s->entities, 0, sizeof(s->entities));
    s->entity_rows -= r == 0 && s->entity_rows >= 0 ? count : 0;
    return r;
}

int64_t store_links_most(const struct store *s, int stratum)
{
    int64_t budget = s->keeper ? s->keeper->budget.bytes : 0;
    int64_t most = budget / LINK_SHARE;
    if (budget == 0)
        return INT64_MAX;
    most = most < LINKS_LEAST ? LINKS_LEAST : most > LINKS_MOST ? LINKS_MOST : most;
    /* Wider spans are fewer. */
    int below = ~stratum;
    return below > STRATUM_EPISODE ? most << (below - STRATUM_EPISODE) : most;
}

/*
 * Addresses and numbers that were named once would fill any budget: on the generated fortnight half
 * of a tenth of its bytes. So a name is let go for each new one beyond what the budget has room
 * for.
 */
static int trim_names(struct store *s, struct errmsg *err)
{
    int64_t budget = s->keeper ? s->keeper->budget.bytes : 0, last = 0;
    int64_t most = budget / NAME_SHARE > NAMES_LEAST ? budget / NAME_SHARE : NAMES_LEAST;
    int r = 0;
    if (budget == 0)
        return 0;
    if (s->entity_rows < 0)
        r = sql_int64(s->db, "SELECT count(*) FROM entity", &s->entity_rows, err);
    int64_t tried = s->entity_tried > most ? s->entity_tried : most;
    if (r || s->entity_rows <= tried + NAMES_A_STEP)
        return r;
    r = sql_int64(s->db, "SELECT max(id) FROM entity", &last, err);
    for (int i = 0; i < NAMES_STEPS && s->entity_rows > most && r == 0; i++) {
        int64_t ids[NAMES_A_STEP], from = (int64_t)(keep_random(s) % (uint64_t)(last + 1));
        uint32_t count;
        /* The table is thin where names have gone already, so the front is looked at as well. */
        r = pick_names(s, i % 2 ? 0 : from, ids, &count, err);
        if (r == 0)
            r = drop_names(s, ids, count, err);
        s->entity_rows -= r == 0 ? count : 0;
    }
    s->entity_tried = s->entity_rows; /* where none may go, the next look is not at every commit */
    /* All is written, so no slot is in use; their ids may be gone. */
    memset(s->entities, 0, sizeof(s->entities));
    return r;
}

int store_entities_write(struct store *s, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < ENTITY_SLOTS && r == 0; i++)
        r = write_slot(s, &s->entities[i], err);
    if (r == 0)
        r = trim_days(s, err);
    return r ? r : trim_names(s, err);
}

void store_entities_forget(struct store *s)
{
    memset(s->entities, 0, sizeof(s->entities));
    s->entity_rows = -1;
}
