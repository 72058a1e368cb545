/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of many systems' lines are found, values masked and entities named, by shape alone. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/log_header.h"
#include "model/tokens.h"

/* A '\1' stands where the message begins. */
static const char *const headers[] = {
    "Jun 14 15:16:01 web1 sshd(pam_unix)[19939]: \1check pass; user unknown",
    "Dec  9 06:55:46 LabSZ sshd[24200]: \1Invalid user bob from 1.2.3.4",
    "Feb  3 10:00:00 box kernel[0]: \1Sleep: 5 times",
    "[Sun Dec 04 04:47:44 2005] [notice] \1jk2_init() ok",
    "2015-10-18 18:01:47,978 INFO [main] org.apache.x.App: \1Created 1",
    "2015-10-18 18:01:47,978 INFO [IPC Server handler 14 on 62270] a.b.C: \1Progress",
    "2015-07-29 17:41:44,747 - INFO  [Peer[myid=1]/0:0:0:0:2181:Election@774] - \1LOOKING",
    "17/06/09 20:10:40 INFO executor.Backend: \1Got task 0",
    "081109 203615 148 INFO dfs.DataNode$PacketResponder: \1PacketResponder 1",
    "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO \1parity "
    "error",
    "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO \1"
    "19220208 floating point alignment exceptions",
    "- 1131566461 2005.11.09 n2 Nov 9 12:01:01 n2/n2 crond[2915]: \1session closed",
    "20171223-22:15:29:606|Step_X|30002312|\1onChanged 3579",
    "03-17 16:13:38.811  1702  2395 D WindowManager: \1opening app",
    "[10.30 16:49:06] chrome.exe *64 - \1proxy.example.com:5070 close",
    "2016-09-28 04:30:30, Info                  CBS    \1Loaded Servicing Stack",
    "api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-3 1 - -] \1"
    "10.11.10.1 \"GET /v2 HTTP/1.1\" status: 200",
    "2020-01-01T10:00:00.123Z ERROR \1no room left",
    "2020-01-01 10:00:00,123 - my.module - WARNING - \1Hello there",
    "INFO executor.Executor: \1Running task 0.0 in stage 0.0 (TID 0)",
    "LabSZ sshd[24200]: \1Invalid user bob from 1.2.3.4",
    /* none */
    "\1Caroline: Hey Mel! Good to see you! How have you been?",
    "\1I went to the park on May 7 and it was fun.",
    "\1Error while reading: no such file",
    "\0013 apples and 4 pears",
    "\1",
    "\1   ",
    "\1\tat org.example.Main(Main.java:12)",
};

START_TEST(test_headers)
{
    char line[256];
    const char *mark = strchr(headers[_i], 1);
    size_t at = (size_t)(mark - headers[_i]), rest = strlen(mark + 1);
    memcpy(line, headers[_i], at);
    memcpy(line + at, mark + 1, rest + 1);
    ck_assert_msg(log_header_end(line, at + rest) == at, "%s: message at %zu, not %zu", line,
                  log_header_end(line, at + rest), at);
}
END_TEST

static const char *const masks[][2] = {
    {"Failed password for root from 10.0.0.1 port 42 ssh2",
     "Failed password for root from <*> port <*>"},
    {"blk_1 blk_-2 blk_3", "<*>"},
    {"took 5.2 KB and 30 seconds.", "took <*> and <*>"},
    {"lifetime <1 sec", "lifetime <<*>"},
    {"rhost=1.2.3.4  user=root", "rhost=<*> user=root"},
    {"tag=\"View Lock\", name=x", "tag=<*>, name=x"},
    {"ws=null, on=true", "ws=<*>, on=<*>"},
    {"visible = false now", "visible = <*> now"},
    {"read /etc/passwd and C:\\Temp\\a.txt", "read <*> and C:<*>"},
    {"illegal instruction......0", "illegal instruction.....<*>"},
    {"at Fri Jun 17 07:07:00 2005", "at <*>"},
    {"www.example.com:80 open", "<*> open"},
    {"google.com:80 open", "<*> open"},
    {"a.b.SCREEN_ON stays", "a.b.SCREEN_ON stays"},
    {"id 54fadb412c4e40cdbaed9335e4c35a9e and deadbeef", "id <*> and <*>"},
    {"f() {}", "f() {}"},
};

START_TEST(test_masks)
{
    struct tokens t;
    char got[256] = "";
    tokens_scan(masks[_i][0], strlen(masks[_i][0]), &t);
    for (uint32_t i = 0; i < t.count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? " " : "",
                 (int)t.token[i].text_size, t.masked + t.token[i].text);
    ck_assert_str_eq(got, masks[_i][1]);
}
END_TEST

static void one_number(const char *line, double want)
{
    struct tokens t;
    int found = 0;
    tokens_scan(line, strlen(line), &t);
    for (uint32_t i = 0; i < t.count; i++) {
        if (!t.token[i].number)
            continue;
        ck_assert_double_eq_tol(t.token[i].value, want, 1e-9);
        found++;
    }
    ck_assert_msg(found == 1, "%s: %d numbers", line, found);
}

START_TEST(test_numbers)
{
    one_number("load 3.25 now", 3.25);
    one_number("boot = -8768,", -8768);
    one_number("timeout of 10000ms exceeded", 10000);
    one_number("cpu at 97.5%", 97.5);
    one_number("size 67108864 of blk_12", 67108864);
    struct tokens t;
    const char *none = "0x1f a3b4 10.0.0.1 12:30:01 v1.2.3 part-00590";
    tokens_scan(none, strlen(none), &t);
    for (uint32_t i = 0; i < t.count; i++)
        ck_assert(!t.token[i].number);
}
END_TEST

