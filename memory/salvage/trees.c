/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each tree is walked from its root, which the schema names; where that is unreadable, from where
 * this program would have put it: roots lie in the order in which tables are made. When a page of a
 * tree is broken, its children are looked for among the pages that no tree reached: by the pointer
 * map, and without one by what their rows look like. Pages that the map says are free hold what was
 * deleted, and stay deleted.
 *
 * A row that two pages have is taken from the one that its tree reaches.
 */
#include "memory/salvage/trees.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "memory/salvage/rows.h"
#include "memory/sqlite.h"

#define PAGES_A_COMMIT 4096
#define DEPTH_MAX 20 /* of a b-tree */

enum use { USE_COPY, USE_PLACES, USE_NONE };

struct column {
    char type;                    /* I, R, T, B: of STRICT tables; A: any */
    bool required, alias, filled; /* alias: of the rowid; filled: has a default */
};

struct tree {
    enum use use;
    bool rowids, broken;
    uint32_t root;
    uint32_t columns;
    struct column column[COLUMNS_MAX]; /* in the order in which rows store them */
    char names[COLUMNS_MAX][64];
    sqlite3_stmt *insert;
    uint32_t inserts; /* columns of the prepared statement */
    struct salvage_table *told;
};

struct copying {
    const struct pages *pages;
    sqlite3 *out;
    struct tree *trees;
    uint32_t count;
    unsigned char *claimed; /* a bit a page */
    struct buf stack;       /* uint32_t, pages still to be walked */
    struct buf scratch;
    struct row row;
    uint32_t since_commit;
    struct salvage_report *report;
};

/* ---- what the tables are ---- */

static bool is_remade(const char *name)
{
    return strncmp(name, "words", 5) == 0 || strncmp(name, "sqlite_", 7) == 0 ||
           strcmp(name, "df") == 0 || strcmp(name, "stratum") == 0 || strcmp(name, "dirty") == 0;
}

static enum use use_of(const char *type, const char *name)
{
    if (strcmp(name, "moment_seq") == 0 || strcmp(name, "moment_stream") == 0)
        return USE_PLACES;
    return strcmp(type, "table") == 0 && !is_remade(name) ? USE_COPY : USE_NONE;
}

static void read_column(sqlite3_stmt *q, struct tree *t)
{
    const char *type = (const char *)sqlite3_column_text(q, 1);
    struct column *c = &t->column[t->columns];
    bool key = sqlite3_column_int(q, 4) > 0;
    c->type = type && type[0] ? type[0] : 'A';
    c->alias = t->rowids && key && strcmp(type ? type : "", "INTEGER") == 0;
    c->required = sqlite3_column_int(q, 2) || (!t->rowids && key);
    c->filled = sqlite3_column_int(q, 3);
    snprintf(t->names[t->columns++], sizeof(t->names[0]), "%s",
             (const char *)sqlite3_column_text(q, 0));
}

/* Tables without rowids store their key first. */
static int describe(sqlite3 *out, struct tree *t, struct errmsg *err)
{
    static const char sql[] =
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_xinfo(?1) "
        "ORDER BY CASE WHEN ?2 THEN 0 WHEN pk>0 THEN pk ELSE 1000 END, cid";
    sqlite3_stmt *q;
    int64_t without = 0;
    int r = sql_prepare(out, "SELECT wr FROM pragma_table_list WHERE name=?1", &q, err);
    if (r)
        return r;
    sqlite3_bind_text(q, 1, t->told->name, -1, SQLITE_STATIC);
    if ((r = sql_step(q, err)) == 0)
        without = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    t->rowids = without == 0;
    if (r >= 0)
        r = sql_prepare(out, sql, &q, err);
    if (r < 0)
        return r;
    sqlite3_bind_text(q, 1, t->told->name, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 2, t->rowids);
    while ((r = sql_step(q, err)) == 0 && t->columns < COLUMNS_MAX)
        read_column(q, t);
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r ? r : err_set(err, ERR_INTERNAL, "%s", t->told->name);
}

