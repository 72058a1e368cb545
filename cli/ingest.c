/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve ingest: files through pipeline/reader.h into an ingest channel. The reader checks each
 * record, the daemon may refuse one (a number that is taken); both are told with the line, and the
 * rest goes on. Nothing is kept in memory but a batch and where lines and record numbers part ways.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/once.h"
#include "cli/show.h"

#define PROGRESS_US 200000

/* From this record on, its line is `number + shift` of this file. */
struct line_run {
    uint64_t number;
    int64_t shift;
    const char *path;
};

struct ingest {
    struct args *args;
    struct varve *v;
    struct varve_channel *channel;
    struct input_errors errors;
    struct line_run *runs;
    size_t run_count, run_room;
    uint64_t sent;
    uint16_t index[CHANNELS_MAX]; /* the reader's channel to the connection's */
    bool live;                    /* the input may pause */
    bool progress;
    int64_t started, shown;
    int failed; /* the daemon's error, which ends it all */
};

/* ---- numbers to lines ------------------------------------------------------------------------ */

static int note_line(struct ingest *in, uint64_t number, uint64_t line)
{
    int64_t shift = (int64_t)(line - number);
    const struct line_run *last = in->run_count ? &in->runs[in->run_count - 1] : NULL;
    if (last && last->shift == shift && last->path == in->errors.path)
        return 0;
    if (in->run_count == in->run_room) {
        size_t room = in->run_room ? 2 * in->run_room : 64;
        struct line_run *runs = mem_realloc(in->runs, room * sizeof(*runs));
        if (!runs)
            return ERR_NOMEM;
        in->runs = runs;
        in->run_room = room;
    }
    in->runs[in->run_count++] = (struct line_run){number, shift, in->errors.path};
    return 0;
}

/* The daemon refused a record. */
static void on_refused(void *user, uint64_t number, const char *text)
{
    struct ingest *in = user;
    size_t low = 0, high = in->run_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (in->runs[middle].number <= number)
            low = middle;
        else
            high = middle;
    }
    struct input_errors at = in->errors;
    if (low < in->run_count)
        at.path = in->runs[low].path;
    uint64_t line = low < in->run_count ? number + (uint64_t)in->runs[low].shift : number;
    input_error(&at, line, text);
    in->errors.count = at.count;
}

/* ---- the reader's callbacks ------------------------------------------------------------------ */

static int put_values(struct ingest *in, const struct record *r, const char *ref)
{
    uint16_t channels[CHANNELS_MAX];
    double values[CHANNELS_MAX];
    uint32_t count = r->sample_count < CHANNELS_MAX ? r->sample_count : CHANNELS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        channels[i] = in->index[r->samples[i].channel];
        values[i] = r->samples[i].value;
    }
    return varve_channel_put_values(in->channel, r->seq, r->time, ref, channels, values, count);
}

static int on_record(void *arg, const struct record *r, uint64_t line)
{
    struct ingest *in = arg;
    enum stream_kind kind = in->args->input.kind;
    bool text = kind == KIND_TEXT;
    char ref[RECORD_REF_MAX + 1];
    size_t n = r->ref.size < sizeof(ref) ? r->ref.size : sizeof(ref) - 1;
    memcpy(ref, r->ref.data ? r->ref.data : "", n);
    ref[n] = '\0';
    if (note_line(in, in->sent + 1, line) < 0)
        return ERR_NOMEM;
    /* Rows that were numbered by --rate have the times that this gave them. */
    int64_t time = text && (r->flags & RECORD_NO_TIME) ? VARVE_TIME_NONE : r->time;
    int rc;
    if (text)
        rc = varve_channel_put_text(in->channel, r->seq, time, n ? ref : NULL, r->text.data,
                                    r->text.size);
    else if (kind == KIND_SENSOR)
        rc = put_values(in, r, n ? ref : NULL);
    else
        rc = varve_channel_put_media(in->channel, r->seq, time, NULL, r->media.data, r->media.size);
    if (rc == VARVE_INVALID)
        return input_error(&in->errors, line, varve_error(in->v));
    if (rc < 0)
        return in->failed = rc;
    in->sent++;
    return 0;
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct ingest *in = arg;
    int rc = varve_channel_name(in->channel, name, &in->index[index]);
    return rc < 0 ? (in->failed = rc) : 0;
}

static int on_bad(void *arg, uint64_t line, const char *text)
{
    struct ingest *in = arg;
    return input_error(&in->errors, line, text);
}

/* ---- progress -------------------------------------------------------------------------------- */

static double seconds(const struct ingest *in)
{
    return (double)(clock_mono(clock_system()) - in->started) / US_PER_SECOND;
}

static int on_chunk(void *arg)
{
    struct ingest *in = arg;
    int64_t now = clock_mono(clock_system());
    if (in->progress && now - in->shown > PROGRESS_US) {
        char count[SHOW_NUMBER_SIZE], rate[SHOW_NUMBER_SIZE];
        in->shown = now;
        fprintf(stderr, "\r%s records, %s/s \033[K", show_count((double)in->sent, count),
                show_count((double)in->sent / (seconds(in) + 1e-9), rate));
    }
    /* What a pipe has given so far shall not wait for its next line. */
    if (in->live)
        in->failed = varve_channel_send(in->channel);
    return in->failed;
}

