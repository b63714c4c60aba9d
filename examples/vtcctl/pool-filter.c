/* SPDX-License-Identifier: MIT */
/* vtcctl pool filter: which frames a pool takes. */
#include <stdio.h>

#include "args.h"
#include "fail.h"
#include "json.h"
#include "nearest.h"
#include "pool.h"

enum verb { VERB_LIST, VERB_ADD, VERB_REMOVE };

static const struct choice verbs[] = {
	{ "list", VERB_LIST },
	{ "add", VERB_ADD },
	{ "remove", VERB_REMOVE },
	{ NULL, 0 },
};

static int read_verb(const struct tool *tool, uint32_t *ret)
{
	const char *word = tool->args[2];
	struct nearest nearest;

	if (!args_choice(verbs, word, ret)) {
		nearest_begin(&nearest, word);
		for (size_t i = 0; verbs[i].name; i++)
			nearest_offer(&nearest, verbs[i].name);
		return fail_unknown(tool, "action", word, nearest.best);
	}
	if (*ret == VERB_LIST && tool->arg_count > 3)
		return fail_usage(tool, "'%s' is one word too many", tool->args[3]);
	if (*ret != VERB_LIST && tool->arg_count == 3)
		return fail_usage(tool, "FILTER is missing");
	return 0;
}

/* All are read before the first one changes anything. */
static int read_filters(const struct tool *tool, struct vtc_filter *filters)
{
	int code = 0;

	for (unsigned int i = 3; code == 0 && i < tool->arg_count; i++)
		code = pool_filter_read(tool, tool->args[i], &filters[i - 3]);
	return code;
}

static int report(const struct tool *tool, struct vtc_pool *pool)
{
	struct json_object *all, *list;
	int r = pool_filters_json(pool, &list);

	if (r < 0)
		return fail_vtc(tool, r);
	if (tool->settings.json) {
		all = json_new();
		pool_add_names(all, pool);
		json_add(all, "filters", list);
		json_print(stdout, all);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++)
		puts(json_object_get_string(json_object_array_get_idx(list, i)));
	json_object_put(list);
	return EXIT_DONE;
}

static int change(struct vtc_pool *pool, uint32_t verb, const struct vtc_filter *filter)
{
	return verb == VERB_ADD ? vtc_pool_add_filter(pool, filter)
				: vtc_pool_remove_filter(pool, filter);
}

static int change_all(struct tool *tool, struct vtc_pool *pool, uint32_t verb,
		      const struct vtc_filter *filters)
{
	int r = 0;

	for (unsigned int i = 3; r == 0 && i < tool->arg_count; i++)
		r = change(pool, verb, &filters[i - 3]);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct vtc_filter filters[LIST_MAX];
	struct vtc_pool *pool;
	uint32_t verb;
	int code = read_verb(tool, &verb);

	if (code == 0)
		code = read_filters(tool, filters);
	if (code == 0)
		code = pool_open(tool, &pool);
	if (code)
		return code;
	code = change_all(tool, pool, verb, filters);
	if (code == EXIT_DONE)
		code = report(tool, pool);
	vtc_pool_close(pool);
	return code;
}

const struct command command_pool_filter = {
	.name = "pool filter",
	.args = "NIC POOL ACTION [FILTER]...",
	.summary = "Change or show which frames a pool takes.",
	.details = "ACTION is add, remove or list. FILTER is MAC, MAC@VLAN or @VLAN: the "
		   "destination address,\nwith any VLAN tag or none; both; or the VLAN "
		   "alone. VLAN 0 is no tag. The filter that\nnames both counts before "
		   "one that names one of them. Several are done one by one; at\nthe "
		   "first that fails the others are left. Prints the filters that the "
		   "pool has then.",
	.example = "pool filter eth0 vm1 add 52:54:00:00:00:01 52:54:00:00:00:02@10",
	.min_args = 3,
	.max_args = 3 + LIST_MAX,
	.run = run,
};
