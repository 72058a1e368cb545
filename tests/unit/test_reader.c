/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/timestamp.h"
#include "pipeline/reader.h"

/* Everything a reader said, as text to compare. */
struct seen {
    struct buf log;
    uint64_t records, errors;
    int stop_after;
    int64_t base; /* times are printed relative to it when it is not 0 */
};

static int on_record(void *arg, const struct record *r, uint64_t line)
{
    struct seen *s = arg;
    s->records++;
    buf_printf(&s->log, "%llu", (unsigned long long)line);
    if (r->flags & RECORD_NO_TIME) {
        buf_printf(&s->log, " -");
        if (r->time != r->arrival)
            buf_printf(&s->log, "+%lld", (long long)(r->time - r->arrival) / 1000);
    } else {
        char t[TIMESTAMP_SIZE];
        buf_printf(&s->log, " %.19s", timestamp_format(r->time, t));
    }
    if (r->seq)
        buf_printf(&s->log, " #%llu", (unsigned long long)r->seq);
    if (r->ref.size)
        buf_printf(&s->log, " @%.*s", (int)r->ref.size, r->ref.data);
    if (r->samples)
        for (uint32_t i = 0; i < r->sample_count; i++)
            buf_printf(&s->log, " %u=%g", r->samples[i].channel, r->samples[i].value);
    else
        buf_printf(&s->log, " \"%.*s\"", (int)r->text.size, r->text.data);
    buf_putc(&s->log, '\n');
    return s->stop_after && --s->stop_after == 0 ? 77 : 0;
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct seen *s = arg;
    buf_printf(&s->log, "channel %u %s\n", index, name);
    return 0;
}

static int on_error(void *arg, uint64_t line, const char *text)
{
    struct seen *s = arg;
    s->errors++;
    buf_printf(&s->log, "%llu! %s\n", (unsigned long long)line, text);
    return 0;
}

static struct clock now;

static struct record_reader *open_reader(struct record_reader_options o, struct seen *s)
{
    struct record_reader *r;
    struct errmsg err;
    clock_simulated_init(&now, 1700000000 * US_PER_SECOND);
    o.clock = &now;
    struct record_reader_callbacks cb = {s, on_record, on_channel, on_error};
    ck_assert_int_eq(record_reader_new(&o, &cb, &r, &err), 0);
    return r;
}

static void check_input(struct record_reader_options o, const char *input, size_t n,
                        const char *expected)
{
    struct buf first = {0};
    for (size_t chunk = n ? n : 1; chunk > 0; chunk = chunk > 16 ? chunk / 3 : chunk - 1) {
        struct seen s = {0};
        struct errmsg err = {""};
        struct record_reader *r = open_reader(o, &s);
        int rc = 0;
        for (size_t at = 0; at < n && !rc; at += chunk) {
            size_t m = n - at < chunk ? n - at : chunk;
            char *exact = malloc(m); /* so that a read past the chunk is seen */
            memcpy(exact, input + at, m);
            rc = record_reader_feed(r, exact, m, &err);
            free(exact);
        }
        if (!rc)
            rc = record_reader_end(r, &err);
        buf_putc(&s.log, '\0');
        if (expected)
            ck_assert_str_eq(s.log.data, expected);
        if (!first.size)
            buf_append(&first, s.log.data, s.log.size);
        ck_assert_str_eq(s.log.data, first.data);
        buf_deinit(&s.log);
        record_reader_free(r);
    }
    buf_deinit(&first);
}

static void check_text(const char *input, const char *expected)
{
    check_input((struct record_reader_options){.kind = KIND_TEXT}, input, strlen(input), expected);
}

static void check_sensor(const char *input, const char *expected)
{
    check_input((struct record_reader_options){.kind = KIND_SENSOR}, input, strlen(input),
                expected);
}

