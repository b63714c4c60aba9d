/* SPDX-License-Identifier: MIT */
/*
 * cc vring-echo.c $(pkg-config --cflags --libs vtc)
 *
 * A process sends frames to its child, which swaps their addresses where they lie and
 * gives them back. Both sleep when there is nothing to do. Copies and wake-ups are
 * counted.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <vtc/channel.h>

#define FRAMES 128 /* on their way at once */
#define LOOKS  100 /* before sleep, which is dear if the answer is near */

struct frame {
	uint64_t to, from, data[6];
};

struct count {
	volatile uint64_t copies, wake_ups;
};

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* [sleep] */
static int sleep_until_rung(struct vtc_channel *channel, int timeout_ms)
{
	struct pollfd bell = { vtc_channel_get_fd(channel, 0), POLLIN, 0 };
	int n = vtc_vring_needs_poll(vtc_channel_get_vring(channel, 0));

	if (n == 1)
		n = poll(&bell, 1, timeout_ms);
	return n == 1 ? vtc_channel_heard(channel, 0) : n;
}
/* [sleep] */

/* [echo] */
static struct vtc_done answer(const struct vtc_chain *chain, struct count *count)
{
	struct frame *in = chain->segments[0].base, *out = chain->segments[1].base;
	uint64_t to;

	if (chain->readable != 1 || chain->readable_bytes != sizeof(*in) ||
	    chain->writable != 1 || chain->writable_bytes != sizeof(*out))
		return (struct vtc_done){ chain->id, 0 };
	if (in != out) {
		*out = *in;
		count->copies++;
	}
	to = out->to;
	out->to = out->from;
	out->from = to;
	return (struct vtc_done){ chain->id, sizeof(*out) };
}

static void echo(struct vtc_channel *channel, struct count *count)
{
	struct vtc_vring *ring = vtc_channel_get_vring(channel, 0);
	struct vtc_segment segments[64];
	struct vtc_chain chains[32];
	struct vtc_done done[32];
	int n = 0, looks = 0;

	while (n >= 0) {
		n = vtc_vring_pull(ring, chains, 32, segments, 64);
		for (int i = 0; i < n; i++)
			done[i] = answer(&chains[i], count);
		if (n > 0) {
			looks = 0;
			n = vtc_vring_push(ring, done, (unsigned int)n);
			if (vtc_vring_flush(ring) == 1)
				vtc_channel_notify(channel, 0);
		} else if (n == 0 && ++looks > LOOKS) {
			n = sleep_until_rung(channel, -1);
			count->wake_ups += n == 1;
		} else {
			sched_yield();
		}
	}
}
/* [echo] */

/* [open] */
static void child(const int *fds, unsigned int fd_count, struct count *count)
{
	struct vtc_channel *channel;
	struct vtc_ctx *ctx;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (vtc_ctx_new(NULL, &ctx) == 0 &&
	    vtc_channel_open(ctx, fds, fd_count, &channel) == 0)
		echo(channel, count);
	_exit(1); /* the parent ends a child that works */
}
/* [open] */

/* [send] */
static void send_frame(struct vtc_channel *channel, uint32_t id, uint64_t number)
{
	struct vtc_buffer buffers[2] = { { 0, sizeof(struct frame), 0 } };
	struct vtc_add add = { buffers, 1, 1, id };
	struct vtc_segment segment;

	vtc_channel_get_buffer(channel, id, &buffers[0].guest_addr, &segment);
	buffers[1] = buffers[0]; /* the same memory, to read and to write */
	*(struct frame *)segment.base = (struct frame){ 1, 2, { number, ~number } };
	vtc_vring_add(vtc_channel_get_vring(channel, 0), &add, 1);
}
/* [send] */

static int is_answer(struct vtc_channel *channel, uint32_t id, uint64_t number)
{
	struct frame want = { 2, 1, { number, ~number } };
	struct vtc_segment segment;
	uint64_t guest_addr;

	vtc_channel_get_buffer(channel, id, &guest_addr, &segment);
	return !memcmp(segment.base, &want, sizeof(want));
}

