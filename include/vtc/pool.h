/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/pool.h
 * VMDq pools: queues and filters of a network card that belong to one virtual machine.
 */
#ifndef VTC_POOL_H
#define VTC_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup pool Pools
 * @brief Frames sorted for a virtual machine before the bridge sees them.
 *
 * A pool takes the frames that its filters name (destination MAC, VLAN, or both) from a
 * network card. Everything else goes on as before: to the bridge that the card is a port
 * of, or to the machine's own stack. Whatever the card can do is used:
 *
 * | backend | what sorts | where the frames come out |
 * | --- | --- | --- |
 * | vf | a virtual function: hardware MAC and VLAN filter | the VF's interface |
 * | ntuple | the card's flow rules, onto queues of its own | AF_XDP, or the target |
 * | macvlan | the card's L2 forwarding offload | the pool's macvlan interface |
 * | xdp | a program in the driver (software) | AF_XDP, or the target |
 * | tc | the traffic control classifier (software) | the target |
 *
 * With ntuple and xdp a @em guard program on the card looks at every frame: a frame of
 * one pool never reaches another, also when a rule in the hardware was lost. Frames that
 * the AF_XDP port of the pool (vtc_pool_open_port()) cannot take go to the pool's target
 * interface (a tap or a veth), and if it has none to the stack. Pools of the other
 * backends have no guard: there the hardware, or the kernel, sorts alone, and what it has
 * lost is found by the next audit, no sooner.
 *
 * **What the card receives.** With ntuple, xdp and tc the card is told the addresses of
 * filters, and its feature rx-vlan-filter is switched off, as long as there is a pool:
 * one that is not promiscuous drops the others. Where that cannot be had the pool's note
 * (vtc_pool_info.note) says so.
 *
 * **Crashes.** Each change is noted in a journal below vtc_ctx_opts.state_dir before it
 * is made. What a process that died had changed is put back by the next call for the same
 * card, or by vtc_pool_recover(). A pool made with #VTC_POOL_F_KEEP stays until somebody
 * releases it.
 *
 * **Targets.** The target interface is known by its index as long as it exists here, and
 * by its name after that: when it is deleted its frames go to the stack, and when one of
 * the same name is made (a virtual machine that starts again makes its tap anew) the next
 * audit gives them to that.
 *
 * **Names of cards.** Wherever a function takes a @p nic it is the name of a network
 * interface in this network namespace, or the bus address of a device that has one.
 *
 * **Cards that move.** Release the pools of a card before it is moved to another network
 * namespace. What is on the card goes with it (the guard program, rules, filters of
 * traffic control), and from here it cannot be undone any more: vtc_pool_release() and
 * vtc_pool_recover() then only forget it, as for a card that is gone.
 * @{
 */

/** Who sorts. The order is that in which they are tried. */
enum vtc_pool_backend {
	VTC_POOL_BACKEND_AUTO = 0,    /**< The first that can do what is asked. */
	VTC_POOL_BACKEND_VF = 1,      /**< A free virtual function. */
	VTC_POOL_BACKEND_NTUPLE = 2,  /**< Flow rules and queues set aside. */
	VTC_POOL_BACKEND_MACVLAN = 3, /**< L2 forwarding offload. */
	VTC_POOL_BACKEND_XDP = 4,     /**< The guard program alone. */
	VTC_POOL_BACKEND_TC = 5,      /**< Flower filters of traffic control. */
};

/** How many enum vtc_pool_backend this version of the header knows. */
#define VTC_POOL_BACKEND_COUNT 6

/** Longest name of a pool, in bytes. */
#define VTC_POOL_NAME_MAX 31

/** Most pools of one card. */
#define VTC_POOL_MAX 64

/** Most queues of one pool. */
#define VTC_POOL_QUEUES_MAX 64

/** @name vtc_pool_opts.flags
 *  @{ */
/** The pool outlives this process, until vtc_pool_release(). */
#define VTC_POOL_F_KEEP	       (1u << 0)
/** Every frame that no filter of another pool names: by backend xdp or tc only. */
#define VTC_POOL_F_EVERYTHING  (1u << 1)
/**
 * Broadcast and multicast frames go to the stack and, as a copy, to the pool: those of
 * the VLANs that its filters name, of all if one names none, and none as long as it has
 * no filter, unless it takes everything.
 */
#define VTC_POOL_F_GROUP_COPY  (1u << 2)
/**
 * Attach the guard program behind the driver ("generic"), not in it: slower for the pool,
 * cheaper for the rest on a veth that gets most frames from this machine itself. Counts
 * for the pool that brings the program onto the card: those that come after it share it.
 */
#define VTC_POOL_F_GENERIC_XDP (1u << 3)
/** Attach the guard program without libxdp's dispatcher. Counts as that above. */
#define VTC_POOL_F_PLAIN_XDP   (1u << 4)
/** @} */

/** A pool. */
struct vtc_pool;

/** Options of vtc_pool_request(). Zero in a field means its default. */
struct vtc_pool_opts {
	uint32_t sz;	  /**< sizeof(struct vtc_pool_opts). */
	uint32_t flags;	  /**< VTC_POOL_F_ bits. */
	const char *name; /**< Letters, digits, '.', '_', '-'; unique on the card. */
	/** Interface for frames that no AF_XDP port takes; not with vf or macvlan. */
	const char *target;
	uint32_t backend; /**< enum vtc_pool_backend. */
	/**
	 * How many queues, to #VTC_POOL_QUEUES_MAX; 0: 1. More than one: not with vf or
	 * macvlan; xdp and tc ignore it.
	 */
	uint32_t queues;
	uint32_t audit_ms; /**< Time between two audits; 0: 5000. */
	uint32_t reserved; /**< Must be 0. */
};

/** Initialiser for struct vtc_pool_opts. */
#define VTC_POOL_OPTS_INIT                                                  \
	{                                                                   \
		(uint32_t)sizeof(struct vtc_pool_opts), 0, 0, 0, 0, 0, 0, 0 \
	}

/**
 * @brief Set queues of a card aside for a virtual machine.
 *
 * All or nothing. A filter is added with vtc_pool_add_filter(); until then the pool gets
 * no frame (unless #VTC_POOL_F_EVERYTHING).
 *
 * @param[in] ctx the context
 * @param[in] nic the card
 * @param[in] opts options; the name must be there
 * @param[out] ret_pool the pool; vtc_pool_release() gives it back
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL or out of range, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENODEV there is no such card, or no interface called vtc_pool_opts.target
 * @retval -EEXIST the card has a pool of this name
 * @retval -EADDRINUSE another pool of the card has #VTC_POOL_F_EVERYTHING
 * @retval -EOPNOTSUPP no backend can do it; the record says why for each
 * @retval -ENOSPC the card has no queue, no VF or no room for a pool left
 * @retval -EBUSY somebody else's XDP program is on the card, or another process changes
 *         the card's pools
 * @retval -EBADMSG the card's journal is damaged; it is kept, and nothing is done
 * @retval -EPERM more rights are needed (CAP_NET_ADMIN, CAP_BPF)
 * @retval -EACCES the journal, or a file of the BPF file system, cannot be opened
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_request(struct vtc_ctx *ctx, const char *nic,
			     const struct vtc_pool_opts *opts,
			     struct vtc_pool **ret_pool);

/**
 * @brief Get hold of a pool that exists.
 *
 * A pool of another living process can be looked at; changing it gives -EBUSY. When
 * somebody has released the pool meanwhile, all calls that look at the card give -ENOENT,
 * but vtc_pool_release() is content; vtc_pool_get_info(), vtc_pool_get_fd() and
 * vtc_pool_get_choice() answer from what the handle knows.
 *
 * @param[in] ctx the context
 * @param[in] nic the card
 * @param[in] name the pool's name
 * @param[out] ret_pool the pool; vtc_pool_close() or vtc_pool_release() ends it
 * @retval 0 opened
 * @retval -EINVAL a parameter is NULL, or the name is none
 * @retval -ENODEV there is no such card
 * @retval -ENOENT the card has no such pool
 * @retval -EBUSY another process changes the card's pools
 * @retval -EBADMSG the card's journal is damaged; it is kept
 * @retval -EACCES the card's journal cannot be opened
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_open(struct vtc_ctx *ctx, const char *nic, const char *name,
			  struct vtc_pool **ret_pool);

/**
 * @brief Let go of a pool; it stays as it is (without #VTC_POOL_F_KEEP until this process
 *        ends). If a port is open on it the handle lives until that is closed.
 * @param[in] pool the pool, may be NULL
 * @thread{ctx}
 * @since 0.4
 */
VTC_API void vtc_pool_close(struct vtc_pool *pool);

/**
 * @brief Give a pool back: undo what was done for it, last step first.
 *
 * What somebody else changed meanwhile is left alone. A step that cannot be undone does
 * not stop the others; it stays in the journal and is tried again by the next call for
 * the card. The handle is gone in any case but -EBUSY. (If not even the journal can be
 * written the pool is as it was, and can be opened again.) Ports on the pool must be
 * closed before.
 *
 * @param[in] pool the pool, may be NULL
 * @retval 0 everything is as before (what was on a card that is gone is forgotten)
 * @retval -EBUSY it belongs to another living process, a port is open on it, or another
 *         process changes the card's pools; then the pool and the handle are left as they
 *         are
 * @return other negative numbers: the first undo that failed; the record lists all
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_release(struct vtc_pool *pool);

/** @name vtc_filter.match
 *  @{ */
#define VTC_FILTER_MAC	(1u << 0) /**< The destination address must be equal. */
#define VTC_FILTER_VLAN (1u << 1) /**< The VLAN id must be equal; 0: untagged. */
/** @} */

/**
 * Which frames a pool takes. Frozen. With #VTC_FILTER_MAC alone the frame may have any
 * VLAN tag or none; the filter that names both counts before one that names one of them,
 * and the MAC before the VLAN. The VLAN of a frame is that of its outermost tag, of
 * 802.1Q or 802.1ad; #VTC_POOL_BACKEND_TC knows 802.1Q only, and a filter that names a
 * VLAN leaves frames with a tag of 802.1ad to the stack.
 */
struct vtc_filter {
	struct vtc_mac mac; /**< A unicast address. */
	uint16_t vlan;	    /**< 0 (no tag, or a tag with priority only) to 4094. */
	uint32_t match;	    /**< VTC_FILTER_ bits, at least one. */
};

/**
 * @brief Let a pool take more frames.
 * @param[in] pool the pool
 * @param[in] filter which
 * @retval 0 added
 * @retval -EINVAL a parameter is NULL, or the filter makes no sense
 * @retval -EEXIST the pool has it already
 * @retval -EADDRINUSE it overlaps a filter of another pool in a way that this backend
 *         cannot tell apart; the record names the pool
 * @retval -EOPNOTSUPP the backend cannot match that
 * @retval -ENOSPC the card has no room for a filter left
 * @retval -EBUSY the pool belongs to another process, or one changes the card's pools
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_add_filter(struct vtc_pool *pool, const struct vtc_filter *filter);

/**
 * @brief Take a filter away.
 * @param[in] pool the pool
 * @param[in] filter which, exactly as it was added
 * @retval 0 removed
 * @retval -EINVAL a parameter is NULL
 * @retval -ENOENT the pool has no such filter
 * @retval -EBUSY the pool belongs to another process, or one changes the card's pools
 * @return other negative numbers: it could not be undone; the record says more
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_remove_filter(struct vtc_pool *pool,
				   const struct vtc_filter *filter);

/**
 * @brief The filters of a pool, one by one, in the order in which they were added.
 * @param[in] pool the pool
 * @param[in] index from 0
 * @param[out] ret_filter the filter
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL
 * @retval -ENOENT there are no more
 * @retval -ENODEV the card is gone
 * @retval -EBUSY another process changes the card's pools
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_get_filter(struct vtc_pool *pool, unsigned int index,
				struct vtc_filter *ret_filter);

/** @name vtc_pool_stats.valid: which numbers the card or the program tells
 *  @{ */
#define VTC_POOL_STAT_RX_PACKETS (1u << 0) /**< vtc_pool_stats.rx_packets. */
#define VTC_POOL_STAT_RX_BYTES	 (1u << 1) /**< vtc_pool_stats.rx_bytes. */
#define VTC_POOL_STAT_MISSORT	 (1u << 2) /**< vtc_pool_stats.missort. */
#define VTC_POOL_STAT_RX_DROPPED (1u << 3) /**< vtc_pool_stats.rx_dropped. */
#define VTC_POOL_STAT_TX_PACKETS (1u << 4) /**< vtc_pool_stats.tx_packets. */
#define VTC_POOL_STAT_TX_BYTES	 (1u << 5) /**< vtc_pool_stats.tx_bytes. */
#define VTC_POOL_STAT_TX_DROPPED (1u << 6) /**< vtc_pool_stats.tx_dropped. */
#define VTC_POOL_STAT_TO_TARGET	 (1u << 7) /**< vtc_pool_stats.to_target. */
#define VTC_POOL_STAT_TO_STACK	 (1u << 8) /**< vtc_pool_stats.to_stack. */
/** @} */

/** What was counted for a pool. A number whose bit is not in valid is 0. */
struct vtc_pool_stats {
	uint32_t sz;	     /**< sizeof(struct vtc_pool_stats). */
	uint32_t valid;	     /**< VTC_POOL_STAT_ bits. */
	uint64_t rx_packets; /**< Frames that the pool's filters took. */
	uint64_t rx_bytes;   /**< Their bytes, from the MAC addresses on. */
	uint64_t missort;    /**< Of these: came on a queue that is not the pool's. */
	uint64_t rx_dropped; /**< Frames that the card, or the pool's port, dropped. */
	uint64_t tx_packets; /**< Sent by the pool. */
	uint64_t tx_bytes;   /**< Their bytes. */
	uint64_t tx_dropped; /**< Frames of the pool that the card did not send. */
	uint64_t to_target;  /**< Of the received: given to the target interface. */
	uint64_t to_stack;   /**< Of the received: given to the stack. */
};

/**
 * @brief What was counted for a pool since it was made.
 * @param[in] pool the pool
 * @param[in,out] stats the numbers; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @retval -ENODEV the card is gone
 * @retval -ENOENT somebody has released the pool
 * @retval -EBUSY another process changes the card's pools
 * @return other negative numbers are the kernel's
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_get_stats(struct vtc_pool *pool, struct vtc_pool_stats *stats);

/** How the guard program is attached. */
enum vtc_pool_guard {
	VTC_POOL_GUARD_NONE = 0,       /**< The backend needs none. */
	VTC_POOL_GUARD_DISPATCHER = 1, /**< In the driver, by libxdp's dispatcher. */
	VTC_POOL_GUARD_NATIVE = 2,     /**< In the driver, alone. */
	VTC_POOL_GUARD_GENERIC = 3,    /**< Behind the driver, alone. */
};

/** @name vtc_pool_info.flags
 *  @{ */
/** The backend takes the VLAN tag off received frames and adds it to sent ones. */
#define VTC_POOL_INFO_VLAN_STRIPPED (1u << 0)
/** The hardware sorts; otherwise software does. */
#define VTC_POOL_INFO_HARDWARE	    (1u << 1)
/** The pool belongs to another process that is alive. */
#define VTC_POOL_INFO_FOREIGN	    (1u << 2)
/** @} */

/** What a pool is. Texts are lent by the pool until the next call for it. */
struct vtc_pool_info {
	uint32_t sz;	  /**< sizeof(struct vtc_pool_info). */
	uint32_t flags;	  /**< VTC_POOL_INFO_ bits. */
	uint32_t backend; /**< enum vtc_pool_backend. */
	uint32_t guard;	  /**< enum vtc_pool_guard. */
	uint32_t
		queue_first; /**< First queue on the card; 0 if it has none of its own. */
	uint32_t queue_count; /**< How many; xdp: all queues of the card. */
	uint32_t opts_flags;  /**< VTC_POOL_F_ bits that it was made with. */
	uint32_t owner;	      /**< Process that owns it; 0: nobody (kept). */
	const char *name;     /**< Its name. */
	const char *nic;      /**< Interface of the card, as it is called now. */
	const char *target;   /**< Target interface; "" if none. */
	const char *netdev; /**< Interface where frames come out (vf, macvlan), or "". */
	const char *note;   /**< What is not as one might expect, for a person; or "". */
};

/**
 * @brief What a pool is.
 * @param[in] pool the pool
 * @param[in,out] info written; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_get_info(struct vtc_pool *pool, struct vtc_pool_info *info);

/* ---- Keeping it so ---- */

/** What an audit found. */
struct vtc_pool_audit {
	uint32_t sz;	   /**< sizeof(struct vtc_pool_audit). */
	uint32_t checked;  /**< Steps looked at. */
	uint32_t repaired; /**< Lost, and done again. */
	uint32_t failed;   /**< Lost, and could not be done again. */
	/** A line for each that was lost; lent by the pool until its next audit. */
	const char *text;
};

/**
 * @brief Look whether everything of the pool is still there; do again what was lost.
 *
 * Rules, queues, tables and rates get lost when an interface goes down, is reset, or has
 * its channels changed, and the kernel tells of few of these.
 *
 * @param[in] pool the pool
 * @param[in,out] audit what was found; may be NULL; its sz must be set
 * @retval 0 all there, or there again
 * @retval -EINVAL @p pool is NULL, or sz is too small
 * @retval -ENODEV the card is gone
 * @retval -ENOENT somebody has released the pool
 * @retval -EBUSY the pool belongs to another process, or one changes the card's pools
 * @retval -ENOMEM memory is out
 * @return other negative numbers: the first repair that failed
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_audit(struct vtc_pool *pool, struct vtc_pool_audit *audit);

/**
 * @brief The descriptor to wait for (readable) before vtc_pool_process().
 * @param[in] pool the pool
 * @return the descriptor, lent: the pool closes it
 * @retval -EINVAL @p pool is NULL
 * @return other negative numbers are those of epoll_create1(2) and the sockets
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_get_fd(struct vtc_pool *pool);

/**
 * @brief Take notice of events, and audit if there is a reason or it is time.
 *
 * Never waits for events. Call it when vtc_pool_get_fd() is readable.
 *
 * @param[in] pool the pool
 * @param[in,out] audit as for vtc_pool_audit(); zero if none was made
 * @retval 1 an audit was made
 * @retval 0 there was no reason
 * @return negative numbers are those of vtc_pool_audit()
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_process(struct vtc_pool *pool, struct vtc_pool_audit *audit);

/** What vtc_pool_recover() did. */
struct vtc_pool_recovery {
	uint32_t sz;	 /**< sizeof(struct vtc_pool_recovery). */
	uint32_t pools;	 /**< Pools of dead processes that were found. */
	uint32_t undone; /**< Steps that were undone. */
	uint32_t failed; /**< Steps that could not be; they stay in the journal. */
};

/**
 * @brief Put back what processes that died had changed.
 *
 * With all cards, pools that are kept on a card that is gone from this network namespace
 * are forgotten, too.
 *
 * vtc_pool_request() and vtc_pool_open() do the same for their card first.
 *
 * @param[in] ctx the context
 * @param[in] nic the card; NULL: all cards that a journal tells of
 * @param[in,out] recovery what was done; may be NULL; its sz must be set
 * @retval 0 nothing is left
 * @retval -EINVAL @p ctx is NULL, or sz is too small
 * @retval -ENODEV there is no such card
 * @retval -EBUSY another process changes the card's pools
 * @retval -EBADMSG a journal is damaged; it is kept, and the others were dealt with
 * @retval -EACCES a journal cannot be opened
 * @return other negative numbers: the first undo that failed; the record lists all
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_recover(struct vtc_ctx *ctx, const char *nic,
			     struct vtc_pool_recovery *recovery);

/** The pools of one or all cards, at a moment. */
struct vtc_pool_list;

/** One of them. Texts are lent by the list. */
struct vtc_pool_entry {
	uint32_t sz;	  /**< sizeof(struct vtc_pool_entry). */
	uint32_t owner;	  /**< Process that owns it; 0: nobody (kept). */
	uint32_t alive;	  /**< 1: kept, or that process is alive; else 0. */
	uint32_t backend; /**< enum vtc_pool_backend. */
	const char *nic;  /**< Interface of the card; "#7": that with index 7, gone. */
	const char *name; /**< Its name. */
};

/**
 * @brief Which pools there are.
 * @param[in] ctx the context
 * @param[in] nic the card; NULL: all cards that a journal tells of, but for those whose
 *            journal is damaged, which is logged
 * @param[out] ret_list the list; vtc_pool_list_free() ends it
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL
 * @retval -ENODEV there is no such card
 * @retval -EBADMSG the card's journal is damaged
 * @retval -EBUSY another process changes the card's pools
 * @retval -EACCES a journal cannot be opened
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_list_new(struct vtc_ctx *ctx, const char *nic,
			      struct vtc_pool_list **ret_list);

/**
 * @brief End a list.
 * @param[in] list the list, may be NULL
 * @thread{ctx}
 * @since 0.4
 */
VTC_API void vtc_pool_list_free(struct vtc_pool_list *list);

/**
 * @brief The pools, one by one.
 * @param[in] list the list
 * @param[in] index from 0
 * @param[in,out] entry written; its sz must be set
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL, or sz is too small
 * @retval -ENOENT there are no more
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_list_get(const struct vtc_pool_list *list, unsigned int index,
			      struct vtc_pool_entry *entry);

/* ---- Which backend, and why ---- */

/** Which backends a card offers for a pool, and why not the others. */
struct vtc_pool_choice;

/**
 * @brief Find out which backend vtc_pool_request() would take.
 *
 * Changes nothing, but that what dead processes have left on the card is put back first.
 * Whether there is an interface called vtc_pool_opts.target is not looked at.
 *
 * @param[in] ctx the context
 * @param[in] nic the card
 * @param[in] opts what the pool would be; NULL: the defaults
 * @param[out] ret_choice the answer; vtc_pool_choice_free() ends it
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL or out of range, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENODEV there is no such card
 * @retval -EBUSY another process changes the card's pools
 * @retval -EBADMSG the card's journal is damaged; it is kept
 * @retval -EACCES the card's journal cannot be opened
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_choice_new(struct vtc_ctx *ctx, const char *nic,
				const struct vtc_pool_opts *opts,
				struct vtc_pool_choice **ret_choice);

/**
 * @brief End it.
 * @param[in] choice the answer, may be NULL
 * @thread{ctx}
 * @since 0.4
 */
VTC_API void vtc_pool_choice_free(struct vtc_pool_choice *choice);

/**
 * @brief The backend that would be taken.
 * @param[in] choice the answer
 * @return the backend; #VTC_POOL_BACKEND_AUTO: none
 * @thread{ctx}
 * @since 0.4
 */
VTC_API enum vtc_pool_backend vtc_pool_choice_get_backend(
	const struct vtc_pool_choice *choice);

/**
 * @brief Whether a backend can be used, and why or why not.
 * @param[in] choice the answer
 * @param[in] backend the backend
 * @param[out] ret_text the reason, for a person; lent by @p choice
 * @retval 1 it can
 * @retval 0 it cannot
 * @retval -EINVAL a parameter is NULL or out of range
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_choice_get_reason(const struct vtc_pool_choice *choice,
				       enum vtc_pool_backend backend,
				       const char **ret_text);

/**
 * @brief The choice that was made for a pool by vtc_pool_request().
 * @param[in] pool the pool
 * @return the answer, lent by the pool; NULL: the pool was opened, not requested
 * @thread{ctx}
 * @since 0.4
 */
VTC_API const struct vtc_pool_choice *vtc_pool_get_choice(const struct vtc_pool *pool);

/**
 * @brief Short name of a backend ("vf", "ntuple", "macvlan", "xdp", "tc"; "auto").
 * @param[in] backend the backend
 * @return the name; "unknown" for what is none
 * @thread{any}
 * @since 0.4
 */
VTC_API const char *vtc_pool_backend_name(enum vtc_pool_backend backend);

/* ---- Fair transmit ---- */

/** How far a part of a rate is kept. */
enum vtc_rate_result {
	VTC_RATE_UNSUPPORTED = 0, /**< Not at all. */
	VTC_RATE_EXACT = 1,	  /**< As asked. */
	VTC_RATE_APPROXIMATE = 2, /**< About so: rounded, or by a software scheduler. */
	VTC_RATE_CAPPED = 3,	  /**< Only an upper limit, or for each queue alone. */
	VTC_RATE_NOT_ASKED = 4,	  /**< That part was 0. */
};

/** How much a pool may send. Zero in a field asks for nothing. */
struct vtc_rate {
	uint32_t sz;	  /**< sizeof(struct vtc_rate). */
	uint32_t weight;  /**< Share beside other pools of the card, 1 to 1000. */
	uint64_t min_bps; /**< Guaranteed, in bits in a second. */
	uint64_t max_bps; /**< Limit, in bits in a second. */
};

/** Initialiser for struct vtc_rate. */
#define VTC_RATE_INIT                                      \
	{                                                  \
		(uint32_t)sizeof(struct vtc_rate), 0, 0, 0 \
	}

/** What became of a rate. */
struct vtc_rate_answer {
	uint32_t sz;	       /**< sizeof(struct vtc_rate_answer). */
	uint32_t weight;       /**< enum vtc_rate_result. */
	uint32_t min;	       /**< enum vtc_rate_result. */
	uint32_t max;	       /**< enum vtc_rate_result. */
	const char *mechanism; /**< "vf", "net-shaper", "devlink", ...; static text. */
};

/**
 * @brief Say how much a pool may send, in place of what was said before.
 *
 * What the card has is used: VF rates, net-shaper groups, devlink rates, mqprio channels,
 * limits of single queues; else HTB classes of the card's queueing discipline, and for
 * AF_XDP ports the relay's own scheduler. A part that cannot be kept does not fail the
 * call: the answer says so. When a port is opened on the pool, or closed, the choice is
 * made anew; vtc_pool_get_rate() tells what is kept then.
 *
 * @param[in] pool the pool
 * @param[in] rate the rate; NULL: none
 * @param[in,out] answer what became of it; may be NULL; its sz must be set
 * @retval 0 done as far as the answer says
 * @retval -EINVAL @p pool is NULL, sz is too small, the weight is above 1000, or the
 *         minimum above the maximum
 * @retval -E2BIG @p rate is newer than this library and uses what it adds
 * @retval -ENODEV the card is gone
 * @retval -ENOENT somebody has released the pool
 * @retval -EOPNOTSUPP no part of it can be kept
 * @retval -EBUSY the pool belongs to another process, or one changes the card's pools
 * @return other negative numbers are the kernel's; the rate is then as before
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_set_rate(struct vtc_pool *pool, const struct vtc_rate *rate,
			      struct vtc_rate_answer *answer);

/**
 * @brief The rate that was set.
 * @param[in] pool the pool
 * @param[in,out] rate written; its sz must be set
 * @param[in,out] answer what became of it; may be NULL; its sz must be set
 * @retval 1 written
 * @retval 0 none was set
 * @retval -EINVAL @p pool or @p rate is NULL, or a sz is too small
 * @retval -ENODEV the card is gone
 * @retval -ENOENT somebody has released the pool
 * @retval -EBUSY another process changes the card's pools
 * @retval -EBADMSG the card's journal is damaged; it is kept
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_get_rate(struct vtc_pool *pool, struct vtc_rate *rate,
			      struct vtc_rate_answer *answer);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
