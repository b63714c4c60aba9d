/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of a veth, AF_XDP ports on them, and guests behind a relay: who gets which frame,
 * byte for byte, whatever happens to the card, the program and the processes.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "../endpoint/rig.h"
#include "endpoint/port.h"
#include "net.h"
#include "vmdq/guard.h"
#include "vmdq/pool.h"
#include "vtct.h"

#define NIC	 "vtcw0"
#define QUEUES	 2
#define PATIENCE 10000 /* rounds of 1 ms */
#define LEN_MAX	 300
#define FRAMES	 100000

static struct rig rig; /* with the real clock: pools wait for locks */
static char state_dir[128];
static char *before;
static int wire, host; /* far end of the card; a machine at another port of the bridge */

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t mac_b[6] = { 2, 0, 0, 0, 0, 0xb };
static const uint8_t mac_x[6] = { 2, 0, 0, 0, 0, 0xc };
static const uint8_t mac_host[6] = { 2, 0, 0, 0, 0, 0xff };
static const uint8_t mac_all[6] = { 255, 255, 255, 255, 255, 255 };

/* ---- The world around ---- */

static struct vtc_ctx *new_ctx(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtc_ctx *new;

	opts.state_dir = state_dir;
	opts.log_level = VTC_LOG_NONE;
	ck_assert_errno(vtc_ctx_new(&opts, &new), 0);
	return new;
}

/* It comes some time after both ends are up; before, frames are lost. */
static void await_carrier(const char *name)
{
	for (int i = 0; i < PATIENCE / 10; i++) {
		if (net_try("ip link show %s | grep -q 'state UP'", name) == 0)
			return;
		(void)poll(NULL, 0, 10);
	}
	ck_abort_msg("no carrier on %s", name);
}

static void need_programs(void)
{
	struct vtc__uplink uplink;
	char why[256] = "";
	int err;

	ck_assert_errno(vtc__uplink_find(rig.ctx, NIC, "test", &uplink), 0);
	err = vtc__guard_probe(rig.ctx, uplink.ifindex, why, sizeof(why));
	if (err)
		vtct_skip("no guard program here: %s", why);
	err = socket(AF_XDP, SOCK_RAW, 0);
	if (err < 0)
		vtct_skip("this kernel has no AF_XDP");
	close(err);
}

static void set_up(void)
{
	net_enter();
	net_run("ip link add " NIC " numrxqueues %d numtxqueues %d type veth peer name "
		"vtcw1 numrxqueues %d numtxqueues %d && ip link add vtcb0 type veth peer "
		"name vtcb1 && ip link add vtcbr type bridge mcast_snooping 0",
		QUEUES, QUEUES, QUEUES, QUEUES);
	net_run("for i in " NIC " vtcb0; do ip link set $i master vtcbr; done; "
		"for i in " NIC " vtcw1 vtcb0 vtcb1 vtcbr; do ip link set $i up; done");
	/* A carrier comes some time later. */
	for (int i = 0; i < PATIENCE && !net_try("bridge link | grep -q disabled"); i++)
		(void)poll(NULL, 0, 1);
	await_carrier("vtcw1");
	await_carrier("vtcb1");
	snprintf(state_dir, sizeof(state_dir), "%s/state-XXXXXX", vtct_dir());
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	wire = net_open_packet("vtcw1");
	host = net_open_packet("vtcb1");
	rig.ctx = new_ctx();
	need_programs();
	ck_assert_errno(vtc_relay_new(rig.ctx, NULL, &rig.relay), 0);
	before = net_snapshot(NIC, state_dir);
}

static void tear_down(void)
{
	char *now = net_snapshot(NIC, state_dir);
	const char *difference = net_difference(before, now);

	ck_assert_msg(!difference, "%s", difference);
	free(now);
	free(before);
	vtc_relay_free(rig.relay);
	ck_assert_ptr_null(rig.ctx->umems);
	vtc_ctx_unref(rig.ctx);
	close(wire);
	close(host);
}

static const char *said(struct vtc_ctx *ctx)
{
	static char text[1024];

	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	return text;
}

/* ---- Frames: all of one follows from its number, its receiver and its tag ---- */

struct vm;

struct traffic {
	const uint8_t *to;
	int vlan;
	unsigned int number;
	const struct vm *owner; /* who alone may get it; NULL: no machine */
};

static size_t build(const struct traffic *t, uint8_t *frame)
{
	size_t len = 60 + t->number * 7 % (LEN_MAX - 64), at = 12;

	for (size_t i = 0; i < len + 4; i++)
		frame[i] = (uint8_t)(t->number * 31 + i);
	memcpy(frame, t->to, 6);
	memcpy(frame + 6, mac_host, 6);
	frame[6] = 6;
	if (t->vlan != NET_VLAN_NONE) {
		frame[at++] = 0x81;
		frame[at++] = 0x00;
		frame[at++] = (uint8_t)(t->vlan >> 8);
		frame[at++] = (uint8_t)t->vlan;
		len += 4;
	}
	frame[at++] = 0x88;
	frame[at++] = 0xb5;
	memcpy(frame + at, &t->number, sizeof(t->number));
	return len;
}

