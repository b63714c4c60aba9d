/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guard program does to frames on the real kernel: each comes out where the
 * rules say, once, byte for byte as it was on the wire, and nowhere else.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "bed.h"
#include "rawxsk.h"
#include "vmdq/guard.h"
#include "vtct.h"

#define NOTE_LEN  256
#define TAPS_MAX  8u
#define BATCH	  64u
#define PRIORITY  0x6000 /* bits of a tag that are no VLAN */
#define FRAME_LEN 200u

/* Native, native with hidden tags, generic, below a dispatcher. */
static const struct way {
	uint32_t flags;
	bool tags;
} ways[] = { { VTC_POOL_F_PLAIN_XDP, false },
	     { VTC_POOL_F_PLAIN_XDP, true },
	     { VTC_POOL_F_GENERIC_XDP, false },
	     { 0, false } };
#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xb },
		     mac_c[6] = { 2, 0, 0, 0, 0, 0xc },
		     everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static struct bed bed;
static struct vtc__guard *guard;
static struct vtc__guard_id id;
static int taps[TAPS_MAX];
static uint32_t tap_index[TAPS_MAX];

static void start(const struct way *way, unsigned int queues)
{
	char text[NOTE_LEN] = "";
	int err;

	bed_make(&bed, queues, way->flags == 0);
	err = vtc__guard_probe(bed.ctx, bed.card, text, sizeof(text));
	if (err == -EOPNOTSUPP || err == -EPERM)
		vtct_skip("%s", text);
	ck_assert_errno(vtc__guard_load(bed.ctx, bed.card, way->flags, way->tags, &guard,
					&id, text, sizeof(text)),
			0);
	ck_assert_errno(vtc__guard_attach(guard, &id), 0);
	if (way->flags == 0 && id.mode != VTC_POOL_GUARD_DISPATCHER)
		vtct_skip("libxdp finds no dispatcher that this kernel takes");
}

static void end(void)
{
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	vtc__guard_close(guard);
	bed_end(&bed);
}

/* Slot n gets a tap of its own. */
static void slot_on_tap(uint32_t n, const struct vtc__guard_slot *like)
{
	struct vtc__guard_slot slot = *like;
	char name[16];

	if (tap_index[n] == 0) {
		snprintf(name, sizeof(name), "tap%u", n);
		tap_index[n] = bed_tap(&bed, name, &taps[n]);
	}
	slot.used = 1;
	slot.target = tap_index[n];
	ck_assert_errno(vtc__guard_set_slot(guard, n, &slot), 0);
}

static const struct vtc__guard_slot plain;

static struct vtc_filter filter_of(const uint8_t *mac, int vlan)
{
	struct vtc_filter filter = { .match = 0 };

	if (mac) {
		memcpy(&filter.mac, mac, sizeof(filter.mac));
		filter.match |= VTC_FILTER_MAC;
	}
	if (vlan >= 0) {
		filter.vlan = (uint16_t)vlan;
		filter.match |= VTC_FILTER_VLAN;
	}
	return filter;
}

static void add(const uint8_t *mac, int vlan, uint32_t slot)
{
	struct vtc_filter filter = filter_of(mac, vlan);

	ck_assert_errno(vtc__guard_add_filter(guard, &filter, slot), 0);
}

static void take_away(const uint8_t *mac, int vlan)
{
	struct vtc_filter filter = filter_of(mac, vlan);

	ck_assert_errno(vtc__guard_remove_filter(guard, &filter), 0);
}

/* Send a frame and say where it must come out, which is the only place. */
static void expect_at(int fd, const uint8_t mac[6], int tag, const char *where)
{
	static uint32_t seed;
	uint8_t frame[BED_FRAME_MAX];
	size_t len = bed_frame(frame, mac, tag, FRAME_LEN, ++seed);
	unsigned int i;

	bed_send(bed.sender, frame, len);
	ck_assert_msg(bed_expect(&bed, fd, frame, len), "not at %s", where);
	ck_assert_msg(bed_expect(&bed, bed.stack, NULL, 0), "at the stack as well");
	for (i = 0; i < TAPS_MAX; i++)
		if (tap_index[i])
			ck_assert_msg(bed_expect(&bed, taps[i], NULL, 0),
				      "at tap %u as well", i);
}

