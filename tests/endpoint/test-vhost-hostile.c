/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user backend whose frontends are hostile: messages in any order, of any size,
 * with any descriptors, memory that is short, unsealed or overlaps, rings that are
 * nowhere, records and logs that lie, and what a generator makes of random bytes. However
 * a connection goes, nothing is left of it, and the next frontend is served.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"
#include "vhostclient.h"
#include "vtct.h"

#include <vtc/vtc.h>

#define BIT(n)	    (1ull << (n))
#define COUNT(x)    (sizeof(x) / sizeof((x)[0]))
#define QUEUE_PAIRS 2
#define TURNS	    2000
#define PACKETS	    100u
#define PACKET_LEN  300u
#define REPEATS	    300
#define ROUNDS	    1500
#define ROUND_LEN   400u
#define PROTOCOL                                                      \
	(BIT(VTC__VHOST_PF_LOG_SHMFD) | BIT(VTC__VHOST_PF_INFLIGHT) | \
	 BIT(VTC__VHOST_PF_MEM_SLOTS) | BIT(VTC__VHOST_PF_BACKEND_REQ))

static struct vtc_ctx *ctx;
static struct vtc_relay *relay;
static struct vtc_port *port, *callback;
static struct hostile h;
static char path[200];
static int fds_before, fds_idle, maps_idle;
static unsigned int seen; /* packets of the frontend that came through */
static volatile uint8_t sink;

/* ---- The victim ---- */

static bool in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	if (!f)
		vtct_die("/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "memfd:");
	fclose(f);
	return n;
}

/* Looks at each byte, and answers. */
static unsigned int take_packets(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	struct vtc_port *from = *(struct vtc_port **)data;

	for (unsigned int i = 0; i < count; i++) {
		for (uint32_t n = 0; n < packets[i].count; n++) {
			const struct vtc_segment *s = &packets[i].segments[n];

			for (size_t at = 0; at < s->len; at++)
				sink = ((const uint8_t *)s->base)[at];
		}
	}
	seen += count;
	(void)vtc_port_send(from, queue, packets, count);
	return count;
}

/* A hostile ring may have work without end: then it is left in the middle of that. */
static void serve(void)
{
	int n = 1;

	for (int i = 0; n > 0 && i < TURNS; i++)
		n = vtc_relay_process(relay, 0);
	ck_assert_int_ge(n, 0);
}

static struct vtc_port_info info(struct vtc_port *of)
{
	struct vtc_port_info i = { .sz = sizeof(i) };

	ck_assert_errno(vtc_port_get_info(of, &i), 0);
	return i;
}

static struct vtc_relay *join_callback(struct vtc_port **with,
				       struct vtc_port **ret_callback)
{
	struct vtc_relay_opts ro = VTC_RELAY_OPTS_INIT;
	struct vtc_callback_opts co = VTC_CALLBACK_OPTS_INIT;
	struct vtc_relay *r;

	ro.spin_ns = 1;
	co.packets = take_packets;
	co.data = with;
	ck_assert_errno(vtc_relay_new(ctx, &ro, &r), 0);
	ck_assert_errno(vtc_port_new_callback(ctx, &co, ret_callback), 0);
	ck_assert_errno(vtc_relay_join(r, *with, *ret_callback), 0);
	return r;
}

static void setup(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	fds_before = vtct_count_fds();
	snprintf(path, sizeof(path), "%s/hostile", vtct_dir());
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	o.role = VTC_VRING_DEVICE;
	o.path = path;
	o.queue_pairs = QUEUE_PAIRS;
	o.mtu = 1500;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &o, &port), 0);
	relay = join_callback(&port, &callback);
	serve();
	hostile_open(&h, -1);
	fds_idle = vtct_count_fds();
	maps_idle = count_maps();
}

/* ---- Connections ---- */

static void come(void)
{
	h.fd = vhostclient_connect(path);
	serve();
	ck_assert_uint_eq(info(port).connected, 1);
}

static bool is_left(void)
{
	serve();
	(void)hostile_read(&h);
	return !info(port).connected;
}

