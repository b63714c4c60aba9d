/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PF handle: a stable identity (bus and address), and what is looked up anew each time.
 */
#ifndef VTC__PF_H
#define VTC__PF_H

#include <stdint.h>

#include <vtc/pf.h>

#include "core/ctx.h"

#define VTC__PF_MAX_VFS \
	65535u /* what fits in the NumVFs register, and in the kernel's parser */

struct vtc_pf {
	struct vtc_ctx *ctx;
	char bus[32];
	char address[128];
	char path[192]; /* bus/<bus>/devices/<address>, below the sysfs root */
};

struct vtc__pf_netdev {
	uint32_t ifindex;
	char name[32];
};

/*
 * The interface of a device that speaks for it: of several, the oldest that is no
 * representor of somebody else. -ENODEV: there is none here. Leaves the error record
 * alone.
 */
int vtc__pf_find_netdev(struct vtc_ctx *ctx, const char *device_path,
			struct vtc__pf_netdev *ret);

/* The PF's own interface, for a netlink request; writes the error record. */
int vtc__pf_netdev(struct vtc_pf *pf, const char *operation, struct vtc__pf_netdev *ret);

/* Whether VFs of this PF are PCI functions, with links and drivers. */
int vtc__pf_is_pci(const struct vtc_pf *pf);

/*
 * Take turns with other processes: a descriptor for vtc__unlock(). Writes the error
 * record.
 */
int vtc__pf_lock(struct vtc_pf *pf, const char *operation, uint64_t deadline_ns);

/* Put more words behind the message of the error record. */
void vtc__pf_err_append(struct vtc_ctx *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Bare reads of the two numbers; -ENODEV: the PF is gone, -ENODATA: it has no such file.
 */
int vtc__pf_read(struct vtc_pf *pf, const char *file, uint32_t *ret);

/*
 * How many of the first count VFs are in use (use.c); text says which and why, cut to
 * len. The only failure is -ENOMEM: what cannot be told counts as in use.
 */
int vtc__pf_vfs_in_use(struct vtc_pf *pf, uint32_t count, char *text, size_t len);

/*
 * Wait until count VFs have come to a level of enum vtc_pf_wait (wait.c). -ETIMEDOUT, and
 * *ret_vf is one that has not; -ENODEV: the PF is gone.
 */
int vtc__pf_wait(struct vtc_pf *pf, uint32_t count, uint32_t level, uint64_t deadline_ns,
		 uint32_t *ret_vf);

#endif
