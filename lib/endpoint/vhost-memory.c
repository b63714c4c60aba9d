/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that a frontend shares: see vhost-memory.h. */
#include "vhost-memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_SHIFT 12

static int fail(int err, const char *why, const char **ret_why)
{
	*ret_why = why;
	return err;
}

static int fail_map(int err, const char **ret_why)
{
	switch (err) {
	case -EPERM:
		return fail(err,
			    "the shared memory can be shortened: share sealed memory "
			    "(QEMU: memory-backend-memfd), or open the port with "
			    "VTC_VHOST_USER_F_TRUSTED",
			    ret_why);
	case -ENXIO:
		return fail(err, "the file ends before its region does", ret_why);
	case -EEXIST:
		return fail(err, "a region overlaps another one", ret_why);
	case -ENOSPC:
		return fail(err, "there are too many regions", ret_why);
	case -EINVAL:
		return fail(err, "a region is empty or its addresses wrap", ret_why);
	case -ENOMEM:
		return fail(err, "memory is out", ret_why);
	default:
		return fail(err, "the file cannot be mapped", ret_why);
	}
}

/* ---- Files ---- */

static int map_at(struct vtc_mem *mem, int fd, const struct vtc__vhost_region *r,
		  bool trusted, const char **ret_why)
{
	struct vtc_mem_region region = {
		.sz = sizeof(region),
		.flags = trusted ? VTC_MEM_F_TRUSTED : 0,
		.guest_addr = r->guest_addr,
		.size = r->size,
		.fd_offset = r->mmap_offset,
		.fd = fd,
		.perm = VTC_MEM_RW,
	};
	int err = vtc_mem_add(mem, &region);

	return err ? fail_map(err, ret_why) : 0;
}

/* A map of one region knows all that is to be checked. */
int vtc__vhost_map(struct vtc_ctx *ctx, int fd, uint64_t offset, uint64_t size,
		   bool trusted, struct vtc__vhost_mapping *ret_mapping,
		   const char **ret_why)
{
	struct vtc__vhost_region r = { .size = size, .mmap_offset = offset };
	struct vtc_segment segment = { NULL, 0 };
	struct vtc_mem *mem;
	int err = vtc_mem_new(ctx, &mem);

	if (err)
		return fail_map(err, ret_why);
	err = map_at(mem, fd, &r, trusted, ret_why);
	if (err || vtc_mem_translate(mem, 0, size, VTC_MEM_RW, &segment, 1) != 1) {
		vtc_mem_unref(mem);
		return err ? err : fail_map(-EFAULT, ret_why);
	}
	*ret_mapping = (struct vtc__vhost_mapping){ mem, segment.base, size };
	return 0;
}

void vtc__vhost_unmap(struct vtc__vhost_mapping *mapping)
{
	vtc_mem_unref(mapping->mem);
	*mapping = (struct vtc__vhost_mapping){ 0 };
}

/* ---- Regions ---- */

void vtc__vhost_space_clear(struct vtc__vhost_space *s)
{
	s->mem = vtc_mem_unref(s->mem);
	s->count = 0;
	s->logs = false;
	vtc__vhost_unmap(&s->log);
}

static int need_mem(struct vtc__vhost_space *s, const char **ret_why)
{
	if (s->mem || !vtc_mem_new(s->ctx, &s->mem))
		return 0;
	return fail(-ENOMEM, "memory is out", ret_why);
}

static bool log_covers(const struct vtc__vhost_mapping *log,
		       const struct vtc__vhost_region *r)
{
	return (r->guest_addr + r->size - 1) >> LOG_SHIFT >> 3 < log->size;
}

static int check_region(const struct vtc__vhost_space *s,
			const struct vtc__vhost_region *r, const char **ret_why)
{
	if (!r->size || r->guest_addr + r->size < r->guest_addr ||
	    r->user_addr + r->size < r->user_addr)
		return fail_map(-EINVAL, ret_why);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct vtc__vhost_region *o = &s->slot[i].region;

		if (r->user_addr - o->user_addr < o->size ||
		    o->user_addr - r->user_addr < r->size)
			return fail_map(-EEXIST, ret_why);
	}
	if (s->logs && !log_covers(&s->log, r))
		return fail(-ERANGE, "the dirty log ends before the memory does",
			    ret_why);
	return 0;
}

int vtc__vhost_space_add(struct vtc__vhost_space *s, const struct vtc__vhost_region *r,
			 int fd, const char **ret_why)
{
	struct vtc__vhost_slot slot = { .region = *r };
	struct stat st;
	int err = check_region(s, r, ret_why);

	if (!err)
		err = need_mem(s, ret_why);
	if (err)
		return err;
	if (fstat(fd, &st))
		return fail_map(-errno, ret_why);
	err = map_at(s->mem, fd, r, s->trusted, ret_why);
	if (err)
		return err;
	slot.dev = st.st_dev;
	slot.ino = st.st_ino;
	s->slot[s->count++] = slot;
	return 0;
}