START_TEST(test_plain_lines)
{
    check_text("", "");
    check_text("one", "1 - \"one\"\n");
    check_text("one\ntwo\r\n\nthree\r\r\n", "1 - \"one\"\n2 - \"two\"\n3 - \"\"\n4 - \"three\"\n");
    check_text("\xef\xbb\xbfone\n", "1 - \"one\"\n");
    check_text("a\rb\n", "1 - \"a\rb\"\n");
    check_text("2015-10-18 18:01:47,978 INFO x\nno time\n",
               "1 2015-10-18T18:01:47 \"2015-10-18 18:01:47,978 INFO x\"\n2 - \"no time\"\n");
    check_text("2250-10-18 18:01:47 x\nb\n",
               "1! the time \"2250-10-18 18:01:47 x\" is not between 1970 and 2200\n2 - \"b\"\n");
    check_text("{\"no\":\"text\"}\n{\"text\":\"x\"}\n",
               "1 - \"{\"no\":\"text\"}\"\n2 - \"{\"text\":\"x\"}\"\n");
    check_text("\n{\"text\":\"x\"}\n", "1 - \"\"\n2 - \"{\"text\":\"x\"}\"\n");
}
END_TEST

START_TEST(test_bytes_that_are_not_utf8)
{
    static const char bad[] = "a\xff\x62\nz\0y\nok\n";
    check_input((struct record_reader_options){.kind = KIND_TEXT}, bad, sizeof(bad) - 1,
                "1 - \"a\xef\xbf\xbd\x62\"\n2 - \"z\xef\xbf\xbdy\"\n3 - \"ok\"\n");
    static const char json[] = "{\"text\":\"a\"}\n{\"text\":\"\xff\"}\n{\"text\":\"b\"}\n";
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_TEXT}, &s);
    ck_assert_int_eq(record_reader_feed(r, json, sizeof(json) - 1, &err), 0);
    ck_assert_uint_eq(s.records, 2);
    ck_assert_uint_eq(s.errors, 1);
    buf_putc(&s.log, '\0');
    ck_assert_ptr_nonnull(strstr(s.log.data, "2! "));
    ck_assert_ptr_nonnull(strstr(s.log.data, "byte"));
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_ndjson_text)
{
    check_text("{\"text\":\"hi\\n\\u00e4\",\"time\":\"2026-11-20T13:00:00Z\",\"ref\":\"D1:2\"}\n"
               "\n"
               "{\"text\":\"b\",\"time\":1700000000.5,\"ref\":7,\"other\":{\"x\":[1]}}\n"
               "{\"text\":\"c\"}\n"
               "{\"text\":\"\",\"time\":null,\"ref\":null}\n",
               "1 2026-11-20T13:00:00 @D1:2 \"hi\n\xc3\xa4\"\n"
               "3 2023-11-14T22:13:20 @7 \"b\"\n"
               "4 - \"c\"\n"
               "5 - \"\"\n");
    check_text("{\"text\":\"a\"}\n{\"text\":1}\n{\"text\":\"b\",\"time\":\"soon\"}\n"
               "{\"text\":\"c\",\"time\":true}\n{\"text\":\"d\",\"ref\":[1]}\n[1]\nx\n"
               "{\"text\":\"e\",\"time\":\"1950-01-01T00:00:00Z\"}\n{\"text\":\"f\"}\n",
               NULL);
}
END_TEST

