/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports of the library in one relay, each with a callback of its own, and another program
 * at the far side that sends everything back: what is sent must return, every byte, in
 * order, and nothing else.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <vtc/vtc.h>

#define PEER_PORTS_MAX 8

/* What the other program does to a frame before it sends it back. */
enum peer_swap {
	PEER_SAME,
	PEER_MAC,   /* swaps the MAC addresses */
	PEER_TUPLE, /* and the IP addresses, and the UDP ports */
};

struct peer;

struct testpmd;

/* Skips the test if there is no testpmd. */
struct peer *peer_new(void);
void peer_free(struct peer *peer);

/* Open and join one more port; its number, from 0. */
unsigned int peer_open(struct peer *peer, const struct vtc_vhost_user_opts *opts);

struct vtc_port_info peer_info(const struct peer *peer, unsigned int port);

/* Fails if a feature was negotiated and should not have been, or the other way. */
void peer_check_feature(const struct peer *peer, unsigned int port, unsigned int bit,
			bool want);

/* Where the socket of a port is, in the directory of this test. */
void peer_socket(char path[64], unsigned int port);

/* Do what there is to do; sleep for a millisecond if it is nothing. */
void peer_serve(void *peer);

/* Until so many ports are ready, or not connected any more; fails if that takes long. */
void peer_wait_ready(struct peer *peer, unsigned int count);
void peer_wait_gone(struct peer *peer);

/* Fails if it does not do that. */
void peer_order(struct testpmd *t, const char *line);

/* On each port so many frames of these sizes in turn, and back; fails if not. */
void peer_exchange(struct peer *peer, struct testpmd *t, enum peer_swap swap,
		   const uint32_t *sizes, unsigned int size_count, unsigned int frames);

/*
 * It makes frames itself, each of such pieces ("64,100"): on each port take so many of
 * this size. What still comes afterwards is of no interest.
 */
void peer_receive(struct peer *peer, struct testpmd *t, const char *pieces, uint32_t size,
		  unsigned int frames);
void peer_ignore(struct peer *peer);

#endif