static void send_one(const uint8_t *to, int vlan, unsigned int number)
{
	struct traffic t = { to, vlan, number, NULL };
	uint8_t frame[LEN_MAX + 8];
	size_t len = build(&t, frame);

	ck_assert_int_eq(write(wire, frame, len), (ssize_t)len);
}

static unsigned int number_of(const uint8_t *frame)
{
	unsigned int number;

	memcpy(&number, frame + (frame[12] == 0x81 ? 18 : 14), sizeof(number));
	return number;
}

/* What is sent, by this processor alone, comes in on this queue of the card. */
static void steer(unsigned int queue)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (cpu < 0 || cpu > 31 || sched_setaffinity(0, sizeof(one), &one) < 0)
		vtct_skip("cannot stay on processor %d", cpu);
	for (unsigned int q = 0; q < QUEUES; q++) {
		char path[64];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/net/vtcw1/queues/tx-%u/xps_cpus",
			 q);
		file = fopen(path, "w");
		if (!file || fprintf(file, "%x", q == queue ? 1u << cpu : 0) < 0 ||
		    fclose(file))
			vtct_skip("%s: %s", path, strerror(errno));
	}
}

/* ---- Machines ---- */

struct vm {
	struct vtc_pool *pool;
	struct vtc_port *port;
	struct ringport *guest;
	unsigned int got;
};

static struct vtc_pool *request(struct vtc_ctx *ctx, const char *name, const char *target,
				uint32_t flags)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;
	int err;

	opts.name = name;
	opts.target = target;
	opts.flags = flags;
	opts.backend = VTC_POOL_BACKEND_XDP;
	opts.audit_ms = 3600000;
	err = vtc_pool_request(ctx, NIC, &opts, &pool);
	ck_assert_msg(!err, "%s", said(ctx));
	return pool;
}

static void filter(struct vtc_pool *pool, const uint8_t *mac, int vlan)
{
	struct vtc_filter f = { .match = 0 };

	if (mac) {
		memcpy(f.mac.addr, mac, 6);
		f.match |= VTC_FILTER_MAC;
	}
	if (vlan != NET_VLAN_NONE) {
		f.vlan = (uint16_t)vlan;
		f.match |= VTC_FILTER_VLAN;
	}
	ck_assert_errno(vtc_pool_add_filter(pool, &f), 0);
}

static void open_port(struct vm *vm)
{
	struct vtc_pool_port_opts o = VTC_POOL_PORT_OPTS_INIT;
	int err;

	o.ring_size = 256;
	o.frame_count = 1024;
	err = vtc_pool_open_port(vm->pool, &o, &vm->port);
	ck_assert_msg(!err, "%s", said(rig.ctx));
	ck_assert_errno(vtc_relay_join(rig.relay, vm->port, ringport_port(vm->guest)), 0);
}

static struct vm vm_new(const char *name, const char *target, uint32_t flags)
{
	static const struct ringport_plan plan = { .queue_pairs = QUEUES };
	struct vm vm = { .pool = request(rig.ctx, name, target, flags) };

	vm.guest = ringport_new(rig.ctx, &plan);
	open_port(&vm);
	return vm;
}

static void vm_free(struct vm *vm)
{
	vtc_port_close(vm->port);
	ringport_free(vm->guest);
	ck_assert_errno(vtc_pool_release(vm->pool), 0);
}

static void post(struct vm *vm)
{
	for (unsigned int q = 0; q < QUEUES; q++)
		ringport_post(vm->guest, q, 256);
}

/* Let the relay move so many packets, and no more. */
static void work(unsigned int packets)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(rig.relay), .events = POLLIN };
	unsigned int done = rig_run(&rig);

	for (int i = 0; i < PATIENCE && done < packets; i++) {
		(void)poll(&p, 1, 1);
		done += rig_run(&rig);
	}
	ck_assert_uint_eq(done, packets);
}

/* A frame that came to a guest must be the one that was sent to it; or -1: none. */
static long receive(struct vm *vm, const struct traffic *sent)
{
	uint8_t header[12], got[LEN_MAX + 8], want[LEN_MAX + 8];
	unsigned int number;
	long n = -1;

	for (unsigned int q = 0; n < 0 && q < QUEUES; q++)
		n = ringport_receive(vm->guest, q, header, got, sizeof(got));
	if (n < 0)
		return -1;
	number = number_of(got);
	ck_assert_uint_lt(number, FRAMES);
	ck_assert_ptr_eq(sent[number].owner, vm);
	ck_assert_int_eq(n, (long)build(&sent[number], want));
	ck_assert_mem_eq(got, want, (size_t)n);
	vm->got++;
	return number;
}

/* One frame goes its way to a machine. */
static void expect(struct vm *vm, const uint8_t *to, int vlan, unsigned int number)
{
	static struct traffic sent[FRAMES];

	post(vm);
	sent[number] = (struct traffic){ to, vlan, number, vm };
	send_one(to, vlan, number);
	work(1);
	ck_assert_int_eq(receive(vm, sent), number);
	ck_assert_int_eq(receive(vm, sent), -1);
}

