/* SPDX-License-Identifier: Apache-2.0 */
/* Recall's results in the wire's shape, one object each. The caller asks buf_failed at the end. */
#ifndef VARVE_MEMORY_RECALL_JSON_H
#define VARVE_MEMORY_RECALL_JSON_H

#include "base/jsonw.h"
#include "memory/recall.h"

void recall_found_json(struct jsonw *w, const struct recall_found *found);
/* {"items":[…],"more":bool}: timeline and similar. */
void recall_items_json(struct jsonw *w, const struct recall_items *items);
/* One item alone, as memory.watch sends it. */
void recall_item_json(struct jsonw *w, const struct recall_item *item);
void recall_opened_json(struct jsonw *w, const struct recall_opened *opened);
void recall_raw_json(struct jsonw *w, const struct recall_raw *raw);
void recall_file_json(struct jsonw *w, const struct recall_file *f);
void recall_surprise_json(struct jsonw *w, const struct recall_unusual *items, uint32_t count);
void recall_entities_json(struct jsonw *w, const struct recall_entity *items, uint32_t count);
void recall_life_json(struct jsonw *w, const struct recall_life *life);
void recall_answer_json(struct jsonw *w, const struct recall_answer *answer);

#endif
