/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/store_internal.h"

void consolidation_free(struct consolidation *c)
{
}

int store_mark_dirty(struct store *s, int64_t t, struct errmsg *err)
{
    return 0;
}

int store_consolidate(struct store *s, struct errmsg *err)
{
    return 0;
}
