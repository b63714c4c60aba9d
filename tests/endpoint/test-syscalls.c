/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls that vtc/port.h names for packets that flow, and no other: a process
 * that has everything set up shuts itself in with them, moves packets both ways, sleeps,
 * is woken, and ends. Its tap, or the far end of its wire, is served by the test from
 * outside.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "../netns/netns.h"
#include "endpoint/xsk.h"
#include "veth.h"
#include "vtct.h"

#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
#define SUITABLE false
#else
#define SUITABLE true
#endif

#define NAME	"vtct0"
#define PACKETS 200
#define LEN	600

/* ---- The list ---- */

/*
 * Of all ports, then of taps, then of AF_XDP with group frames; the process itself only
 * waits with poll, and ends.
 */
static const unsigned int of_all[] = {
	SYS_epoll_wait,	     SYS_poll, SYS_write,
	SYS_timerfd_settime, SYS_read, SYS_exit_group,
};
static const unsigned int of_uring[] = { SYS_io_uring_enter, SYS_readv, SYS_writev };
static const unsigned int of_tap[] = { SYS_readv, SYS_writev };
static const unsigned int of_xsk[] = { SYS_sendto, SYS_recvfrom, SYS_recvmsg };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum kind { VHOST, TAP_URING, TAP_PLAIN, XSK };

static struct veth veth;

static size_t allow(struct sock_filter *f, const unsigned int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		f[2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							list[i], 0, 1);
		f[2 * i + 1] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	return 2 * count;
}

static void shut_in(enum kind kind)
{
	struct sock_filter f[64] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr)) };
	struct sock_fprog program = { .filter = f };
	size_t n = 1;

	n += allow(f + n, of_all, COUNT(of_all));
	if (kind == TAP_URING)
		n += allow(f + n, of_uring, COUNT(of_uring));
	if (kind == TAP_PLAIN)
		n += allow(f + n, of_tap, COUNT(of_tap));
	if (kind == XSK)
		n += allow(f + n, of_xsk, COUNT(of_xsk));
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
}

static void on_forbidden(int signal, siginfo_t *info, void *context)
{
	char text[] = "# system call 000\n";
	int nr = info->si_syscall;

	(void)signal;
	(void)context;
	for (size_t i = sizeof(text) - 3; nr; i--, nr /= 10)
		text[i] = (char)('0' + nr % 10);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(97);
	_exit(98);
}

/* ---- The process that is shut in ---- */

struct inside {
	struct vtc_ctx *ctx;
	struct vtc_relay *relay;
	struct vtc_port *front, *back, *far, *tap; /* or AF_XDP */
	unsigned int got[2]; /* at the frontend, behind the backend */
};

static unsigned int on_packets(void *data, unsigned int queue,
			       const struct vtc_packet *packets, unsigned int count)
{
	(void)queue;
	(void)packets;
	*(unsigned int *)data += count;
	return count;
}

static void need(int err)
{
	if (err < 0) {
		fprintf(stderr, "# %s\n", strerror(-err));
		_exit(96);
	}
}

static struct vtc_port *open_vhost(struct inside *in, uint32_t role, int fd)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_port *port;

	o.role = role;
	o.fd = fd;
	need(vtc_port_open_vhost_user(in->ctx, &o, &port));
	return port;
}

static struct vtc_port *new_callback(struct inside *in, unsigned int *count)
{
	struct vtc_callback_opts o = VTC_CALLBACK_OPTS_INIT;
	struct vtc_port *port;

	o.packets = on_packets;
	o.data = count;
	need(vtc_port_new_callback(in->ctx, &o, &port));
	return port;
}

static struct vtc_port *open_xsk(struct inside *in)
{
	struct vtc__xsk_opts o = { .name = VETH_NEAR,
				   .ifindex = veth.ifindex,
				   .queue_count = 1,
				   .group = true };
	struct vtc_port *port;

	need(vtc__xsk_open(in->ctx, &o, &port));
	veth_sort(&veth, 0, 1, vtc__xsk_socket(port, 0));
	return port;
}

static void set_up(struct inside *in, enum kind kind)
{
	struct vtc_tap_opts tap = VTC_TAP_OPTS_INIT;
	int fds[2];

	need(vtc_ctx_new(NULL, &in->ctx));
	need(vtc_relay_new(in->ctx, NULL, &in->relay));
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	in->front = open_vhost(in, VTC_VRING_DRIVER, fds[0]);
	in->back = open_vhost(in, VTC_VRING_DEVICE, fds[1]);
	need(vtc_relay_join(in->relay, in->front, new_callback(in, &in->got[0])));
	in->far = new_callback(in, &in->got[1]);
	if (kind == XSK) {
		in->tap = open_xsk(in);
	} else if (kind != VHOST) {
		tap.name = NAME;
		tap.flags = kind == TAP_PLAIN ? VTC_TAP_F_NO_URING : 0;
		need(vtc_port_open_tap(in->ctx, &tap, &in->tap));
	}
	need(vtc_relay_join(in->relay, in->back, in->tap ? in->tap : in->far));
}

static void turn(struct inside *in)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(in->relay), .events = POLLIN };
	int n = vtc_relay_process(in->relay, 0);

	need(n);
	if (n == 0 && poll(&p, 1, 20000) != 1)
		_exit(95);
}

