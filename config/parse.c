/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the lines of a file of at most 1 MiB; nothing is kept but the current line's place.
 */
#include "config/parse.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

struct parser {
    const struct parse_handler *handler;
    void *arg;
    struct parse_place place;
    const char *line;
    size_t size;
    bool in_section;
};

int parse_error(const struct parse_place *place, int code, struct errmsg *err)
{
    return err_wrap(err, code, "%s:%u:%u", place->file, place->line, place->column);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '@' || c == '+';
}

static size_t skip_blanks(const struct parser *p, size_t at)
{
    while (at < p->size && blank(p->line[at]))
        at++;
    return at;
}

static int fail(struct parser *p, size_t at, int code, const char *text, struct errmsg *err)
{
    p->place.column = (unsigned)at + 1;
    return parse_error(&p->place, err_set(err, code, "%s", text), err);
}

/* A word of a section or a key into out[PARSE_WORD_MAX + 1]; *at moves behind it. */
static int read_word(struct parser *p, size_t *at, char *out, struct errmsg *err)
{
    size_t start = *at;
    while (*at < p->size && word_char(p->line[*at]))
        (*at)++;
    size_t n = *at - start;
    if (n > PARSE_WORD_MAX)
        return fail(p, start, ERR_LIMIT, "the word is longer than 64 bytes", err);
    memcpy(out, p->line + start, n);
    out[n] = '\0';
    return 0;
}

static int section_line(struct parser *p, size_t at, struct errmsg *err)
{
    char section[PARSE_WORD_MAX + 1], name[PARSE_WORD_MAX + 1];
    size_t start = at;
    at = skip_blanks(p, at + 1);
    int rc = read_word(p, &at, section, err);
    if (rc != 0)
        return rc;
    if (!section[0])
        return fail(p, at, ERR_PARSE, "a section's name is missing", err);
    at = skip_blanks(p, at);
    rc = read_word(p, &at, name, err);
    if (rc != 0)
        return rc;
    at = skip_blanks(p, at);
    if (at == p->size || p->line[at] != ']')
        return fail(p, at, ERR_PARSE, "\"]\" expected", err);
    at = skip_blanks(p, at + 1);
    if (at < p->size && p->line[at] != '#')
        return fail(p, at, ERR_PARSE, "nothing may stand behind a section", err);
    p->in_section = true;
    p->place.column = (unsigned)start + 1;
    rc = p->handler->section(p->arg, section, name, &p->place, err);
    return rc == 0 ? 0 : parse_error(&p->place, rc, err);
}

/* Where the value ends: at a # behind a blank and outside quotes, or at the end of the line. */
static int value_end(struct parser *p, size_t start, size_t *ret_end, struct errmsg *err)
{
    size_t at = start;
    while (at < p->size) {
        bool word_start = at == start || blank(p->line[at - 1]);
        if (p->line[at] == '#' && word_start)
            break;
        if (word_start && (p->line[at] == '"' || p->line[at] == '\'')) {
            size_t open = at;
            char quote = p->line[at++];
            while (at < p->size && p->line[at] != quote)
                at += quote == '"' && p->line[at] == '\\' ? 2 : 1;
            if (at >= p->size)
                return fail(p, open, ERR_PARSE, "the quote is never closed", err);
        }
        at++;
    }
    while (at > start && blank(p->line[at - 1]))
        at--;
    *ret_end = at;
    return 0;
}

static int entry_line(struct parser *p, size_t at, struct errmsg *err)
{
    char key[PARSE_WORD_MAX + 1];
    size_t start = at;
    int rc = read_word(p, &at, key, err);
    if (rc != 0)
        return rc;
    if (!key[0])
        return fail(p, at, ERR_PARSE, "a [section], a key or a # comment expected", err);
    if (!p->in_section)
        return fail(p, start, ERR_PARSE, "the key stands before the first [section]", err);
    at = skip_blanks(p, at);
    if (at == p->size || p->line[at] != '=')
        return fail(p, at, ERR_PARSE, "\"=\" expected", err);
    at = skip_blanks(p, at + 1);
    size_t end = at;
    rc = value_end(p, at, &end, err);
    if (rc != 0)
        return rc;
    size_t bad = 0;
    p->place.column = (unsigned)start + 1;
    rc = p->handler->entry(p->arg, key, (struct slice){p->line + at, end - at}, &p->place, &bad,
                           err);
    if (rc == 0)
        return 0;
    if (bad != PARSE_AT_KEY)
        p->place.column = (unsigned)(at + bad) + 1;
    return parse_error(&p->place, rc, err);
}

static int parse_line(struct parser *p, struct errmsg *err)
{
    size_t at = skip_blanks(p, 0);
    if (at == p->size || p->line[at] == '#')
        return 0;
    for (size_t i = 0; i < p->size; i++)
        if ((unsigned char)p->line[i] < ' ' && p->line[i] != '\t')
            return fail(p, i, ERR_PARSE, "a control character", err);
    return p->line[at] == '[' ? section_line(p, at, err) : entry_line(p, at, err);
}

int parse_text(const char *file, const char *data, size_t size, const struct parse_handler *handler,
               void *arg, struct errmsg *err)
{
    struct parser p = {.handler = handler, .arg = arg, .place = {file, 1, 1}};
    if (size > PARSE_FILE_MAX)
        return err_set(err, ERR_LIMIT, "%s: longer than 1MiB", file);
    size_t at = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (; at < size; p.place.line++) {
        const char *lf = memchr(data + at, '\n', size - at);
        p.line = data + at;
        p.size = lf ? (size_t)(lf - p.line) : size - at;
        at += p.size + 1;
        if (p.size > 0 && p.line[p.size - 1] == '\r')
            p.size--;
        size_t bad;
        if (!utf8_valid(p.line, p.size, &bad))
            return fail(&p, bad, ERR_PARSE, "not UTF-8", err);
        int rc = parse_line(&p, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}
