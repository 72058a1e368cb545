/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/once.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/record.h"
#include "cli/client.h"
#include "cli/commands.h"

static int hash_file(const char *path, char out[33])
{
    FILE *f = fopen(path, "re");
    XXH3_state_t *state = XXH3_createState();
    static char chunk[1 << 16];
    size_t n;
    bool failed = !f || !state;
    if (!failed)
        XXH3_128bits_reset(state);
    while (!failed && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        XXH3_128bits_update(state, chunk, n);
    failed = failed || ferror(f);
    if (failed) {
        fprintf(stderr, "varve ingest: %s: %s\n", path, strerror(errno));
    } else {
        XXH128_hash_t h = XXH3_128bits_digest(state);
        snprintf(out, 33, "%016llx%016llx", (unsigned long long)h.high64,
                 (unsigned long long)h.low64);
    }
    XXH3_freeState(state);
    if (f)
        fclose(f);
    return failed ? EXIT_FAILED : 0;
}

/* The note's ref. A stream's name is at most 128 bytes, so it fits what a ref may have. */
static void make_ref(const char *stream, const struct once *once, char out[RECORD_REF_MAX + 1])
{
    snprintf(out, RECORD_REF_MAX + 1, "%.*s %s", STREAM_NAME_MAX, stream, once->hash);
}

static bool has_ref(const char *result, const char *ref)
{
    struct json *tree;
    bool found = false;
    if (json_parse(result, strlen(result), &tree, NULL) < 0)
        return false;
    for (const struct json *r = json_first(json_get(tree, "records")); r; r = json_next(r)) {
        const char *got = json_string(json_get(r, "ref"));
        found = found || (got && strcmp(got, ref) == 0);
    }
    json_free(tree);
    return found;
}

int once_check(const struct args *a, const char *stream, const char *path, struct once *ret)
{
    struct varve *v;
    struct buf params = {0};
    const char *result;
    char ref[RECORD_REF_MAX + 1];
    ret->known = false;
    int r = hash_file(path, ret->hash);
    if (r == 0)
        r = client_open(a, &v);
    if (r)
        return r;
    make_ref(stream, ret, ref);
    buf_printf(&params, "{\"query\":\"%s\",\"streams\":[\"" ONCE_STREAM "\"],\"limit\":50}",
               ret->hash);
    int code =
        buf_failed(&params) ? VARVE_NOMEM : varve_call(v, "memory.search", params.data, &result);
    /* Before the first such note there is no such stream. */
    if (code == 0)
        ret->known = has_ref(result, ref);
    else if (code != VARVE_INVALID && code != VARVE_NOTFOUND)
        r = client_failed(a, v);
    buf_deinit(&params);
    varve_close(v);
    return r;
}

int once_note(const struct args *a, const char *stream, const char *path, const struct once *once,
              uint64_t records)
{
    struct varve *v;
    struct buf params = {0}, text = {0};
    struct jsonw w;
    const char *result;
    char ref[RECORD_REF_MAX + 1];
    int r = client_open(a, &v);
    if (r)
        return r;
    make_ref(stream, once, ref);
    buf_printf(&text, "ingested %s into %s: %llu records, content %s", path, stream,
               (unsigned long long)records, once->hash);
    jsonw_init(&w, &params);
    jsonw_object(&w);
    jsonw_kv_string(&w, "text", text.data);
    jsonw_kv_string(&w, "stream", ONCE_STREAM);
    jsonw_kv_string(&w, "ref", ref);
    jsonw_kv_bool(&w, "pin", true);
    jsonw_object_end(&w);
    buf_deinit(&text);
    r = client_call(a, v, API_MEMORY_REMEMBER, &params, &result);
    varve_close(v);
    return r;
}
