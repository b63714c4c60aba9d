/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/mem.h
 * Memory that two sides share: the map from the peer's addresses to ours.
 */
#ifndef VTC_MEM_H
#define VTC_MEM_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup mem Memory map
 * @brief Regions of shared memory, and a translation that proves its range.
 *
 * A vring names its buffers by *guest addresses*: numbers that mean a place in memory to
 * both sides. A memory map holds the regions that exist and turns (guest address, length,
 * permission) into one or more *segments* of this process. There is no function that
 * turns an address without a length into a pointer.
 *
 * **Memory of a peer can vanish.** Whoever can shorten a file that is mapped here can
 * make an access end with SIGBUS; that is so for huge pages, too. So a region by file
 * descriptor is taken only if the file is sealed against shrinking (memfd_create(2) with
 * F_SEAL_SHRINK, also with MFD_HUGETLB), or the caller says that the peer is trusted
 * (#VTC_MEM_F_TRUSTED), as it must for files of a hugetlbfs.
 *
 * **Changes under way.** A map may be changed while vrings on other threads use it. Each
 * vring sees the change at its next pull, add or reap. A region that is removed stays
 * mapped until no vring can still use it; vtc_mem_remove() tells when.
 *
 * **Threads.** Functions that change a map: one thread at a time, thread of the context.
 * vtc_mem_translate(): any thread that may also use a vring on this map.
 * @{
 */

/** What the device side may do with memory. */
enum vtc_mem_perm {
	VTC_MEM_READ = 1,  /**< Read. */
	VTC_MEM_WRITE = 2, /**< Write. */
	VTC_MEM_RW = 3,	   /**< Both. */
};

/** A region whose file may shrink is taken: the peer is trusted not to do that. */
#define VTC_MEM_F_TRUSTED (1u << 0)

/** Most regions of a map (what vhost-user's CONFIGURE_MEM_SLOTS offers). */
#define VTC_MEM_REGIONS_MAX 509

/** A piece of memory of this process; the layout is that of struct iovec. */
struct vtc_segment {
	void *base; /**< Where it begins. */
	size_t len; /**< Its length in bytes. */
};

/** A region to add. Either @ref fd or @ref base says where it is. */
struct vtc_mem_region {
	uint32_t sz;	     /**< sizeof(struct vtc_mem_region). */
	uint32_t flags;	     /**< #VTC_MEM_F_TRUSTED or 0. */
	uint64_t guest_addr; /**< Guest address of the first byte. */
	uint64_t size;	     /**< Length in bytes, not 0. */
	uint64_t fd_offset; /**< Where in the file it begins; need not be page-aligned. */
	void *base;	    /**< The memory itself; NULL: map @ref fd. Borrowed. */
	int32_t fd;    /**< The file; -1 with @ref base. Not kept: may be closed after. */
	uint32_t perm; /**< One of enum vtc_mem_perm. */
};

/** A memory map. */
struct vtc_mem;

/**
 * @brief Make an empty map.
 * @param[in] ctx the context, for error records
 * @param[out] ret_mem the map; vtc_mem_unref() gives it back
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_mem_new(struct vtc_ctx *ctx, struct vtc_mem **ret_mem);

/**
 * @brief Give a map back. Vrings hold it too; it ends with the last of them.
 * @param[in] mem the map, may be NULL
 * @return NULL, always
 * @thread{ctx}
 * @since 0.2
 */
VTC_API struct vtc_mem *vtc_mem_unref(struct vtc_mem *mem);

/**
 * @brief Add a region.
 * @param[in] mem the map
 * @param[in] region the region
 * @retval 0 added
 * @retval -EINVAL a parameter is NULL, a field is out of range, or an address would wrap
 * @retval -E2BIG @p region is newer than this library and uses what it adds
 * @retval -EEXIST it overlaps a region that is there (or one that is still being removed)
 * @retval -EPERM the file is not sealed against shrinking and the region is not trusted
 * @retval -ENXIO the file ends before the region does
 * @retval -ENOSPC there are #VTC_MEM_REGIONS_MAX regions
 * @retval -ENOMEM memory is out
 * @return other negative numbers are those of mmap(2) and fstat(2)
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_mem_add(struct vtc_mem *mem, const struct vtc_mem_region *region);

/**
 * @brief Remove a region, as soon as nobody uses it.
 *
 * From now on nothing new is translated into it. It is unmapped when no vring on this map
 * has a chain in flight that was pulled before, and each that has chains of any kind
 * (pulled, pushed but not flushed, added but not kicked) has looked at the map since. A
 * vring that has none is never waited for. A broken vring keeps its chains until
 * vtc_vring_reset() or vtc_vring_free(). Segments from vtc_mem_translate() are the
 * caller's own business.
 *
 * @param[in] mem the map
 * @param[in] guest_addr guest address of the region's first byte
 * @param[in] size its length in bytes
 * @retval 0 removed and, if it was mapped from a file, unmapped
 * @retval -EAGAIN a vring may still use it: call again with the same values later (after
 *         the chains in flight were pushed)
 * @retval -EINVAL @p mem is NULL
 * @retval -ENOENT there is no region with exactly these values
 * @retval -ENOMEM memory is out; nothing has changed
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_mem_remove(struct vtc_mem *mem, uint64_t guest_addr, uint64_t size);

/**
 * @brief Translate a range.
 *
 * More than one segment comes back only where regions adjoin in guest addresses but not
 * in memory; regions that adjoin in both are one.
 *
 * @param[in] mem the map
 * @param[in] guest_addr guest address of the first byte
 * @param[in] len length in bytes, not 0
 * @param[in] perm what is to be done with it
 * @param[out] segments the pieces, in order
 * @param[in] max room in @p segments
 * @return how many pieces there are
 * @retval -EINVAL @p mem or @p segments is NULL, @p len is 0, or @p perm unknown
 * @retval -EFAULT some byte of the range is in no region, the range wraps, or a region
 *         does not allow @p perm
 * @retval -ENOSPC there are more than @p max pieces
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_mem_translate(const struct vtc_mem *mem, uint64_t guest_addr,
			      uint64_t len, enum vtc_mem_perm perm,
			      struct vtc_segment *segments, unsigned int max);

/**
 * @brief Keep a record of the pages that the device side writes (for migration).
 *
 * Bit n of the map of bits, counted from bit 0 of byte 0, stands for the guest addresses
 * n * 4096 to n * 4096 + 4095, as in the vhost-user protocol (VHOST_USER_SET_LOG_BASE).
 * Bits are set atomically when written buffers are pushed and when a used ring is
 * published.
 *
 * @param[in] mem the map
 * @param[in] bits the bits, borrowed until each vring has made a call after the one that
 *            replaces them; NULL: keep no record
 * @param[in] len length in bytes; pages beyond it are not recorded
 * @retval 0 done; vrings follow at their next call
 * @retval -EINVAL @p mem is NULL
 * @retval -ENOMEM memory is out; nothing has changed
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_mem_set_dirty_log(struct vtc_mem *mem, void *bits, size_t len);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
