/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table itself, and looking things up in it. About forty rows, so every search is a plain walk.
 */
#include "config/options.h"

#include <string.h>

#include "base/log.h"
#include "base/record.h"

static const struct option_choice source_types[] = {
    {"file", CONFIG_SOURCE_FILE, NULL},
    {"exec", CONFIG_SOURCE_EXEC, NULL},
    {"journal", CONFIG_SOURCE_JOURNAL, NULL},
    {"host", CONFIG_SOURCE_HOST, NULL},
    {"media", CONFIG_SOURCE_MEDIA, NULL},
    {NULL, 0, NULL},
};

static const struct option_choice stream_kinds[] = {
    {"text", KIND_TEXT, NULL},
    {"sensor", KIND_SENSOR, NULL},
    {"audio", KIND_AUDIO, NULL},
    {"video", KIND_VIDEO, NULL},
    {NULL, 0, NULL},
};

static const struct option_choice log_levels[] = {
    {"error", LOG_LEVEL_ERROR, NULL},
    {"warning", LOG_LEVEL_WARN, NULL},
    {"info", LOG_LEVEL_INFO, NULL},
    {"debug", LOG_LEVEL_DEBUG, NULL},
    {NULL, 0, NULL},
};

static const struct option_choice evictions[] = {
    {"coverage", CONFIG_EVICT_COVERAGE, NULL}, {"salience", CONFIG_EVICT_SALIENCE, NULL},
    {"fifo", CONFIG_EVICT_FIFO, NULL},         {"random", CONFIG_EVICT_RANDOM, NULL},
    {NULL, 0, NULL},
};

static const struct option_choice decays[] = {
    {"tau", CONFIG_DECAY_TAU, NULL},
    {"wall", CONFIG_DECAY_WALL, NULL},
    {NULL, 0, NULL},
};

static const struct option_choice signs[] = {
    {"fast", 1, NULL},
    {"slow", -1, NULL},
    {NULL, 0, NULL},
};

static const struct {
    const char *name, *doc;
} sections[] = {
    {"memory", "What may be kept, and where."},
    {"ipc", "The socket on which clients are served."},
    {"model", "How much of the machine the model may use, and how it chooses between the cheap "
              "(latent) and the thorough (discrete) path for what it reads."},
    {"streams", "What holds for all streams."},
    {"redact", "What is taken out of a record before anything of it is written or looked at. What "
               "was taken out is counted in *varve status*."},
    {"sources", "What is remembered without being asked for."},
    {"log", "What varved says about itself on standard error."},
    {"source", "One thing to remember. NAME is free, without blanks. The sources that are on by "
               "default are called *host*, *journal* and *logs*; a section with one of these names "
               "changes that source and needs no *type*."},
};

#define AT(field) offsetof(struct config, field)
#define IN_SOURCE(field) offsetof(struct config_source, field)
#define IN_ARGS(field) offsetof(struct config_args, field)
#define KIB 1024.0
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define MS 1000.0
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)

