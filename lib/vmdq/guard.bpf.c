/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * The guard on a card, in the kernel: it gives each frame to the pool that a rule names,
 * and nobody else's frames to anybody. It is built twice; with VTC__GUARD_HIDDEN_TAGS it
 * also sees VLAN tags that the driver keeps beside the frame, and then fits one driver
 * only.
 *
 * The VLAN of a frame is the number in its outermost tag, 802.1Q or 802.1ad. The kernel
 * lets only programs under the GPL ask for hidden tags, hence the second licence.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
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
	__type(key, struct vtc__guard_rule);
	__type(value, __u32);
} vtc_rule SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VTC__GUARD_SLOTS);
	__type(key, __u32);
	__type(value, struct vtc__guard_stats);
} vtc_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, VTC__GUARD_SLOTS *VTC__GUARD_QUEUES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} vtc_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, VTC__GUARD_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} vtc_targets SEC(".maps");

struct tag {
	__be16 protocol;
	__be16 value;
};

struct frame {
	struct vtc__guard_rule key;
	struct tag hidden; /* protocol 0: there is none */
	__u64 len;
	bool parts; /* it does not lie in one piece */
};

#define VLAN_NUMBER(value) ((__u16)((value)&0x0fff))

#ifdef VTC__GUARD_HIDDEN_TAGS
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *protocol,
					__u16 *value) __ksym;

static __always_inline void read_hidden(struct xdp_md *ctx, struct frame *frame)
{
	__be16 protocol = 0;
	__u16 value = 0;

	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, &value) || !protocol)
		return;
	frame->hidden.protocol = protocol;
	frame->hidden.value = bpf_htons(value);
	frame->key.vlan = VLAN_NUMBER(value);
	frame->len += sizeof(struct tag);
}
#else
static __always_inline void read_hidden(struct xdp_md *ctx, struct frame *frame)
{
	(void)ctx, (void)frame;
}
#endif

static __always_inline bool parse(struct xdp_md *ctx, struct frame *frame)
{
	const char *data = (const char *)(long)ctx->data;
	const char *end = (const char *)(long)ctx->data_end;
	const struct ethhdr *eth = (const void *)data;
	const struct tag *tag = (const void *)(eth + 1);

	if ((const char *)(eth + 1) > end)
		return false;
	__builtin_memcpy(frame->key.mac, eth->h_dest, sizeof(frame->key.mac));
	frame->len = bpf_xdp_get_buff_len(ctx);
	frame->parts = frame->len != (__u64)(end - data);
	if (eth->h_proto == bpf_htons(ETH_P_8021Q) ||
	    eth->h_proto == bpf_htons(ETH_P_8021AD)) {
		if ((const char *)(tag + 1) > end)
			return false;
		/* The value is where the protocol of a struct tag would be. */
		frame->key.vlan = VLAN_NUMBER(bpf_ntohs(tag->protocol));
	}
	read_hidden(ctx, frame);
	return true;
}

/* The slot of a frame; VTC__GUARD_SLOTS: it is nobody's. */
static __always_inline __u32 find(const struct vtc__guard_config *config,
				  const struct vtc__guard_rule *exact)
{
	struct vtc__guard_rule key = *exact;
	const __u32 *slot;

	if (config->rules[VTC__GUARD_MAC_VLAN]) {
		slot = bpf_map_lookup_elem(&vtc_rule, &key);
		if (slot)
			return *slot;
	}
	if (config->rules[VTC__GUARD_MAC]) {
		key.vlan = VTC__GUARD_ANY_VLAN;
		slot = bpf_map_lookup_elem(&vtc_rule, &key);
		if (slot)
			return *slot;
	}
	if (config->rules[VTC__GUARD_VLAN]) {
		__builtin_memset(&key, 0, sizeof(key));
		key.vlan = exact->vlan;
		slot = bpf_map_lookup_elem(&vtc_rule, &key);
		if (slot)
			return *slot;
	}
	return config->everything;
}

