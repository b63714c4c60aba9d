/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxdp (1.3) forgets to close descriptors of the programs that it looks at. They would
 * pile up in a process that is a host to many virtual machines for years; so those that
 * are new after a call, and are of the programs that the call was about, are closed here.
 * A libxdp that closes them itself leaves nothing to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "guard-internal.h"

#define DESCRIPTORS "/proc/self/fd"

/* Told each descriptor of this process: notes those of programs. */
static int note(void *arg, const char *name)
{
	struct vtc__guard_forgotten *forgotten = arg;
	char path[64], what[32];
	ssize_t len;

	snprintf(path, sizeof(path), DESCRIPTORS "/%.20s", name);
	len = readlink(path, what, sizeof(what) - 1);
	if (len < 0)
		return 0;
	what[len] = '\0';
	if (strcmp(what, "anon_inode:bpf-prog") != 0)
		return 0;
	if (forgotten->count == VTC__GUARD_FORGOTTEN_MAX)
		return -E2BIG;
	forgotten->fds[forgotten->count++] = atoi(name);
	return 0;
}

static int note_all(struct vtc_ctx *ctx, struct vtc__guard_forgotten *forgotten)
{
	forgotten->count = 0;
	return ctx->sys->list(ctx->sys_priv, DESCRIPTORS, note, forgotten);
}

static uint32_t dispatcher_on(uint32_t ifindex)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t program = 0;

	(void)vtc__guard_present(ifindex, &program, name);
	return program;
}

void vtc__guard_forgotten_begin(struct vtc__guard_forgotten *forgotten,
				struct vtc_ctx *ctx, uint32_t ifindex)
{
	forgotten->dispatcher = dispatcher_on(ifindex);
	forgotten->known = note_all(ctx, forgotten) == 0;
}

static bool had(const struct vtc__guard_forgotten *before, int fd)
{
	unsigned int i;

	for (i = 0; i < before->count; i++)
		if (before->fds[i] == fd)
			return true;
	return false;
}

static bool is_program(int fd, uint32_t program)
{
	struct bpf_prog_info info = { .id = 0 };
	uint32_t len = sizeof(info);

	return program && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       info.id == program;
}

void vtc__guard_forgotten_end(const struct vtc__guard_forgotten *before,
			      struct vtc_ctx *ctx, uint32_t ifindex, uint32_t program,
			      int keep)
{
	uint32_t dispatcher = dispatcher_on(ifindex);
	struct vtc__guard_forgotten now;
	unsigned int i;

	if (!before->known || note_all(ctx, &now) < 0)
		return;
	for (i = 0; i < now.count; i++) {
		int fd = now.fds[i];

		if (fd != keep && !had(before, fd) &&
		    (is_program(fd, program) || is_program(fd, dispatcher) ||
		     is_program(fd, before->dispatcher)))
			close(fd);
	}
}
