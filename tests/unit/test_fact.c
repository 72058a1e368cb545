/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/erase.h"
#include "memory/fact.h"
#include "memory/recall.h"
#include "tests/unit/store_fixture.h"

#define HOUR US_PER_HOUR

static struct arena arena;
static struct reader *reader;
static uint64_t seq;

static void begin(void)
{
    setup();
    arena_init(&arena, 1 << 14);
    seq = 0;
}

static void finish(void)
{
    arena_deinit(&arena);
    teardown();
}

/* A moment of one record that states something; `hours` after T0. */
static int64_t state(struct store *s, int64_t stream, double hours, const char *subject,
                     const char *value, const char *old)
{
    struct fact_seen f = {.at = T0 + (int64_t)(hours * (double)HOUR)};
    snprintf(f.subject, sizeof(f.subject), "%s", subject);
    snprintf(f.value, sizeof(f.value), "%s", value);
    snprintf(f.old, sizeof(f.old), "%s", old);
    char line[300];
    snprintf(line, sizeof(line), "%s is %s", subject, value);
    struct record r = {.seq = ++seq, .time = f.at, .text = {line, strlen(line)}};
    struct moment m = {.kind = KIND_TEXT,
                       .start = f.at,
                       .end = f.at,
                       .records = &r,
                       .record_count = 1,
                       .ended = END_GAP,
                       .path = PATH_LATENT,
                       .facts = &f,
                       .fact_count = 1,
                       .title = "a line"};
    return commit_moment(s, stream, "log", &m);
}

/* The history of a subject as "value@since-until*seen …", hours after T0. */
static void check_history(const char *subject, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    struct buf b = {0};
    OK(sqlite_open_readonly(path, 0, &db, &err));
    OK(sql_prepare(db, "SELECT value, since, until, seen FROM fact WHERE subject=?1 ORDER BY since",
                   &q, &err));
    sqlite3_bind_text(q, 1, subject, -1, SQLITE_STATIC);
    while (sql_step(q, &err) == 0) {
        buf_printf(&b, "%s%s@", b.size ? " " : "", sqlite3_column_text(q, 0));
        if (sqlite3_column_int64(q, 1))
            buf_printf(&b, "%g", (double)(sqlite3_column_int64(q, 1) - T0) / (double)HOUR);
        buf_puts(&b, "-");
        if (sqlite3_column_type(q, 2) != SQLITE_NULL)
            buf_printf(&b, "%g", (double)(sqlite3_column_int64(q, 2) - T0) / (double)HOUR);
        buf_printf(&b, "*%d", sqlite3_column_int(q, 3));
    }
    ck_assert_msg(strcmp(b.data ? b.data : "", expected) == 0, "\"%s\", not \"%s\"", b.data,
                  expected);
    buf_deinit(&b);
    sqlite3_finalize(q);
    sqlite3_close(db);
    check_sound();
}

START_TEST(test_versions)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log"), b = stream_of(s, "other");
    state(s, a, 1, "room a setpoint", "19", "");
    state(s, a, 2, "room a setpoint", "19", "");
    state(s, a, 5, "room a setpoint", "21", "19");
    state(s, b, 6, "room a setpoint", "25", "");
    check_history("room a setpoint", "19@1-5*2 21@5-*1 25@6-*1");
    state(s, a, 7, "room b setpoint", "18", "17");
    check_history("room b setpoint", "17@-7*1 18@7-*1");
    store_close(s);
}
END_TEST

/* Whatever comes late goes to its place. */
START_TEST(test_late)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log");
    state(s, a, 10, "door code", "B", "");
    state(s, a, 20, "door code", "C", "");
    check_history("door code", "B@10-20*1 C@20-*1");
    state(s, a, 5, "door code", "A", "");
    check_history("door code", "A@5-10*1 B@10-20*1 C@20-*1");
    state(s, a, 8, "door code", "B", ""); /* it was B earlier than was known */
    check_history("door code", "A@5-8*1 B@8-20*2 C@20-*1");
    state(s, a, 2, "door code", "A", "");
    check_history("door code", "A@2-8*2 B@8-20*2 C@20-*1");
    state(s, a, 30, "door code", "C", "");
    state(s, a, 25, "door code", "X", ""); /* between two times that C was said */
    check_history("door code", "A@2-8*2 B@8-20*2 C@20-25*2 X@25-30*1 C@30-*1");
    store_close(s);
}
END_TEST

