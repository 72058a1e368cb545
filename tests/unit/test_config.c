/* SPDX-License-Identifier: Apache-2.0 */
/* The option table, the parser, drop-ins, paths, and the command line. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/record.h"
#include "config/config.h"
#include "config/load.h"
#include "config/options.h"
#include "config/paths.h"

static struct errmsg err;

static struct config *load(const char *text)
{
    struct config *c = NULL;
    int rc = config_load_text("t.conf", text, strlen(text), &c, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    return c;
}

static void fails(const char *text, int code, const char *message)
{
    struct config *c = NULL;
    int rc = config_load_text("t.conf", text, strlen(text), &c, &err);
    ck_assert_msg(rc == code, "%s: %s instead of %s (%s)", text, err_name(rc), err_name(code),
                  err.text);
    ck_assert_ptr_null(c);
    ck_assert_msg(strncmp(err.text, message, strlen(message)) == 0, "%s\nis not\n%s", err.text,
                  message);
}

static const struct config_source *source(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->source_count; i++)
        if (strcmp(c->source[i].name, name) == 0)
            return &c->source[i];
    return NULL;
}

START_TEST(defaults)
{
    struct config *c = load("");
    ck_assert_int_eq(c->memory.budget, 2LL << 30);
    ck_assert_double_eq(c->memory.pinned, 10);
    ck_assert_int_eq(c->ipc.max_request, 8 << 20);
    ck_assert_int_eq(c->model.threads, 2);
    ck_assert_int_eq(c->streams.lateness, 5000000);
    ck_assert(c->redact.builtin);
    ck_assert_int_eq(c->log.level, LOG_LEVEL_INFO);
    ck_assert_str_eq(c->ipc.socket, "");
    ck_assert_uint_eq(c->source_count, 3);
    const struct config_source *host = source(c, "host");
    ck_assert_int_eq(host->type, CONFIG_SOURCE_HOST);
    ck_assert_int_eq(host->kind, KIND_SENSOR);
    ck_assert_int_eq(host->interval, 1000000);
    ck_assert(host->enabled && !host->fallback);
    ck_assert_str_eq(host->stream, "host");
    ck_assert_str_eq(host->why, "on by default");
    ck_assert(source(c, "journal")->enabled && !source(c, "journal")->fallback);
    ck_assert(source(c, "logs")->fallback);
    ck_assert_uint_gt(source(c, "logs")->path.count, 2);
    config_free(c);
}
END_TEST

START_TEST(values_of_every_type)
{
    struct config *c = load("# a comment\n"
                            "\t[memory] # behind a section\r\n"
                            "budget=512MiB # behind a value\n"
                            "pinned = 12.5 %\n"
                            "directory = \"/var/lib/with blank\"\n"
                            "[ipc]\n"
                            "socket = /run/x y/s.sock   # kept up to here\n"
                            "group = 'va#rve'\n"
                            "max_connections = 7\n"
                            "[model]\n"
                            "tau_min = 0.45\n"
                            "[streams]\n"
                            "lateness = 1.5s\n"
                            "[redact]\n"
                            "default = off\n"
                            "pattern = \"a\\\\.b\\\"c\"\n"
                            "pattern = secret=([^ ]+) next\n"
                            "[log]\n"
                            "level = debug\n");
    ck_assert_int_eq(c->memory.budget, 512 << 20);
    ck_assert_double_eq(c->memory.pinned, 12.5);
    ck_assert_str_eq(c->memory.directory, "/var/lib/with blank");
    ck_assert_str_eq(c->ipc.socket, "/run/x y/s.sock");
    ck_assert_str_eq(c->ipc.group, "va#rve");
    ck_assert_int_eq(c->ipc.max_connections, 7);
    ck_assert_double_eq(c->model.tau_min, 0.45);
    ck_assert_int_eq(c->streams.lateness, 1500000);
    ck_assert(!c->redact.builtin);
    ck_assert_uint_eq(c->redact.pattern.count, 2);
    ck_assert_str_eq(c->redact.pattern.items[0], "a\\.b\"c");
    ck_assert_str_eq(c->redact.pattern.items[1], "secret=([^ ]+) next");
    ck_assert_int_eq(c->log.level, LOG_LEVEL_DEBUG);
    config_free(c);
}
END_TEST

START_TEST(sizes_and_times)
{
    static const struct {
        const char *text;
        int64_t value;
    } sizes[] = {{"16777216", 16 << 20}, {"20M", 20 << 20},     {"20 MiB", 20 << 20},
                 {"20MB", 20000000},     {"1.5GiB", 3LL << 29}, {"1TiB", 1LL << 40}},
      times[] = {{"1500us", 1500},
                 {"250ms", 250000},
                 {"2min", 120000000},
                 {"0s", 0},
                 {"1h", 3600000000LL}};
    char text[80];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(text, sizeof(text), "[memory]\nbudget = %s\n", sizes[i].text);
        struct config *c = load(text);
        ck_assert_int_eq(c->memory.budget, sizes[i].value);
        config_free(c);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        snprintf(text, sizeof(text), "[streams]\nlateness = %s\n", times[i].text);
        struct config *c = load(text);
        ck_assert_int_eq(c->streams.lateness, times[i].value);
        config_free(c);
    }
}
END_TEST

START_TEST(sources)
{
    struct config *c = load("[sources]\ndefault = off\n"
                            "[source web]\n"
                            "type = file\n"
                            "path = /var/log/nginx/*.log '/srv/my logs/a.log'\n"
                            "path = /x\n"
                            "stream = nginx/access\n"
                            "lateness = 1min\n"
                            "[source probe]\n"
                            "type = exec\nkind = sensor\n"
                            "command = /usr/bin/probe --name \"a b\" x'y z'\n"
                            "restart = 10s\n"
                            "[source ssh]\n"
                            "type = journal\nmatch = ssh.service _UID=0\nenabled = no\n");
    ck_assert_uint_eq(c->source_count, 3);
    const struct config_source *web = source(c, "web");
    ck_assert_uint_eq(web->path.count, 3);
    ck_assert_str_eq(web->path.items[1], "/srv/my logs/a.log");
    ck_assert_str_eq(web->path.items[2], "/x");
    ck_assert_str_eq(web->stream, "nginx/access");
    ck_assert_int_eq(web->kind, KIND_TEXT);
    ck_assert_int_eq(web->lateness, 60000000);
    ck_assert_str_eq(web->why, "written in t.conf:3");
    const struct config_source *probe = source(c, "probe");
    ck_assert_uint_eq(probe->command.count, 4);
    ck_assert_str_eq(probe->command.items[2], "a b");
    ck_assert_str_eq(probe->command.items[3], "xy z");
    ck_assert_int_eq(probe->restart, 10000000);
    ck_assert_int_eq(probe->kind, KIND_SENSOR);
    ck_assert_int_eq(probe->lateness, 5000000);
    ck_assert(!source(c, "ssh")->enabled);
    ck_assert_str_eq(source(c, "ssh")->match.items[1], "_UID=0");
    config_free(c);
}
END_TEST

START_TEST(default_sources_can_be_changed)
{
    struct config *c = load("[source host]\ninterval = 5s\n[source logs]\nenabled = on\n"
                            "[source journal]\nenabled = off\n");
    ck_assert_uint_eq(c->source_count, 3);
    ck_assert_int_eq(source(c, "host")->interval, 5000000);
    ck_assert(source(c, "host")->enabled);
    ck_assert(!source(c, "journal")->enabled);
    ck_assert(!source(c, "logs")->fallback); /* asked for: runs beside the journal */
    config_free(c);

    c = load("[sources]\ndefault = off\n[source host]\ninterval = 5s\n");
    ck_assert_uint_eq(c->source_count, 1);
    ck_assert(!source(c, "host")->enabled);
    config_free(c);

    c = load("[sources]\ndefault = off\n[source host]\nenabled = on\n");
    ck_assert(source(c, "host")->enabled);
    config_free(c);

    c = load("[source logs]\npath =\npath = /var/log/mine\n");
    ck_assert_uint_eq(source(c, "logs")->path.count, 1);
    ck_assert(source(c, "logs")->fallback);
    config_free(c);
}
END_TEST