/* The number of a frame that came out at a descriptor (without tag), or -1. */
static long read_number(int fd, bool wait)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[2048];
	ssize_t n;

	while (poll(&p, 1, wait ? PATIENCE : 0) == 1) {
		n = read(fd, frame, sizeof(frame));
		if (n >= 60 && ((frame[12] == 0x88 && frame[13] == 0xb5) ||
				(frame[12] == 0x81 && frame[16] == 0x88)))
			return number_of(frame);
	}
	return -1;
}

static void to_host(unsigned int number)
{
	send_one(mac_host, NET_VLAN_NONE, number);
	ck_assert_int_eq(read_number(host, true), number);
}

/* ---- Who gets what ---- */

START_TEST(each_machine_gets_its_own)
{
	static const int vlans[] = { NET_VLAN_NONE, 0, 5, 10, 11 };
	static const uint8_t *const macs[] = { mac_a, mac_b, mac_x, mac_host };
	static struct traffic sent[FRAMES];
	struct vm a = vm_new("a", NULL, 0), b = vm_new("b", NULL, 0);
	const struct vm *const owners[] = { &a, &b, NULL };
	unsigned int want[3] = { 0 }, number = 0, others = 0;

	filter(a.pool, mac_a, NET_VLAN_NONE);
	filter(a.pool, mac_x, 10);
	filter(b.pool, mac_b, 5);
	filter(b.pool, mac_x, 11);
	srand(1);
	for (unsigned int round = 0; round < 100; round++) {
		unsigned int ours = 0;

		steer(round % QUEUES);
		post(&a);
		post(&b);
		for (unsigned int i = 0; i < 50; i++, number++) {
			const uint8_t *mac = macs[rand() % 4];
			int vlan = vlans[rand() % 5], to = 2;

			if (mac == mac_a || (mac == mac_x && vlan == 10))
				to = 0;
			else if ((mac == mac_b && vlan == 5) ||
				 (mac == mac_x && vlan == 11))
				to = 1;
			sent[number] = (struct traffic){ mac, vlan, number, owners[to] };
			send_one(mac, vlan, number);
			want[to]++;
			ours += to < 2;
		}
		work(ours);
		while (receive(&a, sent) >= 0)
			;
		while (receive(&b, sent) >= 0)
			;
		ck_assert_uint_eq(a.got, want[0]);
		ck_assert_uint_eq(b.got, want[1]);
		while (read_number(host, false) >= 0)
			others++;
	}
	while (others < want[2] && read_number(host, true) >= 0)
		others++;
	ck_assert_uint_eq(others, want[2]);
	vm_free(&a);
	vm_free(&b);
}
END_TEST

START_TEST(what_machines_send_leaves_by_the_card)
{
	struct vm a = vm_new("a", NULL, 0);
	static const uint8_t header[12];
	uint8_t frame[LEN_MAX + 8];
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };

	filter(a.pool, mac_a, NET_VLAN_NONE);
	for (unsigned int i = 0; i < 500; i++) {
		struct traffic t = { mac_host, i % 2 ? 7 : NET_VLAN_NONE, i, NULL };
		size_t len = build(&t, frame);

		ck_assert(ringport_send(a.guest, i % QUEUES, header, frame, len, 1));
		ringport_kick(a.guest, i % QUEUES);
		work(1);
		ck_assert_int_eq(read_number(wire, true), i);
	}
	ck_assert_errno(vtc_pool_get_stats(a.pool, &stats), 0);
	ck_assert(stats.valid & VTC_POOL_STAT_TX_PACKETS);
	ck_assert_uint_eq(stats.tx_packets, 500);
	to_host(501);
	vm_free(&a);
}
END_TEST

/* The relay does not run. */
START_TEST(what_a_port_has_no_room_for_is_counted)
{
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };
	struct vm a = vm_new("a", NULL, 0);

	filter(a.pool, mac_a, NET_VLAN_NONE);
	ck_assert_errno(vtc_pool_get_stats(a.pool, &stats), 0);
	ck_assert(stats.valid & VTC_POOL_STAT_RX_DROPPED);
	ck_assert_uint_eq(stats.rx_dropped, 0);
	for (unsigned int i = 0; i < 3000; i++)
		send_one(mac_a, NET_VLAN_NONE, i % FRAMES);
	to_host(1);
	ck_assert_errno(vtc_pool_get_stats(a.pool, &stats), 0);
	ck_assert_uint_gt(stats.rx_dropped, 0);
	ck_assert_uint_le(stats.rx_dropped, 3000);
	vm_free(&a);
}
END_TEST

