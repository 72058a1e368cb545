/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files to a struct config.
 *
 * Happy path: defaults from the table; the main file, then the drop-ins in lexical order, each
 * later one over the earlier ones; the command line; the sources that are on by default; then what
 * no single line can show (bounds of tau, a source without what its type needs) is checked.
 * Failure: the first error ends it, with FILE:LINE:COLUMN; nothing half-read is handed out.
 * Sizes: a handful of files of at most 1 MiB each, at most 256 sources.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/record.h"
#include "config/config.h"
#include "config/load.h"
#include "config/options.h"
#include "config/parse.h"
#include "config/paths.h"

#define OPTIONS_MAX 64
#define DROPINS_MAX 256

/* Where an option or a section was last written; line 0: nowhere. */
struct mark {
    unsigned file; /* number of the file, from 1 */
    unsigned line, column;
};

struct loader {
    struct config *config;
    const char *file;
    unsigned file_number;
    char *files[DROPINS_MAX + 1]; /* their names, for places named after the reading */
    char section[PARSE_WORD_MAX + 1];
    size_t source; /* index of the current [source NAME] */
    struct mark marks[OPTIONS_MAX];
    struct mark (*source_marks)[OPTIONS_MAX]; /* a row a source; beside them, section places */
    struct mark source_place[CONFIG_SOURCES_MAX];
};

static const struct {
    const char *name;
    int type;
    const char *paths;
} builtin_sources[] = {
    {"host", CONFIG_SOURCE_HOST, NULL},
    {"journal", CONFIG_SOURCE_JOURNAL, NULL},
    {"logs", CONFIG_SOURCE_FILE,
     "/var/log/syslog /var/log/messages /var/log/*.log /var/log/apt/history.log"},
};
#define BUILTIN_SOURCES (sizeof(builtin_sources) / sizeof(builtin_sources[0]))

