/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of facts is small (some hundred subjects a stream), so a search reads it whole: each
 * fact's words are compared with the question's, rare words of the question weigh more.
 */
#include "memory/fact.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "memory/reader_internal.h"
#include "memory/words.h"

static int begin(struct reader *r, bool *ret_own, struct errmsg *err)
{
    *ret_own = sqlite3_get_autocommit(r->db) != 0;
    return *ret_own ? sql_exec(r->db, "BEGIN", err) : 0;
}

static int end(struct reader *r, bool own, int rc)
{
    if (own && !sqlite3_get_autocommit(r->db))
        sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
    return rc == SQL_DONE ? 0 : rc;
}

/* With its texts as they stand in the statement. */
static void read_fact(sqlite3_stmt *q, struct fact *ret)
{
    *ret = (struct fact){.id = sqlite3_column_int64(q, 0),
                         .stream = sqlite3_column_int64(q, 1),
                         .stream_name = (const char *)sqlite3_column_text(q, 2),
                         .subject = (const char *)sqlite3_column_text(q, 3),
                         .value = (const char *)sqlite3_column_text(q, 4),
                         .since = sqlite3_column_int64(q, 5),
                         .until = sqlite3_column_type(q, 6) == SQLITE_NULL
                                      ? TIME_UNKNOWN
                                      : sqlite3_column_int64(q, 6),
                         .last = sqlite3_column_int64(q, 7),
                         .moment = sqlite3_column_int64(q, 8),
                         .seen = (uint32_t)sqlite3_column_int64(q, 9)};
}

static int keep_texts(struct fact *f, struct arena *arena, struct errmsg *err)
{
    const char **texts[] = {&f->stream_name, &f->subject, &f->value};
    for (int i = 0; i < 3; i++) {
        *texts[i] = *texts[i] ? arena_copy(arena, *texts[i], strlen(*texts[i])) : "";
        if (!*texts[i])
            return reader_nomem(err);
    }
    return 0;
}

/* All rows of a bound statement, at most `limit`. */
static int collect(sqlite3_stmt *q, uint32_t limit, struct arena *arena, struct fact **ret,
                   uint32_t *ret_count, struct errmsg *err)
{
    struct fact *facts = arena_alloc(arena, limit * sizeof(*facts));
    uint32_t count = 0;
    int r = facts ? 0 : reader_nomem(err);
    while (r == 0 && count < limit && (r = sql_step(q, err)) == 0) {
        read_fact(q, &facts[count]);
        r = keep_texts(&facts[count++], arena, err);
    }
    sqlite3_reset(q);
    *ret = facts;
    *ret_count = count;
    return r;
}

struct compared {
    const struct words_query *query;
    const double *weights;
    double sum;
    bool met[WORDS_QUERY_MAX];
};

static void compare_word(void *arg, const struct word *word)
{
    struct compared *c = arg;
    for (uint32_t i = 0; i < c->query->count; i++) {
        if (c->met[i] || c->query->words[i].hash != word->hash)
            continue;
        c->met[i] = true;
        c->sum += c->weights[i];
    }
}

/* The list stays ordered: the best match, then what was said last. */
static int keep_best(struct fact *facts, uint32_t *count, uint32_t limit, const struct fact *f,
                     struct arena *arena, struct errmsg *err)
{
    struct fact kept = *f;
    if (*count == limit &&
        (facts[limit - 1].match > f->match ||
         (facts[limit - 1].match == f->match && facts[limit - 1].last >= f->last)))
        return 0;
    int r = keep_texts(&kept, arena, err);
    uint32_t at = *count < limit ? (*count)++ : limit - 1;
    for (; at > 0 && (facts[at - 1].match < kept.match ||
                      (facts[at - 1].match == kept.match && facts[at - 1].last < kept.last));
         at--)
        facts[at] = facts[at - 1];
    facts[at] = kept;
    return r;
}

static int search(struct reader *r, const struct words_query *query, int64_t at, uint32_t limit,
                  struct arena *arena, struct fact *facts, uint32_t *count, struct errmsg *err)
{
    double weights[WORDS_QUERY_MAX], total = 0;
    double records = (double)words_df_total_records(r->df) + 1;
    sqlite3_stmt *q;
    for (uint32_t i = 0; i < query->count; i++) {
        weights[i] = log(1 + records / (words_df_records(r->df, query->words[i].hash) + 0.5));
        total += weights[i];
    }
    int rc = reader_statement(r, SQL_FACTS_AT, &q, err);
    if (rc)
        return rc;
    if (at != TIME_UNKNOWN)
        sqlite3_bind_int64(q, 1, at);
    while ((rc = sql_step(q, err)) == 0) {
        struct compared c = {.query = query, .weights = weights};
        struct fact f;
        read_fact(q, &f);
        rc = words_each((struct slice){f.subject, strlen(f.subject)}, compare_word, &c);
        if (rc == 0)
            rc = words_each((struct slice){f.value, strlen(f.value)}, compare_word, &c);
        f.match = total > 0 ? (float)(c.sum / total) : 0;
        if (rc)
            reader_nomem(err);
        else if (f.match > 0)
            rc = keep_best(facts, count, limit, &f, arena, err);
        if (rc)
            break;
    }
    sqlite3_reset(q);
    return rc;
}

int fact_search(struct reader *r, const char *question, int64_t at, uint32_t limit,
                struct arena *arena, struct fact **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct words_query query;
    bool own;
    *ret_count = 0;
    int rc = reader_limit(limit, 10, &limit, err);
    if (rc == 0 && words_query((struct slice){question, strlen(question)}, &query))
        rc = reader_nomem(err);
    if (rc == 0 && !(*ret = arena_alloc(arena, limit * sizeof(**ret))))
        rc = reader_nomem(err);
    if (rc == 0)
        rc = begin(r, &own, err);
    if (rc)
        return rc;
    return end(r, own, search(r, &query, at, limit, arena, *ret, ret_count, err));
}

int fact_about(struct reader *r, const char *words, uint32_t limit, struct arena *arena,
               struct fact **ret, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *q;
    bool own;
    size_t n = strlen(words);
    char *bounded = arena_alloc(arena, n + 3);
    int rc = bounded ? reader_limit(limit, 50, &limit, err) : reader_nomem(err);
    if (rc == 0)
        rc = begin(r, &own, err);
    if (rc)
        return rc;
    bounded[0] = bounded[n + 1] = ' ';
    bounded[n + 2] = '\0';
    for (size_t i = 0; i < n; i++)
        bounded[i + 1] = (char)tolower((unsigned char)words[i]);
    rc = reader_statement(r, SQL_FACTS_ABOUT, &q, err);
    if (rc == 0) {
        sqlite3_bind_text(q, 1, bounded, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 2, limit);
        rc = collect(q, limit, arena, ret, ret_count, err);
    }
    return end(r, own, rc);
}

int fact_changes(struct reader *r, int64_t since, int64_t until, uint32_t limit,
                 struct arena *arena, struct fact **ret, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *q;
    bool own;
    int rc = reader_limit(limit, 10, &limit, err);
    if (rc == 0)
        rc = begin(r, &own, err);
    if (rc)
        return rc;
    rc = reader_statement(r, SQL_FACT_CHANGES, &q, err);
    if (rc == 0) {
        sqlite3_bind_int64(q, 1, since);
        sqlite3_bind_int64(q, 2, until);
        sqlite3_bind_int64(q, 3, limit);
        rc = collect(q, limit, arena, ret, ret_count, err);
    }
    return end(r, own, rc);
}
