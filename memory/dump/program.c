/* SPDX-License-Identifier: Apache-2.0 */
/* varve-dump from its command line to its exit status: 0 done, 1 it failed, 2 wrong usage. */
#include <string.h>

#include "base/clock.h"
#include "memory/backup.h"
#include "memory/dump/file.h"
#include "memory/salvage/salvage.h"
#include "memory/verify.h"

static int show(const struct dump_options *o, struct dump_out *out, struct errmsg *err)
{
    static int (*const formats[])(struct dump_file *, const struct dump_options *,
                                  struct dump_out *, struct errmsg *) = {
        [DUMP_TEXT] = dump_text, [DUMP_NDJSON] = dump_ndjson, [DUMP_HTML] = dump_html};
    struct dump_file *f;
    int r = file_open(o, &f, err);
    if (r)
        return r;
    if (o->action == DUMP_RECORDS)
        r = dump_records(f, o, out, err);
    else if (o->action == DUMP_STATS)
        r = dump_stats(f, o, out, err);
    else
        r = formats[o->format](f, o, out, err);
    /* What came before the damage is still worth having, in whole lines; half a page is not. */
    if (r && o->format != DUMP_HTML) {
        const char *end = out->buf.size ? memrchr(out->buf.data, '\n', out->buf.size) : NULL;
        out->buf.size = end ? (size_t)(end + 1 - out->buf.data) : 0;
        dump_out_flush(out, true, NULL);
    }
    file_close(f);
    return r ? r : dump_out_flush(out, true, err);
}

static int verify(const struct dump_options *o, struct dump_out *out, struct errmsg *err)
{
    struct verify_counts found;
    int r = verify_file(o->path, &found, err);
    if (r)
        return r;
    dump_out_text(out, o->path, 0);
    buf_printf(&out->buf,
               ": sound: %llu moments with %llu records, %llu spans above them, %llu"
               " records in the journal\n",
               (unsigned long long)found.moments, (unsigned long long)found.records,
               (unsigned long long)found.above, (unsigned long long)found.journaled);
    return 0;
}

static void tell_table(const struct salvage_table *t, struct buf *out)
{
    if (t->broken == 0 && t->pages == 0)
        return;
    if (t->remade)
        buf_printf(out, "  %s: damaged, made again\n", t->name);
    else
        buf_printf(out, "  %s: %llu rows brought out, %llu lost, %llu pages unreadable\n", t->name,
                   (unsigned long long)t->rows, (unsigned long long)t->broken,
                   (unsigned long long)t->pages);
}

/* What was brought out, and by table what was not. */
static int salvage(const struct dump_options *o, struct dump_out *out, struct errmsg *err)
{
    struct salvage_report report;
    int r = salvage_file(o->path, o->target, &report, err);
    if (r)
        return r;
    struct buf *b = &out->buf;
    dump_out_text(out, o->target, 0);
    buf_printf(b, ": %llu moments with %llu records, %llu records in the journal\n",
               (unsigned long long)report.moments, (unsigned long long)report.records,
               (unsigned long long)report.journaled);
    if (report.headless)
        buf_puts(b, "  the file's header was not readable\n");
    if (report.spare)
        buf_printf(b, "  what was remembered beyond the records contradicts itself and was left out:"
                      " %s\n", report.why.text);
    if (report.frames)
        buf_printf(b, "  write-ahead log: %u pages unreadable\n", report.frames);
    for (uint32_t i = 0; i < report.table_count; i++)
        tell_table(&report.tables[i], b);
    if (report.rebuilt)
        buf_printf(b,
                   "  %llu moments lost title and surprise, their records are whole; of %llu the"
                   " stream is not known: they are in recovered-text, -sensor, -audio and -video\n",
                   (unsigned long long)report.rebuilt, (unsigned long long)report.nameless);
    if (!salvage_lost(&report)) {
        buf_puts(b, "  nothing was lost\n");
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "%s: not everything could be brought out", o->path);
}

static int act(const struct dump_options *o, struct dump_out *out, struct errmsg *err)
{
    switch (o->action) {
    case DUMP_USAGE:
        buf_puts(&out->buf, dump_usage);
        return 0;
    case DUMP_VERSION:
        buf_puts(&out->buf, "varve-dump " VARVE_VERSION "\n");
        return 0;
    case DUMP_VERIFY:
        return verify(o, out, err);
    case DUMP_BACKUP:
        return backup_file(o->path, o->target, err);
    case DUMP_SALVAGE:
        return salvage(o, out, err);
    default:
        return show(o, out, err);
    }
}

int dump_run(int argc, char **argv, int output, FILE *errors)
{
    struct dump_options o;
    struct errmsg err = {.text = ""};
    int r = dump_options_parse(argc, argv, clock_now(clock_system()), &o, &err);
    if (r) {
        fprintf(errors, "varve-dump: %s\n", err.text);
        if (r != ERR_NOTFOUND)
            fprintf(errors, "varve-dump --help tells the options\n");
        return r == ERR_NOTFOUND ? 1 : 2;
    }
    struct dump_out out;
    dump_out_init(&out, output);
    r = act(&o, &out, &err);
    if (r == 0)
        r = dump_out_flush(&out, true, &err);
    else if (o.action == DUMP_SALVAGE)
        dump_out_flush(&out, true, NULL);
    dump_out_deinit(&out);
    if (r == 0)
        return 0;
    fprintf(errors, "varve-dump: %s\n", err.text[0] ? err.text : err_text(r));
    return 1;
}
