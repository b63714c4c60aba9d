/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * O_NONBLOCK belongs to the open file, so it cannot be set on a copy alone. A pipe that
 * polls writable takes PIPE_BUF bytes without waiting, whole; so it gets pieces of that
 * size. What others than pipes do with a reader that sleeps is the kernel's answer:
 * files have none, sockets have a flag.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vring/cursor.h"

#define PIECES 256 /* in one write */

static int kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (isatty(fd))
		return -EINVAL;
	if (S_ISSOCK(st.st_mode))
		return VTC__SINK_SOCKET;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? VTC__SINK_FILE
							  : VTC__SINK_PIPE;
}

int vtc__sink_open(int fd, struct vtc__sink *ret_sink)
{
	int flags = fcntl(fd, F_GETFL), kind, copy;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	kind = kind_of(fd);
	if (kind < 0)
		return kind;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	ret_sink->fd = copy;
	ret_sink->kind = (enum vtc__sink_kind)kind;
	return 0;
}

void vtc__sink_close(struct vtc__sink *sink)
{
	close(sink->fd);
	sink->fd = -1;
}

/* ---- No signal ---- */

/* A pipe without reader raises SIGPIPE, a file at its limit SIGXFSZ, in this thread. */
struct hush {
	sigset_t before;
	sigset_t pending; /* of the caller's own, which he blocks himself */
};

static void hush_begin(struct hush *hush)
{
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGPIPE);
	sigaddset(&both, SIGXFSZ);
	sigemptyset(&hush->pending);
	pthread_sigmask(SIG_BLOCK, &both, &hush->before);
	if (sigismember(&hush->before, SIGPIPE) || sigismember(&hush->before, SIGXFSZ))
		sigpending(&hush->pending);
}

static void hush_end(const struct hush *hush, int error)
{
	int raised = error == -EPIPE ? SIGPIPE : SIGXFSZ;
	struct timespec at_once = { 0, 0 };
	sigset_t one;

	if ((error == -EPIPE || error == -EFBIG) &&
	    !sigismember(&hush->pending, raised)) {
		sigemptyset(&one);
		sigaddset(&one, raised);
		sigtimedwait(&one, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &hush->before, NULL);
}

/* ---- No wait ---- */

static bool has_room(const struct vtc__sink *sink)
{
	struct pollfd p = { sink->fd, POLLOUT, 0 };

	return sink->kind != VTC__SINK_PIPE || poll(&p, 1, 0) == 1;
}

/* The next pieces, as many as one write takes. */
static size_t gather(struct vtc__cursor *from, size_t max, struct iovec *iov, int *ret_n)
{
	size_t len = 0;
	int n = 0;

	while (n < PIECES && len < max) {
		struct vtc_segment s = vtc__cursor_take(from, max - len);

		if (s.len == 0)
			break;
		iov[n++] = (struct iovec){ s.base, s.len };
		len += s.len;
	}
	*ret_n = n;
	return len;
}

static int64_t put(const struct vtc__sink *sink, struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	ssize_t r;

	if (!has_room(sink))
		return 0;
	if (sink->kind == VTC__SINK_SOCKET)
		r = sendmsg(sink->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		r = writev(sink->fd, iov, n);
	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return r;
}

/* How many bytes; what stopped it, if anything did, is in ret_error. */
static int64_t put_all(const struct vtc__sink *sink, const struct vtc_segment *segments,
		       unsigned int count, int *ret_error)
{
	struct vtc__cursor cursor = vtc__cursor(segments, count);
	size_t max = sink->kind == VTC__SINK_PIPE ? PIPE_BUF : INT_MAX, len;
	struct iovec iov[PIECES];
	int64_t written = 0, r;
	int n;

	do {
		len = gather(&cursor, max, iov, &n);
		r = len > 0 ? put(sink, iov, n) : 0;
		written += r > 0 ? r : 0;
	} while (r > 0 && (size_t)r == len);
	*ret_error = r < 0 ? (int)r : 0;
	return written;
}

int64_t vtc__sink_write(const struct vtc__sink *sink, const struct vtc_segment *segments,
			unsigned int count)
{
	struct hush hush;
	int64_t written;
	int error;

	hush_begin(&hush);
	written = put_all(sink, segments, count, &error);
	hush_end(&hush, error);
	return written > 0 ? written : error;
}
