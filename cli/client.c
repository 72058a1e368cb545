/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

int client_failed(const struct args *a, const struct varve *v)
{
    fprintf(stderr, "varve %s: %s\n", a->command->name, v ? varve_error(v) : "out of memory");
    return EXIT_FAILED;
}

int client_open(const struct args *a, struct varve **ret)
{
    struct varve *v = NULL;
    if (varve_connect(a->socket, &v) < 0) {
        client_failed(a, v);
        varve_close(v);
        return EXIT_FAILED;
    }
    *ret = v;
    return 0;
}

void client_params(const struct args *a, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    args_params(a, &w);
    jsonw_object_end(&w);
}

int client_call(const struct args *a, struct varve *v, enum api_method method, struct buf *params,
                const char **ret_result)
{
    int r = buf_failed(params) ? EXIT_FAILED : 0;
    if (r)
        client_failed(a, NULL);
    else if (varve_call(v, api_info(method)->name, params->data, ret_result) < 0)
        r = client_failed(a, v);
    buf_deinit(params);
    return r;
}

int client_show(const struct args *a, enum api_method method, const char *result)
{
    if (a->json) {
        puts(result);
        return 0;
    }
    struct json *tree;
    struct errmsg err;
    if (json_parse(result, strlen(result), &tree, &err) < 0) {
        fprintf(stderr, "varve %s: the daemon's answer: %s\n", a->command->name, err.text);
        return EXIT_FAILED;
    }
    struct buf text = {0};
    struct show s = show_for_stdout(&text);
    show_result(&s, method, tree);
    if (buf_failed(&text))
        client_failed(a, NULL);
    else
        fwrite(text.data ? text.data : "", 1, text.size, stdout);
    int status = buf_failed(&text) ? EXIT_FAILED : 0;
    buf_deinit(&text);
    json_free(tree);
    return status;
}

int client_run(const struct args *a, enum api_method method, struct buf *params)
{
    struct varve *v;
    const char *result;
    int r = client_open(a, &v);
    if (r) {
        buf_deinit(params);
        return r;
    }
    r = client_call(a, v, method, params, &result);
    if (r == 0)
        r = client_show(a, method, result);
    varve_close(v);
    return r;
}
