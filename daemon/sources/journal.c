/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal source: reads systemd's journal through sd-journal, from the stored cursor on; the
 * first time from an hour ago, so that a fresh memory is not empty. A record reads "unit: message"
 * with the entry's own time; the cursor is committed together with the records.
 *
 * Durable: while the stream's queue is full nothing is read; the journal keeps what comes. Sizes:
 * at most ENTRIES entries a turn of the loop, so that a large backlog does not hold it up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/sources/source.h"

#define ENTRIES 512
#define FIRST_LOOK_BACK (3600 * US_PER_SECOND)
#define FIELD_MAX (32u << 10)

struct journal {
    struct source *source;
    sd_journal *journal;
    uv_poll_t poll;
    uv_idle_t more; /* runs while a backlog is read */
    unsigned open;
    char key[STREAM_NAME_MAX + 16];
    char text[FIELD_MAX * 3 + 256];
};

bool source_journal_readable(void)
{
    sd_journal *j;
    if (sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) < 0)
        return false;
    bool readable = sd_journal_seek_tail(j) >= 0 && sd_journal_previous(j) > 0;
    sd_journal_close(j);
    return readable;
}

/* The value of one field, cut to FIELD_MAX; size 0 when it is not there. */
static struct slice field(sd_journal *j, const char *name)
{
    const void *data;
    size_t size;
    size_t skip = strlen(name) + 1;
    if (sd_journal_get_data(j, name, &data, &size) < 0 || size < skip)
        return (struct slice){NULL, 0};
    size -= skip;
    return (struct slice){(const char *)data + skip, size < FIELD_MAX ? size : FIELD_MAX};
}

static size_t entry_text(struct journal *j)
{
    struct slice who = field(j->journal, "SYSLOG_IDENTIFIER");
    if (who.size == 0)
        who = field(j->journal, "_COMM");
    size_t n = 0;
    if (who.size > 0) {
        n = utf8_repair(who.data, who.size < 64 ? who.size : 64, j->text);
        memcpy(j->text + n, ": ", 2);
        n += 2;
    }
    struct slice message = field(j->journal, "MESSAGE");
    return n + utf8_repair(message.data, message.size, j->text + n);
}

static int add_entry(struct journal *j, struct batch *b)
{
    uint64_t us;
    int64_t now = clock_now(j->source->daemon->clock);
    size_t size = entry_text(j);
    struct record r = {.time = now, .arrival = now, .text = {j->text, size}};
    if (size == 0)
        return 0;
    if (sd_journal_get_realtime_usec(j->journal, &us) >= 0 && us < (uint64_t)TIME_MAX)
        r.time = (int64_t)us;
    return batch_copy_record(b, &r);
}

/* Reads what is there, at most ENTRIES; true when there is more. */
static bool read_entries(struct journal *j)
{
    struct source *s = j->source;
    struct batch *b = batch_new(s->streams->stream);
    char *cursor = NULL;
    int got = 0, rc = b ? 1 : -ENOMEM;
    while (got < ENTRIES && rc > 0 && (rc = sd_journal_next(j->journal)) > 0) {
        if (add_entry(j, b) != 0) {
            sd_journal_previous(j->journal); /* it is read again */
            rc = -ENOMEM;
        } else {
            got++;
        }
    }
    if (got > 0 && sd_journal_get_cursor(j->journal, &cursor) >= 0 &&
        source_batch_place(b, j->key, (struct slice){cursor, strlen(cursor)}) == 0) {
        source_submit(s->streams, b);
    } else {
        batch_free(b);
        got = 0;
    }
    free(cursor);
    if (rc < 0)
        source_set_trouble(s, "the journal cannot be read: %s", strerror(-rc));
    else if (got > 0)
        source_set_trouble(s, "%s", "");
    return got == ENTRIES;
}

static void on_more(uv_idle_t *idle)
{
    struct journal *j = container_of(idle, struct journal, more);
    if (j->source->streams->paused || !read_entries(j))
        uv_idle_stop(idle);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct journal *j = container_of(poll, struct journal, poll);
    if (sd_journal_process(j->journal) < 0)
        source_set_trouble(j->source, "the journal cannot be followed");
    if (!j->source->streams->paused)
        uv_idle_start(&j->more, on_more);
}

