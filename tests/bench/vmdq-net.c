/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wires and senders: see vmdq-net.h. */
#include "vmdq-net.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BATCH 64
#define FLOOD (1u << 28) /* to begin anew takes longer than many frames */
#define GUEST 1

/* ---- Namespaces ---- */

static void set_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		bench_die("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

const char *net_enter(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return "not measured: it takes two processors";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return "not measured: this user may not make namespaces";
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return "not measured: no /dev/net/tun for this user";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		return "not measured: no sysfs and BPF file system of its own";
	setrlimit(RLIMIT_MEMLOCK, &all);
	set_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	set_file("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
	set_file("/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0");
	set_file("/proc/sys/net/bridge/bridge-nf-call-arptables", "0");
	return NULL;
}

void net_run(const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (system(line) != 0)
		bench_die("this failed: %s", line);
}

void net_pin(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bench_die("processor %u: %s", processor, strerror(errno));
}

/* ---- Wires ---- */

static void make_wire(struct net_wire *wire, const char *name, unsigned int back)
{
	snprintf(wire->in, sizeof(wire->in), "a%s", name);
	snprintf(wire->out, sizeof(wire->out), "b%s", name);
	net_run("ip link add name %s numrxqueues %u numtxqueues 1 type veth peer name %s "
		"numrxqueues 1 numtxqueues %u",
		wire->in, back, wire->out, back);
	net_run("ethtool -K %s gro on && ethtool -K %s gro on", wire->in, wire->out);
	net_run("ip link set dev %s up promisc on && ip link set dev %s up promisc on",
		wire->in, wire->out);
	wire->in_index = (int)if_nametoindex(wire->in);
	wire->out_index = (int)if_nametoindex(wire->out);
}

void net_wire(struct net_wire *wire, const char *name)
{
	make_wire(wire, name, 1);
}

void net_wire_more(struct net_wire *wire, const char *name)
{
	make_wire(wire, name, 2);
}

void net_bridge(const char *name, const char *from, const char *to)
{
	net_run("ip link add name %s type bridge mcast_snooping 0 && ip link set dev %s up",
		name, name);
	net_run("ip link set dev %s master %s && ip link set dev %s master %s", from,
		name, to, name);
	net_run("bridge fdb replace 02:00:00:00:00:01 dev %s master static", to);
}

int net_tap(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	strcpy(req.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0)
		bench_die("no tap: %s", strerror(errno));
	net_run("ip link set dev %s up", name);
	return fd;
}

uint64_t net_received(const char *name)
{
	unsigned long long count = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_packets", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &count) != 1)
		bench_die("%s cannot be read", path);
	fclose(file);
	return count;
}

void net_frame(uint8_t *frame, size_t len, unsigned int number)
{
	const size_t ip = len - 14, udp = ip - 20;

	memset(frame, 0, len);
	memcpy(frame, "\2\0\0\0\0\0\2\0\0\0\1\0\x08\0", 14);
	frame[4] = (uint8_t)(number >> 8);
	frame[5] = (uint8_t)number;
	memcpy(frame + 14, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0\xa\0\0\1\xa\0\0\2", 20);
	frame[16] = (uint8_t)(ip >> 8);
	frame[17] = (uint8_t)ip;
	memcpy(frame + 34, "\0\x09\0\x09", 4);
	frame[38] = (uint8_t)(udp >> 8);
	frame[39] = (uint8_t)udp;
}

/* ---- Programs ---- */

#define SET(reg, value)                                                               \
	{                                                                             \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) \
	}
#define CALL(function)                                        \
	{                                                     \
		.code = BPF_JMP | BPF_CALL, .imm = (function) \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static int load(const struct bpf_insn *code, size_t count)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "vtc_bench", "GPL", code, count, &opts);

	if (fd < 0)
		bench_die("no program: %s", strerror(-fd));
	return fd;
}

int net_program_drop(void)
{
	const struct bpf_insn code[] = { SET(0, XDP_DROP), EXIT };

	return load(code, 2);
}

/* The end of the receiver's address by chance, and back where it came from. */
static int load_sender(unsigned int receivers)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		CALL(BPF_FUNC_get_prandom_u32),
		{ .code = BPF_ALU64 | BPF_AND | BPF_K,
		  .dst_reg = 0,
		  .imm = (int)receivers - 1 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 0, .imm = GUEST },
		{ .code = BPF_ALU | BPF_END | BPF_TO_BE, .dst_reg = 0, .imm = 16 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 2,
		  .src_reg = 6,
		  .off = offsetof(struct xdp_md, data) },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 3,
		  .src_reg = 6,
		  .off = offsetof(struct xdp_md, data_end) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 4, .src_reg = 2 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 4, .imm = ETH_ALEN },
		{ .code = BPF_JMP | BPF_JGT | BPF_X,
		  .dst_reg = 4,
		  .src_reg = 3,
		  .off = 1 },
		{ .code = BPF_STX | BPF_MEM | BPF_H,
		  .dst_reg = 2,
		  .src_reg = 0,
		  .off = 4 },
		SET(0, XDP_TX),
		EXIT,
	};

	return load(code, sizeof(code) / sizeof(code[0]));
}

