/* SPDX-License-Identifier: MIT */
/* vtcctl pool stats: what was counted for pools, once or again and again. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"
#include "json.h"
#include "pool.h"
#include "table.h"

/* What was counted for a pool, and when. */
struct sample {
	char *nic, *name;
	uint64_t time_ns;
	struct vtc_pool_stats stats;
};

struct samples {
	struct sample *items;
	size_t count;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Counting ---- */

static void samples_free(struct samples *samples)
{
	for (size_t i = 0; i < samples->count; i++) {
		free(samples->items[i].nic);
		free(samples->items[i].name);
	}
	free(samples->items);
	*samples = (struct samples){ .count = 0 };
}

static void samples_add(struct samples *samples, const char *nic, const char *name,
			const struct vtc_pool_stats *stats)
{
	struct sample sample = { strdup(nic), strdup(name), now_ns(), *stats };
	struct sample *items =
		realloc(samples->items, (samples->count + 1) * sizeof(*samples->items));

	if (!items || !sample.nic || !sample.name)
		fail_memory();
	items[samples->count++] = sample;
	samples->items = items;
}

/*
 * A pool that goes while we look is none any more, which is no fault; nor is one on a
 * card that has gone, unless that card is asked for.
 */
static int pass_over(const struct tool *tool, int err)
{
	return err == -ENOENT || (err == -ENODEV && tool->arg_count == 0) ? 0 : err;
}

static int count_pool(struct tool *tool, const struct vtc_pool_entry *entry,
		      struct samples *samples)
{
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };
	struct vtc_pool *pool;
	int r = vtc_pool_open(tool->ctx, entry->nic, entry->name, &pool);

	if (r < 0)
		return pass_over(tool, r);
	r = vtc_pool_get_stats(pool, &stats);
	if (r == 0)
		samples_add(samples, entry->nic, entry->name, &stats);
	vtc_pool_close(pool);
	return pass_over(tool, r);
}

static int count_all(struct tool *tool, struct samples *samples)
{
	const char *nic = tool->arg_count > 0 ? tool->args[0] : NULL;
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list;
	int r = vtc_pool_list_new(tool->ctx, nic, &list);

	if (r < 0)
		return r;
	for (unsigned int i = 0; r == 0 && vtc_pool_list_get(list, i, &entry) == 0; i++)
		if (entry.alive &&
		    (tool->arg_count < 2 || strcmp(entry.name, tool->args[1]) == 0))
			r = count_pool(tool, &entry, samples);
	vtc_pool_list_free(list);
	return r;
}

static const struct sample *find(const struct samples *samples,
				 const struct sample *sample)
{
	for (size_t i = 0; i < samples->count; i++)
		if (strcmp(samples->items[i].nic, sample->nic) == 0 &&
		    strcmp(samples->items[i].name, sample->name) == 0)
			return &samples->items[i];
	return NULL;
}

/* ---- JSON ---- */

static const struct {
	uint32_t bit;
	const char *key;
	size_t offset;
} counters[] = {
#define COUNTER(bit, field)                                                         \
	{                                                                           \
		VTC_POOL_STAT_##bit, #field, offsetof(struct vtc_pool_stats, field) \
	}
	COUNTER(RX_PACKETS, rx_packets), COUNTER(RX_BYTES, rx_bytes),
	COUNTER(MISSORT, missort),	 COUNTER(RX_DROPPED, rx_dropped),
	COUNTER(TX_PACKETS, tx_packets), COUNTER(TX_BYTES, tx_bytes),
	COUNTER(TX_DROPPED, tx_dropped), COUNTER(TO_TARGET, to_target),
	COUNTER(TO_STACK, to_stack),
};

#define COUNTER_COUNT (sizeof(counters) / sizeof(counters[0]))

static uint64_t counted(const struct vtc_pool_stats *stats, size_t i)
{
	uint64_t number;

	memcpy(&number, (const char *)stats + counters[i].offset, sizeof(number));
	return number;
}

/* A pool that was made anew counts from 0 again: that is no rate. */
static void add_rate(struct json_object *to, size_t i, const struct sample *now,
		     const struct sample *before)
{
	uint64_t n = counted(&now->stats, i), b = counted(&before->stats, i);
	uint64_t ns = now->time_ns - before->time_ns;
	bool known = ns > 0 && n >= b &&
		     (now->stats.valid & before->stats.valid & counters[i].bit);
	char key[48];

	snprintf(key, sizeof(key), "%s_per_second", counters[i].key);
	json_add_number(to, key, known,
			known ? (uint64_t)((double)(n - b) * 1e9 / (double)ns) : 0);
}

static struct json_object *sample_json(const struct sample *now,
				       const struct sample *before)
{
	struct json_object *to = json_new();

	json_add_text(to, "nic", 1, now->nic);
	json_add_text(to, "name", 1, now->name);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		json_add_number(to, counters[i].key,
				(now->stats.valid & counters[i].bit) != 0,
				counted(&now->stats, i));
	for (size_t i = 0; before && i < COUNTER_COUNT; i++)
		add_rate(to, i, now, before);
	return to;
}

static struct json_object *samples_json(const struct samples *now,
					const struct samples *before)
{
	struct json_object *list = json_new_list();

	for (size_t i = 0; i < now->count; i++)
		json_append(list,
			    sample_json(&now->items[i], find(before, &now->items[i])));
	return list;
}

