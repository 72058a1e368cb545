/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.status in sentences: what is running, what it remembers, what that takes, and what is out
 * of order. What is nothing is not said; `varve status --json` has every number.
 */
#include "cli/show_status.h"

#include <math.h>
#include <string.h>

#include "cli/table.h"

static double number_of(const struct json *object, const char *key)
{
    return json_double(json_get(object, key), 0);
}

static const char *text_of(const struct json *object, const char *key)
{
    const char *s = json_string(json_get(object, key));
    return s ? s : "";
}

static void put_text(struct show *s, const char *text)
{
    text_line(s->out, text, 0);
}

/* "1,204 moments" */
static void put_count(struct show *s, double n, const char *noun)
{
    char text[SHOW_NUMBER_SIZE];
    buf_printf(s->out, "%s %s%s", show_count(n, text), noun, n == 1 ? "" : "s");
}

static void put_bytes(struct show *s, double n)
{
    char text[SHOW_NUMBER_SIZE];
    buf_puts(s->out, show_bytes(n, text));
}

/* "3 days 4 hours", "12 minutes", "5 seconds" */
static void put_duration(struct show *s, double seconds)
{
    if (seconds >= 86400) {
        put_count(s, floor(seconds / 86400), "day");
        buf_putc(s->out, ' ');
        put_count(s, floor(fmod(seconds, 86400) / 3600), "hour");
    } else if (seconds >= 3600) {
        put_count(s, floor(seconds / 3600), "hour");
    } else if (seconds >= 60) {
        put_count(s, floor(seconds / 60), "minute");
    } else {
        put_count(s, seconds, "second");
    }
}

static void put_program(struct show *s, const struct json *r)
{
    char when[SHOW_TIME_SIZE];
    buf_puts(s->out, "varved ");
    put_text(s, text_of(r, "version"));
    buf_puts(s->out, " is ");
    put_text(s, text_of(r, "state"));
    buf_printf(s->out, " as process %.0f since %s, for ", number_of(r, "pid"),
               show_time(s, json_get(r, "started"), when));
    put_duration(s, number_of(r, "uptime"));
    buf_puts(s->out, ".\nIt takes ");
    put_bytes(s, number_of(r, "resident_bytes"));
    buf_printf(s->out, " of memory and took %.1f seconds of CPU.\n", number_of(r, "cpu_seconds"));
    const struct json *clients = json_get(r, "clients");
    put_count(s, number_of(clients, "connections"), "client");
    buf_printf(s->out, " %s connected to ", number_of(clients, "connections") == 1 ? "is" : "are");
    put_text(s, text_of(r, "socket"));
    buf_puts(s->out, "; it answered ");
    put_count(s, number_of(clients, "requests"), "request");
    if (number_of(clients, "errors") > 0)
        buf_printf(s->out, ", %.0f of them with an error", number_of(clients, "errors"));
    buf_puts(s->out, ".\n");
}

/* What is kept of each class, or what was let go; nothing where all are 0. */
static void put_classes(struct show *s, const struct json *r, const char *key, const char *intro)
{
    static const struct {
        const char *key, *before, *noun;
    } classes[] = {{"kept_evidence", "the evidence of ", "moment"},
                   {"kept_moments", "", "moment"},
                   {"kept_episodes", "", "episode"},
                   {"kept_hours", "", "hour"},
                   {"kept_days", "", "day"}};
    bool any = false;
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        const struct json *c = json_get(r, classes[i].key);
        double n = number_of(c, key);
        if (n <= 0)
            continue;
        buf_puts(s->out, any ? ", " : intro);
        buf_puts(s->out, classes[i].before);
        put_count(s, n, classes[i].noun);
        if (strcmp(key, "count") == 0 && number_of(c, "bytes") > 0) {
            buf_puts(s->out, " (");
            put_bytes(s, number_of(c, "bytes"));
            buf_putc(s->out, ')');
        }
        any = true;
    }
    if (any)
        buf_puts(s->out, ".\n");
}

