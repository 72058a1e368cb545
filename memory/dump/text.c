/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree for people: months, weeks, days, hours, episodes, moments, one line each, printed as it is walked. What
 * is not consolidated yet stands between them at its time. One level of children is held in memory.
 */
#include <string.h>
#include <time.h>

#include "base/timestamp.h"
#include "memory/dump/file.h"

#define WHEN_COLUMNS 30 /* tree and times */

struct tree {
    struct dump_file *f;
    struct dump_out *out;
    int name_columns; /* of the longest stream name shown */
    int64_t last_day; /* local midnight of the last line's day, to print a date once */
    bool flat;        /* one stratum only: no descent */
    uint64_t lines;
};

static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int date_text(int64_t us, char *out, size_t size)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    return snprintf(out, size, "%s %d %s %d", weekdays[timestamp_weekday(&c)], c.day,
                    months[(c.month + 11) % 12], c.year);
}

static int clock_text(int64_t us, bool seconds, char *out, size_t size)
{
    struct civil c;
    timestamp_to_civil_local(us, &c);
    if (seconds)
        return snprintf(out, size, "%02d:%02d:%02d", c.hour, c.minute, c.second);
    return snprintf(out, size, "%02d:%02d", c.hour, c.minute);
}

static void duration_text(int64_t us, char *out, size_t size)
{
    if (us < 1)
        out[0] = 0;
    else if (us < US_PER_SECOND)
        snprintf(out, size, "%d ms", (int)(us / 1000));
    else if (us < US_PER_MINUTE)
        snprintf(out, size, "%d s", (int)(us / US_PER_SECOND));
    else if (us < US_PER_HOUR)
        snprintf(out, size, "%d min", (int)(us / US_PER_MINUTE));
    else
        snprintf(out, size, "%d h %02d", (int)(us / US_PER_HOUR),
                 (int)(us % US_PER_HOUR / US_PER_MINUTE));
}

static void paint(struct dump_out *out, const char *code)
{
    if (out->color)
        buf_printf(&out->buf, "\033[%sm", code);
}

static void pad(struct dump_out *out, int used, int columns)
{
    if (used < columns)
        buf_printf(&out->buf, "%*s", columns - used, "");
}

/* Eighths of a full cell; the colours go from grey over orange to red, brighter for more. */
static void put_bar(struct dump_out *out, double heat)
{
    static const char *const cells[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const int colors[] = {240, 240, 243, 179, 214, 208, 202, 196, 197};
    int level = 1 + (int)(heat * 7.99);
    if (out->color)
        buf_printf(&out->buf, "\033[38;5;%dm", colors[level]);
    buf_puts(&out->buf, cells[level]);
    paint(out, "0");
}

/* "Nov 2026", "week of Mon 23 Nov 2026", "Mon 23 Nov 2026", "11:00", "11:04:09 to 11:20:31 (16 min)" by stratum, indented as deep as it
 * lies. */
static int put_when(struct tree *t, const struct file_span *s, int depth)
{
    char a[32], length[24];
    size_t from = t->out->buf.size;
    buf_printf(&t->out->buf, "%*s", 2 * depth, "");
    duration_text(s->end - s->start, length, sizeof(length));
    if (s->stratum == STRATUM_MONTH) {
        struct civil c;
        timestamp_to_civil_local(s->start, &c);
        buf_printf(&t->out->buf, "%s %d", months[(c.month + 11) % 12], c.year);
    } else if (s->stratum == STRATUM_WEEK || s->stratum == STRATUM_DAY) {
        date_text(s->start, a, sizeof(a));
        buf_printf(&t->out->buf, "%s%s", s->stratum == STRATUM_WEEK ? "week of " : "", a);
    } else if (s->stratum == 2) {
        clock_text(s->start, false, a, sizeof(a));
        buf_printf(&t->out->buf, "%s", a);
    } else {
        clock_text(s->start, true, a, sizeof(a));
        buf_printf(&t->out->buf, "%s  %s", a, length);
    }
    return (int)(t->out->buf.size - from);
}

static void put_count(struct dump_out *out, int64_t n)
{
    char digits[32];
    int size = snprintf(digits, sizeof(digits), "%lld", (long long)n);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            buf_putc(&out->buf, ',');
        buf_putc(&out->buf, digits[i]);
    }
}

static void put_count_right(struct dump_out *out, int64_t n, int columns)
{
    struct dump_out one = {.buf = {0}};
    put_count(&one, n);
    pad(out, (int)one.buf.size, columns);
    buf_append(&out->buf, one.buf.data, one.buf.size);
    buf_deinit(&one.buf);
}

/* A date between lines that carry only a time of day. */
static void put_date_if_new(struct tree *t, const struct file_span *s)
{
    struct civil c;
    timestamp_to_civil_local(s->start, &c);
    c.hour = c.minute = c.second = c.microsecond = 0;
    int64_t day = timestamp_from_civil_local(&c);
    if (day == t->last_day)
        return;
    t->last_day = day;
    if (s->stratum >= STRATUM_DAY)
        return;
    char a[32];
    date_text(s->start, a, sizeof(a));
    paint(t->out, "1");
    buf_printf(&t->out->buf, "  %s\n", a);
    paint(t->out, "0");
}

