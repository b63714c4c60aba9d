/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Netlink sockets of the fake kernel: datagrams that wait, scripts, broadcasts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fakekernel-internal.h"

enum step_kind {
	STEP_DATA,
	STEP_ERROR,
	STEP_ACK,
	STEP_USUAL,
	STEP_DELAY,
};

struct step {
	struct step *next;
	enum step_kind kind;
	int error;
	bool fix;
	uint64_t ns;
	const char *text;
	struct vtct_buf buf;
};

struct vtct_script {
	struct vtct_script *next;
	uint16_t type;
	unsigned int skip;
	struct step *first, **last;
};

/* ---- Sockets ---- */

struct vtct_sock *vtct_sock_find(struct vtct_kernel *k, int fd)
{
	struct vtct_sock *sock;

	for (sock = k->socks; sock; sock = sock->next)
		if (sock->fd == fd)
			return sock;
	return NULL;
}

int vtct_nl_open(void *priv, int protocol)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_NL_OPEN, NULL);
	struct vtct_sock *sock;

	if (fault)
		return fault;
	vtct_inside++;
	sock = vtct_alloc(sizeof(*sock));
	sock->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	if (sock->fd < 0)
		vtct_die("eventfd: %s", strerror(errno));
	sock->protocol = protocol;
	sock->last = &sock->first;
	sock->next = k->socks;
	k->socks = sock;
	vtct_inside--;
	return sock->fd;
}

int vtct_nl_join(void *priv, int fd, unsigned int group)
{
	struct vtct_kernel *k = priv;
	struct vtct_sock *sock = vtct_sock_find(k, fd);
	int fault = vtct_fault(k, VTCT_NL_JOIN, NULL);

	if (fault)
		return fault;
	if (!sock || group < 1 || group > 63)
		return -EINVAL;
	sock->groups |= 1ull << group;
	return 0;
}

static void drop_first(struct vtct_sock *sock)
{
	struct vtct_datagram *d = sock->first;
	uint64_t one;

	if (read(sock->fd, &one, sizeof(one)) < 0)
		vtct_die("eventfd: %s", strerror(errno));
	sock->first = d->next;
	if (!sock->first)
		sock->last = &sock->first;
	free(d);
}

void vtct_sock_close(struct vtct_kernel *k, struct vtct_sock *sock)
{
	struct vtct_sock **at = &k->socks;

	while (*at != sock)
		at = &(*at)->next;
	*at = sock->next;
	while (sock->first)
		drop_first(sock);
	close(sock->fd);
	free(sock);
}

void vtct_sock_queue(struct vtct_sock *sock, const void *data, size_t len, int error)
{
	struct vtct_datagram *d = vtct_alloc(sizeof(*d) + len);
	const uint64_t one = 1;

	d->error = error;
	d->len = len;
	if (len)
		memcpy(d->data, data, len);
	*sock->last = d;
	sock->last = &d->next;
	if (write(sock->fd, &one, sizeof(one)) < 0)
		vtct_die("eventfd: %s", strerror(errno));
}

ssize_t vtct_nl_recv(void *priv, int fd, void *buf, size_t len)
{
	struct vtct_kernel *k = priv;
	struct vtct_sock *sock = vtct_sock_find(k, fd);
	int fault = vtct_fault(k, VTCT_NL_RECV, NULL);
	struct vtct_datagram *d;
	ssize_t n;

	if (fault)
		return fault;
	if (!sock)
		return -EBADF;
	d = sock->first;
	if (!d)
		return -EAGAIN;
	n = d->error ? d->error : (ssize_t)d->len;
	if (len && !d->error)
		memcpy(buf, d->data, d->len < len ? d->len : len);
	vtct_inside++;
	if (len || d->error)
		drop_first(sock);
	vtct_inside--;
	return n;
}

/* ---- Answers ---- */

void vtct_parse(const struct nlattr **tb, int max, const void *data, size_t len)
{
	const char *at = data;
	const struct nlattr *attr;
	int type;

	memset(tb, 0, sizeof(*tb) * (size_t)(max + 1));
	while (len >= NLA_HDRLEN) {
		attr = (const void *)at;
		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len)
			return;
		type = attr->nla_type & NLA_TYPE_MASK;
		if (type <= max)
			tb[type] = attr;
		if ((size_t)NLA_ALIGN(attr->nla_len) >= len)
			return;
		at += NLA_ALIGN(attr->nla_len);
		len -= NLA_ALIGN(attr->nla_len);
	}
}

void vtct_answer(const struct vtct_call_msg *call, const struct vtct_buf *buf)
{
	vtct_sock_queue(call->sock, buf->data, buf->len, 0);
}

