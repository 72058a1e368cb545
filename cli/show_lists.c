/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show_lists.h"

#include <stdio.h>
#include <string.h>

#include "base/stamp.h"
#include "base/timestamp.h"
#include "cli/table.h"

#define DAYS_SHOWN 14

#define COLUMNS(a) ((int)(sizeof(a) / sizeof(*(a))))

static const char *text_of(const struct json *object, const char *key)
{
    const char *s = json_string(json_get(object, key));
    return s ? s : "";
}

static double number_of(const struct json *object, const char *key)
{
    return json_double(json_get(object, key), 0);
}

const char *lists_where(const struct json *item)
{
    static const char *const strata[] = {"moment", "episode", "hour", "day", "week", "month"};
    const char *stream = json_string(json_get(item, "stream"));
    int64_t stratum = 0;
    if (stream)
        return stream;
    json_int64(json_get(item, "stratum"), &stratum);
    return stratum >= 0 && stratum < COLUMNS(strata) ? strata[stratum] : "span";
}

static void print(struct show *s, struct table *t)
{
    table_print(t, s->out, s->width, s->color);
}

static void put_nothing(struct show *s, const struct json *items)
{
    if (!json_first(items))
        buf_puts(s->out, "nothing found\n");
}

/* ---- items ----------------------------------------------------------------------------------- */

static void items_table(struct show *s, const struct json *items, bool scores)
{
    static const struct table_column with[] = {{NULL, true, "1"},
                                               {NULL, false, "2"},
                                               {NULL, false, "36"},
                                               {NULL, true, NULL},
                                               {NULL, false, NULL}};
    static const struct table_column without[] = {
        {NULL, true, "1"}, {NULL, false, "2"}, {NULL, false, "36"}, {NULL, false, NULL}};
    struct table t;
    table_init(&t, scores ? with : without, scores ? COLUMNS(with) : COLUMNS(without));
    for (const struct json *i = json_first(items); i; i = json_next(i)) {
        char when[SHOW_TIME_SIZE], score[16];
        snprintf(score, sizeof(score), "%.2f", number_of(i, "score"));
        const char *cells[5] = {text_of(i, "id"), show_time(s, json_get(i, "start"), when),
                                lists_where(i), scores ? score : text_of(i, "title"),
                                text_of(i, "title")};
        table_row(&t, cells);
    }
    print(s, &t);
}

void lists_items(struct show *s, const struct json *result, bool scores)
{
    const struct json *items = json_get(result, "items");
    items_table(s, items, scores);
    put_nothing(s, items);
}

void show_item_line(struct show *s, const struct json *item)
{
    char when[SHOW_TIME_SIZE];
    struct buf line = {0};
    buf_printf(&line, "%s  %s  %s  %.2f  %s", text_of(item, "id"),
               show_time(s, json_get(item, "start"), when), lists_where(item),
               number_of(item, "score"), text_of(item, "title"));
    text_line(s->out, line.data ? line.data : "", s->width);
    buf_putc(s->out, '\n');
    buf_deinit(&line);
}

/* Of an answer's items people read the first; what weighs far less than the best only fills the page. */
#define FAINT_AFTER 2
#define FAINT_BELOW 0.5

/* Bytes of a line's own timestamp, where it is the record's `time`. */
static size_t own_stamp(const char *text, const char *time)
{
    int64_t us;
    bool known = time && timestamp_parse(time, strlen(time), &us, NULL) == 0;
    return known ? stamp_size(text, strlen(text), us) : 0;
}

/* The best records that lie in an item: what the answer rests on. */
static void put_evidence(struct show *s, const struct json *records, const char *id)
{
    int shown = 0;
    for (const struct json *r = json_first(records); r && shown < 3; r = json_next(r)) {
        const char *text = json_string(json_get(r, "text"));
        char when[SHOW_TIME_SIZE];
        if (!text || strcmp(text_of(r, "id"), id) != 0)
            continue;
        buf_printf(s->out, "    %s  ", show_time(s, json_get(r, "time"), when));
        text += own_stamp(text, json_string(json_get(r, "time")));
        text_line(s->out, text, s->width > 50 ? s->width - 26 : 0);
        buf_putc(s->out, '\n');
        shown++;
    }
}

