/* SPDX-License-Identifier: MIT */
/* vtcctl pool create and explain: make a pool, or tell which backend would make it. */
#include <errno.h>
#include <stdio.h>

#include "fail.h"
#include "json.h"
#include "pool.h"
#include "table.h"

/* ---- Explain ---- */

static void print_usable(FILE *out, struct json_object *row)
{
	struct json_object *usable = NULL, *taken = NULL;

	json_object_object_get_ex(row, "usable", &usable);
	json_object_object_get_ex(row, "taken", &taken);
	if (json_object_get_boolean(taken))
		fputs("taken", out);
	else
		fputs(json_object_get_boolean(usable) ? "yes" : "no", out);
}

static const struct column choice_columns[] = {
	{ .heading = "BACKEND", .key = "backend" },
	{ .heading = "USABLE", .print = print_usable },
	{ .heading = "REASON", .key = "reason" },
	{ .heading = NULL },
};

static void print_choice(const struct tool *tool, const struct vtc_pool_choice *choice)
{
	enum vtc_pool_backend backend = vtc_pool_choice_get_backend(choice);
	struct json_object *list = pool_choice_json(choice);
	struct json_object *all;

	if (!tool->settings.json) {
		table_print(list, choice_columns);
		json_object_put(list);
		return;
	}
	all = json_new();
	json_add_text(all, "nic", 1, tool->args[0]);
	json_add_text(all, "backend", backend != VTC_POOL_BACKEND_AUTO,
		      vtc_pool_backend_name(backend));
	json_add(all, "backends", list);
	json_print(stdout, all);
}

/* What the reasons are is printed already. */
static int no_backend(const struct tool *tool)
{
	return fail_plain(tool, -EOPNOTSUPP, "find a backend for a pool on",
			  tool->args[0], NULL);
}

/* What both commands are given. */
static int check(const struct tool *tool)
{
	if (tool->settings.queues > VTC_POOL_QUEUES_MAX)
		return fail_usage(tool, "'%u' is no value for --queues (1 to %d)",
				  tool->settings.queues, VTC_POOL_QUEUES_MAX);
	return 0;
}

static int explain(struct tool *tool)
{
	struct vtc_pool_opts opts = pool_opts(&tool->settings);
	struct vtc_pool_choice *choice;
	bool found;
	int r = vtc_pool_choice_new(tool->ctx, tool->args[0], &opts, &choice);

	if (r < 0)
		return fail_vtc(tool, r);
	print_choice(tool, choice);
	found = vtc_pool_choice_get_backend(choice) != VTC_POOL_BACKEND_AUTO;
	vtc_pool_choice_free(choice);
	return found ? EXIT_DONE : no_backend(tool);
}

static int run_explain(struct tool *tool)
{
	int code = check(tool);

	return code ? code : explain(tool);
}

/* ---- Create ---- */

/* Why no better backend was taken: one may have been wanted. */
static void print_better(const struct vtc_pool_choice *choice)
{
	const char *reason = "";

	for (unsigned int i = VTC_POOL_BACKEND_VF;
	     i < (unsigned int)vtc_pool_choice_get_backend(choice); i++) {
		enum vtc_pool_backend backend = (enum vtc_pool_backend)i;

		if (vtc_pool_choice_get_reason(choice, backend, &reason) != 0)
			continue;
		printf("  not %s: ", vtc_pool_backend_name(backend));
		json_print_clean(stdout, reason);
		putchar('\n');
	}
}

static void print_made(struct json_object *json)
{
	struct json_object *note = NULL;

	table_print_value(stdout, json, "nic");
	fputs(": pool ", stdout);
	table_print_value(stdout, json, "name");
	fputs(", backend ", stdout);
	table_print_value(stdout, json, "backend");
	fputs(", guard ", stdout);
	table_print_value(stdout, json, "guard");
	fputs(", filters ", stdout);
	table_print_value(stdout, json, "filters");
	putchar('\n');
	if (!json_object_object_get_ex(json, "note", &note))
		return;
	fputs("  note: ", stdout);
	json_print_clean(stdout, json_object_get_string(note));
	putchar('\n');
}

static void report(const struct tool *tool, struct vtc_pool *pool)
{
	const struct vtc_pool_choice *choice = vtc_pool_get_choice(pool);
	int unread;
	struct json_object *json = pool_json(pool, &unread);

	if (tool->settings.json) {
		if (choice)
			json_add(json, "backends", pool_choice_json(choice));
		json_print(stdout, json);
		return;
	}
	print_made(json);
	if (choice)
		print_better(choice);
	json_object_put(json);
}

