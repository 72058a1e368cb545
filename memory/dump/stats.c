/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes are: by table (with its indexes), stratum, stream; how well evidence is
 * compressed; which path moments took. Counts rows and asks dbstat, so it reads the whole file
 * once.
 */
#include <string.h>
#include <sys/stat.h>

#include "memory/dump/file.h"
#include "memory/sqlite.h"

#define CELLS_MAX 12

/* A row of a table for people: the first cell to the left, numbers to the right. */
struct row {
    char cells[CELLS_MAX][64];
    int count;
};

static void put_number(char *out, size_t size, int64_t v)
{
    char digits[32];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)v);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

static void put_bytes(char *out, size_t size, int64_t v)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double scaled = (double)v / 1024;
    int unit = 0;
    for (; scaled >= 1024 && unit < 3; unit++)
        scaled /= 1024;
    if (v < 1024)
        snprintf(out, size, "%lld B", (long long)v);
    else
        snprintf(out, size, scaled < 10 ? "%.1f %s" : "%.0f %s", scaled, units[unit]);
}

/* "4.1" times smaller; "-" where there is nothing to compare. */
static void put_ratio(char *out, size_t size, int64_t payload, int64_t stored)
{
    if (payload > 0 && stored > 0)
        snprintf(out, size, "%.1f", (double)payload / (double)stored);
    else
        snprintf(out, size, "-");
}

/* Cells of a query's row as its columns are named: NAME_b bytes, NAME_t text, others numbers. */
static void read_row(sqlite3_stmt *s, struct row *ret)
{
    int columns = sqlite3_column_count(s);
    *ret = (struct row){.count = columns < CELLS_MAX ? columns : CELLS_MAX};
    for (int i = 0; i < ret->count; i++) {
        const char *name = sqlite3_column_name(s, i);
        char *cell = ret->cells[i];
        const char *text = (const char *)sqlite3_column_text(s, i);
        if (strstr(name, "_t"))
            snprintf(cell, sizeof(ret->cells[i]), "%s", text ? text : "-");
        else if (strstr(name, "_b"))
            put_bytes(cell, sizeof(ret->cells[i]), sqlite3_column_int64(s, i));
        else
            put_number(cell, sizeof(ret->cells[i]), sqlite3_column_int64(s, i));
    }
}

static void put_row(struct dump_out *out, const struct row *row, int name_columns)
{
    buf_puts(&out->buf, "  ");
    int used = dump_out_text(out, row->cells[0], name_columns);
    buf_printf(&out->buf, "%*s", name_columns - used, "");
    for (int i = 1; i < row->count; i++)
        buf_printf(&out->buf, "%11s", row->cells[i]);
    buf_putc(&out->buf, '\n');
}

static void put_heading(struct dump_out *out, const char *title, const char *const *heads,
                        int name_columns)
{
    buf_printf(&out->buf, "\n%s%-*s%s", out->color ? "\033[1m" : "", name_columns + 2, title,
               out->color ? "\033[0m" : "");
    for (int i = 0; heads[i]; i++)
        buf_printf(&out->buf, "%11s", heads[i]);
    buf_putc(&out->buf, '\n');
}

/* Every row of a query; ratio_of and ratio_to, where given, are the columns of a ratio put last. */
static int put_query(struct dump_file *f, struct dump_out *out, const char *sql, int name_columns,
                     int ratio_of, int ratio_to, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(f->db, sql, &s, err);
    if (r)
        return r;
    while ((r = sql_step(s, err)) == 0) {
        struct row row;
        read_row(s, &row);
        if (ratio_of && row.count < CELLS_MAX)
            put_ratio(row.cells[row.count++], sizeof(row.cells[0]),
                      sqlite3_column_int64(s, ratio_of), sqlite3_column_int64(s, ratio_to));
        put_row(out, &row, name_columns);
    }
    sqlite3_finalize(s);
    return r < 0 ? r : 0;
}

static int put_file(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    int64_t pages, size, spare;
    int r = sql_int64(f->db, "PRAGMA page_count", &pages, err);
    if (r == 0)
        r = sql_int64(f->db, "PRAGMA page_size", &size, err);
    if (r == 0)
        r = sql_int64(f->db, "PRAGMA freelist_count", &spare, err);
    if (r)
        return r;
    char whole[64], count[64], unused[64], log[64], path[4200];
    struct stat st;
    snprintf(path, sizeof(path), "%s-wal", f->path);
    put_bytes(whole, sizeof(whole), pages * size);
    put_number(count, sizeof(count), pages);
    put_number(unused, sizeof(unused), spare);
    put_bytes(log, sizeof(log), stat(path, &st) == 0 ? st.st_size : 0);
    dump_out_text(out, f->path, 0);
    buf_printf(&out->buf, "\n  %s in %s pages of %lld bytes, %s of them free; write-ahead log %s\n",
               whole, count, (long long)size, unused, log);
    return 0;
}

static int count_rows(struct dump_file *f, const char *table, int64_t *ret, struct errmsg *err)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table);
    if (!sql)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    int r = sql_int64(f->db, sql, ret, err);
    sqlite3_free(sql);
    return r;
}

