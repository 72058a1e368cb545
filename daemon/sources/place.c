/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sources stand: committed together with the records they stand behind, and kept here as well
 * for this run, because a reload must not read what is still being written. Expected: a few dozen.
 */
#include <string.h>

#include "base/mem.h"
#include "daemon/sources/source.h"
#include "memory/lookup.h"

struct source_place {
    struct source_place *next;
    char key[sizeof(((struct batch *)0)->cursor_key)];
    struct buf value;
};

static struct source_place *find(const struct daemon *d, const char *key)
{
    struct source_place *p = d->places;
    while (p && strcmp(p->key, key) != 0)
        p = p->next;
    return p;
}

void source_place_note(struct daemon *d, const struct batch *b)
{
    struct source_place *p = find(d, b->cursor_key);
    if (!p) {
        p = mem_calloc(1, sizeof(*p));
        if (!p)
            return;
        memcpy(p->key, b->cursor_key, sizeof(p->key));
        p->next = d->places;
        d->places = p;
    }
    buf_clear(&p->value);
    buf_append(&p->value, b->cursor.data, b->cursor.size);
}

int source_place_get(struct source *s, const char *key, struct buf *out)
{
    const struct source_place *p = find(s->daemon, key);
    if (p) {
        buf_append(out, p->value.data, p->value.size);
        return buf_failed(out) ? ERR_NOMEM : 0;
    }
    struct errmsg err;
    return lookup_state(s->daemon->database, key, out, &err);
}

void source_places_free(struct daemon *d)
{
    while (d->places) {
        struct source_place *p = d->places;
        d->places = p->next;
        buf_deinit(&p->value);
        mem_free(p);
    }
}
