/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a chunk is cut at its LFs; a line that lies in one chunk is read where it lies, only
 * the piece at the chunk's end is copied. The first line decides the mode, each mode makes one
 * record a line. Failure modes: lines over RECORD_SIZE_MAX are dropped up to their LF and reported
 * once; bad records are reported and passed over; only memory and the callbacks stop the reader.
 */
#include "pipeline/reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/reader_impl.h"

#define CHANNEL_SLOTS (2 * CHANNELS_MAX)

static int copy_name(char *out, const char *given, const char *usual, struct errmsg *err)
{
    const char *name = given ? given : usual;
    if (strlen(name) >= FIELD_NAME_MAX)
        return err_set(err, ERR_INVALID, "a field name is longer than %d bytes",
                       FIELD_NAME_MAX - 1);
    snprintf(out, FIELD_NAME_MAX, "%s", name);
    return 0;
}

static int copy_options(struct record_reader *r, const struct record_reader_options *o,
                        struct errmsg *err)
{
    r->options = *o;
    if (r->options.rate_hz == 0)
        r->options.rate_hz = 1;
    if (!(r->options.rate_hz > 0) || !isfinite(r->options.rate_hz))
        return err_set(err, ERR_INVALID, "the rate must be above 0");
    r->time_field_given = o->time_field != NULL;
    int rc = copy_name(r->text_field, o->text_field, "text", err);
    rc = rc ? rc : copy_name(r->time_field, o->time_field, "time", err);
    rc = rc ? rc : copy_name(r->ref_field, o->ref_field, "ref", err);
    return rc ? rc : copy_name(r->seq_field, o->seq_field, "", err);
}

