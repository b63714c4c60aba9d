/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backend of a vhost-user device, as a port. */
#ifndef VTC__VHOST_BACKEND_H
#define VTC__VHOST_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/port.h>

#include "loop.h"
#include "port.h"
#include "vhost-link.h"
#include "vhost-memory.h"
#include "vhost-ring.h"

#define VTC__VHOST_WHY_MAX 320

struct vtc__vhost_backend {
	struct vtc_port port;
	struct vtc__vhost_link *link;
	struct vtc__vhost_ring *rings; /* 2 for each queue pair */
	struct vtc__burst *burst;      /* for what is thrown away */
	struct vtc__timer timer;
	uint64_t offered;
	uint8_t mac[6];
	uint16_t own_mtu;
	uint64_t connections;
	char name[108];
	char error[VTC__VHOST_WHY_MAX];

	/* Of the connection. */
	struct vtc__vhost_space space;
	struct vtc__vhost_setting setting; /* its features: what was negotiated */
	uint64_t protocol;
	uint8_t status;
	uint16_t mtu;
	int channel; /* to the frontend, for requests of ours; or -1 */
};

/* The options have been checked; the error record is written. */
int vtc__vhost_backend_open(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			    struct vtc_port **ret_port);

/* Parts have come or gone: start what can start, and tell the relay. */
int vtc__vhost_backend_update(struct vtc__vhost_backend *b, const char **ret_why);

/*
 * Do what a message says, and reply (vhost-request.c). 0; 1: refused, and the frontend
 * was told so if it wanted to know; negative: the connection is to end for this reason.
 */
int vtc__vhost_request(struct vtc__vhost_backend *b, struct vtc__vhost_message *m,
		       const char **ret_why);

#endif
