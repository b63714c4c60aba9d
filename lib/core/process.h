/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes as owners of things: a number is given out again when its process is gone, so
 * the start time belongs to it.
 */
#ifndef VTC__PROCESS_H
#define VTC__PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctx.h"

#define VTC__BOOT_LEN 37 /* the kernel's name for this run of the machine, and a NUL */

/* What /proc/PID/stat tells. -EPROTO: the text is no such thing. */
struct vtc__process {
	uint32_t pid;
	uint64_t start; /* in clock ticks since the machine's start */
	bool dead;	/* waits for its parent to notice */
};

int vtc__process_parse(const char *text, size_t len, struct vtc__process *ret);

/*
 * Ourselves, by the numbers that /proc counts in; that may be an outer namespace's. pidns
 * tells which: the number of our PID namespace's file, its complement where /proc is not
 * of ours, 0 where there are none.
 */
int vtc__process_self(struct vtc_ctx *ctx, struct vtc__process *ret, uint32_t *ret_pidns);
/*
 * Whether a process may live in another PID namespace than ours (both as of self()): the
 * machine's first one sees the processes of all, any other has to take it for alive.
 */
bool vtc__process_elsewhere(struct vtc_ctx *ctx, uint32_t own, uint32_t pidns);
/* One that is there and cannot be looked at counts as alive. */
bool vtc__process_alive(struct vtc_ctx *ctx, uint32_t pid, uint64_t start);

int vtc__boot_id(struct vtc_ctx *ctx, char id[VTC__BOOT_LEN]);

#endif
