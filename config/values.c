/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of the configuration: text to typed and back out of memory.
 *
 * Happy path: unquote where the type is text, read, check the bounds, store. Failure: the message
 * says what is allowed, *ret_at points at the byte where it went wrong. Values are short (a line of
 * the file at most), so everything is copied freely.
 */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/record.h"
#include "base/utf8.h"
#include "config/options.h"

#define PATTERN_MAX 1024   /* bytes of a regular expression */
#define NESTING_MAX 32     /* its parentheses */
#define UNROLLED_MAX 20000 /* its atoms, with all repetitions written out */
#define LIST_MAX 4096      /* items of a list */

struct unit {
    const char *name;
    double factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1024.0},
    {"KiB", 1024.0},
    {"M", 1048576.0},
    {"MiB", 1048576.0},
    {"G", 1073741824.0},
    {"GiB", 1073741824.0},
    {"T", 1099511627776.0},
    {"TiB", 1099511627776.0},
    {"kB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}, {NULL, 0},
};

static const struct unit percent_units[] = {{"%", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Digits with an optional sign, point and exponent-free fraction, then a unit. */
static int read_number(const char *text, size_t size, const struct unit *units, double *ret,
                       size_t *ret_at)
{
    char digits[40];
    size_t n = 0;
    while (n < size && n + 1 < sizeof(digits) &&
           ((text[n] >= '0' && text[n] <= '9') || text[n] == '.' || (n == 0 && text[n] == '-')))
        n++;
    memcpy(digits, text, n);
    digits[n] = '\0';
    char *end;
    double v = strtod(digits, &end);
    *ret_at = (size_t)(end - digits);
    if (end == digits || *end != '\0')
        return ERR_PARSE;
    while (n < size && blank(text[n]))
        n++;
    *ret_at = n;
    for (; units->name; units++) {
        if (strlen(units->name) == size - n && memcmp(units->name, text + n, size - n) == 0) {
            *ret = v * units->factor;
            return 0;
        }
    }
    return ERR_PARSE;
}

static void print_size(double v, char *out, size_t room)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (i < 4 && v >= 1024 && fmod(v, 1024) == 0) {
        v /= 1024;
        i++;
    }
    snprintf(out, room, "%.0f%s", v, names[i]);
}

static void print_duration(double v, char *out, size_t room)
{
    static const struct unit steps[] = {{"d", 86400e6}, {"h", 3600e6}, {"min", 60e6},
                                        {"s", 1e6},     {"ms", 1e3},   {"us", 1}};
    size_t i = 0;
    while (i < 5 && (v < steps[i].factor || fmod(v, steps[i].factor) != 0))
        i++;
    snprintf(out, room, "%.0f%s", v / steps[i].factor, v == 0 ? "s" : steps[i].name);
}

static void print_bound(const struct option *o, double v, char *out, size_t room)
{
    switch (o->type) {
    case OPTION_SIZE:
        print_size(v, out, room);
        break;
    case OPTION_DURATION:
        print_duration(v, out, room);
        break;
    case OPTION_PERCENT:
        snprintf(out, room, "%g%%", v);
        break;
    default:
        snprintf(out, room, "%.10g", v);
        break;
    }
}

static int set_number(const struct option *o, const char *text, size_t size, void *base,
                      size_t *ret_at, struct errmsg *err)
{
    const struct unit *units = no_units;
    const char *example = "a number such as 0.5";
    if (o->type == OPTION_SIZE) {
        units = size_units;
        example = "a size such as 512KiB, 8MiB or 2GiB";
    } else if (o->type == OPTION_DURATION) {
        units = duration_units;
        example = "a time such as 250ms, 5s, 2min, 1h or 7d";
    } else if (o->type == OPTION_PERCENT) {
        units = percent_units;
        example = "a percentage such as 10%";
    } else if (o->type == OPTION_INT) {
        example = "a whole number";
    }
    double v;
    int rc = read_number(text, size, units, &v, ret_at);
    bool whole = o->type == OPTION_INT && rc == 0;
    if (rc != 0 || (whole && v != floor(v)))
        return err_set(err, ERR_PARSE, "\"%s\" needs %s", o->key, example);
    if (!(v >= o->min && v <= o->max)) {
        char low[40], high[40];
        print_bound(o, o->min, low, sizeof(low));
        print_bound(o, o->max, high, sizeof(high));
        *ret_at = 0;
        return err_set(err, ERR_RANGE, "\"%s\" must lie between %s and %s", o->key, low, high);
    }
    char *at = (char *)base + o->offset;
    if (o->type == OPTION_REAL || o->type == OPTION_PERCENT)
        *(double *)at = v;
    else
        *(int64_t *)at = (int64_t)v;
    return 0;
}

static int set_bool(const struct option *o, const char *text, size_t size, void *base,
                    struct errmsg *err)
{
    static const struct {
        const char *name;
        bool value;
    } words[] = {{"on", true},   {"yes", true}, {"true", true},
                 {"off", false}, {"no", false}, {"false", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].name) == size && memcmp(words[i].name, text, size) == 0) {
            *(bool *)((char *)base + o->offset) = words[i].value;
            return 0;
        }
    }
    return err_set(err, ERR_PARSE, "\"%s\" is on or off", o->key);
}