static void put_memory(struct show *s, const struct json *r)
{
    double pinned = number_of(json_get(r, "memory"), "pinned_bytes");
    buf_puts(s->out, "It took ");
    put_count(s, number_of(r, "records"), "record");
    buf_puts(s->out, " (");
    put_bytes(s, number_of(r, "payload_bytes"));
    buf_puts(s->out, ") and remembers ");
    put_count(s, number_of(r, "moments"), "moment");
    if (number_of(r, "open_records") > 0) {
        buf_puts(s->out, "; ");
        put_count(s, number_of(r, "open_records"), "record");
        buf_puts(s->out, " belong to moments that have not ended");
    }
    buf_puts(s->out, ".\nThe memory ");
    put_text(s, text_of(r, "database"));
    buf_puts(s->out, " takes ");
    put_bytes(s, number_of(r, "file_bytes") + number_of(r, "wal_bytes"));
    buf_puts(s->out, " of its ");
    put_bytes(s, number_of(r, "budget_bytes"));
    if (pinned > 0) {
        buf_puts(s->out, ", what is pinned ");
        put_bytes(s, pinned);
    }
    buf_puts(s->out, ".\n");
    put_classes(s, r, "count", "Kept: ");
    put_classes(s, r, "let_go", "Let go to make room: ");
}

/* A sentence about `n` of something, unless there are none. */
static void put_some(struct show *s, double n, const char *noun, const char *rest)
{
    if (n <= 0)
        return;
    put_count(s, n, noun);
    buf_printf(s->out, " %s.\n", rest);
}

static void put_irregular(struct show *s, const struct json *r)
{
    const struct json *queues = json_get(r, "queues"), *forgetting = json_get(r, "forgetting");
    put_some(s, number_of(r, "dropped"), "record", "of live sources lost to load");
    put_some(s, number_of(r, "late"), "record", "came late");
    put_some(s, number_of(r, "gaps"), "gap", "in the numbers of records");
    put_some(s, number_of(r, "redacted"), "secret", "taken out before anything was written");
    put_some(s, number_of(json_get(r, "writer"), "failed_commits"), "write",
             "to the file failed and came again");
    put_some(s, number_of(queues, "waiting_for_room"), "moment", "waiting for room on the disk");
    if (number_of(queues, "model_bytes") > 0) {
        put_bytes(s, number_of(queues, "model_bytes"));
        buf_puts(s->out, " of records wait to be looked at.\n");
    }
    if (json_type(forgetting) == JSON_OBJECT) {
        buf_puts(s->out, "Forgetting is under way: ");
        put_text(s, text_of(forgetting, "phase"));
        buf_printf(s->out, ", %.0f of ", number_of(forgetting, "done"));
        put_count(s, number_of(forgetting, "planned"), "moment");
        buf_puts(s->out, ".\n");
    }
}

static void put_source(struct show *s, const struct json *source)
{
    buf_puts(s->out, "Source ");
    put_text(s, text_of(source, "name"));
    buf_puts(s->out, " (");
    put_text(s, text_of(source, "reads"));
    buf_puts(s->out, "): ");
    put_text(s, text_of(source, "state"));
    if (number_of(source, "errors") > 0) {
        buf_puts(s->out, ", ");
        put_count(s, number_of(source, "errors"), "error");
    }
    if (number_of(source, "restarts") > 0) {
        buf_puts(s->out, ", ");
        put_count(s, number_of(source, "restarts"), "restart");
    }
    buf_puts(s->out, ".\n");
}

/* Where sound is remembered, what finds the speech in it. */
static void put_hearing(struct show *s, const struct json *r)
{
    for (const struct json *e = json_first(json_get(r, "streams")); e; e = json_next(e)) {
        const char *kind = text_of(e, "kind");
        if (!kind || strcmp(kind, "audio") != 0)
            continue;
        buf_puts(s->out, "Speech is told by ");
        put_text(s, text_of(r, "speech_detector"));
        buf_puts(s->out, ".\n");
        return;
    }
}

void status_show(struct show *s, const struct json *result)
{
    put_program(s, result);
    put_memory(s, result);
    put_irregular(s, result);
    put_hearing(s, result);
    const struct json *sources = json_get(result, "sources");
    for (const struct json *e = json_first(sources); e; e = json_next(e))
        put_source(s, e);
    if (!json_first(sources))
        buf_puts(s->out, "No source is read: only what clients send is remembered.\n");
}
