/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard's tables: made once for a card, then opened by whoever has to do with its
 * pools. Whoever changes them has the card's journal locked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "guard-internal.h"

static const struct layout {
	const char *name;
	enum bpf_map_type type;
	uint32_t key, value, count;
} layouts[VTC__GUARD_TABLES] = {
	[VTC__GUARD_CONFIG] = { "vtc_config", BPF_MAP_TYPE_ARRAY, 4,
				sizeof(struct vtc__guard_config), 1 },
	[VTC__GUARD_PLACE] = { "vtc_place", BPF_MAP_TYPE_ARRAY, 4,
			       sizeof(struct vtc__guard_place), VTC__GUARD_SLOTS },
	[VTC__GUARD_RULE] = { "vtc_rule", BPF_MAP_TYPE_HASH,
			      sizeof(struct vtc__guard_rule), 4, VTC__GUARD_FILTERS },
	[VTC__GUARD_MEMBER] = { "vtc_member", BPF_MAP_TYPE_HASH,
				sizeof(struct vtc__guard_member), 4, VTC__GUARD_FILTERS },
	[VTC__GUARD_STATS] = { "vtc_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4,
			       sizeof(struct vtc__guard_stats), VTC__GUARD_SLOTS },
	[VTC__GUARD_SOCKETS] = { "vtc_sockets", BPF_MAP_TYPE_XSKMAP, 4, 4,
				 VTC__GUARD_SLOTS *VTC__GUARD_QUEUES },
	[VTC__GUARD_TARGETS] = { "vtc_targets", BPF_MAP_TYPE_DEVMAP, 4, 4,
				 VTC__GUARD_SLOTS },
	[VTC__GUARD_COPIES] = { "vtc_copies", BPF_MAP_TYPE_DEVMAP, 4, 4,
				VTC__GUARD_SLOTS },
};

const char *vtc__guard_table_name(enum vtc__guard_table table)
{
	return layouts[table].name;
}

