/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <time.h>

#include "memory/erase.h"
#include "tests/unit/recall_fixture.h"

#define HOUR US_PER_HOUR
#define DAY US_PER_DAY

/* The clock stands at T0 = 2023-11-14 22:13:20 UTC, a Tuesday. */

static struct recall_answer asked(const char *text, uint32_t budget)
{
    struct recall_answer a;
    struct recall_question q = {.text = {text, strlen(text)}, .filter = ALL, .budget = budget};
    arena_reset(&arena);
    OK(recall_ask(reader, &q, &arena, &a, &err));
    double shares = 0;
    for (uint32_t i = 0; i < a.items.count; i++)
        shares += a.items.items[i].share;
    ck_assert(a.items.count == 0 || fabs(shares - 1) < 1e-9);
    ck_assert_uint_le(a.spent, budget ? budget : RECALL_BUDGET_DEFAULT);
    ck_assert(a.confidence >= 0 && a.confidence <= 1);
    return a;
}

static bool has_step(const struct recall_answer *a, const char *part)
{
    for (uint32_t i = 0; i < a->step_count; i++)
        if (strstr(a->steps[i], part))
            return true;
    return false;
}

/* A night with one odd thing in "host", ordinary lines in "log", nothing in "door". */
static void a_night(void)
{
    int64_t host = stream_of(store, "host"), log = stream_of(store, "log"),
            door = stream_of(store, "door");
    int64_t night = T0 - 20 * HOUR; /* 02:13 */
    struct unusual u = {.start = night + 60 * US_PER_SECOND,
                        .end = night + 90 * US_PER_SECOND,
                        .bits = 14,
                        .z = 6,
                        .score = 0.9f,
                        .why = "cpu 97.2, usually 3 to 21"};
    struct unusual mild = {
        .start = night, .end = night, .bits = 3, .z = 1, .score = 0.2f, .why = "a little odd"};
    remember_as(host, "host", night, "cpu low\ncpu high", PATH_LATENT, &u);
    remember_as(log, "log", night, "job done\njob done\njob done", PATH_LATENT, &mild);
    remember(log, "log", night + HOUR, "job done\njob done");
    remember(door, "door", T0 - 3 * DAY, "door opened");
}

START_TEST(test_overview)
{
    a_night();
    struct recall_answer a = asked("what happened last night?", 0);
    ck_assert(!a.absent);
    ck_assert_int_eq(a.since, T0 / DAY * DAY - 4 * HOUR); /* 20:00 the day before */
    ck_assert_int_eq(a.until, T0 / DAY * DAY + 6 * HOUR);
    ck_assert_uint_eq(a.unusual_count, 1);
    ck_assert_str_eq(a.unusual[0].why, "cpu 97.2, usually 3 to 21");
    ck_assert_uint_ge(a.items.count, 2);
    ck_assert_str_eq(a.items.items[0].stream, "host");
    ck_assert_str_eq(a.items.items[1].stream, "log");
    ck_assert(a.items.items[0].share > a.items.items[1].share);
    ck_assert_uint_eq(a.silent_count, 1);
    ck_assert_str_eq(a.silent[0], "door");
    ck_assert_str_eq(
        a.text, "last night (2023-11-13 20:00 to 2023-11-14 06:00): 1 unusual thing. 2023-11-14 "
                "02:14 host: cpu 97.2, usually 3 to 21. Recorded: log 5 records in 2 moments; "
                "host 2 records in 1 moment. Silent: door.");
    ck_assert(has_step(&a, "last night"));
    a = asked("anything unusual this afternoon?", 0);
    ck_assert(a.absent);
    ck_assert_uint_eq(a.silent_count, 3);
    ck_assert_ptr_nonnull(strstr(a.text, "nothing was recorded"));
    a = asked("What happened on log last night?", 0);
    ck_assert_uint_eq(a.silent_count, 0);
    for (uint32_t i = 0; i < a.items.count; i++)
        ck_assert_str_eq(a.items.items[i].stream, "log");
    ck_assert_ptr_nonnull(strstr(a.text, "nothing unusual"));
}
END_TEST

