/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend that may do anything to a vhost-user backend: a good one to begin with, and
 * then what the bytes of an input say. Its memory has the rings in front (ring n at page
 * n), and buffers behind. Nothing that it sends is waited for, and errors are its own.
 */
#ifndef VTCT_HOSTILE_H
#define VTCT_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include "endpoint/vhost-message.h"

#define HOSTILE_RINGS	4u
#define HOSTILE_PAGE	4096u
#define HOSTILE_LEN	(16 * HOSTILE_PAGE)
#define HOSTILE_GUEST	0x100000ull
#define HOSTILE_USER	0x7f0000000000ull
#define HOSTILE_BUFFERS (8 * HOSTILE_PAGE) /* offset */
#define HOSTILE_RECORD	(6 * HOSTILE_PAGE) /* of chains in flight */
#define HOSTILE_DRIVER	0x800u		   /* offsets in the page of a ring */
#define HOSTILE_DEVICE	0xc00u
#define HOSTILE_SIZE	16u

enum hostile_fd {
	HOSTILE_SEALED,	  /* its memory */
	HOSTILE_SMALL,	  /* sealed, one page */
	HOSTILE_UNSEALED, /* as large as its memory */
	HOSTILE_BELL,
	HOSTILE_BLOCKING, /* eventfd without O_NONBLOCK */
	HOSTILE_PIPE,
	HOSTILE_SOCKET,
	HOSTILE_NULL,	/* /dev/null */
	HOSTILE_ZERO,	/* /dev/zero, for reading */
	HOSTILE_FOLDER, /* a directory */
	HOSTILE_FULL,	/* an eventfd that takes no more */
	HOSTILE_FDS,
};

struct hostile {
	int fd; /* the connection */
	int fds[HOSTILE_FDS];
	int kick[HOSTILE_RINGS], call[HOSTILE_RINGS];
	uint8_t *base;
	uint32_t flags; /* of its requests */
	uint32_t start; /* base of its rings, as its features have it */
};

/* The connection stays the caller's until hostile_close(). */
void hostile_open(struct hostile *h, int fd);
void hostile_close(struct hostile *h);

/* A message of the size that its payload has; payload may be NULL. */
void hostile_send(struct hostile *h, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, unsigned int count);
void hostile_send_u64(struct hostile *h, uint32_t request, uint64_t value);
void hostile_send_state(struct hostile *h, uint32_t request, uint32_t index,
			uint32_t num);

/* Read all answers, and close what comes with them; how many there were. */
unsigned int hostile_read(struct hostile *h);

/* The parts of a good beginning. */
void hostile_greet(struct hostile *h, uint64_t features, uint64_t protocol);
void hostile_share(struct hostile *h);
void hostile_start(struct hostile *h, uint32_t ring);
struct vtc__vhost_addr hostile_addr(uint32_t ring);

/* All of it, with the rings of one queue pair. */
void hostile_begin(struct hostile *h, uint64_t features);

/* Do what the bytes say; serve() lets the backend do its part. */
void hostile_act(struct hostile *h, const uint8_t *bytes, size_t len,
		 void (*serve)(void));

#endif
