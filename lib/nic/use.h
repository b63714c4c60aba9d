/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses a device now, for whoever is about to destroy VFs. The inventory judges by
 * what it has read, and shares the rule on drivers.
 */
#ifndef VTC__NIC_USE_H
#define VTC__NIC_USE_H

#include <stdbool.h>

#include <vtc/nic.h>

#include "core/ctx.h"

/*
 * Looks at a device below the sysfs root ("bus/pci/devices/0000:01:10.0", or a link to it
 * such as ".../virtfn0"). -ENODEV: it is gone. Leaves the error record alone.
 */
int vtc__nic_use(struct vtc_ctx *ctx, const char *device_path, enum vtc_nic_use *ret_use);

/* Whether a driver exists to hand a function to somebody else: a VM, or user space. */
bool vtc__nic_driver_passes(const char *driver);

#endif
