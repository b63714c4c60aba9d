/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A well-behaved vhost-user frontend with a driver: sealed memory in two regions, whose
 * guest addresses, user addresses and places in the file have nothing to do with each
 * other. Memory and driver outlive connections. What is not to fail is checked here.
 */
#ifndef VTCT_VHOSTFRONT_H
#define VTCT_VHOSTFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vring.h>

#include "endpoint/vhost-message.h"
#include "vhostclient.h"

#define VHOSTFRONT_RINGS   8
#define VHOSTFRONT_REGIONS 2

/* Zero in a field means its default. */
struct vhostfront_plan {
	uint64_t features_off; /* of those that are offered */
	uint64_t protocol_off;
	unsigned int queue_pairs; /* 1 */
	unsigned int ring_size;	  /* 64 */
	unsigned int buffer_len;  /* 2048 */
	bool old;		  /* no protocol features */
	bool unsealed;
	bool inflight; /* records of what is in flight */
};

struct vhostfront_ring {
	struct vtc_vring *vring;
	int kick, call, err;
	uint32_t base;	/* for the next start */
	uint64_t at[3]; /* guest addresses: descriptors, driver's part, device's part */
	unsigned int *free, free_count;
};

struct vhostfront {
	struct vhostfront_plan plan;
	void (*step)(void *data); /* lets the backend work */
	void *data;
	int fd;
	struct vtc_ctx *ctx;
	struct vtc_mem *mem;
	int memfd;
	uint8_t *memory;
	struct vtc__vhost_region regions[VHOSTFRONT_REGIONS];
	uint64_t features, protocol;
	int inflight_fd;
	struct vtc__vhost_inflight inflight;
	unsigned int rings;
	struct vhostfront_ring ring[VHOSTFRONT_RINGS];
};

struct vhostfront *vhostfront_new(struct vtc_ctx *ctx, const struct vhostfront_plan *plan,
				  void (*step)(void *data), void *data);
void vhostfront_free(struct vhostfront *f);

/* ---- Messages ---- */

void vhostfront_connect(struct vhostfront *f, const char *path);
void vhostfront_disconnect(struct vhostfront *f);
/* True: the backend has left. */
bool vhostfront_is_alone(struct vhostfront *f);

/* Send, with REPLY_ACK if that was negotiated: the acknowledgement, or 0. */
uint64_t vhostfront_tell(struct vhostfront *f, uint32_t request, const void *payload,
			 uint32_t size, int fd);
uint64_t vhostfront_tell_u64(struct vhostfront *f, uint32_t request, uint64_t value);
/* The same without waiting for anything. */
void vhostfront_say(struct vhostfront *f, uint32_t request, const void *payload,
		    uint32_t size, int fd);
/* Ask: the reply, which must come. */
struct vhostclient_reply vhostfront_ask(struct vhostfront *f, uint32_t request,
					const void *payload, uint32_t size);
uint64_t vhostfront_ask_u64(struct vhostfront *f, uint32_t request);

uint64_t vhostfront_set_features(struct vhostfront *f, uint64_t more);
uint64_t vhostfront_set_memory(struct vhostfront *f);
uint64_t vhostfront_set_addr(struct vhostfront *f, unsigned int ring);
void vhostfront_enable(struct vhostfront *f, unsigned int ring, bool on);
void vhostfront_kick_off(struct vhostfront *f, unsigned int ring);

/* What QEMU does when it has connected, and when the guest's driver is ready. */
void vhostfront_hello(struct vhostfront *f);
void vhostfront_start(struct vhostfront *f);
void vhostfront_start_ring(struct vhostfront *f, unsigned int ring);
/* All that DPDK's virtio-user does. */
void vhostfront_start_dpdk(struct vhostfront *f);
uint32_t vhostfront_stop_ring(struct vhostfront *f, unsigned int ring);
void vhostfront_stop(struct vhostfront *f);

/* ---- The driver ---- */

uint64_t vhostfront_user(const struct vhostfront *f, uint64_t guest_addr);
uint8_t *vhostfront_at(const struct vhostfront *f, uint64_t guest_addr);
uint64_t vhostfront_slot(const struct vhostfront *f, unsigned int ring,
			 unsigned int slot);

/* New rings, as after a reset of the guest. */
void vhostfront_reset_rings(struct vhostfront *f);

/* Offer receive buffers; how many. */
unsigned int vhostfront_post(struct vhostfront *f, unsigned int pair, unsigned int count);
/* Send packet number n in some pieces; without a kick if it is quiet. */
void vhostfront_send(struct vhostfront *f, unsigned int pair, unsigned int len,
		     unsigned int number, unsigned int pieces, bool quiet);
/* Packets that the device has not given back. */
unsigned int vhostfront_unsent(struct vhostfront *f, unsigned int pair);
/* A packet that came, without header: its length (0: an empty buffer), or -1. */
long vhostfront_receive(struct vhostfront *f, unsigned int pair, uint8_t *packet,
			unsigned int room);
void vhostfront_expect(struct vhostfront *f, unsigned int pair, unsigned int len,
		       unsigned int number);
void vhostfront_expect_none(struct vhostfront *f, unsigned int pair);

/* How often it was rung since the last look. */
uint64_t vhostfront_heard(int eventfd);

#endif
