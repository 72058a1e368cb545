/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter names what decoding needs and nothing else. Libraries that look for a file of theirs
 * while they run get EACCES and go on without; whatever else they would try is the sign of
 * something that should not happen, and ends the process.
 */
#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ADDRESS_SPACE (2ULL << 30) /* an 8K picture with all its references fits */
#define DESCRIPTORS 64

/* The sanitizers' shadow memory alone is larger than any bound. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUND_MEMORY 0
#else
#define BOUND_MEMORY 1
#endif

static int limit(int resource, rlim_t most, const char *what, struct errmsg *err)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < most)
        most = now.rlim_max;
    struct rlimit fresh = {most, most};
    if (setrlimit((__rlimit_resource_t)resource, &fresh) != 0)
        return err_set(err, err_from_errno(errno), "the limit of %s: %s", what, strerror(errno));
    return 0;
}

int sandbox_limit(struct errmsg *err)
{
    int r = limit(RLIMIT_CORE, 0, "core dumps", err);
    if (r == 0 && BOUND_MEMORY)
        r = limit(RLIMIT_AS, ADDRESS_SPACE, "memory", err);
    if (r == 0)
        r = limit(RLIMIT_NOFILE, DESCRIPTORS, "descriptors", err);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        r = err_set(err, ERR_PERM, "no new privileges: %s", strerror(errno));
    return r;
}

/* Asked for on the way, done without. */
static const int denied[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),      SCMP_SYS(openat2),    SCMP_SYS(creat),
    SCMP_SYS(access),     SCMP_SYS(faccessat),   SCMP_SYS(faccessat2), SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(statx),       SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
    SCMP_SYS(socket),     SCMP_SYS(connect),     SCMP_SYS(socketpair), SCMP_SYS(getcwd),
    SCMP_SYS(clone),      SCMP_SYS(clone3),      SCMP_SYS(unlink),     SCMP_SYS(mkdir),
    SCMP_SYS(getdents64), SCMP_SYS(setpriority), SCMP_SYS(mbind),      SCMP_SYS(set_mempolicy),
    SCMP_SYS(prctl),
};

static const int always[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(alarm),
    SCMP_SYS(setitimer),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(getrlimit),
    SCMP_SYS(rseq),
};

/* Of a connection that is open: to a camera, a sound server, the daemon. */
static const int connected[] = {
    SCMP_SYS(sendto),     SCMP_SYS(recvfrom),   SCMP_SYS(sendmsg),     SCMP_SYS(recvmsg),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
    SCMP_SYS(shutdown),   SCMP_SYS(select),     SCMP_SYS(pselect6),    SCMP_SYS(fcntl),
};

/* Of a device; the sound servers' client libraries share memory with them. */
static const int device[] = {
    SCMP_SYS(pipe2),      SCMP_SYS(eventfd2),  SCMP_SYS(memfd_create),    SCMP_SYS(ftruncate),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_settime), SCMP_SYS(epoll_pwait),
    SCMP_SYS(getuid),     SCMP_SYS(geteuid),
};

static int add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        /* Numbers below 0: this machine has no such call. */
        if (calls[i] >= 0)
            r = seccomp_rule_add(ctx, action, calls[i], 0);
    }
    return r;
}

#define ADD(ctx, action, calls) add(ctx, action, calls, sizeof(calls) / sizeof((calls)[0]))

/* Memory may be had, but not made executable; of limits only its own may be read. */
static int add_checked(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
    /* What fstat is in glibc. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
    return r;
}

/* Those of cameras and sound; a terminal's could type commands into it. */
static int add_ioctls(scmp_filter_ctx ctx)
{
    static const char families[] = {'V', 'A', 'U', 'H'};
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 'T' << 8));
    for (size_t i = 0; r == 0 && i < sizeof(families); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, (scmp_datum_t)families[i] << 8));
    return r;
}

int sandbox_lock(enum media_origin origin, bool socket, struct errmsg *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return err_set(err, ERR_NOMEM, "out of memory");
    /* Threads that a sound server's client library started are locked up as well. */
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = ADD(ctx, SCMP_ACT_ALLOW, always);
    if (r == 0)
        r = add_checked(ctx);
    if (r == 0)
        r = ADD(ctx, SCMP_ACT_ERRNO(EACCES), denied);
    if (r == 0 && (socket || origin == MEDIA_DEVICE || origin == MEDIA_NET))
        r = ADD(ctx, SCMP_ACT_ALLOW, connected);
    if (r == 0 && origin == MEDIA_DEVICE)
        r = ADD(ctx, SCMP_ACT_ALLOW, device);
    if (r == 0 && origin == MEDIA_DEVICE)
        r = add_ioctls(ctx);
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    if (r != 0)
        return err_set(err, ERR_PERM, "the system call filter: %s", strerror(-r));
    return 0;
}

/* ---- watchdog ---- */

static struct {
    int fd;
    struct slice stalled, endless;
    unsigned seconds;
} watchdog;

static void on_signal(int number)
{
    const struct slice *s = number == SIGXCPU ? &watchdog.endless : &watchdog.stalled;
    ssize_t n = write(watchdog.fd, s->data, s->size);
    _exit(n < 0 ? 2 : 1);
}

static void answer(int number)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(number, &action, NULL);
}

void watchdog_init(int fd, struct slice stalled, unsigned seconds)
{
    watchdog.fd = fd;
    watchdog.stalled = stalled;
    watchdog.seconds = seconds;
    answer(SIGALRM);
    watchdog_feed();
}

void watchdog_feed(void)
{
    alarm(watchdog.seconds);
}

void watchdog_rest(void)
{
    alarm(0);
}

int watchdog_limit_cpu(struct slice endless, unsigned seconds, struct errmsg *err)
{
    struct rlimit bound = {seconds, seconds + 5}; /* the hard one, if the handler does not end it */
    watchdog.endless = endless;
    answer(SIGXCPU);
    if (setrlimit(RLIMIT_CPU, &bound) != 0)
        return err_set(err, err_from_errno(errno), "the limit of CPU time: %s", strerror(errno));
    return 0;
}
