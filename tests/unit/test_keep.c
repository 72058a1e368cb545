/* SPDX-License-Identifier: Apache-2.0 */
/* What goes when room is short, what stays, and that the file stays in its bounds. */
#include <math.h>
#include <sys/stat.h>

#include "memory/erase.h"
#include "memory/keep_internal.h"
#include "model/kernels.h"
#include "tests/unit/store_fixture.h"

#define MIB (1 << 20)

static struct store_budget budget_of(double mib, enum keep_evict evict)
{
    return (struct store_budget){.bytes = (int64_t)(mib * MIB),
                                 .share = {0.4, 0.4, 0.12, 0.06, 0.04},
                                 .pinned = 0.1,
                                 .evict = evict,
                                 .sign = 1};
}

static int64_t total(void)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        char name[200];
        struct stat st;
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        sum += stat(name, &st) == 0 ? st.st_size : 0;
    }
    return sum;
}

static void make_room(struct store *s, int64_t need)
{
    int r;
    while ((r = store_make_room(s, need, &err)) == STORE_MORE)
        ck_assert_int_le(total(), 2 * MIB * 102 / 100);
    ck_assert_msg(r == 0, "%d %s", r, err.text);
}

static void consolidate(struct store *s)
{
    int r;
    while ((r = store_consolidate(s, &err)) == STORE_MORE)
        if (store_log_is_full(s))
            OK(store_checkpoint(s, false, &err));
    ck_assert_msg(r == 0, "%s", err.text);
}

/* Moments a minute apart from minute `first` on, as the daemon would lay them down. */
static void put_many(struct store *s, int64_t stream, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        make_room(s, 4096);
        put_moment(s, stream, (uint64_t)i * 20 + 1, 20, T0 + i * US_PER_MINUTE, END_GAP);
        if (store_log_is_full(s))
            OK(store_checkpoint(s, false, &err));
        if (i % 60 == 59)
            consolidate(s);
        ck_assert_int_le(total(), 2 * MIB * 102 / 100);
    }
    consolidate(s);
    make_room(s, 0);
}

START_TEST(test_stays_in_bounds)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_COVERAGE);
    struct store_usage u;
    int64_t stream = stream_of(s, "sys.log");
    store_set_budget(s, &b);
    put_many(s, stream, 0, 2000);
    OK(store_usage(s, &u, &err));
    ck_assert_int_gt(u.let_go[KEEP_EVIDENCE], 100);
    ck_assert_int_gt(u.let_go[KEEP_MOMENTS], 100);
    ck_assert_int_gt(u.count[KEEP_MOMENTS], 20);
    ck_assert_int_eq(u.count[KEEP_EVIDENCE], number("SELECT count(*) FROM evidence"));
    ck_assert_int_eq(u.bytes[KEEP_EVIDENCE], number("SELECT sum(length(block)) FROM evidence"));
    store_close(s);
    /* Nothing went before something above stood for it: all that ever was is still summed up. */
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=5"), 2000 * 20);
    check_sound();
    s = opened();
    struct store_usage again;
    OK(store_usage(s, &again, &err));
    ck_assert_int_eq(again.let_go[KEEP_MOMENTS], u.let_go[KEEP_MOMENTS]);
    ck_assert_double_eq(again.tau, u.tau);
    store_close(s);
}
END_TEST

static int64_t named(const char *pattern)
{
    char sql[120];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM entity WHERE name LIKE '%s'", pattern);
    return number(sql);
}

