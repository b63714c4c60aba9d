/* SPDX-License-Identifier: MIT */
/*
 * cc vmdq-pool.c $(pkg-config --cflags --libs vtc)
 * A pool: frames of a network card to the given addresses go to a target interface, past
 * the bridge. Prints what is counted each second; SIGINT or SIGTERM gives the pool back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <vtc/pool.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* [choice] */
static void print_choice(const struct vtc_pool_choice *choice)
{
	const char *reason = "";

	for (unsigned int i = VTC_POOL_BACKEND_VF; i < VTC_POOL_BACKEND_COUNT; i++) {
		enum vtc_pool_backend backend = (enum vtc_pool_backend)i;
		int usable = vtc_pool_choice_get_reason(choice, backend, &reason);

		printf("%-8s %-4s %s\n", vtc_pool_backend_name(backend),
		       usable ? "yes" : "no", reason);
	}
}
/* [choice] */

/* The first word that is no address, or NULL. */
static const char *find_bad(char **words)
{
	struct vtc_mac mac;

	while (*words && vtc_mac_parse(*words, &mac) == 0)
		words++;
	return *words;
}

/* [request] */
static int make_pool(struct vtc_ctx *ctx, char **words, struct vtc_pool **pool)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	int r;

	opts.name = words[1];
	opts.target = words[2];
	r = vtc_pool_request(ctx, words[0], &opts, pool);
	for (words += 3; r == 0 && *words; words++) {
		struct vtc_filter filter = { .match = VTC_FILTER_MAC };

		vtc_mac_parse(*words, &filter.mac);
		r = vtc_pool_add_filter(*pool, &filter);
	}
	return r;
}
/* [request] */

static void print_info(struct vtc_pool *pool)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };

	vtc_pool_get_info(pool, &info);
	printf("pool %s of %s by %s, which is %s\n", info.name, info.nic,
	       vtc_pool_backend_name(info.backend),
	       info.flags & VTC_POOL_INFO_HARDWARE ? "hardware" : "software");
	if (*info.note)
		printf("note: %s\n", info.note);
}

/* [stats] */
static void print_number(const char *name, uint64_t number, uint32_t is_valid)
{
	if (is_valid)
		printf("  %s %llu", name, (unsigned long long)number);
	else
		printf("  %s -", name);
}

static int print_stats(struct vtc_pool *pool)
{
	struct vtc_pool_stats s = { .sz = sizeof(s) };
	int r = vtc_pool_get_stats(pool, &s);

	if (r < 0)
		return r;
	print_number("received", s.rx_packets, s.valid & VTC_POOL_STAT_RX_PACKETS);
	print_number("bytes", s.rx_bytes, s.valid & VTC_POOL_STAT_RX_BYTES);
	print_number("to target", s.to_target, s.valid & VTC_POOL_STAT_TO_TARGET);
	print_number("missorted", s.missort, s.valid & VTC_POOL_STAT_MISSORT);
	print_number("dropped", s.rx_dropped, s.valid & VTC_POOL_STAT_RX_DROPPED);
	putchar('\n');
	return fflush(stdout) == 0 ? 0 : -EIO;
}
/* [stats] */

/* [loop] */
static int loop(struct vtc_pool *pool)
{
	struct pollfd p = { .fd = vtc_pool_get_fd(pool), .events = POLLIN };
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	int r = p.fd < 0 ? p.fd : 0;

	while (!stop && r >= 0) {
		r = print_stats(pool);
		if (r == 0 && poll(&p, 1, 1000) > 0)
			r = vtc_pool_process(pool, &audit);
		if (r > 0 && audit.repaired)
			printf("was lost, is there again: %s\n", audit.text);
	}
	return r < 0 ? r : 0;
}
/* [loop] */

static int run(struct vtc_ctx *ctx, char **words)
{
	struct vtc_pool *pool = NULL;
	int r = make_pool(ctx, words, &pool), released;

	if (r == 0) {
		print_choice(vtc_pool_get_choice(pool));
		print_info(pool);
		r = loop(pool);
	}
	released = vtc_pool_release(pool);
	if (released == -EBUSY)
		vtc_pool_close(pool);
	return r < 0 ? r : released;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	char line[1024] = "memory is out";
	struct vtc_ctx *ctx;
	int r;

	if (argc < 5) {
		puts("usage: vmdq-pool NIC NAME TARGET MAC...");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	if (find_bad(argv + 4)) {
		fprintf(stderr, "vmdq-pool: '%s' is no address\n", find_bad(argv + 4));
		return 1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r = vtc_ctx_new(NULL, &ctx);
	if (r == 0) {
		r = run(ctx, argv + 1);
		vtc_error_format(vtc_ctx_last_error(ctx), line, sizeof(line));
	}
	if (r < 0)
		fprintf(stderr, "vmdq-pool: %s\n", line);
	vtc_ctx_unref(ctx);
	return r < 0;
}
