/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/channel.h
 * A channel: vrings in shared memory between two programs, without a virtual machine.
 */
#ifndef VTC_CHANNEL_H
#define VTC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/mem.h>
#include <vtc/vring.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup channel Channels
 * @brief Two programs, one memory, no copy.
 *
 * One program creates a channel and is the driver side of its rings; it passes the
 * channel's file descriptors to another one (by fork, or SCM_RIGHTS), which opens it
 * and is the device side. The memory is a memfd that is sealed against shrinking and
 * growing; it holds the rings and a pool of buffers of equal size. Guest addresses are
 * offsets in it. Doorbells are eventfds: each side has one for each ring, which it
 * hears and the other side rings.
 *
 * The device side need not trust the driver side, nor the other way round: what each
 * reads from the shared memory is checked as with any vring, and what the memory says
 * of itself is read once, when it is opened. No notification is sent or heard in a way
 * that could block, unless the other side makes its doorbell blocking (fcntl(2)) and
 * fills it in the instant between a look and a ring.
 *
 * **Shared pool.** Programs that trust each other can pass a packet on without a copy:
 * a channel that is created with vtc_channel_opts.pool has the buffers of another one,
 * too, at the same guest addresses. What was pulled from the one is added to the other
 * by vtc_channel_get_guest_addr(). Whoever opens the new channel can write to all of
 * the other one's memory.
 * @{
 */

/** A channel, from one of its sides. */
struct vtc_channel;

/** Most rings of a channel. */
#define VTC_CHANNEL_RINGS_MAX 64

/** Most other channels whose buffers a channel has; a pool hands on its own pools. */
#define VTC_CHANNEL_POOLS_MAX 8

/** Options of vtc_channel_create(). Zero in a field means its default. */
struct vtc_channel_opts {
	uint32_t sz;	      /**< sizeof(struct vtc_channel_opts). */
	uint32_t flags;	      /**< No flag is defined: 0. */
	uint32_t rings;	      /**< How many vrings, up to #VTC_CHANNEL_RINGS_MAX; 0: 2. */
	uint32_t ring_size;   /**< Descriptors of each; 0: 256. */
	uint64_t features[2]; /**< VTC_VRING_F_ bits; none: split, no event index. */
	/** How many buffers; 0: rings times ring_size, or none with a @ref pool. */
	uint32_t buffers;
	uint32_t buffer_size; /**< Size of each in bytes, a multiple of 64; 0: 2048. */
	struct vtc_channel *pool; /**< Have this channel's buffers, too; NULL: none. */
};

/** Initialiser for struct vtc_channel_opts. */
#define VTC_CHANNEL_OPTS_INIT                                                         \
	{                                                                             \
		(uint32_t)sizeof(struct vtc_channel_opts), 0, 0, 0, { 0, 0 }, 0, 0, 0 \
	}

/**
 * @brief Make a channel, as its driver side.
 *
 * With #VTC_VRING_F_INDIRECT, chains of 2 to 8 buffers take one descriptor of the ring.
 *
 * @param[in] ctx the context
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_channel the channel; vtc_channel_close() ends it
 * @retval 0 made
 * @retval -EINVAL @p ctx or @p ret_channel is NULL, a field is out of range, a flag is
 *         unknown, the memory would be above 1 TiB, or there would be more than
 *         #VTC_CHANNEL_POOLS_MAX pools
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENOMEM memory is out
 * @retval -EMFILE no file descriptor is left (also -ENFILE)
 * @return other negative numbers are those of memfd_create(2), ftruncate(2) and mmap(2)
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_channel_create(struct vtc_ctx *ctx, const struct vtc_channel_opts *opts,
			       struct vtc_channel **ret_channel);

/**
 * @brief Open a channel that another program created, as its device side.
 * @param[in] ctx the context
 * @param[in] fds the descriptors, in the order of vtc_channel_get_fds(); not kept: the
 *            caller closes them
 * @param[in] count how many
 * @param[out] ret_channel the channel; vtc_channel_close() ends it
 * @retval 0 opened
 * @retval -EINVAL a parameter is NULL, or @p count does not fit the channel
 * @retval -EPROTO the memory is no channel, what it says of itself is impossible, or a
 *         doorbell is no non-blocking eventfd
 * @retval -EPERM the memory is not sealed against shrinking, or cannot be written
 * @retval -EBADF one of @p fds is not open
 * @retval -ENOMEM memory is out
 * @retval -EMFILE no file descriptor is left
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_channel_open(struct vtc_ctx *ctx, const int *fds, unsigned int count,
			     struct vtc_channel **ret_channel);

/**
 * @brief End one side of a channel. The other side sees nothing of it.
 * @param[in] channel the channel, may be NULL; its vrings end with it
 * @thread{ctx}
 * @since 0.2
 */
VTC_API void vtc_channel_close(struct vtc_channel *channel);

/**
 * @brief The file descriptors to pass to the other program.
 *
 * First the memory, then for each ring the doorbell that the driver side hears and the
 * one that the device side hears, then the memory of each pool.
 *
 * @param[in] channel the channel
 * @param[out] fds the descriptors, lent: the channel closes them; may be NULL if @p max
 *             is 0
 * @param[in] max room in @p fds
 * @return how many there are, also if that is more than @p max
 * @retval -EINVAL @p channel is NULL, or @p fds is
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_channel_get_fds(const struct vtc_channel *channel, int *fds,
				unsigned int max);

/**
 * @brief One of the vrings.
 * @param[in] channel the channel
 * @param[in] ring its number, from 0
 * @return the vring, owned by the channel; NULL if there is none of this number
 * @thread{ctx}
 * @since 0.2
 */
VTC_API struct vtc_vring *vtc_channel_get_vring(const struct vtc_channel *channel,
						unsigned int ring);

/**
 * @brief One of the buffers; those of pools are not counted.
 * @param[in] channel the channel
 * @param[in] buffer its number, from 0
 * @param[out] ret_guest_addr its guest address
 * @param[out] ret_segment where it is in this process, and its length
 * @retval 0 got
 * @retval -EINVAL a parameter is NULL
 * @retval -ERANGE there is no such buffer
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_channel_get_buffer(const struct vtc_channel *channel, unsigned int buffer,
				   uint64_t *ret_guest_addr,
				   struct vtc_segment *ret_segment);

/**
 * @brief The guest address of memory in a buffer, such as that of a pulled chain.
 *
 * It is the same in each channel that has @p channel as its pool.
 *
 * @param[in] channel the channel that gave the memory out
 * @param[in] base first byte, in this process
 * @param[in] len length in bytes, not 0
 * @param[out] ret_guest_addr the guest address
 * @retval 0 got
 * @retval -EINVAL a parameter is NULL, or @p len is 0
 * @retval -ERANGE it is not all in the buffers of the channel, or in those of one of
 *         its pools
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_channel_get_guest_addr(const struct vtc_channel *channel,
				       const void *base, size_t len,
				       uint64_t *ret_guest_addr);

/**
 * @brief The descriptor to wait for (readable) when vtc_vring_needs_poll() said so.
 * @param[in] channel the channel
 * @param[in] ring number of the ring, from 0
 * @return the descriptor, lent: the channel closes it
 * @retval -EINVAL @p channel is NULL or has no such ring
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_channel_get_fd(const struct vtc_channel *channel, unsigned int ring);

/**
 * @brief Ring the other side's doorbell, as vtc_vring_flush() or vtc_vring_kick() said.
 * @param[in] channel the channel
 * @param[in] ring number of the ring, from 0
 * @retval 0 done
 * @retval -EINVAL @p channel is NULL or has no such ring
 * @return other negative numbers are those of write(2)
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_channel_notify(struct vtc_channel *channel, unsigned int ring);

/**
 * @brief Note that this side's doorbell was heard, so that its descriptor is quiet again.
 *
 * To be called after waiting and before looking at the vring.
 *
 * @param[in] channel the channel
 * @param[in] ring number of the ring, from 0
 * @retval 1 it had been rung
 * @retval 0 it had not
 * @retval -EINVAL @p channel is NULL or has no such ring
 * @return other negative numbers are those of read(2)
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_channel_heard(struct vtc_channel *channel, unsigned int ring);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