/* "ssh" or "ssh.service" means the unit; FIELD=VALUE is the journal's own syntax. */
static int add_matches(struct journal *j)
{
    const struct config_list *match = &j->source->config->match;
    int rc = 0;
    for (size_t i = 0; i < match->count && rc >= 0; i++) {
        const char *m = match->items[i];
        char unit[256];
        if (!strchr(m, '=')) {
            snprintf(unit, sizeof(unit), "_SYSTEMD_UNIT=%.200s%s", m,
                     strchr(m, '.') ? "" : ".service");
            m = unit;
        }
        rc = sd_journal_add_match(j->journal, m, 0);
        if (rc >= 0 && i + 1 < match->count)
            rc = sd_journal_add_disjunction(j->journal);
    }
    return rc;
}

/* Stands behind what was stored last, or an hour back. */
static int seek(struct journal *j)
{
    struct buf cursor = {0};
    int rc = -1;
    if (source_place_get(j->source, j->key, &cursor) == 0) {
        buf_putc(&cursor, '\0');
        rc = buf_failed(&cursor) ? -ENOMEM : sd_journal_seek_cursor(j->journal, cursor.data);
        /* On the entry itself; or, when that was rotated away, on the first behind it, which is
         * new. */
        if (rc >= 0)
            rc = sd_journal_next(j->journal);
        if (rc > 0 && sd_journal_test_cursor(j->journal, cursor.data) <= 0)
            rc = sd_journal_previous(j->journal);
    }
    buf_deinit(&cursor);
    if (rc >= 0)
        return rc;
    int64_t since = clock_now(j->source->daemon->clock) - FIRST_LOOK_BACK;
    return sd_journal_seek_realtime_usec(j->journal, since > 0 ? (uint64_t)since : 0);
}

static int start(struct source *s)
{
    if (!source_journal_readable()) {
        source_set_trouble(s, "there is no journal that this process may read%s",
                           s->config->why && strcmp(s->config->why, "on by default") == 0
                               ? "; the log files are followed instead"
                               : "");
        return ERR_NOTFOUND;
    }
    struct journal *j = mem_calloc(1, sizeof(*j));
    if (!j) {
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    j->source = s;
    snprintf(j->key, sizeof(j->key), "journal/%s", s->name);
    int rc = sd_journal_open(&j->journal, SD_JOURNAL_LOCAL_ONLY);
    if (rc >= 0)
        rc = add_matches(j);
    if (rc >= 0)
        rc = seek(j);
    int fd = rc >= 0 ? sd_journal_get_fd(j->journal) : -1;
    if (rc < 0 || fd < 0) {
        source_set_trouble(s, "the journal cannot be read: %s", strerror(rc < 0 ? -rc : -fd));
        sd_journal_close(j->journal);
        mem_free(j);
        return ERR_IO;
    }
    s->impl = j;
    uv_poll_init(&s->daemon->loop, &j->poll, fd);
    uv_idle_init(&s->daemon->loop, &j->more);
    uv_poll_start(&j->poll, UV_READABLE, on_readable);
    uv_idle_start(&j->more, on_more);
    return 0;
}

static void handle_closed(struct journal *j)
{
    if (--j->open > 0)
        return;
    struct source *s = j->source;
    sd_journal_close(j->journal);
    mem_free(j);
    source_closed(s);
}

static void on_poll_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct journal, poll));
}

static void on_more_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct journal, more));
}

static void stop(struct source *s)
{
    struct journal *j = s->impl;
    j->open = 2;
    uv_close((uv_handle_t *)&j->poll, on_poll_closed);
    uv_close((uv_handle_t *)&j->more, on_more_closed);
}

static void resume_reading(struct source_stream *ss)
{
    struct journal *j = ss->source->impl;
    uv_idle_start(&j->more, on_more);
}

const struct source_ops source_journal = {
    .policy = STREAM_DURABLE, .start = start, .stop = stop, .resume = resume_reading};
