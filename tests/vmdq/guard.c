/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard program as a thing: how it comes to a card and goes, who it makes way for,
 * who can find it, and what it leaves behind (nothing). What it does to frames is in
 * guard-frames.c.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#ifdef HAVE_LIBXDP
#include <bpf/libbpf.h>
#endif

#include "bed.h"
#include "core/ctx.h"
#include "vmdq/guard.h"
#include "vtct.h"

#define NOTE_LEN 256

/* Ways to attach; the dispatcher needs a kernel and a libxdp that suit each other. */
static const struct way {
	uint32_t flags, mode;
	bool tags, bpffs;
} ways[] = {
	{ VTC_POOL_F_PLAIN_XDP, VTC_POOL_GUARD_NATIVE, false, true },
	{ VTC_POOL_F_PLAIN_XDP, VTC_POOL_GUARD_NATIVE, true, true },
	{ VTC_POOL_F_GENERIC_XDP, VTC_POOL_GUARD_GENERIC, false, true },
	{ 0, VTC_POOL_GUARD_NATIVE, false, false },
	{ 0, VTC_POOL_GUARD_DISPATCHER, false, true },
};
#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static const uint8_t address[6] = { 2, 1, 1, 1, 1, 1 };

static struct bed bed;
static struct vtc__guard *guard;
static struct vtc__guard_id id;
static char note[NOTE_LEN];

static void need_guard(void)
{
	char why[NOTE_LEN] = "";
	int err = vtc__guard_probe(bed.ctx, bed.card, why, sizeof(why));

	if (err == -EOPNOTSUPP || err == -EPERM)
		vtct_skip("%s", why);
	ck_assert_errno(err, 0);
}

static void make(const struct way *way)
{
	bed_make(&bed, 2, way->bpffs);
	need_guard();
}

static int load(const struct way *way)
{
	return vtc__guard_load(bed.ctx, bed.card, way->flags, way->tags, &guard, &id,
			       note, sizeof(note));
}

/* Attach in this way, or skip where the kernel cannot. */
static void put_on(const struct way *way)
{
	ck_assert_errno(load(way), 0);
	ck_assert_uint_eq(id.mode, way->mode);
	ck_assert_errno(vtc__guard_attach(guard, &id), 0);
	if (way->mode == VTC_POOL_GUARD_DISPATCHER && id.mode != way->mode)
		vtct_skip("libxdp finds no dispatcher that this kernel takes");
	ck_assert_uint_eq(id.mode, way->mode);
}

static void end(void)
{
	vtc__guard_close(guard);
	bed_end(&bed);
}

static struct vtc_filter filter_of(const uint8_t mac[6])
{
	struct vtc_filter filter = { .match = VTC_FILTER_MAC };

	memcpy(&filter.mac, mac, sizeof(filter.mac));
	return filter;
}

START_TEST(comes_and_goes)
{
	const struct way *way = &ways[_i];
	struct vtc__guard_id first;
	int fds;

	make(way);
	fds = vtct_count_fds();
	ck_assert_errno(load(way), 0);
	first = id;
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 0);
	vtc__guard_close(guard);
	ck_assert_errno(vtc__guard_open(bed.ctx, &first, &guard), -ENOENT);
	put_on(way);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &first), 0);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &first), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	vtc__guard_close(guard);
	guard = NULL;
	/* netlink connections of the context stay */
	ck_assert_int_le(vtct_count_fds(), fds + 1);
	end();
}
END_TEST

/* What a child finds of the guard that its parent put there and then forgot. */
static int look_from_outside(void)
{
	struct vtc_filter filter = filter_of(address);
	struct vtc__guard_slot slot = { .used = 0 };
	struct vtc__guard *found;
	uint32_t holder = 0;

	if (vtc__guard_attached(bed.ctx, &id) != 1)
		return 1;
	if (vtc__guard_open(bed.ctx, &id, &found) != 0)
		return 2;
	if (vtc__guard_get_filter(found, &filter, &holder) != 0 || holder != 7)
		return 3;
	if (vtc__guard_get_slot(found, 7, &slot) != 0 || !slot.used ||
	    slot.queue_first != 1 || slot.queue_count != 3)
		return 4;
	if (vtc__guard_remove_filter(found, &filter) != 0)
		return 5;
	vtc__guard_close(found);
	return 0;
}

