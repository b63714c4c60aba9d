/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vtcctl switch, as a process of its own: machines (frontends of this library) talk
 * through it, and through its tap with this machine's kernel.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vtc/relay.h>

#include "netns/netns.h"
#include "pcapng.h"
#include "vtct.h"

#define MACHINES  3
#define LEN	  60
#define TYPE	  0x88b5 /* for experiments */
#define BROADCAST 0xffu
#define MULTICAST 0xfeu /* any group but all */
#define LINK	  0xfdu /* of the next bridge */
#define TURNS	  20000 /* of the relay, until something must have come */

/* A machine, or the kernel behind the tap; what came in, by the packets' numbers. */
struct machine {
	struct vtc_port *port;
	struct vtc_port *inbox;
	bool is_deaf; /* takes nothing */
	unsigned int count;
	unsigned int numbers[64];
};

static struct vtc_ctx *ctx;
static struct vtc_relay *relay;
static struct machine machines[MACHINES];
static pid_t child;
static char paths[MACHINES][128];
static char output[128];

/* ---- The switch ---- */

static void name_paths(void)
{
	for (int i = 0; i < MACHINES; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/vm%d", vtct_dir(), i);
	snprintf(output, sizeof(output), "%s/output", vtct_dir());
}

static void run_vtcctl(const char *program, const char **args)
{
	int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	alarm(120);
	execv(program, (char **)args);
	_exit(127);
}

/* Start it with a socket for each machine, and these words. */
static void start_switch(unsigned int sockets, ...)
{
	const char *args[32] = { "vtcctl", "--json", "switch" };
	const char *build = getenv("top_builddir");
	char program[512];
	unsigned int n = 3;
	va_list words;

	snprintf(program, sizeof(program), "%s/examples/vtcctl/vtcctl",
		 build ? build : "..");
	if (access(program, X_OK) < 0)
		vtct_skip("vtcctl is not built");
	for (unsigned int i = 0; i < sockets; i++) {
		args[n++] = "--socket";
		args[n++] = paths[i];
	}
	va_start(words, sockets);
	while (n < 31 && (args[n] = va_arg(words, const char *)))
		n++;
	va_end(words);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		run_vtcctl(program, args);
}

static const char *read_output(void)
{
	static char text[65536];
	FILE *f = fopen(output, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static int stop_switch(int number)
{
	int status = -1;

	kill(child, number);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	child = 0;
	ck_assert_msg(WIFEXITED(status), "status %x: %s", status, read_output());
	return WEXITSTATUS(status);
}

/* A number of a port's object in the last line. */
static unsigned long long said(const char *port, const char *key)
{
	char name[160];
	const char *at;

	snprintf(name, sizeof(name), "\"port\":\"%s\"", port);
	at = strstr(read_output(), name);
	ck_assert_msg(at, "%s is not there: %s", name, read_output());
	snprintf(name, sizeof(name), "\"%s\":", key);
	at = strstr(at, name);
	ck_assert_msg(at, "%s is not there: %s", name, read_output());
	return strtoull(at + strlen(name), NULL, 10);
}

/* ---- Machines ---- */

static void note(struct machine *m, const uint8_t *bytes, size_t len)
{
	uint32_t number;

	/* The kernel says other things on its tap, too. */
	if (len < 18 || bytes[12] != TYPE >> 8 || bytes[13] != (TYPE & 0xff))
		return;
	ck_assert_uint_eq(len, LEN);
	memcpy(&number, bytes + 14, 4);
	for (size_t i = 18; i < len; i++)
		ck_assert_uint_eq(bytes[i], (uint8_t)(number + i));
	ck_assert_uint_lt(m->count, 64);
	m->numbers[m->count++] = number;
}

static unsigned int receive(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	(void)queue;
	if (((struct machine *)data)->is_deaf)
		return 0;
	for (unsigned int i = 0; i < count; i++) {
		uint8_t bytes[2048];
		size_t len = 0;

		for (unsigned int k = 0; k < packets[i].count; k++) {
			const struct vtc_segment *s = &packets[i].segments[k];

			ck_assert_uint_le(len + s->len, sizeof(bytes));
			memcpy(bytes + len, s->base, s->len);
			len += s->len;
		}
		note(data, bytes, len);
	}
	return count;
}

static void turn(void)
{
	struct pollfd p = { vtc_relay_get_fd(relay), POLLIN, 0 };
	int r = vtc_relay_process(relay, 0);

	ck_assert_int_ge(r, 0);
	if (r == 0)
		poll(&p, 1, 10);
}

static bool is_ready(const struct machine *m)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_port_get_info(m->port, &info), 0);
	return info.ready > 0;
}

static void start_machine(unsigned int i)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_callback_opts inbox = VTC_CALLBACK_OPTS_INIT;
	struct machine *m = &machines[i];

	*m = (struct machine){ 0 };
	opts.role = VTC_VRING_DRIVER;
	opts.path = paths[i];
	inbox.packets = receive;
	inbox.data = m;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &opts, &m->port), 0);
	ck_assert_errno(vtc_port_new_callback(ctx, &inbox, &m->inbox), 0);
	ck_assert_errno(vtc_relay_join(relay, m->port, m->inbox), 0);
	for (int n = 0; n < TURNS && !is_ready(m); n++)
		turn();
	ck_assert_msg(is_ready(m), "machine %u is not ready: %s", i, read_output());
}

