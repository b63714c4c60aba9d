/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is told what to do line by line and says when it is done by a prompt,
 * as a child: DPDK's testpmd, and what stands in its place.
 */
#ifndef TESTPMD_H
#define TESTPMD_H

#include <stdbool.h>
#include <sys/types.h>

struct testpmd;

/* Whether this machine has DPDK's testpmd. */
bool testpmd_installed(void);

/*
 * Call this again and again as long as a program works on a line; sleeps in it, a
 * millisecond at most. The program may be waiting for an answer to one of its messages.
 */
typedef void (*testpmd_meanwhile_fn)(void *data);

/* As processor: with several, the one that a test is least likely to be on. */
#define TESTPMD_LAST (~0u)

/*
 * Start "dpdk-testpmd EAL-ARGUMENTS -- -i ARGUMENTS" with memory of its own; a worker
 * thread moves the packets, on the same processor as all else of it. The program ends
 * with the caller. The name is for sockets and the like. NULL: it ended, or never asked
 * for a line.
 */
struct testpmd *testpmd_start(const char *name, unsigned int processor, const char *eal,
			      const char *arguments, testpmd_meanwhile_fn meanwhile,
			      void *data);

/* The same with any program whose prompt is this. Arguments are split at blanks. */
struct testpmd *testpmd_start_other(const char *prompt, const char *command,
				    testpmd_meanwhile_fn meanwhile, void *data);

/*
 * Give it a line, and wait for its prompt: what it wrote until then, valid until the
 * next; NULL if it ended or took too long.
 */
const char *testpmd_do(struct testpmd *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What it wrote last. */
const char *testpmd_output(const struct testpmd *t);

pid_t testpmd_pid(const struct testpmd *t);

/* As it pleases, or at once. Both wait for its end; NULL is allowed. */
void testpmd_quit(struct testpmd *t);
void testpmd_kill(struct testpmd *t);

#endif
