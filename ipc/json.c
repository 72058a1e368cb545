/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree: cJSON, behind the scanner. A text that passed json_check holds nothing that cJSON would
 * read wrongly, so what cJSON may still refuse it for is memory. `struct json` is a cJSON node
 * under another name. A node costs 64 bytes and its string; JSON_VALUES_MAX bounds the whole.
 *
 * cJSON is safe on several threads as long as nobody asks cJSON_GetErrorPtr, which nobody does.
 */
#include "ipc/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/json_private.h"

static void *hook_malloc(size_t size)
{
    return mem_alloc(size);
}

static void set_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = hook_malloc, .free_fn = mem_free});
}

static const cJSON *node(const struct json *j)
{
    return (const cJSON *)j;
}

struct json *json_tree(const char *text, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_hooks);
    return (struct json *)cJSON_ParseWithLength(text, size);
}

int json_parse_with(struct json_scanner *s, const char *text, size_t size, struct json **ret,
                    struct errmsg *err)
{
    int r = json_check(s, text, size, err);
    if (r < 0)
        return r;
    struct json *tree = json_tree(text, size);
    if (!tree)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = tree;
    return 0;
}

int json_parse(const char *text, size_t size, struct json **ret, struct errmsg *err)
{
    struct json_scanner *s;
    if (json_scanner_new(&s) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = json_parse_with(s, text, size, ret, err);
    json_scanner_free(s);
    return r;
}

void json_free(struct json *j)
{
    cJSON_Delete((cJSON *)j);
}

enum json_type json_type(const struct json *j)
{
    switch (j ? node(j)->type & 0xff : 0) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_NULL:
        return JSON_NULL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return 0;
    }
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (json_type(object) != JSON_OBJECT)
        return NULL;
    for (const cJSON *m = node(object)->child; m; m = m->next) {
        if (strcmp(m->string, key) == 0)
            return (const struct json *)m;
    }
    return NULL;
}

const char *json_string(const struct json *j)
{
    return json_type(j) == JSON_STRING ? node(j)->valuestring : NULL;
}

double json_double(const struct json *j, double fallback)
{
    return json_type(j) == JSON_NUMBER ? node(j)->valuedouble : fallback;
}

bool json_bool(const struct json *j, bool fallback)
{
    return json_type(j) == JSON_BOOL ? (node(j)->type & 0xff) == cJSON_True : fallback;
}

int json_int64(const struct json *j, int64_t *ret)
{
    if (json_type(j) == JSON_NUMBER)
        return json_number_int64(node(j)->valuedouble, ret);
    const char *s = json_string(j);
    return s ? json_text_int64(s, strlen(s), ret) : ERR_INVALID;
}

int json_uint64(const struct json *j, uint64_t *ret)
{
    const char *s = json_string(j);
    if (!s) {
        int64_t v;
        if (json_int64(j, &v) < 0 || v < 0)
            return ERR_INVALID;
        *ret = (uint64_t)v;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || errno != 0 || *end)
        return ERR_INVALID;
    *ret = v;
    return 0;
}

size_t json_size(const struct json *j)
{
    size_t n = 0;
    for (const struct json *m = json_first(j); m; m = json_next(m))
        n++;
    return n;
}

const struct json *json_first(const struct json *j)
{
    enum json_type type = json_type(j);
    bool members = type == JSON_ARRAY || type == JSON_OBJECT;
    return members ? (const struct json *)node(j)->child : NULL;
}

const struct json *json_next(const struct json *member)
{
    return member ? (const struct json *)node(member)->next : NULL;
}

const char *json_key(const struct json *member)
{
    return member ? node(member)->string : NULL;
}
