/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the line is cut at blanks and brackets; each piece is an entity or not by its shape,
 * and by the word or sign beside it. Failure modes: none; what is not recognised is left out. At
 * most `max` different ones are returned.
 */
#include "model/tokens.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/entity_shape.h"
#include "model/log_header.h"
#include "model/wordlist.h"

struct found {
    struct entity_seen *list;
    int count, max;
};

bool entity_is_cut(char c)
{
    static const bool cuts[128] = {
        ['\0'] = true, [' '] = true, ['\t'] = true, ['"'] = true, ['\''] = true, ['('] = true,
        [')'] = true,  ['<'] = true, ['>'] = true,  ['{'] = true, ['}'] = true,  ['['] = true,
        [']'] = true,  [','] = true, [';'] = true,  ['='] = true, ['|'] = true,
    };
    unsigned char u = (unsigned char)c;
    return u < sizeof cuts && cuts[u];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void add(struct found *f, const char *kind, const char *s, size_t n)
{
    char name[sizeof f->list->name];
    n = n < sizeof name ? n : utf8_cut(s, n, sizeof name - 1);
    if (!n)
        return;
    memcpy(name, s, n);
    name[n] = 0;
    for (int i = 0; i < f->count; i++) {
        if (!strcmp(f->list[i].name, name) && !strcmp(f->list[i].kind, kind)) {
            f->list[i].count++;
            return;
        }
    }
    if (f->count == f->max)
        return;
    struct entity_seen *e = &f->list[f->count++];
    *e = (struct entity_seen){.count = 1};
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    memcpy(e->name, name, n + 1);
}

size_t entity_address_size(const char *s, size_t n)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        int value = 0;
        size_t digits = 0;
        while (at < n && digits < 4 && is_digit(s[at])) {
            value = value * 10 + (s[at++] - '0');
            digits++;
        }
        if (!digits || digits > 3 || value > 255)
            return 0;
        if (part < 3 && (at >= n || s[at++] != '.'))
            return 0;
    }
    return at == n || s[at] == ':' || s[at] == '/' ? at : 0;
}

/* 8-4-4-4-12 hex digits. */
static bool is_uuid(const char *s, size_t n)
{
    if (n != 36)
        return false;
    for (size_t i = 0; i < n; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !is_hex(s[i]))
            return false;
    return true;
}

bool entity_is_domain(const char *s, size_t n)
{
    static const char *const tops[] = {
        "com", "org", "net", "edu", "gov", "io", "de", "uk", "local", "lan", "internal", NULL,
    };
    size_t dots = 0, label = 0;
    bool last_letters = true;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '.') {
            if (!label)
                return false;
            dots++;
            label = 0;
            last_letters = true;
            continue;
        }
        if (!(s[i] >= 'a' && s[i] <= 'z') && !is_digit(s[i]) && s[i] != '-')
            return false;
        last_letters &= is_alpha(s[i]);
        label++;
    }
    if (!dots || !last_letters || label < 2 || label > 10)
        return false;
    if (!strncmp(s, "com.", 4) || !strncmp(s, "org.", 4) || !strncmp(s, "net.", 4))
        return false; /* a reversed domain: the name of a package or a class */
    return wordlist_has(tops, s + n - label, label) || (dots >= 2 && label <= 3);
}

static bool is_path(const char *s, size_t n)
{
    if (n > 3 && is_alpha(s[0]) && s[1] == ':' && s[2] == '\\')
        return true;
    if (n < 4 || (s[0] != '/' && strncmp(s, "~/", 2) != 0))
        return false;
    size_t letters = 0;
    for (size_t i = 0; i < n; i++)
        letters += is_alpha(s[i]);
    return letters >= 2;
}