/* Worded otherwise, found by the value it had. */
START_TEST(test_related)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log");
    state(s, a, 1, "schedule job weekly-figo time", "01:10", "");
    state(s, a, 2, "schedule job weekly-other time", "01:10", "");
    state(s, a, 9, "schedule job weekly-figo", "02:20", "01:10");
    check_history("schedule job weekly-figo time", "01:10@1-9*1 02:20@9-*1");
    check_history("schedule job weekly-other time", "01:10@2-*1");
    state(s, a, 12, "job weekly-figo confirmed", "02:20", "");
    check_history("schedule job weekly-figo time", "01:10@1-9*1 02:20@9-*2");
    store_close(s);
}
END_TEST

/* A value that changes each minute is a measurement; a stream states only so much. */
START_TEST(test_bounds)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log");
    char text[64];
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "%d", 100 + i);
        state(s, a, i / 60.0, "load of node", text, "");
    }
    ck_assert_int_eq(number("SELECT count(*) FROM fact"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM fact WHERE value=''"), 1);
    state(s, a, 3, "kept name", "alice", "");
    state(s, a, 4, "kept name", "alice", "");
    OK(store_begin(s, &err));
    OK(store_commit(s, &err));
    for (int i = 0; i < 600; i++) {
        snprintf(text, sizeof(text), "session %d%c%c", i, 'a' + i % 26, 'a' + i / 26);
        state(s, a, 5 + i, text, "bob", "");
    }
    ck_assert_int_eq(number("SELECT count(DISTINCT subject) FROM fact"), 512);
    check_history("kept name", "alice@3-*2");
    store_close(s);
}
END_TEST

START_TEST(test_forgotten)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log");
    state(s, a, 1, "door code", "A", "");
    int64_t b = state(s, a, 2, "door code", "B", "");
    state(s, a, 3, "door code", "C", "");
    int64_t only = state(s, a, 4, "other code", "new", "old");
    OK(store_begin(s, &err));
    OK(store_erase_moment(s, b, ERASE_FORGET, &err));
    OK(store_erase_moment(s, only, ERASE_FORGET, &err));
    OK(store_commit(s, &err));
    check_history("door code", "A@1-3*1 C@3-*1");
    check_history("other code", "");
    store_close(s);
}
END_TEST

START_TEST(test_questions)
{
    struct store *s = opened();
    struct fact *facts;
    uint32_t n;
    int64_t a = stream_of(s, "home");
    state(s, a, 1, "thermostat room vanoke setpoint", "19.0", "");
    state(s, a, 2, "thermostat room mirafo setpoint", "17.5", "");
    state(s, a, 50, "thermostat room vanoke setpoint", "21.5", "19.0");
    consolidate_all(s);
    const struct reader_options o = {.path = path, .clock = &now};
    OK(reader_open(&o, &reader, &err));
    OK(fact_search(reader, "what is the setpoint of the thermostat in room vanoke?", TIME_UNKNOWN,
                   5, &arena, &facts, &n, &err));
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(facts[0].value, "21.5");
    ck_assert_str_eq(facts[0].stream_name, "home");
    ck_assert_float_gt(facts[0].match, facts[1].match);
    ck_assert_int_eq(facts[0].until, TIME_UNKNOWN);
    OK(fact_search(reader, "setpoint vanoke", T0 + 20 * HOUR, 5, &arena, &facts, &n, &err));
    ck_assert_str_eq(facts[0].value, "19.0");
    ck_assert_int_eq(facts[0].until, T0 + 50 * HOUR);
    OK(fact_changes(reader, T0, T0 + 60 * HOUR, 5, &arena, &facts, &n, &err));
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(facts[0].value, "21.5");
    OK(fact_search(reader, "the of a", TIME_UNKNOWN, 5, &arena, &facts, &n, &err));
    ck_assert_uint_eq(n, 0);
    OK(fact_about(reader, "Vanoke", 0, &arena, &facts, &n, &err));
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(facts[0].value, "19.0");
    OK(fact_about(reader, "vano", 0, &arena, &facts, &n, &err));
    ck_assert_uint_eq(n, 0);
    struct recall_life life;
    const struct recall_filter all = {.since = TIME_UNKNOWN, .until = TIME_UNKNOWN};
    OK(recall_entity_history(reader, "vanoke", &all, 0, &arena, &life, &err));
    ck_assert_str_eq(life.entity.kind, "subject");
    ck_assert_uint_eq(life.entity.count, 2);
    ck_assert_uint_eq(life.fact_count, 2);
    ck_assert_int_eq(recall_entity_history(reader, "nobody", &all, 0, &arena, &life, &err),
                     ERR_NOTFOUND);
    reader_close(reader);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fact");
    TCase *t = tcase_create("versions");
    sqlite_setup();
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, begin, finish);
    tcase_add_test(t, test_versions);
    tcase_add_test(t, test_late);
    tcase_add_test(t, test_related);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_forgotten);
    tcase_add_test(t, test_questions);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
