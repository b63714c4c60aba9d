/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of a tap port: made, or taken over; its headers and its offloads. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/error.h"
#include "tap.h"

/* Linux 6.2 */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define OPERATION "tap open"
#define USO	  (TUN_F_USO4 | TUN_F_USO6)
#define TSO	  (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

static int first_fd(const struct vtc__tap *tap)
{
	return tap->queues[0].watch.fd;
}

static int refuse(struct vtc__tap *tap, int err, const char *name, const char *why,
		  const char *hint)
{
	(void)vtc__err(tap->port.ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "%s",
		       name);
	vtc__err_message(tap->port.ctx, "%s", why);
	vtc__err_hint(tap->port.ctx, "%s", hint);
	return err;
}

/* ---- By name ---- */

static int open_tun(struct vtc__tap *tap)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 ? -errno : 0;

	if (!err)
		return fd;
	if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
		return refuse(tap, -ENODEV, "/dev/net/tun", "there are no taps here",
			      "load the module tun, or give the container the device");
	return vtc__err(tap->port.ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
			"/dev/net/tun");
}

static int refuse_name(struct vtc__tap *tap, int err, const char *name)
{
	switch (err) {
	case -EPERM:
		return refuse(tap, err, name, "this user may not have it",
			      "it takes CAP_NET_ADMIN, or a tap made before: "
			      "ip tuntap add NAME mode tap user USER");
	case -E2BIG:
		return refuse(tap, -EBUSY, name, "all its queues are in use",
			      "ask for fewer queue pairs");
	case -EBUSY:
		return refuse(tap, err, name, "it is in use",
			      "end the program that has it, or make the tap with "
			      "multi_queue");
	case -EINVAL:
		return refuse(tap, err, name,
			      "it is no tap, has no multi_queue, or this is no name",
			      "more than one queue pair takes a tap that was made with "
			      "multi_queue: ip tuntap add NAME mode tap multi_queue");
	default:
		return vtc__err(tap->port.ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"%s", name);
	}
}

static int set_iff(int fd, struct ifreq *req, short more)
{
	req->ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more);
	return ioctl(fd, TUNSETIFF, req) < 0 ? -errno : 0;
}

/* One queue of a tap that has many is asked for like many. */
static int attach_queue(struct vtc__tap *tap, int fd, const char *name)
{
	struct ifreq req = { 0 };
	int err = -EINVAL;

	memcpy(req.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (tap->port.queue_pairs == 1)
		err = set_iff(fd, &req, 0);
	if (err == -EINVAL)
		err = set_iff(fd, &req, IFF_MULTI_QUEUE);
	if (!err)
		memcpy(tap->name, req.ifr_name, IFNAMSIZ);
	return err;
}

int vtc__tap_open_name(struct vtc__tap *tap, const char *name)
{
	size_t len = strnlen(name, IFNAMSIZ);

	if (len == 0 || len == IFNAMSIZ)
		return vtc__err_arg(tap->port.ctx, OPERATION,
				    "an interface's name has 1 to 15 characters");
	for (unsigned int i = 0; i < tap->port.queue_pairs; i++) {
		int fd = open_tun(tap), err;

		if (fd < 0)
			return fd;
		tap->queues[i].watch.fd = fd;
		err = attach_queue(tap, fd, i ? tap->name : name);
		if (err)
			return refuse_name(tap, err, name);
	}
	return 0;
}

/* ---- By descriptor ---- */

static const char *unfit(const struct vtc__tap *tap, const struct ifreq *req)
{
	if (!(req->ifr_flags & IFF_TAP))
		return "the interface is a tun, without Ethernet";
	if (!(req->ifr_flags & IFF_VNET_HDR))
		return "the tap has no virtio header (IFF_VNET_HDR)";
	if (!(req->ifr_flags & IFF_NO_PI))
		return "the tap has a header of its own (no IFF_NO_PI)";
	if (tap->name[0] && strncmp(tap->name, req->ifr_name, IFNAMSIZ) != 0)
		return "the descriptors are of different interfaces";
	return NULL;
}

/* The flag belongs to the open file, and so to the caller's descriptor as well. */
static int make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int take_fd(struct vtc__tap *tap, struct vtc__tap_queue *q, int fd)
{
	static const char hint[] = "pass queues of one tap, attached by TUNSETIFF with "
				   "IFF_TAP, IFF_NO_PI and IFF_VNET_HDR";
	struct ifreq req = { 0 };
	const char *why;

	q->watch.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (q->watch.fd < 0)
		return vtc__err(tap->port.ctx, -errno, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"descriptor %d", fd);
	if (ioctl(q->watch.fd, TUNGETIFF, &req) < 0)
		return refuse(tap, -EINVAL, "a descriptor", "it is no tap", hint);
	why = unfit(tap, &req);
	if (why)
		return refuse(tap, -EINVAL, req.ifr_name, why, hint);
	memcpy(tap->name, req.ifr_name, IFNAMSIZ);
	tap->name[IFNAMSIZ - 1] = '\0';
	return make_nonblocking(q->watch.fd);
}

int vtc__tap_open_fds(struct vtc__tap *tap, const int32_t *fds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < tap->port.queue_pairs; i++)
		err = take_fd(tap, &tap->queues[i], fds[i]);
	return err;
}

