/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network of net.h, by the commands that an administrator has. */
#include "net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vtct.h"

#define FRAME_LEN  64
#define TYPE	   0x88b5 /* for experiments: no protocol takes it */
#define RECEIVE_MS 10000

/* ---- Namespaces and commands ---- */

static void mount_own(const char *type, const char *where)
{
	if (mount(type, where, type, 0, NULL) < 0)
		vtct_skip("cannot mount %s: %s", type, strerror(errno));
}

void net_enter(void)
{
	if (geteuid() != 0)
		vtct_skip("programs on interfaces need root");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		vtct_skip("namespaces: %s", strerror(errno));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		vtct_skip("mount namespace: %s", strerror(errno));
	mount_own("sysfs", "/sys");
	mount_own("bpf", "/sys/fs/bpf");
	net_try("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
		"net.ipv6.conf.default.disable_ipv6=1 2>/dev/null");
}

__attribute__((format(printf, 1, 0))) static int run(const char *format, va_list ap)
{
	char command[1024];
	int status;

	vsnprintf(command, sizeof(command), format, ap);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int net_try(const char *format, ...)
{
	va_list ap;
	int code;

	va_start(ap, format);
	code = run(format, ap);
	va_end(ap);
	return code;
}

void net_run(const char *format, ...)
{
	va_list ap;
	int code;

	va_start(ap, format);
	code = run(format, ap);
	va_end(ap);
	if (code)
		vtct_die("\"%s\" failed: %d", format, code);
}

/* ---- Frames ---- */

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static size_t build(const struct net_frame *frame, uint8_t *bytes)
{
	static const uint8_t from[6] = { 2, 0, 0, 0, 0, 0xee };
	uint32_t number = htonl(frame->number);
	size_t at = 12;

	memset(bytes, 0, FRAME_LEN);
	memcpy(bytes, frame->to, 6);
	memcpy(bytes + 6, from, 6);
	if (frame->vlan != NET_VLAN_NONE) {
		bytes[at++] = 0x81;
		bytes[at++] = 0x00;
		bytes[at++] = (uint8_t)(frame->vlan >> 8);
		bytes[at++] = (uint8_t)frame->vlan;
	}
	bytes[at++] = TYPE >> 8;
	bytes[at++] = TYPE & 0xff;
	memcpy(bytes + at, &number, sizeof(number));
	return FRAME_LEN;
}

/* False: it is none of ours. */
static bool parse(const uint8_t *bytes, size_t len, struct net_frame *ret)
{
	struct net_frame frame = { .vlan = NET_VLAN_NONE };
	uint32_t number;
	size_t at = 12;

	if (len < 22)
		return false;
	memcpy(frame.to, bytes, 6);
	if (be16(bytes + at) == 0x8100) {
		frame.vlan = be16(bytes + at + 2);
		at += 4;
	}
	if (be16(bytes + at) != TYPE)
		return false;
	memcpy(&number, bytes + at + 2, sizeof(number));
	frame.number = ntohl(number);
	*ret = frame;
	return true;
}

int net_open_packet(const char *name)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_ALL),
				     .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		vtct_die("packet socket on %s: %s", name, strerror(errno));
	return fd;
}

int net_open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		vtct_die("tap %s: %s", name, strerror(errno));
	net_run("ip link set %s up", name);
	return fd;
}

void net_send(int fd, const struct net_frame *frame)
{
	uint8_t bytes[FRAME_LEN];

	if (write(fd, bytes, build(frame, bytes)) != FRAME_LEN)
		vtct_die("send: %s", strerror(errno));
}

/* A tag that the kernel keeps beside the packet is told beside the packet. */
static void find_tag(struct msghdr *msg, struct net_frame *frame)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			frame->vlan = aux.tp_vlan_tci;
	}
}

/* 1: a frame of ours; 0: another one; -1: none. */
static int take(int fd, struct net_frame *ret)
{
	uint8_t bytes[2048], control[256];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < 0 && errno == ENOTSOCK) {
		n = read(fd, bytes, sizeof(bytes));
		msg.msg_controllen = 0;
	}
	if (n < 0)
		return -1;
	if (!parse(bytes, (size_t)n, ret))
		return 0;
	find_tag(&msg, ret);
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool net_receive(int fd, const struct net_frame *frame, unsigned int *ret_others)
{
	const int64_t end = now_ms() + RECEIVE_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned int others = 0;
	struct net_frame got;
	bool found = false;

	while (!found && now_ms() < end) {
		int n = take(fd, &got);

		if (n < 0 && poll(&p, 1, (int)(end - now_ms())) <= 0)
			break;
		if (n == 1 && got.number == frame->number)
			found = got.vlan == frame->vlan &&
				memcmp(got.to, frame->to, 6) == 0;
		else if (n == 1)
			others++;
	}
	if (ret_others)
		*ret_others = others;
	return found;
}

/* ---- What there is ---- */

/*
 * What is left out: the numbers of programs, what a timer counts down, and whether the
 * carrier has come yet; files that only serve as locks.
 */
static const char script[] =
	"n='%s'; s='%s'; exec 2>&1\n"
	"ip -d link show | sed -e 's/prog\\/xdp.*/prog/' -e 's/ id [0-9]* *\\(name\\|tag\\|$\\).*//' "
	"  -e 's/_timer *[0-9.]*//g' -e 's/,LOWER_UP//' -e 's/NO-CARRIER,//' "
	"  -e 's/,M-DOWN//' -e 's/ state [A-Za-z]* / /' -e 's/gc_timer.*//' -e 's/designated_cost.*//'\n"
	"for i in $(ls /sys/class/net); do\n"
	"tc qdisc show dev $i; tc class show dev $i\n"
	"done\n"
	"tc filter show dev $n\n"
	"tc filter show dev $n ingress | sed -e 's/ id [0-9]*//' -e 's/ used.*//'\n"
	"bridge fdb show dev $n | grep permanent | sort\n"
	"for o in -l -k -x -n -a; do ethtool $o $n; done\n"
	"cat /sys/class/net/$n/queues/tx-*/tx_maxrate\n"
	"cat /sys/class/net/$n/device/sriov_numvfs\n"
	"ls $s | grep -v '\\.lock$'\n"
	"find /sys/fs/bpf -type f\n";

char *net_snapshot(const char *nic, const char *state_dir)
{
	char command[2048];
	char *text = NULL;
	size_t len = 0, room = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), script, nic, state_dir);
	pipe = popen(command, "r");
	if (!pipe)
		vtct_die("popen: %s", strerror(errno));
	do {
		if (room < len + 4096)
			text = vtct_realloc(text, room = len + 16384);
		len += fread(text + len, 1, room - len - 1, pipe);
	} while (!feof(pipe) && !ferror(pipe));
	text[len] = '\0';
	pclose(pipe);
	return text;
}

const char *net_difference(const char *before, const char *after)
{
	static char text[1024];
	size_t line = 0;

	for (size_t i = 0;; i++) {
		if (before[i] != after[i])
			break;
		if (!before[i])
			return NULL;
		if (before[i] == '\n')
			line = i + 1;
	}
	snprintf(text, sizeof(text), "before: %.*s\nafter: %.*s",
		 (int)strcspn(before + line, "\n"), before + line,
		 (int)strcspn(after + line, "\n"), after + line);
	return text;
}
