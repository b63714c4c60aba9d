/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A card to put pools on: the veth "card", with its other end "wire", in namespaces of the
 * test's own where everything may be done; and frames to send to it and to look for.
 */
#ifndef VTCT_BED_H
#define VTCT_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>

#define BED_FRAME_MAX 10000u

struct bed {
	struct vtc_ctx *ctx;
	uint32_t card, wire; /* interfaces */
	int sender;	     /* sends on wire: what the card receives */
	int stack;	     /* sees what the card gives to the stack */
	int marker;	     /* sees only what says that all before it is over */
};

/*
 * The card has so many receive queues; what is sent comes on the first, unless steered.
 * Skips the test without root, or where namespaces or veth are forbidden. There is a
 * bpffs on /sys/fs/bpf if asked for, and then surely, else surely none.
 */
void bed_make(struct bed *bed, unsigned int queues, bool bpffs);
/* Close what is open; interfaces and mounts go with the process. */
void bed_end(struct bed *bed);

/* More interfaces, up; their index. A tap that frames for it can be read from. */
uint32_t bed_tap(struct bed *bed, const char *name, int *ret_fd);
uint32_t bed_veth(struct bed *bed, const char *name, const char *peer,
		  unsigned int queues);
uint32_t bed_bridge(struct bed *bed, const char *name);
void bed_enslave(struct bed *bed, uint32_t ifindex, uint32_t master);
void bed_remove(struct bed *bed, uint32_t ifindex);
void bed_set_mtu(struct bed *bed, uint32_t ifindex, uint32_t mtu);
void bed_set_up(struct bed *bed, uint32_t ifindex);
void bed_set_gro(const char *name, bool on);
/* The queueing discipline at which programs look at what an interface receives. */
void bed_clsact(struct bed *bed, uint32_t ifindex);
uint32_t bed_index(struct bed *bed, const char *name);

/* A packet socket on an interface that takes what is received there. */
int bed_listen(uint32_t ifindex);

/* A frame: to an address, with a tag or none (-1), and bytes that follow from a seed. */
size_t bed_frame(uint8_t *frame, const uint8_t to[6], int tag, size_t len, uint32_t seed);
void bed_send(int sender, const void *frame, size_t len);
/*
 * The next frame of ours at a packet socket (with its tag where it was on the wire) or a
 * tap: its length, or 0 if there is none. Frames that others made are skipped.
 */
size_t bed_receive(int fd, uint8_t *frame);
/* Wait until what was sent to the card is over. */
void bed_settle(struct bed *bed);
/* What comes next there, of what was sent, is exactly this frame; len 0: nothing. */
bool bed_expect(struct bed *bed, int fd, const uint8_t *frame, size_t len);

#endif
