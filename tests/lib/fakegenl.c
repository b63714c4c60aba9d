/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Generic netlink of the fake kernel: the controller, and families whose answers a test
 * sets.
 */
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "fakekernel-internal.h"

struct command {
	bool known, answered;
	int error;
	struct vtct_buf attrs;
};

struct vtct_family {
	struct vtct_family *next;
	char name[GENL_NAMSIZ];
	uint16_t id;
	struct command cmds[256];
};

static struct vtct_family *find_family(const struct vtct_kernel *k, uint16_t id)
{
	struct vtct_family *family;

	for (family = k->families; family; family = family->next)
		if (family->id == id)
			return family;
	return NULL;
}

uint16_t vtct_genl_family(struct vtct_kernel *k, const char *name, const uint8_t *cmds,
			  size_t count)
{
	struct vtct_family *family = vtct_alloc(sizeof(*family));
	size_t i;

	strncpy(family->name, name, sizeof(family->name) - 1);
	family->id = k->next_family++;
	for (i = 0; i < count; i++)
		family->cmds[cmds[i]].known = true;
	family->next = k->families;
	k->families = family;
	return family->id;
}

static struct command *command_of(struct vtct_kernel *k, uint16_t id, uint8_t cmd)
{
	struct vtct_family *family = find_family(k, id);

	if (!family)
		vtct_die("no such family: %u", id);
	return &family->cmds[cmd];
}

void vtct_genl_answer(struct vtct_kernel *k, uint16_t family, uint8_t cmd,
		      const struct vtct_buf *attrs)
{
	struct command *c = command_of(k, family, cmd);

	c->answered = true;
	c->error = 0;
	c->attrs.len = 0;
	if (attrs)
		vtct_buf_add(&c->attrs, attrs->data, attrs->len);
}

void vtct_genl_error(struct vtct_kernel *k, uint16_t family, uint8_t cmd, int error)
{
	struct command *c = command_of(k, family, cmd);

	c->answered = true;
	c->error = error;
}

/* ---- The controller ---- */

static void put_family(struct vtct_buf *buf, const struct vtct_family *family)
{
	size_t ops, op;
	int i, n = 0;

	vtct_put_str(buf, CTRL_ATTR_FAMILY_NAME, family->name);
	vtct_put_u16(buf, CTRL_ATTR_FAMILY_ID, family->id);
	vtct_put_u32(buf, CTRL_ATTR_VERSION, 1);
	vtct_put_u32(buf, CTRL_ATTR_HDRSIZE, 0);
	vtct_put_u32(buf, CTRL_ATTR_MAXATTR, 0);
	ops = vtct_nest(buf, CTRL_ATTR_OPS);
	for (i = 0; i < 256; i++) {
		if (!family->cmds[i].known)
			continue;
		op = vtct_nest(buf, ++n);
		vtct_put_u32(buf, CTRL_ATTR_OP_ID, (uint32_t)i);
		vtct_put_u32(buf, CTRL_ATTR_OP_FLAGS, GENL_CMD_CAP_DO);
		vtct_nest_end(buf, op);
	}
	vtct_nest_end(buf, ops);
}

static const struct vtct_family *wanted(const struct vtct_kernel *k,
					const struct nlattr *const *tb)
{
	const struct nlattr *name = tb[CTRL_ATTR_FAMILY_NAME];
	const struct vtct_family *family;

	if (!name)
		return NULL;
	for (family = k->families; family; family = family->next)
		if (strncmp(family->name, (const char *)name + NLA_HDRLEN,
			    name->nla_len - NLA_HDRLEN) == 0)
			return family;
	return NULL;
}

static int controller(const struct vtct_call_msg *call, const struct genlmsghdr *head)
{
	struct genlmsghdr answer = { .cmd = CTRL_CMD_NEWFAMILY, .version = 2 };
	struct vtct_buf buf = VTCT_BUF_INIT;
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];
	const struct vtct_family *family;
	size_t msg;

	if (head->cmd != CTRL_CMD_GETFAMILY)
		return -EOPNOTSUPP;
	vtct_parse(tb, CTRL_ATTR_MAX, head + 1,
		   call->msg->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	family = wanted(call->k, tb);
	if (!family)
		return -ENOENT;
	msg = vtct_msg(&buf, GENL_ID_CTRL, 0, call->msg->nlmsg_seq, &answer,
		       sizeof(answer));
	put_family(&buf, family);
	vtct_msg_end(&buf, msg);
	vtct_answer(call, &buf);
	vtct_buf_free(&buf);
	return 0;
}

/* ---- Families ---- */

static void answer_command(const struct vtct_call_msg *call,
			   const struct genlmsghdr *head, const struct command *c)
{
	bool dump = call->msg->nlmsg_flags & NLM_F_DUMP;
	struct vtct_buf buf = VTCT_BUF_INIT;
	const int zero = 0;
	size_t msg;

	if (c->attrs.len) {
		msg = vtct_msg(&buf, call->msg->nlmsg_type, dump ? NLM_F_MULTI : 0,
			       call->msg->nlmsg_seq, head, sizeof(*head));
		vtct_buf_add(&buf, c->attrs.data, c->attrs.len);
		vtct_msg_end(&buf, msg);
	}
	if (dump) {
		msg = vtct_msg(&buf, NLMSG_DONE, NLM_F_MULTI, call->msg->nlmsg_seq, &zero,
			       sizeof(zero));
		vtct_msg_end(&buf, msg);
	}
	if (buf.len)
		vtct_answer(call, &buf);
	vtct_buf_free(&buf);
}

int vtct_genl_request(const struct vtct_call_msg *call)
{
	const struct genlmsghdr *head = NLMSG_DATA(call->msg);
	const struct vtct_family *family;
	const struct command *c;

	if (call->msg->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EINVAL;
	if (call->msg->nlmsg_type == GENL_ID_CTRL)
		return controller(call, head);
	family = find_family(call->k, call->msg->nlmsg_type);
	if (!family)
		return -ENOENT;
	c = &family->cmds[head->cmd];
	if (!c->known || !c->answered)
		return -EOPNOTSUPP;
	if (!c->error)
		answer_command(call, head, c);
	return c->error;
}

void vtct_genl_free(struct vtct_kernel *k)
{
	struct vtct_family *family;
	int i;

	while ((family = k->families)) {
		k->families = family->next;
		for (i = 0; i < 256; i++)
			vtct_buf_free(&family->cmds[i].attrs);
		free(family);
	}
}
