/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFs inside. Every attribute is one number, so that comparing, clearing and putting back
 * are the same for all: addresses and VLANs are packed, switches are 0 or 1.
 */
#ifndef VTC__VF_H
#define VTC__VF_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vf.h>

#include "core/text.h"
#include "pf.h"

struct vtc_vf {
	uint32_t index;
	uint16_t known; /* bit n: enum vtc_vf_attr n was reported */
	bool was_reported;
	bool has_stats;
	int has_address; /* these two as the getters return them */
	int has_effective;
	uint64_t value[VTC_VF_ATTR_COUNT];
	struct vtc_mac effective;
	char address[VTC__BDF_LEN];
	struct vtc_vf_stats stats;
};

struct vtc_vf_list {
	uint32_t count; /* IFLA_NUM_VF */
	uint32_t end;	/* behind the last VF that was reported */
	bool was_cut;	/* the kernel had no room for more */
	struct vtc_vf vfs[];
};

struct vtc_vf_config {
	uint32_t index;
	uint16_t asked;	   /* bit per attribute, as the next two */
	uint16_t accepted; /* by the kernel, in this apply */
	uint16_t touched;  /* accepted, or it is not known whether */
	uint64_t want[VTC_VF_ATTR_COUNT];
	int result[VTC_VF_ATTR_COUNT];
};

static inline uint16_t vtc__vf_bit(enum vtc_vf_attr attr)
{
	return (uint16_t)(1u << attr);
}

/* Values that mean "cleared". */
uint64_t vtc__vf_clear_value(enum vtc_vf_attr attr);

uint64_t vtc__vf_pack_mac(const uint8_t *octets);
void vtc__vf_unpack_mac(uint64_t value, uint8_t *octets);
uint64_t vtc__vf_pack_vlan(uint32_t id, uint32_t qos, uint16_t proto);
struct vtc_vlan vtc__vf_unpack_vlan(uint64_t value);

/*
 * Ask the kernel for all VFs (vf-read.c): one request, without what sysfs knows about the
 * VFs. Results as documented for vtc_vf_list_new(); leaves the error record alone.
 */
int vtc__vf_read(struct vtc_pf *pf, uint32_t ifindex, bool stats,
		 struct vtc_vf_list **ret_list);

/* Write the error record for a vtc__vf_read() that failed. */
int vtc__vf_read_err(struct vtc_pf *pf, const char *operation, int code);

#endif