/* Index rows are what is indexed, then the rowid: whole numbers, all of them, where they are read.
 */
static void describe_places(struct tree *t)
{
    t->columns = strcmp(t->told->name, "moment_seq") == 0 ? 4 : 3;
    for (uint32_t i = 0; i < t->columns; i++)
        t->column[i] = (struct column){.type = 'I', .required = true};
}

static int add_tree(struct copying *c, sqlite3_stmt *q, struct errmsg *err)
{
    const char *name = (const char *)sqlite3_column_text(q, 1);
    if (c->count == SALVAGE_TABLES)
        return err_set(err, ERR_INTERNAL, "more than %d tables", SALVAGE_TABLES);
    struct tree *t = &c->trees[c->count];
    t->told = &c->report->tables[c->count++];
    snprintf(t->told->name, sizeof(t->told->name), "%s", name);
    t->use = use_of((const char *)sqlite3_column_text(q, 0), name);
    t->told->remade = t->use != USE_COPY;
    t->root = (uint32_t)sqlite3_column_int64(q, 2);
    if (t->use == USE_PLACES)
        describe_places(t);
    else if (strcmp((const char *)sqlite3_column_text(q, 0), "table") == 0)
        return describe(c->out, t, err);
    return 0;
}

static int list_trees(struct copying *c, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(c->out,
                        "SELECT type, name, rootpage FROM sqlite_schema WHERE rootpage>0 "
                        "ORDER BY rootpage",
                        &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0 && (r = add_tree(c, q, err)) == 0)
        ;
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

/* ---- rows ---- */

static bool value_fits(const struct column *c, const struct value *v)
{
    if (v->type == VALUE_NULL)
        return !c->required || c->alias;
    switch (c->type) {
    case 'I':
        return v->type == VALUE_INT;
    case 'R':
        return v->type == VALUE_REAL || v->type == VALUE_INT;
    case 'T':
        return v->type == VALUE_TEXT && utf8_valid(v->bytes.data, v->bytes.size, NULL);
    case 'B':
        return v->type == VALUE_BLOB;
    default:
        return true;
    }
}

static bool row_fits(const struct tree *t, const struct row *row)
{
    if (row->count == 0 || row->count > t->columns)
        return false;
    for (uint32_t i = 0; i < row->count; i++)
        if (!value_fits(&t->column[i], &row->values[i]))
            return false;
    for (uint32_t i = row->count; i < t->columns; i++)
        if (t->column[i].required && !t->column[i].filled)
            return false;
    const struct slice *block = &row->values[1].bytes;
    return strcmp(t->told->name, "evidence") != 0 ||
           (row->count == 2 && block->size > 2 && memcmp(block->data, "vE", 2) == 0);
}

/* A row may be shorter than its table: older than the columns that were added. */
static int prepare(struct copying *c, struct tree *t, uint32_t columns, struct errmsg *err)
{
    if (t->insert && t->inserts == columns)
        return 0;
    struct buf sql = {0};
    sqlite3_finalize(t->insert);
    t->insert = NULL;
    t->inserts = columns;
    if (t->use == USE_PLACES) {
        buf_printf(&sql, "INSERT OR IGNORE INTO place(stream, moment) VALUES(?1, ?%u)", columns);
    } else {
        buf_printf(&sql, "INSERT OR IGNORE INTO \"%s\"(", t->told->name);
        for (uint32_t i = 0; i < columns; i++)
            buf_printf(&sql, "%s\"%s\"", i ? ", " : "", t->names[i]);
        for (uint32_t i = 0; i < columns; i++)
            buf_printf(&sql, "%s?%u", i ? ", " : ") VALUES(", i + 1);
        buf_putc(&sql, ')');
    }
    int r = buf_failed(&sql) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                             : sql_prepare(c->out, sql.data, &t->insert, err);
    buf_deinit(&sql);
    return r;
}

static void bind(sqlite3_stmt *s, int at, const struct value *v)
{
    const char *bytes = v->bytes.data ? v->bytes.data : "";
    switch (v->type) {
    case VALUE_NULL:
        sqlite3_bind_null(s, at);
        break;
    case VALUE_INT:
        sqlite3_bind_int64(s, at, v->number);
        break;
    case VALUE_REAL:
        sqlite3_bind_double(s, at, v->real);
        break;
    case VALUE_TEXT:
        sqlite3_bind_text(s, at, bytes, (int)v->bytes.size, SQLITE_STATIC);
        break;
    case VALUE_BLOB:
        sqlite3_bind_blob(s, at, bytes, (int)v->bytes.size, SQLITE_STATIC);
        break;
    }
}

static int put_row(struct copying *c, struct tree *t, const struct row *row, struct errmsg *err)
{
    int r = prepare(c, t, row->count, err);
    if (r)
        return r;
    for (uint32_t i = 0; i < row->count; i++) {
        bool alias = t->column[i].alias && row->values[i].type == VALUE_NULL;
        const struct value id = {.type = VALUE_INT, .number = row->rowid};
        if (t->use == USE_COPY || i == 0 || i + 1 == row->count)
            bind(t->insert, (int)i + 1, alias ? &id : &row->values[i]);
    }
    r = sql_run(t->insert, err);
    if (r == ERR_CONFLICT || r == ERR_EXISTS) {
        t->told->broken++;
        return 0;
    }
    return r;
}

static int put_rows(struct copying *c, struct tree *t, const struct node *n, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < n->cells && r == 0; i++) {
        r = node_row(n, i, &c->scratch, &c->row);
        if (r == 0 && row_fits(t, &c->row)) {
            r = put_row(c, t, &c->row, err);
        } else if (r == 0 || r == ERR_CORRUPT) {
            t->told->broken++;
            r = 0;
        }
    }
    return r == ERR_NOMEM ? err_set(err, r, "%s", err_text(r)) : r;
}

