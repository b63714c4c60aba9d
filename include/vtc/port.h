/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/port.h
 * Ports: where packets come in and go out.
 */
#ifndef VTC_PORT_H
#define VTC_PORT_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/mem.h>
#include <vtc/nethdr.h>
#include <vtc/vring.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup port Ports
 * @brief A virtual machine's network device, a tap interface, a card's queues, or the
 *        caller's own code.
 *
 * A port has one or more queue pairs. @em Received packets (rx) are those that come from
 * the port's far side (sent by the guest, read from the tap); @em transmitted ones (tx)
 * are given to it. A relay (vtc/relay.h) joins two ports and moves the packets; without
 * one, a port does nothing.
 *
 * | port | opened by | far side |
 * | --- | --- | --- |
 * | vhost-user backend | vtc_port_open_vhost_user() | a virtual machine's driver |
 * | vhost-user frontend | vtc_port_open_vhost_user() | another program's device |
 * | tap | vtc_port_open_tap() | the network stack of this machine |
 * | callback | vtc_port_new_callback() | a function of the caller |
 * | AF_XDP | vtc_pool_open_port() (vtc/agency.h) | a pool of a network card |
 *
 * **Descriptors.** Every file descriptor can be passed in instead of being opened here,
 * so that a program can drop its rights before. What is passed in is duplicated; the
 * caller closes its own.
 *
 * **System calls.** While packets flow, with everything passed in and connected, a relay
 * makes these and no others: epoll_wait (epoll_pwait where there is none), poll and write
 * (doorbells), timerfd_settime and read (a wait with an end, vtc_relay_wake()), and
 * clock_gettime where that is a system call. A tap adds readv and writev, and with
 * io_uring io_uring_enter; AF_XDP adds sendto and recvfrom, with copies of group frames
 * recvmsg. Where it sends in place it adds, whenever the memory is new: socket, bind,
 * setsockopt, getsockopt, mmap, mprotect, madvise, mremap, munmap and close. Connections
 * add: accept4, recvmsg, sendmsg, socket, connect, epoll_ctl, mmap, munmap, madvise, brk,
 * fcntl, fstat, fstatfs, close, and for in-flight records memfd_create and ftruncate; a
 * tap's ioctl when the guest's offloads change.
 * io_uring serves the thread that called vtc_relay_join(): where another one processes,
 * it makes a ring of its own at its first packets (io_uring_setup, io_uring_register).
 *
 * **Threads.** A port belongs to the thread of its context; so does the relay it is
 * joined in. Only vtc_port_get_stats() may be called from anywhere. For one loop on
 * each core, make one context for each.
 * @{
 */

/** @name More feature bits of a network device
 *  The number is the bit; see vtc_vring_opts.features and vtc/nethdr.h.
 *  @{ */
#define VTC_NET_F_MTU		 3  /**< The device tells an MTU. */
#define VTC_NET_F_MAC		 5  /**< The device tells its MAC address. */
#define VTC_NET_F_STATUS	 16 /**< The device tells its link's state. */
#define VTC_NET_F_CTRL_VQ	 17 /**< There is a control queue. */
#define VTC_NET_F_CTRL_RX	 18 /**< Receive modes by control queue. */
#define VTC_NET_F_GUEST_ANNOUNCE 21 /**< The driver announces itself when asked. */
#define VTC_NET_F_MQ		 22 /**< More than one queue pair. */
/** @} */

/** Most queue pairs of a port. */
#define VTC_PORT_QUEUE_PAIRS_MAX 64

/** A port. */
struct vtc_port;

/** @name vtc_vhost_user_opts.flags
 *  @{ */
/** Connect to @ref vtc_vhost_user_opts.path, again and again, instead of listening. */
#define VTC_VHOST_USER_F_CONNECT   (1u << 0)
/** The peer is trusted not to shorten the memory that it shares; see vtc/mem.h. */
#define VTC_VHOST_USER_F_TRUSTED   (1u << 1)
/** @ref vtc_vhost_user_opts.fd is a listening socket, not a connected one. */
#define VTC_VHOST_USER_F_LISTENING (1u << 2)
/** @} */

/** Options of vtc_port_open_vhost_user(). Zero in a field means its default. */
struct vtc_vhost_user_opts {
	uint32_t sz;	  /**< sizeof(struct vtc_vhost_user_opts). */
	uint32_t flags;	  /**< VTC_VHOST_USER_F_ bits. */
	uint32_t role;	  /**< #VTC_VRING_DEVICE: backend; #VTC_VRING_DRIVER: frontend. */
	int32_t fd;	  /**< A UNIX stream socket, if @ref path is NULL. Duplicated. */
	const char *path; /**< Socket to listen at or connect to; NULL: see @ref fd. */
	/**
	 * Feature bits not to offer (backend) or not to take (frontend), as in
	 * vtc_vring_opts.features.
	 */
	uint64_t features_off[2];
	uint32_t queue_pairs; /**< Most queue pairs; 0: 1. */
	uint32_t ring_size;   /**< Frontend: descriptors of each ring; 0: 256. */
	uint32_t buffer_size; /**< Frontend: bytes of each buffer; 0: 2048. */
	uint16_t mtu;	      /**< Backend: MTU to tell the driver; 0: none. */
	uint8_t mac[6];	      /**< MAC address of the device; zero: the peer's choice. */
	uint32_t reserved;    /**< Must be 0. */
};

/** Initialiser for struct vtc_vhost_user_opts. */
#define VTC_VHOST_USER_OPTS_INIT                                                        \
	{                                                                               \
		(uint32_t)sizeof(struct vtc_vhost_user_opts), 0, 0, -1, 0, { 0, 0 }, 0, \
			0, 0, 0, { 0 }, 0                                               \
	}

/**
 * @brief Open a vhost-user port: the backend or the frontend of a virtio-net device.
 *
 * As backend it serves a virtual machine (or DPDK's virtio-user): the other program owns
 * the memory and the driver side of the rings. As frontend it owns memory and driver
 * side, and the other program (such as DPDK's vhost) is the device.
 *
 * A socket at a path is made here and removed by vtc_port_close(); a socket that nobody
 * listens at any more is replaced. One peer is served at a time; when it goes, the next
 * may come. With #VTC_VHOST_USER_F_CONNECT, or as frontend with a path, the connection
 * is tried again twice a second. With a connected @ref vtc_vhost_user_opts.fd the port
 * stays down after the first connection ended.
 *
 * @param[in] ctx the context
 * @param[in] opts options
 * @param[out] ret_port the port; vtc_port_close() ends it
 * @retval 0 opened; whether a peer is there yet is told by vtc_port_get_info()
 * @retval -EINVAL a parameter is NULL or out of range, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -EADDRINUSE somebody listens at the path, or a file is there that is no socket
 * @retval -ENAMETOOLONG the path does not fit a socket address (107 bytes)
 * @retval -ENOTSOCK the descriptor is no UNIX stream socket
 * @retval -ENOMEM memory is out
 * @retval -EMFILE no file descriptor is left
 * @return other negative numbers are those of socket(2), bind(2) and connect(2)
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_open_vhost_user(struct vtc_ctx *ctx,
				     const struct vtc_vhost_user_opts *opts,
				     struct vtc_port **ret_port);

/** @name vtc_tap_opts.flags
 *  @{ */
/** Do not use io_uring. */
#define VTC_TAP_F_NO_URING (1u << 0)
/** @} */

/** Options of vtc_port_open_tap(). Zero in a field means its default. */
struct vtc_tap_opts {
	uint32_t sz;	      /**< sizeof(struct vtc_tap_opts). */
	uint32_t flags;	      /**< VTC_TAP_F_ bits. */
	const char *name;     /**< Interface to make or attach to; NULL: use @ref fds. */
	const int32_t *fds;   /**< Queues of one tap, one each. Duplicated. */
	uint32_t queue_pairs; /**< How many queues; 0: 1. With @ref fds their number. */
	uint32_t reserved;    /**< Must be 0. */
};

/** Initialiser for struct vtc_tap_opts. */
#define VTC_TAP_OPTS_INIT                                            \
	{                                                            \
		(uint32_t)sizeof(struct vtc_tap_opts), 0, 0, 0, 0, 0 \
	}

/**
 * @brief Open a tap port: an interface of this machine's network stack.
 *
 * An interface that does not exist is made, and vanishes with the port; one that exists
 * (and is persistent) stays. It is not brought up, and not joined to any bridge: that is
 * the caller's business (ip-link(8)).
 *
 * Packets go between the kernel and the far side's own buffers, in batches by io_uring
 * where that is allowed (it is tried here) and worth it (measured here, too), else one by
 * one. Open files that are passed in become non-blocking.
 *
 * @param[in] ctx the context
 * @param[in] opts options
 * @param[out] ret_port the port; vtc_port_close() ends it
 * @retval 0 opened
 * @retval -EINVAL a parameter is NULL or out of range, a flag is unknown, the name is
 *         none, or the interface is no tap, or has no virtio header (IFF_VNET_HDR)
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -EPERM CAP_NET_ADMIN is missing, and the tap belongs to somebody else
 * @retval -EACCES this user may not open /dev/net/tun
 * @retval -EBUSY all queues of the interface are in use
 * @retval -ENODEV there is no /dev/net/tun
 * @retval -EBADF a descriptor is not open
 * @retval -ENOMEM memory is out
 * @return other negative numbers are those of open(2) and the ioctls of tun
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_open_tap(struct vtc_ctx *ctx, const struct vtc_tap_opts *opts,
			      struct vtc_port **ret_port);

/** A packet that a callback looks at, or that vtc_port_send() sends. */
struct vtc_packet {
	const struct vtc_segment *segments; /**< The packet, from its MAC addresses on. */
	uint32_t count;			    /**< How many segments. */
	uint32_t len;			    /**< Sum of their lengths in bytes. */
	struct vtc_nethdr header; /**< What is still to be done to it; zero: nothing. */
	uint32_t reserved;	  /**< Must be 0. */
};

/**
 * @brief Takes packets where they lie.
 * @param data what vtc_callback_opts.data was
 * @param queue number of the queue that they came from
 * @param packets the packets; valid until the function returns
 * @param count how many, at least 1
 * @return how many were taken, from the first on; the rest is offered again later (but
 *         not what comes from a tap: that is dropped)
 *
 * The memory belongs to a guest, which may change it at any moment: look at each byte
 * once. The function may call vtc_port_send(), and nothing else of the relay's ports.
 */
typedef unsigned int (*vtc_packets_fn)(void *data, unsigned int queue,
				       const struct vtc_packet *packets,
				       unsigned int count);

/** @name vtc_callback_opts.flags
 *  @{ */
/** Large packets and packets without checksum are taken, too. */
#define VTC_CALLBACK_F_OFFLOAD (1u << 0)
/** @} */

/** Options of vtc_port_new_callback(). */
struct vtc_callback_opts {
	uint32_t sz;		/**< sizeof(struct vtc_callback_opts). */
	uint32_t flags;		/**< VTC_CALLBACK_F_ bits. */
	vtc_packets_fn packets; /**< Not NULL. */
	void *data;		/**< Passed to @ref packets. */
};

/** Initialiser for struct vtc_callback_opts. */
#define VTC_CALLBACK_OPTS_INIT                                      \
	{                                                           \
		(uint32_t)sizeof(struct vtc_callback_opts), 0, 0, 0 \
	}

/**
 * @brief Make a port that is a function of the caller.
 *
 * Packets of the port that it is joined with are given to the function; to answer, send
 * to that port with vtc_port_send().
 *
 * @param[in] ctx the context
 * @param[in] opts options
 * @param[out] ret_port the port; vtc_port_close() ends it
 * @retval 0 made
 * @retval -EINVAL a parameter or the function is NULL, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_new_callback(struct vtc_ctx *ctx,
				  const struct vtc_callback_opts *opts,
				  struct vtc_port **ret_port);

/**
 * @brief End a port; a join that it is in ends with it.
 * @param[in] port the port, may be NULL
 * @thread{ctx}
 * @since 0.3
 */
VTC_API void vtc_port_close(struct vtc_port *port);

/**
 * @brief Send packets to the far side of a port that is joined in a relay.
 *
 * Each is copied once (vhost-user) or handed to the kernel (tap). What the far side did
 * not negotiate is done in software.
 *
 * @param[in] port the port
 * @param[in] queue number of the queue, from 0; beyond the active ones: modulo
 * @param[in] packets the packets
 * @param[in] count how many
 * @return how many are done with, from the first on: sent, or dropped and counted because
 *         they never fit; fewer than @p count if the far side has no room or is not there
 * @retval -EINVAL a parameter is NULL, or @p port is a callback or is not joined
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_send(struct vtc_port *port, unsigned int queue,
			  const struct vtc_packet *packets, unsigned int count);

/** What a port counts for each queue pair, since it was opened. */
struct vtc_port_stats {
	uint32_t sz;	     /**< sizeof(struct vtc_port_stats). */
	uint32_t reserved;   /**< 0. */
	uint64_t rx_packets; /**< Came from the far side. */
	uint64_t rx_bytes;   /**< Their bytes, without virtio header. */
	uint64_t tx_packets; /**< Given to the far side. */
	uint64_t tx_bytes;   /**< Their bytes, without virtio header. */
	/** Came with an impossible header or length; AF_XDP: or found no room, too. */
	uint64_t rx_dropped_bad;
	uint64_t tx_dropped_room;    /**< The far side had no buffer for too long. */
	uint64_t tx_dropped_size;    /**< Larger than the far side can take. */
	uint64_t tx_dropped_error;   /**< Refused by the kernel. */
	uint64_t tx_dropped_down;    /**< Nobody is there, or the queue is off. */
	uint64_t notifications_sent; /**< Doorbells rung at the far side. */
	uint64_t notifications_suppressed; /**< Bursts for which it wanted none. */
	uint64_t notifications_received;   /**< Doorbells heard. */
	uint64_t copies;    /**< Packets copied by this library, in or out. */
	uint64_t sys_calls; /**< System calls that moved packets. */
};

/**
 * @brief What a port has counted.
 *
 * Each number is read whole; all of them together are no snapshot.
 *
 * @param[in] port the port
 * @param[in] queue number of the queue pair, from 0
 * @param[in,out] stats the numbers; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @retval -ERANGE there is no such queue pair
 * @thread{any}
 * @since 0.3
 */
VTC_API int vtc_port_get_stats(const struct vtc_port *port, unsigned int queue,
			       struct vtc_port_stats *stats);

/** What a port is, and how it is. */
struct vtc_port_info {
	uint32_t sz;		/**< sizeof(struct vtc_port_info). */
	uint32_t connected;	/**< 1: a peer is there (a tap's always is), else 0. */
	uint32_t ready;		/**< Queue pairs that can move packets now. */
	uint32_t queue_pairs;	/**< Most queue pairs. */
	uint64_t features[2];	/**< What was negotiated; a tap: what it takes. */
	uint64_t connections;	/**< How often a peer came. */
	uint32_t uses_uring;	/**< 1: packets go by io_uring, else 0. */
	uint32_t uses_zerocopy; /**< 1: AF_XDP without the kernel's copy, else 0. */
	const char *kind;  /**< "vhost-user backend", "vhost-user frontend", "tap", ... */
	const char *name;  /**< Path or interface; lent by the port; "" if none. */
	const char *error; /**< Why the last peer was left; lent; NULL: nothing wrong. */
};

/**
 * @brief What a port is, and how it is.
 * @param[in] port the port
 * @param[in,out] info written; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_get_info(const struct vtc_port *port, struct vtc_port_info *info);

/**
 * @brief Write what passes a port to a file, as pcapng, both directions.
 *
 * Packets are written with the time, the direction and the queue as they pass; large ones
 * as they are, and with a checksum that is still missing if it is. The one capture of the
 * port that may be on ends before.
 *
 * A reader that is slow is never waited for: a packet that cannot be written at once is
 * left out and counted in the interface statistics that end the capture. When a reader
 * has gone or there is no room on the disk, the capture ends and the log says so; no
 * signal is raised. The flags of the open file are left as they are.
 *
 * Beside the system calls named above, this makes writev or sendmsg, rt_sigprocmask,
 * rt_sigpending and rt_sigtimedwait, and for a pipe poll.
 *
 * @param[in] port the port
 * @param[in] fd file, pipe or stream socket to write to, duplicated; -1: end the capture
 * @param[in] snaplen bytes of each packet at most; 0: all
 * @retval 0 done
 * @retval -EINVAL @p port is NULL, or @p fd is a terminal
 * @retval -EBADF @p fd is not open for writing
 * @retval -EAGAIN the pipe or socket has no room to begin
 * @retval -EMFILE no file descriptor is left
 * @retval -ENOMEM memory is out
 * @return other negative numbers are those of write(2)
 * @thread{ctx}
 * @since 0.3
 */
VTC_API int vtc_port_set_capture(struct vtc_port *port, int fd, uint32_t snaplen);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
