/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the headers of a TCP or UDP packet are. */
#ifndef VTC__PACKET_H
#define VTC__PACKET_H

#include <stddef.h>
#include <stdint.h>

#define VTC__IPPROTO_TCP 6
#define VTC__IPPROTO_UDP 17

struct vtc__packet {
	uint16_t l3;	 /* where the IP header begins */
	uint16_t l4;	 /* where the TCP or UDP header begins */
	uint16_t head;	 /* where the payload begins */
	uint8_t version; /* of IP: 4 or 6 */
	uint8_t proto;	 /* VTC__IPPROTO_ */
};

/*
 * Look at the first len bytes of a packet, in private memory. 0, or -EPROTO: it is
 * neither, a fragment, malformed, or its headers are not all within len.
 */
int vtc__packet_parse(const uint8_t *bytes, size_t len, struct vtc__packet *ret_packet);

#endif
