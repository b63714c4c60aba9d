/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/pf.h
 * A physical function: how many virtual functions it has.
 */
#ifndef VTC_PF_H
#define VTC_PF_H

#include <stdint.h>

#include <vtc/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup pf Physical functions
 * @brief Create and destroy virtual functions.
 *
 * A struct vtc_pf is a handle to a device that exists. Opening and closing it changes
 * nothing. It is known by its bus address for its whole life: the network interface may
 * be renamed or replaced in between, and is looked up anew for each request.
 *
 * A PF need not be a PCI function: whatever device has a sriov_numvfs file will do, such
 * as the kernel's netdevsim. @{
 */

/** A physical function. */
struct vtc_pf;

/**
 * How far new VFs must have come when vtc_pf_set_num_vfs() returns. VFs that are no PCI
 * functions (netdevsim) are no devices either: there is nothing to wait for.
 */
enum vtc_pf_wait {
	VTC_PF_WAIT_LINKED = 0, /**< PCI functions with virtfnN and physfn links. */
	VTC_PF_WAIT_DRIVER = 1, /**< A driver is bound to each. */
	VTC_PF_WAIT_NETDEV = 2, /**< Each has a network interface here. */
	VTC_PF_WAIT_NONE = 3,	/**< Only the count was read back. */
};

/**
 * What to do when VFs are to be created and the PF's network interface is down; some
 * drivers then refuse. A PF that has no interface here is left to its driver.
 */
enum vtc_pf_down {
	VTC_PF_DOWN_FAIL = 0,	  /**< Fail with -ENETDOWN. */
	VTC_PF_DOWN_IGNORE = 1,	  /**< Go on; the driver decides. */
	VTC_PF_DOWN_BRING_UP = 2, /**< Switch it on first; off again if the call fails. */
};

/** Whether the kernel binds drivers to new VFs by itself. */
enum vtc_pf_autoprobe {
	VTC_PF_AUTOPROBE_KEEP = 0, /**< Leave the PF's setting as it is. */
	VTC_PF_AUTOPROBE_ON = 1,   /**< On; it stays on. */
	VTC_PF_AUTOPROBE_OFF = 2,  /**< Off; it stays off. */
};

/** VFs that exist may be destroyed, as long as none is in use. */
#define VTC_PF_F_DESTROY	(1u << 0)
/** With #VTC_PF_F_DESTROY: VFs that are in use may be destroyed, too. */
#define VTC_PF_F_DESTROY_IN_USE (1u << 1)
/** Check everything, say what would happen (in the result), change nothing. */
#define VTC_PF_F_DRY_RUN	(1u << 2)

/** Options of vtc_pf_set_num_vfs(). Zero in a field means its default. */
struct vtc_pf_num_vfs_opts {
	uint32_t sz;	     /**< sizeof(struct vtc_pf_num_vfs_opts). */
	uint32_t flags;	     /**< VTC_PF_F_ flags. */
	uint32_t timeout_ms; /**< For the whole call; 0: 60000. */
	uint32_t wait;	     /**< One of enum vtc_pf_wait. */
	uint32_t down;	     /**< One of enum vtc_pf_down. */
	uint32_t autoprobe;  /**< One of enum vtc_pf_autoprobe. */
};

/** Initialiser for struct vtc_pf_num_vfs_opts. */
#define VTC_PF_NUM_VFS_OPTS_INIT                                            \
	{                                                                   \
		(uint32_t)sizeof(struct vtc_pf_num_vfs_opts), 0, 0, 0, 0, 0 \
	}

