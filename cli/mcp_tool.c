/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool's call: arguments to params, the daemon's answer to text. What is shown is what a person
 * would see, without colour and with UTC times, which costs a model a fraction of the JSON.
 */
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/utf8.h"
#include "cli/mcp.h"
#include "cli/show.h"

#define BUDGET_DEFAULT 4096
#define BUDGET_MIN 256
#define BUDGET_MAX 65536
#define CALL_MS 60000 /* as libvarve begins with */

void mcp_cut(struct buf *text, size_t budget)
{
    if (text->size <= budget)
        return;
    char note[160];
    size_t whole = text->size;
    /* The note's own length changes with the number in it by a digit or two at most. */
    size_t room = budget > sizeof(note) ? budget - sizeof(note) : 0;
    size_t keep = utf8_cut(text->data, text->size, room);
    const char *line = keep > 0 ? memrchr(text->data, '\n', keep) : NULL;
    if (line && line > text->data + keep / 2)
        keep = (size_t)(line - text->data);
    text->size = keep;
    snprintf(
        note, sizeof(note),
        "\n[cut: %zu of %zu bytes shown; ask for less (limit, a single id) or raise max_bytes, "
        "at most %d]",
        keep, whole, BUDGET_MAX);
    buf_puts(text, note);
}

/*
 * The arguments without max_bytes, which is ours; the budget of ask is at most what may be shown.
 * False with a text when they are wrong.
 */
static bool make_params(struct mcp *m, enum api_method method, struct slice arguments,
                        struct buf *params, size_t *ret_budget, struct buf *text)
{
    struct json_field f;
    struct jsonw w;
    int64_t budget = BUDGET_DEFAULT;
    bool own_budget = false;
    jsonw_init(&w, params);
    jsonw_object(&w);
    int r = json_scan_object(m->scanner, arguments.data, arguments.size, NULL);
    while (r == 0 && (r = json_scan_next(m->scanner, &f, NULL)) == 0) {
        if (json_field_is(&f, "max_bytes")) {
            if (json_field_int64(&f, &budget) < 0 || budget < BUDGET_MIN || budget > BUDGET_MAX) {
                buf_printf(text, "max_bytes: must be a whole number from %d to %d", BUDGET_MIN,
                           BUDGET_MAX);
                return false;
            }
            continue;
        }
        own_budget = own_budget || json_field_is(&f, "budget");
        size_t quotes = f.type == JSON_STRING;
        char key[128];
        snprintf(key, sizeof(key), "%.*s", (int)f.key.size, f.key.data);
        jsonw_key(&w, key);
        jsonw_raw(&w, f.raw.data - quotes, f.raw.size + 2 * quotes);
    }
    if (method == API_MEMORY_ASK && !own_budget)
        jsonw_kv_int(&w, "budget", budget);
    jsonw_object_end(&w);
    *ret_budget = (size_t)budget;
    return true;
}

/* True when the daemon has gone since the last call: then what stands in its socket is its end. */
static bool is_gone(struct mcp *m)
{
    const char *method, *params;
    return varve_next_notification(m->v, 0, &method, &params) == VARVE_CLOSED;
}

static int connect_again(struct mcp *m)
{
    varve_close(m->v);
    m->v = NULL;
    return varve_connect(m->socket, &m->v);
}

/* What changes something is not sent twice: when its answer is lost, it may have been done. */
static bool may_repeat(enum api_method method)
{
    return !api_info(method)->durable;
}

static int call(struct mcp *m, enum api_method method, const char *params, const char **ret_result)
{
    const char *name = api_info(method)->name;
    int r = m->v && !is_gone(m) ? 0 : connect_again(m);
    if (r == 0 && method == API_MEMORY_FORGET)
        varve_set_timeout(m->v, 0); /* it may take minutes; nothing else does */
    if (r == 0)
        r = varve_call(m->v, name, params, ret_result);
    if (m->v && method == API_MEMORY_FORGET)
        varve_set_timeout(m->v, CALL_MS);
    if (r == VARVE_CLOSED && may_repeat(method)) {
        r = connect_again(m);
        if (r == 0)
            r = varve_call(m->v, name, params, ret_result);
    }
    return r;
}

static bool show(enum api_method method, const char *result, struct buf *text)
{
    struct json *tree;
    struct errmsg err;
    if (json_parse(result, strlen(result), &tree, &err) < 0) {
        buf_printf(text, "the daemon's answer: %s", err.text);
        return false;
    }
    struct show s = {.out = text, .utc = true};
    if (method == API_MEMORY_ASK && json_bool(json_get(tree, "absent"), false))
        buf_puts(text, "absent: true\n");
    show_result(&s, method, tree);
    json_free(tree);
    return true;
}

bool mcp_tool(struct mcp *m, enum api_method method, struct slice arguments, struct buf *text)
{
    struct buf params = {0};
    size_t budget = BUDGET_DEFAULT;
    const char *result;
    bool done = make_params(m, method, arguments, &params, &budget, text);
    if (done && buf_failed(&params)) {
        buf_puts(text, "out of memory");
        done = false;
    }
    if (done && call(m, method, params.data, &result) < 0) {
        buf_puts(text, m->v ? varve_error(m->v) : "out of memory");
        done = false;
    }
    if (done)
        done = show(method, result, text);
    while (text->size > 0 && text->data[text->size - 1] == '\n')
        text->data[--text->size] = '\0';
    mcp_cut(text, budget);
    buf_deinit(&params);
    return !done;
}
