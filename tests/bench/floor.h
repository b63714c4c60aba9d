/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that setting VFs by rtnetlink can cost: messages made beforehand, one send
 * and one receive for each, no look at the answer and none at the result.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdint.h>

struct floor;

struct floor *floor_new(unsigned int ifindex);
void floor_free(struct floor *floor);

/* Make the messages of a turn, and send them. */
void floor_prepare(struct floor *floor, uint32_t turn);
void floor_send(struct floor *floor);

#endif