void vtct_answer_error(const struct vtct_call_msg *call, int error, const char *text)
{
	struct nlmsgerr body = { .error = error, .msg = *call->msg };
	bool echo = call->k->echo && error;
	uint16_t flags =
		(uint16_t)((echo ? 0 : NLM_F_CAPPED) | (text ? NLM_F_ACK_TLVS : 0));
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = vtct_msg(&buf, NLMSG_ERROR, flags, call->msg->nlmsg_seq, &body,
			      sizeof(body));

	if (echo)
		vtct_buf_add(&buf, call->msg + 1, call->msg->nlmsg_len - NLMSG_HDRLEN);
	if (text)
		vtct_put_str(&buf, NLMSGERR_ATTR_MSG, text);
	vtct_msg_end(&buf, msg);
	vtct_answer(call, &buf);
	vtct_buf_free(&buf);
}

static void answer_as_usual(const struct vtct_call_msg *call)
{
	int err = call->sock->protocol == NETLINK_GENERIC ? vtct_genl_request(call)
							  : vtct_rtnl_request(call);
	bool dump = call->msg->nlmsg_flags & NLM_F_DUMP;

	if (err || (call->msg->nlmsg_flags & NLM_F_ACK && !dump))
		vtct_answer_error(call, err, err ? call->k->extack : NULL);
}

/* ---- Scripts ---- */

struct vtct_script *vtct_script(struct vtct_kernel *k, uint16_t type, unsigned int skip)
{
	struct vtct_script *s = vtct_alloc(sizeof(*s));
	struct vtct_script **at = &k->scripts;

	s->type = type;
	s->skip = skip;
	s->last = &s->first;
	while (*at)
		at = &(*at)->next;
	*at = s;
	return s;
}

static struct step *add_step(struct vtct_script *s, enum step_kind kind)
{
	struct step *step = vtct_alloc(sizeof(*step));

	step->kind = kind;
	*s->last = step;
	s->last = &step->next;
	return step;
}

void vtct_script_data(struct vtct_script *s, const void *data, size_t len, bool fix)
{
	struct step *step = add_step(s, STEP_DATA);

	vtct_buf_add(&step->buf, data, len);
	step->fix = fix;
}

void vtct_script_error(struct vtct_script *s, int error)
{
	add_step(s, STEP_ERROR)->error = error;
}

void vtct_script_ack(struct vtct_script *s, int error, const char *text)
{
	struct step *step = add_step(s, STEP_ACK);

	step->error = error;
	step->text = text;
}

void vtct_script_usual(struct vtct_script *s)
{
	add_step(s, STEP_USUAL);
}

void vtct_script_delay(struct vtct_script *s, uint64_t ns)
{
	add_step(s, STEP_DELAY)->ns = ns;
}

unsigned int vtct_scripts_left(const struct vtct_kernel *k)
{
	const struct vtct_script *s;
	unsigned int left = 0;

	for (s = k->scripts; s; s = s->next)
		left++;
	return left;
}

static void free_script(struct vtct_script *s)
{
	struct step *step;

	while ((step = s->first)) {
		s->first = step->next;
		vtct_buf_free(&step->buf);
		free(step);
	}
	free(s);
}

static void fix_sequence(struct vtct_buf *buf, uint32_t seq)
{
	size_t at = 0;

	while (buf->len - at >= NLMSG_HDRLEN) {
		struct nlmsghdr *msg = (void *)(buf->data + at);
		size_t len = msg->nlmsg_len;

		msg->nlmsg_seq = seq;
		if (len < NLMSG_HDRLEN || len + NLMSG_ALIGNTO > buf->len - at)
			return;
		at += NLMSG_ALIGN(len);
	}
}

/* The rest of a script that has to wait. */
struct late {
	struct vtct_kernel *k;
	int fd;
	struct vtct_script *script;
	unsigned char request[];
};

static void play(const struct vtct_call_msg *call, struct vtct_script *s);

static void play_late(void *arg)
{
	struct late *late = arg;
	struct vtct_call_msg call = { late->k, vtct_sock_find(late->k, late->fd),
				      (const void *)late->request };

	if (call.sock)
		play(&call, late->script);
	else
		free_script(late->script);
}

static void postpone(const struct vtct_call_msg *call, struct vtct_script *s, uint64_t ns)
{
	struct late *late = vtct_alloc(sizeof(*late) + call->msg->nlmsg_len);

	late->k = call->k;
	late->fd = call->sock->fd;
	late->script = s;
	memcpy(late->request, call->msg, call->msg->nlmsg_len);
	vtct_at_owned(call->k, ns, play_late, late);
}

static void play_step(const struct vtct_call_msg *call, struct step *step)
{
	switch (step->kind) {
	case STEP_DATA:
		if (step->fix)
			fix_sequence(&step->buf, call->msg->nlmsg_seq);
		vtct_answer(call, &step->buf);
		break;
	case STEP_ERROR:
		vtct_sock_queue(call->sock, NULL, 0, step->error);
		break;
	case STEP_ACK:
		vtct_answer_error(call, step->error, step->text);
		break;
	default:
		answer_as_usual(call);
		break;
	}
}

