/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve mcp: the Model Context Protocol on standard input and output, one JSON-RPC message a line.
 *
 * tools/list is made from the method table. A call's result is short text, cut at a budget of bytes
 * with a note that says so: what a tool returns is paid for in tokens. A tool that fails gives a
 * result with isError, so the model can read why; only what is wrong with the message itself is a
 * protocol error. The daemon may be away or restart: each call connects anew where it must.
 * Standard output carries nothing but messages.
 */
#include "cli/mcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"

#define LINE_MAX_BYTES (1u << 20)
#define LATEST "2025-06-18"

enum { RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_METHOD = -32601, RPC_PARAMS = -32602 };

static const char *const versions[] = {"2024-11-05", "2025-03-26", LATEST};

/* ---- answers --------------------------------------------------------------------------------- */

static void begin_answer(struct jsonw *w, struct buf *out, struct slice id)
{
    jsonw_init(w, out);
    jsonw_object(w);
    jsonw_kv_string(w, "jsonrpc", "2.0");
    jsonw_key(w, "id");
    jsonw_raw(w, id.data, id.size);
}

static void put_error(struct buf *out, struct slice id, int code, const char *text)
{
    struct jsonw w;
    begin_answer(&w, out, id);
    jsonw_key(&w, "error");
    jsonw_object(&w);
    jsonw_kv_int(&w, "code", code);
    jsonw_kv_string(&w, "message", text);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}

/* ---- methods --------------------------------------------------------------------------------- */

static struct slice value_of(const struct json_field *f)
{
    size_t quotes = f->type == JSON_STRING;
    return (struct slice){f->raw.data - quotes, f->raw.size + 2 * quotes};
}

/* Finds a member of an object that was checked; type 0 when it is not there. */
static struct json_field member(struct mcp *m, struct slice object, const char *key)
{
    struct json_field f, found = {.type = 0};
    if (object.size == 0 || json_scan_object(m->scanner, object.data, object.size, NULL) < 0)
        return found;
    while (json_scan_next(m->scanner, &f, NULL) == 0) {
        if (json_field_is(&f, key))
            found = f;
    }
    return found;
}

static void initialize(struct mcp *m, struct slice id, struct slice params, struct buf *out)
{
    struct json_field asked = member(m, params, "protocolVersion");
    const char *version = LATEST;
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        if (asked.type == JSON_STRING && asked.raw.size == strlen(versions[i]) &&
            memcmp(asked.raw.data, versions[i], asked.raw.size) == 0)
            version = versions[i];
    }
    struct jsonw w;
    begin_answer(&w, out, id);
    jsonw_key(&w, "result");
    jsonw_object(&w);
    jsonw_kv_string(&w, "protocolVersion", version);
    jsonw_key(&w, "capabilities");
    jsonw_raw(&w, "{\"tools\":{}}", 12);
    jsonw_key(&w, "serverInfo");
    jsonw_object(&w);
    jsonw_kv_string(&w, "name", "varve");
    jsonw_kv_string(&w, "version", VARVE_VERSION);
    jsonw_object_end(&w);
    jsonw_kv_string(&w, "instructions",
                    "What this machine lived through: logs, sensors, notes. Start with ask or "
                    "search; then timeline, open, raw with an id, each dearer than the last.");
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}

static void list_tools(struct slice id, struct buf *out)
{
    struct jsonw w;
    begin_answer(&w, out, id);
    jsonw_key(&w, "result");
    jsonw_object(&w);
    jsonw_key(&w, "tools");
    jsonw_array(&w);
    for (int i = 0; i < API_METHODS; i++) {
        const char *schema = api_info((enum api_method)i)->tool_schema;
        if (schema)
            jsonw_raw(&w, schema, strlen(schema));
    }
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}

static void call_tool(struct mcp *m, struct slice id, struct slice params, struct buf *out)
{
    struct json_field name = member(m, params, "name");
    struct json_field arguments = member(m, params, "arguments");
    char tool[64];
    enum api_method method;
    if (name.type != JSON_STRING || name.escaped || name.raw.size >= sizeof(tool)) {
        put_error(out, id, RPC_PARAMS, "params.name: the name of a tool is needed");
        return;
    }
    snprintf(tool, sizeof(tool), "%.*s", (int)name.raw.size, name.raw.data);
    if (api_find_tool(tool, &method) < 0) {
        char text[128];
        snprintf(text, sizeof(text), "unknown tool: %s", tool);
        put_error(out, id, RPC_PARAMS, text);
        return;
    }
    if (arguments.type && arguments.type != JSON_OBJECT) {
        put_error(out, id, RPC_PARAMS, "params.arguments: must be an object");
        return;
    }
    struct buf text = {0};
    bool failed =
        mcp_tool(m, method, arguments.type ? arguments.raw : (struct slice){"{}", 2}, &text);
    struct jsonw w;
    begin_answer(&w, out, id);
    jsonw_key(&w, "result");
    jsonw_object(&w);
    jsonw_key(&w, "content");
    jsonw_array(&w);
    jsonw_object(&w);
    jsonw_kv_string(&w, "type", "text");
    jsonw_key(&w, "text");
    jsonw_string_n(&w, text.data ? text.data : "", text.size);
    jsonw_object_end(&w);
    jsonw_array_end(&w);
    jsonw_kv_bool(&w, "isError", failed);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    buf_deinit(&text);
}

/* ---- messages -------------------------------------------------------------------------------- */

struct message {
    bool version, has_id, answer;
    struct slice id, method, params;
};