static void stop_machine(unsigned int i)
{
	vtc_port_close(machines[i].port);
	vtc_port_close(machines[i].inbox);
	machines[i].port = machines[i].inbox = NULL;
}

static void start_machines(void)
{
	for (unsigned int i = 0; i < MACHINES; i++)
		start_machine(i);
}

/* Address n is of machine n; groups and strangers have numbers, too. */
static void put_address(uint8_t *to, unsigned int n)
{
	const uint8_t one[6] = { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n };
	const uint8_t multicast[6] = { 1, 0, 0x5e, 0, 0, 5 };
	const uint8_t link[6] = { 1, 0x80, 0xc2, 0, 0, 0 };

	memcpy(to, n == MULTICAST ? multicast : n == LINK ? link : one, 6);
	if (n == BROADCAST)
		memset(to, 0xff, 6);
}

static void make_frame(uint8_t *frame, unsigned int to, unsigned int from,
		       uint32_t number)
{
	put_address(frame, to);
	put_address(frame + 6, from);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	memcpy(frame + 14, &number, 4);
	for (size_t i = 18; i < LEN; i++)
		frame[i] = (uint8_t)(number + i);
}

/* Machine i sends, with the address from; in two segments, cut in the addresses. */
static void send_from(unsigned int i, unsigned int to, unsigned int from, uint32_t number)
{
	uint8_t frame[LEN];
	struct vtc_segment segments[2] = { { frame, 9 }, { frame + 9, LEN - 9 } };
	struct vtc_packet packet = { .segments = segments, .count = 2, .len = LEN };
	int r = 0;

	make_frame(frame, to, from, number);
	for (int n = 0; n < TURNS && r == 0; n++) {
		r = vtc_port_send(machines[i].port, 0, &packet, 1);
		turn();
	}
	ck_assert_int_eq(r, 1);
}

static void wait_for(struct machine *m, unsigned int number)
{
	for (int n = 0; n < TURNS && (!m->count || m->numbers[m->count - 1] != number);
	     n++)
		turn();
	ck_assert_msg(m->count > 0, "packet %u did not come", number);
	ck_assert_uint_eq(m->numbers[m->count - 1], number);
}

