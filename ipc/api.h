/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of the protocol. One JSON description a method under ipc/api/ makes this table, the
 * enum, docs/protocol.md and the tool list of `varve mcp`. Static storage, any thread.
 */
#ifndef VARVE_IPC_API_H
#define VARVE_IPC_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "ipc/api_methods.h" /* generated: enum api_method { API_STREAM_OPEN, …, API_METHODS } */
#include "ipc/json.h"

enum api_type {
    API_STRING,
    API_INT, /* whole number, or its decimal string */
    API_NUMBER,
    API_BOOL,
    API_STRINGS, /* array of strings; one string stands for an array of one */
    API_OBJECT,
    API_ARRAY,
};

struct api_param {
    const char *name;
    enum api_type type;
    bool required;
    double min, max;            /* numbers: the value; strings: bytes; arrays: members */
    const char *const *choices; /* ends with NULL; or NULL */
    bool has_default;
    double number; /* default of API_INT, API_NUMBER, API_BOOL */
    const char *doc;
};

struct api_info {
    const char *name; /* "memory.search" */
    const char *summary;
    const char *tool;        /* name of the MCP tool; NULL: not offered there */
    const char *tool_schema; /* what tools/list says of it, JSON */
    const struct api_param *params;
    size_t param_count;
    bool durable; /* answers only when what it changed is on disk */
};

const struct api_info *api_info(enum api_method method);
/* 0 and *ret, or ERR_NOTFOUND. */
int api_find(const char *name, size_t size, enum api_method *ret);

/*
 * Checks params (NULL, or an object) against the table: unknown names, missing ones, types, bounds,
 * choices. ERR_INVALID; the message starts with the param's name, which *ret_param gives too.
 */
int api_check(enum api_method method, const struct json *params, const char **ret_param,
              struct errmsg *err);

/* Values of checked params, or the table's default. An absent string is NULL. */
const char *api_string(enum api_method method, const struct json *params, const char *name);
int64_t api_int(enum api_method method, const struct json *params, const char *name);
double api_number(enum api_method method, const struct json *params, const char *name);
bool api_bool(enum api_method method, const struct json *params, const char *name);
static inline bool api_has(const struct json *params, const char *name)
{
    return json_get(params, name) != NULL;
}

/* 0 and *ret, or ERR_NOTFOUND. */
int api_find_tool(const char *name, enum api_method *ret);

/*
 * The JSON-RPC code of an error of base/error.h: -32000 minus its number (ERR_NOTFOUND is -32007),
 * but ERR_INVALID is -32602 and ERR_INTERNAL -32603. And back; ERR_IO for a foreign one.
 */
int api_error_code(int err);
int api_error_back(int code);

#endif
