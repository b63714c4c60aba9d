/* SPDX-License-Identifier: MIT */
/*
 * Where a packet goes: to the port that its address is at, or to all others. Its bytes
 * are copied once, from the sender's memory to the receiver's.
 *
 * A receiver without room makes a sender wait, for a moment, and what the sender has for
 * others waits behind. So that a machine that does not read holds up nobody, it pays for
 * that with what it took before; when that is spent it loses its packets. Groups, and
 * what comes from the tap, never wait.
 */
#include "switch.h"

#include <string.h>
#include <time.h>

#define BURST 64u

/* Patience: for so many bytes that a port took, so long; and so many times at most. */
#define CREDIT_BYTES 8192u
#define CREDIT_NS    1000000u
#define CREDIT_TIMES 8u

/* Or the number of a port. */
enum { FOREIGN = -3, TO_NOBODY = -2, TO_ALL = -1 };

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
	if (!is_own(from, bytes + 6, now))
		return FOREIGN;
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

/* ---- Sending ---- */

static void earn(struct switch_port *to, const struct vtc_packet *packets,
		 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		to->credit += packets[i].len;
	if (to->credit > CREDIT_TIMES * CREDIT_BYTES)
		to->credit = CREDIT_TIMES * CREDIT_BYTES;
}

static bool is_patient_with(struct switch_port *to)
{
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	if (now < to->patient_until)
		return true;
	if (to->credit < CREDIT_BYTES)
		return false;
	to->credit -= CREDIT_BYTES;
	to->patient_until = now + CREDIT_NS;
	return true;
}

static bool is_up(const struct switch_port *p)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	return vtc_port_get_info(p->port, &info) == 0 && info.ready > 0;
}

/* How many are done with: sent, or lost. */
static unsigned int send_to(struct switch_port *to, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count,
			    bool can_wait)
{
	int r = vtc_port_send(to->port, queue, packets, count);
	unsigned int sent = r > 0 ? (unsigned int)r : 0;

	earn(to, packets, sent);
	if (sent == count)
		return count;
	if (!is_up(to)) {
		to->nobody += count - sent;
		return count;
	}
	if (can_wait && is_patient_with(to))
		return sent;
	to->no_room += count - sent;
	return count;
}

static void send_to_all(struct switch_port *from, unsigned int queue,
			const struct vtc_packet *packets, unsigned int count)
{
	struct ethernet_switch *s = from->in;

	for (unsigned int i = 0; i < s->count; i++)
		if (&s->ports[i] != from)
			send_to(&s->ports[i], queue, packets, count, false);
}

/* How many are done with. */
static unsigned int send_on(struct switch_port *from, int target, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	if (target >= 0)
		return send_to(&from->in->ports[target], queue, packets, count,
			       !from->is_uplink);
	if (target == TO_ALL)
		send_to_all(from, queue, packets, count);
	else if (target == FOREIGN)
		from->foreign += count;
	return count;
}

/* Packets that go the same way go together. */
static unsigned int forward_burst(struct switch_port *from, unsigned int queue,
				  const struct vtc_packet *packets, unsigned int count)
{
	uint32_t now = switch_now();
	unsigned int done = 0, end;
	int targets[BURST];

	for (unsigned int i = 0; i < count; i++)
		targets[i] = target_of(from, &packets[i], now);
	while (done < count) {
		for (end = done + 1; end < count && targets[end] == targets[done];)
			end++;
		done += send_on(from, targets[done], queue, packets + done, end - done);
		if (done < end)
			break;
	}
	return done;
}

unsigned int switch_forward(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	struct switch_port *from = data;
	unsigned int done = 0, part, n;

	do {
		part = count - done < BURST ? count - done : BURST;
		n = forward_burst(from, queue, packets + done, part);
		done += n;
	} while (n == part && done < count);
	return done;
}