START_TEST(is_found_by_others)
{
	struct vtc__guard_slot slot = { .used = 1, .queue_first = 1, .queue_count = 3 };
	struct vtc_filter filter = filter_of(address);
	uint32_t holder;
	pid_t child;
	int status;

	make(&ways[_i]);
	put_on(&ways[_i]);
	ck_assert_errno(vtc__guard_set_slot(guard, 7, &slot), 0);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 7), 0);
	vtc__guard_close(guard);
	child = fork();
	if (child == 0)
		_exit(look_from_outside());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_errno(vtc__guard_open(bed.ctx, &id, &guard), 0);
	ck_assert_errno(vtc__guard_get_filter(guard, &filter, &holder), -ENOENT);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	end();
}
END_TEST

/* Of the kernel's numbers, only that of our table on our interface will do. */
START_TEST(takes_no_other_for_it)
{
	struct vtc__guard_id wrong;
	struct vtc__guard *found;

	make(&ways[0]);
	put_on(&ways[0]);
	wrong = id;
	wrong.ifindex = bed.wire;
	ck_assert_errno(vtc__guard_open(bed.ctx, &wrong, &found), -ENOENT);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &wrong), 0);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &wrong), 0);
	wrong = id;
	wrong.tables++; /* another of its tables */
	ck_assert_errno(vtc__guard_open(bed.ctx, &wrong, &found), -ENOENT);
	wrong.tables = 0;
	ck_assert_errno(vtc__guard_open(bed.ctx, &wrong, &found), -ENOENT);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &wrong), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	end();
}
END_TEST

/* A program that is there already stays, whatever way the other one wants to come. */
START_TEST(makes_way_for_others)
{
	const struct way *way = &ways[_i];
	struct vtc__guard *first;
	struct vtc__guard_id first_id;
	char why[NOTE_LEN];

	make(way);
	put_on(&ways[0]);
	first = guard;
	first_id = id;
	ck_assert_errno(vtc__guard_probe(bed.ctx, bed.card, why, sizeof(why)), -EBUSY);
	ck_assert_ptr_nonnull(strstr(why, "vtc_guard"));
	ck_assert_errno(load(way), 0);
	ck_assert_errno(vtc__guard_attach(guard, &id), -EBUSY);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_message(vtc_ctx_last_error(bed.ctx)), "vtc_guard"));
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &first_id), 1);
	vtc__guard_close(guard);
	guard = first;
	end();
}
END_TEST

START_TEST(joins_a_dispatcher)
{
	const struct way *way = &ways[WAYS - 1];
	struct vtc__guard_id first_id;
	struct vtc__guard *first;

	make(way);
	put_on(way);
	first = guard;
	first_id = id;
	put_on(way);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &first_id), 1);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &first_id), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &first_id), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 0);
	vtc__guard_close(first);
	end();
}
END_TEST

START_TEST(says_why_not_as_expected)
{
	static const struct way no_bpffs = { 0, VTC_POOL_GUARD_NATIVE, false, false };
	static const struct way hidden = { VTC_POOL_F_GENERIC_XDP, VTC_POOL_GUARD_GENERIC,
					   true, true };

	make(&no_bpffs);
	ck_assert_errno(load(&no_bpffs), 0);
	ck_assert_ptr_nonnull(strstr(note, "/sys/fs/bpf"));
	vtc__guard_close(guard);
	ck_assert_errno(load(&ways[0]), 0);
	ck_assert_str_eq(note, "");
	vtc__guard_close(guard);
	/* Behind the driver hidden tags stay hidden. */
	ck_assert_errno(load(&hidden), 0);
	ck_assert_uint_eq(id.sees_tags, 0);
	ck_assert_ptr_nonnull(strstr(note, "VLAN tags"));
	end();
}
END_TEST

