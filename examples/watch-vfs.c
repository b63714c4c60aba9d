/* SPDX-License-Identifier: MIT */
/*
 * cc watch-vfs.c $(pkg-config --cflags --libs vtc)
 *
 * Events of VFs in an event loop of one's own: epoll waits for libvtc's file descriptor
 * beside a timer and signals, and libvtc never waits itself. Ends by itself after the
 * given seconds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <vtc/monitor.h>

static void print_event(void *data, const struct vtc_event *event)
{
	const char *kind = vtc_event_type_name(vtc_event_get_type(event));
	const char *pf, *address;
	unsigned int *count = data;
	uint32_t index;

	if (vtc_event_get_vf(event, &pf, &index) == 1)
		printf("%s: VF %u of %s\n", kind, index, pf);
	else if (vtc_event_get_address(event, &address) == 1)
		printf("%s: %s\n", kind, address);
	else
		printf("%s\n", kind);
	fflush(stdout);
	(*count)++;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_timer(unsigned int seconds)
{
	struct itimerspec when = { .it_value = { .tv_sec = seconds } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &when, NULL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int add_fd(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

	return fd < 0 ? -1 : epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * The monitor's descriptor stays readable while there is more, so level-triggered epoll
 * fits.
 */
static int loop(int epoll_fd, struct vtc_monitor *monitor)
{
	struct epoll_event event;
	int r;

	for (;;) {
		r = epoll_wait(epoll_fd, &event, 1, -1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (event.data.fd != vtc_monitor_get_fd(monitor))
			return 0; /* the timer, or a signal */
		r = vtc_monitor_dispatch(monitor);
		if (r < 0)
			return r;
	}
}

static int watch(struct vtc_monitor *monitor, unsigned int seconds)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int signal_fd = open_signals();
	int timer_fd = open_timer(seconds);
	int r;

	if (add_fd(epoll_fd, vtc_monitor_get_fd(monitor)) < 0 ||
	    add_fd(epoll_fd, signal_fd) < 0 || add_fd(epoll_fd, timer_fd) < 0)
		r = -errno;
	else
		r = loop(epoll_fd, monitor);
	close(timer_fd);
	close(signal_fd);
	close(epoll_fd);
	return r;
}

int main(int argc, char **argv)
{
	int seconds = argc == 2 ? atoi(argv[1]) : 0;
	struct vtc_monitor *monitor;
	struct vtc_ctx *ctx;
	unsigned int count = 0;
	int r;

	if (seconds <= 0) {
		puts("usage: watch-vfs SECONDS");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r == 0)
		r = vtc_monitor_open(ctx, print_event, &count, &monitor);
	if (r == 0) {
		r = watch(monitor, (unsigned int)seconds);
		vtc_monitor_close(monitor);
		printf("%u events\n", count);
	}
	if (r < 0)
		fprintf(stderr, "watch-vfs: %s\n", strerror(-r));
	vtc_ctx_unref(ctx);
	return r < 0;
}