#define at_tap(n, mac, tag) expect_at(taps[n], mac, tag, "tap " #n)
#define at_stack(mac, tag)  expect_at(bed.stack, mac, tag, "the stack")

static struct vtc__guard_stats stats_of(uint32_t slot)
{
	struct vtc__guard_stats stats;

	ck_assert_errno(vtc__guard_get_stats(guard, slot, &stats), 0);
	return stats;
}

/* ---- Rules ---- */

START_TEST(the_most_specific_rule_counts)
{
	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	slot_on_tap(2, &plain);
	at_stack(mac_a, -1);
	add(mac_a, 5, 0);
	at_tap(0, mac_a, 5);
	at_stack(mac_a, 6);
	at_stack(mac_a, -1);
	add(NULL, 5, 2);
	at_tap(0, mac_a, 5);
	at_tap(2, mac_b, 5);
	add(mac_b, -1, 1);
	at_tap(1, mac_b, 5);
	at_tap(1, mac_b, -1);
	at_tap(1, mac_b, 4000);
	at_tap(2, mac_c, 5);
	at_stack(mac_c, 6);
	take_away(mac_a, 5);
	at_tap(2, mac_a, 5);
	take_away(NULL, 5);
	at_stack(mac_a, 5);
	at_tap(1, mac_b, 5);
	end();
}
END_TEST

/* VLAN 0 is no tag, and a tag with a priority only. The priority never matters. */
START_TEST(priority_tags_are_no_vlan)
{
	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	add(mac_a, 0, 0);
	add(NULL, 0, 1);
	at_tap(0, mac_a, -1);
	at_tap(0, mac_a, 0);
	at_tap(0, mac_a, PRIORITY);
	at_tap(1, mac_b, -1);
	at_tap(1, mac_b, PRIORITY);
	at_stack(mac_a, PRIORITY | 7);
	add(mac_c, 7, 1);
	at_tap(1, mac_c, PRIORITY | 7);
	end();
}
END_TEST

/* Two tags, the outer of this protocol: where the frame comes out, as it was. */
static void expect_two_tags(int fd, uint16_t protocol, uint8_t outer, uint8_t inner)
{
	static uint32_t seed = 77;
	uint8_t frame[BED_FRAME_MAX];
	size_t len = bed_frame(frame, mac_a, outer, FRAME_LEN, ++seed);

	/* The test's own protocol goes behind the second tag. */
	memcpy(frame + 20, frame + 16, 2);
	frame[12] = (uint8_t)(protocol >> 8);
	frame[13] = (uint8_t)protocol;
	memcpy(frame + 16, (uint8_t[]){ 0x81, 0x00, 0x00, inner }, 4);
	bed_send(bed.sender, frame, len);
	ck_assert(bed_expect(&bed, fd, frame, len));
	ck_assert(bed_expect(&bed, bed.stack, NULL, 0));
	ck_assert(bed_expect(&bed, taps[0], NULL, 0));
	ck_assert(bed_expect(&bed, taps[1], NULL, 0));
}

START_TEST(the_outermost_tag_counts)
{
	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	add(mac_a, 10, 0);
	add(mac_a, 20, 1);
	expect_two_tags(taps[0], 0x88a8, 10, 20);
	expect_two_tags(taps[1], 0x88a8, 20, 10);
	expect_two_tags(taps[0], 0x8100, 10, 20);
	expect_two_tags(bed.stack, 0x88a8, 30, 10);
	ck_assert_uint_eq(stats_of(0).packets, 2);
	ck_assert_uint_eq(stats_of(1).packets, 1);
	end();
}
END_TEST

