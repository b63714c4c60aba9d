/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shapers.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

/* From the kernel's net_shaper.h, which is too new to include. */
enum { GET = 1, SET = 2, DELETE = 3, GROUP = 4 };
enum { CARD = 1, QUEUE = 2, NODE = 3 };
enum { SCOPE = 1, ID = 2 };
enum {
	HANDLE = 1,
	METRIC = 2,
	BW_MIN = 3,
	BW_MAX = 4,
	WEIGHT = 7,
	IFINDEX = 8,
	PARENT = 9,
	LEAVES = 10,
};

struct message {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	char attrs[512];
};

/* ---- Messages out ---- */

/* Returns where it begins. By copies: the message is no array of attributes. */
static uint32_t put(struct message *msg, int type, const void *data, size_t len)
{
	const struct nlattr attr = { .nla_type = (uint16_t)type,
				     .nla_len = (uint16_t)(NLA_HDRLEN + len) };
	uint32_t begin = msg->head.nlmsg_len;
	char *at = msg->attrs + (begin - NLMSG_LENGTH(GENL_HDRLEN));

	memcpy(at, &attr, sizeof(attr));
	if (len)
		memcpy(at + NLA_HDRLEN, data, len);
	msg->head.nlmsg_len += NLA_ALIGN(attr.nla_len);
	return begin;
}

static void put_u32(struct message *msg, int type, uint32_t value)
{
	put(msg, type, &value, sizeof(value));
}

static void put_rate(struct message *msg, int type, uint64_t bps)
{
	if (bps)
		put(msg, type, &bps, sizeof(bps));
}

static uint32_t begin(struct message *msg, int type)
{
	return put(msg, type | NLA_F_NESTED, NULL, 0);
}

static void end(struct message *msg, uint32_t nest)
{
	uint16_t len = (uint16_t)(msg->head.nlmsg_len - nest);

	memcpy(msg->attrs + (nest - NLMSG_LENGTH(GENL_HDRLEN)), &len, sizeof(len));
}

/* Of a node without a number the kernel makes a new one. */
static void put_handle(struct message *msg, uint32_t scope, int64_t id)
{
	uint32_t nest = begin(msg, HANDLE);

	put_u32(msg, SCOPE, scope);
	if (id >= 0)
		put_u32(msg, ID, (uint32_t)id);
	end(msg, nest);
}

static struct message new_message(uint16_t type, uint8_t cmd, uint16_t flags)
{
	return (struct message){ .head = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
					   .nlmsg_type = type,
					   .nlmsg_flags = NLM_F_REQUEST | flags },
				 .genl = { .cmd = cmd, .version = 1 } };
}

/* ---- Answers ---- */

typedef void (*answer_fn)(const struct nlmsghdr *msg, void *arg);

/* True: more is to come. */
static bool take(const struct nlmsghdr *msg, answer_fn fn, void *arg)
{
	const struct nlmsgerr *error = NLMSG_DATA(msg);

	if (msg->nlmsg_type == NLMSG_ERROR && error->error)
		vtct_die("net-shaper, command of %u bytes: %s", error->msg.nlmsg_len,
			 strerror(-error->error));
	if (msg->nlmsg_type == NLMSG_ERROR || msg->nlmsg_type == NLMSG_DONE)
		return false;
	if (fn)
		fn(msg, arg);
	return true;
}

/* Send a message and take all answers; what is refused ends the program. */
static void ask(const struct message *msg, answer_fn fn, void *arg)
{
	_Alignas(struct nlmsghdr) static char answers[32768];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	bool more = true;

	if (fd < 0 || send(fd, msg, msg->head.nlmsg_len, 0) < 0)
		vtct_die("netlink: %s", strerror(errno));
	while (more) {
		ssize_t len = recv(fd, answers, sizeof(answers), 0);
		const struct nlmsghdr *at = (const void *)answers;

		if (len < 0)
			vtct_die("netlink: %s", strerror(errno));
		for (; more && NLMSG_OK(at, len); at = NLMSG_NEXT(at, len))
			more = take(at, fn, arg);
	}
	close(fd);
}

static const struct nlattr *find(const void *attrs, size_t len, int type)
{
	const char *at = attrs, *limit = at + len;

	while (at + NLA_HDRLEN <= limit) {
		const struct nlattr *attr = (const void *)at;

		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		at += NLA_ALIGN(attr->nla_len);
	}
	return NULL;
}

