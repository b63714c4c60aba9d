/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels between real processes: packets both ways, sleep and doorbells, a pool
 * passed on, and every lie that a creator or an opener could tell.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint/layout.h"
#include "vtct.h"

#include <vtc/vtc.h>

#define FDS_MAX	   160
#define PATIENCE   120000 /* ms; only what is lost takes that long */
#define ROUNDS	   100000
#define PACKET_LEN 1500u

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0

/* Memory that runs out: what the library calls, in front of the C library's own. */
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

#define EXPORTED __attribute__((visibility("default")))

static unsigned int fail_in; /* allocations from now; 0: never */

static bool fails(void)
{
	return fail_in && --fail_in == 0;
}

EXPORTED void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

EXPORTED void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}
#endif

/* It has its own allocator, too, and a patience of its own. */
static bool in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* In a second process libcheck's assertions would speak for the first. */
#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			_exit(1);                                               \
		}                                                               \
	} while (0)

static struct vtc_ctx *ctx;
static struct vtc_channel *channel;
static struct vtc_channel_opts opts;
static int fds[FDS_MAX], fd_count, fds_before;
static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	if (!f)
		vtct_die("/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "vtc-channel") || strstr(line, "forged");
	fclose(f);
	return n;
}

static void begin(void)
{
	opts = (struct vtc_channel_opts)VTC_CHANNEL_OPTS_INIT;
	fds_before = vtct_count_fds();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
}

static void create(void)
{
	ck_assert_errno(vtc_channel_create(ctx, &opts, &channel), 0);
	fd_count = vtc_channel_get_fds(channel, fds, FDS_MAX);
	ck_assert_int_gt(fd_count, 0);
}

static void end(void)
{
	vtc_channel_close(channel);
	channel = NULL;
	ctx = vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
	ck_assert_int_eq(count_maps(), 0);
}

static void feature(unsigned int bit)
{
	opts.features[0] |= 1ull << bit;
}

/* ---- What a channel is ---- */

START_TEST(defaults)
{
	struct vtc_segment segment, last = { 0 };
	struct vtc_channel *other;
	uint64_t addr;

	begin();
	ck_assert_errno(vtc_channel_create(ctx, NULL, &channel), 0);
	fd_count = vtc_channel_get_fds(channel, fds, FDS_MAX);
	ck_assert_int_eq(fd_count, 5);
	for (int i = 0; i < fd_count; i++)
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
	for (int i = 1; i < fd_count; i++)
		ck_assert_int_ne(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(fds[0], F_GET_SEALS) &
				 (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ck_assert_errno(vtc_channel_open(ctx, fds, 5, &other), 0);
	for (unsigned int i = 0; i < 512; i++) {
		ck_assert_errno(vtc_channel_get_buffer(other, i, &addr, &segment), 0);
		ck_assert_uint_eq(addr % 64, 0);
		ck_assert_uint_eq((uintptr_t)segment.base % 64, 0);
		ck_assert_uint_eq(segment.len, 2048);
		ck_assert(!i || (char *)last.base + last.len == (char *)segment.base);
		last = segment;
	}
	ck_assert_errno(vtc_channel_get_buffer(other, 512, &addr, &segment), -ERANGE);
	ck_assert_ptr_nonnull(vtc_channel_get_vring(other, 1));
	ck_assert_ptr_null(vtc_channel_get_vring(other, 2));
	vtc_channel_close(other);
	end();
}
END_TEST

/* Each side waits for the descriptor that the other one rings. */
START_TEST(doorbells)
{
	struct vtc_channel *other;

	begin();
	create();
	ck_assert_errno(vtc_channel_open(ctx, fds, 5, &other), 0);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(vtc_channel_get_fd(channel, i), fds[1 + 2 * i]);
		ck_assert_errno(vtc_channel_heard(other, i), 0);
		ck_assert_errno(vtc_channel_notify(channel, i), 0);
		ck_assert_errno(vtc_channel_heard(channel, i), 0);
		ck_assert_errno(vtc_channel_heard(other, 1 - i), 0);
		ck_assert_errno(vtc_channel_heard(other, i), 1);
		ck_assert_errno(vtc_channel_heard(other, i), 0);
		ck_assert_errno(vtc_channel_notify(other, i), 0);
		ck_assert_errno(vtc_channel_notify(other, i), 0);
		ck_assert_errno(vtc_channel_heard(channel, i), 1);
		ck_assert_errno(vtc_channel_heard(channel, i), 0);
	}
	vtc_channel_close(other);
	end();
}
END_TEST

/* The other side fills a doorbell, and takes its O_NONBLOCK away from all. */
START_TEST(doorbells_never_block)
{
	uint64_t full = UINT64_MAX - 1;

	begin();
	create();
	for (int i = 1; i < fd_count; i++) {
		ck_assert_int_eq(fcntl(fds[i], F_SETFL, 0), 0);
		ck_assert_errno(vtc_channel_heard(channel, (unsigned int)(i - 1) / 2), 0);
	}
	for (int i = 1; i < fd_count; i++)
		ck_assert_int_eq(write(fds[i], &full, sizeof(full)), sizeof(full));
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_errno(vtc_channel_notify(channel, i), 0);
		ck_assert_errno(vtc_channel_heard(channel, i), 1);
		ck_assert_errno(vtc_channel_heard(channel, i), 0);
	}
	end();
}
END_TEST