/* Without a time a question without content is about the last day, or about everything. */
START_TEST(test_overview_without_time)
{
    struct recall_answer a = asked("what happened?", 0);
    ck_assert(a.absent);
    a_night();
    a = asked("what happened?", 0);
    ck_assert(!a.absent);
    ck_assert_int_eq(a.since, T0 - DAY);
    clock_advance(&now, 30 * DAY);
    a = asked("", 0);
    ck_assert(!a.absent);
    ck_assert_int_eq(a.since, TIME_UNKNOWN);
    ck_assert_uint_eq(a.silent_count, 0);
    ck_assert(has_step(&a, "all of memory"));
}
END_TEST

START_TEST(test_content)
{
    a_night();
    int64_t log = stream_of(store, "mail");
    remember(log, "mail", T0 - 2 * HOUR,
             "Ann: the pump in the cellar leaks again\nBob: call the plumber\nAnn: I will");
    struct recall_answer a = asked("Where does the pump leak?", 0);
    ck_assert(!a.absent);
    /* One piece of evidence that covers all of it; a second that agrees would make it more. */
    ck_assert(a.confidence > 0.7 && a.confidence < 0.9);
    ck_assert_str_eq(a.items.items[0].stream, "mail");
    ck_assert_str_eq(a.items.items[0].gist, "Ann: the pump in the cellar leaks again");
    ck_assert_str_eq(a.records[0].text, "Ann: the pump in the cellar leaks again");
    ck_assert_str_eq(
        a.text, "2023-11-14 20:13 mail: \"Ann: the pump in the cellar leaks again\", 2 hours ago.");
    a = asked("Where does the pump leak?", 50);
    ck_assert_uint_eq(a.items.count, 1);
    ck_assert_ptr_null(a.records[0].text);
    a = asked("Where does the pump leak?", 1);
    ck_assert_uint_eq(a.items.count, 0);
    ck_assert(!a.absent);
}
END_TEST

START_TEST(test_absent)
{
    a_night();
    struct recall_answer a = asked("did the zeppelin land?", 0);
    ck_assert(a.absent);
    ck_assert(a.confidence < 0.3);
    ck_assert_uint_eq(a.items.count, 0);
    ck_assert_ptr_nonnull(strstr(a.text, "Not in memory"));
    ck_assert_ptr_nonnull(strstr(a.text, "\"zeppelin\""));
    /* One common word of the question is no answer to it. */
    a = asked("which job melted the reactor core?", 0);
    ck_assert(a.absent);
    ck_assert(a.confidence > 0);
    /* It is there, but not in that span: said, and not answered with. */
    a = asked("was the door opened last night?", 0);
    ck_assert(a.absent);
    ck_assert_ptr_nonnull(
        strstr(a.text, "At other times there is: 2023-11-11 22:13 \"door opened\""));
    ck_assert_ptr_nonnull(strstr(a.text, "Silent: door."));
    a = asked("was the door opened three days ago?", 0);
    ck_assert(!a.absent);
    /* A name that memory never saw is a claim that nothing supports. */
    a = asked("why was the door opened by Zorro?", 0);
    ck_assert(a.absent);
}
END_TEST

/* What people tell is of other times than that of the telling; what a log says is not. */
START_TEST(test_told)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0 - 40 * 24 * HOUR, "Ann: We went rafting in the canyon last weekend");
    remember(chat, "chat", T0 - HOUR, "Bob: hello there");
    struct recall_answer a = asked("where did Ann go rafting yesterday?", 0);
    ck_assert(!a.absent);
    ck_assert_ptr_nonnull(strstr(a.text, "Told at another time"));
    ck_assert(has_step(&a, "told at other times"));
}
END_TEST

