/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of varve-dump, and where memory lies when it names no file. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/record.h"
#include "base/timespec.h"
#include "memory/dump/dump.h"
#include "memory/reader.h"

const char dump_usage[] =
    "usage: varve-dump [DB] [--format text|ndjson|html] [--since T] [--until T]\n"
    "                  [--stratum S] [--stream NAME] [--excerpts N]\n"
    "       varve-dump [DB] --records [--stream NAME] [--since T] [--until T]\n"
    "       varve-dump [DB] --stats | --verify | --backup OUT | --salvage OUT\n"
    "\n"
    "Shows what a varve memory holds. DB is a memory.db or the folder it lies in; without it the\n"
    "user's own memory, else the system's. Reads only, with the daemon running or not.\n"
    "\n"
    "  --format F     text (a tree for people), ndjson (one span a line), html (a timeline in one\n"
    "                 file that needs nothing else)\n"
    "  --since T      from then on: 2026-11-20, 2026-11-20T13:00Z, \"yesterday 13:00\", -2h\n"
    "  --until T      up to then, not included\n"
    "  --stratum S    only moments, episodes, hours, days, weeks or months (or 0 to 5)\n"
    "  --stream NAME  only what this stream took part in\n"
    "  --excerpts N   html: how many moments carry an excerpt of their evidence (default 400)\n"
    "  --records      every stored record as one line of JSON: stream, seq, time, ref, payload\n"
    "  --stats        rows and bytes of each table, stratum and stream; ratios; free pages\n"
    "  --verify       checks every invariant of the file; exit status 1 names the first broken "
    "one\n"
    "  --backup OUT   writes a consistent copy, also while the daemon writes\n"
    "  --salvage OUT  brings what is whole out of a damaged file into a new one, and says what was\n"
    "                 lost; exit status 1 when anything was\n"
    "  --help, --version\n";

enum {
    OPT_FORMAT = 256,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_STRATUM,
    OPT_STREAM,
    OPT_EXCERPTS,
    OPT_RECORDS,
    OPT_STATS,
    OPT_VERIFY,
    OPT_BACKUP,
    OPT_SALVAGE,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"stratum", required_argument, NULL, OPT_STRATUM},
    {"stream", required_argument, NULL, OPT_STREAM},
    {"excerpts", required_argument, NULL, OPT_EXCERPTS},
    {"records", no_argument, NULL, OPT_RECORDS},
    {"stats", no_argument, NULL, OPT_STATS},
    {"verify", no_argument, NULL, OPT_VERIFY},
    {"backup", required_argument, NULL, OPT_BACKUP},
    {"salvage", required_argument, NULL, OPT_SALVAGE},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int parse_format(const char *s, enum dump_format *ret, struct errmsg *err)
{
    static const char *const names[] = {"text", "ndjson", "html"};
    for (int i = 0; i < 3; i++)
        if (strcmp(s, names[i]) == 0) {
            *ret = (enum dump_format)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "--format: \"%.40s\" is none of text, ndjson, html", s);
}

static int parse_stratum(const char *s, int *ret, struct errmsg *err)
{
    for (int i = 0; i < STRATA; i++) {
        size_t n = strlen(stratum_name(i));
        bool named = strncmp(s, stratum_name(i), n) == 0 && (!s[n] || strcmp(s + n, "s") == 0);
        if (named || (s[0] == '0' + i && !s[1])) {
            *ret = i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "--stratum: \"%.40s\" is none of moment, episode, hour, day, week, month", s);
}

static int parse_count(const char *s, uint32_t *ret, struct errmsg *err)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end || errno || v > DUMP_EXCERPTS_MAX)
        return err_set(err, ERR_INVALID, "--excerpts: \"%.40s\" is no number from 0 to %d", s,
                       DUMP_EXCERPTS_MAX);
    *ret = (uint32_t)v;
    return 0;
}

static int take_action(struct dump_options *o, enum dump_action action, struct errmsg *err)
{
    if (o->action != DUMP_SPANS && o->action != action)
        return err_set(err, ERR_INVALID,
                       "only one of --records, --stats, --verify, --backup, --salvage at a time");
    o->action = action;
    return 0;
}