START_TEST(one_slot_takes_everything_else)
{
	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	add(mac_a, -1, 0);
	ck_assert_errno(vtc__guard_set_everything(guard, 1), 0);
	at_tap(0, mac_a, -1);
	at_tap(1, mac_b, -1);
	at_tap(1, mac_b, 77);
	at_stack(everybody, -1);
	ck_assert_errno(vtc__guard_set_everything(guard, VTC__GUARD_SLOTS), 0);
	at_stack(mac_b, -1);
	end();
}
END_TEST

/* Frames of a slot that is not used (any more) are nobody's. */
START_TEST(a_slot_that_is_not_used)
{
	static const struct vtc__guard_slot unused;

	start(&ways[_i], 1);
	add(mac_a, -1, 0);
	at_stack(mac_a, -1);
	slot_on_tap(0, &plain);
	at_tap(0, mac_a, -1);
	ck_assert_uint_eq(stats_of(0).packets, 1);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &unused), 0);
	at_stack(mac_a, -1);
	ck_assert_uint_eq(stats_of(0).packets, 1);
	slot_on_tap(0, &plain);
	ck_assert_uint_eq(stats_of(0).packets, 0);
	end();
}
END_TEST

/* ---- Many frames against the same rules in C ---- */

#define MACS  10u
#define VLANS 6u

/* Slots of the rules; -1: none. VLANS: any VLAN; MACS: any address. */
static int rules[MACS + 1][VLANS + 1];
static uint32_t dice_state;

static uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 1103515245 + 12345;
	return (dice_state >> 16) % n;
}

static void mac_of(uint32_t n, uint8_t mac[6])
{
	memcpy(mac, mac_a, 6);
	mac[4] = (uint8_t)(n + 1);
}

static void toss_rules(void)
{
	uint8_t mac[6];
	uint32_t m, v;

	for (m = 0; m <= MACS; m++) {
		for (v = 0; v <= VLANS; v++) {
			rules[m][v] = dice(3) || (m == MACS && v == VLANS)
					      ? -1
					      : (int)dice(TAPS_MAX);
			mac_of(m, mac);
			if (rules[m][v] >= 0)
				add(m == MACS ? NULL : mac, v == VLANS ? -1 : (int)v,
				    (uint32_t)rules[m][v]);
		}
	}
}

static int slot_for(uint32_t m, uint32_t v)
{
	if (m < MACS && v < VLANS && rules[m][v] >= 0)
		return rules[m][v];
	if (m < MACS && rules[m][VLANS] >= 0)
		return rules[m][VLANS];
	return v < VLANS ? rules[MACS][v] : -1;
}

static struct sent {
	uint8_t frame[BED_FRAME_MAX];
	size_t len;
	int slot; /* -1: the stack */
} sent[BATCH];

/* Addresses and VLANs that no rule names are there as well. */
static void send_any(struct sent *one)
{
	uint32_t m = dice(MACS + 1), v = dice(VLANS + 2);
	int tag = (int)(v | dice(8) << 13);
	uint8_t mac[6];

	mac_of(m, mac);
	if (v == 0 && dice(2))
		tag = -1;
	one->len = bed_frame(one->frame, mac, tag, 60 + dice(1400), dice(65536));
	one->slot = slot_for(m, v);
	bed_send(bed.sender, one->frame, one->len);
}

static void check_place(int fd, int slot)
{
	uint8_t got[BED_FRAME_MAX];
	unsigned int i;
	size_t len;

	for (i = 0; i < BATCH; i++) {
		if (sent[i].slot != slot)
			continue;
		len = bed_receive(fd, got);
		ck_assert_msg(len == sent[i].len && !memcmp(got, sent[i].frame, len),
			      "frame %u is not what comes next in slot %d", i, slot);
	}
	ck_assert_msg(bed_receive(fd, got) == 0, "slot %d got more than its own", slot);
}

