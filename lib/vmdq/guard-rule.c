/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which frames are whose: the guard's rules, how many there are of each kind (what has
 * none is not looked up), and who is a member of which VLAN for copies of group frames.
 *
 * Both counts go up before a rule is there and down when it is gone: a process that dies
 * between leaves them too high, which costs a lookup, and never too low.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "guard-internal.h"

#define VLAN_MAX 4094u

static int make_key(const struct vtc_filter *filter, struct vtc__guard_rule *ret,
		    enum vtc__guard_kind *ret_kind)
{
	static const uint8_t nobody[6];
	bool mac = filter->match & VTC_FILTER_MAC, vlan = filter->match & VTC_FILTER_VLAN;

	memset(ret, 0, sizeof(*ret));
	ret->vlan = VTC__GUARD_ANY_VLAN;
	if (!mac && !vlan)
		return -EINVAL;
	if (mac) {
		memcpy(ret->mac, &filter->mac, sizeof(ret->mac));
		if ((ret->mac[0] & 1) || memcmp(ret->mac, nobody, sizeof(nobody)) == 0)
			return -EINVAL;
	}
	if (vlan) {
		if (filter->vlan > VLAN_MAX)
			return -EINVAL;
		ret->vlan = filter->vlan;
	}
	*ret_kind = VTC__GUARD_VLAN;
	if (mac)
		*ret_kind = vlan ? VTC__GUARD_MAC_VLAN : VTC__GUARD_MAC;
	return 0;
}

static int count_kind(struct vtc__guard *guard, enum vtc__guard_kind kind, int by)
{
	struct vtc__guard_config config;
	uint32_t first = 0;
	int err = vtc__guard_read(guard, VTC__GUARD_CONFIG, &first, &config);

	if (err < 0)
		return err;
	config.rules[kind] += (uint32_t)by;
	return vtc__guard_write(guard, VTC__GUARD_CONFIG, &first, &config, BPF_ANY);
}

static int count_member(struct vtc__guard *guard, uint32_t slot, uint16_t vlan, int by)
{
	struct vtc__guard_member key = { .slot = (uint16_t)slot, .vlan = vlan };
	uint32_t count = 0;
	int err = vtc__guard_read(guard, VTC__GUARD_MEMBER, &key, &count);

	if (err < 0 && err != -ENOENT)
		return err;
	count += (uint32_t)by;
	if (count)
		return vtc__guard_write(guard, VTC__GUARD_MEMBER, &key, &count, BPF_ANY);
	return vtc__guard_erase(guard, VTC__GUARD_MEMBER, &key);
}

int vtc__guard_forget_members(struct vtc__guard *guard, uint32_t slot)
{
	struct vtc__guard_member key, next;
	int fd = guard->tables[VTC__GUARD_MEMBER];
	int err = bpf_map_get_next_key(fd, NULL, &next) < 0 ? -errno : 0;
	unsigned int left = VTC__GUARD_FILTERS;

	while (err == 0 && left--) {
		key = next;
		err = bpf_map_get_next_key(fd, &key, &next) < 0 ? -errno : 0;
		if (key.slot == slot)
			(void)vtc__guard_erase(guard, VTC__GUARD_MEMBER, &key);
	}
	return err == -ENOENT ? 0 : err;
}

static int add(struct vtc__guard *guard, const struct vtc__guard_rule *key,
	       enum vtc__guard_kind kind, uint32_t slot)
{
	int err = count_member(guard, slot, key->vlan, 1);

	if (err < 0)
		return err;
	err = count_kind(guard, kind, 1);
	if (err < 0) {
		(void)count_member(guard, slot, key->vlan, -1);
		return err;
	}
	err = vtc__guard_write(guard, VTC__GUARD_RULE, key, &slot, BPF_NOEXIST);
	if (err < 0) {
		(void)count_kind(guard, kind, -1);
		(void)count_member(guard, slot, key->vlan, -1);
	}
	return err;
}

int vtc__guard_add_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t slot)
{
	struct vtc__guard_rule key;
	enum vtc__guard_kind kind;
	uint32_t holder;
	int err = make_key(filter, &key, &kind);

	if (err < 0 || slot >= VTC__GUARD_SLOTS)
		return -EINVAL;
	err = vtc__guard_read(guard, VTC__GUARD_RULE, &key, &holder);
	if (err != -ENOENT)
		return err == 0 ? -EEXIST : err;
	err = vtc__guard_foreign(guard->ctx, "add guard rule");
	return err < 0 ? err : add(guard, &key, kind, slot);
}

int vtc__guard_get_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t *ret_slot)
{
	struct vtc__guard_rule key;
	enum vtc__guard_kind kind;
	int err = make_key(filter, &key, &kind);

	return err < 0 ? err : vtc__guard_read(guard, VTC__GUARD_RULE, &key, ret_slot);
}

int vtc__guard_remove_filter(struct vtc__guard *guard, const struct vtc_filter *filter)
{
	struct vtc__guard_rule key;
	enum vtc__guard_kind kind;
	uint32_t slot;
	int err = make_key(filter, &key, &kind);

	if (err == 0)
		err = vtc__guard_read(guard, VTC__GUARD_RULE, &key, &slot);
	if (err == 0)
		err = vtc__guard_foreign(guard->ctx, "remove guard rule");
	if (err == 0)
		err = vtc__guard_erase(guard, VTC__GUARD_RULE, &key);
	if (err < 0)
		return err;
	(void)count_kind(guard, kind, -1);
	(void)count_member(guard, slot, key.vlan, -1);
	return 0;
}
