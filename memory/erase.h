/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking things out of the file, for eviction (what is summed up above stays) and for forgetting
 * (nothing of it stays). docs/format.md, "What is let go", has the rules.
 *
 * Thread: the writer's, inside a transaction of the caller's (store_begin), any number of calls in
 * one. Entities' ids that the writer remembers are dropped where rows of entities go.
 */
#ifndef VARVE_MEMORY_ERASE_H
#define VARVE_MEMORY_ERASE_H

#include "memory/store.h"

enum erase_why {
    ERASE_EVICT,  /* its sums stay above, in the remainder of its parent */
    ERASE_FORGET, /* its share of everything above goes as well: the hours it lay in are marked */
};

/* A span that others hang on: let those go first. */
#define ERASE_HAS_CHILDREN 1

/*
 * Takes a stratum-0 moment's original records away; its title, gist, unusual runs, entities, latent
 * and sums stay, and it is found by the words of title, gist and runs. A resend of its records is
 * recognised by their numbers. Nothing happens where there is no evidence. ERR_NOTFOUND.
 */
int store_erase_evidence(struct store *s, int64_t id, struct errmsg *err);

/*
 * Takes a stratum-0 moment away with all that belongs to it. ERR_NOTFOUND; evicting one that no
 * episode has taken up yet is ERR_BUSY.
 */
int store_erase_moment(struct store *s, int64_t id, enum erase_why why, struct errmsg *err);

/*
 * Evicts a span of stratum 1 or above whose children were let go; its sums stay in its parent's
 * remainder. ERASE_HAS_CHILDREN and nothing happens where some are left; ERR_NOTFOUND; ERR_BUSY
 * where nothing above has taken it up yet (a month never goes).
 */
int store_erase_span(struct store *s, int64_t id, struct errmsg *err);

#endif
