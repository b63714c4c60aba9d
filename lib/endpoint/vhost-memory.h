/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a frontend shares: its memory, under guest addresses and under addresses of its
 * own, and the record of the pages that were written.
 *
 * Each function that can fail says why in ret_why, a constant text.
 */
#ifndef VTC__VHOST_MEMORY_H
#define VTC__VHOST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vtc/mem.h>

#include "vhost-message.h"

/* A file, or a part of it, that is mapped; base is NULL if none is. */
struct vtc__vhost_mapping {
	struct vtc_mem *mem;
	uint8_t *base;
	uint64_t size;
};

/* A region, and the file that it is in. */
struct vtc__vhost_slot {
	struct vtc__vhost_region region;
	dev_t dev;
	ino_t ino;
};

struct vtc__vhost_space {
	struct vtc_ctx *ctx;
	struct vtc_mem *mem; /* NULL before the first region */
	bool trusted;
	bool logs; /* the log is in use */
	uint32_t count;
	struct vtc__vhost_slot slot[VTC_MEM_REGIONS_MAX];
	struct vtc__vhost_mapping log;
};

int vtc__vhost_map(struct vtc_ctx *ctx, int fd, uint64_t offset, uint64_t size,
		   bool trusted, struct vtc__vhost_mapping *ret_mapping,
		   const char **ret_why);
void vtc__vhost_unmap(struct vtc__vhost_mapping *mapping);

/* Forget all. Vrings on the memory have been freed. */
void vtc__vhost_space_clear(struct vtc__vhost_space *s);

/*
 * Vrings on the memory are idle, and follow at their next call. Replacing all regions
 * leaves those alone that stay the same.
 */
int vtc__vhost_space_set(struct vtc__vhost_space *s,
			 const struct vtc__vhost_memory *table, const int *fds,
			 const char **ret_why);
int vtc__vhost_space_add(struct vtc__vhost_space *s, const struct vtc__vhost_region *r,
			 int fd, const char **ret_why);
int vtc__vhost_space_remove(struct vtc__vhost_space *s, const struct vtc__vhost_region *r,
			    const char **ret_why);

/* The guest address of a range of the frontend's own addresses: 0, or -EFAULT. */
int vtc__vhost_space_translate(const struct vtc__vhost_space *s, uint64_t user_addr,
			       uint64_t len, uint64_t *ret_guest_addr);

/* Replace the log; and begin or end to use it, if there is one. */
int vtc__vhost_space_set_log(struct vtc__vhost_space *s, int fd,
			     const struct vtc__vhost_log *log, const char **ret_why);
int vtc__vhost_space_use_log(struct vtc__vhost_space *s, bool on, const char **ret_why);

#endif
