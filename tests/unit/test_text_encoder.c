/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text model: its grouping on development data, the calibration of its surprise, what it finds
 * unusual, its latents, its bounds, and that its state survives a save and damage to it.
 */
#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "model/encoder.h"
#include "model/kernels.h"
#include "model/sequence.h"
#include "model/text_encoder.h"

static uint64_t rng;

static uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

static double uniform(void)
{
    return (random_below(1u << 30) + 0.5) / (1u << 30);
}

static struct encoder *fresh(void)
{
    struct encoder *e;
    rng = 88172645463325252u;
    ck_assert_int_eq(encoder_new(KIND_TEXT, &e), 0);
    return e;
}

static struct observation feed_n(struct encoder *e, const char *line, size_t n)
{
    struct record r = {.seq = 1, .text = {line, n}};
    struct observation o;
    ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
    ck_assert(isfinite(o.bits) && o.bits >= 0);
    ck_assert(isfinite(o.score) && o.score >= 0 && o.score <= 1);
    ck_assert(o.template_id > 0);
    float norm = kernel_dot(o.latent, o.latent, LATENT_DIM);
    ck_assert(norm == 0 || fabsf(norm - 1) < 1e-3f);
    return o;
}

static struct observation feed(struct encoder *e, const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    return feed_n(e, line, strlen(line));
}

/* ---- grouping ---- */

START_TEST(test_groups)
{
    struct encoder *e = fresh();
    uint32_t a = feed(e, "Dec 10 06:55:46 h sshd[1]: Invalid user bob from 1.2.3.4").template_id;
    uint32_t b =
        feed(e, "Dec 10 06:55:47 h sshd[2]: Failed password for bob from 1.2.3.4").template_id;
    ck_assert_uint_ne(a, b);
    ck_assert_uint_eq(
        feed(e, "Dec 11 06:55:46 h sshd[3]: Invalid user eve from 5.6.7.8").template_id, a);
    ck_assert_uint_eq(feed(e, "Invalid user mallory from 5.6.7.9").template_id, a);
    ck_assert_uint_ne(feed(e, "x: session opened now ok").template_id,
                      feed(e, "x: session closed now ok").template_id);
    ck_assert_str_eq(e->ops->template_text(e, a), "Invalid user <*> from <*>");
    ck_assert_uint_eq(e->ops->template_count(e, a), 3);
    ck_assert_ptr_null(e->ops->template_text(e, 0));
    ck_assert_ptr_null(e->ops->template_text(e, 999));
    ck_assert_uint_eq(e->ops->template_count(e, 999), 0);
    encoder_free(e);
}
END_TEST

/* A place that no shape gives away is learned from its many values. */
START_TEST(test_learns_a_place)
{
    static const char *const words[] = {"ash",   "birch", "cedar", "elm",  "fir",   "hazel",
                                        "larch", "maple", "oak",   "pine", "rowan", "yew"};
    struct encoder *e = fresh();
    uint32_t ids[12];
    for (int i = 0; i < 12; i++)
        ids[i] = feed(e, "planted one %s tree this year", words[i]).template_id;
    ck_assert_uint_ne(ids[0], ids[1]);
    for (int i = 6; i < 12; i++)
        ck_assert_uint_eq(ids[i], ids[5]);
    ck_assert_uint_eq(feed(e, "planted one ash tree this year").template_id, ids[0]);
    encoder_free(e);
}
END_TEST

/* Pairs of lines grouped alike or apart as the truth has them, on one development system. */
static double grouping_accuracy(const char *folder, const char *system)
{
    char path[512], line[8192];
    static uint32_t truth[2000], got[2000], size_truth[4096], size_got[4096];
    snprintf(path, sizeof path, "%s/loghub/%s/%s_2k.log", folder, system, system);
    FILE *log = fopen(path, "r");
    snprintf(path, sizeof path, "%s/loghub/%s/%s_2k.events.csv", folder, system, system);
    FILE *events = fopen(path, "r");
    ck_assert(log && events);
    struct encoder *e = fresh();
    memset(size_truth, 0, sizeof size_truth);
    memset(size_got, 0, sizeof size_got);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, events));
    int n = 0;
    while (n < 2000 && fgets(line, sizeof line, log)) {
        got[n] = feed_n(e, line, strcspn(line, "\r\n")).template_id;
        ck_assert_ptr_nonnull(fgets(line, sizeof line, events));
        truth[n] = (uint32_t)atoi(strchr(line, 'E') + 1);
        ck_assert(got[n] < 4096 && truth[n] < 4096);
        size_truth[truth[n]]++;
        size_got[got[n]]++;
        n++;
    }
    int right = 0;
    for (int i = 0; i < n; i++) {
        int both = 0;
        for (int k = 0; k < n; k++)
            both += truth[k] == truth[i] && got[k] == got[i];
        right += both == (int)size_truth[truth[i]] && both == (int)size_got[got[i]];
    }
    fclose(log);
    fclose(events);
    encoder_free(e);
    return (double)right / n;
}

