/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels: a memfd with rings and buffers, and a pair of doorbells for each ring. The
 * side that creates is the driver of all rings, the side that opens the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <vtc/channel.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"
#include "doorbell.h"
#include "layout.h"
#include "memfd.h"

#define OPTS_FIRST  sizeof(struct vtc_channel_opts)
#define MEMORIES    (1 + VTC_CHANNEL_POOLS_MAX)
#define RINGS	    2u
#define RING_SIZE   256u
#define BUFFER_SIZE 2048u
#define PAGE	    4096u

/* Our own memory, or a pool's buffers: at the same addresses in each channel. */
struct memory {
	struct vtc__pool at;
	uint8_t *base;
	int fd;
};

/* The doorbell that the driver side hears, and the one that the device side hears. */
struct ring {
	struct vtc_vring *vring;
	int doorbell[2];
};

struct vtc_channel {
	struct vtc_ctx *ctx;
	struct vtc_mem *mem;
	uint32_t role;
	uint32_t memories;
	uint32_t rings;
	struct vtc__layout layout;
	struct memory memory[MEMORIES]; /* the first is our own */
	struct ring ring[VTC_CHANNEL_RINGS_MAX];
};

/* ---- Life ---- */

static struct vtc_channel *channel_alloc(struct vtc_ctx *ctx, uint32_t role,
					 const struct vtc__layout *layout)
{
	struct vtc_channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ctx = vtc_ctx_ref(ctx);
	c->role = role;
	c->layout = *layout;
	c->rings = layout->rings;
	c->memories = 1 + layout->pools;
	c->memory[0].at = (struct vtc__pool){ layout->guest_addr, 0, layout->size };
	for (uint32_t i = 0; i < layout->pools; i++)
		c->memory[1 + i].at = layout->pool[i];
	for (uint32_t i = 0; i < c->memories; i++)
		c->memory[i].fd = -1;
	for (uint32_t i = 0; i < c->rings; i++)
		c->ring[i].doorbell[0] = c->ring[i].doorbell[1] = -1;
	return c;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void vtc_channel_close(struct vtc_channel *channel)
{
	if (!channel)
		return;
	for (uint32_t i = 0; i < channel->rings; i++) {
		vtc_vring_free(channel->ring[i].vring);
		close_fd(channel->ring[i].doorbell[0]);
		close_fd(channel->ring[i].doorbell[1]);
	}
	vtc_mem_unref(channel->mem);
	for (uint32_t i = 0; i < channel->memories; i++)
		close_fd(channel->memory[i].fd);
	vtc_ctx_unref(channel->ctx);
	free(channel);
}

static int map_memory(struct vtc_channel *c, struct memory *m)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = m->at.guest_addr,
				    .size = m->at.size,
				    .fd_offset = m->at.offset,
				    .fd = m->fd,
				    .perm = VTC_MEM_RW };
	struct vtc_segment segment;
	int n = vtc_mem_add(c->mem, &r);

	if (n < 0)
		return n;
	n = vtc_mem_translate(c->mem, m->at.guest_addr, m->at.size, VTC_MEM_RW, &segment,
			      1);
	if (n < 0)
		return n;
	m->base = segment.base;
	return 0;
}

/* Map what the descriptors are of, and make the rings in it. */
static int assemble(struct vtc_channel *c)
{
	struct vtc_vring_opts o;
	int err = vtc_mem_new(c->ctx, &c->mem);

	for (uint32_t i = 0; !err && i < c->memories; i++)
		err = map_memory(c, &c->memory[i]);
	for (uint32_t i = 0; !err && i < c->rings; i++) {
		vtc__layout_ring(&c->layout, i, c->role, &o);
		err = vtc_vring_new(c->ctx, c->mem, &o, &c->ring[i].vring);
	}
	return err;
}

static int copy_fd(int fd, int *ret_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	*ret_fd = copy;
	return 0;
}

/* ---- Create ---- */

