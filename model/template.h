/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Online template mining: every line gets the template of the lines like it. An assignment depends
 * on this and earlier lines only and is never revised; ids start at 1 and are never used twice.
 * Bounded: at most TEMPLATES_MAX are kept, then the least used of the long unseen ones gives its
 * room. One owner, no thread.
 */
#ifndef VARVE_MODEL_TEMPLATE_H
#define VARVE_MODEL_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/state.h"
#include "model/tokens.h"

#define TEMPLATES_MAX 4096
#define TEMPLATES_BYTES_MAX (2u << 20) /* of their tokens and texts together */
#define TEMPLATE_TEXT_MAX 320          /* bytes of masked text kept of a template, for people */

struct template_token {
    uint32_t hash; /* 0: a place learned to vary */
    uint32_t key;
    uint16_t text, text_size; /* in the template's text; size 0 beyond TEMPLATE_TEXT_MAX */
    uint8_t kind;             /* enum token_kind */
};

struct template
{
    uint32_t id;   /* 0: the slot is empty */
    uint32_t next; /* slot + 1, templates of as many tokens; of an empty slot: the next empty one */
    uint32_t next_id; /* slot + 1, same bucket of ids */
    uint8_t count_tokens;
    uint8_t keep; /* the clock's chances before its room is given away */
    uint16_t text_size, text_room;
    uint32_t version; /* changes when a token becomes <*> */
    uint64_t count;   /* lines of it so far */
    uint64_t words; /* a bit for the hash of each constant token: a quick bound on what can match */
    struct template_token *tokens;
    char *text; /* masked tokens with blanks between; behind `tokens` in one block */
};

struct template_map_entry {
    uint64_t hash;
    uint32_t slot, id;
};

struct templates {
    struct template *slots;
    uint32_t used, capacity, next_id, hand;
    uint32_t empty; /* slot + 1 */
    uint32_t bytes;
    uint32_t by_length[TOKENS_MAX + 1]; /* slot + 1 */
    uint32_t *by_id;                    /* slot + 1; `capacity` buckets */
    struct template_map_entry *map; /* masked line → template, so that repeats cost one look */
    uint32_t map_size;              /* a power of two */
};

struct template_match {
    uint32_t slot, id;
    bool created; /* first line of its kind */
    int widened;  /* token that was constant before this line and no longer is; -1 when none */
    char was[48]; /* its text until now */
};

int templates_init(struct templates *ts);
void templates_deinit(struct templates *ts);
/* 0 or ERR_NOMEM (then nothing changed). */
int templates_add(struct templates *ts, const struct tokens *line, struct template_match *ret);
/* NULL when unknown or given away. */
const struct template *templates_find(const struct templates *ts, uint32_t id);
/*
 * Words of which `knows` says so vary from now on; a template whose text it knows even then goes,
 * as if it had long been unseen. `size` 0 is never asked.
 */
void templates_forget(struct templates *ts,
                      bool (*knows)(const void *arg, const char *text, size_t size),
                      const void *arg);
/* Saves, or loads onto an initialised, empty one (see state.h); want of memory makes a load fail
 * too. */
void templates_walk(struct templates *ts, struct state *s);

#endif
