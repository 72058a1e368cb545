/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve watch: a standing query; prints each hit, or runs a command with it. Commands run one after
 * another, so a slow one delays the next and never meets it. One that fails is said so and the
 * watch goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/words.h"

extern char **environ;

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* it does not read its input, which is its own affair */
        data += n;
        size -= (size_t)n;
    }
}

static void run_command(char **argv, struct slice item)
{
    int pipes[2];
    pid_t pid;
    int status;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        fprintf(stderr, "varve watch: %s\n", strerror(errno));
        return;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[0], STDIN_FILENO);
    int r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[0]);
    if (r == 0) {
        write_all(pipes[1], item.data, item.size);
        write_all(pipes[1], "\n", 1);
    }
    close(pipes[1]);
    if (r != 0) {
        fprintf(stderr, "varve watch: %s: %s\n", argv[0], strerror(r));
        return;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        fprintf(stderr, "varve watch: %s: signal %d\n", argv[0], WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "varve watch: %s: status %d\n", argv[0], WEXITSTATUS(status));
}

/* The item of a notification as it was written; size 0 when there is none. */
static struct slice item_of(struct json_scanner *s, const char *params)
{
    struct json_field f;
    struct slice item = {NULL, 0};
    int r = json_scan_object(s, params, strlen(params), NULL);
    while (r == 0 && (r = json_scan_next(s, &f, NULL)) == 0) {
        if (json_field_is(&f, "item"))
            item = f.raw;
    }
    return item;
}

static void print_hit(const struct args *a, struct slice item)
{
    struct json *tree;
    if (a->json) {
        printf("%.*s\n", (int)item.size, item.data);
    } else if (json_parse(item.data, item.size, &tree, NULL) == 0) {
        struct buf line = {0};
        struct show s = show_for_stdout(&line);
        show_item_line(&s, tree);
        fputs(line.data ? line.data : "", stdout);
        buf_deinit(&line);
        json_free(tree);
    }
    fflush(stdout);
}

static int watch(const struct args *a, struct varve *v, char **command)
{
    struct json_scanner *scanner;
    const char *method, *params;
    if (json_scanner_new(&scanner) < 0)
        return client_failed(a, NULL);
    while (varve_next_notification(v, -1, &method, &params) == 0 && !ferror(stdout)) {
        struct slice item = item_of(scanner, params);
        if (strcmp(method, "memory.hit") != 0 || item.size == 0)
            continue;
        if (command)
            run_command(command, item);
        else
            print_hit(a, item);
    }
    json_scanner_free(scanner);
    return client_failed(a, v);
}

int run_watch(struct args *a)
{
    struct varve *v;
    struct buf params = {0};
    struct words words;
    const char *result, *exec = args_value(a, "--exec");
    if (exec && words_split(exec, &words) < 0) {
        fprintf(stderr, "varve watch: --exec: no command, or a quote that has no end\n");
        return EXIT_USAGE;
    }
    signal(SIGPIPE, exec ? SIG_IGN : SIG_DFL);
    int r = client_open(a, &v);
    if (r == 0) {
        client_params(a, &params);
        r = client_call(a, v, API_MEMORY_WATCH, &params, &result);
        if (r == 0)
            r = watch(a, v, exec ? words.argv : NULL);
        varve_close(v);
    }
    if (exec)
        words_free(&words);
    return r;
}