static void clear_progress(const struct ingest *in)
{
    if (in->progress && in->shown)
        fputs("\r\033[K", stderr);
}

static void print_summary(const struct ingest *in)
{
    char count[SHOW_NUMBER_SIZE], rate[SHOW_NUMBER_SIZE];
    double s = seconds(in);
    uint64_t bad = in->errors.count;
    if (in->args->json) {
        struct buf out = {0};
        struct jsonw w;
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_kv_string(&w, "stream", args_value(in->args, "--stream"));
        jsonw_kv_int(&w, "records", (int64_t)in->sent);
        jsonw_kv_int(&w, "bad", (int64_t)bad);
        jsonw_kv_fixed(&w, "seconds", s, 6);
        jsonw_object_end(&w);
        puts(out.data ? out.data : "");
        buf_deinit(&out);
        return;
    }
    printf("%s record%s in %.2f s (%s/s)", show_count((double)in->sent, count),
           in->sent == 1 ? "" : "s", s, show_count((double)in->sent / (s + 1e-9), rate));
    if (bad > 0)
        printf(", %s bad", show_count((double)bad, count));
    putchar('\n');
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_live(const char *path)
{
    struct stat st;
    int r = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(path, &st);
    return r != 0 || !S_ISREG(st.st_mode); /* not a file: a camera's address */
}

/* An exit status. */
static int ingest_file(struct ingest *in, const char *path)
{
    const struct record_reader_callbacks callbacks = {in, on_record, on_channel, on_bad};
    struct errmsg err = {{0}};
    uint64_t before = in->sent;
    in->errors.path = path;
    in->live = is_live(path);
    int rc = input_read(&in->args->input, path, &callbacks, on_chunk, &err);
    if (in->failed)
        return EXIT_FAILED;
    /* --strict stopped at a record that was reported. */
    if (rc < 0 && !(rc == ERR_PARSE && in->errors.strict && in->errors.count > 0)) {
        char count[SHOW_NUMBER_SIZE];
        clear_progress(in);
        fprintf(stderr, "varve ingest: %s\n", err.text[0] ? err.text : err_text(rc));
        if (in->sent > before)
            fprintf(stderr, "varve ingest: %s was ingested in part: %s records\n", path,
                    show_count((double)(in->sent - before), count));
    }
    return rc < 0 ? EXIT_FAILED : 0;
}

static int ingest_once(struct ingest *in, const char *path)
{
    const char *stream = args_value(in->args, "--stream");
    struct once once;
    uint64_t before = in->sent;
    int r = once_check(in->args, stream, path, &once);
    if (r || once.known) {
        if (once.known && !in->args->json)
            fprintf(stderr, "varve ingest: %s was ingested before\n", path);
        return r;
    }
    r = ingest_file(in, path);
    if (r == 0 && varve_channel_flush(in->channel) < 0)
        in->failed = r = EXIT_FAILED;
    return r ? r : once_note(in->args, stream, path, &once, in->sent - before);
}

static int ingest_all(struct ingest *in)
{
    struct args *a = in->args;
    bool once = args_value(a, "--once") != NULL;
    int status = 0;
    if (a->operand_count == 0)
        a->operands[a->operand_count++] = "-";
    for (int i = 0; i < a->operand_count; i++) {
        int r = once ? ingest_once(in, a->operands[i]) : ingest_file(in, a->operands[i]);
        status = r ? r : status;
        if (in->failed || (r && in->errors.strict))
            break;
    }
    return status;
}

static int check(const struct args *a)
{
    const char *wrong = NULL;
    if (!args_value(a, "--stream"))
        wrong = "--stream is needed";
    else if (!a->input.kind)
        wrong = "--kind is needed";
    for (int i = 0; i <= a->operand_count && args_value(a, "--once"); i++) {
        if (a->operand_count == 0 || (i < a->operand_count && strcmp(a->operands[i], "-") == 0))
            wrong = "--once needs a file: standard input is read only once";
    }
    if (!wrong)
        return 0;
    fprintf(stderr, "varve ingest: %s\n", wrong);
    return EXIT_USAGE;
}

int run_ingest(struct args *a)
{
    struct ingest in = {.args = a, .errors = {"varve ingest", "-", 0, a->input.strict}};
    int status = check(a);
    if (status == 0)
        status = client_open(a, &in.v);
    if (status)
        return status;
    in.started = clock_mono(clock_system());
    in.progress = isatty(STDERR_FILENO) && !a->json;
    if (varve_channel_open(in.v, args_value(a, "--stream"), stream_kind_name(a->input.kind),
                           &in.channel) < 0) {
        status = client_failed(a, in.v);
        varve_close(in.v);
        return status;
    }
    varve_channel_on_error(in.channel, on_refused, &in);
    status = ingest_all(&in);
    if (!in.failed)
        in.failed = varve_channel_close(in.channel);
    clear_progress(&in);
    if (in.failed)
        status = client_failed(a, in.v);
    else
        print_summary(&in);
    varve_close(in.v);
    mem_free(in.runs);
    return status ? status : in.errors.count > 0 ? EXIT_FAILED : 0;
}