static int load_opts(const struct vtc_channel_opts *opts, struct vtc_channel_opts *o)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, opts);

	if (err)
		return err;
	if (o->flags)
		return -EINVAL;
	if (!o->rings)
		o->rings = RINGS;
	if (!o->ring_size)
		o->ring_size = RING_SIZE;
	if (!o->buffer_size)
		o->buffer_size = BUFFER_SIZE;
	if (o->buffers || o->pool)
		return 0;
	if (__builtin_mul_overflow(o->rings, o->ring_size, &o->buffers))
		return -EINVAL;
	return 0;
}

/* Of the pool's own memory its buffers alone; of what it has as pools, all. */
static struct vtc__pool shared_part(const struct vtc_channel *pool, uint32_t memory)
{
	struct vtc__pool part = pool->memory[memory].at;

	if (memory)
		return part;
	part.guest_addr += pool->layout.buffer_offset;
	part.offset = pool->layout.buffer_offset;
	part.size = vtc__layout_buffers(&pool->layout);
	return part;
}

/* Our own memory comes behind all of the pool's. */
static int place_pools(const struct vtc_channel *pool, struct vtc__layout *l)
{
	for (uint32_t i = 0; pool && i < pool->memories; i++) {
		struct vtc__pool part = shared_part(pool, i);
		uint64_t end = part.guest_addr + part.size;

		if (!part.size)
			continue;
		if (l->pools == VTC_CHANNEL_POOLS_MAX)
			return -EINVAL;
		l->pool[l->pools++] = part;
		if (l->guest_addr < end)
			l->guest_addr = (end + PAGE - 1) / PAGE * PAGE;
	}
	return 0;
}

static int copy_pool_fds(const struct vtc_channel *pool, struct vtc_channel *c)
{
	uint32_t n = 1;
	int err = 0;

	for (uint32_t i = 0; !err && pool && i < pool->memories; i++) {
		if (shared_part(pool, i).size)
			err = copy_fd(pool->memory[i].fd, &c->memory[n++].fd);
	}
	return err;
}

static int make_memory(struct vtc_channel *c)
{
	const struct vtc__layout *l = &c->layout;
	int fd = vtc__memfd_new("vtc-channel", l->size);

	if (fd < 0)
		return fd;
	c->memory[0].fd = fd;
	if (pwrite(fd, l, sizeof(*l), 0) != (ssize_t)sizeof(*l))
		return -ENOMEM;
	return 0;
}

static int make_doorbells(struct vtc_channel *c)
{
	for (uint32_t i = 0; i < 2 * c->rings; i++) {
		int fd = vtc__doorbell_new();

		if (fd < 0)
			return fd;
		c->ring[i / 2].doorbell[i % 2] = fd;
	}
	return 0;
}

static int create(struct vtc_ctx *ctx, const struct vtc_channel_opts *o,
		  struct vtc_channel **ret_channel)
{
	struct vtc__layout layout = { 0 };
	struct vtc_channel *c;
	int err = place_pools(o->pool, &layout);

	if (!err)
		err = vtc__layout_make(&layout, o);
	if (err)
		return err;
	c = channel_alloc(ctx, VTC_VRING_DRIVER, &layout);
	if (!c)
		return -ENOMEM;
	err = make_memory(c);
	if (!err)
		err = make_doorbells(c);
	if (!err)
		err = copy_pool_fds(o->pool, c);
	if (!err)
		err = assemble(c);
	if (err) {
		vtc_channel_close(c);
		return err;
	}
	*ret_channel = c;
	return 0;
}

int vtc_channel_create(struct vtc_ctx *ctx, const struct vtc_channel_opts *opts,
		       struct vtc_channel **ret_channel)
{
	struct vtc_channel_opts o;
	int err;