START_TEST(parameters)
{
	struct vtc_segment segment;
	uint64_t addr;

	begin();
	create();
	ck_assert_errno(vtc_channel_create(NULL, NULL, &channel), -EINVAL);
	ck_assert_errno(vtc_channel_create(ctx, NULL, NULL), -EINVAL);
	ck_assert_errno(vtc_channel_open(NULL, fds, 5, &channel), -EINVAL);
	ck_assert_errno(vtc_channel_open(ctx, NULL, 5, &channel), -EINVAL);
	ck_assert_errno(vtc_channel_open(ctx, fds, 0, &channel), -EINVAL);
	ck_assert_errno(vtc_channel_open(ctx, fds, 5, NULL), -EINVAL);
	vtc_channel_close(NULL);
	ck_assert_errno(vtc_channel_get_fds(NULL, fds, 1), -EINVAL);
	ck_assert_errno(vtc_channel_get_fds(channel, NULL, 1), -EINVAL);
	ck_assert_errno(vtc_channel_get_fds(channel, NULL, 0), 5);
	fds[2] = -7;
	ck_assert_errno(vtc_channel_get_fds(channel, fds, 2), 5);
	ck_assert_int_eq(fds[2], -7);
	ck_assert_ptr_null(vtc_channel_get_vring(NULL, 0));
	ck_assert_errno(vtc_channel_get_buffer(NULL, 0, &addr, &segment), -EINVAL);
	ck_assert_errno(vtc_channel_get_buffer(channel, 0, NULL, &segment), -EINVAL);
	ck_assert_errno(vtc_channel_get_buffer(channel, 0, &addr, NULL), -EINVAL);
	ck_assert_errno(vtc_channel_get_fd(NULL, 0), -EINVAL);
	ck_assert_errno(vtc_channel_get_fd(channel, 2), -EINVAL);
	ck_assert_errno(vtc_channel_notify(NULL, 0), -EINVAL);
	ck_assert_errno(vtc_channel_notify(channel, 2), -EINVAL);
	ck_assert_errno(vtc_channel_heard(NULL, 0), -EINVAL);
	ck_assert_errno(vtc_channel_heard(channel, 2), -EINVAL);
	end();
}
END_TEST

START_TEST(options)
{
	static const struct vtc_channel_opts bad[] = {
		{ .sz = 4 },
		{ .flags = 1 },
		{ .rings = VTC_CHANNEL_RINGS_MAX + 1 },
		{ .rings = UINT32_MAX },
		{ .ring_size = VTC_VRING_SIZE_MAX + 1 },
		{ .ring_size = 3 }, /* split */
		{ .ring_size = UINT32_MAX, .rings = UINT32_MAX },
		{ .buffer_size = 65 },
		{ .buffer_size = 1 },
		{ .buffers = 1u << 31, .buffer_size = 1u << 10 },
		{ .buffers = UINT32_MAX, .buffer_size = UINT32_MAX - 63 },
	};
	struct {
		struct vtc_channel_opts o;
		uint64_t more;
	} newer = { VTC_CHANNEL_OPTS_INIT, 1 };

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opts = bad[i];
		if (!opts.sz)
			opts.sz = sizeof(opts);
		ck_assert_msg(vtc_channel_create(ctx, &opts, &channel) == -EINVAL, "%zu",
			      i);
		ck_assert_ptr_null(channel);
		ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EINVAL);
	}
	newer.o.sz = sizeof(newer);
	ck_assert_errno(vtc_channel_create(ctx, &newer.o, &channel), -E2BIG);
	newer.more = 0;
	ck_assert_errno(vtc_channel_create(ctx, &newer.o, &channel), 0);
	end();
}
END_TEST

/* A chain goes through each ring once, whatever the sizes. */
static void try_ring(struct vtc_channel *other, unsigned int ring)
{
	struct vtc_vring *driver = vtc_channel_get_vring(channel, ring);
	struct vtc_vring *device = vtc_channel_get_vring(other, ring);
	struct vtc_buffer buffer = { .len = 64 };
	struct vtc_add add = { &buffer, 0, 1, 77 };
	struct vtc_segment segment, here;
	struct vtc_chain chain;
	struct vtc_done done;

	ck_assert_errno(vtc_channel_get_buffer(channel, ring, &buffer.guest_addr, &here),
			0);
	ck_assert_errno(vtc_vring_add(driver, &add, 1), 1);
	ck_assert_errno(vtc_vring_kick(driver), 1);
	ck_assert_errno(vtc_vring_pull(device, &chain, 1, &segment, 1), 1);
	memset(segment.base, 0x5a, segment.len);
	done = (struct vtc_done){ chain.id, 64 };
	ck_assert_errno(vtc_vring_push(device, &done, 1), 0);
	ck_assert_errno(vtc_vring_flush(device), 1);
	ck_assert_errno(vtc_vring_reap(driver, &done, 1), 1);
	ck_assert_uint_eq(done.id, 77);
	ck_assert_int_eq(*((char *)here.base + 63), 0x5a);
}

START_TEST(sizes)
{
	static const uint32_t ring_sizes[] = { 1, 2, 4, 256, 32768 };
	static const uint32_t rings[] = { 1, 2, VTC_CHANNEL_RINGS_MAX };
	struct vtc_channel *other;

	begin();
	for (unsigned int i = 0; i < 3 * 5 * 8; i++) {
		opts.rings = rings[i % 3];
		opts.ring_size = ring_sizes[i / 3 % 5];
		opts.features[0] =
			(uint64_t)(i / 15) << VTC_VRING_F_INDIRECT & 3ull << 28;
		if (i / 15 & 4) {
			feature(VTC_VRING_F_PACKED);
			opts.ring_size -= opts.ring_size > 2;
		}
		if (opts.rings > 2 && opts.ring_size > 256)
			opts.ring_size /= 64;
		opts.buffers = opts.rings;
		opts.buffer_size = 64;
		create();
		ck_assert_errno(
			vtc_channel_open(ctx, fds, (unsigned int)fd_count, &other), 0);
		for (unsigned int r = 0; r < opts.rings; r++)
			try_ring(other, r);
		vtc_channel_close(other);
		vtc_channel_close(channel);
	}
	channel = NULL;
	end();
}
END_TEST

/* ---- Lies ---- */

