/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sample/sample_db.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory/evidence.h"
#include "memory/words.h"

#define APART (5 * US_PER_MINUTE)
#define HOST_RECORDS 60
#define JOURNAL_RECORDS 8
#define CHANNELS 3

struct maker {
    struct store *store;
    struct store_words *words;
    int64_t host, journal, notes;
    uint64_t host_seq, journal_seq, notes_seq;
};

static const char *const channel_names[CHANNELS] = {"cpu", "memory", "load1"};

static int put(struct maker *m, int64_t stream, const char *name, struct moment *of,
               struct errmsg *err)
{
    struct buf block = {0};
    int64_t id;
    of->start = of->records[0].time;
    of->end = of->records[of->record_count - 1].time;
    of->model = 1;
    of->confidence = of->path == PATH_LATENT ? 0.9f : 0.2f;
    of->tau = 0.6f;
    of->latent[of->record_count % LATENT_DIM] = 1;
    int r = evidence_encode(of->records, of->record_count, 3, &block);
    if (r == 0)
        r = words_index(of, name, stream == m->host ? channel_names : NULL,
                        stream == m->host ? CHANNELS : 0, m->words);
    if (r == 0)
        r = store_moment_put(m->store, stream, of, (struct slice){block.data, block.size}, m->words,
                             &id, err);
    buf_deinit(&block);
    return r;
}

/* A day's curve, and a jump of `cpu` in every fiftieth moment. */
static int put_host(struct maker *m, uint32_t n, struct errmsg *err)
{
    struct record records[HOST_RECORDS];
    struct sample samples[HOST_RECORDS][CHANNELS];
    bool odd = n % 50 == 17;
    for (uint32_t i = 0; i < HOST_RECORDS; i++) {
        int64_t time = SAMPLE_START + n * APART + i * 4 * US_PER_SECOND;
        double hour = (double)(time / US_PER_SECOND % 86400) / 3600;
        double wave = sin((hour - 9) / 24 * 2 * M_PI) + 0.2 * sin(i * 0.7 + n);
        bool jump = odd && i >= 20 && i < 30;
        samples[i][0] = (struct sample){.channel = 0, .value = jump ? 97.25 : 12 + 6 * wave};
        samples[i][1] = (struct sample){.channel = 1, .value = 48 + 3 * wave};
        samples[i][2] = (struct sample){.channel = 2, .value = 0.5 + 0.25 * wave};
        records[i] = (struct record){.seq = m->host_seq++,
                                     .time = time,
                                     .arrival = time,
                                     .samples = samples[i],
                                     .sample_count = CHANNELS};
    }
    struct unusual u = {.start = records[20].time,
                        .end = records[29].time,
                        .first = 20,
                        .last = 29,
                        .bits = 19,
                        .z = 11,
                        .score = 0.9f,
                        .why = "cpu 97.25, usually 6 to 18"};
    struct entity_seen seen = {"channel", "cpu", HOST_RECORDS};
    struct moment of = {
        .kind = KIND_SENSOR,
        .records = records,
        .record_count = HOST_RECORDS,
        .ended = odd ? END_SURPRISE : END_LENGTH,
        .bits = 2,
        .bits_max = odd ? 19 : 5,
        .z = odd ? 11 : 1,
        .path = odd ? PATH_DISCRETE : PATH_LATENT,
        .unusual = &u,
        .unusual_count = odd ? 1 : 0,
        .entities = &seen,
        .entity_count = 1,
        .gist = {"cpu 6 to 18\nmemory 45 to 51\nload1 0.2 to 0.8", 45},
    };
    snprintf(of.title, sizeof(of.title), "%s", odd ? u.why : "cpu, memory and load1 as usual");
    return put(m, m->host, "host", &of, err);
}

/* Line i of journal moment n; odd moments have one of a kind of its own. */
static bool is_odd(uint32_t n)
{
    return n % 40 == 23;
}

struct line {
    char text[96], ref[24];
};

