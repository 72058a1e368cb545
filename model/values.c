/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a number inside its place's range draws the ends of the range a little towards it, so
 * that the range forgets; one outside widens it, one far outside only as far as the range was wide,
 * so that one wild value does not hide the next. Failure modes: a full table forgets the least seen
 * place of a set. Sizes: 32 bytes a place, at most RANGES_MAX; 16 a template that had a number.
 */
#include "model/values.h"

#include <string.h>

#include "base/mem.h"

#define RANGES_FIRST 64
#define RANGES_MAX 8192
#define OUTCOMES_FIRST 32
#define OUTCOMES_MAX 8192
#define WAYS 4
#define JUDGE_FROM 20       /* values before a place's range means anything */
#define CONSTANT_FROM 50    /* after so many equal values another one is beyond, however near */
#define SHRINK (1 / 1024.0) /* the range forgets within some thousand values */
#define BEYOND 1.0          /* ranges outside the range */
#define FAR 4.0
#define FLOOR_SHARE 0.05  /* a range is taken to be at least so wide, of its size */
#define STREAM_WEIGHT 4.0 /* lines that the stream's experience counts for in a template's own */

int values_init(struct values *v)
{
    *v = (struct values){.range_capacity = RANGES_FIRST,
                         .outcome_capacity = OUTCOMES_FIRST,
                         .lines = {19.5, 0.3, 0.2}}; /* before anything is known: one in 40 */
    v->ranges = mem_calloc(v->range_capacity, sizeof *v->ranges);
    v->outcomes = mem_calloc(v->outcome_capacity, sizeof *v->outcomes);
    if (v->ranges && v->outcomes)
        return 0;
    values_deinit(v);
    return ERR_NOMEM;
}

void values_deinit(struct values *v)
{
    mem_free(v->ranges);
    mem_free(v->outcomes);
    *v = (struct values){0};
}

static struct value_range *set_of(struct value_range *ranges, uint32_t capacity, uint32_t id,
                                  uint32_t place)
{
    uint64_t h = ((uint64_t)id << 8 | place) * 0x9e3779b97f4a7c15u;
    return &ranges[((uint32_t)(h >> 40) & (capacity / WAYS - 1)) * WAYS];
}

static struct value_range *least_of(struct value_range *set)
{
    struct value_range *least = set;
    for (int i = 1; i < WAYS && least->id; i++)
        if (!set[i].id || set[i].count < least->count)
            least = &set[i];
    return least;
}

static void grow_ranges(struct values *v)
{
    uint32_t capacity = v->range_capacity * 2;
    struct value_range *ranges = mem_calloc(capacity, sizeof *ranges);
    if (!ranges)
        return;
    v->range_used = 0;
    for (uint32_t i = 0; i < v->range_capacity; i++) {
        struct value_range *from = &v->ranges[i];
        if (!from->id)
            continue;
        struct value_range *to = least_of(set_of(ranges, capacity, from->id, from->place));
        v->range_used += !to->id;
        *to = *from;
    }
    mem_free(v->ranges);
    v->ranges = ranges;
    v->range_capacity = capacity;
}

static struct value_range *range_for(struct values *v, uint32_t id, uint32_t place)
{
    struct value_range *set = set_of(v->ranges, v->range_capacity, id, place);
    for (int i = 0; i < WAYS; i++)
        if (set[i].id == id && set[i].place == place)
            return &set[i];
    if (v->range_used * 2 > v->range_capacity && v->range_capacity < RANGES_MAX) {
        grow_ranges(v);
        set = set_of(v->ranges, v->range_capacity, id, place);
    }
    struct value_range *r = least_of(set);
    v->range_used += !r->id;
    *r = (struct value_range){.id = id, .place = (uint8_t)place};
    return r;
}

static struct value_outcomes *outcomes_for(struct values *v, uint32_t slot, uint32_t id)
{
    while (slot >= v->outcome_capacity && v->outcome_capacity < OUTCOMES_MAX) {
        struct value_outcomes *grown =
            mem_realloc(v->outcomes, v->outcome_capacity * 2 * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + v->outcome_capacity, 0, v->outcome_capacity * sizeof *grown);
        v->outcomes = grown;
        v->outcome_capacity *= 2;
    }
    if (slot >= v->outcome_capacity)
        return NULL;
    if (v->outcomes[slot].id != id)
        v->outcomes[slot] = (struct value_outcomes){.id = id};
    return &v->outcomes[slot];
}

static int judge(const struct value_range *r, double x)
{
    if (r->count < JUDGE_FROM || (x >= r->low && x <= r->high))
        return VALUE_USUAL;
    double width = fmax(r->high - r->low, FLOOR_SHARE * fmax(fabs(r->high), fabs(r->low)));
    if (!r->fraction)
        width = fmax(width, 1);
    double out = fmax(r->low - x, x - r->high);
    if (out > FAR * width)
        return VALUE_FAR;
    if (out > BEYOND * width)
        return VALUE_BEYOND;
    return r->low == r->high && r->count >= CONSTANT_FROM ? VALUE_BEYOND : VALUE_USUAL;
}

