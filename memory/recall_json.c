/* SPDX-License-Identifier: Apache-2.0 */
/* Ids are strings on the wire; an absent value is left out unless scripts rely on the key. */
#include "memory/recall_json.h"

#include <stdio.h>

#include "memory/fact.h"

#define SCORE_DIGITS 6

static void key_u64_string(struct jsonw *w, const char *key, uint64_t v)
{
    jsonw_key(w, key);
    jsonw_u64_string(w, v);
}

static void key_u64(struct jsonw *w, const char *key, uint64_t v)
{
    jsonw_kv_int(w, key, (int64_t)v);
}

static void key_strings(struct jsonw *w, const char *key, const char *const *items, uint32_t count)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        jsonw_string(w, items[i]);
    jsonw_array_end(w);
}

static void item_fields(struct jsonw *w, const struct recall_item *item)
{
    key_u64_string(w, "id", item->id);
    jsonw_kv_int(w, "stratum", item->stratum);
    jsonw_kv_string(w, "stream", item->stream);
    jsonw_kv_time(w, "start", item->start);
    jsonw_kv_time(w, "end", item->end);
    jsonw_kv_string(w, "title", item->title);
    jsonw_kv_fixed(w, "score", item->score, SCORE_DIGITS);
    key_u64(w, "cost", item->cost.body);
    jsonw_key(w, "costs");
    jsonw_object(w);
    key_u64(w, "title", item->cost.title);
    key_u64(w, "gist", item->cost.gist);
    key_u64(w, "body", item->cost.body);
    key_u64(w, "raw", item->cost.raw);
    jsonw_object_end(w);
    key_strings(w, "refs", item->refs, item->ref_count);
}

void recall_item_json(struct jsonw *w, const struct recall_item *item)
{
    jsonw_object(w);
    item_fields(w, item);
    jsonw_object_end(w);
}

static void key_items(struct jsonw *w, const struct recall_items *items)
{
    jsonw_key(w, "items");
    jsonw_array(w);
    for (uint32_t i = 0; i < items->count; i++)
        recall_item_json(w, &items->items[i]);
    jsonw_array_end(w);
}

static void key_records(struct jsonw *w, const struct recall_record *records, uint32_t count)
{
    jsonw_key(w, "records");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++) {
        const struct recall_record *r = &records[i];
        jsonw_object(w);
        key_u64_string(w, "id", r->id);
        jsonw_kv_string(w, "stream", r->stream);
        key_u64_string(w, "seq", r->seq);
        jsonw_kv_time(w, "time", r->time);
        jsonw_kv_string(w, "ref", r->ref);
        jsonw_kv_fixed(w, "score", r->score, SCORE_DIGITS);
        if (r->text)
            jsonw_kv_string(w, "text", r->text);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void recall_found_json(struct jsonw *w, const struct recall_found *found)
{
    jsonw_object(w);
    key_items(w, &found->items);
    key_records(w, found->records, found->record_count);
    jsonw_kv_bool(w, "more", found->items.more);
    jsonw_object_end(w);
}

void recall_items_json(struct jsonw *w, const struct recall_items *items)
{
    jsonw_object(w);
    key_items(w, items);
    jsonw_kv_bool(w, "more", items->more);
    jsonw_object_end(w);
}

static void unusual_json(struct jsonw *w, const struct recall_unusual *u)
{
    jsonw_object(w);
    key_u64_string(w, "id", u->id);
    jsonw_kv_string(w, "stream", u->stream);
    jsonw_kv_time(w, "start", u->start);
    jsonw_kv_time(w, "end", u->end);
    jsonw_kv_fixed(w, "bits", u->bits, 3);
    jsonw_kv_fixed(w, "z", u->z, 3);
    jsonw_kv_fixed(w, "score", u->score, 4);
    jsonw_kv_string(w, "why", u->why);
    if (u->count > 1)
        jsonw_kv_int(w, "count", u->count);
    jsonw_object_end(w);
}

static void key_unusual(struct jsonw *w, const char *key, const struct recall_unusual *items,
                        uint32_t count)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        unusual_json(w, &items[i]);
    jsonw_array_end(w);
}

void recall_surprise_json(struct jsonw *w, const struct recall_unusual *items, uint32_t count)
{
    jsonw_object(w);
    key_unusual(w, "items", items, count);
    jsonw_object_end(w);
}

static void entity_fields(struct jsonw *w, const struct recall_entity *e)
{
    key_u64_string(w, "id", e->id);
    jsonw_kv_string(w, "kind", e->kind);
    jsonw_kv_string(w, "name", e->name);
    key_u64(w, "count", e->count);
    if (e->moments)
        key_u64(w, "moments", e->moments);
    jsonw_kv_time(w, "first", e->first);
    jsonw_kv_time(w, "last", e->last);
}