START_TEST(an_interface_that_is_gone)
{
	make(&ways[0]);
	put_on(&ways[0]);
	bed_remove(&bed, bed.card);
	ck_assert_int_le(vtc__guard_attached(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	ck_assert_errno(vtc__guard_flood_detach(bed.ctx, &id), 0);
	vtc__guard_close(guard);
	ck_assert_errno(load(&ways[0]), 0);
	ck_assert_errno(vtc__guard_attach(guard, &id), -ENODEV);
	end();
}
END_TEST

START_TEST(refuses_what_makes_no_sense)
{
	static const uint8_t nobody[6], group[6] = { 1, 0, 0, 0, 0, 1 };
	struct vtc_filter filter = filter_of(address);
	struct vtc__guard_slot slot = { .used = 1, .target = 0x7fffffff };
	struct vtc__guard_stats stats;
	uint32_t value;

	make(&ways[0]);
	ck_assert_errno(load(&ways[0]), 0);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &slot), -ENODEV);
	ck_assert_errno(vtc__guard_get_slot(guard, 0, &slot), 0);
	ck_assert_uint_eq(slot.used, 0);
	ck_assert_errno(vtc__guard_set_slot(guard, VTC__GUARD_SLOTS, &slot), -EINVAL);
	ck_assert_errno(vtc__guard_get_slot(guard, VTC__GUARD_SLOTS, &slot), -EINVAL);
	ck_assert_errno(vtc__guard_get_stats(guard, VTC__GUARD_SLOTS, &stats), -EINVAL);
	ck_assert_errno(vtc__guard_set_everything(guard, VTC__GUARD_SLOTS + 1), -EINVAL);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, VTC__GUARD_QUEUES, -1), -EINVAL);
	ck_assert_errno(vtc__guard_set_socket(guard, 0, 0, -1), 0);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, VTC__GUARD_SLOTS), -EINVAL);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), 0);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 1), -EEXIST);
	ck_assert_errno(vtc__guard_remove_filter(guard, &filter), 0);
	ck_assert_errno(vtc__guard_remove_filter(guard, &filter), -ENOENT);
	filter.match = 0;
	ck_assert_errno(vtc__guard_get_filter(guard, &filter, &value), -EINVAL);
	filter.match = VTC_FILTER_VLAN;
	filter.vlan = 4095;
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), -EINVAL);
	filter = filter_of(nobody);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), -EINVAL);
	filter = filter_of(group);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 0), -EINVAL);
	end();
}
END_TEST

/* A veth that would lose what is redirected to it is told from one that takes it. */
START_TEST(knows_targets_that_lose_frames)
{
	struct vtc__guard_slot slot = { .used = 1 };

	make(&ways[_i]);
	slot.target = bed_veth(&bed, "target", "far", 1);
	ck_assert_errno(load(&ways[_i]), 0);
	bed_set_gro("far", false);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &slot),
			id.mode == VTC_POOL_GUARD_GENERIC ? 0 : -EOPNOTSUPP);
	bed_set_gro("far", true);
	ck_assert_errno(vtc__guard_set_slot(guard, 0, &slot), 0);
	end();
}
END_TEST

/* ---- The seam: whatever a library changes for us, it is asked first ---- */

static int refuse(void *priv, const char *what)
{
	(void)priv;
	ck_assert_ptr_nonnull(what);
	return -EDQUOT;
}

