/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands that are one question and its answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/timespec.h"
#include "cli/client.h"
#include "cli/commands.h"

int run_call(struct args *a)
{
    struct buf params = {0};
    client_params(a, &params);
    return client_run(a, a->command->method, &params);
}

/* An object that was opened for more members than the options give. */
static void begin_params(const struct args *a, struct jsonw *w, struct buf *params)
{
    jsonw_init(w, params);
    jsonw_object(w);
    args_params(a, w);
}

int run_timeline(struct args *a)
{
    struct buf params = {0};
    struct jsonw w;
    begin_params(a, &w, &params);
    if (a->operand_count > 0) {
        const char *at = a->operands[0];
        int64_t time;
        bool id = at[strspn(at, "0123456789")] == '\0';
        if (!id && timespec_parse(at, clock_now(clock_system()), &time, NULL) < 0) {
            fprintf(stderr, "varve timeline: %s: neither an id nor a time\n", at);
            buf_deinit(&params);
            return EXIT_USAGE;
        }
        jsonw_key(&w, "at");
        if (id)
            jsonw_string(&w, at);
        else
            jsonw_time(&w, time);
    }
    jsonw_object_end(&w);
    return client_run(a, API_MEMORY_TIMELINE, &params);
}

int run_forecast(struct args *a)
{
    struct buf params = {0};
    struct jsonw w;
    begin_params(a, &w, &params);
    jsonw_kv_string(&w, "stream", a->operands[0]);
    if (a->operand_count > 1)
        jsonw_kv_string(&w, "channel", a->operands[1]);
    jsonw_object_end(&w);
    return client_run(a, API_PREDICT_FORECAST, &params);
}

int run_entities(struct args *a)
{
    struct buf params = {0};
    struct jsonw w;
    bool life = a->operand_count > 0;
    const char *wrong = life ? "--match" : args_value(a, "--since") ? "--since" : "--until";
    if (args_value(a, wrong)) {
        fprintf(stderr, "varve entities: %s goes %s a name\n", wrong, life ? "without" : "with");
        return EXIT_USAGE;
    }
    begin_params(a, &w, &params);
    if (life)
        jsonw_kv_string(&w, "name", a->operands[0]);
    jsonw_object_end(&w);
    return client_run(a, life ? API_ENTITY_HISTORY : API_ENTITY_LIST, &params);
}

/* As a scraper takes it; with --json the wire's object around it. */
int run_metrics(struct args *a)
{
    struct varve *v;
    struct buf params = {0};
    const char *result;
    struct json *tree;
    int r = client_open(a, &v);
    if (r)
        return r;
    buf_puts(&params, "{}");
    r = client_call(a, v, API_DAEMON_METRICS, &params, &result);
    if (r == 0 && a->json) {
        puts(result);
    } else if (r == 0 && json_parse(result, strlen(result), &tree, NULL) == 0) {
        const char *text = json_string(json_get(tree, "text"));
        fputs(text ? text : "", stdout);
        json_free(tree);
    }
    varve_close(v);
    return r;
}

/* ---- raw ------------------------------------------------------------------------------------- */

/* A cell of CSV, quoted where it must be. */
static void put_cell(FILE *out, const char *s)
{
    if (!s[strcspn(s, ",\"\r\n")]) {
        fputs(s, out);
        return;
    }
    fputc('"', out);
    for (; *s; s++)
        fprintf(out, *s == '"' ? "\"%c" : "%c", *s);
    fputc('"', out);
}

struct raw_names {
    const char *names[CHANNELS_MAX];
    int count;
};

static void note_names(struct raw_names *n, const struct json *records)
{
    for (const struct json *r = json_first(records); r; r = json_next(r)) {
        const struct json *v = json_first(json_get(r, "values"));
        for (; v && n->count < CHANNELS_MAX; v = json_next(v)) {
            int i = 0;
            while (i < n->count && strcmp(n->names[i], json_key(v)) != 0)
                i++;
            if (i == n->count)
                n->names[n->count++] = json_key(v);
        }
    }
}

static void put_values(FILE *out, const struct json *records)
{
    struct raw_names n = {.count = 0};
    note_names(&n, records);
    fputs("time", out);
    for (int i = 0; i < n.count; i++) {
        fputc(',', out);
        put_cell(out, n.names[i]);
    }
    fputc('\n', out);
    for (const struct json *r = json_first(records); r; r = json_next(r)) {
        const char *time = json_string(json_get(r, "time"));
        fputs(time ? time : "", out);
        for (int i = 0; i < n.count; i++) {
            const struct json *v = json_get(json_get(r, "values"), n.names[i]);
            fputc(',', out);
            if (v)
                fprintf(out, "%.17g", json_double(v, 0));
        }
        fputc('\n', out);
    }
}

