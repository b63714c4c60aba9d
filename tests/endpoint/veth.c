/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A wire in a network namespace: see veth.h. */
#include "veth.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vtct.h"

#define ENTRIES	    256
#define WAIT_MS	    30000
#define SOCKET_ROOM (64 << 20)

void veth_run(const char *format, ...)
{
	char command[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	ck_assert_msg(system(command) == 0, "%s", command);
}

void veth_enter(void)
{
	if (geteuid() != 0)
		vtct_skip("XDP programs need root");
	if (unshare(CLONE_NEWNET) < 0)
		vtct_skip("network namespaces are forbidden here: %s", strerror(errno));
	if (system("ip -V >/dev/null") != 0)
		vtct_skip("there is no ip(8)");
	if (system("ip link add p0 type veth 2>/dev/null && ip link del p0") != 0)
		vtct_skip("this kernel has no veth");
}

/* ---- The program ---- */

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_XSKMAP,
				.key_size = 4,
				.value_size = 4,
				.max_entries = ENTRIES };
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		vtct_skip("no map of AF_XDP sockets: %s", strerror(errno));
	return fd;
}

#define INSN(c, d, s, o, i)                                                         \
	{                                                                           \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}

/*
 * Group frames to the stack; others to the socket of 16 times the queue plus the last
 * bits of the address, or if there is none to the stack.
 */
static int load_program(int map)
{
	const struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 4, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, 14),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 13, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_B, 5, 2, 0, 0),
		INSN(BPF_ALU64 | BPF_AND | BPF_K, 5, 0, 0, 1),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 10, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_B, 2, 2, 5, 0),
		INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 15),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 16, 0),
		INSN(BPF_ALU64 | BPF_LSH | BPF_K, 4, 0, 0, 4),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, 2, 4, 0, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_XDP,
				.insns = (uintptr_t)code,
				.insn_cnt = sizeof(code) / sizeof(code[0]),
				.license = (uintptr_t) "GPL",
				.prog_flags = BPF_F_XDP_HAS_FRAGS };
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		vtct_skip("no XDP program can be loaded: %s", strerror(errno));
	return fd;
}

static int attach(int program, uint32_t ifindex)
{
	union bpf_attr attr = { .link_create = { .prog_fd = (uint32_t)program,
						 .target_ifindex = ifindex,
						 .attach_type = BPF_XDP } };
	int fd = bpf(BPF_LINK_CREATE, &attr);

	if (fd < 0)
		vtct_skip("no XDP program can be attached: %s", strerror(errno));
	close(program);
	return fd;
}

void veth_sort(const struct veth *v, unsigned int queue, unsigned int last, int fd)
{
	uint32_t key = queue * 16 + last % 16;
	union bpf_attr attr = { .map_fd = (uint32_t)v->map, .key = (uintptr_t)&key };

	if (fd >= 0)
		attr.value = (uintptr_t)&fd;
	ck_assert_int_eq(bpf(fd < 0 ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM, &attr),
			 0);
}

/* ---- The far end ---- */

static int open_wire(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)if_nametoindex(VETH_FAR) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1,
	    room = SOCKET_ROOM;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
			 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void veth_send(const struct veth *v, const void *frame, size_t len)
{
	ck_assert_int_eq(send(v->wire, frame, len, 0), (ssize_t)len);
}

long veth_receive(const struct veth *v, void *frame, size_t room, bool wait)
{
	struct pollfd p = { .fd = v->wire, .events = POLLIN };

	if (poll(&p, 1, wait ? WAIT_MS : 0) != 1)
		return -1;
	return recv(v->wire, frame, room, 0);
}

/* ---- Life ---- */

void veth_await_carrier(void)
{
	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (system("ip link show " VETH_FAR " | grep -q 'state UP'") == 0)
			return;
		(void)poll(NULL, 0, 10);
	}
	ck_abort_msg("no carrier");
}

static struct veth bring_up(void)
{
	struct veth v;
	int program;

	veth_run("ip link set " VETH_NEAR " up && ip link set " VETH_FAR " up");
	veth_await_carrier();
	v.ifindex = if_nametoindex(VETH_NEAR);
	v.map = make_map();
	program = load_program(v.map);
	v.link = attach(program, v.ifindex);
	v.wire = open_wire();
	return v;
}

/* Nobody but the test speaks. */
static void be_silent(void)
{
	veth_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
}

struct veth veth_new(unsigned int mtu)
{
	be_silent();
	veth_run("ip link add " VETH_NEAR " mtu %u type veth peer name " VETH_FAR
		 " mtu %u",
		 mtu, mtu);
	return bring_up();
}

struct veth veth_new_queues(unsigned int mtu, unsigned int rx, unsigned int tx)
{
	be_silent();
	veth_run("ip link add " VETH_NEAR
		 " mtu %u numrxqueues %u numtxqueues %u type veth "
		 "peer name " VETH_FAR " mtu %u numrxqueues %u numtxqueues %u",
		 mtu, rx, tx, mtu, tx, rx);
	return bring_up();
}

void veth_free(struct veth *v)
{
	close(v->link);
	close(v->map);
	close(v->wire);
	if (if_nametoindex(VETH_FAR))
		veth_run("ip link del " VETH_FAR);
}