START_TEST(test_bounds)
{
    struct tokens t;
    static char line[20000];
    for (int fill = 1; fill < 256; fill++) {
        memset(line, fill, sizeof line);
        tokens_scan(line, sizeof line, &t);
        ck_assert(t.count <= TOKENS_MAX && t.masked_size <= TOKENS_MASKED_MAX);
    }
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = i % 3 ? 'x' : ' ';
    tokens_scan(line, sizeof line, &t);
    ck_assert_uint_eq(t.count, TOKENS_MAX);
    tokens_scan("", 0, &t);
    ck_assert_uint_eq(t.count, 0);
}
END_TEST

static void has(const char *line, const char *kind, const char *name)
{
    struct entity_seen e[16];
    int n = tokens_entities(line, strlen(line), e, 16);
    for (int i = 0; i < n; i++)
        if (!strcmp(e[i].kind, kind) && !strcmp(e[i].name, name))
            return;
    ck_abort_msg("%s: no %s %s", line, kind, name);
}

START_TEST(test_entities)
{
    const char *ssh = "Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user bob from 173.234.31.186";
    has(ssh, "host", "LabSZ");
    has(ssh, "process", "sshd");
    has(ssh, "user", "bob");
    has(ssh, "address", "173.234.31.186");
    has("rhost=a.example.com  user=root", "host", "a.example.com");
    has("rhost=a.example.com  user=root", "user", "root");
    has("mail from jo.doe@example.org refused", "email", "jo.doe@example.org");
    has("[instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] ok", "uuid",
        "b9000564-fe1a-409b-b8cc-1e88b294cd1d");
    has("(/var/lib/x.db): checking", "path", "/var/lib/x.db");
    struct entity_seen e[4];
    const char *none = "authentication failure; logname= ruser= rhost= check pass; user unknown";
    ck_assert_int_eq(tokens_entities(none, strlen(none), e, 4), 0);
    const char *talk = "Caroline: I took my user manual to the park, e.g. on 12.5.";
    ck_assert_int_eq(tokens_entities(talk, strlen(talk), e, 4), 1); /* "manual" */
    const char *twice = "10.0.0.1 talks to 10.0.0.1 and 10.0.0.2";
    ck_assert_int_eq(tokens_entities(twice, strlen(twice), e, 4), 2);
    ck_assert_uint_eq(e[0].count, 2);
    ck_assert_int_eq(tokens_entities(twice, strlen(twice), e, 1), 1);
    ck_assert_int_eq(tokens_entities(twice, strlen(twice), e, 0), 0);
}
END_TEST

/* What a line says of names: "old = new", "name = address", or nothing. */
static const struct {
    const char *line, *same;
} said[] = {
    {"host web1 renamed to web-01", "R host web1 web-01"},
    {"Jan  1 00:00:00 gw sshd[1]: user \"bob\" was renamed to 'robert'.", "R user bob robert"},
    {"account anna is now known as carla", "R user anna carla"},
    {"Renamed service old-one to new-one!", "R process old-one new-one"},
    {"Hostname changed from alpha to beta-2", "R host alpha beta-2"},
    {"connected to db-02 (10.0.0.5) at last", "S host db-02 10.0.0.5"},
    {"from 24.54.76.216 (24-54-76-216.example.net) at noon", "S host 24-54-76-216.example.net 24.54.76.216"},
    {"getaddrinfo for ns.example.com [10.1.2.3] failed", "S host ns.example.com 10.1.2.3"},
    {"driver at mesos-1/10.10.34.11:55", "S host mesos-1 10.10.34.11"},
    /* Nothing of these is an identity. */
    {"file a.txt renamed to b.txt", ""},
    {"kernel: eth1: renamed from eth0", ""},
    {"host web1 renamed to", ""},
    {"user is renamed to the", ""},
    {"host same renamed to same", ""},
    {"connection from 10.0.0.7 to db-02", ""},
    {"failed (10.0.0.7)", ""},
    {"MININT-5/127.0.0.1:9000", ""},
    {"db-02 (10.0.0.5", ""},
    {"db-02 (10.0.0.5 and more)", ""},
    {"", ""},
    {"(10.0.0.5)", ""},
    {"/10.0.0.5:80", ""},
};

START_TEST(test_names_that_are_one)
{
    struct same_seen same[4];
    char text[300] = "";
    int n = tokens_same(said[_i].line, strlen(said[_i].line), same, 4);
    ck_assert_int_le(n, 1);
    if (n)
        snprintf(text, sizeof(text), "%c %s %s %s", same[0].renamed ? 'R' : 'S', same[0].kind[0],
                 same[0].name[0], same[0].name[1]);
    ck_assert_str_eq(text, said[_i].same);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tokens");
    TCase *c = tcase_create("tokens");
    tcase_add_loop_test(c, test_headers, 0, sizeof headers / sizeof *headers);
    tcase_add_loop_test(c, test_masks, 0, sizeof masks / sizeof *masks);
    tcase_add_loop_test(c, test_names_that_are_one, 0, (int)(sizeof(said) / sizeof(*said)));
    tcase_add_test(c, test_numbers);
    tcase_add_test(c, test_bounds);
    tcase_add_test(c, test_entities);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
