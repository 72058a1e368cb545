/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one JSON lexer. It walks a text once, without a tree: json_check passes over a whole value,
 * json_scan_next stops at each field of the outer object. Both use scan_value for what is inside.
 *
 * Typical texts are 50 bytes to a few KiB. What a hostile one can cost is bounded by its size:
 * nesting is cut at JSON_DEPTH_MAX, so the recursion is shallow, and keys are compared through one
 * seeded hash table for all objects of a text, so an object with many keys stays linear. Each
 * object has a number that is never reused; entries of earlier texts are therefore dead without
 * being removed, and the table is wiped only now and then.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "ipc/json.h"
#include "ipc/json_private.h"

#define TABLE_SIZE 256 /* entries of a fresh table; a power of two */
#define TABLE_KEEP 4096

struct key {
    uint64_t hash;
    uint64_t object; /* 0: free */
    struct slice text;
};

struct json_scanner {
    const char *text;
    size_t size, at;
    struct errmsg *err;
    uint32_t values;
    uint64_t outer;     /* number of the object that json_scan_next walks */
    bool first;         /* no field of it was read yet */
    struct arena arena; /* keys that had to be unescaped */
    struct key *table;
    size_t capacity, used;
    uint64_t objects;      /* numbers given so far */
    uint64_t first_object; /* the first of this text */
    uint64_t seed;
};

/* ---- errors and small steps ------------------------------------------------------------------ */

static int fail(struct json_scanner *s, int code, size_t at, const char *what)
{
    return err_set(s->err, code, "byte %zu: %s", at, what);
}

