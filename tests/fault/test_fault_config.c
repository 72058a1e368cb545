/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of reading a configuration fails once: an error comes back, nothing leaks. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "config/config.h"
#include "config/load.h"

static const char text[] = "[memory]\nbudget = 1GiB\ndirectory = /a\n"
                           "[redact]\npattern = one\npattern = 'two words'\n"
                           "[source x]\ntype = exec\ncommand = /bin/x \"a b\" c\nstream = y\n"
                           "[source z]\ntype = file\npath = /a /b\n";

static int load_text(struct config **ret, struct errmsg *err)
{
    return config_load_text("t.conf", text, strlen(text), ret, err);
}

static int load_command_line(struct config **ret, struct errmsg *err)
{
    char *argv[] = {"varved", "--state", "relative", "--socket", "/a/socket"};
    struct config_args args;
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    int rc = config_parse_args(5, argv, &args, err);
    return rc == 0 ? config_load(&args, ret, err) : rc;
}

/* Returns what came out when nothing failed any more; *ret_failures calls failed before. */
static struct config *sweep(int (*load)(struct config **ret, struct errmsg *err),
                            long *ret_failures)
{
    for (long n = 0;; n++) {
        struct config *c = NULL;
        struct errmsg err = {{0}};
        fault_config(FAULT_ALLOC, n, 1);
        int rc = load(&c, &err);
        long passed = fault_count(FAULT_ALLOC);
        fault_clear();
        if (rc == 0) {
            ck_assert_int_le(passed, n); /* the fault lay behind the last allocation */
            *ret_failures = n;
            return c;
        }
        ck_assert_int_eq(rc, ERR_NOMEM);
        ck_assert_ptr_null(c);
        ck_assert_ptr_nonnull(strstr(err.text, "out of memory"));
    }
}

START_TEST(every_allocation)
{
    long failures;
    struct config *c = sweep(load_text, &failures);
    ck_assert_int_gt(failures, 20);
    config_free(c);
}
END_TEST

START_TEST(every_allocation_of_the_command_line)
{
    long failures;
    struct config *c = sweep(load_command_line, &failures);
    ck_assert_int_gt(failures, 5);
    ck_assert_str_eq(c->ipc.socket, "/a/socket");
    config_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fault_config");
    TCase *t = tcase_create("alloc");
    tcase_add_test(t, every_allocation);
    tcase_add_test(t, every_allocation_of_the_command_line);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
