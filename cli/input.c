/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timespec.h"

#define CHUNK (64 * 1024)

/* The value of option `name` at argv[*at], NULL when that is another option. */
static const char *value_of(const char *name, int argc, char **argv, int *at, struct errmsg *err,
                            int *ret)
{
    const char *arg = argv[*at];
    size_t n = strlen(name);
    if (strncmp(arg, name, n) != 0 || (arg[n] != '\0' && arg[n] != '='))
        return NULL;
    *ret = INPUT_OPTION;
    if (arg[n] == '=') {
        *at += 1;
        return arg + n + 1;
    }
    if (*at + 1 >= argc) {
        *ret = err_set(err, ERR_INVALID, "%s needs a value", name);
        return "";
    }
    *at += 2;
    return argv[*at - 1];
}

static int set_kind(struct input_options *o, const char *value, struct errmsg *err)
{
    if (stream_kind_parse(value, &o->kind))
        return err_set(err, ERR_INVALID, "--kind %s: not one of text, sensor, audio, video", value);
    o->reader.kind = o->kind;
    return INPUT_OPTION;
}

static int set_rate(struct input_options *o, const char *value, struct errmsg *err)
{
    char *end;
    o->reader.rate_hz = strtod(value, &end);
    if (*end || end == value || !(o->reader.rate_hz > 0) || o->reader.rate_hz > 1e6)
        return err_set(err, ERR_INVALID, "--rate %s: not a number of records a second", value);
    return INPUT_OPTION;
}

static int set_start(struct input_options *o, const char *value, struct errmsg *err)
{
    struct errmsg why;
    int64_t start;
    if (timespec_parse(value, clock_now(clock_system()), &start, &why))
        return err_set(err, ERR_INVALID, "--start %s: %.200s", value, why.text);
    timestamp_format(start, o->start);
    return INPUT_OPTION;
}

static int set_fps(struct input_options *o, const char *value, struct errmsg *err)
{
    char *end;
    double fps = strtod(value, &end);
    if (*end || end == value || !(fps >= 0.01) || fps > 60)
        return err_set(err, ERR_INVALID, "--fps %s: not a number of pictures a second, 0.01 to 60",
                       value);
    o->fps = value;
    return INPUT_OPTION;
}

int input_option(struct input_options *o, int argc, char **argv, int *at, struct errmsg *err)
{
    const struct {
        const char *name;
        const char **field;
    } fields[] = {{"--text-field", &o->reader.text_field},
                  {"--time-field", &o->reader.time_field},
                  {"--ref-field", &o->reader.ref_field},
                  {"--seq-field", &o->reader.seq_field}};
    const char *value;
    int rc = 0;
    if (strcmp(argv[*at], "--strict") == 0) {
        o->strict = true;
        *at += 1;
        return INPUT_OPTION;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if ((value = value_of(fields[i].name, argc, argv, at, err, &rc))) {
            *fields[i].field = value;
            return rc;
        }
    }
    if ((value = value_of("--kind", argc, argv, at, err, &rc)))
        return rc < 0 ? rc : set_kind(o, value, err);
    if ((value = value_of("--rate", argc, argv, at, err, &rc)))
        return rc < 0 ? rc : set_rate(o, value, err);
    if ((value = value_of("--start", argc, argv, at, err, &rc)))
        return rc < 0 ? rc : set_start(o, value, err);
    if ((value = value_of("--fps", argc, argv, at, err, &rc)))
        return rc < 0 ? rc : set_fps(o, value, err);
    if ((value = value_of("--tz", argc, argv, at, err, &rc)) && rc > 0) {
        setenv("TZ", value, 1);
        tzset();
    }
    return rc;
}

static int feed(const char *path, int fd, struct record_reader *r, int (*chunk)(void *arg),
                void *arg, struct errmsg *err)
{
    static char data[CHUNK];
    for (;;) {
        int rc;
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
        else if (n == 0)
            rc = record_reader_end(r, err);
        else
            rc = record_reader_feed(r, data, (size_t)n, err);
        if (!rc && chunk)
            rc = chunk(arg);
        if (rc || n <= 0)
            return rc;
    }
}

int input_read(const struct input_options *o, const char *path,
               const struct record_reader_callbacks *callbacks, int (*chunk)(void *arg),
               struct errmsg *err)
{
    if (o->kind == KIND_AUDIO || o->kind == KIND_VIDEO)
        return input_media(o, path, callbacks, chunk, err);
    struct record_reader_options options = o->reader;
    struct record_reader *reader;
    options.clock = clock_system();
    int rc = record_reader_new(&options, callbacks, &reader, err);
    if (rc)
        return rc;
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        rc = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    else
        rc = feed(path, fd, reader, chunk, callbacks->arg, err);
    if (!standard && fd >= 0)
        close(fd);
    record_reader_free(reader);
    return rc;
}

int input_error(void *arg, uint64_t line, const char *text)
{
    struct input_errors *e = arg;
    e->count++;
    fprintf(stderr, "%s: %s:%llu: %s\n", e->program,
            strcmp(e->path, "-") == 0 ? "standard input" : e->path, (unsigned long long)line, text);
    return e->strict ? ERR_PARSE : 0;
}