START_TEST(group_frames_are_for_members_of_the_vlan)
{
	struct vm a = vm_new("a", NULL, VTC_POOL_F_GROUP_COPY);
	struct vm b = vm_new("b", NULL, VTC_POOL_F_GROUP_COPY);
	struct vm c = vm_new("c", NULL, 0);

	send_one(mac_all, 5, 1);
	ck_assert_int_eq(read_number(host, true), 1);
	ck_assert_uint_eq(rig_run(&rig), 0);
	filter(a.pool, mac_a, 5);
	filter(b.pool, mac_b, 6);
	filter(c.pool, mac_x, 5);
	expect(&a, mac_all, 5, 2);
	expect(&b, mac_all, 6, 3);
	expect(&a, mac_a, 5, 4);
	for (int i = 2; i <= 3; i++)
		ck_assert_int_eq(read_number(host, true), i);
	vm_free(&a);
	vm_free(&b);
	vm_free(&c);
}
END_TEST

/*
 * A pool whose frames come out at an interface of its own, as those of a VF do. It is a
 * veth here, put into the handle by force.
 */
START_TEST(an_interface_of_its_own)
{
	struct vtc__backend delivers = vtc__backend_vf;
	static const uint8_t header[12];
	uint8_t frame[LEN_MAX + 8];
	struct traffic t = { mac_host, 9, 77, NULL };
	struct vm a;
	int near, far;

	net_run("ip link add vtcv0 type veth peer name vtcv1 && "
		"ip link set vtcv0 up && ip link set vtcv1 up");
	await_carrier("vtcv1");
	free(before);
	before = net_snapshot(NIC, state_dir);
	far = net_open_packet("vtcv1");
	near = wire;
	wire = far;
	a = (struct vm){ .pool = request(rig.ctx, "a", NULL, 0),
			 .guest = ringport_new(rig.ctx, NULL) };
	delivers.uses_guard = false;
	a.pool->backend = &delivers;
	strcpy(a.pool->netdev, "vtcv0");
	open_port(&a);
	for (unsigned int i = 0; i < 20; i++) {
		const uint8_t *to = i % 4 == 3 ? mac_all : i % 2 ? mac_a : mac_b;
		uint8_t got_header[12], got[LEN_MAX + 8];
		struct traffic sent = { to, i % 3 ? (int)i : NET_VLAN_NONE, i, NULL };

		ringport_post(a.guest, 0, 1);
		send_one(sent.to, sent.vlan, i);
		work(1);
		ck_assert_int_eq(
			ringport_receive(a.guest, 0, got_header, got, sizeof(got)),
			(long)build(&sent, frame));
		ck_assert_int_eq(memcmp(got, frame, build(&sent, frame)), 0);
	}
	ck_assert(ringport_send(a.guest, 0, header, frame, build(&t, frame), 1));
	ringport_kick(a.guest, 0);
	work(1);
	ck_assert_int_eq(read_number(far, true), 77);
	vm_free(&a);
	wire = near;
	close(far);
}
END_TEST

/* Whatever queue of the card they come on, frames of one flow go to one of the guest. */
START_TEST(spread_over_the_queues_of_a_guest)
{
	static const struct ringport_plan plan = { .queue_pairs = 4 };
	struct vtc_pool_port_opts o = VTC_POOL_PORT_OPTS_INIT;
	unsigned int queue_of[16], count[4] = { 0 };
	struct vm a = { .pool = request(rig.ctx, "a", NULL, 0) };

	a.guest = ringport_new(rig.ctx, &plan);
	o.flags = VTC_POOL_PORT_F_SPREAD;
	o.queue_pairs = 4;
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &a.port), 0);
	ck_assert_errno(vtc_relay_join(rig.relay, a.port, ringport_port(a.guest)), 0);
	filter(a.pool, NULL, 5);
	for (unsigned int i = 0; i < 320; i++) {
		uint8_t mac[6] = { 2, 1, 0, 0, 0, (uint8_t)(i % 16) }, header[12];
		uint8_t got[LEN_MAX + 8], want[LEN_MAX + 8];
		struct traffic t = { mac, 5, i, NULL };
		unsigned int q = 0;
		long n;

		for (unsigned int k = 0; k < 4; k++)
			ringport_post(a.guest, k, 1);
		steer(i / 16 % QUEUES);
		send_one(mac, 5, i);
		work(1);
		while ((n = ringport_receive(a.guest, q, header, got, sizeof(got))) < 0)
			ck_assert_uint_lt(++q, 4);
		ck_assert_int_eq(n, (long)build(&t, want));
		ck_assert_mem_eq(got, want, (size_t)n);
		if (i < 16)
			queue_of[i] = q;
		ck_assert_uint_eq(queue_of[i % 16], q);
		count[q]++;
	}
	for (unsigned int q = 0; q < 4; q++)
		ck_assert_uint_gt(count[q], 0);
	vm_free(&a);
}
END_TEST