START_TEST(test_grouping_accuracy)
{
    static const char *const systems[] = {"Apache", "BGL",     "HDFS",  "Hadoop",
                                          "Linux",  "OpenSSH", "Spark", "Zookeeper"};
    char folder[512];
    const char *given = getenv("VARVE_SHARED_DATA"), *root = getenv("VARVE_SOURCE_ROOT");
    struct stat st;
    snprintf(folder, sizeof folder, "%s%s",
             given  ? given
             : root ? root
                    : ".",
             given ? "" : "/../shared/data");
    if (stat(folder, &st)) {
        printf("SKIP grouping accuracy: no development data in %s\n", folder);
        return;
    }
    double sum = 0;
    for (int i = 0; i < 8; i++)
        sum += grouping_accuracy(folder, systems[i]);
    ck_assert_double_gt(sum / 8, 0.95);
}
END_TEST

/* ---- surprise ---- */

/* Over all templates and "a new one", the implied probabilities never sum to more than 1. */
START_TEST(test_probabilities_sum)
{
    struct sequence s;
    uint64_t count[300] = {0};
    uint32_t known = 0;
    rng = 7;
    ck_assert_int_eq(sequence_init(&s), 0);
    for (int i = 0; i < 3000; i++) {
        double sum = sequence_predict(&s, &(struct sequence_symbol){0, 0, 0}), alone;
        alone = sequence_predict_alone(&s, &(struct sequence_symbol){0, 0, 0});
        for (uint32_t k = 0; k < known; k++) {
            struct sequence_symbol symbol = {k, k + 1, count[k]};
            sum += sequence_predict(&s, &symbol);
            alone += sequence_predict_alone(&s, &symbol);
        }
        ck_assert_double_le(sum, 1 + 1e-9);
        ck_assert_double_le(alone, 1 + 1e-9);
        ck_assert_double_ge(alone, known ? 1 - 1e-9 : 0);
        uint32_t next = (uint32_t)(300 * pow(uniform(), 3));
        next = next < known ? (i % 3 ? next : (s.last_slot + 1) % known) : known++;
        sequence_learn(&s, &(struct sequence_symbol){next, next + 1, count[next]});
        count[next]++;
    }
    sequence_deinit(&s);
}
END_TEST

#define KINDS 12
static const char *const nouns[KINDS] = {"disk", "fan",   "door",  "pump",  "lamp",  "gate",
                                         "belt", "valve", "motor", "probe", "relay", "mixer"};

/* Lines that differ in more than one word are of different kinds. */
static struct observation feed_kind(struct encoder *e, int k)
{
    return feed(e, "%s beside %s checked", nouns[k], nouns[(k + 1) % KINDS]);
}

/* Independent lines: the mean surprise comes to the entropy of what they are drawn from. */
START_TEST(test_entropy_of_order_0)
{
    struct encoder *e = fresh();
    double weight[KINDS], total = 0, entropy = 0, bits = 0;
    for (int i = 0; i < KINDS; i++)
        total += weight[i] = pow(0.7, i);
    for (int i = 0; i < KINDS; i++)
        entropy -= weight[i] / total * log2(weight[i] / total);
    for (int i = 0; i < 40000; i++) {
        double u = uniform() * total;
        int k = 0;
        while (k < KINDS - 1 && u > weight[k])
            u -= weight[k++];
        double b = feed_kind(e, k).bits;
        bits += i >= 5000 ? b : 0;
    }
    bits /= 35000;
    ck_assert_msg(fabs(bits / entropy - 1) < 0.03, "%.4f bits, entropy %.4f", bits, entropy);
    encoder_free(e);
}
END_TEST

/* Lines that follow one another: the entropy rate of the chain, well below that of single lines. */
START_TEST(test_entropy_of_order_1)
{
    struct encoder *e = fresh();
    double bits = 0, entropy = -(0.9 * log2(0.9) + 0.1 * log2(0.1 / (KINDS - 1)));
    int at = 0;
    for (int i = 0; i < 40000; i++) {
        at = uniform() < 0.9 ? (at + 1) % KINDS : (at + 2 + (int)random_below(KINDS - 1)) % KINDS;
        double b = feed_kind(e, at).bits;
        bits += i >= 10000 ? b : 0;
    }
    bits /= 30000;
    ck_assert_msg(fabs(bits / entropy - 1) < 0.05, "%.4f bits, entropy %.4f", bits, entropy);
    encoder_free(e);
}
END_TEST

