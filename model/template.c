/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the masked line was seen before and the map knows its template. Else the templates of
 * as many tokens are compared; the best that differs only in places that look like values takes the
 * line, and those places vary from now on. Else a new template. Failure modes: out of memory,
 * before anything is changed. Sizes: about 300 bytes a template with its tokens and text, at most
 * TEMPLATES_MAX; the map at most MAP_MAX entries.
 */
#include "model/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/wordlist.h"

#define FIRST_CAPACITY 32
#define MAP_FIRST 64
#define MAP_MAX 4096
#define KEEP_MAX 3

/*
 * What a differing token costs, against 1 for each equal word. On the eight development systems
 * raw-line grouping accuracy is 0.965; halving or doubling any one of these moves no system by more
 * than 0.005, so leaving any system out would have led to the same choice. Only COST_CUED must not
 * be COST_NEVER: Linux and OpenSSH, whose values are user names, lose 0.12 and 0.37 by it.
 */
#define COST_NEVER 1000.0f
#define MATCH_VALUE 0.3f /* two values agree: little is known by that */
#define COST_VALUE 1.0f  /* a value here, a word there */
#define COST_KEYED 0.3f  /* other value behind the same key */
#define COST_CUED 0.6f   /* another word where a value is named: "user X", "from X", "state: X" */
#define COST_NAME 1.0f   /* another identifier */
#define COST_SHARE 0.35f /* most that differences may cost, as a share of what agrees */
#define LEARN_PLACE 4

/* Words behind which logs name something. */
static const char *const cues[] = {
    "user",    "users",   "for",      "from",   "by",        "at",        "host",    "node",
    "server",  "client",  "file",     "named",  "name",      "called",    "device",  "service",
    "class",   "package", "id",       "value",  "path",      "process",   "module",  "driver",
    "account", "group",   "job",      "task",   "domain",    "channel",   "session", "address",
    "in",      "on",      "of",       "queue",  "interface", "partition", "volume",  "disk",
    "key",     "table",   "database", "thread", NULL,
};

static bool is_cue(const char *s, size_t n)
{
    while (n && strchr("'\"([", s[n - 1]))
        n--;
    if (n && (s[n - 1] == ':' || s[n - 1] == '='))
        return true;
    return wordlist_has(cues, s, n);
}

/* opened, closing: forms of verbs say what happened and are no values. */
static bool is_verb_form(const char *s, size_t n)
{
    while (n && strchr(".,;:)]", s[n - 1]))
        n--;
    return (n > 4 && !memcmp(s + n - 2, "ed", 2)) || (n > 5 && !memcmp(s + n - 3, "ing", 3));
}

static uint64_t word_bit(uint32_t hash)
{
    return 1ull << (hash >> 26);
}

struct comparison {
    float match, cost;
    int differs; /* places that differ */
    int place;   /* the last of them */
};

static float difference(const struct template *t, const struct tokens *line, uint32_t i)
{
    const struct template_token *a = &t->tokens[i];
    const struct token *b = &line->token[i];
    if (a->key && a->key == b->key)
        return COST_KEYED;
    const char *text = line->masked + b->text;
    const struct token *before = i ? &line->token[i - 1] : NULL;
    bool cued = before && is_cue(line->masked + before->text, before->text_size);
    if (a->kind == TOKEN_VALUE || b->kind == TOKEN_VALUE)
        return cued ? COST_CUED : COST_VALUE;
    if (a->key || b->key || a->kind == TOKEN_CAPS || b->kind == TOKEN_CAPS)
        return COST_NEVER;
    if (a->kind == TOKEN_WORD && b->kind == TOKEN_WORD) {
        if (!cued || !i)
            return COST_NEVER;
        return is_verb_form(text, b->text_size) && is_verb_form(t->text + a->text, a->text_size)
                   ? COST_NEVER
                   : COST_CUED;
    }
    return cued ? COST_CUED : COST_NAME;
}

static void compare(const struct template *t, const struct tokens *line, struct comparison *ret)
{
    *ret = (struct comparison){0};
    for (uint32_t i = 0; i < line->count; i++) {
        const struct template_token *a = &t->tokens[i];
        const struct token *b = &line->token[i];
        if (a->hash == b->hash) {
            ret->match += a->kind == TOKEN_VALUE || a->kind == TOKEN_SIGN ? MATCH_VALUE : 1;
        } else if (a->hash) {
            ret->differs++;
            ret->place = (int)i;
            ret->cost += difference(t, line, i);
            if (ret->differs > 1 && ret->cost >= COST_NEVER)
                return;
        }
    }
}

