/* SPDX-License-Identifier: MIT */
/* vtcctl pool create --dry-run: what would be refused, as far as looking tells it. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "pool.h"

#define OPERATION "create the pool"

__attribute__((format(printf, 3, 4))) static int refuse(const struct tool *tool, int err,
							const char *format, ...)
{
	va_list args;
	char *why;
	int code;

	va_start(args, format);
	code = vasprintf(&why, format, args);
	va_end(args);
	if (code < 0)
		fail_memory();
	code = fail_plain(tool, err, OPERATION, tool->args[1], why);
	free(why);
	return code;
}

/* ---- The target ---- */

static int check_target(const struct tool *tool)
{
	const char *target = tool->settings.target;
	unsigned int ifindex;

	if (!target || !target[0])
		return 0;
	ifindex = if_nametoindex(target);
	if (ifindex == 0)
		return refuse(tool, -ENODEV, "there is no interface '%s' for a target",
			      target);
	if (ifindex == if_nametoindex(tool->args[0]))
		return refuse(tool, -EINVAL, "the target '%s' is the card itself",
			      target);
	return 0;
}

/* ---- The pools that there are ---- */

static bool same(const struct vtc_filter *a, const struct vtc_filter *b)
{
	return a->match == b->match && a->vlan == b->vlan &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0;
}

static bool has(const struct vtc_filter *filters, uint32_t count,
		const struct vtc_filter *filter)
{
	for (uint32_t i = 0; i < count; i++)
		if (same(&filters[i], filter))
			return true;
	return false;
}

static int check_filters(const struct tool *tool, struct vtc_pool *pool, const char *name,
			 const struct vtc_filter *filters)
{
	struct vtc_filter filter;
	int r;

	for (unsigned int i = 0; (r = vtc_pool_get_filter(pool, i, &filter)) == 0; i++)
		if (has(filters, tool->settings.filters.count, &filter))
			return refuse(tool, -EADDRINUSE, "pool %s has one of the filters",
				      name);
	return r == -ENOENT ? 0 : fail_vtc(tool, r);
}

static int check_pool(const struct tool *tool, const char *name,
		      const struct vtc_filter *filters)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };
	struct vtc_pool *pool;
	int code = 0, r = vtc_pool_open(tool->ctx, tool->args[0], name, &pool);

	/* It has gone meanwhile. */
	if (r < 0)
		return r == -ENOENT ? 0 : fail_vtc(tool, r);
	if (tool->settings.everything && vtc_pool_get_info(pool, &info) == 0 &&
	    info.opts_flags & VTC_POOL_F_EVERYTHING)
		code = refuse(tool, -EADDRINUSE, "pool %s takes everything already",
			      name);
	if (code == 0)
		code = check_filters(tool, pool, name, filters);
	vtc_pool_close(pool);
	return code;
}

static int check_pools(struct tool *tool, const struct vtc_filter *filters)
{
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list;
	int code = 0, r = vtc_pool_list_new(tool->ctx, tool->args[0], &list);

	if (r < 0)
		return fail_vtc(tool, r);
	for (unsigned int i = 0; code == 0 && vtc_pool_list_get(list, i, &entry) == 0;
	     i++)
		code = check_pool(tool, entry.name, filters);
	vtc_pool_list_free(list);
	return code;
}

static int check_name(const struct tool *tool)
{
	struct vtc_pool *pool;

	/* What else is wrong shows when the others are looked at. */
	if (vtc_pool_open(tool->ctx, tool->args[0], tool->args[1], &pool) < 0)
		return 0;
	vtc_pool_close(pool);
	return refuse(tool, -EEXIST, "the card has one of this name");
}

static int check_twice(const struct tool *tool, const struct vtc_filter *filters)
{
	const struct text_list *texts = &tool->settings.filters;

	for (uint32_t i = 1; i < texts->count; i++)
		if (has(filters, i, &filters[i]))
			return refuse(tool, -EEXIST, "the filter %s is given twice",
				      texts->items[i]);
	return 0;
}

int pool_check_create(struct tool *tool, const struct vtc_filter *filters)
{
	int code = check_name(tool);

	if (code == 0)
		code = check_pools(tool, filters);
	if (code == 0)
		code = check_target(tool);
	return code ? code : check_twice(tool, filters);
}
