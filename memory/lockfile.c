/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The holder may not have written its pid yet, then 0. */
static long holder(int fd)
{
    char text[32] = "";
    long pid = 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n > 0 && sscanf(text, "%ld", &pid) != 1)
        pid = 0;
    return pid;
}

static int write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_from_errno(errno);
    return 0;
}

int lockfile_open(const char *path, int *ret_fd, struct errmsg *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    /* An open-file lock: a plain one would be lost when any descriptor of the file is closed. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int r = 0;
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            r = err_set(err, ERR_BUSY, "%s: in use by process %ld", path, holder(fd));
        else
            r = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    } else if ((r = write_pid(fd)) != 0) {
        err_set(err, r, "%s: %s", path, err_text(r));
    }
    if (r) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

void lockfile_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int lockfile_held(const char *path, bool *ret, struct errmsg *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret = false;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *ret = fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return 0;
}
