/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least AF_XDP socket that receives, by system calls alone. */
#ifndef VTCT_RAWXSK_H
#define VTCT_RAWXSK_H

#include <stddef.h>
#include <stdint.h>

struct rawxsk {
	int fd;
	uint8_t *memory;
	uint32_t *rx_producer, *rx_consumer;
	uint8_t *rx;
	void *maps[2];
	size_t map_len[2];
};

/* On a receive queue of an interface; skips the test where the kernel has none. */
void rawxsk_open(struct rawxsk *xsk, uint32_t ifindex, uint32_t queue);
void rawxsk_close(struct rawxsk *xsk);
/* The next frame: its length, or 0. At most RAWXSK_FRAMES may be received in all. */
size_t rawxsk_receive(struct rawxsk *xsk, uint8_t *frame);

#define RAWXSK_FRAMES 256u

#endif
