/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parser of vhost-user messages: every request with every size, every number of
 * descriptors, with and without its protocol feature, as request and as reply, against a
 * table of what the protocol says.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/vhost-message.h"
#include "vtct.h"

#define SIZE_MAX_TRIED (VTC__VHOST_PAYLOAD_MAX + 16)
#define FDS_TRIED      10u
#define NONE	       UINT32_MAX
#define ALL	       UINT64_MAX
#define BIT(name)      (1ull << VTC__VHOST_PF_##name)
#define WITHOUT(name)  (ALL & ~BIT(name))
#define REQUESTS       64u

/* What each message has when all is negotiated, with the contents of fill(). */
struct expected {
	uint32_t request;
	const char *name;
	uint64_t needs;
	uint32_t size;
	uint32_t fds;
	uint32_t reply; /* size; NONE: has only what REPLY_ACK adds */
};

static const struct expected table[] = {
	{ 1, "GET_FEATURES", 0, 0, 0, 8 },
	{ 2, "SET_FEATURES", 0, 8, 0, NONE },
	{ 3, "SET_OWNER", 0, 0, 0, NONE },
	{ 4, "RESET_OWNER", 0, 0, 0, NONE },
	{ 5, "SET_MEM_TABLE", 0, 104, 3, NONE },
	{ 6, "SET_LOG_BASE", 0, 16, 1, 0 },
	{ 7, "SET_LOG_FD", 0, 0, 1, NONE },
	{ 8, "SET_VRING_NUM", 0, 8, 0, NONE },
	{ 9, "SET_VRING_ADDR", 0, 40, 0, NONE },
	{ 10, "SET_VRING_BASE", 0, 8, 0, NONE },
	{ 11, "GET_VRING_BASE", 0, 8, 0, 8 },
	{ 12, "SET_VRING_KICK", 0, 8, 1, NONE },
	{ 13, "SET_VRING_CALL", 0, 8, 1, NONE },
	{ 14, "SET_VRING_ERR", 0, 8, 1, NONE },
	{ 15, "GET_PROTOCOL_FEATURES", 0, 0, 0, 8 },
	{ 16, "SET_PROTOCOL_FEATURES", 0, 8, 0, NONE },
	{ 17, "GET_QUEUE_NUM", BIT(MQ), 0, 0, 8 },
	{ 18, "SET_VRING_ENABLE", 0, 8, 0, NONE },
	{ 19, "SEND_RARP", BIT(RARP), 8, 0, NONE },
	{ 20, "NET_SET_MTU", BIT(MTU), 8, 0, NONE },
	{ 21, "SET_BACKEND_REQ_FD", BIT(BACKEND_REQ), 0, 1, NONE },
	{ 24, "GET_CONFIG", BIT(CONFIG), 72, 0, 72 },
	{ 25, "SET_CONFIG", BIT(CONFIG), 72, 0, NONE },
	{ 31, "GET_INFLIGHT_FD", BIT(INFLIGHT), 24, 0, 24 },
	{ 32, "SET_INFLIGHT_FD", BIT(INFLIGHT), 24, 1, NONE },
	{ 34, "RESET_DEVICE", BIT(RESET_DEVICE), 0, 0, NONE },
	{ 36, "GET_MAX_MEM_SLOTS", BIT(MEM_SLOTS), 0, 0, 8 },
	{ 37, "ADD_MEM_REG", BIT(MEM_SLOTS), 40, 1, NONE },
	{ 38, "REM_MEM_REG", BIT(MEM_SLOTS), 40, 0, NONE },
	{ 39, "SET_STATUS", BIT(STATUS), 8, 0, NONE },
	{ 40, "GET_STATUS", BIT(STATUS), 0, 0, 8 },
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static struct vtc__vhost_message m;
static const char *why;

static const struct expected *find(uint32_t request)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].request == request)
			return &table[i];
	}
	return NULL;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Contents that fit the sizes in the table. */
static void fill(uint8_t *payload, uint32_t request, size_t size)
{
	for (size_t i = 0; i < size; i++)
		payload[i] = (uint8_t)(i + 1);
	if (request >= 12 && request <= 14 && size >= 8)
		payload[1] &= 0xfe;
	if (request == 5 && size >= 4)
		put32(payload, 3);
	if ((request == 24 || request == 25) && size >= 12)
		put32(payload + 4, 60);
}

