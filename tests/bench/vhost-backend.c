/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user backend of the library that takes the orders of DPDK's testpmd and counts
 * as it does, so that the benchmark need not know whom it talks to:
 *
 *	set fwd rxonly		take all packets
 *	set fwd txonly		send packets, 32 at a time
 *	set fwd io		one socket: send back what comes; two: to the other
 *	set txpkts BYTES	for txonly
 *	set sleep never		look for packets all the time, ...
 *	set sleep usual		... wait in poll() as a program usually does, ...
 *	set sleep always	... or at once when there is nothing to do
 *	start, stop, quit
 *	show			what the ports count, and what the process needs
 *	idle MS			do nothing for so long but be there
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "bench.h"

#define PROMPT	    "vtc> "
#define PORTS_MAX   2
#define BURST	    32
#define BYTES_MAX   1518
#define LOOKS	    64 /* steps between two looks whether there is an order */
#define NO_SPIN_NS  1u
#define QUEUE_PAIRS 2

enum mode { RXONLY, TXONLY, IO };
enum rest { NEVER, USUAL, ALWAYS };

static struct {
	struct vtc_ctx *ctx;
	struct vtc_port *ports[PORTS_MAX];
	unsigned int count;
	struct vtc_port *taker; /* a callback */
	struct vtc_relay *relay;
	enum mode mode;
	enum rest rest;
	uint8_t bytes[BURST][BYTES_MAX];
	struct vtc_segment segments[BURST];
	struct vtc_packet packets[BURST];
} self;

static struct {
	uint64_t packets, busy;
	uint64_t spun_ns;	/* while there were packets in the end */
	uint64_t spun_until_ns; /* in all */
	double cycles_per_ns;
} counted;

static int check(int err, const char *what)
{
	if (err < 0)
		bench_die("%s: %s", what, strerror(-err));
	return err;
}

/* ---- Ports ---- */

/* Whoever takes packets looks at their MAC addresses at least. */
static unsigned int take(void *data, unsigned int queue, const struct vtc_packet *packets,
			 unsigned int count)
{
	(void)data;
	(void)queue;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t word = *(const volatile uint64_t *)packets[i].segments->base;

		__asm__ volatile("" : : "r"(word));
	}
	return count;
}

static void open_port(const char *path)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;

	if (self.count == PORTS_MAX)
		bench_die("too many sockets");
	opts.role = VTC_VRING_DEVICE;
	opts.flags = VTC_VHOST_USER_F_TRUSTED;
	opts.path = path;
	opts.queue_pairs = QUEUE_PAIRS;
	check(vtc_port_open_vhost_user(self.ctx, &opts, &self.ports[self.count++]), path);
}

/* Ports are joined anew for each mode. */
static void join(void)
{
	struct vtc_relay_opts opts = VTC_RELAY_OPTS_INIT;
	struct vtc_port *other = self.count > 1 ? self.ports[1] : self.ports[0];

	vtc_relay_free(self.relay);
	opts.spin_ns = self.rest == ALWAYS ? NO_SPIN_NS : 0;
	check(vtc_relay_new(self.ctx, &opts, &self.relay), "relay");
	if (self.mode != IO)
		other = self.taker;
	check(vtc_relay_join(self.relay, self.ports[0], other), "join");
}

static void set_bytes(uint32_t bytes)
{
	if (bytes < 60 || bytes > BYTES_MAX)
		bench_die("no such packet");
	for (unsigned int i = 0; i < BURST; i++) {
		memset(self.bytes[i], (int)(i + 1), bytes);
		self.segments[i] =
			(struct vtc_segment){ .base = self.bytes[i], .len = bytes };
		self.packets[i] = (struct vtc_packet){ .segments = &self.segments[i],
						       .count = 1,
						       .len = bytes };
	}
}

/* ---- Packets ---- */

static int step(void)
{
	if (self.mode == TXONLY)
		return check(vtc_port_send(self.ports[0], 0, self.packets, BURST),
			     "send");
	return check(vtc_relay_process(self.relay, 0), "process");
}

static bool wait_order(int timeout_ms)
{
	struct pollfd p[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = vtc_relay_get_fd(self.relay), .events = POLLIN },
	};

	poll(p, timeout_ms ? 2 : 1, timeout_ms);
	return p[0].revents != 0;
}

static uint64_t spun_ns(void)
{
	struct vtc_relay_stats stats = { .sz = sizeof(stats) };

	check(vtc_relay_get_stats(self.relay, &stats), "stats");
	return stats.spun_ns;
}

/* As testpmd does it: the cycles of steps that moved nothing do not count. */
static void step_counted(void)
{
	uint64_t start = bench_cycles(), before = counted.spun_until_ns;
	int n = step();

	counted.spun_until_ns = self.mode == TXONLY ? 0 : spun_ns();
	if (n <= 0)
		return;
	counted.busy += bench_cycles() - start;
	counted.spun_ns += counted.spun_until_ns - before;
	counted.packets += (unsigned int)n;
}

static void run(void)
{
	uint64_t ns = bench_now_ns(), cycles = bench_cycles(), packets;

	memset(&counted, 0, sizeof(counted));
	counted.spun_until_ns = self.mode == TXONLY ? 0 : spun_ns();
	for (unsigned int i = 1; i % LOOKS || !wait_order(0); i++) {
		packets = counted.packets;
		step_counted();
		if (self.rest != NEVER && counted.packets == packets && wait_order(1000))
			break;
	}
	counted.cycles_per_ns =
		(double)(bench_cycles() - cycles) / (double)(bench_now_ns() - ns);
}

