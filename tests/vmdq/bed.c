/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces and mounts by system calls, interfaces by the library's own netlink. */
#include "bed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/netlink.h"
#include "vtct.h"

/* Ethertypes for experiments: frames of a test, and the mark behind them. */
#define ETHERTYPE_TEST 0x88b5
#define ETHERTYPE_MARK 0x88b6
#define TAG_LEN	       4u
#define WAIT_MS	       30000

/* ---- Interfaces ---- */

static int request(struct bed *bed, struct vtc__nlmsg *msg, vtc__nl_fn fn, void *arg)
{
	struct vtc__nl *nl;
	int err;

	ck_assert_errno(vtc__nl_rt(bed->ctx, &nl), 0);
	err = vtc__nl_request(bed->ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

static int take_index(void *arg, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *head = NLMSG_DATA(msg);

	*(uint32_t *)arg = (uint32_t)head->ifi_index;
	return 0;
}

uint32_t bed_index(struct bed *bed, const char *name)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, 0, 128);
	struct ifinfomsg head = { .ifi_index = 0 };
	uint32_t ifindex = 0;

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_IFNAME, name), 0);
	ck_assert_errno(request(bed, msg, take_index, &ifindex), 0);
	return ifindex;
}

static struct vtc__nlmsg *link_message(uint16_t type, uint16_t flags, uint32_t ifindex,
				       unsigned int on)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, flags, 512);
	struct ifinfomsg head = { .ifi_index = (int)ifindex,
				  .ifi_flags = on,
				  .ifi_change = on };

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	return msg;
}

void bed_set_up(struct bed *bed, uint32_t ifindex)
{
	ck_assert_errno(
		request(bed, link_message(RTM_NEWLINK, 0, ifindex, IFF_UP), NULL, NULL),
		0);
}

static void set_u32(struct bed *bed, uint32_t ifindex, int attr, uint32_t value)
{
	struct vtc__nlmsg *msg = link_message(RTM_NEWLINK, 0, ifindex, 0);

	ck_assert_errno(vtc__nlmsg_put_u32(msg, attr, value), 0);
	ck_assert_errno(request(bed, msg, NULL, NULL), 0);
}

void bed_enslave(struct bed *bed, uint32_t ifindex, uint32_t master)
{
	set_u32(bed, ifindex, IFLA_MASTER, master);
}

void bed_set_mtu(struct bed *bed, uint32_t ifindex, uint32_t mtu)
{
	set_u32(bed, ifindex, IFLA_MTU, mtu);
}

void bed_remove(struct bed *bed, uint32_t ifindex)
{
	ck_assert_errno(
		request(bed, link_message(RTM_DELLINK, 0, ifindex, 0), NULL, NULL), 0);
}

static void put_peer(struct vtc__nlmsg *msg, const char *name)
{
	struct ifinfomsg head = { .ifi_index = 0 };
	struct nlattr *data = vtc__nlmsg_nest(msg, IFLA_INFO_DATA);
	struct nlattr *peer = vtc__nlmsg_nest(msg, VETH_INFO_PEER);

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_IFNAME, name), 0);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_NUM_TX_QUEUES, 1), 0);
	vtc__nlmsg_nest_end(msg, peer);
	vtc__nlmsg_nest_end(msg, data);
}

static uint32_t add(struct bed *bed, const char *kind, const char *name, const char *peer,
		    unsigned int queues)
{
	struct vtc__nlmsg *msg =
		link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
	struct nlattr *info;
	int err;

	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_IFNAME, name), 0);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_NUM_RX_QUEUES, queues), 0);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_NUM_TX_QUEUES, queues), 0);
	info = vtc__nlmsg_nest(msg, IFLA_LINKINFO);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_INFO_KIND, kind), 0);
	if (peer)
		put_peer(msg, peer);
	vtc__nlmsg_nest_end(msg, info);
	err = request(bed, msg, NULL, NULL);
	if (err == -EOPNOTSUPP)
		vtct_skip("this kernel has no interfaces of the kind %s", kind);
	ck_assert_errno(err, 0);
	bed_set_up(bed, bed_index(bed, name));
	return bed_index(bed, name);
}

uint32_t bed_veth(struct bed *bed, const char *name, const char *peer,
		  unsigned int queues)
{
	uint32_t ifindex = add(bed, "veth", name, peer, queues);

	bed_set_up(bed, bed_index(bed, peer));
	return ifindex;
}

uint32_t bed_bridge(struct bed *bed, const char *name)
{
	return add(bed, "bridge", name, NULL, 1);
}

uint32_t bed_tap(struct bed *bed, const char *name, int *ret_fd)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &request), 0);
	bed_set_up(bed, bed_index(bed, name));
	*ret_fd = fd;
	return bed_index(bed, name);
}

void bed_set_gro(const char *name, bool on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = on };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	ck_assert_int_eq(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
}

void bed_clsact(struct bed *bed, uint32_t ifindex)
{
	struct vtc__nlmsg *msg =
		vtc__nlmsg_new(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, 128);
	struct tcmsg head = { .tcm_ifindex = (int)ifindex,
			      .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
			      .tcm_parent = TC_H_CLSACT };

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, TCA_KIND, "clsact"), 0);
	ck_assert_errno(request(bed, msg, NULL, NULL), 0);
}

/* ---- Packet sockets ---- */

static int listen_to(uint32_t ifindex, uint16_t protocol)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(protocol),
				    .sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, size = 8 << 20;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)),
			 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

int bed_listen(uint32_t ifindex)
{
	return listen_to(ifindex, ETH_P_ALL);
}

