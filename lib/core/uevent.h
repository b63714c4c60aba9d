/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel uevents (lib/kobject_uevent.c broadcasts: "action@devpath", then KEY=value). */
#ifndef VTC__UEVENT_H
#define VTC__UEVENT_H

#include <stddef.h>

/* Points into the datagram; what it does not have is "". */
struct vtc__uevent {
	const char *action;
	const char *devpath;
	const char *subsystem;
	const char *pci_slot;  /* PCI_SLOT_NAME */
	const char *interface; /* INTERFACE */
	const char *driver;    /* DRIVER */
};

/* -EPROTO: not a kernel uevent (udev's own broadcasts begin with "libudev"). */
int vtc__uevent_parse(const char *data, size_t len, struct vtc__uevent *ret);

#endif
