/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of an AF_XDP port: whether it is up, and how long its packets may be. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/ctx.h"
#include "xsk-port.h"

#define NEWS_MAX 4096 /* messages in a row */

/* Of each message: what we look for is at its beginning. */
#define NEWS_LEN 512

struct news {
	struct nlmsghdr head;
	struct ifinfomsg link;
	uint8_t attrs[NEWS_LEN];
};

/* ---- Up or down ---- */

static void set_state(struct vtc__xsk *x, const char *error)
{
	unsigned int ready = error ? 0 : x->port.queue_pairs;

	x->error = error;
	if (x->port.ready == ready)
		return;
	x->port.ready = ready;
	vtc__port_changed(&x->port);
}

void vtc__xsk_heard(struct vtc__xsk *x, int err)
{
	x->gone = x->gone || err == -ENXIO;
	if (x->gone)
		set_state(x, "the interface is gone");
	else
		set_state(x, err == -ENETDOWN ? "the interface is down" : NULL);
}

void vtc__xsk_look(struct vtc__xsk *x)
{
	/* Sending tells, even if there is nothing to send. */
	vtc__xsk_heard(x, vtc__xsk_socket_send(x->sockets[0].sender));
}

/* ---- News ---- */

static int ask(struct vtc__xsk *x)
{
	struct vtc_ctx *ctx = x->port.ctx;
	const struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST },
		      .link = { .ifi_index = (int)x->ifindex } };
	ssize_t n =
		ctx->sys->nl_send(ctx->sys_priv, x->links.fd, &request, sizeof(request));

	return n < 0 ? (int)n : 0;
}

/* attrs: as many bytes as there are, perhaps not all of the message. */
static void read_mtu(struct vtc__xsk *x, const uint8_t *attrs, size_t len)
{
	struct rtattr attr;
	uint32_t mtu;

	while (len >= sizeof(attr)) {
		memcpy(&attr, attrs, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || RTA_ALIGN(attr.rta_len) > len)
			return;
		if (attr.rta_type == IFLA_MTU &&
		    attr.rta_len == RTA_LENGTH(sizeof(mtu))) {
			memcpy(&mtu, attrs + sizeof(attr), sizeof(mtu));
			vtc__xsk_set_mtu(x, mtu);
			return;
		}
		attrs += RTA_ALIGN(attr.rta_len);
		len -= RTA_ALIGN(attr.rta_len);
	}
}

static void hear(struct vtc__xsk *x, const struct news *news, size_t len)
{
	const size_t before = offsetof(struct news, attrs);

	if (len > sizeof(*news))
		len = sizeof(*news);
	if (len > before && news->head.nlmsg_type == RTM_NEWLINK &&
	    news->link.ifi_index == (int)x->ifindex)
		read_mtu(x, news->attrs, len - before);
}

static void read_news(struct vtc__xsk *x)
{
	struct vtc_ctx *ctx = x->port.ctx;
	struct news news;
	ssize_t n = 0;

	for (int i = 0; i < NEWS_MAX && n != -EAGAIN; i++) {
		n = ctx->sys->nl_recv(ctx->sys_priv, x->links.fd, &news, sizeof(news));
		if (n > 0)
			hear(x, &news, (size_t)n);
		/* There was too much. */
		if (n == -ENOBUFS)
			(void)ask(x);
	}
}

static void on_news(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__xsk *x = VTC__OWNER(watch, struct vtc__xsk, links);

	(void)events;
	read_news(x);
	vtc__xsk_look(x);
}

int vtc__xsk_open_link(struct vtc__xsk *x)
{
	struct vtc_ctx *ctx = x->port.ctx;
	int fd = ctx->sys->nl_open(ctx->sys_priv, NETLINK_ROUTE), err;

	if (fd < 0)
		return fd;
	x->links = (struct vtc__watch){ fd, on_news };
	err = ctx->sys->nl_join(ctx->sys_priv, fd, RTNLGRP_LINK);
	if (!err)
		err = ask(x);
	if (!err)
		read_news(x);
	return err;
}
