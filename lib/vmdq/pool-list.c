/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which pools there are: the records "pool" of the journals. Changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/opts.h"
#include "pool.h"

#define OPERATION   "list pools"
#define ENTRY_FIRST sizeof(struct vtc_pool_entry)
#define LOCK_NS	    (5000 * VTC__NS_PER_MS)

struct item {
	uint32_t owner, alive, backend;
	char nic[VTC__IFNAME_LEN];
	char name[VTC__GROUP_LEN];
};

struct vtc_pool_list {
	struct vtc_ctx *ctx;
	struct item *items;
	size_t count;
};

static int append(struct vtc_pool_list *list, const struct item *item)
{
	struct item *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return vtc__err(list->ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");
	list->items = items;
	items[list->count++] = *item;
	return 0;
}

static int take(struct vtc_pool_list *list, const struct vtc__journal *journal,
		const struct vtc__uplink *uplink, const struct vtc__record *record)
{
	struct vtc__pool_data data;
	struct item item = {
		.owner = record->pid,
		.alive = vtc__record_alive(journal, record),
	};

	if (strcmp(record->kind, vtc__step_pool.name) != 0 ||
	    vtc__pool_data_of(record, &data))
		return 0;
	item.backend = data.backend;
	memcpy(item.nic, uplink->name, sizeof(item.nic));
	memcpy(item.name, record->group, sizeof(item.name));
	return append(list, &item);
}

static int take_journal(struct vtc_pool_list *list, const struct vtc__uplink *uplink,
			const char *name)
{
	const struct vtc__record *record = NULL;
	struct vtc__journal *journal;
	int err = vtc__journal_open(list->ctx, name, vtc__now_ns(list->ctx) + LOCK_NS,
				    &journal);

	if (err)
		return err;
	while (!err && (record = vtc__journal_foreach_next(journal, record)))
		err = take(list, journal, uplink, record);
	vtc__journal_close(journal);
	return err;
}

/* One journal that is damaged does not hide the pools of other cards. */
static int skip(struct vtc_pool_list *list, const struct vtc__uplink *uplink,
		const struct vtc_error *before)
{
	vtc__log(list->ctx, VTC_LOG_WARNING, "%s: its pools are not listed: %s",
		 uplink->name, list->ctx->error.message);
	list->ctx->error = *before;
	return 0;
}

static int take_named(void *arg, const char *name)
{
	struct vtc_pool_list *list = arg;
	struct vtc_error before = list->ctx->error;
	struct vtc__uplink uplink;
	uint32_t ifindex;
	int err = vtc__uplink_of_journal(list->ctx, name, &ifindex);

	if (err < 0)
		return vtc__err(list->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"the network namespace");
	if (err == 0)
		return 0;
	err = vtc__uplink_by_index(list->ctx, ifindex, &uplink);
	if (err == -ENODEV)
		snprintf(uplink.name, sizeof(uplink.name), "#%u", ifindex);
	else if (err)
		return vtc__err(list->ctx, err, VTC_ERROR_ORIGIN_NETLINK, OPERATION,
				"interface %u", ifindex);
	err = take_journal(list, &uplink, name);
	return err == -EBADMSG ? skip(list, &uplink, &before) : err;
}

static int take_card(struct vtc_pool_list *list, const char *nic)
{
	struct vtc__uplink uplink;
	char name[64];
	int err = vtc__uplink_find(list->ctx, nic, OPERATION, &uplink);

	if (err)
		return err;
	err = vtc__uplink_journal_name(&uplink, name, sizeof(name));
	if (err)
		return vtc__err(list->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "%s",
				uplink.name);
	return take_journal(list, &uplink, name);
}

int vtc_pool_list_new(struct vtc_ctx *ctx, const char *nic,
		      struct vtc_pool_list **ret_list)
{
	struct vtc_pool_list *list;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!ret_list)
		return vtc__err_arg(ctx, OPERATION, "ret_list");
	list = calloc(1, sizeof(*list));
	if (!list)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");
	list->ctx = ctx;
	err = nic ? take_card(list, nic)
		  : vtc__journal_list(ctx, VTC__UPLINK_JOURNAL, take_named, list);
	if (err) {
		vtc_pool_list_free(list);
		return err;
	}
	*ret_list = list;
	return 0;
}

void vtc_pool_list_free(struct vtc_pool_list *list)
{
	if (!list)
		return;
	free(list->items);
	free(list);
}

int vtc_pool_list_get(const struct vtc_pool_list *list, unsigned int index,
		      struct vtc_pool_entry *entry)
{
	struct vtc_pool_entry now;
	const struct item *item;

	if (!list || !entry || entry->sz < ENTRY_FIRST)
		return -EINVAL;
	if (index >= list->count)
		return -ENOENT;
	item = &list->items[index];
	now = (struct vtc_pool_entry){
		.owner = item->owner,
		.alive = item->alive,
		.backend = item->backend,
		.nic = item->nic,
		.name = item->name,
	};
	vtc__opts_give(entry, &now, sizeof(now));
	return 0;
}
