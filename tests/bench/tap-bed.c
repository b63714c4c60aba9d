/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where taps are measured: see tap-bed.h. */
#include "tap-bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define HEADERS 54u

static void no_greetings(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6",
		      O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		bench_die("cannot switch IPv6 off: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

const char *bed_enter(void)
{
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return "not measured: no /dev/net/tun for this user";
	if (unshare(CLONE_NEWNET) < 0)
		return "not measured: this user may not make a network namespace";
	no_greetings();
	return NULL;
}

static void bring_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_flags = IFF_UP | IFF_NOARP };

	strcpy(req.ifr_name, name);
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		bench_die("%s does not come up: %s", name, strerror(errno));
	close(fd);
}

int bed_tap(const char *name, bool offload)
{
	unsigned long bits = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = BED_HDR, little = 1;

	strcpy(req.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &little) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, offload ? bits : 0) < 0)
		bench_die("no tap: %s", strerror(errno));
	bring_up(name);
	return fd;
}

int bed_host(const char *name)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int on = 1, room = 64 << 20;

	bring_up(name);
	where.sll_ifindex = (int)if_nametoindex(name);
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		bench_die("no packet socket: %s", strerror(errno));
	return fd;
}

static void put16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* IPv4 and TCP, for an address that nobody here has: the stack looks and drops it. */
static void make_headers(uint8_t *packet, size_t len)
{
	uint8_t *ip = packet + 14, *tcp = ip + 20;

	memcpy(packet, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\6\0\0\xa\0\0\1\xa\0\0\2", 20);
	put16(ip + 2, len - 14);
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
}

size_t bed_packet(uint8_t *to, size_t len)
{
	struct virtio_net_hdr header = { 0 };

	memset(to, 0, BED_HDR + len);
	make_headers(to + BED_HDR, len);
	if (len > 1514)
		header = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
						  .hdr_len = HEADERS,
						  .gso_size = BED_SEGMENT,
						  .csum_start = 34,
						  .csum_offset = 16 };
	memcpy(to, &header, sizeof(header));
	return BED_HDR + len;
}

void bed_fill(int host, size_t len, unsigned int count)
{
	static uint8_t packet[BED_HDR + BED_LARGE];
	struct iovec parts[2] = { { packet, sizeof(struct virtio_net_hdr) },
				  { packet + BED_HDR, len } };

	bed_packet(packet, len);
	while (count--)
		if (writev(host, parts, 2) < 0)
			bench_die("the tap's queue is full: %s", strerror(errno));
}