START_TEST(test_new_lines_are_told)
{
    struct encoder *e = fresh();
    for (int i = 0; i < 3000; i++) {
        struct observation o = feed(e, "served %s to 10.0.0.%d in %d ms", nouns[i % 3],
                                    (int)random_below(250), 10 + (int)random_below(20));
        ck_assert_msg(o.score < 0.5, "line %d scores %f: %s", i, o.score, o.why);
    }
    struct observation o = feed(e, "kernel panic, not syncing");
    ck_assert_double_ge(o.score, 0.5);
    ck_assert_str_eq(o.why, "first line of its kind");
    for (int i = 0; i < 3000; i++)
        feed(e, "served %s to 10.0.0.%d in %d ms", nouns[i % 3], 1, 10 + (int)random_below(20));
    o = feed(e, "kernel panic, not syncing");
    ck_assert_str_eq(o.why, "rare: 2 of 6,002 lines");
    encoder_free(e);
}
END_TEST

START_TEST(test_values_out_of_range)
{
    struct encoder *e = fresh();
    for (int i = 0; i < 2000; i++) {
        struct observation o =
            feed(e, "queue holds %d jobs, load=%.2f", 1 + (int)random_below(12), 1 + uniform());
        ck_assert_msg(o.score < 0.5, "line %d scores %f: %s", i, o.score, o.why);
    }
    double usual = feed(e, "queue holds 5 jobs, load=1.50").bits;
    struct observation o = feed(e, "queue holds 93 jobs, load=1.50");
    ck_assert_str_eq(o.why, "holds 93 where 1 to 12 is usual");
    ck_assert_double_gt(o.bits, usual + 6);
    ck_assert_double_ge(o.score, 0.5);
    o = feed(e, "queue holds 5 jobs, load=250");
    ck_assert(strstr(o.why, "load 250 where 1.0"));
    /* What happens all the time is no longer surprising. */
    for (int i = 0; i < 500; i++)
        o = feed(e, "queue holds %d jobs, load=1.50", i % 4 ? 3 : (int)random_below(100000));
    ck_assert_double_lt(o.bits, 6);
    encoder_free(e);
}
END_TEST

START_TEST(test_constant_word_changes)
{
    struct encoder *e = fresh();
    for (int i = 0; i < 1000; i++)
        feed(e, "login of user root from 10.0.0.%d", (int)random_below(9));
    struct observation o = feed(e, "login of user guest from 10.0.0.1");
    ck_assert_str_eq(o.why, "\"guest\" where \"root\" is usual");
    ck_assert_double_gt(o.bits, 8);
    encoder_free(e);
}
END_TEST

/* One threshold for all streams: on stationary lines of any kind about one in a thousand alerts. */
START_TEST(test_alert_rate)
{
    struct encoder *e = fresh();
    int alerts = 0;
    for (int i = 0; i < 50000; i++) {
        double u = uniform();
        int k = (int)(-log(u) * 1.3);
        alerts += feed(e, "the %s needs %d l of oil", nouns[k < KINDS ? k : KINDS - 1],
                       (int)(50 * -log(uniform())))
                      .score >= 0.5;
    }
    ck_assert_msg(alerts <= 150, "%d alerts in 50000 lines", alerts);
    encoder_free(e);
}
END_TEST

/* ---- latents ---- */

static float cosine(struct encoder *e, const char *a, const char *b)
{
    float x[LATENT_DIM], y[LATENT_DIM];
    memcpy(x, feed_n(e, a, strlen(a)).latent, sizeof x);
    memcpy(y, feed_n(e, b, strlen(b)).latent, sizeof y);
    return kernel_dot(x, y, LATENT_DIM);
}

static float query_cosine(struct encoder *e, const char *query, const char *line)
{
    float q[LATENT_DIM];
    encoder_text_query(query, strlen(query), q);
    return kernel_dot(q, feed_n(e, line, strlen(line)).latent, LATENT_DIM);
}