void lists_answer(struct show *s, const struct json *result)
{
    const char *text = text_of(result, "text");
    bool absent = json_bool(json_get(result, "absent"), false);
    if (absent && !*text)
        text = "Nothing of it is in memory.";
    text_block(s->out, text, 0);
    bool apart = true; /* a blank line around what has a gist */
    double best = number_of(json_first(json_get(result, "items")), "share");
    unsigned shown = 0, faint = 0;
    for (const struct json *i = json_first(json_get(result, "items")); i; i = json_next(i)) {
        if (shown >= FAINT_AFTER && number_of(i, "share") < FAINT_BELOW * best) {
            faint++;
            continue;
        }
        shown++;
        char when[SHOW_TIME_SIZE];
        struct buf line = {0};
        bool gist = *text_of(i, "gist") != '\0';
        if (apart || gist)
            buf_putc(s->out, '\n');
        apart = gist;
        buf_printf(&line, "%s  %s  %s  %.0f %%  %s", text_of(i, "id"),
                   show_time(s, json_get(i, "start"), when), lists_where(i),
                   100 * number_of(i, "share"), text_of(i, "title"));
        buf_puts(s->out, s->color ? "\033[1m" : "");
        text_line(s->out, line.data ? line.data : "", s->width);
        buf_puts(s->out, s->color ? "\033[0m\n" : "\n");
        put_evidence(s, json_get(result, "records"), text_of(i, "id"));
        text_block(s->out, text_of(i, "gist"), 4);
        buf_deinit(&line);
    }
    if (faint)
        buf_printf(s->out, "\n%u more that match much less (--json has them)\n", faint);
    if (!absent)
        buf_printf(s->out, "\nconfidence %.2f\n", number_of(result, "confidence"));
}

/* What holds stands out; what does not any more has its end. */
static void put_facts(struct show *s, const struct json *facts)
{
    static const struct table_column columns[] = {{"stated", false, NULL},
                                                  {"value", false, "1"},
                                                  {"since", false, "2"},
                                                  {"until", false, "2"},
                                                  {"said", true, NULL}};
    struct table t;
    if (!json_first(facts))
        return;
    table_init(&t, columns, COLUMNS(columns));
    for (const struct json *f = json_first(facts); f; f = json_next(f)) {
        char since[SHOW_TIME_SIZE], until[SHOW_TIME_SIZE], seen[SHOW_NUMBER_SIZE];
        const struct json *from = json_get(f, "since"), *to = json_get(f, "until");
        const char *cells[] = {text_of(f, "subject"), text_of(f, "value"),
                               json_string(from) ? show_time(s, from, since) : "before",
                               json_string(to) ? show_time(s, to, until) : "now",
                               show_count(number_of(f, "seen"), seen)};
        table_row(&t, cells);
    }
    print(s, &t);
    buf_putc(s->out, '\n');
}

/* Other names, and why they count as this one, or do not yet. */
static void put_names(struct show *s, const struct json *names)
{
    for (const struct json *n = json_first(names); n; n = json_next(n)) {
        buf_puts(s->out, json_bool(json_get(n, "merged"), false) ? "  also " : "  perhaps also ");
        buf_printf(s->out, "%s ", text_of(n, "kind"));
        text_line(s->out, text_of(n, "name"), 0);
        buf_printf(s->out, ": %.0f votes (renamed %.0f, side by side %.0f, against %.0f)\n",
                   number_of(n, "votes"), number_of(n, "renamed"), number_of(n, "beside"),
                   number_of(n, "against"));
    }
}

static void put_with(struct show *s, const struct json *with)
{
    if (!json_first(with))
        return;
    buf_puts(s->out, "  with ");
    for (const struct json *e = json_first(with); e; e = json_next(e)) {
        text_line(s->out, text_of(e, "name"), 0);
        buf_puts(s->out, json_next(e) ? ", " : "\n");
    }
}

/* The newest days, then weeks: what was met often has more of both than anyone reads at once. */
static void put_days(struct show *s, const struct json *days, const char *title, int most)
{
    const struct table_column columns[] = {{title, false, "2"},
                                           {"moments", true, NULL},
                                           {"times", true, NULL},
                                           {"unusual", true, "33"},
                                           {"most unusual", false, NULL}};
    struct table t;
    table_init(&t, columns, COLUMNS(columns));
    for (const struct json *d = json_first(days); d && most > 0; d = json_next(d), most--) {
        char day[11], moments[SHOW_NUMBER_SIZE], count[SHOW_NUMBER_SIZE];
        char unusual[SHOW_NUMBER_SIZE];
        snprintf(day, sizeof(day), "%s", text_of(d, "start"));
        const char *what = json_string(json_get(d, "what"));
        const char *cells[] = {day, show_count(number_of(d, "moments"), moments),
                               show_count(number_of(d, "count"), count),
                               show_count(number_of(d, "unusual"), unusual), what ? what : ""};
        table_row(&t, cells);
    }
    print(s, &t);
    buf_putc(s->out, '\n');
}

void lists_history(struct show *s, const struct json *result)
{
    const struct json *e = json_get(result, "entity") ? json_get(result, "entity") : result;
    char first[SHOW_TIME_SIZE], last[SHOW_TIME_SIZE], count[SHOW_NUMBER_SIZE];
    buf_printf(s->out, "%s ", text_of(e, "kind"));
    text_line(s->out, text_of(e, "name"), 0);
    buf_printf(s->out, ": %s times, %s to %s\n", show_count(number_of(e, "count"), count),
               show_time(s, json_get(e, "first"), first), show_time(s, json_get(e, "last"), last));
    put_names(s, json_get(result, "also"));
    put_with(s, json_get(result, "with"));
    const struct json *days = json_get(result, "days"), *weeks = json_get(result, "weeks");
    if (json_first(days) && json_next(json_first(days)))
        put_days(s, days, "day", DAYS_SHOWN);
    if (json_first(weeks) && json_next(json_first(weeks)))
        put_days(s, weeks, "week of", DAYS_SHOWN);
    put_facts(s, json_get(result, "facts"));
    items_table(s, json_get(result, "items"), false);
}

