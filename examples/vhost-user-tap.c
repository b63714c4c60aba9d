/* SPDX-License-Identifier: MIT */
/*
 * cc vhost-user-tap.c $(pkg-config --cflags --libs vtc)
 * A network device for a virtual machine: the packets of its virtio-net driver go to a
 * tap interface of this machine, and back. Ends with SIGINT or SIGTERM.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <vtc/relay.h>

static struct vtc_relay *relay;
static volatile sig_atomic_t stop;

/* [stop] */
static void on_signal(int number)
{
	(void)number;
	stop = 1;
	vtc_relay_wake(relay); /* may be called from anywhere */
}
/* [stop] */

static void on_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* [ports] */
static int open_ports(struct vtc_ctx *ctx, const char *path, const char *name,
		      struct vtc_port **vm, struct vtc_port **tap)
{
	struct vtc_vhost_user_opts vm_opts = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_tap_opts tap_opts = VTC_TAP_OPTS_INIT;
	int r;

	tap_opts.name = name;
	r = vtc_port_open_tap(ctx, &tap_opts, tap);
	if (r < 0)
		return r;
	vm_opts.role = VTC_VRING_DEVICE;
	vm_opts.path = path;
	return vtc_port_open_vhost_user(ctx, &vm_opts, vm);
}
/* [ports] */

/* [loop] */
static int loop(void)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };
	int r = 0;

	while (!stop && r >= 0) {
		r = vtc_relay_process(relay, 0);
		if (r == 0 && poll(&p, 1, -1) < 0 && errno != EINTR)
			r = -errno;
	}
	return r < 0 ? r : 0;
}
/* [loop] */

static void print_counts(const struct vtc_port *vm)
{
	struct vtc_port_stats stats = { .sz = sizeof(stats) };

	vtc_port_get_stats(vm, 0, &stats);
	printf("packets from the machine: %llu\n", (unsigned long long)stats.rx_packets);
}

/* [join] */
static int run(struct vtc_ctx *ctx, const char *path, const char *name)
{
	struct vtc_port *vm = NULL, *tap = NULL;
	int r = vtc_relay_new(ctx, NULL, &relay);

	if (r < 0)
		return r;
	on_signals(on_signal);
	r = open_ports(ctx, path, name, &vm, &tap);
	if (r == 0)
		r = vtc_relay_join(relay, vm, tap);
	if (r == 0)
		r = loop();
	if (r == 0)
		print_counts(vm);
	vtc_port_close(vm);
	vtc_port_close(tap);
	on_signals(SIG_IGN); /* a late one must not wake what is gone */
	vtc_relay_free(relay);
	return r;
}
/* [join] */

int main(int argc, char **argv)
{
	char line[1024] = "memory is out";
	struct vtc_ctx *ctx;
	int r;

	if (argc != 3) {
		puts("usage: vhost-user-tap SOCKET TAP");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r == 0) {
		r = run(ctx, argv[1], argv[2]);
		vtc_error_format(vtc_ctx_last_error(ctx), line, sizeof(line));
	}
	if (r < 0)
		fprintf(stderr, "vhost-user-tap: %s\n", line);
	vtc_ctx_unref(ctx);
	return r < 0;
}
