/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing over XXH3; at most half full. */
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "memory/dump/html.h"

static int rehash(struct intern *t)
{
    uint32_t room = t->room ? 2 * t->room : 1024;
    struct intern_entry *entries = mem_realloc(t->entries, room * sizeof(*entries));
    if (!entries)
        return ERR_NOMEM;
    t->entries = entries;
    uint32_t *slots = mem_calloc(2 * (size_t)room, sizeof(*slots));
    if (!slots)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = (uint32_t)entries[i].hash & (2 * room - 1);
        while (slots[at])
            at = (at + 1) & (2 * room - 1);
        slots[at] = i + 1;
    }
    mem_free(t->slots);
    t->slots = slots;
    t->room = room;
    return 0;
}

int intern_put(struct intern *t, const char *s, size_t n, uint32_t *ret)
{
    if (t->count == t->room && rehash(t) != 0)
        return ERR_NOMEM;
    uint64_t hash = XXH3_64bits(s, n);
    uint32_t mask = 2 * t->room - 1, at = (uint32_t)hash & mask;
    for (; t->slots[at]; at = (at + 1) & mask) {
        const struct intern_entry *e = &t->entries[t->slots[at] - 1];
        if (e->hash == hash && e->size == n && memcmp(t->bytes.data + e->at, s, n) == 0) {
            *ret = t->slots[at] - 1;
            return 0;
        }
    }
    size_t where = t->bytes.size;
    buf_append(&t->bytes, s, n);
    buf_putc(&t->bytes, 0);
    if (buf_failed(&t->bytes))
        return ERR_NOMEM;
    t->entries[t->count] = (struct intern_entry){.hash = hash, .at = where, .size = n};
    t->slots[at] = ++t->count;
    *ret = t->count - 1;
    return 0;
}

struct slice intern_get(const struct intern *t, uint32_t i)
{
    return (struct slice){.data = t->bytes.data + t->entries[i].at, .size = t->entries[i].size};
}

void intern_deinit(struct intern *t)
{
    buf_deinit(&t->bytes);
    mem_free(t->entries);
    mem_free(t->slots);
    memset(t, 0, sizeof(*t));
}