START_TEST(any_frame_comes_to_its_own)
{
	int slot, round;
	unsigned int i;

	start(&ways[_i], 1);
	dice_state = (uint32_t)_i + 1;
	for (i = 0; i < TAPS_MAX; i++)
		slot_on_tap(i, &plain);
	toss_rules();
	for (round = 0; round < 40; round++) {
		for (i = 0; i < BATCH; i++)
			send_any(&sent[i]);
		bed_settle(&bed);
		check_place(bed.stack, -1);
		for (slot = 0; slot < (int)TAPS_MAX; slot++)
			check_place(taps[slot], slot);
	}
	end();
}
END_TEST

/* ---- Tables that change under traffic ---- */

#define STREAM 200u

static size_t nth_frame(uint8_t *frame, uint32_t n)
{
	size_t len = bed_frame(frame, mac_a, 5, FRAME_LEN, n);

	memcpy(frame + 18, &n, sizeof(n));
	return len;
}

/* A child sends them, and ends. */
static pid_t send_stream(void)
{
	uint8_t frame[BED_FRAME_MAX];
	pid_t child = fork();
	uint32_t n;

	if (child != 0)
		return child;
	for (n = 0; n < STREAM; n++)
		bed_send(bed.sender, frame, nth_frame(frame, n));
	_exit(0);
}

static void mark_seen(int fd, bool seen[STREAM])
{
	uint8_t frame[BED_FRAME_MAX], want[BED_FRAME_MAX];
	uint32_t n;

	while (bed_receive(fd, frame)) {
		memcpy(&n, frame + 18, sizeof(n));
		ck_assert_uint_lt(n, STREAM);
		ck_assert_mem_eq(frame, want, nth_frame(want, n));
		ck_assert_msg(!seen[n], "frame %u came out twice", n);
		seen[n] = true;
	}
}

/* While a filter moves from slot to slot each frame comes out once, somewhere. */
START_TEST(rules_that_move_under_traffic)
{
	bool seen[STREAM];
	int round, status;
	unsigned int i;
	pid_t child;

	start(&ways[_i], 1);
	for (i = 0; i < 3; i++)
		slot_on_tap(i, &plain);
	for (round = 0; round < 20; round++) {
		memset(seen, 0, sizeof(seen));
		child = send_stream();
		for (i = 0; i < 20; i++) {
			add(mac_a, 5, i & 1);
			take_away(mac_a, 5);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		bed_settle(&bed);
		mark_seen(taps[0], seen);
		mark_seen(taps[1], seen);
		mark_seen(bed.stack, seen);
		for (i = 0; i < STREAM; i++)
			ck_assert_msg(seen[i], "frame %u is lost", i);
		ck_assert(bed_expect(&bed, taps[2], NULL, 0));
	}
	end();
}
END_TEST

static void nth_filter(uint32_t n, struct vtc_filter *filter)
{
	uint8_t mac[6];

	memcpy(mac, mac_a, 6);
	mac[2] = (uint8_t)(n >> 8);
	mac[3] = (uint8_t)n;
	*filter = filter_of(mac, n % 2 ? (int)(n % 4095) : -1);
}

START_TEST(thousands_of_filters)
{
	struct vtc_filter filter;
	const uint32_t count = 4096;
	uint32_t i, slot;

	start(&ways[0], 1);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	for (i = 0; i < count; i++) {
		nth_filter(i, &filter);
		ck_assert_errno(vtc__guard_add_filter(guard, &filter, i / 2 % 2), 0);
	}
	for (i = 0; i < count; i += 97) {
		nth_filter(i, &filter);
		expect_at(taps[i / 2 % 2], (const uint8_t *)&filter.mac,
			  i % 2 ? filter.vlan : -1, "its tap");
	}
	for (i = 0; i < count; i++) {
		nth_filter(i, &filter);
		ck_assert_errno(vtc__guard_remove_filter(guard, &filter), 0);
		ck_assert_errno(vtc__guard_get_filter(guard, &filter, &slot), -ENOENT);
	}
	at_stack((const uint8_t *)&filter.mac, filter.vlan);
	end();
}
END_TEST

START_TEST(no_more_filters_than_there_is_room_for)
{
	struct vtc_filter filter;
	uint32_t i, slot;

	start(&ways[0], 1);
	for (i = 0; i < VTC__GUARD_FILTERS; i++) {
		nth_filter(i, &filter);
		ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), 0);
	}
	nth_filter(i, &filter);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), -ENOSPC);
	ck_assert_errno(vtc__guard_get_filter(guard, &filter, &slot), -ENOENT);
	end();
}
END_TEST

