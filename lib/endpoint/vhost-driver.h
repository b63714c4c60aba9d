/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The driver side of a network device's two kinds of rings, with buffers of a pool. Both
 * outlive the connection: what a backend had completed is kept when it goes, and what it
 * had not is given to the next one.
 *
 * Functions that give chains to the backend return 1 if it is to be notified, 0 if not,
 * or -EPROTO: the ring is broken. Without a ring they do what is left to do: 0.
 */
#ifndef VTC__VHOST_DRIVER_H
#define VTC__VHOST_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "vhost-pool.h"

/* A receive buffer that came back. The first one of a packet speaks for all of them. */
struct vtc__vhost_came {
	uint32_t id;
	uint32_t len;
	uint32_t buffers; /* of the packet */
	bool bad;
};

/* Receiving. came[] is a queue: head..parsed are whole packets, parsed..tail are not. */
struct vtc__vhost_rx {
	const struct vtc__vhost_pool *pool;
	struct vtc_vring *vring; /* while connected */
	struct vtc__vhost_came *came;
	bool *away; /* by buffer: in came[]; valid while starting */
	uint32_t ring;
	uint32_t mask;
	uint32_t head, parsed, tail;
	bool mergeable;
};

/* A transmit buffer, linked to the next of its packet. */
struct vtc__vhost_slot {
	uint64_t seq; /* of a packet's first buffer, while the backend has it; else 0 */
	uint32_t len;
	uint32_t next;
	uint32_t buffers; /* of the packet */
};

/* Transmitting. free[] is a queue. */
struct vtc__vhost_tx {
	const struct vtc__vhost_pool *pool;
	struct vtc_vring *vring; /* while connected */
	struct vtc__vhost_slot *slot;
	struct vtc__vhost_slot **sorted; /* valid while starting */
	uint32_t *free;
	uint64_t seq;
	uint32_t ring;
	uint32_t mask;
	uint32_t head, tail;
	uint32_t unused; /* buffers that reserve() saw free and commit() left */
};

/* 0, or -ENOMEM; close() then, too. */
int vtc__vhost_rx_open(const struct vtc__vhost_pool *pool, uint32_t ring,
		       struct vtc__vhost_rx *rx);
void vtc__vhost_rx_close(struct vtc__vhost_rx *rx);
int vtc__vhost_tx_open(const struct vtc__vhost_pool *pool, uint32_t ring,
		       struct vtc__vhost_tx *tx);
void vtc__vhost_tx_close(struct vtc__vhost_tx *tx);

/* A new ring, which is theirs now. */
int vtc__vhost_rx_start(struct vtc__vhost_rx *rx, struct vtc_vring *vring,
			bool mergeable);
int vtc__vhost_tx_start(struct vtc__vhost_tx *tx, struct vtc_vring *vring);

/* The backend has gone: keep what it completed. */
void vtc__vhost_rx_stop(struct vtc__vhost_rx *rx);
void vtc__vhost_tx_stop(struct vtc__vhost_tx *tx);

/* Forget packets that no backend completed; how many. Only when stopped. */
unsigned int vtc__vhost_tx_forget(struct vtc__vhost_tx *tx);

/*
 * As the operations of a port. take() stops before a packet that is none; how many such
 * are to be given back before all others is told by bad().
 */
int vtc__vhost_rx_take(struct vtc__vhost_rx *rx, struct vtc__burst *burst,
		       unsigned int max);
unsigned int vtc__vhost_rx_bad(const struct vtc__vhost_rx *rx);
int vtc__vhost_rx_give_back(struct vtc__vhost_rx *rx, unsigned int used);
bool vtc__vhost_rx_arm(struct vtc__vhost_rx *rx);
int vtc__vhost_tx_reserve(struct vtc__vhost_tx *tx, struct vtc__burst *burst,
			  unsigned int max);
int vtc__vhost_tx_commit(struct vtc__vhost_tx *tx, const struct vtc__burst *burst,
			 unsigned int used);
bool vtc__vhost_tx_arm(struct vtc__vhost_tx *tx);

/* Nothing has come that is not taken. */
static inline bool vtc__vhost_rx_empty(const struct vtc__vhost_rx *rx)
{
	return rx->head == rx->parsed;
}

#endif
