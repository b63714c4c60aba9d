/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scripted vhost-user backend with a device: does what it is told by a frontend, except
 * where the script has it refuse, fall silent, or hang up. Never waits.
 */
#ifndef VTCT_VHOSTBACK_H
#define VTCT_VHOSTBACK_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vring.h>

#include "endpoint/vhost-message.h"

#define VHOSTBACK_RINGS	  8
#define VHOSTBACK_HISTORY 256

struct vhostback_ring {
	uint32_t num, base;
	struct vtc__vhost_addr addr;
	int kick, call;
	bool enabled;
	struct vtc_vring *vring; /* of the device, once it was asked for */
};

struct vhostback {
	int fd; /* -1: hung up */
	/* The script. */
	uint64_t offered, protocol_offered, queues;
	uint32_t refuse; /* request to acknowledge with a failure */
	int silent_from; /* number of the message from which on nothing is replied */
	int hang_up_at;	 /* likewise */
	/* What the frontend said. */
	uint64_t features, protocol;
	uint32_t history[VHOSTBACK_HISTORY];
	unsigned int messages;
	unsigned int surplus; /* descriptors that came where none belong */
	int memfd;
	struct vtc__vhost_region region;
	uint8_t *memory;
	struct vtc_ctx *ctx;
	struct vtc_mem *mem;
	struct vhostback_ring ring[VHOSTBACK_RINGS];
};

/* With all features; fd becomes its own. */
void vhostback_open(struct vhostback *b, int fd);
void vhostback_close(struct vhostback *b);
void vhostback_hang_up(struct vhostback *b);

/* Serve what has come. False: the frontend has hung up. */
bool vhostback_serve(struct vhostback *b);

/* Reply, with a flag of its own. */
void vhostback_reply(struct vhostback *b, uint32_t request, const void *payload,
		     uint32_t size);

/* The device's end of a ring, which is made when first asked for. */
struct vtc_vring *vhostback_vring(struct vhostback *b, unsigned int ring);
/* What is at an address of the frontend's. */
uint8_t *vhostback_at(const struct vhostback *b, uint64_t user_addr);

#endif
