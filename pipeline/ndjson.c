/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object a line. The scanner checks the whole line before a record is made of it, so nothing of
 * a malformed line gets through. Fields that are not asked for are passed over; for sensors every
 * other number is a channel.
 */
#include <string.h>

#include "base/utf8.h"
#include "pipeline/reader_impl.h"

bool ndjson_has_text(struct record_reader *r, struct slice line)
{
    struct json_field f;
    bool found = false;
    int rc = json_scan_object(r->json, line.data, line.size, NULL);
    while (!rc && (rc = json_scan_next(r->json, &f, NULL)) == 0)
        found |= f.type == JSON_STRING && json_field_is(&f, r->text_field);
    return rc == JSON_END && found;
}

/* READER_REPORTED: said what is wrong with it. */
static int take_time(struct record_reader *r, const struct json_field *f, int64_t *ret_us)
{
    int rc = ERR_PARSE;
    struct slice text = f->raw;
    if (f->type == JSON_NULL)
        return 0;
    if (f->type == JSON_STRING) {
        if (json_field_text(f, &r->scratch, &text))
            return ERR_NOMEM;
        rc = timeshape_field(&r->shape, text.data, text.size, ret_us);
    } else if (f->type == JSON_NUMBER) {
        rc = timeshape_field(&r->shape, f->raw.data, f->raw.size, ret_us);
    }
    if (rc == 0)
        return 0;
    rc = reader_time_error(r, rc, text);
    return rc ? rc : READER_REPORTED;
}

static int take_ref(struct record_reader *r, const struct json_field *f, struct slice *ret)
{
    if (f->type == JSON_NULL)
        return 0;
    int rc = 0;
    if (f->type == JSON_NUMBER)
        *ret = f->raw;
    else if (f->type == JSON_STRING)
        rc = json_field_text(f, &r->scratch, ret);
    else
        rc = reader_error(r, "\"%s\" is neither a string nor a number", r->ref_field);
    if (rc)
        return rc;
    if (f->type != JSON_NUMBER && f->type != JSON_STRING)
        return READER_REPORTED;
    if (ret->size <= RECORD_REF_MAX)
        return 0;
    rc = reader_error(r, "\"%s\" is longer than %d bytes", r->ref_field, RECORD_REF_MAX);
    return rc ? rc : READER_REPORTED;
}

static int take_seq(struct record_reader *r, const struct json_field *f, uint64_t *ret)
{
    bool fits = f->type == JSON_NUMBER || (f->type == JSON_STRING && !f->escaped);
    if (fits && reader_seq(f->raw.data, f->raw.size, ret) == 0)
        return 0;
    int rc = reader_error(r, "\"%s\" is no whole number from 1", r->seq_field);
    return rc ? rc : READER_REPORTED;
}

static int take_sample(struct record_reader *r, const struct json_field *f, struct record *rec)
{
    uint16_t channel;
    int rc = reader_channel_find(r, f->key, &channel);
    if (rc)
        return rc == READER_REPORTED ? 0 : rc;
    if (rec->sample_count < CHANNELS_MAX)
        r->samples[rec->sample_count++] = (struct sample){channel, f->number};
    return 0;
}

static int take_field(struct record_reader *r, const struct json_field *f, struct record *rec)
{
    if (json_field_is(f, r->time_field))
        return take_time(r, f, &rec->time);
    if (json_field_is(f, r->ref_field))
        return take_ref(r, f, &rec->ref);
    if (r->seq_field[0] && json_field_is(f, r->seq_field))
        return take_seq(r, f, &rec->seq);
    if (r->options.kind == KIND_SENSOR)
        return f->type == JSON_NUMBER ? take_sample(r, f, rec) : 0;
    if (f->type == JSON_STRING && json_field_is(f, r->text_field))
        return json_field_text(f, &r->scratch, &rec->text);
    return 0;
}

/* A channel is announced only by a line that is good to its end. */
static int check_line(struct record_reader *r, struct slice line, bool *ret_text)
{
    struct errmsg e = {""};
    struct json_field f;
    *ret_text = false;
    int rc = json_scan_object(r->json, line.data, line.size, &e);
    while (!rc && (rc = json_scan_next(r->json, &f, &e)) == 0)
        *ret_text |= f.type == JSON_STRING && json_field_is(&f, r->text_field);
    if (rc == JSON_END)
        return 0;
    if (rc == ERR_NOMEM)
        return rc;
    rc = reader_error(r, "not a JSON object: %s", e.text);
    return rc ? rc : READER_REPORTED;
}

int ndjson_line(struct record_reader *r, struct slice line)
{
    struct record rec = {.time = TIME_UNKNOWN, .samples = r->samples};
    struct json_field f;
    bool has_text;
    arena_reset(&r->scratch);
    int rc = check_line(r, line, &has_text);
    if (rc)
        return rc == READER_REPORTED ? 0 : rc;
    if (r->options.kind == KIND_TEXT && !has_text)
        return reader_error(r, "has no string \"%s\"", r->text_field);
    rc = json_scan_object(r->json, line.data, line.size, NULL);
    while (!rc && (rc = json_scan_next(r->json, &f, NULL)) == 0) {
        rc = take_field(r, &f, &rec);
        if (rc)
            return rc == READER_REPORTED ? 0 : rc;
    }
    return rc == JSON_END ? reader_record(r, &rec) : rc;
}