/* A memfd with a header of our own making, sealed as told. */
static int forge(const struct vtc__layout *l, uint64_t size, int seals)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	if (size >= sizeof(*l))
		ck_assert_int_eq(pwrite(fd, l, sizeof(*l), 0), (ssize_t)sizeof(*l));
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int try_open(void)
{
	struct vtc_channel *other = (struct vtc_channel *)&seed;
	int before = vtct_count_fds(), maps = count_maps(), r;

	r = vtc_channel_open(ctx, fds, (unsigned int)fd_count, &other);
	if (r == 0) {
		vtc_channel_close(other);
	} else {
		ck_assert_ptr_eq(other, &seed);
		ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), r);
		ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)),
				 "channel open");
	}
	ck_assert_int_eq(vtct_count_fds(), before);
	ck_assert_int_eq(count_maps(), maps);
	return r;
}

static int open_forged(const struct vtc__layout *l, uint64_t size, int seals)
{
	int fd = forge(l, size, seals), kept = fds[0], r;

	fds[0] = fd;
	r = try_open();
	fds[0] = kept;
	close(fd);
	return r;
}

static struct vtc__layout read_layout(void)
{
	struct vtc__layout l;

	ck_assert_int_eq(pread(fds[0], &l, sizeof(l), 0), (ssize_t)sizeof(l));
	return l;
}

#define LIE(field, ...)                                                                 \
	{                                                                               \
		static const uint64_t lies[] = { __VA_ARGS__ };                         \
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {           \
			struct vtc__layout l = truth;                                   \
			l.field = (__typeof__(l.field))lies[i];                         \
			ck_assert_msg(open_forged(&l, truth.size, F_SEAL_SHRINK) ==     \
					      -EPROTO,                                  \
				      "%s %#llx", #field, (unsigned long long)lies[i]); \
		}                                                                       \
	}

static void lies(const struct vtc__layout *given)
{
	const struct vtc__layout truth = *given;

	ck_assert_errno(open_forged(&truth, truth.size, F_SEAL_SHRINK), 0);
	LIE(magic, 0, 0x76742d6368616e00, UINT64_MAX);
	LIE(version, 0, 2, UINT32_MAX);
	LIE(size, 0, 1, 4096, 1ull << 20 | 1ull << 39, 1ull << 41, UINT64_MAX,
	    1ull << 63);
	LIE(guest_addr, 1, 8, 1ull << 63, UINT64_MAX, UINT64_MAX - 4095,
	    (1ull << 62) + 4096);
	LIE(ring_offset, 0, 64, 4097, 1ull << 32, UINT64_MAX, UINT64_MAX - 4095);
	LIE(ring_stride, 0, 64, 1, 1ull << 40, 1ull << 63, UINT64_MAX, 1ull << 58);
	LIE(driver_offset, 0, 64, 1ull << 32, UINT64_MAX, 1ull << 63, 4097);
	LIE(device_offset, 0, 64, 1ull << 32, UINT64_MAX, 1ull << 63, 6401);
	LIE(buffer_offset, 0, 64, 4096, 4097, 1ull << 32, 1ull << 63, UINT64_MAX);
	LIE(rings, 0, 65, 1u << 31, UINT32_MAX);
	LIE(ring_size, 0, 32769, 1u << 31, UINT32_MAX);
	LIE(buffers, 1u << 20, UINT32_MAX);
	LIE(buffer_size, 0, 63, 65, 1u << 20, UINT32_MAX, UINT32_MAX - 63);
	LIE(pools, 9, 1u << 31, UINT32_MAX);
}

START_TEST(lies_of_the_memory)
{
	struct vtc__layout l;

	begin();
	for (int packed = 0; packed < 2; packed++) {
		opts.features[0] = 0;
		if (packed)
			feature(VTC_VRING_F_PACKED);
		create();
		l = read_layout();
		lies(&l);
		vtc_channel_close(channel);
	}
	opts.features[0] = 0;
	create();
	l = read_layout();
	l.ring_size = 255; /* split rings are powers of two */
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), -EPROTO);
	/* More rings than descriptors, and the other way round. */
	l = read_layout();
	l.rings = 1;
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), -EINVAL);
	l.rings = 2;
	l.pools = 1;
	l.pool[0] = (struct vtc__pool){ 1ull << 30, 0, 4096 };
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), -EINVAL);
	end();
}
END_TEST

START_TEST(lies_about_pools)
{
	static const struct vtc__pool bad[] = {
		{ 1ull << 30, 0, 0 },
		{ 1ull << 30, 0, UINT64_MAX },
		{ 1ull << 30, 1ull << 41, 4096 },
		{ 1ull << 30, UINT64_MAX - 4095, 4096 },
		{ 1ull << 30, 4096, 4096 }, /* the file ends before */
		{ 1ull << 63, 0, 4096 },
		{ UINT64_MAX - 4095, 0, 4096 },
		{ 4096, 0, 4096 }, /* overlaps the channel's own */
	};
	struct vtc__layout l;
	int pool;

	begin();
	create();
	l = read_layout();
	l.pools = 1;
	pool = forge(&l, 4096, F_SEAL_SHRINK);
	fds[fd_count++] = pool;
	l.pool[0] = (struct vtc__pool){ 1ull << 30, 0, 4096 };
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		l.pool[0] = bad[i];
		ck_assert_msg(open_forged(&l, l.size, F_SEAL_SHRINK) == -EPROTO, "%zu",
			      i);
	}
	close(pool);
	fds[fd_count - 1] = -1;
	l.pool[0] = (struct vtc__pool){ 1ull << 30, 0, 4096 };
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), -EBADF);
	fds[fd_count - 1] = forge(&l, 4096, 0);
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), -EPERM);
	close(fds[fd_count - 1]);
	end();
}
END_TEST