/* Frames that do not lie in one piece in the card's memory. */
START_TEST(large_frames_go_to_the_machine_too)
{
	static const struct ringport_plan plan = { .queue_pairs = QUEUES,
						   .mergeable = true };
	static uint8_t sent[9014], got[9100];
	uint8_t header[12];
	struct vm a;

	net_run("for i in " NIC " vtcw1 vtcbr; do ip link set $i mtu 9000; done");
	free(before);
	before = net_snapshot(NIC, state_dir);
	a = (struct vm){ .pool = request(rig.ctx, "a", NULL, 0),
			 .guest = ringport_new(rig.ctx, &plan) };
	open_port(&a);
	if (!a.port->mergeable)
		vtct_skip("packets in several frames need Linux 6.6");
	filter(a.pool, mac_a, NET_VLAN_NONE);
	for (unsigned int i = 0; i < 40; i++) {
		size_t len = 1000 + i * 205;
		long n = -1;

		for (size_t k = 0; k < len; k++)
			sent[k] = (uint8_t)(i + k * 7 + k / 256);
		memcpy(sent, mac_a, 6);
		post(&a);
		ck_assert_int_eq(write(wire, sent, len), (ssize_t)len);
		work(1);
		for (unsigned int q = 0; n < 0 && q < QUEUES; q++)
			n = ringport_receive(a.guest, q, header, got, sizeof(got));
		ck_assert_int_eq(n, (long)len);
		ck_assert_mem_eq(got, sent, len);
	}
	vm_free(&a);
}
END_TEST

/* ---- Sent from where they lie ---- */

#define PLACED_LEN 1000

static uint64_t copies_of(const struct vm *vm)
{
	return rig_stats(vm->port, 0).copies +
	       rig_stats(ringport_port(vm->guest), 0).copies;
}

static void send_large(struct vm *vm, unsigned int number)
{
	static const uint8_t header[12];
	uint8_t frame[PLACED_LEN], got[PLACED_LEN + 1];
	ssize_t n = 0;

	memset(frame, (int)number, sizeof(frame));
	memcpy(frame, mac_host, 6);
	memcpy(frame + 6, mac_a, 6);
	ck_assert(ringport_send(vm->guest, 0, header, frame, sizeof(frame), 1));
	ringport_kick(vm->guest, 0);
	work(1);
	for (int i = 0; i < PATIENCE && n != PLACED_LEN; i++) {
		struct pollfd p = { .fd = wire, .events = POLLIN };

		if (poll(&p, 1, 1) == 1)
			n = recv(wire, got, sizeof(got), 0);
	}
	ck_assert_int_eq(n, PLACED_LEN);
	ck_assert_mem_eq(got, frame, PLACED_LEN);
}

START_TEST(a_queue_to_send_by_alone)
{
	static const struct ringport_plan plan = { .queue_pairs = QUEUES,
						   .shared = true };
	struct vtc_pool_port_opts o = VTC_POOL_PORT_OPTS_INIT;
	struct vm a = { .pool = request(rig.ctx, "a", NULL, 0) };
	uint64_t copies = UINT64_MAX;

	o.flags = VTC_POOL_PORT_F_TX_IN_PLACE;
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &a.port), -EOPNOTSUPP);
	ck_assert_msg(strstr(said(rig.ctx), "transmit queue"), "%s", said(rig.ctx));
	ck_assert_errno(vtc_pool_release(a.pool), 0);
	net_run("ethtool -L vtcw1 tx 1 && ethtool -L " NIC " rx 1");
	free(before);
	before = net_snapshot(NIC, state_dir);
	a.pool = request(rig.ctx, "a", NULL, 0);
	a.guest = ringport_new(rig.ctx, &plan);
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &a.port), 0);
	ck_assert_errno(vtc_relay_join(rig.relay, a.port, ringport_port(a.guest)), 0);
	filter(a.pool, mac_a, NET_VLAN_NONE);
	/* The first ones may be copied. */
	for (unsigned int i = 0; i < 500 && copies != copies_of(&a); i++) {
		copies = copies_of(&a);
		(void)poll(NULL, 0, i ? 20 : 0);
		send_large(&a, i);
	}
	for (unsigned int i = 0; i < 200; i++)
		send_large(&a, i);
	ck_assert_uint_eq(copies_of(&a), copies);
	expect(&a, mac_a, NET_VLAN_NONE, 1);
	vm_free(&a);
}
END_TEST

/* ---- Rules ---- */

START_TEST(a_pool_has_one_port)
{
	struct vm a = vm_new("a", NULL, 0);
	struct vtc_rate rate = VTC_RATE_INIT;
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };
	struct vtc_pool_port_opts o = VTC_POOL_PORT_OPTS_INIT;
	struct vtc_port *port = NULL;

	ck_assert_errno(vtc_pool_open_port(a.pool, NULL, &port), -EBUSY);
	ck_assert_errno(vtc_pool_release(a.pool), -EBUSY);
	o.flags = 1u << 20;
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &port), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said(rig.ctx), "opts.flags"));
	ck_assert_errno(vtc_pool_open_port(NULL, NULL, &port), -EINVAL);
	ck_assert_errno(vtc_pool_open_port(a.pool, NULL, NULL), -EINVAL);
	rate.weight = 4;
	ck_assert_errno(vtc_pool_set_rate(a.pool, &rate, &answer), 0);
	ck_assert_uint_eq(answer.weight, VTC_RATE_APPROXIMATE);
	filter(a.pool, mac_a, NET_VLAN_NONE);
	vtc_port_close(a.port);
	open_port(&a);
	expect(&a, mac_a, 9, 1);
	vtc_port_close(a.port);
	o.flags = VTC_POOL_PORT_F_ZEROCOPY;
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &port), -EOPNOTSUPP);
	ck_assert_ptr_null(port);
	o.flags = VTC_POOL_PORT_F_SPREAD | VTC_POOL_PORT_F_COPY;
	ck_assert_errno(vtc_pool_open_port(a.pool, &o, &a.port), 0);
	vm_free(&a);
}
END_TEST