static uint32_t ready(const struct vtc_port *port)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	need(vtc_port_get_info(port, &info));
	return info.ready;
}

static void send_some(struct vtc_port *port, unsigned int count)
{
	static uint8_t bytes[LEN] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	const struct vtc_segment segment = { bytes, sizeof(bytes) };
	const struct vtc_packet packet = { .segments = &segment,
					   .count = 1,
					   .len = sizeof(bytes) };

	while (count--)
		need(vtc_port_send(port, 0, &packet, 1));
}

/*
 * Packets to and from the other side of the backend: the test by way of the tap, or this
 * process. A byte each way says that everything is set up.
 */
static void inside(enum kind kind, int ready_fd)
{
	struct sigaction action = { .sa_sigaction = on_forbidden,
				    .sa_flags = SA_SIGINFO };
	struct inside in = { 0 };
	char byte;

	sigaction(SIGSYS, &action, NULL);
	set_up(&in, kind);
	while (!ready(in.front) || !ready(in.back))
		turn(&in);
	while (vtc_relay_process(in.relay, 0) > 0)
		;
	shut_in(kind);
	if (write(ready_fd, "", 1) != 1 || read(ready_fd, &byte, 1) != 1)
		_exit(94);
	for (unsigned int sent = 0; sent < PACKETS; sent += 50) {
		send_some(in.front, 50);
		if (!in.tap)
			send_some(in.back, 50);
		turn(&in);
	}
	while (in.got[0] < PACKETS || (!in.tap && in.got[1] < PACKETS))
		turn(&in);
	/* The tap stays until the test has read all that came from it. */
	_exit(read(ready_fd, &byte, 1) == 0 ? 0 : 93);
}

/* ---- The test ---- */

static int open_host(const char *name)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(0x88b5) };
	struct ifreq req = { .ifr_flags = IFF_UP | IFF_NOARP };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), room = 4 << 20;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
			 0);
	strcpy(req.ifr_name, name);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	where.sll_ifindex = (int)if_nametoindex(name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	return fd;
}

/* One by one, so that it sleeps and is woken in between. */
static void serve_tap(int host)
{
	uint8_t bytes[LEN] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct sockaddr_ll from = { 0 };
	socklen_t len = sizeof(from);
	int got = 0;

	for (int i = 0; i < PACKETS; i++) {
		/* One of four is for all. */
		bytes[0] = i % 4 ? 2 : 3;
		ck_assert_int_eq(write(host, bytes, sizeof(bytes)), sizeof(bytes));
	}
	while (got < PACKETS) {
		ck_assert_int_eq(recvfrom(host, bytes, sizeof(bytes), 0,
					  (struct sockaddr *)&from, &len),
				 LEN);
		got += from.sll_pkttype != PACKET_OUTGOING;
	}
	close(host);
}

static void run(enum kind kind)
{
	int fds[2], status, host = -1;
	char byte;
	pid_t pid;

	if (!SUITABLE)
		vtct_skip("the list is that of x86-64, without sanitizers");
	if (kind == XSK) {
		veth_enter();
		veth = veth_new(1500);
	} else if (kind != VHOST) {
		vtct_netns_enter();
	}
	if (kind != VHOST && kind != XSK && access("/dev/net/tun", R_OK | W_OK) < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		inside(kind, fds[1]);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	if (kind != VHOST)
		host = open_host(kind == XSK ? VETH_FAR : NAME);
	ck_assert_int_eq(write(fds[0], "", 1), 1);
	if (kind != VHOST)
		serve_tap(host);
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	if (kind == XSK)
		veth_free(&veth);
}

START_TEST(vhost_user_needs_no_others)
{
	run(VHOST);
}
END_TEST

START_TEST(tap_by_io_uring_needs_no_others)
{
	run(TAP_URING);
}
END_TEST

START_TEST(tap_without_io_uring_needs_no_others)
{
	run(TAP_PLAIN);
}
END_TEST

START_TEST(af_xdp_needs_no_others)
{
	run(XSK);
}
END_TEST

/* Opens a tap where io_uring is forbidden; ends with whether it would use it. */
static void open_without_uring(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(f), f };
	struct vtc_port_info info = { .sz = sizeof(info) };
	struct vtc_tap_opts o = VTC_TAP_OPTS_INIT;
	struct vtc_port *port;
	struct vtc_ctx *ctx;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
	o.name = NAME;
	need(vtc_ctx_new(NULL, &ctx));
	need(vtc_port_open_tap(ctx, &o, &port));
	need(vtc_port_get_info(port, &info));
	_exit((int)info.uses_uring);
}

START_TEST(a_sandbox_without_io_uring_is_no_hindrance)
{
	int status;
	pid_t pid;

	vtct_netns_enter();
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		open_without_uring();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}
END_TEST

int main(void)
{
	return vtct_main(vtct_suite("syscalls", vhost_user_needs_no_others,
				    tap_by_io_uring_needs_no_others,
				    tap_without_io_uring_needs_no_others,
				    af_xdp_needs_no_others,
				    a_sandbox_without_io_uring_is_no_hindrance, NULL),
			 NULL);
}
