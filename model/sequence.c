/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order 0: Good-Turing mass for a new template (as many as were seen once, over all lines), the
 * rest in proportion to counts. Order 1: absolute discounting, what is taken off goes to order 0.
 * The two are mixed by how well each has predicted so far, in bins of how often the context was
 * seen. Failure modes: a full pair table forgets the least seen pair of a set; sums only get
 * smaller. Sizes: 12 bytes a template that was followed by something, 12 a pair, at most PAIRS_MAX.
 */
#include "model/sequence.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define CONTEXTS_FIRST 32
#define CONTEXTS_MAX 8192
#define PAIRS_FIRST 128
#define PAIRS_MAX 16384
#define WAYS 4
#define DISCOUNT 0.5 /* taken off every pair's count: the usual middle for counts of 1 and more */
#define SHARE 0.002  /* how fast the mixture can change its mind: about 500 lines */
#define TRUST_FIRST 0.5

int sequence_init(struct sequence *s)
{
    *s = (struct sequence){.context_capacity = CONTEXTS_FIRST, .pair_capacity = PAIRS_FIRST};
    for (int i = 0; i < SEQUENCE_BINS; i++)
        s->trust[i] = TRUST_FIRST;
    s->contexts = mem_calloc(s->context_capacity, sizeof *s->contexts);
    s->pairs = mem_calloc(s->pair_capacity, sizeof *s->pairs);
    if (s->contexts && s->pairs)
        return 0;
    sequence_deinit(s);
    return ERR_NOMEM;
}

void sequence_deinit(struct sequence *s)
{
    mem_free(s->contexts);
    mem_free(s->pairs);
    *s = (struct sequence){0};
}

static uint32_t pair_set(uint32_t from, uint32_t to, uint32_t capacity)
{
    uint64_t h = ((uint64_t)from << 32 | to) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 40) & (capacity / WAYS - 1);
}

static struct sequence_pair *find_pair(const struct sequence *s, uint32_t from, uint32_t to)
{
    struct sequence_pair *set = &s->pairs[pair_set(from, to, s->pair_capacity) * WAYS];
    for (int i = 0; i < WAYS; i++)
        if (set[i].count && set[i].from == from && set[i].to == to)
            return &set[i];
    return NULL;
}

static struct sequence_pair *least_pair(struct sequence *s, uint32_t from, uint32_t to)
{
    struct sequence_pair *set = &s->pairs[pair_set(from, to, s->pair_capacity) * WAYS];
    struct sequence_pair *least = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].count < least->count)
            least = &set[i];
    return least;
}

static void grow_pairs(struct sequence *s)
{
    struct sequence_pair *old = s->pairs;
    uint32_t old_capacity = s->pair_capacity;
    struct sequence_pair *pairs = mem_calloc(old_capacity * 2, sizeof *pairs);
    if (!pairs)
        return;
    s->pairs = pairs;
    s->pair_capacity = old_capacity * 2;
    s->pair_used = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (!old[i].count)
            continue;
        struct sequence_pair *to = least_pair(s, old[i].from, old[i].to);
        s->pair_used += !to->count;
        if (to->count < old[i].count)
            *to = old[i];
    }
    mem_free(old);
}

static const struct sequence_context *context(const struct sequence *s)
{
    if (!s->last_id || s->last_slot >= s->context_capacity)
        return NULL;
    const struct sequence_context *c = &s->contexts[s->last_slot];
    return c->id == s->last_id && c->count ? c : NULL;
}

static int bin_of(const struct sequence_context *c)
{
    return c->count < 4 ? 0 : c->count < 32 ? 1 : c->count < 256 ? 2 : 3;
}

double sequence_predict_alone(const struct sequence *s, const struct sequence_symbol *next)
{
    double fresh = ((double)s->singles + 0.5) / ((double)s->total + 1);
    if (!next->count)
        return fresh;
    return (1 - fresh) * (double)next->count / (double)s->total;
}

static double predict_after(const struct sequence *s, const struct sequence_context *c,
                            const struct sequence_symbol *next, double alone)
{
    const struct sequence_pair *p = next->count ? find_pair(s, c->id, next->id) : NULL;
    double own = p ? (double)p->count - DISCOUNT : 0;
    return (own + DISCOUNT * c->followers * alone) / c->count;
}

double sequence_predict(const struct sequence *s, const struct sequence_symbol *next)
{
    double alone = sequence_predict_alone(s, next);
    const struct sequence_context *c = context(s);
    if (!c)
        return alone;
    double trust = s->trust[bin_of(c)];
    return trust * predict_after(s, c, next, alone) + (1 - trust) * alone;
}

