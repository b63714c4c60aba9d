/* SPDX-License-Identifier: MIT */
/* vtcctl watch: one line for each event, until enough have come or the time is up. */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include <vtc/monitor.h>

#include "fail.h"
#include "json.h"
#include "table.h"

struct watch {
	struct tool *tool;
	struct vtc_monitor *monitor;
	int64_t deadline_ms; /* 0: none */
	uint32_t seen;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_enough(const struct watch *watch)
{
	uint32_t count = watch->tool->settings.count;

	return count > 0 && watch->seen >= count;
}

static struct json_object *event_json(const struct vtc_event *event)
{
	struct json_object *to = json_new();
	const char *address = NULL, *pf = NULL, *name = NULL;
	uint32_t index = 0, ifindex = vtc_event_get_ifindex(event);
	int known, up = 0, carrier = 0;

	json_add_text(to, "event", 1, vtc_event_type_name(vtc_event_get_type(event)));
	known = vtc_event_get_address(event, &address);
	json_add_text(to, "address", known, address);
	known = vtc_event_get_ifname(event, &name);
	json_add_text(to, "name", known, name);
	json_add_number(to, "ifindex", ifindex > 0, ifindex);
	known = vtc_event_get_link_state(event, &up, &carrier);
	json_add_bool(to, "up", known, up);
	json_add_bool(to, "carrier", known, carrier);
	known = vtc_event_get_vf(event, &pf, &index);
	json_add_text(to, "pf", known, pf);
	json_add_number(to, "index", known, index);
	return to;
}

static void print_text(struct json_object *event)
{
	const char *gap = "";

	json_object_object_foreach(event, key, value)
	{
		(void)value;
		fputs(gap, stdout);
		if (*gap)
			printf("%s ", key);
		table_print_value(stdout, event, key);
		gap = "  ";
	}
	putchar('\n');
}

static void print_event(void *data, const struct vtc_event *event)
{
	struct watch *watch = data;
	struct json_object *json;

	/* One dispatch can deliver more than was asked for. */
	if (is_enough(watch))
		return;
	watch->seen++;
	json = event_json(event);
	if (watch->tool->settings.json) {
		json_print_line(stdout, json);
	} else {
		print_text(json);
		json_object_put(json);
	}
	fflush(stdout);
}

/* Milliseconds to wait, for poll(): -1 is for ever, 0 that the time is up. */
static int time_left(const struct watch *watch)
{
	int64_t left;

	if (watch->deadline_ms == 0)
		return -1;
	left = watch->deadline_ms - now_ms();
	if (left > INT32_MAX)
		return INT32_MAX;
	return left < 0 ? 0 : (int)left;
}

/* Too few events in the time are a failure only if a number was asked for. */
static int time_is_up(const struct watch *watch)
{
	if (watch->tool->settings.count == 0)
		return EXIT_DONE;
	return fail_plain(watch->tool, -ETIMEDOUT, "wait for events", NULL, NULL);
}

static int loop(struct watch *watch)
{
	struct pollfd pollfd = { vtc_monitor_get_fd(watch->monitor), POLLIN, 0 };
	int r;

	while (!is_enough(watch) && !ferror(stdout)) {
		r = poll(&pollfd, 1, time_left(watch));
		if (r == 0)
			return time_is_up(watch);
		if (r < 0 && errno != EINTR)
			return fail_plain(watch->tool, -errno, "wait for events", NULL,
					  NULL);
		r = vtc_monitor_dispatch(watch->monitor);
		if (r < 0)
			return fail_vtc(watch->tool, r);
	}
	return EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct watch watch = { .tool = tool };
	int r = vtc_monitor_open(tool->ctx, print_event, &watch, &watch.monitor);

	if (r < 0)
		return fail_vtc(tool, r);
	if (tool->settings.timeout_ms)
		watch.deadline_ms = now_ms() + tool->settings.timeout_ms;
	r = loop(&watch);
	vtc_monitor_close(watch.monitor);
	return r;
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option options[] = {
	{ .name = "count",
	  SETTING(count),
	  .kind = OPTION_NUMBER,
	  .value = "N",
	  .help = "end after so many events" },
	{ .name = "timeout",
	  SETTING(timeout_ms),
	  .kind = OPTION_NUMBER,
	  .value = "MS",
	  .help = "end after so many milliseconds" },
	{ .name = NULL },
};

const struct command command_watch = {
	.name = "watch",
	.args = "",
	.summary = "Print network interfaces and VFs that come, change and go.",
	.details = "With --json one object on each line. If --count events do not come "
		   "in time, "
		   "the exit\ncode is 6.",
	.options = options,
	.run = run,
};