static int nomem(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

static int init_defaults(bool source, void *base, struct errmsg *err)
{
    size_t count, at;
    const struct option *all = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        if (!o->section[0] || source != (strcmp(o->section, "source") == 0))
            continue;
        bool text = o->type == OPTION_STRING || o->type == OPTION_PATH || o->type == OPTION_NAME;
        int rc = 0;
        if (text && !(*(char **)((char *)base + o->offset) = mem_strdup(o->initial)))
            rc = nomem(err);
        else if (!text && o->initial[0])
            rc = option_set(o, o->initial, strlen(o->initial), base, &at, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void release(bool source, void *base)
{
    size_t count;
    const struct option *all = options_all(&count);
    for (size_t i = 0; i < count; i++)
        if (all[i].section[0] && source == (strcmp(all[i].section, "source") == 0))
            option_release(&all[i], base);
}

static void release_source(struct config_source *s)
{
    release(true, s);
    mem_free(s->name);
    mem_free(s->why);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->source_count; i++)
        release_source(&c->source[i]);
    mem_free(c->source);
    release(false, c);
    mem_free(c);
}

static int find_source(const struct config *c, const char *name, size_t *ret)
{
    for (size_t i = 0; i < c->source_count; i++) {
        if (strcmp(c->source[i].name, name) == 0) {
            *ret = i;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

static int add_source(struct loader *l, const char *name, size_t *ret, struct errmsg *err)
{
    struct config *c = l->config;
    if (c->source_count == CONFIG_SOURCES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d sources", CONFIG_SOURCES_MAX);
    struct config_source *grown = mem_realloc(c->source, (c->source_count + 1) * sizeof(*grown));
    if (!grown)
        return nomem(err);
    c->source = grown;
    struct config_source *s = &grown[c->source_count];
    *s = (struct config_source){0};
    struct mark(*marks)[OPTIONS_MAX] =
        mem_realloc(l->source_marks, (c->source_count + 1) * sizeof(*marks));
    if (!marks)
        return nomem(err);
    l->source_marks = marks;
    memset(marks[c->source_count], 0, sizeof(marks[0]));
    int rc = init_defaults(true, s, err);
    if (rc == 0 && !(s->name = mem_strdup(name)))
        rc = nomem(err);
    if (rc != 0) {
        release_source(s);
        return rc;
    }
    for (size_t i = 0; i < BUILTIN_SOURCES; i++)
        if (strcmp(name, builtin_sources[i].name) == 0)
            s->type = builtin_sources[i].type;
    *ret = c->source_count++;
    return 0;
}

static int on_section(void *arg, const char *section, const char *name,
                      const struct parse_place *place, struct errmsg *err)
{
    struct loader *l = arg;
    bool source = strcmp(section, "source") == 0;
    if (!options_section_doc(section))
        return err_set(err, ERR_INVALID, "there is no section [%s]", section);
    if (source && !name[0])
        return err_set(err, ERR_INVALID, "a source needs a name: [source NAME]");
    if (!source && name[0])
        return err_set(err, ERR_INVALID, "section [%s] has no name", section);
    strcpy(l->section, section);
    if (!source)
        return 0;
    if (find_source(l->config, name, &l->source) != 0) {
        int rc = add_source(l, name, &l->source, err);
        if (rc != 0)
            return rc;
        l->source_place[l->source] = (struct mark){l->file_number, place->line, place->column};
    }
    return 0;
}

static int on_entry(void *arg, const char *key, struct slice value, const struct parse_place *place,
                    size_t *ret_at, struct errmsg *err)
{
    struct loader *l = arg;
    size_t count;
    const struct option *all = options_all(&count);
    const struct option *o = options_find(l->section, key);
    if (!o) {
        *ret_at = PARSE_AT_KEY;
        return err_set(err, ERR_INVALID, "there is no \"%s\" in [%s]", key, l->section);
    }
    bool source = strcmp(l->section, "source") == 0;
    struct mark *mark = &(source ? l->source_marks[l->source] : l->marks)[o - all];
    if (!option_is_list(o) && mark->file == l->file_number) {
        *ret_at = PARSE_AT_KEY;
        return err_set(err, ERR_INVALID, "\"%s\" is written twice, first in line %u", key,
                       mark->line);
    }
    if (value.size == 0 && !option_is_list(o) && o->initial[0] == '\0' && o->type == OPTION_CHOICE)
        return err_set(err, ERR_PARSE, "\"%s\" has no value", key);
    *mark = (struct mark){l->file_number, place->line, place->column};
    void *base = source ? (void *)&l->config->source[l->source] : (void *)l->config;
    return option_set(o, value.data, value.size, base, ret_at, err);
}

static const struct parse_handler handler = {on_section, on_entry};

static int read_whole(const char *path, struct buf *out, struct errmsg *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = 0;
    if (!S_ISREG(st.st_mode))
        rc = err_set(err, ERR_INVALID, "%s: not a regular file", path);
    while (rc == 0 && out->size <= PARSE_FILE_MAX) {
        if (buf_reserve(out, 65536) != 0) {
            rc = nomem(err);
            break;
        }
        ssize_t n = read(fd, out->data + out->size, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        out->size += (size_t)n;
    }
    close(fd);
    return rc;
}

static int load_text(struct loader *l, const char *path, const char *data, size_t size,
                     struct errmsg *err)
{
    if (!(l->files[l->file_number] = mem_strdup(path)))
        return nomem(err);
    l->file = l->files[l->file_number];
    l->file_number++;
    return parse_text(l->file, data, size, &handler, l, err);
}

static int load_file(struct loader *l, const char *path, bool may_miss, struct errmsg *err)
{
    struct buf text = {0};
    int rc = read_whole(path, &text, err);
    if (rc == 0)
        rc = load_text(l, path, text.data ? text.data : "", text.size, err);
    else if (rc == ERR_NOTFOUND && may_miss)
        rc = 0;
    buf_deinit(&text);
    return rc;
}

static int is_dropin(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* FILE's varved.conf.d: in the folder of FILE. */
static int load_dropins(struct loader *l, const char *file, struct errmsg *err)
{
    char folder[CONFIG_PATH_SIZE + 32];
    const char *slash = strrchr(file, '/');
    int n = snprintf(folder, sizeof(folder), "%.*svarved.conf.d",
                     slash ? (int)(slash - file) + 1 : 0, file);
    if (n < 0 || (size_t)n >= sizeof(folder))
        return err_set(err, ERR_LIMIT, "%s: the path is too long", file);
    struct dirent **found = NULL;
    int count = scandir(folder, &found, is_dropin, by_name);
    if (count < 0)
        return errno == ENOENT
                   ? 0
                   : err_set(err, err_from_errno(errno), "%s: %s", folder, strerror(errno));
    int rc = count > DROPINS_MAX
                 ? err_set(err, ERR_LIMIT, "%s: more than %d files", folder, DROPINS_MAX)
                 : 0;
    for (int i = 0; i < count; i++) {
        char path[sizeof(folder) + 1 + sizeof(found[0]->d_name)];
        snprintf(path, sizeof(path), "%s/%s", folder, found[i]->d_name);
        if (rc == 0)
            rc = load_file(l, path, false, err);
        free(found[i]);
    }
    free(found);
    return rc;
}

static struct mark *source_mark(struct loader *l, size_t source, const char *key)
{
    size_t count;
    return &l->source_marks[source][options_find("source", key) - options_all(&count)];
}

/* The error of a whole section, at its place; `key`'s where it was written. */
static int source_error(struct loader *l, size_t source, const char *key, int code,
                        struct errmsg *err)
{
    struct mark m = l->source_place[source];
    if (key && source_mark(l, source, key)->file)
        m = *source_mark(l, source, key);
    struct parse_place place = {m.file ? l->files[m.file - 1] : "default", m.line, m.column};
    return parse_error(&place, code, err);
}

static int foreign_key(struct loader *l, size_t i, const char *key, struct errmsg *err)
{
    const char *type = config_source_type_name(l->config->source[i].type);
    err_set(err, ERR_INVALID, "\"%s\" has no meaning for a %s source", key, type);
    return source_error(l, i, key, ERR_INVALID, err);
}

/* A key that another type has use for is most likely a mistake. */
static int check_foreign_keys(struct loader *l, size_t i, struct errmsg *err)
{
    static const struct {
        const char *key;
        int type;
    } owned[] = {
        {"path", CONFIG_SOURCE_FILE},     {"command", CONFIG_SOURCE_EXEC},
        {"match", CONFIG_SOURCE_JOURNAL}, {"interval", CONFIG_SOURCE_HOST},
        {"url", CONFIG_SOURCE_MEDIA},     {"fps", CONFIG_SOURCE_MEDIA},
        {"width", CONFIG_SOURCE_MEDIA},
    };
    const struct config_source *s = &l->config->source[i];
    bool has_child = s->type == CONFIG_SOURCE_EXEC || s->type == CONFIG_SOURCE_MEDIA;
    if (!has_child && source_mark(l, i, "restart")->file)
        return foreign_key(l, i, "restart", err);
    for (size_t k = 0; k < sizeof(owned) / sizeof(owned[0]); k++)
        if (owned[k].type != s->type && source_mark(l, i, owned[k].key)->file)
            return foreign_key(l, i, owned[k].key, err);
    return 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int default_kind(const struct config_source *s)
{
    if (s->type == CONFIG_SOURCE_MEDIA)
        return has_prefix(s->url, "alsa:") || has_prefix(s->url, "pulse:") ? KIND_AUDIO
                                                                           : KIND_VIDEO;
    return s->type == CONFIG_SOURCE_HOST ? KIND_SENSOR : KIND_TEXT;
}

/* Each type's records are of certain kinds. */
static int check_kind(struct loader *l, size_t i, struct errmsg *err)
{
    struct config_source *s = &l->config->source[i];
    bool heard = s->kind == KIND_AUDIO || s->kind == KIND_VIDEO;
    const char *wanted = NULL;
    if (!s->kind)
        s->kind = default_kind(s);
    else if (s->type == CONFIG_SOURCE_HOST && s->kind != KIND_SENSOR)
        wanted = "sensor";
    else if (s->type == CONFIG_SOURCE_JOURNAL && s->kind != KIND_TEXT)
        wanted = "text";
    else if (s->type == CONFIG_SOURCE_MEDIA && !heard)
        wanted = "audio or video";
    else if (s->type != CONFIG_SOURCE_MEDIA && heard)
        wanted = "text or sensor";
    if (!wanted)
        return 0;
    err_set(err, ERR_INVALID, "a %s source is of kind %s", config_source_type_name(s->type),
            wanted);
    return source_error(l, i, "kind", ERR_INVALID, err);
}

static int check_source(struct loader *l, size_t i, struct errmsg *err)
{
    struct config_source *s = &l->config->source[i];
    const char *missing = NULL;
    if (!s->type)
        missing = "type";
    else if (s->type == CONFIG_SOURCE_FILE && s->path.count == 0)
        missing = "path";
    else if (s->type == CONFIG_SOURCE_EXEC && s->command.count == 0)
        missing = "command";
    else if (s->type == CONFIG_SOURCE_MEDIA && !s->url[0])
        missing = "url";
    if (missing)
        return source_error(
            l, i, missing,
            err_set(err, ERR_INVALID, "source \"%s\" needs a \"%s\"", s->name, missing), err);
    int rc = check_foreign_keys(l, i, err);
    if (rc != 0)
        return rc;
    return check_kind(l, i, err);
}

static int finish_source(struct loader *l, size_t i, struct errmsg *err)
{
    struct config_source *s = &l->config->source[i];
    if (!source_mark(l, i, "lateness")->file)
        s->lateness = l->config->streams.lateness;
    if (!s->stream[0]) {
        mem_free(s->stream);
        if (!(s->stream = mem_strdup(s->name)))
            return nomem(err);
    }
    struct mark m = l->source_place[i];
    struct buf why = {0};
    if (m.file)
        buf_printf(&why, "written in %s:%u", l->files[m.file - 1], m.line);
    else
        buf_puts(&why, "on by default");
    if (buf_failed(&why))
        return nomem(err);
    s->why = why.data;
    return check_source(l, i, err);
}

/* The sources of [sources] default = on, where nobody wrote a section of that name. */
static int add_builtins(struct loader *l, struct errmsg *err)
{
    for (size_t b = 0; b < BUILTIN_SOURCES; b++) {
        size_t i, at;
        const char *name = builtin_sources[b].name;
        bool written = find_source(l->config, name, &i) == 0;
        if (!written && !l->config->sources.on)
            continue;
        int rc = written ? 0 : add_source(l, name, &i, err);
        if (rc != 0)
            return rc;
        struct config_source *s = &l->config->source[i];
        if (s->type != builtin_sources[b].type)
            continue;
        if (!source_mark(l, i, "enabled")->file && !l->config->sources.on &&
            !source_mark(l, i, "type")->file)
            s->enabled = false;
        if (!builtin_sources[b].paths)
            continue;
        s->fallback = !source_mark(l, i, "enabled")->file && !source_mark(l, i, "type")->file;
        if (s->path.count == 0)
            rc = option_set(options_find("source", "path"), builtin_sources[b].paths,
                            strlen(builtin_sources[b].paths), s, &at, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int check_whole(struct loader *l, struct errmsg *err)
{
    struct config *c = l->config;
    static const char *const keys[] = {"tau_min", "tau_max"};
    if (!(c->model.tau_min <= c->model.tau_max)) {
        err_set(err, ERR_RANGE, "tau_min (%g) lies above tau_max (%g)", c->model.tau_min,
                c->model.tau_max);
        struct mark last = {0};
        size_t count;
        const struct option *all = options_all(&count);
        for (size_t k = 0; k < 2; k++) {
            struct mark m = l->marks[options_find("model", keys[k]) - all];
            if (m.file > last.file || (m.file == last.file && m.line > last.line))
                last = m;
        }
        struct parse_place place = {last.file ? l->files[last.file - 1] : "default", last.line,
                                    last.column};
        return parse_error(&place, ERR_RANGE, err);
    }
    int rc = add_builtins(l, err);
    for (size_t i = 0; rc == 0 && i < c->source_count; i++)
        rc = finish_source(l, i, err);
    return rc;
}

static int loader_init(struct loader *l, struct errmsg *err)
{
    *l = (struct loader){0};
    size_t count;
    options_all(&count);
    if (count > OPTIONS_MAX)
        return err_set(err, ERR_INTERNAL, "the option table has grown past %d", OPTIONS_MAX);
    if (!(l->config = mem_calloc(1, sizeof(*l->config))))
        return nomem(err);
    return init_defaults(false, l->config, err);
}

/* Hands the configuration out when rc is 0; gives all else back. */
static int loader_end(struct loader *l, int rc, struct config **ret)
{
    if (rc == 0)
        *ret = l->config;
    else
        config_free(l->config);
    for (unsigned i = 0; i < l->file_number; i++)
        mem_free(l->files[i]);
    mem_free(l->source_marks);
    return rc;
}

int config_load(const struct config_args *args, struct config **ret, struct errmsg *err)
{
    struct loader l;
    char file[CONFIG_PATH_SIZE] = "";
    int rc = loader_init(&l, err);
    if (rc == 0 && !args->file && config_default_file(file, NULL) == ERR_LIMIT)
        rc = err_set(err, ERR_LIMIT, "the path of the default configuration is too long");
    const char *path = args->file ? args->file : file;
    if (rc == 0 && path[0])
        rc = load_file(&l, path, !args->file, err);
    if (rc == 0 && path[0])
        rc = load_dropins(&l, path, err);
    for (size_t i = 0; rc == 0 && i < args->set_count; i++) {
        rc = option_set_plain(args->set[i].option, args->set[i].text, l.config, err);
        if (rc != 0)
            err_wrap(err, rc, "--%s", args->set[i].option->flag);
    }
    if (rc == 0)
        rc = check_whole(&l, err);
    return loader_end(&l, rc, ret);
}

int config_load_text(const char *file, const char *data, size_t size, struct config **ret,
                     struct errmsg *err)
{
    struct loader l;
    int rc = loader_init(&l, err);
    if (rc == 0)
        rc = load_text(&l, file, data, size, err);
    if (rc == 0)
        rc = check_whole(&l, err);
    return loader_end(&l, rc, ret);
}

int config_keep_fixed(const struct config *running, struct config *fresh, struct errmsg *kept)
{
    size_t count, used = 0;
    const struct option *all = options_all(&count);
    kept->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        if (!o->section[0] || o->live || option_equal(o, running, fresh))
            continue;
        int rc = option_copy(o, running, fresh);
        if (rc != 0)
            return rc;
        if (used < sizeof(kept->text))
            used += (size_t)snprintf(kept->text + used, sizeof(kept->text) - used, "%s[%s] %s",
                                     used ? ", " : "", o->section, o->key);
    }
    return 0;
}

bool config_source_equal(const struct config_source *a, const struct config_source *b)
{
    size_t count;
    const struct option *all = options_all(&count);
    if (strcmp(a->name, b->name) != 0 || a->fallback != b->fallback)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].section, "source") == 0 && !option_equal(&all[i], a, b))
            return false;
    return true;
}

const char *config_source_type_name(int type)
{
    static const char *const names[] = {"", "file", "exec", "journal", "host", "media"};
    return type >= 1 && type <= CONFIG_SOURCE_MEDIA ? names[type] : NULL;
}