int templates_init(struct templates *ts)
{
    *ts = (struct templates){.capacity = FIRST_CAPACITY, .map_size = MAP_FIRST, .next_id = 1};
    ts->slots = mem_calloc(ts->capacity, sizeof *ts->slots);
    ts->by_id = mem_calloc(ts->capacity, sizeof *ts->by_id);
    ts->map = mem_calloc(ts->map_size, sizeof *ts->map);
    if (ts->slots && ts->by_id && ts->map)
        return 0;
    templates_deinit(ts);
    return ERR_NOMEM;
}

void templates_deinit(struct templates *ts)
{
    for (uint32_t i = 0; i < ts->used; i++)
        mem_free(ts->slots[i].tokens);
    mem_free(ts->slots);
    mem_free(ts->by_id);
    mem_free(ts->map);
    *ts = (struct templates){0};
}

const struct template *templates_find(const struct templates *ts, uint32_t id)
{
    uint32_t at = id && ts->capacity ? ts->by_id[id & (ts->capacity - 1)] : 0;
    while (at && ts->slots[at - 1].id != id)
        at = ts->slots[at - 1].next_id;
    return at ? &ts->slots[at - 1] : NULL;
}

static void link_slot(struct templates *ts, uint32_t slot)
{
    struct template *t = &ts->slots[slot];
    uint32_t *head = &ts->by_id[t->id & (ts->capacity - 1)];
    t->next_id = *head;
    *head = slot + 1;
    t->next = ts->by_length[t->count_tokens];
    ts->by_length[t->count_tokens] = slot + 1;
}

static void unlink_slot(struct templates *ts, uint32_t slot)
{
    struct template *t = &ts->slots[slot];
    uint32_t *at = &ts->by_id[t->id & (ts->capacity - 1)];
    while (*at != slot + 1)
        at = &ts->slots[*at - 1].next_id;
    *at = t->next_id;
    at = &ts->by_length[t->count_tokens];
    while (*at != slot + 1)
        at = &ts->slots[*at - 1].next;
    *at = t->next;
}

static int grow_slots(struct templates *ts)
{
    uint32_t capacity = ts->capacity * 2;
    uint32_t *by_id = mem_calloc(capacity, sizeof *by_id);
    struct template *slots = by_id ? mem_realloc(ts->slots, capacity * sizeof *slots) : NULL;
    if (!slots) {
        mem_free(by_id);
        return ERR_NOMEM;
    }
    memset(slots + ts->capacity, 0, (capacity - ts->capacity) * sizeof *slots);
    mem_free(ts->by_id);
    ts->slots = slots;
    ts->by_id = by_id;
    ts->capacity = capacity;
    for (uint32_t i = 0; i < ts->used; i++) {
        if (!slots[i].id)
            continue;
        uint32_t *head = &by_id[slots[i].id & (capacity - 1)];
        slots[i].next_id = *head;
        *head = i + 1;
    }
    return 0;
}

static uint32_t block_size(const struct template *t)
{
    return (uint32_t)(t->count_tokens * sizeof *t->tokens) + t->text_room + 1u;
}

static void drop(struct templates *ts, uint32_t slot)
{
    struct template *t = &ts->slots[slot];
    unlink_slot(ts, slot);
    ts->bytes -= block_size(t);
    mem_free(t->tokens);
    *t = (struct template){.next = ts->empty};
    ts->empty = slot + 1;
}

/* A second chance for what was used since the hand last came by, three for what is used a lot. */
static void evict_one(struct templates *ts)
{
    for (;;) {
        uint32_t slot = ts->hand;
        struct template *t = &ts->slots[slot];
        ts->hand = (ts->hand + 1) % ts->used;
        if (!t->id)
            continue;
        if (t->keep) {
            t->keep--;
            continue;
        }
        drop(ts, slot);
        return;
    }
}

static struct template_map_entry *map_at(const struct templates *ts, uint64_t hash)
{
    return &ts->map[(hash ^ hash >> 32) & (ts->map_size - 1)];
}

