/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make the timeline page share. */
#ifndef VARVE_MEMORY_DUMP_HTML_H
#define VARVE_MEMORY_DUMP_HTML_H

#include "base/jsonw.h"
#include "memory/dump/file.h"

/* Strings by number, each once. Zeroed memory is empty. */
struct intern {
    struct buf bytes;
    struct intern_entry {
        uint64_t hash;
        size_t at, size;
    } * entries;
    uint32_t count, room;
    uint32_t *slots; /* entry + 1; 0: free; twice `room` of them */
};

/* The number of a string, a new one if need be; ERR_NOMEM. */
int intern_put(struct intern *t, const char *s, size_t n, uint32_t *ret);
struct slice intern_get(const struct intern *t, uint32_t i);
void intern_deinit(struct intern *t);

/* The page while it is gathered: spans of all strata, moments first, numbered as the page does. */
struct page {
    struct dump_file *f;
    const struct dump_options *o;
    struct arena arena;
    struct file_span *spans[STRATA];
    uint32_t counts[STRATA];
    struct intern texts, entities;
    int64_t *gists;                                        /* by node: text, or -1 */
    struct buf unusual, mentions, excerpts, media, sparks, notes; /* JSON, finished */
};

static inline int64_t page_ms(int64_t us)
{
    return us / 1000;
}

/* The channel that a reason is about: the longest channel name at its beginning; -1: none. */
int page_channel_of(const struct file_stream *stream, const char *why);

/* All moments, the most unusual first; the caller's to mem_free. */
int page_ranked(const struct page *p, const struct file_span ***ret, struct errmsg *err);
/* Fills `media`: waveforms and thumbnails; how many moments there was no room for. */
int page_media(struct page *p, uint64_t *ret_left_out, struct errmsg *err);
/* Fills `excerpts`: some records of the most unusual moments. */
int page_excerpts(struct page *p, struct errmsg *err);
/* Fills `sparks`: the range of some channels of each sensor stream, by moment. */
int page_sparks(struct page *p, struct errmsg *err);

#endif