static void key_entities(struct jsonw *w, const char *key, const struct recall_entity *items,
                         uint32_t count)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++) {
        jsonw_object(w);
        entity_fields(w, &items[i]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void recall_entities_json(struct jsonw *w, const struct recall_entity *items, uint32_t count)
{
    jsonw_object(w);
    key_entities(w, "items", items, count);
    jsonw_object_end(w);
}

static void key_time(struct jsonw *w, const char *key, int64_t t)
{
    if (t == TIME_UNKNOWN || t == TIME_MIN) {
        jsonw_key(w, key);
        jsonw_null(w);
    } else {
        jsonw_kv_time(w, key, t);
    }
}

static void fact_fields(struct jsonw *w, const struct fact *f)
{
    jsonw_object(w);
    jsonw_kv_string(w, "stream", f->stream_name);
    jsonw_kv_string(w, "subject", f->subject);
    jsonw_kv_string(w, "value", f->value);
    key_time(w, "since", f->since);
    key_time(w, "until", f->until);
    jsonw_kv_time(w, "last", f->last);
    jsonw_kv_int(w, "seen", f->seen);
    jsonw_object_end(w);
}

static void key_same(struct jsonw *w, const struct recall_same *items, uint32_t count)
{
    jsonw_key(w, "also");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++) {
        jsonw_object(w);
        entity_fields(w, &items[i].entity);
        jsonw_kv_int(w, "votes", items[i].votes);
        jsonw_kv_int(w, "renamed", items[i].renamed);
        jsonw_kv_int(w, "beside", items[i].beside);
        jsonw_kv_int(w, "against", items[i].against);
        jsonw_kv_bool(w, "merged", items[i].merged);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void key_days(struct jsonw *w, const char *key, const struct recall_day *items,
                     uint32_t count)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++) {
        const struct recall_day *d = &items[i];
        jsonw_object(w);
        jsonw_kv_time(w, "start", d->start);
        key_u64(w, "moments", d->moments);
        key_u64(w, "count", d->count);
        key_u64(w, "unusual", d->unusual);
        jsonw_kv_time(w, "first", d->first);
        jsonw_kv_time(w, "last", d->last);
        if (d->peak) {
            key_u64_string(w, "peak", d->peak);
            jsonw_kv_string(w, "what", d->what);
        }
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void recall_life_json(struct jsonw *w, const struct recall_life *life)
{
    jsonw_object(w);
    jsonw_key(w, "entity");
    jsonw_object(w);
    entity_fields(w, &life->entity);
    jsonw_object_end(w);
    key_same(w, life->same, life->same_count);
    key_days(w, "days", life->days, life->day_count);
    key_days(w, "weeks", life->weeks, life->week_count);
    key_entities(w, "with", life->with, life->with_count);
    key_items(w, &life->items);
    jsonw_kv_bool(w, "more", life->items.more);
    jsonw_key(w, "facts");
    jsonw_array(w);
    for (uint32_t i = 0; i < life->fact_count; i++)
        fact_fields(w, &life->facts[i]);
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static void opened_provenance(struct jsonw *w, const struct recall_opened *o)
{
    jsonw_key(w, "provenance");
    jsonw_object(w);
    jsonw_kv_string(w, "kind", o->kind);
    if (o->seq_last) {
        key_u64_string(w, "seq_first", o->seq_first);
        key_u64_string(w, "seq_last", o->seq_last);
    }
    key_u64(w, "records", o->records);
    jsonw_kv_string(w, "path", o->path);
    jsonw_kv_int(w, "code", o->code);
    jsonw_kv_fixed(w, "confidence", o->confidence, 4);
    jsonw_kv_fixed(w, "tau", o->tau, 4);
    jsonw_kv_int(w, "model", o->model);
    jsonw_kv_string(w, "hash", o->hash);
    jsonw_kv_bool(w, "pinned", o->pinned);
    jsonw_kv_bool(w, "evidence", o->evidence);
    jsonw_object_end(w);
}

static void opened_media(struct jsonw *w, const struct recall_media *m)
{
    if (m->seconds <= 0 && m->frames == 0)
        return;
    jsonw_key(w, "media");
    jsonw_object(w);
    jsonw_kv_fixed(w, "seconds", m->seconds, 3);
    if (m->frames) {
        jsonw_kv_int(w, "frames", m->frames);
        jsonw_kv_int(w, "width", m->width);
        jsonw_kv_int(w, "height", m->height);
    }
    jsonw_object_end(w);
}

static void key_neighbour(struct jsonw *w, const char *key, int64_t id)
{
    jsonw_key(w, key);
    if (id)
        jsonw_u64_string(w, (uint64_t)id);
    else
        jsonw_null(w);
}

void recall_opened_json(struct jsonw *w, const struct recall_opened *o)
{
    jsonw_object(w);
    item_fields(w, &o->item);
    jsonw_kv_string(w, "gist", o->gist);
    jsonw_kv_string(w, "body", o->body);
    jsonw_kv_bool(w, "body_cut", o->body_cut);
    jsonw_kv_fixed(w, "bits", o->bits, 3);
    jsonw_kv_fixed(w, "bits_max", o->bits_max, 3);
    jsonw_kv_fixed(w, "z", o->z, 3);
    opened_provenance(w, o);
    opened_media(w, &o->media);
    key_unusual(w, "unusual", o->unusual, o->unusual_count);
    key_entities(w, "entities", o->entities, o->entity_count);
    key_neighbour(w, "before", o->before);
    key_neighbour(w, "after", o->after);
    key_neighbour(w, "parent", o->parent);
    jsonw_key(w, "children");
    jsonw_array(w);
    for (uint32_t i = 0; i < o->child_count; i++)
        jsonw_u64_string(w, (uint64_t)o->children[i]);
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static void raw_values(struct jsonw *w, const struct recall_raw *raw, const struct record *r)
{
    char number[16];
    jsonw_key(w, "values");
    jsonw_object(w);
    for (uint32_t i = 0; i < r->sample_count; i++) {
        uint16_t channel = r->samples[i].channel;
        const char *name = channel < raw->channel_count ? raw->channels[channel] : NULL;
        snprintf(number, sizeof(number), "%u", channel);
        jsonw_kv_double(w, name ? name : number, r->samples[i].value);
    }
    jsonw_object_end(w);
}

void recall_raw_json(struct jsonw *w, const struct recall_raw *raw)
{
    jsonw_object(w);
    key_u64_string(w, "id", raw->id);
    jsonw_kv_string(w, "stream", raw->stream);
    jsonw_kv_string(w, "kind", raw->kind);
    jsonw_kv_int(w, "first", raw->first);
    jsonw_kv_int(w, "total", raw->total);
    jsonw_key(w, "records");
    jsonw_array(w);
    for (uint32_t i = 0; i < raw->count; i++) {
        const struct record *r = &raw->records[i];
        jsonw_object(w);
        key_u64_string(w, "seq", r->seq);
        jsonw_kv_time(w, "time", r->time);
        if (r->ref.size) {
            jsonw_key(w, "ref");
            jsonw_string_n(w, r->ref.data, r->ref.size);
        }
        if (r->samples) {
            raw_values(w, raw, r);
        } else if (r->media.size) {
            jsonw_key(w, "media");
            jsonw_base64(w, r->media.data, r->media.size);
        } else {
            jsonw_key(w, "text");
            jsonw_string_n(w, r->text.data, r->text.size);
        }
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
}

void recall_file_json(struct jsonw *w, const struct recall_file *f)
{
    jsonw_object(w);
    key_u64_string(w, "id", f->id);
    jsonw_kv_string(w, "stream", f->stream);
    jsonw_kv_string(w, "kind", f->kind);
    jsonw_kv_string(w, "type", f->type);
    jsonw_key(w, "data");
    jsonw_base64(w, f->data.data, f->data.size);
    jsonw_object_end(w);
}

void recall_answer_json(struct jsonw *w, const struct recall_answer *a)
{
    jsonw_object(w);
    jsonw_kv_bool(w, "absent", a->absent);
    jsonw_kv_fixed(w, "confidence", a->confidence, 4);
    jsonw_kv_string(w, "text", a->text);
    jsonw_kv_time(w, "since", a->since);
    jsonw_kv_time(w, "until", a->until);
    jsonw_kv_string(w, "form", a->form);
    if (a->count >= 0) {
        key_u64(w, "count", (uint64_t)a->count);
        jsonw_kv_bool(w, "at_least", a->at_least);
    }
    if (a->value)
        jsonw_kv_string(w, "value", a->value);
    if (a->time != TIME_UNKNOWN)
        jsonw_kv_time(w, "time", a->time);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (uint32_t i = 0; i < a->items.count; i++) {
        jsonw_object(w);
        item_fields(w, &a->items.items[i]);
        jsonw_kv_string(w, "gist", a->items.items[i].gist);
        jsonw_kv_fixed(w, "share", a->items.items[i].share, SCORE_DIGITS);
        jsonw_kv_string(w, "through", a->items.items[i].through);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    key_records(w, a->records, a->record_count);
    key_unusual(w, "unusual", a->unusual, a->unusual_count);
    key_strings(w, "silent", a->silent, a->silent_count);
    key_u64(w, "spent", a->spent);
    key_strings(w, "steps", a->steps, a->step_count);
    jsonw_object_end(w);
}
