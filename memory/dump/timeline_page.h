/* SPDX-License-Identifier: Apache-2.0 */
/* The page of memory/dump/timeline/, as embed.py puts it into the program: the data goes between.
 */
#ifndef VARVE_MEMORY_DUMP_TIMELINE_PAGE_H
#define VARVE_MEMORY_DUMP_TIMELINE_PAGE_H

extern const unsigned char timeline_head[], timeline_tail[];
extern const unsigned long timeline_head_size, timeline_tail_size;

#endif
