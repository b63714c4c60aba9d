/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Vhost-user connections: see vhost-link.h. All that a link does of itself, it does in
 * step(), which the loop calls: find a peer, tell of it, read. Callbacks may drop the
 * peer at any time, so whoever has called one looks at the connection's number after it.
 */
#include "vhost-link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"
#include "socket.h"

#define OPERATION    "vhost-user open"
#define CLOSED	     "the peer closed the connection"
#define CUT	     "the peer closed in the middle of a message"
#define RETRY_NS     500000000ull
#define MESSAGES_MAX 64 /* in one step */
#define WHY_MAX	     320
#define MESSAGE_MAX  (VTC__VHOST_HEADER + VTC__VHOST_PAYLOAD_MAX)

struct vtc__vhost_link {
	struct vtc_ctx *ctx;
	const struct vtc__vhost_link_ops *ops;
	void *data;
	struct vtc__loop *loop;
	enum vtc__vhost_reader reader;
	uint64_t protocol;

	struct vtc__socket_name name;
	bool connects;
	struct vtc__watch listener;

	struct vtc__watch peer;
	uint64_t connection; /* counts */
	bool told;	     /* of by up() */
	bool deaf;	     /* to be left: it does not read */
	struct vtc__timer timer;

	/* What has come of the next message. */
	uint8_t bytes[MESSAGE_MAX];
	size_t got;
	int fds[VTC__VHOST_FDS_MAX];
	unsigned int fd_count;

	char why[WHY_MAX];
};

/* ---- Descriptors ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void close_watch(struct vtc__vhost_link *l, struct vtc__watch *watch)
{
	if (watch->fd < 0)
		return;
	if (l->loop)
		vtc__loop_forget(l->loop, watch);
	(void)close(watch->fd);
	watch->fd = -1;
}

static void forget_bytes(struct vtc__vhost_link *l)
{
	for (unsigned int i = 0; i < l->fd_count; i++)
		close_fd(l->fds[i]);
	l->fd_count = 0;
	l->got = 0;
}

/* ---- Later ---- */

/* A time that has passed: at the next turn of the loop. */
static void step_soon(struct vtc__vhost_link *l)
{
	if (l->loop)
		vtc__loop_set_timer(l->loop, &l->timer, 1);
}

static void step_later(struct vtc__vhost_link *l)
{
	if (l->loop)
		vtc__loop_set_timer(l->loop, &l->timer, vtc__now_ns(l->ctx) + RETRY_NS);
}

/* ---- A peer comes and goes ---- */

static void greet(struct vtc__vhost_link *l, int fd)
{
	l->peer.fd = fd;
	l->connection++;
	l->told = l->deaf = false;
	l->protocol = 0;
}

static int watch_peer(struct vtc__vhost_link *l)
{
	return vtc__loop_watch(l->loop, &l->peer, EPOLLIN | EPOLLRDHUP);
}

/* A passed-in connection has no successor; others are looked for at the next step. */
static void leave(struct vtc__vhost_link *l)
{
	bool told = l->told;

	close_watch(l, &l->peer);
	forget_bytes(l);
	l->told = l->deaf = false;
	l->protocol = 0;
	if (l->connects)
		step_later(l);
	else if (l->listener.fd >= 0)
		step_soon(l);
	if (told)
		l->ops->down(l->data, l->why);
}

static void leave_because(struct vtc__vhost_link *l, const char *why)
{
	snprintf(l->why, sizeof(l->why), "%s", why);
	leave(l);
}

void vtc__vhost_link_drop(struct vtc__vhost_link *link, const char *why)
{
	if (link->peer.fd >= 0)
		leave_because(link, why);
}

static int accept_peer(struct vtc__vhost_link *l)
{
	int fd = accept4(l->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		greet(l, fd);
		return 0;
	}
	return errno == EAGAIN ? 0 : -errno;
}

static int connect_peer(struct vtc__vhost_link *l)
{
	int fd, err = vtc__socket_connect(&l->name, &fd);

	if (!err)
		greet(l, fd);
	return err;
}

static void find_peer(struct vtc__vhost_link *l)
{
	int err = 0;

	if (l->connects)
		err = connect_peer(l);
	else if (l->listener.fd >= 0)
		err = accept_peer(l);
	if (err)
		step_later(l);
}

/* ---- Reading ---- */

static int keep_fds(struct vtc__vhost_link *l, const struct cmsghdr *c)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int surplus = 0;

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		if (l->fd_count < VTC__VHOST_FDS_MAX) {
			l->fds[l->fd_count++] = fd;
			continue;
		}
		close_fd(fd);
		surplus = -EPROTO;
	}
	return surplus;
}

/* Those beyond the room for them are closed by the kernel, and MSG_CTRUNC is set. */
static int keep_all_fds(struct vtc__vhost_link *l, struct msghdr *msg)
{
	int err = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (keep_fds(l, c))
			err = -EPROTO;
	}
	return err;
}

