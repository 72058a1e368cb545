/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a subcommand, read by its table: options may stand before, between and behind
 * the operands, `--name=value` is `--name value`, `--` ends the options. Values are checked here,
 * so what is wrong is said with the option's name before anything else happens.
 */
#ifndef VARVE_CLI_ARGS_H
#define VARVE_CLI_ARGS_H

#include <limits.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/jsonw.h"
#include "cli/input.h"
#include "ipc/api.h"

enum args_type {
    ARGS_FLAG,
    ARGS_TEXT,
    ARGS_COUNT, /* whole number from 1 */
    ARGS_REAL,
    ARGS_TIME,  /* base/timespec.h; goes out as RFC 3339 */
    ARGS_LIST,  /* may be repeated */
    ARGS_INPUT, /* read by cli/input.h; here for the help */
};

struct args_option {
    const char *name; /* "--limit" */
    enum args_type type;
    const char *value; /* what the help calls it, "N"; NULL for a flag */
    const char *param; /* of the method; NULL: the command looks at it itself */
    const char *doc;
};

#define ARGS_MANY INT_MAX

struct args;

struct command {
    const char *name;
    const char *operands;   /* as the usage says it; "" for none */
    const char *summary;    /* a line */
    int min, max;           /* operands; ARGS_MANY: as many as there are */
    const char *param;      /* that the operands go into; NULL: the command looks at them itself */
    enum api_method method; /* API_METHODS: none */
    bool input;             /* takes the options of cli/input.h as well */
    const struct args_option *options;  /* ends with a NULL name; NULL: none */
    int (*run)(struct args *a);         /* exit status */
    int (*main)(int argc, char **argv); /* instead of run: reads its own options */
};

#define ARGS_GIVEN_MAX 64

struct args {
    const struct command *command;
    const char *socket; /* --socket, or NULL */
    bool json, help;
    struct input_options input;
    const char **operands; /* room for one at least */
    int operand_count;
    struct {
        const struct args_option *option;
        const char *value;
        int64_t time; /* of ARGS_TIME */
    } given[ARGS_GIVEN_MAX];
    int given_count;
};

/*
 * argv[0] is the subcommand's name. ERR_INVALID says what is wrong; then a->help is false. ERR_NOMEM.
 * The caller calls args_deinit in any case.
 */
int args_parse(struct args *a, const struct command *command, int argc, char **argv,
               struct errmsg *err);
void args_deinit(struct args *a);

/* The value of an option, the last one given; NULL when it was not. A flag's is "". */
const char *args_value(const struct args *a, const char *name);

/* The operands as one text with blanks between, in a->json's lifetime: the caller frees `out`. */
void args_join(const struct args *a, struct buf *out);

/* Writes what the options and the operands say as members of an object that was opened. */
void args_params(const struct args *a, struct jsonw *w);

/* "usage: varve NAME …" with all options, as `varve help NAME` and a wrong usage print it. */
void args_usage(const struct command *command, struct buf *out);

#endif