/* [reap] */
static int64_t ping(struct vtc_channel *channel, double end)
{
	struct vtc_vring *ring = vtc_channel_get_vring(channel, 0);
	uint64_t number[FRAMES], sent = 0;
	struct vtc_done done[FRAMES];
	int64_t back = 0;
	int n = FRAMES, more = 1, looks = 0;

	for (int i = 0; i < FRAMES; i++)
		send_frame(channel, (uint32_t)i, number[i] = sent++);
	while (n >= 0 && back < (int64_t)sent) {
		if (n > 0 && vtc_vring_kick(ring) == 1)
			vtc_channel_notify(channel, 0);
		n = vtc_vring_reap(ring, done, FRAMES);
		looks = n > 0 ? 0 : looks + 1;
		for (int i = 0; i < n; i++, back++) {
			if (!is_answer(channel, done[i].id, number[done[i].id]))
				return -1;
			if (more)
				send_frame(channel, done[i].id,
					   number[done[i].id] = sent++);
		}
		if (looks > LOOKS)
			n = sleep_until_rung(channel, -1);
		else if (looks)
			sched_yield();
		more = now(CLOCK_MONOTONIC) < end;
	}
	return n < 0 ? n : back;
}
/* [reap] */

static double cpu_of(pid_t pid)
{
	clockid_t clock;

	clock_getcpuclockid(pid, &clock);
	return now(clock) + now(CLOCK_PROCESS_CPUTIME_ID);
}

static int measure(struct vtc_channel *channel, pid_t pid, struct count *count,
		   int seconds)
{
	double start = now(CLOCK_MONOTONIC), took, cpu;
	int64_t frames = ping(channel, start + seconds);

	if (frames < 0)
		return -1;
	took = now(CLOCK_MONOTONIC) - start;
	printf("%lld frames there and back in %.2f s, each byte right\n",
	       (long long)frames, took);
	printf("%.2f million packets per second, ", (double)frames / took / 1e6);
	printf("%.0f copies per packet\n", (double)count->copies / (double)frames);
	while (sleep_until_rung(channel, 10) > 0)
		; /* a last ring, and the child goes to sleep */
	count->wake_ups = 0;
	cpu = cpu_of(pid);
	count->wake_ups += sleep_until_rung(channel, 1000) != 0;
	cpu = cpu_of(pid) - cpu;
	printf("idle for 1 s: %llu wake-ups, ", (unsigned long long)count->wake_ups);
	printf("%.2f ms of CPU time in both processes\n", cpu * 1e3);
	return 0;
}

static int parse(int argc, char **argv, struct vtc_channel_opts *opts)
{
	int seconds = 2;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--packed") == 0)
			opts->features[0] |= 1ull << VTC_VRING_F_PACKED;
		else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			seconds = atoi(argv[++i]);
		else
			seconds = 0;
	}
	return seconds;
}

int main(int argc, char **argv)
{
	struct vtc_channel_opts opts = VTC_CHANNEL_OPTS_INIT;
	int seconds = parse(argc, argv, &opts), fds[3], r;
	struct vtc_channel *channel;
	struct count *count;
	struct vtc_ctx *ctx;
	pid_t pid;

	if (seconds <= 0) {
		puts("usage: vring-echo [--packed] [--seconds N]");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	/* [create] */
	opts.rings = 1;
	opts.features[0] |= 1ull << VTC_VRING_F_EVENT_IDX;
	r = vtc_ctx_new(NULL, &ctx);
	if (r == 0)
		r = vtc_channel_create(ctx, &opts, &channel);
	/* [create] */
	count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r < 0 || count == MAP_FAILED) {
		fprintf(stderr, "vring-echo: %s\n", strerror(r < 0 ? -r : errno));
		return 1;
	}
	alarm((unsigned int)seconds + 20);
	vtc_channel_get_fds(channel, fds, 3);
	pid = fork();
	if (pid == 0)
		child(fds, 3, count);
	r = pid < 0 ? -1 : measure(channel, pid, count, seconds);
	if (pid > 0)
		kill(pid, SIGTERM);
	if (r < 0)
		fputs("vring-echo: a frame is wrong, or the ring is broken\n", stderr);
	vtc_channel_close(channel);
	vtc_ctx_unref(ctx);
	return r < 0;
}