/* ---- Queues and sockets ---- */

/* What the wire sends comes on the first queue. */
START_TEST(a_frame_on_a_queue_of_others)
{
	static const struct vtc__guard_slot first = { .queue_first = 0,
						      .queue_count = 1 },
					    later = { .queue_first = 1,
						      .queue_count = 2 };
	struct vtc__guard_slot bare = later;

	start(&ways[_i], 4);
	slot_on_tap(0, &first);
	slot_on_tap(1, &later);
	bare.used = 1;
	ck_assert_errno(vtc__guard_set_slot(guard, 2, &bare), 0);
	add(mac_a, -1, 0);
	add(mac_b, -1, 1);
	add(mac_c, -1, 2);
	at_tap(0, mac_a, -1);
	at_tap(1, mac_b, -1);
	at_stack(mac_c, 9);
	ck_assert_uint_eq(stats_of(0).missort, 0);
	ck_assert_uint_eq(stats_of(1).missort, 1);
	ck_assert_uint_eq(stats_of(1).to_target, 1);
	ck_assert_uint_eq(stats_of(2).missort, 1);
	ck_assert_uint_eq(stats_of(2).to_stack, 1);
	end();
}
END_TEST

static void at_socket(struct rawxsk *xsk, const uint8_t mac[6], int tag)
{
	uint8_t frame[BED_FRAME_MAX], got[BED_FRAME_MAX];
	size_t len = bed_frame(frame, mac, tag, FRAME_LEN, (uint32_t)tag);

	bed_send(bed.sender, frame, len);
	bed_settle(&bed);
	ck_assert_uint_eq(rawxsk_receive(xsk, got), len);
	ck_assert_mem_eq(got, frame, len);
	ck_assert_uint_eq(rawxsk_receive(xsk, got), 0);
	ck_assert(bed_expect(&bed, bed.stack, NULL, 0));
	ck_assert(bed_expect(&bed, taps[0], NULL, 0));
}

START_TEST(sockets_come_first)
{
	uint8_t got[BED_FRAME_MAX];
	struct rawxsk xsk;

	start(&ways[_i], 2);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	add(mac_a, -1, 0);
	add(mac_b, -1, 1);
	rawxsk_open(&xsk, bed.card, 0);
	at_tap(0, mac_a, -1);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, xsk.fd), 0);
	at_socket(&xsk, mac_a, -1);
	at_socket(&xsk, mac_a, 12);
	at_tap(1, mac_b, -1);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, -1), 0);
	at_tap(0, mac_a, -1);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, xsk.fd), 0);
	at_socket(&xsk, mac_a, 13);
	ck_assert_uint_eq(rawxsk_receive(&xsk, got), 0);
	ck_assert_uint_eq(stats_of(0).to_socket, 3);
	ck_assert_uint_eq(stats_of(0).to_target, 2);
	ck_assert_uint_eq(stats_of(0).packets, 5);
	/* Whose socket is gone gets its frames at the target. */
	rawxsk_close(&xsk);
	at_tap(0, mac_a, -1);
	end();
}
END_TEST