/* ---- the others ------------------------------------------------------------------------------ */

void lists_surprise(struct show *s, const struct json *result)
{
    static const struct table_column columns[] = {{NULL, true, "1"},
                                                  {NULL, false, "2"},
                                                  {NULL, false, "36"},
                                                  {NULL, true, "33"},
                                                  {NULL, false, NULL}};
    struct table t;
    table_init(&t, columns, COLUMNS(columns));
    const struct json *items = json_get(result, "items");
    for (const struct json *i = json_first(items); i; i = json_next(i)) {
        char when[SHOW_TIME_SIZE], bits[32];
        snprintf(bits, sizeof(bits), "%.1f bits", number_of(i, "bits"));
        const char *cells[] = {text_of(i, "id"), show_time(s, json_get(i, "start"), when),
                               text_of(i, "stream"), bits, text_of(i, "why")};
        table_row(&t, cells);
    }
    print(s, &t);
    put_nothing(s, items);
}

void lists_forecast(struct show *s, const struct json *result)
{
    static const struct table_column columns[] = {{"channel", false, "36"},
                                                  {"time", false, "2"},
                                                  {"value", true, "1"},
                                                  {"from", true, NULL},
                                                  {"to", true, NULL}};
    struct table t;
    table_init(&t, columns, COLUMNS(columns));
    for (const struct json *i = json_first(json_get(result, "items")); i; i = json_next(i)) {
        char when[SHOW_TIME_SIZE], value[3][32];
        snprintf(value[0], sizeof(value[0]), "%.6g", number_of(i, "value"));
        snprintf(value[1], sizeof(value[1]), "%.6g", number_of(i, "low"));
        snprintf(value[2], sizeof(value[2]), "%.6g", number_of(i, "high"));
        const char *cells[] = {text_of(i, "channel"), show_time(s, json_get(i, "time"), when),
                               value[0], value[1], value[2]};
        table_row(&t, cells);
    }
    buf_puts(s->out, "generated, not remembered: ");
    text_line(s->out, text_of(result, "method"), 0);
    buf_putc(s->out, '\n');
    print(s, &t);
}

void lists_entities(struct show *s, const struct json *result)
{
    static const struct table_column columns[] = {{"kind", false, "36"},
                                                  {"times", true, NULL},
                                                  {"first", false, "2"},
                                                  {"last", false, "2"},
                                                  {"name", false, "1"}};
    const struct json *items = json_get(result, "items");
    struct table t;
    table_init(&t, columns, COLUMNS(columns));
    for (const struct json *i = json_first(items); i; i = json_next(i)) {
        char first[SHOW_TIME_SIZE], last[SHOW_TIME_SIZE], count[SHOW_NUMBER_SIZE];
        const char *cells[] = {text_of(i, "kind"), show_count(number_of(i, "count"), count),
                               show_time(s, json_get(i, "first"), first),
                               show_time(s, json_get(i, "last"), last), text_of(i, "name")};
        table_row(&t, cells);
    }
    if (json_first(items))
        print(s, &t);
    put_nothing(s, items);
}

void lists_streams(struct show *s, const struct json *result)
{
    static const struct table_column columns[] = {
        {"stream", false, "36"}, {"kind", false, NULL},
        {"records", true, NULL}, {"size", true, NULL},
        {"first", false, "2"},   {"last", false, "2"},
        {"state", false, NULL},  {"why; how to switch it off", false, NULL}};
    struct table t;
    table_init(&t, columns, COLUMNS(columns));
    for (const struct json *i = json_first(json_get(result, "items")); i; i = json_next(i)) {
        char first[SHOW_TIME_SIZE], last[SHOW_TIME_SIZE];
        char count[SHOW_NUMBER_SIZE], size[SHOW_NUMBER_SIZE], why[512];
        snprintf(why, sizeof(why), "%s: %s%s%s", text_of(i, "source"), text_of(i, "why"),
                 *text_of(i, "switch") ? "; " : "", text_of(i, "switch"));
        const char *cells[] = {text_of(i, "stream"),
                               text_of(i, "kind"),
                               show_count(number_of(i, "records"), count),
                               show_bytes(number_of(i, "bytes"), size),
                               show_time(s, json_get(i, "first"), first),
                               show_time(s, json_get(i, "last"), last),
                               text_of(i, "state"),
                               why};
        table_row(&t, cells);
    }
    print(s, &t);
}