/* The answer tells the time once; the record keeps what it is. */
START_TEST(test_a_line_with_its_own_time)
{
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0 - HOUR, "2023-11-14 21:13:20 the glacier calved");
    struct recall_answer a = asked("when did the glacier calve last?", 0);
    ck_assert_ptr_nonnull(strstr(a.text, " log: \"the glacier calved\""));
    ck_assert_uint_ge(a.record_count, 1);
    ck_assert_str_eq(a.records[0].text, "2023-11-14 21:13:20 the glacier calved");
}
END_TEST

/* A month without its year is the one that memory knows. */
START_TEST(test_archive)
{
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0 - 800 * 24 * HOUR, "the glacier calved"); /* 2021-09-05 */
    const struct store_stream ended = {.id = log,
                                       .source = "test",
                                       .next_seq = 1 << 30,
                                       .first_time = T0 - 800 * 24 * HOUR,
                                       .last_time = T0 - 800 * 24 * HOUR};
    OK(store_begin(store, &err));
    OK(store_stream_update(store, &ended, &err));
    OK(store_commit(store, &err));
    ck_assert(!asked("did the glacier calve in September?", 0).absent);
    ck_assert(asked("did the glacier calve in August?", 0).absent);
}
END_TEST

/* Counted one by one, with the first and the last; a name in another's place counts for nothing. */
START_TEST(test_how_often)
{
    int64_t log = stream_of(store, "sshd");
    remember(log, "sshd", T0 - 30 * HOUR, "Failed password for anna\nFailed password for bert");
    remember(log, "sshd", T0 - 4 * HOUR,
             "Failed password for anna\nAccepted password for anna\nFailed password for anna");
    struct recall_answer a = asked("How many failed passwords for anna were there?", 0);
    ck_assert_int_eq(a.count, 3);
    ck_assert(!a.at_least);
    ck_assert_str_eq(a.form, "count");
    ck_assert_int_eq(a.time, T0 - 4 * HOUR + 20 * US_PER_SECOND);
    ck_assert_ptr_nonnull(strstr(a.text, "3 times: first 2023-11-13 16:13, last 2023-11-14 18:13"));
    ck_assert_str_eq(a.items.items[0].through, "words");
    a = asked("How often did the password of anna fail today?", 0);
    ck_assert_int_eq(a.count, 2);
    a = asked("How many failed passwords for carl were there?", 0);
    ck_assert(a.absent);
    ck_assert_int_eq(a.count, -1);
    /* An amount that a record states is no count of records. */
    remember(log, "sshd", T0 - HOUR, "drive sda has 17 reallocated sectors");
    a = asked("how many reallocated sectors did drive sda have?", 0);
    ck_assert_int_eq(a.count, -1);
    ck_assert_ptr_nonnull(strstr(a.text, "17 reallocated"));
    a = asked("when did the password of anna last fail?", 0);
    ck_assert_int_eq(a.time, T0 - 4 * HOUR + 20 * US_PER_SECOND);
    ck_assert_ptr_nonnull(strstr(a.text, "Last 2023-11-14 18:13"));
    a = asked("when did the password of anna first fail?", 0);
    ck_assert_int_eq(a.time, T0 - 30 * HOUR);
}
END_TEST