static int take(struct dump_options *o, int option, const char *value, int64_t now,
                struct errmsg *err)
{
    int r;
    switch (option) {
    case OPT_FORMAT:
        return parse_format(value, &o->format, err);
    case OPT_SINCE:
        r = timespec_parse(value, now, &o->since, err);
        return r ? err_wrap(err, r, "--since") : 0;
    case OPT_UNTIL:
        r = timespec_parse(value, now, &o->until, err);
        return r ? err_wrap(err, r, "--until") : 0;
    case OPT_STRATUM:
        return parse_stratum(value, &o->stratum, err);
    case OPT_STREAM:
        o->stream = value;
        return 0;
    case OPT_EXCERPTS:
        return parse_count(value, &o->excerpts, err);
    case OPT_RECORDS:
        return take_action(o, DUMP_RECORDS, err);
    case OPT_STATS:
        return take_action(o, DUMP_STATS, err);
    case OPT_VERIFY:
        return take_action(o, DUMP_VERIFY, err);
    case OPT_BACKUP:
        o->target = value;
        return take_action(o, DUMP_BACKUP, err);
    case OPT_SALVAGE:
        o->target = value;
        return take_action(o, DUMP_SALVAGE, err);
    default:
        return err_set(err, ERR_INTERNAL, "option %d", option);
    }
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int take_path(struct dump_options *o, const char *given, struct errmsg *err)
{
    int n = snprintf(o->path, sizeof(o->path), "%s%s", given, is_folder(given) ? "/memory.db" : "");
    if (n < 0 || (size_t)n >= sizeof(o->path))
        return err_set(err, ERR_INVALID, "the path of the database is too long");
    return 0;
}

static bool try_path(struct dump_options *o, const char *folder, const char *rest)
{
    if (!folder || folder[0] != '/')
        return false;
    int n = snprintf(o->path, sizeof(o->path), "%s%s/memory.db", folder, rest);
    return n > 0 && (size_t)n < sizeof(o->path) && access(o->path, F_OK) == 0;
}

/* The user's own memory, else the system's: the same order in which clients look for a socket. */
static int find_path(struct dump_options *o, struct errmsg *err)
{
    const char *state = getenv("XDG_STATE_HOME");
    bool own = state && state[0] == '/' ? try_path(o, state, "/varved")
                                        : try_path(o, getenv("HOME"), "/.local/state/varved");
    if (own || try_path(o, "/var/lib/varved", ""))
        return 0;
    return err_set(err, ERR_NOTFOUND,
                   "no memory in the user's state folder nor in /var/lib/varved; name a file");
}

/* What one option says must fit what another one asks for. */
static int check(const struct dump_options *o, struct errmsg *err)
{
    if (o->since != TIME_UNKNOWN && o->until != TIME_UNKNOWN && o->since >= o->until)
        return err_set(err, ERR_INVALID, "--since is not before --until");
    if (o->action != DUMP_SPANS && o->stratum >= 0)
        return err_set(err, ERR_INVALID, "--stratum goes with --format only");
    bool filtered = o->since != TIME_UNKNOWN || o->until != TIME_UNKNOWN || o->stream;
    if (filtered && o->action != DUMP_SPANS && o->action != DUMP_RECORDS)
        return err_set(err, ERR_INVALID,
                       "--since, --until and --stream do not go with --stats, --verify, --backup, "
                       "--salvage");
    if (o->format == DUMP_HTML && o->stratum >= 0)
        return err_set(err, ERR_INVALID, "--format html holds all strata; leave out --stratum");
    return 0;
}

int dump_options_parse(int argc, char **argv, int64_t now, struct dump_options *ret,
                       struct errmsg *err)
{
    struct dump_options o = {
        .since = TIME_UNKNOWN,
        .until = TIME_UNKNOWN,
        .stratum = -1,
        .excerpts = DUMP_EXCERPTS_DEFAULT,
    };
    opterr = 0;
    optind = 0;
    int option;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == '?')
            return err_set(err, ERR_INVALID, "%.100s: unknown, or without its value",
                           argv[optind - 1]);
        if (option == 'h' || option == OPT_HELP || option == OPT_VERSION) {
            o.action = option == OPT_VERSION ? DUMP_VERSION : DUMP_USAGE;
            *ret = o;
            return 0;
        }
        int r = take(&o, option, optarg, now, err);
        if (r)
            return r;
    }
    if (argc - optind > 1)
        return err_set(err, ERR_INVALID, "more than one database: \"%.100s\"", argv[optind + 1]);
    int r = check(&o, err);
    if (r == 0)
        r = optind < argc ? take_path(&o, argv[optind], err) : find_path(&o, err);
    if (r == 0)
        *ret = o;
    return r;
}
