/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which queue pair a received packet goes to: a hash of what names its flow, so that the
 * order within a flow is kept. IP addresses and, in packets that are no fragments, ports;
 * of others the MAC addresses.
 */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "xsk-port.h"

#define TAGS_MAX 2

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t add(uint64_t hash, const uint8_t *bytes, uint32_t len)
{
	uint64_t word;

	for (; len >= 8; len -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, bytes, len);
	return len ? mix(hash, word) : hash;
}

static unsigned int word16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static uint64_t add_ports(uint64_t hash, const uint8_t *at, uint32_t len,
			  uint8_t protocol)
{
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP &&
	    protocol != IPPROTO_SCTP)
		return hash;
	return len < 4 ? hash : add(hash, at, 4);
}

static uint64_t hash_ip4(const uint8_t *at, uint32_t len)
{
	uint32_t head = (at[0] & 15u) * 4;
	bool fragment = word16(at + 6) & 0x3fff;
	uint64_t hash = add(4, at + 12, 8);

	return fragment || head > len ? hash
				      : add_ports(hash, at + head, len - head, at[9]);
}

static uint64_t hash_ip6(const uint8_t *at, uint32_t len)
{
	return add_ports(add(6, at + 8, 32), at + 40, len - 40, at[6]);
}

static uint64_t hash_packet(const uint8_t *packet, uint32_t len)
{
	uint32_t at = 12;
	unsigned int type;

	if (len < 14)
		return 0;
	type = word16(packet + at);
	for (int i = 0; i < TAGS_MAX && len >= at + 6 &&
			(type == ETH_P_8021Q || type == ETH_P_8021AD);
	     i++) {
		at += 4;
		type = word16(packet + at);
	}
	at += 2;
	if (type == ETH_P_IP && len >= at + 20)
		return hash_ip4(packet + at, len - at);
	if (type == ETH_P_IPV6 && len >= at + 40)
		return hash_ip6(packet + at, len - at);
	return add(1, packet, 12);
}

unsigned int vtc__xsk_spread(const uint8_t *packet, uint32_t len, unsigned int count)
{
	return (unsigned int)(hash_packet(packet, len) >> 32) % count;
}
