/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timespec.h"

static const struct args_option common[] = {
    {"--socket", ARGS_TEXT, "PATH", NULL, "the daemon's socket"},
    {"--json", ARGS_FLAG, NULL, NULL, "one JSON object instead of text"},
    {"--help", ARGS_FLAG, NULL, NULL, "this text"},
    {NULL, 0, NULL, NULL, NULL},
};

/* ---- reading --------------------------------------------------------------------------------- */

/* arg is "--name" or "--name=value". */
static const struct args_option *find(const struct args_option *options, const char *arg)
{
    size_t n = strcspn(arg, "=");
    for (; options && options->name; options++) {
        if (strlen(options->name) == n && memcmp(options->name, arg, n) == 0)
            return options;
    }
    return NULL;
}

static int check_number(const struct args_option *o, const char *value, struct errmsg *err)
{
    char *end;
    errno = 0;
    if (o->type == ARGS_COUNT) {
        long long v = strtoll(value, &end, 10);
        if (*value < '0' || *value > '9' || *end || errno || v < 1 || v > INT32_MAX)
            return err_set(err, ERR_INVALID, "%s %s: not a whole number from 1", o->name, value);
    } else {
        double v = strtod(value, &end);
        if (end == value || *end || !isfinite(v))
            return err_set(err, ERR_INVALID, "%s %s: not a number", o->name, value);
    }
    return 0;
}

static int keep(struct args *a, const struct args_option *o, const char *value, struct errmsg *err)
{
    int64_t time = 0;
    int r = 0;
    if (o->type == ARGS_COUNT || o->type == ARGS_REAL) {
        r = check_number(o, value, err);
    } else if (o->type == ARGS_TIME) {
        r = timespec_parse(value, clock_now(clock_system()), &time, err);
        if (r < 0)
            err_wrap(err, r, "%s %s", o->name, value);
    }
    if (r < 0)
        return ERR_INVALID;
    if (strcmp(o->name, "--socket") == 0)
        a->socket = value;
    else if (strcmp(o->name, "--json") == 0)
        a->json = true;
    else if (strcmp(o->name, "--help") == 0)
        a->help = true;
    if (a->given_count == ARGS_GIVEN_MAX)
        return err_set(err, ERR_INVALID, "%s: too many options", o->name);
    a->given[a->given_count].option = o;
    a->given[a->given_count].value = value;
    a->given[a->given_count++].time = time;
    return 0;
}

/* argv[*at] is an option; *at moves behind it and its value. */
static int read_option(struct args *a, int argc, char **argv, int *at, struct errmsg *err)
{
    const char *arg = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
    const struct args_option *o = find(a->command->options, arg);
    if (!o || o->type == ARGS_INPUT)
        o = find(common, arg);
    if (!o)
        return err_set(err, ERR_INVALID, "unknown option %s", arg);
    const char *value = strchr(arg, '=');
    ++*at;
    if (o->type == ARGS_FLAG && value)
        return err_set(err, ERR_INVALID, "%s takes no value", o->name);
    if (o->type == ARGS_FLAG)
        return keep(a, o, "", err);
    if (!value && *at == argc)
        return err_set(err, ERR_INVALID, "%s needs a value", o->name);
    return keep(a, o, value ? value + 1 : argv[(*at)++], err);
}

static int check_operands(const struct args *a, struct errmsg *err)
{
    const struct command *c = a->command;
    if (a->operand_count < c->min)
        return err_set(err, ERR_INVALID, "%s is missing", c->operands);
    if (a->operand_count > c->max)
        return err_set(err, ERR_INVALID, "one operand too many: %s", a->operands[c->max]);
    return 0;
}

/* "-" is standard input and "-2h" a time. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && !(arg[1] >= '0' && arg[1] <= '9');
}

int args_parse(struct args *a, const struct command *command, int argc, char **argv,
               struct errmsg *err)
{
    *a = (struct args){.command = command};
    a->operands = mem_calloc((size_t)argc, sizeof(*a->operands));
    if (!a->operands)
        return err_set(err, ERR_NOMEM, "out of memory");
    bool options = true;
    for (int i = 1; i < argc;) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            i++;
        } else if (options && is_option(argv[i])) {
            int r = command->input ? input_option(&a->input, argc, argv, &i, err) : 0;
            if (r == 0)
                r = read_option(a, argc, argv, &i, err);
            if (r < 0)
                return ERR_INVALID;
        } else {
            a->operands[a->operand_count++] = argv[i++];
        }
    }
    return a->help ? 0 : check_operands(a, err);
}

void args_deinit(struct args *a)
{
    mem_free(a->operands);
    a->operands = NULL;
}

/* ---- using ----------------------------------------------------------------------------------- */

const char *args_value(const struct args *a, const char *name)
{
    const char *value = NULL;
    for (int i = 0; i < a->given_count; i++) {
        if (strcmp(a->given[i].option->name, name) == 0)
            value = a->given[i].value;
    }
    return value;
}

void args_join(const struct args *a, struct buf *out)
{
    for (int i = 0; i < a->operand_count; i++)
        buf_printf(out, i ? " %s" : "%s", a->operands[i]);
}

static bool is_last(const struct args *a, int at)
{
    for (int i = at + 1; i < a->given_count; i++) {
        if (a->given[i].option == a->given[at].option)
            return false;
    }
    return true;
}

static void put_list(const struct args *a, const struct args_option *o, struct jsonw *w)
{
    jsonw_array(w);
    for (int i = 0; i < a->given_count; i++) {
        if (a->given[i].option == o)
            jsonw_string(w, a->given[i].value);
    }
    jsonw_array_end(w);
}

void args_params(const struct args *a, struct jsonw *w)
{
    if (a->command->param && a->operand_count > 0) {
        struct buf text = {0};
        args_join(a, &text);
        jsonw_kv_string(w, a->command->param, text.data);
        buf_deinit(&text);
    }
    for (int i = 0; i < a->given_count; i++) {
        const struct args_option *o = a->given[i].option;
        if (!o->param || !is_last(a, i))
            continue;
        jsonw_key(w, o->param);
        if (o->type == ARGS_LIST)
            put_list(a, o, w);
        else if (o->type == ARGS_TIME)
            jsonw_time(w, a->given[i].time);
        else if (o->type == ARGS_FLAG)
            jsonw_bool(w, true);
        else if (o->type == ARGS_COUNT)
            jsonw_int(w, atoll(a->given[i].value));
        else if (o->type == ARGS_REAL)
            jsonw_double(w, strtod(a->given[i].value, NULL));
        else
            jsonw_string(w, a->given[i].value);
    }
}

static void put_options(const struct args_option *o, struct buf *out)
{
    for (; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        buf_printf(out, "  %-22s %s%s\n", left, o->doc,
                   o->type == ARGS_LIST ? "; may be repeated" : "");
    }
}

void args_usage(const struct command *c, struct buf *out)
{
    buf_printf(out, "usage: varve %s%s%s%s\n%s.\n\n", c->name, c->options ? " [OPTION]..." : "",
               *c->operands ? " " : "", c->operands, c->summary);
    put_options(c->options, out);
    put_options(common, out);
}
