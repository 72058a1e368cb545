/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: blobs are read item by item into a sorted array, equal items merged; written again in
 * the same order. Means and squared distances merge exactly (Chan's formula), so an hour made of
 * its episodes says the same as if it had been made of its records, but for the rounding of blobs:
 * a value is kept to a 65535th of its channel's range in the span.
 *
 * Failure modes: no memory; a damaged blob (ERR_CORRUPT): every number is checked, and a count of
 * items that do not follow ends the reading. Sizes: a kind 5 to 9 bytes, a channel about 25, an
 * hour of a profile 4 to 7.
 */
#include "memory/sums.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

#define SUMS_VERSION 1
#define PROFILE_COUNT_LEAST 6 /* lines of a kind before it gets a profile */

static double finite_or(double v, double otherwise)
{
    return isfinite(v) ? v : otherwise;
}

void spread_add(struct spread *to, const struct spread *more)
{
    if (more->n == 0)
        return;
    if (to->n == 0) {
        *to = *more;
        return;
    }
    double a = (double)to->n, b = (double)more->n, away = more->mean - to->mean;
    to->m2 = finite_or(to->m2 + more->m2 + away * away * (a / (a + b)) * b, DBL_MAX);
    to->mean = to->mean * (a / (a + b)) + more->mean * (b / (a + b));
    to->least = fmin(to->least, more->least);
    to->most = fmax(to->most, more->most);
    to->n += more->n;
}

void spread_value(struct spread *to, double value)
{
    const struct spread one = {1, value, 0, value, value};
    spread_add(to, &one);
}

double spread_sd(const struct spread *s)
{
    return s->n > 1 ? sqrt(s->m2 / (double)s->n) : 0;
}

void sums_init(struct sums *s, struct arena *arena, struct arena *profiles)
{
    memset(s, 0, sizeof(*s));
    s->arena = arena;
    s->profiles = profiles;
}

static int compare(const struct sum *item, enum stat_what what, int64_t id)
{
    if (item->what != what)
        return item->what < what ? -1 : 1;
    return (item->id > id) - (item->id < id);
}

/* Where it is or belongs. */
static uint32_t place_of(const struct sums *s, enum stat_what what, int64_t id)
{
    uint32_t low = 0, high = s->count;
    /* Blobs are in order: mostly it is the last, or behind it. */
    if (high && compare(&s->items[high - 1], what, id) < 0)
        return high;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (compare(&s->items[mid], what, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct sum *sums_find(const struct sums *s, enum stat_what what, int64_t id)
{
    uint32_t at = place_of(s, what, id);
    return at < s->count && compare(&s->items[at], what, id) == 0 ? &s->items[at] : NULL;
}

struct sum *sums_item(struct sums *s, enum stat_what what, int64_t id)
{
    uint32_t at = place_of(s, what, id);
    if (at < s->count && compare(&s->items[at], what, id) == 0)
        return &s->items[at];
    if (s->count == s->capacity) {
        uint32_t room = s->capacity ? 2 * s->capacity : 16;
        struct sum *grown = arena_alloc(s->arena, room * sizeof(*grown));
        if (!grown)
            return NULL;
        if (s->count)
            memcpy(grown, s->items, s->count * sizeof(*grown));
        s->items = grown;
        s->capacity = room;
    }
    memmove(s->items + at + 1, s->items + at, (s->count - at) * sizeof(*s->items));
    s->items[at] = (struct sum){.what = what, .id = id};
    s->count++;
    return &s->items[at];
}

int sums_add(struct sums *s, const struct sum *more)
{
    if (more->count == 0)
        return 0;
    struct sum *to = sums_item(s, more->what, more->id);
    if (!to)
        return ERR_NOMEM;
    bool empty = to->count == 0;
    if (more->values.n) {
        if (to->values.n == 0 || more->values.least < to->values.least)
            to->least_at = more->least_at;
        if (to->values.n == 0 || more->values.most > to->values.most)
            to->most_at = more->most_at;
        if (empty || more->first_at < to->first_at)
            to->first = more->first;
        if (empty || more->last_at >= to->last_at)
            to->last = more->last;
        spread_add(&to->values, &more->values);
    }
    if (empty || more->first_at < to->first_at)
        to->first_at = more->first_at;
    if (empty || more->last_at > to->last_at)
        to->last_at = more->last_at;
    to->count += more->count;
    return 0;
}

int sums_count(struct sums *s, enum stat_what what, int64_t id, uint64_t count, int64_t first_at,
               int64_t last_at)
{
    const struct sum one = {
        .what = what, .id = id, .count = count, .first_at = first_at, .last_at = last_at};
    return sums_add(s, &one);
}

void sums_name(struct sums *s, int64_t entity, uint64_t count)
{
    uint32_t at = 0;
    while (at < s->name_count && s->names[at].entity != entity)
        at++;
    if (at == s->name_count) {
        /* The rarest gives its place and its count, as in "space saving" counting. */
        if (at == 2 * SUMS_NAMES)
            s->names[--at].entity = entity;
        else
            s->names[s->name_count++] = (struct sum_name){entity, 0};
    }
    struct sum_name moved = s->names[at];
    moved.count += count;
    for (; at > 0 && s->names[at - 1].count < moved.count; at--)
        s->names[at] = s->names[at - 1];
    s->names[at] = moved;
}

static bool outranks(const struct sum_mark *a, const struct sum_mark *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->bits != b->bits ? a->bits > b->bits : a->at < b->at;
}

/* Digits aside, are they worded alike? "cpu 97.2, usually 3 to 21" happens many times a day. */
static bool same_wording(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.size && (a.data[i] == '.' || (a.data[i] >= '0' && a.data[i] <= '9')))
            i++;
        while (k < b.size && (b.data[k] == '.' || (b.data[k] >= '0' && b.data[k] <= '9')))
            k++;
        if (i == a.size || k == b.size)
            return i == a.size && k == b.size;
        if (a.data[i++] != b.data[k++])
            return false;
    }
}

int sums_mark(struct sums *s, const struct sum_mark *mark)
{
    struct sum_mark moved = *mark;
    uint32_t at = 0;
    while (at < s->mark_count && !same_wording(s->marks[at].why, mark->why))
        at++;
    if (at < s->mark_count) {
        uint32_t times = s->marks[at].times + mark->times;
        if (!outranks(mark, &s->marks[at])) {
            s->marks[at].times = times;
            return 0;
        }
        moved.times = times;
    } else if (at == SUMS_MARKS) {
        at--;
        if (!outranks(mark, &s->marks[at]))
            return 0;
    } else {
        s->mark_count++;
    }
    moved.why.size = utf8_cut(mark->why.data, mark->why.size, SUMS_MARK_TEXT);
    moved.why.data = arena_copy(s->arena, mark->why.data, moved.why.size);
    if (!moved.why.data)
        return ERR_NOMEM;
    for (; at > 0 && outranks(&moved, &s->marks[at - 1]); at--)
        s->marks[at] = s->marks[at - 1];
    s->marks[at] = moved;
    return 0;
}

static bool says_more(const struct sum_fact *a, const struct sum_fact *b)
{
    return a->changed != b->changed ? a->changed : a->at < b->at;
}

void sums_fact(struct sums *s, const struct sum_fact *fact)
{
    uint32_t at = s->fact_count < SUMS_FACTS ? s->fact_count++ : SUMS_FACTS;
    if (at == SUMS_FACTS && !says_more(fact, &s->facts[--at]))
        return;
    for (; at > 0 && says_more(fact, &s->facts[at - 1]); at--)
        s->facts[at] = s->facts[at - 1];
    s->facts[at] = *fact;
}

/* ---- the blob ---- */

static float f32(double v)
{
    return v > FLT_MAX ? FLT_MAX : v < -FLT_MAX ? -FLT_MAX : (float)v;
}

/* How many units v is, where 65535 are the range of a channel. */
static uint16_t share(double v, double unit)
{
    return (uint16_t)fmin(fmax(finite_or(v / unit, 0) + 0.5, 0), UINT16_MAX);
}

static void put_item(struct buf *b, const struct sum *i, int64_t base, int64_t id_before)
{
    int64_t first = i->first_at / US_PER_SECOND, last = i->last_at / US_PER_SECOND;
    buf_put_varint(b, (uint64_t)(i->id - id_before));
    buf_put_varint(b, i->count);
    buf_put_varint(b, (uint64_t)(first - base));
    buf_put_varint(b, (uint64_t)(last - first));
    if (i->what != STAT_CHANNEL)
        return;
    float least = f32(i->values.least), most = f32(i->values.most);
    double unit = ((double)most - (double)least) / UINT16_MAX;
    buf_put_f32(b, least);
    buf_put_f32(b, most);
    if (unit > 0) {
        buf_put_u16(b, share(i->first - least, unit));
        buf_put_u16(b, share(i->last - least, unit));
        buf_put_u16(b, share(i->values.mean - least, unit));
        buf_put_u16(b, share(spread_sd(&i->values), unit));
    }
    buf_put_varint(b, (uint64_t)(i->least_at / US_PER_SECOND - first));
    buf_put_varint(b, (uint64_t)(i->most_at / US_PER_SECOND - first));
}

static void put_hours(struct buf *b, const struct sum *i)
{
    struct spread whole = {0};
    uint32_t count = 0;
    for (int h = 0; h < HOURS_OF_WEEK; h++) {
        spread_add(&whole, &i->hours[h]);
        count += i->hours[h].n > 0;
    }
    float low = f32(whole.least), high = f32(whole.most);
    double unit = ((double)high - (double)low) / UINT16_MAX;
    buf_put_varint(b, ((uint64_t)i->id << 2) | (uint64_t)i->what);
    buf_put_f32(b, low);
    buf_put_f32(b, high);
    buf_put_varint(b, count);
    for (int h = 0, before = 0; h < HOURS_OF_WEEK; h++) {
        const struct spread *s = &i->hours[h];
        if (s->n == 0)
            continue;
        buf_put_varint(b, (uint64_t)(h - before));
        before = h;
        buf_put_varint(b, s->n);
        if (!(unit > 0))
            continue;
        buf_put_u16(b, share(s->mean - low, unit));
        if (s->n == 1) /* the rest is the same */
            continue;
        /* Small deviations matter as much as large ones: by their roots. */
        double sd = sqrt(spread_sd(s) / unit / UINT16_MAX) * UINT8_MAX;
        double least = (s->least - low) / unit / 257, most = (s->most - low) / unit / 257;
        buf_put_u8(b, (uint8_t)fmin(fmax(sd + 0.5, 0), UINT8_MAX));
        buf_put_u8(b, (uint8_t)fmin(fmax(least, 0), UINT8_MAX));
        buf_put_u8(b, (uint8_t)fmin(fmax(ceil(most), 0), UINT8_MAX));
    }
}

/* The count of the rank-th commonest kind; 0 when there are no more of them than that. */
static uint64_t kind_count_at(const struct sums *s, uint32_t rank)
{
    uint64_t counts[SUMS_KINDS + 1];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->items[i].what != STAT_KIND)
            continue;
        uint32_t at = n < rank ? n++ : rank;
        for (; at > 0 && counts[at - 1] < s->items[i].count; at--)
            if (at < rank)
                counts[at] = counts[at - 1];
        if (at < rank)
            counts[at] = s->items[i].count;
    }
    return n == rank ? counts[rank - 1] : 0;
}

