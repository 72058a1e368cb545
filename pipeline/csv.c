/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the header names the columns and its commonest separator is the file's; the first row
 * settles which column is the time (by name, else by shape); a column becomes a channel with its
 * first number, in column order. A row with one cell more than the header has names its rows in the
 * first column, as R writes them. A first line of numbers only is a row of a table without a
 * header. An input that follows another (a file that was rotated or truncated) and begins with
 * numbers where that one had its channels goes on under that one's header. Failure modes: a row of
 * another width, a row whose time is none, and cells that are no finite number are reported with
 * line and column.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/reader_impl.h"

static char find_delimiter(struct slice line)
{
    static const char candidates[] = ",;\t";
    uint32_t counts[3] = {0};
    bool quoted = false;
    for (size_t i = 0; i < line.size; i++) {
        quoted ^= line.data[i] == '"';
        const char *c = quoted ? NULL : memchr(candidates, line.data[i], 3);
        if (c)
            counts[c - candidates]++;
    }
    int best = 0;
    for (int i = 1; i < 3; i++)
        if (counts[i] > counts[best])
            best = i;
    return candidates[best];
}

static struct slice trim(struct slice s)
{
    while (s.size && (*s.data == ' ' || *s.data == '\t'))
        s = (struct slice){s.data + 1, s.size - 1};
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

/* The cell that begins with a quote at *at; doubled quotes become one. ERR_PARSE: it has no end. */
static int quoted_cell(struct record_reader *r, struct slice line, size_t *at, struct slice *ret)
{
    size_t i = *at + 1;
    size_t start = r->csv.unquoted.size;
    const char *from = line.data + i;
    bool doubled = false;
    for (;; i++) {
        const char *q = memchr(line.data + i, '"', line.size - i);
        if (!q)
            return ERR_PARSE;
        i = (size_t)(q - line.data);
        if (i + 1 == line.size || line.data[i + 1] != '"')
            break;
        doubled = true;
        buf_append(&r->csv.unquoted, from, (size_t)(q - from) + 1);
        from = q + 2;
        i++;
    }
    if (doubled) {
        buf_append(&r->csv.unquoted, from, (size_t)(line.data + i - from));
        if (buf_failed(&r->csv.unquoted))
            return ERR_NOMEM;
        *ret = (struct slice){r->csv.unquoted.data + start, r->csv.unquoted.size - start};
    } else {
        *ret = (struct slice){from, (size_t)(line.data + i - from)};
    }
    *at = i + 1;
    return 0;
}

/* READER_REPORTED: the row cannot be cut into cells. */
static int split(struct record_reader *r, struct slice line, uint32_t *ret_count)
{
    struct csv *c = &r->csv;
    size_t at = 0;
    uint32_t count = 0;
    buf_clear(&c->unquoted);
    /* Slices point into it, so it must not move. */
    if (memchr(line.data, '"', line.size) && buf_reserve(&c->unquoted, line.size + 1))
        return ERR_NOMEM;
    for (;;) {
        if (count > CSV_COLUMNS_MAX) {
            int rc = reader_error(r, "more than %d columns", CSV_COLUMNS_MAX);
            return rc ? rc : READER_REPORTED;
        }
        size_t quote = at;
        while (quote < line.size && line.data[quote] == ' ')
            quote++;
        if (quote < line.size && line.data[quote] == '"') {
            at = quote;
            int rc = quoted_cell(r, line, &at, &c->cells[count]);
            if (rc == ERR_PARSE) {
                rc = reader_error(r, "column %u: a quote that is not closed", count + 1);
                return rc ? rc : READER_REPORTED;
            }
            if (rc)
                return rc;
        }
        const char *sep = memchr(line.data + at, c->delimiter, line.size - at);
        size_t end = sep ? (size_t)(sep - line.data) : line.size;
        if (!(quote < line.size && line.data[quote] == '"'))
            c->cells[count] = trim((struct slice){line.data + at, end - at});
        count++;
        if (!sep)
            break;
        at = end + 1;
    }
    *ret_count = count;
    return 0;
}

static bool named(struct slice name, const char *what)
{
    return name.size == strlen(what) && strncasecmp(name.data, what, name.size) == 0;
}

static bool names_time(struct slice name)
{
    static const char *const names[] = {
        "time",      "timestamp", "date",       "datetime",    "date_time",
        "date time", "ts",        "@timestamp", "_time",       "event_time",
        "time_utc",  "utc",       "utc_time",   "created_at",  "timestamp_utc",
        "epoch",     "unixtime",  "unix_time",  "last_changed"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (named(name, names[i]))
            return true;
    return false;
}

static int find_column(const struct csv *c, const char *name)
{
    for (uint32_t i = 0; i < c->column_count; i++)
        if (c->columns[i].name.size == strlen(name) &&
            memcmp(c->columns[i].name.data, name, c->columns[i].name.size) == 0)
            return (int)i;
    return -1;
}

/* "date" beside "time" are two halves of one time. */
static void find_time_by_name(struct csv *c)
{
    int date = -1, clock = -1, any = -1;
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct slice name = c->columns[i].name;
        if (named(name, "date"))
            date = (int)i;
        if (named(name, "time"))
            clock = (int)i;
        if (any < 0 && names_time(name))
            any = (int)i;
    }
    if (date >= 0 && clock >= 0) {
        c->columns[date].role = COLUMN_TIME;
        c->columns[clock].role = COLUMN_CLOCK;
    } else if (any >= 0) {
        c->columns[any].role = COLUMN_TIME;
    }
}

/* A named field that is not there can only be a mistake of the caller's: it ends the reading. */
static int missing_column(struct record_reader *r, const char *name)
{
    int rc = reader_error(r, "the header has no column \"%s\"", name);
    return rc ? rc : ERR_PARSE;
}

static int assign_by_name(struct record_reader *r)
{
    struct csv *c = &r->csv;
    int at = find_column(c, r->ref_field);
    if (at >= 0)
        c->columns[at].role = COLUMN_REF;
    else if (r->options.ref_field)
        return missing_column(r, r->ref_field);
    if (r->seq_field[0]) {
        at = find_column(c, r->seq_field);
        if (at < 0)
            return missing_column(r, r->seq_field);
        c->columns[at].role = COLUMN_SEQ;
    }
    if (!r->time_field_given) {
        find_time_by_name(c);
        return 0;
    }
    at = find_column(c, r->time_field);
    if (at < 0)
        return missing_column(r, r->time_field);
    c->columns[at].role = COLUMN_TIME;
    return 0;
}

static bool is_numeric(struct slice cell)
{
    double v;
    return reader_number(cell.data, cell.size, false, &v) != ERR_PARSE;
}

/* True when no cell could be a name: numbers, times and nothing else. */
static bool is_data(struct record_reader *r, uint32_t count)
{
    uint32_t numbers = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice cell = r->csv.cells[i];
        int64_t us;
        if (is_numeric(cell))
            numbers++;
        else if (cell.size && timeshape_field(&r->shape, cell.data, cell.size, &us) != 0)
            return false;
    }
    return numbers > 0;
}

