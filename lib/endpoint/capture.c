/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What passes a port, as pcapng (draft-ietf-opsawg-pcapng). A burst becomes a list of
 * pieces, block headers of our own and the packets where they lie, and is written at
 * once. A block of which only a part could be written is kept and goes first the next
 * time, so the file never has half a block inside of it; what does not fit is left out.
 */
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vtc/version.h>

#include "core/ctx.h"
#include "core/error.h"
#include "sink.h"
#include "vring/cursor.h"

#define PIECES_MAX (VTC__SEGMENTS_MAX + 2 * VTC__BURST_MAX + 1)

enum block_type {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	INTERFACE_STATISTICS = 5,
	ENHANCED_PACKET = 6,
};

/* An Enhanced Packet Block is head, packet, tail; the tail begins with up to 3 zeros. */
struct head {
	uint32_t type;
	uint32_t total;
	uint32_t interface;
	uint32_t time_high;
	uint32_t time_low;
	uint32_t captured;
	uint32_t original;
};

struct option32 {
	uint16_t code;
	uint16_t len;
	uint32_t value;
};

struct tail {
	uint8_t padding[4];
	struct option32 flags;
	struct option32 queue;
	uint32_t end_of_options;
	uint32_t total;
};

#define TAIL_MIN (sizeof(struct tail) - 4)

struct record {
	struct head head;
	struct tail tail;
};

#define BLOCK_MAX (sizeof(struct record) + VTC__PACKET_MAX)

enum direction { INBOUND = 1, OUTBOUND = 2 };

struct vtc__capture {
	struct vtc__sink sink;
	uint32_t snaplen;
	uint64_t started_ns;
	uint64_t packets;
	uint64_t dropped;

	struct record records[VTC__BURST_MAX];
	uint64_t ends[VTC__BURST_MAX]; /* where each ends, of all that is to be written */
	unsigned int count;
	struct vtc_segment pieces[PIECES_MAX]; /* the first is the rest */
	unsigned int piece_count;
	uint64_t total; /* bytes in pieces */