static int set_choice(const struct option *o, const char *text, size_t size, void *base,
                      struct errmsg *err)
{
    char all[160] = "";
    size_t used = 0;
    for (const struct option_choice *c = o->choices; c->name; c++) {
        if (strlen(c->name) == size && memcmp(c->name, text, size) == 0) {
            if (c->refuse)
                return err_set(err, ERR_UNSUPPORTED, "%s", c->refuse);
            *(int *)((char *)base + o->offset) = c->value;
            return 0;
        }
        if (!c->refuse && used < sizeof(all))
            used +=
                (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", used ? ", " : "", c->name);
    }
    return err_set(err, ERR_PARSE, "\"%s\" is one of: %s", o->key, all);
}

/*
 * Reads a quoted text that starts at text[*at]; *at moves behind the closing quote. Single quotes
 * take everything as it is; double quotes know \\ \" \n and \t.
 */
static int read_quoted(const char *text, size_t size, size_t *at, struct buf *out,
                       struct errmsg *err)
{
    size_t start = *at;
    char quote = text[start];
    for (size_t i = start + 1; i < size; i++) {
        if (text[i] == quote) {
            *at = i + 1;
            return buf_failed(out) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
        }
        if (quote == '"' && text[i] == '\\') {
            static const char from[] = "\\\"nt", to[] = "\\\"\n\t";
            const char *escape = i + 1 < size ? strchr(from, text[i + 1]) : NULL;
            if (!escape || !*escape) {
                *at = i;
                return err_set(err, ERR_PARSE,
                               "in double quotes a backslash stands before \\, \", n or t only");
            }
            buf_putc(out, to[escape - from]);
            i++;
        } else {
            buf_putc(out, text[i]);
        }
    }
    return err_set(err, ERR_PARSE, "the quote is never closed");
}

/* The whole value as one text: quoted, or bare to the end. */
static int read_text(const char *text, size_t size, struct buf *out, size_t *ret_at,
                     struct errmsg *err)
{
    *ret_at = 0;
    if (size == 0 || (text[0] != '"' && text[0] != '\'')) {
        buf_append(out, text, size);
        return buf_failed(out) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
    }
    int rc = read_quoted(text, size, ret_at, out, err);
    if (rc == 0 && *ret_at != size)
        rc = err_set(err, ERR_PARSE, "something stands behind the closing quote");
    return rc;
}

/* Behind the bracket expression that starts at p, or at the end of the text. */
static const char *skip_bracket(const char *p)
{
    p++;
    p += *p == '^';
    p += *p == ']';
    while (*p && *p != ']') {
        char class = p[0] == '[' && *p && p[1] && strchr(".:=", p[1]) ? p[1] : '\0';
        if (class) {
            p += 2;
            while (*p && !(p[0] == class && p[1] == ']'))
                p++;
            p += *p ? 2 : 0;
        } else {
            p++;
        }
    }
    return *p ? p + 1 : p;
}

/* How often a quantifier at p repeats what stands before it, as glibc unrolls it; 1 for none. */
static double repeats(const char *p)
{
    double low = 0, high = 0;
    if (*p == '+')
        return 2;
    if (*p != '{')
        return 1;
    sscanf(p + 1, "%9lf,%9lf", &low, &high);
    double most = fmax(fabs(low), fabs(high));
    return most > 2 ? most : 2;
}

/*
 * How many atoms glibc makes of a pattern: it copies what a{n} and a+ repeat, so that nested ones
 * of a hundred bytes ask for gigabytes. An estimate from above is enough here.
 */
static double unrolled_size(const char *p)
{
    double total[NESTING_MAX + 1] = {0}, atom = 0;
    size_t depth = 0;
    while (*p) {
        if (strchr("*?+{", *p)) {
            atom *= repeats(p++);
            continue;
        }
        total[depth] += atom;
        atom = 1;
        if (*p == '(') {
            if (depth == NESTING_MAX)
                return INFINITY;
            total[++depth] = 0;
            atom = 0;
            p++;
        } else if (*p == ')' && depth > 0) {
            atom = total[depth--] + 1;
            p++;
        } else if (*p == '[') {
            p = skip_bracket(p);
        } else {
            p += *p == '\\' && p[1] ? 2 : 1;
        }
    }
    double sum = atom;
    for (size_t i = 0; i <= depth; i++)
        sum += total[i];
    return sum;
}

static int check_pattern(const char *pattern, struct errmsg *err)
{
    if (strlen(pattern) > PATTERN_MAX)
        return err_set(err, ERR_LIMIT, "the pattern is longer than %d bytes", PATTERN_MAX);
    if (!(unrolled_size(pattern) <= UNROLLED_MAX))
        return err_set(err, ERR_LIMIT, "the pattern's repetitions multiply to too much");
    regex_t re;
    int rc = regcomp(&re, pattern, REG_EXTENDED);
    if (rc != 0) {
        char why[128];
        regerror(rc, &re, why, sizeof(why));
        return err_set(err, ERR_PARSE, "bad pattern: %s", why);
    }
    bool empty = regexec(&re, "", 0, NULL, 0) == 0;
    regfree(&re);
    if (empty)
        return err_set(err, ERR_PARSE, "the pattern matches the empty text");
    return 0;
}

static int check_text(const struct option *o, const char *s, struct errmsg *err)
{
    if (!s[0] && (o->type == OPTION_PATH || o->type == OPTION_NAME))
        return 0; /* back to the default */
    if ((o->type == OPTION_PATH || o->type == OPTION_PATHS) && s[0] != '/')
        return err_set(err, ERR_PARSE, "\"%s\" needs an absolute path", o->key);
    if (o->type == OPTION_PATTERNS)
        return check_pattern(s, err);
    if (o->type == OPTION_NAME) {
        size_t n = strlen(s);
        if (n > STREAM_NAME_MAX)
            return err_set(err, ERR_RANGE, "a stream's name has at most %d bytes", STREAM_NAME_MAX);
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
                return err_set(err, ERR_PARSE, "a stream's name has no blanks");
    }
    return 0;
}

static int set_string(const struct option *o, const char *text, size_t size, bool plain, void *base,
                      size_t *ret_at, struct errmsg *err)
{
    struct buf out = {0};
    int rc = 0;
    if (!plain)
        rc = read_text(text, size, &out, ret_at, err);
    else if (buf_append(&out, text, size), buf_failed(&out))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == 0) {
        *ret_at = 0;
        rc = check_text(o, out.data ? out.data : "", err);
    }
    char *copy = NULL;
    if (rc == 0 && !(copy = mem_strdup(out.data ? out.data : "")))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    buf_deinit(&out);
    if (rc != 0)
        return rc;
    char **at = (char **)((char *)base + o->offset);
    mem_free(*at);
    *at = copy;
    return 0;
}