/* Drops what is over the bounds, the rarest kinds first. */
static void trim(struct sums *s)
{
    uint64_t least = kind_count_at(s, SUMS_KINDS);
    uint32_t kept = 0, kinds = 0, above = 0, channels = 0;
    for (uint32_t i = 0; i < s->count; i++)
        above += s->items[i].what == STAT_KIND && s->items[i].count > least;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct sum *item = &s->items[i];
        bool keep = true;
        if (item->what == STAT_KIND && item->count <= least)
            keep = above + kinds++ < SUMS_KINDS;
        else if (item->what == STAT_CHANNEL)
            keep = channels++ < SUMS_CHANNELS;
        if (keep)
            s->items[kept++] = *item;
    }
    s->count = kept;
}

static void put_profiles(struct sums *s, uint32_t most, struct buf *b)
{
    uint32_t most_kinds = most < PROFILE_KINDS ? most : PROFILE_KINDS;
    uint32_t most_channels = most < PROFILE_CHANNELS ? most : PROFILE_CHANNELS;
    uint64_t least = kind_count_at(s, most_kinds);
    uint32_t kinds = 0, channels = 0, count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        struct sum *item = &s->items[i];
        bool keep = item->hours != NULL;
        if (item->what == STAT_KIND)
            keep = keep && item->count >= PROFILE_COUNT_LEAST && item->count >= least &&
                   kinds++ < most_kinds;
        else if (item->what == STAT_CHANNEL)
            keep = keep && channels++ < most_channels;
        if (!keep)
            item->hours = NULL;
        count += keep;
    }
    buf_put_varint(b, count);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->items[i].hours)
            put_hours(b, &s->items[i]);
}