/* What a machine sends keeps its order: when the last has come, no earlier one will. */
static void assert_received(unsigned int i, unsigned int count, ...)
{
	va_list numbers;

	va_start(numbers, count);
	ck_assert_uint_eq(machines[i].count, count);
	for (unsigned int n = 0; n < count; n++)
		ck_assert_uint_eq(machines[i].numbers[n], va_arg(numbers, unsigned int));
	va_end(numbers);
	machines[i].count = 0;
}

static void set_up(void)
{
	struct vtc_relay_opts opts = VTC_RELAY_OPTS_INIT;

	/* What a deaf machine does not take stays in its ring. */
	opts.stall_ms = 600000;
	name_paths();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_relay_new(ctx, &opts, &relay), 0);
	memset(machines, 0, sizeof(machines));
	child = 0;
}

static void tear_down(void)
{
	for (unsigned int i = 0; i < MACHINES; i++)
		stop_machine(i);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	vtc_relay_free(relay);
	vtc_ctx_unref(ctx);
}

/* ---- Between machines ---- */

START_TEST(unicast_flood_groups)
{
	start_switch(MACHINES, NULL);
	start_machines();
	send_from(0, 1, 0, 10); /* nobody knows machine 1: to all others */
	wait_for(&machines[1], 10);
	wait_for(&machines[2], 10);
	send_from(1, 0, 1, 11); /* known: to machine 0 alone */
	send_from(1, BROADCAST, 1, 12);
	wait_for(&machines[0], 12);
	wait_for(&machines[2], 12);
	send_from(0, 1, 0, 13); /* known by now, too */
	send_from(0, LINK, 0, 14);
	send_from(0, 0, 0, 15); /* to itself */
	send_from(0, MULTICAST, 0, 16);
	wait_for(&machines[1], 16);
	wait_for(&machines[2], 16);
	assert_received(0, 2, 11, 12);
	assert_received(1, 3, 10, 13, 16);
	assert_received(2, 3, 10, 12, 16);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	for (int i = 0; i < MACHINES; i++)
		ck_assert_int_ne(access(paths[i], F_OK), 0);
	ck_assert_uint_eq(said(paths[0], "rx_packets"), 5);
	ck_assert_uint_eq(said(paths[0], "tx_packets"), 2);
	ck_assert_uint_eq(said(paths[2], "rx_packets"), 0);
	ck_assert_uint_eq(said(paths[2], "tx_packets"), 3);
	ck_assert_uint_eq(said(paths[2], "tx_bytes"), 3 * LEN);
	ck_assert_uint_eq(said(paths[2], "copies"), 3);
	ck_assert_uint_eq(said(paths[0], "rx_foreign"), 0);
}
END_TEST

START_TEST(address_of_another)
{
	start_switch(MACHINES, NULL);
	start_machines();
	send_from(0, BROADCAST, 0, 1);
	wait_for(&machines[1], 1);
	send_from(1, 2, 0, 2); /* as if it were machine 0 */
	send_from(1, BROADCAST, MULTICAST, 3);
	send_from(1, 0, 1, 4);
	wait_for(&machines[0], 4);
	send_from(2, 0, 2, 5); /* still at machine 0 */
	wait_for(&machines[0], 5);
	assert_received(0, 2, 4, 5);
	assert_received(1, 1, 1);
	assert_received(2, 1, 1);

	/* Machine 0 leaves, and its address with it. */
	stop_machine(0);
	send_from(1, 2, 0, 6);
	for (unsigned int n = 7; machines[2].count == 0 && n < TURNS; n++)
		send_from(1, 2, 0, n);
	ck_assert_uint_gt(machines[2].count, 0);
	ck_assert_int_eq(stop_switch(SIGINT), 0);
	ck_assert_uint_ge(said(paths[1], "rx_foreign"), 2);
}
END_TEST

