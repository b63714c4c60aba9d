/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Vendor and model names from the PCI ID database. The only file that knows libpci, which
 * is asked for nothing but names: it neither scans a bus nor touches a device here.
 *
 * libpci reports what it cannot deal with to a hook that must not return (by default it
 * ends the process) and that is told nothing about the caller. So the hook jumps back out
 * of libpci to a place that is noted per thread during the call: the one object of the
 * library that is not the caller's.
 */
#include <errno.h>

#include "nic.h"

#ifdef HAVE_LIBPCI

#include <pci/pci.h>
#include <setjmp.h>
#include <stdlib.h>

#define NAME_LEN 256

/* Before its hooks can be set, libpci ends the process if it does not get this much. */
#define RESERVE (64u << 10)

static _Thread_local jmp_buf *way_out;

static void __attribute__((noreturn, format(printf, 1, 2))) on_error(char *message, ...)
{
	(void)message;
	longjmp(*way_out, 1);
}

static void __attribute__((format(printf, 1, 2))) on_message(char *message, ...)
{
	(void)message;
}

static struct pci_access *open_database(void)
{
	void *volatile reserve = malloc(RESERVE);
	struct pci_access *access;

	if (!reserve)
		return NULL;
	free(reserve);
	access = pci_alloc();
	access->error = on_error;
	access->warning = on_message;
	access->debug = on_message;
	/* Its default would read a cache of DNS answers in the user's home directory. */
	access->id_lookup_mode = 0;
	return access;
}

static void look_up(struct pci_access *access, const struct vtc_nic *nic, char *vendor,
		    char *device)
{
	const int flags = PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB;

	if (!pci_lookup_name(access, vendor, NAME_LEN, PCI_LOOKUP_VENDOR | flags,
			     (int)nic->vendor.value))
		vendor[0] = '\0';
	if (!pci_lookup_name(access, device, NAME_LEN, PCI_LOOKUP_DEVICE | flags,
			     (int)nic->vendor.value, (int)nic->device.value))
		device[0] = '\0';
}

/* False: libpci gave up. */
static bool look_up_safely(struct pci_access *access, const struct vtc_nic *nic,
			   char *vendor, char *device)
{
	jmp_buf here;

	way_out = &here;
	if (setjmp(here) == 0) {
		look_up(access, nic, vendor, device);
		way_out = NULL;
		return true;
	}
	way_out = NULL;
	return false;
}

/* 0, -EIO when libpci gave up, or -ENOMEM. */
static int name_nic(struct pci_access *access, struct vtc_nic *nic)
{
	char vendor[NAME_LEN] = "", device[NAME_LEN] = "";
	int err = 0;

	if (!look_up_safely(access, nic, vendor, device))
		return -EIO;
	if (vendor[0])
		err = vtc__str_set(&nic->vendor_name, vendor);
	if (!err && device[0])
		err = vtc__str_set(&nic->device_name, device);
	return err;
}

int vtc__names_fill(struct vtc_inventory *inventory)
{
	struct pci_access *access = open_database();
	int err = access ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < inventory->nic_count; i++) {
		struct vtc_nic *nic = &inventory->nics[i];

		if (nic->vendor.state == 1 && nic->device.state == 1)
			err = name_nic(access, nic);
	}
	if (access)
		pci_cleanup(access);
	return err == -ENOMEM ? err : 0;
}

#else

int vtc__names_fill(struct vtc_inventory *inventory)
{
	(void)inventory;
	return 0;
}

#endif
