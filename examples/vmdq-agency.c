/* SPDX-License-Identifier: MIT */
/*
 * cc vmdq-agency.c $(pkg-config --cflags --libs vtc)
 * Network devices for virtual machines on one card, past the bridge: each has a pool of
 * the card and a vhost-user socket, and a relay moves packets between card and machine.
 * Ends with SIGINT or SIGTERM; the card is then as before.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <vtc/agency.h>
#include <vtc/relay.h>

#define VMS_MAX 16

static struct vm {
	struct vtc_pool *pool;
	struct vtc_port *card, *machine;
} vms[VMS_MAX];
static int count;
static struct vtc_relay *relay;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
	vtc_relay_wake(relay); /* may be called from anywhere */
}

static void on_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* The first word that is not SOCKET=MAC, or NULL. */
static const char *find_bad(char **words)
{
	struct vtc_mac mac;

	for (; *words; words++) {
		const char *equals = strchr(*words, '=');

		if (!equals || equals == *words || vtc_mac_parse(equals + 1, &mac) < 0)
			return *words;
	}
	return NULL;
}

/* [pool] */
static int make_pool(struct vtc_ctx *ctx, const char *nic, const char *mac, struct vm *vm)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_filter filter = { .match = VTC_FILTER_MAC };
	char name[16];
	int r;

	vtc_mac_parse(mac, &filter.mac);
	snprintf(name, sizeof(name), "agency%d", count);
	opts.name = name;
	opts.flags = VTC_POOL_F_GROUP_COPY; /* ARP asks everybody */
	r = vtc_pool_request(ctx, nic, &opts, &vm->pool);
	return r < 0 ? r : vtc_pool_add_filter(vm->pool, &filter);
}
/* [pool] */

/* [serve] */
static int serve(struct vtc_ctx *ctx, const char *nic, char *word)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;
	const char *path = strsep(&word, "=");
	struct vm *vm = &vms[count];
	int r = make_pool(ctx, nic, word, vm);

	count += vm->pool != NULL;
	opts.role = VTC_VRING_DEVICE;
	opts.path = path;
	if (r == 0)
		r = vtc_pool_open_port(vm->pool, NULL, &vm->card);
	if (r == 0)
		r = vtc_port_open_vhost_user(ctx, &opts, &vm->machine);
	return r < 0 ? r : vtc_relay_join(relay, vm->card, vm->machine);
}
/* [serve] */

/* [loop] */
static int loop(void)
{
	struct pollfd p[VMS_MAX + 1] = { { vtc_relay_get_fd(relay), POLLIN, 0 } };
	int r = 0;

	for (int i = 0; i < count && r >= 0; i++) {
		p[i + 1] = (struct pollfd){ vtc_pool_get_fd(vms[i].pool), POLLIN, 0 };
		r = p[i + 1].fd < 0 ? p[i + 1].fd : 0;
	}
	while (!stop && r >= 0) {
		r = vtc_relay_process(relay, 0);
		if (r < 0 || poll(p, (nfds_t)count + 1, r ? 0 : -1) <= 0)
			continue;
		for (int i = 0; i < count && r >= 0; i++)
			if (p[i + 1].revents)
				r = vtc_pool_process(vms[i].pool, NULL);
	}
	return r < 0 ? r : 0;
}
/* [loop] */

/* [release] */
static int release_all(void)
{
	int r = 0, last;

	while (count--) {
		vtc_port_close(vms[count].machine);
		vtc_port_close(vms[count].card); /* before its pool */
		last = vtc_pool_release(vms[count].pool);
		r = r < 0 ? r : last;
	}
	return r;
}
/* [release] */

static int run(struct vtc_ctx *ctx, char **words)
{
	const char *nic = *words++;
	int r = vtc_relay_new(ctx, NULL, &relay), released;

	if (r < 0)
		return r;
	on_signals(on_signal);
	for (; r == 0 && *words; words++)
		r = serve(ctx, nic, *words);
	if (r == 0)
		r = loop();
	released = release_all();
	on_signals(SIG_IGN); /* a late one must not wake what is gone */
	vtc_relay_free(relay);
	return r < 0 ? r : released;
}

int main(int argc, char **argv)
{
	char line[1024] = "memory is out";
	struct vtc_ctx *ctx;
	int r;

	if (argc < 3) {
		puts("usage: vmdq-agency NIC SOCKET=MAC...");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	if (argc - 2 > VMS_MAX) {
		fprintf(stderr, "vmdq-agency: at most %d machines\n", VMS_MAX);
		return 1;
	}
	if (find_bad(argv + 2)) {
		fprintf(stderr, "vmdq-agency: '%s' is not SOCKET=MAC\n",
			find_bad(argv + 2));
		return 1;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r == 0) {
		r = run(ctx, argv + 1);
		vtc_error_format(vtc_ctx_last_error(ctx), line, sizeof(line));
	}
	if (r < 0)
		fprintf(stderr, "vmdq-agency: %s\n", line);
	vtc_ctx_unref(ctx);
	return r < 0;
}
