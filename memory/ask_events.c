/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often, and the first or last time: answers from all records that match, not from the best
 * few. Where records are gone, kinds of lines that hold all the words are counted in the sums of
 * the strata. Nothing that matches: 1, and the caller searches.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "memory/answer.h"
#include "memory/stat.h"

#define NAME_GAPS " \t\n?!,;\"'()"
#define NAME_CONFIDENCE 0.6 /* that all it was named in is what was asked for */
#define HITS 5
#define KINDS 8 /* kinds of lines that one question may count */

/* ---- how often ---- */

/* Does a record state the amount that "how many reallocated sectors" asks for: a number before it?
 */
static bool states_amount(const struct answering *a, const struct match *m)
{
    struct words_query asked, one;
    const char *about = a->question.about;
    size_t n = strcspn(about, " \t");
    if (words_query((struct slice){about, n}, &asked) || asked.count == 0)
        return false;
    struct slice text = m->record->text;
    bool number = false;
    for (size_t i = 0; i < text.size;) {
        size_t gap = 0, size = 0;
        while (i + gap < text.size && (text.data[i + gap] == ' ' || text.data[i + gap] == ','))
            gap++;
        while (i + gap + size < text.size && text.data[i + gap + size] != ' ')
            size++;
        struct slice token = {text.data + i + gap, size};
        if (number && words_query(token, &one) == 0 && one.count &&
            one.words[0].hash == asked.words[0].hash)
            return true;
        number = size > 0 && isdigit((unsigned char)token.data[0]);
        i += gap + size;
    }
    return false;
}

static void say_count(struct answering *a, uint64_t count, bool at_least, int64_t first,
                      int64_t last)
{
    if (at_least)
        buf_puts(&a->text, "At least ");
    answer_count(&a->text, count, "time");
    if (a->timed) {
        buf_puts(&a->text, ", ");
        answer_span(a, &a->text);
    }
    if (count) {
        buf_puts(&a->text, count > 1 ? ": first " : ": ");
        answer_time(&a->text, first);
        if (count > 1) {
            buf_puts(&a->text, ", last ");
            answer_time(&a->text, last);
        }
    }
    buf_putc(&a->text, '.');
}

/* What is found of it, beside a count that came from sums. */
static int add_hits(struct answering *a, struct errmsg *err)
{
    struct search_result found;
    struct search_query sq = {.text = {a->phrase.rest, strlen(a->phrase.rest)},
                              .filter = &a->filter,
                              .without = a->q->without};
    int rc = search_run(a->r, &sq, &found, err);
    if (rc == 0)
        rc = answer_room(a, 0, err);
    for (uint32_t i = 0; i < found.count && i < HITS && rc == 0; i++)
        rc = answer_add_item(a, found.hits[i].row.id, found.hits[i].score,
                             found.hits[i].row.stratum > 0 ? "gist" : "words", err);
    if (rc || !a->out->items.count)
        return rc;
    answer_shares(&a->out->items);
    return answer_gists(a, err);
}

/* Lines of kinds that hold all the words, from the sums; 1 when there is no such kind. */
static int count_kinds(struct answering *a, struct errmsg *err)
{
    struct stat_item *kinds, *sums;
    uint32_t kind_count, sum_count;
    const struct reader_filter *f = &a->filter;
    int rc = stat_find(a->r, f->stream_count == 1 ? f->streams[0] : 0, a->phrase.rest, KINDS,
                       &a->r->scratch, &kinds, &kind_count, err);
    if (rc || kind_count == 0)
        return rc ? rc : 1;
    int64_t since = f->since == TIME_UNKNOWN ? TIME_MIN : f->since;
    int64_t until = f->until == INT64_MAX ? TIME_MAX : f->until;
    uint64_t total = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    const char *names[KINDS];
    uint32_t named = 0;
    for (uint32_t k = 0; k < kind_count; k++) {
        if (kinds[k].what != STAT_KIND)
            continue;
        rc =
            stat_range(a->r, kinds[k].stream, since, until, &a->r->scratch, &sums, &sum_count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < sum_count; i++) {
            if (sums[i].what != STAT_KIND || sums[i].id != kinds[k].id || !sums[i].count)
                continue;
            total += sums[i].count;
            first = sums[i].first_at < first ? sums[i].first_at : first;
            last = sums[i].last_at > last ? sums[i].last_at : last;
        }
        names[named++] = kinds[k].name;
    }
    if (!named)
        return 1;
    a->out->count = (int64_t)total;
    a->out->time = total ? last : TIME_UNKNOWN;
    a->out->confidence = 1;
    a->out->absent = total == 0;
    answer_step(a, "counted %u kinds of lines in the sums of the strata", named);
    say_count(a, total, false, first, last);
    buf_puts(&a->text, " Counted: ");
    for (uint32_t k = 0; k < named; k++) {
        buf_puts(&a->text, k ? ", " : "");
        answer_quote(&a->text, names[k], strlen(names[k]));
    }
    buf_putc(&a->text, '.');
    return total ? add_hits(a, err) : 0;
}

