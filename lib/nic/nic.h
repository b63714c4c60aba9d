/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an inventory holds, and the readers that fill it. */
#ifndef VTC__NIC_H
#define VTC__NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/nic.h>

#include "core/ctx.h"
#include "core/text.h"

#define VTC__BUS_LEN	 32
#define VTC__ADDRESS_LEN 64
#define VTC__NAME_MAX	 128 /* longer than any name of an interface or a device */

/* ---- Values (value.c); the state is what a tri-state getter returns ---- */

struct vtc__num {
	int state;
	uint32_t value;
};

struct vtc__str {
	int state;
	char *text;
};

int vtc__num_get(const struct vtc__num *num, uint32_t *ret);
int vtc__str_get(const struct vtc__str *str, const char **ret);

/* A file with one number, at most max; everything else is unknown. */
void vtc__num_read(struct vtc_ctx *ctx, const char *dir, const char *name, uint32_t max,
		   struct vtc__num *ret);

/*
 * A file with one line of text; an empty one is "none", what is not printable is unknown.
 * Gives what the read gave (a length or -errno), so that the caller can judge a missing
 * file. The only failure of our own is -ENOMEM.
 */
int vtc__str_read(struct vtc_ctx *ctx, const char *dir, const char *name,
		  struct vtc__str *ret);
int vtc__str_set(struct vtc__str *str, const char *text);

/* Make room for one more element. -ENOMEM also if there are absurdly many. */
int vtc__grow(void **array, size_t *room, size_t count, size_t size);

/* Names in a directory; those that cannot be a device's are left out. */
struct vtc__names {
	char (*name)[VTC__ADDRESS_LEN];
	size_t count;
	size_t room;
};

int vtc__names_list(struct vtc_ctx *ctx, const char *path, struct vtc__names *ret);
void vtc__names_free(struct vtc__names *names);

/* ---- Objects ---- */

/* The device that an interface belongs to. */
struct vtc__owner {
	char bus[VTC__BUS_LEN];
	char address[VTC__ADDRESS_LEN];
	char dir[VTC__PATH_MAX];
};

/* A PF's virtfnN. */
struct vtc__vf_link {
	uint32_t index;
	char address[VTC__BDF_LEN];
	const struct vtc_nic *nic;
};

/* An IOMMU group with its members in order. */
struct vtc__group {
	uint32_t number;
	bool known;
	struct vtc__names members;
};

struct vtc_netdev {
	const struct vtc_nic *nic;
	char bus[VTC__BUS_LEN];
	char address[VTC__ADDRESS_LEN];
	char name[VTC__ADDRESS_LEN];
	uint32_t ifindex;
	int mac_state;
	struct vtc_mac mac;
	struct vtc__num mtu, up, carrier, speed, upper;
	struct vtc__str switch_id, port_name;
};

struct vtc_nic {
	char bus[VTC__BUS_LEN];
	char address[VTC__ADDRESS_LEN];
	char *dir;
	enum vtc_nic_kind kind;
	struct vtc__str driver, vendor_name, device_name, cpus, reset;
	struct vtc__num vendor, device, numa, iommu_group, msix;
	struct vtc__num total_vfs, num_vfs, offset, stride, autoprobe, vf_msix;
	bool net_dir; /* the driver has, or had, network interfaces */

	char pf_address[VTC__BDF_LEN];
	const struct vtc_nic *pf;
	struct vtc__num index;
	struct vtc__vf_link *vfs;
	size_t vf_count;

	const struct vtc__group *group;
	const struct vtc_netdev *netdevs;
	size_t netdev_count;

	int caps[VTC_NIC_CAP_COUNT];
	int channels_state;
	struct vtc_channels channels;
};

/* All arrays are in order; nothing moves once the inventory is complete. */
struct vtc_inventory {
	struct vtc_nic *nics;
	size_t nic_count, nic_room;
	struct vtc_netdev *netdevs;
	size_t netdev_count, netdev_room;
	const struct vtc_netdev **by_name;
	struct vtc__group *groups;
	size_t group_count;
};

/* By bus, then by address as a person would count. */
int vtc__address_cmp(const char *bus_a, const char *a, const char *bus_b, const char *b);

struct vtc_nic *vtc__inventory_lookup(const struct vtc_inventory *inventory,
				      const char *bus, const char *address);

/* ---- One PCI function (function.c) ---- */

/* Whether it is a network controller. */
bool vtc__function_is_nic(struct vtc_ctx *ctx, const char *address);

/* Addresses of all network controllers, in no order. */
int vtc__function_list(struct vtc_ctx *ctx, struct vtc__names *ret);

/* What the kind is, and for a VF its PF ("" if that cannot be told). */
enum vtc_nic_kind vtc__function_kind(struct vtc_ctx *ctx, const char *dir, char *pf,
				     size_t len);

/* The virtfnN links of a PF, in order; the caller frees the array. */
int vtc__function_vfs(struct vtc_ctx *ctx, const char *dir, struct vtc__vf_link **ret_vfs,
		      size_t *ret_count);

/* 1: read; 0: it vanished; -ENOMEM. */
int vtc__function_read(struct vtc_ctx *ctx, struct vtc_nic *nic);

/* Number of MSI-X vectors that configuration space tells of; for vtc__function_read(). */
void vtc__function_msix(const uint8_t *config, size_t len, struct vtc__num *ret);

/* ---- One network interface (netdev.c) ---- */

/* Tri-state; 0: it has no device. */
int vtc__netdev_owner(struct vtc_ctx *ctx, const char *name, struct vtc__owner *ret);

/* 1: read; 0: it vanished; -ENOMEM. */
int vtc__netdev_read(struct vtc_ctx *ctx, struct vtc_netdev *netdev);

/* ---- Further readers; they fail with -ENOMEM only ---- */

int vtc__caps_fill(struct vtc_ctx *ctx, struct vtc_inventory *inventory); /* caps.c */
int vtc__names_fill(struct vtc_inventory *inventory);			  /* names.c */

#endif
