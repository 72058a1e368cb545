/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "daemon/seqs.h"

START_TEST(test_order_gaps_and_resends)
{
    struct seqs *s;
    ck_assert_int_eq(seqs_new(0, &s), 0);
    ck_assert_uint_eq(seqs_next(s), 1);
    ck_assert(!seqs_take(s, 1, 100));
    ck_assert(!seqs_take(s, 2, 200));
    ck_assert(seqs_take(s, 5, 500));
    ck_assert_uint_eq(seqs_next(s), 6);
    ck_assert_int_eq(seqs_check(s, 2, 200), SEQ_SAME);
    ck_assert_int_eq(seqs_check(s, 2, 201), SEQ_OTHER);
    ck_assert_int_eq(seqs_check(s, 4, 1), SEQ_OLD);
    ck_assert_int_eq(seqs_check(s, 6, 1), SEQ_NEW);
    ck_assert(!seqs_take(s, 4, 400));
    ck_assert_uint_eq(seqs_next(s), 6);
    ck_assert_int_eq(seqs_check(s, 4, 400), SEQ_SAME);
    seqs_free(s);
}
END_TEST

START_TEST(test_what_the_ring_lost_is_old)
{
    struct seqs *s;
    ck_assert_int_eq(seqs_new(10, &s), 0);
    ck_assert_int_eq(seqs_check(s, 9, 1), SEQ_OLD);
    for (uint64_t i = 10; i < 100000; i++)
        seqs_take(s, i, i * 3);
    ck_assert_int_eq(seqs_check(s, 10, 30), SEQ_OLD);
    ck_assert_int_eq(seqs_check(s, 99999, 299997), SEQ_SAME);
    ck_assert_int_eq(seqs_check(s, 95000, 285000), SEQ_SAME);
    ck_assert_int_eq(seqs_check(s, 95000, 1), SEQ_OTHER);
    seqs_free(s);
}
END_TEST

START_TEST(test_a_refused_number_is_free_again)
{
    struct seqs *s;
    ck_assert_int_eq(seqs_new(1, &s), 0);
    seqs_take(s, 1, 11);
    seqs_untake(s, 1);
    ck_assert_int_eq(seqs_check(s, 1, 12), SEQ_OLD);
    seqs_untake(s, 7);
    seqs_rewind(s, 1);
    ck_assert_uint_eq(seqs_next(s), 1);
    ck_assert_int_eq(seqs_check(s, 1, 12), SEQ_NEW);
    ck_assert(!seqs_take(s, 1, 12));
    seqs_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("seqs");
    TCase *t = tcase_create("all");
    tcase_add_test(t, test_order_gaps_and_resends);
    tcase_add_test(t, test_what_the_ring_lost_is_old);
    tcase_add_test(t, test_a_refused_number_is_free_again);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