/* Memory that is too short, unsealed, sealed against writing, read-only, or no memfd. */
START_TEST(foreign_memory)
{
	char path[64], file[512];
	struct vtc__layout l;
	int memory, pipes[2];

	begin();
	create();
	memory = fds[0];
	l = read_layout();
	ck_assert_errno(open_forged(&l, l.size, 0), -EPERM);
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_GROW | F_SEAL_SEAL), -EPERM);
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK | F_SEAL_WRITE), -EPERM);
	ck_assert_errno(open_forged(&l, 0, F_SEAL_SHRINK), -EPROTO);
	ck_assert_errno(open_forged(&l, sizeof(l) - 1, F_SEAL_SHRINK), -EPROTO);
	ck_assert_errno(open_forged(&l, sizeof(l), F_SEAL_SHRINK), -EPROTO);
	ck_assert_errno(open_forged(&l, l.size - 1, F_SEAL_SHRINK), -EPROTO);
	ck_assert_errno(open_forged(&l, l.size, F_SEAL_SHRINK), 0);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_errno(try_open(), -EPERM);
	close(fds[0]);
	fds[0] = -1;
	ck_assert_errno(try_open(), -EBADF);
	snprintf(file, sizeof(file), "%s/file", vtct_dir());
	fds[0] = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_lt(try_open(), 0);
	close(fds[0]);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = pipes[0];
	ck_assert_errno(try_open(), -EPROTO);
	fds[0] = fds[1];
	ck_assert_errno(try_open(), -EPROTO);
	close(pipes[0]);
	close(pipes[1]);
	end();
}
END_TEST

/* Where a doorbell should be, something else; none of it may be changed by the look. */
START_TEST(foreign_doorbells)
{
	int others[8], pipes[2], sockets[2], count;
	uint64_t value;
	char byte;

	begin();
	create();
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				    sockets),
			 0);
	others[0] = pipes[0];
	others[1] = pipes[1];
	others[2] = sockets[0];
	others[3] = fds[0];
	others[4] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	others[5] = eventfd(0, EFD_CLOEXEC); /* blocking */
	others[6] = open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	others[7] = forge(&(struct vtc__layout){ 0 }, 4096, 0);
	for (int i = 1; i < fd_count; i++) {
		int right = fds[i];

		for (int k = 0; k < 8; k++) {
			fds[i] = others[k];
			ck_assert_msg(try_open() == -EPROTO, "doorbell %d, kind %d", i,
				      k);
		}
		fds[i] = -1;
		ck_assert_errno(try_open(), -EBADF);
		fds[i] = 100000;
		ck_assert_errno(try_open(), -EBADF);
		fds[i] = right;
	}
	ck_assert_errno(try_open(), 0);
	ck_assert_int_eq(read(pipes[0], &byte, 1), -1);
	ck_assert_int_eq(read(sockets[1], &byte, 1), -1);
	for (int i = 1; i < fd_count; i++)
		ck_assert_int_eq(read(fds[i], &value, sizeof(value)), -1);
	for (count = 0; count < 8; count++) {
		if (others[count] != fds[0])
			close(others[count]);
	}
	close(sockets[1]);
	end();
}
END_TEST

START_TEST(counts)
{
	begin();
	create();
	for (int i = 6; i < 20; i++)
		fds[i - 1] = fds[1];
	for (fd_count = 1; fd_count < 20; fd_count++)
		ck_assert_errno(try_open(), fd_count == 5 ? 0 : -EINVAL);
	end();
}
END_TEST

/* ---- Nothing left ---- */

static void limit(int resource, rlim_t soft)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit((__rlimit_resource_t)resource, &r), 0);
	r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
	ck_assert_int_eq(setrlimit((__rlimit_resource_t)resource, &r), 0);
}

/* Fails at each descriptor in turn, until there are enough. */
static int count_failures(bool opening)
{
	int before = vtct_count_fds(), maps = count_maps(), r = -1;
	rlim_t n = 3;

	for (; r; n++) {
		struct vtc_channel *other = NULL;

		limit(RLIMIT_NOFILE, n);
		r = opening ? vtc_channel_open(ctx, fds, (unsigned int)fd_count, &other)
			    : vtc_channel_create(ctx, &opts, &other);
		limit(RLIMIT_NOFILE, 1024);
		if (r)
			ck_assert_errno(r, -EMFILE);
		vtc_channel_close(other);
		ck_assert_int_eq(vtct_count_fds(), before);
		ck_assert_int_eq(count_maps(), maps);
	}
	return (int)n;
}

START_TEST(no_descriptors_left)
{
	struct vtc_channel *pool;

	begin();
	ck_assert_int_gt(count_failures(false), 5);
	create();
	ck_assert_int_gt(count_failures(true), 5);
	pool = channel;
	opts.pool = pool;
	ck_assert_int_gt(count_failures(false), 5);
	create();
	ck_assert_int_gt(count_failures(true), 5);
	vtc_channel_close(pool);
	end();
}
END_TEST

#if !SANITIZED
/* Fails at each allocation in turn, until all of them succeed. */
static unsigned int count_allocations(bool opening)
{
	int before = vtct_count_fds(), maps = count_maps(), r = -1;
	unsigned int n;

	for (n = 0; r; n++) {
		struct vtc_channel *other = NULL;

		fail_in = n + 1;
		r = opening ? vtc_channel_open(ctx, fds, (unsigned int)fd_count, &other)
			    : vtc_channel_create(ctx, &opts, &other);
		fail_in = 0;
		if (r)
			ck_assert_errno(r, -ENOMEM);
		vtc_channel_close(other);
		ck_assert_int_eq(vtct_count_fds(), before);
		ck_assert_int_eq(count_maps(), maps);
	}
	return n;
}
#endif

START_TEST(no_allocation_succeeds)
{
#if SANITIZED
	vtct_skip("a sanitizer has its own allocator");
#else
	if (in_valgrind())
		vtct_skip("valgrind has its own allocator");
	begin();
	ck_assert_uint_gt(count_allocations(false), 10);
	create();
	ck_assert_uint_gt(count_allocations(true), 10);
	end();
#endif
}
END_TEST

