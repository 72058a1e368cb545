/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve similar: by a memory's id or a text it is one call; a file of sound or video goes through
 * varve-media first, and its records are the example. As much of it is taken as a request may hold.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"

#define EXAMPLE_RECORDS 120
#define EXAMPLE_BYTES (4u << 20) /* as base64: half of what a request may have by default */
#define ENOUGH 1

struct example {
    struct jsonw *w;
    size_t bytes;
    unsigned count;
};

static int on_record(void *arg, const struct record *r, uint64_t line)
{
    struct example *e = arg;
    struct buf text = {0};
    e->bytes += BASE64_ENCODED(r->media.size);
    if (e->count == EXAMPLE_RECORDS || (e->count > 0 && e->bytes > EXAMPLE_BYTES))
        return ENOUGH;
    base64_put(&text, r->media.data, r->media.size);
    int rc = buf_failed(&text) ? ERR_NOMEM : 0;
    if (rc == 0)
        jsonw_string(e->w, text.data);
    e->count++;
    buf_deinit(&text);
    return rc;
}

/* A damaged file is as good an example as what could be read of it. */
static int put_example(const struct args *a, const char *path, struct jsonw *w)
{
    struct example e = {.w = w};
    const struct record_reader_callbacks callbacks = {&e, on_record, NULL, NULL};
    struct input_options o = {.kind = KIND_AUDIO};
    struct errmsg err = {""};
    const char *kind = args_value(a, "--kind");
    if (kind && (stream_kind_parse(kind, &o.kind) < 0 || o.kind < KIND_AUDIO)) {
        fprintf(stderr, "varve similar: --kind %s: not one of audio, video\n", kind);
        return EXIT_USAGE;
    }
    if (!kind)
        jsonw_kv_string(w, "kind", stream_kind_name(o.kind));
    jsonw_key(w, "media");
    jsonw_array(w);
    int rc = input_read(&o, path, &callbacks, NULL, &err);
    jsonw_array_end(w);
    if (rc == ENOUGH || rc == 0)
        return 0;
    fprintf(stderr, "varve similar: %s\n", err.text[0] ? err.text : err_text(rc));
    return e.count > 0 ? 0 : EXIT_FAILED;
}

int run_similar(struct args *a)
{
    const char *path = args_value(a, "--file");
    if (!path)
        return run_call(a);
    struct buf params = {0};
    struct jsonw w;
    jsonw_init(&w, &params);
    jsonw_object(&w);
    args_params(a, &w);
    int status = put_example(a, path, &w);
    jsonw_object_end(&w);
    if (status == 0)
        return client_run(a, API_MEMORY_SIMILAR, &params);
    buf_deinit(&params);
    return status;
}