/* ---- walking ---- */

static bool is_claimed(const struct copying *c, uint32_t page)
{
    return c->claimed[page / 8] >> (page % 8) & 1;
}

static void claim(struct copying *c, uint32_t page)
{
    c->claimed[page / 8] |= (unsigned char)(1 << (page % 8));
}

static void lose_page(struct tree *t)
{
    t->broken = true;
    t->told->pages++;
}

static bool is_leaf(const struct node *n)
{
    return n->type == PAGE_TABLE_LEAF || n->type == PAGE_INDEX_LEAF;
}

static bool is_of_kind(const struct tree *t, const struct node *n)
{
    bool table = n->type == PAGE_TABLE_LEAF || n->type == PAGE_TABLE_INTERIOR;
    return table == t->rowids;
}

/* A page with rows of which none fits is of another tree, or none. */
static bool some_row_fits(struct copying *c, const struct tree *t, const struct node *n)
{
    if (n->type == PAGE_TABLE_INTERIOR || n->cells == 0 || t->use == USE_NONE)
        return true;
    for (uint32_t i = 0; i < n->cells; i++)
        if (node_row(n, i, &c->scratch, &c->row) == 0 && row_fits(t, &c->row))
            return true;
    return false;
}

static void push_children(struct copying *c, struct tree *t, const struct node *n)
{
    for (uint32_t i = 0; i <= n->cells; i++) {
        uint32_t child = node_child(n, i);
        if (child && !is_claimed(c, child) && !pages_is_map(c->pages, child))
            buf_append(&c->stack, &child, sizeof(child));
        else
            lose_page(t);
    }
}