static void skip_space(struct json_scanner *s)
{
    while (s->at < s->size) {
        char c = s->text[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        s->at++;
    }
}

static int peek(const struct json_scanner *s)
{
    return s->at < s->size ? (unsigned char)s->text[s->at] : -1;
}

static int unexpected(struct json_scanner *s, const char *wanted)
{
    int c = peek(s);
    if (c < 0)
        return err_set(s->err, ERR_PARSE, "byte %zu: the text ends where %s should stand", s->at,
                       wanted);
    if (c < 0x20 || c >= 0x7f)
        return err_set(s->err, ERR_PARSE, "byte %zu: byte 0x%02x where %s should stand", s->at,
                       (unsigned)c, wanted);
    return err_set(s->err, ERR_PARSE, "byte %zu: '%c' where %s should stand", s->at, c, wanted);
}

/* ---- strings --------------------------------------------------------------------------------- */

static int hex4(const char *p, size_t n)
{
    int v = 0;
    if (n < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* At a backslash; passes over the escape. */
static int scan_escape(struct json_scanner *s)
{
    size_t start = s->at++;
    int c = peek(s);
    if (c < 0)
        return unexpected(s, "an escaped character");
    s->at++;
    if (c != 'u')
        return c != 0 && strchr("\"\\/bfnrt", c) ? 0 : fail(s, ERR_PARSE, start, "unknown escape");
    int unit = hex4(s->text + s->at, s->size - s->at);
    if (unit < 0)
        return fail(s, ERR_PARSE, start, "\\u without four hex digits");
    s->at += 4;
    if (unit == 0)
        return fail(s, ERR_PARSE, start, "\\u0000 is not allowed");
    if (unit < 0xd800 || unit > 0xdfff)
        return 0;
    int low = -1;
    if (unit < 0xdc00 && s->size - s->at >= 6 && memcmp(s->text + s->at, "\\u", 2) == 0)
        low = hex4(s->text + s->at + 2, 4);
    if (low < 0xdc00 || low > 0xdfff)
        return fail(s, ERR_PARSE, start, "lone surrogate");
    s->at += 6;
    return 0;
}

/* True when one of the 8 bytes is a control, a quote, a backslash or not ASCII. */
static inline bool special8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t x;
    memcpy(&x, p, 8);
    uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
    uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (x - ones * 0x20) | x;
    return (found & high) != 0;
}

/* At the opening quote; *ret is what stands between the quotes. */
static int scan_string(struct json_scanner *s, struct slice *ret, bool *ret_escaped)
{
    size_t start = ++s->at;
    bool escaped = false;
    for (;;) {
        while (s->size - s->at >= 8 && !special8(s->text + s->at))
            s->at += 8;
        int c = peek(s);
        if (c < 0)
            return fail(s, ERR_PARSE, start - 1, "the string has no end");
        if (c == '"')
            break;
        if (c == '\\') {
            escaped = true;
            int r = scan_escape(s);
            if (r < 0)
                return r;
        } else if (c < 0x20) {
            return fail(s, ERR_PARSE, s->at, "control character inside a string");
        } else if (c < 0x80) {
            s->at++;
        } else {
            size_t width = utf8_sequence(s->text + s->at, s->size - s->at);
            if (width == 0)
                return fail(s, ERR_PARSE, s->at, "not UTF-8");
            s->at += width;
        }
    }
    *ret = (struct slice){s->text + start, s->at - start};
    *ret_escaped = escaped;
    s->at++;
    return 0;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* The text of a string that scan_string has passed; it never grows. */
static int unescape(struct slice raw, struct arena *arena, struct slice *ret)
{
    char *out = arena_alloc(arena, raw.size + 1);
    if (!out)
        return ERR_NOMEM;
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;
    for (size_t i = 0; i < raw.size;) {
        if (raw.data[i] != '\\') {
            out[n++] = raw.data[i++];
        } else if (raw.data[i + 1] != 'u') {
            out[n++] = to[strchr(from, raw.data[i + 1]) - from];
            i += 2;
        } else {
            uint32_t c = (uint32_t)hex4(raw.data + i + 2, 4);
            i += 6;
            if (c >= 0xd800 && c <= 0xdbff) {
                c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(raw.data + i + 2, 4) - 0xdc00);
                i += 6;
            }
            n += put_utf8(out + n, c);
        }
    }
    out[n] = '\0';
    *ret = (struct slice){out, n};
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/*
 * The value of a well-formed number. Up to 15 digits and a small exponent are exact in one
 * multiplication; the rest goes through strtod (programs of varve leave LC_NUMERIC at "C").
 */
static double number_value(const char *p, size_t n, uint64_t digits, int digit_count, int exponent)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digit_count <= 15 && exponent >= -22 && exponent <= 22) {
        double v = (double)digits;
        v = exponent < 0 ? v / tens[-exponent] : v * tens[exponent];
        return *p == '-' ? -v : v;
    }
    char copy[JSON_NUMBER_MAX + 1];
    memcpy(copy, p, n);
    copy[n] = '\0';
    return strtod(copy, NULL);
}

/* Reads a run of digits into the value so far; false when there is none. */
static bool scan_digits(struct json_scanner *s, uint64_t *digits, int *count)
{
    size_t start = s->at;
    for (int c = peek(s); c >= '0' && c <= '9'; c = peek(s)) {
        if (*count < 19)
            *digits = *digits * 10 + (uint64_t)(c - '0');
        if (*digits > 0)
            ++*count;
        s->at++;
    }
    return s->at > start;
}

static int scan_exponent(struct json_scanner *s, int *ret)
{
    s->at++;
    bool negative = peek(s) == '-';
    if (negative || peek(s) == '+')
        s->at++;
    uint64_t digits = 0;
    int count = 0;
    if (!scan_digits(s, &digits, &count))
        return unexpected(s, "a digit of the exponent");
    int value = count > 6 ? 1000000 : (int)digits;
    *ret = negative ? -value : value;
    return 0;
}

static int scan_number(struct json_scanner *s, double *ret)
{
    size_t start = s->at;
    uint64_t digits = 0;
    int count = 0, exponent = 0, fraction = 0;
    if (peek(s) == '-')
        s->at++;
    bool zero = peek(s) == '0';
    size_t whole = s->at;
    if (!scan_digits(s, &digits, &count))
        return unexpected(s, "a digit");
    if (zero && s->at > whole + 1)
        return fail(s, ERR_PARSE, start, "a number with a leading zero");
    if (peek(s) == '.') {
        size_t point = s->at++;
        if (!scan_digits(s, &digits, &count))
            return unexpected(s, "a digit behind the point");
        fraction = (int)(s->at - point - 1);
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        int r = scan_exponent(s, &exponent);
        if (r < 0)
            return r;
    }
    if (s->at - start > JSON_NUMBER_MAX)
        return fail(s, ERR_LIMIT, start, "a number longer than 63 bytes");
    double v = number_value(s->text + start, s->at - start, digits, count, exponent - fraction);
    if (!isfinite(v))
        return fail(s, ERR_RANGE, start, "a number too large for a double");
    *ret = v;
    return 0;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int table_grow(struct json_scanner *s)
{
    size_t capacity = s->capacity ? 2 * s->capacity : TABLE_SIZE;
    struct key *table = mem_calloc(capacity, sizeof(*table));
    if (!table)
        return fail(s, ERR_NOMEM, s->at, "out of memory");
    s->used = 0;
    for (size_t i = 0; i < s->capacity; i++) {
        if (s->table[i].object < s->first_object)
            continue;
        size_t at = s->table[i].hash & (capacity - 1);
        while (table[at].object)
            at = (at + 1) & (capacity - 1);
        table[at] = s->table[i];
        s->used++;
    }
    mem_free(s->table);
    s->table = table;
    s->capacity = capacity;
    return 0;
}

/* Enters a key of an object; a second time it is an error. */
static int note_key(struct json_scanner *s, uint64_t object, struct slice key, size_t at)
{
    if (2 * (s->used + 1) > s->capacity) {
        int r = table_grow(s);
        if (r < 0)
            return r;
    }
    uint64_t hash = XXH3_64bits_withSeed(key.data, key.size, s->seed + object);
    size_t i = hash & (s->capacity - 1);
    while (s->table[i].object) {
        const struct key *k = &s->table[i];
        if (k->hash == hash && k->object == object && k->text.size == key.size &&
            memcmp(k->text.data, key.data, key.size) == 0)
            return err_set(s->err, ERR_PARSE, "byte %zu: the key \"%.*s\" stands twice", at,
                           (int)utf8_cut(key.data, key.size, 64), key.data);
        i = (i + 1) & (s->capacity - 1);
    }
    s->table[i] = (struct key){hash, object, key};
    s->used++;
    return 0;
}

static int scan_key(struct json_scanner *s, uint64_t object, struct slice *ret)
{
    size_t at = s->at;
    if (peek(s) != '"')
        return unexpected(s, "a key");
    bool escaped;
    struct slice key;
    int r = scan_string(s, &key, &escaped);
    if (r < 0)
        return r;
    if (escaped && unescape(key, &s->arena, &key) < 0)
        return fail(s, ERR_NOMEM, at, "out of memory");
    r = note_key(s, object, key, at);
    if (r < 0)
        return r;
    skip_space(s);
    if (peek(s) != ':')
        return unexpected(s, "':'");
    s->at++;
    skip_space(s);
    *ret = key;
    return 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int scan_value(struct json_scanner *s, int depth, struct json_field *ret);

static int scan_word(struct json_scanner *s, const char *word)
{
    size_t n = strlen(word);
    if (s->size - s->at < n || memcmp(s->text + s->at, word, n) != 0)
        return fail(s, ERR_PARSE, s->at, "not a JSON value");
    s->at += n;
    return 0;
}

/*
 * Between the members of an object or array: JSON_END past the closing bracket, 0 where a member
 * starts.
 */
static int next_member(struct json_scanner *s, bool first, char close)
{
    skip_space(s);
    if (peek(s) == close) {
        s->at++;
        return JSON_END;
    }
    if (first)
        return 0;
    if (peek(s) != ',')
        return unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
    s->at++;
    skip_space(s);
    return 0;
}

/* At the opening bracket. */
static int scan_members(struct json_scanner *s, int depth, bool object)
{
    if (depth > JSON_DEPTH_MAX)
        return fail(s, ERR_LIMIT, s->at, "nested more than 32 deep");
    s->at++;
    uint64_t number = object ? ++s->objects : 0;
    struct json_field member;
    for (bool first = true;; first = false) {
        int r = next_member(s, first, object ? '}' : ']');
        if (r == JSON_END)
            return 0;
        if (r == 0 && object)
            r = scan_key(s, number, &member.key);
        if (r == 0)
            r = scan_value(s, depth, &member);
        if (r < 0)
            return r;
    }
}

/* Leaves ret->key alone. `depth` is that of the enclosing value. */
static int scan_value(struct json_scanner *s, int depth, struct json_field *ret)
{
    if (++s->values > JSON_VALUES_MAX)
        return fail(s, ERR_LIMIT, s->at, "too many values");
    ret->at = s->at;
    ret->escaped = false;
    int c = peek(s), r;
    if (c == '"') {
        ret->type = JSON_STRING;
        return scan_string(s, &ret->raw, &ret->escaped);
    }
    if (c == '{' || c == '[') {
        ret->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        r = scan_members(s, depth + 1, c == '{');
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        ret->type = JSON_NUMBER;
        r = scan_number(s, &ret->number);
    } else if (c == 't' || c == 'f') {
        ret->type = JSON_BOOL;
        ret->boolean = c == 't';
        r = scan_word(s, c == 't' ? "true" : "false");
    } else if (c == 'n') {
        ret->type = JSON_NULL;
        r = scan_word(s, "null");
    } else {
        r = unexpected(s, "a value");
    }
    if (r == 0)
        ret->raw = (struct slice){s->text + ret->at, s->at - ret->at};
    return r;
}

/* ---- interface ------------------------------------------------------------------------------- */

int json_scanner_new(struct json_scanner **ret)
{
    struct json_scanner *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    arena_init(&s->arena, 1024);
    /* Without entropy the seed is the address: weaker, still right. */
    if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed))
        s->seed = (uint64_t)(uintptr_t)s;
    *ret = s;
    return 0;
}

void json_scanner_free(struct json_scanner *s)
{
    if (!s)
        return;
    arena_deinit(&s->arena);
    mem_free(s->table);
    mem_free(s);
}

static void begin(struct json_scanner *s, const char *text, size_t size, struct errmsg *err)
{
    s->text = text;
    s->size = size;
    s->at = 0;
    s->err = err;
    s->values = 0;
    s->first_object = s->objects + 1;
    arena_reset(&s->arena);
    if (s->capacity > TABLE_KEEP) {
        mem_free(s->table);
        s->table = NULL;
        s->capacity = s->used = 0;
    } else if (4 * s->used > s->capacity) {
        memset(s->table, 0, s->capacity * sizeof(*s->table));
        s->used = 0;
    }
    skip_space(s);
}

static int check_end(struct json_scanner *s)
{
    skip_space(s);
    return s->at == s->size ? 0 : fail(s, ERR_PARSE, s->at, "text behind the value");
}

int json_check(struct json_scanner *s, const char *text, size_t size, struct errmsg *err)
{
    begin(s, text, size, err);
    struct json_field value;
    int r = scan_value(s, 0, &value);
    return r < 0 ? r : check_end(s);
}

int json_scan_object(struct json_scanner *s, const char *text, size_t size, struct errmsg *err)
{
    begin(s, text, size, err);
    if (peek(s) != '{')
        return unexpected(s, "an object");
    s->at++;
    s->outer = ++s->objects;
    s->first = true;
    return 0;
}

int json_scan_next(struct json_scanner *s, struct json_field *ret, struct errmsg *err)
{
    s->err = err;
    int r = next_member(s, s->first, '}');
    if (r == JSON_END) {
        r = check_end(s);
        return r < 0 ? r : JSON_END;
    }
    s->first = false;
    if (r == 0)
        r = scan_key(s, s->outer, &ret->key);
    return r < 0 ? r : scan_value(s, 1, ret);
}

int json_field_text(const struct json_field *f, struct arena *arena, struct slice *ret)
{
    if (f->escaped)
        return unescape(f->raw, arena, ret);
    *ret = f->raw;
    return 0;
}

int json_text_int64(const char *s, size_t n, int64_t *ret)
{
    char copy[24];
    if (n == 0 || n >= sizeof(copy) || (s[0] != '-' && (s[0] < '0' || s[0] > '9')))
        return ERR_INVALID;
    memcpy(copy, s, n);
    copy[n] = '\0';
    char *end;
    errno = 0;
    long long v = strtoll(copy, &end, 10);
    if (errno != 0 || end != copy + n || end == copy)
        return ERR_INVALID;
    *ret = v;
    return 0;
}

int json_number_int64(double v, int64_t *ret)
{
    if (!(v >= -(double)JSON_INT_MAX && v <= (double)JSON_INT_MAX) || v != floor(v))
        return ERR_INVALID;
    *ret = (int64_t)v;
    return 0;
}

int json_field_int64(const struct json_field *f, int64_t *ret)
{
    if (f->type == JSON_STRING)
        return json_text_int64(f->raw.data, f->raw.size, ret);
    return f->type == JSON_NUMBER ? json_number_int64(f->number, ret) : ERR_INVALID;
}

bool json_field_is(const struct json_field *f, const char *key)
{
    return strlen(key) == f->key.size && memcmp(f->key.data, key, f->key.size) == 0;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {"nothing", "null",  "boolean", "number",
                                        "string",  "array", "object"};
    return (unsigned)type < sizeof(names) / sizeof(*names) ? names[type] : "nothing";
}
