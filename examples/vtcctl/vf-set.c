/* SPDX-License-Identifier: MIT */
/* vtcctl vf set: give attributes to one or more VFs, and say what became of each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "fail.h"
#include "json.h"
#include "table.h"
#include "vfattr.h"

/* The same attributes for several VFs. */
struct batch {
	struct vtc_vf_config **configs;
	uint32_t *indexes;
	size_t count;
	uint32_t asked; /* bit n: attribute n was asked for */
};

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		vtc_vf_config_free(batch->configs[i]);
	free(batch->configs);
	free(batch->indexes);
}

static int add_config(struct tool *tool, struct batch *batch, uint32_t index)
{
	struct words words = { tool->args + 2, tool->arg_count - 2 };

	if (vtc_vf_config_new(index, &batch->configs[batch->count]) < 0)
		fail_memory();
	batch->indexes[batch->count] = index;
	return vfattr_read(tool, words, batch->configs[batch->count++], &batch->asked);
}

static int make_batch(struct tool *tool, struct batch *batch)
{
	struct index_set *set = args_index_set(tool->args[1]);
	int code = 0;

	if (!set)
		return fail_usage(tool, "'%s' is no list of VF numbers such as 0-3,6",
				  tool->args[1]);
	batch->configs = calloc(set->count, sizeof(*batch->configs));
	batch->indexes = calloc(set->count, sizeof(*batch->indexes));
	if (!batch->configs || !batch->indexes)
		fail_memory();
	for (uint32_t i = 0; code == 0 && i < INDEX_LIMIT; i++)
		if (set->has[i])
			code = add_config(tool, batch, i);
	free(set);
	return code;
}

/* One word for what became of an attribute; the number is what libvtc says of it. */
static const char *result_word(const struct tool *tool, int code, int result)
{
	if (tool->settings.dry_run && code == 0)
		return "would-set";
	switch (result) {
	case 1:
		return "verified";
	case 0:
		return "set";
	case -ECANCELED:
		return "canceled";
	case -ENODATA:
		return "not-tried";
	case -ETIMEDOUT:
		return "not-verified";
	default:
		return "failed";
	}
}

static void add_result(const struct tool *tool, struct json_object *to, uint32_t index,
		       enum vtc_vf_attr attr, int code, int result)
{
	struct json_object *row = json_new();
	const char *word = result_word(tool, code, result);

	json_add_number(row, "index", 1, index);
	json_add_text(row, "attribute", 1, vtc_vf_attr_name(attr));
	json_add_text(row, "result", 1, word);
	if (strcmp(word, "failed") == 0) {
		json_add_number(row, "errno", 1, (uint64_t)-result);
		json_add_text(row, "reason", 1, strerror(-result));
	}
	json_append(to, row);
}

static struct json_object *results(const struct tool *tool, const struct batch *batch,
				   int code)
{
	struct json_object *list = json_new_list();

	for (size_t i = 0; i < batch->count; i++) {
		for (unsigned int a = 0; a < VTC_VF_ATTR_COUNT; a++) {
			enum vtc_vf_attr attr = (enum vtc_vf_attr)a;

			if (!(batch->asked & (1u << a)))
				continue;
			add_result(tool, list, batch->indexes[i], attr, code,
				   vtc_vf_config_get_result(batch->configs[i], attr));
		}
	}
	return list;
}

static const struct column columns[] = {
	{ .heading = "VF", .key = "index", .number = true },
	{ .heading = "ATTRIBUTE", .key = "attribute" },
	{ .heading = "RESULT", .key = "result" },
	{ .heading = "REASON", .key = "reason", .optional = true },
	{ .heading = NULL },
};

static void report(const struct tool *tool, const char *pf, struct json_object *list)
{
	struct json_object *all;

	if (!tool->settings.json) {
		table_print(list, columns);
		json_object_put(list);
		return;
	}
	all = json_new();
	json_add_text(all, "pf", 1, pf);
	json_add_bool(all, "dry_run", 1, tool->settings.dry_run > 0);
	json_add(all, "results", list);
	json_print(stdout, all);
}

static int apply(struct tool *tool, const struct batch *batch)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;
	struct vtc_pf *pf;
	int r = vtc_pf_open(tool->ctx, tool->args[0], &pf);

	if (r < 0)
		return fail_vtc(tool, r);
	opts.timeout_ms = tool->settings.timeout_ms;
	if (tool->settings.best_effort)
		opts.flags |= VTC_VF_APPLY_F_BEST_EFFORT;
	if (tool->settings.dry_run)
		opts.flags |= VTC_VF_APPLY_F_DRY_RUN;
	r = vtc_vf_apply(pf, batch->configs, batch->count, &opts);
	report(tool, vtc_pf_get_address(pf), results(tool, batch, r));
	vtc_pf_close(pf);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct batch batch = { 0 };
	int code = make_batch(tool, &batch);

	if (code == 0)
		code = apply(tool, &batch);
	batch_free(&batch);
	return code;
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option options[] = {
	{ .name = "best-effort",
	  SETTING(best_effort),
	  .help = "go on after a failure, and keep what worked" },
	{ .name = "timeout",
	  SETTING(timeout_ms),
	  .kind = OPTION_NUMBER,
	  .value = "MS",
	  .help = "for reading back what was set (2000)" },
	{ .name = "dry-run",
	  SETTING(dry_run),
	  .help = "check everything, change nothing" },
	{ .name = NULL },
};

const struct command command_vf_set = {
	.name = "vf set",
	.args = "PF INDEX ATTRIBUTE VALUE...",
	.summary = "Give attributes to VFs.",
	.details = "INDEX is a number or a list such as 0-3,6. All or nothing: if one "
		   "attribute "
		   "fails,\nwhat was set before is put back. Everything is read back.",
	.explain = vfattr_explain,
	.options = options,
	.min_args = 3,
	.max_args = 3 + 8 * VTC_VF_ATTR_COUNT,
	.run = run,
};