	uint8_t rest[BLOCK_MAX];
	size_t rest_len;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Blocks that are not packets ---- */

struct block {
	uint8_t bytes[1024];
	size_t len;
};

static void put(struct block *b, const void *data, size_t len)
{
	memcpy(b->bytes + b->len, data, len);
	b->len += len;
}

static void put16(struct block *b, uint16_t value)
{
	put(b, &value, sizeof(value));
}

static void put32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void begin(struct block *b, enum block_type type)
{
	memset(b, 0, sizeof(*b));
	put32(b, type);
	put32(b, 0); /* the length, in end() */
}

static void put_option(struct block *b, uint16_t code, const void *data, size_t len)
{
	put16(b, code);
	put16(b, (uint16_t)len);
	put(b, data, len);
	b->len = (b->len + 3) & ~(size_t)3;
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	if (text && *text)
		put_option(b, code, text, strnlen(text, 255));
}

static void put_time(struct block *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

static void put_time_option(struct block *b, uint16_t code, uint64_t ns)
{
	put16(b, code);
	put16(b, 8);
	put_time(b, ns);
}

static struct vtc_segment end(struct block *b)
{
	uint32_t total;

	put32(b, 0); /* end of options */
	total = (uint32_t)b->len + 4;
	put32(b, total);
	memcpy(b->bytes + 4, &total, sizeof(total));
	return (struct vtc_segment){ b->bytes, b->len };
}

static struct vtc_segment section_header(struct block *b)
{
	uint64_t length_unknown = UINT64_MAX;

	begin(b, SECTION_HEADER);
	put32(b, 0x1a2b3c4d); /* tells the byte order */
	put16(b, 1);	      /* version 1.0 */
	put16(b, 0);
	put(b, &length_unknown, sizeof(length_unknown));
	put_text(b, 4, "libvtc " VTC_VERSION_STRING);
	return end(b);
}

static struct vtc_segment interface_description(struct block *b,
						const struct vtc_port *port,
						uint32_t snaplen)
{
	struct vtc_port_info info = { .sz = sizeof(info) };
	uint8_t nanoseconds = 9;

	vtc_port_get_info(port, &info);
	begin(b, INTERFACE_DESCRIPTION);
	put16(b, 1); /* Ethernet */
	put16(b, 0);
	put32(b, snaplen);
	put_text(b, 2, info.name);
	put_text(b, 3, info.kind);
	put_option(b, 9, &nanoseconds, 1);
	return end(b);
}

static struct vtc_segment interface_statistics(struct block *b,
					       const struct vtc__capture *c)
{
	uint64_t now = now_ns();

	begin(b, INTERFACE_STATISTICS);
	put32(b, 0); /* the interface */
	put_time(b, now);
	put_time_option(b, 2, c->started_ns);
	put_time_option(b, 3, now);
	put_option(b, 4, &c->packets, sizeof(c->packets));
	put_option(b, 5, &c->dropped, sizeof(c->dropped));
	return end(b);
}

/* ---- Writing a burst ---- */

static void start_burst(struct vtc__capture *c)
{
	c->pieces[0] = (struct vtc_segment){ c->rest, c->rest_len };
	c->piece_count = 1;
	c->total = c->rest_len;
	c->count = 0;
}

/* Keep what is missing of the block that was cut; those behind it are left out. */
static void keep_rest(struct vtc__capture *c, uint64_t written)
{
	struct vtc__cursor cursor = vtc__cursor(c->pieces, c->piece_count);
	uint64_t end = c->rest_len;
	unsigned int i = 0;

	if (written < end) {
		c->rest_len -= written;
		memmove(c->rest, c->rest + written, c->rest_len);
		c->dropped += c->count;
		return;
	}
	while (i < c->count && end < written)
		end = c->ends[i++];
	c->dropped += c->count - i;
	vtc__cursor_skip(&cursor, written);
	c->rest_len = vtc__cursor_read(&cursor, c->rest, end - written);
}

static void give_up(struct vtc_port *port, int code)
{
	const char *why = strerrordesc_np(-code);

	vtc__log(port->ctx, VTC_LOG_WARNING, "a capture ends: %s",
		 why ? why : "unknown error");
	vtc__sink_close(&port->capture->sink);
	free(port->capture);
	port->capture = NULL;
}

/* False: the capture has ended. */
static bool send_burst(struct vtc_port *port)
{
	struct vtc__capture *c = port->capture;
	int64_t n = 0;

	if (c->total > 0)
		n = vtc__sink_write(&c->sink, c->pieces, c->piece_count);
	if (n < 0) {
		give_up(port, (int)n);
		return false;
	}
	keep_rest(c, (uint64_t)n);
	start_burst(c);
	return true;
}

/* ---- Packets ---- */

/* A list of segments, as far as it counts. */
struct part {
	const struct vtc_segment *segments;
	unsigned int count;
	uint32_t len;
};

static struct part part_of(const struct vtc_chain *chain, const struct vtc_done *done)
{
	if (done)
		return (struct part){ chain->segments + chain->readable, chain->writable,
				      done->len };
	return (struct part){ chain->segments, chain->readable, chain->readable_bytes };
}

/* How many chains the packet takes. The far side can change the number: at most max. */
static unsigned int chains_of(const struct part *first, unsigned int max)
{
	struct vtc__cursor cursor = vtc__cursor(first->segments, first->count);
	uint16_t count = 1;

	vtc__cursor_skip(&cursor, VTC__HDR_LEN - sizeof(count));
	vtc__cursor_read(&cursor, &count, sizeof(count));
	if (first->len < VTC__HDR_LEN || count == 0)
		return 1;
	return count < max ? count : max;
}

/* Pieces that touch are one: the end of a block and the beginning of the next. */
static void add_piece(struct vtc__capture *c, struct vtc_segment piece)
{
	struct vtc_segment *last = &c->pieces[c->piece_count - 1];

	c->total += piece.len;
	if ((uint8_t *)last->base + last->len == piece.base && last->len > 0)
		last->len += piece.len;
	else if (piece.len > 0)
		c->pieces[c->piece_count++] = piece;
}

static void add_part(struct vtc__capture *c, const struct part *part, uint32_t skip,
		     uint32_t *left)
{
	struct vtc__cursor cursor = vtc__cursor(part->segments, part->count);
	uint32_t len = part->len - skip;

	vtc__cursor_skip(&cursor, skip);
	if (len > *left)
		len = *left;
	while (len > 0) {
		struct vtc_segment s = vtc__cursor_take(&cursor, len);

		if (s.len == 0)
			break;
		add_piece(c, s);
		len -= (uint32_t)s.len;
		*left -= (uint32_t)s.len;
	}
}

static void fill_record(struct record *r, uint64_t now, uint32_t captured,
			uint64_t original, enum direction direction, unsigned int queue)
{
	uint32_t padding = -captured & 3;
	uint32_t total = (uint32_t)(sizeof(r->head) + TAIL_MIN) + captured + padding;

	r->head = (struct head){
		.type = ENHANCED_PACKET,
		.total = total,
		.time_high = (uint32_t)(now >> 32),
		.time_low = (uint32_t)now,
		.captured = captured,
		.original = original < UINT32_MAX ? (uint32_t)original : UINT32_MAX,
	};
	r->tail = (struct tail){
		.flags = { 2, 4, direction },
		.queue = { 6, 4, queue },
		.total = total,
	};
}

struct packet {
	const struct vtc_chain *chains;
	const struct vtc_done *done; /* NULL: the readable segments */
	unsigned int count;
	unsigned int segments;
	uint64_t len;
};

static struct part packet_part(const struct packet *p, unsigned int i)
{
	return part_of(&p->chains[i], p->done ? &p->done[i] : NULL);
}

static struct packet next_packet(const struct vtc_chain *chains,
				 const struct vtc_done *done, unsigned int max)
{
	struct packet p = { .chains = chains, .done = done, .count = 1 };
	struct part part = packet_part(&p, 0);

	if (done)
		p.count = chains_of(&part, max);
	for (unsigned int i = 0; i < p.count; i++) {
		part = packet_part(&p, i);
		p.segments += part.count;
		p.len += part.len;
	}
	return p;
}

static void add_packet(struct vtc__capture *c, const struct packet *p, uint64_t now,
		       enum direction direction, unsigned int queue)
{
	struct record *r = &c->records[c->count];
	uint64_t original = p->len - VTC__HDR_LEN;
	uint32_t captured = original < c->snaplen ? (uint32_t)original : c->snaplen;
	uint32_t left = captured, padding;

	add_piece(c, (struct vtc_segment){ &r->head, sizeof(r->head) });
	for (unsigned int i = 0; i < p->count; i++) {
		struct part part = packet_part(p, i);

		add_part(c, &part, i == 0 ? VTC__HDR_LEN : 0, &left);
	}
	captured -= left;
	padding = -captured & 3;
	fill_record(r, now, captured, original, direction, queue);
	add_piece(c, (struct vtc_segment){ r->tail.padding + 4 - padding,
					   TAIL_MIN + padding });
	c->ends[c->count++] = c->total;
}

static bool has_room(const struct vtc__capture *c, const struct packet *p)
{
	return c->count < VTC__BURST_MAX &&
	       c->piece_count + p->segments + 2 <= PIECES_MAX;
}

/* Packets without a whole header were never sent as packets. False: it has ended. */
static bool take_packet(struct vtc_port *port, const struct packet *p, uint64_t now,
			enum direction direction, unsigned int queue)
{
	struct vtc__capture *c = port->capture;
	struct part first = packet_part(p, 0);

	if (first.len < VTC__HDR_LEN)
		return true;
	if (!has_room(c, p) && !send_burst(port))
		return false;
	c->packets++;
	if (has_room(c, p))
		add_packet(c, p, now, direction, queue);
	else
		c->dropped++;
	return true;
}

static void capture(struct vtc_port *port, enum direction direction, unsigned int queue,
		    const struct vtc_chain *chains, const struct vtc_done *done,
		    unsigned int count)
{
	uint64_t now = port->capture ? now_ns() : 0;
	unsigned int i = 0;

	while (i < count && port->capture) {
		struct packet p =
			next_packet(&chains[i], done ? &done[i] : NULL, count - i);

		if (!take_packet(port, &p, now, direction, queue))
			return;
		i += p.count;
	}
	if (port->capture)
		send_burst(port);
}

void vtc__capture_rx(struct vtc_port *port, unsigned int queue,
		     const struct vtc_chain *chains, const struct vtc_done *done,
		     unsigned int count)
{
	capture(port, INBOUND, queue, chains, done, count);
}

void vtc__capture_tx(struct vtc_port *port, unsigned int queue,
		     const struct vtc_chain *chains, const struct vtc_done *done,
		     unsigned int count)
{
	capture(port, OUTBOUND, queue, chains, done, count);
}

/* ---- Beginning and end ---- */

/* The last block is written whole or not at all, for want of a later time. */
void vtc__capture_end(struct vtc_port *port)
{
	struct vtc__capture *c = port->capture;
	struct vtc_segment last;
	struct block block;

	if (!c || !send_burst(port))
		return;
	last = interface_statistics(&block, c);
	if (c->rest_len == 0)
		vtc__sink_write(&c->sink, &last, 1);
	vtc__sink_close(&c->sink);
	free(c);
	port->capture = NULL;
}

static int write_headers(const struct vtc_port *port, const struct vtc__sink *sink,
			 uint32_t snaplen)
{
	struct block section, interface;
	struct vtc_segment blocks[2] = {
		section_header(&section),
		interface_description(&interface, port, snaplen),
	};
	int64_t n = vtc__sink_write(sink, blocks, 2);

	if (n < 0)
		return (int)n;
	return n < (int64_t)(section.len + interface.len) ? -EAGAIN : 0;
}

static int begin_capture(struct vtc_port *port, int fd, uint32_t snaplen)
{
	const uint32_t most = VTC__PACKET_MAX - VTC__HDR_LEN;
	struct vtc__capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = vtc__sink_open(fd, &c->sink);
	if (r < 0) {
		free(c);
		return r;
	}
	vtc__capture_end(port);
	r = write_headers(port, &c->sink, snaplen);
	if (r < 0) {
		vtc__sink_close(&c->sink);
		free(c);
		return r;
	}
	c->snaplen = snaplen > 0 && snaplen < most ? snaplen : most;
	c->started_ns = now_ns();
	start_burst(c);
	port->capture = c;
	return 0;
}

int vtc_port_set_capture(struct vtc_port *port, int fd, uint32_t snaplen)
{
	int r;

	if (!port)
		return -EINVAL;
	if (fd == -1) {
		vtc__capture_end(port);
		return 0;
	}
	r = begin_capture(port, fd, snaplen);
	if (r == 0)
		return 0;
	vtc__err(port->ctx, r,
		 r == -EINVAL ? VTC_ERROR_ORIGIN_ARG : VTC_ERROR_ORIGIN_SYSTEM,
		 "begin a capture", "descriptor %d", fd);
	if (r == -EINVAL)
		vtc__err_message(port->ctx, "it is a terminal");
	return r;
}
