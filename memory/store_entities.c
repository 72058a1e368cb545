/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs name the same hosts and processes in every moment. A direct-mapped table keeps the ids of those
 * seen last and sums up what a transaction adds to their rows, which are then written once, when it
 * commits or when another name takes the slot.
 *
 * None of these statements may need a statement journal (RETURNING or a trigger would): SQLite opens a
 * savepoint for it, and FTS5 answers each savepoint by writing a segment of its index.
 */
#include <string.h>
#include <xxhash.h>

#include "memory/store_internal.h"

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
    return sql_run(add, err);
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
    if (r == 0)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return r;
}

int store_entity_add(struct store *s, const struct entity_seen *e, int64_t first, int64_t last,
                     int64_t *ret_id, struct errmsg *err)
{
    XXH128_hash_t hash;
    struct entity_slot *slot = slot_of(s, e, &hash);
    if (slot->id == 0 || slot->hash[0] != hash.low64 || slot->hash[1] != hash.high64) {
        int64_t id;
        int r = write_slot(s, slot, err);
        if (r == 0)
            r = find_row(s, e, first, last, &id, err);
        if (r)
            return r;
        *slot = (struct entity_slot){.hash = {hash.low64, hash.high64}, .id = id};
    }
    if (slot->count == 0 || first < slot->first)
        slot->first = first;
    if (slot->count == 0 || last > slot->last)
        slot->last = last;
    slot->count += e->count;
    *ret_id = slot->id;
    return 0;
}

int store_entities_write(struct store *s, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < ENTITY_SLOTS && r == 0; i++)
        r = write_slot(s, &s->entities[i], err);
    return r;
}

void store_entities_forget(struct store *s)
{
    memset(s->entities, 0, sizeof(s->entities));
}
