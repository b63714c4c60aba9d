/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netlink: messages (over libnl's nl_msg and nla_*), and connections that keep the
 * kernel's own errno and extended-ack text. libnl's headers stay inside netlink.c and
 * attr.c.
 */
#ifndef VTC__NETLINK_H
#define VTC__NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "ctx.h"

/* ---- Messages (attr.c) ---- */

struct vtc__nlmsg;

/* A message that can hold size bytes with its header. NULL: memory is out. */
struct vtc__nlmsg *vtc__nlmsg_new(uint16_t type, uint16_t flags, size_t size);
void vtc__nlmsg_free(struct vtc__nlmsg *msg);
struct nlmsghdr *vtc__nlmsg_header(struct vtc__nlmsg *msg);

/* Family header (ifinfomsg, genlmsghdr, ...) behind the netlink header. */
int vtc__nlmsg_append(struct vtc__nlmsg *msg, const void *data, size_t len);

/* Attributes. -EMSGSIZE: the message is full. */
int vtc__nlmsg_put(struct vtc__nlmsg *msg, int type, const void *data, size_t len);
int vtc__nlmsg_put_u32(struct vtc__nlmsg *msg, int type, uint32_t value);
int vtc__nlmsg_put_str(struct vtc__nlmsg *msg, int type, const char *text);

/* Nested attributes: NULL if the message is full; end with the same pointer. */
struct nlattr *vtc__nlmsg_nest(struct vtc__nlmsg *msg, int type);
void vtc__nlmsg_nest_end(struct vtc__nlmsg *msg, struct nlattr *nest);

/*
 * Sort a stream of attributes by type into tb[0..max]; higher types are skipped, of equal
 * types the last one counts. -EPROTO: a length makes no sense.
 */
int vtc__nla_parse(const struct nlattr **tb, int max, const void *data, size_t len);

/*
 * The same for what follows a message's family header of the given size, or is in a nest.
 */
int vtc__nlmsg_parse(const struct nlmsghdr *msg, size_t header, const struct nlattr **tb,
		     int max);
int vtc__nla_parse_nested(const struct nlattr *nest, const struct nlattr **tb, int max);

/*
 * First and next attribute of a nest (prev NULL: first); NULL: no more, or a bad length.
 */
const struct nlattr *vtc__nla_foreach_next(const struct nlattr *nest,
					   const struct nlattr *prev);

int vtc__nla_type(const struct nlattr *attr);
const void *vtc__nla_data(const struct nlattr *attr);
size_t vtc__nla_len(const struct nlattr *attr);

/* Values. -ENODATA: attr is NULL; -EPROTO: wrong length or, for text, no NUL within. */
int vtc__nla_u8(const struct nlattr *attr, uint8_t *ret);
int vtc__nla_u16(const struct nlattr *attr, uint16_t *ret);
int vtc__nla_u32(const struct nlattr *attr, uint32_t *ret);
int vtc__nla_u64(const struct nlattr *attr, uint64_t *ret);
int vtc__nla_str(const struct nlattr *attr, const char **ret);
/*
 * Copies a struct; a longer attribute is fine (newer kernel), a shorter one is -EPROTO.
 */
int vtc__nla_struct(const struct nlattr *attr, void *ret, size_t size);

/* ---- Connections (netlink.c) ---- */

struct vtc__nl;

/* A connection of its own. -errno. */
int vtc__nl_open(struct vtc_ctx *ctx, int protocol, struct vtc__nl **ret_nl);
void vtc__nl_close(struct vtc_ctx *ctx, struct vtc__nl *nl);
int vtc__nl_join(struct vtc_ctx *ctx, struct vtc__nl *nl, unsigned int group);
int vtc__nl_fd(const struct vtc__nl *nl);

/* The context's request connections; opened on first use, closed with the context. */
int vtc__nl_rt(struct vtc_ctx *ctx, struct vtc__nl **ret_nl);
int vtc__nl_genl(struct vtc_ctx *ctx, struct vtc__nl **ret_nl);

/* Told each message of an answer; a negative result ends the request with it. */
typedef int (*vtc__nl_fn)(void *arg, const struct nlmsghdr *msg);

/*
 * Send a request and take its whole answer: the messages go to fn (NULL: none is
 * expected), the result is the kernel's own -errno, or 0. NLM_F_REQUEST and NLM_F_ACK are
 * added. Messages of other senders and of earlier requests are skipped. Further results:
 * -ETIMEDOUT (no answer within 10 s), -EAGAIN (a dump was changed under way: begin anew),
 * -ENOBUFS (the answer was lost), -EPROTO (an answer that makes no sense).
 */
int vtc__nl_request(struct vtc_ctx *ctx, struct vtc__nl *nl, struct vtc__nlmsg *msg,
		    vtc__nl_fn fn, void *arg);

/* Told the result of each message of a packet, in their order. */
typedef void (*vtc__nl_result_fn)(void *arg, size_t index, int result);

/*
 * Send several requests as one datagram, which saves most of the way to the kernel. It
 * takes one after the other, whether or not those before failed, and acknowledges each.
 * The messages, NLMSG_ALIGN()ed in data, get their flags and sequence numbers here; they
 * must be answered by an acknowledgement alone. fn is told of every message; while it is,
 * vtc__nl_message() is about that one.
 */
void vtc__nl_request_all(struct vtc_ctx *ctx, struct vtc__nl *nl, void *data, size_t len,
			 vtc__nl_result_fn fn, void *arg);

/* The kernel's words on the last request of this connection; "" if it said nothing. */
const char *vtc__nl_message(const struct vtc__nl *nl);

/*
 * Take the next datagram of a listening connection: 1 and its place (valid until the next
 * call), 0 if there is none, -ENOBUFS if some were lost, else -errno.
 */
int vtc__nl_next(struct vtc_ctx *ctx, struct vtc__nl *nl, const void **ret_data,
		 size_t *ret_len);

/*
 * First and next message in a datagram (prev NULL: first); NULL: no more, or a bad
 * length.
 */
const struct nlmsghdr *vtc__nlmsg_foreach_next(const void *data, size_t len,
					       const struct nlmsghdr *prev);

#endif