static int header(struct record_reader *r, uint32_t count, bool unnamed)
{
    struct csv *c = &r->csv;
    struct column *columns = mem_calloc(count, sizeof(*columns));
    if (!columns)
        return ERR_NOMEM;
    mem_free(c->columns);
    c->columns = columns;
    c->column_count = count;
    arena_reset(&c->names);
    for (uint32_t i = 0; i < count; i++) {
        char made[24];
        struct slice name = trim(c->cells[i]);
        if (unnamed || name.size == 0) {
            snprintf(made, sizeof(made), "column%u", i + 1);
            name = (struct slice){made, strlen(made)};
        }
        char *copy = arena_copy(&c->names, name.data, name.size);
        if (!copy)
            return ERR_NOMEM;
        columns[i].name = (struct slice){copy, name.size};
    }
    c->have_header = true;
    c->had_header = c->have_roles = c->row_names = false;
    return assign_by_name(r);
}

/* Without a column named like a time: the first whose cell can only be one. */
static void find_time_by_shape(struct record_reader *r, const struct slice *cells)
{
    struct csv *c = &r->csv;
    for (uint32_t i = 0; i < c->column_count; i++)
        if (c->columns[i].role == COLUMN_TIME)
            return;
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct slice cell = cells[i];
        int64_t us;
        double v;
        if (c->columns[i].role != COLUMN_OPEN || cell.size == 0 ||
            timeshape_field(&r->shape, cell.data, cell.size, &us) != 0)
            continue;
        bool number = reader_number(cell.data, cell.size, false, &v) == 0;
        if (number && (v < 1e9 || us < 1000000000 * US_PER_SECOND || v != (double)(int64_t)v))
            continue;
        c->columns[i].role = COLUMN_TIME;
        return;
    }
}

