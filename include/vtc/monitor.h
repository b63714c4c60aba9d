/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/monitor.h
 * Events: network interfaces and virtual functions that come, change and go.
 */
#ifndef VTC_MONITOR_H
#define VTC_MONITOR_H

#include <stdint.h>

#include <vtc/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup monitor Events
 * @brief One file descriptor to wait for, one function that delivers.
 *
 * A monitor listens to the kernel's rtnetlink and uevent broadcasts in the caller's
 * network namespace. The caller waits for the monitor's file descriptor in a loop of its
 * own and then calls vtc_monitor_dispatch(), which never waits.
 *
 * VF and PF events are about PCI functions. A device on another bus, such as netdevsim,
 * shows by its interfaces alone.
 *
 * The kernel drops broadcasts when a listener is too slow. A monitor notices, compares
 * what is there with what it knew, delivers the difference as ordinary events, and
 * #VTC_EVENT_RESYNC last. Only intermediate states can be missed, never the final one. @{
 */

/** What happened. Ignore values that you do not know. */
enum vtc_event_type {
	VTC_EVENT_LINK_ADDED = 1,   /**< A network interface appeared. */
	VTC_EVENT_LINK_CHANGED = 2, /**< Its name, state, address or MTU changed. */
	VTC_EVENT_LINK_REMOVED = 3, /**< It vanished, or moved to another namespace. */
	VTC_EVENT_VF_ADDED = 4,	    /**< A virtual function appeared. */
	VTC_EVENT_VF_REMOVED = 5,   /**< A virtual function vanished. */
	VTC_EVENT_PF_GONE = 6,	    /**< A PCI physical function vanished (hot-unplug). */
	VTC_EVENT_RESYNC = 7,	    /**< Events were lost and the state was read anew. */
};

/** One event; it lives until the callback returns. */
struct vtc_event;
/** A listener. */
struct vtc_monitor;

/**
 * @brief Takes one event.
 * @param data what was given to vtc_monitor_open()
 * @param event the event, gone when the function returns
 *
 * Called by vtc_monitor_dispatch() only, on its thread. It may call everything but
 * vtc_monitor_dispatch() and vtc_monitor_close() of the same monitor.
 */
typedef void (*vtc_event_fn)(void *data, const struct vtc_event *event);

/**
 * @brief Begin to listen.
 *
 * Interfaces and functions that are there already are known silently, without events.
 *
 * @param[in] ctx the context
 * @param[in] fn takes the events
 * @param[in] data passed to @p fn
 * @param[out] ret_monitor the monitor; vtc_monitor_close() ends it
 * @retval 0 listening
 * @retval -EINVAL a parameter is NULL
 * @retval -ENOMEM memory is out
 * @retval -EMFILE no file descriptor is left (also -ENFILE)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_monitor_open(struct vtc_ctx *ctx, vtc_event_fn fn, void *data,
			     struct vtc_monitor **ret_monitor);

/**
 * @brief End a monitor. Within its own callback this does nothing.
 * @param[in] monitor the monitor, may be NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API void vtc_monitor_close(struct vtc_monitor *monitor);

/**
 * @brief The file descriptor to wait for (readable: call vtc_monitor_dispatch()).
 * @param[in] monitor the monitor
 * @return the descriptor, lent: the monitor closes it; it never changes
 * @retval -EINVAL @p monitor is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_monitor_get_fd(const struct vtc_monitor *monitor);

/**
 * @brief Deliver what has happened; never waits.
 *
 * At most 64 kernel messages are taken in one call, so that a flood cannot hold the
 * caller; the file descriptor stays readable while there are more.
 *
 * @param[in] monitor the monitor
 * @return how many events were delivered, 0 if there was nothing
 * @retval -EINVAL @p monitor is NULL
 * @retval -ENOMEM memory is out; what was lost is made good by the next call
 * @retval -EBUSY called from within the callback
 * @retval -EAGAIN after a loss, interfaces changed too fast to be listed; the next call
 *         tries again
 * @return other negative numbers are the kernel's own; nothing is lost by them
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_monitor_dispatch(struct vtc_monitor *monitor);

/**
 * @brief What happened.
 * @param[in] event the event, may be NULL
 * @return the type; 0 if @p event is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API enum vtc_event_type vtc_event_get_type(const struct vtc_event *event);

/**
 * @brief Short name of an event type, such as "vf-added".
 * @param[in] type the type
 * @return the name; "unknown" for any other number
 * @thread{any}
 * @since 0.1
 */
VTC_API const char *vtc_event_type_name(enum vtc_event_type type);

/**
 * @brief The network interface that a LINK event is about.
 * @param[in] event the event
 * @return its index; 0 for other events
 * @thread{ctx}
 * @since 0.1
 */
VTC_API uint32_t vtc_event_get_ifindex(const struct vtc_event *event);

/**
 * @brief Name of the network interface that a LINK event is about.
 * @param[in] event the event
 * @param[out] ret_name the name, gone with the event
 * @return tri-state (see @ref types); 0: not a LINK event
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_event_get_ifname(const struct vtc_event *event, const char **ret_name);

/**
 * @brief Whether the network interface of a LINK event is switched on and has a link.
 * @param[in] event the event
 * @param[out] ret_up 1 if the administrator switched it on, else 0
 * @param[out] ret_carrier 1 if there is a link, else 0
 * @return tri-state; 0: not a LINK event, or the interface is gone
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_event_get_link_state(const struct vtc_event *event, int *ret_up,
				     int *ret_carrier);

/**
 * @brief Bus address of the device that the event is about.
 * @param[in] event the event
 * @param[out] ret_address the address, gone with the event
 * @return tri-state; 0: the interface has no device (a bridge, for example)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_event_get_address(const struct vtc_event *event,
				  const char **ret_address);

/**
 * @brief Address of the PF and index of the VF that a VF event is about.
 * @param[in] event the event
 * @param[out] ret_pf address of the PF, gone with the event
 * @param[out] ret_index number of the VF, from 0
 * @return tri-state; 0: not a VF event
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_event_get_vf(const struct vtc_event *event, const char **ret_pf,
			     uint32_t *ret_index);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
