/* SPDX-License-Identifier: Apache-2.0 */
/* `varve score` and `varve embed`: the model over files, without a daemon. */
#ifndef VARVE_CLI_SCORE_H
#define VARVE_CLI_SCORE_H

/* argv[0] is the subcommand's name. Exit status: 0 done, 1 bad records or it failed, 2 wrong usage.
 */
int score_main(int argc, char **argv);
int embed_main(int argc, char **argv);

#endif
