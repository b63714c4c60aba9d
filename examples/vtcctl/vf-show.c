/* SPDX-License-Identifier: MIT */
/* vtcctl vf show: the attributes of VFs. */
#include <errno.h>
#include <stdlib.h>

#include "fail.h"
#include "json.h"
#include "vf.h"

static int show(struct tool *tool, const struct index_set *set)
{
	struct json_object *list;
	int r = vf_list_json(tool, tool->args[0], set, &list);

	if (r == -ERANGE)
		return fail_plain(
			tool, r, "show VF", tool->args[1],
			"the PF has fewer VFs: leave the number out to see all");
	if (r < 0)
		return fail_vtc(tool, r);
	if (tool->settings.json) {
		json_print(stdout, list);
		return EXIT_DONE;
	}
	vf_list_print(tool, list);
	json_object_put(list);
	return EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct index_set *set = NULL;
	int code;

	if (tool->arg_count > 1) {
		set = args_index_set(tool->args[1]);
		if (!set)
			return fail_usage(tool,
					  "'%s' is no list of VF numbers such as 0-3,6",
					  tool->args[1]);
	}
	code = show(tool, set);
	free(set);
	return code;
}

static const struct option options[] = {
	{ .name = "stats",
	  .offset = offsetof(struct settings, stats),
	  .help = "traffic counters, too" },
	{ .name = NULL },
};

const struct command command_vf_show = {
	.name = "vf show",
	.args = "PF [INDEX]",
	.summary = "Show the attributes of a PF's VFs.",
	.details = "INDEX is a number or a list such as 0-3,6. MAC is what the "
		   "administrator set, "
		   "EFFECTIVE\nwhat the VF's interface uses; rates are in Mbit/s. '-' "
		   "stands for "
		   "unset, '?' for unknown.",
	.options = options,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