START_TEST(test_latents)
{
    struct encoder *e = fresh();
    const char *fail =
        "Dec 10 06:55:46 LabSZ sshd[24200]: Failed password for root from 1.2.3.4 port 42";
    const char *again =
        "Dec 11 01:00:02 LabSZ sshd[31]: Failed password for admin from 9.8.7.6 port 4711";
    const char *other =
        "Dec 10 06:55:46 LabSZ kernel[1]: thermal throttling of package on cpu core 3";
    ck_assert_float_gt(cosine(e, fail, again), 0.8f);
    ck_assert_float_lt(cosine(e, fail, other), 0.35f);
    ck_assert_float_gt(query_cosine(e, "failed password", fail), 0.45f);
    ck_assert_float_gt(query_cosine(e, "faild pasword", fail), 0.3f);
    ck_assert_float_gt(query_cosine(e, "password failures", fail), 0.35f);
    ck_assert_float_lt(query_cosine(e, "failed password", other), 0.2f);
    const char *talk = "Caroline: I went to the pottery class with my kids yesterday";
    ck_assert_float_gt(query_cosine(e, "When did Caroline go to the pottery classes?", talk), 0.4f);
    ck_assert_float_lt(query_cosine(e, "When did Caroline go to the pottery classes?", fail), 0.2f);
    float none[LATENT_DIM];
    encoder_text_query("", 0, none);
    ck_assert_float_eq(kernel_dot(none, none, LATENT_DIM), 0);
    encoder_free(e);
}
END_TEST

/* ---- state and bounds ---- */

static void mixed_line(char *line, size_t size, int i)
{
    uint32_t kind = random_below(8);
    if (kind < 5)
        snprintf(line, size, "2020-01-01 10:00:%02d INFO the %s took %u ms", i % 60,
                 nouns[random_below(KINDS)], random_below(900));
    else if (kind < 7)
        snprintf(line, size, "user %s%s logged in from 10.0.0.%u", nouns[random_below(KINDS)],
                 nouns[random_below(KINDS)], random_below(255));
    else
        snprintf(line, size, "Bob: the %s and %s of %s are %s by %s", nouns[random_below(KINDS)],
                 nouns[random_below(KINDS)], nouns[random_below(KINDS)], nouns[random_below(KINDS)],
                 nouns[random_below(KINDS)]);
}

static void same(const struct observation *a, const struct observation *b)
{
    ck_assert_uint_eq(a->template_id, b->template_id);
    ck_assert(memcmp(&a->bits, &b->bits, sizeof a->bits) == 0);
    ck_assert(memcmp(&a->score, &b->score, sizeof a->score) == 0);
    ck_assert(memcmp(a->latent, b->latent, LATENT_DIM * sizeof(float)) == 0);
    ck_assert_str_eq(a->why, b->why);
}

START_TEST(test_save_load)
{
    static const int stops[] = {0, 1, 17, 300, 5000};
    struct encoder *a = fresh(), *b = fresh();
    struct errmsg err;
    char line[256];
    int at = 0;
    for (int k = 0; k < 5; k++) {
        for (; at < stops[k]; at++) {
            mixed_line(line, sizeof line, at);
            feed_n(a, line, strlen(line));
        }
        struct buf saved = {0}, again = {0};
        ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
        ck_assert_msg(!b->ops->load(b, saved.data, saved.size, &err), "%s", err.text);
        ck_assert_int_eq(b->ops->save(b, false, &again), 0);
        ck_assert_uint_eq(saved.size, again.size);
        ck_assert(!memcmp(saved.data, again.data, saved.size));
        buf_deinit(&saved);
        buf_deinit(&again);
        for (int i = 0; i < 500; i++, at++) {
            mixed_line(line, sizeof line, at);
            struct observation x = feed_n(a, line, strlen(line));
            struct observation y = feed_n(b, line, strlen(line));
            same(&x, &y);
        }
    }
    encoder_free(a);
    encoder_free(b);
}
END_TEST

START_TEST(test_damaged_state)
{
    struct encoder *a = fresh(), *b = fresh();
    char line[256];
    struct buf saved = {0};
    for (int i = 0; i < 400; i++) {
        mixed_line(line, sizeof line, i);
        feed_n(a, line, strlen(line));
    }
    ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
    for (size_t n = 0; n < saved.size; n += 1 + n / 40)
        ck_assert_int_eq(b->ops->load(b, saved.data, n, NULL), ERR_CORRUPT);
    for (int i = 0; i < 3000; i++) {
        size_t at = i < 1500 ? (size_t)i % saved.size : random_below((uint32_t)saved.size);
        char was = saved.data[at];
        saved.data[at] = (char)(was ^ (1 + random_below(255)));
        if (!b->ops->load(b, saved.data, saved.size, NULL))
            for (int k = 0; k < 20; k++) {
                mixed_line(line, sizeof line, k);
                feed_n(b, line, strlen(line));
            }
        saved.data[at] = was;
    }
    for (int i = 0; i < 200; i++) {
        char noise[400];
        for (size_t k = 8; k < sizeof noise; k++)
            noise[k] = (char)random_below(i % 2 ? 256 : 4);
        memcpy(noise, saved.data, 8);
        ck_assert_int_ne(b->ops->load(b, noise, sizeof noise, NULL), 0);
    }
    buf_deinit(&saved);
    encoder_free(a);
    encoder_free(b);
}
END_TEST

