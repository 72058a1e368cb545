/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a moment's records state joins the history of its subject: the same value again counts,
 * another one closes the version that held then and opens a new one, whatever order things come in.
 * A line that says only how something is now ("restarted with version 3") and one that says what it
 * was before ("moved from A to B") find their subject by that value among subjects that share
 * words.
 *
 * A subject that changes more often than FLOOD times within an hour is a measurement: its rows give
 * way to one without a value, and nothing of it is kept from then on. Sizes: SUBJECTS_MAX subjects
 * a stream (beyond, one that was said once only gives its place), VERSIONS_MAX versions of one.
 */
#include <string.h>
#include <strings.h>

#include "memory/forget_internal.h"
#include "memory/store_internal.h"

#define FLOOD 6
#define SUBJECTS_MAX 512
#define VERSIONS_MAX 48

struct version {
    int64_t id, since, until, last; /* until INT64_MAX: open */
    char value[sizeof(((struct fact_seen *)0)->value)];
};

struct history {
    int64_t stream, moment;
    const char *subject;
    struct version versions[VERSIONS_MAX];
    uint32_t count;
};

static void copy_text(char *to, size_t room, sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    size_t n = text ? strnlen(text, room - 1) : 0;
    memcpy(to, text ? text : "", n);
    to[n] = '\0';
}

/* ---- which subject ---- */

/* Is the word of n bytes one of the words of `text`? */
static bool has_word(const char *text, const char *word, size_t n)
{
    while (*text) {
        size_t size = strcspn(text, " ");
        if (size == n && memcmp(text, word, n) == 0)
            return true;
        text += size;
        text += *text == ' ';
    }
    return false;
}

/* Are all words of `a` in `b`? Short ones and what was done ("confirmed") name nothing. */
static bool is_within(const char *a, const char *b)
{
    size_t longest = 0;
    while (*a) {
        size_t n = strcspn(a, " ");
        bool names = n > 2 && memcmp(a + n - 2, "ed", 2) != 0;
        if (names && !has_word(b, a, n))
            return false;
        longest = names && n > longest ? n : longest;
        a += n;
        a += *a == ' ';
    }
    return longest >= 4;
}

static bool related(const char *a, const char *b)
{
    return is_within(a, b) || is_within(b, a);
}

/* A subject of the stream whose value at the time was `value`, by words in common; *ret_found. */
static int find_related(struct store *s, int64_t stream, const struct fact_seen *f,
                        const char *value, char *subject, size_t room, bool *ret_found,
                        struct errmsg *err)
{
    sqlite3_stmt *q = store_stmt(s, SQL_FACT_BY_VALUE);
    int r;
    *ret_found = false;
    sqlite3_bind_int64(q, 1, stream);
    sqlite3_bind_text(q, 2, value, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, f->at);
    while (!*ret_found && (r = sql_step(q, err)) == 0) {
        const char *candidate = (const char *)sqlite3_column_text(q, 0);
        if (candidate && related(f->subject, candidate)) {
            copy_text(subject, room, q, 0);
            *ret_found = true;
        }
    }
    sqlite3_reset(q);
    return *ret_found || r == SQL_DONE ? 0 : r;
}

static int load_history(struct store *s, struct history *h, struct errmsg *err)
{
    sqlite3_stmt *q = store_stmt(s, SQL_FACT_HISTORY);
    int r;
    h->count = 0;
    sqlite3_bind_int64(q, 1, h->stream);
    sqlite3_bind_text(q, 2, h->subject, -1, SQLITE_STATIC);
    while (h->count < VERSIONS_MAX && (r = sql_step(q, err)) == 0) {
        struct version *v = &h->versions[h->count++];
        v->id = sqlite3_column_int64(q, 0);
        v->since = sqlite3_column_int64(q, 1);
        v->until =
            sqlite3_column_type(q, 2) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(q, 2);
        v->last = sqlite3_column_int64(q, 3);
        copy_text(v->value, sizeof(v->value), q, 4);
    }
    sqlite3_reset(q);
    return h->count == VERSIONS_MAX || r == SQL_DONE ? 0 : r;
}

/* ---- rows ---- */