static void grow_contexts(struct sequence *s, uint32_t slot)
{
    uint32_t capacity = s->context_capacity;
    while (capacity <= slot)
        capacity *= 2;
    struct sequence_context *contexts = mem_realloc(s->contexts, capacity * sizeof *contexts);
    if (!contexts)
        return;
    memset(contexts + s->context_capacity, 0, (capacity - s->context_capacity) * sizeof *contexts);
    s->contexts = contexts;
    s->context_capacity = capacity;
}

static void learn_pair(struct sequence *s, uint32_t id)
{
    if (s->last_slot >= s->context_capacity && s->last_slot < CONTEXTS_MAX)
        grow_contexts(s, s->last_slot);
    if (s->last_slot >= s->context_capacity)
        return;
    struct sequence_context *c = &s->contexts[s->last_slot];
    if (c->id != s->last_id)
        *c = (struct sequence_context){.id = s->last_id};
    struct sequence_pair *p = find_pair(s, s->last_id, id);
    if (!p) {
        if (s->pair_used * 2 > s->pair_capacity && s->pair_capacity < PAIRS_MAX)
            grow_pairs(s);
        p = least_pair(s, s->last_id, id);
        s->pair_used += !p->count;
        *p = (struct sequence_pair){.from = s->last_id, .to = id};
        c->followers++;
    }
    if (c->count < UINT32_MAX) {
        p->count++;
        c->count++;
    }
}

void sequence_learn(struct sequence *s, const struct sequence_symbol *next)
{
    const struct sequence_context *c = context(s);
    if (c) {
        double alone = sequence_predict_alone(s, next);
        double after = predict_after(s, c, next, alone);
        double *trust = &s->trust[bin_of(c)];
        double posterior = *trust * after / (*trust * after + (1 - *trust) * alone);
        *trust = (1 - SHARE) * posterior + SHARE * TRUST_FIRST;
    }
    if (s->last_id)
        learn_pair(s, next->id);
    s->total++;
    s->singles += next->count == 0;
    s->singles -= next->count == 1 && s->singles;
    s->last_slot = next->slot;
    s->last_id = next->id;
}

/* The capacity, checked, and on loading room for as many. */
static void walk_capacity(struct state *st, void **array, uint32_t *capacity, size_t size,
                          uint32_t least, uint32_t most)
{
    uint32_t n = *capacity;
    state_u32(st, &n, most);
    if (st->out || st->failed)
        return;
    void *fresh = NULL;
    if (n < least || (n & (n - 1)) || cursor_left(&st->in) < n || !(fresh = mem_calloc(n, size))) {
        st->failed = true;
        return;
    }
    mem_free(*array);
    *array = fresh;
    *capacity = n;
}

void sequence_walk(struct sequence *s, struct state *st)
{
    state_u64(st, &s->total, 1ull << 50); /* exact in a double */
    state_u64(st, &s->singles, s->total);
    state_u32(st, &s->last_slot, UINT32_MAX);
    state_u32(st, &s->last_id, UINT32_MAX);
    state_f64s(st, s->trust, SEQUENCE_BINS);
    for (int i = 0; i < SEQUENCE_BINS; i++)
        st->failed |= !(s->trust[i] > 0 && s->trust[i] < 1);
    walk_capacity(st, (void **)&s->contexts, &s->context_capacity, sizeof *s->contexts,
                  CONTEXTS_FIRST, CONTEXTS_MAX);
    for (uint32_t i = 0; i < s->context_capacity && !st->failed; i++) {
        struct sequence_context *c = &s->contexts[i];
        state_u32(st, &c->id, UINT32_MAX);
        if (!c->id)
            continue;
        state_u32(st, &c->count, UINT32_MAX);
        state_u32(st, &c->followers, c->count);
    }
    walk_capacity(st, (void **)&s->pairs, &s->pair_capacity, sizeof *s->pairs, PAIRS_FIRST,
                  PAIRS_MAX);
    for (uint32_t i = 0; i < s->pair_capacity && !st->failed; i++) {
        struct sequence_pair *p = &s->pairs[i];
        state_u32(st, &p->count, UINT32_MAX);
        if (!p->count)
            continue;
        state_u32(st, &p->from, UINT32_MAX);
        state_u32(st, &p->to, UINT32_MAX);
        s->pair_used += !st->out;
    }
}
