/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFs behind virtio: a pool that is a VF (igb), an AF_XDP port on the VF's interface, and
 * a relay into the rings of a guest. What the far end of the cable sends to the pool
 * arrives in the guest's memory byte for byte, and what the guest sends on the cable.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "../endpoint/ringport.h"
#include "pools.h"

#define TYPE	  0x88b5 /* for experiments: no protocol takes it */
#define FRAMES	  200
#define FRAME_MAX 1514
#define NO_TAG	  0xffff
#define VLAN	  100
#define PATIENCE  1000 /* rounds of 10 ms */
#define TO_SELF	  9999 /* number of frames that only try the way */

static struct vtc_ctx *ctx;
static struct vtc_relay *relay;
static const char *bdf, *nic, *before;
static int wire;

static const struct vtc_mac far_mac = { { 0x02, 0x56, 0x54, 0x43, 0xff, 0xff } };

/* A virtual machine: its pool, the port on it, its rings. */
struct vm {
	struct vtc_mac mac;
	uint16_t vlan; /* that its port is in, or NO_TAG */
	struct vtc_pool *pool;
	struct vtc_port *port;
	struct ringport *guest;
};

/* ---- The cable ---- */

static void open_wire(void)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex("wire0") };
	int on = 1;

	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(wire, 0);
	ck_assert_int_eq(setsockopt(wire, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)),
			 0);
	ck_assert_int_eq(
		setsockopt(wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(wire, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* All of a frame follows from its number, its addresses and its tag. */
static size_t build(uint8_t *frame, const struct vtc_mac *to, const struct vtc_mac *from,
		    uint16_t tag, unsigned int number)
{
	size_t len = 60 + number * 97 % (FRAME_MAX - 60), at = 12;
	uint16_t type = htons(TYPE), tpid = htons(ETH_P_8021Q), tci = htons(tag);

	memcpy(frame, to->addr, 6);
	memcpy(frame + 6, from->addr, 6);
	if (tag != NO_TAG) {
		memcpy(frame + at, &tpid, 2);
		memcpy(frame + at + 2, &tci, 2);
		at += 4;
		len += 4;
	}
	memcpy(frame + at, &type, 2);
	memcpy(frame + at + 2, &number, sizeof(number));
	for (size_t i = at + 6; i < len; i++)
		frame[i] = (uint8_t)(number * 31 + (i - at) * 7);
	return len;
}

static uint16_t tag_of(struct msghdr *msg)
{
	const struct tpacket_auxdata *aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		aux = (const struct tpacket_auxdata *)(const void *)CMSG_DATA(c);
		if (aux->tp_status & TP_STATUS_VLAN_VALID)
			return aux->tp_vlan_tci;
	}
	return NO_TAG;
}

/* A frame of ours; its length, or -1. */
static long take_from_wire(uint8_t *frame, uint16_t *ret_tag)
{
	union {
		char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { frame, 2048 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	ssize_t n;

	do {
		msg.msg_controllen = sizeof(control);
		n = recvmsg(wire, &msg, 0);
		if (n < 0)
			return -1;
	} while (n < 18 || frame[12] != TYPE >> 8 || frame[13] != (TYPE & 0xff));
	*ret_tag = tag_of(&msg);
	return n;
}

/* ---- The guest ---- */

static void process(void)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };
	int n;

	for (int i = 0; i < PATIENCE && (n = vtc_relay_process(relay, 0)); i++)
		ck_assert_msg(n > 0, "%s", lab_error(ctx));
	(void)poll(&p, 1, 10);
}

/* A frame of ours; its length, or -1. */
static long take_from_guest(const struct vm *vm, uint8_t *frame)
{
	uint8_t header[12];
	long n;

	do {
		n = ringport_receive(vm->guest, 0, header, frame, 2048);
		if (n < 0)
			return -1;
		ringport_post(vm->guest, 0, 1);
	} while (n < 18 || frame[12] != TYPE >> 8 || frame[13] != (TYPE & 0xff));
	return n;
}

static unsigned int number_of(const uint8_t *frame)
{
	unsigned int number;

	memcpy(&number, frame + 14, sizeof(number));
	return number;
}

static void send_to(const struct vm *vm, unsigned int number)
{
	uint8_t frame[FRAME_MAX + 4];
	size_t len = build(frame, &vm->mac, &far_mac, vm->vlan, number);

	ck_assert_int_eq(send(wire, frame, len, 0), (ssize_t)len);
}

/* The guest gets this frame next, without the tag that its port has on the cable. */
static void expect(const struct vm *vm, unsigned int number)
{
	uint8_t got[2048], want[FRAME_MAX + 4];
	size_t len = build(want, &vm->mac, &far_mac, NO_TAG, number);
	long n = -1;

	for (int i = 0; i < PATIENCE && n < 0; i++) {
		process();
		n = take_from_guest(vm, got);
		/* of the time when it was not known whether the link is up */
		if (n >= 0 && number_of(got) == TO_SELF)
			n = -1;
	}
	ck_assert_msg(n == (long)len, "frame %u has %ld bytes, not %zu", number, n, len);
	ck_assert_mem_eq(got, want, len);
}

static void expect_nothing(const struct vm *vm)
{
	uint8_t got[2048];

	process();
	ck_assert_int_eq(take_from_guest(vm, got), -1);
}

static void send_from(const struct vm *vm, unsigned int number)
{
	static const uint8_t header[12];
	uint8_t frame[FRAME_MAX + 4];
	size_t len = build(frame, &far_mac, &vm->mac, NO_TAG, number);

	ck_assert(ringport_send(vm->guest, 0, header, frame, len, 1));
	ringport_kick(vm->guest, 0);
}

/* The cable gets this frame next, with the tag of the VM's port. */
static void expect_on_wire(const struct vm *vm, unsigned int number)
{
	uint8_t got[2048], want[FRAME_MAX + 4];
	size_t len = build(want, &far_mac, &vm->mac, NO_TAG, number);
	uint16_t tag = 0;
	long n = -1;

	for (int i = 0; i < PATIENCE && n < 0; i++) {
		process();
		n = take_from_wire(got, &tag);
	}
	ck_assert_msg(n == (long)len, "frame %u has %ld bytes, not %zu", number, n, len);
	ck_assert_mem_eq(got, want, len);
	ck_assert_uint_eq(tag, vm->vlan);
}

/* ---- Machines ---- */

/* A link that has just come up loses frames: until one comes through. */
static void settle(const struct vm *vm)
{
	uint8_t got[2048];

	for (int i = 0; i < PATIENCE; i++) {
		send_to(vm, TO_SELF);
		process();
		if (take_from_guest(vm, got) >= 0)
			return;
	}
	ck_abort_msg("no frame comes through");
}

static void join(struct vm *vm)
{
	ck_assert_msg(vtc_pool_open_port(vm->pool, NULL, &vm->port) == 0, "%s",
		      lab_error(ctx));
	vm->guest = ringport_new(ctx, NULL);
	ck_assert_errno(vtc_relay_join(relay, vm->port, ringport_port(vm->guest)), 0);
	ringport_post(vm->guest, 0, 200);
	settle(vm);
}

static struct vm vm_new(const char *name, unsigned int number, uint16_t vlan)
{
	struct vm vm = { .mac = { { 0x02, 0x56, 0x54, 0x43, 0x00, (uint8_t)number } },
			 .vlan = vlan };

	vm.pool = pools_request(ctx, nic, name, VTC_POOL_BACKEND_VF, NULL, 0);
	pools_add(ctx, vm.pool,
		  vlan == NO_TAG ? pools_mac(&vm.mac) : pools_both(&vm.mac, vlan));
	lab_do("ip link set %s up", pools_info(vm.pool).netdev);
	join(&vm);
	return vm;
}

static void leave(struct vm *vm)
{
	vtc_port_close(vm->port);
	ringport_free(vm->guest);
}

static void vfs_down(void)
{
	for (unsigned int i = 0; i < 2; i++)
		lab_do("ip link set %s down", lab_netdev(lab_vf(bdf, i)));
}

static void vm_free(struct vm *vm)
{
	leave(vm);
	lab_do("ip link set %s down", pools_info(vm->pool).netdev);
	pools_release(ctx, vm->pool);
}

/* ---- Around each test ---- */

/* But for what igbvf calls the permanent address: the one that it got last. */
static const char *state(void)
{
	return lab_do("for i in %s %s %s; do ip -d link show dev $i; done | "
		      "sed 's/ permaddr [^ ]*//'",
		      nic, lab_netdev(lab_vf(bdf, 0)), lab_netdev(lab_vf(bdf, 1)));
}

/* Once. An interface that was up keeps traces of that. */
static void create_vfs(void)
{
	bdf = lab_pf(0);
	lab_up(bdf);
	lab_set_vfs(bdf, 2, true);
	nic = lab_netdev(bdf);
	for (unsigned int i = 0; i < 2; i++)
		lab_do("ip link set %s up", lab_netdev(lab_vf(bdf, i)));
	vfs_down();
}

static void setup(void)
{
	ctx = pools_ctx();
	/* of a test that failed */
	(void)vtc_pool_recover(ctx, NULL, NULL);
	vfs_down();
	ck_assert_errno(vtc_relay_new(ctx, NULL, &relay), 0);
	open_wire();
	before = state();
}

static void teardown(void)
{
	close(wire);
	vtc_relay_free(relay);
	vtc_ctx_unref(ctx);
	ck_assert_str_eq(state(), before);
}

static void both_ways(const struct vm *vm)
{
	for (unsigned int n = 0; n < FRAMES; n++) {
		send_to(vm, n);
		expect(vm, n);
		send_from(vm, n);
		expect_on_wire(vm, n);
	}
}

START_TEST(a_guest_has_a_vf_behind_its_rings)
{
	struct vm vm = vm_new("vm", 1, NO_TAG);
	struct vtc_pool_stats stats;

	both_ways(&vm);
	stats = pools_stats(ctx, vm.pool);
	ck_assert_uint_eq(stats.valid & VTC_POOL_STAT_TX_PACKETS,
			  VTC_POOL_STAT_TX_PACKETS);
	/* once each, by the VF's interface; the last ones may be counted late */
	ck_assert_uint_le(stats.tx_packets, FRAMES);
	ck_assert_uint_gt(stats.tx_packets, FRAMES / 2);
	vm_free(&vm);
}
END_TEST

START_TEST(guests_in_different_vlans_do_not_meet)
{
	struct vm a = vm_new("a", 1, NO_TAG), b = vm_new("b", 2, VLAN);
	struct vm astray = b;

	for (unsigned int n = 0; n < FRAMES; n++) {
		send_to(&a, n);
		send_to(&b, n);
		expect(&a, n);
		expect(&b, n);
		send_from(&b, n);
		expect_on_wire(&b, n);
	}
	/* to the address of the one in the VLAN of the other */
	astray.mac = a.mac;
	send_to(&astray, 1);
	astray.mac = b.mac;
	astray.vlan = NO_TAG;
	send_to(&astray, 1);
	send_to(&a, 2);
	send_to(&b, 2);
	expect(&a, 2);
	expect(&b, 2);
	expect_nothing(&a);
	expect_nothing(&b);
	vm_free(&a);
	vm_free(&b);
}
END_TEST

START_TEST(frames_of_any_number_at_once_arrive_in_order)
{
	struct vm vm = vm_new("vm", 1, NO_TAG);
	const unsigned int burst = 32;

	for (unsigned int n = 0; n < FRAMES; n += burst) {
		for (unsigned int i = 0; i < burst; i++)
			send_to(&vm, n + i);
		for (unsigned int i = 0; i < burst; i++)
			expect(&vm, n + i);
	}
	vm_free(&vm);
}
END_TEST

/* The interface of a VF is a card like any other. */
START_TEST(a_vfs_interface_carries_pools_itself)
{
	const char *netdev = lab_netdev(lab_vf(bdf, 0));
	struct vm vm = { .vlan = NO_TAG };

	lab_do("ip link set %s up", netdev);
	ck_assert_errno(vtc_mac_parse(lab_read("class/net/%s/address", netdev), &vm.mac),
			0);
	vm.pool = pools_request(ctx, netdev, "all", VTC_POOL_BACKEND_XDP, NULL,
				VTC_POOL_F_EVERYTHING | VTC_POOL_F_GENERIC_XDP);
	ck_assert_uint_eq(pools_info(vm.pool).guard, VTC_POOL_GUARD_GENERIC);
	join(&vm);
	both_ways(&vm);
	leave(&vm);
	pools_release(ctx, vm.pool);
	lab_do("ip link set %s down", netdev);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmdq-port");
	TCase *tcase = tcase_create("vmdq-port");

	lab_do("modprobe igbvf");
	/* for libxdp */
	lab_output("mount -t bpf bpf /sys/fs/bpf");
	/* the kernel's own frames (IPv6 neighbour discovery) are of no interest here */
	lab_do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	tcase_add_unchecked_fixture(tcase, create_vfs, NULL);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_guest_has_a_vf_behind_its_rings);
	tcase_add_test(tcase, guests_in_different_vlans_do_not_meet);
	tcase_add_test(tcase, frames_of_any_number_at_once_arrive_in_order);
	tcase_add_test(tcase, a_vfs_interface_carries_pools_itself);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
