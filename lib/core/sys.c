/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel seam on the real kernel: thin wrappers that turn errno into a result. */
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Large enough that a burst of a few hundred new VFs does not overrun a listener. */
#define NL_RCVBUF (1 << 20)

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* How many datagrams of other processes are dropped in one go. */
#define NL_FOREIGN_MAX 64

static ssize_t kernel_read(void *priv, const char *path, void *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t done = 0;
	ssize_t n = 0;

	(void)priv;
	if (fd < 0)
		return -errno;
	while (done < len) {
		n = read(fd, (char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	n = n < 0 ? -errno : (ssize_t)done;
	close(fd);
	return n;
}

static int kernel_write(void *priv, const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	(void)priv;
	if (fd < 0)
		return -errno;
	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	n = n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
	close(fd);
	return (int)n;
}

static ssize_t kernel_readlink(void *priv, const char *path, char *buf, size_t len)
{
	ssize_t n = readlink(path, buf, len);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int kernel_realpath(void *priv, const char *path, char *buf, size_t len)
{
	char real[PATH_MAX];

	(void)priv;
	if (!realpath(path, real))
		return -errno;
	if (strlen(real) >= len)
		return -ENAMETOOLONG;
	memcpy(buf, real, strlen(real) + 1);
	return 0;
}

static int kernel_list(void *priv, const char *path, vtc__name_fn fn, void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = 0;

	(void)priv;
	if (!dir)
		return -errno;
	while (!err) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			err = -errno;
			break;
		}
		if (entry->d_name[0] != '.')
			err = fn(arg, entry->d_name);
	}
	closedir(dir);
	return err;
}

static int kernel_lock(void *priv, const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd, n;

	(void)priv;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	n = snprintf(path, sizeof(path), "%s/%s.lock", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/*
	 * flock() belongs to the open file, so it ends with the process whatever happens.
	 */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void kernel_unlock(void *priv, int fd)
{
	(void)priv;
	(void)flock(fd, LOCK_UN);
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Opens a directory of ours, made if need be. */
static int open_dir(const char *dir)
{
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A name is in the directory, which has to reach the disk as well. */
static int sync_dir(int dir)
{
	/* Some file systems have nothing to do for that, and say so. */
	return fsync(dir) < 0 && errno != EINVAL ? -errno : 0;
}

static int replace_at(int dir, const char *name, const char *temp, const void *data,
		      size_t len)
{
	int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, data, len);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat(dir, temp, dir, name) < 0)
		err = -errno;
	if (err) {
		(void)unlinkat(dir, temp, 0);
		return err;
	}
	return sync_dir(dir);
}

static int kernel_replace(void *priv, const char *dir, const char *name, const void *data,
			  size_t len)
{
	char temp[NAME_MAX + 1];
	int n = snprintf(temp, sizeof(temp), "%s.new", name);
	int fd, err;

	(void)priv;
	if (n < 0 || (size_t)n >= sizeof(temp))
		return -ENAMETOOLONG;
	fd = open_dir(dir);
	if (fd < 0)
		return fd;
	err = replace_at(fd, name, temp, data, len);
	close(fd);
	return err;
}

static int kernel_remove(void *priv, const char *dir, const char *name)
{
	int fd = open_dir(dir);
	int err;

	(void)priv;
	if (fd < 0)
		return fd;
	if (unlinkat(fd, name, 0) < 0)
		err = -errno;
	else
		err = sync_dir(fd);
	close(fd);
	return err;
}

static int kernel_process(void *priv, uint32_t pid)
{
	(void)priv;
	/* Needs no rights, and sees what /proc hides. */
	return getpgid((pid_t)pid) < 0 && errno == ESRCH ? -ESRCH : 0;
}

static int open_any_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : fd;
}

/* The number of the namespace's file is used again; before Linux 5.14 it has to do. */
static int netns_of_file(uint64_t *ret)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

static int kernel_netns(void *priv, uint64_t *ret)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	int fd = open_any_socket();
	int err = 0;

	(void)priv;
	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		err = -errno;
	close(fd);
	if (err == -ENOPROTOOPT)
		return netns_of_file(ret);
	if (!err)
		*ret = cookie;
	return err;
}

static int kernel_ethtool(void *priv, const char *name, void *data)
{
	struct ifreq request = { .ifr_name = "" };
	size_t len = strlen(name);
	int fd, err = 0;

	(void)priv;
	if (!len || len >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, len);
	request.ifr_data = data;
	/* The socket's namespace is the one that the name is looked up in. */
	fd = open_any_socket();
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int kernel_foreign(void *priv, const char *what)
{
	(void)priv, (void)what;
	return 0;
}

static void set_option(int fd, int level, int name, int value)
{
	/* All options set here only improve messages; an old kernel may lack them. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static int kernel_nl_open(void *priv, int protocol)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	(void)priv;
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	set_option(fd, SOL_SOCKET, SO_RCVBUF, NL_RCVBUF);
	return fd;
}

static int kernel_nl_join(void *priv, int fd, unsigned int group)
{
	(void)priv;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
	    0)
		return -errno;
	return 0;
}

static ssize_t kernel_nl_send(void *priv, int fd, const void *data, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	(void)priv;
	do
		n = sendto(fd, data, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t kernel_nl_recv(void *priv, int fd, void *buf, size_t len)
{
	int flags = MSG_TRUNC | (len ? 0 : MSG_PEEK);

	(void)priv;
	for (int i = 0; i < NL_FOREIGN_MAX; i++) {
		struct sockaddr_nl from = { .nl_family = AF_UNSPEC };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, len, flags, (struct sockaddr *)&from,
				     &from_len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n >= 0 && from.nl_pid == 0)
			return n;
		/* Any process may send here; only port 0 is the kernel. Drop the rest. */
		if (n >= 0 && !len)
			(void)recv(fd, NULL, 0, MSG_TRUNC);
	}
	return -EAGAIN;
}

static int kernel_poll(void *priv, int fd, uint64_t timeout_ns)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};
	int n = ppoll(&pfd, 1, &ts, NULL);

	(void)priv;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

static void kernel_close(void *priv, int fd)
{
	(void)priv;
	close(fd);
}

static uint64_t kernel_now_ns(void *priv)
{
	struct timespec ts;

	(void)priv;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const struct vtc__sys vtc__sys_kernel = {
	.read = kernel_read,
	.write = kernel_write,
	.readlink = kernel_readlink,
	.realpath = kernel_realpath,
	.list = kernel_list,
	.write_slow = vtc__deadline_write,
	.reap = vtc__deadline_reap,
	.lock = kernel_lock,
	.unlock = kernel_unlock,
	.replace = kernel_replace,
	.remove = kernel_remove,
	.process = kernel_process,
	.netns = kernel_netns,
	.ethtool = kernel_ethtool,
	.foreign = kernel_foreign,
	.nl_open = kernel_nl_open,
	.nl_join = kernel_nl_join,
	.nl_send = kernel_nl_send,
	.nl_recv = kernel_nl_recv,
	.poll = kernel_poll,
	.close = kernel_close,
	.now_ns = kernel_now_ns,
};