void sums_put(struct sums *s, uint32_t profiles, struct buf *b)
{
    int64_t base = INT64_MAX;
    trim(s);
    for (uint32_t i = 0; i < s->count; i++)
        base = s->items[i].first_at < base ? s->items[i].first_at : base;
    base = s->count ? base / US_PER_SECOND : 0;
    buf_put_u8(b, SUMS_VERSION);
    buf_put_varint(b, (uint64_t)base);
    uint32_t at = 0;
    for (int what = STAT_RECORDS; what <= STAT_CHANNEL; what++) {
        uint32_t end = at;
        int64_t before = 0;
        while (end < s->count && (int)s->items[end].what == what)
            end++;
        buf_put_varint(b, end - at);
        for (; at < end; before = s->items[at++].id)
            put_item(b, &s->items[at], base, before);
    }
    uint32_t names = s->name_count < SUMS_NAMES ? s->name_count : SUMS_NAMES;
    buf_put_varint(b, names);
    for (uint32_t i = 0; i < names; i++) {
        buf_put_varint(b, (uint64_t)s->names[i].entity);
        buf_put_varint(b, s->names[i].count);
    }
    buf_put_varint(b, s->mark_count);
    for (uint32_t i = 0; i < s->mark_count; i++) {
        const struct sum_mark *m = &s->marks[i];
        buf_put_varint(b, (uint64_t)m->moment);
        buf_put_svarint(b, m->at - base * US_PER_SECOND);
        buf_put_u8(b, (uint8_t)lrint(fmin(fmax(m->score, 0), 1) * UINT8_MAX));
        buf_put_varint(b, (uint64_t)fmin(fmax(m->bits, 0), 1e6));
        buf_put_varint(b, m->times);
        buf_put_varint(b, m->why.size);
        buf_append(b, m->why.data, m->why.size);
    }
    if (profiles)
        put_profiles(s, profiles, b);
    else
        buf_put_varint(b, 0);
    buf_put_varint(b, s->fact_count);
    for (uint32_t i = 0; i < s->fact_count; i++) {
        buf_put_varint(b, ((uint64_t)s->facts[i].fact << 1) | s->facts[i].changed);
        buf_put_svarint(b, s->facts[i].at / US_PER_SECOND - base);
    }
}

