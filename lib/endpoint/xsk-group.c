/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of group frames: see xsk-group.h. */
#include "xsk-group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vring/vring.h"
#include "xsk.h"

#define SLOTS	  16u
#define TAG_LEN	  4u
#define ADDRS_LEN 12u
#define FRAME_MAX 9234u /* 9216, Ethernet, a second tag */
#define VID_MASK  0xfffu

struct slot {
	uint8_t header[VTC__HDR_LEN];
	uint8_t frame[TAG_LEN + FRAME_MAX];
	uint8_t *at; /* the header */
	uint32_t len;
};

struct vtc__xsk_group {
	struct vtc_port *port;
	struct vtc__watch watch;
	bool empty; /* nothing to read since the last event */
	bool all;   /* VLANs */
	uint64_t vlans[VTC__XSK_VLANS / 64];
	unsigned int first, end; /* slots with frames */
	struct slot slots[SLOTS];
};

/* ---- VLAN tags: the kernel keeps the outer one beside the frame ---- */

static const struct tpacket_auxdata *auxdata(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
	    c->cmsg_len < CMSG_LEN(sizeof(struct tpacket_auxdata)))
		return NULL;
	return (const struct tpacket_auxdata *)(const void *)CMSG_DATA(c);
}

static bool is_wanted(const struct vtc__xsk_group *g, unsigned int vid)
{
	return g->all || g->vlans[vid / 64] >> vid % 64 & 1;
}

/* The frame lies behind room for a tag. */
static void put_tag(struct slot *s, uint16_t tpid, uint16_t tci)
{
	const uint16_t tag[] = { htons(tpid), htons(tci) };

	memmove(s->frame, s->frame + TAG_LEN, ADDRS_LEN);
	memcpy(s->frame + ADDRS_LEN, tag, sizeof(tag));
	s->at = s->header;
	s->len += TAG_LEN;
}

/* False: it is not for us. */
static bool accept_frame(const struct vtc__xsk_group *g, struct slot *s,
			 struct msghdr *msg, uint32_t len)
{
	const struct tpacket_auxdata *aux = auxdata(msg);
	bool tagged = aux && aux->tp_status & TP_STATUS_VLAN_VALID;

	if (!is_wanted(g, tagged ? aux->tp_vlan_tci & VID_MASK : 0))
		return false;
	s->len = len;
	s->at = s->header + TAG_LEN;
	if (tagged)
		put_tag(s,
			aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid
								   : ETH_P_8021Q,
			aux->tp_vlan_tci);
	memset(s->at, 0, VTC__HDR_LEN);
	return true;
}

/* ---- Reading ---- */

/* 1: a frame is in the slot. 0: one that is not for us. -errno: there is none. */
static int read_one(struct vtc__xsk_group *g, struct slot *s)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { s->frame + TAG_LEN, FRAME_MAX };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(g->watch.fd, &msg, MSG_DONTWAIT);

	vtc__count(g->port, 0, VTC__SYS_CALLS, 1);
	if (n < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC || n < (ssize_t)ADDRS_LEN + 2) {
		vtc__count(g->port, 0, VTC__RX_DROPPED_BAD, 1);
		return 0;
	}
	return accept_frame(g, s, &msg, (uint32_t)n);
}

/* Only when all have been taken: they come seldom. */
static void read_some(struct vtc__xsk_group *g)
{
	g->first = g->end = 0;
	for (unsigned int i = 0; i < SLOTS && !g->empty; i++) {
		int n = read_one(g, &g->slots[g->end]);

		if (n > 0)
			g->end++;
		g->empty = n < 0 && n != -EINTR;
	}
}

unsigned int vtc__xsk_group_take(struct vtc__xsk_group *group, struct vtc_segment *to,
				 unsigned int max)
{
	unsigned int n = 0;

	if (group->first == group->end && !group->empty)
		read_some(group);
	for (; n < max && group->first + n < group->end; n++) {
		struct slot *s = &group->slots[group->first + n];

		to[n] = (struct vtc_segment){ s->at, VTC__HDR_LEN + s->len };
	}
	return n;
}

void vtc__xsk_group_drop(struct vtc__xsk_group *group, unsigned int count)
{
	group->first += count;
}

bool vtc__xsk_group_is_empty(const struct vtc__xsk_group *group)
{
	return group->empty && group->first == group->end;
}

/* ---- Life ---- */

static void on_frames(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__xsk_group *g = VTC__OWNER(watch, struct vtc__xsk_group, watch);

	if (!(events & EPOLLIN))
		return;
	g->empty = false;
	vtc__port_kicked(g->port);
}

int vtc__xsk_group_watch(struct vtc__xsk_group *group, struct vtc__loop *loop)
{
	return vtc__loop_watch(loop, &group->watch, EPOLLIN);
}

void vtc__xsk_group_forget(struct vtc__xsk_group *group, struct vtc__loop *loop)
{
	vtc__loop_forget(loop, &group->watch);
}

/* What was received, and by its address is for many. */
static int set_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_BROADCAST, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_MULTICAST, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)))
		return -errno;
	return 0;
}

/* Made for no protocol, it gets nothing until the filter is there. */
static int open_socket(uint32_t ifindex)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = set_filter(fd);
	if (!err && bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	if (!err)
		return fd;
	(void)close(fd);
	return err;
}

int vtc__xsk_group_open(struct vtc_port *port, uint32_t ifindex, const uint64_t *vlans,
			struct vtc__xsk_group **ret_group)
{
	struct vtc__xsk_group *g = calloc(1, sizeof(*g));
	int fd;

	if (!g)
		return -ENOMEM;
	fd = open_socket(ifindex);
	if (fd < 0) {
		free(g);
		return fd;
	}
	g->port = port;
	g->watch = (struct vtc__watch){ fd, on_frames };
	vtc__xsk_group_set_vlans(g, vlans);
	*ret_group = g;
	return 0;
}

void vtc__xsk_group_close(struct vtc__xsk_group *group)
{
	if (!group)
		return;
	(void)close(group->watch.fd);
	free(group);
}

void vtc__xsk_group_set_vlans(struct vtc__xsk_group *group, const uint64_t *vlans)
{
	group->all = !vlans;
	if (vlans)
		memcpy(group->vlans, vlans, sizeof(group->vlans));
}