START_TEST(test_ndjson_errors_name_their_lines)
{
    static const char input[] =
        "{\"text\":\"a\"}\n{\"text\":1}\n{\"text\":\"b\",\"time\":\"soon\"}\n[1]\n{\"text\":\"f\"\n"
        "{\"text\":\"g\",\"text\":\"h\"}\n{\"text\":\"i\",\"time\":-5}\n{\"text\":\"ok\"}\n";
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_TEXT}, &s);
    ck_assert_int_eq(record_reader_feed(r, input, sizeof(input) - 1, &err), 0);
    buf_putc(&s.log, '\0');
    static const char *const expected[] = {"1 - \"a\"\n",
                                           "2! has no string \"text\"\n",
                                           "3! \"soon\" is not a time\n",
                                           "4! not a JSON",
                                           "5! not a JSON object: ",
                                           "6! not a JSON object: ",
                                           "7! the time \"-5\" is not",
                                           "8 - \"ok\"\n"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        ck_assert_msg(strstr(s.log.data, expected[i]), "no %s in %s", expected[i], s.log.data);
    ck_assert_uint_eq(s.errors, 6);
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_fields_by_name)
{
    struct record_reader_options o = {.kind = KIND_TEXT,
                                      .text_field = "msg",
                                      .time_field = "when",
                                      .ref_field = "id",
                                      .seq_field = "n"};
    static const char input[] =
        "{\"msg\":\"a\",\"when\":5,\"id\":\"x\",\"n\":\"17\",\"text\":\"no\"}\n"
        "{\"msg\":\"b\",\"n\":18}\n{\"msg\":\"c\",\"n\":0}\n"
        "{\"msg\":\"d\",\"n\":1.5}\n";
    check_input(o, input, strlen(input),
                "1 1970-01-01T00:00:05 #17 @x \"a\"\n2 - #18 \"b\"\n"
                "3! \"n\" is no whole number from 1\n4! \"n\" is no whole number from 1\n");
}
END_TEST

START_TEST(test_csv)
{
    check_sensor("timestamp,value\n2014-07-01 00:00:00,10844\n2014-07-01 00:30:00,-1.5e2\n",
                 "channel 0 value\n2 2014-07-01T00:00:00 0=10844\n3 2014-07-01T00:30:00 0=-150\n");
    check_sensor("a;when;b;name\r\n1,5;20.11.2026 13:00;2;x\r\n;20.11.2026 13:01;3;\r\n",
                 "channel 0 a\nchannel 1 b\n2 2026-11-20T13:00:00 0=1.5 1=2\n"
                 "3 2026-11-20T13:01:00 1=3\n");
    check_sensor("x\tts\n1\t1700000000\n", "channel 0 x\n2 2023-11-14T22:13:20 0=1\n");
    /* The time by shape; an id column of large numbers is none. */
    check_sensor("id,start,v\n9,2026-11-20T13:00:00Z,1\n",
                 "channel 0 id\nchannel 1 v\n2 2026-11-20T13:00:00 0=9 1=1\n");
    check_sensor("Date,Time,v\n2026-11-20,13:05:00,1\n",
                 "channel 0 v\n2 2026-11-20T13:05:00 0=1\n");
    /* Without one the rows are numbered. */
    check_sensor("value\n1\n2\n\n3\n", "channel 0 value\n2 - 0=1\n3 -+1000 0=2\n5 -+2000 0=3\n");
    /* As R writes it: names of the rows in a column without a header. */
    check_sensor("\"date\",\"T\"\n\"140\",\"2015-02-02 14:19:00\",23.7\n",
                 "channel 0 T\n2 2015-02-02T14:19:00 0=23.7\n");
    check_sensor("1.5,2\n2.5,3\n", "channel 0 column1\nchannel 1 column2\n1 - 0=1.5 1=2\n"
                                   "2 -+1000 0=2.5 1=3\n");
    check_sensor("\xef\xbb\xbftime,\"a \"\"b\"\", c\"\n5,\"1\"\n",
                 "channel 0 a \"b\", c\n2 1970-01-01T00:00:05 0=1\n");
}
END_TEST