/* Make room for a tag behind the addresses (4), or take that room away (-4). */
static __always_inline bool shift(struct xdp_md *ctx, int bytes, const struct tag *tag)
{
	char macs[2 * ETH_ALEN];
	char *data = (char *)(long)ctx->data;

	if (data + sizeof(macs) > (char *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(macs, data, sizeof(macs));
	if (bpf_xdp_adjust_head(ctx, -bytes))
		return false;
	data = (char *)(long)ctx->data;
	if (data + sizeof(macs) + sizeof(*tag) > (char *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(data, macs, sizeof(macs));
	if (bytes > 0)
		__builtin_memcpy(data + sizeof(macs), tag, sizeof(*tag));
	return true;
}

/* There was an entry a moment ago; if it is gone the frame goes on as it came. */
static __always_inline int redirect(struct xdp_md *ctx, const struct frame *frame,
				    void *table, __u32 key)
{
	bool hidden = frame->hidden.protocol != 0;
	int verdict;

	if (hidden && !shift(ctx, sizeof(struct tag), &frame->hidden))
		return XDP_PASS;
	verdict = bpf_redirect_map(table, key, XDP_PASS);
	if (hidden && verdict != XDP_REDIRECT && !shift(ctx, -(int)sizeof(struct tag), 0))
		return XDP_ABORTED;
	return verdict;
}

static __always_inline bool is_own(const struct vtc__guard_slot *slot, __u32 queue)
{
	return !slot->queue_count || queue - slot->queue_first < slot->queue_count;
}

/* A frame in parts would be cut or lost by a socket that is not made for such. */
static __always_inline int to_socket(struct xdp_md *ctx, const struct frame *frame,
				     const struct vtc__guard_place *place, __u32 slot)
{
	__u32 queue = ctx->rx_queue_index;
	__u32 key = slot * VTC__GUARD_QUEUES + queue;

	if ((frame->parts && !place->sockets_take_parts) || queue >= VTC__GUARD_QUEUES ||
	    !bpf_map_lookup_elem(&vtc_sockets, &key))
		return XDP_PASS;
	return redirect(ctx, frame, &vtc_sockets, key);
}

static __always_inline int to_target(struct xdp_md *ctx, const struct frame *frame,
				     const struct vtc__guard_place *place, __u32 slot)
{
	if ((frame->parts && !place->takes_parts) ||
	    !bpf_map_lookup_elem(&vtc_targets, &slot))
		return XDP_PASS;
	return redirect(ctx, frame, &vtc_targets, slot);
}

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *frame,
				   __u32 slot)
{
	const struct vtc__guard_place *place = bpf_map_lookup_elem(&vtc_place, &slot);
	struct vtc__guard_stats *stats = bpf_map_lookup_elem(&vtc_stats, &slot);
	int verdict = XDP_PASS;

	if (!place || !place->slot.used || !stats)
		return XDP_PASS;
	stats->packets++;
	stats->bytes += frame->len;
	if (is_own(&place->slot, ctx->rx_queue_index))
		verdict = to_socket(ctx, frame, place, slot);
	else
		stats->missort++;
	if (verdict == XDP_REDIRECT) {
		stats->to_socket++;
		return verdict;
	}
	if (verdict == XDP_PASS)
		verdict = to_target(ctx, frame, place, slot);
	if (verdict == XDP_REDIRECT)
		stats->to_target++;
	else
		stats->to_stack++;
	return verdict;
}

SEC("xdp.frags")
int vtc_guard(struct xdp_md *ctx)
{
	const struct vtc__guard_config *config;
	struct frame frame = { .parts = false };
	__u32 slot = 0;

	config = bpf_map_lookup_elem(&vtc_config, &slot);
	if (!config || !parse(ctx, &frame))
		return XDP_PASS;
	/* Group frames belong to all; who gets a copy is seen to behind the driver. */
	if (frame.key.mac[0] & 1)
		return XDP_PASS;
	slot = find(config, &frame.key);
	if (slot >= VTC__GUARD_SLOTS)
		return XDP_PASS;
	return deliver(ctx, &frame, slot);
}