/* In memory of the exact size, so that a sanitizer sees each byte too many. */
static int parse(uint32_t request, uint32_t flags, const uint8_t *payload, uint32_t size,
		 unsigned int fds, uint64_t features, enum vtc__vhost_reader reader)
{
	uint8_t *bytes = vtct_alloc(12 + size);
	int err;

	put32(bytes, request);
	put32(bytes + 4, flags);
	put32(bytes + 8, size);
	if (size)
		memcpy(bytes + 12, payload, size);
	why = NULL;
	err = vtc__vhost_parse(bytes, 12 + size, fds, features, reader, &m, &why);
	free(bytes);
	ck_assert(err == 0 || err == -EPROTO);
	ck_assert(!err == !why);
	return err;
}

static int try_sized(uint32_t request, uint32_t size, unsigned int fds, uint64_t features,
		     enum vtc__vhost_reader reader)
{
	uint8_t payload[SIZE_MAX_TRIED];
	uint32_t flags = reader == VTC__VHOST_BACKEND ? 1 : 5;

	fill(payload, request, size);
	return parse(request, flags, payload, size, fds, features, reader);
}

/* Where programs differ, all are right. */
static bool is_request(const struct expected *e, uint32_t size, unsigned int fds)
{
	if (!e)
		return false;
	if (e->request == VTC__VHOST_REM_MEM_REG)
		return size == 40 && fds <= 1;
	if (e->request == VTC__VHOST_GET_INFLIGHT_FD ||
	    e->request == VTC__VHOST_SET_INFLIGHT_FD)
		return (size == 20 || size == 24) && fds == e->fds;
	return size == e->size && fds == e->fds;
}

static bool is_reply(const struct expected *e, uint32_t size, unsigned int fds)
{
	if (!e)
		return false;
	if (e->reply == NONE)
		return size == 8 && !fds;
	if (e->request == VTC__VHOST_GET_INFLIGHT_FD)
		return (size == 20 || size == 24) && fds == 1;
	if (e->request == VTC__VHOST_GET_CONFIG)
		return (size == 0 || size == 72) && !fds;
	if (e->request == VTC__VHOST_SET_LOG_BASE)
		return size <= 16 && !fds;
	return size == e->reply && !fds;
}

static void try_all(uint32_t request, enum vtc__vhost_reader reader,
		    bool (*is_good)(const struct expected *, uint32_t, unsigned int))
{
	const struct expected *e = find(request);

	for (uint32_t size = 0; size < SIZE_MAX_TRIED; size++) {
		for (unsigned int fds = 0; fds < FDS_TRIED; fds++) {
			int err = try_sized(request, size, fds, ALL, reader);

			ck_assert_msg(!err == is_good(e, size, fds),
				      "%u, size %u, %u fds: %s", request, size, fds,
				      why ? why : "taken");
		}
	}
}

START_TEST(requests)
{
	for (uint32_t request = 0; request < REQUESTS; request++)
		try_all(request, VTC__VHOST_BACKEND, is_request);
}
END_TEST

START_TEST(replies)
{
	for (uint32_t request = 0; request < REQUESTS; request++)
		try_all(request, VTC__VHOST_FRONTEND, is_reply);
}
END_TEST

START_TEST(features)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct expected *e = &table[i];
		int err = try_sized(e->request, e->size, e->fds,
				    e->needs | BIT(LOG_SHMFD), VTC__VHOST_BACKEND);

		ck_assert_msg(!err, "%s is refused: %s", e->name, why);
		err = try_sized(e->request, e->size, e->fds, ALL & ~e->needs,
				VTC__VHOST_BACKEND);
		ck_assert_msg(!err == !e->needs, "%s without its feature", e->name);
	}
}
END_TEST

