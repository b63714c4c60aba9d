/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/relay.h
 * A relay: moves packets between ports, on the caller's thread.
 */
#ifndef VTC_RELAY_H
#define VTC_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/port.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup relay Relays
 * @brief One loop of the caller's, any number of ports, no thread.
 *
 * A relay joins ports in pairs. What comes from the one goes to the other: between two
 * vhost-user ports with one copy, from guest memory to guest memory; between a
 * vhost-user port and a tap with none but the kernel's.
 *
 * The loop of a program that does nothing else:
 *
 *     struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };
 *
 *     while (!stop)
 *             if (vtc_relay_process(relay, 0) == 0)
 *                     poll(&p, 1, -1);
 *
 * vtc_relay_process() looks at all ports in turn. When there is nothing left to do it
 * goes on looking for a moment, which follows the rate at which packets come, and then
 * asks all far sides for a notification; only then does it return 0.
 * @{
 */

/** A relay. */
struct vtc_relay;

/** Options of vtc_relay_new(). Zero in a field means its default. */
struct vtc_relay_opts {
	uint32_t sz;	/**< sizeof(struct vtc_relay_opts). */
	uint32_t flags; /**< No flag is defined: 0. */
	/** Longest look for more packets before going to sleep, in ns; 0: 50000. */
	uint64_t spin_ns;
	uint32_t burst_packets; /**< Packets from one queue in a turn, to 256; 0: 64. */
	uint32_t burst_bytes;	/**< Bytes from one queue in a turn; 0: 1 MiB. */
	/** How long a sender waits for a receiver without buffers, in ms; 0: 10. */
	uint32_t stall_ms;
	uint32_t reserved; /**< Must be 0. */
};

/** Initialiser for struct vtc_relay_opts. */
#define VTC_RELAY_OPTS_INIT                                               \
	{                                                                 \
		(uint32_t)sizeof(struct vtc_relay_opts), 0, 0, 0, 0, 0, 0 \
	}

/**
 * @brief Make a relay.
 * @param[in] ctx the context; that of its ports, too
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_relay the relay; vtc_relay_free() ends it
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL or out of range, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENOMEM memory is out
 * @retval -EMFILE no file descriptor is left (also -ENFILE)
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_relay_new(struct vtc_ctx *ctx, const struct vtc_relay_opts *opts,
			  struct vtc_relay **ret_relay);

/**
 * @brief End a relay and its joins; the ports stay.
 * @param[in] relay the relay, may be NULL
 * @thread{ctx}
 * @since 0.3
 */
VTC_API void vtc_relay_free(struct vtc_relay *relay);

/**
 * @brief Join two ports: what comes from the one goes to the other.
 *
 * Queue n goes to queue n, modulo the number of queues that the other port has ready.
 * A vhost-user port may be joined with itself: the guest gets back what it sends.
 * Closing a port ends the join.
 *
 * @param[in] relay the relay
 * @param[in] a a port
 * @param[in] b a port
 * @retval 0 joined
 * @retval -EINVAL a parameter is NULL, the ports' context is another one, or both are
 *         callbacks, or a tap is joined with itself
 * @retval -EBUSY one of them is joined already
 * @retval -ENOMEM memory is out
 * @return other negative numbers are those of epoll_ctl(2) and of io_uring
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_relay_join(struct vtc_relay *relay, struct vtc_port *a,
			   struct vtc_port *b);

/**
 * @brief The descriptor to wait for (readable) after vtc_relay_process() returned 0.
 * @param[in] relay the relay
 * @return the descriptor, lent: the relay closes it
 * @retval -EINVAL @p relay is NULL
 * @thread{any}
 * @since 0.3
 */
VTC_API int vtc_relay_get_fd(const struct vtc_relay *relay);

/**
 * @brief Move packets, and serve connections; never waits.
 * @param[in] relay the relay
 * @param[in] budget packets to move at most, about; 0: 4096
 * @return how many were moved; 0: there is nothing to do, wait for the descriptor; above
 *         0: there may be more, call again
 * @retval -EINVAL @p relay is NULL
 * @return other negative numbers are those of epoll_wait(2)
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_relay_process(struct vtc_relay *relay, unsigned int budget);

/**
 * @brief Make the descriptor readable, so that who waits for it comes back.
 * @param[in] relay the relay
 * @retval 0 done
 * @retval -EINVAL @p relay is NULL
 * @return other negative numbers are those of write(2)
 * @thread{any}
 * @since 0.3
 */
VTC_API int vtc_relay_wake(struct vtc_relay *relay);

/** How much of what a relay moves goes to a port. Zero asks for nothing. */
struct vtc_port_rate {
	uint32_t sz;	  /**< sizeof(struct vtc_port_rate). */
	uint32_t weight;  /**< Share beside ports of the same kind, 1 to 1000; 0: 1. */
	uint64_t max_bps; /**< Limit, in bits of frames in a second; 0: none. */
};

/** Initialiser for struct vtc_port_rate. */
#define VTC_PORT_RATE_INIT                                   \
	{                                                    \
		(uint32_t)sizeof(struct vtc_port_rate), 0, 0 \
	}

/**
 * @brief Share a relay between its ports: what is given to this one.
 *
 * Deficit round robin by bytes: while several ports have packets waiting to be given to
 * them, each gets its share, and one whose receiver has no room delays no other. Shares
 * are among ports of one kind (vtc_port_info.kind): those on a card do not take from the
 * machines. A limit holds packets back in the sender's queue; nothing is dropped for it,
 * but what comes by an AF_XDP queue of several ports, beyond the port's part of it.
 *
 * @param[in] port the port that the packets go to
 * @param[in] rate weight and limit; NULL: weight 1, no limit
 * @retval 0 set
 * @retval -EINVAL @p port is NULL, sz is too small, the weight is above 1000, or the
 *         limit above 8 Tbit/s
 * @retval -E2BIG @p rate is newer than this library and uses what it adds
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_port_set_rate(struct vtc_port *port, const struct vtc_port_rate *rate);

/** What a relay counts. */
struct vtc_relay_stats {
	uint32_t sz;	   /**< sizeof(struct vtc_relay_stats). */
	uint32_t reserved; /**< 0. */
	uint64_t packets;  /**< Packets moved. */
	uint64_t turns;	   /**< Calls of vtc_relay_process(). */
	uint64_t sleeps;   /**< How often it returned 0. */
	uint64_t wake_ups; /**< How often it found an event afterwards. */
	uint64_t spins;	   /**< How often it went on looking for packets. */
	uint64_t spun_ns;  /**< For how long, in all, it did so in vain. */
};

/**
 * @brief What a relay has counted.
 * @param[in] relay the relay
 * @param[in,out] stats the numbers; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @thread{any}
 * @since 0.3
 */
VTC_API int vtc_relay_get_stats(const struct vtc_relay *relay,
				struct vtc_relay_stats *stats);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
