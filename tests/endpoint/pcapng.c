/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pcapng.h"

#include <string.h>

struct options {
	const uint8_t *at;
	const uint8_t *end;
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* 1: there is one; 0: none any more; -1: they are malformed. */
static int next_option(struct options *o, uint16_t *code, uint16_t *len,
		       const uint8_t **value)
{
	size_t padded;

	if (o->at == o->end)
		return 0;
	if (o->end - o->at < 4)
		return -1;
	*code = get16(o->at);
	*len = get16(o->at + 2);
	*value = o->at + 4;
	padded = ((size_t)*len + 3) & ~(size_t)3;
	if (*code == 0)
		return *len == 0 && o->end - o->at == 4 ? 0 : -1;
	if ((size_t)(o->end - *value) < padded)
		return -1;
	o->at = *value + padded;
	return 1;
}

static const char *read_interface(const uint8_t *b, size_t len, struct vtct_pcapng *p)
{
	struct options o = { b + 16, b + len - 4 };
	const uint8_t *value;
	uint16_t code, size;
	int r;

	if (len < 20)
		return "an interface that is too short";
	p->link_type = get16(b + 8);
	p->snaplen = get32(b + 12);
	p->resolution = 6;
	while ((r = next_option(&o, &code, &size, &value)) > 0) {
		if (code == 2 && size < sizeof(p->name))
			memcpy(p->name, value, size);
		if (code == 9 && size == 1)
			p->resolution = *value;
	}
	return r < 0 ? "malformed options of an interface" : NULL;
}

static const char *read_packet(const uint8_t *b, size_t len, struct vtct_pcapng *p)
{
	struct vtct_pcapng_packet *packet = &p->packets[p->count++];
	struct options o = { NULL, b + len - 4 };
	const uint8_t *value;
	uint16_t code, size;
	size_t padded;
	int r;

	if (len < 32 || p->count == VTCT_PCAPNG_PACKETS_MAX)
		return "a packet that is too short, or too many";
	*packet = (struct vtct_pcapng_packet){
		.bytes = b + 28,
		.time = (uint64_t)get32(b + 12) << 32 | get32(b + 16),
		.captured = get32(b + 20),
		.original = get32(b + 24),
		.queue = -1,
	};
	padded = ((size_t)packet->captured + 3) & ~(size_t)3;
	if (get32(b + 8) != 0 || padded > len - 32)
		return "a packet of another interface, or longer than its block";
	for (size_t i = packet->captured; i < padded; i++)
		if (packet->bytes[i])
			return "padding that is not zero";
	o.at = packet->bytes + padded;
	while ((r = next_option(&o, &code, &size, &value)) > 0) {
		if (code == 2 && size == 4)
			packet->direction = get32(value) & 3;
		if (code == 6 && size == 4)
			packet->queue = get32(value);
	}
	return r < 0 ? "malformed options of a packet" : NULL;
}

static const char *read_statistics(const uint8_t *b, size_t len, struct vtct_pcapng *p)
{
	struct options o = { b + 20, b + len - 4 };
	const uint8_t *value;
	uint16_t code, size;
	int r;

	if (len < 24 || get32(b + 8) != 0 || p->has_statistics)
		return "statistics that are too short, or of another interface";
	p->has_statistics = 1;
	while ((r = next_option(&o, &code, &size, &value)) > 0) {
		if (code == 4 && size == 8)
			p->received = get64(value);
		if (code == 5 && size == 8)
			p->dropped = get64(value);
	}
	return r < 0 ? "malformed options of statistics" : NULL;
}

static const char *read_section(const uint8_t *b, size_t len)
{
	struct options o = { b + 24, b + len - 4 };
	const uint8_t *value;
	uint16_t code, size;
	int r;

	if (len < 28 || get32(b + 8) != 0x1a2b3c4d || get16(b + 12) != 1 ||
	    get64(b + 16) != UINT64_MAX)
		return "a section header of another kind";
	while ((r = next_option(&o, &code, &size, &value)) > 0)
		;
	return r < 0 ? "malformed options of a section" : NULL;
}

static const char *read_block(const uint8_t *b, size_t len, unsigned int number,
			      struct vtct_pcapng *p)
{
	uint32_t type = get32(b);

	if (number == 0)
		return type == 0x0a0d0d0a ? read_section(b, len) : "no section header";
	if (number == 1)
		return type == 1 ? read_interface(b, len, p) : "no interface";
	if (type == 6)
		return read_packet(b, len, p);
	return type == 5 ? read_statistics(b, len, p) : "a block of another type";
}

const char *vtct_pcapng_read(const uint8_t *bytes, size_t len, struct vtct_pcapng *ret)
{
	const char *wrong = NULL;
	unsigned int number = 0;

	memset(ret, 0, sizeof(*ret));
	while (!wrong && ret->len < len) {
		const uint8_t *b = bytes + ret->len;
		size_t left = len - ret->len, total;

		if (left < 12)
			return "the last block is cut";
		if (number > 0 && get32(b) == 0x0a0d0d0a)
			return NULL; /* the next section */
		total = get32(b + 4);
		if (total < 12 || total % 4 || total > left)
			return "the last block is cut, or its length is wrong";
		if (get32(b + total - 4) != total)
			return "the two lengths of a block differ";
		wrong = read_block(b, total, number++, ret);
		ret->len += total;
	}
	return wrong;
}