static void go(void)
{
	(void)close(h.fd);
	h.fd = -1;
	serve();
	ck_assert_uint_eq(info(port).connected, 0);
	ck_assert_uint_eq(info(port).ready, 0);
	ck_assert_int_eq(vtct_count_fds(), fds_idle);
	ck_assert_int_eq(count_maps(), maps_idle);
}

static void is_left_because(const char *why)
{
	const char *error;

	ck_assert_msg(is_left(), "still there, not left because %s", why);
	error = info(port).error;
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, why), "\"%s\" is not \"%s\"", error, why);
}

/* The next frontend finds all as if nobody had been there. */
static void serve_a_good_one(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	uint8_t bytes[PACKET_LEN] = { 0 };
	struct vtc_segment segment = { bytes, sizeof(bytes) };
	struct vtc_packet packet = { &segment, 1, sizeof(bytes), { 0 }, 0 };
	struct vtc_port *frontend, *sink_port;
	struct vtc_relay *other;
	unsigned int sent = 0;

	o.role = VTC_VRING_DRIVER;
	o.path = path;
	ck_assert_errno(vtc_port_open_vhost_user(ctx, &o, &frontend), 0);
	other = join_callback(&frontend, &sink_port);
	for (int i = 0; i < TURNS && !(info(frontend).ready && info(port).ready); i++) {
		serve();
		ck_assert_int_ge(vtc_relay_process(other, 0), 0);
	}
	ck_assert_uint_eq(info(port).ready, 1);
	seen = 0;
	for (int i = 0; i < TURNS && seen < PACKETS; i++) {
		if (sent < PACKETS)
			sent += (unsigned int)vtc_port_send(frontend, 0, &packet, 1);
		ck_assert_int_ge(vtc_relay_process(other, 0), 0);
		serve();
	}
	ck_assert_uint_ge(seen, PACKETS);
	vtc_port_close(frontend);
	vtc_port_close(sink_port);
	vtc_relay_free(other);
	serve();
	ck_assert_uint_eq(info(port).connected, 0);
}

static void teardown(void)
{
	serve_a_good_one();
	ck_assert_int_eq(vtct_count_fds(), fds_idle);
	ck_assert_int_eq(count_maps(), maps_idle);
	hostile_close(&h);
	vtc_port_close(port);
	vtc_port_close(callback);
	vtc_relay_free(relay);
	ctx = vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
	ck_assert_int_eq(count_maps(), 0);
}

/* ---- What is not hostile ---- */

static void put_chain(unsigned int ring, uint16_t at, uint16_t flags)
{
	uint8_t *page = h.base + ring * HOSTILE_PAGE;
	uint64_t addr = HOSTILE_GUEST + HOSTILE_BUFFERS + at * 1024u;
	uint32_t len = 512;
	uint16_t id = at % HOSTILE_SIZE, idx = (uint16_t)(at + 1);

	memcpy(page + 16u * id, &addr, 8);
	memcpy(page + 16u * id + 8, &len, 4);
	memcpy(page + 16u * id + 12, &flags, 2);
	memcpy(page + HOSTILE_DRIVER + 4 + 2 * id, &id, 2);
	memcpy(page + HOSTILE_DRIVER + 2, &idx, 2);
}

static void kick(unsigned int ring)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(h.kick[ring], &one, sizeof(one)), sizeof(one));
}

/* Else nothing below would show anything. */
START_TEST(a_good_beginning_is_good)
{
	memset(h.base, 0, HOSTILE_LEN);
	come();
	hostile_begin(&h, 0);
	ck_assert(!is_left());
	ck_assert_uint_eq(info(port).ready, 1);
	seen = 0;
	put_chain(1, 0, 0);
	kick(1);
	serve();
	ck_assert_uint_eq(seen, 1);
	go();
}
END_TEST

/* ---- Messages ---- */

static void begin_until(unsigned int stage)
{
	if (stage == 1)
		hostile_greet(&h, 0, PROTOCOL);
	if (stage == 2)
		hostile_begin(&h, 0);
}

