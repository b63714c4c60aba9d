/* SPDX-License-Identifier: MIT */
/* What the commands for pools have in common: words to filters, and pools to JSON. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "fail.h"
#include "json.h"
#include "nearest.h"

#define VLAN_MAX 4094

const struct choice pool_backends[] = {
	{ "auto", VTC_POOL_BACKEND_AUTO },
	{ "vf", VTC_POOL_BACKEND_VF },
	{ "ntuple", VTC_POOL_BACKEND_NTUPLE },
	{ "macvlan", VTC_POOL_BACKEND_MACVLAN },
	{ "xdp", VTC_POOL_BACKEND_XDP },
	{ "tc", VTC_POOL_BACKEND_TC },
	{ NULL, 0 },
};

struct vtc_pool_opts pool_opts(const struct settings *settings)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;

	opts.backend = settings->backend;
	opts.queues = settings->queues;
	opts.target = settings->target;
	if (settings->everything)
		opts.flags |= VTC_POOL_F_EVERYTHING;
	if (settings->group_copy)
		opts.flags |= VTC_POOL_F_GROUP_COPY;
	if (settings->generic)
		opts.flags |= VTC_POOL_F_GENERIC_XDP;
	return opts;
}

/* ---- Filters ---- */

static bool read_mac(const char *text, size_t len, struct vtc_filter *filter)
{
	char mac[VTC_MAC_TEXT_LEN];

	if (len >= sizeof(mac))
		return false;
	snprintf(mac, sizeof(mac), "%.*s", (int)len, text);
	filter->match |= VTC_FILTER_MAC;
	return vtc_mac_parse(mac, &filter->mac) == 0;
}

static bool read_vlan(const char *text, struct vtc_filter *filter)
{
	uint32_t id;

	if (!args_number(text, VLAN_MAX, &id))
		return false;
	filter->match |= VTC_FILTER_VLAN;
	filter->vlan = (uint16_t)id;
	return true;
}

static bool is_zero(const struct vtc_mac *mac)
{
	static const struct vtc_mac zero;

	return memcmp(mac, &zero, sizeof(zero)) == 0;
}

int pool_filter_read(const struct tool *tool, const char *text, struct vtc_filter *ret)
{
	struct vtc_filter filter = { .match = 0 };
	size_t len = strcspn(text, "@");

	if ((len > 0 && !read_mac(text, len, &filter)) || (len == 0 && !text[0]) ||
	    (text[len] && !read_vlan(text + len + 1, &filter)))
		return fail_usage(tool,
				  "'%s' is no filter: MAC, MAC@VLAN or @VLAN, such as "
				  "52:54:00:00:00:01@10; VLANs are 0 (untagged) to 4094",
				  text);
	if (filter.match & VTC_FILTER_MAC && is_zero(&filter.mac))
		return fail_usage(tool, "'%s' is no address of a station", text);
	if (filter.mac.addr[0] & 1)
		return fail_usage(tool,
				  "'%s' is the address of a group; broadcast and "
				  "multicast go by --group-copy",
				  text);
	*ret = filter;
	return 0;
}

void pool_filter_text(const struct vtc_filter *filter, char text[FILTER_TEXT_LEN])
{
	size_t len = 0;

	text[0] = '\0';
	if (filter->match & VTC_FILTER_MAC) {
		vtc_mac_format(&filter->mac, text, FILTER_TEXT_LEN);
		len = strlen(text);
	}
	if (filter->match & VTC_FILTER_VLAN)
		snprintf(text + len, FILTER_TEXT_LEN - len, "@%u", filter->vlan);
}

int pool_filters_json(struct vtc_pool *pool, struct json_object **ret_list)
{
	struct json_object *list = json_new_list();
	struct vtc_filter filter;
	char text[FILTER_TEXT_LEN];
	int r;

	for (unsigned int i = 0; (r = vtc_pool_get_filter(pool, i, &filter)) == 0; i++) {
		pool_filter_text(&filter, text);
		json_append(list, json_new_text(text));
	}
	if (r == -ENOENT) {
		*ret_list = list;
		return 0;
	}
	json_object_put(list);
	*ret_list = NULL;
	return r;
}

/* ---- Opening ---- */

int pool_check_name(const struct tool *tool)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	const char *name = tool->args[1];
	size_t len = strspn(name, good);

	if (len > 0 && len <= VTC_POOL_NAME_MAX && !name[len] && name[0] != '.')
		return 0;
	return fail_usage(tool,
			  "'%s' is no name for a pool: at most %d letters, digits, '.', "
			  "'_' and '-', no '.' first",
			  name, VTC_POOL_NAME_MAX);
}

