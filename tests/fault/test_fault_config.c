/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of reading a configuration fails once: an error comes back, nothing leaks. */
#include <check.h>
#include <string.h>

#include "base/fault.h"
#include "config/config.h"
#include "config/load.h"

static const char text[] = "[memory]\nbudget = 1GiB\ndirectory = /a\n"
                           "[redact]\npattern = one\npattern = 'two words'\n"
                           "[source x]\ntype = exec\ncommand = /bin/x \"a b\" c\nstream = y\n"
                           "[source z]\ntype = file\npath = /a /b\n";

START_TEST(every_allocation)
{
    long failures = 0;
    for (long n = 0;; n++) {
        struct config *c = NULL;
        struct errmsg err = {{0}};
        fault_config(FAULT_ALLOC, n, 1);
        int rc = config_load_text("t.conf", text, strlen(text), &c, &err);
        long passed = fault_count(FAULT_ALLOC);
        fault_clear();
        if (rc == 0) {
            ck_assert_int_le(passed, n); /* the fault lay behind the last allocation */
            config_free(c);
            break;
        }
        ck_assert_int_eq(rc, ERR_NOMEM);
        ck_assert_ptr_null(c);
        ck_assert_ptr_nonnull(strstr(err.text, "out of memory"));
        failures++;
    }
    ck_assert_int_gt(failures, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fault_config");
    TCase *t = tcase_create("alloc");
    tcase_add_test(t, every_allocation);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