static void try_message(unsigned int stage, uint32_t request, uint32_t size,
			unsigned int fds)
{
	uint8_t payload[512];
	int list[16];

	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i % 8 ? 0 : request + stage);
	for (unsigned int i = 0; i < fds; i++)
		list[i] = h.fds[(request + i) % HOSTILE_FDS];
	come();
	begin_until(stage);
	hostile_send(&h, request, payload, size, list, fds);
	(void)is_left();
	go();
}

START_TEST(any_message_at_any_time)
{
	static const uint32_t sizes[] = { 0, 4, 8, 16, 20, 24, 40, 72, 268, 269 };
	static const unsigned int fds[] = { 0, 1, 2, 9 };
	unsigned int step = in_valgrind() ? 29 : 1, n = 0;

	memset(h.base, 0, HOSTILE_LEN);
	for (uint32_t request = 0; request < 48; request++) {
		for (unsigned int i = 0; i < COUNT(sizes) * COUNT(fds); i++) {
			if (n++ % step)
				continue;
			try_message((unsigned int)_i, request, sizes[i / COUNT(fds)],
				    fds[i % COUNT(fds)]);
		}
	}
}
END_TEST

/* The good beginning, message by message. */
static void send_step(unsigned int step)
{
	struct vtc__vhost_addr addr = hostile_addr(1);
	uint64_t index = 1;

	switch (step) {
	case 0:
		hostile_send_u64(&h, VTC__VHOST_SET_PROTOCOL_FEATURES, PROTOCOL);
		break;
	case 1:
		hostile_send_u64(&h, VTC__VHOST_SET_FEATURES,
				 BIT(VTC__F_VERSION_1) |
					 BIT(VTC__VHOST_F_PROTOCOL_FEATURES));
		break;
	case 2:
		hostile_share(&h);
		break;
	case 3:
		hostile_send_state(&h, VTC__VHOST_SET_VRING_NUM, 1, HOSTILE_SIZE);
		break;
	case 4:
		hostile_send_state(&h, VTC__VHOST_SET_VRING_BASE, 1, 0);
		break;
	case 5:
		hostile_send(&h, VTC__VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		break;
	case 6:
		hostile_send(&h, VTC__VHOST_SET_VRING_KICK, &index, 8, &h.kick[1], 1);
		break;
	case 7:
		hostile_send(&h, VTC__VHOST_SET_VRING_CALL, &index, 8, &h.call[1], 1);
		break;
	case 8:
		hostile_send_state(&h, VTC__VHOST_SET_VRING_ENABLE, 1, 1);
		break;
	case 9:
		hostile_send_state(&h, VTC__VHOST_GET_VRING_BASE, 1, 0);
		break;
	case 10:
		hostile_send(&h, VTC__VHOST_RESET_DEVICE, NULL, 0, NULL, 0);
		break;
	default:
		hostile_send(&h, VTC__VHOST_RESET_OWNER, NULL, 0, NULL, 0);
	}
}
#define STEPS 12u

static void try_order(const unsigned int *steps, unsigned int count)
{
	memset(h.base, 0, HOSTILE_LEN);
	come();
	for (unsigned int i = 0; i < count; i++) {
		send_step(steps[i]);
		put_chain(1, (uint16_t)(i % 8), 0);
		kick(1);
		serve();
	}
	(void)is_left();
	go();
}

START_TEST(messages_in_any_order)
{
	unsigned int steps[STEPS + 1], n;

	for (unsigned int a = 0; a < STEPS; a++) {
		for (unsigned int b = 0; b < STEPS; b++) {
			for (unsigned int i = 0; i < STEPS; i++)
				steps[i] = i;
			steps[a] = b;
			steps[b] = a;
			try_order(steps, STEPS);
			/* One too many, and one too few. */
			for (unsigned int i = 0, at = 0; i < STEPS; i++) {
				steps[at++] = i;
				if (i == a)
					steps[at++] = b;
			}
			try_order(steps, STEPS + 1);
			n = 0;
			for (unsigned int i = 0; i < STEPS; i++) {
				if (i != a && i != b)
					steps[n++] = i;
			}
			try_order(steps, n);
		}
		if (in_valgrind())
			a += 3;
	}
	for (unsigned int i = 0; i < STEPS; i++)
		steps[i] = STEPS - 1 - i;
	try_order(steps, STEPS);
}
END_TEST

/* ---- Memory ---- */

struct bad_region {
	enum hostile_fd fd;
	struct vtc__vhost_region region;
	const char *why;
};

static const struct bad_region bad_regions[] = {
	{ HOSTILE_UNSEALED, { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 }, "sealed" },
	{ HOSTILE_SMALL, { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 }, "ends before" },
	{ HOSTILE_SMALL, { HOSTILE_GUEST, HOSTILE_PAGE, HOSTILE_USER, 1 }, "" },
	{ HOSTILE_SMALL, { HOSTILE_GUEST, 4096, HOSTILE_USER, 4096 }, "ends before" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, HOSTILE_LEN + 1, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, 0, HOSTILE_USER, 0 }, "empty" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, 4096, HOSTILE_USER, HOSTILE_LEN }, "ends" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, UINT64_MAX, HOSTILE_USER, 0 }, "wrap" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, 8192, HOSTILE_USER, UINT64_MAX - 4095 }, "" },
	{ HOSTILE_SEALED, { UINT64_MAX - 4095, 8192, HOSTILE_USER, 0 }, "wrap" },
	{ HOSTILE_SEALED, { HOSTILE_GUEST, 8192, UINT64_MAX - 4095, 0 }, "wrap" },
	{ HOSTILE_PIPE, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_BELL, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_SOCKET, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_NULL, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_ZERO, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
	{ HOSTILE_FOLDER, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 }, "" },
};