START_TEST(acks)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct expected *e = &table[i];
		bool own = e->reply != NONE;
		uint32_t size = own ? e->reply : 8, fds = e->request == 31;

		ck_assert_int_eq(vtc__vhost_has_reply(e->request, ALL), own);
		ck_assert_msg(!try_sized(e->request, size, fds, WITHOUT(REPLY_ACK),
					 VTC__VHOST_FRONTEND) == own,
			      "%s: reply without REPLY_ACK", e->name);
	}
	ck_assert(!vtc__vhost_has_reply(VTC__VHOST_SET_LOG_BASE, WITHOUT(LOG_SHMFD)));
	ck_assert(!vtc__vhost_has_reply(0, ALL));
	ck_assert(!vtc__vhost_has_reply(NONE, ALL));
	ck_assert_errno(try_sized(VTC__VHOST_SET_LOG_BASE, 8, 0,
				  WITHOUT(REPLY_ACK) & WITHOUT(LOG_SHMFD),
				  VTC__VHOST_FRONTEND),
			-EPROTO);
}
END_TEST

START_TEST(names)
{
	for (uint32_t request = 0; request < REQUESTS; request++) {
		const struct expected *e = find(request);
		const char *name = vtc__vhost_name(request);

		ck_assert_int_eq(!name, !e);
		if (e)
			ck_assert_str_eq(name, e->name);
	}
	ck_assert_ptr_null(vtc__vhost_name(NONE));
}
END_TEST

/* ---- Headers ---- */

static int frame(uint32_t request, uint32_t flags, uint32_t size,
		 enum vtc__vhost_reader reader)
{
	uint8_t *header = vtct_alloc(12);
	int n;

	put32(header, request);
	put32(header + 4, flags);
	put32(header + 8, size);
	why = NULL;
	n = vtc__vhost_frame(header, reader, &why);
	free(header);
	ck_assert((n < 0) == !!why);
	return n;
}

START_TEST(headers)
{
	static const uint32_t version[] = { 0, 2, 3 };

	ck_assert_errno(frame(2, 1, 8, VTC__VHOST_BACKEND), 8);
	ck_assert_errno(frame(2, 1 | VTC__VHOST_NEED_REPLY, 8, VTC__VHOST_BACKEND), 8);
	/* Flags that nobody has given a meaning yet. */
	ck_assert_errno(frame(2, 0xfffffff1, 8, VTC__VHOST_BACKEND), 8);
	ck_assert_errno(frame(2, 5, 8, VTC__VHOST_BACKEND), -EPROTO);
	ck_assert_errno(frame(1, 5, 8, VTC__VHOST_FRONTEND), 8);
	ck_assert_errno(frame(1, 1, 8, VTC__VHOST_FRONTEND), -EPROTO);
	for (int i = 0; i < 3; i++) {
		ck_assert_errno(frame(2, version[i], 8, VTC__VHOST_BACKEND), -EPROTO);
		ck_assert_errno(frame(1, version[i] | 4, 8, VTC__VHOST_FRONTEND),
				-EPROTO);
	}
	ck_assert_errno(frame(NONE, 1, 0, VTC__VHOST_BACKEND), -EPROTO);
	ck_assert_errno(frame(0x80000001, 1, 0, VTC__VHOST_BACKEND), -EPROTO);
	ck_assert_errno(frame(2, 1, NONE, VTC__VHOST_BACKEND), -EPROTO);
	ck_assert_errno(frame(2, 1, 0x80000008, VTC__VHOST_BACKEND), -EPROTO);
}
END_TEST