static struct record journal_record(uint32_t n, uint32_t i, uint64_t seq, struct line *line)
{
    int64_t time = SAMPLE_START + n * APART + 20 * US_PER_SECOND + i * US_PER_SECOND;
    if (is_odd(n) && i == 5)
        snprintf(line->text, sizeof(line->text), "kernel: " SAMPLE_ODD_TITLE);
    else
        snprintf(line->text, sizeof(line->text), "cron[%u]: job %u done in %u ms", 811 + n % 7, i,
                 10 + (n * 7 + i) % 90);
    snprintf(line->ref, sizeof(line->ref), "j%llu", (unsigned long long)seq);
    return (struct record){.seq = seq,
                           .time = time,
                           .arrival = time,
                           .ref = {line->ref, strlen(line->ref)},
                           .text = {line->text, strlen(line->text)}};
}

static int put_journal(struct maker *m, uint32_t n, struct errmsg *err)
{
    struct record records[JOURNAL_RECORDS];
    struct line lines[JOURNAL_RECORDS];
    bool odd = is_odd(n);
    for (uint32_t i = 0; i < JOURNAL_RECORDS; i++)
        records[i] = journal_record(n, i, m->journal_seq++, &lines[i]);
    struct unusual u = {.start = records[5].time,
                        .end = records[5].time,
                        .first = 5,
                        .last = 5,
                        .bits = 17,
                        .z = 8,
                        .score = 0.8f,
                        .why = "first line of its kind"};
    struct entity_seen seen[] = {{"process", "cron", 7}, {"process", "kernel", 1}};
    struct moment of = {
        .kind = KIND_TEXT,
        .records = records,
        .record_count = JOURNAL_RECORDS,
        .ended = odd ? END_SURPRISE : END_GAP,
        .bits = 3,
        .bits_max = odd ? 17 : 4,
        .z = odd ? 8 : 0.5f,
        .path = odd ? PATH_DISCRETE : PATH_LATENT,
        .unusual = &u,
        .unusual_count = odd ? 1 : 0,
        .entities = seen,
        .entity_count = odd ? 2 : 1,
        .gist = {"8 lines of one kind in 7 s", 26},
    };
    snprintf(of.title, sizeof(of.title), "%s", odd ? SAMPLE_ODD_TITLE : "cron: jobs done, 8 lines");
    return put(m, m->journal, "journal", &of, err);
}

/* Text that a page, a terminal or a JSON reader could stumble over. */
static int put_note(struct maker *m, uint32_t n, struct errmsg *err)
{
    static const char *const texts[SAMPLE_NOTES] = {
        SAMPLE_MARKUP,
        "quotes \" and ' and \\ and & and </title>",
        "Gr\xc3\xb6\xc3\x9f"
        "e ge\xc3\xa4ndert \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x99\x82",
        "escape \x1b[31mred\x1b[0m and a bidi \xe2\x80\xae override",
        "one\ttab",
    };
    struct record record = {.seq = m->notes_seq++,
                            .time = SAMPLE_START + (n + 1) * US_PER_HOUR / 2,
                            .arrival = SAMPLE_START,
                            .text = {texts[n], strlen(texts[n])}};
    struct moment of = {.kind = KIND_TEXT,
                        .records = &record,
                        .record_count = 1,
                        .ended = END_FLUSH,
                        .bits = 6,
                        .bits_max = 6,
                        .path = PATH_DISCRETE,
                        .gist = {texts[n], strlen(texts[n])}};
    snprintf(of.title, sizeof(of.title), "%s", texts[n]);
    return put(m, m->notes, "notes", &of, err);
}

/* A batch as a crash leaves it: its first record lies in the last moment already, the others do
 * not. */
static int put_pending(struct maker *m, uint32_t moments, struct errmsg *err)
{
    struct record records[1 + SAMPLE_WAITING];
    struct line line;
    struct buf block = {0};
    uint32_t count = 0;
    int64_t id;
    if (moments)
        records[count++] =
            journal_record(moments - 1, JOURNAL_RECORDS - 1, m->journal_seq - 1, &line);
    for (uint32_t i = 0; i < SAMPLE_WAITING; i++) {
        int64_t time = SAMPLE_START + moments * APART + i * US_PER_SECOND;
        records[count++] = (struct record){
            .seq = m->journal_seq++, .time = time, .arrival = time, .text = {"waits", 5}};
    }
    int r = evidence_encode(records, count, 1, &block);
    if (r == 0)
        r = store_pending_put(m->store, m->journal, records[0].seq, records[count - 1].seq, count,
                              (struct slice){block.data, block.size}, &id, err);
    buf_deinit(&block);
    return r;
}

