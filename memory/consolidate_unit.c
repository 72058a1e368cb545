/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which moments make an episode. The timeline of all streams is cut where nothing was recorded for
 * five minutes, where two streams ended a moment by surprise or shift within two seconds (but not
 * within a minute of the last cut), after some hundred moments, and once near every full hour. All
 * these cuts depend on what is close to them only, so an hour can be made again from any of its
 * episodes on, whatever came when.
 *
 * The cut near the hour is made at the longest pause within five minutes of it, so that what
 * happens at the hour stays together.
 */
#include <string.h>

#include "memory/consolidate_internal.h"
#include "memory/refine.h"

#define SILENCE (5 * US_PER_MINUTE)
#define TOGETHER (2 * US_PER_SECOND)
#define EPISODE_LEAST US_PER_MINUTE
#define EPISODE_MOMENTS 384 /* most of one; also what a call reads, so that it takes some 20 ms */
#define REFINE_AHEAD (2 * US_PER_MINUTE) /* how far behind a cut moments say where it belongs */
#define BORDER (5 * US_PER_MINUTE)

/*
 * Where the episodes of an hour begin: with the first start from the full hour on, or, if one close
 * to it follows a pause of twice the length, with that one.
 */
static int border_of(struct store *s, int64_t hour, int64_t *ret, struct errmsg *err)
{
    int64_t mark = hour * US_PER_HOUR, before = mark - BORDER, t;
    int64_t at_mark = mark + BORDER, pause_at_mark = -1, longest = -1;
    sqlite3_stmt *starts = con_stmt(s, CON_STARTS);
    sqlite3_bind_int64(starts, 1, mark - BORDER);
    sqlite3_bind_int64(starts, 2, mark + BORDER);
    int r;
    *ret = mark;
    while ((r = sql_step(starts, err)) == 0) {
        t = sqlite3_column_int64(starts, 0);
        if (t - before > longest) {
            longest = t - before;
            *ret = t;
        }
        if (t >= mark && pause_at_mark < 0) {
            at_mark = t;
            pause_at_mark = t - before;
        }
        before = t;
    }
    if (pause_at_mark < 0)
        pause_at_mark = mark + BORDER - before;
    if (longest < 2 * pause_at_mark)
        *ret = at_mark;
    return r == SQL_DONE ? 0 : r;
}

static void read_child(sqlite3_stmt *q, struct child *c)
{
    *c = (struct child){
        .id = sqlite3_column_int64(q, 0),
        .stream = sqlite3_column_int64(q, 1),
        .parent = sqlite3_column_int64(q, 2),
        .t_start = sqlite3_column_int64(q, 3),
        .t_end = sqlite3_column_int64(q, 4),
        .records = sqlite3_column_int64(q, 5),
        .raw_bytes = sqlite3_column_int64(q, 6),
        .bits = sqlite3_column_double(q, 7),
        .bits_max = sqlite3_column_double(q, 8),
        .z = sqlite3_column_double(q, 9),
        .unusual = sqlite3_column_int64(q, 10),
        .model = (uint32_t)sqlite3_column_int64(q, 11),
        .flags = (uint32_t)sqlite3_column_int64(q, 12),
        .ended = sqlite3_column_int(q, 13),
        .remainder = sqlite3_column_int(q, 14) != 0,
    };
}