START_TEST(bad_memory_is_refused)
{
	const struct bad_region *bad = &bad_regions[_i];
	struct vtc__vhost_memory table = { .count = 1, .region = { bad->region } };
	struct vtc__vhost_mem_reg reg = { 0, bad->region };

	come();
	hostile_send(&h, VTC__VHOST_SET_MEM_TABLE, &table, 40, &h.fds[bad->fd], 1);
	is_left_because("SET_MEM_TABLE: ");
	is_left_because(bad->why);
	go();
	come();
	hostile_greet(&h, 0, PROTOCOL);
	hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &reg, 40, &h.fds[bad->fd], 1);
	is_left_because("ADD_MEM_REG: ");
	is_left_because(bad->why);
	go();
	/* Behind a good one, in the place of it while rings run, or beside it. */
	come();
	hostile_begin(&h, 0);
	hostile_send(&h, VTC__VHOST_SET_MEM_TABLE, &table, 40, &h.fds[bad->fd], 1);
	is_left_because(bad->why);
	go();
	ck_assert_int_eq(ftruncate(h.fds[HOSTILE_UNSEALED], 0), 0);
}
END_TEST

START_TEST(overlapping_memory_is_refused)
{
	static const struct vtc__vhost_region beside[] = {
		{ HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER + HOSTILE_LEN, 0 },
		{ HOSTILE_GUEST + HOSTILE_LEN, HOSTILE_LEN, HOSTILE_USER, 0 },
		{ HOSTILE_GUEST + 4096, 4096, HOSTILE_USER + HOSTILE_LEN, 0 },
		{ HOSTILE_GUEST - 4096, 8192, HOSTILE_USER + HOSTILE_LEN, 0 },
		{ HOSTILE_GUEST + HOSTILE_LEN - 4096, 8192, HOSTILE_USER * 2, 0 },
		{ HOSTILE_GUEST * 4, 8192, HOSTILE_USER - 4096, 0 },
	};
	struct vtc__vhost_memory table = {
		.count = 2, .region = { { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 } }
	};
	int fds[] = { h.fds[HOSTILE_SEALED], h.fds[HOSTILE_SEALED] };

	for (unsigned int i = 0; i < COUNT(beside); i++) {
		struct vtc__vhost_mem_reg reg = { 0, beside[i] };

		table.region[1] = beside[i];
		come();
		hostile_send(&h, VTC__VHOST_SET_MEM_TABLE, &table, 72, fds, 2);
		is_left_because("overlaps");
		go();
		come();
		hostile_begin(&h, 0);
		hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &reg, 40, fds, 1);
		is_left_because("overlaps");
		go();
	}
}
END_TEST

