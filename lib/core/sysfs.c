/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysfs: see sysfs.h. */
#include "sysfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A slow write that outlived its deadline. While it goes on, its file is taboo. */
struct vtc__stuck {
	struct vtc__stuck *next;
	int helper;
	char path[VTC__PATH_MAX];
};

int vtc__path(char *buf, size_t len, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf, len, format, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

int vtc__name_ok(const char *name)
{
	return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strlen(name) < 128;
}

static int full_path(struct vtc_ctx *ctx, const char *path, char *buf)
{
	return vtc__path(buf, VTC__PATH_MAX, "%s/%s", ctx->sysfs_root, path);
}

ssize_t vtc__sysfs_read_raw(struct vtc_ctx *ctx, const char *path, void *buf, size_t len)
{
	char full[VTC__PATH_MAX];
	int err = full_path(ctx, path, full);

	return err ? err : ctx->sys->read(ctx->sys_priv, full, buf, len);
}

ssize_t vtc__sysfs_read(struct vtc_ctx *ctx, const char *path, char *buf, size_t len)
{
	ssize_t n = vtc__sysfs_read_raw(ctx, path, buf, len);

	if (n < 0)
		return n;
	if ((size_t)n >= len)
		return -EOVERFLOW;
	if (memchr(buf, '\0', (size_t)n))
		return -EPROTO;
	while (n > 0 && strchr(" \t\n", buf[n - 1]))
		n--;
	buf[n] = '\0';
	return n;
}

int vtc__sysfs_read_u64(struct vtc_ctx *ctx, const char *path, uint64_t max,
			uint64_t *ret)
{
	char text[32];
	ssize_t n = vtc__sysfs_read(ctx, path, text, sizeof(text));

	if (n == -EOVERFLOW)
		return -EPROTO;
	return n < 0 ? (int)n : vtc__text_u64(text, max, ret);
}

int vtc__sysfs_read_u32(struct vtc_ctx *ctx, const char *path, uint32_t *ret)
{
	uint64_t value;
	int err = vtc__sysfs_read_u64(ctx, path, UINT32_MAX, &value);

	if (!err)
		*ret = (uint32_t)value;
	return err;
}

int vtc__sysfs_write(struct vtc_ctx *ctx, const char *path, const char *text)
{
	char full[VTC__PATH_MAX];
	int err = full_path(ctx, path, full);

	if (err)
		return err;
	vtc__log(ctx, VTC_LOG_DEBUG, "write '%s' to %s", text, full);
	return ctx->sys->write(ctx->sys_priv, full, text, strlen(text));
}

/* Drop the slow writes that have ended; is there one left on this path? */
static int still_stuck(struct vtc_ctx *ctx, const char *full)
{
	struct vtc__stuck **at = &ctx->stuck;
	int found = 0;

	while (*at) {
		struct vtc__stuck *s = *at;

		if (ctx->sys->poll(ctx->sys_priv, s->helper, 0) == 0) {
			found |= strcmp(s->path, full) == 0;
			at = &s->next;
			continue;
		}
		ctx->sys->reap(ctx->sys_priv, s->helper);
		*at = s->next;
		free(s);
	}
	return found;
}

int vtc__sysfs_is_stuck(struct vtc_ctx *ctx, const char *path)
{
	char full[VTC__PATH_MAX];

	return full_path(ctx, path, full) == 0 && still_stuck(ctx, full);
}

void vtc__sysfs_forget_stuck(struct vtc_ctx *ctx)
{
	while (ctx->stuck) {
		struct vtc__stuck *s = ctx->stuck;

		ctx->stuck = s->next;
		ctx->sys->reap(ctx->sys_priv, s->helper);
		free(s);
	}
}

int vtc__sysfs_write_slow(struct vtc_ctx *ctx, const char *path, const char *text,
			  uint64_t deadline_ns)
{
	uint64_t now = vtc__now_ns(ctx);
	struct vtc__stuck *s;
	int err;

	/*
	 * Made before it is needed: when the write is out there, nothing may fail here.
	 */
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = full_path(ctx, path, s->path);
	if (!err && still_stuck(ctx, s->path))
		err = -EBUSY;
	if (!err && now >= deadline_ns)
		err = -ETIMEDOUT;
	if (err) {
		free(s);
		return err;
	}

	vtc__log(ctx, VTC_LOG_DEBUG, "write '%s' to %s", text, s->path);
	s->helper = -1;
	err = ctx->sys->write_slow(ctx->sys_priv, s->path, text, strlen(text),
				   deadline_ns - now, &s->helper);
	if (err != -ETIMEDOUT || s->helper < 0) {
		free(s);
		return err;
	}
	s->next = ctx->stuck;
	ctx->stuck = s;
	return err;
}

int vtc__sysfs_link_name(struct vtc_ctx *ctx, const char *path, char *buf, size_t len)
{
	char full[VTC__PATH_MAX], target[VTC__PATH_MAX];
	const char *slash;
	ssize_t n;
	int err = full_path(ctx, path, full);

	if (err)
		return err;
	n = ctx->sys->readlink(ctx->sys_priv, full, target, sizeof(target));
	if (n < 0)
		return (int)n;
	if ((size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return vtc__text_copy(buf, len, slash ? slash + 1 : target);
}

/* Resolved once: it takes as many system calls as the path below it. */
static int find_real_root(struct vtc_ctx *ctx)
{
	if (ctx->real_root[0])
		return 0;
	return ctx->sys->realpath(ctx->sys_priv, ctx->sysfs_root, ctx->real_root,
				  sizeof(ctx->real_root));
}

int vtc__sysfs_real(struct vtc_ctx *ctx, const char *path, char *buf, size_t len)
{
	char full[VTC__PATH_MAX], real[VTC__PATH_MAX];
	size_t n;
	int err = full_path(ctx, path, full);

	if (!err)
		err = ctx->sys->realpath(ctx->sys_priv, full, real, sizeof(real));
	if (!err)
		err = find_real_root(ctx);
	if (err)
		return err;

	n = strlen(ctx->real_root);
	if (strncmp(real, ctx->real_root, n) != 0 || real[n] != '/')
		return -EXDEV;
	return vtc__text_copy(buf, len, real + n + 1);
}

int vtc__sysfs_exists(struct vtc_ctx *ctx, const char *path)
{
	char full[VTC__PATH_MAX], real[VTC__PATH_MAX];

	return full_path(ctx, path, full) == 0 &&
	       ctx->sys->realpath(ctx->sys_priv, full, real, sizeof(real)) == 0;
}

int vtc__sysfs_list(struct vtc_ctx *ctx, const char *path, vtc__name_fn fn, void *arg)
{
	char full[VTC__PATH_MAX];
	int err = full_path(ctx, path, full);

	return err ? err : ctx->sys->list(ctx->sys_priv, full, fn, arg);
}