int record_reader_new(const struct record_reader_options *options,
                      const struct record_reader_callbacks *callbacks, struct record_reader **ret,
                      struct errmsg *err)
{
    if (options->kind != KIND_TEXT && options->kind != KIND_SENSOR)
        return err_set(err, ERR_UNSUPPORTED, "only text and sensor data are read here");
    struct record_reader *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    int rc = copy_options(r, options, err);
    if (rc) {
        mem_free(r);
        return rc;
    }
    r->callbacks = *callbacks;
    arena_init(&r->scratch, 4096);
    arena_init(&r->csv.names, 4096);
    rc = json_scanner_new(&r->json);
    if (!rc && options->kind == KIND_SENSOR) {
        r->samples = mem_calloc(CHANNELS_MAX, sizeof(*r->samples));
        r->channels = mem_calloc(CHANNELS_MAX, sizeof(*r->channels));
        r->channel_slots = mem_calloc(CHANNEL_SLOTS, sizeof(*r->channel_slots));
        r->csv.cells = mem_calloc(CSV_COLUMNS_MAX + 1, sizeof(*r->csv.cells));
        if (!r->samples || !r->channels || !r->channel_slots || !r->csv.cells)
            rc = ERR_NOMEM;
    }
    if (rc) {
        record_reader_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void record_reader_free(struct record_reader *r)
{
    if (!r)
        return;
    json_scanner_free(r->json);
    buf_deinit(&r->head);
    buf_deinit(&r->partial);
    buf_deinit(&r->repaired);
    buf_deinit(&r->csv.unquoted);
    buf_deinit(&r->csv.joined);
    arena_deinit(&r->scratch);
    arena_deinit(&r->csv.names);
    mem_free(r->csv.columns);
    mem_free(r->csv.cells);
    for (uint32_t i = 0; r->channels && i < CHANNELS_MAX; i++)
        mem_free(r->channels[i]);
    mem_free(r->channels);
    mem_free(r->channel_slots);
    mem_free(r->samples);
    mem_free(r);
}

int reader_error(struct record_reader *r, const char *format, ...)
{
    struct errmsg e;
    va_list ap;
    va_start(ap, format);
    vsnprintf(e.text, sizeof(e.text), format, ap);
    va_end(ap);
    return r->callbacks.error ? r->callbacks.error(r->callbacks.arg, r->lines, e.text) : 0;
}

int reader_time_error(struct record_reader *r, int code, struct slice text)
{
    int shown = (int)utf8_cut(text.data, text.size, 40);
    if (code == ERR_RANGE)
        return reader_error(r, "the time \"%.*s\" is not between 1970 and 2200", shown, text.data);
    return reader_error(r, "\"%.*s\" is not a time", shown, text.data);
}

int reader_record(struct record_reader *r, struct record *rec)
{
    rec->arrival = clock_now(r->options.clock);
    if (rec->time == TIME_UNKNOWN) {
        rec->time = rec->arrival;
        rec->flags |= RECORD_NO_TIME;
    }
    return r->callbacks.record(r->callbacks.arg, rec, r->lines);
}

int reader_seq(const char *s, size_t n, uint64_t *ret)
{
    if (n == 0 || n > 19)
        return ERR_PARSE;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return ERR_PARSE;
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    if (v == 0 || v > INT64_MAX)
        return ERR_PARSE;
    *ret = v;
    return 0;
}

/* Digits, one point, an exponent: small ones are exact in one double operation, others take strtod.
 */
int reader_number(const char *s, size_t n, bool decimal_comma, double *ret)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = n && (s[0] == '-' || s[0] == '+');
    uint64_t mantissa = 0;
    int digits = 0, behind = 0;
    bool point = false, exponent = false;
    for (; i < n; i++) {
        if (s[i] >= '0' && s[i] <= '9') {
            mantissa = digits < 18 ? mantissa * 10 + (uint64_t)(s[i] - '0') : mantissa;
            digits++;
            behind += point;
        } else if (!point && (s[i] == '.' || (decimal_comma && s[i] == ','))) {
            point = true;
        } else {
            exponent = digits && (s[i] == 'e' || s[i] == 'E');
            break;
        }
    }
    if (i < n && !exponent) {
        bool sign = s[0] == '-' || s[0] == '+';
        const char *w = s + sign;
        size_t left = n - sign;
        bool odd = (left == 3 && strncasecmp(w, "nan", 3) == 0) ||
                   (left == 3 && strncasecmp(w, "inf", 3) == 0) ||
                   (left == 8 && strncasecmp(w, "infinity", 8) == 0);
        return odd ? ERR_RANGE : ERR_PARSE;
    }
    if (digits == 0)
        return ERR_PARSE;
    if (!exponent && digits <= 18 && mantissa < (1ULL << 53) && behind <= 22) {
        double v = (double)mantissa / tens[behind];
        *ret = s[0] == '-' ? -v : v;
        return 0;
    }
    char copy[128];
    if (n >= sizeof(copy))
        return ERR_PARSE;
    memcpy(copy, s, n);
    copy[n] = '\0';
    char *comma = decimal_comma ? strchr(copy, ',') : NULL;
    if (comma)
        *comma = '.';
    char *end;
    double v = strtod(copy, &end);
    if (*end)
        return ERR_PARSE;
    if (!isfinite(v))
        return ERR_RANGE;
    *ret = v;
    return 0;
}

static uint32_t channel_slot(const struct record_reader *r, const char *name, size_t n)
{
    uint32_t at = (uint32_t)XXH3_64bits(name, n) % CHANNEL_SLOTS;
    while (r->channel_slots[at]) {
        const char *known = r->channels[r->channel_slots[at] - 1];
        if (strlen(known) == n && memcmp(known, name, n) == 0)
            break;
        at = (at + 1) % CHANNEL_SLOTS;
    }
    return at;
}

int record_reader_channel(struct record_reader *r, uint16_t index, const char *name)
{
    if (r->options.kind != KIND_SENSOR || index != r->channel_count || index >= CHANNELS_MAX)
        return ERR_INVALID;
    uint32_t at = channel_slot(r, name, strlen(name));
    if (r->channel_slots[at])
        return ERR_EXISTS;
    r->channels[index] = mem_strdup(name);
    if (!r->channels[index])
        return ERR_NOMEM;
    r->channel_slots[at] = (uint16_t)(index + 1);
    r->channel_count++;
    return 0;
}

int reader_channel_find(struct record_reader *r, struct slice name, uint16_t *ret_index)
{
    size_t n = utf8_cut(name.data, name.size, CHANNEL_NAME_MAX - 1);
    uint32_t at = channel_slot(r, name.data, n);
    if (r->channel_slots[at]) {
        *ret_index = (uint16_t)(r->channel_slots[at] - 1);
        return 0;
    }
    if (r->channel_count == CHANNELS_MAX || memchr(name.data, '\0', n)) {
        int rc = r->channel_count == CHANNELS_MAX
                     ? reader_error(r, "more than %d channels; \"%.*s\" is left out", CHANNELS_MAX,
                                    (int)n, name.data)
                     : reader_error(r, "a channel's name holds a NUL");
        return rc ? rc : READER_REPORTED;
    }
    char copy[CHANNEL_NAME_MAX];
    memcpy(copy, name.data, n);
    copy[n] = '\0';
    uint16_t index = (uint16_t)r->channel_count;
    int rc = record_reader_channel(r, index, copy);
    if (rc)
        return rc;
    *ret_index = index;
    return r->callbacks.channel ? r->callbacks.channel(r->callbacks.arg, index, copy) : 0;
}

static int plain_line(struct record_reader *r, struct slice line)
{
    struct record rec = {.time = TIME_UNKNOWN, .text = line};
    size_t behind;
    int rc = timeshape_line(&r->shape, line.data, line.size, clock_now(r->options.clock), &rec.time,
                            &behind);
    if (rc == ERR_RANGE)
        return reader_time_error(r, rc, (struct slice){line.data, line.size < 32 ? line.size : 32});
    return reader_record(r, &rec);
}

/* Bad bytes become U+FFFD: a log is worth more with a dent than not at all. */
static int repair(struct record_reader *r, struct slice *line)
{
    if (utf8_valid(line->data, line->size, NULL) && !memchr(line->data, '\0', line->size))
        return 0;
    buf_clear(&r->repaired);
    if (buf_reserve(&r->repaired, 3 * line->size))
        return ERR_NOMEM;
    r->repaired.size = utf8_repair(line->data, line->size, r->repaired.data);
    *line = (struct slice){r->repaired.data,
                           utf8_cut(r->repaired.data, r->repaired.size, RECORD_SIZE_MAX)};
    return 0;
}

static enum input_mode mode_of(struct record_reader *r, struct slice line)
{
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'))
        i++;
    bool object = i < line.size && line.data[i] == '{';
    if (r->options.kind == KIND_SENSOR)
        return object ? MODE_NDJSON : MODE_CSV;
    return object && ndjson_has_text(r, line) ? MODE_NDJSON : MODE_LINES;
}

static void set_mode(struct record_reader *r, enum input_mode mode)
{
    static const char letters[] = {[MODE_LINES] = 'l', [MODE_NDJSON] = 'n', [MODE_CSV] = 'c'};
    r->mode = mode;
    if (mode == MODE_CSV && r->csv.had_header)
        return; /* it may be the header of this input too */
    buf_clear(&r->head);
    buf_putc(&r->head, letters[mode]);
}

static bool blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t')
            return false;
    return true;
}

