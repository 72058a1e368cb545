/* SPDX-License-Identifier: Apache-2.0 */
/* The table that parsing, `varve help` and shell completion are made from. */
#include "cli/commands.h"

#include <string.h>

#include "cli/score.h"

#define LIMIT                                                                                      \
    {                                                                                              \
        "--limit", ARGS_COUNT, "N", "limit", "at most N items; 10"                                 \
    }
#define SPAN                                                                                       \
    {"--since", ARGS_TIME, "T", "since", "from T on: 2026-11-20, yesterday, -2h, RFC 3339"},       \
    {                                                                                              \
        "--until", ARGS_TIME, "T", "until", "before T"                                             \
    }
#define STREAMS                                                                                    \
    {                                                                                              \
        "--stream", ARGS_LIST, "NAME", "streams", "only this stream"                               \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, 0, NULL, NULL, NULL                                                                  \
    }
#define INPUT                                                                                      \
    {"--kind", ARGS_INPUT, "KIND", NULL, "text, sensor, audio or video"},                                        \
        {"--text-field", ARGS_INPUT, "F", NULL, "field of the text; text"},                        \
        {"--time-field", ARGS_INPUT, "F", NULL, "field or column of the time; time"},              \
        {"--ref-field", ARGS_INPUT, "F", NULL, "field or column of your own id; ref"},             \
        {"--rate", ARGS_INPUT, "HZ", NULL, "rows a second without a time column; 1"},              \
        {"--start", ARGS_INPUT, "T", NULL, "audio, video: when it began; else what the file says"}, \
        {"--fps", ARGS_INPUT, "N", NULL, "video: pictures a second; 2"},                           \
        {"--tz", ARGS_INPUT, "ZONE", NULL, "zone of times that have none; the local one"},         \
    {                                                                                              \
        "--strict", ARGS_INPUT, NULL, NULL, "stop at the first bad record"                         \
    }

static const struct args_option ask_options[] = {
    {"--budget", ARGS_COUNT, "BYTES", "budget", "most bytes of the answer's items; 4096"},
    SPAN,
    STREAMS,
    END};
static const struct args_option search_options[] = {
    LIMIT,
    SPAN,
    STREAMS,
    {"--recency", ARGS_REAL, "0..1", "recency", "how much newer counts more; 0"},
    END};
static const struct args_option timeline_options[] = {
    SPAN,
    STREAMS,
    {"--stratum", ARGS_REAL, "N", "stratum",
     "0 moments, 1 episodes, 2 hours, 3 days, 4 weeks, 5 months"},
    LIMIT,
    END};
static const struct args_option raw_options[] = {
    {"--out", ARGS_TEXT, "FILE", NULL, "write the payloads there: lines, CSV, FLAC, AVI or JPEG"},
    END};
static const struct args_option similar_options[] = {
    {"--text", ARGS_TEXT, "TEXT", "text", "like this text, instead of a memory"},
    {"--file", ARGS_TEXT, "FILE", NULL, "like this sound or video, up to its first minute"},
    {"--kind", ARGS_TEXT, "KIND", "kind", "audio or video: what of FILE; audio"},
    LIMIT,
    SPAN,
    STREAMS,
    END};
static const struct args_option remember_options[] = {
    {"--time", ARGS_TIME, "T", "time", "when it happened; now"},
    {"--stream", ARGS_TEXT, "NAME", "stream", "where it is kept; notes"},
    {"--ref", ARGS_TEXT, "REF", "ref", "your own id of it"},
    {"--pin", ARGS_FLAG, NULL, "pin", "keep it for ever"},
    END};
static const struct args_option feedback_options[] = {
    {"--helped", ARGS_FLAG, NULL, NULL, "it helped"},
    {"--not-helped", ARGS_FLAG, NULL, NULL, "it did not"},
    END};
static const struct args_option forget_options[] = {
    {"--stream", ARGS_TEXT, "NAME", "stream", "only of this stream; alone, the stream itself too"},
    SPAN,
    {"--match", ARGS_TEXT, "TEXT", "match", "only records that hold TEXT, whatever its case"},
    {"--dry", ARGS_FLAG, NULL, "dry", "count only"},
    END};
static const struct args_option watch_options[] = {
    {"--min-score", ARGS_REAL, "S", "min_score", "only hits from this score on, 0 to 1"},
    STREAMS,
    {"--exec", ARGS_TEXT, "CMD", NULL,
     "run CMD for each, the item on its standard input; no shell"},
    END};
static const struct args_option surprise_options[] = {SPAN, STREAMS, LIMIT, END};
static const struct args_option forecast_options[] = {
    {"--steps", ARGS_COUNT, "N", "steps", "how many samples ahead; 10"}, END};