static void play(const struct vtct_call_msg *call, struct vtct_script *s)
{
	struct step *step;

	while ((step = s->first)) {
		uint64_t ns = step->ns;

		s->first = step->next;
		if (step->kind != STEP_DELAY)
			play_step(call, step);
		vtct_buf_free(&step->buf);
		free(step);
		if (ns) {
			postpone(call, s, ns);
			return;
		}
	}
	free_script(s);
}

/* The first script for a type counts down; those behind it wait for their turn. */
static struct vtct_script *take_script(struct vtct_kernel *k, uint16_t type)
{
	struct vtct_script **at, *s;

	for (at = &k->scripts; (s = *at); at = &s->next) {
		if (s->type && s->type != type)
			continue;
		if (s->skip-- > 0)
			return NULL;
		*at = s->next;
		return s;
	}
	return NULL;
}

/* ---- Requests ---- */

static void remember(struct vtct_kernel *k, const struct nlmsghdr *msg)
{
	struct vtct_request *r;

	for (r = k->requests; r && r->type != msg->nlmsg_type; r = r->next)
		;
	if (!r) {
		r = vtct_alloc(sizeof(*r));
		r->type = msg->nlmsg_type;
		r->next = k->requests;
		k->requests = r;
	}
	r->count++;
	r->len = msg->nlmsg_len;
	r->data = vtct_realloc(r->data, r->len);
	memcpy(r->data, msg, r->len);
}

unsigned int vtct_requests(const struct vtct_kernel *k, uint16_t type)
{
	const struct vtct_request *r;
	unsigned int count = 0;

	for (r = k->requests; r; r = r->next)
		if (!type || r->type == type)
			count += r->count;
	return count;
}

const void *vtct_last_request(const struct vtct_kernel *k, uint16_t type, size_t *ret_len)
{
	const struct vtct_request *r;

	for (r = k->requests; r; r = r->next) {
		if (r->type != type)
			continue;
		*ret_len = r->len;
		return r->data;
	}
	return NULL;
}

static void handle(struct vtct_call_msg *call)
{
	struct vtct_script *s;

	remember(call->k, call->msg);
	s = take_script(call->k, call->msg->nlmsg_type);
	if (s)
		play(call, s);
	else
		answer_as_usual(call);
}

/* Like the kernel: one message after the other, up to one that makes no sense. */
ssize_t vtct_nl_send(void *priv, int fd, const void *data, size_t len)
{
	struct vtct_kernel *k = priv;
	struct vtct_call_msg call = { k, vtct_sock_find(k, fd), data };
	int fault = vtct_fault(k, VTCT_NL_SEND, NULL);
	size_t at = 0;

	if (fault)
		return fault;
	if (!call.sock)
		return -EBADF;
	vtct_inside++;
	while (at < len && len - at >= NLMSG_HDRLEN) {
		call.msg = (const void *)((const char *)data + at);
		if (call.msg->nlmsg_len < NLMSG_HDRLEN || call.msg->nlmsg_len > len - at)
			break;
		handle(&call);
		at += NLMSG_ALIGN(call.msg->nlmsg_len);
	}
	vtct_inside--;
	return (ssize_t)len;
}

/* ---- Broadcasts ---- */

void vtct_broadcast(struct vtct_kernel *k, int protocol, unsigned int group,
		    const void *data, size_t len)
{
	struct vtct_sock *sock;

	vtct_inside++;
	for (sock = k->socks; sock; sock = sock->next)
		if (sock->protocol == protocol && sock->groups & 1ull << group)
			vtct_sock_queue(sock, data, len, 0);
	vtct_inside--;
}

void vtct_overrun(struct vtct_kernel *k, int protocol)
{
	struct vtct_sock *sock;

	vtct_inside++;
	for (sock = k->socks; sock; sock = sock->next) {
		if (sock->protocol != protocol || !sock->groups)
			continue;
		while (sock->first)
			drop_first(sock);
		vtct_sock_queue(sock, NULL, 0, -ENOBUFS);
	}
	vtct_inside--;
}

void vtct_uevent(struct vtct_kernel *k, const char *action, const char *dir,
		 const char *subsystem, const char *more)
{
	char text[2048];
	const char *slot = strrchr(dir, '/');
	int i, len;

	len = snprintf(text, sizeof(text),
		       "%s@/%s\nACTION=%s\nDEVPATH=/%s\nSUBSYSTEM=%s\n", action, dir,
		       action, dir, subsystem);
	if (strcmp(subsystem, "pci") == 0 && slot)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"PCI_SLOT_NAME=%s\n", slot + 1);
	len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%sSEQNUM=4711\n",
			more ? more : "", more ? "\n" : "");
	for (i = 0; i < len; i++)
		if (text[i] == '\n')
			text[i] = '\0';
	vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, text, (size_t)len);
}

void vtct_nl_free(struct vtct_kernel *k)
{
	struct vtct_script *s;
	struct vtct_request *r;

	while ((s = k->scripts)) {
		k->scripts = s->next;
		free_script(s);
	}
	while ((r = k->requests)) {
		k->requests = r->next;
		free(r->data);
		free(r);
	}
}