START_TEST(no_memory_left)
{
	if (SANITIZED || in_valgrind())
		vtct_skip("a sanitizer takes more address space than any limit leaves");
	begin();
	create();
	limit(RLIMIT_AS, 1ull << 30);
	ck_assert_errno(try_open(), 0);
	opts.buffers = 1u << 20;
	opts.buffer_size = 1u << 20;
	opts.buffers -= 1;
	ck_assert_errno(vtc_channel_create(ctx, &opts, &channel), -ENOMEM);
	opts.buffers = 1u << 10;
	limit(RLIMIT_AS, RLIM_INFINITY);
	vtc_channel_close(channel);
	create();
	limit(RLIMIT_AS, 1ull << 30);
	ck_assert_errno(try_open(), -ENOMEM);
	limit(RLIMIT_AS, RLIM_INFINITY);
	end();
}
END_TEST

/* ---- Two processes ---- */

/* Whoever waits in vain for that long has lost a wake-up. */
static void wait_ring(struct vtc_channel *c, unsigned int ring)
{
	struct pollfd bell = { .fd = vtc_channel_get_fd(c, ring), .events = POLLIN };
	int n = vtc_vring_needs_poll(vtc_channel_get_vring(c, ring));

	MUST(n >= 0);
	if (n == 0)
		return;
	if (!rnd(4))
		sched_yield();
	MUST(poll(&bell, 1, PATIENCE) == 1);
	MUST(vtc_channel_heard(c, ring) == 1);
}

static void linger(void)
{
	volatile uint32_t n = rnd(3) ? 0 : rnd(2000);

	while (n)
		n--;
}

static struct vtc_channel *open_as_child(void)
{
	struct vtc_channel *c;
	struct vtc_ctx *own;

	MUST(vtc_ctx_new(NULL, &own) == 0);
	MUST(vtc_channel_open(own, fds, (unsigned int)fd_count, &c) == 0);
	vtc_ctx_unref(own); /* the channel keeps it */
	return c;
}

static pid_t start(void (*side)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		alarm(4 * PATIENCE / 1000);
		side();
		_exit(0);
	}
	return pid;
}

static void finish(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the other side: %#x", (unsigned int)status);
}

static uint32_t rounds;

/* Adds one to what it gets, then sleeps. */
static void answer_rounds(void)
{
	struct vtc_channel *c = open_as_child();
	struct vtc_vring *v = vtc_channel_get_vring(c, 0);
	struct vtc_segment segments[2];
	struct vtc_chain chain;
	struct vtc_done done;

	seed = 99;
	for (uint32_t i = 0; i < rounds; i++) {
		int n;

		while ((n = vtc_vring_pull(v, &chain, 1, segments, 2)) == 0)
			wait_ring(c, 0);
		MUST(n == 1 && chain.readable == 1 && chain.writable == 1);
		MUST(*(uint32_t *)segments[0].base == 2 * i);
		*(uint32_t *)segments[1].base = 2 * i + 1;
		linger();
		done = (struct vtc_done){ chain.id, 4 };
		MUST(vtc_vring_push(v, &done, 1) == 0);
		n = vtc_vring_flush(v);
		MUST(n >= 0);
		if (n)
			MUST(vtc_channel_notify(c, 0) == 0);
		linger();
	}
	vtc_channel_close(c);
	MUST(count_maps() == (int)vtc_channel_get_fds(channel, NULL, 0) / 5);
}

static void ask(struct vtc_vring *v, const struct vtc_buffer *buffers, uint32_t *word,
		uint32_t i)
{
	struct vtc_add add = { buffers, 1, 1, i };
	struct vtc_done done;
	int n;

	*word = 2 * i;
	ck_assert_errno(vtc_vring_add(v, &add, 1), 1);
	n = vtc_vring_kick(v);
	ck_assert_int_ge(n, 0);
	if (n)
		ck_assert_errno(vtc_channel_notify(channel, 0), 0);
	linger();
	while ((n = vtc_vring_reap(v, &done, 1)) == 0)
		wait_ring(channel, 0);
	ck_assert_int_eq(n, 1);
	ck_assert_uint_eq(done.id, i);
	ck_assert_uint_eq(done.len, 4);
	ck_assert_uint_eq(*word, 2 * i + 1);
	linger();
}

static void ask_rounds(uint32_t count)
{
	struct vtc_buffer buffers[2] = { { .len = 4 } };
	struct vtc_segment segment;
	pid_t pid;

	create();
	rounds = in_valgrind() ? count / 100 : count;
	pid = start(answer_rounds);
	ck_assert_errno(
		vtc_channel_get_buffer(channel, 3, &buffers[0].guest_addr, &segment), 0);
	buffers[1] = buffers[0];
	for (uint32_t i = 0; i < rounds; i++)
		ask(vtc_channel_get_vring(channel, 0), buffers, segment.base, i);
	finish(pid);
	vtc_channel_close(channel);
	channel = NULL;
}

START_TEST(no_wake_up_is_lost)
{
	begin();
	feature(VTC_VRING_F_EVENT_IDX);
	ask_rounds(ROUNDS);
	feature(VTC_VRING_F_PACKED);
	ask_rounds(ROUNDS);
	opts.features[0] = 0;
	ask_rounds(ROUNDS / 4);
	feature(VTC_VRING_F_PACKED);
	ask_rounds(ROUNDS / 4);
	end();
}
END_TEST

/* ---- Packets both ways at once; the descriptors go through a socket ---- */

#define PACKETS 20000u

static int sockets[2];

static void send_fds(void)
{
	char space[CMSG_SPACE(sizeof(int) * 16)] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space };
	struct cmsghdr *c;

	m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)fd_count);
	ck_assert_int_eq(sendmsg(sockets[0], &m, 0), 1);
}

static void receive_fds(void)
{
	char space[CMSG_SPACE(sizeof(int) * 16)] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c;

	MUST(recvmsg(sockets[1], &m, MSG_CMSG_CLOEXEC) == 1);
	c = CMSG_FIRSTHDR(&m);
	MUST(c && c->cmsg_len == CMSG_LEN(sizeof(int) * (size_t)fd_count));
	memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)fd_count);
}

static uint32_t packet_len(uint32_t number)
{
	return 4 + number * 7919u % (PACKET_LEN - 4);
}

static void write_packet(uint8_t *p, uint32_t number)
{
	memcpy(p, &number, 4);
	for (uint32_t i = 4; i < packet_len(number); i++)
		p[i] = (uint8_t)(number + i * 3);
}