static const struct nlattr *find_in(const struct nlmsghdr *msg, int type)
{
	return find((const char *)NLMSG_DATA(msg) + GENL_HDRLEN,
		    msg->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), type);
}

/* A number of two, four or eight bytes; 0 if it is not there. */
static uint64_t number(const struct nlattr *attr)
{
	uint64_t value = 0;

	if (attr)
		memcpy(&value, (const char *)attr + NLA_HDRLEN,
		       attr->nla_len - NLA_HDRLEN);
	return value;
}

static void take_family(const struct nlmsghdr *msg, void *arg)
{
	*(uint16_t *)arg = (uint16_t)number(find_in(msg, CTRL_ATTR_FAMILY_ID));
}

static struct message shaper_message(const char *nic, uint8_t cmd, uint16_t flags)
{
	struct message msg = new_message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	uint16_t family = 0;

	put(&msg, CTRL_ATTR_FAMILY_NAME, "net-shaper", sizeof("net-shaper"));
	ask(&msg, take_family, &family);
	msg = new_message(family, cmd, flags);
	put_u32(&msg, IFINDEX, if_nametoindex(nic));
	return msg;
}

/* ---- What is there ---- */

static void say_handle(FILE *to, const struct nlattr *attr, const char *before)
{
	static const char *const scopes[] = { "nothing", "card", "queue", "node" };
	const char *in = (const char *)attr + NLA_HDRLEN;
	size_t len = attr ? attr->nla_len - NLA_HDRLEN : 0;
	uint64_t scope = attr ? number(find(in, len, SCOPE)) : 0;

	fprintf(to, "%s%s", before, scopes[scope & 3]);
	if (scope > CARD)
		fprintf(to, " %u", (unsigned int)number(find(in, len, ID)));
}

static void say_number(FILE *to, const char *name, const struct nlattr *attr)
{
	if (number(attr))
		fprintf(to, " %s %llu", name, (unsigned long long)number(attr));
}

static void take_shaper(const struct nlmsghdr *msg, void *arg)
{
	say_handle(arg, find_in(msg, HANDLE), "");
	if (find_in(msg, PARENT))
		say_handle(arg, find_in(msg, PARENT), " in ");
	say_number(arg, "metric", find_in(msg, METRIC));
	say_number(arg, "min", find_in(msg, BW_MIN));
	say_number(arg, "max", find_in(msg, BW_MAX));
	say_number(arg, "weight", find_in(msg, WEIGHT));
	fputc('\n', arg);
}

const char *shapers_of(const char *nic)
{
	struct message msg = shaper_message(nic, GET, NLM_F_DUMP);
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		vtct_die("memory is out");
	ask(&msg, take_shaper, to);
	fclose(to);
	return text;
}

/* ---- Somebody else's ---- */

static void set(const char *nic, uint32_t scope, uint32_t id, uint64_t min_bps,
		uint64_t max_bps)
{
	struct message msg = shaper_message(nic, SET, NLM_F_ACK);

	put_handle(&msg, scope, id);
	put_u32(&msg, METRIC, 0);
	put_rate(&msg, BW_MIN, min_bps);
	put_rate(&msg, BW_MAX, max_bps);
	ask(&msg, NULL, NULL);
}

void shapers_set(const char *nic, uint32_t queue, uint64_t min_bps, uint64_t max_bps)
{
	set(nic, QUEUE, queue, min_bps, max_bps);
}

void shapers_set_card(const char *nic, uint64_t max_bps)
{
	set(nic, CARD, 0, 0, max_bps);
}

void shapers_set_node(const char *nic, uint32_t node, uint64_t max_bps)
{
	set(nic, NODE, node, 0, max_bps);
}

void shapers_delete(const char *nic, uint32_t queue)
{
	struct message msg = shaper_message(nic, DELETE, NLM_F_ACK);

	put_handle(&msg, QUEUE, queue);
	ask(&msg, NULL, NULL);
}

void shapers_group(const char *nic, uint32_t a, uint32_t b, uint64_t max_bps)
{
	struct message msg = shaper_message(nic, GROUP, NLM_F_ACK);
	const uint32_t queues[] = { a, b };

	put_handle(&msg, NODE, -1);
	put_u32(&msg, METRIC, 0);
	put_rate(&msg, BW_MAX, max_bps);
	for (int i = 0; i < 2; i++) {
		uint32_t leaf = begin(&msg, LEAVES);

		put_handle(&msg, QUEUE, queues[i]);
		end(&msg, leaf);
	}
	ask(&msg, NULL, NULL);
}