static int insert(struct store *s, const struct history *h, const char *value, int64_t since,
                  int64_t until, int64_t moment, int64_t last, struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_FACT_PUT);
    sqlite3_bind_int64(put, 1, h->stream);
    sqlite3_bind_text(put, 2, h->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(put, 3, value, -1, SQLITE_STATIC);
    sqlite3_bind_int64(put, 4, since);
    if (until != INT64_MAX)
        sqlite3_bind_int64(put, 5, until);
    sqlite3_bind_int64(put, 6, moment);
    sqlite3_bind_int64(put, 7, last);
    return sql_run(put, err);
}

static int set_span(struct store *s, int64_t id, int64_t since, int64_t until, struct errmsg *err)
{
    sqlite3_stmt *set = store_stmt(s, SQL_FACT_SPAN);
    sqlite3_bind_int64(set, 1, id);
    sqlite3_bind_int64(set, 2, since);
    if (until != INT64_MAX)
        sqlite3_bind_int64(set, 3, until);
    return sql_run(set, err);
}

static int seen_again(struct store *s, int64_t id, int64_t at, struct errmsg *err)
{
    sqlite3_stmt *seen = store_stmt(s, SQL_FACT_SEEN);
    sqlite3_bind_int64(seen, 1, id);
    sqlite3_bind_int64(seen, 2, at);
    return sql_run(seen, err);
}

static int delete_subject(struct store *s, int64_t stream, const char *subject, struct errmsg *err)
{
    sqlite3_stmt *delete = store_stmt(s, SQL_FACT_DELETE_SUBJECT);
    sqlite3_bind_int64(delete, 1, stream);
    sqlite3_bind_text(delete, 2, subject, -1, SQLITE_STATIC);
    return sql_run(delete, err);
}

/* Room for a subject more; *ret false: all there are have been said more than once. */
static int make_room(struct store *s, int64_t stream, bool *ret, struct errmsg *err)
{
    sqlite3_stmt *count = store_stmt(s, SQL_FACT_COUNT), *least = store_stmt(s, SQL_FACT_LEAST);
    sqlite3_bind_int64(count, 1, stream);
    int r = sql_step(count, err);
    *ret = r == 0 && sqlite3_column_int64(count, 0) < SUBJECTS_MAX;
    sqlite3_reset(count);
    if (r || *ret)
        return r;
    char subject[sizeof(((struct fact_seen *)0)->subject)];
    sqlite3_bind_int64(least, 1, stream);
    r = sql_step(least, err);
    if (r == 0)
        copy_text(subject, sizeof(subject), least, 0);
    sqlite3_reset(least);
    *ret = r == 0;
    return r == 0 ? delete_subject(s, stream, subject, err) : r == SQL_DONE ? 0 : r;
}

/* ---- into the history ---- */

static int first_of_subject(struct store *s, const struct history *h, const struct fact_seen *f,
                            struct errmsg *err)
{
    bool room;
    int r = make_room(s, h->stream, &room, err);
    if (r || !room)
        return r;
    if (f->old[0])
        r = insert(s, h, f->old, TIME_MIN, f->at, 0, f->at, err);
    return r ? r : insert(s, h, f->value, f->at, INT64_MAX, h->moment, f->at, err);
}

/* The version that held says something else: it ends here, and goes on later if it was said later.
 */
static int contradict(struct store *s, const struct history *h, const struct version *held,
                      const struct version *next, const struct fact_seen *f, struct errmsg *err)
{
    bool said_later = held->last > f->at;
    if (next && !said_later && strcasecmp(next->value, f->value) == 0) {
        int r = set_span(s, held->id, held->since, f->at, err);
        if (r == 0)
            r = set_span(s, next->id, f->at, next->until, err);
        return r ? r : seen_again(s, next->id, f->at, err);
    }
    int r = set_span(s, held->id, held->since, f->at, err);
    if (r == 0)
        r = insert(s, h, f->value, f->at, said_later ? held->last : held->until, h->moment, f->at,
                   err);
    if (r == 0 && said_later)
        r = insert(s, h, held->value, held->last, held->until, h->moment, held->last, err);
    return r;
}

/* Older than all that is known of the subject. */
static int before_all(struct store *s, const struct history *h, const struct fact_seen *f,
                      struct errmsg *err)
{
    const struct version *next = &h->versions[0];
    if (strcasecmp(next->value, f->value) == 0) {
        int r = set_span(s, next->id, f->at, next->until, err);
        return r ? r : seen_again(s, next->id, f->at, err);
    }
    return insert(s, h, f->value, f->at, next->since, h->moment, f->at, err);
}