int vtc__guard_table_number(int fd, uint32_t *ret)
{
	struct bpf_map_info info = { .id = 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*ret = info.id;
	return 0;
}

/* Whether an open table is what it should be, as far as its frame goes. */
static bool fits(int fd, const struct layout *layout)
{
	struct bpf_map_info info = { .id = 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       info.type == layout->type && info.key_size == layout->key &&
	       info.value_size == layout->value && info.max_entries == layout->count &&
	       strncmp(info.name, layout->name, sizeof(info.name)) == 0;
}

int vtc__guard_read(struct vtc__guard *guard, enum vtc__guard_table table,
		    const void *key, void *ret)
{
	return bpf_map_lookup_elem(guard->tables[table], key, ret) < 0 ? -errno : 0;
}

int vtc__guard_write(struct vtc__guard *guard, enum vtc__guard_table table,
		     const void *key, const void *value, uint64_t flags)
{
	if (bpf_map_update_elem(guard->tables[table], key, value, flags) == 0)
		return 0;
	return errno == E2BIG ? -ENOSPC : -errno;
}

int vtc__guard_erase(struct vtc__guard *guard, enum vtc__guard_table table,
		     const void *key)
{
	return bpf_map_delete_elem(guard->tables[table], key) < 0 ? -errno : 0;
}

int vtc__guard_tables_make(struct vtc__guard *guard, bool behind_driver)
{
	struct vtc__guard_config config = { .magic = VTC__GUARD_MAGIC,
					    .abi = VTC__GUARD_ABI,
					    .everything = VTC__GUARD_SLOTS,
					    .ifindex = guard->ifindex,
					    .behind_driver = behind_driver };
	uint32_t first = 0;
	unsigned int i;
	int fd, err;

	for (i = 0; i < VTC__GUARD_TABLES; i++) {
		fd = bpf_map_create(layouts[i].type, layouts[i].name, layouts[i].key,
				    layouts[i].value, layouts[i].count, NULL);
		if (fd < 0)
			return -errno;
		guard->tables[i] = fd;
		err = vtc__guard_table_number(fd, &config.tables[i]);
		if (err < 0)
			return err;
	}
	return vtc__guard_write(guard, VTC__GUARD_CONFIG, &first, &config, BPF_ANY);
}

/* -ENOENT for what is not ours as well: then ours is gone and its number used again. */
static int open_table(uint32_t number, const struct layout *layout, int *ret)
{
	int fd = bpf_map_get_fd_by_id(number);

	if (fd < 0)
		return -errno;
	if (!fits(fd, layout)) {
		close(fd);
		return -ENOENT;
	}
	*ret = fd;
	return 0;
}

int vtc__guard_tables_open(struct vtc__guard *guard, uint32_t number)
{
	struct vtc__guard_config config;
	uint32_t first = 0;
	unsigned int i;
	int err;

	err = open_table(number, &layouts[0], &guard->tables[0]);
	if (err == 0)
		err = vtc__guard_read(guard, VTC__GUARD_CONFIG, &first, &config);
	if (err < 0)
		return err;
	if (config.magic != VTC__GUARD_MAGIC || config.ifindex != guard->ifindex)
		return -ENOENT;
	if (config.abi != VTC__GUARD_ABI)
		return -EPROTO;
	for (i = 1; i < VTC__GUARD_TABLES; i++) {
		err = open_table(config.tables[i], &layouts[i], &guard->tables[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

void vtc__guard_tables_close(struct vtc__guard *guard)
{
	unsigned int i;

	for (i = 0; i < VTC__GUARD_TABLES; i++)
		if (guard->tables[i] >= 0)
			close(guard->tables[i]);
}

int vtc__guard_set_everything(struct vtc__guard *guard, uint32_t slot)
{
	struct vtc__guard_config config;
	uint32_t first = 0;
	int err;

	if (slot > VTC__GUARD_SLOTS)
		return -EINVAL;
	err = vtc__guard_foreign(guard->ctx, "set guard default");
	if (err == 0)
		err = vtc__guard_read(guard, VTC__GUARD_CONFIG, &first, &config);
	if (err < 0)
		return err;
	config.everything = slot;
	return vtc__guard_write(guard, VTC__GUARD_CONFIG, &first, &config, BPF_ANY);
}

int vtc__guard_get_everything(struct vtc__guard *guard, uint32_t *ret_slot)
{
	struct vtc__guard_config config;
	uint32_t first = 0;
	int err = vtc__guard_read(guard, VTC__GUARD_CONFIG, &first, &config);

	if (err == 0)
		*ret_slot = config.everything;
	return err;
}

/* The kernel forgets a socket that is closed, and then has no entry to erase. */
static int erase_known(struct vtc__guard *guard, enum vtc__guard_table table,
		       uint32_t key)
{
	int err = vtc__guard_erase(guard, table, &key);

	return err == -ENOENT ? 0 : err;
}

int vtc__guard_set_socket(struct vtc__guard *guard, uint32_t slot, uint32_t queue, int fd)
{
	uint32_t key = slot * VTC__GUARD_QUEUES + queue;
	int err;

	if (slot >= VTC__GUARD_SLOTS || queue >= VTC__GUARD_QUEUES)
		return -EINVAL;
	err = vtc__guard_foreign(guard->ctx, "set guard socket");
	if (err < 0)
		return err;
	if (fd < 0)
		return erase_known(guard, VTC__GUARD_SOCKETS, key);
	return vtc__guard_write(guard, VTC__GUARD_SOCKETS, &key, &fd, BPF_ANY);
}

int vtc__guard_set_parts(struct vtc__guard *guard, uint32_t slot, bool take)
{
	struct vtc__guard_place place;
	int err;

	if (slot >= VTC__GUARD_SLOTS)
		return -EINVAL;
	err = vtc__guard_read(guard, VTC__GUARD_PLACE, &slot, &place);
	if (err < 0 || place.sockets_take_parts == take)
		return err;
	err = vtc__guard_foreign(guard->ctx, "set guard parts");
	if (err < 0)
		return err;
	place.sockets_take_parts = take;
	return vtc__guard_write(guard, VTC__GUARD_PLACE, &slot, &place, BPF_ANY);
}

/* Counters of each processor, for one call of the kernel. */
static struct vtc__guard_stats *counters_new(int *ret_count)
{
	int count = libbpf_num_possible_cpus();

	if (count <= 0)
		return NULL;
	*ret_count = count;
	return calloc((size_t)count, sizeof(struct vtc__guard_stats));
}

static int clear_counters(struct vtc__guard *guard, uint32_t slot)
{
	int count, err;
	struct vtc__guard_stats *zero = counters_new(&count);

	if (!zero)
		return -ENOMEM;
	err = vtc__guard_write(guard, VTC__GUARD_STATS, &slot, zero, BPF_ANY);
	free(zero);
	return err;
}

int vtc__guard_get_stats(struct vtc__guard *guard, uint32_t slot,
			 struct vtc__guard_stats *ret)
{
	struct vtc__guard_stats sum = { .packets = 0 }, *each;
	int count, i, err;

	if (slot >= VTC__GUARD_SLOTS)
		return -EINVAL;
	each = counters_new(&count);
	if (!each)
		return -ENOMEM;
	err = vtc__guard_read(guard, VTC__GUARD_STATS, &slot, each);
	for (i = 0; err == 0 && i < count; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
		sum.missort += each[i].missort;
		sum.to_socket += each[i].to_socket;
		sum.to_target += each[i].to_target;
		sum.to_stack += each[i].to_stack;
	}
	free(each);
	if (err == 0)
		*ret = sum;
	return err;
}

/* Behind the driver a frame goes to the target as if the stack sent it: any takes it. */
static int look_at_target(struct vtc__guard *guard, uint32_t target,
			  uint32_t *takes_parts)
{
	struct vtc__guard_config config;
	uint32_t features = 0, first = 0;
	int err;

	*takes_parts = 0;
	if (!target)
		return 0;
	err = vtc__guard_read(guard, VTC__GUARD_CONFIG, &first, &config);
	if (err < 0)
		return err;
	*takes_parts = config.behind_driver;
	if (config.behind_driver)
		return 0;
	err = vtc__guard_features(guard->ctx, target, &features);
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return err;
	*takes_parts = (features & VTC__GUARD_CAN_TAKE_PARTS) != 0;
	return features & VTC__GUARD_CAN_TAKE ? 0 : -EOPNOTSUPP;
}

/* Nothing of a pool that had the slot before may come to the new one. */
static int clear_slot(struct vtc__guard *guard, uint32_t slot)
{
	uint32_t queue;
	int err = clear_counters(guard, slot);

	if (err == 0)
		err = vtc__guard_forget_members(guard, slot);
	for (queue = 0; err == 0 && queue < VTC__GUARD_QUEUES; queue++)
		err = erase_known(guard, VTC__GUARD_SOCKETS,
				  slot * VTC__GUARD_QUEUES + queue);
	return err;
}

static int write_one(struct vtc__guard *guard, enum vtc__guard_table table, uint32_t slot,
		     uint32_t target)
{
	int err;

	if (!target)
		return erase_known(guard, table, slot);
	err = vtc__guard_write(guard, table, &slot, &target, BPF_ANY);
	return err == -EINVAL ? -ENODEV : err;
}

static int write_target(struct vtc__guard *guard, uint32_t slot, uint32_t target)
{
	int err = write_one(guard, VTC__GUARD_TARGETS, slot, target);

	return err ? err : write_one(guard, VTC__GUARD_COPIES, slot, target);
}

int vtc__guard_set_slot(struct vtc__guard *guard, uint32_t slot,
			const struct vtc__guard_slot *value)
{
	struct vtc__guard_place old, place = { .slot = *value };
	int err;

	if (slot >= VTC__GUARD_SLOTS)
		return -EINVAL;
	err = look_at_target(guard, value->target, &place.takes_parts);
	if (err == 0)
		err = vtc__guard_read(guard, VTC__GUARD_PLACE, &slot, &old);
	if (err == 0)
		err = vtc__guard_foreign(guard->ctx, "set guard slot");
	if (err == 0 && old.slot.used)
		place.sockets_take_parts = old.sockets_take_parts;
	else if (err == 0)
		err = clear_slot(guard, slot);
	if (err == 0)
		err = write_target(guard, slot, value->target);
	if (err < 0)
		return err;
	err = vtc__guard_write(guard, VTC__GUARD_PLACE, &slot, &place, BPF_ANY);
	if (err < 0)
		(void)write_target(guard, slot, old.slot.target);
	return err;
}

int vtc__guard_get_slot(struct vtc__guard *guard, uint32_t slot,
			struct vtc__guard_slot *ret)
{
	struct vtc__guard_place place;
	uint32_t target;
	int err;

	if (slot >= VTC__GUARD_SLOTS)
		return -EINVAL;
	err = vtc__guard_read(guard, VTC__GUARD_PLACE, &slot, &place);
	if (err < 0)
		return err;
	err = vtc__guard_read(guard, VTC__GUARD_TARGETS, &slot, &target);
	if (err < 0 && err != -ENOENT)
		return err;
	/* The kernel forgets an interface that goes, also if it comes back. */
	if (err == -ENOENT)
		place.slot.target = 0;
	*ret = place.slot;
	return 0;
}