static bool is_missing(struct slice cell)
{
    return cell.size == 0 || named(cell, "na") || named(cell, "n/a") || named(cell, "null");
}

static int take_cell(struct record_reader *r, uint32_t i, struct slice cell, struct record *rec)
{
    struct column *col = &r->csv.columns[i];
    double v = 0;
    if (col->role == COLUMN_WORDS || is_missing(cell))
        return 0;
    int rc = reader_number(cell.data, cell.size, r->csv.delimiter != ',', &v);
    if (col->role == COLUMN_OPEN) {
        if (rc == ERR_PARSE) {
            col->role = COLUMN_WORDS;
            return 0;
        }
        int found = reader_channel_find(r, col->name, &col->channel);
        if (found == READER_REPORTED) {
            col->role = COLUMN_WORDS;
            return 0;
        }
        if (found)
            return found;
        col->role = COLUMN_NUMBER;
    }
    if (rc)
        return reader_error(r, "column %u (%.*s): \"%.*s\" is not a finite number", i + 1,
                            (int)utf8_cut(col->name.data, col->name.size, 40), col->name.data,
                            (int)utf8_cut(cell.data, cell.size, 40), cell.data);
    if (rec->sample_count < CHANNELS_MAX)
        r->samples[rec->sample_count++] = (struct sample){col->channel, v};
    return 0;
}

/* The two halves of a time as one text. */
static int join_time(struct record_reader *r, struct slice date, struct slice clock,
                     struct slice *ret)
{
    struct buf *b = &r->csv.joined;
    buf_clear(b);
    buf_append(b, date.data, date.size);
    buf_putc(b, ' ');
    buf_append(b, clock.data, clock.size);
    if (buf_failed(b))
        return ERR_NOMEM;
    *ret = (struct slice){b->data, b->size};
    return 0;
}