/* The socket of another queue would lose the frame, of another slot must not see it. */
START_TEST(sockets_of_other_queues_and_slots)
{
	static const struct vtc__guard_slot later = { .queue_first = 1,
						      .queue_count = 1 };
	uint8_t got[BED_FRAME_MAX];
	struct rawxsk here, there;

	start(&ways[_i], 2);
	slot_on_tap(0, &plain);
	slot_on_tap(1, &later);
	add(mac_a, -1, 0);
	add(mac_b, -1, 1);
	rawxsk_open(&here, bed.card, 0);
	rawxsk_open(&there, bed.card, 1);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 1, there.fd), 0);
	at_tap(0, mac_a, -1);
	/* On a queue that is not the slot's own, even if there is one. */
	ck_assert_errno(vtc__guard_set_socket(guard, 1, 0, here.fd), 0);
	ck_assert_errno(vtc__guard_set_socket(guard, 1, 1, there.fd), 0);
	at_tap(1, mac_b, -1);
	at_tap(0, mac_a, -1);
	ck_assert_uint_eq(rawxsk_receive(&here, got), 0);
	ck_assert_uint_eq(rawxsk_receive(&there, got), 0);
	ck_assert_uint_eq(stats_of(1).missort, 1);
	rawxsk_close(&here);
	rawxsk_close(&there);
	end();
}
END_TEST

/* The next pool in a slot inherits nothing. */
START_TEST(a_slot_forgets_its_sockets)
{
	static const struct vtc__guard_slot unused;
	uint8_t got[BED_FRAME_MAX];
	struct rawxsk xsk;

	start(&ways[0], 1);
	slot_on_tap(0, &plain);
	add(mac_a, -1, 0);
	rawxsk_open(&xsk, bed.card, 0);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, xsk.fd), 0);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &unused), 0);
	slot_on_tap(0, &plain);
	at_tap(0, mac_a, -1);
	ck_assert_uint_eq(rawxsk_receive(&xsk, got), 0);
	rawxsk_close(&xsk);
	end();
}
END_TEST

/* ---- Targets ---- */

START_TEST(a_target_that_goes)
{
	unsigned int i, count = 0;
	uint8_t frame[BED_FRAME_MAX], got[BED_FRAME_MAX], last[FRAME_LEN];

	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	add(mac_a, 5, 0);
	for (i = 0; i < BATCH; i++) {
		size_t len = bed_frame(frame, mac_a, 5, FRAME_LEN, i);

		if (i == BATCH / 2) {
			bed_settle(&bed);
			close(taps[0]);
			tap_index[0] = 0;
		}
		bed_send(bed.sender, frame, len);
	}
	bed_settle(&bed);
	while (bed_receive(bed.stack, got)) {
		memcpy(last, got, FRAME_LEN);
		count++;
	}
	ck_assert_uint_eq(count, BATCH / 2);
	ck_assert_mem_eq(last, frame, FRAME_LEN);
	ck_assert_uint_eq(stats_of(0).to_target, BATCH / 2);
	ck_assert_uint_eq(stats_of(0).to_stack, BATCH / 2);
	end();
}
END_TEST

START_TEST(no_target)
{
	static const struct vtc__guard_slot bare = { .used = 1 };

	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	add(mac_a, -1, 0);
	at_tap(0, mac_a, -1);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &bare), 0);
	at_stack(mac_a, -1);
	at_stack(mac_a, 4);
	ck_assert_uint_eq(stats_of(0).to_stack, 2);
	end();
}
END_TEST