static void report(void)
{
	double busy =
		(double)counted.busy - (double)counted.spun_ns * counted.cycles_per_ns;

	printf("Accumulated\nRX-packets: %ju\nTX-packets: %ju\nCPU cycles/packet=%.2f\n",
	       (uintmax_t)counted.packets, (uintmax_t)counted.packets,
	       counted.packets ? busy / (double)counted.packets : 0);
}

/* ---- What the ports count, and what the process needs ---- */

static void show_port(const struct vtc_port *port)
{
	struct vtc_port_stats s = { .sz = sizeof(s) };
	struct vtc_port_info info = { .sz = sizeof(info) };

	check(vtc_port_get_stats(port, 0, &s), "stats");
	check(vtc_port_get_info(port, &info), "info");
	printf("connected: %u\nready: %u\nfeatures: %jx\nerror: %s\n", info.connected,
	       info.ready, (uintmax_t)info.features[0], info.error ? info.error : "none");
	printf("rx: %ju\ntx: %ju\nsent: %ju\nreceived: %ju\ndropped: %ju\n",
	       (uintmax_t)s.rx_packets, (uintmax_t)s.tx_packets,
	       (uintmax_t)s.notifications_sent, (uintmax_t)s.notifications_received,
	       (uintmax_t)(s.rx_dropped_bad + s.tx_dropped_room + s.tx_dropped_size +
			   s.tx_dropped_error));
}

/* Pages of its own, and of files that are not shared memory. */
static void show_memory(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned int kib, sum = 0;
	char line[256];

	if (!f)
		bench_die("no /proc");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %u", &kib) == 1 ||
		    sscanf(line, "RssFile: %u", &kib) == 1)
			sum += kib;
	fclose(f);
	printf("memory: %u\n", sum);
}

static void show(void)
{
	for (unsigned int i = 0; i < self.count; i++)
		show_port(self.ports[i]);
	show_memory();
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Wake-ups and processor time, with all there is to do done before. */
static void idle(unsigned int ms)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(self.relay), .events = POLLIN };
	uint64_t until = bench_now_ns() + ms * 1000000ull, cpu, now;
	unsigned int wake_ups = 0;

	while (check(vtc_relay_process(self.relay, 0), "process") > 0)
		;
	cpu = cpu_us();
	while ((now = bench_now_ns()) < until) {
		if (poll(&p, 1, (int)((until - now) / 1000000u) + 1) == 0)
			continue;
		wake_ups++;
		check(vtc_relay_process(self.relay, 0), "process");
	}
	printf("wake-ups: %u\ncpu: %ju\n", wake_ups, (uintmax_t)(cpu_us() - cpu));
}

/* ---- Orders ---- */

static void set_mode(const char *name)
{
	static const char *const names[] = { "rxonly", "txonly", "io" };

	for (unsigned int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			self.mode = (enum mode)i;
	join();
}

static void set_rest(const char *name)
{
	static const char *const names[] = { "never", "usual", "always" };

	for (unsigned int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			self.rest = (enum rest)i;
	join();
}

/* False: the end. */
static bool obey(const char *line)
{
	char word[16];
	unsigned int number;

	if (sscanf(line, "set fwd %15s", word) == 1) {
		set_mode(word);
	} else if (sscanf(line, "set txpkts %u", &number) == 1) {
		set_bytes(number);
	} else if (sscanf(line, "set sleep %15s", word) == 1) {
		set_rest(word);
	} else if (sscanf(line, "idle %u", &number) == 1) {
		idle(number);
	} else if (strcmp(line, "show") == 0) {
		show();
	} else if (strcmp(line, "start") == 0) {
		printf(PROMPT);
		fflush(stdout);
		run();
		return true;
	} else if (strcmp(line, "stop") == 0) {
		report();
	}
	printf(PROMPT);
	fflush(stdout);
	return strcmp(line, "quit") != 0;
}

/* One order each, as who gives them waits for the prompt. */
static bool read_order(char *line, size_t size)
{
	ssize_t n;

	while (!wait_order(1000))
		check(vtc_relay_process(self.relay, 0), "process");
	n = read(STDIN_FILENO, line, size - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	struct vtc_callback_opts opts = VTC_CALLBACK_OPTS_INIT;
	char line[256];

	if (argc < 2)
		bench_die("usage: vhost-backend SOCKET [SOCKET]");
	opts.packets = take;
	check(vtc_ctx_new(NULL, &self.ctx), "context");
	check(vtc_port_new_callback(self.ctx, &opts, &self.taker), "callback");
	for (int i = 1; i < argc; i++)
		open_port(argv[i]);
	self.mode = IO;
	join();
	set_bytes(64);
	printf(PROMPT);
	fflush(stdout);
	while (read_order(line, sizeof(line)) && obey(line))
		;
	vtc_relay_free(self.relay);
	for (unsigned int i = 0; i < self.count; i++)
		vtc_port_close(self.ports[i]);
	vtc_port_close(self.taker);
	vtc_ctx_unref(self.ctx);
	return 0;
}