static void put_payloads(FILE *out, const struct json *records)
{
    if (json_get(json_first(records), "values")) {
        put_values(out, records);
        return;
    }
    for (const struct json *r = json_first(records); r; r = json_next(r)) {
        const char *text = json_string(json_get(r, "text"));
        fprintf(out, "%s\n", text ? text : "");
    }
}

/* memory.raw with what `more` adds to its params; *ret_page is the caller's, on 0. */
static int raw_call(const struct args *a, struct varve *v, const char *more, int64_t number,
                    const char **ret_result, struct json **ret_page)
{
    struct buf params = {0};
    struct jsonw w;
    jsonw_init(&w, &params);
    jsonw_object(&w);
    jsonw_kv_string(&w, "id", a->operands[0]);
    if (strcmp(more, "form") == 0)
        jsonw_kv_string(&w, more, "file");
    else
        jsonw_kv_int(&w, more, number);
    jsonw_object_end(&w);
    int r = client_call(a, v, API_MEMORY_RAW, &params, ret_result);
    if (r)
        return r;
    if (json_parse(*ret_result, strlen(*ret_result), ret_page, NULL) < 0) {
        fprintf(stderr, "varve raw: the daemon's answer cannot be read\n");
        return EXIT_FAILED;
    }
    return 0;
}

/* Whether the memory is sound or pictures, which are written as one file. */
static int raw_is_media(const struct args *a, struct varve *v, bool *ret)
{
    const char *result;
    struct json *page;
    int r = raw_call(a, v, "limit", 1, &result, &page);
    if (r)
        return r;
    const char *kind = json_string(json_get(page, "kind"));
    *ret = kind && (strcmp(kind, "audio") == 0 || strcmp(kind, "video") == 0);
    json_free(page);
    return 0;
}

static int raw_file(const struct args *a, struct varve *v, FILE *out)
{
    const char *result;
    struct json *page;
    int r = raw_call(a, v, "form", 0, &result, &page);
    if (r)
        return r;
    const char *data = json_string(json_get(page, "data"));
    size_t size = data ? strlen(data) : 0;
    char *bytes = mem_alloc(BASE64_DECODED_MAX(size) + 1);
    if (!data || !bytes || base64_decode(data, size, bytes, &size) != 0) {
        fprintf(stderr, "varve raw: the daemon's answer cannot be read\n");
        r = EXIT_FAILED;
    } else if (fwrite(bytes, 1, size, out) != size) {
        fprintf(stderr, "varve raw: %s: %s\n", args_value(a, "--out"), strerror(errno));
        r = EXIT_FAILED;
    }
    mem_free(bytes);
    json_free(page);
    return r;
}

/* One page; *ret_next is the offset of the next, 0 when this was the last. */
static int raw_page(const struct args *a, struct varve *v, int64_t offset, FILE *out,
                    int64_t *ret_next)
{
    const char *result;
    struct json *page;
    int r = raw_call(a, v, "offset", offset, &result, &page);
    if (r)
        return r;
    const struct json *records = json_get(page, "records");
    int64_t end = offset + (int64_t)json_size(records);
    *ret_next = json_first(records) && end < json_double(json_get(page, "total"), 0) ? end : 0;
    if (out)
        put_payloads(out, records);
    else
        r = client_show(a, API_MEMORY_RAW, result);
    json_free(page);
    return r;
}

/* A moment is one page but for very large records; each page is then an object of --json. */
int run_raw(struct args *a)
{
    const char *path = args_value(a, "--out");
    struct varve *v;
    int64_t offset = 0;
    bool media = false;
    int r = client_open(a, &v);
    if (r)
        return r;
    if (path)
        r = raw_is_media(a, v, &media);
    FILE *out = path && r == 0 ? fopen(path, "we") : NULL;
    if (path && r == 0 && !out) {
        fprintf(stderr, "varve raw: %s: %s\n", path, strerror(errno));
        r = EXIT_FAILED;
    }
    if (r == 0 && media)
        r = raw_file(a, v, out);
    do {
        if (r == 0 && !media)
            r = raw_page(a, v, offset, out, &offset);
    } while (r == 0 && offset > 0);
    if (out && fclose(out) != 0 && r == 0) {
        fprintf(stderr, "varve raw: %s: %s\n", path, strerror(errno));
        r = EXIT_FAILED;
    }
    varve_close(v);
    return r;
}
