/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: an environment variable names a folder, the folder is made if it is missing, and it
 * proves to be ours. Failure modes: no home, a foreign folder under /tmp (somebody could listen
 * there in our name), a path that does not fit a socket address.
 */
#include "config/paths.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Set, absolute and one path: systemd separates several by colons, of which ours is the first. */
static const char *folder_variable(const char *name, char *out)
{
    const char *v = getenv(name);
    if (!v || v[0] != '/')
        return NULL;
    size_t n = strcspn(v, ":");
    if (n >= CONFIG_PATH_SIZE)
        return NULL;
    memcpy(out, v, n);
    out[n] = '\0';
    return out;
}

static int home(char *out, struct errmsg *err)
{
    if (folder_variable("HOME", out))
        return 0;
    const struct passwd *pw = getpwuid(getuid());
    if (!pw || !pw->pw_dir || pw->pw_dir[0] != '/' || strlen(pw->pw_dir) >= CONFIG_PATH_SIZE)
        return err_set(err, ERR_NOTFOUND, "no home folder: set HOME");
    strcpy(out, pw->pw_dir);
    return 0;
}

static int join(char *out, size_t room, struct errmsg *err, const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n + m + 1 > room)
        return err_set(err, ERR_LIMIT, "%s%s: the path is longer than %zu bytes", a, b, room - 1);
    memmove(out, a, n);
    memcpy(out + n, b, m + 1);
    return 0;
}

/* $VARIABLE/tail, else HOME/fallback/tail. */
static int xdg(const char *variable, const char *fallback, const char *tail, char *out,
               struct errmsg *err)
{
    char folder[CONFIG_PATH_SIZE];
    if (!folder_variable(variable, folder)) {
        int rc = home(folder, err);
        if (rc == 0)
            rc = join(folder, sizeof(folder), err, folder, fallback);
        if (rc != 0)
            return rc;
    }
    return join(out, CONFIG_PATH_SIZE, err, folder, tail);
}

int config_default_file(char *out, struct errmsg *err)
{
    char state[CONFIG_PATH_SIZE];
    if (folder_variable("STATE_DIRECTORY", state))
        return join(out, CONFIG_PATH_SIZE, err, "/etc/varved", "/varved.conf");
    return xdg("XDG_CONFIG_HOME", "/.config", "/varved/varved.conf", out, err);
}

/* Makes a folder and its parents; what exists stays as it is. */
static int make_folders(const char *path, mode_t mode, struct errmsg *err)
{
    char partial[CONFIG_PATH_SIZE];
    size_t n = strlen(path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, mode) != 0 && errno != EEXIST && errno != EISDIR &&
            (path[i] == '\0' || access(partial, F_OK) != 0))
            return err_set(err, err_from_errno(errno), "%s: %s", partial, strerror(errno));
    }
    return 0;
}

/* A folder, not a link to one, that is ours alone. */
static int check_ours(const char *path, struct errmsg *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_PERM, "%s: not a folder", path);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_PERM, "%s: belongs to user %u, not to user %u", path,
                       (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & 077)
        return err_set(err, ERR_PERM, "%s: others may use it (mode %04o)", path,
                       (unsigned)st.st_mode & 07777);
    return 0;
}

/* True when the folder holds nothing but what the daemon puts there. */
static bool only_ours_inside(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return false;
    bool ours = true;
    for (struct dirent *e = readdir(d); e && ours; e = readdir(d))
        ours = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
               strncmp(e->d_name, "memory.", 7) == 0;
    closedir(d);
    return ours;
}

/* The memory is nobody else's business; but a folder that is used for more is not ours to close. */
static int make_private(const char *path, mode_t mode, struct errmsg *err)
{
    if (!(mode & 077))
        return 0;
    if (!only_ours_inside(path))
        return err_set(err, ERR_PERM,
                       "%s: others may use it (mode %04o) and it holds other things: give the "
                       "memory a folder of its own, mode 0700",
                       path, (unsigned)mode & 07777);
    if (chmod(path, 0700) != 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    return 0;
}

int config_resolve_state(const struct config *c, char *out, struct errmsg *err)
{
    int rc = 0;
    if (c->memory.directory[0])
        rc = join(out, CONFIG_PATH_SIZE, err, c->memory.directory, "");
    else if (!folder_variable("STATE_DIRECTORY", out))
        rc = xdg("XDG_STATE_HOME", "/.local/state", "/varved", out, err);
    if (rc == 0)
        rc = make_folders(out, 0700, err);
    struct stat st;
    if (rc == 0 && stat(out, &st) != 0)
        rc = err_set(err, err_from_errno(errno), "%s: %s", out, strerror(errno));
    if (rc != 0)
        return rc;
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: not a folder", out);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_PERM, "%s: belongs to user %u, not to user %u", out,
                       (unsigned)st.st_uid, (unsigned)geteuid());
    return make_private(out, st.st_mode, err);
}

