/* SPDX-License-Identifier: Apache-2.0 */
/* The host's numbers from a folder that looks like /proc and /sys. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sources/host_metrics.h"

static char root[64];

static void put(const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void make_root(void)
{
    strcpy(root, "/tmp/varve-host-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void drop_root(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

static struct {
    char name[96];
    double value;
} got[200];
static int got_count;

static void take(void *arg, const char *name, double value)
{
    snprintf(got[got_count].name, sizeof(got[0].name), "%s", name);
    got[got_count++].value = value;
}

static double value(const char *name)
{
    for (int i = 0; i < got_count; i++)
        if (strcmp(got[i].name, name) == 0)
            return got[i].value;
    return NAN;
}

static void sample(struct host_metrics *h, int64_t mono)
{
    got_count = 0;
    host_metrics_sample(h, mono, take, NULL);
}

#define NETDEV_HEAD "Inter-|   Receive  |  Transmit\n face |bytes packets\n"

START_TEST(test_rates_and_levels)
{
    put("/proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\nctxt 5\nprocesses 1000\nprocs_running 3\n"
                      "procs_blocked 1\n");
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\nDirty: 2048 kB\n"
                         "SwapTotal: 200 kB\nSwapFree: 150 kB\n");
    put("/proc/loadavg", "0.42 0.1 0.05 1/100 7\n");
    put("/proc/pressure/io", "some avg10=1.50 avg60=0 avg300=0 total=1\nfull avg10=9\n");
    put("/proc/diskstats", "   8  0 sda 10 0 100 5 20 0 200 9 0 1000 14\n"
                           "   8  1 sda1 10 0 100 5 20 0 200 9 0 1000 14\n"
                           "   7  0 loop0 1 1 1 1 1 1 1 1 1 1 1\n");
    put("/proc/net/dev", NETDEV_HEAD "  eth0: 1024 1 0 0 0 0 0 0 2048 1 0 0 0 0 0 0\n"
                                     "    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n");
    put("/sys/class/hwmon/hwmon0/name", "core temp\n");
    put("/sys/class/hwmon/hwmon0/temp1_input", "42500\n");
    struct host_metrics *h;
    ck_assert_int_eq(host_metrics_new(root, &h), 0);
    sample(h, 1000000);
    ck_assert(isnan(value("cpu.busy")));
    ck_assert_double_eq_tol(value("memory.used"), 60, 1e-9);
    ck_assert_double_eq_tol(value("swap.used"), 25, 1e-9);
    ck_assert_double_eq_tol(value("memory.dirty_mib"), 2, 1e-9);
    ck_assert_double_eq_tol(value("load.1min"), 0.42, 1e-9);
    ck_assert_double_eq_tol(value("pressure.io"), 1.5, 1e-9);
    ck_assert_double_eq_tol(value("temperature.core_temp.1"), 42.5, 1e-9);
    ck_assert_double_eq(value("processes.running"), 3);
    put("/proc/stat", "cpu  150 0 100 1700 150 0 0 0 0 0\nprocesses 1010\nprocs_running 2\n"
                      "procs_blocked 0\n");
    put("/proc/diskstats", "   8  0 sda 10 0 500 5 20 0 1200 9 0 2000 14\n");
    put("/proc/net/dev", NETDEV_HEAD "  eth0: 21504 1 3 0 0 0 0 0 2048 1 1 0 0 0 0 0\n");
    sample(h, 3000000);
    ck_assert_double_eq_tol(value("cpu.busy"), 100.0 * 100 / 1100, 1e-6);
    ck_assert_double_eq_tol(value("cpu.iowait"), 100.0 * 100 / 1100, 1e-6);
    ck_assert_double_eq_tol(value("processes.started"), 5, 1e-9);
    ck_assert_double_eq_tol(value("disk.sda.read_kib"), 100, 1e-9);
    ck_assert_double_eq_tol(value("disk.sda.write_kib"), 250, 1e-9);
    ck_assert_double_eq_tol(value("disk.sda.busy"), 50, 1e-9);
    ck_assert_double_eq_tol(value("network.eth0.received_kib"), 10, 1e-9);
    ck_assert_double_eq_tol(value("network.eth0.errors"), 2, 1e-9);
    ck_assert(isnan(value("disk.sda1.busy")));
    ck_assert(isnan(value("network.lo.errors")));
    host_metrics_free(h);
}
END_TEST

START_TEST(test_counters_that_fell_back)
{
    put("/proc/net/dev", NETDEV_HEAD "  eth0: 90000 1 0 0 0 0 0 0 2048 1 0 0 0 0 0 0\n");
    struct host_metrics *h;
    ck_assert_int_eq(host_metrics_new(root, &h), 0);
    sample(h, 1000000);
    put("/proc/net/dev", NETDEV_HEAD "  eth0: 10 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n");
    sample(h, 2000000);
    ck_assert_double_eq(value("network.eth0.received_kib"), 0);
    host_metrics_free(h);
}
END_TEST

START_TEST(test_nothing_there)
{
    struct host_metrics *h;
    ck_assert_int_eq(host_metrics_new(root, &h), 0);
    sample(h, 1000000);
    ck_assert_int_eq(got_count, 0);
    put("/proc/stat", "nonsense");
    put("/proc/diskstats", "8 0");
    put("/proc/net/dev", "::::\n:");
    sample(h, 70000000);
    sample(h, 71000000);
    host_metrics_free(h);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("host_metrics");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, make_root, drop_root);
    tcase_add_test(t, test_rates_and_levels);
    tcase_add_test(t, test_counters_that_fell_back);
    tcase_add_test(t, test_nothing_there);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