/* A frame that does not fit into one page lies in parts: not everybody takes such. */
START_TEST(long_frames)
{
	struct vtc__guard_slot slot = { .used = 1 };
	uint8_t frame[BED_FRAME_MAX];
	size_t len = bed_frame(frame, mac_a, 5, 8900, 1);
	uint32_t far;
	int there;

	start(&ways[_i], 1);
	slot.target = bed_veth(&bed, "target", "far", 1);
	far = bed_index(&bed, "far");
	bed_set_mtu(&bed, bed.card, 9000);
	bed_set_mtu(&bed, bed.wire, 9000);
	bed_set_mtu(&bed, slot.target, 9000);
	bed_set_mtu(&bed, far, 9000);
	bed_set_gro("far", true);
	there = bed_listen(far);
	slot_on_tap(0, &plain);
	bed_set_mtu(&bed, tap_index[0], 9000);
	add(mac_a, 5, 0);
	/* A tap takes them from the stack only, and so in the generic way. */
	bed_send(bed.sender, frame, len);
	ck_assert(bed_expect(&bed,
			     id.mode == VTC_POOL_GUARD_GENERIC ? taps[0] : bed.stack,
			     frame, len));
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &slot), 0);
	bed_send(bed.sender, frame, len);
	ck_assert(bed_expect(&bed, there, frame, len));
	ck_assert(bed_expect(&bed, bed.stack, NULL, 0));
	ck_assert_uint_eq(stats_of(0).bytes, 2 * len);
	close(there);
	end();
}
END_TEST

/* ---- Tags beside the frame ---- */

/*
 * A bridge takes the tag out of a frame and hands it to the wire beside it; veth never
 * puts it back.
 */
static void hide_tags(void)
{
	uint32_t bridge = bed_bridge(&bed, "mid");

	bed_veth(&bed, "near", "sender", 1);
	bed_enslave(&bed, bed_index(&bed, "near"), bridge);
	bed_enslave(&bed, bed.wire, bridge);
	close(bed.sender);
	bed.sender = bed_listen(bed_index(&bed, "sender"));
}

START_TEST(hidden_tags_are_seen_and_put_back)
{
	start(&ways[1], 1);
	if (!id.sees_tags)
		vtct_skip("this kernel tells no hidden tags (before Linux 6.8)");
	hide_tags();
	slot_on_tap(0, &plain);
	slot_on_tap(1, &plain);
	add(mac_a, 5, 0);
	add(NULL, 0, 1);
	at_tap(0, mac_a, 5);
	at_tap(0, mac_a, PRIORITY | 5);
	at_stack(mac_a, 6);
	at_tap(1, mac_a, -1);
	at_tap(1, mac_a, PRIORITY);
	at_tap(1, mac_b, -1);
	ck_assert_uint_eq(stats_of(0).bytes, 2 * FRAME_LEN);
	end();
}
END_TEST

START_TEST(hidden_tags_at_a_socket)
{
	struct rawxsk xsk;

	start(&ways[1], 1);
	if (!id.sees_tags)
		vtct_skip("this kernel tells no hidden tags (before Linux 6.8)");
	hide_tags();
	slot_on_tap(0, &plain);
	add(mac_a, 5, 0);
	rawxsk_open(&xsk, bed.card, 0);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, xsk.fd), 0);
	at_socket(&xsk, mac_a, 5);
	rawxsk_close(&xsk);
	end();
}
END_TEST

/* The plain program says that it does not see them, and does not. */
START_TEST(hidden_tags_that_are_not_seen)
{
	start(&ways[0], 1);
	ck_assert_uint_eq(id.sees_tags, 0);
	hide_tags();
	slot_on_tap(0, &plain);
	add(mac_a, 5, 0);
	at_stack(mac_a, 5);
	end();
}
END_TEST

/* ---- Group frames ---- */

START_TEST(group_frames_are_the_stacks)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 };

	start(&ways[_i], 1);
	slot_on_tap(0, &plain);
	add(NULL, 5, 0);
	add(NULL, 0, 0);
	at_stack(group, -1);
	at_stack(everybody, 5);
	ck_assert_uint_eq(stats_of(0).packets, 0);
	end();
}
END_TEST

/* A frame to all: who gets a copy, as a bit for each tap. The stack gets it always. */
static void copies_at(const uint8_t mac[6], int tag, unsigned int want)
{
	uint8_t frame[BED_FRAME_MAX];
	size_t len = bed_frame(frame, mac, tag, FRAME_LEN, want + 1);
	unsigned int i;

	bed_send(bed.sender, frame, len);
	ck_assert(bed_expect(&bed, bed.stack, frame, len));
	for (i = 0; i < TAPS_MAX; i++)
		if (tap_index[i])
			ck_assert_msg(bed_expect(&bed, taps[i], frame,
						 want & 1u << i ? len : 0),
				      "tap %u, tag %d", i, tag);
}

