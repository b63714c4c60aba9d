/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An AF_XDP port from the inside. */
#ifndef VTC__XSK_PORT_H
#define VTC__XSK_PORT_H

#include "port.h"
#include "xsk-group.h"
#include "xsk-umem.h"
#include "xsk.h"

/* Frames of one received packet at most; the kernel makes no more than 18. */
#define VTC__XSK_PIECES 32u

/* A piece of a packet that was received, or a whole one. */
struct vtc__xsk_piece {
	uint8_t *data;
	uint32_t len;
	uint16_t socket;
	uint16_t more; /* the next one is of the same packet */
};

/*
 * Packets of a queue pair that have not been taken yet. Sockets' rings are emptied in
 * order; with them alone a packet of one queue pair would wait for those of another.
 */
struct vtc__xsk_fifo {
	struct vtc__xsk_piece *pieces;
	uint32_t mask;
	uint32_t first, end;
};

struct vtc__xsk;
struct vtc__xsk_place;

struct vtc__xsk_socket {
	struct vtc__xsk *xsk;
	unsigned int index;
	struct vtc__watch watch; /* the socket that receives */
	int sender;
	struct vtc__timer timer; /* to send what the kernel did not, or look for room */
	struct vtc__umem *umem;	 /* NULL: not open */
	struct vtc__umem_user user; /* of its frames, to send */
	struct vtc__xsk_ring rx, tx;
};

struct vtc__xsk {
	struct vtc_port port;
	char name[16]; /* of the interface, when it was opened */
	uint32_t ifindex;
	bool spread;
	bool gone; /* the interface was removed; it will not come back */
	const char *error;
	void (*closed)(void *data);
	void *owner_data;
	struct vtc__watch links;      /* news of interfaces */
	struct vtc__xsk_group *group; /* NULL: no copies of group frames */
	unsigned int group_taken;     /* of the burst that is taken now */
	unsigned int count;	      /* sockets */
	struct vtc__xsk_socket *sockets;
	struct vtc__xsk_fifo *fifos;  /* port.queue_pairs */
	struct vtc__xsk_place *place; /* NULL: all that is sent is copied */
};

static inline struct vtc__xsk *vtc__xsk_of(struct vtc_port *port)
{
	return (struct vtc__xsk *)port;
}

/* ---- Packets that come (xsk-receive.c) ---- */

int vtc__xsk_make_fifos(struct vtc__xsk *x, uint32_t frame_count);
void vtc__xsk_free_fifos(struct vtc__xsk *x);
int vtc__xsk_take(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		  unsigned int max);
void vtc__xsk_give_back(struct vtc_port *port, unsigned int queue,
			struct vtc__burst *burst, unsigned int taken, unsigned int used);
unsigned int vtc__xsk_excess(struct vtc_port *port, unsigned int queue);
bool vtc__xsk_arm_take(struct vtc_port *port, unsigned int queue);
/* All that came goes back to where frames belong, before a socket is closed. */
void vtc__xsk_drain(struct vtc__xsk *x);

/* ---- Packets that go (xsk-send.c) ---- */

int vtc__xsk_reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		     unsigned int max);
void vtc__xsk_commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		     unsigned int taken, unsigned int used);
bool vtc__xsk_arm_reserve(struct vtc_port *port, unsigned int queue);
/* Send what is left to send, now; again later if the kernel has no room. */
void vtc__xsk_kick(struct vtc__xsk_socket *s);
/* What was not sent when a socket is closed. */
void vtc__xsk_unsend(struct vtc__xsk_socket *s);
/* Packets are no longer than an interface of this MTU sends. */
void vtc__xsk_set_mtu(struct vtc__xsk *x, uint32_t mtu);

/* ---- The interface (xsk-link.c) ---- */

int vtc__xsk_open_link(struct vtc__xsk *x);
/* A system call on the socket says how the interface is; and make one to hear it. */
void vtc__xsk_heard(struct vtc__xsk *x, int err);
void vtc__xsk_look(struct vtc__xsk *x);

/* The queue pair that a packet of some flow goes to (xsk-spread.c). */
unsigned int vtc__xsk_spread(const uint8_t *packet, uint32_t len, unsigned int count);

#endif