/* ---- Headers and offloads ---- */

static int set_bits(struct vtc__tap *tap, unsigned int bits)
{
	if (ioctl(first_fd(tap), TUNSETOFFLOAD, (unsigned long)bits) < 0)
		return -errno;
	tap->offload = bits;
	return 0;
}

/*
 * A kernel that can leave large UDP uncut takes it, too. There is no other way to ask,
 * and nobody is up to receive anything yet.
 */
static int probe_offload(struct vtc__tap *tap)
{
	tap->takes_uso = set_bits(tap, TSO | USO) == 0;
	return set_bits(tap, 0);
}

static void note_send_buffer(struct vtc__tap_queue *q)
{
	int size = INT_MAX;

	(void)ioctl(q->watch.fd, TUNGETSNDBUF, &size);
	q->limited = size != INT_MAX;
}

int vtc__tap_configure(struct vtc__tap *tap)
{
	int header = VTC__HDR_LEN, little = 1, err = 0;

	for (unsigned int i = 0; i < tap->port.queue_pairs; i++)
		note_send_buffer(&tap->queues[i]);
	if (ioctl(first_fd(tap), TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(first_fd(tap), TUNSETVNETLE, &little) < 0)
		err = -errno;
	if (!err)
		err = probe_offload(tap);
	if (err)
		return vtc__err(tap->port.ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"%s", tap->name);
	return 0;
}

static bool has(const struct vtc_port *peer, unsigned int bit)
{
	return peer->accepts[bit / 64] >> bit % 64 & 1;
}

static unsigned int bits_of_driver(const struct vtc_port *peer)
{
	unsigned int bits = 0;

	if (!has(peer, VTC_NET_F_GUEST_CSUM))
		return 0;
	if (has(peer, VTC_NET_F_GUEST_TSO4))
		bits |= TUN_F_TSO4;
	if (has(peer, VTC_NET_F_GUEST_TSO6))
		bits |= TUN_F_TSO6;
	if (bits && has(peer, VTC_NET_F_GUEST_ECN))
		bits |= TUN_F_TSO_ECN;
	/* The kernel knows them only together. */
	if (has(peer, VTC_NET_F_GUEST_USO4) && has(peer, VTC_NET_F_GUEST_USO6))
		bits |= USO;
	return bits | TUN_F_CSUM;
}

static unsigned int bits_of_device(const struct vtc_port *peer)
{
	unsigned int bits = 0;

	if (!has(peer, VTC_NET_F_CSUM))
		return 0;
	if (has(peer, VTC_NET_F_HOST_TSO4))
		bits |= TUN_F_TSO4;
	if (has(peer, VTC_NET_F_HOST_TSO6))
		bits |= TUN_F_TSO6;
	if (bits && has(peer, VTC_NET_F_HOST_ECN))
		bits |= TUN_F_TSO_ECN;
	if (has(peer, VTC_NET_F_HOST_USO))
		bits |= USO;
	return bits | TUN_F_CSUM;
}

int vtc__tap_set_offload(struct vtc__tap *tap, const struct vtc_port *peer)
{
	unsigned int bits;

	if (!peer)
		bits = 0;
	else if (peer->accepts_all)
		bits = TSO | USO;
	else if (peer->far_role == VTC_VRING_DRIVER)
		bits = bits_of_driver(peer);
	else
		bits = bits_of_device(peer);
	if (!tap->takes_uso)
		bits &= ~(unsigned int)USO;
	return bits == tap->offload ? 0 : set_bits(tap, bits);
}
