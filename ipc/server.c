/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket: made or inherited, who may connect, how many, and the end of it all.
 *
 * The file is made with mode 0660 before anybody can connect. A file that is there already is
 * replaced only when nobody listens behind it; two daemons that start at once are kept apart by the
 * store's lock, which is taken first. Peers are checked by what the kernel says of them.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/conn.h"

#define BACKLOG 128
#define PEER_GROUPS_MAX 1024

/* ---- the socket file ------------------------------------------------------------------------- */

/* 0: nobody listens behind the path; ERR_BUSY: somebody does. */
static int probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_from_errno(errno);
    int r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    int errnum = errno;
    close(fd);
    return r < 0 && (errnum == ECONNREFUSED || errnum == ENOENT) ? 0 : ERR_BUSY;
}

static int bind_path(int fd, const struct sockaddr_un *address, struct errmsg *err)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return err_set(err, ERR_EXISTS, "%s: is there already and is no socket", path);
        if (probe(address) == ERR_BUSY)
            return err_set(err, ERR_BUSY, "%s: another daemon listens there", path);
        unlink(path);
    }
    /* The file takes its mode from the socket's: nobody gets in between bind and a chmod. */
    fchmod(fd, 0660);
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (chmod(path, 0660) < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    return 0;
}

static int set_group(const char *path, const char *name, struct errmsg *err)
{
    if (!name || !*name)
        return 0;
    const struct group *g = getgrnam(name);
    if (!g)
        return err_set(err, ERR_NOTFOUND, "no group \"%s\" for %s", name, path);
    if (chown(path, (uid_t)-1, g->gr_gid) < 0)
        return err_set(err, err_from_errno(errno), "%s: cannot give it to group %s: %s", path, name,
                       strerror(errno));
    return 0;
}

/* A bound socket; the file is removed again when something fails. */
static int make_socket(const struct server_options *o, int *ret_fd, struct errmsg *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(o->path) >= sizeof(address.sun_path))
        return err_set(err, ERR_LIMIT, "%s: longer than %zu bytes, too long for a socket", o->path,
                       sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, o->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, err_from_errno(errno), "socket: %s", strerror(errno));
    int r = bind_path(fd, &address, err);
    if (r == 0) {
        r = set_group(o->path, o->group, err);
        if (r < 0)
            unlink(o->path);
    }
    if (r < 0)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}

/* Which group may connect: the file's, also of a socket that was inherited. */
static void note_file(struct server *s, int fd)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof(address) - 1;
    struct stat st;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || !address.sun_path[0])
        return;
    if (stat(address.sun_path, &st) < 0)
        return;
    s->group = st.st_gid;
    s->has_group = true;
    if (s->options.fd < 0) {
        snprintf(s->path, sizeof(s->path), "%s", address.sun_path);
        s->path_dev = st.st_dev;
        s->path_ino = st.st_ino;
    }
}

/* Only our own file: another daemon may have put its own there. */
static void remove_file(struct server *s)
{
    struct stat st;
    if (s->path[0] && lstat(s->path, &st) == 0 && st.st_dev == s->path_dev &&
        st.st_ino == s->path_ino)
        unlink(s->path);
    s->path[0] = '\0';
}

/* ---- who gets in ----------------------------------------------------------------------------- */

static bool in_group(int fd, gid_t primary, gid_t group)
{
    if (primary == group)
        return true;
    gid_t groups[PEER_GROUPS_MAX];
    socklen_t size = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof(*groups); i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

static bool check_peer(struct server *s, struct ipc_conn *c)
{
    uv_os_fd_t fd;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    c->uid = peer.uid;
    snprintf(c->name, sizeof(c->name), "uid %u", (unsigned)peer.uid);
    return peer.uid == 0 || peer.uid == geteuid() ||
           (s->has_group && in_group(fd, peer.gid, s->group));
}

static void refuse(struct server *s, struct ipc_conn *c, int code, const char *text)
{
    s->stats.refused++;
    conn_refuse(c, code, text);
}

static void on_turned_away(uv_handle_t *handle);

/*
 * Without memory for a connection it is still taken and closed on, through a handle that is always
 * there: libuv hears of no other one until this one was accepted.
 */
static void turn_away(struct server *s)
{
    s->stats.refused++;
    if (s->turning_away) {
        s->turn_next = true;
        return;
    }
    uv_pipe_init(s->loop, &s->away, 0);
    s->away.data = s;
    s->turning_away = true;
    s->handles++;
    uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&s->away);
    uv_close((uv_handle_t *)&s->away, on_turned_away);
}