/* What was said last holds, also on a day on which nothing was said. */
START_TEST(test_state)
{
    int64_t log = stream_of(store, "home");
    remember(log, "home", T0 - 10 * 24 * HOUR, "room cellar: setpoint is 17.5 degrees");
    remember(log, "home", T0 - 5 * 24 * HOUR,
             "room cellar: setpoint changed from 17.5 to 19.0 degrees");
    remember(log, "home", T0 - HOUR, "light in the hall switched on");
    struct recall_answer a = asked("what is the setpoint of room cellar now?", 0);
    ck_assert_str_eq(a.value, "19.0");
    ck_assert_int_eq(a.time, T0 - 5 * 24 * HOUR);
    ck_assert_ptr_nonnull(strstr(a.text, "5 days ago"));
    a = asked("what was the setpoint of room cellar 7 days ago?", 0);
    ck_assert(!a.absent);
    ck_assert_int_eq(a.time, T0 - 10 * 24 * HOUR);
    ck_assert_ptr_nonnull(strstr(a.text, "last word on it before then"));
    ck_assert(asked("what was the setpoint of room cellar 20 days ago?", 0).absent);
    a = asked("since when has the setpoint of room cellar been 19.0?", 0);
    ck_assert_int_eq(a.time, T0 - 5 * 24 * HOUR);
}
END_TEST

/* Neighbours come from all streams, the remarkable before the everyday. */
START_TEST(test_around)
{
    int64_t plc = stream_of(store, "plc"), home = stream_of(store, "home");
    for (int i = 0; i < 40; i++)
        remember(home, "home", T0 - 20 * HOUR + i * HOUR / 4, "light in the hall switched on");
    remember(plc, "plc", T0 - 15 * HOUR, "bearing of the pump overheated");
    remember(home, "home", T0 - 15 * HOUR + 5 * US_PER_MINUTE, "relay crelanix tripped");
    remember(plc, "plc", T0 - 15 * HOUR + 12 * US_PER_MINUTE, "cellar flooded");
    struct recall_answer a = asked("what came just before relay crelanix tripped?", 0);
    ck_assert_str_eq(a.form, "before");
    ck_assert_str_eq(a.records[0].text, "bearing of the pump overheated");
    ck_assert_str_eq(a.items.items[0].through, "neighbour");
    a = asked("what followed the trip of relay crelanix?", 0);
    ck_assert_str_eq(a.records[0].text, "cellar flooded");
    a = asked("what led to the cellar being flooded?", 0);
    ck_assert_uint_ge(a.record_count, 2);
    ck_assert(asked("what came just before relay zorbulon tripped?", 0).absent);
}
END_TEST

/* Of all that a day holds about something, what was remarkable; the everyday is not listed. */
START_TEST(test_topic)
{
    int64_t home = stream_of(store, "home");
    for (int i = 0; i < 40; i++)
        remember(home, "home", T0 - 20 * HOUR + i * HOUR / 4, "door of the cellar closed");
    remember(home, "home", T0 - 9 * HOUR, "door of the cellar opened with badge jorewick");
    struct recall_answer a = asked("what happened with the cellar today?", 0);
    ck_assert(!a.absent);
    ck_assert_str_eq(a.records[0].text, "door of the cellar opened with badge jorewick");
    ck_assert_str_eq(a.items.items[0].through, "unusual");
    ck_assert(asked("what happened with the reactor today?", 0).absent);
    /* Nothing changed that is a fact: said, and not absent. */
    a = asked("what changed today?", 0);
    ck_assert_str_eq(a.form, "changed");
    ck_assert(!a.absent);
}
END_TEST

/* A record that was let go is still told of by the unusual run it stood in. */
START_TEST(test_let_go)
{
    int64_t log = stream_of(store, "log");
    struct unusual run = {.start = T0 - 50 * HOUR + 10 * US_PER_SECOND,
                          .end = T0 - 50 * HOUR + 10 * US_PER_SECOND,
                          .first = 1,
                          .last = 1,
                          .bits = 12,
                          .z = 9,
                          .score = 0.6f,
                          .why = "first line of its kind: fuse zinowick tripped"};
    int64_t id = remember_as(log, "log", T0 - 50 * HOUR, "nothing of note\nfuse zinowick tripped",
                             PATH_LATENT, &run);
    remember(log, "log", T0 - HOUR, "nothing of note");
    OK(store_begin(store, &err));
    OK(store_erase_evidence(store, id, &err));
    OK(store_commit(store, &err));
    struct recall_answer a = asked("when did fuse zinowick trip?", 0);
    ck_assert(!a.absent);
    ck_assert_int_eq(a.items.items[0].id, id);
    ck_assert_str_eq(a.records[0].text, "first line of its kind: fuse zinowick tripped");
    ck_assert_uint_eq(a.records[0].seq, 0);
    ck_assert_int_eq(a.records[0].time, run.start);
    a = asked("how often did fuse zinowick trip?", 0);
    ck_assert_int_eq(a.count, 1);
    ck_assert(a.at_least);
    ck_assert(asked("when did fuse goliborg trip?", 0).absent);
}
END_TEST

