/* SPDX-License-Identifier: MIT */
/* What the files of vtcctl switch share. */
#ifndef VTCCTL_SWITCH_H
#define VTCCTL_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/relay.h>
#include <vtc/types.h>

#include "addresses.h"
#include "vtcctl.h"

#define SWITCH_PORTS_MAX (LIST_MAX + 1) /* sockets, and the tap */

/* What the statistics are made of: the sum over all queues. */
struct switch_sample {
	struct vtc_port_stats sum;
	uint64_t time_ns;
};

struct switch_port {
	struct ethernet_switch *in;
	struct vtc_port *port;
	struct vtc_port *inbox; /* a callback: what the port receives */
	const char *name;
	const char *capture; /* file; NULL: none */
	unsigned int number;
	bool is_uplink;
	bool is_bound; /* it may use the next and no other */
	struct vtc_mac mac;
	uint64_t connections;	/* that were noticed */
	uint64_t foreign;	/* packets from an address that is not its own */
	uint64_t no_room;	/* packets that it did not take */
	uint64_t nobody;	/* packets that came while it was not up */
	uint64_t credit;	/* bytes that it took, and did not spend on patience */
	uint64_t patient_until; /* ns */
	struct switch_sample last;
	char said[256];	  /* the last error that was said */
	uint32_t said_at; /* second */
};

struct ethernet_switch {
	struct tool *tool;
	struct vtc_relay *relay;
	struct addresses *addresses;
	struct switch_port ports[SWITCH_PORTS_MAX];
	unsigned int count;
	bool is_direct; /* two ports joined, and nothing looks at the packets */
};

/* ---- switch-ports.c ---- */

/* Open and join what the settings say. Returns 0 or an exit code. */
int switch_open(struct ethernet_switch *s);
void switch_close(struct ethernet_switch *s);

/*
 * What was learned from a machine that has gone is forgotten; why it was left is said.
 */
void switch_follow_connections(struct ethernet_switch *s);

/* ---- switch-forward.c ---- */

uint32_t switch_now(void); /* in seconds */

/* The number that an address is. */
uint64_t switch_address(const uint8_t *bytes);

/*
 * What a port received; data is its struct switch_port. Returns how many are done with;
 * the rest waits for room.
 */
unsigned int switch_forward(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count);

/* ---- switch-stats.c ---- */

/* From here on rates are counted. */
void switch_start_stats(struct ethernet_switch *s);

void switch_print_stats(struct ethernet_switch *s);

#endif