static void put_back_tag(struct msghdr *msg, uint8_t *frame, size_t *len)
{
	const struct tpacket_auxdata *aux;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	uint16_t value;

	if (!cmsg || cmsg->cmsg_type != PACKET_AUXDATA)
		return;
	aux = (const void *)CMSG_DATA(cmsg);
	if (!(aux->tp_status & TP_STATUS_VLAN_VALID))
		return;
	memmove(frame + 12 + TAG_LEN, frame + 12, *len - 12);
	value = htons(aux->tp_vlan_tpid);
	memcpy(frame + 12, &value, 2);
	value = htons(aux->tp_vlan_tci);
	memcpy(frame + 14, &value, 2);
	*len += TAG_LEN;
}

/* 0: no more. What we sent ourselves there is marked as outgoing, and is skipped. */
static size_t receive_any(int fd, uint8_t *frame)
{
	char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct sockaddr_ll from = { .sll_pkttype = PACKET_HOST };
	struct iovec part = { frame, BED_FRAME_MAX };
	struct msghdr msg = { .msg_name = &from,
			      .msg_namelen = sizeof(from),
			      .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT);
	size_t len;

	if (got < 0 && errno == ENOTSOCK) {
		got = read(fd, frame, BED_FRAME_MAX);
		return got > 0 ? (size_t)got : 0;
	}
	if (got <= 0)
		return 0;
	len = (size_t)got;
	if (from.sll_pkttype == PACKET_OUTGOING)
		return 1;
	put_back_tag(&msg, frame, &len);
	return len;
}

static bool is_ours(const uint8_t *frame, size_t len)
{
	size_t at = 12;
	uint16_t type;

	if (len < 14 + 2 * TAG_LEN)
		return false;
	memcpy(&type, frame + at, 2);
	for (int i = 0; i < 2; i++)
		if (type == htons(ETHERTYPE_VLAN) || type == htons(0x88a8))
			memcpy(&type, frame + (at += TAG_LEN), 2);
	return type == htons(ETHERTYPE_TEST);
}

size_t bed_receive(int fd, uint8_t *frame)
{
	size_t len;

	do {
		len = receive_any(fd, frame);
	} while (len && !is_ours(frame, len));
	return len;
}

void bed_send(int sender, const void *frame, size_t len)
{
	ck_assert_int_eq(send(sender, frame, len, 0), (ssize_t)len);
}

static void pass_mark(struct bed *bed)
{
	struct pollfd wait = { .fd = bed->marker, .events = POLLIN };
	uint8_t frame[BED_FRAME_MAX] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };

	frame[12] = ETHERTYPE_MARK >> 8;
	frame[13] = ETHERTYPE_MARK & 0xff;
	bed_send(bed->sender, frame, 60);
	ck_assert_msg(poll(&wait, 1, WAIT_MS) == 1, "the card receives nothing any more");
	while (receive_any(bed->marker, frame))
		;
}

/* What is redirected is sent at the end of a round: the next mark comes after that. */
void bed_settle(struct bed *bed)
{
	pass_mark(bed);
	pass_mark(bed);
}

bool bed_expect(struct bed *bed, int fd, const uint8_t *frame, size_t len)
{
	uint8_t got[BED_FRAME_MAX + TAG_LEN];
	size_t got_len;

	bed_settle(bed);
	got_len = bed_receive(fd, got);
	return got_len == len && (!len || memcmp(got, frame, len) == 0);
}

size_t bed_frame(uint8_t *frame, const uint8_t to[6], int tag, size_t len, uint32_t seed)
{
	static const uint8_t from[6] = { 2, 0, 0, 0, 0xee, 1 };
	size_t at = 12;

	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	if (tag >= 0) {
		frame[at++] = ETHERTYPE_VLAN >> 8;
		frame[at++] = ETHERTYPE_VLAN & 0xff;
		frame[at++] = (uint8_t)(tag >> 8);
		frame[at++] = (uint8_t)tag;
	}
	frame[at++] = ETHERTYPE_TEST >> 8;
	frame[at++] = ETHERTYPE_TEST & 0xff;
	for (; at < len; at++) {
		seed = seed * 1103515245 + 12345;
		frame[at] = (uint8_t)(seed >> 16);
	}
	return len;
}

/* ---- All of it ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* no IPv6, and so no greetings of its neighbours */
	ck_assert_int_gt(write(fd, text, strlen(text)), 0);
	close(fd);
}

/* /sys shows the interfaces of the namespace in which it was mounted. */
static void mount_all(bool bpffs)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		vtct_skip("mounts of our own: %s", strerror(errno));
	umount2("/sys", MNT_DETACH);
	if (mount("vtct", "/sys", "sysfs", 0, NULL) < 0)
		vtct_skip("mounting sysfs: %s", strerror(errno));
	if (bpffs && mount("vtct", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		vtct_skip("mounting a bpffs: %s", strerror(errno));
}

void bed_make(struct bed *bed, unsigned int queues, bool bpffs)
{
	memset(bed, 0, sizeof(*bed));
	if (geteuid() != 0)
		vtct_skip("only root may put programs on interfaces");
	if (unshare(CLONE_NEWNET) < 0)
		vtct_skip("network namespaces are forbidden here: %s", strerror(errno));
	mount_all(bpffs);
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	ck_assert_errno(vtc_ctx_new(NULL, &bed->ctx), 0);
	bed->card = bed_veth(bed, "card", "wire", queues);
	bed->wire = bed_index(bed, "wire");
	bed->sender = bed_listen(bed->wire);
	bed->stack = bed_listen(bed->card);
	bed->marker = listen_to(bed->card, ETHERTYPE_MARK);
}

void bed_end(struct bed *bed)
{
	close(bed->sender);
	close(bed->stack);
	close(bed->marker);
	vtc_ctx_unref(bed->ctx);
}