START_TEST(held_to_an_address)
{
	char bound[160];

	snprintf(bound, sizeof(bound), "%s=02:00:00:00:00:00", paths[0]);
	start_switch(MACHINES, "--mac", bound, NULL);
	start_machines();
	send_from(1, BROADCAST, 0, 1); /* first, and yet not its own */
	send_from(1, 0, 1, 2);	       /* known without a word from it */
	wait_for(&machines[0], 2);
	send_from(0, BROADCAST, 7, 3);
	send_from(0, BROADCAST, 0, 4);
	wait_for(&machines[1], 4);
	wait_for(&machines[2], 4);
	assert_received(0, 1, 2);
	assert_received(1, 1, 4);
	assert_received(2, 1, 4);

	/* It stays its own after it has left. */
	stop_machine(0);
	send_from(1, BROADCAST, 0, 5);
	send_from(1, BROADCAST, 1, 6);
	wait_for(&machines[2], 6);
	assert_received(2, 1, 6);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_eq(said(paths[0], "rx_foreign"), 1);
	ck_assert_uint_eq(said(paths[1], "rx_foreign"), 2);
}
END_TEST

/* The rest of a second is waited for, however long it takes. */
START_TEST(silent_address)
{
	start_switch(MACHINES, "--age", "1", NULL);
	start_machines();
	send_from(0, BROADCAST, 0, 1);
	wait_for(&machines[1], 1);
	wait_for(&machines[2], 1);
	machines[2].count = 0;
	for (unsigned int n = 2; machines[2].count == 0 && n < TURNS; n++) {
		send_from(1, BROADCAST, 0, n);
		machines[0].count = 0;
	}
	ck_assert_uint_gt(machines[2].count, 0);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_gt(said(paths[1], "rx_foreign"), 0);
	ck_assert_uint_eq(said(paths[1], "addresses"), 1);
	ck_assert_uint_eq(said(paths[0], "addresses"), 0);
}
END_TEST

/* It holds up nobody: what is sent after what it does not take arrives. */
START_TEST(deaf_machine)
{
	start_switch(MACHINES, NULL);
	start_machines();
	send_from(1, BROADCAST, 1, 1);
	wait_for(&machines[0], 1);
	wait_for(&machines[2], 1);
	machines[1].is_deaf = true;
	for (unsigned int i = 0; i < 1000; i++)
		send_from(0, 1, 0, i);
	send_from(0, BROADCAST, 0, 2);
	wait_for(&machines[2], 2);
	assert_received(2, 2, 1, 2);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_gt(said(paths[1], "tx_room"), 0);
	ck_assert_uint_eq(said(paths[1], "tx_down"), 0);
	ck_assert_uint_eq(said(paths[1], "tx_packets") + said(paths[1], "tx_room"), 1001);
}
END_TEST

/* A machine with many addresses takes no place from the others. */
START_TEST(many_addresses)
{
	start_switch(2, NULL);
	start_machine(0);
	start_machine(1);
	send_from(1, BROADCAST, 1, 1);
	wait_for(&machines[0], 1);
	for (unsigned int i = 0; i < 3000; i++) {
		send_from(0, 1, 1000 + i, i);
		machines[1].count = 0;
	}
	send_from(0, 1, 0, 77);
	wait_for(&machines[1], 77);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_le(said(paths[0], "addresses"), 1024);
	ck_assert_uint_ge(said(paths[0], "addresses"), 900);
	ck_assert_uint_eq(said(paths[1], "addresses"), 1);
	ck_assert_uint_eq(said(paths[0], "rx_foreign"), 0);
}
END_TEST

static struct vtct_pcapng captured;

/* Name a file, and the option for it. */
static void name_capture(char *option, size_t size, const char *port, const char *file)
{
	snprintf(option, size, "%s=%s/%s", port, vtct_dir(), file);
}

static void read_capture(const char *name)
{
	static uint8_t bytes[65536];
	const char *wrong;
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", vtct_dir(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	len = read(fd, bytes, sizeof(bytes));
	close(fd);
	ck_assert_int_gt(len, 0);
	wrong = vtct_pcapng_read(bytes, (size_t)len, &captured);
	ck_assert_msg(!wrong, "%s", wrong);
	ck_assert_int_eq(captured.has_statistics, 1);
	ck_assert_uint_eq(captured.received, captured.count);
}

