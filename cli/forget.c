/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve forget. On a terminal it first shows what would go and asks; while it runs, a thread with a
 * connection of its own tells how far it is. Elsewhere, and with --json, it neither asks nor tells.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"

struct progress {
    const char *socket;
    pthread_t thread;
    atomic_bool stop;
    bool started;
};

static void make_params(const struct args *a, const char *flag, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    args_params(a, &w);
    if (flag)
        jsonw_kv_bool(&w, flag, true);
    jsonw_object_end(&w);
}

static void tell(const char *status)
{
    struct json *tree;
    struct errmsg err;
    if (json_parse(status, strlen(status), &tree, &err) < 0)
        return;
    const struct json *f = json_get(tree, "forgetting");
    const char *phase = json_string(json_get(f, "phase"));
    if (phase)
        fprintf(stderr, "\r%-8s %.0f of %.0f \x1b[K", phase, json_double(json_get(f, "done"), 0),
                json_double(json_get(f, "planned"), 0));
    json_free(tree);
}

static void *watch_progress(void *arg)
{
    struct progress *p = arg;
    struct varve *v = NULL;
    const char *status;
    const struct timespec wait = {.tv_nsec = 200000000};
    int r = varve_connect(p->socket, &v);
    while (r >= 0 && !atomic_load(&p->stop)) {
        nanosleep(&wait, NULL);
        r = varve_call(v, api_info(API_DAEMON_STATUS)->name, "{}", &status);
        if (r >= 0 && !atomic_load(&p->stop))
            tell(status);
    }
    varve_close(v);
    return NULL;
}

static void progress_start(struct progress *p, const struct args *a)
{
    *p = (struct progress){.socket = a->socket};
    if (!a->json && isatty(STDERR_FILENO))
        p->started = pthread_create(&p->thread, NULL, watch_progress, p) == 0;
}

static void progress_end(struct progress *p)
{
    if (!p->started)
        return;
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    fputs("\r\x1b[K", stderr);
}

/* Shows what would go. *ret: it is wanted. */
static int ask(const struct args *a, struct varve *v, bool *ret)
{
    struct buf params = {0};
    const char *result;
    char answer[16] = "";
    make_params(a, "dry", &params);
    int r = client_call(a, v, API_MEMORY_FORGET, &params, &result);
    if (r == 0)
        r = client_show(a, API_MEMORY_FORGET, result);
    if (r)
        return r;
    fputs("Forget this for good? It cannot be taken back. [y/N] ", stdout);
    fflush(stdout);
    *ret = fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
    return 0;
}

static int forget(const struct args *a, struct varve *v)
{
    struct buf params = {0};
    struct progress p;
    const char *result;
    bool dry = args_value(a, "--dry");
    make_params(a, dry ? NULL : "confirm", &params);
    progress_start(&p, a);
    int r = client_call(a, v, API_MEMORY_FORGET, &params, &result);
    progress_end(&p);
    return r ? r : client_show(a, API_MEMORY_FORGET, result);
}

int run_forget(struct args *a)
{
    static const char *const others[] = {"--stream", "--since", "--until", "--match"};
    bool selected = false, wanted = true;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        selected |= args_value(a, others[i]) != NULL;
    if (selected == (a->operand_count > 0)) {
        fprintf(stderr, selected ? "varve forget: either an ID or --stream, --since, --until and "
                                   "--match\n"
                                 : "varve forget: what? An ID, --stream, --since, --until or "
                                   "--match\n");
        return EXIT_USAGE;
    }
    struct varve *v;
    int r = client_open(a, &v);
    if (r)
        return r;
    varve_set_timeout(v, 0);
    if (!a->json && !args_value(a, "--dry") && isatty(STDIN_FILENO))
        r = ask(a, v, &wanted);
    if (r == 0 && wanted)
        r = forget(a, v);
    varve_close(v);
    return r ? r : wanted ? 0 : EXIT_FAILED;
}
