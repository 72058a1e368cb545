/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things lie: as a service (systemd says so with STATE_DIRECTORY and RUNTIME_DIRECTORY) under
 * /etc, /var/lib and /run; otherwise in the calling user's XDG folders. Thread: any, as long as
 * nobody changes the environment.
 */
#ifndef VARVE_CONFIG_PATHS_H
#define VARVE_CONFIG_PATHS_H

#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

#define CONFIG_PATH_SIZE 512
/* sun_path with its NUL. */
#define CONFIG_SOCKET_SIZE 108

/* The file that is read without --config. out[CONFIG_PATH_SIZE]; ERR_NOTFOUND: no home folder. */
int config_default_file(char *out, struct errmsg *err);

/*
 * The folder of memory.db (created 0700 with its parents when missing) into out[CONFIG_PATH_SIZE]:
 * [memory] directory or --state, $STATE_DIRECTORY, $XDG_STATE_HOME/varved, ~/.local/state/varved.
 * ERR_PERM when the folder is another's, or when others may use it and it holds other things.
 */
int config_resolve_state(const struct config *c, char *out, struct errmsg *err);

/*
 * The socket's path into out[CONFIG_SOCKET_SIZE], its folder created when missing (0755 where
 * written, else 0700): [ipc] socket or --socket, $RUNTIME_DIRECTORY/varved.sock,
 * $XDG_RUNTIME_DIR/varved/varved.sock, /tmp/varved-UID/varved.sock. ERR_LIMIT: too long for a
 * socket; ERR_PERM: the folder under /tmp is not ours alone.
 */
int config_resolve_socket(const struct config *c, char *out, struct errmsg *err);

/*
 * Where a client looks, best first: `given` (--socket) alone, else $VARVE_SOCKET alone, else the
 * user's and the system's. Fills up to 2 paths, returns how many; nothing is created. Paths that
 * are too long for a socket are left out.
 */
size_t config_client_sockets(const char *given, char out[2][CONFIG_SOCKET_SIZE]);

/*
 * Where varve-media is, into out[CONFIG_PATH_SIZE]: in $VARVE_LIBEXEC alone if that is set, else
 * beside this program, in its build tree, in the installed folder. ERR_NOTFOUND says that it is
 * missing.
 */
int config_media_program(char *out, struct errmsg *err);

/*
 * Where a file of data is that the programs use when it is there, into out[CONFIG_PATH_SIZE]: in
 * $VARVE_DATA alone if that is set, else beside this program, in its build tree, in the installed
 * folder. 0 or ERR_NOTFOUND.
 */
int config_data_file(const char *name, char *out);

#endif