/* Time, ref and seq. READER_REPORTED: the row is bad. */
static int take_keys(struct record_reader *r, const struct slice *cells, struct record *rec)
{
    struct csv *c = &r->csv;
    struct slice time = {0}, clock = {0};
    bool timed = false;
    int rc = 0;
    for (uint32_t i = 0; !rc && i < c->column_count; i++) {
        enum column_role role = c->columns[i].role;
        if (role == COLUMN_TIME) {
            time = cells[i];
            timed = true;
        } else if (role == COLUMN_CLOCK) {
            clock = cells[i];
        } else if (role == COLUMN_REF) {
            rec->ref = cells[i];
            if (rec->ref.size > RECORD_REF_MAX)
                rc = reader_error(r, "column %u: longer than %d bytes", i + 1, RECORD_REF_MAX);
            rc = rc || rec->ref.size <= RECORD_REF_MAX ? rc : READER_REPORTED;
        } else if (role == COLUMN_SEQ && reader_seq(cells[i].data, cells[i].size, &rec->seq)) {
            rc = reader_error(r, "column %u (%s) is no whole number from 1", i + 1, r->seq_field);
            rc = rc ? rc : READER_REPORTED;
        }
    }
    if (!rc && clock.size)
        rc = join_time(r, time, clock, &time);
    if (rc)
        return rc;
    if (timed) {
        rc = timeshape_field(&r->shape, time.data, time.size, &rec->time);
        rc = rc ? reader_time_error(r, rc, time) : 0;
        return rc ? rc : (rec->time == TIME_UNKNOWN ? READER_REPORTED : 0);
    }
    rec->flags |= RECORD_NO_TIME;
    if (r->options.live) {
        rec->time = clock_now(r->options.clock);
        return 0;
    }
    if (c->rows == 0)
        c->start = clock_now(r->options.clock);
    double us = (double)c->start + (double)c->rows * 1e6 / r->options.rate_hz;
    rec->time = us < (double)TIME_MAX ? (int64_t)us : TIME_MAX - 1;
    return 0;
}

static int row(struct record_reader *r, uint32_t count)
{
    struct csv *c = &r->csv;
    struct record rec = {.time = TIME_UNKNOWN, .samples = r->samples};
    const struct slice *cells = c->cells;
    if (!c->have_roles)
        c->row_names = count == c->column_count + 1;
    if (count != c->column_count + c->row_names)
        return reader_error(r, "%u columns, the header has %u", count,
                            c->column_count + c->row_names);
    cells += c->row_names;
    if (!c->have_roles && !r->time_field_given)
        find_time_by_shape(r, cells);
    c->have_roles = true;
    int rc = take_keys(r, cells, &rec);
    c->rows++;
    if (rc)
        return rc == READER_REPORTED ? 0 : rc;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].role > COLUMN_WORDS)
            continue;
        rc = take_cell(r, i, cells[i], &rec);
        if (rc)
            return rc;
    }
    return reader_record(r, &rec);
}

static int take_header(struct record_reader *r, struct slice line, uint32_t count, bool unnamed)
{
    int rc = header(r, count, unnamed);
    buf_clear(&r->head);
    buf_putc(&r->head, 'c');
    buf_append(&r->head, line.data, line.size);
    return rc == 0 && buf_failed(&r->head) ? ERR_NOMEM : rc;
}

/* A number where the input before had a channel: no header has one there. */
static bool continues(const struct csv *c, uint32_t count)
{
    uint32_t names = c->have_roles ? c->row_names : count == c->column_count + 1;
    if (!c->had_header || count != c->column_count + names)
        return false;
    for (uint32_t i = 0; i < c->column_count; i++) {
        enum column_role role = c->columns[i].role;
        if ((role == COLUMN_NUMBER || role == COLUMN_OPEN) && is_numeric(c->cells[i + names]))
            return true;
    }
    return false;
}

int csv_line(struct record_reader *r, struct slice line)
{
    uint32_t count;
    if (!r->csv.have_header)
        r->csv.delimiter = find_delimiter(line);
    int rc = split(r, line, &count);
    if (rc)
        return rc == READER_REPORTED ? 0 : rc;
    if (r->csv.have_header)
        return row(r, count);
    if (continues(&r->csv, count)) {
        r->csv.have_header = true;
        return row(r, count);
    }
    bool data = is_data(r, count);
    rc = take_header(r, line, count, data);
    return rc || !data ? rc : row(r, count);
}

int csv_resume(struct record_reader *r, struct slice line)
{
    uint32_t count;
    r->csv.delimiter = find_delimiter(line);
    int rc = split(r, line, &count);
    if (rc)
        return rc == READER_REPORTED ? 0 : rc;
    return take_header(r, line, count, is_data(r, count));
}

void csv_restart(struct record_reader *r)
{
    r->csv.had_header |= r->csv.have_header;
    r->csv.have_header = false;
    r->csv.rows = 0;
}
