/* SPDX-License-Identifier: Apache-2.0 */
/* In place of journal.c in builds without libsystemd. */
#include "daemon/sources/source.h"

bool source_journal_readable(void)
{
    return false;
}

static int start(struct source *s)
{
    source_set_trouble(s, "this build cannot read the journal (it was made without libsystemd)");
    return ERR_UNSUPPORTED;
}

const struct source_ops source_journal = {.policy = STREAM_DURABLE, .start = start};
