/* SPDX-License-Identifier: MIT */
/* vtcctl pool rate: how much a pool may send, and what became of that. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fail.h"
#include "json.h"
#include "pool.h"
#include "table.h"

/* As tc(8) writes them. */
static const struct {
	const char *name;
	uint64_t bits;
} units[] = {
	{ "tbit", 1000000000000u }, { "gbit", 1000000000u }, { "mbit", 1000000u },
	{ "kbit", 1000u },	    { "bit", 1u },	     { "", 1u },
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* ---- Words ---- */

static bool read_bits(const char *text, uint64_t *ret)
{
	double number, bits;
	char *end;

	/* strtod() would take signs, blanks, hexadecimal digits and names. */
	if (strspn(text, "0123456789.") == 0)
		return false;
	number = strtod(text, &end);
	if (end != text + strspn(text, "0123456789."))
		return false;
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		bits = number * (double)units[i].bits;
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (bits < 1 || bits > 1e15)
			return false;
		*ret = (uint64_t)(bits + 0.5);
		return true;
	}
	return false;
}

static int read_option(const struct tool *tool, const char *name, const char *text,
		       uint64_t *ret)
{
	if (!text || read_bits(text, ret))
		return 0;
	return fail_usage(tool,
			  "'%s' is no value for --%s (bits in a second, such as 100mbit "
			  "or 2.5gbit)",
			  text, name);
}

static int read_rate(const struct tool *tool, struct vtc_rate *rate)
{
	const struct settings *settings = &tool->settings;
	int code = read_option(tool, "min", settings->min_rate, &rate->min_bps);

	if (code == 0)
		code = read_option(tool, "max", settings->max_rate, &rate->max_bps);
	if (code)
		return code;
	if (settings->weight > 1000)
		return fail_usage(tool, "'%u' is no value for --weight (1 to 1000)",
				  settings->weight);
	if (rate->max_bps > 0 && rate->min_bps > rate->max_bps)
		return fail_usage(tool, "--min is above --max");
	rate->weight = settings->weight;
	return 0;
}

static bool is_rate_asked(const struct settings *settings)
{
	return settings->weight || settings->min_rate || settings->max_rate;
}

/* ---- Answers ---- */

static const char *result_name(uint32_t result)
{
	static const char *const names[] = {
		[VTC_RATE_UNSUPPORTED] = "unsupported", [VTC_RATE_EXACT] = "exact",
		[VTC_RATE_APPROXIMATE] = "approximate", [VTC_RATE_CAPPED] = "capped",
		[VTC_RATE_NOT_ASKED] = "not-asked",
	};

	return result < sizeof(names) / sizeof(names[0]) ? names[result] : "unknown";
}

static void add_part(struct json_object *to, const char *part, uint64_t value,
		     uint32_t result)
{
	struct json_object *row;

	if (value == 0)
		return;
	row = json_new();
	json_add_number(row, "value", 1, value);
	json_add_text(row, "result", 1, result_name(result));
	json_add(to, part, row);
}

static struct json_object *rate_json(const struct vtc_rate *rate,
				     const struct vtc_rate_answer *answer)
{
	const char *mechanism = answer->mechanism ? answer->mechanism : "";
	struct json_object *to = json_new();

	add_part(to, "weight", rate->weight, answer->weight);
	add_part(to, "min_bps", rate->min_bps, answer->min);
	add_part(to, "max_bps", rate->max_bps, answer->max);
	json_add_text(to, "mechanism", mechanism[0] != '\0', mechanism);
	return to;
}

void pool_add_rate(struct json_object *to, struct vtc_pool *pool)
{
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };
	struct vtc_rate rate = { .sz = sizeof(rate) };
	int known = vtc_pool_get_rate(pool, &rate, &answer);

	if (known > 0)
		json_add(to, "rate", rate_json(&rate, &answer));
	else if (known < 0)
		json_add(to, "rate", NULL);
}