START_TEST(test_names_are_bounded)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_COVERAGE);
    int64_t stream = stream_of(s, "sys.log"), ids[2000];
    struct store_words *w = store_words_new();
    store_set_budget(s, &b);
    for (int i = 0; i < 2000; i++) {
        struct entity_seen seen[3] = {{"host", "web-01", 1}};
        const struct record record = {
            .seq = (uint64_t)i + 1, .time = T0 + i * 3 * US_PER_MINUTE, .text = {"a line", 6}};
        struct buf block = {0};
        for (int k = 1; k < 3; k++) {
            seen[k] = (struct entity_seen){.kind = "address", .count = 1};
            snprintf(seen[k].name, sizeof(seen[k].name), "10.0.%d.%d", i, k);
        }
        struct moment m = {.kind = KIND_TEXT,
                           .start = record.time,
                           .end = record.time,
                           .records = &record,
                           .record_count = 1,
                           .ended = END_GAP,
                           .model = 3,
                           .path = PATH_LATENT,
                           .entities = seen,
                           .entity_count = 3};
        snprintf(m.title, sizeof(m.title), "title %d", i);
        OK(evidence_encode(&record, 1, 3, &block));
        OK(words_index(&m, "sys.log", NULL, 0, w));
        make_room(s, 4096);
        OK(store_begin(s, &err));
        OK(store_moment_put(s, stream, &m, (struct slice){block.data, block.size}, w, &ids[i],
                            &err));
        OK(store_commit(s, &err));
        buf_deinit(&block);
        if (i % 60 == 59)
            consolidate(s);
    }
    store_words_free(w);
    consolidate(s);
    for (int i = 1600; i < 1950; i++) { /* of the last day: no name of it goes for its age */
        OK(store_begin(s, &err));
        OK(store_erase_moment(s, ids[i], ERASE_EVICT, &err));
        OK(store_commit(s, &err));
    }
    store_close(s);
    ck_assert_int_eq(named("web-01"), 1);
    ck_assert_int_eq(named("10.0.1999.1"), 1);
    /* Four days and a bit of 960 names each; room for 500, and a day's names that stay. */
    ck_assert_int_lt(named("%"), 500 + 128 + 960);
    /* Of what went, only the name that was met throughout stays for sure. */
    ck_assert_int_gt(number("SELECT count(*) FROM moment WHERE stratum<0"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM (SELECT count(*) AS n FROM entity_moment x JOIN "
                            "moment m ON m.id=x.moment WHERE m.stratum=-1 GROUP BY m.id) "
                            "WHERE n>16"),
                     0);
    ck_assert_int_eq(number("SELECT count(*) FROM moment m WHERE stratum<0 AND NOT EXISTS (SELECT "
                            "1 FROM entity_moment x JOIN entity e ON e.id=x.entity WHERE "
                            "x.moment=m.id AND e.name='web-01')"),
                     0);
    check_sound();
}
END_TEST

START_TEST(test_first_in_first_out)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_FIFO);
    int64_t stream = stream_of(s, "sys.log");
    store_set_budget(s, &b);
    put_many(s, stream, 0, 1500);
    store_close(s);
    ck_assert_int_lt(number("SELECT max(m.id) FROM moment m WHERE stratum=0 AND NOT EXISTS "
                            "(SELECT 1 FROM evidence e WHERE e.moment=m.id)") -
                         number("SELECT min(moment) FROM evidence"),
                     64);
    ck_assert_int_gt(number("SELECT min(t_start) FROM moment WHERE stratum=0"), T0);
    check_sound();
}
END_TEST

START_TEST(test_pinned_and_used_stay)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_SALIENCE);
    int64_t stream = stream_of(s, "sys.log"), pinned, used;
    store_set_budget(s, &b);
    pinned = put_moment(s, stream, 1000001, 20, T0 - US_PER_HOUR, END_GAP);
    used = put_moment(s, stream, 1000021, 20, T0 - US_PER_HOUR + US_PER_MINUTE, END_GAP);
    OK(store_begin(s, &err));
    OK(store_pin(s, pinned, true, &err));
    OK(store_commit(s, &err));
    for (int i = 0; i < 15; i++) {
        put_many(s, stream, i * 100, 100);
        const int64_t ids[] = {used, 1 << 30};
        OK(store_begin(s, &err));
        OK(store_touch(s, ids, 2, &err));
        OK(store_commit(s, &err));
    }
    store_close(s);
    char sql[160];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM evidence WHERE moment IN (%lld, %lld)",
             (long long)pinned, (long long)used);
    ck_assert_int_eq(number(sql), 2);
    ck_assert_int_lt(number("SELECT count(*) FROM moment WHERE stratum=0"), 1400);
    snprintf(sql, sizeof(sql), "SELECT hits FROM moment WHERE id=%lld", (long long)used);
    ck_assert_int_eq(number(sql), 15);
    check_sound();
}
END_TEST