START_TEST(errors_name_the_place)
{
    fails("[memroy]\n", ERR_INVALID, "t.conf:1:1: there is no section [memroy]");
    fails("\n[memory]\n  bugdet = 1GiB\n", ERR_INVALID,
          "t.conf:3:3: there is no \"bugdet\" in [memory]");
    fails("[memory]\nbudget = 2GuB\n", ERR_PARSE, "t.conf:2:11: \"budget\" needs a size such as");
    fails("[memory]\nbudget = lots\n", ERR_PARSE, "t.conf:2:10: \"budget\" needs a size");
    fails("[memory]\nbudget = 1KiB\n", ERR_RANGE,
          "t.conf:2:10: \"budget\" must lie between 2MiB and 1024TiB");
    fails("[memory]\nbudget = nan\n", ERR_PARSE, "t.conf:2:10: ");
    fails("[memory]\nbudget = -1\n", ERR_RANGE, "t.conf:2:10: ");
    fails("[memory]\nbudget =\n", ERR_PARSE, "t.conf:2:9: ");
    fails("[model]\nthreads = 1.5\n", ERR_PARSE, "t.conf:2:14: \"threads\" needs a whole number");
    fails("[streams]\nlateness = 5\n", ERR_PARSE, "t.conf:2:13: \"lateness\" needs a time");
    fails("[streams]\nlateness = 2h\n", ERR_RANGE,
          "t.conf:2:12: \"lateness\" must lie between 0s and 1h");
    fails("[memory]\npinned = 10\n", ERR_PARSE, "t.conf:2:12: \"pinned\" needs a percentage");
    fails("[redact]\ndefault = maybe\n", ERR_PARSE, "t.conf:2:11: \"default\" is on or off");
    fails("[log]\nlevel = loud\n", ERR_PARSE,
          "t.conf:2:9: \"level\" is one of: error, warning, info, debug");
    fails("[ipc]\nsocket = run/x\n", ERR_PARSE, "t.conf:2:10: \"socket\" needs an absolute path");
    fails("[memory]\nbudget = 1GiB\n[ipc]\n[memory]\nbudget = 2GiB\n", ERR_INVALID,
          "t.conf:5:1: \"budget\" is written twice, first in line 2");
    fails("budget = 1GiB\n", ERR_PARSE, "t.conf:1:1: the key stands before the first [section]");
    fails("[memory\n", ERR_PARSE, "t.conf:1:8: \"]\" expected");
    fails("[memory] x\n", ERR_PARSE, "t.conf:1:10: nothing may stand behind a section");
    fails("[]\n", ERR_PARSE, "t.conf:1:2: a section's name is missing");
    fails("[memory]\nbudget\n", ERR_PARSE, "t.conf:2:7: \"=\" expected");
    fails("[memory]\n= 5\n", ERR_PARSE, "t.conf:2:1: a [section], a key or a # comment");
    fails("[ipc]\ngroup = \"abc\n", ERR_PARSE, "t.conf:2:9: the quote is never closed");
    fails("[ipc]\ngroup = \"a\\xc\"\n", ERR_PARSE, "t.conf:2:11: in double quotes a backslash");
    fails("[ipc]\ngroup = \"abc\" d\n", ERR_PARSE, "t.conf:2:14: something stands behind");
    fails("[ipc]\ngroup = a\xff\n", ERR_PARSE, "t.conf:2:10: not UTF-8");
    fails("[ipc]\ngroup = a\x01\n", ERR_PARSE, "t.conf:2:10: a control character");
    fails("[redact]\npattern = (a\n", ERR_PARSE, "t.conf:2:11: bad pattern: ");
    fails("[redact]\npattern = a*\n", ERR_PARSE, "t.conf:2:11: the pattern matches the empty text");
    fails("[redact]\npattern = ((a{99}){99}){99}\n", ERR_LIMIT,
          "t.conf:2:11: the pattern's repetitions");
    fails("[redact]\npattern = (a++++++++++++++++++++++++++++++)\n", ERR_LIMIT,
          "t.conf:2:11: the pattern's repetitions");
    config_free(load("[redact]\npattern = (a|[]b{9}])+[[:digit:]]{1,200}\\{x+(y{3}){4}\n"));
    fails("[model]\ntau_min = 0.95\n", ERR_RANGE, "t.conf:2:1: tau_min (0.95) lies above");
}
END_TEST