/* Read more of the message: how many bytes, 0 at the end, or -errno. */
static ssize_t read_some(struct vtc__vhost_link *l, size_t want)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VTC__VHOST_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { l->bytes + l->got, want - l->got };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(l->peer.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->got += (size_t)n;
	return keep_all_fds(l, &msg) ? -EPROTO : n;
}

/* Read until there are want bytes: 1, or 0 if they are not there yet, or -1: left. */
static int read_until(struct vtc__vhost_link *l, size_t want)
{
	while (l->got < want) {
		ssize_t n = read_some(l, want);

		if (n > 0)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n == -EPROTO)
			leave_because(l, "too many descriptors came");
		else if (n < 0)
			leave_because(l, "the connection broke");
		else
			leave_because(l, l->got ? CUT : CLOSED);
		return -1;
	}
	return 1;
}

static void leave_for(struct vtc__vhost_link *l, uint32_t request, const char *why)
{
	const char *name = vtc__vhost_name(request);

	if (name)
		snprintf(l->why, sizeof(l->why), "%s: %s", name, why);
	else
		snprintf(l->why, sizeof(l->why), "request %u: %s", request, why);
	leave(l);
}

static void take_fds(struct vtc__vhost_link *l, struct vtc__vhost_message *m)
{
	for (unsigned int i = 0; i < VTC__VHOST_FDS_MAX; i++)
		m->fds[i] = i < l->fd_count ? l->fds[i] : -1;
	l->fd_count = 0;
	l->got = 0;
}

/* The message belongs to us until the callback is over, even if it leaves the peer. */
static void tell_message(struct vtc__vhost_link *l, struct vtc__vhost_message *m)
{
	uint64_t connection = l->connection;
	int err;

	take_fds(l, m);
	err = l->ops->message(l->data, m);
	for (unsigned int i = 0; i < VTC__VHOST_FDS_MAX; i++)
		close_fd(m->fds[i]);
	if (err < 0 && l->peer.fd >= 0 && l->connection == connection)
		leave_for(l, m->request, "refused");
}

/* Read one message and tell of it: 1, or 0 if there is none (any more). */
static int read_message(struct vtc__vhost_link *l)
{
	struct vtc__vhost_message m;
	const char *why = NULL;
	uint32_t request;
	int size;

	if (read_until(l, VTC__VHOST_HEADER) <= 0)
		return 0;
	memcpy(&request, l->bytes, sizeof(request));
	size = vtc__vhost_frame(l->bytes, l->reader, &why);
	if (size >= 0 && read_until(l, VTC__VHOST_HEADER + (size_t)size) <= 0)
		return 0;
	if (size < 0 || vtc__vhost_parse(l->bytes, l->got, l->fd_count, l->protocol,
					 l->reader, &m, &why)) {
		leave_for(l, request, why);
		return 0;
	}
	tell_message(l, &m);
	return 1;
}

static void read_messages(struct vtc__vhost_link *l)
{
	uint64_t connection = l->connection;

	for (int i = 0; i < MESSAGES_MAX; i++) {
		if (!read_message(l))
			return;
		if (l->peer.fd < 0 || l->connection != connection || l->deaf || !l->loop)
			return;
	}
	step_soon(l);
}

/* ---- The step ---- */

static void tell_up(struct vtc__vhost_link *l)
{
	if (watch_peer(l)) {
		leave_because(l, "the connection cannot be watched");
		return;
	}
	l->told = true;
	l->ops->up(l->data);
}

static void step(struct vtc__vhost_link *l)
{
	uint64_t connection;

	if (l->deaf) {
		leave_because(l, "the peer does not read");
		return;
	}
	if (l->peer.fd < 0)
		find_peer(l);
	connection = l->connection;
	if (l->peer.fd >= 0 && !l->told)
		tell_up(l);
	if (l->peer.fd >= 0 && l->connection == connection && l->loop && !l->deaf)
		read_messages(l);
}

static void listener_ready(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__vhost_link *l = VTC__OWNER(watch, struct vtc__vhost_link, listener);

	(void)events;
	/* One peer at a time: the next one waits in the backlog. */
	if (l->peer.fd < 0)
		step(l);
}

static void peer_ready(struct vtc__watch *watch, uint32_t events)
{
	(void)events;
	step(VTC__OWNER(watch, struct vtc__vhost_link, peer));
}

static void timer_due(struct vtc__timer *timer)
{
	step(VTC__OWNER(timer, struct vtc__vhost_link, timer));
}

/* ---- Sending ---- */

