/* SPDX-License-Identifier: MIT */
/*
 * vtcctl switch: an Ethernet switch between virtual machines, with a tap as uplink, until
 * a signal ends it.
 */
#include "switch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "fail.h"

/* What a signal handler must reach. */
static struct vtc_relay *signalled;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
	vtc_relay_wake(signalled);
}

/* A reader of the output that has gone ends the switch, too, but in good order. */
static void catch_signals(struct vtc_relay *relay, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	signalled = relay;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Moments, or INT64_MAX for never. */
struct times {
	int64_t print_ms;
	int64_t end_ms;
};

static int64_t after(int64_t start_ms, uint32_t seconds)
{
	return seconds == 0 ? INT64_MAX : start_ms + (int64_t)seconds * 1000;
}

/* Milliseconds to wait, for poll(). */
static int time_left(const struct times *times, int64_t now)
{
	int64_t next = times->print_ms < times->end_ms ? times->print_ms : times->end_ms;

	if (next == INT64_MAX)
		return -1;
	if (next - now > INT32_MAX)
		return INT32_MAX;
	return next < now ? 0 : (int)(next - now);
}

static void print_in_time(struct ethernet_switch *s, struct times *times, int64_t now)
{
	if (now < times->print_ms)
		return;
	switch_print_stats(s);
	times->print_ms = after(now, s->tool->settings.interval);
}

static int loop(struct ethernet_switch *s)
{
	const struct settings *settings = &s->tool->settings;
	struct pollfd pollfd = { vtc_relay_get_fd(s->relay), POLLIN, 0 };
	int64_t now = now_ms();
	struct times times = { after(now, settings->interval),
			       after(now, settings->duration) };
	int r;

	while (!stop && now < times.end_ms && !ferror(stdout)) {
		r = vtc_relay_process(s->relay, 0);
		if (r < 0)
			return fail_vtc(s->tool, r);
		switch_follow_connections(s);
		if (r == 0 && poll(&pollfd, 1, time_left(&times, now)) < 0 &&
		    errno != EINTR)
			return fail_plain(s->tool, -errno, "wait for packets", NULL,
					  NULL);
		now = now_ms();
		print_in_time(s, &times, now);
	}
	switch_print_stats(s);
	return EXIT_DONE;
}

static int run(struct tool *tool)
{
	struct ethernet_switch s = { .tool = tool };
	int code = switch_open(&s);

	if (code == 0) {
		catch_signals(s.relay, on_signal);
		switch_start_stats(&s);
		code = loop(&s);
		catch_signals(NULL, SIG_IGN);
	}
	switch_close(&s);
	return code;
}

#define SETTING(field) .offset = offsetof(struct settings, field)

static const struct option options[] = {
	{ .name = "socket",
	  SETTING(sockets),
	  .kind = OPTION_LIST,
	  .value = "PATH",
	  .help = "listen there for a virtual machine (vhost-user); again for more" },
	{ .name = "tap",
	  SETTING(tap),
	  .kind = OPTION_TEXT,
	  .value = "NAME",
	  .help = "the way out: an interface of this machine, made if missing" },
	{ .name = "queues",
	  SETTING(queues),
	  .kind = OPTION_NUMBER,
	  .value = "N",
	  .help = "queue pairs of each port at most (1)" },
	{ .name = "mac",
	  SETTING(macs),
	  .kind = OPTION_LIST,
	  .value = "SOCKET=ADDRESS",
	  .help = "hold the machine there to this address" },
	{ .name = "age",
	  SETTING(age),
	  .kind = OPTION_NUMBER,
	  .value = "SECONDS",
	  .help = "forget an address that is silent for so long (300)" },
	{ .name = "trust-memory",
	  SETTING(trust_memory),
	  .help = "accept memory that its owner could shorten (DPDK)" },
	{ .name = "capture",
	  SETTING(captures),
	  .kind = OPTION_LIST,
	  .value = "PORT=FILE",
	  .help = "write what passes a socket or the tap to a file (pcapng)" },
	{ .name = "stats",
	  SETTING(interval),
	  .kind = OPTION_NUMBER,
	  .value = "SECONDS",
	  .help = "print statistics that often, not only at the end" },
	{ .name = "duration",
	  SETTING(duration),
	  .kind = OPTION_NUMBER,
	  .value = "SECONDS",
	  .help = "end after that time, not only by a signal" },
	{ .name = NULL },
};

const struct command command_switch = {
	.name = "switch",
	.args = "",
	.summary = "Switch packets between virtual machines and a tap.",
	.details =
		"Until SIGINT, SIGTERM or SIGHUP. A machine is QEMU with -netdev vhost-user, or "
		"another program\nthat speaks vhost-user. An address belongs to the "
		"machine that used it first, unless it\nwas seen at the tap; a packet "
		"from an address that is another's is dropped. One socket\nand a tap "
		"are joined without a look at addresses. With --json one object on each "
		"line.",
	.options = options,
	.run = run,
};