static bool is_packet(const uint8_t *p, uint32_t len, uint32_t number)
{
	if (len != packet_len(number) || memcmp(p, &number, 4))
		return false;
	for (uint32_t i = 4; i < len; i++) {
		if (p[i] != (uint8_t)(number + i * 3))
			return false;
	}
	return true;
}

/* Takes what comes on ring 0 and fills what lies on ring 1. */
static int serve(struct vtc_channel *c, unsigned int ring, uint32_t *number)
{
	struct vtc_vring *v = vtc_channel_get_vring(c, ring);
	struct vtc_segment segments[16];
	struct vtc_chain chains[16];
	struct vtc_done done[16];
	int n = vtc_vring_pull(v, chains, 16, segments, 16);

	MUST(n >= 0);
	for (int i = 0; i < n; i++, (*number)++) {
		done[i] = (struct vtc_done){ chains[i].id, 0 };
		if (ring == 0) {
			MUST(is_packet(chains[i].segments[0].base,
				       chains[i].readable_bytes, *number));
			continue;
		}
		write_packet(chains[i].segments[0].base, *number);
		done[i].len = packet_len(*number);
	}
	if (n)
		MUST(vtc_vring_push(v, done, (unsigned int)n) == 0);
	if (vtc_vring_flush(v) == 1)
		MUST(vtc_channel_notify(c, ring) == 0);
	return n;
}

/* Both doorbells at once, as an event loop has them. */
static void wait_both(struct vtc_channel *c)
{
	struct pollfd bells[2];

	for (unsigned int i = 0; i < 2; i++) {
		bells[i] = (struct pollfd){ vtc_channel_get_fd(c, i), POLLIN, 0 };
		if (vtc_vring_needs_poll(vtc_channel_get_vring(c, i)) == 0)
			return;
	}
	MUST(poll(bells, 2, PATIENCE) > 0);
	for (unsigned int i = 0; i < 2; i++)
		MUST(vtc_channel_heard(c, i) >= 0);
}

static void serve_both(void)
{
	struct vtc_channel *c;
	uint32_t in = 0, out = 0;

	/* What was inherited does not count. */
	for (int i = 0; i < fd_count; i++)
		close(fds[i]);
	receive_fds();
	c = open_as_child();
	while (in < PACKETS || out < PACKETS) {
		if (serve(c, 0, &in) + serve(c, 1, &out) == 0)
			wait_both(c);
		linger();
	}
	vtc_channel_close(c);
}

static uint8_t *buffer(uint32_t id, uint64_t *addr)
{
	struct vtc_segment segment;

	ck_assert_errno(vtc_channel_get_buffer(channel, id, addr, &segment), 0);
	return segment.base;
}

/* Ring 0 carries buffers 0 to 255, ring 1 the others. */
static void refill(unsigned int ring, uint32_t id, uint32_t *added)
{
	struct vtc_buffer b = { .len = PACKET_LEN };
	struct vtc_add add = { &b, ring == 0, ring == 1, id };
	uint8_t *p = buffer(id, &b.guest_addr);

	if (*added == PACKETS)
		return;
	if (ring == 0) {
		write_packet(p, *added);
		b.len = packet_len(*added);
	}
	ck_assert_errno(vtc_vring_add(vtc_channel_get_vring(channel, ring), &add, 1), 1);
	(*added)++;
}

static int collect(unsigned int ring, uint32_t *added, uint32_t *back)
{
	struct vtc_vring *v = vtc_channel_get_vring(channel, ring);
	struct vtc_done done[16];
	uint64_t addr;
	int n = vtc_vring_reap(v, done, 16), kick;

	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++, (*back)++) {
		if (ring == 1)
			ck_assert(
				is_packet(buffer(done[i].id, &addr), done[i].len, *back));
		refill(ring, done[i].id, added);
	}
	kick = vtc_vring_kick(v);
	ck_assert_int_ge(kick, 0);
	if (kick)
		ck_assert_errno(vtc_channel_notify(channel, ring), 0);
	return n;
}

static void exchange(void)
{
	uint32_t added[2] = { 0 }, back[2] = { 0 };
	pid_t pid;

	create();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	pid = start(serve_both);
	send_fds();
	for (uint32_t id = 0; id < 512; id++)
		refill(id / 256, id, &added[id / 256]);
	while (back[0] < PACKETS || back[1] < PACKETS) {
		if (collect(0, &added[0], &back[0]) + collect(1, &added[1], &back[1]) ==
			    0 &&
		    (back[0] < PACKETS || back[1] < PACKETS))
			wait_both(channel);
		linger();
	}
	finish(pid);
	close(sockets[0]);
	close(sockets[1]);
	vtc_channel_close(channel);
	channel = NULL;
}

START_TEST(packets_both_ways)
{
	begin();
	exchange();
	feature(VTC_VRING_F_EVENT_IDX);
	feature(VTC_VRING_F_INDIRECT);
	exchange();
	feature(VTC_VRING_F_PACKED);
	feature(VTC_VRING_F_IN_ORDER);
	exchange();
	end();
}
END_TEST

/* ---- Shared pool ---- */

#define HOPS 1000u

static struct vtc_channel *upper; /* B's channel to C */

/* C turns all bits where they lie, in A's buffers. */
static void turn_bits(void)
{
	struct vtc_channel *c = open_as_child();
	struct vtc_vring *v = vtc_channel_get_vring(c, 0);
	struct vtc_segment segments[2];
	struct vtc_chain chain;
	struct vtc_done done;

	for (uint32_t k = 0; k < HOPS; k++) {
		uint8_t *p;
		int n;

		while ((n = vtc_vring_pull(v, &chain, 1, segments, 2)) == 0)
			wait_ring(c, 0);
		MUST(n == 1 && segments[0].base == segments[1].base);
		p = segments[0].base;
		MUST(is_packet(p, chain.readable_bytes, k));
		for (uint32_t i = 0; i < chain.writable_bytes; i++)
			p[i] = (uint8_t)~p[i];
		done = (struct vtc_done){ chain.id, chain.writable_bytes };
		MUST(vtc_vring_push(v, &done, 1) == 0);
		if (vtc_vring_flush(v) == 1)
			MUST(vtc_channel_notify(c, 0) == 0);
	}
	vtc_channel_close(c);
}