/* What waits to be summed up may not go yet: old memories do not go in its stead. */
START_TEST(test_used_stay_when_much_waits)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_SALIENCE);
    int64_t stream = stream_of(s, "sys.log"), used[40];
    char sql[200];
    store_set_budget(s, &b);
    for (int i = 0; i < 40; i++)
        used[i] = put_moment(s, stream, 1000001 + 20 * (uint64_t)i, 20,
                             T0 - US_PER_HOUR + i * US_PER_MINUTE, END_GAP);
    consolidate(s);
    for (int k = 0; k < 15; k++) {
        OK(store_begin(s, &err));
        OK(store_touch(s, used, 40, &err));
        OK(store_commit(s, &err));
    }
    for (int i = 0; i < 1500; i++) {
        make_room(s, 4096);
        put_moment(s, stream, (uint64_t)i * 20 + 1, 20, T0 + i * US_PER_MINUTE, END_GAP);
        if (store_log_is_full(s))
            OK(store_checkpoint(s, false, &err));
    }
    consolidate(s);
    store_close(s);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM evidence WHERE moment BETWEEN %lld AND %lld",
             (long long)used[0], (long long)used[39]);
    ck_assert_int_gt(number(sql), 20);
    check_sound();
}
END_TEST

/* One record that takes room, with the surprise as given. */
static int64_t put_surprise(struct store *s, int64_t stream, const char *name, uint64_t seq,
                            int64_t time, double z)
{
    static char text[1000];
    uint64_t random = seq + 1;
    for (size_t i = 0; i < sizeof(text); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        text[i] = (char)('!' + (random >> 40) % 15);
    }
    const struct record record = {.seq = seq, .time = time, .text = {text, sizeof(text)}};
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time,
                       .records = &record,
                       .record_count = 1,
                       .ended = END_GAP,
                       .model = 3,
                       .path = PATH_LATENT,
                       .z = z,
                       .title = "lines"};
    return commit_moment(s, stream, name, &m);
}

/* The loud stream's z is twice what the quiet one's rare moments have. */
START_TEST(test_what_is_rare_for_its_stream_stays)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_SALIENCE);
    int64_t loud = stream_of(s, "loud"), quiet = stream_of(s, "quiet");
    store_set_budget(s, &b);
    for (int i = 0; i < 3000; i++) {
        int64_t time = T0 + i * 2 * US_PER_MINUTE;
        double off = i % 2 ? 0.25 : -0.25;
        make_room(s, 4096);
        if (i % 3)
            put_surprise(s, loud, "loud", (uint64_t)i + 1, time, 10 + off);
        else
            put_surprise(s, quiet, "quiet", (uint64_t)i + 1, time, i % 60 ? 2 + off : 5);
        if (store_log_is_full(s))
            OK(store_checkpoint(s, false, &err));
        if (i % 60 == 59)
            consolidate(s);
    }
    store_close(s);
    /* Of their evidence: it goes first. */
    int64_t all = number("SELECT count(*) FROM evidence");
    int64_t rare = number("SELECT count(*) FROM evidence e JOIN moment m ON m.id=e.moment "
                          "WHERE m.z=5");
    ck_assert_int_lt(all, 1500);
    ck_assert_int_gt(rare, 40); /* of 50 */
    check_sound();
}
END_TEST

