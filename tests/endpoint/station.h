/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user port in a relay of its own, joined with a function that checks what comes
 * out: packets that are numbered and carry a sum of all their bytes, so that their
 * receiver may be another process.
 */
#ifndef VTCT_STATION_H
#define VTCT_STATION_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/port.h>
#include <vtc/relay.h>

#define STATION_QUEUES 4

struct station {
	struct vtc_ctx *ctx;
	struct vtc_relay *relay;
	struct vtc_port *port;
	struct vtc_port *callback;
	unsigned int queues;
	bool echo;	       /* joined with itself: sends nothing of its own */
	unsigned int max_len;  /* of the packets that it sends */
	unsigned int large;    /* one of so many is large; 0: none */
	bool refused;	       /* the last send: there was no room */
	bool repeats;	       /* packets may come again */
	unsigned int repeated; /* how many did */
	const char *wrong;     /* what came was */
	uint32_t total;	       /* packets to send on each queue */
	uint32_t sent[STATION_QUEUES];
	uint32_t got[STATION_QUEUES];
	void (*on_got)(struct station *s, unsigned int queue);
};

void station_open(struct station *s, const struct vtc_vhost_user_opts *opts);
/* The port goes, and another one comes. */
void station_go(struct station *s);
void station_come(struct station *s, const struct vtc_vhost_user_opts *opts);
void station_close(struct station *s);

/* Serve; then send what is left to send, as far as there is room. How many packets. */
unsigned int station_turn(struct station *s);

/* Wait until one of them has something to do. False: none had, for far too long. */
bool station_sleep(struct station *const *all, unsigned int count);

/* Turns and sleep until done() says so; what went wrong, or NULL. */
const char *station_run(struct station *const *all, unsigned int count,
			bool (*done)(struct station *const *all));

struct vtc_port_info station_info(const struct station *s);

#endif
