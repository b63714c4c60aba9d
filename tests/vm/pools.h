/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools as the lab's tests make them: what fails ends the test with the library's words.
 */
#ifndef VTC_TESTS_POOLS_H
#define VTC_TESTS_POOLS_H

#include <stdint.h>

#include <vtc/pool.h>

#include "lab.h"

/* A context whose journals are in a folder of this program. */
struct vtc_ctx *pools_ctx(void);

/* Filters. */
struct vtc_filter pools_mac(const struct vtc_mac *mac);
struct vtc_filter pools_vlan(uint16_t vlan);
struct vtc_filter pools_both(const struct vtc_mac *mac, uint16_t vlan);

/* Request a pool; target may be NULL. */
struct vtc_pool *pools_request(struct vtc_ctx *ctx, const char *nic, const char *name,
			       enum vtc_pool_backend backend, const char *target,
			       uint32_t flags);
void pools_add(struct vtc_ctx *ctx, struct vtc_pool *pool, struct vtc_filter filter);
/* It must fail with this result, and with a text that has this part. */
void pools_refuse(struct vtc_ctx *ctx, struct vtc_pool *pool, struct vtc_filter filter,
		  int want, const char *part);
void pools_release(struct vtc_ctx *ctx, struct vtc_pool *pool);

struct vtc_pool_info pools_info(struct vtc_pool *pool);
struct vtc_pool_stats pools_stats(struct vtc_ctx *ctx, struct vtc_pool *pool);
/* How many steps it repaired. */
uint32_t pools_audit(struct vtc_ctx *ctx, struct vtc_pool *pool);

/*
 * One life of a pool, with a context: request, filters, release. It goes on past failures
 * and leaves no handle.
 */
typedef void (*pools_life)(struct vtc_ctx *ctx);

/*
 * Let the k-th change of kernel or journal fail, in a process of its own, and then let it
 * be killed there, for all k that a life has; another process recovers. Each time all
 * that state() tells must be as before.
 */
void pools_faults(const char *nic, pools_life life, const char *(*state)(void));

/* Run work in a process that kills itself when it is done. */
void pools_killed(void (*work)(void));
/* Put back what such a process left; how many steps that were. */
uint32_t pools_recover(struct vtc_ctx *ctx, const char *nic);

#endif