START_TEST(test_csv_bad_rows_and_cells)
{
    check_sensor("time,a,b\n1,2,3\n2,3\n3,4,5,6\n4,nan,7\n5,inf,\n6,oops,8\nsoon,1,2\n"
                 "9e99,1,2\n,1,2\n7,\"8,9\n8,1e400,9\n9,NA,10\n",
                 "channel 0 a\nchannel 1 b\n"
                 "2 1970-01-01T00:00:01 0=2 1=3\n"
                 "3! 2 columns, the header has 3\n"
                 "4! 4 columns, the header has 3\n"
                 "5! column 2 (a): \"nan\" is not a finite number\n"
                 "5 1970-01-01T00:00:04 1=7\n"
                 "6! column 2 (a): \"inf\" is not a finite number\n"
                 "6 1970-01-01T00:00:05\n"
                 "7! column 2 (a): \"oops\" is not a finite number\n"
                 "7 1970-01-01T00:00:06 1=8\n"
                 "8! \"soon\" is not a time\n"
                 "9! the time \"9e99\" is not between 1970 and 2200\n"
                 "10! \"\" is not a time\n"
                 "11! column 2: a quote that is not closed\n"
                 "12! column 2 (a): \"1e400\" is not a finite number\n"
                 "12 1970-01-01T00:00:08 1=9\n"
                 "13 1970-01-01T00:00:09 1=10\n");
}
END_TEST

START_TEST(test_csv_a_named_field_must_be_there)
{
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r =
        open_reader((struct record_reader_options){.kind = KIND_SENSOR, .time_field = "when"}, &s);
    ck_assert_int_eq(record_reader_feed(r, "a,b\n1,2\n", 8, &err), ERR_PARSE);
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "1! the header has no column \"when\"\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_sensor_ndjson)
{
    check_sensor(
        "{\"time\":1,\"cpu\":2.5,\"name\":\"x\",\"up\":true,\"none\":null}\n"
        "{\"mem\":3,\"cpu\":1,\"deep\":{\"x\":1}}\n{\"time\":\"x\",\"new\":1}\n{\"cpu\":1e999}\n",
        NULL);
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_SENSOR}, &s);
    static const char input[] = "{\"time\":1,\"cpu\":2.5,\"name\":\"x\"}\n{\"mem\":3,\"cpu\":1}\n";
    ck_assert_int_eq(record_reader_feed(r, input, sizeof(input) - 1, &err), 0);
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "channel 0 cpu\n1 1970-01-01T00:00:01 0=2.5\nchannel 1 mem\n"
                                 "2 - 1=3 0=1\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_channels_carry_on)
{
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_SENSOR}, &s);
    ck_assert_int_eq(record_reader_channel(r, 0, "cpu"), 0);
    ck_assert_int_eq(record_reader_channel(r, 2, "mem"), ERR_INVALID);
    ck_assert_int_eq(record_reader_channel(r, 1, "cpu"), ERR_EXISTS);
    ck_assert_int_eq(record_reader_feed(r, "time,mem,cpu\n1,2,3\n", 19, &err), 0);
    record_reader_restart(r);
    ck_assert_int_eq(record_reader_feed(r, "cpu,time\n7,2\n", 13, &err), 0);
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "channel 1 mem\n2 1970-01-01T00:00:01 1=2 0=3\n"
                                 "4 1970-01-01T00:00:02 0=7\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