int con_load_children(struct store *s, int stratum, int64_t since, int64_t until, int64_t limit,
                      struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    sqlite3_stmt *q = con_stmt(s, CON_CHILDREN);
    int r;
    sqlite3_bind_int(q, 1, stratum);
    sqlite3_bind_int64(q, 2, since);
    sqlite3_bind_int64(q, 3, until);
    sqlite3_bind_int64(q, 4, limit);
    c->child_count = 0;
    while ((r = sql_step(q, err)) == 0) {
        r = con_grow((void **)&c->children, &c->child_capacity, c->child_count,
                     sizeof(struct child), err);
        if (r)
            break;
        read_child(q, &c->children[c->child_count++]);
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

int con_load_old(struct store *s, int stratum, int64_t since, int64_t until, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    sqlite3_stmt *q = con_stmt(s, CON_SPANS);
    int r;
    sqlite3_bind_int(q, 1, stratum);
    sqlite3_bind_int64(q, 2, since);
    sqlite3_bind_int64(q, 3, until);
    c->old_count = 0;
    while ((r = sql_step(q, err)) == 0) {
        r = con_grow((void **)&c->old, &c->old_capacity, c->old_count, sizeof(struct old_span),
                     err);
        if (r)
            break;
        c->old[c->old_count++] =
            (struct old_span){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                              sqlite3_column_int64(q, 2), sqlite3_column_int64(q, 3), false};
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static bool is_strong(int ended)
{
    return ended == END_SURPRISE || ended == END_SHIFT;
}

/* How the moment before the first of its stream in this batch ended. */
static int ended_before(struct store *s, const struct child *m, int *ret, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_ENDED_BEFORE);
    sqlite3_bind_int64(q, 1, m->stream);
    sqlite3_bind_int64(q, 2, m->t_start);
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int(q, 0) : 0;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* Fills `strong`. The parts serve as the list of streams met so far: `moments` is the last end. */
static int find_strong(struct store *s, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    c->part_count = 0;
    for (uint32_t i = 0; i < c->child_count; i++) {
        struct child *m = &c->children[i];
        uint32_t k = 0;
        int ended, r;
        if (m->remainder)
            continue;
        while (k < c->part_count && c->parts[k].stream != m->stream)
            k++;
        if (k == c->part_count) {
            r = con_grow((void **)&c->parts, &c->part_capacity, k, sizeof(struct part), err);
            if (r == 0)
                r = ended_before(s, m, &ended, err);
            if (r)
                return r;
            c->parts[c->part_count++] = (struct part){.stream = m->stream, .moments = ended};
        }
        m->strong = is_strong((int)c->parts[k].moments);
        c->parts[k].moments = m->ended;
    }
    return 0;
}

/* Do children[i] and one of another stream soon after it both follow a strong boundary? */
static bool is_shared_boundary(const struct consolidation *c, uint32_t i)
{
    const struct child *m = &c->children[i];
    for (uint32_t k = i + 1; m->strong && k < c->child_count; k++) {
        const struct child *other = &c->children[k];
        if (other->t_start - m->t_start > TOGETHER)
            break;
        if (other->strong && other->stream != m->stream)
            return true;
    }
    return false;
}

/* One past the last moment of the episode that starts at `first`; child_count when nothing ends it.
 */
static uint32_t episode_end(const struct consolidation *c, uint32_t first)
{
    int64_t start = c->children[first].t_start, end = c->children[first].t_end;
    uint32_t i = first + 1;
    for (; i < c->child_count; i++) {
        const struct child *m = &c->children[i];
        if (m->t_start - end > SILENCE)
            break;
        if (m->t_start - start >= EPISODE_LEAST && is_shared_boundary(c, i))
            break;
        end = m->t_end > end ? m->t_end : end;
    }
    return i;
}

static int read_latent(struct store *s, const struct child *m, struct refine_item *ret,
                       struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, CON_LATENT);
    *ret = (struct refine_item){.time = m->t_start};
    sqlite3_bind_int64(q, 1, m->id);
    sqlite3_bind_int64(q, 2, m->model);
    int r = sql_step(q, err);
    if (r == 0 && sqlite3_column_bytes(q, 1) == LATENT_DIM) {
        memcpy(ret->vec, sqlite3_column_blob(q, 1), LATENT_DIM);
        ret->model = m->model;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/*
 * A boundary of two streams may come late: the cut goes to where the moments around it divide best,
 * less than EPISODE_LEAST earlier, so that this boundary does not cut once more, and by what lies
 * close to it only. Silence cuts where it is.
 */
static int refine_end(struct store *s, uint32_t first, uint32_t *end, struct errmsg *err)
{
    const struct child *all = s->consolidation->children;
    const struct child *cut = &all[*end];
    struct refine_item items[2 * REFINE_WINDOW];
    uint32_t low = *end, high = *end, from = *end;
    int r = 0;
    if (!is_shared_boundary(s->consolidation, *end))
        return 0;
    while (low > first && *end - low < REFINE_WINDOW)
        low--;
    while (high < s->consolidation->child_count && high - *end < REFINE_WINDOW &&
           all[high].t_start - cut->t_start < REFINE_AHEAD)
        high++;
    while (from > low + 1 && cut->t_start - all[from - 1].t_start < EPISODE_LEAST &&
           all[from - 1].t_start - all[first].t_start >= EPISODE_LEAST)
        from--;
    for (uint32_t i = low; i < high && r == 0; i++)
        r = read_latent(s, &all[i], &items[i - low], err);
    if (r == 0)
        *end = low + refine_cut(items, high - low, from - low, *end - low);
    return r;
}

/*
 * Loads what one call works on: from `since` on, at most some hundred moments, whole times of
 * start only (what starts at the same microsecond stays together). *ret_next is the start of the
 * first that was left out, or INT64_MAX.
 */
static int load_batch(struct store *s, int64_t since, int64_t until, int64_t *ret_next,
                      struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    for (int64_t limit = EPISODE_MOMENTS + 1;; limit *= 2) {
        int r = con_load_children(s, STRATUM_MOMENT, since, until, limit, err);
        if (r)
            return r;
        *ret_next = INT64_MAX;
        if (c->child_count < limit)
            return 0;
        uint32_t n = c->child_count - 1;
        int64_t next = c->children[n].t_start;
        while (n > 0 && c->children[n - 1].t_start == next)
            n--;
        if (n > 0) {
            c->child_count = n;
            *ret_next = next;
            return 0;
        }
    }
}

/* A row that exists for the episode: that of its first moment that has one to give. */
static int64_t take_old(struct consolidation *c, const struct child *children, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (children[i].parent == 0)
            continue;
        for (uint32_t k = 0; k < c->old_count; k++) {
            if (c->old[k].id == children[i].parent && !c->old[k].kept) {
                c->old[k].kept = true;
                return c->old[k].id;
            }
        }
    }
    return 0;
}

static int sum_moments(struct store *s, const struct child *children, uint32_t count,
                       struct errmsg *err)
{
    int r = 0;
    s->consolidation->part_count = 0;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        const struct child *m = &children[i];
        const struct part p =
            con_part_of(m->stream, m->id, m->records, m->raw_bytes, m->unusual, m->bits, m->z);
        r = m->remainder ? con_add_parts_of(s, m->id, err) : con_add_part(s, &p, err);
    }
    return r;
}

static int make_episode(struct store *s, uint32_t first, uint32_t count, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    struct child *children = &c->children[first];
    int64_t end = children[0].t_end, start = children[0].t_start;
    bool changed = false;
    for (uint32_t i = 1; i < count; i++)
        end = children[i].t_end > end ? children[i].t_end : end;
    int r = sum_moments(s, children, count, err);
    int64_t id = take_old(c, children, count);
    for (uint32_t k = 0; k < c->old_count && r == 0; k++)
        if (id && c->old[k].id == id && c->old[k].t_start != start)
            r = con_mark_above(s, STRATUM_EPISODE, c->old[k].t_start, err);
    if (r == 0)
        r = con_write_span(s, STRATUM_EPISODE, start, end, children, count, id, &changed, err);
    return r == 0 && changed ? con_mark_above(s, STRATUM_EPISODE, start, err) : r;
}

/*
 * Moments of an episode that ended at t_end were left behind this hour's: they are the next hour's
 * now, or, where its end moved too, of the one after that, and nothing else need have marked these.
 */
static int mark_next(struct store *s, int64_t hour, int64_t t_end, struct errmsg *err)
{
    int r = 0;
    for (int64_t next = hour + 1; next <= hour + 2 && r == 0; next++)
        if (t_end >= next * US_PER_HOUR - BORDER)
            r = con_mark(s, STRATUM_EPISODE, next, next * US_PER_HOUR - BORDER, err);
    return r;
}

/* Rows of this stretch that no episode took over go; moments behind it that hung on one wait. */
static int settle_old(struct store *s, int64_t hour, int64_t until, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int r = 0;
    for (uint32_t k = 0; k < c->old_count && r == 0; k++) {
        const struct old_span *old = &c->old[k];
        if (!old->kept && old->t_start >= until)
            continue;
        sqlite3_stmt *orphan = con_stmt(s, CON_ORPHAN);
        r = con_begin(s, err);
        sqlite3_bind_int(orphan, 1, STRATUM_MOMENT);
        sqlite3_bind_int64(orphan, 2, until);
        sqlite3_bind_int64(orphan, 3, old->t_end);
        sqlite3_bind_int64(orphan, 4, old->id);
        if (r == 0)
            r = sql_run(orphan, err);
        if (r == 0 && sqlite3_changes(s->db) > 0)
            r = mark_next(s, hour, old->t_end, err);
        if (r == 0 && !old->kept)
            r = con_delete_span(s, old->id, STRATUM_EPISODE, err);
        if (r == 0 && !old->kept)
            r = con_mark_above(s, STRATUM_EPISODE, old->t_start, err);
    }
    return r;
}

/*
 * Where the last call stopped, if nothing before that changed since; else the start of the last
 * episode that nothing at or after the mark can have changed, or `border`.
 */
static int resume_at(struct store *s, int64_t border, const struct due *due, int64_t *ret,
                     struct errmsg *err)
{
    if (due->t >= due->resume && due->resume >= border) {
        *ret = due->resume;
        return 0;
    }
    sqlite3_stmt *q = con_stmt(s, CON_LAST_START);
    sqlite3_bind_int64(q, 1, due->t - (s->refine ? REFINE_AHEAD : 2 * TOGETHER));
    sqlite3_bind_int64(q, 2, border);
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int64(q, 0) : border;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static bool is_old(const struct consolidation *c, int64_t id)
{
    for (uint32_t k = 0; k < c->old_count; k++)
        if (c->old[k].id == id)
            return true;
    return false;
}

/*
 * The border to the next hour lies where the pause is longest, and moves when moments near it are
 * let go: what then comes over from an hour's episode is missing there until it is made again, too.
 */
static int mark_neighbours(struct store *s, int64_t hour, uint32_t count, struct errmsg *err)
{
    const struct consolidation *c = s->consolidation;
    for (uint32_t i = 0; i < count; i++) {
        if (c->children[i].parent == 0 || is_old(c, c->children[i].parent))
            continue;
        int r = con_mark(s, STRATUM_EPISODE, hour + 1, (hour + 1) * US_PER_HOUR - BORDER, err);
        return r || hour == 0
                   ? r
                   : con_mark(s, STRATUM_EPISODE, hour - 1, (hour - 1) * US_PER_HOUR - BORDER, err);
    }
    return 0;
}

/* Marks `hour` when a moment from `since` to `until`, which is its, lies in no episode. */
static int mark_left_out(struct store *s, int64_t hour, int64_t since, int64_t until,
                         struct errmsg *err)
{
    static const int strata[] = {STRATUM_MOMENT, ~STRATUM_MOMENT};
    sqlite3_stmt *q = con_stmt(s, CON_LEFT_OUT);
    for (int i = 0; i < 2; i++) {
        sqlite3_bind_int(q, 1, strata[i]);
        sqlite3_bind_int64(q, 2, since);
        sqlite3_bind_int64(q, 3, until);
        int r = sql_step(q, err);
        bool found = r == 0 && sqlite3_column_type(q, 0) != SQLITE_NULL;
        int64_t t = sqlite3_column_int64(q, 0);
        sqlite3_reset(q);
        if (r == 0 && found)
            r = con_mark(s, STRATUM_EPISODE, hour, t, err);
        if (r)
            return r;
    }
    return 0;
}

/*
 * A border may have moved since what lies between it and the full hour was marked, so that the
 * mark is one of the wrong hour's.
 */
static int mark_beside_borders(struct store *s, int64_t hour, int64_t border, int64_t until,
                               struct errmsg *err)
{
    int64_t mark = hour * US_PER_HOUR, next = mark + US_PER_HOUR;
    int r = hour ? mark_left_out(s, hour - 1, mark - BORDER, border, err) : 0;
    return r ? r : mark_left_out(s, hour + 1, until, next + BORDER, err);
}

int con_episodes(struct store *s, const struct due *due, int64_t *ret_next, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int64_t border, until, since, left_out;
    int r = border_of(s, due->unit, &border, err);
    if (r == 0)
        r = border_of(s, due->unit + 1, &until, err);
    if (r == 0)
        r = resume_at(s, border, due, &since, err);
    if (r == 0)
        r = load_batch(s, since, until, &left_out, err);
    if (r == 0)
        r = find_strong(s, err);
    if (r)
        return r;
    /* The last episode of a batch that was cut waits for the rest of it, unless it fills the batch.
     */
    uint32_t count = 0;
    int64_t next = left_out;
    while (count < c->child_count) {
        uint32_t end = episode_end(c, count);
        if (s->refine && end < c->child_count)
            r = refine_end(s, count, &end, err);
        if (r)
            return r;
        c->children[count].end = end;
        if (end == c->child_count && left_out != INT64_MAX && count > 0) {
            next = c->children[count].t_start;
            break;
        }
        count = end;
    }
    r = con_load_old(s, STRATUM_EPISODE, since, next == INT64_MAX ? until : next, err);
    if (r == 0)
        r = mark_neighbours(s, due->unit, count, err);
    for (uint32_t first = 0, end; first < count && r == 0; first = end) {
        end = c->children[first].end;
        r = make_episode(s, first, end - first, err);
        if (end < count && clock_mono(s->clock) > c->step_ends) {
            next = c->children[end].t_start;
            break;
        }
    }
    if (r == 0)
        r = settle_old(s, due->unit, next == INT64_MAX ? until : next, err);
    if (r == 0 && next == INT64_MAX)
        r = mark_beside_borders(s, due->unit, border, until, err);
    *ret_next = next;
    return r;
}
