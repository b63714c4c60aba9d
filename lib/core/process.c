/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes: see process.h. */
#include "process.h"

#include <errno.h>
#include <string.h>

#include "sysfs.h"
#include "text.h"

/* Places of the fields behind the name, which may itself hold anything. */
#define FIELD_STATE   0
#define FIELD_THREADS 17
#define FIELD_START   19

/* The n-th word of a text; "" if there are fewer. */
static void word(const char *text, unsigned int n, char *buf, size_t len)
{
	size_t size;

	for (;; n--) {
		text += strspn(text, " ");
		size = strcspn(text, " \n");
		if (!n)
			break;
		text += size;
	}
	if (size >= len)
		size = 0;
	memcpy(buf, text, size);
	buf[size] = '\0';
}

static int number(const char *text, unsigned int n, uint64_t *ret)
{
	char buf[24];

	word(text, n, buf, sizeof(buf));
	return vtc__text_u64(buf, UINT64_MAX, ret);
}

int vtc__process_parse(const char *text, size_t len, struct vtc__process *ret)
{
	const char *behind = memrchr(text, ')', len);
	char fields[1024], state[2];
	uint64_t threads, start;
	size_t size;

	if (!behind)
		return -EPROTO;
	size = len - (size_t)(++behind - text);
	if (size >= sizeof(fields) || memchr(behind, '\0', size))
		return -EPROTO;
	memcpy(fields, behind, size);
	fields[size] = '\0';

	word(fields, FIELD_STATE, state, sizeof(state));
	if (!state[0] || number(fields, FIELD_THREADS, &threads) ||
	    number(fields, FIELD_START, &start))
		return -EPROTO;
	ret->start = start;
	/* A first thread that has ended looks dead while the others go on. */
	ret->dead = state[0] == 'X' || (state[0] == 'Z' && threads <= 1);
	return 0;
}

static int look(struct vtc_ctx *ctx, uint32_t pid, struct vtc__process *ret)
{
	char path[64], text[1024];
	ssize_t n;

	(void)vtc__path(path, sizeof(path), "/proc/%u/stat", pid);
	n = ctx->sys->read(ctx->sys_priv, path, text, sizeof(text));
	return n < 0 ? (int)n : vtc__process_parse(text, (size_t)n, ret);
}

int vtc__process_start(struct vtc_ctx *ctx, uint32_t pid, uint64_t *ret_start)
{
	struct vtc__process process;
	int err = look(ctx, pid, &process);

	if (!err)
		*ret_start = process.start;
	return err;
}

bool vtc__process_alive(struct vtc_ctx *ctx, uint32_t pid, uint64_t start)
{
	struct vtc__process process;
	int err = look(ctx, pid, &process);

	if (!err)
		return !process.dead && process.start == start;
	/* /proc may be told to hide the processes of others (hidepid). */
	return ctx->sys->process(ctx->sys_priv, pid) != -ESRCH;
}

int vtc__boot_id(struct vtc_ctx *ctx, char id[VTC__BOOT_LEN])
{
	char text[64];
	ssize_t n = ctx->sys->read(ctx->sys_priv, "/proc/sys/kernel/random/boot_id", text,
				   sizeof(text) - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	if (strspn(text, "0123456789abcdef-") != VTC__BOOT_LEN - 1)
		return -EPROTO;
	memcpy(id, text, VTC__BOOT_LEN - 1);
	id[VTC__BOOT_LEN - 1] = '\0';
	return 0;
}
