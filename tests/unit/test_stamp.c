/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/stamp.h"
#include "tests/unit/time_fixture.h"

#define TIME "2026-11-23T03:12:00Z"

struct row {
    const char *line, *left; /* NULL: nothing goes */
};

static void check(const struct row *r, int64_t us)
{
    size_t size = stamp_size(r->line, strlen(r->line), us);
    const char *left = r->left ? r->left : r->line;
    ck_assert_msg(strcmp(r->line + size, left) == 0, "\"%s\": left \"%s\"", r->line,
                  r->line + size);
}

START_TEST(test_stamps)
{
    static const struct row rows[] = {
        {"2026-11-23 03:12:00 door open", "door open"},
        {"2026-11-23T03:12:00Z door open", "door open"},
        {"2026-11-23T03:12:00.250000+00:00\tdoor open", "door open"},
        {"2026-11-23 04:12:00,250+0100 door open", "door open"},
        {"2026/11/23 03:12 door open", "door open"},
        {"Nov 23 03:12:00 host door: open", "host door: open"},
        {"nov 23 08:42:00 in another zone", "in another zone"},
        {"[23/Nov/2026:03:12:00 +0000] \"GET /\"", "\"GET /\""},
        {"[2026-11-23 03:12:00] door open", "door open"},
        {"2026-11-23 03:12:00: door open", "door open"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        check(&rows[i], at(TIME));
        /* Of the record's fraction the line need not know. */
        check(&rows[i], at(TIME) + US_PER_SECOND - 1);
    }
    check(&(struct row){"Nov  3 03:12:00 a", "a"}, at("2026-11-03T03:12:00Z"));
}
END_TEST

START_TEST(test_what_stays)
{
    static const struct row rows[] = {
        {"2026-12-01 09:00 dentist", NULL},
        {"2026-11-23 03:13:00 a minute later", NULL},
        {"2026-11-23 03:12:01 a second later", NULL},
        {"2026-11-24 03:12:00 the day after", NULL},
        {"2026-11-23 03:12:00", NULL},
        {"2026-11-23 03:12:00  ", NULL},
        {"2026-11-23 03:12:00is glued", NULL},
        {"2026-11-23 is a day", NULL},
        {"[2026-11-23 03:12:00 is open", NULL},
        {"Nov 23 was cold", NULL},
        {"Nov", NULL},
        {"door 2026-11-23 03:12:00", NULL},
        {"03:12:00 door", NULL},
        {"99999999999-11-23 03:12:00 x", NULL},
        {"", NULL},
        {"2026-11-23 03:12:00 -1200 sold", "-1200 sold"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], at(TIME));
    check(&(struct row){"2026-11-23 03:12:00 x", NULL}, 0);
    check(&(struct row){"2026-11-23 03:12:00 x", NULL}, INT64_MAX);
}
END_TEST

/* No byte behind a piece of a line is looked at. */
START_TEST(test_cut)
{
    static const char line[] = "[23/Nov/2026:03:12:00 +0000] x";
    for (size_t n = 0; n < sizeof(line) - 1; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, line, n);
        ck_assert_uint_eq(stamp_size(cut, n, at(TIME)), 0);
        free(cut);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stamp");
    TCase *t = tcase_create("stamp");
    tcase_add_test(t, test_stamps);
    tcase_add_test(t, test_what_stays);
    tcase_add_test(t, test_cut);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