bool entity_is_name(const char *s, size_t n)
{
    if (!n || n > 32 || (!is_alpha(s[0]) && s[0] != '_'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alpha(s[i]) && !is_digit(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-' &&
            s[i] != '$')
            return false;
    return true;
}

static void look(struct found *f, const char *s, size_t n)
{
    while (n && (s[n - 1] == '.' || s[n - 1] == ':' || s[n - 1] == '!' || s[n - 1] == '?'))
        n--;
    if (!n)
        return;
    const char *at = memchr(s, '@', n);
    size_t skip = s[0] == '/' ? 1 : 0;
    size_t address = entity_address_size(s + skip, n - skip);
    size_t host = 0;
    while (host < n && s[host] != ':' && s[host] != '/')
        host++;
    if (address)
        add(f, "address", s + skip, address);
    else if (is_uuid(s, n))
        add(f, "uuid", s, n);
    else if (at && at > s && entity_is_domain(at + 1, (size_t)(s + n - at - 1)))
        add(f, "email", s, n);
    else if (is_path(s, n))
        add(f, "path", s, n);
    else if (entity_is_domain(s, host))
        add(f, "host", s, host);
}

/*
 * name[123] and name(mod)[123]: the process; `s` reaches to the bracket. The word before the line's
 * first process is the host, as syslog writes it.
 */
static void look_process(struct found *f, const char *s, size_t n, const char *before,
                         size_t before_size)
{
    const char *twice = memchr(before, '/', before_size); /* dn228/dn228 */
    if (twice)
        before_size = (size_t)(twice - before);
    bool first = true;
    for (int i = 0; i < f->count; i++)
        first &= strcmp(f->list[i].kind, "process") != 0;
    if (first && entity_is_name(before, before_size))
        add(f, "host", before, before_size);
    const char *bracket = memchr(s, '(', n);
    if (bracket)
        n = (size_t)(bracket - s);
    while (memchr(s, '/', n)) {
        const char *slash = memchr(s, '/', n);
        n -= (size_t)(slash + 1 - s);
        s = slash + 1;
    }
    if (entity_is_name(s, n) && n > 1)
        add(f, "process", s, n);
}

static bool is_pid(const char *s, size_t n)
{
    size_t i = 1;
    while (i < n && is_digit(s[i]))
        i++;
    return i > 1 && i < n && s[0] == '[' && s[i] == ']';
}

static bool says_user(const char *s, size_t n)
{
    return n >= 4 && (!memcmp(s + n - 4, "user", 4) || !memcmp(s + n - 4, "User", 4)) &&
           (n == 4 || !is_alpha(s[n - 5]) || s[n - 5] == 'r');
}

static bool is_user(const char *s, size_t n)
{
    static const char *const none[] = {
        "unknown", "from", "is",   "not", "and",  "was", "has", "for",
        "by",      "to",   "with", "id",  "name", "on",  "in",  NULL,
    };
    return !wordlist_has(none, s, n) && entity_is_name(s, n);
}

int tokens_entities(const char *line, size_t n, struct entity_seen *ret, int max)
{
    struct found f = {.list = ret, .max = max};
    if (n > TOKENS_LINE_MAX)
        n = utf8_cut(line, n, TOKENS_LINE_MAX);
    size_t message = log_header_end(line, n);
    bool after_user = false;
    size_t before = 0, before_size = 0;
    for (size_t i = 0; i < n && max > 0;) {
        if (entity_is_cut(line[i])) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < n && !entity_is_cut(line[end]))
            end++;
        size_t word = end; /* with a bracketed module's name, as in su(pam_unix)[21416] */
        if (end < n && line[end] == '(' && i < message)
            while (word < n && line[word] != ' ' && line[word] != '[')
                word++;
        if (word < n && is_pid(line + word, n - word) && i < message)
            look_process(&f, line + i, word - i, line + before, before_size);
        else if (i >= message && after_user && is_user(line + i, end - i))
            add(&f, "user", line + i, end - i);
        else if (!log_header_is_time(line + i, end - i))
            look(&f, line + i, end - i);
        after_user = says_user(line + i, end - i) && end + 1 < n &&
                     (line[end] == ' ' || (line[end] == '=' && line[end + 1] != ' '));
        before = i;
        before_size = end - i;
        i = end;
    }
    return f.count;
}
