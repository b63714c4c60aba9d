/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reader of pcapng files, written from the specification alone, for tests. */
#ifndef VTCT_PCAPNG_H
#define VTCT_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define VTCT_PCAPNG_PACKETS_MAX 4096

struct vtct_pcapng_packet {
	const uint8_t *bytes;
	uint32_t captured;
	uint32_t original;
	uint64_t time;
	uint32_t direction; /* 1: in, 2: out; 0: not said */
	int64_t queue;	    /* -1: not said */
};

/* One section with one interface. */
struct vtct_pcapng {
	uint16_t link_type;
	uint32_t snaplen;
	uint8_t resolution; /* decimals of a second; 6 if not said */
	char name[256];
	unsigned int count;
	struct vtct_pcapng_packet packets[VTCT_PCAPNG_PACKETS_MAX];
	int has_statistics;
	uint64_t received;
	uint64_t dropped;
	size_t len; /* of all its blocks */
};

/* Reads one section; NULL, or what is wrong with it. */
const char *vtct_pcapng_read(const uint8_t *bytes, size_t len, struct vtct_pcapng *ret);

#endif
