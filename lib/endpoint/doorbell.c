/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doorbells: see doorbell.h. */
#include "doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int vtc__doorbell_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/*
 * An eventfd has no file type, and of such descriptors it alone takes eight zero bytes,
 * which change nothing. Adding zero does not block either, unless the kernel itself
 * overflowed it.
 */
static int check(int fd, int wanted)
{
	uint64_t nothing = 0;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_mode & S_IFMT || (flags & wanted) != wanted ||
	    (flags & O_ACCMODE) != O_RDWR)
		return -EPROTO;
	return write(fd, &nothing, sizeof(nothing)) == sizeof(nothing) ? 0 : -EPROTO;
}

int vtc__doorbell_check(int fd)
{
	return check(fd, O_NONBLOCK);
}

int vtc__doorbell_check_foreign(int fd)
{
	return check(fd, 0);
}

static int is_ready(int fd, short event)
{
	struct pollfd p = { .fd = fd, .events = event };
	int n = poll(&p, 1, 0);

	/* A signal is told only if nothing was ready. */
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return p.revents & POLLNVAL ? -EBADF : !!(p.revents & event);
}

int vtc__doorbell_ring(int fd)
{
	uint64_t one = 1;
	int ready = is_ready(fd, POLLOUT);

	if (ready <= 0)
		return ready;
	while (write(fd, &one, sizeof(one)) < 0) {
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static ssize_t take(int fd, uint64_t *count)
{
	struct iovec iov = { count, sizeof(*count) };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	int ready;

	if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return n < 0 ? -errno : n;
	ready = is_ready(fd, POLLIN);
	if (ready <= 0)
		return ready < 0 ? ready : -EAGAIN;
	n = read(fd, count, sizeof(*count));
	return n < 0 ? -errno : n;
}

int vtc__doorbell_heard(int fd)
{
	uint64_t count;
	ssize_t n = take(fd, &count);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	return n < 0 ? (int)n : 1;
}