/* A row reads best as a row: */
/* clang-format off */
static const struct option options[] = {
    {.section = "", .key = "config", .flag = "config", .type = OPTION_STRING,
     .offset = IN_ARGS(file), .argument = "FILE",
     .doc = "Read FILE and the folder varved.conf.d beside it instead of the default ones."},
    {.section = "", .key = "check-config", .flag = "check-config", .type = OPTION_BOOL,
     .offset = IN_ARGS(check),
     .doc = "Read the configuration, say what is wrong with it, and end."},
    {.section = "", .key = "help", .flag = "help", .type = OPTION_BOOL, .offset = IN_ARGS(help),
     .doc = "Print the usage and end."},
    {.section = "", .key = "version", .flag = "version", .type = OPTION_BOOL,
     .offset = IN_ARGS(version), .doc = "Print the version and end."},

    {.section = "memory", .key = "directory", .flag = "state", .type = OPTION_PATH,
     .offset = AT(memory.directory), .initial = "", .argument = "DIR",
     .doc = "The folder of memory.db. It is created when missing and must belong to the daemon's "
            "user alone. Without it: /var/lib/varved as a service, else $XDG_STATE_HOME/varved or "
            "~/.local/state/varved."},
    {.section = "memory", .key = "budget", .type = OPTION_SIZE, .offset = AT(memory.budget),
     .min = 2 * MIB, .max = 1024 * TIB, .initial = "2GiB", .live = true,
     .doc = "Room on disk for everything in the folder: database, write-ahead log and temporary "
            "files together. When it is used up, what is worth least is let go: evidence first, "
            "then moments, then the spans above them, never one that nothing sums up yet."},
    {.section = "memory", .key = "evidence", .type = OPTION_PERCENT,
     .offset = AT(memory.evidence), .min = 0, .max = 100, .initial = "30%", .live = true,
     .doc = "The share of the budget that evidence may keep when room is short. What one kind leaves "
            "unused, the others may use."},
    {.section = "memory", .key = "moments", .type = OPTION_PERCENT, .offset = AT(memory.moments),
     .min = 0, .max = 100, .initial = "30%", .live = true,
     .doc = "The same for moments without their evidence: titles, gists, latents, words."},
    {.section = "memory", .key = "episodes", .type = OPTION_PERCENT,
     .offset = AT(memory.episodes), .min = 0, .max = 100, .initial = "5%", .live = true,
     .doc = "The same for episodes."},
    {.section = "memory", .key = "hours", .type = OPTION_PERCENT, .offset = AT(memory.hours),
     .min = 0, .max = 100, .initial = "20%", .live = true, .doc = "The same for hours."},
    {.section = "memory", .key = "days", .type = OPTION_PERCENT, .offset = AT(memory.days),
     .min = 0, .max = 100, .initial = "15%", .live = true,
     .doc = "The same for days and weeks. Months stay."},
    {.section = "memory", .key = "evict", .type = OPTION_CHOICE, .offset = AT(memory.evict),
     .choices = evictions, .initial = "coverage", .live = true,
     .doc = "What is let go first. *coverage*: what was usual, is not used, has faded, and is like "
            "much else that is kept. *salience*: the same without regard to what else is kept. "
            "*fifo*: the oldest. *random*: any."},
    {.section = "memory", .key = "decay", .type = OPTION_CHOICE, .offset = AT(memory.decay),
     .choices = decays, .initial = "tau", .live = true,
     .doc = "What fades memories: *tau*, the subjective clock, or *wall*, the time on the wall."},
    {.section = "memory", .key = "tau_sign", .type = OPTION_CHOICE, .offset = AT(memory.tau_sign),
     .choices = signs, .initial = "fast", .live = true,
     .doc = "How the subjective clock goes under load: *fast* (busy hours age what is kept quickly, "
            "quiet weeks cost little) or *slow*."},
    {.section = "memory", .key = "refine", .type = OPTION_BOOL, .offset = AT(memory.refine),
     .initial = "off",
     .doc = "Whether a boundary of episodes moves to where the moments around it divide best "
            "(modularity), up to a minute earlier than two streams say."},
    {.section = "memory", .key = "pinned", .type = OPTION_PERCENT, .offset = AT(memory.pinned),
     .min = 0, .max = 90, .initial = "10%", .live = true,
     .doc = "The share of the budget that pinned memories may take."},

    {.section = "ipc", .key = "socket", .flag = "socket", .type = OPTION_PATH,
     .offset = AT(ipc.socket), .initial = "", .argument = "PATH",
     .doc = "The Unix socket. Without it: /run/varved/varved.sock as a service, else "
            "$XDG_RUNTIME_DIR/varved/varved.sock or /tmp/varved-UID/varved.sock. A socket that "
            "systemd hands over is used instead."},
    {.section = "ipc", .key = "group", .type = OPTION_STRING, .offset = AT(ipc.group),
     .initial = "", .argument = "GROUP",
     .doc = "The group whose members may connect besides the daemon's own user and root."},
    {.section = "ipc", .key = "max_request", .type = OPTION_SIZE, .offset = AT(ipc.max_request),
     .min = 4 * KIB, .max = 256 * MIB, .initial = "8MiB", .live = true,
     .doc = "The longest request. A longer one gets an error and its connection is closed."},
    {.section = "ipc", .key = "max_connections", .type = OPTION_INT,
     .offset = AT(ipc.max_connections), .min = 1, .max = 65536, .initial = "256", .live = true,
     .doc = "How many clients may be connected at once."},

    {.section = "model", .key = "threads", .type = OPTION_INT, .offset = AT(model.threads),
     .min = 1, .max = 16, .initial = "2",
     .doc = "Threads that do the model's work. One stream is worked on by one thread at a time."},
    {.section = "model", .key = "queue", .type = OPTION_SIZE, .offset = AT(model.queue),
     .min = 256 * KIB, .max = 4 * GIB, .initial = "16MiB", .live = true,
     .doc = "How much may wait for the model. Beyond it, sources that can be read again later "
            "or can wait (files, the journal, programs, clients) are slowed down, and live ones "
            "(host) lose their oldest waiting records, which is counted and reported."},
    {.section = "model", .key = "tau_min", .type = OPTION_REAL, .offset = AT(model.tau_min),
     .min = 0, .max = 1, .initial = "0.4", .live = true,
     .doc = "The router's threshold under full load: a segment whose likeliest code is at least "
            "this probable takes the cheap path."},
    {.section = "model", .key = "tau_max", .type = OPTION_REAL, .offset = AT(model.tau_max),
     .min = 0, .max = 1, .initial = "0.9", .live = true,
     .doc = "The same on an idle machine, which looks closely. Between the two the threshold moves "
            "with load."},

    {.section = "streams", .key = "lateness", .type = OPTION_DURATION,
     .offset = AT(streams.lateness), .min = 0, .max = HOUR, .initial = "5s", .live = true,
     .doc = "Records that come out of order by up to this much are sorted; later ones are stored "
            "where they belong and marked late."},
    {.section = "streams", .key = "max", .type = OPTION_INT, .offset = AT(streams.max), .min = 1,
     .max = 100000, .initial = "1000", .live = true,
     .doc = "How many streams there may be in all."},

    {.section = "redact", .key = "default", .type = OPTION_BOOL, .offset = AT(redact.builtin),
     .initial = "on", .live = true,
     .doc = "The built-in list: passwords, tokens, keys and Authorization headers."},
    {.section = "redact", .key = "pattern", .type = OPTION_PATTERNS,
     .offset = AT(redact.pattern), .initial = "", .live = true, .argument = "REGEX",
     .doc = "A POSIX extended regular expression; what its first group matches, or all of the match "
            "where there is no group, is taken out."},

    {.section = "sources", .key = "default", .type = OPTION_BOOL, .offset = AT(sources.on),
     .initial = "on", .live = true,
     .doc = "Remember this machine: its metrics, and the journal or, where the journal cannot be "
            "read, the log files under /var/log. Off: nothing but what is written below and what "
            "clients send."},

    {.section = "log", .key = "level", .type = OPTION_CHOICE, .offset = AT(log.level),
     .choices = log_levels, .initial = "info", .live = true,
     .doc = "The least important lines that are still printed."},

    {.section = "source", .key = "type", .type = OPTION_CHOICE, .offset = IN_SOURCE(type),
     .choices = source_types, .initial = "", .live = true,
     .doc = "*file* follows log files, *exec* remembers what a program prints, *journal* reads the "
            "systemd journal, *host* samples the machine's metrics, *media* listens to a microphone or "
            "watches a camera."},
    {.section = "source", .key = "enabled", .type = OPTION_BOOL, .offset = IN_SOURCE(enabled),
     .initial = "on", .live = true, .doc = "Off: the source is not started."},
    {.section = "source", .key = "stream", .type = OPTION_NAME, .offset = IN_SOURCE(stream),
     .initial = "", .live = true,
     .doc = "The stream that the records go to. Without it: the source's name. Where a source "
            "follows several files or a pattern, each file has a stream of its own: this name, a "
            "slash, and the file's name."},
    {.section = "source", .key = "kind", .type = OPTION_CHOICE, .offset = IN_SOURCE(kind),
     .choices = stream_kinds, .initial = "", .live = true,
     .doc = "What the records are: lines of text, samples (CSV with a header, or NDJSON), sound or "
            "pictures. *media* takes *audio* and *video*, the others *text* and *sensor*. Without it: "
            "*sensor* for host, for media *audio* where the url begins with alsa: or pulse:, else "
            "*video*; *text* for the others."},
    {.section = "source", .key = "path", .type = OPTION_PATHS, .offset = IN_SOURCE(path),
     .initial = "", .live = true, .argument = "PATH ...",
     .doc = "For *file*: what to follow. Patterns such as /var/log/*.log are looked at again as "
            "files come and go."},
    {.section = "source", .key = "command", .type = OPTION_WORDS, .offset = IN_SOURCE(command),
     .initial = "", .live = true, .argument = "PROGRAM ...",
     .doc = "For *exec*: the program and its arguments. No shell is involved."},
    {.section = "source", .key = "restart", .type = OPTION_DURATION,
     .offset = IN_SOURCE(restart), .min = 10 * MS, .max = 24 * HOUR, .initial = "1s",
     .live = true,
     .doc = "For *exec* and *media*: the wait before an ended program is started again. It doubles with each "
            "failure, up to a minute or this, whichever is longer."},
    {.section = "source", .key = "url", .type = OPTION_STRING, .offset = IN_SOURCE(url),
     .initial = "", .live = true, .argument = "URL",
     .doc = "For *media*: a camera (/dev/video0), a microphone (alsa:NAME, pulse:NAME), a named pipe, "
            "or a file, which is read at its own pace as if it were happening now, over and over. "
            "Network cameras (rtsp://) are read by the unit varve-media@.service, because the daemon "
            "has no network there."},
    {.section = "source", .key = "fps", .type = OPTION_REAL, .offset = IN_SOURCE(fps),
     .min = 0.01, .max = 60, .initial = "2", .live = true,
     .doc = "For *media*: pictures a second that are looked at."},
    {.section = "source", .key = "width", .type = OPTION_INT, .offset = IN_SOURCE(width),
     .min = 16, .max = 1920, .initial = "640", .live = true,
     .doc = "For *media*: wider pictures are scaled down to so many pixels."},
    {.section = "source", .key = "interval", .type = OPTION_DURATION,
     .offset = IN_SOURCE(interval), .min = 100 * MS, .max = HOUR, .initial = "1s", .live = true,
     .doc = "For *host*: the time between two samples."},
    {.section = "source", .key = "match", .type = OPTION_WORDS, .offset = IN_SOURCE(match),
     .initial = "", .live = true, .argument = "UNIT|FIELD=VALUE ...",
     .doc = "For *journal*: only entries of these units or with these fields. Without it: all."},
    {.section = "source", .key = "lateness", .type = OPTION_DURATION,
     .offset = IN_SOURCE(lateness), .min = 0, .max = HOUR, .initial = "", .live = true,
     .doc = "As in [streams], for this source alone."},
};
/* clang-format on */

const struct option *options_all(size_t *ret_count)
{
    *ret_count = sizeof(options) / sizeof(options[0]);
    return options;
}

const struct option *options_find(const char *section, const char *key)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}

const char *options_section_doc(const char *section)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        if (strcmp(sections[i].name, section) == 0)
            return sections[i].doc;
    return NULL;
}

const char *option_argument(const struct option *o)
{
    static const char *const by_type[] = {
        [OPTION_BOOL] = "on|off",    [OPTION_INT] = "NUMBER",     [OPTION_REAL] = "NUMBER",
        [OPTION_SIZE] = "SIZE",      [OPTION_DURATION] = "TIME",  [OPTION_PERCENT] = "PERCENT",
        [OPTION_STRING] = "TEXT",    [OPTION_PATH] = "PATH",      [OPTION_NAME] = "NAME",
        [OPTION_CHOICE] = "WORD",    [OPTION_WORDS] = "WORD ...", [OPTION_PATHS] = "PATH ...",
        [OPTION_PATTERNS] = "REGEX",
    };
    return o->argument ? o->argument : by_type[o->type];
}
