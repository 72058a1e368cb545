/* SPDX-License-Identifier: Apache-2.0 */
/* varve: finds the subcommand and hands over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "cli/commands.h"

static int flush_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("varve: cannot write the output\n", stderr);
    return EXIT_FAILED;
}

static int print_usage(FILE *to)
{
    fputs("usage: varve [--socket PATH] COMMAND [ARGUMENT]...\n\n", to);
    for (const struct command *c = commands; c->name; c++)
        fprintf(to, "  %-9s %-17s %s\n", c->name, c->operands, c->summary);
    fputs("\n`varve help COMMAND` says more. With --json a command prints one JSON object.\n", to);
    return to == stdout ? 0 : EXIT_USAGE;
}

static int print_command(const struct command *c, FILE *to)
{
    struct buf text = {0};
    args_usage(c, &text);
    fputs(text.data ? text.data : "", to);
    buf_deinit(&text);
    return 0;
}

/* For shell completion: the commands, or the options of one, a word a line. */
static int list_words(const char *name)
{
    const struct command *c = name ? command_find(name) : NULL;
    if (!name) {
        for (c = commands; c->name; c++)
            puts(c->name);
        puts("help");
    } else if (c) {
        for (const struct args_option *o = c->options; o && o->name; o++)
            puts(o->name);
        puts("--socket\n--json\n--help");
    }
    return 0;
}

static int help(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--list") == 0)
        return list_words(argc > 2 ? argv[2] : NULL);
    if (argc < 2)
        return print_usage(stdout);
    const struct command *c = command_find(argv[1]);
    if (c)
        return print_command(c, stdout);
    fprintf(stderr, "varve: no command \"%s\"\n", argv[1]);
    return print_usage(stderr);
}

static int run(const struct command *c, int argc, char **argv, const char *socket)
{
    struct args a;
    struct errmsg err;
    int status;
    if (args_parse(&a, c, argc, argv, &err) < 0) {
        fprintf(stderr, "varve %s: %s\n", c->name, err.text);
        fprintf(stderr, "`varve help %s` says what it takes\n", c->name);
        status = EXIT_USAGE;
    } else if (a.help) {
        status = print_command(c, stdout);
    } else if (c->main) {
        status = c->main(argc, argv);
    } else {
        if (!a.socket)
            a.socket = socket;
        status = c->run(&a);
    }
    args_deinit(&a);
    return status;
}

int main(int argc, char **argv)
{
    fault_config_env();
    const char *socket = NULL;
    int i = 1;
    while (i < argc && strncmp(argv[i], "--socket", 8) == 0) {
        if (argv[i][8] == '=') {
            socket = argv[i++] + 9;
        } else if (argv[i][8] == '\0' && i + 1 < argc) {
            socket = argv[i + 1];
            i += 2;
        } else {
            break;
        }
    }
    if (i == argc)
        return print_usage(stderr);
    const char *word = argv[i];
    if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
        puts("varve " VARVE_VERSION);
        return flush_output(0);
    }
    if (strcmp(word, "help") == 0)
        return flush_output(help(argc - i, argv + i));
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return flush_output(print_usage(stdout));
    const struct command *c = command_find(word);
    if (!c) {
        fprintf(stderr, "varve: no command \"%s\"\n", word);
        return print_usage(stderr);
    }
    return flush_output(run(c, argc - i, argv + i, socket));
}
