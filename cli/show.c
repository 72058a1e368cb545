/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "cli/show_lists.h"
#include "cli/show_status.h"
#include "cli/table.h"

struct show show_for_stdout(struct buf *out)
{
    struct show s = {.out = out};
    struct winsize size;
    if (isatty(STDOUT_FILENO)) {
        const char *term = getenv("TERM");
        s.color = !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
        s.width =
            ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
    }
    return s;
}

/* ---- small pieces ---------------------------------------------------------------------------- */

const char *show_time(const struct show *s, const struct json *time, char out[SHOW_TIME_SIZE])
{
    const char *text = json_string(time);
    int64_t us;
    if (!text)
        return "";
    if (timestamp_parse(text, strlen(text), &us, NULL) < 0) {
        snprintf(out, SHOW_TIME_SIZE, "%s", text);
        return out;
    }
    struct civil c;
    if (s->utc)
        timestamp_to_civil(us, &c);
    else
        timestamp_to_civil_local(us, &c);
    snprintf(out, SHOW_TIME_SIZE,
             s->utc ? "%04d-%02d-%02dT%02d:%02d:%02dZ" : "%04d-%02d-%02d %02d:%02d:%02d", c.year,
             c.month, c.day, c.hour, c.minute, c.second);
    return out;
}

const char *show_count(double v, char out[SHOW_NUMBER_SIZE])
{
    char digits[SHOW_NUMBER_SIZE];
    int n = snprintf(digits, sizeof(digits), "%.0f", fmin(fmax(v, -1e15), 1e15));
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        bool group = i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-';
        if (group)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *show_bytes(double v, char out[SHOW_NUMBER_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (fabs(v) >= 1024 && unit < 4) {
        v /= 1024;
        unit++;
    }
    snprintf(out, SHOW_NUMBER_SIZE, unit && fabs(v) < 100 ? "%.1f %s" : "%.0f %s",
             fmin(fmax(v, -1e15), 1e15), units[unit]);
    return out;
}

/* "name: value" of a string member, if there is one. */
static void line_string(struct show *s, const struct json *result, const char *key,
                        const char *label)
{
    const char *value = json_string(json_get(result, key));
    if (!value || !*value)
        return;
    buf_printf(s->out, "%s", label);
    text_line(s->out, value, 0);
    buf_putc(s->out, '\n');
}

/* ---- one memory ------------------------------------------------------------------------------ */

static void open_unusual(struct show *s, const struct json *result)
{
    for (const struct json *u = json_first(json_get(result, "unusual")); u; u = json_next(u)) {
        char when[SHOW_TIME_SIZE];
        const char *why = json_string(json_get(u, "why"));
        buf_printf(s->out, "unusual    %s  %.1f bits  ", show_time(s, json_get(u, "start"), when),
                   json_double(json_get(u, "bits"), 0));
        text_line(s->out, why ? why : "", 0);
        buf_putc(s->out, '\n');
    }
}

static void open_entities(struct show *s, const struct json *result)
{
    const struct json *e = json_first(json_get(result, "entities"));
    if (!e)
        return;
    buf_puts(s->out, "names      ");
    for (bool first = true; e; e = json_next(e), first = false) {
        const char *kind = json_string(json_get(e, "kind"));
        const char *name = json_string(json_get(e, "name"));
        buf_printf(s->out, "%s%s ", first ? "" : ", ", kind ? kind : "");
        text_line(s->out, name ? name : "", 0);
    }
    buf_putc(s->out, '\n');
}

static void open_links(struct show *s, const struct json *result)
{
    static const char *const one[] = {"before", "after", "parent"};
    for (size_t i = 0; i < sizeof(one) / sizeof(*one); i++) {
        const char *id = json_string(json_get(result, one[i]));
        if (id)
            buf_printf(s->out, "%-10s %s\n", one[i], id);
    }
    const struct json *child = json_first(json_get(result, "children"));
    if (child)
        buf_puts(s->out, "children  ");
    for (int n = 0; child && n < 20; child = json_next(child), n++)
        buf_printf(s->out, " %s", json_string(child) ? json_string(child) : "");
    if (json_first(json_get(result, "children")))
        buf_puts(s->out, child ? " …\n" : "\n");
}

static void show_open(struct show *s, const struct json *result)
{
    char start[SHOW_TIME_SIZE], end[SHOW_TIME_SIZE];
    const char *id = json_string(json_get(result, "id"));
    const char *title = json_string(json_get(result, "title"));
    const struct json *provenance = json_get(result, "provenance");
    buf_printf(s->out, s->color ? "\033[1m%s\033[0m  " : "%s  ", id ? id : "");
    text_line(s->out, title ? title : "", 0);
    buf_printf(s->out, "\ntime       %s to %s\n", show_time(s, json_get(result, "start"), start),
               show_time(s, json_get(result, "end"), end));
    buf_printf(s->out, "stream     %s\n", lists_where(result));
    if (json_get(result, "bits"))
        buf_printf(s->out, "surprise   %.1f bits a record, at most %.1f\n",
                   json_double(json_get(result, "bits"), 0),
                   json_double(json_get(result, "bits_max"), 0));
    line_string(s, provenance, "path", "path       ");
    if (json_bool(json_get(provenance, "pinned"), false))
        buf_puts(s->out, "pinned     yes\n");
    open_unusual(s, result);
    open_entities(s, result);
    open_links(s, result);
    const char *body = json_string(json_get(result, "body"));
    const char *gist = json_string(json_get(result, "gist"));
    if (gist && *gist) {
        buf_putc(s->out, '\n');
        text_block(s->out, gist, 0);
    }
    if (body && *body) {
        buf_putc(s->out, '\n');
        text_block(s->out, body, 0);
        if (json_get(result, "media"))
            buf_printf(s->out, "… to hear or see it: varve raw %s --out FILE\n", id ? id : "");
        else if (json_bool(json_get(result, "body_cut"), false))
            buf_printf(s->out, "… the rest: varve raw %s\n", id ? id : "");
    }
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static void put_values(struct show *s, const struct json *values)
{
    for (const struct json *m = json_first(values); m; m = json_next(m)) {
        buf_puts(s->out, m == json_first(values) ? "" : ", ");
        text_line(s->out, json_key(m), 0);
        buf_printf(s->out, " %.15g", json_double(m, 0));
    }
}

static void show_reload(struct show *s, const struct json *result)
{
    buf_puts(s->out, "the configuration was read again\n");
    for (const struct json *k = json_first(json_get(result, "kept")); k; k = json_next(k)) {
        buf_puts(s->out, "after a restart only: ");
        text_line(s->out, json_string(k) ? json_string(k) : "", 0);
        buf_putc(s->out, '\n');
    }
}

/* Answers of pin, unpin, feedback, remember. */
static void show_done(struct show *s, const struct json *result)
{
    const char *id = json_string(json_get(result, "id"));
    const char *stream = json_string(json_get(result, "stream"));
    if (id)
        buf_printf(s->out, "%s", id);
    if (stream)
        buf_printf(s->out, "%s in %s", id ? "" : "kept", stream);
    const struct json *pinned = json_get(result, "pinned");
    if (pinned && (json_bool(pinned, false) || !stream))
        buf_puts(s->out, json_bool(pinned, false) ? " pinned" : " unpinned");
    if (json_get(result, "helped"))
        buf_puts(s->out,
                 json_bool(json_get(result, "helped"), false) ? " helped" : " did not help");
    buf_putc(s->out, '\n');
}

static void show_raw(struct show *s, const struct json *result)
{
    for (const struct json *r = json_first(json_get(result, "records")); r; r = json_next(r)) {
        char when[SHOW_TIME_SIZE];
        const char *text = json_string(json_get(r, "text"));
        const char *media = json_string(json_get(r, "media"));
        buf_printf(s->out, "%s  ", show_time(s, json_get(r, "time"), when));
        if (media)
            buf_printf(s->out, "%zu bytes",
                       strlen(media) / 4 * 3 - (strchr(media, '=') != NULL) -
                           (strstr(media, "==") != NULL));
        else if (text)
            text_line(s->out, text, 0);
        else
            put_values(s, json_get(r, "values"));
        buf_putc(s->out, '\n');
    }
}

static void put_number(struct show *s, const struct json *result, const char *key, const char *what)
{
    char n[SHOW_NUMBER_SIZE];
    double v = json_double(json_get(result, key), 0);
    if (v > 0)
        buf_printf(s->out, "%s%s %s", s->out->size ? ", " : "", show_count(v, n), what);
}

static void show_receipt(struct show *s, const struct json *result)
{
    bool dry = json_bool(json_get(result, "dry"), false);
    put_number(s, result, "records", "records");
    put_number(s, result, "bytes", "bytes");
    put_number(s, result, "moments", "whole moments");
    put_number(s, result, "rewritten", "moments in part");
    put_number(s, result, "streams", "streams");
    if (s->out->size == 0) {
        buf_puts(s->out, "there is nothing to forget\n");
        return;
    }
    buf_puts(s->out, dry ? " would be forgotten\n" : " forgotten");
    if (dry)
        return;
    char n[SHOW_NUMBER_SIZE];
    buf_printf(s->out, "; %s spans made again without it\n",
               show_count(json_double(json_get(result, "spans"), 0), n));
    buf_printf(s->out, "receipt %s\n", json_string(json_get(result, "hash")));
}

void show_result(struct show *s, enum api_method method, const struct json *result)
{
    switch (method) {
    case API_MEMORY_ASK:
        lists_answer(s, result);
        break;
    case API_MEMORY_SEARCH:
    case API_MEMORY_SIMILAR:
    case API_MEMORY_TIMELINE:
        lists_items(s, result, method != API_MEMORY_TIMELINE);
        break;
    case API_MEMORY_OPEN:
        show_open(s, result);
        break;
    case API_MEMORY_RAW:
        show_raw(s, result);
        break;
    case API_PREDICT_SURPRISE:
        lists_surprise(s, result);
        break;
    case API_PREDICT_FORECAST:
        lists_forecast(s, result);
        break;
    case API_ENTITY_LIST:
        lists_entities(s, result);
        break;
    case API_ENTITY_HISTORY:
        lists_history(s, result);
        break;
    case API_STREAM_LIST:
        lists_streams(s, result);
        break;
    case API_MEMORY_FORGET:
        show_receipt(s, result);
        break;
    case API_DAEMON_RELOAD:
        show_reload(s, result);
        break;
    case API_DAEMON_STATUS:
        status_show(s, result);
        break;
    default:
        show_done(s, result);
    }
}