/* What there is instead of a pool that is not there; free() it. */
static char *what_there_is(struct tool *tool, const char *nic, const char *name)
{
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list = NULL;
	struct nearest nearest;
	char *text = NULL;
	int len;

	nearest_begin(&nearest, name);
	vtc_pool_list_new(tool->ctx, nic, &list);
	for (unsigned int i = 0; list && vtc_pool_list_get(list, i, &entry) == 0; i++)
		nearest_offer(&nearest, entry.name);
	if (nearest.best)
		len = asprintf(&text, "did you mean '%s'?", nearest.best);
	else
		len = asprintf(&text, "see vtcctl pool list %s", nic);
	vtc_pool_list_free(list);
	if (len < 0)
		fail_memory();
	return text;
}

int pool_open(struct tool *tool, struct vtc_pool **ret_pool)
{
	const char *nic = tool->args[0], *name = tool->args[1];
	int r, code = pool_check_name(tool);
	char *hint;

	if (code)
		return code;
	r = vtc_pool_open(tool->ctx, nic, name, ret_pool);
	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return fail_vtc(tool, r);
	hint = what_there_is(tool, nic, name);
	code = fail_missing(tool, "pool", name, nic, hint);
	free(hint);
	return code;
}

int pool_release(struct vtc_pool *pool)
{
	int r = vtc_pool_release(pool);

	if (r == -EBUSY)
		vtc_pool_close(pool);
	return r;
}

/* ---- JSON ---- */

static const char *guard_name(uint32_t guard)
{
	static const char *const names[] = {
		[VTC_POOL_GUARD_NONE] = "none",
		[VTC_POOL_GUARD_DISPATCHER] = "dispatcher",
		[VTC_POOL_GUARD_NATIVE] = "native",
		[VTC_POOL_GUARD_GENERIC] = "generic",
	};

	return guard < sizeof(names) / sizeof(names[0]) ? names[guard] : "unknown";
}

static void add_queues(struct json_object *to, const struct vtc_pool_info *info)
{
	json_add_number(to, "queue_first", info->queue_count > 0, info->queue_first);
	json_add_number(to, "queue_count", 1, info->queue_count);
}

void pool_add_names(struct json_object *to, struct vtc_pool *pool)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };

	if (vtc_pool_get_info(pool, &info) < 0)
		return;
	json_add_text(to, "nic", 1, info.nic);
	json_add_text(to, "name", 1, info.name);
}

struct json_object *pool_json(struct vtc_pool *pool, int *ret_error)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };
	struct json_object *filters, *to = json_new();

	*ret_error = vtc_pool_get_info(pool, &info);
	if (*ret_error < 0)
		return to;
	*ret_error = pool_filters_json(pool, &filters);
	pool_add_names(to, pool);
	json_add_text(to, "backend", 1, vtc_pool_backend_name(info.backend));
	json_add_bool(to, "hardware", 1, (info.flags & VTC_POOL_INFO_HARDWARE) != 0);
	json_add_text(to, "guard", 1, guard_name(info.guard));
	add_queues(to, &info);
	json_add_text(to, "netdev", info.netdev[0] != '\0', info.netdev);
	json_add_text(to, "target", info.target[0] != '\0', info.target);
	json_add(to, "filters", filters);
	json_add_bool(to, "everything", 1,
		      (info.opts_flags & VTC_POOL_F_EVERYTHING) != 0);
	json_add_bool(to, "group_copy", 1,
		      (info.opts_flags & VTC_POOL_F_GROUP_COPY) != 0);
	json_add_bool(to, "vlan_stripped", 1,
		      (info.flags & VTC_POOL_INFO_VLAN_STRIPPED) != 0);
	pool_add_rate(to, pool);
	json_add_number(to, "owner", info.owner != 0, info.owner);
	json_add_bool(to, "kept", 1, (info.opts_flags & VTC_POOL_F_KEEP) != 0);
	json_add_text(to, "note", info.note[0] != '\0', info.note);
	return to;
}

static struct json_object *reason_json(const struct vtc_pool_choice *choice,
				       enum vtc_pool_backend backend)
{
	struct json_object *to = json_new();
	const char *reason = "";
	int usable = vtc_pool_choice_get_reason(choice, backend, &reason);

	json_add_text(to, "backend", 1, vtc_pool_backend_name(backend));
	json_add_bool(to, "usable", usable < 0 ? -1 : 1, usable);
	json_add_bool(to, "taken", 1, backend == vtc_pool_choice_get_backend(choice));
	json_add_text(to, "reason", 1, reason);
	return to;
}

struct json_object *pool_choice_json(const struct vtc_pool_choice *choice)
{
	struct json_object *list = json_new_list();

	for (unsigned int i = VTC_POOL_BACKEND_VF; i < VTC_POOL_BACKEND_COUNT; i++)
		json_append(list, reason_json(choice, (enum vtc_pool_backend)i));
	return list;
}