/* Taken up behind any line, an input is read as if from its start. */
START_TEST(test_resume)
{
    static const struct {
        enum stream_kind kind;
        const char *before, *behind, *want;
    } cases[] = {
        {KIND_SENSOR, "time;x;y\n1;2,5;3\n", "2;4,5;5\n", "1 1970-01-01T00:00:02 0=4.5 1=5\n"},
        {KIND_SENSOR, "x y,when\n", "7,2020-01-01T00:00:00Z\n", "1 2020-01-01T00:00:00 0=7\n"},
        {KIND_SENSOR, "1500000000,7\n", "1500000001,8\n", "1 2017-07-14T02:40:01 0=8\n"},
        {KIND_SENSOR, "{\"time\":1,\"a\":1}\n", "{\"time\":2,\"a\":2}\n",
         "1 1970-01-01T00:00:02 0=2\n"},
        {KIND_TEXT, "{\"text\":\"a\"}\n", "{\"text\":\"b\"}\n", "1 - \"b\"\n"},
        {KIND_TEXT, "plain\n", "{\"text\":\"b\"}\n", "1 - \"{\"text\":\"b\"}\"\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen first = {0}, s = {0};
        struct errmsg err;
        struct record_reader_options options = {.kind = cases[i].kind};
        struct record_reader *before = open_reader(options, &first), *r = open_reader(options, &s);
        ck_assert_int_eq(record_reader_head(before).size, 0);
        record_reader_feed(before, cases[i].before, strlen(cases[i].before), &err);
        ck_assert_int_eq(record_reader_resume(r, record_reader_head(before)), 0);
        record_reader_feed(r, cases[i].behind, strlen(cases[i].behind), &err);
        buf_putc(&s.log, '\0');
        const char *log = s.log.data;
        while (strncmp(log, "channel ", 8) == 0)
            log = strchr(log, '\n') + 1;
        ck_assert_msg(strcmp(log, cases[i].want) == 0, "case %zu: %s", i, log);
        struct slice had = record_reader_head(before), has = record_reader_head(r);
        ck_assert_uint_eq(had.size, has.size);
        ck_assert_mem_eq(had.data, has.data, had.size);
        buf_deinit(&s.log);
        buf_deinit(&first.log);
        record_reader_free(before);
        record_reader_free(r);
    }
}
END_TEST

/* A CSV goes on in another file: under the old header where it has none of its own. */
START_TEST(test_restart_keeps_header)
{
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_SENSOR}, &s);
    static const char *const inputs[] = {"time,word,a\n1,x,2\n", "2,y,3\n", "time,word,b\n3,z,4\n",
                                         "4,5\n"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(record_reader_feed(r, inputs[i], strlen(inputs[i]), &err), 0);
        record_reader_restart(r);
    }
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "channel 0 a\n2 1970-01-01T00:00:01 0=2\n"
                                 "3 1970-01-01T00:00:02 0=3\n"
                                 "channel 1 b\n5 1970-01-01T00:00:03 1=4\n"
                                 "channel 2 column1\nchannel 3 column2\n6 - 2=4 3=5\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

/* Of a followed input, a row's time is when it came. */
START_TEST(test_live_rows)
{
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r =
        open_reader((struct record_reader_options){.kind = KIND_SENSOR, .live = true}, &s);
    ck_assert_int_eq(record_reader_feed(r, "a\n1\n2\n", 6, &err), 0);
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "channel 0 a\n2 - 0=1\n3 - 0=2\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

/* A line without end costs no more than its bound, and the next one is read. */
START_TEST(test_huge_line)
{
    struct seen s = {0};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_TEXT}, &s);
    char chunk[4096];
    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(record_reader_feed(r, chunk, sizeof(chunk), &err), 0);
    ck_assert_uint_eq(record_reader_partial(r), 1000 * sizeof(chunk));
    ck_assert_int_eq(record_reader_feed(r, "\nok\n", 4, &err), 0);
    ck_assert_int_eq(record_reader_end(r, &err), 0);
    buf_putc(&s.log, '\0');
    ck_assert_str_eq(s.log.data, "1! longer than 1048576 bytes\n2 - \"ok\"\n");
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_too_many_channels)
{
    struct seen s = {0};
    struct errmsg err;
    struct buf header = {0}, row = {0};
    for (int i = 0; i < CHANNELS_MAX + 2; i++) {
        buf_printf(&header, "%sc%d", i ? "," : "", i);
        buf_printf(&row, "%s%d", i ? "," : "", i);
    }
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_SENSOR}, &s);
    buf_putc(&header, '\n');
    buf_putc(&row, '\n');
    ck_assert_int_eq(record_reader_feed(r, header.data, header.size, &err), 0);
    ck_assert_int_eq(record_reader_feed(r, row.data, row.size, &err), 0);
    ck_assert_uint_eq(s.errors, 2);
    ck_assert_uint_eq(s.records, 1);
    ck_assert_int_eq(record_reader_feed(r, row.data, row.size, &err), 0);
    ck_assert_uint_eq(s.errors, 2);
    buf_deinit(&header);
    buf_deinit(&row);
    buf_deinit(&s.log);
    record_reader_free(r);
}
END_TEST