static int read_message(struct mcp *m, struct slice text, struct message *ret, struct errmsg *err)
{
    *ret = (struct message){.id = {"null", 4}};
    struct json_field f;
    int r = json_scan_object(m->scanner, text.data, text.size, err);
    while (r == 0 && (r = json_scan_next(m->scanner, &f, err)) == 0) {
        if (json_field_is(&f, "jsonrpc"))
            ret->version =
                f.type == JSON_STRING && f.raw.size == 3 && memcmp(f.raw.data, "2.0", 3) == 0;
        else if (json_field_is(&f, "id") && (f.type == JSON_STRING || f.type == JSON_NUMBER))
            ret->id = value_of(&f), ret->has_id = true;
        else if (json_field_is(&f, "method") && f.type == JSON_STRING)
            ret->method = f.raw;
        else if (json_field_is(&f, "params") && f.type == JSON_OBJECT)
            ret->params = f.raw;
        else if (json_field_is(&f, "result") || json_field_is(&f, "error"))
            ret->answer = true;
    }
    return r == JSON_END ? 0 : r;
}

static bool is(struct slice s, const char *word)
{
    return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

/* Appends the answer of one message; nothing for a notification or an answer to us. */
static void handle_message(struct mcp *m, struct slice text, struct buf *out)
{
    struct message msg;
    struct errmsg err;
    if (read_message(m, text, &msg, &err) < 0) {
        put_error(out, msg.id, RPC_PARSE, err.text);
    } else if (!msg.version || (msg.method.size == 0 && !msg.answer)) {
        put_error(out, msg.id, RPC_REQUEST, "not a JSON-RPC 2.0 request");
    } else if (!msg.has_id || msg.answer) {
        return;
    } else if (is(msg.method, "initialize")) {
        initialize(m, msg.id, msg.params, out);
    } else if (is(msg.method, "ping")) {
        struct jsonw w;
        begin_answer(&w, out, msg.id);
        jsonw_key(&w, "result");
        jsonw_raw(&w, "{}", 2);
        jsonw_object_end(&w);
    } else if (is(msg.method, "tools/list")) {
        list_tools(msg.id, out);
    } else if (is(msg.method, "tools/call")) {
        call_tool(m, msg.id, msg.params, out);
    } else {
        put_error(out, msg.id, RPC_METHOD, "no such method");
    }
}

/* The end of the array's member at s, in a text that was checked: the comma or bracket behind it.
 */
static size_t member_end(const char *s, size_t n)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted && s[i] == '\\')
            i++;
        else if (s[i] == '"')
            quoted = !quoted;
        else if (!quoted && (s[i] == '{' || s[i] == '['))
            depth++;
        else if (!quoted && depth == 0 && (s[i] == ',' || s[i] == ']'))
            return i;
        else if (!quoted && (s[i] == '}' || s[i] == ']'))
            depth--;
    }
    return n;
}

/* Version 2025-03-26 has batches: an array of messages, answered by an array. */
static void handle_batch(struct mcp *m, struct slice text, struct buf *out)
{
    struct errmsg err;
    if (json_check(m->scanner, text.data, text.size, &err) < 0) {
        put_error(out, (struct slice){"null", 4}, RPC_PARSE, err.text);
        return;
    }
    struct buf one = {0};
    size_t at = 1;
    while (at < text.size) {
        size_t n = member_end(text.data + at, text.size - at);
        if (n == 0)
            break;
        buf_clear(&one);
        handle_message(m, (struct slice){text.data + at, n}, &one);
        if (one.size > 0) {
            buf_putc(out, out->size > 0 ? ',' : '[');
            buf_append(out, one.data, one.size);
        }
        at += n + 1;
    }
    if (out->size > 0)
        buf_putc(out, ']');
    else
        put_error(out, (struct slice){"null", 4}, RPC_REQUEST, "an empty batch");
    buf_deinit(&one);
}

static int answer_line(struct mcp *m, struct slice line)
{
    struct buf out = {0};
    while (line.size > 0 && strchr(" \t\r", *line.data) && *line.data) {
        line.data++;
        line.size--;
    }
    if (line.size == 0)
        return 0;
    if (*line.data == '[')
        handle_batch(m, line, &out);
    else
        handle_message(m, line, &out);
    if (out.size > 0) {
        buf_putc(&out, '\n');
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
    }
    int r = buf_failed(&out) || ferror(stdout) ? EXIT_FAILED : 0;
    buf_deinit(&out);
    return r;
}

static int read_lines(struct mcp *m)
{
    struct buf in = {0};
    char chunk[1 << 16];
    ssize_t n;
    int r = 0;
    while (r == 0 && (n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            buf_append(&in, chunk, (size_t)n);
        if (n < 0 || buf_failed(&in) || in.size > LINE_MAX_BYTES) {
            fprintf(stderr, "varve mcp: %s\n", n < 0 ? strerror(errno) : "a message is too large");
            r = EXIT_FAILED;
            break;
        }
        size_t at = 0;
        char *end;
        while (r == 0 && at < in.size && (end = memchr(in.data + at, '\n', in.size - at))) {
            r = answer_line(m, (struct slice){in.data + at, (size_t)(end - in.data) - at});
            at = (size_t)(end - in.data) + 1;
        }
        buf_consume(&in, at);
    }
    if (r == 0 && in.size > 0)
        r = answer_line(m, (struct slice){in.data, in.size});
    buf_deinit(&in);
    return r;
}

int run_mcp(struct args *a)
{
    struct mcp m = {.socket = a->socket};
    if (json_scanner_new(&m.scanner) < 0)
        return client_failed(a, NULL);
    int r = read_lines(&m);
    json_scanner_free(m.scanner);
    varve_close(m.v);
    return r;
}