/* The map may forget: a collision overwrites. It grows with the templates, best effort. */
static void map_put(struct templates *ts, uint64_t hash, uint32_t slot)
{
    struct template_map_entry *e = map_at(ts, hash);
    if (e->id && e->hash != hash && ts->map_size < MAP_MAX) {
        uint32_t old_size = ts->map_size;
        struct template_map_entry *old = ts->map;
        struct template_map_entry *map = mem_calloc(old_size * 2, sizeof *map);
        if (map) {
            ts->map = map;
            ts->map_size = old_size * 2;
            for (uint32_t i = 0; i < old_size; i++)
                if (old[i].id)
                    *map_at(ts, old[i].hash) = old[i];
            mem_free(old);
            e = map_at(ts, hash);
        }
    }
    *e = (struct template_map_entry){hash, slot, ts->slots[slot].id};
}

/* Room for n tokens and TEMPLATE_TEXT_MAX of text, no more than needed. */
static int fill(struct template *t, const struct tokens *line, int wild)
{
    size_t text = 0;
    for (uint32_t i = 0; i < line->count; i++)
        text += line->token[i].text_size + 4u;
    if (text > TEMPLATE_TEXT_MAX)
        text = TEMPLATE_TEXT_MAX;
    char *block = mem_alloc(line->count * sizeof *t->tokens + text + 1);
    if (!block)
        return ERR_NOMEM;
    t->tokens = (struct template_token *)block;
    t->text_room = (uint16_t)text;
    t->text = block + line->count * sizeof *t->tokens;
    t->count_tokens = (uint8_t)line->count;
    t->words = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < line->count; i++) {
        const struct token *from = &line->token[i];
        bool varies = (int)i == wild;
        struct template_token *to = &t->tokens[i];
        size_t size = varies ? 3 : from->text_size;
        *to = (struct template_token){.hash = varies ? 0 : from->hash,
                                      .key = varies ? 0 : from->key,
                                      .kind = varies ? 0 : from->kind};
        if (to->hash)
            t->words |= word_bit(to->hash);
        if (at + size + (i > 0) > text)
            continue;
        if (i)
            t->text[at++] = ' ';
        to->text = (uint16_t)at;
        to->text_size = (uint16_t)size;
        memcpy(t->text + at, varies ? "<*>" : line->masked + from->text, size);
        at += size;
    }
    t->text[at] = 0;
    t->text_size = (uint16_t)at;
    return 0;
}

static int create(struct templates *ts, const struct tokens *line, int wild,
                  struct template_match *ret)
{
    struct template fresh = {.id = ts->next_id, .keep = 1};
    if (!ts->empty && ts->used == ts->capacity && ts->capacity < TEMPLATES_MAX && grow_slots(ts))
        return ERR_NOMEM;
    if (fill(&fresh, line, wild))
        return ERR_NOMEM;
    while ((!ts->empty && ts->used == ts->capacity) || ts->bytes > TEMPLATES_BYTES_MAX)
        evict_one(ts);
    uint32_t slot = ts->empty ? ts->empty - 1 : ts->used++;
    if (ts->empty)
        ts->empty = ts->slots[slot].next;
    ts->slots[slot] = fresh;
    ts->bytes += block_size(&fresh);
    ts->next_id += ts->next_id < UINT32_MAX;
    link_slot(ts, slot);
    ret->slot = slot;
    ret->created = true;
    return 0;
}

/* Turns a token into <*>, in the text too. */
static void widen(struct template *t, uint32_t place)
{
    struct template_token *a = &t->tokens[place];
    if (a->text_size >= 3) {
        size_t shrink = a->text_size - 3u, from = a->text + a->text_size;
        memcpy(t->text + a->text, "<*>", 3);
        memmove(t->text + from - shrink, t->text + from, t->text_size - from + 1u);
        t->text_size = (uint16_t)(t->text_size - shrink);
        for (uint32_t i = place + 1; i < t->count_tokens; i++)
            if (t->tokens[i].text_size)
                t->tokens[i].text = (uint16_t)(t->tokens[i].text - shrink);
        a->text_size = 3;
    } else if (a->text_size) {
        memset(t->text + a->text, '*', a->text_size); /* "a" has no room for more */
    }
    a->hash = 0;
    a->key = 0;
    a->kind = 0;
    t->version++;
    t->words = 0;
    for (uint32_t i = 0; i < t->count_tokens; i++)
        if (t->tokens[i].hash)
            t->words |= word_bit(t->tokens[i].hash);
}