START_TEST(source_errors_name_the_place)
{
    fails("[source]\n", ERR_INVALID, "t.conf:1:1: a source needs a name");
    fails("[memory x]\n", ERR_INVALID, "t.conf:1:1: section [memory] has no name");
    fails("\n[source x]\n", ERR_INVALID, "t.conf:2:1: source \"x\" needs a \"type\"");
    fails("[source x]\ntype = media\n", ERR_INVALID, "t.conf:1:1: source \"x\" needs a \"url\"");
    fails("[source x]\ntype = media\nurl = /dev/video0\nkind = text\n", ERR_INVALID,
          "t.conf:4:1: a media source is of kind audio or video");
    fails("[source x]\ntype = file\npath = /a\nkind = audio\n", ERR_INVALID,
          "t.conf:4:1: a file source is of kind text or sensor");
    fails("[source x]\ntype = file\npath = /a\nfps = 2\n", ERR_INVALID,
          "t.conf:4:1: \"fps\" has no meaning for a file source");
    fails("[source x]\ntype = host\nrestart = 2s\n", ERR_INVALID,
          "t.conf:3:1: \"restart\" has no meaning for a host source");
    fails("[source x]\ntype = media\nurl = a\nfps = 0\n", ERR_RANGE, "t.conf:4:7: ");
    fails("[source x]\ntype = file\n", ERR_INVALID, "t.conf:1:1: source \"x\" needs a \"path\"");
    fails("[source x]\ntype = exec\ncommand =\n", ERR_INVALID,
          "t.conf:3:1: source \"x\" needs a \"command\"");
    fails("[source x]\ntype = file\npath = /a b\n", ERR_PARSE,
          "t.conf:3:11: \"path\" needs an absolute path");
    fails("[source x]\ntype = file\npath = /a\nmatch = b\n", ERR_INVALID,
          "t.conf:4:1: \"match\" has no meaning for a file source");
    fails("[source host]\nkind = text\n", ERR_INVALID,
          "t.conf:2:1: a host source is of kind sensor");
    fails("[source x]\ntype = journal\nkind = video\n", ERR_INVALID,
          "t.conf:3:1: a journal source is of kind text");
    fails("[source x]\ntype = journal\nstream = a b\n", ERR_PARSE,
          "t.conf:3:10: a stream's name has no blanks");
    fails("[source x]\ntype = journal\nlateness = -1s\n", ERR_RANGE, "t.conf:3:12: ");
}
END_TEST

