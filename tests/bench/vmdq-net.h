/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wires for the measuring of pools, in namespaces of this process's own, and what sends
 * frames into them: as they come from a driver that knows XDP, or as the stack sends
 * them.
 */
#ifndef VMDQ_NET_H
#define VMDQ_NET_H

#include <stddef.h>
#include <stdint.h>

#define NET_SMALL 64u
#define NET_LARGE 1514u

/* Why it cannot be had, or NULL. */
const char *net_enter(void);

/* Run a command line; anything but success ends the program. */
void net_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A veth pair of one queue: what goes into "a..." comes out of "b...". Its far end takes
 * XDP frames with a program and without.
 */
struct net_wire {
	char in[16], out[16];
	int in_index, out_index;
};

void net_wire(struct net_wire *wire, const char *name);
/* The same with a queue more to send by, out of its far end. */
void net_wire_more(struct net_wire *wire, const char *name);
/* A bridge of two interfaces; frames for the guest's address go to the second. */
void net_bridge(const char *name, const char *from, const char *to);
/* A tap whose frames are read() without a header. */
int net_tap(const char *name);
uint64_t net_received(const char *name);

/* Frames are IPv4 and UDP to 02:00:00:00:xx:xx, the guest's is number 1. */
void net_frame(uint8_t *frame, size_t len, unsigned int number);

/* ---- Senders ---- */

/*
 * XDP frames: into the wire, 64 at a time, to so many receivers (a power of 2) by chance.
 * This thread receives them as well, up to where they are taken by somebody.
 */
void net_send_frames(const struct net_wire *wire, size_t len, unsigned int receivers,
		     unsigned int count);
/* The same to one, by a thread on the first processor, until it is ended. */
void net_flood_begin(const struct net_wire *wire, size_t len);
void net_flood_end(void);
/* How long it ran. */
uint64_t net_flood_ns(void);

/* Packets of the stack: a socket, and sending 64 at a time. */
int net_socket(const struct net_wire *wire);
void net_send_packets(int fd, size_t len, unsigned int count);

/* ---- Programs, of instructions ---- */

int net_program_drop(void);
/* Every frame to the socket of its queue. */
int net_program_to_socket(int sockets);
/* In the driver. */
void net_attach(int ifindex, int program);
/* This thread from now on. */
void net_pin(unsigned int processor);

#endif
