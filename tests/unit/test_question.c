/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of questions, what they are about, and claims that no evidence supports. */
#include <time.h>

#include "memory/claims.h"
#include "memory/question.h"
#include "tests/unit/recall_fixture.h"

#define HOUR US_PER_HOUR

static const struct {
    const char *text;
    enum question_kind kind;
    enum question_which which;
    const char *about;
} forms[] = {
    {"", QUESTION_PLAIN, QUESTION_ANY, ""},
    {"disk full", QUESTION_PLAIN, QUESTION_ANY, "disk full"},
    {"How often did the pump fail on Tuesday?", QUESTION_COUNT, QUESTION_ANY,
     "the pump fail on Tuesday"},
    {"please tell me how many times sshd was restarted", QUESTION_COUNT, QUESTION_ANY,
     "sshd was restarted"},
    {"How many failed logins were there yesterday?", QUESTION_COUNT, QUESTION_ANY,
     "failed logins yesterday"},
    {"how many sectors did drive sda have?", QUESTION_AMOUNT, QUESTION_ANY,
     "sectors did drive sda have"},
    {"When did the backup last fail?", QUESTION_WHEN, QUESTION_LAST, "the backup fail"},
    {"when did the backup fail last week?", QUESTION_WHEN, QUESTION_ANY,
     "the backup fail last week"},
    {"when was the first time that we saw an alarm?", QUESTION_WHEN, QUESTION_FIRST, "alarm"},
    {"What was the most recent time that there was a rollback?", QUESTION_WHEN, QUESTION_LAST,
     "rollback"},
    {"since when has room 3 had 21.5?", QUESTION_WHEN, QUESTION_FIRST, "room 3 had 21.5"},
    {"What came just before the restart?", QUESTION_BEFORE, QUESTION_ANY, "the restart"},
    {"what preceded the restart?", QUESTION_BEFORE, QUESTION_ANY, "the restart"},
    {"why did we get the restart?", QUESTION_BEFORE, QUESTION_ANY, "the restart"},
    {"what happened right after the deploy of build 7?", QUESTION_AFTER, QUESTION_ANY,
     "the deploy of build 7"},
    {"What followed the deploy?", QUESTION_AFTER, QUESTION_ANY, "the deploy"},
    {"what changed between Monday and Wednesday?", QUESTION_CHANGED, QUESTION_ANY,
     "between Monday and Wednesday"},
    {"when did the backup fail in the last two hours?", QUESTION_WHEN, QUESTION_ANY,
     "the backup fail in the last two hours"},
    {"was the cpu of server normal last night?", QUESTION_NORMAL, QUESTION_ANY,
     "was the cpu of server normal last night"},
    {"What is the usual cpu on a Monday night?", QUESTION_USUAL, QUESTION_ANY,
     "cpu on a Monday night"},
    {"which version does nginx run at present?", QUESTION_STATE, QUESTION_ANY,
     "version does nginx run"},
    {"did we see a fire?", QUESTION_EXISTS, QUESTION_ANY, "a fire"},
    {"was there a fire on Friday?", QUESTION_EXISTS, QUESTION_ANY, "fire on Friday"},
    {"\xff\xfe?? \"when\"", QUESTION_PLAIN, QUESTION_ANY, "\xff\xfe?? \"when"},
};

START_TEST(test_forms)
{
    struct question q;
    question_parse((struct slice){forms[_i].text, strlen(forms[_i].text)}, &q);
    ck_assert_msg(q.kind == forms[_i].kind, "%s: %s", forms[_i].text, question_form_name(q.kind));
    ck_assert_msg(q.which == forms[_i].which, "%s: %d", forms[_i].text, q.which);
    ck_assert_str_eq(q.about, forms[_i].about);
}
END_TEST

static bool unsupported(const char *question, const char *const *texts, uint32_t count)
{
    struct slice slices[8];
    struct claim claim;
    for (uint32_t i = 0; i < count; i++)
        slices[i] = (struct slice){texts[i], strlen(texts[i])};
    return claims_unsupported(store_df(store), (struct slice){question, strlen(question)}, slices,
                              count, &claim);
}

/* A name in the place of a name is another thing; other words in other places are not. */
static const struct {
    const char *text;
    enum stream_kind kind;
    bool meanwhile;
    const char *about;
} senses[] = {
    {"when did the camera go dark on Friday?", KIND_VIDEO, false, "dark on Friday"},
    {"when was there motion in the picture?", KIND_VIDEO, false, "there motion"},
    {"When did we hear a knock?", KIND_AUDIO, false, "a knock"},
    {"how often did the microphone hear something?", KIND_AUDIO, false, ""},
    {"did anybody speak on Tuesday?", 0, false, "speak on Tuesday"},
    {"when was there a knock?", 0, false, "there a knock"},
    {"what was heard at the time of the restart of sshd?", KIND_AUDIO, true, "the restart of sshd"},
    {"What did the camera see when the pump failed?", KIND_VIDEO, true, "pump failed"},
    {"what else happened when there was a knock?", 0, true, "a knock"},
    {"which file was seen?", 0, false, "file was seen"},
};

START_TEST(test_senses)
{
    struct question q;
    struct question_sense sense;
    question_parse((struct slice){senses[_i].text, strlen(senses[_i].text)}, &q);
    question_cut_sense(&q, &sense);
    ck_assert_msg(sense.kind == senses[_i].kind && sense.meanwhile == senses[_i].meanwhile,
                  "%s: %d, %d", senses[_i].text, sense.kind, sense.meanwhile);
    ck_assert_str_eq(q.about, senses[_i].about);
}
END_TEST

START_TEST(test_claims)
{
    static const char *const lines[] = {"pump restarted by technician goliborg",
                                        "pump restarted by technician mironix",
                                        "valve opened by technician kelenix"};
    int64_t log = stream_of(store, "log");
    for (int i = 0; i < 3; i++)
        remember(log, "log", T0 + i * HOUR, lines[i]);
    ck_assert(unsupported("the restart by technician zebulon", lines, 3));
    ck_assert(unsupported("the restart by technician mironix", lines, 1));
    ck_assert(!unsupported("the restart by technician mironix", lines, 3));
    ck_assert(!unsupported("the pump restarted", lines, 3));
    ck_assert(!unsupported("technician said", lines, 3));
    ck_assert(!unsupported("", lines, 3));
    ck_assert(!unsupported("the restart by technician zebulon", lines, 0));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("question");
    TCase *t = tcase_create("question");
    tcase_add_checked_fixture(t, memory_setup, memory_teardown);
    tcase_add_loop_test(t, test_forms, 0, sizeof(forms) / sizeof(*forms));
    tcase_add_loop_test(t, test_senses, 0, sizeof(senses) / sizeof(*senses));
    tcase_add_test(t, test_claims);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