START_TEST(regions_have_an_end)
{
	struct vtc__vhost_mem_reg reg = { 0, { 0, HOSTILE_PAGE, 0, 0 } };
	unsigned int n = 0;

	come();
	hostile_greet(&h, 0, PROTOCOL);
	while (n <= VTC_MEM_REGIONS_MAX && !is_left()) {
		reg.region.guest_addr = reg.region.user_addr = n++ * 2ull * HOSTILE_PAGE;
		hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &reg, 40, &h.fds[HOSTILE_SMALL],
			     1);
	}
	is_left_because("too many regions");
	ck_assert_uint_eq(n, VTC_MEM_REGIONS_MAX + 1);
	go();
	come();
	hostile_greet(&h, 0, PROTOCOL);
	hostile_send(&h, VTC__VHOST_REM_MEM_REG, &reg, 40, NULL, 0);
	is_left_because("no such region");
	go();
}
END_TEST

/* Memory goes while rings are in it, and comes back in pieces. */
START_TEST(memory_goes_from_under_the_rings)
{
	struct vtc__vhost_mem_reg all = {
		0, { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 }
	};
	struct vtc__vhost_mem_reg part = { 0, { HOSTILE_GUEST, 4096, HOSTILE_USER, 0 } };

	memset(h.base, 0, HOSTILE_LEN);
	come();
	hostile_begin(&h, 0);
	ck_assert(!is_left());
	ck_assert_uint_eq(info(port).ready, 1);
	hostile_send(&h, VTC__VHOST_REM_MEM_REG, &all, 40, NULL, 0);
	put_chain(1, 0, 0);
	kick(1);
	ck_assert(!is_left());
	ck_assert_uint_eq(info(port).ready, 0);
	hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &part, 40, &h.fds[HOSTILE_SEALED], 1);
	kick(1);
	ck_assert(!is_left());
	hostile_send(&h, VTC__VHOST_REM_MEM_REG, &part, 40, NULL, 0);
	hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &all, 40, &h.fds[HOSTILE_SEALED], 1);
	seen = 0;
	kick(1);
	ck_assert(!is_left());
	ck_assert_uint_eq(info(port).ready, 1);
	ck_assert_uint_eq(seen, 1);
	go();
}
END_TEST

/* ---- Rings ---- */

START_TEST(rings_of_impossible_size)
{
	static const uint32_t sizes[] = {
		0, 32769, 65536, 0x80000000, UINT32_MAX, 3, 15
	};

	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		come();
		hostile_begin(&h, 0);
		hostile_send_state(&h, VTC__VHOST_GET_VRING_BASE, 1, 0);
		hostile_send_state(&h, VTC__VHOST_SET_VRING_NUM, 1, sizes[i]);
		if (sizes[i] && sizes[i] < 16)
			hostile_start(&h, 0);
		(void)is_left();
		go();
	}
}
END_TEST

START_TEST(rings_that_are_nowhere)
{
	static const uint64_t offsets[] = {
		HOSTILE_LEN,
		HOSTILE_LEN - 2,
		1,
		2,
		0x7ff,
		0xfffffffffffff000,
		UINT64_MAX,
		UINT64_MAX - HOSTILE_USER,
		0 - HOSTILE_USER,
		0x8000000000000000,
	};

	for (unsigned int i = 0; i < 3 * COUNT(offsets); i++) {
		uint64_t at = HOSTILE_USER + offsets[i / 3];

		for (unsigned int packed = 0; packed < 2; packed++) {
			struct vtc__vhost_addr addr = hostile_addr(1);

			addr.desc = i % 3 == 0 ? at : addr.desc;
			addr.avail = i % 3 == 1 ? at : addr.avail;
			addr.used = i % 3 == 2 ? at : addr.used;
			memset(h.base, 0, HOSTILE_LEN);
			come();
			hostile_begin(&h, packed ? BIT(VTC_VRING_F_PACKED) : 0);
			hostile_send(&h, VTC__VHOST_SET_VRING_ADDR, &addr, sizeof(addr),
				     NULL, 0);
			put_chain(1, 0, 0);
			kick(1);
			(void)is_left();
			go();
		}
	}
}
END_TEST