/* Of ours: the kernel speaks on its tap, too. */
static void assert_captured(uint32_t number, uint32_t direction)
{
	for (unsigned int i = 0; i < captured.count; i++) {
		const struct vtct_pcapng_packet *p = &captured.packets[i];
		uint32_t at;

		memcpy(&at, p->bytes + 14, 4);
		if (p->bytes[12] != TYPE >> 8 || at != number)
			continue;
		ck_assert_uint_eq(p->direction, direction);
		ck_assert_uint_eq(p->captured, LEN);
		ck_assert_uint_eq(p->original, LEN);
		ck_assert_int_eq(p->queue, 0);
		return;
	}
	ck_abort_msg("packet %u is not in the capture", number);
}

START_TEST(capture)
{
	char option[300];

	name_capture(option, sizeof(option), paths[0], "capture");
	start_switch(2, "--capture", option, NULL);
	start_machine(0);
	start_machine(1);
	send_from(0, 1, 0, 1);
	wait_for(&machines[1], 1);
	send_from(1, 0, 1, 2);
	wait_for(&machines[0], 2);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	read_capture("capture");
	ck_assert_str_eq(captured.name, paths[0]);
	ck_assert_uint_eq(captured.count, 2);
	assert_captured(1, 1);
	assert_captured(2, 2);
}
END_TEST

START_TEST(ends_by_itself)
{
	int status;

	start_switch(1, "--duration", "1", "--stats", "1", NULL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	child = 0;
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(read_output(), "\"state\":\"waiting\""));
	ck_assert_int_ne(access(paths[0], F_OK), 0);
}
END_TEST

