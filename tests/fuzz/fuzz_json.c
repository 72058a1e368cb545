/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON: the scanner says yes or no, the pull reader and the tree agree with it, and a
 * request made of them passes the method table.
 */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "ipc/api.h"
#include "ipc/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void walk(const struct json *j, int depth)
{
    assert(json_type(j) != 0 && depth <= JSON_DEPTH_MAX);
    const char *s = json_string(j);
    assert(!s || utf8_valid(s, strlen(s), NULL));
    assert(json_type(j) != JSON_NUMBER || isfinite(json_double(j, NAN)));
    for (const struct json *m = json_first(j); m; m = json_next(m)) {
        if (json_key(m))
            assert(json_get(j, json_key(m)) == m); /* no key stands twice */
        walk(m, depth + 1);
    }
}

static int pull(struct json_scanner *s, const char *text, size_t size)
{
    struct arena arena;
    arena_init(&arena, 1024);
    struct json_field f;
    int r = json_scan_object(s, text, size, NULL);
    while (r == 0 && (r = json_scan_next(s, &f, NULL)) == 0) {
        struct slice text_of;
        assert(f.raw.data >= text && f.raw.data + f.raw.size <= text + size);
        if (f.type == JSON_STRING) {
            assert(json_field_text(&f, &arena, &text_of) == 0);
            assert(utf8_valid(text_of.data, text_of.size, NULL));
        }
    }
    arena_deinit(&arena);
    return r;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct json_scanner *s;
    if (!s)
        assert(json_scanner_new(&s) == 0);
    const char *text = (const char *)data;
    struct errmsg err = {{0}};
    int checked = json_check(s, text, size, &err);
    assert(checked == 0 || strncmp(err.text, "byte ", 5) == 0);
    struct json *tree = NULL;
    int parsed = json_parse_with(s, text, size, &tree, NULL);
    assert(parsed == checked);
    int pulled = pull(s, text, size);
    if (tree) {
        assert((pulled == JSON_END) == (json_type(tree) == JSON_OBJECT));
        walk(tree, 0);
        const char *param;
        for (int m = 0; m < API_METHODS; m++)
            api_check((enum api_method)m, tree, &param, &err);
    } else {
        assert(pulled < 0);
    }
    json_free(tree);
    return 0;
}