/* B touches no byte: it adds what it pulled, and pushes what it reaped. */
static void relay(struct vtc_channel *c)
{
	struct vtc_vring *from = vtc_channel_get_vring(c, 0);
	struct vtc_vring *to = vtc_channel_get_vring(upper, 0);
	struct vtc_segment segments[2];
	struct vtc_buffer buffers[2] = { { 0 } };
	struct vtc_add add = { buffers, 1, 1, 5 };
	struct vtc_chain chain;
	struct vtc_done done;
	int n;

	while ((n = vtc_vring_pull(from, &chain, 1, segments, 2)) == 0)
		wait_ring(c, 0);
	MUST(n == 1);
	for (int i = 0; i < 2; i++) {
		MUST(vtc_channel_get_guest_addr(c, segments[i].base, segments[i].len,
						&buffers[i].guest_addr) == 0);
		buffers[i].len = (uint32_t)segments[i].len;
	}
	MUST(vtc_vring_add(to, &add, 1) == 1);
	if (vtc_vring_kick(to) == 1)
		MUST(vtc_channel_notify(upper, 0) == 0);
	while ((n = vtc_vring_reap(to, &done, 1)) == 0)
		wait_ring(upper, 0);
	MUST(n == 1 && done.id == 5);
	done.id = chain.id;
	MUST(vtc_vring_push(from, &done, 1) == 0);
	if (vtc_vring_flush(from) == 1)
		MUST(vtc_channel_notify(c, 0) == 0);
}

static void relay_all(void)
{
	struct vtc_channel *c = open_as_child();
	struct vtc_ctx *own;
	int status;
	pid_t pid;

	MUST(vtc_ctx_new(NULL, &own) == 0);
	opts.pool = c;
	MUST(vtc_channel_create(own, &opts, &upper) == 0);
	fd_count = vtc_channel_get_fds(upper, fds, FDS_MAX);
	MUST(fd_count == 6);
	pid = start(turn_bits);
	for (uint32_t k = 0; k < HOPS; k++)
		relay(c);
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
	vtc_channel_close(upper);
	vtc_channel_close(c);
	vtc_ctx_unref(own);
}

START_TEST(pool_passed_on)
{
	struct vtc_buffer buffers[2] = { { 0 } };
	struct vtc_done done;
	pid_t pid;

	begin();
	create();
	pid = start(relay_all);
	for (uint32_t k = 0; k < HOPS; k++) {
		struct vtc_add add = { buffers, 1, 1, k };
		struct vtc_vring *v = vtc_channel_get_vring(channel, 0);
		uint8_t *p = buffer(k % 512, &buffers[0].guest_addr);
		uint32_t len = packet_len(k);

		write_packet(p, k);
		buffers[0].len = len;
		buffers[1] = buffers[0];
		ck_assert_errno(vtc_vring_add(v, &add, 1), 1);
		if (vtc_vring_kick(v) == 1)
			ck_assert_errno(vtc_channel_notify(channel, 0), 0);
		while (vtc_vring_reap(v, &done, 1) == 0)
			wait_ring(channel, 0);
		ck_assert_uint_eq(done.id, k);
		ck_assert_uint_eq(done.len, len);
		for (uint32_t i = 0; i < len; i++)
			p[i] = (uint8_t)~p[i];
		ck_assert(is_packet(p, len, k));
	}
	finish(pid);
	end();
}
END_TEST

/* Each level has the buffers of all below it, at the same addresses. */
START_TEST(pools_of_pools)
{
	struct vtc_channel *level[VTC_CHANNEL_POOLS_MAX + 2], *other;
	struct vtc_segment segment;
	uint64_t addr, again;
	int n;

	begin();
	for (n = 0; n <= VTC_CHANNEL_POOLS_MAX; n++) {
		opts.buffers = 4;
		opts.pool = n ? level[n - 1] : NULL;
		ck_assert_errno(vtc_channel_create(ctx, &opts, &level[n]), 0);
		ck_assert_errno(vtc_channel_get_fds(level[n], NULL, 0), 5 + n);
	}
	opts.pool = level[n - 1];
	ck_assert_errno(vtc_channel_create(ctx, &opts, &other), -EINVAL);
	fd_count = vtc_channel_get_fds(level[n - 1], fds, FDS_MAX);
	ck_assert_errno(vtc_channel_open(ctx, fds, (unsigned int)fd_count, &other), 0);
	for (int i = 0; i < n; i++) {
		ck_assert_errno(vtc_channel_get_buffer(level[i], 3, &addr, &segment), 0);
		ck_assert_errno(
			vtc_channel_get_guest_addr(level[i], segment.base, 2048, &again),
			0);
		ck_assert_uint_eq(addr, again);
		for (int k = 0; k < i; k++)
			ck_assert_errno(vtc_channel_get_guest_addr(level[k], segment.base,
								   1, &again),
					-ERANGE);
	}
	/* They may be closed in any order. */
	for (int i = 0; i < n; i++)
		vtc_channel_close(level[i]);
	vtc_channel_close(other);
	end();
}
END_TEST