static int read_filters(const struct tool *tool, struct vtc_filter *filters)
{
	const struct text_list *texts = &tool->settings.filters;
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < texts->count; i++)
		code = pool_filter_read(tool, texts->items[i], &filters[i]);
	return code;
}

/* A pool without all its filters is none: it is given back. */
static int add_filters(const struct tool *tool, struct vtc_pool *pool,
		       const struct vtc_filter *filters)
{
	int r = 0, code;

	for (uint32_t i = 0; r == 0 && i < tool->settings.filters.count; i++)
		r = vtc_pool_add_filter(pool, &filters[i]);
	if (r == 0) {
		report(tool, pool);
		vtc_pool_close(pool);
		return EXIT_DONE;
	}
	code = fail_vtc(tool, r);
	r = pool_release(pool);
	if (r < 0)
		fail_vtc(tool, r);
	return code;
}

static int create(struct tool *tool, const struct vtc_filter *filters)
{
	struct vtc_pool_opts opts = pool_opts(&tool->settings);
	struct vtc_pool *pool;
	int r;

	opts.name = tool->args[1];
	opts.flags |= VTC_POOL_F_KEEP;
	r = vtc_pool_request(tool->ctx, tool->args[0], &opts, &pool);
	return r < 0 ? fail_vtc(tool, r) : add_filters(tool, pool, filters);
}

static int try_create(struct tool *tool, const struct vtc_filter *filters)
{
	int code = pool_check_create(tool, filters);

	return code ? code : explain(tool);
}

static int run_create(struct tool *tool)
{
	struct vtc_filter filters[LIST_MAX];
	int code = check(tool);

	if (code == 0)
		code = pool_check_name(tool);
	if (code == 0)
		code = read_filters(tool, filters);
	if (code)
		return code;
	return tool->settings.dry_run ? try_create(tool, filters) : create(tool, filters);
}

/* ---- The commands ---- */

#define SETTING(field) .offset = offsetof(struct settings, field)

/* What both take. */
#define POOL_OPTIONS                                                     \
	{ .name = "backend",                                             \
	  SETTING(backend),                                              \
	  .kind = OPTION_CHOICE,                                         \
	  .choices = pool_backends,                                      \
	  .value = "auto|vf|ntuple|macvlan|xdp|tc",                      \
	  .help = "who sorts (auto)" },                                  \
		{ .name = "queues",                                      \
		  SETTING(queues),                                       \
		  .kind = OPTION_NUMBER,                                 \
		  .value = "N",                                          \
		  .help = "queues of the card, 1 to 64 (1)" },           \
		{ .name = "target",                                      \
		  SETTING(target),                                       \
		  .kind = OPTION_TEXT,                                   \
		  .value = "IF",                                         \
		  .help = "tap or veth for what no AF_XDP port takes" }, \
		{ .name = "everything",                                  \
		  SETTING(everything),                                   \
		  .help = "take what no filter of another pool names" }, \
		{ .name = "group-copy",                                  \
		  SETTING(group_copy),                                   \
		  .help = "get a copy of broadcast and multicast" },     \
	{                                                                \
		.name = "generic", SETTING(generic),                     \
		.help = "attach the guard behind the driver, not in it"  \
	}

static const struct option explain_options[] = { POOL_OPTIONS, { .name = NULL } };

static const struct option create_options[] = {
	POOL_OPTIONS,
	{ .name = "filter",
	  SETTING(filters),
	  .kind = OPTION_LIST,
	  .value = "FILTER",
	  .help = "MAC, MAC@VLAN or @VLAN to take; again for more" },
	{ .name = "dry-run",
	  SETTING(dry_run),
	  .help = "tell which backend it would be, change nothing" },
	{ .name = NULL },
};

const struct command command_explain = {
	.name = "explain",
	.args = "NIC",
	.summary = "Tell which backend a pool would have, and why not another.",
	.details =
		"Changes nothing, but that what processes that died had changed is put "
		"back, as always.\nThe exit code is 7 if there is none.",
	.example = "explain eth0 --target tap1",
	.options = explain_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_explain,
};

const struct command command_pool_create = {
	.name = "pool create",
	.args = "NIC POOL",
	.summary = "Sort frames of a card for a virtual machine.",
	.details =
		"The pool takes the frames that its filters name; all others go on as "
		"before, to the\nbridge or the stack. All or nothing. It stays until pool "
		"remove, or the next boot.\nFor FILTER see pool filter --help.",
	.example = "pool create eth0 vm1 --target tap1 --filter 52:54:00:00:00:01",
	.options = create_options,
	.min_args = 2,
	.max_args = 2,
	.run = run_create,
};
