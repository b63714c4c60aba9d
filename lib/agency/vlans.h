/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VLANs in which a pool's machine may see group frames. */
#ifndef VTC__AGENCY_VLANS_H
#define VTC__AGENCY_VLANS_H

#include <stdint.h>

#include <vtc/pool.h>

#define VTC__VLANS 4096u

struct vtc__vlans {
	uint64_t bits[VTC__VLANS / 64];
};

/*
 * Those that its filters name; a filter that names none takes frames of all. 0 or -errno;
 * the VLANs are those that could be read.
 */
int vtc__vlans_of_pool(struct vtc_pool *pool, struct vtc__vlans *ret);

#endif
