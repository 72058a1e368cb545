/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/redact.h"

#define R "[redacted]"

struct row {
    const char *text, *expected; /* NULL: stays as it is */
};

static void check(struct redactor *r, const struct row *row)
{
    struct buf out = {0};
    int rc = redactor_apply(r, row->text, strlen(row->text), &out);
    if (row->expected) {
        ck_assert_msg(rc == REDACTED, "%s: nothing taken out", row->text);
        buf_putc(&out, '\0');
        ck_assert_str_eq(out.data, row->expected);
    } else {
        ck_assert_msg(rc == 0, "%s -> %.*s", row->text, (int)out.size, out.data ? out.data : "");
    }
    buf_deinit(&out);
}

static void check_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct redactor *r;
        ck_assert_int_eq(redactor_new(true, &r), 0);
        check(r, &rows[i]);
        redactor_free(r);
    }
}

START_TEST(test_secrets)
{
    static const struct row rows[] = {
        {"password=hunter2", "password=" R},
        {"PASSWORD = hunter2 done", "PASSWORD = " R " done"},
        {"user=bob password=hunter2 host=db", "user=bob password=" R " host=db"},
        {"user=bob,password=hunter2,host=db", "user=bob,password=" R ",host=db"},
        {"password=ab,cd!ef", "password=" R},
        {"Server=x;Password=p;w;Database=d", "Server=x;Password=" R ";Database=d"},
        {"{\"password\":\"x\"}", "{\"password\":\"" R "\"}"},
        {"{\"password\": \"a\\\"b\", \"n\": 1}", "{\"password\": \"" R "\", \"n\": 1}"},
        {"msg=\"{\\\"password\\\":\\\"x y\\\"}\"", "msg=\"{\\\"password\\\":\\\"" R "\\\"}\""},
        {"{'api_key': 'abc def'}", "{'api_key': '" R "'}"},
        {"password: hunter2", "password: " R},
        {"password => hunter2", "password => " R},
        {"db_password=hunter2", "db_password=" R},
        {"spring.datasource.password=hunter2", "spring.datasource.password=" R},
        {"userPassword: \"x y z\"", "userPassword: \"" R "\""},
        {"GET /?token=abc123&x=1", "GET /?token=" R "&x=1"},
        {"access_token=abc&refresh_token=def", "access_token=" R "&refresh_token=" R},
        {"passwd: s3cret", "passwd: " R},
        {"pwd=s3cret", "pwd=" R},
        {"client_secret=abcdef", "client_secret=" R},
        {"secret_key: abcdef", "secret_key: " R},
        {"SECRET=abcdef", "SECRET=" R},
        {"apikey=abcdef", "apikey=" R},
        {"X-Api-Key: abcdef", "X-Api-Key: " R},
        {"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = " R},
        {"private_key=\"abc\"", "private_key=\"" R "\""},
        {"mysqldump --password hunter2 db", "mysqldump --password " R " db"},
        {"tool --api-key abc --verbose", "tool --api-key " R " --verbose"},
        {"<password>hunter2</password>", "<password>" R "</password>"},
        {"Authorization: Bearer abc.def", "Authorization: Bearer " R},
        {"authorization: Basic dXNlcjpwYXNz", "authorization: Basic " R},
        {"Authorization: s3cr3t-t0ken", "Authorization: " R},
        {"{\"Authorization\":\"Bearer abc\"}", "{\"Authorization\":\"" R "\"}"},
        {"-H 'Authorization: Bearer abc' http://x", "-H 'Authorization: Bearer " R "' http://x"},
        {"Authorization: Digest username=\"M\", response=\"6629\"", "Authorization: Digest " R},
        {"sent Bearer eyAbCdEf123456 to x", "sent Bearer " R " to x"},
        {"proxy Basic dXNlcjpwYXNz ok", "proxy Basic " R " ok"},
        {"postgres://bob:p%40ss@db:5432/x", "postgres://bob:" R "@db:5432/x"},
        {"https://bob:p@ss@host/path", "https://bob:" R "@host/path"},
        {"key AKIAIOSFODNN7EXAMPLE used", "key " R " used"},
        {"ghp_abcdefghijklmnopqrstuvwxyz0123456789", R},
        {"xoxb-123456789012-abcdef", R},
        {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP", "jwt " R},
        {"-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----",
         "-----BEGIN RSA PRIVATE KEY-----" R "-----END RSA PRIVATE KEY-----"},
        {"password=\xc3\xa4\xc3\xb6\xc3\xbc", "password=" R},
        {"a password=x b password=y c", "a password=" R " b password=" R " c"},
        {"tokentoken=abc", "tokentoken=" R},
    };
    check_all(rows, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

START_TEST(test_not_secrets)
{
    static const struct row rows[] = {
        {"", NULL},
        {"pa", NULL},
        {"token ring", NULL},
        {"passwords are hard", NULL},
        {"Failed password for root from 10.0.0.1 port 22 ssh2", NULL},
        {"Accepted password for bob", NULL},
        {"pam_unix(passwd:chauthtok): changed for bob", NULL},
        {"/etc/passwd: No such file", NULL},
        {"max_tokens: 4096", NULL},
        {"tokens=17", NULL},
        {"token_count=17", NULL},
        {"sudo: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root", NULL},
        {"password=", NULL},
        {"password: ", NULL},
        {"password=null", NULL},
        {"\"token\": null", NULL},
        {"password=********", NULL},
        {"password=[redacted]", NULL},
        {"password=xxxx", NULL},
        {"Enter password:", NULL},
        {"bearer of bad news", NULL},
        {"the bearer plant, basic authentication failed", NULL},
        {"basic research", NULL},
        {"http://host:8080/path@x", NULL},
        {"http://bob@host/", NULL},
        {"see https://example.org/a:b", NULL},
        {"mailto:bob@example.org", NULL},
        {"AKIA", NULL},
        {"xAKIAIOSFODNN7EXAMPLE", NULL},
        {"secretary: Ms Jones", NULL},
        {"--password --verbose", NULL},
        {"-----------------------------", NULL},
        {"-----BEGIN CERTIFICATE-----", NULL},
        {"ask me, risk it, disk-full", NULL},
        {"assignment=3 accessory=4", NULL},
    };
    check_all(rows, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

/* A key in a log comes line by line. */
START_TEST(test_key_in_lines)
{
    struct redactor *r;
    ck_assert_int_eq(redactor_new(true, &r), 0);
    static const struct row rows[] = {
        {"-----BEGIN PRIVATE KEY-----", NULL}, {"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", R},
        {"an ordinary line between", NULL},    {"BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", R},
        {"-----END PRIVATE KEY-----", NULL},   {"BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(r, &rows[i]);
    ck_assert_uint_eq(redactor_count(r), 2);
    redactor_free(r);
}
END_TEST

START_TEST(test_patterns)
{
    struct redactor *r;
    struct errmsg err;
    ck_assert_int_eq(redactor_new(false, &r), 0);
    ck_assert_int_eq(redactor_add_pattern(r, "card=([0-9]{4}) [0-9]{4}", &err), 0);
    ck_assert_int_eq(redactor_add_pattern(r, "^id [a-z]+", &err), 0);
    static const struct row rows[] = {
        {"password=hunter2", NULL},
        {"a card=1234 5678 b card=1111 2222", "a card=" R " 5678 b card=" R " 2222"},
        {"id abc id def card=1234 5678", R " id def card=" R " 5678"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(r, &rows[i]);
    ck_assert_uint_eq(redactor_count(r), 4);
    ck_assert_int_eq(redactor_add_pattern(r, "(", &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "pattern \"(\""));
    ck_assert_int_eq(redactor_add_pattern(r, "a*", &err), ERR_INVALID);
    redactor_free(r);
}
END_TEST

/* Any bytes, any cut: no crash, and what comes out is no longer than a mask a secret more. */
START_TEST(test_any_bytes)
{
    struct redactor *r;
    struct buf out = {0};
    static const char alphabet[] = "password=\"':{}\\ Bearer://@token-BEGIN<>&;,eyJ.";
    ck_assert_int_eq(redactor_new(true, &r), 0);
    srand(7);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)(rand() % 60);
        char *text = malloc(n + 1);
        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        uint64_t before = redactor_count(r);
        if (redactor_apply(r, text, n, &out) == REDACTED)
            ck_assert_uint_le(out.size, n + 10 * (redactor_count(r) - before));
        free(text);
    }
    buf_deinit(&out);
    redactor_free(r);
}
END_TEST

START_TEST(test_clean_line_allocates_nothing)
{
    struct redactor *r;
    struct buf out = {0};
    static const char line[] = "Jun 14 15:16:01 combo sshd[19939]: session opened for root";
    ck_assert_int_eq(redactor_new(true, &r), 0);
    uint64_t before = mem_thread_allocations();
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(redactor_apply(r, line, strlen(line), &out), 0);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    redactor_free(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("redact");
    TCase *t = tcase_create("redact");
    tcase_add_test(t, test_secrets);
    tcase_add_test(t, test_not_secrets);
    tcase_add_test(t, test_key_in_lines);
    tcase_add_test(t, test_patterns);
    tcase_add_test(t, test_any_bytes);
    tcase_add_test(t, test_clean_line_allocates_nothing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