/* The largest unit that leaves no more than three places behind the point. */
static void print_bits(FILE *out, uint64_t bits)
{
	size_t i = 0;

	while (units[i].bits > 1 &&
	       (bits < units[i].bits || bits % (units[i].bits / 1000) != 0))
		i++;
	fprintf(out, "%.15g%s", (double)bits / (double)units[i].bits, units[i].name);
}

static void print_part(FILE *out, const char *key, struct json_object *part)
{
	struct json_object *value = NULL;

	fprintf(out, "%.*s ", (int)strcspn(key, "_"), key);
	json_object_object_get_ex(part, "value", &value);
	if (strcmp(key, "weight") == 0)
		fputs(json_object_get_string(value), out);
	else
		print_bits(out, (uint64_t)json_object_get_int64(value));
	fputc(' ', out);
	table_print_value(out, part, "result");
	fputs(", ", out);
}

void pool_print_rate(FILE *out, struct json_object *row)
{
	struct json_object *rate = NULL;

	if (!json_object_object_get_ex(row, "rate", &rate) || !rate) {
		table_print_value(out, row, "rate");
		return;
	}
	json_object_object_foreach(rate, key, value)
	{
		if (json_object_get_type(value) == json_type_object)
			print_part(out, key, value);
	}
	fputs("by ", out);
	table_print_value(out, rate, "mechanism");
}

static void report(const struct tool *tool, struct vtc_pool *pool)
{
	struct json_object *to = json_new();

	pool_add_names(to, pool);
	pool_add_rate(to, pool);
	if (tool->settings.json) {
		json_print(stdout, to);
		return;
	}
	table_print_value(stdout, to, "nic");
	fputs(": pool ", stdout);
	table_print_value(stdout, to, "name");
	fputs(": ", stdout);
	if (json_object_object_get_ex(to, "rate", NULL))
		pool_print_rate(stdout, to);
	else
		fputs("no rate", stdout);
	putchar('\n');
	json_object_put(to);
}

/* ---- The command ---- */

static int set_and_report(struct tool *tool, const struct vtc_rate *rate)
{
	struct vtc_pool *pool;
	int r = 0, code = pool_open(tool, &pool);

	if (code)
		return code;
	if (tool->settings.no_rate)
		r = vtc_pool_set_rate(pool, NULL, NULL);
	else if (is_rate_asked(&tool->settings))
		r = vtc_pool_set_rate(pool, rate, NULL);
	if (r == 0)
		report(tool, pool);
	vtc_pool_close(pool);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct vtc_rate rate = VTC_RATE_INIT;
	int code = read_rate(tool, &rate);

	if (code)
		return code;
	if (tool->settings.no_rate && is_rate_asked(&tool->settings))
		return fail_usage(tool, "--none goes with no other rate");
	return set_and_report(tool, &rate);
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option options[] = {
	{ .name = "weight",
	  SETTING(weight),
	  .kind = OPTION_NUMBER,
	  .value = "WEIGHT",
	  .help = "share beside the card's other pools, 1 to 1000" },
	{ .name = "min",
	  SETTING(min_rate),
	  .kind = OPTION_TEXT,
	  .value = "RATE",
	  .help = "guaranteed, such as 100mbit" },
	{ .name = "max",
	  SETTING(max_rate),
	  .kind = OPTION_TEXT,
	  .value = "RATE",
	  .help = "limit, such as 2.5gbit" },
	{ .name = "none", SETTING(no_rate), .help = "no rate any more" },
	{ .name = NULL },
};

const struct command command_pool_rate = {
	.name = "pool rate",
	.args = "NIC POOL",
	.summary = "Say how much a pool may send, or show it.",
	.details = "What is said takes the place of what was said before. RATE is bits "
		   "in a second, with\nbit, kbit, mbit, gbit or tbit behind it. The "
		   "answer tells for each part whether it is\nkept: exact, "
		   "approximate, capped (only a limit, or for each queue alone) or "
		   "unsupported;\nand what keeps it.",
	.example = "pool rate eth0 vm1 --weight 4 --max 1gbit",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
