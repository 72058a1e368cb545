/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts varve-media for one file and takes its frames. Whatever happens to it is an error of that
 * file and of nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/input.h"
#include "config/paths.h"
#include "ipc/media_frames.h"

#define CHUNK (64 * 1024)

extern char **environ;

struct media {
    const struct record_reader_callbacks *callbacks;
    struct media_frames frames;
    int stopped; /* what a callback returned */
};

static int on_record(void *arg, const struct record *r)
{
    struct media *m = arg;
    return m->stopped = m->callbacks->record(m->callbacks->arg, r, m->frames.count);
}

/* Its standard output is the pipe, its standard input ours only where that is what it reads. */
static int start(const char *program, const char *const *argv, bool standard, int out, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!rc && !standard)
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn(ret, program, &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int take_all(struct media *m, int fd, int (*chunk)(void *arg), struct errmsg *err)
{
    static char data[CHUNK];
    for (;;) {
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, err_from_errno(errno), "varve-media: %s", strerror(errno));
        if (n == 0)
            return 0;
        int rc = media_frames_take(&m->frames, data, (size_t)n, on_record, m, err);
        if (rc == 0 && chunk)
            rc = m->stopped = chunk(m->callbacks->arg);
        if (rc)
            return rc;
    }
}

static int run(struct media *m, const char *program, const char *const *argv, bool standard,
               int (*chunk)(void *arg), struct errmsg *err)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, err_from_errno(errno), "a pipe: %s", strerror(errno));
    int rc = start(program, argv, standard, ends[1], &pid);
    close(ends[1]);
    if (rc) {
        close(ends[0]);
        return err_set(err, err_from_errno(rc), "%s: %s", program, strerror(rc));
    }
    rc = take_all(m, ends[0], chunk, err);
    close(ends[0]);
    if (rc)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (rc)
        return rc;
    return media_frames_verdict(&m->frames, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                WIFSIGNALED(status) ? WTERMSIG(status) : 0, err);
}

int input_media(const struct input_options *o, const char *path,
                const struct record_reader_callbacks *callbacks, int (*chunk)(void *arg),
                struct errmsg *err)
{
    struct media m = {.callbacks = callbacks};
    char program[CONFIG_PATH_SIZE];
    const char *argv[12] = {"varve-media", "--kind", stream_kind_name(o->kind)};
    int n = 3;
    int rc = config_media_program(program, err);
    if (rc)
        return rc;
    if (o->start[0]) {
        argv[n++] = "--start";
        argv[n++] = o->start;
    }
    if (o->fps) {
        argv[n++] = "--fps";
        argv[n++] = o->fps;
    }
    argv[n++] = "--";
    argv[n] = path;
    media_frames_init(&m.frames, o->kind);
    rc = run(&m, program, argv, strcmp(path, "-") == 0, chunk, err);
    media_frames_deinit(&m.frames);
    return m.stopped ? m.stopped : rc;
}
