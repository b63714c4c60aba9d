/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ethernet frames of our own on real interfaces: sent by one, looked for at all. That a
 * frame did not arrive somewhere is known without waiting for it: a probe is sent after
 * it to each interface, and a queue keeps its order.
 */
#ifndef VTC_TESTS_WIRE_H
#define VTC_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/types.h>

#define WIRE_MAX     9 /* a wire, a PF and 7 VFs */
#define WIRE_PAYLOAD 64
#define WIRE_NO_VLAN 0xffff /* no tag: no such tag control information is in use */

/* An interface on which frames are sent and received. */
struct wire_port {
	char name[16];
	struct vtc_mac mac;   /* that it uses */
	struct vtc_mac reach; /* with which the far end reaches it; else the same */
	uint16_t reach_tci;   /* tag with which the far end reaches it, or WIRE_NO_VLAN */
	int fd;
};

/* Several interfaces; the first one is the far end of the cable. */
struct wire {
	struct wire_port ports[WIRE_MAX];
	unsigned int count;
	uint32_t serial; /* of the frame that was sent last */
};

/* What came of one frame. */
struct wire_result {
	bool arrived[WIRE_MAX];
	bool intact[WIRE_MAX];	/* with the addresses and the payload that were sent */
	uint16_t tci[WIRE_MAX]; /* its tag on arrival, or WIRE_NO_VLAN */
};

/* All of these print what is wrong on stderr, and return a negative errno number then. */
int wire_add(struct wire *wire, const char *name);
void wire_close_last(struct wire *wire);
void wire_close(struct wire *wire);

/* Wait until the far end reaches each port, for as long as timeout_ms. */
int wire_settle(struct wire *wire, unsigned int timeout_ms);

/* Send one frame from a port, and find out who got it. */
int wire_send(struct wire *wire, unsigned int from, const struct vtc_mac *to,
	      uint16_t tci, struct wire_result *ret);

#endif