/* A time in microseconds from seconds that were read; damage can not make it overflow. */
static int64_t time_of(struct cursor *c, int64_t base, uint64_t more)
{
    if (base < 0 || base > TIME_MAX / US_PER_SECOND || more > TIME_MAX / US_PER_SECOND ||
        base + (int64_t)more > TIME_MAX / US_PER_SECOND) {
        c->failed = true;
        return 0;
    }
    return (base + (int64_t)more) * US_PER_SECOND;
}

static void read_values(struct cursor *c, struct sum *i)
{
    int64_t first = i->first_at / US_PER_SECOND;
    i->values.n = i->count;
    i->values.least = (double)cursor_f32(c);
    i->values.most = (double)cursor_f32(c);
    double unit = (i->values.most - i->values.least) / UINT16_MAX;
    i->first = i->last = i->values.mean = i->values.least;
    if (unit > 0) {
        i->first += cursor_u16(c) * unit;
        i->last += cursor_u16(c) * unit;
        i->values.mean += cursor_u16(c) * unit;
        double sd = cursor_u16(c) * unit;
        i->values.m2 = finite_or(sd * sd * (double)i->count, DBL_MAX);
    }
    i->least_at = time_of(c, first, cursor_varint(c));
    i->most_at = time_of(c, first, cursor_varint(c));
    if (!isfinite(i->values.least) || !isfinite(i->values.most) || i->values.least > i->values.most)
        c->failed = true;
}

/* The spread of an hour that joins the profile: a channel's values, or how often a kind came. */
static int join_hour(struct sums *s, const struct sum *more, int hour)
{
    struct sum *to = sums_find(s, more->what, more->id);
    if (!to->hours) {
        to->hours = arena_alloc(s->profiles, HOURS_OF_WEEK * sizeof(*to->hours));
        if (!to->hours)
            return ERR_NOMEM;
        memset(to->hours, 0, HOURS_OF_WEEK * sizeof(*to->hours));
    }
    if (more->what == STAT_CHANNEL)
        spread_add(&to->hours[hour], &more->values);
    else
        spread_value(&to->hours[hour], (double)more->count);
    return 0;
}

static int read_items(struct sums *s, struct cursor *c, enum stat_what what, int64_t base, int hour)
{
    uint64_t count = cursor_varint(c), id = 0;
    if (count > cursor_left(c))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        struct sum item = {.what = what};
        id += cursor_varint(c);
        item.id = (int64_t)id;
        item.count = cursor_varint(c);
        item.first_at = time_of(c, base, cursor_varint(c));
        item.last_at = time_of(c, item.first_at / US_PER_SECOND, cursor_varint(c));
        if (what == STAT_CHANNEL)
            read_values(c, &item);
        if (c->failed || id > INT64_MAX / 8 || item.count > UINT64_MAX / 1024 || item.count == 0)
            return ERR_CORRUPT;
        int r = sums_add(s, &item);
        if (r == 0 && hour >= 0)
            r = join_hour(s, &item, hour);
        if (r)
            return r;
    }
    return 0;
}

