/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of varve. One file a family; the table is in commands.c. Each gives its exit
 * status. */
#ifndef VARVE_CLI_COMMANDS_H
#define VARVE_CLI_COMMANDS_H

#include "cli/args.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2

/* Ends with a NULL name. */
extern const struct command commands[];
/* NULL when there is none. */
const struct command *command_find(const char *name);

/* query.c */
int run_call(struct args *a); /* operands and options to params, one call, its result */
int run_timeline(struct args *a);
int run_raw(struct args *a);
int run_forecast(struct args *a);
int run_entities(struct args *a);
int run_metrics(struct args *a);
/* similar.c */
int run_similar(struct args *a);
/* keep.c */
int run_remember(struct args *a);
int run_feedback(struct args *a);
/* the others have a file each */
int run_forget(struct args *a);
int run_watch(struct args *a);
int run_ingest(struct args *a);
int run_mcp(struct args *a);

#endif
