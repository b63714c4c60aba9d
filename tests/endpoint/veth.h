/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A wire in a network namespace: two interfaces, the near one with a program that sorts
 * frames to AF_XDP sockets, the far one read and written by a packet socket.
 */
#ifndef VTCT_VETH_H
#define VTCT_VETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VETH_NEAR "near0"
#define VETH_FAR  "far0"

struct veth {
	uint32_t ifindex; /* of the near one */
	int map, link;	  /* of the program; -1: none */
	int wire;	  /* a packet socket on the far one */
};

/* Needs root; else the test is skipped. */
void veth_enter(void);
struct veth veth_new(unsigned int mtu);
/* With so many queues of the near one, to receive and to send by. */
struct veth veth_new_queues(unsigned int mtu, unsigned int rx, unsigned int tx);
void veth_free(struct veth *v);

/*
 * Frames with this last byte of their destination address (modulo 16), of a queue, go to
 * the socket; -1: to none.
 */
void veth_sort(const struct veth *v, unsigned int queue, unsigned int last, int fd);

void veth_send(const struct veth *v, const void *frame, size_t len);
/* Length of the next frame that reached the far end, or -1. Waits if told to. */
long veth_receive(const struct veth *v, void *frame, size_t room, bool wait);

/* Wait until frames can be sent: a carrier comes some time after both are up. */
void veth_await_carrier(void);

/* As system(3), but it must not fail. */
void veth_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
