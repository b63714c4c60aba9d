/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netlink connections: see netlink.h. The datagrams go through the kernel seam and not
 * through libnl's sockets, which would turn errno into numbers of their own and drop the
 * extended ack.
 */
#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_TIMEOUT_NS (10000 * VTC__NS_PER_MS)
#define BUF_FIRST	  (32u << 10) /* larger than any acknowledgement */
#define BUF_MAX		  (16u << 20)

struct vtc__nl {
	int fd;
	uint32_t seq;
	unsigned char *buf;
	size_t size;
	char message[256];
};

/* What one request has come to. */
struct answer {
	uint32_t seq;
	vtc__nl_fn fn;
	void *arg;
	bool complete;
	bool interrupted; /* a dump was changed under way */
	int result;
};

int vtc__nl_open(struct vtc_ctx *ctx, int protocol, struct vtc__nl **ret_nl)
{
	struct vtc__nl *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return -ENOMEM;
	nl->buf = malloc(BUF_FIRST);
	nl->size = BUF_FIRST;
	nl->fd = nl->buf ? ctx->sys->nl_open(ctx->sys_priv, protocol) : -ENOMEM;
	if (nl->fd < 0) {
		int err = nl->fd;

		free(nl->buf);
		free(nl);
		return err;
	}
	*ret_nl = nl;
	return 0;
}

void vtc__nl_close(struct vtc_ctx *ctx, struct vtc__nl *nl)
{
	if (!nl)
		return;
	ctx->sys->close(ctx->sys_priv, nl->fd);
	free(nl->buf);
	free(nl);
}

int vtc__nl_join(struct vtc_ctx *ctx, struct vtc__nl *nl, unsigned int group)
{
	return ctx->sys->nl_join(ctx->sys_priv, nl->fd, group);
}

int vtc__nl_fd(const struct vtc__nl *nl)
{
	return nl->fd;
}

static int first_use(struct vtc_ctx *ctx, struct vtc__nl **place, int protocol,
		     struct vtc__nl **ret_nl)
{
	int err = *place ? 0 : vtc__nl_open(ctx, protocol, place);

	if (!err)
		*ret_nl = *place;
	return err;
}

int vtc__nl_rt(struct vtc_ctx *ctx, struct vtc__nl **ret_nl)
{
	return first_use(ctx, &ctx->rt, NETLINK_ROUTE, ret_nl);
}

int vtc__nl_genl(struct vtc_ctx *ctx, struct vtc__nl **ret_nl)
{
	return first_use(ctx, &ctx->genl, NETLINK_GENERIC, ret_nl);
}

const char *vtc__nl_message(const struct vtc__nl *nl)
{
	return nl->message;
}

/* Make room for the datagram that is next, of whatever size it is. */
static int make_room(struct vtc_ctx *ctx, struct vtc__nl *nl)
{
	ssize_t n = ctx->sys->nl_recv(ctx->sys_priv, nl->fd, NULL, 0);
	unsigned char *larger;

	if (n < 0)
		return (int)n;
	if ((size_t)n <= nl->size)
		return 0;
	if ((size_t)n > BUF_MAX)
		return -EPROTO;
	larger = realloc(nl->buf, (size_t)n);
	if (!larger)
		return -ENOMEM;
	nl->buf = larger;
	nl->size = (size_t)n;
	return 0;
}

static ssize_t receive(struct vtc_ctx *ctx, struct vtc__nl *nl, bool peek)
{
	int err = peek ? make_room(ctx, nl) : 0;
	ssize_t n;

	if (err)
		return err;
	n = ctx->sys->nl_recv(ctx->sys_priv, nl->fd, nl->buf, nl->size);
	return n > (ssize_t)nl->size ? -EPROTO : n;
}

/*
 * 1: *ret is the message behind *at, which moves on; 0: no more; -EPROTO: a bad length.
 */
static int next_message(const void *data, size_t len, size_t *at,
			const struct nlmsghdr **ret)
{
	const struct nlmsghdr *msg = (const void *)((const char *)data + *at);
	size_t rest = len - *at;

	if (rest == 0)
		return 0;
	if (rest < sizeof(*msg) || msg->nlmsg_len < sizeof(*msg) || msg->nlmsg_len > rest)
		return -EPROTO;
	*at += NLMSG_ALIGN(msg->nlmsg_len) < rest ? NLMSG_ALIGN(msg->nlmsg_len) : rest;
	*ret = msg;
	return 1;
}

const struct nlmsghdr *vtc__nlmsg_foreach_next(const void *data, size_t len,
					       const struct nlmsghdr *prev)
{
	const struct nlmsghdr *msg;
	size_t at = 0;

	if (prev)
		at = (size_t)((const char *)prev - (const char *)data) +
		     NLMSG_ALIGN(prev->nlmsg_len);
	if (at >= len || next_message(data, len, &at, &msg) != 1)
		return NULL;
	return msg;
}

/* Keep the extended ack's text, which lies behind the fixed part of the message. */
static void keep_message(struct vtc__nl *nl, const struct nlmsghdr *msg, size_t fixed)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MSG + 1];
	const char *text;

	if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS) || NLMSG_LENGTH(fixed) > msg->nlmsg_len)
		return;
	if (vtc__nlmsg_parse(msg, fixed, tb, NLMSGERR_ATTR_MSG) ||
	    vtc__nla_str(tb[NLMSGERR_ATTR_MSG], &text))
		return;
	strncpy(nl->message, text, sizeof(nl->message) - 1);
}