static void tmp_folder(char *out)
{
    snprintf(out, CONFIG_PATH_SIZE, "/tmp/varved-%u", (unsigned)geteuid());
}

static int socket_in(const char *folder, bool private, char *out, struct errmsg *err)
{
    int rc = make_folders(folder, private ? 0700 : 0755, err);
    return rc == 0 ? join(out, CONFIG_SOCKET_SIZE, err, folder, "/varved.sock") : rc;
}

int config_resolve_socket(const struct config *c, char *out, struct errmsg *err)
{
    char folder[CONFIG_PATH_SIZE];
    int rc;
    if (c->ipc.socket[0]) {
        rc = join(out, CONFIG_SOCKET_SIZE, err, c->ipc.socket, "");
        char *slash = rc == 0 ? strrchr(out, '/') : NULL;
        if (slash && slash != out) {
            *slash = '\0';
            rc = make_folders(out, 0755, err);
            *slash = '/';
        }
        return rc;
    }
    if (folder_variable("RUNTIME_DIRECTORY", folder))
        return socket_in(folder, false, out, err);
    if (folder_variable("XDG_RUNTIME_DIR", folder)) {
        rc = join(folder, sizeof(folder), err, folder, "/varved");
        return rc == 0 ? socket_in(folder, true, out, err) : rc;
    }
    tmp_folder(folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_set(err, err_from_errno(errno), "%s: %s", folder, strerror(errno));
    rc = check_ours(folder, err);
    return rc == 0 ? join(out, CONFIG_SOCKET_SIZE, err, folder, "/varved.sock") : rc;
}

size_t config_client_sockets(const char *given, char out[2][CONFIG_SOCKET_SIZE])
{
    if (!given || !given[0])
        given = getenv("VARVE_SOCKET");
    if (given && given[0])
        return join(out[0], CONFIG_SOCKET_SIZE, NULL, given, "") == 0;
    size_t n = 0;
    char folder[CONFIG_PATH_SIZE];
    if (folder_variable("XDG_RUNTIME_DIR", folder)) {
        n += join(out[n], CONFIG_SOCKET_SIZE, NULL, folder, "/varved/varved.sock") == 0;
    } else {
        tmp_folder(folder);
        if (check_ours(folder, NULL) == 0)
            n += join(out[n], CONFIG_SOCKET_SIZE, NULL, folder, "/varved.sock") == 0;
    }
    n += join(out[n], CONFIG_SOCKET_SIZE, NULL, "/run/varved", "/varved.sock") == 0;
    return n;
}

/* A file that comes with the programs. */
struct shipped {
    const char *variable;  /* of the environment: the one folder to look in */
    const char *tree;      /* the folder of the build tree */
    const char *installed; /* folder */
    const char *name;
    int mode; /* for access() */
};

/* `folder`/`below`/`name`, if that is there. */
static bool is_shipped(const struct shipped *s, const char *folder, const char *below, char *out)
{
    char tail[128];
    int n = snprintf(tail, sizeof(tail), "%s/%s", below, s->name);
    return n > 0 && (size_t)n < sizeof(tail) &&
           join(out, CONFIG_PATH_SIZE, NULL, folder, tail) == 0 && access(out, s->mode) == 0;
}

/* In the variable's folder alone if it is set, else beside this program, in its build tree, in the
 * installed folder. */
static bool find_shipped(const struct shipped *s, char *out)
{
    char folder[CONFIG_PATH_SIZE];
    const char *given = getenv(s->variable);
    if (given && given[0])
        return is_shipped(s, given, "", out);
    ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return (slash && (is_shipped(s, folder, "", out) || is_shipped(s, folder, s->tree, out))) ||
           is_shipped(s, s->installed, "", out);
}

int config_media_program(char *out, struct errmsg *err)
{
    const struct shipped program = {"VARVE_LIBEXEC", "/../media", CONFIG_LIBEXEC, "varve-media",
                                    X_OK};
    const char *given = getenv("VARVE_LIBEXEC");
    if (find_shipped(&program, out))
        return 0;
    if (given && given[0])
        return err_set(err, ERR_NOTFOUND, "there is no varve-media in %s (VARVE_LIBEXEC)", given);
    return err_set(
        err, ERR_NOTFOUND,
        "varve-media, which reads sound and pictures, is not installed: it is built where "
        "FFmpeg's libraries and libseccomp are");
}

int config_data_file(const char *name, char *out)
{
    const struct shipped file = {"VARVE_DATA", "/../model", CONFIG_DATA, name, R_OK};
    return find_shipped(&file, out) ? 0 : ERR_NOTFOUND;
}
