/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring with both of its sides, as the benchmark drives it: the library's or a
 * peer's. Each step does up to so many packets and returns how many. The driver's
 * steps and the device's may be on two threads.
 */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTENDER_BURST_MAX 256

/* Memory of a packet; the next one begins here. */
#define CONTENDER_STRIDE 2048

struct contender_plan {
	bool packed;
	bool touch; /* the device reads every byte */
	bool huge;  /* the memory is in huge pages */
	uint32_t size;
	uint32_t bytes;	  /* of a packet */
	uint32_t buffers; /* different ones */
	uint32_t regions; /* that they are in */
};

struct contender {
	unsigned int (*give)(struct contender *c, unsigned int max);  /* driver */
	unsigned int (*serve)(struct contender *c, unsigned int max); /* device */
	unsigned int (*take)(struct contender *c, unsigned int max);  /* driver */
	void (*free)(struct contender *c);
	struct contender_plan plan;
};

/* NULL: huge pages cannot be had. */
struct contender *contender_vtc(const struct contender_plan *plan);

/*
 * Rings of other shapes in plain shared memory, that trust each other: a split ring
 * that publishes and polls one element at a time, and a ring of descriptors with a
 * flag that says whose each is.
 */
struct contender *contender_peer(const struct contender_plan *plan);

/* Pages of zeros, or NULL; and back. */
void *contender_pages(size_t len, bool huge);
void contender_unmap(void *pages, size_t len);

/* The order in which the buffers are used: scattered, and the same in every run. */
uint32_t contender_scatter(uint32_t i, uint32_t count);

/* A value that was read is of use to somebody, says this to the compiler. */
static inline void contender_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

/* Reads all of a packet. */
static inline void contender_touch(const void *packet, uint32_t bytes)
{
	const uint64_t *words = packet;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bytes / sizeof(*words); i++)
		sum += words[i];
	contender_use(sum);
}

#endif