static bool is_flood(const struct history *h, int64_t at)
{
    uint32_t changes = 0;
    for (uint32_t i = 0; i < h->count; i++)
        changes +=
            h->versions[i].since > at - US_PER_HOUR && h->versions[i].since < at + US_PER_HOUR;
    return changes >= FLOOD || h->count == VERSIONS_MAX;
}

static int add_fact(struct store *s, struct history *h, const struct fact_seen *f,
                    struct errmsg *err)
{
    char subject[sizeof(f->subject)];
    bool found = false;
    h->subject = f->subject;
    int r = load_history(s, h, err);
    if (r == 0 && h->count == 0) {
        r = find_related(s, h->stream, f, f->old[0] ? f->old : f->value, subject, sizeof(subject),
                         &found, err);
        if (r == 0 && found) {
            h->subject = subject;
            r = load_history(s, h, err);
        }
    }
    if (r)
        return r;
    if (h->count == 0)
        return first_of_subject(s, h, f, err);
    if (h->versions[0].value[0] == '\0') /* a measurement */
        return 0;
    uint32_t at = h->count;
    while (at > 0 && h->versions[at - 1].since > f->at)
        at--;
    if (at == 0)
        return before_all(s, h, f, err);
    const struct version *held = &h->versions[at - 1];
    if (strcasecmp(held->value, f->value) == 0)
        return seen_again(s, held->id, f->at, err);
    if (is_flood(h, f->at)) {
        r = delete_subject(s, h->stream, h->subject, err);
        return r ? r : insert(s, h, "", f->at, f->at, 0, f->at, err);
    }
    return contradict(s, h, held, at < h->count ? held + 1 : NULL, f, err);
}

int store_put_facts(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                    struct errmsg *err)
{
    struct history h = {.stream = stream, .moment = id};
    int r = 0;
    for (uint32_t i = 0; i < m->fact_count && r == 0; i++)
        r = add_fact(s, &h, &m->facts[i], err);
    return r;
}

/* Spans tell what was stated in them: those are made again. */
static int mark_told(struct store *s, int64_t t, struct errmsg *err)
{
    if (t == TIME_MIN || t == INT64_MAX)
        return 0;
    return s->erasure->later ? forget_note_above(s, STRATUM_MOMENT, t, err)
                             : store_mark_dirty(s, t, err);
}

/* The row that the statement stands on. The version before it held on, for all that is known now;
 * the one behind it told what it was before. */
static int take_back(struct store *s, struct history *h, sqlite3_stmt *q, struct errmsg *err)
{
    char subject[sizeof(((struct fact_seen *)0)->subject)];
    sqlite3_stmt *delete = store_stmt(s, SQL_FACT_DELETE);
    int64_t fact = sqlite3_column_int64(q, 0), since = sqlite3_column_int64(q, 1);
    int64_t until =
        sqlite3_column_type(q, 2) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(q, 2);
    copy_text(subject, sizeof(subject), q, 3);
    h->stream = sqlite3_column_int64(q, 4);
    h->subject = subject;
    sqlite3_reset(q);
    sqlite3_bind_int64(delete, 1, fact);
    int r = sql_run(delete, err);
    if (r == 0)
        r = mark_told(s, since, err);
    if (r == 0)
        r = mark_told(s, until, err);
    if (r == 0)
        r = load_history(s, h, err);
    for (uint32_t i = 0; i < h->count && r == 0; i++) {
        const struct version *v = &h->versions[i];
        if (v->until != since)
            continue;
        if (v->since > TIME_MIN) {
            r = set_span(s, v->id, v->since, until, err);
        } else { /* only what was forgotten told of it */
            sqlite3_bind_int64(delete, 1, v->id);
            r = sql_run(delete, err);
        }
    }
    return r;
}

int store_take_back_facts(struct store *s, int64_t id, int64_t stream, struct errmsg *err)
{
    struct history h;
    sqlite3_stmt *q = store_stmt(s, SQL_FACT_OF_MOMENT);
    int r;
    do {
        sqlite3_bind_int64(q, 1, stream);
        sqlite3_bind_int64(q, 2, id);
        r = sql_step(q, err);
        if (r == 0)
            r = take_back(s, &h, q, err);
    } while (r == 0);
    return r == SQL_DONE ? 0 : r;
}

int store_take_back_fact(struct store *s, int64_t id, struct errmsg *err)
{
    struct history h;
    sqlite3_stmt *q = store_stmt(s, SQL_FACT_ONE);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    return r == SQL_DONE ? 0 : r ? r : take_back(s, &h, q, err);
}