/* The new file's log is emptied as it grows: what is copied needs no room twice. */
static int breathe(struct copying *c, struct errmsg *err)
{
    if (++c->since_commit < PAGES_A_COMMIT)
        return 0;
    c->since_commit = 0;
    int r = sql_exec(c->out, "COMMIT", err);
    if (r == 0)
        sqlite3_wal_checkpoint_v2(c->out, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return r ? r : sql_exec(c->out, "BEGIN IMMEDIATE", err);
}

static int take_node(struct copying *c, struct tree *t, const struct node *n, struct errmsg *err)
{
    claim(c, n->number);
    if (!is_leaf(n))
        push_children(c, t, n);
    if (t->use == USE_NONE || n->type == PAGE_TABLE_INTERIOR)
        return 0;
    int r = put_rows(c, t, n, err);
    return r ? r : breathe(c, err);
}

static int walk(struct copying *c, struct tree *t, uint32_t from, struct errmsg *err)
{
    unsigned char data[PAGE_MAX];
    struct node n;
    int r = 0;
    buf_clear(&c->stack);
    buf_append(&c->stack, &from, sizeof(from));
    while (r == 0 && c->stack.size) {
        uint32_t page;
        c->stack.size -= sizeof(page);
        memcpy(&page, c->stack.data + c->stack.size, sizeof(page));
        if (page > c->pages->count || is_claimed(c, page) ||
            pages_read(c->pages, page, data) != 0 || !node_read(c->pages, page, data, &n) ||
            !is_of_kind(t, &n) || !some_row_fits(c, t, &n))
            lose_page(t);
        else
            r = take_node(c, t, &n, err);
    }
    if (r == 0 && buf_failed(&c->stack))
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    return r;
}

/* ---- the schema ---- */

static void take_root(struct copying *c, unsigned char *known)
{
    const struct value *v = c->row.values;
    if (c->row.count != 5 || v[1].type != VALUE_TEXT || v[3].type != VALUE_INT)
        return;
    for (uint32_t i = 0; i < c->count; i++) {
        const char *name = c->trees[i].told->name;
        if (strlen(name) != v[1].bytes.size || memcmp(name, v[1].bytes.data, v[1].bytes.size) != 0)
            continue;
        if (v[3].number < 2 || v[3].number > c->pages->count)
            return;
        c->trees[i].root = (uint32_t)v[3].number;
        known[i] = 1;
    }
}

/* Page 1 and what it leads to. *ret_whole: all of it was read. */
static int read_schema(struct copying *c, unsigned char *known, bool *ret_whole)
{
    unsigned char data[PAGE_MAX];
    uint32_t page = 1, at = 0;
    struct node n;
    *ret_whole = true;
    buf_clear(&c->stack);
    buf_append(&c->stack, &page, sizeof(page));
    for (; at < c->stack.size; at += sizeof(page)) {
        memcpy(&page, c->stack.data + at, sizeof(page));
        if (is_claimed(c, page) || pages_read(c->pages, page, data) != 0 ||
            !node_read(c->pages, page, data, &n) ||
            (n.type != PAGE_TABLE_LEAF && n.type != PAGE_TABLE_INTERIOR)) {
            *ret_whole = false;
            continue;
        }
        claim(c, page);
        for (uint32_t i = 0; i < n.cells && n.type == PAGE_TABLE_LEAF; i++) {
            if (node_row(&n, i, &c->scratch, &c->row) == 0)
                take_root(c, known);
            else
                *ret_whole = false;
        }
        for (uint32_t i = 0; i <= n.cells && n.type == PAGE_TABLE_INTERIOR; i++) {
            uint32_t child = node_child(&n, i);
            if (child)
                buf_append(&c->stack, &child, sizeof(child));
            else
                *ret_whole = false;
        }
    }
    return buf_failed(&c->stack) ? ERR_NOMEM : 0;
}

/* ---- pages that no tree reached ---- */

static struct tree *owner_of(struct copying *c, uint32_t page, enum page_use *ret_use)
{
    uint32_t parent;
    *ret_use = pages_use(c->pages, page, &parent);
    enum page_use use = *ret_use;
    for (int depth = 0; use == PAGE_NODE && depth < DEPTH_MAX; depth++) {
        page = parent;
        use = pages_use(c->pages, page, &parent);
    }
    for (uint32_t i = 0; i < c->count && use == PAGE_ROOT; i++)
        if (c->trees[i].root == page)
            return &c->trees[i];
    return NULL;
}

/* The one broken tree that the page's rows fit. */
static struct tree *owner_by_rows(struct copying *c, const struct node *n)
{
    struct tree *found = NULL;
    for (uint32_t i = 0; i < c->count; i++) {
        struct tree *t = &c->trees[i];
        if (!t->broken || t->use == USE_NONE || !is_of_kind(t, n) || n->cells == 0 ||
            n->type == PAGE_TABLE_INTERIOR || !some_row_fits(c, t, n))
            continue;
        if (found)
            return NULL;
        found = t;
    }
    return found;
}

static int take_orphan(struct copying *c, uint32_t page, struct errmsg *err)
{
    unsigned char data[PAGE_MAX];
    struct node n;
    enum page_use use;
    struct tree *t = owner_of(c, page, &use);
    if (use == PAGE_FREE || use == PAGE_OVERFLOW || (t && t->use == USE_NONE))
        return 0;
    bool read = pages_read(c->pages, page, data) == 0 && node_read(c->pages, page, data, &n);
    if (!t && use == PAGE_UNKNOWN && read)
        t = owner_by_rows(c, &n);
    if (!t)
        return 0;
    if (!read || !is_of_kind(t, &n) || !some_row_fits(c, t, &n)) {
        lose_page(t);
        return 0;
    }
    /* Not its children: each of them comes here by itself, or is broken. */
    claim(c, page);
    return n.type == PAGE_TABLE_INTERIOR ? 0 : put_rows(c, t, &n, err);
}

static int take_orphans(struct copying *c, struct errmsg *err)
{
    bool broken = false;
    for (uint32_t i = 0; i < c->count; i++)
        broken |= c->trees[i].broken && c->trees[i].use != USE_NONE;
    int r = 0;
    for (uint32_t page = 2; broken && page <= c->pages->count && r == 0; page++)
        if (!is_claimed(c, page) && !pages_is_map(c->pages, page))
            r = take_orphan(c, page, err);
    return r;
}

/* ---- all of it ---- */

static int copy_all(struct copying *c, struct errmsg *err)
{
    unsigned char known[SALVAGE_TABLES] = {0};
    bool whole;
    int r = sql_exec(c->out,
                     "CREATE TEMP TABLE place(moment INTEGER PRIMARY KEY, stream INTEGER NOT NULL);"
                     "BEGIN IMMEDIATE",
                     err);
    if (r == 0)
        r = list_trees(c, err);
    if (r == 0)
        r = read_schema(c, known, &whole);
    for (uint32_t i = 0; i < c->count && r == 0; i++)
        if (known[i] || !whole)
            r = walk(c, &c->trees[i], c->trees[i].root, err);
    if (r == 0)
        r = take_orphans(c, err);
    return r ? r : sql_exec(c->out, "COMMIT", err);
}

int trees_copy(const struct pages *pages, sqlite3 *out, struct salvage_report *report,
               struct errmsg *err)
{
    struct copying c = {.pages = pages, .out = out, .report = report};
    c.trees = mem_calloc(SALVAGE_TABLES, sizeof(*c.trees));
    c.claimed = mem_calloc(1, (size_t)pages->count / 8 + 1);
    int r = c.trees && c.claimed ? copy_all(&c, err) : ERR_NOMEM;
    if (r == ERR_NOMEM)
        err_set(err, r, "%s", err_text(r));
    for (uint32_t i = 0; i < c.count; i++)
        sqlite3_finalize(c.trees[i].insert);
    report->table_count = c.count;
    mem_free(c.trees);
    mem_free(c.claimed);
    buf_deinit(&c.stack);
    buf_deinit(&c.scratch);
    return r;
}