START_TEST(test_warm_path_does_not_allocate)
{
    struct encoder *e = fresh();
    for (int i = 0; i < 30000; i++)
        feed(e, "10:00:0%d host app[%d]: the %s took %u ms", i % 10, i, nouns[random_below(KINDS)],
             random_below(900));
    uint64_t before = mem_thread_allocations();
    for (int i = 0; i < 30000; i++)
        feed(e, "10:00:0%d host app[%d]: the %s took %u ms", i % 10, i, nouns[random_below(KINDS)],
             random_below(900));
    ck_assert_uint_eq(mem_thread_allocations(), before);
    encoder_free(e);
}
END_TEST

/* Lines that are never alike: memory stays bounded, and no id is given twice. */
START_TEST(test_bounded)
{
    struct encoder *e = fresh();
    char line[512];
    uint32_t last = 0;
    for (int i = 0; i < 12000; i++) {
        size_t at = 0;
        uint32_t words = 3 + random_below(30);
        for (uint32_t k = 0; k < words; k++) {
            for (uint32_t c = 2 + random_below(8); c; c--)
                line[at++] = (char)('a' + random_below(26));
            line[at++] = ' ';
        }
        struct observation o = feed_n(e, line, at);
        ck_assert_uint_ge(o.template_id, last);
        ck_assert_msg(o.score < 0.9, "score %f", o.score);
        last = o.template_id;
    }
    ck_assert_uint_gt(last, 10000);
    struct buf saved = {0};
    ck_assert_int_eq(e->ops->save(e, false, &saved), 0);
    ck_assert_uint_lt(saved.size, 3u << 20);
    buf_deinit(&saved);
    encoder_free(e);
}
END_TEST

START_TEST(test_odd_lines)
{
    struct encoder *e = fresh();
    static char line[100000];
    feed_n(e, "", 0);
    feed_n(e, "   ", 3);
    feed_n(e, "[", 1);
    feed_n(e, "=", 1);
    feed_n(e, "\xc3\xa9t\xc3\xa9 \xe2\x82\xac 5", 10);
    for (int round = 0; round < 3000; round++) {
        size_t n = random_below(round % 50 ? 200 : sizeof line);
        for (size_t i = 0; i < n; i++)
            line[i] = (char)(round % 2 ? 32 + random_below(95) : 1 + random_below(255));
        feed_n(e, line, n);
    }
    encoder_free(e);
}
END_TEST

/* Then the word was seen more often than there were lines, and its lines are of new kinds. */
START_TEST(test_a_word_many_times_in_a_line)
{
    struct encoder *e = fresh();
    char line[512];
    for (size_t round = 1; round < 60; round++) {
        size_t n = (size_t)sprintf(line, "line %zu:", round);
        for (size_t i = 0; i < round * 7 % 40; i++)
            n += (size_t)sprintf(line + n, " word");
        feed_n(e, line, n);
    }
    encoder_free(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_encoder");
    TCase *c = tcase_create("text_encoder");
    tcase_set_timeout(c, 100);
    tcase_add_test(c, test_groups);
    tcase_add_test(c, test_learns_a_place);
    tcase_add_test(c, test_grouping_accuracy);
    tcase_add_test(c, test_probabilities_sum);
    tcase_add_test(c, test_entropy_of_order_0);
    tcase_add_test(c, test_entropy_of_order_1);
    tcase_add_test(c, test_new_lines_are_told);
    tcase_add_test(c, test_values_out_of_range);
    tcase_add_test(c, test_constant_word_changes);
    tcase_add_test(c, test_alert_rate);
    tcase_add_test(c, test_latents);
    tcase_add_test(c, test_save_load);
    tcase_add_test(c, test_damaged_state);
    tcase_add_test(c, test_warm_path_does_not_allocate);
    tcase_add_test(c, test_bounded);
    tcase_add_test(c, test_odd_lines);
    tcase_add_test(c, test_a_word_many_times_in_a_line);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