static int read_marks(struct sums *s, struct cursor *c, int64_t base)
{
    uint64_t count = cursor_varint(c);
    for (uint64_t i = 0; i < count; i++) {
        struct sum_mark m = {.moment = (int64_t)cursor_varint(c)};
        int64_t at = cursor_svarint(c);
        m.score = cursor_u8(c) / (double)UINT8_MAX;
        m.bits = (double)cursor_varint(c);
        m.times = (uint32_t)cursor_varint(c);
        m.why = cursor_bytes(c, cursor_varint(c));
        if (c->failed || at < -TIME_MAX || at > TIME_MAX ||
            !utf8_valid(m.why.data, m.why.size, NULL))
            return ERR_CORRUPT;
        m.at = base * US_PER_SECOND + at;
        int r = sums_mark(s, &m);
        if (r)
            return r;
    }
    return 0;
}

static int read_hours(struct sums *s, struct cursor *c)
{
    uint64_t key = cursor_varint(c);
    double low = (double)cursor_f32(c), high = (double)cursor_f32(c);
    uint64_t count = cursor_varint(c), h = 0;
    double unit = (high - low) / UINT16_MAX;
    struct sum *to = sums_find(s, (enum stat_what)(key & 3), (int64_t)(key >> 2));
    if (c->failed || !to || !isfinite(unit) || unit < 0 || count > HOURS_OF_WEEK)
        return ERR_CORRUPT;
    if (!to->hours) {
        to->hours = arena_alloc(s->profiles, HOURS_OF_WEEK * sizeof(*to->hours));
        if (!to->hours)
            return ERR_NOMEM;
        memset(to->hours, 0, HOURS_OF_WEEK * sizeof(*to->hours));
    }
    for (uint64_t i = 0; i < count; i++) {
        struct spread one = {.mean = low, .least = low, .most = low};
        h += cursor_varint(c);
        one.n = cursor_varint(c);
        if (unit > 0)
            one.mean = one.least = one.most = low + cursor_u16(c) * unit;
        if (unit > 0 && one.n > 1) {
            double root = cursor_u8(c) / (double)UINT8_MAX, sd = root * root * unit * UINT16_MAX;
            one.m2 = finite_or(sd * sd * (double)one.n, DBL_MAX);
            one.least = low + cursor_u8(c) * unit * 257;
            one.most = fmin(low + cursor_u8(c) * unit * 257, high);
        }
        if (c->failed || h >= HOURS_OF_WEEK || one.n > UINT64_MAX / 1024)
            return ERR_CORRUPT;
        spread_add(&to->hours[h], &one);
    }
    return 0;
}

int sums_merge(struct sums *s, const void *blob, size_t size, int hour_of_week)
{
    struct cursor c;
    cursor_init(&c, blob, size);
    if (cursor_u8(&c) != SUMS_VERSION)
        return ERR_CORRUPT;
    int64_t base = time_of(&c, 0, cursor_varint(&c)) / US_PER_SECOND;
    int r = 0;
    for (int what = STAT_RECORDS; what <= STAT_CHANNEL && r == 0; what++)
        r = read_items(s, &c, (enum stat_what)what, base, hour_of_week);
    uint64_t names = r == 0 ? cursor_varint(&c) : 0;
    for (uint64_t i = 0; i < names && !c.failed; i++) {
        int64_t entity = (int64_t)cursor_varint(&c);
        sums_name(s, entity, cursor_varint(&c));
    }
    if (r == 0)
        r = read_marks(s, &c, base);
    uint64_t profiles = r == 0 ? cursor_varint(&c) : 0;
    for (uint64_t i = 0; i < profiles && r == 0; i++)
        r = read_hours(s, &c);
    uint64_t facts = r == 0 ? cursor_varint(&c) : 0;
    for (uint64_t i = 0; i < facts && !c.failed; i++) {
        uint64_t key = cursor_varint(&c);
        int64_t at = cursor_svarint(&c);
        if (at > -TIME_MAX / US_PER_SECOND && at < TIME_MAX / US_PER_SECOND)
            sums_fact(s, &(struct sum_fact){(int64_t)(key >> 1), (base + at) * US_PER_SECOND,
                                            (key & 1) != 0});
    }
    return r ? r : c.failed || cursor_left(&c) ? ERR_CORRUPT : 0;
}
