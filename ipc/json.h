/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON reading. cJSON is lax where a daemon must not be, so every text goes through one
 * scanner first: valid UTF-8, no \u0000 and no lone surrogate, nothing behind the value, no key
 * twice in one object, nesting, size and number of values bounded, numbers well-formed and finite.
 * Errors name the byte offset ("byte 17: …").
 *
 * Two ways to read: `json_scan_*` pulls the fields of one object as slices of the text, without a
 * tree (NDJSON lines, request envelopes); `json_parse` builds a tree. Writing is base/jsonw.h.
 */
#ifndef VARVE_IPC_JSON_H
#define VARVE_IPC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define JSON_DEPTH_MAX 32
#define JSON_VALUES_MAX 262144 /* in one text; bounds what a tree may cost */
#define JSON_NUMBER_MAX 63     /* bytes of one number */
#define JSON_INT_MAX                                                                               \
    9007199254740992LL /* 2^53: the largest whole number a JSON number may carry                   \
                        */

enum json_type { JSON_NULL = 1, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* "null", "boolean", "number", "string", "array", "object". Static storage. */
const char *json_type_name(enum json_type type);

/* ---- scanner -------------------------------------------------------------------------------- */

/* Reused from text to text, so a warm one allocates nothing. One owner, no thread. */
struct json_scanner;

/* ERR_NOMEM. */
int json_scanner_new(struct json_scanner **ret);
void json_scanner_free(struct json_scanner *s);

/* Checks that text is exactly one JSON value of any type. ERR_PARSE, ERR_LIMIT, ERR_RANGE,
 * ERR_NOMEM. */
int json_check(struct json_scanner *s, const char *text, size_t size, struct errmsg *err);

struct json_field {
    struct slice key; /* unescaped; lives until the scanner's next text */
    enum json_type type;
    struct slice raw; /* in the text, as written; of a string what stands between its quotes */
    bool escaped;     /* a string in which something is escaped */
    bool boolean;     /* of JSON_BOOL */
    double number;    /* of JSON_NUMBER */
    size_t at;        /* the value's offset in the text */
};

#define JSON_END 1

/* Starts on a text that must be one object. The text is borrowed until the last json_scan_next. */
int json_scan_object(struct json_scanner *s, const char *text, size_t size, struct errmsg *err);
/*
 * The next field of the outer object. Nested values are checked and passed over. JSON_END after the
 * last field, when the rest of the text is checked too: only then is the whole text known to be
 * good.
 */
int json_scan_next(struct json_scanner *s, struct json_field *ret, struct errmsg *err);
/* A string field's text: the raw slice itself or, where escaped, a copy in the arena. ERR_NOMEM. */
int json_field_text(const struct json_field *f, struct arena *arena, struct slice *ret);
/* A whole number within JSON_INT_MAX, or a decimal string within int64. ERR_INVALID otherwise. */
int json_field_int64(const struct json_field *f, int64_t *ret);
bool json_field_is(const struct json_field *f, const char *key);

/* ---- tree ----------------------------------------------------------------------------------- */

struct json;

/* One value and nothing else. The text may go afterwards. Any thread; *ret is free to cross
 * threads. */
int json_parse(const char *text, size_t size, struct json **ret, struct errmsg *err);
/* The same with the caller's scanner, which makes it cheaper. */
int json_parse_with(struct json_scanner *s, const char *text, size_t size, struct json **ret,
                    struct errmsg *err);
/* NULL is allowed. */
void json_free(struct json *j);

/* All getters take NULL and values of another type. Strings are NUL-terminated and live with the
 * tree. */
enum json_type json_type(const struct json *j); /* 0 for NULL */
/* The member of an object, keys compared exactly; NULL when there is none. */
const struct json *json_get(const struct json *object, const char *key);
/* NULL unless it is a string. */
const char *json_string(const struct json *j);
/* `fallback` unless it is a number, a boolean. */
double json_double(const struct json *j, double fallback);
bool json_bool(const struct json *j, bool fallback);
/* A whole number within JSON_INT_MAX, or a decimal string within int64. Else ERR_INVALID. */
int json_int64(const struct json *j, int64_t *ret);
/* The same for uint64 decimal strings. */
int json_uint64(const struct json *j, uint64_t *ret);
/* Members of an array or object. O(n). */
size_t json_size(const struct json *j);
/* Iterates both: `for (m = json_first(a); m; m = json_next(m))`. */
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *member);
/* A member's key; NULL in an array. */
const char *json_key(const struct json *member);
#endif