START_TEST(asks_before_it_changes_anything)
{
	struct vtc__guard_slot slot = { .used = 1 };
	struct vtc_filter filter = filter_of(address), other = filter;
	const struct vtc__sys *kernel;
	struct vtc__sys sys;
	uint32_t holder;

	make(&ways[0]);
	kernel = bed.ctx->sys;
	sys = *kernel;
	sys.foreign = refuse;
	put_on(&ways[0]);
	ck_assert_errno(vtc__guard_add_filter(guard, &filter, 1), 0);
	bed.ctx->sys = &sys;
	other.mac.addr[5] = 9;
	ck_assert_errno(vtc__guard_add_filter(guard, &other, 1), -EDQUOT);
	ck_assert_errno(vtc__guard_get_filter(guard, &other, &holder), -ENOENT);
	ck_assert_errno(vtc__guard_remove_filter(guard, &filter), -EDQUOT);
	ck_assert_errno(vtc__guard_get_filter(guard, &filter, &holder), 0);
	ck_assert_errno(vtc__guard_set_slot(guard, 1, &slot), -EDQUOT);
	ck_assert_errno(vtc__guard_get_slot(guard, 1, &slot), 0);
	ck_assert_uint_eq(slot.used, 0);
	ck_assert_errno(vtc__guard_set_everything(guard, 1), -EDQUOT);
	ck_assert_errno(vtc__guard_get_everything(guard, &holder), 0);
	ck_assert_uint_eq(holder, VTC__GUARD_SLOTS);
	ck_assert_errno(vtc__guard_set_socket(guard, 1, 0, 0), -EDQUOT);
	ck_assert_errno(vtc__guard_flood_attach(guard), -EDQUOT);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), -EDQUOT);
	ck_assert_int_eq(vtc__guard_attached(bed.ctx, &id), 1);
	bed.ctx->sys = kernel;
	ck_assert_errno(vtc__guard_detach(bed.ctx, &id), 0);
	bed.ctx->sys = &sys;
	ck_assert_errno(vtc__guard_attach(guard, &id), -EDQUOT);
	vtc__guard_close(guard);
	guard = NULL;
	ck_assert_errno(load(&ways[0]), -EDQUOT);
	bed.ctx->sys = kernel;
	end();
}
END_TEST

#ifdef HAVE_LIBXDP
/* The host's own function for libbpf's messages, and its standard error. */
static int heard;

static int hear(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return heard++;
}

START_TEST(leaves_the_hosts_messages_alone)
{
	struct pollfd printed = { .events = POLLIN };
	struct vtc__guard_id first_id;
	struct vtc__guard *first;
	int ends[2], saved, i;

	make(&ways[0]);
	libbpf_set_print(hear);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	put_on(&ways[0]);
	first = guard;
	first_id = id;
	for (i = 0; i < WAYS; i++) {
		ck_assert_errno(load(&ways[i]), 0);
		ck_assert_errno(vtc__guard_attach(guard, &id), -EBUSY);
		vtc__guard_close(guard);
	}
	guard = first;
	ck_assert_errno(vtc__guard_flood_attach(guard), -ENOENT);
	ck_assert_errno(vtc__guard_detach(bed.ctx, &first_id), 0);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	printed.fd = ends[0];
	ck_assert_int_eq(poll(&printed, 1, 0), 0);
	ck_assert_int_eq(heard, 0);
	ck_assert(libbpf_set_print(hear) == hear);
	close(ends[0]);
	close(ends[1]);
	close(saved);
	end();
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tcase = tcase_create("guard");

	tcase_add_loop_test(tcase, comes_and_goes, 0, WAYS);
	tcase_add_loop_test(tcase, is_found_by_others, 0, WAYS);
	tcase_add_test(tcase, takes_no_other_for_it);
	tcase_add_loop_test(tcase, makes_way_for_others, 0, WAYS);
	tcase_add_test(tcase, joins_a_dispatcher);
	tcase_add_test(tcase, says_why_not_as_expected);
	tcase_add_test(tcase, an_interface_that_is_gone);
	tcase_add_test(tcase, refuses_what_makes_no_sense);
	tcase_add_loop_test(tcase, knows_targets_that_lose_frames, 0, 3);
	tcase_add_test(tcase, asks_before_it_changes_anything);
#ifdef HAVE_LIBXDP
	tcase_add_test(tcase, leaves_the_hosts_messages_alone);
#endif
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