/* What a ring says of itself is as bad as what messages say. */
START_TEST(rings_that_lie)
{
	static const struct {
		unsigned int at, len;
		uint8_t byte;
	} lies[] = {
		{ HOSTILE_DRIVER + 2, 2, 0xff },
		{ HOSTILE_DRIVER + 2, 1, 17 },
		{ HOSTILE_DRIVER + 4, 32, 0xff },
		{ HOSTILE_DRIVER + 4, 32, 16 },
		{ 0, 8, 0xff },
		{ 8, 4, 0xff },
		{ 8, 4, 0 },
		{ 12, 2, 0x01 },
		{ 12, 2, 0x04 },
		{ 12, 2, 0x05 },
		{ 12, 2, 0xff },
		{ HOSTILE_DEVICE, 256, 0xff },
		{ 0, 0xf00, 0xff },
		{ 0, 0x800, 0x01 },
	};

	for (unsigned int i = 0; i < 4 * COUNT(lies); i++) {
		unsigned int ring = i & 1;
		uint64_t features = i & 2 ? BIT(VTC_VRING_F_PACKED) : 0;

		memset(h.base, 0, HOSTILE_LEN);
		come();
		hostile_begin(&h, features | BIT(VTC_VRING_F_INDIRECT));
		serve();
		put_chain(ring, 0, ring ? 0 : 2);
		memset(h.base + ring * HOSTILE_PAGE + lies[i / 4].at, lies[i / 4].byte,
		       lies[i / 4].len);
		kick(ring);
		(void)is_left();
		/* A ring that cannot go on goes alone, and stops as others do. */
		hostile_send_state(&h, VTC__VHOST_GET_VRING_BASE, ring, 0);
		ck_assert(!is_left());
		go();
	}
}
END_TEST

START_TEST(doorbells_of_any_kind)
{
	for (unsigned int i = 0; i < HOSTILE_FDS; i++) {
		for (uint32_t request = VTC__VHOST_SET_VRING_KICK;
		     request <= VTC__VHOST_SET_VRING_ERR; request++) {
			uint64_t index = 1;

			memset(h.base, 0, HOSTILE_LEN);
			come();
			hostile_begin(&h, 0);
			hostile_send(&h, request, &index, 8, &h.fds[i], 1);
			put_chain(1, 0, 0);
			kick(1);
			serve();
			/* It may be made to block after it was looked at. */
			ck_assert_int_eq(fcntl(h.fds[HOSTILE_FULL], F_SETFL, 0), 0);
			put_chain(1, 1, 0);
			kick(1);
			(void)is_left();
			if (i == HOSTILE_SEALED || i == HOSTILE_PIPE)
				is_left_because("no eventfd");
			go();
			ck_assert_int_eq(fcntl(h.fds[HOSTILE_FULL], F_SETFL, O_NONBLOCK),
					 0);
		}
	}
}
END_TEST

/* ---- Setting the same thing again and again ---- */

