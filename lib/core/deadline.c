/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A write with a deadline, for sysfs files whose store function can sleep uninterruptibly
 * for minutes (sriov_numvfs while a virtual machine holds a VF, a driver that waits for
 * firmware).
 *
 * The write is made by a child process. A thread or an io_uring worker would belong to
 * the caller's process and keep it from ending for as long as the kernel sleeps; and
 * io_uring is switched off on many servers (kernel.io_uring_disabled). The child is
 * invisible to the caller: it sends no SIGCHLD, is not found by wait() without __WALL,
 * blocks all signals, and closes every descriptor but the file's.
 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* How long a killed child may take to go before it counts as stuck. */
#define GRACE_NS 50000000ull

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* In the child. Only system calls: the caller may have other threads that hold locks. */
static void child(int fd, const void *data, size_t len)
{
	long result = 0;

	if ((fd > 0 && syscall(SYS_close_range, 0, fd - 1, 0) < 0) ||
	    syscall(SYS_close_range, fd + 1, ~0u, 0) < 0)
		result = errno;
	if (!result) {
		long n = syscall(SYS_write, fd, data, len);

		result = n < 0 ? errno : (size_t)n == len ? 0 : EIO;
	}
	for (;;)
		syscall(SYS_exit_group, result);
}

/*
 * fork() without SIGCHLD, with a descriptor for the child. Not clone3(), which container
 * filters and valgrind do not let through.
 */
static long fork_quietly(int *pidfd)
{
#ifdef __s390x__
	return syscall(SYS_clone, NULL, CLONE_PIDFD, pidfd, NULL, 0);
#else
	return syscall(SYS_clone, CLONE_PIDFD, NULL, pidfd, NULL, 0);
#endif
}

static int spawn(int fd, const void *data, size_t len)
{
	sigset_t all, before;
	int pidfd = -1;
	long pid;
	int err;

	/* The caller's signal handlers must not run in the child. */
	sigfillset(&all);
	err = -pthread_sigmask(SIG_SETMASK, &all, &before);
	if (err)
		return err;
	pid = fork_quietly(&pidfd);
	err = pid < 0 ? -errno : 0;
	if (pid == 0)
		child(fd, data, len);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);

	return err ? err : pidfd;
}

/* 1: the child has ended. */
static int wait_end(int pidfd, uint64_t timeout_ns)
{
	uint64_t end = now_ns() + timeout_ns;
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	int n;

	do {
		uint64_t now = now_ns();
		uint64_t left = end > now ? end - now : 0;
		struct timespec ts = {
			.tv_sec = (time_t)(left / 1000000000u),
			.tv_nsec = (long)(left % 1000000000u),
		};

		n = ppoll(&pfd, 1, &ts, NULL);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* The child's result, once it has ended. */
static int result_of(int pidfd)
{
	siginfo_t info = { .si_code = 0 };
	int n;

	do
		n = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info,
			   WEXITED | WNOHANG | __WALL);
	while (n < 0 && errno == EINTR);
	/* -EIO: a caller that waits for every child (__WALL) took ours. */
	if (n < 0 || info.si_code == 0)
		return -EIO;
	return info.si_code == CLD_EXITED ? -info.si_status : -EINTR;
}

int vtc__deadline_write(void *priv, const char *path, const void *data, size_t len,
			uint64_t timeout_ns, int *ret_helper)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int pidfd, err;

	if (fd < 0)
		return -errno;
	pidfd = spawn(fd, data, len);
	close(fd);
	if (pidfd < 0)
		return pidfd;

	if (wait_end(pidfd, timeout_ns)) {
		err = result_of(pidfd);
		close(pidfd);
		return err;
	}

	/*
	 * A write that can be interrupted ends here; one that cannot goes on without us.
	 */
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (wait_end(pidfd, GRACE_NS)) {
		vtc__deadline_reap(priv, pidfd);
		pidfd = -1;
	}
	*ret_helper = pidfd;
	return -ETIMEDOUT;
}

void vtc__deadline_reap(void *priv, int helper)
{
	(void)priv;
	(void)result_of(helper);
	close(helper);
}