START_TEST(what_is_wrong_with_a_ports_options_is_said)
{
	struct vtc_pool *pool = request(rig.ctx, "a", NULL, VTC_POOL_F_GENERIC_XDP);
	struct vtc_pool_port_opts o = VTC_POOL_PORT_OPTS_INIT;
	struct vtc_port *port = NULL;

	o.flags = VTC_POOL_PORT_F_ZEROCOPY;
	ck_assert_errno(vtc_pool_open_port(pool, &o, &port), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(said(rig.ctx), "generic"));
	o.flags = 0;
	o.ring_size = 48;
	ck_assert_errno(vtc_pool_open_port(pool, &o, &port), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said(rig.ctx), "ring_size"));
	o.ring_size = 0;
	o.queue_pairs = VTC_PORT_QUEUE_PAIRS_MAX + 1;
	ck_assert_errno(vtc_pool_open_port(pool, &o, &port), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said(rig.ctx), "opts.queue_pairs"));
	ck_assert_ptr_null(port);
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

/* ---- Fair transmit ---- */

#define SENDERS	 4
#define FLOOD	 3	 /* it sends on all queues, and has the smallest weight */
#define BUDGET	 64	 /* packets between two looks at the wire */
#define MEASURED 3000000 /* bytes */

struct sender {
	struct vm vm;
	uint32_t weight;
	unsigned int queues, len;
	uint64_t bytes; /* that came out at the far end */
};

static void sender_new(struct sender *s, const char *name)
{
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };
	struct vtc_rate rate = VTC_RATE_INIT;

	s->vm = vm_new(name, NULL, 0);
	rate.weight = s->weight;
	ck_assert_errno(vtc_pool_set_rate(s->vm.pool, &rate, &answer), 0);
	ck_assert_int_eq(answer.weight, VTC_RATE_APPROXIMATE);
}

/* Who it is from is in its source address. */
static void send_all(struct sender *s, unsigned int number)
{
	static const uint8_t header[12];
	uint8_t frame[2048] = { 2, 0, 0, 0, 0, 0xee, 2, 0x77, 0, 0, 0, (uint8_t)number };

	frame[12] = 0x88;
	frame[13] = 0xb5;
	for (unsigned int q = 0; q < s->queues; q++) {
		while (ringport_send(s->vm.guest, q, header, frame, s->len, 1))
			;
		ringport_kick(s->vm.guest, q);
	}
}

static void count_at_wire(struct sender *senders)
{
	uint8_t frame[2048];
	ssize_t n;

	while ((n = recv(wire, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		if (frame[6] == 2 && frame[7] == 0x77 && frame[11] < SENDERS)
			senders[frame[11]].bytes += (uint64_t)n;
	}
}

static uint64_t sum_of(const struct sender *senders)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SENDERS; i++)
		sum += senders[i].bytes;
	return sum;
}

/* What all send between two looks must be there at the second. */
static void make_room_at_wire(void)
{
	int bytes = 16 << 20;

	if (setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		vtct_skip("no large buffer for a socket: %s", strerror(errno));
}

/* Everybody always has more to send; deaf: what comes for it nobody takes. */
static void send_for_long(struct sender *senders, const struct vm *deaf)
{
	for (int turn = 0; sum_of(senders) < MEASURED; turn++) {
		ck_assert_int_lt(turn, 100000);
		for (unsigned int i = 0; i < SENDERS; i++)
			send_all(&senders[i], i);
		for (unsigned int i = 0; deaf && i < BUDGET; i++)
			send_one(mac_x, NET_VLAN_NONE, i);
		(void)vtc_relay_process(rig.relay, BUDGET);
		count_at_wire(senders);
	}
}

static void check_sending(bool blocked)
{
	struct sender senders[SENDERS] = {
		{ .weight = 1, .queues = 1, .len = 1514 },
		{ .weight = 2, .queues = 1, .len = 700 },
		{ .weight = 4, .queues = 1, .len = 300 },
		{ .weight = 1, .queues = QUEUES, .len = 1514 }
	};
	struct vm deaf;

	make_room_at_wire();
	for (unsigned int i = 0; i < SENDERS; i++) {
		char name[] = { 'v', 'm', (char)('0' + i), 0 };

		sender_new(&senders[i], name);
	}
	if (blocked) {
		deaf = vm_new("deaf", NULL, 0);
		filter(deaf.pool, mac_x, NET_VLAN_NONE);
	}
	send_for_long(senders, blocked ? &deaf : NULL);
	for (unsigned int i = 0; i < SENDERS; i++) {
		double share = (double)senders[i].bytes / (double)sum_of(senders);
		double want = senders[i].weight / 8.0;

		ck_assert_msg(share > want * 0.9 && share < want * 1.1,
			      "%s%u of weight %u: a share of %.4f, not %.4f",
			      i == FLOOD ? "the flood, " : "", i, senders[i].weight,
			      share, want);
		vm_free(&senders[i].vm);
	}
	if (blocked)
		vm_free(&deaf);
}

START_TEST(the_card_is_shared_by_weight)
{
	check_sending(false);
}
END_TEST

START_TEST(the_card_is_shared_by_weight_beside_a_blocked_machine)
{
	check_sending(true);
}
END_TEST

/* ---- What happens to the card ---- */

static void audit(struct vm *vm)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };

	ck_assert_msg(!vtc_pool_audit(vm->pool, &audit), "%s", said(rig.ctx));
	ck_assert_uint_gt(audit.repaired, 0);
	ck_assert_uint_eq(audit.failed, 0);
}