static void repeat(unsigned int what)
{
	struct vtc__vhost_mem_reg reg = {
		0, { HOSTILE_GUEST * 4, HOSTILE_PAGE, HOSTILE_USER * 2, 0 }
	};
	struct vtc__vhost_inflight inflight = { 4096, 0, 2, 16, 0 };
	struct vtc__vhost_log log = { 4096, 0 };
	uint64_t index = 1;

	switch (what) {
	case 0:
	case 1:
	case 2:
		hostile_send(&h, VTC__VHOST_SET_VRING_KICK + what, &index, 8,
			     &h.fds[HOSTILE_BELL], 1);
		break;
	case 3:
		hostile_send(&h, VTC__VHOST_SET_BACKEND_REQ_FD, NULL, 0,
			     &h.fds[HOSTILE_SOCKET], 1);
		break;
	case 4:
		hostile_send(&h, VTC__VHOST_SET_LOG_BASE, &log, 16, &h.fds[HOSTILE_SMALL],
			     1);
		break;
	case 5:
		hostile_share(&h);
		break;
	case 6:
		hostile_send(&h, VTC__VHOST_GET_INFLIGHT_FD, &inflight, 20, NULL, 0);
		break;
	case 7:
		hostile_send(&h, VTC__VHOST_SET_INFLIGHT_FD, &inflight, 20,
			     &h.fds[HOSTILE_SMALL], 1);
		break;
	case 8:
		hostile_send(&h, VTC__VHOST_ADD_MEM_REG, &reg, 40, &h.fds[HOSTILE_SMALL],
			     1);
		hostile_send(&h, VTC__VHOST_REM_MEM_REG, &reg, 40, &h.fds[HOSTILE_SMALL],
			     1);
		break;
	case 9:
		hostile_send_state(&h, VTC__VHOST_GET_VRING_BASE, 1, 0);
		hostile_start(&h, 1);
		break;
	default:
		hostile_send_u64(&h, VTC__VHOST_SET_FEATURES,
				 BIT(VTC__F_VERSION_1) |
					 BIT(VTC__VHOST_F_PROTOCOL_FEATURES));
	}
}
#define REPEATED 11

START_TEST(repeating_needs_no_more)
{
	int fds, maps;

	come();
	hostile_greet(&h, 0, PROTOCOL);
	hostile_share(&h);
	if (_i == 9)
		hostile_start(&h, 1);
	for (int i = 0; i < 2; i++) {
		repeat((unsigned int)_i);
		ck_assert(!is_left());
	}
	fds = vtct_count_fds();
	maps = count_maps();
	for (int i = 0; i < REPEATS; i++) {
		repeat((unsigned int)_i);
		ck_assert(!is_left());
	}
	ck_assert_int_eq(vtct_count_fds(), fds);
	ck_assert_int_eq(count_maps(), maps);
	go();
}
END_TEST

/* ---- Logs and records ---- */

START_TEST(logs_that_are_too_short)
{
	static const struct vtc__vhost_log logs[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 4096, UINT64_MAX - 4095 },
		{ UINT64_MAX, 0 },
		{ UINT64_MAX, 4096 },
		{ UINT64_MAX - 4095, 4096 },
		{ HOSTILE_LEN + 1, 0 },
		{ HOSTILE_LEN, 4096 },
		{ 33, 0 },
	};

	for (unsigned int i = 0; i < COUNT(logs); i++) {
		come();
		hostile_greet(&h, 0, PROTOCOL);
		hostile_share(&h);
		hostile_send(&h, VTC__VHOST_SET_LOG_BASE, &logs[i], 16,
			     &h.fds[HOSTILE_SEALED], 1);
		is_left_because("SET_LOG_BASE: ");
		go();
	}
	/* It was long enough for the memory of then. */
	come();
	hostile_greet(&h, BIT(VTC__VHOST_F_LOG_ALL), PROTOCOL);
	hostile_send(&h, VTC__VHOST_SET_LOG_BASE, &(struct vtc__vhost_log){ 33, 0 }, 16,
		     &h.fds[HOSTILE_SEALED], 1);
	hostile_share(&h);
	is_left_because("the dirty log ends before the memory does");
	go();
}
END_TEST