void templates_forget(struct templates *ts,
                      bool (*knows)(const void *arg, const char *text, size_t size),
                      const void *arg)
{
    for (uint32_t slot = 0; slot < ts->used; slot++) {
        struct template *t = &ts->slots[slot];
        if (!t->id || !knows(arg, t->text, t->text_size))
            continue;
        for (uint32_t i = 0; i < t->count_tokens; i++)
            if (t->tokens[i].hash && t->tokens[i].text_size &&
                knows(arg, t->text + t->tokens[i].text, t->tokens[i].text_size))
                widen(t, i);
        size_t size = t->text_size;
        memset(t->text + size, 0, t->text_room - size + 1u);
        if (knows(arg, t->text, size))
            drop(ts, slot);
    }
}

static void take(struct templates *ts, uint32_t slot, const struct tokens *line,
                 struct template_match *ret)
{
    struct template *t = &ts->slots[slot];
    ret->slot = slot;
    for (uint32_t i = 0; i < line->count; i++) {
        struct template_token *a = &t->tokens[i];
        if (!a->hash || a->hash == line->token[i].hash)
            continue;
        if (ret->widened < 0) {
            size_t n = a->text_size < sizeof ret->was - 1 ? a->text_size : sizeof ret->was - 1;
            memcpy(ret->was, t->text + a->text, n);
            ret->was[n] = 0;
            ret->widened = (int)i;
        }
        widen(t, i);
    }
}

static int bits_of(uint64_t v)
{
    return __builtin_popcountll(v);
}

/* The best template of as many tokens, slot + 1; else 0 and the place that was seen to vary, or -1.
 */
static uint32_t search(const struct templates *ts, const struct tokens *line, int *ret_wild)
{
    uint64_t words = 0;
    for (uint32_t i = 0; i < line->count; i++)
        words |= word_bit(line->token[i].hash);
    int most = bits_of(words);
    uint32_t best = 0;
    float best_score = -1;
    uint8_t places[TOKENS_MAX] = {0};
    *ret_wild = -1;
    for (uint32_t at = ts->by_length[line->count]; at; at = ts->slots[at - 1].next) {
        const struct template *t = &ts->slots[at - 1];
        if (bits_of(t->words & words) * 3 < most && most > 2)
            continue;
        struct comparison c;
        compare(t, line, &c);
        if (c.differs == 1 && c.cost >= COST_NEVER && line->count > 2 && c.match >= 2 &&
            t->tokens[c.place].kind == line->token[c.place].kind && places[c.place] < 255)
            places[c.place]++;
        if (c.cost > COST_SHARE * c.match || c.cost >= COST_NEVER)
            continue;
        if (c.match - c.cost > best_score) {
            best_score = c.match - c.cost;
            best = at;
        }
    }
    for (uint32_t i = 0; i < line->count && !best; i++)
        if (places[i] >= LEARN_PLACE && (*ret_wild < 0 || places[i] > places[*ret_wild]))
            *ret_wild = (int)i;
    return best;
}

int templates_add(struct templates *ts, const struct tokens *line, struct template_match *ret)
{
    *ret = (struct template_match){.widened = -1};
    const struct template_map_entry *known = map_at(ts, line->hash);
    if (known->id && known->hash == line->hash && ts->slots[known->slot].id == known->id &&
        ts->slots[known->slot].count_tokens == line->count) {
        ret->slot = known->slot;
    } else {
        int wild;
        uint32_t best = search(ts, line, &wild);
        if (best)
            take(ts, best - 1, line, ret);
        else if (create(ts, line, wild, ret))
            return ERR_NOMEM;
        map_put(ts, line->hash, ret->slot);
    }
    struct template *t = &ts->slots[ret->slot];
    t->count++;
    if (t->keep < KEEP_MAX && (t->count & (t->count - 1)) == 0)
        t->keep++;
    else if (!t->keep)
        t->keep = 1;
    ret->id = t->id;
    return 0;
}

static void walk_bytes(struct state *s, char *data, size_t size)
{
    if (s->out) {
        buf_append(s->out, data, size);
        return;
    }
    struct slice got = cursor_bytes(&s->in, size);
    s->failed |= s->in.failed;
    if (!s->failed)
        memcpy(data, got.data, size);
}

static void walk_u8(struct state *s, uint8_t *v, uint32_t max)
{
    uint32_t wide = *v;
    state_u32(s, &wide, max);
    *v = (uint8_t)wide;
}

static void walk_u16(struct state *s, uint16_t *v, uint32_t max)
{
    uint32_t wide = *v;
    state_u32(s, &wide, max);
    *v = (uint16_t)wide;
}

