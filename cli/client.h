/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share when they speak to the daemon. */
#ifndef VARVE_CLI_CLIENT_H
#define VARVE_CLI_CLIENT_H

#include "cli/args.h"
#include "ipc/json.h"
#include "ipc/varve.h"

/* 0 and *ret, or an exit status; then the reason was printed. */
int client_open(const struct args *a, struct varve **ret);
/* Prints "varve COMMAND: what the daemon said"; returns the exit status. */
int client_failed(const struct args *a, const struct varve *v);
/* Calls a method with params (taken over and freed). 0 and *ret_result, or an exit status. */
int client_call(const struct args *a, struct varve *v, enum api_method method, struct buf *params,
                const char **ret_result);
/* The params that the options and operands give, as an object. The caller frees. */
void client_params(const struct args *a, struct buf *out);
/* Prints a result: as it is with --json, else as text for people. Returns the exit status. */
int client_show(const struct args *a, enum api_method method, const char *result);
/* Connects, calls, shows. `params` is taken over. */
int client_run(const struct args *a, enum api_method method, struct buf *params);

#endif