START_TEST(a_program_that_was_taken_off_comes_back)
{
	struct vm a = vm_new("a", NULL, 0), b = vm_new("b", NULL, 0);

	filter(a.pool, mac_a, NET_VLAN_NONE);
	filter(b.pool, mac_b, NET_VLAN_NONE);
	for (unsigned int i = 0; i < 5; i++) {
		expect(&a, mac_a, NET_VLAN_NONE, 10 * i);
		net_run("ip link set " NIC " xdp off");
		send_one(mac_a, NET_VLAN_NONE, 10 * i + 1);
		ck_assert_int_eq(read_number(host, true), 10 * i + 1);
		audit(&a);
		(void)vtc_pool_audit(b.pool, NULL);
		expect(&a, mac_a, NET_VLAN_NONE, 10 * i + 2);
		expect(&b, mac_b, NET_VLAN_NONE, 10 * i + 3);
	}
	vm_free(&a);
	vm_free(&b);
}
END_TEST

START_TEST(queues_with_sockets_stay)
{
	struct vm a = vm_new("a", NULL, 0);
	int code = 1;

	filter(a.pool, mac_a, NET_VLAN_NONE);
	net_run("ethtool -L vtcw1 tx 1");
	ck_assert_int_ne(net_try("ethtool -L " NIC " rx 1 2>/dev/null"), 0);
	expect(&a, mac_a, NET_VLAN_NONE, 1);
	net_run("ip link set " NIC " down && ip link set " NIC " up");
	await_carrier("vtcw1");
	(void)rig_run(&rig);
	(void)vtc_pool_audit(a.pool, NULL);
	expect(&a, mac_a, NET_VLAN_NONE, 2);
	vtc_port_close(a.port);
	for (int i = 0; i < 100 && code; i++) {
		(void)poll(NULL, 0, 20);
		code = net_try("ethtool -L " NIC " rx 1 2>/dev/null");
	}
	ck_assert_int_eq(code, 0);
	net_run("ethtool -L " NIC " rx %d && ethtool -L vtcw1 tx %d", QUEUES, QUEUES);
	open_port(&a);
	expect(&a, mac_a, NET_VLAN_NONE, 3);
	vm_free(&a);
}
END_TEST

/* ---- Frames that no port of ours takes ---- */

/* What comes on a queue where the pool has no socket goes to its target. */
START_TEST(frames_on_other_queues_go_to_the_target)
{
	int tap = net_open_tap("vtct0");
	struct vm a;

	free(before);
	before = net_snapshot(NIC, state_dir);
	a = (struct vm){ .pool = request(rig.ctx, "a", "vtct0", 0),
			 .guest = ringport_new(rig.ctx, NULL) };
	a.pool->data.queue_count = 1;
	open_port(&a);
	filter(a.pool, mac_a, NET_VLAN_NONE);
	for (unsigned int i = 0; i < 50; i++) {
		uint8_t header[12], got[LEN_MAX + 8];

		steer(1);
		send_one(mac_a, NET_VLAN_NONE, 2 * i);
		ck_assert_int_eq(read_number(tap, true), 2 * i);
		steer(0);
		ringport_post(a.guest, 0, 1);
		send_one(mac_a, NET_VLAN_NONE, 2 * i + 1);
		work(1);
		ck_assert_int_gt(ringport_receive(a.guest, 0, header, got, sizeof(got)),
				 0);
		ck_assert_uint_eq(number_of(got), 2 * i + 1);
	}
	vm_free(&a);
}
END_TEST

/* The guest's program has died: the stack has its frames. */
START_TEST(a_tap_that_died_leaves_frames_to_the_stack)
{
	int tap = net_open_tap("vtct0");
	struct vm a = vm_new("a", "vtct0", 0);

	filter(a.pool, mac_a, NET_VLAN_NONE);
	expect(&a, mac_a, NET_VLAN_NONE, 1);
	vtc_port_close(a.port);
	send_one(mac_a, NET_VLAN_NONE, 2);
	ck_assert_int_eq(read_number(tap, true), 2);
	close(tap);
	send_one(mac_a, NET_VLAN_NONE, 3);
	ck_assert_int_eq(read_number(host, true), 3);
	open_port(&a);
	expect(&a, mac_a, NET_VLAN_NONE, 4);
	vm_free(&a);
}
END_TEST