static int put_counters(struct maker *m, uint32_t moments, struct errmsg *err)
{
    struct store_stream all[] = {
        {.id = m->host,
         .source = "host",
         .next_seq = m->host_seq,
         .records = m->host_seq - 1,
         .bytes = (m->host_seq - 1) * 30},
        {.id = m->journal,
         .source = "journal",
         .next_seq = m->journal_seq,
         .records = m->journal_seq - 1,
         .bytes = (m->journal_seq - 1) * 30,
         .redacted = 3},
        {.id = m->notes,
         .source = "client uid 1000",
         .next_seq = m->notes_seq,
         .records = m->notes_seq - 1,
         .bytes = 200},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        all[i].first_time = SAMPLE_START;
        all[i].last_time = SAMPLE_START + moments * APART;
        int r = store_stream_update(m->store, &all[i], err);
        if (r)
            return r;
    }
    return 0;
}

static int put_streams(struct maker *m, struct errmsg *err)
{
    int r = store_stream_create(m->store, "host", KIND_SENSOR, "host", &m->host, err);
    if (r == 0)
        r = store_stream_create(m->store, "journal", KIND_TEXT, "journal", &m->journal, err);
    if (r == 0)
        r = store_stream_create(m->store, "notes", KIND_TEXT, "client uid 1000", &m->notes, err);
    for (uint16_t c = 0; r == 0 && c < CHANNELS; c++)
        r = store_channel_put(m->store, m->host, c, channel_names[c], err);
    return r;
}

static int fill(struct maker *m, uint32_t moments, struct errmsg *err)
{
    int r = store_begin(m->store, err);
    if (r == 0)
        r = put_streams(m, err);
    for (uint32_t n = 0; r == 0 && n < moments; n++) {
        r = put_host(m, n, err);
        if (r == 0)
            r = put_journal(m, n, err);
        if (r == 0 && n < SAMPLE_NOTES)
            r = put_note(m, n, err);
        if (r == 0 && n % 256 == 255 && (r = store_commit(m->store, err)) == 0)
            r = store_begin(m->store, err);
    }
    if (r == 0)
        r = put_pending(m, moments, err);
    if (r == 0)
        r = put_counters(m, moments, err);
    if (r == 0)
        r = store_commit(m->store, err);
    return r;
}

static int consolidate(struct store *s, struct errmsg *err)
{
    int r = STORE_MORE;
    while (r == STORE_MORE) {
        r = store_begin(s, err);
        if (r)
            return r;
        r = store_consolidate(s, err);
        int committed = r < 0 ? r : store_commit(s, err);
        r = committed < 0 ? committed : r;
    }
    return r;
}

int sample_db_make(const char *path, uint32_t moments, struct store **ret_store, struct errmsg *err)
{
    struct maker m = {.host_seq = 1, .journal_seq = 1, .notes_seq = 1};
    static struct clock clock; /* outlives this call when the store does */
    clock_simulated_init(&clock, SAMPLE_START);
    struct store_options o = {.path = path, .clock = &clock, .no_sync = true};
    int r = store_open(&o, &m.store, err);
    if (r)
        return r;
    m.words = store_words_new();
    r = m.words ? fill(&m, moments, err) : err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (r == 0)
        r = consolidate(m.store, err);
    store_words_free(m.words);
    words_thread_deinit();
    if (r == 0 && ret_store)
        *ret_store = m.store;
    else
        store_close(m.store);
    return r;
}

uint64_t sample_db_records(uint32_t moments)
{
    uint64_t notes = moments < SAMPLE_NOTES ? moments : SAMPLE_NOTES;
    return (uint64_t)moments * (HOST_RECORDS + JOURNAL_RECORDS) + notes + SAMPLE_WAITING;
}
