/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files below the context's sysfs root. Paths are relative to it ("bus/pci/devices/...").
 * All functions return bare -errno and leave the error record alone; -ENAMETOOLONG for a
 * path that does not fit.
 */
#ifndef VTC__SYSFS_H
#define VTC__SYSFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctx.h"

/*
 * Read a text file: without the white space at its end, NUL-terminated. Returns its
 * length. -EOVERFLOW: longer than the buffer; -EPROTO: a NUL inside.
 */
ssize_t vtc__sysfs_read(struct vtc_ctx *ctx, const char *path, char *buf, size_t len);

/* Read a file as it is, up to len bytes. */
ssize_t vtc__sysfs_read_raw(struct vtc_ctx *ctx, const char *path, void *buf, size_t len);

/*
 * Read one unsigned number, decimal or with 0x; -EPROTO: not exactly that, or above max.
 */
int vtc__sysfs_read_u64(struct vtc_ctx *ctx, const char *path, uint64_t max,
			uint64_t *ret);

/* As above; the common width. */
int vtc__sysfs_read_u32(struct vtc_ctx *ctx, const char *path, uint32_t *ret);

int vtc__sysfs_write(struct vtc_ctx *ctx, const char *path, const char *text);

/*
 * Write to a file that can hold the writer for minutes. -ETIMEDOUT when the deadline (on
 * vtc__now_ns()) passes; -EBUSY while an earlier slow write to the same path still goes
 * on.
 */
int vtc__sysfs_write_slow(struct vtc_ctx *ctx, const char *path, const char *text,
			  uint64_t deadline_ns);

/*
 * Whether a slow write of this context to the path still goes on; reading it may block,
 * too.
 */
int vtc__sysfs_is_stuck(struct vtc_ctx *ctx, const char *path);

/*
 * Close the descriptors of slow writes; those that go on are left to end by themselves.
 */
void vtc__sysfs_forget_stuck(struct vtc_ctx *ctx);

/* Last part of what a symbolic link points to. -ENOENT: no such link. */
int vtc__sysfs_link_name(struct vtc_ctx *ctx, const char *path, char *buf, size_t len);

/* The path with all links resolved, relative to the root again. */
int vtc__sysfs_real(struct vtc_ctx *ctx, const char *path, char *buf, size_t len);

int vtc__sysfs_exists(struct vtc_ctx *ctx, const char *path);

/* Names in a directory, without those that begin with a dot, in no order. */
int vtc__sysfs_list(struct vtc_ctx *ctx, const char *path, vtc__name_fn fn, void *arg);

/* snprintf for paths: -ENAMETOOLONG instead of cutting. */
int vtc__path(char *buf, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether a name that came from outside may become a part of a path. */
int vtc__name_ok(const char *name);

#endif
