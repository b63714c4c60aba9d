/* SPDX-License-Identifier: MIT */
/*
 * Where a packet goes: to the port that its address is at, or to all others. Its bytes
 * are copied once, from the sender's memory to the receiver's. A port that takes none
 * loses what is for it: a machine that does not read holds up nobody else.
 */
#include "switch.h"

#include <string.h>
#include <time.h>

#define BURST 64u

enum { TO_NOBODY = -2, TO_ALL = -1 }; /* or the number of a port */

uint32_t switch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

/* The machine can change its memory at any moment: what is decided by is a copy. */
static bool read_addresses(const struct vtc_packet *packet, uint8_t addresses[12])
{
	size_t done = 0;

	for (uint32_t i = 0; i < packet->count && done < 12; i++) {
		const struct vtc_segment *segment = &packet->segments[i];
		size_t len = segment->len < 12 - done ? segment->len : 12 - done;

		memcpy(addresses + done, segment->base, len);
		done += len;
	}
	return done == 12;
}

uint64_t switch_address(const uint8_t *bytes)
{
	uint64_t address = 0;

	for (int i = 0; i < 6; i++)
		address = address << 8 | bytes[i];
	return address;
}

static bool is_group(const uint8_t *address)
{
	return address[0] & 1;
}

/* 01:80:c2:00:00:00 to 0f are for the next bridge, and this is one. */
static bool is_link_local(uint64_t address)
{
	return address >> 4 == 0x0180c200000ull;
}

/* Whether the port may send with this address. */
static bool is_own(struct switch_port *from, const uint8_t *source, uint32_t now)
{
	struct addresses *addresses = from->in->addresses;
	uint64_t address = switch_address(source);

	if (is_group(source) || address == 0)
		return false;
	if (from->is_bound)
		return addresses_find(addresses, address, now) == (int)from->number;
	return addresses_learn(addresses, address, from->number, from->is_uplink, now);
}

static int target_of(struct switch_port *from, const struct vtc_packet *packet,
		     uint32_t now)
{
	uint8_t bytes[12];
	uint64_t to;
	int port;

	if (!read_addresses(packet, bytes))
		return TO_NOBODY;
	if (!is_own(from, bytes + 6, now)) {
		from->foreign++;
		return TO_NOBODY;
	}
	to = switch_address(bytes);
	if (is_link_local(to))
		return TO_NOBODY;
	if (is_group(bytes))
		return TO_ALL;
	port = addresses_find(from->in->addresses, to, now);
	if (port < 0)
		return TO_ALL;
	return port == (int)from->number ? TO_NOBODY : port;
}

static void send_to(struct switch_port *to, unsigned int queue,
		    const struct vtc_packet *packets, unsigned int count)
{
	int sent = vtc_port_send(to->port, queue, packets, count);

	to->no_room += count - (unsigned int)(sent > 0 ? sent : 0);
}

static void send_on(struct switch_port *from, int target, unsigned int queue,
		    const struct vtc_packet *packets, unsigned int count)
{
	struct ethernet_switch *s = from->in;

	if (target >= 0) {
		send_to(&s->ports[target], queue, packets, count);
		return;
	}
	for (unsigned int i = 0; target == TO_ALL && i < s->count; i++)
		if (&s->ports[i] != from)
			send_to(&s->ports[i], queue, packets, count);
}

/* Packets that go the same way go together. */
static void forward_burst(struct switch_port *from, unsigned int queue,
			  const struct vtc_packet *packets, unsigned int count)
{
	uint32_t now = switch_now();
	unsigned int first = 0;
	int targets[BURST];

	for (unsigned int i = 0; i < count; i++) {
		targets[i] = target_of(from, &packets[i], now);
		if (targets[i] == targets[first])
			continue;
		send_on(from, targets[first], queue, packets + first, i - first);
		first = i;
	}
	send_on(from, targets[first], queue, packets + first, count - first);
}

unsigned int switch_forward(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	struct switch_port *from = data;

	for (unsigned int done = 0; done < count; done += BURST)
		forward_burst(from, queue, packets + done,
			      count - done < BURST ? count - done : BURST);
	return count;
}