static int put_tables(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    static const char *const heads[] = {"rows", "bytes", "indexes", NULL};
    sqlite3_stmt *s;
    int r = sql_prepare(f->db,
                        "SELECT s.tbl_name, sum(d.pgsize),"
                        " sum(CASE WHEN s.type = 'index' THEN d.pgsize ELSE 0 END)"
                        " FROM dbstat('main', 1) d JOIN sqlite_schema s ON s.name = d.name"
                        " GROUP BY s.tbl_name ORDER BY 2 DESC",
                        &s, err);
    if (r)
        return r;
    put_heading(out, "Table", heads, 24);
    while (r == 0 && (r = sql_step(s, err)) == 0) {
        struct row row = {.count = 4};
        int64_t rows = 0;
        const char *name = (const char *)sqlite3_column_text(s, 0);
        snprintf(row.cells[0], sizeof(row.cells[0]), "%s", name ? name : "");
        r = count_rows(f, row.cells[0], &rows, err);
        put_number(row.cells[1], sizeof(row.cells[1]), rows);
        put_bytes(row.cells[2], sizeof(row.cells[2]), sqlite3_column_int64(s, 1));
        put_bytes(row.cells[3], sizeof(row.cells[3]), sqlite3_column_int64(s, 2));
        put_row(out, &row, 24);
    }
    sqlite3_finalize(s);
    return r < 0 ? r : 0;
}

static int put_strata(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    static const char *const heads[] = {"spans",   "records", "payload", "evidence",
                                        "latents", "gists",   "ratio",   NULL};
    put_heading(out, "Stratum", heads, 24);
    return put_query(
        f, out,
        "SELECT CASE m.stratum WHEN 0 THEN 'moment' WHEN 1 THEN 'episode' WHEN 2 THEN 'hour'"
        " WHEN 3 THEN 'day' WHEN 4 THEN 'week' ELSE 'month' END AS a_t, count(*), sum(m.records), sum(m.raw_bytes) AS p_b,"
        " sum(ifnull(length(e.block), 0)) AS e_b, sum(ifnull(length(l.vec), 0)) AS l_b,"
        " sum(ifnull(length(g.text), 0)) AS g_b"
        " FROM moment m LEFT JOIN evidence e ON e.moment = m.id"
        " LEFT JOIN latent l ON l.moment = m.id LEFT JOIN gist g ON g.moment = m.id"
        " WHERE m.stratum >= 0 GROUP BY m.stratum ORDER BY m.stratum",
        24, 3, 4, err);
}

static int put_streams(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    static const char *const heads[] = {"kind",    "moments",  "unusual", "records",
                                        "payload", "evidence", "late",    "gaps",
                                        "dropped", "redacted", "ratio",   NULL};
    put_heading(out, "Stream", heads, 24);
    return put_query(
        f, out,
        "SELECT s.name AS a_t, CASE s.kind WHEN 1 THEN 'text' WHEN 2 THEN 'sensor' WHEN 3 THEN"
        " 'audio' WHEN 4 THEN 'video' END AS k_t, count(m.id),"
        " (SELECT count(*) FROM unusual u WHERE u.stream = s.id AND u.score >= 0.5),"
        " s.records, sum(CASE WHEN e.block IS NULL THEN 0 ELSE m.raw_bytes END) AS p_b,"
        " sum(ifnull(length(e.block), 0)) AS e_b, s.late, s.gaps, s.dropped, s.redacted"
        " FROM stream s LEFT JOIN moment m ON m.stream = s.id AND m.stratum = 0"
        " LEFT JOIN evidence e ON e.moment = m.id GROUP BY s.id ORDER BY s.id",
        24, 5, 6, err);
}

static int put_paths(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    static const char *const heads[] = {"moments", "% of all", "records", NULL};
    put_heading(out, "Path", heads, 24);
    return put_query(f, out,
                     "SELECT CASE path WHEN 1 THEN 'latent' WHEN 2 THEN 'discrete' ELSE 'none' END"
                     " AS a_t, count(*), printf('%.1f', 100.0 * count(*) /"
                     " (SELECT count(*) FROM moment WHERE stratum = 0)) AS s_t, sum(records)"
                     " FROM moment WHERE stratum = 0 GROUP BY path ORDER BY path",
                     24, 0, 0, err);
}

static int put_journal(struct dump_file *f, struct dump_out *out, struct errmsg *err)
{
    static const char *const heads[] = {"batches", "records", "bytes", NULL};
    put_heading(out, "Journal", heads, 24);
    return put_query(f, out,
                     "SELECT 'waiting for a moment' AS a_t, count(*), ifnull(sum(records), 0),"
                     " ifnull(sum(length(block)), 0) AS b_b FROM pending",
                     24, 0, 0, err);
}

int dump_stats(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
               struct errmsg *err)
{
    static int (*const parts[])(struct dump_file *, struct dump_out *, struct errmsg *) = {
        put_file, put_tables, put_strata, put_streams, put_paths, put_journal};
    int r = file_begin(f, err);
    for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        r = parts[i](f, out, err);
    file_end(f);
    return r ? err_wrap(err, r, "%s", f->path) : 0;
}