/**
 * @brief Get a handle to a PF.
 * @param[in] ctx the context
 * @param[in] name network interface ("eth0"), PCI address ("0000:01:00.0", or "01:00.0"
 *            in domain 0), or device name on another bus ("netdevsim1")
 * @param[out] ret_pf the handle; vtc_pf_close() ends it
 * @retval 0 opened
 * @retval -EINVAL a parameter is NULL, or @p name is empty, over-long or contains a slash
 * @retval -ENODEV there is no such device
 * @retval -EOPNOTSUPP the device is no PF (it has no sriov_numvfs)
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_pf_open(struct vtc_ctx *ctx, const char *name, struct vtc_pf **ret_pf);

/**
 * @brief End a handle; the device is left as it is.
 * @param[in] pf the handle, may be NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API void vtc_pf_close(struct vtc_pf *pf);

/**
 * @brief Bus address of the PF.
 * @param[in] pf the handle, may be NULL
 * @return the address, owned by the handle; NULL if @p pf is
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_pf_get_address(const struct vtc_pf *pf);

/**
 * @brief How many VFs there are now.
 * @param[in] pf the handle
 * @param[out] ret_count the number
 * @retval 0 read
 * @retval -EINVAL a parameter is NULL
 * @retval -ENODEV the device vanished
 * @retval -EPROTO the file holds no number
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_pf_get_num_vfs(struct vtc_pf *pf, uint32_t *ret_count);

/**
 * @brief How many VFs there can be.
 * @param[in] pf the handle
 * @param[out] ret_count the number
 * @retval 0 read
 * @retval -ENODATA the device does not say (netdevsim)
 * @retval -EINVAL a parameter is NULL
 * @retval -ENODEV the device vanished
 * @retval -EPROTO the file holds no number
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_pf_get_total_vfs(struct vtc_pf *pf, uint32_t *ret_count);

/**
 * @brief Set how many VFs there are.
 *
 * The kernel (Documentation/ABI/testing/sysfs-bus-pci, sriov_numvfs) can go from none to
 * some and from some to none only; any other change destroys all VFs first. This function
 *
 * - does nothing if the number is already there,
 * - destroys VFs only with #VTC_PF_F_DESTROY, and VFs in use only with
 *   #VTC_PF_F_DESTROY_IN_USE as well; otherwise the error record names them,
 * - reads the number back, because a driver may create fewer without an error,
 * - waits until the new VFs have come as far as the options say,
 * - and, if any step fails, takes the new VFs away again and puts the earlier number,
 *   autoprobe setting and interface state back. Attributes of VFs that had to be
 *   destroyed before do not come back by this.
 *
 * The write can block in the kernel for minutes (a virtual machine holds a VF, firmware
 * is slow). It is made by a short-lived helper process, which gets no signal to the
 * caller and holds none of its descriptors; when the time is up the call returns
 * -ETIMEDOUT without putting anything back, and until the helper has come back further
 * changes of this PF by this context return -EBUSY. Otherwise putting back has a time of
 * its own: as long again, and at least ten seconds.
 *
 * Two processes that use libvtc with the same state directory take turns.
 *
 * @param[in] pf the handle
 * @param[in] count how many VFs
 * @param[in] opts options, NULL for the defaults
 * @return 1 if something was changed (or would be, in a dry run), 0 if it was so already
 * @retval -EINVAL @p pf is NULL, a flag or value in @p opts is unknown, or they ask to
 *         wait for drivers and to switch autoprobe off
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ERANGE @p count is more than the PF can have
 * @retval -EBUSY VFs would be destroyed without leave (the record names those in use),
 *         another process changes the PF, or an earlier write still blocks
 * @retval -ENETDOWN the PF is down and the policy is #VTC_PF_DOWN_FAIL
 * @retval -ENOSPC the driver created fewer than asked; they were taken away again
 * @retval -ETIMEDOUT the time is up
 * @retval -EOPNOTSUPP autoprobe is to be off, and the PF has no such setting
 * @retval -ENOENT no driver is bound to the PF, or it cannot create VFs
 * @retval -ENODEV the device vanished
 * @retval -EACCES more rights are needed (also -EPERM)
 * @retval -EIO the driver failed; other numbers of its own are passed on as well
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_pf_set_num_vfs(struct vtc_pf *pf, uint32_t count,
			       const struct vtc_pf_num_vfs_opts *opts);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
