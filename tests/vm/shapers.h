/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's net-shapers, seen and made without the library: messages of our own.
 */
#ifndef VTC_TESTS_SHAPERS_H
#define VTC_TESTS_SHAPERS_H

#include <stdint.h>

/*
 * All shapers of a card, in the kernel's order, each as a line
 * "queue 1 in node 0 min 1000 max 2000 weight 3"; what is 0 is left out. It stays for as
 * long as the test runs.
 */
const char *shapers_of(const char *nic);

/* Somebody else's: a queue's limit or minimum (0: as it is), and no shaper of a queue. */
void shapers_set(const char *nic, uint32_t queue, uint64_t min_bps, uint64_t max_bps);
void shapers_delete(const char *nic, uint32_t queue);
/* The limit of all the card. */
void shapers_set_card(const char *nic, uint64_t max_bps);
/* The limit of a node that is there. */
void shapers_set_node(const char *nic, uint32_t node, uint64_t max_bps);
/* A new node with these two queues. */
void shapers_group(const char *nic, uint32_t a, uint32_t b, uint64_t max_bps);

#endif
