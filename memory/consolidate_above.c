/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hours, days, weeks and months: one row for each span of the calendar that has children. They are
 * made of the rows right below them, never of moments, so what a unit costs does not grow with what
 * was recorded in it.
 */
#include "memory/calendar.h"
#include "memory/consolidate_internal.h"

int con_mark_above(struct store *s, int stratum, int64_t t_start, struct errmsg *err)
{
    int above = stratum + 1;
    if (above >= STRATA)
        return 0;
    int64_t start = calendar_start(above, t_start);
    return con_mark(s, above, above == STRATUM_HOUR ? start / US_PER_HOUR : start, t_start, err);
}

static int sum_spans(struct store *s, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int r = 0;
    c->part_count = 0;
    for (uint32_t i = 0; i < c->child_count && r == 0; i++)
        r = con_add_parts_of(s, c->children[i].id, err);
    return r;
}

int con_above(struct store *s, int stratum, int64_t unit, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    int64_t start = stratum == STRATUM_HOUR ? unit * US_PER_HOUR : unit;
    int64_t end = calendar_end(stratum, start);
    bool changed = true;
    int r = con_load_children(s, stratum - 1, start, end, INT64_MAX, err);
    if (r == 0)
        r = con_load_old(s, stratum, start, start + 1, err);
    if (r == 0)
        r = sum_spans(s, err);
    if (r)
        return r;
    int64_t id = c->old_count ? c->old[0].id : 0;
    if (c->child_count)
        r = con_write_span(s, stratum, start, end - 1, c->children, c->child_count, id, &changed,
                           err);
    else if (id)
        r = con_delete_span(s, id, stratum, err);
    else
        changed = false;
    /* One that belongs to nothing yet is of a file from before there were weeks. */
    bool alone = c->old_count && c->old[0].parent == 0;
    return r == 0 && (changed || alone) ? con_mark_above(s, stratum, start, err) : r;
}
