/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one turn of the benchmark gives to a VF: seven settings, each other than in the
 * turn before, so that no turn finds its work done.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>
#include <stdio.h>

#define PLAN_VFS      64
#define PLAN_SETTINGS 7

struct plan {
	uint8_t mac[6];
	uint32_t vlan, qos;
	uint32_t min_rate, max_rate;
	uint32_t on;	     /* spoof check, trust and RSS query */
	uint32_t link_state; /* 1: enable, 2: disable */
};

static inline struct plan plan_of(uint32_t turn, uint32_t vf)
{
	return (struct plan){
		.mac = { 0x02, 0x76, (uint8_t)(turn >> 8), (uint8_t)turn, 0,
			 (uint8_t)vf },
		.vlan = 1 + (turn * PLAN_VFS + vf) % 4094,
		.qos = (turn + vf) % 8,
		.min_rate = 1 + (turn + vf) % 100,
		.max_rate = 1000 + (turn + vf) % 1000,
		.on = turn % 2,
		.link_state = 1 + turn % 2,
	};
}

static inline void plan_mac_text(const struct plan *plan, char text[18])
{
	const uint8_t *m = plan->mac;

	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
}

#endif