/* ---- Other processes ---- */

struct other {
	pid_t pid;
	int told, end;
};

/* With a pool for this address; tells what came of its port, and waits to be ended. */
static struct other other_process(const uint8_t *mac, const char *target)
{
	struct other o;
	int told[2], end[2];

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(end), 0);
	o = (struct other){ fork(), told[0], end[1] };
	ck_assert_int_ge(o.pid, 0);
	if (!o.pid) {
		struct vtc_ctx *ctx = new_ctx();
		struct vtc_pool *pool = request(ctx, "other", target, 0);
		struct vtc_port *port;
		int err;
		char byte;

		close(end[1]);
		filter(pool, mac, NET_VLAN_NONE);
		err = vtc_pool_open_port(pool, NULL, &port);
		if (write(told[1], &err, sizeof(err)) < 0 || read(end[0], &byte, 1) < 0)
			_exit(1);
		if (!err)
			vtc_port_close(port);
		_exit(vtc_pool_release(pool) ? 2 : 0);
	}
	close(told[1]);
	close(end[0]);
	return o;
}

static int told(const struct other *o)
{
	int err = 1;

	ck_assert_int_eq(read(o->told, &err, sizeof(err)), sizeof(err));
	return err;
}

static void other_ends(struct other *o, bool killed)
{
	int status;

	if (killed)
		ck_assert_int_eq(kill(o->pid, SIGKILL), 0);
	close(o->end);
	close(o->told);
	ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
	if (!killed)
		ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

START_TEST(another_process_on_the_queue_has_its_target)
{
	int tap = net_open_tap("vtct0");
	struct other o;
	struct vm a;

	free(before);
	before = net_snapshot(NIC, state_dir);
	a = vm_new("a", NULL, 0);
	filter(a.pool, mac_a, NET_VLAN_NONE);
	o = other_process(mac_b, "vtct0");
	ck_assert_errno(told(&o), -EBUSY);
	for (unsigned int i = 0; i < 50; i++) {
		expect(&a, mac_a, NET_VLAN_NONE, 2 * i);
		send_one(mac_b, NET_VLAN_NONE, 2 * i + 1);
		ck_assert_int_eq(read_number(tap, true), 2 * i + 1);
	}
	other_ends(&o, false);
	expect(&a, mac_a, NET_VLAN_NONE, 200);
	vm_free(&a);
}
END_TEST

START_TEST(a_killed_process_leaves_nothing)
{
	struct vtc_pool_recovery r = { .sz = sizeof(r) };
	struct other o = other_process(mac_b, NULL);
	struct vm a;

	ck_assert_errno(told(&o), 0);
	other_ends(&o, true);
	ck_assert_errno(vtc_pool_recover(rig.ctx, NIC, &r), 0);
	ck_assert_uint_eq(r.pools, 1);
	ck_assert_uint_eq(r.failed, 0);
	send_one(mac_b, NET_VLAN_NONE, 1);
	ck_assert_int_eq(read_number(host, true), 1);
	/* Its queue is free again. */
	a = vm_new("a", NULL, 0);
	filter(a.pool, mac_b, NET_VLAN_NONE);
	expect(&a, mac_b, NET_VLAN_NONE, 2);
	/* And beside a living one. */
	vtc_port_close(a.port);
	o = other_process(mac_x, NULL);
	(void)told(&o);
	other_ends(&o, true);
	open_port(&a);
	expect(&a, mac_b, NET_VLAN_NONE, 3);
	vm_free(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agency");
	TCase *c = tcase_create("agency");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, each_machine_gets_its_own);
	tcase_add_test(c, what_machines_send_leaves_by_the_card);
	tcase_add_test(c, what_a_port_has_no_room_for_is_counted);
	tcase_add_test(c, group_frames_are_for_members_of_the_vlan);
	tcase_add_test(c, an_interface_of_its_own);
	tcase_add_test(c, spread_over_the_queues_of_a_guest);
	tcase_add_test(c, large_frames_go_to_the_machine_too);
	tcase_add_test(c, a_queue_to_send_by_alone);
	tcase_add_test(c, a_pool_has_one_port);
	tcase_add_test(c, what_is_wrong_with_a_ports_options_is_said);
	tcase_add_test(c, the_card_is_shared_by_weight);
	tcase_add_test(c, the_card_is_shared_by_weight_beside_a_blocked_machine);
	tcase_add_test(c, a_program_that_was_taken_off_comes_back);
	tcase_add_test(c, queues_with_sockets_stay);
	tcase_add_test(c, frames_on_other_queues_go_to_the_target);
	tcase_add_test(c, a_tap_that_died_leaves_frames_to_the_stack);
	tcase_add_test(c, another_process_on_the_queue_has_its_target);
	tcase_add_test(c, a_killed_process_leaves_nothing);
	suite_add_tcase(s, c);
	return vtct_main(s, NULL);
}