START_TEST(copies_of_group_frames)
{
	static const struct vtc__guard_slot copy = { .group_copy = 1 };

	start(&ways[_i], 1);
	ck_assert_int_eq(vtc__guard_flood_attached(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_flood_attach(guard), -ENOENT);
	bed_clsact(&bed, bed.card);
	ck_assert_errno(vtc__guard_flood_attach(guard), 0);
	ck_assert_int_eq(vtc__guard_flood_attached(bed.ctx, &id), 1);
	ck_assert_errno(vtc__guard_flood_attach(guard), -EBUSY);
	slot_on_tap(0, &copy);
	slot_on_tap(1, &copy);
	slot_on_tap(2, &copy);
	slot_on_tap(3, &plain);
	copies_at(everybody, -1, 0);
	add(mac_a, -1, 0);
	add(mac_b, 5, 1);
	add(NULL, 0, 2);
	add(mac_c, -1, 3);
	copies_at(everybody, -1, 1 << 0 | 1 << 2);
	copies_at(everybody, PRIORITY, 1 << 0 | 1 << 2);
	copies_at(everybody, 5, 1 << 0 | 1 << 1);
	copies_at(everybody, 6, 1 << 0);
	add(mac_c, 5, 1);
	take_away(mac_b, 5);
	copies_at(everybody, 5, 1 << 0 | 1 << 1);
	take_away(mac_c, 5);
	copies_at(everybody, 5, 1 << 0);
	ck_assert_errno(vtc__guard_set_everything(guard, 1), 0);
	copies_at(everybody, 5, 1 << 0 | 1 << 1);
	ck_assert_errno(vtc__guard_flood_detach(bed.ctx, &id), 0);
	ck_assert_int_eq(vtc__guard_flood_attached(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_flood_detach(bed.ctx, &id), 0);
	copies_at(everybody, 5, 0);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard-frames");
	TCase *tcase = tcase_create("guard-frames");

	tcase_add_loop_test(tcase, the_most_specific_rule_counts, 0, WAYS);
	tcase_add_loop_test(tcase, priority_tags_are_no_vlan, 0, WAYS);
	tcase_add_loop_test(tcase, the_outermost_tag_counts, 0, WAYS);
	tcase_add_loop_test(tcase, one_slot_takes_everything_else, 0, WAYS);
	tcase_add_loop_test(tcase, a_slot_that_is_not_used, 0, WAYS);
	tcase_add_loop_test(tcase, any_frame_comes_to_its_own, 0, WAYS);
	tcase_add_loop_test(tcase, rules_that_move_under_traffic, 0, WAYS);
	tcase_add_test(tcase, thousands_of_filters);
	tcase_add_test(tcase, no_more_filters_than_there_is_room_for);
	tcase_add_loop_test(tcase, a_frame_on_a_queue_of_others, 0, WAYS);
	tcase_add_loop_test(tcase, sockets_come_first, 0, WAYS);
	tcase_add_loop_test(tcase, sockets_of_other_queues_and_slots, 0, WAYS);
	tcase_add_test(tcase, a_slot_forgets_its_sockets);
	tcase_add_loop_test(tcase, a_target_that_goes, 0, WAYS);
	tcase_add_loop_test(tcase, no_target, 0, WAYS);
	tcase_add_loop_test(tcase, long_frames, 0, WAYS);
	tcase_add_test(tcase, hidden_tags_are_seen_and_put_back);
	tcase_add_test(tcase, hidden_tags_at_a_socket);
	tcase_add_test(tcase, hidden_tags_that_are_not_seen);
	tcase_add_loop_test(tcase, group_frames_are_the_stacks, 0, WAYS);
	tcase_add_loop_test(tcase, copies_of_group_frames, 0, WAYS);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
