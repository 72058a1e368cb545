/* SPDX-License-Identifier: Apache-2.0 */
/* Built with -Dfault=true: every allocation and every file operation of a store's life fails once. */
#include <unistd.h>

#include "base/fault.h"
#include "tests/unit/store_fixture.h"

/* How many moments of the scenario were committed. */
static int committed;

static int write_moment(struct store *s, int64_t stream, uint64_t seq, struct slice batch)
{
    int64_t id, pending;
    int r = store_begin(s, &err);
    if (r)
        return r;
    r = store_pending_put(s, stream, seq, seq + 19, 20, batch, &pending, &err);
    if (r == 0)
        r = put_lines(s, stream, seq, 20, T0 + (int64_t)seq * US_PER_SECOND,
                      seq % 2 ? PATH_LATENT : PATH_DISCRETE, END_SHIFT, &id);
    if (r == 0)
        r = store_pending_delete(s, pending, &err);
    if (r == 0)
        r = store_state_put(s, "cursor", batch, &err);
    if (r == 0)
        r = store_commit(s, &err);
    if (r)
        store_rollback(s);
    else
        committed++;
    return r;
}

/* A failed step is tried again once, as the writer does; what fails twice ends it. */
static int scenario(void)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = &now, .no_sync = true, .cache_kib = 100};
    int64_t stream = 0;
    int r = store_open(&o, &s, &err);
    if (r)
        return r;
    for (int try = 0; try < 2 && stream == 0; try++) {
        r = store_begin(s, &err);
        if (r == 0)
            r = store_stream_create(s, "a", KIND_TEXT, "test", &stream, &err);
        struct store_stream all = {.id = stream, .source = "", .next_seq = 1 << 30,
                                   .first_time = TIME_UNKNOWN};
        if (r == 0)
            r = store_stream_update(s, &all, &err);
        if (r == 0)
            r = store_commit(s, &err);
        if (r) {
            stream = 0;
            store_rollback(s);
        }
    }
    for (uint64_t seq = 1; seq < 80 && r == 0; seq += 21)
        if ((r = write_moment(s, stream, seq, (struct slice){"journal", 7})) != 0)
            r = write_moment(s, stream, seq, (struct slice){"journal", 7});
    for (int i = 0, failures = 0; i < 20 && failures < 2; i++)
        failures += store_consolidate(s, &err) < 0;
    store_checkpoint(s, true, &err);
    store_close(s);
    return r;
}

static void start_afresh(void)
{
    char name[200];
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
    committed = 0;
}

static void sweep(enum fault_site site, long step)
{
    long passed;
    fault_config(site, 1L << 40, 1);
    ck_assert_int_eq(scenario(), 0);
    passed = fault_count(site);
    ck_assert_int_gt(passed, 50);
    for (long n = 0; n < passed; n += step) {
        start_afresh();
        words_thread_deinit();
        err.text[0] = '\0';
        fault_config(site, n, 1);
        int r = scenario();
        fault_clear();
        ck_assert_msg(r == 0 || r == ERR_NOMEM || r == ERR_IO || r == ERR_FULL || r == ERR_CORRUPT,
                      "fault %ld: %d %s", n, r, err.text);
        ck_assert_msg(r == 0 || err.text[0], "fault %ld: no text", n);
        if (access(path, F_OK) != 0)
            continue;
        struct store *s = opened();
        consolidate_all(s);
        store_close(s);
        ck_assert_msg(verify_file(path, NULL, &err) == 0, "fault %ld: %s", n, err.text);
        ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), committed);
    }
}

START_TEST(test_allocations)
{
    sweep(FAULT_ALLOC, 67);
}
END_TEST

START_TEST(test_files)
{
    sweep(FAULT_VFS, 2);
}
END_TEST

/* The disk stays full: errors all the way, then nothing is lost of what was there. */
START_TEST(test_full_disk)
{
    ck_assert_int_eq(scenario(), 0);
    struct store *s = opened();
    fault_config(FAULT_VFS, 0, 1L << 40);
    ck_assert_int_ne(write_moment(s, 1, 1000, (struct slice){"x", 1}), 0);
    fault_clear();
    ck_assert_int_eq(write_moment(s, 1, 1000, (struct slice){"x", 1}), 0);
    store_close(s);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store_faults");
    TCase *t = tcase_create("faults");
    sqlite_setup();
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_allocations);
    tcase_add_test(t, test_files);
    tcase_add_test(t, test_full_disk);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
