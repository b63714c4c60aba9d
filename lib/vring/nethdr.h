/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules for a virtio-net header; nethdr.c and offload.c hold a header to the same
 * ones.
 */
#ifndef VTC__NETHDR_H
#define VTC__NETHDR_H

#include <stdint.h>

#include <vtc/nethdr.h>

#define VTC__ETH_LEN 14

/* Does the header fit a packet of this length (without header)? 0 or -EPROTO. */
int vtc__nethdr_check(const struct vtc_nethdr *header, uint64_t len);

/* Write the 12 bytes of a header. */
void vtc__nethdr_encode(const struct vtc_nethdr *header, uint16_t num_buffers,
			uint8_t *raw);

#endif