START_TEST(channels)
{
	uint8_t zero[8] = { 0 };
	uint64_t both = BIT(CONFIG) | BIT(BACKEND_REQ), ack = both | BIT(REPLY_ACK);

	ck_assert_errno(parse(2, 1, NULL, 0, 0, both, VTC__VHOST_FRONTEND_CHANNEL), 0);
	ck_assert_errno(parse(2, 9, NULL, 0, 0, both, VTC__VHOST_FRONTEND_CHANNEL), 0);
	ck_assert_errno(parse(2, 1, NULL, 0, 1, both, VTC__VHOST_FRONTEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(2, 1, zero, 8, 0, both, VTC__VHOST_FRONTEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(2, 1, NULL, 0, 0, BIT(CONFIG), VTC__VHOST_FRONTEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(1, 1, NULL, 0, 0, both, VTC__VHOST_FRONTEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(3, 1, NULL, 0, 0, both, VTC__VHOST_FRONTEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(2, 5, zero, 8, 0, ack, VTC__VHOST_BACKEND_CHANNEL), 0);
	ck_assert_errno(parse(2, 5, zero, 8, 0, both, VTC__VHOST_BACKEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(2, 1, zero, 8, 0, ack, VTC__VHOST_BACKEND_CHANNEL),
			-EPROTO);
	ck_assert_errno(parse(2, 5, NULL, 0, 0, ack, VTC__VHOST_BACKEND_CHANNEL),
			-EPROTO);
}
END_TEST

START_TEST(lengths)
{
	uint8_t bytes[21] = { 0 };

	put32(bytes, 2);
	put32(bytes + 4, 1);
	put32(bytes + 8, 8);
	for (size_t len = 0; len <= sizeof(bytes); len++)
		ck_assert_errno(
			vtc__vhost_parse(bytes, len, 0, 0, VTC__VHOST_BACKEND, &m, &why),
			len == 20 ? 0 : -EPROTO);
}
END_TEST

/* ---- Contents ---- */

START_TEST(memory_tables)
{
	uint8_t payload[8 + 9 * 32] = { 0 };

	for (uint32_t count = 0; count < 12; count++) {
		for (uint32_t regions = 0; regions < 10; regions++) {
			for (unsigned int fds = 0; fds < FDS_TRIED; fds++) {
				bool good = count && count <= 8 && count == regions &&
					    count == fds;

				put32(payload, count);
				ck_assert_int_eq(!parse(5, 1, payload, 8 + 32 * regions,
							fds, 0, VTC__VHOST_BACKEND),
						 good);
			}
		}
	}
	/* Where 32 bits of a size would be full. */
	put32(payload, 0x08000001);
	ck_assert_errno(parse(5, 1, payload, 40, 1, 0, VTC__VHOST_BACKEND), -EPROTO);
}
END_TEST

START_TEST(configurations)
{
	static const uint32_t large[] = { 257,	      0x7fffffff, 0x80000000,
					  0xfffffff4, 0xffffffff, 0x100000 };
	uint8_t payload[SIZE_MAX_TRIED] = { 0 };

	for (uint32_t size = 0; size <= 256; size++) {
		put32(payload + 4, size);
		for (int off = -1; off <= 1; off++) {
			uint32_t total = 12 + size + (uint32_t)off;

			for (uint32_t request = 24; request <= 25; request++)
				ck_assert_int_eq(!parse(request, 1, payload, total, 0,
							ALL, VTC__VHOST_BACKEND),
						 !off);
			ck_assert_int_eq(!parse(24, 5, payload, total, 0, ALL,
						VTC__VHOST_FRONTEND),
					 !off);
		}
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		put32(payload + 4, large[i]);
		for (uint32_t total = 0; total < SIZE_MAX_TRIED; total++)
			ck_assert_errno(
				parse(24, 1, payload, total, 0, ALL, VTC__VHOST_BACKEND),
				-EPROTO);
	}
}
END_TEST

START_TEST(doorbells)
{
	uint64_t flagged = VTC__VHOST_NO_FD | 3, bare = 3, high = 1ull << 40 | 3;

	for (uint32_t request = 12; request <= 14; request++) {
		for (unsigned int fds = 0; fds < FDS_TRIED; fds++) {
			ck_assert_int_eq(!parse(request, 1, (uint8_t *)&flagged, 8, fds,
						0, VTC__VHOST_BACKEND),
					 fds == 0);
			ck_assert_int_eq(!parse(request, 1, (uint8_t *)&bare, 8, fds, 0,
						VTC__VHOST_BACKEND),
					 fds == 1);
		}
		/* Bits that nobody has given a meaning stay for the reader to see. */
		ck_assert_errno(
			parse(request, 1, (uint8_t *)&high, 8, 1, 0, VTC__VHOST_BACKEND),
			0);
		ck_assert_uint_eq(m.payload.u64, high);
	}
}
END_TEST

START_TEST(logs)
{
	uint64_t log[] = { 4096, 64 };

	for (unsigned int fds = 0; fds < FDS_TRIED; fds++) {
		ck_assert_int_eq(!parse(6, 1, (uint8_t *)log, 16, fds, BIT(LOG_SHMFD),
					VTC__VHOST_BACKEND),
				 fds == 1);
		ck_assert_int_eq(!parse(6, 1, (uint8_t *)log, 16, fds, WITHOUT(LOG_SHMFD),
					VTC__VHOST_BACKEND),
				 fds == 0);
	}
	ck_assert_uint_eq(m.payload.log.size, 4096);
	ck_assert_uint_eq(m.payload.log.offset, 64);
}
END_TEST

START_TEST(in_flight)
{
	struct vtc__vhost_inflight in = { 4096, 8, 3, 256, 0xdeadbeef };
	uint32_t sizes[] = { 20, 24 };

	for (int i = 0; i < 2; i++) {
		ck_assert_errno(parse(31, 5, (uint8_t *)&in, sizes[i], 1, ALL,
				      VTC__VHOST_FRONTEND),
				0);
		ck_assert_uint_eq(m.size, sizes[i]);
		ck_assert_uint_eq(m.payload.inflight.size, 4096);
		ck_assert_uint_eq(m.payload.inflight.offset, 8);
		ck_assert_uint_eq(m.payload.inflight.queues, 3);
		ck_assert_uint_eq(m.payload.inflight.queue_size, 256);
		ck_assert_uint_eq(m.payload.inflight.padding, 0);
	}
	/* A backend without such memory says so by its size. */
	in.size = 0;
	ck_assert_errno(parse(31, 5, (uint8_t *)&in, 24, 0, ALL, VTC__VHOST_FRONTEND), 0);
	ck_assert_errno(parse(31, 5, (uint8_t *)&in, 24, 1, ALL, VTC__VHOST_FRONTEND),
			-EPROTO);
}
END_TEST

START_TEST(values)
{
	uint64_t addr[] = { (uint64_t)1 << 32 | 7, 0x1000, 0x2000, 0x3000, 0x4000 };
	struct vtc__vhost_mem_reg reg = { 0, { 1, 2, 3, 4 } };
	struct vtc__vhost_memory memory = { 2, 0, { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } } };
	uint8_t config[15] = { 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c' };

	memset(&m, 0xff, sizeof(m));
	ck_assert_errno(parse(9, 9, (uint8_t *)addr, 40, 0, 0, VTC__VHOST_BACKEND), 0);
	ck_assert_uint_eq(m.request, 9);
	ck_assert_uint_eq(m.flags, 9);
	ck_assert_uint_eq(m.size, 40);
	ck_assert_uint_eq(m.fd_count, 0);
	ck_assert_uint_eq(m.payload.addr.index, 7);
	ck_assert_uint_eq(m.payload.addr.flags, 1);
	ck_assert_uint_eq(m.payload.addr.desc, 0x1000);
	ck_assert_uint_eq(m.payload.addr.used, 0x2000);
	ck_assert_uint_eq(m.payload.addr.avail, 0x3000);
	ck_assert_uint_eq(m.payload.addr.log, 0x4000);
	/* What the wire does not have is 0. */
	ck_assert_uint_eq(m.payload.memory.region[7].mmap_offset, 0);

	ck_assert_errno(parse(37, 1, (uint8_t *)&reg, 40, 1, ALL, VTC__VHOST_BACKEND), 0);
	ck_assert_uint_eq(m.payload.mem_reg.region.mmap_offset, 4);
	ck_assert_errno(parse(5, 1, (uint8_t *)&memory, 72, 2, 0, VTC__VHOST_BACKEND), 0);
	ck_assert_uint_eq(m.payload.memory.region[1].guest_addr, 5);
	ck_assert_uint_eq(m.payload.memory.region[1].mmap_offset, 8);
	ck_assert_errno(parse(25, 1, config, 15, 0, ALL, VTC__VHOST_BACKEND), 0);
	ck_assert_uint_eq(m.payload.config.offset, 1);
	ck_assert_uint_eq(m.payload.config.size, 3);
	ck_assert_uint_eq(m.payload.config.flags, 1);
	ck_assert_mem_eq(m.payload.config.bytes, "abc", 4);
}
END_TEST

int main(void)
{
	return vtct_main(vtct_suite("vhost-user messages", requests, replies, features,
				    acks, names, headers, channels, lengths,
				    memory_tables, configurations, doorbells, logs,
				    in_flight, values, NULL),
			 NULL);
}
