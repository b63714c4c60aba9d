/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serves the network cards of the lab's guests, with nothing but the public API: joins
 * ports in pairs until SIGTERM, and prints how they are then and at each SIGUSR1.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <vtc/vtc.h>

#define PORTS_MAX 128

static struct vtc_port *ports[PORTS_MAX];
static unsigned int port_count;

static int usage(void)
{
	fputs("usage: vu-server PORT PORT [PORT PORT]...\n"
	      "  PORT: tap:NAME[,queues=N][,no-uring]\n"
	      "        vu:PATH[,queues=N][,off=BITS][,mtu=N][,trusted][,connect][,driver]\n",
	      stderr);
	return 2;
}

static int fail(const struct vtc_ctx *ctx, const char *what, int err)
{
	char text[512] = "";

	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	fprintf(stderr, "vu-server: %s: %s: %s\n", what, strerror(-err), text);
	return err;
}

/* ---- ports ---- */

struct words {
	struct vtc_vhost_user_opts vhost;
	struct vtc_tap_opts tap;
};

enum word { QUEUES, OFF, MTU, NO_URING, TRUSTED, CONNECT, DRIVER };

static void set_word(struct words *w, enum word word, const char *value)
{
	switch (word) {
	case QUEUES:
		w->tap.queue_pairs = w->vhost.queue_pairs = (uint32_t)atoi(value);
		return;
	case OFF:
		w->vhost.features_off[0] = strtoull(value, NULL, 0);
		return;
	case MTU:
		w->vhost.mtu = (uint16_t)atoi(value);
		return;
	case NO_URING:
		w->tap.flags |= VTC_TAP_F_NO_URING;
		return;
	case TRUSTED:
		w->vhost.flags |= VTC_VHOST_USER_F_TRUSTED;
		return;
	case CONNECT:
		w->vhost.flags |= VTC_VHOST_USER_F_CONNECT;
		return;
	case DRIVER:
		w->vhost.role = VTC_VRING_DRIVER;
	}
}

static int parse_words(char *text, struct words *w)
{
	char queues[] = "queues", off[] = "off", mtu[] = "mtu", no_uring[] = "no-uring",
	     trusted[] = "trusted", connect[] = "connect", driver[] = "driver";
	char *const keys[] = {
		queues, off, mtu, no_uring, trusted, connect, driver, NULL
	};
	char *value;
	int key;

	while (*text) {
		key = getsubopt(&text, keys, &value);
		if (key < 0 || (key <= MTU && !value))
			return usage();
		set_word(w, (enum word)key, value);
	}
	return 0;
}

/* Both kinds of port copy the name. */
static int open_port(struct vtc_ctx *ctx, char *text, struct vtc_port **ret_port)
{
	struct words w = { VTC_VHOST_USER_OPTS_INIT, VTC_TAP_OPTS_INIT };
	char *kind = strsep(&text, ":"), *name = strsep(&text, ",");

	w.vhost.role = VTC_VRING_DEVICE;
	w.vhost.path = w.tap.name = name;
	if (!name || (text && parse_words(text, &w)))
		return -EINVAL;
	if (strcmp(kind, "tap") == 0)
		return vtc_port_open_tap(ctx, &w.tap, ret_port);
	return vtc_port_open_vhost_user(ctx, &w.vhost, ret_port);
}

static int join(struct vtc_ctx *ctx, struct vtc_relay *relay, char *const texts[2])
{
	int err;

	for (int i = 0; i < 2; i++) {
		err = open_port(ctx, texts[i], &ports[port_count]);
		if (err)
			return fail(ctx, texts[i], err);
		port_count++;
	}
	err = vtc_relay_join(relay, ports[port_count - 2], ports[port_count - 1]);
	return err ? fail(ctx, "join", err) : 0;
}

/* ---- what they count ---- */

static void print_queue(const struct vtc_port *port, unsigned int queue)
{
	struct vtc_port_stats s = { .sz = sizeof(s) };

	if (vtc_port_get_stats(port, queue, &s))
		return;
#define NUMBER(name) printf(" " #name "=%llu", (unsigned long long)s.name)
	printf("  queue=%u", queue);
	NUMBER(rx_packets);
	NUMBER(rx_bytes);
	NUMBER(tx_packets);
	NUMBER(tx_bytes);
	NUMBER(rx_dropped_bad);
	NUMBER(tx_dropped_room);
	NUMBER(tx_dropped_size);
	NUMBER(tx_dropped_error);
	NUMBER(tx_dropped_down);
	NUMBER(notifications_sent);
	NUMBER(notifications_suppressed);
	NUMBER(notifications_received);
	NUMBER(copies);
	NUMBER(sys_calls);
	printf("\n");
#undef NUMBER
}

static void print_port(const struct vtc_port *port)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	if (vtc_port_get_info(port, &info))
		return;
	printf("port %s connected=%u ready=%u queues=%u features=%#llx", info.name,
	       info.connected, info.ready, info.queue_pairs,
	       (unsigned long long)info.features[0]);
	printf(" connections=%llu uring=%u %s: %s\n",
	       (unsigned long long)info.connections, info.uses_uring, info.kind,
	       info.error ? info.error : "no error");
	for (unsigned int i = 0; i < info.queue_pairs; i++)
		print_queue(port, i);
}

static void print_all(const struct vtc_relay *relay)
{
	struct vtc_relay_stats s = { .sz = sizeof(s) };

	for (unsigned int i = 0; i < port_count; i++)
		print_port(ports[i]);
	if (!vtc_relay_get_stats(relay, &s))
		printf("relay packets=%llu turns=%llu sleeps=%llu wake_ups=%llu spins=%llu\n",
		       (unsigned long long)s.packets, (unsigned long long)s.turns,
		       (unsigned long long)s.sleeps, (unsigned long long)s.wake_ups,
		       (unsigned long long)s.spins);
	printf("end\n");
	fflush(stdout);
}

/* ---- the loop ---- */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* True: it is the end. */
static bool heard(int signals, const struct vtc_relay *relay)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return false;
	print_all(relay);
	return info.ssi_signo == SIGTERM;
}

static int run(struct vtc_ctx *ctx, struct vtc_relay *relay, int signals)
{
	struct pollfd p[2] = { { vtc_relay_get_fd(relay), POLLIN, 0 },
			       { signals, POLLIN, 0 } };
	int n;

	for (;;) {
		n = vtc_relay_process(relay, 0);
		if (n < 0)
			return fail(ctx, "process", n);
		if (poll(p, 2, n ? 0 : -1) > 0 && p[1].revents && heard(signals, relay))
			return 0;
	}
}

int main(int argc, char **argv)
{
	int signals = open_signals(), err;
	struct vtc_relay *relay = NULL;
	struct vtc_ctx *ctx = NULL;

	if (argc < 3 || argc % 2 == 0 || argc > PORTS_MAX)
		return usage();
	err = vtc_ctx_new(NULL, &ctx);
	if (!err)
		err = vtc_relay_new(ctx, NULL, &relay);
	for (int i = 1; !err && i < argc; i += 2)
		err = join(ctx, relay, argv + i);
	if (!err) {
		printf("ready\n");
		fflush(stdout);
		err = run(ctx, relay, signals);
	}
	while (port_count)
		vtc_port_close(ports[--port_count]);
	vtc_relay_free(relay);
	vtc_ctx_unref(ctx);
	return err ? 1 : 0;
}
