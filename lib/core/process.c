/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes: see process.h. */
#include "process.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"
#include "text.h"

/* The number of the first PID namespace's file, in all kernels (PROC_PID_INIT_INO). */
#define FIRST_NAMESPACE 0xeffffffcu

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

/* The text need not end with a NUL. */
static int first_number(const char *text, size_t len, uint32_t *ret)
{
	const char *end = memchr(text, ' ', len);
	char buf[16] = "";
	uint64_t number;

	if (!end || (size_t)(end - text) >= sizeof(buf))
		return -EPROTO;
	memcpy(buf, text, (size_t)(end - text));
	if (vtc__text_u64(buf, INT32_MAX, &number))
		return -EPROTO;
	*ret = (uint32_t)number;
	return 0;
}

int vtc__process_parse(const char *text, size_t len, struct vtc__process *ret)
{
	const char *behind = memrchr(text, ')', len);
	char fields[1024], state[2];
	uint64_t threads, start;
	uint32_t pid;
	size_t size;

	if (!behind || first_number(text, len, &pid))
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
	ret->pid = pid;
	ret->start = start;
	/* A first thread that has ended looks dead while the others go on. */
	ret->dead = state[0] == 'X' || (state[0] == 'Z' && threads <= 1);
	return 0;
}

static int look_at(struct vtc_ctx *ctx, const char *path, struct vtc__process *ret)
{
	char text[1024];
	ssize_t n = ctx->sys->read(ctx->sys_priv, path, text, sizeof(text));

	return n < 0 ? (int)n : vtc__process_parse(text, (size_t)n, ret);
}

static int look(struct vtc_ctx *ctx, uint32_t pid, struct vtc__process *ret)
{
	char path[64];

	(void)vtc__path(path, sizeof(path), "/proc/%u/stat", pid);
	return look_at(ctx, path, ret);
}

/* "pid:[4026531836]" */
static int read_namespace(struct vtc_ctx *ctx, const char *process, uint32_t *ret)
{
	char path[64], text[64], *end;
	uint64_t number;
	ssize_t n = vtc__path(path, sizeof(path), "/proc/%s/ns/pid", process);

	if (n == 0)
		n = ctx->sys->readlink(ctx->sys_priv, path, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	end = strchr(text, ']');
	if (!vtc__text_starts(text, "pid:[") || !end)
		return -EPROTO;
	*end = '\0';
	if (vtc__text_u64(text + 5, UINT32_MAX, &number))
		return -EPROTO;
	*ret = (uint32_t)number;
	return 0;
}

int vtc__process_self(struct vtc_ctx *ctx, struct vtc__process *ret, uint32_t *ret_pidns)
{
	uint32_t pidns;
	int err = look_at(ctx, "/proc/self/stat", ret);

	if (err)
		return err;
	if (read_namespace(ctx, "self", &pidns))
		pidns = 0;
	if (pidns && ret->pid != (uint32_t)getpid())
		pidns = ~pidns;
	*ret_pidns = pidns;
	return 0;
}

struct search {
	struct vtc_ctx *ctx;
	uint32_t pidns;
};

static int take_process(void *arg, const char *name)
{
	const struct search *search = arg;
	uint32_t pidns = 0;
	int err;

	if (name[strspn(name, "0123456789")])
		return 0;
	err = read_namespace(search->ctx, name, &pidns);
	if (err == -ENOENT || err == -ESRCH)
		return 0;
	return !err && (pidns == search->pidns || pidns == ~search->pidns) ? -EEXIST
									   : err;
}

bool vtc__process_elsewhere(struct vtc_ctx *ctx, uint32_t own, uint32_t pidns)
{
	struct search search = { ctx, pidns };

	return own != FIRST_NAMESPACE ||
	       ctx->sys->list(ctx->sys_priv, "/proc", take_process, &search) != 0;
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