	if (!ctx || !ret_channel)
		return vtc__err_arg(ctx, "channel create", "a parameter is NULL");
	err = load_opts(opts, &o);
	if (!err)
		err = create(ctx, &o, ret_channel);
	if (err == -EINVAL || err == -E2BIG)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, "channel create",
				"options");
	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "channel create",
				"%u rings of %u descriptors, %u buffers of %u bytes",
				(unsigned int)o.rings, (unsigned int)o.ring_size,
				(unsigned int)o.buffers, (unsigned int)o.buffer_size);
	return 0;
}

/* ---- Open ---- */

static int refuse(struct vtc_ctx *ctx, int err, const char *why)
{
	(void)vtc__err(ctx, err, VTC_ERROR_ORIGIN_LIBRARY, "channel open",
		       "the other side's descriptors");
	vtc__err_message(ctx, "%s", why);
	vtc__err_hint(ctx,
		      "pass what vtc_channel_get_fds() gives, all of it in that order");
	return err;
}

/* Only sealed memory keeps the size that fstat() tells after the seals were read. */
static int read_layout(struct vtc_ctx *ctx, int fd, struct vtc__layout *l)
{
	struct statfs fs;
	struct stat st;
	const char *why;
	int seals;

	if (fstatfs(fd, &fs))
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	if (fstat(fd, &st))
		return -errno;
	if (fs.f_type != TMPFS_MAGIC || !S_ISREG(st.st_mode) || seals < 0)
		return refuse(ctx, -EPROTO, "the first is no memfd");
	if (!(seals & F_SEAL_SHRINK))
		return refuse(ctx, -EPERM, "the memory is not sealed against shrinking");
	if (pread(fd, l, sizeof(*l), 0) != (ssize_t)sizeof(*l))
		return refuse(ctx, -EPROTO, "the memory is too short");
	why = vtc__layout_check(l);
	if (!why && l->size > (uint64_t)st.st_size)
		why = "the memory is shorter than it says";
	return why ? refuse(ctx, -EPROTO, why) : 0;
}

static int copy_doorbells(struct vtc_channel *c, const int *fds)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < 2 * c->rings; i++) {
		err = vtc__doorbell_check(fds[i]);
		if (err == -EPROTO)
			return refuse(c->ctx, err,
				      "a doorbell is no non-blocking eventfd");
		if (!err)
			err = copy_fd(fds[i], &c->ring[i / 2].doorbell[i % 2]);
	}
	return err;
}

static int copy_fds(struct vtc_channel *c, const int *fds)
{
	int err = copy_fd(fds[0], &c->memory[0].fd);

	if (!err)
		err = copy_doorbells(c, fds + 1);
	for (uint32_t i = 1; !err && i < c->memories; i++)
		err = copy_fd(fds[2 * c->rings + i], &c->memory[i].fd);
	return err;
}

/* What the memory map or a ring refuses is the other side's mistake, not the caller's. */
static int blame(struct vtc_ctx *ctx, int err)
{
	switch (err) {
	case -EINVAL:
	case -EEXIST:
	case -EFAULT:
	case -ENXIO:
		return refuse(ctx, -EPROTO,
			      "its rings, memory or pools do not fit together");
	case -EACCES:
	case -EPERM:
		return refuse(ctx, -EPERM,
			      "the memory is not sealed, or cannot be written");
	default:
		return err;
	}
}

static int open_channel(struct vtc_ctx *ctx, const int *fds, unsigned int count,
			struct vtc_channel **ret_channel)
{
	struct vtc__layout layout;
	struct vtc_channel *c;
	int err = read_layout(ctx, fds[0], &layout);

	if (err)
		return err;
	if (count != 1 + 2 * layout.rings + layout.pools)
		return refuse(ctx, -EINVAL, "these are not as many as the channel has");
	c = channel_alloc(ctx, VTC_VRING_DEVICE, &layout);
	if (!c)
		return -ENOMEM;
	err = copy_fds(c, fds);
	if (!err)
		err = blame(ctx, assemble(c));
	if (err) {
		vtc_channel_close(c);
		return err;
	}
	*ret_channel = c;
	return 0;
}

