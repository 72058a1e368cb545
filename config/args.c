/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line: --flag VALUE and --flag=VALUE, as the table has them. */
#include <string.h>

#include "config/config.h"
#include "config/options.h"

static const struct option *find_flag(const char *word, size_t n)
{
    size_t count;
    const struct option *all = options_all(&count);
    for (size_t i = 0; i < count; i++)
        if (all[i].flag && strlen(all[i].flag) == n && memcmp(all[i].flag, word, n) == 0)
            return &all[i];
    return NULL;
}

static int take(struct config_args *a, const struct option *o, const char *value,
                struct errmsg *err)
{
    if (!o->section[0]) {
        *(const char **)((char *)a + o->offset) = value;
        return 0;
    }
    if (a->set_count == CONFIG_ARGS_MAX)
        return err_set(err, ERR_INVALID, "too many options");
    a->set[a->set_count].option = o;
    a->set[a->set_count].text = value;
    a->set_count++;
    return 0;
}

int config_parse_args(int argc, char **argv, struct config_args *ret, struct errmsg *err)
{
    struct config_args a = {0};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strncmp(word, "--", 2) != 0 || !word[2])
            return err_set(err, ERR_INVALID, "unexpected argument \"%.100s\"", word);
        const char *equals = strchr(word, '=');
        const struct option *o =
            find_flag(word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
        if (!o)
            return err_set(err, ERR_INVALID, "unknown option \"%.100s\"", word);
        if (o->type == OPTION_BOOL && equals)
            return err_set(err, ERR_INVALID, "--%s takes no value", o->flag);
        if (o->type == OPTION_BOOL) {
            *(bool *)((char *)&a + o->offset) = true;
            continue;
        }
        const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value || !value[0])
            return err_set(err, ERR_INVALID, "--%s needs a value: %s", o->flag, option_argument(o));
        int rc = take(&a, o, value, err);
        if (rc != 0)
            return rc;
    }
    *ret = a;
    return 0;
}