/* ---- Tables ---- */

static void print_per_second(FILE *out, struct json_object *row, const char *key,
			     uint64_t factor)
{
	struct json_object *value = NULL;

	if (json_object_object_get_ex(row, key, &value))
		table_print_short(out, factor * (uint64_t)json_object_get_int64(value));
	else
		fputc('-', out);
}

static void print_rx_packets(FILE *out, struct json_object *row)
{
	print_per_second(out, row, "rx_packets_per_second", 1);
}

static void print_rx_bits(FILE *out, struct json_object *row)
{
	print_per_second(out, row, "rx_bytes_per_second", 8);
}

static void print_tx_packets(FILE *out, struct json_object *row)
{
	print_per_second(out, row, "tx_packets_per_second", 1);
}

static void print_tx_bits(FILE *out, struct json_object *row)
{
	print_per_second(out, row, "tx_bytes_per_second", 8);
}

#define RATE(title, key_, print_)                                                       \
	{                                                                               \
		.heading = (title), .key = (key_), .print = (print_), .optional = true, \
		.number = true                                                          \
	}

static const struct column columns[] = {
	{ .heading = "NIC", .key = "nic" },
	{ .heading = "POOL", .key = "name" },
	{ .heading = "RX", .key = "rx_packets", .number = true },
	RATE("PER-S", "rx_packets_per_second", print_rx_packets),
	RATE("BIT/S", "rx_bytes_per_second", print_rx_bits),
	{ .heading = "TO-TARGET", .key = "to_target", .number = true },
	{ .heading = "TO-STACK", .key = "to_stack", .number = true },
	{ .heading = "MISSORT", .key = "missort", .number = true },
	{ .heading = "RX-DROPPED", .key = "rx_dropped", .number = true },
	{ .heading = "TX", .key = "tx_packets", .number = true },
	RATE("PER-S", "tx_packets_per_second", print_tx_packets),
	RATE("BIT/S", "tx_bytes_per_second", print_tx_bits),
	{ .heading = "TX-DROPPED", .key = "tx_dropped", .number = true },
	{ .heading = NULL },
};

/* Again and again: an object on each line, and on a terminal the newest table only. */
static void print_samples(const struct tool *tool, const struct samples *now,
			  const struct samples *before)
{
	struct json_object *list = samples_json(now, before);

	if (tool->settings.json) {
		if (tool->settings.watch)
			json_print_line(stdout, list);
		else
			json_print(stdout, list);
	} else {
		if (tool->settings.watch && isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		table_print(list, columns);
		json_object_put(list);
	}
	fflush(stdout);
}

/* ---- The command ---- */

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* In between, another process may be changing the pools: the next look will do. */
static int look(struct tool *tool, struct samples *before)
{
	struct samples now = { .count = 0 };
	int r = count_all(tool, &now);

	if (r == 0)
		print_samples(tool, &now, before);
	if (r < 0) {
		samples_free(&now);
		return r == -EBUSY ? 0 : r;
	}
	samples_free(before);
	*before = now;
	return 0;
}

static int watch(struct tool *tool, struct samples *before)
{
	const struct settings *settings = &tool->settings;
	int r = look(tool, before);

	catch_signals();
	for (uint32_t n = 1; r == 0 && !ferror(stdout); n++) {
		if (settings->count > 0 && n >= settings->count)
			break;
		poll(NULL, 0, (int)settings->watch * 1000);
		if (stop)
			break;
		r = look(tool, before);
	}
	return r;
}

static int once(struct tool *tool, struct samples *samples)
{
	struct samples none = { .count = 0 };
	int r = count_all(tool, samples);

	if (r == 0)
		print_samples(tool, samples, &none);
	return r;
}

/* A pool that is named must be there. */
static int check_name(struct tool *tool)
{
	struct vtc_pool *pool;
	int code = tool->arg_count == 2 ? pool_open(tool, &pool) : EXIT_DONE;

	if (tool->arg_count == 2 && code == EXIT_DONE)
		vtc_pool_close(pool);
	return code;
}

static int run(struct tool *tool)
{
	struct samples samples = { .count = 0 };
	int r, code;

	if (tool->settings.watch > 86400)
		return fail_usage(tool, "--watch takes 1 to 86400 seconds");
	code = check_name(tool);
	if (code)
		return code;
	r = tool->settings.watch ? watch(tool, &samples) : once(tool, &samples);
	samples_free(&samples);
	return r < 0 ? fail_vtc(tool, r) : EXIT_DONE;
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option options[] = {
	{ .name = "watch",
	  SETTING(watch),
	  .kind = OPTION_MAYBE,
	  .value = "[SECONDS]",
	  .help = "print again that often (1), and what came in between" },
	{ .name = "count",
	  SETTING(count),
	  .kind = OPTION_NUMBER,
	  .value = "N",
	  .help = "with --watch: end after so many" },
	{ .name = NULL },
};

const struct command command_pool_stats = {
	.name = "pool stats",
	.args = "[NIC [POOL]]",
	.summary = "Show what was counted for pools.",
	.details = "'-' stands for what the backend does not count. With --watch, until "
		   "SIGINT,\nSIGTERM or SIGHUP; with --json too, a list on each line.",
	.example = "pool stats eth0 --watch 2",
	.options = options,
	.max_args = 2,
	.run = run,
};
