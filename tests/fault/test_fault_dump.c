/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation and every read of varve-dump fails once: an error and status 1, never a crash.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "memory/dump/dump.h"
#include "tests/sample/sample_db.h"

#define MOMENTS 4
#define TRIES_MAX 20000

static char folder[64], path[96];
static int sink;

static void setup(void)
{
    struct errmsg err;
    snprintf(folder, sizeof(folder), "/tmp/varve-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/memory.db", folder);
    ck_assert_msg(sample_db_make(path, MOMENTS, NULL, &err) == 0, "%s", err.text);
    sink = open("/dev/null", O_WRONLY);
    ck_assert_int_ge(sink, 0);
}

static void teardown(void)
{
    char command[128];
    fault_clear();
    close(sink);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static int run(const char *how, char *said, size_t size)
{
    char *argv[] = {"varve-dump", path, (char *)how, NULL};
    memset(said, 0, size);
    FILE *errors = fmemopen(said, size, "w");
    int status = dump_run(3, argv, sink, errors);
    fclose(errors);
    return status;
}

static const char *const ways[] = {"--format=text", "--format=ndjson", "--format=html", "--records",
                                   "--stats"};

/* The first site passes so many times in a run; each of these is made to fail once. */
static void sweep(enum fault_site site, const char *how)
{
    char said[512];
    long step = 1, failed = 0;
    for (long n = 0; n < TRIES_MAX; n += step) {
        fault_config(site, n, 1);
        int status = run(how, said, sizeof(said));
        bool reached = fault_count(site) > n;
        fault_clear();
        if (!reached)
            break;
        ck_assert_msg(status == 0 || (status == 1 && strstr(said, "varve-dump: ")),
                      "%s, failure %ld: status %d: %s", how, n, status, said);
        failed += status == 1;
        step = 1 + n / 200; /* the first ones singly, then samples */
    }
    ck_assert_msg(failed > 0, "%s: nothing ever failed", how);
    ck_assert_int_eq(run(how, said, sizeof(said)), 0);
}

START_TEST(test_allocations)
{
    sweep(FAULT_ALLOC, ways[_i]);
}
END_TEST

START_TEST(test_reads)
{
    sweep(FAULT_VFS, ways[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault_dump");
    TCase *tc = tcase_create("sweep");
    tcase_set_timeout(tc, 100);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_allocations, 0, (int)(sizeof(ways) / sizeof(ways[0])));
    tcase_add_loop_test(tc, test_reads, 0, (int)(sizeof(ways) / sizeof(ways[0])));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
