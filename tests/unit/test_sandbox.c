/* SPDX-License-Identifier: Apache-2.0 */
/* What a decoder that was taken over could still do. Each attempt is made by a locked child. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/sandbox.h"

/* The wait status of a child that is locked up and then does `act`, whose result it ends with. */
static int locked(enum media_origin origin, bool socket, int (*act)(void))
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (sandbox_limit(NULL) != 0 || sandbox_lock(origin, socket, NULL) != 0)
            _exit(99);
        _exit(act());
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_exit(int status, int wanted)
{
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted, "status %x", status);
}

static void assert_killed(int status)
{
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %x", status);
}

/* The error number that it gave, 0 when it worked. */
static int open_a_file(void)
{
    return open("/dev/null", O_RDONLY) < 0 ? errno : 0;
}

static int make_a_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int make_an_internet_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int fork_again(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static int run_a_program(void)
{
    char *argv[] = {(char *)"true", NULL};
    execv("/bin/true", argv);
    return errno;
}

static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int signal_the_parent(void)
{
    return kill(getppid(), 0) < 0 ? errno : 0;
}

static int raise_a_limit(void)
{
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_NOFILE, &most) < 0 ? errno : 0;
}

static int pair[2];

/* The error number of an ioctl on a socket. */
static int control(unsigned long request)
{
    char out[256];
    return syscall(SYS_ioctl, pair[0], request, out) < 0 ? errno : 0;
}

static int ask_a_camera(void)
{
    return control(0x80685600); /* VIDIOC_QUERYCAP */
}

static int ask_a_terminal(void)
{
    return control(0x541b); /* FIONREAD, which a socket has, too */
}

static int ask_anything(void)
{
    return control(0x8901);
}

static int talk(void)
{
    return send(pair[0], "x", 1, 0) == 1 ? 0 : errno;
}

static int decode(void)
{
    char *p = malloc(4 << 20);
    if (!p || read(pair[1], p, 1) != -1)
        return 1;
    free(p);
    return write(STDERR_FILENO, "", 0) == 0 ? 0 : 2;
}

START_TEST(test_no_files_no_sockets)
{
    const enum media_origin origins[] = {MEDIA_FILE, MEDIA_PIPE, MEDIA_DEVICE, MEDIA_NET};
    for (size_t i = 0; i < 4; i++) {
        for (int socket = 0; socket < 2; socket++) {
            assert_exit(locked(origins[i], socket, open_a_file), EACCES);
            assert_exit(locked(origins[i], socket, make_a_socket), EACCES);
            assert_exit(locked(origins[i], socket, make_an_internet_socket), EACCES);
            assert_exit(locked(origins[i], socket, fork_again), EACCES);
        }
    }
}
END_TEST

START_TEST(test_what_ends_it)
{
    assert_killed(locked(MEDIA_FILE, false, run_a_program));
    assert_killed(locked(MEDIA_NET, true, run_a_program));
    assert_killed(locked(MEDIA_FILE, false, make_code));
    assert_killed(locked(MEDIA_DEVICE, false, make_code));
    assert_killed(locked(MEDIA_FILE, false, signal_the_parent));
    assert_killed(locked(MEDIA_FILE, false, raise_a_limit));
}
END_TEST

START_TEST(test_each_origin_gets_its_own)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_exit(locked(MEDIA_FILE, false, decode), 0);
    assert_killed(locked(MEDIA_FILE, false, talk));
    assert_exit(locked(MEDIA_FILE, true, talk), 0);
    assert_exit(locked(MEDIA_NET, false, talk), 0);
    assert_killed(locked(MEDIA_FILE, false, ask_a_camera));
    assert_killed(locked(MEDIA_NET, false, ask_a_camera));
    assert_exit(locked(MEDIA_DEVICE, false, ask_a_camera), ENOTTY); /* the kernel's answer */
    assert_exit(locked(MEDIA_DEVICE, false, ask_a_terminal), ENOTTY);
    assert_killed(locked(MEDIA_DEVICE, false, ask_anything));
}
END_TEST

static const struct slice stalled = {"stalled", 7}, endless = {"endless", 7};

static int stall(void)
{
    watchdog_init(pair[1], stalled, 1);
    while (sched_yield() == 0)
        continue; /* nothing comes out of it */
    return 0;
}

static int work_for_ever(void)
{
    watchdog_init(pair[1], stalled, 60);
    for (;;)
        watchdog_feed();
    return 0;
}

static void assert_says(int (*act)(void), const char *what)
{
    char got[16];
    ck_assert_int_eq(pipe(pair), 0);
    assert_exit(locked(MEDIA_FILE, false, act), 1);
    close(pair[1]);
    ssize_t n = read(pair[0], got, sizeof(got));
    ck_assert_int_eq(n, (ssize_t)strlen(what));
    ck_assert(memcmp(got, what, strlen(what)) == 0);
    close(pair[0]);
}

START_TEST(test_watchdog)
{
    assert_says(stall, "stalled");
    watchdog_init(-1, stalled, 1000);
    ck_assert_int_gt(alarm(0), 0);
    watchdog_feed();
    watchdog_rest();
    ck_assert_int_eq(alarm(0), 0);
}
END_TEST

START_TEST(test_too_much_work)
{
    ck_assert_int_eq(watchdog_limit_cpu(endless, 1, NULL), 0); /* the child has it from us */
    assert_says(work_for_ever, "endless");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sandbox");
    TCase *c = tcase_create("sandbox");
    tcase_set_timeout(c, 60); /* a second of CPU time may take long on a busy machine */
    tcase_add_test(c, test_no_files_no_sockets);
    tcase_add_test(c, test_what_ends_it);
    tcase_add_test(c, test_each_origin_gets_its_own);
    tcase_add_test(c, test_watchdog);
    tcase_add_test(c, test_too_much_work);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