/* A memory of another century does not lead all looks to where nothing is. */
START_TEST(test_far_times)
{
    struct store *s = opened();
    struct store_budget b = budget_of(16, KEEP_BY_SALIENCE);
    int64_t stream = stream_of(s, "sys.log"), id, first = INT64_MAX, last = 0;
    const int64_t far[] = {7258118400000000LL, 86400000000LL}; /* 2200, 1970 */
    store_set_budget(s, &b);
    OK(store_begin(s, &err));
    for (int i = 0; i < 2500; i++)
        OK(put_lines(s, stream, 1 + (uint64_t)i, 1, T0 + i * US_PER_MINUTE, PATH_LATENT, END_GAP,
                     &id));
    for (int i = 0; i < 2; i++) {
        OK(put_lines(s, stream, 3001 + (uint64_t)i, 1, far[i], PATH_LATENT, END_GAP, &id));
        OK(store_pin(s, id, true, &err));
    }
    OK(store_commit(s, &err));
    consolidate_all(s);
    OK(store_begin(s, &err));
    for (int i = 0; i < 2000; i++) {
        char sql[80];
        OK(keep_pick(s, KEEP_MOMENTS, true, &id, &err));
        snprintf(sql, sizeof(sql), "SELECT t_start FROM moment WHERE id=%lld", (long long)id);
        int64_t t = i % 40 ? first : number(sql);
        first = t < first ? t : first;
        last = t > last ? t : last;
    }
    store_rollback(s);
    /* Those of equal worth go by age; from the first place alone only 64 would be seen. */
    ck_assert_int_lt(first, T0 + 100 * US_PER_MINUTE);
    ck_assert_int_gt(last, T0 + 200 * US_PER_MINUTE);
    ck_assert_int_lt(last, T0 + 2500 * US_PER_MINUTE);
    store_close(s);
}
END_TEST

START_TEST(test_pins_are_bounded)
{
    struct store *s = opened();
    struct store_budget b = budget_of(2, KEEP_BY_COVERAGE);
    int64_t stream = stream_of(s, "sys.log"), id;
    int r = 0, n = 0;
    b.pinned = 0.01;
    store_set_budget(s, &b);
    for (; r == 0 && n < 100; n++) {
        id = put_moment(s, stream, (uint64_t)n * 20 + 1, 20, T0 + n * US_PER_MINUTE, END_GAP);
        OK(store_begin(s, &err));
        r = store_pin(s, id, true, &err);
        if (r == 0)
            r = store_pin(s, id, true, &err); /* again costs nothing */
        OK(store_commit(s, &err));
    }
    ck_assert_int_eq(r, ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "[memory] pinned"));
    ck_assert_int_gt(n, 3);
    struct store_usage u;
    OK(store_usage(s, &u, &err));
    ck_assert_int_le(u.pinned, 2 * MIB / 100);
    ck_assert_int_gt(u.pinned, MIB / 200);
    store_close(s);
}
END_TEST

/* A file that was filled without a budget is brought down to one, and its pages go back. */
START_TEST(test_pages_go_back)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log");
    for (int i = 0; i < 3000; i++)
        put_moment(s, stream, (uint64_t)i * 20 + 1, 20, T0 + i * US_PER_MINUTE, END_GAP);
    consolidate_all(s);
    store_close(s);
    s = opened();
    ck_assert_int_gt(total(), 5 * MIB / 2);
    struct store_budget b = budget_of(2, KEEP_BY_COVERAGE);
    store_set_budget(s, &b);
    int r, steps = 0;
    while ((r = store_make_room(s, 0, &err)) == STORE_MORE)
        ck_assert_int_lt(++steps, 20000);
    ck_assert_msg(r == 0, "%d %s", r, err.text);
    OK(store_checkpoint(s, true, &err));
    ck_assert_int_le(total(), 2 * MIB * 102 / 100);
    store_close(s);
    check_sound();
}
END_TEST

START_TEST(test_no_budget)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log");
    put_moment(s, stream, 1, 20, T0, END_GAP);
    ck_assert_int_eq(store_make_room(s, INT32_MAX, &err), 0);
    ck_assert(!store_log_is_full(s));
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keep");
    TCase *tcase = tcase_create("keep");
    sqlite_setup();
    if (model_blas_check(NULL) != 0)
        return 1;
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_stays_in_bounds);
    tcase_add_test(tcase, test_names_are_bounded);
    tcase_add_test(tcase, test_first_in_first_out);
    tcase_add_test(tcase, test_pinned_and_used_stay);
    tcase_add_test(tcase, test_used_stay_when_much_waits);
    tcase_add_test(tcase, test_what_is_rare_for_its_stream_stays);
    tcase_add_test(tcase, test_far_times);
    tcase_add_test(tcase, test_pins_are_bounded);
    tcase_add_test(tcase, test_pages_go_back);
    tcase_add_test(tcase, test_no_budget);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