static int list_add(struct config_list *list, const char *s, size_t n, struct errmsg *err)
{
    if (list->count == LIST_MAX)
        return err_set(err, ERR_LIMIT, "more than %d items", LIST_MAX);
    char *copy = mem_strndup(s, n);
    char **items = copy ? mem_realloc(list->items, (list->count + 1) * sizeof(*items)) : NULL;
    if (!items) {
        mem_free(copy);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    items[list->count++] = copy;
    list->items = items;
    return 0;
}

static void list_release(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
    *list = (struct config_list){0};
}

/* The next word of a list; quotes may stand anywhere in it, as in a shell. */
static int read_word(const char *text, size_t size, size_t *at, struct buf *out, struct errmsg *err)
{
    while (*at < size && !blank(text[*at])) {
        if (text[*at] == '"' || text[*at] == '\'') {
            int rc = read_quoted(text, size, at, out, err);
            if (rc != 0)
                return rc;
        } else {
            buf_putc(out, text[(*at)++]);
        }
    }
    return buf_failed(out) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int set_words(const struct option *o, const char *text, size_t size,
                     struct config_list *list, size_t *ret_at, struct errmsg *err)
{
    struct buf word = {0};
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < size) {
        *ret_at = at;
        buf_clear(&word);
        rc = read_word(text, size, &at, &word, err);
        if (rc != 0) {
            *ret_at = at;
            break;
        }
        rc = check_text(o, word.data ? word.data : "", err);
        if (rc == 0)
            rc = list_add(list, word.data ? word.data : "", word.size, err);
        while (at < size && blank(text[at]))
            at++;
    }
    buf_deinit(&word);
    return rc;
}

static int set_pattern(const struct option *o, const char *text, size_t size,
                       struct config_list *list, size_t *ret_at, struct errmsg *err)
{
    struct buf out = {0};
    int rc = read_text(text, size, &out, ret_at, err);
    if (rc == 0) {
        *ret_at = 0;
        rc = check_text(o, out.data ? out.data : "", err);
    }
    if (rc == 0)
        rc = list_add(list, out.data ? out.data : "", out.size, err);
    buf_deinit(&out);
    return rc;
}

int option_set(const struct option *o, const char *text, size_t size, void *base, size_t *ret_at,
               struct errmsg *err)
{
    *ret_at = 0;
    switch (o->type) {
    case OPTION_BOOL:
        return set_bool(o, text, size, base, err);
    case OPTION_CHOICE:
        return set_choice(o, text, size, base, err);
    case OPTION_STRING:
    case OPTION_PATH:
    case OPTION_NAME:
        return set_string(o, text, size, false, base, ret_at, err);
    case OPTION_WORDS:
    case OPTION_PATHS:
    case OPTION_PATTERNS: {
        struct config_list *list = (struct config_list *)((char *)base + o->offset);
        if (size == 0) {
            list_release(list);
            return 0;
        }
        return o->type == OPTION_PATTERNS ? set_pattern(o, text, size, list, ret_at, err)
                                          : set_words(o, text, size, list, ret_at, err);
    }
    default:
        return set_number(o, text, size, base, ret_at, err);
    }
}

int option_set_plain(const struct option *o, const char *text, void *base, struct errmsg *err)
{
    size_t size = strlen(text), at;
    if (o->type == OPTION_PATH && text[0] != '/') {
        char *whole = NULL, *cwd = getcwd(NULL, 0);
        int n = cwd ? asprintf(&whole, "%s/%s", cwd, text) : -1;
        int rc = n < 0 ? err_set(err, ERR_NOMEM, "%s: no absolute path for it", text)
                       : set_string(o, whole, (size_t)n, true, base, &at, err);
        free(cwd);
        if (n >= 0)
            free(whole);
        return rc;
    }
    if (o->type == OPTION_STRING || o->type == OPTION_PATH || o->type == OPTION_NAME)
        return set_string(o, text, size, true, base, &at, err);
    return option_set(o, text, size, base, &at, err);
}

void option_release(const struct option *o, void *base)
{
    char *at = (char *)base + o->offset;
    if (option_is_list(o)) {
        list_release((struct config_list *)at);
    } else if (o->type == OPTION_STRING || o->type == OPTION_PATH || o->type == OPTION_NAME) {
        mem_free(*(char **)at);
        *(char **)at = NULL;
    }
}

static bool list_equal(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

bool option_equal(const struct option *o, const void *a, const void *b)
{
    const char *x = (const char *)a + o->offset;
    const char *y = (const char *)b + o->offset;
    switch (o->type) {
    case OPTION_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_CHOICE:
        return *(const int *)x == *(const int *)y;
    case OPTION_REAL:
    case OPTION_PERCENT:
        return *(const double *)x == *(const double *)y;
    case OPTION_STRING:
    case OPTION_PATH:
    case OPTION_NAME:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case OPTION_WORDS:
    case OPTION_PATHS:
    case OPTION_PATTERNS:
        return list_equal((const struct config_list *)x, (const struct config_list *)y);
    default:
        return *(const int64_t *)x == *(const int64_t *)y;
    }
}

static int copy_string(const char *from, char **to)
{
    char *copy = mem_strdup(from);
    if (!copy)
        return ERR_NOMEM;
    mem_free(*to);
    *to = copy;
    return 0;
}

static int copy_list(const struct config_list *from, struct config_list *to)
{
    struct config_list fresh = {0};
    for (size_t i = 0; i < from->count; i++) {
        if (list_add(&fresh, from->items[i], strlen(from->items[i]), NULL) != 0) {
            list_release(&fresh);
            return ERR_NOMEM;
        }
    }
    list_release(to);
    *to = fresh;
    return 0;
}

int option_copy(const struct option *o, const void *src, void *dst)
{
    const char *x = (const char *)src + o->offset;
    char *y = (char *)dst + o->offset;
    switch (o->type) {
    case OPTION_BOOL:
        *(bool *)y = *(const bool *)x;
        return 0;
    case OPTION_CHOICE:
        *(int *)y = *(const int *)x;
        return 0;
    case OPTION_STRING:
    case OPTION_PATH:
    case OPTION_NAME:
        return copy_string(*(char *const *)x, (char **)y);
    case OPTION_WORDS:
    case OPTION_PATHS:
    case OPTION_PATTERNS:
        return copy_list((const struct config_list *)x, (struct config_list *)y);
    default:
        memcpy(y, x, 8); /* int64_t or double */
        return 0;
    }
}