static void learn(struct value_range *r, double x, int outcome)
{
    r->fraction |= x != floor(x);
    if (!r->count) {
        r->low = r->high = x;
    } else if (outcome == VALUE_FAR) {
        double width = fmax(r->high - r->low, FLOOR_SHARE * fabs(x));
        if (x > r->high)
            r->high = fmin(x, r->high + width);
        else
            r->low = fmax(x, r->low - width);
    } else {
        r->low = x < r->low ? x : r->low + (x - r->low) * SHRINK;
        r->high = x > r->high ? x : r->high - (r->high - x) * SHRINK;
    }
    if (r->count < UINT32_MAX)
        r->count++;
}

static double outcome_bits(const struct values *v, const struct value_outcomes *own, int outcome)
{
    double lines = v->lines[0] + v->lines[1] + v->lines[2];
    double p = v->lines[outcome] / lines;
    if (own) {
        double count = (double)own->count[0] + own->count[1] + own->count[2];
        p = (own->count[outcome] + STREAM_WEIGHT * p) / (count + STREAM_WEIGHT);
    }
    return -log2(fmin(1, fmax(p, 1e-300)));
}

void values_observe(struct values *v, uint32_t slot, uint32_t id, const struct tokens *line,
                    int words, struct value_finding *ret)
{
    *ret =
        (struct value_finding){.outcome = words > VALUE_USUAL ? words : VALUE_USUAL, .place = -1};
    bool any = words != VALUE_UNKNOWN;
    for (uint32_t i = 0; i < line->count; i++) {
        if (!line->token[i].number)
            continue;
        double x = line->token[i].value;
        struct value_range *r = range_for(v, id, i);
        int outcome = judge(r, x);
        any |= r->count >= JUDGE_FROM;
        if (outcome > ret->outcome) {
            ret->outcome = outcome;
            ret->place = (int)i;
            ret->value = x;
            ret->low = r->low;
            ret->high = r->high;
            ret->fraction = r->fraction;
        }
        learn(r, x, outcome);
    }
    if (!any)
        return;
    struct value_outcomes *own = outcomes_for(v, slot, id);
    ret->bits = outcome_bits(v, own, ret->outcome);
    v->lines[ret->outcome]++;
    if (own && own->count[ret->outcome] < UINT32_MAX)
        own->count[ret->outcome]++;
}

static void walk_ranges(struct values *v, struct state *s)
{
    uint32_t capacity = v->range_capacity;
    state_u32(s, &capacity, RANGES_MAX);
    if (!s->out && !s->failed) {
        struct value_range *ranges = NULL;
        if (capacity >= RANGES_FIRST && !(capacity & (capacity - 1)) &&
            cursor_left(&s->in) >= capacity)
            ranges = mem_calloc(capacity, sizeof *ranges);
        s->failed = !ranges;
        if (s->failed)
            return;
        mem_free(v->ranges);
        v->ranges = ranges;
        v->range_capacity = capacity;
    }
    for (uint32_t i = 0; i < v->range_capacity && !s->failed; i++) {
        struct value_range *r = &v->ranges[i];
        state_u32(s, &r->id, UINT32_MAX);
        if (!r->id)
            continue;
        uint32_t place = r->place;
        state_u32(s, &place, TOKENS_MAX - 1);
        r->place = (uint8_t)place;
        state_u32(s, &r->count, UINT32_MAX);
        state_f64(s, &r->low);
        state_f64(s, &r->high);
        state_bool(s, &r->fraction);
        s->failed |= r->low > r->high;
        v->range_used += !s->out;
    }
}

void values_walk(struct values *v, struct state *s)
{
    state_f64s(s, v->lines, VALUE_OUTCOMES);
    for (int i = 0; i < VALUE_OUTCOMES; i++)
        s->failed |= !(v->lines[i] > 0);
    walk_ranges(v, s);
    uint32_t capacity = v->outcome_capacity;
    state_u32(s, &capacity, OUTCOMES_MAX);
    if (!s->out && !s->failed &&
        (capacity < OUTCOMES_FIRST || (capacity & (capacity - 1)) ||
         cursor_left(&s->in) < capacity || !outcomes_for(v, capacity - 1, 0)))
        s->failed = true;
    for (uint32_t i = 0; i < capacity && !s->failed; i++) {
        struct value_outcomes *o = &v->outcomes[i];
        state_u32(s, &o->id, UINT32_MAX);
        for (int k = 0; k < VALUE_OUTCOMES && o->id; k++)
            state_u32(s, &o->count[k], UINT32_MAX);
    }
}
