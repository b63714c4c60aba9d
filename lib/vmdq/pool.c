/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools. */
#include <errno.h>
#include <stddef.h>

#include <string.h>

#include "pool.h"

int vtc_pool_request(struct vtc_ctx *ctx, const char *nic,
		     const struct vtc_pool_opts *opts, struct vtc_pool **ret_pool)
{
	(void)ctx, (void)nic, (void)opts, (void)ret_pool;
	return -EOPNOTSUPP;
}

int vtc_pool_open(struct vtc_ctx *ctx, const char *nic, const char *name,
		  struct vtc_pool **ret_pool)
{
	(void)ctx, (void)nic, (void)name, (void)ret_pool;
	return -EOPNOTSUPP;
}

void vtc_pool_close(struct vtc_pool *pool)
{
	(void)pool;
}

int vtc_pool_release(struct vtc_pool *pool)
{
	(void)pool;
	return -EOPNOTSUPP;
}

int vtc_pool_add_filter(struct vtc_pool *pool, const struct vtc_filter *filter)
{
	(void)pool, (void)filter;
	return -EOPNOTSUPP;
}

int vtc_pool_remove_filter(struct vtc_pool *pool, const struct vtc_filter *filter)
{
	(void)pool, (void)filter;
	return -EOPNOTSUPP;
}

int vtc_pool_get_filter(struct vtc_pool *pool, unsigned int index,
			struct vtc_filter *ret_filter)
{
	(void)pool, (void)index, (void)ret_filter;
	return -EOPNOTSUPP;
}

int vtc_pool_get_stats(struct vtc_pool *pool, struct vtc_pool_stats *stats)
{
	(void)pool, (void)stats;
	return -EOPNOTSUPP;
}

int vtc_pool_get_info(struct vtc_pool *pool, struct vtc_pool_info *info)
{
	(void)pool, (void)info;
	return -EOPNOTSUPP;
}

int vtc_pool_audit(struct vtc_pool *pool, struct vtc_pool_audit *audit)
{
	(void)pool, (void)audit;
	return -EOPNOTSUPP;
}

int vtc_pool_get_fd(struct vtc_pool *pool)
{
	(void)pool;
	return -EOPNOTSUPP;
}

int vtc_pool_process(struct vtc_pool *pool, struct vtc_pool_audit *audit)
{
	(void)pool, (void)audit;
	return -EOPNOTSUPP;
}

int vtc_pool_recover(struct vtc_ctx *ctx, const char *nic,
		     struct vtc_pool_recovery *recovery)
{
	(void)ctx, (void)nic, (void)recovery;
	return -EOPNOTSUPP;
}

int vtc_pool_list_new(struct vtc_ctx *ctx, const char *nic,
		      struct vtc_pool_list **ret_list)
{
	(void)ctx, (void)nic, (void)ret_list;
	return -EOPNOTSUPP;
}

void vtc_pool_list_free(struct vtc_pool_list *list)
{
	(void)list;
}

int vtc_pool_list_get(const struct vtc_pool_list *list, unsigned int index,
		      struct vtc_pool_entry *entry)
{
	(void)list, (void)index, (void)entry;
	return -EOPNOTSUPP;
}

int vtc_pool_choice_new(struct vtc_ctx *ctx, const char *nic,
			const struct vtc_pool_opts *opts,
			struct vtc_pool_choice **ret_choice)
{
	(void)ctx, (void)nic, (void)opts, (void)ret_choice;
	return -EOPNOTSUPP;
}

void vtc_pool_choice_free(struct vtc_pool_choice *choice)
{
	(void)choice;
}

enum vtc_pool_backend vtc_pool_choice_get_backend(const struct vtc_pool_choice *choice)
{
	(void)choice;
	return 0;
}

int vtc_pool_choice_get_reason(const struct vtc_pool_choice *choice,
			       enum vtc_pool_backend backend, const char **ret_text)
{
	(void)choice, (void)backend, (void)ret_text;
	return -EOPNOTSUPP;
}

const struct vtc_pool_choice *vtc_pool_get_choice(const struct vtc_pool *pool)
{
	(void)pool;
	return NULL;
}

const char *vtc_pool_backend_name(enum vtc_pool_backend backend)
{
	(void)backend;
	return NULL;
}
