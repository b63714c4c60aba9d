/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * Copies of group frames, in the kernel, behind the driver: each goes on as it came, and
 * a copy to the target of every pool that wants such and is a member of the frame's VLAN.
 * The kernel has taken the outermost tag out of the frame here, and puts it back into
 * what is sent.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "guard-map.h"

char licence[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vtc__guard_config);
} vtc_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VTC__GUARD_SLOTS);
	__type(key, __u32);
	__type(value, struct vtc__guard_place);
} vtc_place SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VTC__GUARD_FILTERS);
	__type(key, struct vtc__guard_member);
	__type(value, __u32);
} vtc_member SEC(".maps");

/* As in the guard: the kernel takes out of it the interfaces that go. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, VTC__GUARD_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} vtc_copies SEC(".maps");

static __always_inline bool is_member(__u32 slot, __u16 vlan)
{
	struct vtc__guard_member key = { .slot = slot, .vlan = vlan };

	if (bpf_map_lookup_elem(&vtc_member, &key))
		return true;
	key.vlan = VTC__GUARD_ANY_VLAN;
	return bpf_map_lookup_elem(&vtc_member, &key) != 0;
}

static __always_inline bool same(const struct ethhdr *a, const struct ethhdr *b)
{
	const __u8 *x = (const void *)a, *y = (const void *)b;
	__u8 differ = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < sizeof(*a); i++)
		differ |= x[i] ^ y[i];
	return !differ;
}

/*
 * A generic XDP program on the interface can make the kernel (seen in 6.12 and 6.18) copy
 * the frame and forget how long its link header is: it does not begin with that here
 * then. Growing it at its head mends that, for whoever comes next as well.
 */
static __always_inline bool mend(struct __sk_buff *skb, struct ethhdr *eth)
{
	struct ethhdr first;

	if (bpf_skb_load_bytes_relative(skb, 0, eth, sizeof(*eth), BPF_HDR_START_MAC) ||
	    bpf_skb_load_bytes(skb, 0, &first, sizeof(first)))
		return false;
	if (same(&first, eth))
		return true;
	return !bpf_skb_change_head(skb, sizeof(*eth), 0) &&
	       !bpf_skb_store_bytes(skb, 0, eth, sizeof(*eth), 0);
}

SEC("tc")
int vtc_flood(struct __sk_buff *skb)
{
	__u16 vlan = skb->vlan_present ? skb->vlan_tci & 0x0fff : 0;
	const struct vtc__guard_config *config;
	const struct vtc__guard_place *place;
	const __u32 *target;
	__u32 slot, key = 0;
	struct ethhdr eth;

	config = bpf_map_lookup_elem(&vtc_config, &key);
	if (!config || skb->pkt_type == PACKET_HOST || !mend(skb, &eth) ||
	    !(eth.h_dest[0] & 1))
		return TC_ACT_UNSPEC;
	/* The kernel must see that this ends: nothing may point to the slot's number. */
	for (slot = 0; slot < VTC__GUARD_SLOTS; slot++) {
		key = slot;
		place = bpf_map_lookup_elem(&vtc_place, &key);
		if (!place || !place->slot.used || !place->slot.group_copy)
			continue;
		target = bpf_map_lookup_elem(&vtc_copies, &key);
		if (target && (slot == config->everything || is_member(slot, vlan)))
			bpf_clone_redirect(skb, *target, 0);
	}
	return TC_ACT_UNSPEC;
}
