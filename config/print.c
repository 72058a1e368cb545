/* SPDX-License-Identifier: Apache-2.0 */
/* The option table as text: the usage, the default file, the options of varved.conf(5). */
#include <string.h>

#include "config/config.h"
#include "config/options.h"

/* `doc` without the stars that mark emphasis, wrapped, each line behind `indent`. */
static void wrap(struct buf *out, const char *indent, const char *doc, size_t width)
{
    size_t column = 0;
    while (*doc) {
        size_t n = strcspn(doc, " ");
        if (column > 0 && column + 1 + n > width) {
            buf_putc(out, '\n');
            column = 0;
        }
        if (column == 0)
            buf_puts(out, indent);
        else
            buf_putc(out, ' ');
        column += (column > 0) + n;
        for (size_t i = 0; i < n; i++)
            if (doc[i] != '*' || (i > 0 && doc[i - 1] == '/'))
                buf_putc(out, doc[i]);
        doc += n;
        doc += *doc == ' ';
    }
    buf_putc(out, '\n');
}

void config_usage(struct buf *out)
{
    size_t count;
    const struct option *all = options_all(&count);
    buf_puts(out, "usage: varved [OPTION]...\n\n");
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        if (!o->flag)
            continue;
        buf_printf(out, "  --%s%s%s\n", o->flag, o->type == OPTION_BOOL ? "" : " ",
                   o->type == OPTION_BOOL ? "" : option_argument(o));
        wrap(out, "        ", o->doc, 84);
    }
}

static void print_value(struct buf *out, const struct option *o)
{
    if (o->initial[0])
        buf_printf(out, "#%s = %s\n", o->key, o->initial);
    else
        buf_printf(out, "#%s =\n", o->key);
}

void options_print_file(struct buf *out)
{
    size_t count;
    const struct option *all = options_all(&count);
    const char *section = "";
    buf_puts(out, "# varved.conf: see varved.conf(5). What is commented out shows the default.\n"
                  "# More files may lie in varved.conf.d/ beside this one.\n");
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        if (!o->section[0])
            continue;
        bool source = strcmp(o->section, "source") == 0;
        if (strcmp(section, o->section) != 0) {
            section = o->section;
            buf_putc(out, '\n');
            wrap(out, "# ", options_section_doc(section), 96);
            buf_printf(out, source ? "#[%s NAME]\n" : "[%s]\n", section);
        }
        buf_putc(out, '\n');
        wrap(out, "# ", o->doc, 96);
        print_value(out, o);
    }
}

/* scdoc takes * and _ as marks; a star that is part of a path is escaped. */
static void print_scdoc(struct buf *out, const char *indent, const char *doc)
{
    buf_puts(out, indent);
    for (const char *p = doc; *p; p++) {
        if (*p == '_' || *p == '[' || *p == '<' || (*p == '*' && p > doc && p[-1] == '/'))
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_puts(out, "\n");
}

void options_print_man(struct buf *out)
{
    size_t count;
    const struct option *all = options_all(&count);
    const char *section = "";
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &all[i];
        if (!o->section[0])
            continue;
        if (strcmp(section, o->section) != 0) {
            section = o->section;
            bool source = strcmp(section, "source") == 0;
            buf_printf(out, "## [%s%s]\n\n", section, source ? " NAME" : "");
            print_scdoc(out, "", options_section_doc(section));
            buf_putc(out, '\n');
        }
        buf_printf(out, "*%s* = _%s_\n", o->key, option_argument(o));
        print_scdoc(out, "\t", o->doc);
        if (o->choices) {
            buf_puts(out, "\n\tOne of:");
            bool first = true;
            for (const struct option_choice *c = o->choices; c->name; c++) {
                if (!c->refuse) {
                    buf_printf(out, "%s *%s*", first ? "" : ",", c->name);
                    first = false;
                }
            }
            buf_puts(out, ".\n");
        }
        if (o->initial[0])
            buf_printf(out, "\n\tDefault: *%s*.\n", o->initial);
        if (option_is_list(o))
            buf_puts(out, "\n\tMay be written several times; an empty value forgets what stood "
                          "before.\n");
        if (!o->live)
            buf_puts(out, "\n\tTakes a restart; a reload leaves it as it is.\n");
        buf_putc(out, '\n');
    }
}
