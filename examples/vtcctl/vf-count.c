/* SPDX-License-Identifier: MIT */
/* vtcctl vf create and vf remove: how many VFs a PF has. */
#include "args.h"
#include "fail.h"
#include "json.h"

#include <vtc/pf.h>

static const struct choice waits[] = {
	{ "linked", VTC_PF_WAIT_LINKED },
	{ "driver", VTC_PF_WAIT_DRIVER },
	{ "netdev", VTC_PF_WAIT_NETDEV },
	{ "none", VTC_PF_WAIT_NONE },
	{ NULL, 0 },
};

static const struct choice downs[] = {
	{ "fail", VTC_PF_DOWN_FAIL },
	{ "ignore", VTC_PF_DOWN_IGNORE },
	{ "up", VTC_PF_DOWN_BRING_UP },
	{ NULL, 0 },
};

static const struct choice autoprobes[] = {
	{ "on", VTC_PF_AUTOPROBE_ON },
	{ "off", VTC_PF_AUTOPROBE_OFF },
	{ NULL, 0 },
};

static struct vtc_pf_num_vfs_opts make_opts(const struct settings *settings)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	opts.timeout_ms = settings->timeout_ms;
	opts.wait = settings->wait;
	opts.down = settings->down;
	opts.autoprobe = settings->autoprobe;
	if (settings->destroy || settings->destroy_in_use)
		opts.flags |= VTC_PF_F_DESTROY;
	if (settings->destroy_in_use)
		opts.flags |= VTC_PF_F_DESTROY_IN_USE;
	if (settings->dry_run)
		opts.flags |= VTC_PF_F_DRY_RUN;
	return opts;
}

static void report_json(const struct tool *tool, const char *pf, uint32_t before,
			uint32_t count, bool changed)
{
	struct json_object *report = json_new();

	json_add_text(report, "pf", 1, pf);
	json_add_number(report, "before", 1, before);
	json_add_number(report, "num_vfs", 1, count);
	json_add_bool(report, "changed", 1, changed);
	json_add_bool(report, "dry_run", 1, tool->settings.dry_run > 0);
	json_print(stdout, report);
}

static void report(const struct tool *tool, const char *pf, uint32_t before,
		   uint32_t count, bool changed)
{
	const char *plural = count == 1 ? "" : "s";

	if (tool->settings.json)
		report_json(tool, pf, before, count, changed);
	else if (!changed)
		printf("%s: %u VF%s, as it was\n", pf, count, plural);
	else if (tool->settings.dry_run)
		printf("%s: would get %u VF%s (has %u)\n", pf, count, plural, before);
	else
		printf("%s: %u VF%s (had %u)\n", pf, count, plural, before);
}

/* The number before is for the report: what is allowed, libvtc finds out itself. */
static int change(struct tool *tool, struct vtc_pf *pf, uint32_t count)
{
	struct vtc_pf_num_vfs_opts opts = make_opts(&tool->settings);
	uint32_t before;
	int r = vtc_pf_get_num_vfs(pf, &before);

	if (r == 0)
		r = vtc_pf_set_num_vfs(pf, count, &opts);
	if (r < 0)
		return fail_vtc(tool, r);
	report(tool, vtc_pf_get_address(pf), before, count, r > 0);
	return EXIT_DONE;
}

static int change_named(struct tool *tool, uint32_t count)
{
	struct vtc_pf *pf;
	int r = vtc_pf_open(tool->ctx, tool->args[0], &pf);

	if (r < 0)
		return fail_vtc(tool, r);
	r = change(tool, pf, count);
	vtc_pf_close(pf);
	return r;
}

static int run_create(struct tool *tool)
{
	uint32_t count;

	if (!args_number(tool->args[1], INDEX_LIMIT, &count))
		return fail_usage(tool, "'%s' is no number of VFs", tool->args[1]);
	return change_named(tool, count);
}

static int run_remove(struct tool *tool)
{
	/* To remove is to destroy; and a PF that is down can lose its VFs, too. */
	tool->settings.destroy = 1;
	tool->settings.down = VTC_PF_DOWN_IGNORE;
	return change_named(tool, 0);
}

#define SETTING(field) .offset = offsetof(struct settings, field)
#define DESTROY_IN_USE                                                    \
	{                                                                 \
		.name = "destroy-in-use", SETTING(destroy_in_use),        \
		.help = "VFs may be destroyed even while they are in use" \
	}
#define TIMEOUT                                                                     \
	{                                                                           \
		.name = "timeout", SETTING(timeout_ms), .kind = OPTION_NUMBER,      \
		.value = "MS", .help = "give up after so many milliseconds (60000)" \
	}
#define DRY_RUN                                            \
	{                                                  \
		.name = "dry-run", SETTING(dry_run),       \
		.help = "check everything, change nothing" \
	}

static const struct option create_options[] = {
	{ .name = "wait",
	  SETTING(wait),
	  .kind = OPTION_CHOICE,
	  .choices = waits,
	  .value = "linked|driver|netdev|none",
	  .help = "how far the VFs must have come (linked)" },
	{ .name = "autoprobe",
	  SETTING(autoprobe),
	  .kind = OPTION_CHOICE,
	  .choices = autoprobes,
	  .value = "on|off",
	  .help = "whether the kernel binds drivers to VFs (as it is)" },
	{ .name = "if-down",
	  SETTING(down),
	  .kind = OPTION_CHOICE,
	  .choices = downs,
	  .value = "fail|ignore|up",
	  .help = "what to do with a PF that is down (fail)" },
	{ .name = "destroy",
	  SETTING(destroy),
	  .help = "VFs that nobody uses may be destroyed" },
	DESTROY_IN_USE,
	TIMEOUT,
	DRY_RUN,
	{ .name = NULL },
};

static const struct option remove_options[] = {
	DESTROY_IN_USE,
	TIMEOUT,
	DRY_RUN,
	{ .name = NULL },
};

const struct command command_vf_create = {
	.name = "vf create",
	.args = "PF COUNT",
	.summary = "Set how many VFs a PF has.",
	.details = "The kernel can only go from none to some and back: another number "
		   "than there "
		   "are now\ndestroys all VFs first, and needs --destroy.",
	.options = create_options,
	.min_args = 2,
	.max_args = 2,
	.run = run_create,
};

const struct command command_vf_remove = {
	.name = "vf remove",
	.args = "PF",
	.summary = "Take all VFs of a PF away.",
	.options = remove_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_remove,
};