START_TEST(test_callbacks_stop_it)
{
    struct seen s = {.stop_after = 2};
    struct errmsg err;
    struct record_reader *r = open_reader((struct record_reader_options){.kind = KIND_TEXT}, &s);
    ck_assert_int_eq(record_reader_feed(r, "a\nb\nc\n", 6, &err), 77);
    ck_assert_uint_eq(s.records, 2);
    buf_deinit(&s.log);
    record_reader_free(r);
    struct record_reader_options o = {.kind = KIND_AUDIO, .clock = &now};
    struct record_reader_callbacks cb = {0};
    ck_assert_int_eq(record_reader_new(&o, &cb, &r, &err), ERR_UNSUPPORTED);
    o = (struct record_reader_options){.kind = KIND_SENSOR, .rate_hz = -1, .clock = &now};
    ck_assert_int_eq(record_reader_new(&o, &cb, &r, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_warm_reader_allocates_nothing)
{
    struct seen s = {0};
    struct errmsg err;
    static const struct {
        enum stream_kind kind;
        const char *first, *more;
    } cases[] = {
        {KIND_TEXT, "Jun 14 15:16:01 combo sshd: hello\n", "Jun 14 15:16:02 combo sshd: again\n"},
        {KIND_TEXT, "{\"text\":\"a\",\"time\":1}\n", "{\"text\":\"a\",\"time\":2}\n"},
        {KIND_SENSOR, "time,a,b\n1,2,3\n", "2,3,\"4\"\n"},
        {KIND_SENSOR, "{\"time\":1,\"a\":2}\n", "{\"time\":2,\"a\":3}\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record_reader *r =
            open_reader((struct record_reader_options){.kind = cases[i].kind}, &s);
        size_t n = strlen(cases[i].more);
        buf_reserve(&s.log, 1 << 20);
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(record_reader_feed(r, k ? cases[i].more : cases[i].first,
                                                k ? n : strlen(cases[i].first), &err),
                             0);
        uint64_t before = mem_thread_allocations();
        for (int k = 0; k < 1000; k++)
            ck_assert_int_eq(record_reader_feed(r, cases[i].more, n, &err), 0);
        ck_assert_uint_eq(mem_thread_allocations(), before);
        record_reader_free(r);
        buf_clear(&s.log);
    }
    buf_deinit(&s.log);
}
END_TEST

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    Suite *s = suite_create("reader");
    TCase *t = tcase_create("reader");
    tcase_add_test(t, test_plain_lines);
    tcase_add_test(t, test_bytes_that_are_not_utf8);
    tcase_add_test(t, test_ndjson_text);
    tcase_add_test(t, test_ndjson_errors_name_their_lines);
    tcase_add_test(t, test_fields_by_name);
    tcase_add_test(t, test_csv);
    tcase_add_test(t, test_csv_bad_rows_and_cells);
    tcase_add_test(t, test_csv_a_named_field_must_be_there);
    tcase_add_test(t, test_sensor_ndjson);
    tcase_add_test(t, test_channels_carry_on);
    tcase_add_test(t, test_resume);
    tcase_add_test(t, test_restart_keeps_header);
    tcase_add_test(t, test_live_rows);
    tcase_add_test(t, test_huge_line);
    tcase_add_test(t, test_too_many_channels);
    tcase_add_test(t, test_callbacks_stop_it);
    tcase_add_test(t, test_warm_reader_allocates_nothing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
