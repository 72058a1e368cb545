/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/facts.h"

struct example {
    const char *line;
    bool talk;
    const char *subject, *value, *old; /* subject NULL: states nothing */
};

static const struct example examples[] = {
    {"thermostat in room vanoke: setpoint changed from 19.0 to 20.5 degrees", false,
     "thermostat in room vanoke setpoint", "20.5", "19.0"},
    {"thermostat in room vanoke: setpoint is 19.0 degrees", false,
     "thermostat in room vanoke setpoint", "19.0", ""},
    {"INFO task mirafo handed over from alice to bob", false, "task mirafo owner", "bob", "alice"},
    {"INFO task mirafo belongs to alice", false, "task mirafo owner", "alice", ""},
    {"dnsmasq: host nas moved from address 10.3.1.2 to 10.3.9.9", false, "dnsmasq host nas address",
     "10.3.9.9", "10.3.1.2"},
    {"dnsmasq: host nas has address 10.3.1.2", false, "dnsmasq host nas address", "10.3.1.2", ""},
    {"INFO service orders upgraded from 3.14.1 to 3.20.0", false, "service orders version",
     "3.20.0", "3.14.1"},
    {"INFO service orders runs version 3.14.1", false, "service orders version", "3.14.1", ""},
    {"sshd[902]: account eve role changed from reader to admin", false, "sshd account eve role",
     "admin", "reader"},
    {"volume label set to \"Archive 2\".", false, "volume label", "Archive 2", ""},
    {"node7 renamed to node7-old", false, "node7 name", "node7-old", ""},
    {"max_connections = 200", false, "max_connections", "200", ""},
    {"The front door code is now 4711.", true, "front door code", "4711", ""},
    {"The front door code is 4711", true, "front door code", "4711", ""},
    {"Our landlord is Mr. Hansen", true, "landlord", NULL, ""},
    {"It is now 20 degrees", true, NULL, NULL, NULL},
    {"I moved to Berlin", true, NULL, NULL, NULL},
    {"My dog is cute", true, NULL, NULL, NULL},
    {"What is the code now?", true, NULL, NULL, NULL},
    {"Accepted password for root from 10.0.0.1 port 22 ssh2", false, NULL, NULL, NULL},
    {"connection from 10.0.0.1 to 10.0.0.2 closed", false, NULL, NULL, NULL},
    {"pam_unix(sshd:session): session opened for user ida", false, NULL, NULL, NULL},
    {"is now", false, NULL, NULL, NULL},
    {"", false, NULL, NULL, NULL},
};

START_TEST(test_examples)
{
    const struct example *e = &examples[_i];
    struct fact_seen f;
    bool found = facts_find((struct slice){e->line, strlen(e->line)}, e->talk, &f);
    ck_assert_msg(found == (e->subject != NULL), "%s: \"%s\" \"%s\"", e->line, f.subject, f.value);
    if (!found)
        return;
    ck_assert_str_eq(f.subject, e->subject);
    if (e->value)
        ck_assert_str_eq(f.value, e->value);
    ck_assert_str_eq(f.old, e->old);
}
END_TEST

/* Any bytes at all; long words and long lines. */
START_TEST(test_rubbish)
{
    static const char *const parts[] = {"from",    "to",       "changed", "is", "now", " ",
                                        "  ",      "\"",       ":",       "A",  "=",   "has",
                                        "version", "\xc3\xa4", "x[",      ".",  "1.2"};
    struct fact_seen f;
    char line[500];
    uint64_t random = 7;
    for (int round = 0; round < 100000; round++) {
        size_t n = 0;
        for (int k = 0; k < 30; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const char *part = parts[(random >> 33) % (sizeof(parts) / sizeof(*parts))];
            size_t size = strlen(part), times = (random >> 50) % 97 == 0 ? 20 : 1;
            for (; times > 0 && n + size + 1 < sizeof(line); times--) {
                memcpy(line + n, part, size);
                n += size;
            }
            if ((random >> 20) % 3 && n + 1 < sizeof(line))
                line[n++] = ' ';
        }
        if (facts_find((struct slice){line, n}, round % 2, &f)) {
            ck_assert(f.subject[0] && f.value[0]);
            ck_assert(memchr(f.subject, 0, sizeof(f.subject)) &&
                      memchr(f.value, 0, sizeof(f.value)));
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("facts");
    TCase *t = tcase_create("wording");
    tcase_add_loop_test(t, test_examples, 0, sizeof(examples) / sizeof(*examples));
    tcase_add_test(t, test_rubbish);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