START_TEST(records_that_lie)
{
	static const struct vtc__vhost_inflight lies[] = {
		{ 0, 0, 2, 16, 0 },
		{ 4096, 0, 0, 16, 0 },
		{ 4096, 0, 2, 0, 0 },
		{ 4096, 0, 5, 16, 0 },
		{ 4096, 0, 0xffff, 0xffff, 0 },
		{ 4096, 0, 2, 32769, 0 },
		{ 4096, 0, 4, 32768, 0 },
		{ 4096, 4, 2, 16, 0 },
		{ 4096, 4096, 2, 16, 0 },
		{ UINT64_MAX, 0, 2, 16, 0 },
		{ UINT64_MAX, 8, 2, 16, 0 },
		{ 4096, UINT64_MAX - 7, 2, 16, 0 },
	};

	for (unsigned int i = 0; i < COUNT(lies); i++) {
		come();
		hostile_greet(&h, 0, PROTOCOL);
		hostile_send(&h, VTC__VHOST_SET_INFLIGHT_FD, &lies[i], 20,
			     &h.fds[HOSTILE_SMALL], 1);
		is_left_because("SET_INFLIGHT_FD: ");
		go();
	}
}
END_TEST

/* Large enough for split rings; packed ones need twice as much. */
START_TEST(records_that_become_too_small)
{
	struct vtc__vhost_inflight inflight = { 4096, 0, 3, 64, 0 };

	memset(h.base, 0, HOSTILE_LEN);
	come();
	hostile_greet(&h, 0, PROTOCOL);
	hostile_send(&h, VTC__VHOST_SET_INFLIGHT_FD, &inflight, 20, &h.fds[HOSTILE_SMALL],
		     1);
	ck_assert(!is_left());
	hostile_send_u64(&h, VTC__VHOST_SET_FEATURES,
			 BIT(VTC__F_VERSION_1) | BIT(VTC_VRING_F_PACKED) |
				 BIT(VTC__VHOST_F_PROTOCOL_FEATURES));
	hostile_share(&h);
	hostile_start(&h, 0);
	hostile_start(&h, 1);
	hostile_start(&h, 2);
	/* Rings without their part of it do not start; the one that has one may. */
	ck_assert(!is_left());
	ck_assert_ptr_nonnull(info(port).error);
	ck_assert_str_eq(info(port).error,
			 "ring 2: the in-flight record is too small for the ring");
	go();
}
END_TEST

/* ---- At random ---- */

/* From ring to ring, where nobody but the relay looks at the packets. */
static void join_itself(void)
{
	vtc_port_close(callback);
	callback = NULL;
	ck_assert_errno(vtc_relay_join(relay, port, port), 0);
}

START_TEST(anything)
{
	const char *given = getenv("VTC_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)getpid() << 20;
	int rounds = in_valgrind() ? 20 : ROUNDS;
	uint8_t bytes[ROUND_LEN];

	if (_i)
		join_itself();
	printf("# seed %" PRIu64 " (VTC_TEST_SEED)\n", seed);
	fflush(stdout);
	for (int i = 0; i < rounds; i++) {
		for (unsigned int n = 0; n < sizeof(bytes); n++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[n] = (uint8_t)(seed >> 40);
		}
		if (i % 2)
			memset(h.base, 0, HOSTILE_LEN);
		come();
		if (i % 3)
			hostile_begin(&h, i % 4 ? 0 : BIT(VTC_VRING_F_PACKED));
		hostile_act(&h, bytes, sizeof(bytes), serve);
		go();
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_good_beginning_is_good,
		messages_in_any_order,
		overlapping_memory_is_refused,
		regions_have_an_end,
		memory_goes_from_under_the_rings,
		rings_of_impossible_size,
		rings_that_are_nowhere,
		rings_that_lie,
		doorbells_of_any_kind,
		logs_that_are_too_short,
		records_that_lie,
		records_that_become_too_small,
	};
	Suite *s = suite_create("hostile frontends");
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	for (size_t i = 0; i < COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, anything, 0, 2);
	tcase_add_loop_test(tc, any_message_at_any_time, 0, 3);
	tcase_add_loop_test(tc, bad_memory_is_refused, 0, COUNT(bad_regions));
	tcase_add_loop_test(tc, repeating_needs_no_more, 0, REPEATED);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