int vtc__vhost_link_send(struct vtc__vhost_link *link,
			 const struct vtc__vhost_message *message)
{
	uint32_t header[] = { message->request, message->flags, message->size };
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VTC__VHOST_FDS_MAX)];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov[] = { { header, sizeof(header) },
			       { (void *)&message->payload, message->size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t fds_len = message->fd_count * sizeof(int);
	ssize_t n;

	if (link->peer.fd < 0 || link->deaf)
		return -ENOTCONN;
	if (message->fd_count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds_len);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fds_len);
		memcpy(CMSG_DATA(&control.align), message->fds, fds_len);
	}
	do
		n = sendmsg(link->peer.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)(sizeof(header) + message->size))
		return 0;
	/* A part of a message cannot be taken back. */
	link->deaf = true;
	step_soon(link);
	return n < 0 ? -errno : -EAGAIN;
}

int vtc__vhost_link_reply(struct vtc__vhost_link *link,
			  const struct vtc__vhost_message *request,
			  struct vtc__vhost_message *reply)
{
	reply->request = request->request;
	reply->flags = VTC__VHOST_VERSION | VTC__VHOST_REPLY;
	return vtc__vhost_link_send(link, reply);
}

/* ---- Life ---- */

/* Whoever is to be connected to may come later. */
static int first_connect(struct vtc__vhost_link *l)
{
	int err = connect_peer(l);

	return err == -ENOENT || err == -ECONNREFUSED || err == -EAGAIN ? 0 : err;
}

static int open_path(struct vtc__vhost_link *l, const struct vtc__vhost_link_opts *o)
{
	int err = vtc__socket_set_name(&l->name, o->path);

	if (err)
		return err;
	l->connects = o->connect;
	return o->connect ? first_connect(l)
			  : vtc__socket_listen(&l->name, &l->listener.fd);
}

static int open_fd(struct vtc__vhost_link *l, const struct vtc__vhost_link_opts *o)
{
	int fd, err = vtc__socket_copy(o->fd, o->listening, &fd);

	if (err)
		return err;
	if (o->listening)
		l->listener.fd = fd;
	else
		greet(l, fd);
	return 0;
}

static struct vtc__vhost_link *link_alloc(struct vtc_ctx *ctx,
					  const struct vtc__vhost_link_opts *opts,
					  const struct vtc__vhost_link_ops *ops,
					  void *data)
{
	struct vtc__vhost_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ctx = vtc_ctx_ref(ctx);
	l->ops = ops;
	l->data = data;
	l->reader = opts->reader;
	l->listener = (struct vtc__watch){ -1, listener_ready };
	l->peer = (struct vtc__watch){ -1, peer_ready };
	l->timer.due = timer_due;
	return l;
}

static int blame(struct vtc_ctx *ctx, int err, const struct vtc__vhost_link_opts *o)
{
	const char *hint = vtc__socket_hint(err);

	if (o->path)
		(void)vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION, "%s",
			       o->path);
	else
		(void)vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
			       "descriptor %d", o->fd);
	if (hint)
		vtc__err_hint(ctx, "%s", hint);
	return err;
}

int vtc__vhost_link_open(struct vtc_ctx *ctx, const struct vtc__vhost_link_opts *opts,
			 const struct vtc__vhost_link_ops *ops, void *data,
			 struct vtc__vhost_link **ret_link)
{
	struct vtc__vhost_link *l = link_alloc(ctx, opts, ops, data);
	int err;

	if (!l)
		return blame(ctx, -ENOMEM, opts);
	err = opts->path ? open_path(l, opts) : open_fd(l, opts);
	if (err) {
		vtc__vhost_link_close(l);
		return blame(ctx, err, opts);
	}
	*ret_link = l;
	return 0;
}

void vtc__vhost_link_close(struct vtc__vhost_link *link)
{
	if (!link)
		return;
	if (link->loop)
		vtc__vhost_link_detach(link);
	vtc__socket_remove(&link->name);
	close_watch(link, &link->listener);
	close_watch(link, &link->peer);
	forget_bytes(link);
	vtc_ctx_unref(link->ctx);
	free(link);
}

int vtc__vhost_link_attach(struct vtc__vhost_link *link, struct vtc__loop *loop)
{
	int err = 0;

	link->loop = loop;
	if (link->listener.fd >= 0)
		err = vtc__loop_watch(loop, &link->listener, EPOLLIN);
	if (!err && link->told)
		err = watch_peer(link);
	if (err) {
		vtc__vhost_link_detach(link);
		return err;
	}
	step_soon(link);
	return 0;
}

void vtc__vhost_link_detach(struct vtc__vhost_link *link)
{
	vtc__loop_forget(link->loop, &link->listener);
	vtc__loop_forget(link->loop, &link->peer);
	vtc__loop_stop_timer(link->loop, &link->timer);
	link->loop = NULL;
}

void vtc__vhost_link_set_protocol(struct vtc__vhost_link *link, uint64_t features)
{
	link->protocol = features;
}

bool vtc__vhost_link_is_up(const struct vtc__vhost_link *link)
{
	return link->told;
}
