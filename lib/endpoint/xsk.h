/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An AF_XDP port: sockets on queues of an interface. Which frames come to them is the
 * business of a program on the interface, and so of somebody else (lib/vmdq).
 */
#ifndef VTC__XSK_H
#define VTC__XSK_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/port.h>

#define VTC__XSK_QUEUES_MAX 64u
#define VTC__XSK_VLANS	    4096u

struct vtc__xsk_opts {
	const char *name; /* the interface */
	uint32_t ifindex;
	uint32_t queue_first, queue_count; /* a socket on each */
	uint32_t queue_pairs;		   /* of the port; 0: queue_count */
	uint32_t ring_size, frame_count;   /* 0: the usual */
	bool zerocopy, copy;		   /* must, must not */
	bool generic;			   /* the program is behind the driver */
	bool spread;   /* hash received packets over the queue pairs */
	bool in_place; /* send packets from the guest's memory; needs a queue more */
	bool group;    /* copies of group frames, by a packet socket */
	/* ... in the VLANs whose bits are set (0: untagged); NULL: in all. */
	const uint64_t *vlans;
	/* The port is being closed; data is owner_data. May be NULL. */
	void (*closed)(void *data);
	void *owner_data;
};

int vtc__xsk_open(struct vtc_ctx *ctx, const struct vtc__xsk_opts *opts,
		  struct vtc_port **ret_port);
/* The socket on the n-th queue, lent. */
int vtc__xsk_socket(const struct vtc_port *port, unsigned int n);
/* Copies of group frames are in other VLANs from now on. */
void vtc__xsk_set_vlans(struct vtc_port *port, const uint64_t *vlans);

#endif