START_TEST(limits)
{
    struct buf text = {0};
    for (int i = 0; i < CONFIG_SOURCES_MAX + 1; i++)
        buf_printf(&text, "[source s%d]\ntype = journal\n", i);
    fails(text.data, ERR_LIMIT, "t.conf:513:1: more than 256 sources");
    buf_clear(&text);
    buf_puts(&text, "[");
    for (int i = 0; i < 65; i++)
        buf_putc(&text, 'a');
    fails(text.data, ERR_LIMIT, "t.conf:1:2: the word is longer than 64 bytes");
    buf_clear(&text);
    for (int i = 0; i < 1 << 20; i++)
        buf_putc(&text, '#');
    buf_putc(&text, '#');
    fails(text.data, ERR_LIMIT, "t.conf: longer than 1MiB");
    buf_deinit(&text);
}
END_TEST

static char folder[] = "/tmp/varve-config-XXXXXX";

static void in_folder(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    static const char *const names[] = {"STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_CONFIG_HOME",
                                        "XDG_STATE_HOME",  "XDG_RUNTIME_DIR",   "VARVE_SOCKET"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    setenv("HOME", folder, 1);
}

static void out_of_folder(void)
{
    char command[80];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(dropins_in_lexical_order)
{
    write_file("a.conf", "[memory]\nbudget = 1GiB\n[redact]\npattern = one\n");
    ck_assert_int_eq(mkdir("varved.conf.d", 0700), 0);
    write_file("varved.conf.d/20.conf", "[memory]\nbudget = 3GiB\n[redact]\npattern = two\n");
    write_file("varved.conf.d/10.conf", "[memory]\nbudget = 4GiB\n[source x]\ntype = journal\n");
    write_file("varved.conf.d/30.conf", "[source x]\nmatch = a.service\n");
    write_file("varved.conf.d/40.conf~", "[nonsense]\n");
    write_file("varved.conf.d/.50.conf", "[nonsense]\n");
    struct config *c = NULL;
    char file[80];
    snprintf(file, sizeof(file), "%s/a.conf", folder);
    struct config_args args = {.file = file};
    ck_assert_msg(config_load(&args, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c->memory.budget, 3LL << 30);
    ck_assert_uint_eq(c->redact.pattern.count, 2);
    ck_assert_str_eq(c->redact.pattern.items[1], "two");
    ck_assert_str_eq(source(c, "x")->match.items[0], "a.service");
    config_free(c);
    args.file = "a.conf"; /* without a folder: the current one */
    ck_assert_int_eq(config_load(&args, &c, &err), 0);
    ck_assert_int_eq(c->memory.budget, 3LL << 30);
    config_free(c);
    write_file("varved.conf.d/30.conf", "[memory]\n x = 1\n");
    ck_assert_int_eq(config_load(&args, &c, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "varved.conf.d/30.conf:2:2: there is no \"x\" in [memory]");
}
END_TEST

START_TEST(which_file)
{
    char out[CONFIG_PATH_SIZE], want[CONFIG_PATH_SIZE];
    ck_assert_int_eq(config_default_file(out, &err), 0);
    snprintf(want, sizeof(want), "%s/.config/varved/varved.conf", folder);
    ck_assert_str_eq(out, want);
    setenv("XDG_CONFIG_HOME", "/x", 1);
    ck_assert_int_eq(config_default_file(out, &err), 0);
    ck_assert_str_eq(out, "/x/varved/varved.conf");
    setenv("STATE_DIRECTORY", "/var/lib/varved", 1);
    ck_assert_int_eq(config_default_file(out, &err), 0);
    ck_assert_str_eq(out, "/etc/varved/varved.conf");
    unsetenv("STATE_DIRECTORY");

    struct config *c = NULL; /* a default file may be missing, a named one not */
    ck_assert_int_eq(config_load(&(struct config_args){0}, &c, &err), 0);
    config_free(c);
    ck_assert_int_eq(config_load(&(struct config_args){.file = "none.conf"}, &c, &err),
                     ERR_NOTFOUND);
    ck_assert_str_eq(err.text, "none.conf: No such file or directory");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert_int_eq(config_load(&(struct config_args){.file = "fifo"}, &c, &err), ERR_INVALID);
    ck_assert_int_eq(config_load(&(struct config_args){.file = "."}, &c, &err), ERR_INVALID);
}
END_TEST

static struct config *load_args(int argc, char **argv)
{
    struct config_args args;
    struct config *c = NULL;
    ck_assert_msg(config_parse_args(argc, argv, &args, &err) == 0, "%s", err.text);
    ck_assert_msg(config_load(&args, &c, &err) == 0, "%s", err.text);
    return c;
}

START_TEST(state_folder)
{
    char out[CONFIG_PATH_SIZE], want[CONFIG_PATH_SIZE];
    struct stat st;
    struct config *c = load_args(1, (char *[]){"varved"});
    ck_assert_msg(config_resolve_state(c, out, &err) == 0, "%s", err.text);
    snprintf(want, sizeof(want), "%s/.local/state/varved", folder);
    ck_assert_str_eq(out, want);
    ck_assert_int_eq(stat(out, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    setenv("STATE_DIRECTORY", "/nonexistent-parent/../tmp:/b", 1);
    unsetenv("STATE_DIRECTORY");
    config_free(c);

    snprintf(want, sizeof(want), "%s/s", folder);
    c = load_args(3, (char *[]){"varved", "--state", want});
    ck_assert_int_eq(mkdir("s", 0755), 0);
    ck_assert_int_eq(config_resolve_state(c, out, &err), 0);
    ck_assert_int_eq(stat("s", &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    write_file("s/memory.db", "");
    ck_assert_int_eq(chmod("s", 0750), 0);
    ck_assert_int_eq(config_resolve_state(c, out, &err), 0);
    write_file("s/letter.txt", "");
    ck_assert_int_eq(chmod("s", 0755), 0);
    ck_assert_int_eq(config_resolve_state(c, out, &err), ERR_PERM);
    ck_assert_int_eq(stat("s", &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0755); /* untouched */
    ck_assert_ptr_nonnull(strstr(err.text, "a folder of its own"));
    config_free(c);

    snprintf(want, sizeof(want), "%s/s/letter.txt/deeper", folder);
    c = load_args(3, (char *[]){"varved", "--state", want});
    ck_assert_int_lt(config_resolve_state(c, out, &err), 0);
    config_free(c);
}
END_TEST

START_TEST(socket_path)
{
    char out[CONFIG_SOCKET_SIZE], want[CONFIG_PATH_SIZE];
    struct config *c = load_args(1, (char *[]){"varved"});
    setenv("XDG_RUNTIME_DIR", folder, 1);
    ck_assert_int_eq(config_resolve_socket(c, out, &err), 0);
    snprintf(want, sizeof(want), "%s/varved/varved.sock", folder);
    ck_assert_str_eq(out, want);
    setenv("RUNTIME_DIRECTORY", folder, 1);
    ck_assert_int_eq(config_resolve_socket(c, out, &err), 0);
    snprintf(want, sizeof(want), "%s/varved.sock", folder);
    ck_assert_str_eq(out, want);
    config_free(c);

    snprintf(want, sizeof(want), "%s/deep/er/s.sock", folder);
    c = load_args(2, (char *[]){"varved", (char[]){"--socket=/tmp/x.sock"}});
    ck_assert_int_eq(config_resolve_socket(c, out, &err), 0);
    ck_assert_str_eq(out, "/tmp/x.sock");
    config_free(c);
    memset(want, 'x', sizeof(want));
    memcpy(want, "/tmp/", 5);
    want[108] = '\0';
    c = load_args(3, (char *[]){"varved", "--socket", want});
    ck_assert_int_eq(config_resolve_socket(c, out, &err), ERR_LIMIT);
    config_free(c);
}
END_TEST

START_TEST(client_sockets)
{
    char out[2][CONFIG_SOCKET_SIZE];
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    ck_assert_uint_eq(config_client_sockets(NULL, out), 2);
    ck_assert_str_eq(out[0], "/run/user/7/varved/varved.sock");
    ck_assert_str_eq(out[1], "/run/varved/varved.sock");
    setenv("VARVE_SOCKET", "/a", 1);
    ck_assert_uint_eq(config_client_sockets(NULL, out), 1);
    ck_assert_str_eq(out[0], "/a");
    ck_assert_uint_eq(config_client_sockets("/b", out), 1);
    ck_assert_str_eq(out[0], "/b");
}
END_TEST

START_TEST(command_line)
{
    struct config_args a;
    ck_assert_int_eq(
        config_parse_args(3, (char *[]){"varved", "--config=/x", "--check-config"}, &a, &err), 0);
    ck_assert_str_eq(a.file, "/x");
    ck_assert(a.check && !a.help && !a.version);
    ck_assert_int_eq(config_parse_args(2, (char *[]){"varved", "--state"}, &a, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "--state needs a value: DIR");
    ck_assert_int_eq(config_parse_args(2, (char *[]){"varved", "--help=x"}, &a, &err), ERR_INVALID);
    ck_assert_int_eq(config_parse_args(2, (char *[]){"varved", "--nope"}, &a, &err), ERR_INVALID);
    ck_assert_int_eq(config_parse_args(2, (char *[]){"varved", "file"}, &a, &err), ERR_INVALID);
    ck_assert_int_eq(config_parse_args(3, (char *[]){"varved", "--state", "rel"}, &a, &err), 0);
    struct config *c = load_args(3, (char *[]){"varved", "--state", "rel"});
    char want[CONFIG_PATH_SIZE];
    snprintf(want, sizeof(want), "%s/rel", folder);
    ck_assert_str_eq(c->memory.directory, want);
    config_free(c);
    struct buf usage = {0};
    config_usage(&usage);
    ck_assert_ptr_nonnull(strstr(usage.data, "--state DIR\n"));
    ck_assert_ptr_nonnull(strstr(usage.data, "--check-config\n"));
    buf_deinit(&usage);
}
END_TEST

START_TEST(reload_keeps_what_is_fixed)
{
    struct config *old = load("[model]\nthreads = 3\n[memory]\nbudget = 1GiB\n[source x]\n"
                              "type = journal\n");
    struct config *fresh = load("[ipc]\nsocket = /a\n[memory]\nbudget = 2GiB\n\n[source x]\n"
                                "type = journal\n[source y]\ntype = journal\nmatch = a\n");
    struct errmsg kept;
    ck_assert_int_eq(config_keep_fixed(old, fresh, &kept), 0);
    ck_assert_str_eq(kept.text, "[ipc] socket, [model] threads");
    ck_assert_int_eq(fresh->model.threads, 3);
    ck_assert_str_eq(fresh->ipc.socket, "");
    ck_assert_int_eq(fresh->memory.budget, 2LL << 30);
    ck_assert_int_eq(config_keep_fixed(old, fresh, &kept), 0);
    ck_assert_str_eq(kept.text, "");
    ck_assert(config_source_equal(source(old, "x"), source(fresh, "x")));
    ck_assert(!config_source_equal(source(old, "x"), source(fresh, "y")));
    ck_assert(!config_source_equal(source(old, "x"), source(fresh, "host")));
    config_free(old);
    config_free(fresh);
}
END_TEST

/* Every row is sound, and the default file says what the defaults are. */
START_TEST(table_and_default_file)
{
    size_t count;
    const struct option *all = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        ck_assert_ptr_eq(options_find(o->section, o->key), o);
        ck_assert_uint_gt(strlen(o->doc), 10);
        ck_assert(o->section[0] == '\0' || options_section_doc(o->section));
        ck_assert((o->type == OPTION_CHOICE) == (o->choices != NULL));
    }
    struct buf file = {0}, open = {0};
    options_print_file(&file);
    struct config *c = load(file.data), *plain = load("");
    struct errmsg kept;
    ck_assert_int_eq(config_keep_fixed(plain, c, &kept), 0);
    ck_assert_str_eq(kept.text, "");
    for (char *line = strtok(file.data, "\n"); line; line = strtok(NULL, "\n")) {
        bool option = line[0] == '#' && line[1] != ' ';
        if (strstr(line, "[source NAME]"))
            break;
        buf_printf(&open, "%s\n", option && !strchr("=", line[strlen(line) - 1]) ? line + 1 : line);
    }
    struct config *written = load(open.data);
    for (size_t i = 0; i < count; i++)
        if (all[i].section[0] && strcmp(all[i].section, "source") != 0)
            ck_assert_msg(option_equal(&all[i], plain, written), "%s", all[i].key);
    config_free(c);
    config_free(plain);
    config_free(written);
    buf_deinit(&file);
    buf_deinit(&open);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *text = tcase_create("text");
    tcase_add_test(text, defaults);
    tcase_add_test(text, values_of_every_type);
    tcase_add_test(text, sizes_and_times);
    tcase_add_test(text, sources);
    tcase_add_test(text, default_sources_can_be_changed);
    tcase_add_test(text, errors_name_the_place);
    tcase_add_test(text, source_errors_name_the_place);
    tcase_add_test(text, limits);
    tcase_add_test(text, reload_keeps_what_is_fixed);
    tcase_add_test(text, table_and_default_file);
    suite_add_tcase(s, text);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, in_folder, out_of_folder);
    tcase_add_test(files, dropins_in_lexical_order);
    tcase_add_test(files, which_file);
    tcase_add_test(files, state_folder);
    tcase_add_test(files, socket_path);
    tcase_add_test(files, client_sockets);
    tcase_add_test(files, command_line);
    suite_add_tcase(s, files);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