static const struct args_option entities_options[] = {
    {"--kind", ARGS_TEXT, "KIND", "kind", "only of this kind"},
    {"--match", ARGS_TEXT, "PART", "match", "only names that contain PART"},
    SPAN,
    LIMIT,
    END};
static const struct args_option ingest_options[] = {
    {"--stream", ARGS_TEXT, "NAME", NULL, "the stream; made where there is none"},
    INPUT,
    {"--seq-field", ARGS_INPUT, "F", NULL, "field or column of the number"},
    {"--once", ARGS_FLAG, NULL, NULL, "nothing when the same content was ingested before"},
    END};
static const struct args_option score_options[] = {INPUT, END};

const struct command commands[] = {
    {"ask", "QUESTION", "Answer a question from memory, with evidence", 1, ARGS_MANY, "query",
     API_MEMORY_ASK, false, ask_options, run_call, NULL},
    {"search", "QUERY", "Find memories by words and meaning, best first", 1, ARGS_MANY, "query",
     API_MEMORY_SEARCH, false, search_options, run_call, NULL},
    {"timeline", "[ID|TIME]", "Memories in time order", 0, 1, NULL, API_MEMORY_TIMELINE, false,
     timeline_options, run_timeline, NULL},
    {"open", "ID", "One memory in full", 1, 1, "id", API_MEMORY_OPEN, false, NULL, run_call, NULL},
    {"raw", "ID", "The original records of a memory", 1, 1, NULL, API_MEMORY_RAW, false,
     raw_options, run_raw, NULL},
    {"similar", "[ID]", "Memories like this one", 0, 1, "id", API_MEMORY_SIMILAR, false,
     similar_options, run_similar, NULL},
    {"surprise", "", "What was unusual, most unusual first", 0, 0, NULL, API_PREDICT_SURPRISE,
     false, surprise_options, run_call, NULL},
    {"forecast", "STREAM [CHANNEL]", "What comes next, with intervals", 1, 2, NULL,
     API_PREDICT_FORECAST, false, forecast_options, run_forecast, NULL},
    {"entities", "[NAME]", "What recurs; with a name, its life", 0, 1, NULL, API_ENTITY_LIST, false,
     entities_options, run_entities, NULL},
    {"watch", "[QUERY]", "Print new memories that fit, as they come", 0, ARGS_MANY, "query",
     API_MEMORY_WATCH, false, watch_options, run_watch, NULL},
    {"ingest", "[FILE|-]...", "Feed a stream from files", 0, ARGS_MANY, NULL, API_METHODS,
     true, ingest_options, run_ingest, NULL},
    {"remember", "TEXT|-", "Keep a note", 1, ARGS_MANY, NULL, API_MEMORY_REMEMBER, false,
     remember_options, run_remember, NULL},
    {"pin", "ID", "Keep a memory for ever", 1, 1, "id", API_MEMORY_PIN, false, NULL, run_call,
     NULL},
    {"unpin", "ID", "Let a pinned memory age again", 1, 1, "id", API_MEMORY_UNPIN, false, NULL,
     run_call, NULL},
    {"feedback", "ID", "Say whether a memory helped", 1, 1, "id", API_MEMORY_FEEDBACK, false,
     feedback_options, run_feedback, NULL},
    {"forget", "[ID]", "Erase for good, with every trace", 0, 1, "id", API_MEMORY_FORGET, false,
     forget_options, run_forget, NULL},
    {"streams", "", "What is recorded, and why", 0, 0, NULL, API_STREAM_LIST, false, NULL, run_call,
     NULL},
    {"status", "", "The daemon's health", 0, 0, NULL, API_DAEMON_STATUS, false, NULL, run_call,
     NULL},
    {"metrics", "", "The same as Prometheus text", 0, 0, NULL, API_DAEMON_METRICS, false, NULL,
     run_metrics, NULL},
    {"reload", "", "Have the daemon read its configuration again", 0, 0, NULL, API_DAEMON_RELOAD,
     false, NULL, run_call, NULL},
    {"mcp", "", "Speak the Model Context Protocol on standard input and output", 0, 0, NULL,
     API_METHODS, false, NULL, run_mcp, NULL},
    {"score", "[FILE|-]", "How unusual each record of a file is, without a daemon", 0, 1, NULL,
     API_METHODS, true, score_options, NULL, score_main},
    {"embed", "[FILE|-]...", "The latents of files, without a daemon", 0, ARGS_MANY, NULL,
     API_METHODS, true, score_options, NULL, embed_main},
    {NULL, NULL, NULL, 0, 0, NULL, API_METHODS, false, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}