/* NLMSG_ERROR (also the acknowledgement, with error 0) and NLMSG_DONE. */
static int take_end(struct vtc__nl *nl, struct answer *answer, const struct nlmsghdr *msg)
{
	const struct nlmsgerr *body = NLMSG_DATA(msg);
	size_t fixed = sizeof(int);

	/* Also if it makes no sense: nothing more will come. */
	answer->complete = true;
	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(int)))
		return -EPROTO;
	if (msg->nlmsg_type == NLMSG_ERROR) {
		if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
			return -EPROTO;
		fixed = sizeof(*body);
		if (!(msg->nlmsg_flags & NLM_F_CAPPED) &&
		    body->msg.nlmsg_len > NLMSG_HDRLEN)
			fixed += body->msg.nlmsg_len - NLMSG_HDRLEN;
	}
	keep_message(nl, msg, fixed);
	if (body->error > 0)
		return -EPROTO;
	return body->error;
}

static int take_message(struct vtc__nl *nl, struct answer *answer,
			const struct nlmsghdr *msg)
{
	if (msg->nlmsg_seq != answer->seq || msg->nlmsg_type == NLMSG_NOOP)
		return 0;
	if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	if (msg->nlmsg_type == NLMSG_ERROR || msg->nlmsg_type == NLMSG_DONE)
		return take_end(nl, answer, msg);
	if (msg->nlmsg_type == NLMSG_OVERRUN)
		return -ENOBUFS;
	return answer->fn && !answer->result ? answer->fn(answer->arg, msg) : 0;
}

/* The first failure counts, but the rest of the answer is taken all the same. */
static void take_datagram(struct vtc__nl *nl, struct answer *answer, size_t len)
{
	const struct nlmsghdr *msg;
	size_t at = 0;

	while (!answer->complete) {
		int err = next_message(nl->buf, len, &at, &msg);

		if (err == 0)
			return;
		if (err < 0)
			answer->complete = true;
		else
			err = take_message(nl, answer, msg);
		if (err < 0 && !answer->result)
			answer->result = err;
	}
}

static int take_answer(struct vtc_ctx *ctx, struct vtc__nl *nl, struct answer *answer)
{
	uint64_t deadline = vtc__now_ns(ctx) + ANSWER_TIMEOUT_NS;

	for (;;) {
		ssize_t n = receive(ctx, nl, answer->fn != NULL);
		uint64_t now;

		if (n >= 0)
			take_datagram(nl, answer, (size_t)n);
		else if (n != -EAGAIN && n != -EINTR)
			return (int)n;
		if (answer->complete)
			break;
		/*
		 * Also while datagrams come: they may be all but the answer, without end.
		 */
		now = vtc__now_ns(ctx);
		if (now >= deadline)
			return -ETIMEDOUT;
		if (n < 0)
			n = ctx->sys->poll(ctx->sys_priv, nl->fd, deadline - now);
		if (n < 0)
			return (int)n;
	}
	if (!answer->result && answer->interrupted)
		return -EAGAIN;
	return answer->result;
}

int vtc__nl_request(struct vtc_ctx *ctx, struct vtc__nl *nl, struct vtc__nlmsg *msg,
		    vtc__nl_fn fn, void *arg)
{
	struct nlmsghdr *header = vtc__nlmsg_header(msg);
	struct answer answer = { .seq = ++nl->seq, .fn = fn, .arg = arg };
	ssize_t n;

	header->nlmsg_seq = answer.seq;
	header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nl->message[0] = '\0';
	n = ctx->sys->nl_send(ctx->sys_priv, nl->fd, header, header->nlmsg_len);
	if (n < 0)
		return (int)n;
	return take_answer(ctx, nl, &answer);
}

/* Number the messages of a packet; the first number. */
static uint32_t number_all(struct vtc__nl *nl, void *data, size_t len)
{
	uint32_t first = nl->seq + 1;
	struct nlmsghdr *header;

	for (size_t at = 0; at < len; at += NLMSG_ALIGN(header->nlmsg_len)) {
		header = (void *)((char *)data + at);
		header->nlmsg_seq = ++nl->seq;
		header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	}
	return first;
}

void vtc__nl_request_all(struct vtc_ctx *ctx, struct vtc__nl *nl, void *data, size_t len,
			 vtc__nl_result_fn fn, void *arg)
{
	uint32_t first = number_all(nl, data, len), last = nl->seq;
	ssize_t n = ctx->sys->nl_send(ctx->sys_priv, nl->fd, data, len);
	int lost = n < 0 ? (int)n : 0;

	for (uint32_t seq = first; seq != last + 1; seq++) {
		struct answer answer = { .seq = seq, .result = lost };

		nl->message[0] = '\0';
		if (!lost)
			answer.result = take_answer(ctx, nl, &answer);
		/* If one answer cannot be had, to wait for the others is in vain. */
		if (!answer.complete)
			lost = answer.result;
		fn(arg, seq - first, answer.result);
	}
}

int vtc__nl_next(struct vtc_ctx *ctx, struct vtc__nl *nl, const void **ret_data,
		 size_t *ret_len)
{
	ssize_t n = receive(ctx, nl, true);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	*ret_data = nl->buf;
	*ret_len = (size_t)n;
	return 1;
}
