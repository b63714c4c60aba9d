/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two programs joined by vhost-user: a backend, the library's or DPDK's, and a driver,
 * always DPDK's. A pair that is not measured waits for an order.
 */
#ifndef VHOST_PAIR_H
#define VHOST_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAIR_SOCKET_MAX 96

enum who { OWN, PEER, SIDES };

/* For the driver's memory; a peer's backend has the same. */
enum pages { HUGE, SMALL, PAGES };

enum mode {
	DEQUEUE, /* the driver sends, the backend takes */
	ENQUEUE, /* the other way */
	LOOP,	 /* the backend sends back what it gets */
	VM2VM,	 /* two ports: to the other one; the driver sends it back */
	MODES
};

struct testpmd;

struct program {
	struct testpmd *t;
	pid_t worker; /* thread that moves the packets */
};

struct pair {
	struct program backend, driver;
	char socket[PAIR_SOCKET_MAX]; /* and "-0", "-1" */
};

struct pair_plan {
	const char *dir; /* for sockets */
	const char *bin; /* where the programs of the benchmark are */
	enum who who;
	enum pages pages;
	bool packed;
	unsigned int ports, queues;
};

struct pair pair_start(const struct pair_plan *plan);
void pair_end(const struct pair *pair);

/* The backend alone; whatever connects to its socket. */
struct pair pair_start_backend(const struct pair_plan *plan);

/* What it answered; ends the benchmark if it does not. */
const char *program_order(const struct program *p, const char *line);
/* The number behind a key in an answer; -1: there is none. */
double program_value(const char *output, const char *key);

struct figure {
	double ns;     /* for a packet */
	double cycles; /* of the backend for a packet */
	bool busy;     /* the backend, most of the time */
};

/* What the programs are to do, before a window. */
void pair_prepare(const struct pair *pair, enum mode mode, uint32_t bytes);

/* A window; false: a thread did not run all the time. */
bool pair_run(const struct pair *pair, enum mode mode, struct figure *ret);

#endif
