/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two names for one thing, where a line says so in so many words: a rename that names what is
 * renamed ("host web1 renamed to web-01"), or a name and its address side by side ("db-02
 * (10.0.0.5)", "mesos-1/10.10.34.11", "getaddrinfo for ns.example.com [10.1.2.3]"). A wrong merge
 * costs more than a missed one, so nothing is guessed from names that only occur together. Failure
 * modes: none.
 */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/entity_shape.h"
#include "model/log_header.h"
#include "model/tokens.h"
#include "model/wordlist.h"

#define PIECES 96 /* of a line that are looked at */

struct piece {
    const char *s;
    size_t n;
};

struct found {
    struct same_seen *list;
    int count, max;
};

static void put(char *out, size_t room, const char *s, size_t n)
{
    n = n < room ? n : utf8_cut(s, n, room - 1);
    memcpy(out, s, n);
    out[n] = '\0';
}

static void add(struct found *f, const char *kind_a, struct piece a, const char *kind_b,
                struct piece b, bool renamed)
{
    if (f->count == f->max || (a.n == b.n && memcmp(a.s, b.s, a.n) == 0))
        return;
    struct same_seen *same = &f->list[f->count++];
    *same = (struct same_seen){.renamed = renamed};
    snprintf(same->kind[0], sizeof(same->kind[0]), "%s", kind_a);
    snprintf(same->kind[1], sizeof(same->kind[1]), "%s", kind_b);
    put(same->name[0], sizeof(same->name[0]), a.s, a.n);
    put(same->name[1], sizeof(same->name[1]), b.s, b.n);
}

static bool is(struct piece p, const char *word)
{
    return strlen(word) == p.n && strncmp(p.s, word, p.n) == 0;
}

/* The kind of entity that a word announces, or NULL. */
static const char *kind_of(struct piece p)
{
    static const struct {
        const char *word, *kind;
    } kinds[] = {
        {"host", "host"},       {"hostname", "host"},   {"machine", "host"}, {"server", "host"},
        {"node", "host"},       {"user", "user"},       {"account", "user"}, {"login", "user"},
        {"process", "process"}, {"service", "process"}, {"unit", "process"}, {"channel", "channel"},
        {"sensor", "channel"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (is(p, kinds[i].word))
            return kinds[i].kind;
    return NULL;
}

static bool is_new_name(struct piece p)
{
    static const char *const none[] = {"to",   "from", "the", "it",   "a",    "as",      "into",
                                       "name", "is",   "was", "none", "null", "unknown", NULL};
    return entity_is_name(p.s, p.n) && !wordlist_has(none, p.s, p.n);
}

/* "… KIND old renamed to new", "… KIND old is now known as new". How many words it took, or 0. */
static int passive(const struct piece *p, int left)
{
    if (left > 1 && (is(p[0], "was") || is(p[0], "is") || is(p[0], "got")) && is(p[1], "renamed"))
        return left > 2 && is(p[2], "to") ? 3 : 0;
    if (left > 1 && is(p[0], "renamed") && is(p[1], "to"))
        return 2;
    if (left > 3 && is(p[0], "is") && is(p[1], "now") && (is(p[2], "known") || is(p[2], "called")))
        return is(p[3], "as") ? 4 : 3;
    return 0;
}

static void look_rename(struct found *f, const struct piece *p, int left)
{
    const char *kind = kind_of(p[0]);
    int used = left > 3 && kind ? passive(p + 2, left - 2) : 0;
    if (used && left > 2 + used && is_new_name(p[1]) && is_new_name(p[2 + used])) {
        add(f, kind, p[1], kind, p[2 + used], true);
        return;
    }
    bool verb = is(p[0], "renamed") || is(p[0], "Renamed") || is(p[0], "renaming") ||
                is(p[0], "Renaming") || is(p[0], "rename");
    kind = left > 4 && verb ? kind_of(p[1]) : NULL;
    if (kind && is_new_name(p[2]) && (is(p[3], "to") || is(p[3], "as") || is(p[3], "->")) &&
        is_new_name(p[4]))
        add(f, kind, p[2], kind, p[4], true);
    if (left > 5 && (is(p[0], "hostname") || is(p[0], "Hostname")) && is(p[1], "changed") &&
        is(p[2], "from") && is(p[4], "to") && is_new_name(p[3]) && is_new_name(p[5]))
        add(f, "host", p[3], "host", p[5], true);
}

/* A word in front of an address is a host's name when it has a digit or a hyphen, or is a domain.
 */
static bool is_host(struct piece p)
{
    bool marked = false;
    for (size_t i = 0; i < p.n; i++)
        marked |= (p.s[i] >= '0' && p.s[i] <= '9') || p.s[i] == '-';
    return entity_is_domain(p.s, p.n) ||
           (marked && p.n > 2 && p.n <= 32 && entity_is_name(p.s, p.n) && !memchr(p.s, '.', p.n) &&
            !memchr(p.s, '$', p.n));
}

static bool is_address(struct piece p, struct piece *ret)
{
    size_t n = entity_address_size(p.s, p.n);
    *ret = (struct piece){p.s, n};
    /* Every machine is 127.0.0.1 to itself. */
    return n > 0 && strncmp(p.s, "127.", 4) != 0 && strncmp(p.s, "0.", 2) != 0;
}

/* "name (" or "name [" or "name(", and the bracket closes right behind. */
static bool in_brackets(struct piece before, struct piece inside, const char *end)
{
    const char *gap = before.s + before.n;
    if (gap < inside.s && *gap == ' ')
        gap++;
    bool open = gap + 1 == inside.s && (*gap == '(' || *gap == '[');
    const char *close = inside.s + inside.n;
    return open && close < end && *close == (*gap == '(' ? ')' : ']');
}

static void look_beside(struct found *f, struct piece a, struct piece b, const char *end)
{
    struct piece address;
    if (!in_brackets(a, b, end))
        return;
    if (is_address(b, &address) && is_host(a))
        add(f, "host", a, "address", address, false);
    else if (is_address(a, &address) && address.n == a.n && entity_is_domain(b.s, b.n))
        add(f, "host", b, "address", address, false);
}

/* name/10.0.0.1, with a port behind it or not. */
static void look_slash(struct found *f, struct piece p)
{
    const char *slash = memchr(p.s, '/', p.n);
    if (!slash || slash == p.s)
        return;
    struct piece name = {p.s, (size_t)(slash - p.s)}, address;
    struct piece rest = {slash + 1, p.n - name.n - 1};
    if (is_address(rest, &address) && is_host(name))
        add(f, "host", name, "address", address, false);
}

/* The message's words, without the marks that end a sentence. */
static int split(const char *line, size_t n, size_t from, struct piece *ret)
{
    int count = 0;
    for (size_t i = from; i < n && count < PIECES;) {
        if (entity_is_cut(line[i])) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < n && !entity_is_cut(line[end]))
            end++;
        size_t size = end - i;
        while (size > 1 && strchr(".:!?", line[i + size - 1]))
            size--;
        ret[count++] = (struct piece){line + i, size};
        i = end;
    }
    return count;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Most lines say nothing of the kind: a bracket or slash beside a number, or one of three words. */
static bool worth_a_look(const char *s, size_t n)
{
    for (size_t i = 1; i + 1 < n; i++) {
        if (s[i] != '(' && s[i] != '[' && s[i] != '/')
            continue;
        size_t before = s[i - 1] == ' ' && i > 1 ? i - 2 : i - 1;
        if (is_digit(s[i + 1]) || is_digit(s[before]))
            return true;
    }
    return memmem(s, n, "enam", 4) || memmem(s, n, " is now ", 8) ||
           memmem(s, n, "ostname changed", 15);
}

int tokens_same(const char *line, size_t n, struct same_seen *ret, int max)
{
    struct found f = {.list = ret, .max = max};
    struct piece pieces[PIECES];
    if (n > TOKENS_LINE_MAX)
        n = utf8_cut(line, n, TOKENS_LINE_MAX);
    size_t message = log_header_end(line, n);
    if (!worth_a_look(line + message, n - message))
        return 0;
    int count = split(line, n, message, pieces);
    for (int i = 0; i < count; i++) {
        look_rename(&f, pieces + i, count - i);
        look_slash(&f, pieces[i]);
        if (i + 1 < count)
            look_beside(&f, pieces[i], pieces[i + 1], line + n);
    }
    return f.count;
}
