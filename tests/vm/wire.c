/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE \
	0x88b5 /* for experiments: IEEE Std 802, local experimental EtherType 1 */
#define PROBE_MS     3000
#define HEADER_LEN   14
#define TAGGED_LEN   18
#define PROBE_SERIAL 0x80000000u

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int complain(const char *name, const char *what)
{
	int err = errno ? -errno : -EIO;

	fprintf(stderr, "wire: %s: %s: %s\n", name, what, strerror(-err));
	return err;
}

static int find_interface(struct wire_port *port, int *ret_index)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, port->name, sizeof(request.ifr_name));
	if (ioctl(port->fd, SIOCGIFINDEX, &request) < 0)
		return complain(port->name, "index");
	*ret_index = request.ifr_ifindex;
	if (ioctl(port->fd, SIOCGIFHWADDR, &request) < 0)
		return complain(port->name, "address");
	memcpy(port->mac.addr, request.ifr_hwaddr.sa_data, sizeof(port->mac.addr));
	port->reach = port->mac;
	return 0;
}

/* The kernel takes the tag off what we receive, and tells it beside the frame. */
static int listen_to(struct wire_port *port)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL) };
	int on = 1, err = find_interface(port, &address.sll_ifindex);

	if (err)
		return err;
	if (setsockopt(port->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    setsockopt(port->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) <
		    0 ||
	    bind(port->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return complain(port->name, "listen");
	return 0;
}

int wire_add(struct wire *wire, const char *name)
{
	struct wire_port *port = &wire->ports[wire->count];
	int err;

	if (wire->count == WIRE_MAX || strlen(name) >= sizeof(port->name))
		return -EINVAL;
	strcpy(port->name, name);
	port->reach_tci = WIRE_NO_VLAN;
	port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (port->fd < 0)
		return complain(name, "socket");
	err = listen_to(port);
	if (err)
		close(port->fd);
	else
		wire->count++;
	return err;
}

void wire_close_last(struct wire *wire)
{
	close(wire->ports[--wire->count].fd);
}

void wire_close(struct wire *wire)
{
	while (wire->count)
		wire_close_last(wire);
}

/* ---- frames ---- */

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void fill_payload(uint8_t *payload, uint32_t serial)
{
	put16(payload, (uint16_t)(serial >> 16));
	put16(payload + 2, (uint16_t)serial);
	for (unsigned int i = 4; i < WIRE_PAYLOAD; i++)
		payload[i] = (uint8_t)(serial * 7 + i * 31);
}

static int send_frame(const struct wire_port *from, const struct vtc_mac *to,
		      uint16_t tci, uint32_t serial)
{
	uint8_t frame[TAGGED_LEN + WIRE_PAYLOAD];
	size_t len = 12;

	memcpy(frame, to->addr, 6);
	memcpy(frame + 6, from->mac.addr, 6);
	if (tci != WIRE_NO_VLAN) {
		put16(frame + len, ETH_P_8021Q);
		put16(frame + len + 2, tci);
		len += 4;
	}
	put16(frame + len, ETHERTYPE);
	fill_payload(frame + len + 2, serial);
	len += 2 + WIRE_PAYLOAD;
	if (send(from->fd, frame, len, 0) != (ssize_t)len)
		return complain(from->name, "send");
	return 0;
}

struct arrival {
	uint8_t frame[2048];
	size_t len;
	uint32_t serial;
	uint16_t tci;
};

static uint16_t tag_of(struct msghdr *msg)
{
	const struct tpacket_auxdata *aux;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		aux = (const struct tpacket_auxdata *)(const void *)CMSG_DATA(c);
		if (aux->tp_status & TP_STATUS_VLAN_VALID)
			return aux->tp_vlan_tci;
	}
	return WIRE_NO_VLAN;
}

/* 1: a frame of ours. */
static int receive(const struct wire_port *port, struct arrival *ret)
{
	union {
		char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { ret->frame, sizeof(ret->frame) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	const uint8_t *payload = ret->frame + HEADER_LEN;
	ssize_t n;

	for (;;) {
		n = recvmsg(port->fd, &msg, 0);
		if (n < 0)
			return errno == EAGAIN ? 0 : complain(port->name, "receive");
		if (n >= HEADER_LEN + 4 && ret->frame[12] == ETHERTYPE >> 8 &&
		    ret->frame[13] == (ETHERTYPE & 0xff))
			break;
		msg.msg_controllen = sizeof(control);
	}
	ret->len = (size_t)n;
	ret->tci = tag_of(&msg);
	ret->serial = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 |
		      (uint32_t)payload[2] << 8 | payload[3];
	return 1;
}

/* ---- who got it ---- */

static bool is_intact(const struct arrival *a, const struct vtc_mac *from,
		      const struct vtc_mac *to)
{
	uint8_t payload[WIRE_PAYLOAD];

	fill_payload(payload, a->serial);
	return a->len == HEADER_LEN + WIRE_PAYLOAD &&
	       memcmp(a->frame, to->addr, 6) == 0 &&
	       memcmp(a->frame + 6, from->addr, 6) == 0 &&
	       memcmp(a->frame + HEADER_LEN, payload, WIRE_PAYLOAD) == 0;
}

/*
 * Take what has arrived at a port. 1: its probe is among it, so nothing older can come.
 */
static int take(struct wire *wire, unsigned int number, unsigned int from,
		const struct vtc_mac *to, uint32_t serial, struct wire_result *ret)
{
	struct arrival a;
	int n;

	while ((n = receive(&wire->ports[number], &a)) > 0) {
		if (a.serial == (PROBE_SERIAL | serial))
			return 1;
		if (a.serial != serial)
			continue;
		ret->arrived[number] = true;
		ret->intact[number] = is_intact(&a, &wire->ports[from].mac, to);
		ret->tci[number] = a.tci;
	}
	return n;
}

/*
 * The far end is probed by the PF, which has no tag of its own; the rest by the far end.
 */
static int send_probe(struct wire *wire, unsigned int number, uint32_t serial)
{
	const struct wire_port *from = &wire->ports[number ? 0 : 1];
	const struct wire_port *to = &wire->ports[number];

	return send_frame(from, &to->reach, to->reach_tci, PROBE_SERIAL | serial);
}

static int collect(struct wire *wire, unsigned int from, const struct vtc_mac *to,
		   uint32_t serial, unsigned int timeout_ms, struct wire_result *ret)
{
	struct pollfd pfds[WIRE_MAX];
	uint64_t end = now_ms() + timeout_ms;
	unsigned int i, left = wire->count;
	int n;

	for (i = 0; i < wire->count; i++)
		pfds[i] = (struct pollfd){ .fd = wire->ports[i].fd, .events = POLLIN };
	while (left && now_ms() < end) {
		if (poll(pfds, wire->count, (int)(end - now_ms())) < 0)
			return complain("all ports", "poll");
		for (i = 0; i < wire->count; i++) {
			if (!(pfds[i].revents & POLLIN))
				continue;
			n = take(wire, i, from, to, serial, ret);
			if (n < 0)
				return n;
			if (n) {
				pfds[i].fd = -1;
				pfds[i].revents = 0;
				left--;
			}
		}
	}
	return left ? -ETIMEDOUT : 0;
}

static int probe_all(struct wire *wire, unsigned int from, const struct vtc_mac *to,
		     uint32_t serial, unsigned int timeout_ms, struct wire_result *ret)
{
	int err = 0;

	for (unsigned int i = 0; i < wire->count && !err; i++)
		err = send_probe(wire, i, serial);
	return err ? err : collect(wire, from, to, serial, timeout_ms, ret);
}

int wire_send(struct wire *wire, unsigned int from, const struct vtc_mac *to,
	      uint16_t tci, struct wire_result *ret)
{
	uint32_t serial = ++wire->serial;
	int err = send_frame(&wire->ports[from], to, tci, serial);

	memset(ret, 0, sizeof(*ret));
	for (unsigned int i = 0; i < WIRE_MAX; i++)
		ret->tci[i] = WIRE_NO_VLAN;
	if (!err)
		err = probe_all(wire, from, to, serial, PROBE_MS, ret);
	if (err == -ETIMEDOUT)
		fprintf(stderr, "wire: a probe does not arrive\n");
	return err;
}

/* A link that has just come up drops frames: probe until all get through once. */
int wire_settle(struct wire *wire, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	struct wire_result ignored;
	int err;

	do {
		memset(&ignored, 0, sizeof(ignored));
		err = probe_all(wire, 0, &wire->ports[0].mac, ++wire->serial, 500,
				&ignored);
	} while (err == -ETIMEDOUT && now_ms() < end);
	return err;
}
