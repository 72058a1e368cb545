/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups in the generated table, and the check of params against it. */
#include "ipc/api.h"

#include <string.h>

#include "ipc/api_table.h"

const struct api_info *api_info(enum api_method method)
{
    return &api_table[method];
}

int api_find(const char *name, size_t size, enum api_method *ret)
{
    for (int i = 0; i < API_METHODS; i++) {
        const char *candidate = api_table[i].name;
        if (strncmp(candidate, name, size) == 0 && candidate[size] == '\0') {
            *ret = (enum api_method)i;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

int api_find_tool(const char *name, enum api_method *ret)
{
    for (int i = 0; i < API_METHODS; i++) {
        if (api_table[i].tool && strcmp(api_table[i].tool, name) == 0) {
            *ret = (enum api_method)i;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

static const struct api_param *find_param(const struct api_info *info, const char *name)
{
    for (size_t i = 0; i < info->param_count; i++) {
        if (strcmp(info->params[i].name, name) == 0)
            return &info->params[i];
    }
    return NULL;
}

/* ---- checking -------------------------------------------------------------------------------- */

static int check_range(const struct api_param *p, double v, const char *unit, struct errmsg *err)
{
    if (v < p->min)
        return err_set(err, ERR_INVALID, "%s: at least %.15g%s", p->name, p->min, unit);
    if (v > p->max)
        return err_set(err, ERR_INVALID, "%s: at most %.15g%s", p->name, p->max, unit);
    return 0;
}

static int check_choice(const struct api_param *p, const char *s, struct errmsg *err)
{
    struct buf words = {0};
    for (const char *const *c = p->choices; *c; c++) {
        if (strcmp(*c, s) == 0) {
            buf_deinit(&words);
            return 0;
        }
        buf_printf(&words, "%s\"%s\"", c == p->choices ? "" : " or ", *c);
    }
    int r = err_set(err, ERR_INVALID, "%s: must be %s", p->name, words.data ? words.data : "");
    buf_deinit(&words);
    return r;
}

static int wrong_type(const struct api_param *p, const char *wanted, const struct json *v,
                      struct errmsg *err)
{
    return err_set(err, ERR_INVALID, "%s: must be %s, not %s", p->name, wanted,
                   json_type_name(json_type(v)));
}

static int check_strings(const struct api_param *p, const struct json *v, struct errmsg *err)
{
    if (json_type(v) == JSON_STRING)
        return 0;
    if (json_type(v) != JSON_ARRAY)
        return wrong_type(p, "an array of strings", v, err);
    for (const struct json *m = json_first(v); m; m = json_next(m)) {
        if (json_type(m) != JSON_STRING)
            return wrong_type(p, "an array of strings only", m, err);
    }
    return check_range(p, (double)json_size(v), " members", err);
}

static int check_value(const struct api_param *p, const struct json *v, struct errmsg *err)
{
    int64_t whole;
    switch (p->type) {
    case API_STRING:
        if (json_type(v) != JSON_STRING)
            return wrong_type(p, "a string", v, err);
        if (p->choices)
            return check_choice(p, json_string(v), err);
        return check_range(p, (double)strlen(json_string(v)), " bytes", err);
    case API_INT:
        if (json_int64(v, &whole) < 0)
            return wrong_type(p, "a whole number", v, err);
        return check_range(p, (double)whole, "", err);
    case API_NUMBER:
        if (json_type(v) != JSON_NUMBER)
            return wrong_type(p, "a number", v, err);
        return check_range(p, json_double(v, 0), "", err);
    case API_BOOL:
        return json_type(v) == JSON_BOOL ? 0 : wrong_type(p, "true or false", v, err);
    case API_STRINGS:
        return check_strings(p, v, err);
    case API_OBJECT:
        return json_type(v) == JSON_OBJECT ? 0 : wrong_type(p, "an object", v, err);
    case API_ARRAY:
        if (json_type(v) != JSON_ARRAY)
            return wrong_type(p, "an array", v, err);
        return check_range(p, (double)json_size(v), " members", err);
    }
    return err_set(err, ERR_INTERNAL, "%s: unknown type in the table", p->name);
}

int api_check(enum api_method method, const struct json *params, const char **ret_param,
              struct errmsg *err)
{
    const struct api_info *info = api_info(method);
    *ret_param = "params";
    if (params && json_type(params) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "params: must be an object");
    for (const struct json *m = json_first(params); m; m = json_next(m)) {
        const struct api_param *p = find_param(info, json_key(m));
        *ret_param = p ? p->name : json_key(m);
        if (!p)
            return err_set(err, ERR_INVALID, "%.96s: %s has no such param", json_key(m),
                           info->name);
        int r = check_value(p, m, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < info->param_count; i++) {
        *ret_param = info->params[i].name;
        if (info->params[i].required && !json_get(params, *ret_param))
            return err_set(err, ERR_INVALID, "%s: is missing", *ret_param);
    }
    return 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

const char *api_string(enum api_method method, const struct json *params, const char *name)
{
    (void)method;
    return json_string(json_get(params, name));
}

static double table_default(enum api_method method, const char *name)
{
    const struct api_param *p = find_param(api_info(method), name);
    return p && p->has_default ? p->number : 0;
}

int64_t api_int(enum api_method method, const struct json *params, const char *name)
{
    int64_t v;
    if (json_int64(json_get(params, name), &v) == 0)
        return v;
    return (int64_t)table_default(method, name);
}

double api_number(enum api_method method, const struct json *params, const char *name)
{
    return json_double(json_get(params, name), table_default(method, name));
}

bool api_bool(enum api_method method, const struct json *params, const char *name)
{
    return json_bool(json_get(params, name), table_default(method, name) != 0);
}