int net_program_to_socket(int sockets)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 2,
		  .src_reg = 1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = 1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = sockets },
		{ .code = 0 },
		SET(3, XDP_PASS),
		CALL(BPF_FUNC_redirect_map),
		EXIT,
	};

	return load(code, sizeof(code) / sizeof(code[0]));
}

void net_attach(int ifindex, int program)
{
	int err = bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, NULL);

	if (err)
		bench_die("cannot attach: %s", strerror(-err));
}

/* ---- XDP frames ---- */

static int sender_of(unsigned int receivers)
{
	static int sender = -1;
	static unsigned int loaded;

	if (loaded == receivers)
		return sender;
	if (sender >= 0)
		close(sender);
	loaded = receivers;
	sender = load_sender(receivers);
	return sender;
}

void net_send_frames(const struct net_wire *wire, size_t len, unsigned int receivers,
		     unsigned int count)
{
	struct xdp_md at = { .data_end = (uint32_t)len,
			     .ingress_ifindex = (uint32_t)wire->in_index };
	uint8_t frame[NET_LARGE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame,
		    .data_size_in = (uint32_t)len, .ctx_in = &at,
		    .ctx_size_in = sizeof(at), .repeat = (int)count, .batch_size = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	net_frame(frame, len, GUEST);
	if (bpf_prog_test_run_opts(sender_of(receivers), &run) && errno != EINTR)
		bench_die("no frames: %s", strerror(errno));
}

static struct {
	pthread_t thread;
	atomic_bool stop;
	const struct net_wire *wire;
	size_t len;
} flood;

/* The signal alone ends the call. */
static void on_signal(int number)
{
	(void)number;
}

static void *send_on(void *arg)
{
	const struct sigaction action = { .sa_handler = on_signal };

	(void)arg;
	sigaction(SIGUSR1, &action, NULL);
	net_pin(0);
	while (!atomic_load(&flood.stop))
		net_send_frames(flood.wire, flood.len, 1, FLOOD);
	return NULL;
}

void net_flood_begin(const struct net_wire *wire, size_t len)
{
	flood.wire = wire;
	flood.len = len;
	atomic_store(&flood.stop, false);
	if (pthread_create(&flood.thread, NULL, send_on, NULL))
		bench_die("no thread");
}

void net_flood_end(void)
{
	const struct timespec soon = { .tv_nsec = 1000000 };

	atomic_store(&flood.stop, true);
	/* It may be on its way into the call. */
	do {
		pthread_kill(flood.thread, SIGUSR1);
		nanosleep(&soon, NULL);
	} while (pthread_tryjoin_np(flood.thread, NULL));
}

uint64_t net_flood_ns(void)
{
	struct timespec ts;
	clockid_t clock;

	if (pthread_getcpuclockid(flood.thread, &clock) || clock_gettime(clock, &ts))
		bench_die("no clock of a thread");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- Packets of the stack ---- */

int net_socket(const struct net_wire *wire)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET,
				     .sll_ifindex = wire->in_index };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int on = 1, room = 64 << 20;

	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		bench_die("no packet socket: %s", strerror(errno));
	return fd;
}

void net_send_packets(int fd, size_t len, unsigned int count)
{
	struct mmsghdr messages[BATCH];
	uint8_t frame[NET_LARGE];
	struct iovec iov = { frame, len };

	net_frame(frame, len, GUEST);
	memset(messages, 0, sizeof(messages));
	for (unsigned int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	for (; count >= BATCH; count -= BATCH) {
		/* A full queue behind the wire drops, as for any sender. */
		if (sendmmsg(fd, messages, BATCH, 0) < 0 && errno != ENOBUFS)
			bench_die("cannot send: %s", strerror(errno));
	}
}