START_TEST(guest_addresses)
{
	struct vtc_segment first, last;
	uint64_t addr, got = 1;

	begin();
	create();
	ck_assert_errno(vtc_channel_get_buffer(channel, 511, &addr, &last), 0);
	ck_assert_errno(vtc_channel_get_buffer(channel, 0, &addr, &first), 0);
	ck_assert_errno(vtc_channel_get_guest_addr(NULL, first.base, 1, &got), -EINVAL);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, NULL, 1, &got), -EINVAL);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, first.base, 0, &got),
			-EINVAL);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, first.base, 1, NULL),
			-EINVAL);
	ck_assert_errno(
		vtc_channel_get_guest_addr(channel, (char *)first.base - 1, 1, &got),
		-ERANGE);
	ck_assert_errno(
		vtc_channel_get_guest_addr(channel, first.base, 512 * 2048 + 1, &got),
		-ERANGE);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, first.base, SIZE_MAX, &got),
			-ERANGE);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, &got, 1, &got), -ERANGE);
	ck_assert_errno(
		vtc_channel_get_guest_addr(channel, (char *)last.base + 2048, 1, &got),
		-ERANGE);
	ck_assert_uint_eq(got, 1);
	ck_assert_errno(vtc_channel_get_guest_addr(channel, first.base, 512 * 2048, &got),
			0);
	ck_assert_uint_eq(got, addr);
	ck_assert_errno(
		vtc_channel_get_guest_addr(channel, (char *)last.base + 2047, 1, &got),
		0);
	ck_assert_uint_eq(got, addr + 512 * 2048 - 1);
	end();
}
END_TEST

/* A channel without buffers of its own shares none. */
START_TEST(pool_without_buffers)
{
	struct vtc_channel *pool, *middle;
	struct vtc_segment segment;
	uint64_t addr;

	begin();
	create();
	pool = channel;
	opts.pool = pool;
	ck_assert_errno(vtc_channel_create(ctx, &opts, &middle), 0);
	ck_assert_errno(vtc_channel_get_buffer(middle, 0, &addr, &segment), -ERANGE);
	opts.pool = middle;
	create();
	ck_assert_int_eq(fd_count, 6);
	ck_assert_errno(try_open(), 0);
	vtc_channel_close(middle);
	vtc_channel_close(pool);
	end();
}
END_TEST

/* ---- A side that goes mad ---- */

/* Random bytes all over the memory; the other side's rings break, and that is all. */
static void go_mad(struct vtc_channel *victim, int role)
{
	struct vtc__layout l = read_layout();
	uint8_t *p = mmap(NULL, l.size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	struct vtc_segment segments[16];
	struct vtc_chain chains[16];
	struct vtc_done done[16];
	uint64_t addr = l.buffer_offset;

	ck_assert_ptr_ne(p, MAP_FAILED);
	for (uint32_t id = 0; role == VTC_VRING_DRIVER && id < 400; id++) {
		struct vtc_buffer b = { addr, 64, 0 };
		struct vtc_add add = { &b, id % 3 != 0, id % 3 == 0, id };

		ck_assert_errno(
			vtc_vring_add(vtc_channel_get_vring(victim, id % 2), &add, 1), 1);
	}
	if (role == VTC_VRING_DRIVER) {
		ck_assert_int_ge(vtc_vring_kick(vtc_channel_get_vring(victim, 0)), 0);
		ck_assert_int_ge(vtc_vring_kick(vtc_channel_get_vring(victim, 1)), 0);
	}
	for (uint32_t k = 0; k < 2000; k++) {
		struct vtc_vring *v = vtc_channel_get_vring(victim, k % 2);

		for (int i = 0; i < 200; i++)
			p[rnd((uint32_t)l.buffer_offset)] = (uint8_t)rnd(256);
		if (role == VTC_VRING_DEVICE)
			(void)vtc_vring_pull(v, chains, 16, segments, 16);
		else
			(void)vtc_vring_reap(v, done, 16);
		(void)vtc_vring_needs_poll(v);
	}
	ck_assert_errno(vtc_vring_needs_poll(vtc_channel_get_vring(victim, 0)), -EPROTO);
	ck_assert_ptr_nonnull(vtc_vring_get_error(vtc_channel_get_vring(victim, 0)));
	ck_assert_errno(vtc_channel_get_buffer(victim, 511, &addr, segments), 0);
	ck_assert_uint_eq(addr, l.buffer_offset + 511 * 2048);
	ck_assert_int_eq(fallocate(fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   (off_t)l.size),
			 0);
	memset(segments[0].base, 1, segments[0].len);
	ck_assert_int_eq(ftruncate(fds[0], 0), -1);
	munmap(p, l.size);
}

START_TEST(mad_sides)
{
	struct vtc_channel *other;

	begin();
	for (int packed = 0; packed < 2; packed++) {
		if (packed)
			feature(VTC_VRING_F_PACKED);
		create();
		ck_assert_errno(vtc_channel_open(ctx, fds, 5, &other), 0);
		go_mad(other, VTC_VRING_DEVICE);
		vtc_channel_close(other);
		vtc_channel_close(channel);
		create();
		go_mad(channel, VTC_VRING_DRIVER);
		vtc_channel_close(channel);
	}
	channel = NULL;
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("channel");
	TCase *one = tcase_create("one process"), *two = tcase_create("two processes");

	tcase_add_test(one, defaults);
	tcase_add_test(one, doorbells);
	tcase_add_test(one, doorbells_never_block);
	tcase_add_test(one, parameters);
	tcase_add_test(one, options);
	tcase_add_test(one, sizes);
	tcase_add_test(one, lies_of_the_memory);
	tcase_add_test(one, lies_about_pools);
	tcase_add_test(one, foreign_memory);
	tcase_add_test(one, foreign_doorbells);
	tcase_add_test(one, counts);
	tcase_add_test(one, no_descriptors_left);
	tcase_add_test(one, no_allocation_succeeds);
	tcase_add_test(one, no_memory_left);
	tcase_add_test(one, pools_of_pools);
	tcase_add_test(one, guest_addresses);
	tcase_add_test(one, pool_without_buffers);
	tcase_add_test(one, mad_sides);
	tcase_add_test(two, packets_both_ways);
	tcase_add_test(two, pool_passed_on);
	tcase_add_test(two, no_wake_up_is_lost);
	tcase_set_timeout(one, 60);
	tcase_set_timeout(two, 120);
	suite_add_tcase(suite, one);
	suite_add_tcase(suite, two);
	return vtct_main(suite, NULL);
}