static int take_out(struct vtc__vhost_space *s, uint32_t at, const char **ret_why)
{
	const struct vtc__vhost_region *r = &s->slot[at].region;
	int err = vtc_mem_remove(s->mem, r->guest_addr, r->size);

	if (err)
		return fail(err, "a region cannot be removed", ret_why);
	s->count--;
	s->slot[at] = s->slot[s->count];
	return 0;
}

int vtc__vhost_space_remove(struct vtc__vhost_space *s, const struct vtc__vhost_region *r,
			    const char **ret_why)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct vtc__vhost_region *o = &s->slot[i].region;

		if (o->guest_addr == r->guest_addr && o->user_addr == r->user_addr &&
		    o->size == r->size)
			return take_out(s, i, ret_why);
	}
	return fail(-ENOENT, "there is no such region", ret_why);
}

static bool is_same(const struct vtc__vhost_slot *slot, const struct vtc__vhost_region *r,
		    int fd)
{
	struct stat st;

	return !memcmp(&slot->region, r, sizeof(*r)) && !fstat(fd, &st) &&
	       st.st_dev == slot->dev && st.st_ino == slot->ino;
}

static bool is_in(const struct vtc__vhost_slot *slot,
		  const struct vtc__vhost_memory *table, const int *fds)
{
	for (uint32_t i = 0; i < table->count; i++) {
		if (is_same(slot, &table->region[i], fds[i]))
			return true;
	}
	return false;
}

static bool is_known(const struct vtc__vhost_space *s, const struct vtc__vhost_region *r,
		     int fd)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (is_same(&s->slot[i], r, fd))
			return true;
	}
	return false;
}

int vtc__vhost_space_set(struct vtc__vhost_space *s,
			 const struct vtc__vhost_memory *table, const int *fds,
			 const char **ret_why)
{
	int err = 0;

	for (uint32_t i = s->count; i-- && !err;) {
		if (!is_in(&s->slot[i], table, fds))
			err = take_out(s, i, ret_why);
	}
	for (uint32_t i = 0; i < table->count && !err; i++) {
		if (!is_known(s, &table->region[i], fds[i]))
			err = vtc__vhost_space_add(s, &table->region[i], fds[i], ret_why);
	}
	return err;
}

/* ---- Addresses ---- */

static const struct vtc__vhost_region *find(const struct vtc__vhost_space *s,
					    uint64_t user_addr)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct vtc__vhost_region *r = &s->slot[i].region;

		if (user_addr - r->user_addr < r->size)
			return r;
	}
	return NULL;
}

/* A range may go on in the next region if that is the next in both kinds of addresses. */
int vtc__vhost_space_translate(const struct vtc__vhost_space *s, uint64_t user_addr,
			       uint64_t len, uint64_t *ret_guest_addr)
{
	uint64_t done = 0, first = 0;

	do {
		const struct vtc__vhost_region *r = find(s, user_addr + done);
		uint64_t off, guest;

		if (!r)
			return -EFAULT;
		off = user_addr + done - r->user_addr;
		guest = r->guest_addr + off;
		if (!done)
			first = guest;
		if (guest != first + done)
			return -EFAULT;
		done += r->size - off;
	} while (done < len);
	*ret_guest_addr = first;
	return 0;
}

/* ---- The dirty log ---- */

static int check_log(const struct vtc__vhost_space *s,
		     const struct vtc__vhost_mapping *log, const char **ret_why)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (!log_covers(log, &s->slot[i].region))
			return fail(-ERANGE, "the dirty log ends before the memory does",
				    ret_why);
	}
	return 0;
}

int vtc__vhost_space_use_log(struct vtc__vhost_space *s, bool on, const char **ret_why)
{
	bool logs = on && s->log.base;
	int err = logs ? check_log(s, &s->log, ret_why) : 0;

	if (!err && (logs || s->logs))
		err = need_mem(s, ret_why);
	if (err || !(logs || s->logs))
		return err;
	if (vtc_mem_set_dirty_log(s->mem, logs ? s->log.base : NULL, s->log.size))
		return fail(-ENOMEM, "memory is out", ret_why);
	s->logs = logs;
	return 0;
}

/* Vrings look at the memory map before they log anything: the old one can go. */
int vtc__vhost_space_set_log(struct vtc__vhost_space *s, int fd,
			     const struct vtc__vhost_log *log, const char **ret_why)
{
	struct vtc__vhost_mapping old = s->log, new;
	int err = vtc__vhost_map(s->ctx, fd, log->offset, log->size, s->trusted, &new,
				 ret_why);

	if (err)
		return err;
	err = check_log(s, &new, ret_why);
	if (!err) {
		s->log = new;
		err = s->logs ? vtc__vhost_space_use_log(s, true, ret_why) : 0;
	}
	if (err)
		s->log = old;
	vtc__vhost_unmap(err ? &new : &old);
	return err;
}