static void walk_tokens(struct template *t, struct state *s)
{
    t->words = 0;
    for (uint32_t i = 0; i < t->count_tokens && !s->failed; i++) {
        struct template_token *a = &t->tokens[i];
        state_u32(s, &a->hash, UINT32_MAX);
        state_u32(s, &a->key, UINT32_MAX);
        walk_u16(s, &a->text, t->text_size);
        walk_u16(s, &a->text_size, (uint32_t)(t->text_size - a->text));
        walk_u8(s, &a->kind, TOKEN_SIGN);
        if (a->hash)
            t->words |= word_bit(a->hash);
    }
}

static void walk_template(struct templates *ts, struct template *t, struct state *s)
{
    state_u32(s, &t->id, ts->next_id - 1);
    if (!t->id) {
        state_u32(s, &t->next, ts->used);
        return;
    }
    state_u64(s, &t->count, UINT64_MAX / 4);
    state_u32(s, &t->version, UINT32_MAX);
    walk_u8(s, &t->keep, KEEP_MAX);
    walk_u8(s, &t->count_tokens, TOKENS_MAX);
    walk_u16(s, &t->text_room, TEMPLATE_TEXT_MAX);
    walk_u16(s, &t->text_size, t->text_room);
    if (!s->out && !s->failed) {
        char *block = mem_calloc(1, block_size(t));
        s->failed = !block;
        if (s->failed)
            return;
        t->tokens = (struct template_token *)block;
        t->text = block + t->count_tokens * sizeof *t->tokens;
        ts->bytes += block_size(t);
    }
    if (s->failed)
        return;
    walk_bytes(s, t->text, t->text_size);
    walk_tokens(t, s);
}

static void walk_map(struct templates *ts, struct state *s)
{
    uint32_t size = ts->map_size;
    state_u32(s, &size, MAP_MAX);
    if (!s->out && !s->failed) {
        struct template_map_entry *map = NULL;
        if (size >= MAP_FIRST && !(size & (size - 1)) && cursor_left(&s->in) >= size)
            map = mem_calloc(size, sizeof *map);
        s->failed = !map;
        if (s->failed)
            return;
        mem_free(ts->map);
        ts->map = map;
        ts->map_size = size;
    }
    for (uint32_t i = 0; i < ts->map_size && !s->failed; i++) {
        struct template_map_entry *e = &ts->map[i];
        state_u32(s, &e->id, UINT32_MAX);
        if (!e->id)
            continue;
        state_u64(s, &e->hash, UINT64_MAX);
        state_u32(s, &e->slot, ts->used ? ts->used - 1 : 0);
    }
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Links what was loaded in the order in which it was created: the search depends on it. */
static void link_loaded(struct templates *ts, struct state *s)
{
    struct slot_of_id {
        uint32_t id, slot;
    } *order = mem_calloc(ts->used + 1u, sizeof *order);
    s->failed = !order;
    uint32_t count = 0, empty = 0;
    for (uint32_t i = 0; i < ts->used && !s->failed; i++) {
        if (ts->slots[i].id)
            order[count++] = (struct slot_of_id){ts->slots[i].id, i};
        else
            empty++;
    }
    if (count)
        qsort(order, count, sizeof *order, by_id);
    for (uint32_t i = 0; i < count; i++) {
        s->failed |= i && order[i].id == order[i - 1].id;
        link_slot(ts, order[i].slot);
    }
    /* The empty slots are one list, without a loop and with nothing else in it. */
    for (uint32_t at = ts->empty; at && !s->failed; at = ts->slots[at - 1].next)
        s->failed = ts->slots[at - 1].id || !empty--;
    s->failed |= empty != 0;
    mem_free(order);
}

void templates_walk(struct templates *ts, struct state *s)
{
    uint32_t used = ts->used;
    state_u32(s, &used, TEMPLATES_MAX);
    state_u32(s, &ts->next_id, UINT32_MAX);
    state_u32(s, &ts->hand, used ? used - 1 : 0);
    state_u32(s, &ts->empty, used);
    s->failed |= !ts->next_id;
    while (!s->failed && ts->capacity < used)
        s->failed |= grow_slots(ts) != 0;
    if (s->failed)
        return;
    ts->used = used;
    for (uint32_t i = 0; i < used && !s->failed; i++)
        walk_template(ts, &ts->slots[i], s);
    if (!s->out && !s->failed)
        link_loaded(ts, s);
    if (!s->failed)
        walk_map(ts, s);
}