START_TEST(socket_in_use)
{
	pid_t first;
	int status;

	start_switch(1, NULL);
	start_machine(0);
	first = child;
	start_switch(1, NULL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	child = first;
	ck_assert_int_eq(WEXITSTATUS(status), 5);
	ck_assert_ptr_nonnull(strstr(read_output(), "\"exit_code\": 5"));
	/* The first one serves on. */
	ck_assert_int_eq(access(paths[0], F_OK), 0);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
}
END_TEST

/* ---- With the kernel ---- */

/* A socket that sees what comes out of the tap, and sends into it. */
static int open_wire(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(TYPE) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(TYPE));

	ck_assert_int_ge(fd, 0);
	at.sll_ifindex = (int)if_nametoindex(name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int start_tap(unsigned int sockets, const char *option, const char *value)
{
	unsigned int ifindex = 0;

	vtct_netns_enter();
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		vtct_skip("/dev/net/tun cannot be opened");
	start_switch(sockets, "--tap", "front0", option, value, NULL);
	for (unsigned int i = 0; i < sockets; i++)
		start_machine(i);
	ifindex = if_nametoindex("front0");
	ck_assert_msg(ifindex > 0, "no tap: %s", read_output());
	vtct_netns_set_up(ctx, ifindex, true);
	return open_wire("front0");
}

static void send_on_wire(int fd, unsigned int to, unsigned int from, uint32_t number)
{
	uint8_t frame[LEN];

	make_frame(frame, to, from, number);
	ck_assert_int_eq(send(fd, frame, LEN, 0), LEN);
	turn();
}

static void wait_on_wire(int fd, struct machine *kernel, unsigned int number)
{
	for (int n = 0; n < TURNS; n++) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		uint8_t bytes[2048];
		ssize_t len = recvfrom(fd, bytes, sizeof(bytes), 0,
				       (struct sockaddr *)&from, &size);

		/* It sees what it sent itself, too. */
		if (len > 0 && from.sll_pkttype != PACKET_OUTGOING)
			note(kernel, bytes, (size_t)len);
		if (kernel->count && kernel->numbers[kernel->count - 1] == number)
			return;
		turn();
	}
	ck_abort_msg("packet %u did not come out of the tap: %s", number, read_output());
}

START_TEST(uplink)
{
	int wire = start_tap(2, NULL, NULL);
	struct machine kernel = { .count = 0 };

	send_from(0, BROADCAST, 0, 1);
	wait_on_wire(wire, &kernel, 1);
	wait_for(&machines[1], 1);
	send_on_wire(wire, 0, 9, 2);
	wait_for(&machines[0], 2);
	send_from(1, 0, 9, 3); /* the address of a host out there */
	send_from(1, 9, 1, 4); /* goes out, and only there */
	wait_on_wire(wire, &kernel, 4);
	send_from(0, 9, 0, 5);
	wait_on_wire(wire, &kernel, 5);
	/* A machine has moved to another host. */
	send_on_wire(wire, BROADCAST, 1, 6);
	wait_for(&machines[0], 6);
	wait_for(&machines[1], 6);
	send_from(0, 1, 0, 7);
	wait_on_wire(wire, &kernel, 7);
	assert_received(0, 2, 2, 6);
	assert_received(1, 2, 1, 6);
	ck_assert_uint_eq(kernel.count, 4);
	close(wire);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_eq(said(paths[1], "rx_foreign"), 1);
	ck_assert_uint_eq(said("front0", "tx_packets"), 4);
}
END_TEST

/* One machine and the tap: no switch in between, no copy. */
START_TEST(direct)
{
	const char *port = _i == 0 ? paths[0] : "front0";
	struct machine kernel = { .count = 0 };
	char option[300];
	int wire;

	name_capture(option, sizeof(option), port, "direct");
	wire = start_tap(1, "--capture", option);
	send_from(0, 9, 5, 1);
	wait_on_wire(wire, &kernel, 1);
	send_on_wire(wire, 5, 9, 2);
	wait_for(&machines[0], 2);
	send_on_wire(wire, LINK, 9, 3); /* nothing looks at it */
	wait_for(&machines[0], 3);
	close(wire);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_eq(said(paths[0], "copies"), 0);
	ck_assert_uint_eq(said("front0", "copies"), 0);
	ck_assert_ptr_null(strstr(read_output(), "\"addresses\""));
	read_capture("direct");
	ck_assert_str_eq(captured.name, port);
	assert_captured(1, _i == 0 ? 1 : 2);
	assert_captured(2, _i == 0 ? 2 : 1);
	assert_captured(3, _i == 0 ? 2 : 1);
}
END_TEST

START_TEST(held_beside_the_tap)
{
	char bound[160];
	struct machine kernel = { .count = 0 };
	int wire;

	snprintf(bound, sizeof(bound), "%s=02:00:00:00:00:00", paths[0]);
	wire = start_tap(1, "--mac", bound);
	send_from(0, 9, 5, 1);
	send_from(0, 9, 0, 2);
	wait_on_wire(wire, &kernel, 2);
	ck_assert_uint_eq(kernel.count, 1);
	close(wire);
	ck_assert_int_eq(stop_switch(SIGTERM), 0);
	ck_assert_uint_eq(said(paths[0], "rx_foreign"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("switch");
	TCase *tcase = tcase_create("switch");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, unicast_flood_groups);
	tcase_add_test(tcase, address_of_another);
	tcase_add_test(tcase, held_to_an_address);
	tcase_add_test(tcase, silent_address);
	tcase_add_test(tcase, deaf_machine);
	tcase_add_test(tcase, many_addresses);
	tcase_add_test(tcase, capture);
	tcase_add_test(tcase, ends_by_itself);
	tcase_add_test(tcase, socket_in_use);
	tcase_add_test(tcase, uplink);
	tcase_add_loop_test(tcase, direct, 0, 2);
	tcase_add_test(tcase, held_beside_the_tap);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