/* One line without its LF. */
static int take_line(struct record_reader *r, struct slice line)
{
    r->lines++;
    if (r->oversized) {
        r->oversized = false;
        return reader_error(r, "longer than %u bytes", RECORD_SIZE_MAX);
    }
    while (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (!r->begun) {
        r->begun = true;
        if (line.size >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
            line = (struct slice){line.data + 3, line.size - 3};
    }
    if (line.size == 0)
        line.data = ""; /* an empty buffer has none */
    bool is_blank = blank(line);
    if (r->mode == MODE_UNKNOWN && !(is_blank && r->options.kind == KIND_SENSOR))
        set_mode(r, mode_of(r, line));
    if (is_blank && r->mode != MODE_LINES)
        return 0;
    if (r->mode == MODE_NDJSON)
        return ndjson_line(r, line);
    int rc = repair(r, &line);
    if (rc)
        return rc;
    return r->mode == MODE_CSV ? csv_line(r, line) : plain_line(r, line);
}

/* The line's last piece has come. */
static int finish_partial(struct record_reader *r, const char *data, size_t size)
{
    if (!r->oversized && r->partial.size + size <= RECORD_SIZE_MAX)
        buf_append(&r->partial, data, size);
    else
        r->oversized = true;
    if (buf_failed(&r->partial))
        return ERR_NOMEM;
    struct slice line = {r->partial.data, r->oversized ? 0 : r->partial.size};
    int rc = take_line(r, line);
    buf_clear(&r->partial);
    return rc;
}

int record_reader_feed(struct record_reader *r, const void *data, size_t size, struct errmsg *err)
{
    const char *p = data;
    const char *end = p + size;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((lf ? lf : end) - p);
        int rc = 0;
        r->unfinished = lf ? 0 : r->unfinished + n;
        if (!lf) {
            if (r->oversized || r->partial.size + n > RECORD_SIZE_MAX) {
                r->oversized = true;
                buf_clear(&r->partial);
                return 0;
            }
            buf_append(&r->partial, p, n);
            return buf_failed(&r->partial) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
        }
        if (r->partial.size || r->oversized) {
            rc = finish_partial(r, p, n);
        } else {
            r->oversized = n > RECORD_SIZE_MAX;
            rc = take_line(r, (struct slice){p, n});
        }
        if (rc)
            return rc;
        p = lf + 1;
    }
    return 0;
}

int record_reader_end(struct record_reader *r, struct errmsg *err)
{
    if (!r->partial.size && !r->oversized)
        return 0;
    r->unfinished = 0;
    int rc = finish_partial(r, "", 0);
    return rc == ERR_NOMEM ? err_set(err, rc, "out of memory") : rc;
}

void record_reader_restart(struct record_reader *r)
{
    buf_clear(&r->partial);
    r->oversized = false;
    r->begun = false;
    r->unfinished = 0;
    r->mode = MODE_UNKNOWN;
    csv_restart(r);
}

struct slice record_reader_head(const struct record_reader *r)
{
    if (r->mode == MODE_UNKNOWN)
        return (struct slice){"", 0};
    return (struct slice){r->head.data, r->head.size};
}

int record_reader_resume(struct record_reader *r, struct slice head)
{
    record_reader_restart(r);
    if (head.size == 0)
        return 0;
    r->begun = true;
    r->csv.had_header = false;
    set_mode(r, head.data[0] == 'n' ? MODE_NDJSON : head.data[0] == 'c' ? MODE_CSV : MODE_LINES);
    if (r->mode != MODE_CSV || head.size == 1)
        return buf_failed(&r->head) ? ERR_NOMEM : 0;
    return csv_resume(r, (struct slice){head.data + 1, head.size - 1});
}

size_t record_reader_partial(const struct record_reader *r)
{
    return r->unfinished;
}