static void on_turned_away(uv_handle_t *handle)
{
    struct server *s = handle->data;
    s->turning_away = false;
    if (s->turn_next && s->listening) {
        s->turn_next = false;
        turn_away(s);
    }
    s->handles--;
    server_check_done(s);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *s = listener->data;
    if (status < 0)
        return;
    struct ipc_conn *c = conn_new(s);
    if (!c) {
        server_trouble(s, NULL, "out of memory for a connection; closing");
        turn_away(s);
    } else if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0) {
        conn_close(c);
    } else if (!check_peer(s, c)) {
        refuse(s, c, ERR_PERM, "not the daemon's user and not in its socket's group");
    } else if (s->stats.connections >= s->options.max_connections) {
        refuse(s, c, ERR_LIMIT, "too many connections");
    } else {
        c->admitted = true;
        s->stats.accepted++;
        s->stats.connections++;
        conn_start(c);
    }
}

/* ---- turn of the loop ------------------------------------------------------------------------ */

static void on_prepare(uv_prepare_t *prepare)
{
    struct server *s = prepare->data;
    while (s->queue) {
        struct ipc_conn *c = s->queue;
        s->queue = c->queue_next;
        c->queued = false;
        if (!c->closing)
            conn_serve(c);
        conn_unref(c);
    }
}

void server_feed_starved(struct server *s)
{
    for (struct ipc_conn *c = s->conns; c; c = c->next) {
        if (c->starved)
            conn_queue(c);
    }
}

void server_trouble(struct server *s, const struct ipc_conn *c, const char *what)
{
    if (s->options.callbacks->trouble)
        s->options.callbacks->trouble(s->options.user, c, what);
}

/* ---- lifecycle ------------------------------------------------------------------------------- */

static void set_defaults(struct server_options *o)
{
    if (!o->max_request)
        o->max_request = 8u << 20;
    if (!o->max_connections)
        o->max_connections = 256;
    if (!o->max_in_flight)
        o->max_in_flight = 64;
    if (!o->max_outgoing)
        o->max_outgoing = 16u << 20;
    if (!o->max_pending)
        o->max_pending = 64u << 20;
}

static int start(struct server *s, int fd, struct errmsg *err)
{
    int r = uv_pipe_open(&s->listener, fd);
    if (r != 0) {
        close(fd);
        return err_set(err, ERR_IO, "the listening socket: %s", uv_strerror(r));
    }
    r = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
    if (r != 0)
        return err_set(err, ERR_IO, "%s: cannot listen: %s", s->path, uv_strerror(r));
    s->listening = true;
    uv_prepare_start(&s->prepare, on_prepare);
    uv_unref((uv_handle_t *)&s->prepare);
    return 0;
}

int server_open(uv_loop_t *loop, const struct server_options *options, struct server **ret,
                struct errmsg *err)
{
    struct server *s = mem_calloc(1, sizeof(*s));
    if (!s || json_scanner_new(&s->scanner) < 0) {
        mem_free(s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    s->loop = loop;
    s->options = *options;
    set_defaults(&s->options);
    int fd = options->fd;
    if (fd < 0) {
        int r = make_socket(options, &fd, err);
        if (r < 0) {
            json_scanner_free(s->scanner);
            mem_free(s);
            return r;
        }
    }
    note_file(s, fd);
    uv_pipe_init(loop, &s->listener, 0);
    uv_prepare_init(loop, &s->prepare);
    s->listener.data = s->prepare.data = s;
    s->handles = 2;
    int r = start(s, fd, err);
    if (r < 0) {
        server_close(s, NULL, NULL);
        return r;
    }
    *ret = s;
    return 0;
}

void server_set_limits(struct server *s, size_t max_request, size_t max_connections)
{
    s->options.max_request = max_request;
    s->options.max_connections = max_connections;
    set_defaults(&s->options);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    s->handles--;
    server_check_done(s);
}

static void stop_listening(struct server *s)
{
    if (uv_is_closing((uv_handle_t *)&s->listener))
        return;
    s->listening = false;
    remove_file(s);
    uv_close((uv_handle_t *)&s->listener, on_handle_closed);
}

void server_drain(struct server *s)
{
    s->draining = true;
    stop_listening(s);
    for (struct ipc_conn *c = s->conns; c; c = c->next)
        conn_queue(c);
}

void server_check_done(struct server *s)
{
    if (!s->closing || s->handles > 0 || s->conns)
        return;
    rpc_free_requests(s);
    channel_free_batches(s);
    json_scanner_free(s->scanner);
    void (*done)(void *) = s->done;
    void *user = s->done_user;
    mem_free(s);
    if (done)
        done(user);
}

void server_close(struct server *s, void (*done)(void *user), void *user)
{
    s->done = done;
    s->done_user = user;
    stop_listening(s);
    struct ipc_conn *next;
    for (struct ipc_conn *c = s->conns; c; c = next) {
        next = c->next;
        conn_flush(c);
        conn_close(c);
    }
    on_prepare(&s->prepare);
    s->closing = true;
    uv_close((uv_handle_t *)&s->prepare, on_handle_closed);
}

void server_stats(const struct server *s, struct server_stats *ret)
{
    *ret = s->stats;
}