/* A name of the question that memory knows as an entity, the one it met least; 1: none. */
static int find_name(struct answering *a, struct recall_entity *ret, struct errmsg *err)
{
    int rc = 0;
    *ret = (struct recall_entity){0};
    for (const char *s = a->phrase.rest; *s && rc >= 0;) {
        size_t gap = strspn(s, NAME_GAPS), n = strcspn(s + gap, NAME_GAPS);
        struct recall_entity e = {0};
        sqlite3_stmt *stmt = NULL;
        rc = n ? reader_statement(a->r, SQL_ENTITY, &stmt, err) : SQL_DONE;
        if (rc == 0) {
            sqlite3_bind_text(stmt, 1, s + gap, (int)n, SQLITE_STATIC);
            rc = sql_step(stmt, err);
        }
        if (rc == 0 && reader_entity_columns(stmt, &a->r->scratch, &e))
            return reader_nomem(err);
        if (rc == 0 && (!ret->id || e.count < ret->count))
            *ret = e;
        if (stmt)
            sqlite3_reset(stmt);
        s += gap + n;
    }
    return rc < 0 ? rc : ret->id ? 0 : 1;
}

/* How often it was met on the days of the span: days outlive records and moments. */
static int count_name(struct answering *a, struct errmsg *err)
{
    struct recall_entity e;
    sqlite3_stmt *stmt = NULL;
    int rc = find_name(a, &e, err);
    if (rc == 0)
        rc = reader_statement(a->r, SQL_ENTITY_DAYS, &stmt, err);
    if (rc)
        return rc;
    uint64_t count = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    sqlite3_bind_int64(stmt, 1, e.id);
    while ((rc = sql_step(stmt, err)) == 0) {
        int64_t from = sqlite3_column_int64(stmt, 4), to = sqlite3_column_int64(stmt, 5);
        if (to < a->filter.since || from >= a->filter.until)
            continue;
        count += (uint64_t)sqlite3_column_int64(stmt, 2);
        first = from < first ? from : first;
        last = to > last ? to : last;
    }
    sqlite3_reset(stmt);
    if (rc < 0 || count == 0)
        return rc < 0 ? rc : 1;
    a->out->count = (int64_t)count;
    a->out->time = last;
    a->out->confidence = NAME_CONFIDENCE;
    answer_step(a, "the records are gone; counted the %s %s by day", e.kind, e.name);
    say_count(a, count, false, first, last);
    buf_printf(&a->text, " Counted: all that names the %s %s.", e.kind, e.name);
    return add_hits(a, err);
}

static int show_count(struct answering *a, const struct matches *found, struct errmsg *err)
{
    const struct match *first = &found->items[0], *last = &found->items[found->count - 1];
    a->out->count = found->count;
    a->out->at_least = !found->all;
    a->out->time = last->record->time;
    a->out->confidence = answer_agreement(found);
    answer_step(a, "counted %u records that hold the same words", found->count);
    int rc = answer_matches(a, found, false, err);
    if (rc)
        return rc;
    say_count(a, found->count, !found->all, first->record->time, last->record->time);
    buf_puts(&a->text, " The last: ");
    answer_match(a, last);
    answer_age(a, last->record->time);
    buf_putc(&a->text, '.');
    return 0;
}

int answer_how_often(struct answering *a, struct errmsg *err)
{
    struct matches found;
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    int rc = matches_find(a->r, text, &a->filter, MATCHES_SAME, a->deadline, &found, err);
    if (rc)
        return rc;
    if (a->question.kind == QUESTION_AMOUNT && found.count &&
        states_amount(a, &found.items[found.count - 1]))
        return 1;
    bool enough = answer_supported(a, &found);
    if (enough && found.all)
        return show_count(a, &found, err);
    rc = count_kinds(a, err);
    if (rc > 0 && !enough)
        rc = count_name(a, err);
    return rc > 0 && enough ? show_count(a, &found, err) : rc;
}

/* ---- the first and the last time ---- */

int answer_first_or_last(struct answering *a, struct errmsg *err)
{
    struct matches found;
    struct slice text = {a->phrase.rest, strlen(a->phrase.rest)};
    bool last = a->question.which == QUESTION_LAST;
    int rc = matches_find(a->r, text, &a->filter, MATCHES_SAME, a->deadline, &found, err);
    if (rc || !answer_supported(a, &found))
        return rc ? rc : 1;
    const struct match *m = &found.items[last ? found.count - 1 : 0];
    a->out->time = m->record->time;
    a->out->count = found.count;
    a->out->at_least = !found.all;
    a->out->confidence = answer_agreement(&found);
    answer_step(a, "took the %s of %u records that hold the same words", last ? "last" : "first",
                found.count);
    rc = answer_matches(a, &found, last, err);
    if (rc)
        return rc;
    buf_puts(&a->text, last ? "Last " : "First ");
    answer_match(a, m);
    answer_age(a, m->record->time);
    buf_putc(&a->text, '.');
    if (found.count > 1) {
        const struct match *other = &found.items[last ? 0 : found.count - 1];
        buf_putc(&a->text, ' ');
        answer_count(&a->text, found.count, "time");
        buf_puts(&a->text, last ? " in all, first " : " in all, last ");
        answer_time(&a->text, other->record->time);
        buf_putc(&a->text, '.');
    }
    return 0;
}