int vtc_channel_open(struct vtc_ctx *ctx, const int *fds, unsigned int count,
		     struct vtc_channel **ret_channel)
{
	int err;

	if (!ctx || !fds || !count || !ret_channel)
		return vtc__err_arg(ctx, "channel open", "a parameter is NULL or 0");
	err = open_channel(ctx, fds, count, ret_channel);
	if (err && err != -EPROTO && err != -EPERM && err != -EINVAL)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "channel open",
				"%u descriptors", count);
	return err;
}

/* ---- Descriptors ---- */

int vtc_channel_get_fds(const struct vtc_channel *channel, int *fds, unsigned int max)
{
	uint32_t bells = channel ? 2 * channel->rings : 0;
	uint32_t count = channel ? bells + channel->memories : 0;

	if (!channel || (!fds && max))
		return -EINVAL;
	for (uint32_t i = 0; i < count && i < max; i++) {
		if (i && i <= bells)
			fds[i] = channel->ring[(i - 1) / 2].doorbell[(i - 1) % 2];
		else
			fds[i] = channel->memory[i ? i - bells : 0].fd;
	}
	return (int)count;
}

static bool has_ring(const struct vtc_channel *channel, unsigned int ring)
{
	return channel && ring < channel->rings;
}

static int doorbell_of(const struct vtc_channel *channel, unsigned int ring, bool driver)
{
	return channel->ring[ring].doorbell[driver ? 0 : 1];
}

int vtc_channel_get_fd(const struct vtc_channel *channel, unsigned int ring)
{
	if (!has_ring(channel, ring))
		return -EINVAL;
	return doorbell_of(channel, ring, channel->role == VTC_VRING_DRIVER);
}

int vtc_channel_notify(struct vtc_channel *channel, unsigned int ring)
{
	if (!has_ring(channel, ring))
		return -EINVAL;
	return vtc__doorbell_ring(
		doorbell_of(channel, ring, channel->role != VTC_VRING_DRIVER));
}

int vtc_channel_heard(struct vtc_channel *channel, unsigned int ring)
{
	if (!has_ring(channel, ring))
		return -EINVAL;
	return vtc__doorbell_heard(vtc_channel_get_fd(channel, ring));
}

/* ---- Rings and buffers ---- */

struct vtc_vring *vtc_channel_get_vring(const struct vtc_channel *channel,
					unsigned int ring)
{
	return has_ring(channel, ring) ? channel->ring[ring].vring : NULL;
}

int vtc_channel_get_buffer(const struct vtc_channel *channel, unsigned int buffer,
			   uint64_t *ret_guest_addr, struct vtc_segment *ret_segment)
{
	const struct vtc__layout *l;
	uint64_t offset;

	if (!channel || !ret_guest_addr || !ret_segment)
		return -EINVAL;
	l = &channel->layout;
	if (buffer >= l->buffers)
		return -ERANGE;
	offset = l->buffer_offset + (uint64_t)buffer * l->buffer_size;
	*ret_guest_addr = l->guest_addr + offset;
	*ret_segment =
		(struct vtc_segment){ channel->memory[0].base + offset, l->buffer_size };
	return 0;
}

int vtc_channel_get_guest_addr(const struct vtc_channel *channel, const void *base,
			       size_t len, uint64_t *ret_guest_addr)
{
	if (!channel || !base || !len || !ret_guest_addr)
		return -EINVAL;
	for (uint32_t i = 0; i < channel->memories; i++) {
		const struct memory *m = &channel->memory[i];
		struct vtc__pool part = shared_part(channel, i);
		uint64_t skip = part.offset - m->at.offset;
		uint64_t offset = (uintptr_t)base - (uintptr_t)m->base - skip;

		if (offset < part.size && len <= part.size - offset) {
			*ret_guest_addr = part.guest_addr + offset;
			return 0;
		}
	}
	return -ERANGE;
}