static void put_title(struct tree *t, const struct file_span *s, int used)
{
    struct dump_out *out = t->out;
    int room = out->columns ? out->columns - used - 1 : 0;
    if (out->columns && room < 12)
        room = 12;
    int took = dump_out_text(out, s->title, room);
    if (!s->why[0] || s->score < 0.5 || strstr(s->title, s->why))
        return;
    if (out->columns && room - took < 16)
        return;
    buf_puts(&out->buf, "  ");
    paint(out, "38;5;203");
    buf_puts(&out->buf, "[");
    dump_out_text(out, s->why, out->columns ? room - took - 5 : 0);
    buf_puts(&out->buf, "]");
    paint(out, "0");
}

static int put_line(struct tree *t, const struct file_span *s, int depth, struct errmsg *err)
{
    struct dump_out *out = t->out;
    put_date_if_new(t, s);
    bool odd = s->unusual > 0;
    paint(out, odd ? "1;38;5;203" : "0");
    buf_puts(&out->buf, odd ? "! " : "  ");
    paint(out, "0");
    paint(out, s->stratum >= STRATUM_DAY ? "1" : s->stratum == 0 ? "0" : "2");
    int used = put_when(t, s, depth);
    paint(out, "0");
    pad(out, used, WHEN_COLUMNS);
    const struct file_stream *stream = file_stream(t->f, s->stream);
    used =
        dump_out_text(out, stream ? stream->row.name : stratum_name(s->stratum), t->name_columns);
    pad(out, used, t->name_columns);
    put_count_right(out, s->records, 11);
    buf_puts(&out->buf, "  ");
    put_bar(out, file_heat(s));
    buf_puts(&out->buf, "  ");
    put_title(t, s, 2 + WHEN_COLUMNS + t->name_columns + 11 + 5);
    buf_putc(&out->buf, '\n');
    t->lines++;
    return dump_out_flush(out, false, err);
}

static int walk(struct tree *t, const struct file_span *s, int depth, struct errmsg *err)
{
    int r = put_line(t, s, depth, err);
    if (r || t->flat || s->stratum == 0)
        return r;
    struct arena arena;
    arena_init(&arena, 16u << 10);
    struct file_span *children;
    uint32_t count;
    r = file_children(t->f, s, &arena, &children, &count, err);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = walk(t, &children[i], depth + 1, err);
    arena_deinit(&arena);
    return r;
}

static void put_head(struct tree *t)
{
    struct dump_out *out = t->out;
    int64_t records = 0;
    for (uint32_t i = 0; i < t->f->stream_count; i++)
        records += (int64_t)t->f->streams[i].row.records;
    dump_out_text(out, t->f->path, 0);
    buf_puts(&out->buf, ": ");
    put_count(out, t->f->stream_count);
    buf_puts(&out->buf, t->f->stream_count == 1 ? " stream, " : " streams, ");
    put_count(out, records);
    buf_puts(&out->buf, records == 1 ? " record\n" : " records\n");
    paint(out, "2");
    buf_puts(&out->buf,
             "surprise: ▁ usual … █ extreme;  ! holds something unusual;  local times\n\n");
    buf_printf(&out->buf, "  %-*s%-*s%11s\n", WHEN_COLUMNS, "when", t->name_columns, "what",
               "records");
    paint(out, "0");
}

static void measure_names(struct tree *t)
{
    struct dump_out scratch = {.buf = {0}};
    t->name_columns = 8;
    for (uint32_t i = 0; i < t->f->stream_count; i++) {
        int columns = dump_out_text(&scratch, t->f->streams[i].row.name, 24);
        if (columns > t->name_columns)
            t->name_columns = columns;
    }
    buf_deinit(&scratch.buf);
}

int dump_text(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
              struct errmsg *err)
{
    struct tree t = {.f = f, .out = out, .flat = o->stratum >= 0, .last_day = TIME_UNKNOWN};
    struct arena ids, one;
    arena_init(&ids, 64u << 10);
    arena_init(&one, 4u << 10);
    int64_t *roots;
    uint32_t count;
    measure_names(&t);
    int r = file_roots(f, o->stratum, &ids, &roots, &count, err);
    if (r == 0)
        put_head(&t);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct file_span span;
        arena_reset(&one);
        r = file_span(f, roots[i], &one, &span, err);
        /* Consolidation may have replaced it since; its like is there under another id. */
        r = r == ERR_NOTFOUND ? 0 : r ? r : walk(&t, &span, 0, err);
    }
    if (r == 0 && t.lines == 0)
        buf_puts(&out->buf, "  nothing is remembered here\n");
    arena_deinit(&one);
    arena_deinit(&ids);
    return r;
}