/* What stands next to a hit has its share of the answer, unless it is left out. */
START_TEST(test_neighbours)
{
    int64_t log = stream_of(store, "log");
    int64_t before = remember(log, "log", T0 - 3 * HOUR, "nothing of note");
    remember(log, "log", T0 - 2 * HOUR, "the glacier calved");
    int64_t after = remember(log, "log", T0 - HOUR, "all quiet");
    struct recall_question q = {.text = {"glacier calved", 14}, .filter = ALL};
    struct recall_answer a;
    OK(recall_ask(reader, &q, &arena, &a, &err));
    ck_assert_uint_eq(a.items.count, 3);
    ck_assert_int_eq(a.items.items[1].id, after);
    ck_assert_int_eq(a.items.items[2].id, before);
    ck_assert_str_eq(a.items.items[2].through, "neighbour");
    q.without.neighbours = true;
    OK(recall_ask(reader, &q, &arena, &a, &err));
    ck_assert_uint_eq(a.items.count, 1);
}
END_TEST

START_TEST(test_bounds)
{
    struct recall_answer a;
    struct recall_question q = {.text = {"x", 1}, .filter = ALL, .budget = RECALL_BUDGET_MAX + 1};
    ck_assert_int_eq(recall_ask(reader, &q, &arena, &a, &err), ERR_INVALID);
    q.budget = 0;
    q.limit = RECALL_LIMIT_MAX + 1;
    ck_assert_int_eq(recall_ask(reader, &q, &arena, &a, &err), ERR_INVALID);
    /* The caller's span and the question's have nothing in common. */
    a_night();
    q = (struct recall_question){.text = {"what happened yesterday?", 24}, .filter = ALL};
    q.filter.since = T0 - HOUR;
    OK(recall_ask(reader, &q, &arena, &a, &err));
    ck_assert(a.absent);
}
END_TEST

/* Words of any kind: it never fails, and what it writes is JSON. */
START_TEST(test_any_question)
{
    static const char *const texts[] = {
        "\xff\xff", "\"", "last night \"disk", "at at at", "log log log", "host, log?",
        "since",    "?!", "between 3 and",     "\xe2\x82"};
    a_night();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct recall_answer a = asked(texts[i], 0);
        struct buf out = {0};
        struct jsonw w;
        jsonw_init(&w, &out);
        recall_answer_json(&w, &a);
        ck_assert(!buf_failed(&out));
        ck_assert_ptr_nonnull(strstr(out.data, "\"absent\":"));
        buf_deinit(&out);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ask");
    TCase *t = tcase_create("ask");
    tcase_add_checked_fixture(t, memory_setup, memory_teardown);
    tcase_add_test(t, test_overview);
    tcase_add_test(t, test_overview_without_time);
    tcase_add_test(t, test_content);
    tcase_add_test(t, test_absent);
    tcase_add_test(t, test_told);
    tcase_add_test(t, test_a_line_with_its_own_time);
    tcase_add_test(t, test_archive);
    tcase_add_test(t, test_how_often);
    tcase_add_test(t, test_state);
    tcase_add_test(t, test_around);
    tcase_add_test(t, test_topic);
    tcase_add_test(t, test_let_go);
    tcase_add_test(t, test_neighbours);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_any_question);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
