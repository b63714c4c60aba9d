/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal on the disk. */
#include "journal.h"

#include <errno.h>

int vtc__journal_open(struct vtc_ctx *ctx, const char *name, uint64_t deadline_ns,
		      struct vtc__journal **ret_journal)
{
	(void)ctx, (void)name, (void)deadline_ns, (void)ret_journal;
	return -EOPNOTSUPP;
}

void vtc__journal_close(struct vtc__journal *journal)
{
	(void)journal;
}

int vtc__journal_list(struct vtc_ctx *ctx, const char *prefix, vtc__name_fn fn, void *arg)
{
	(void)ctx, (void)prefix, (void)fn, (void)arg;
	return -EOPNOTSUPP;
}

int vtc__journal_add(struct vtc__journal *journal, const char *group, const char *kind,
		     uint32_t tag, const void *data, size_t len, uint64_t *ret_id)
{
	(void)journal, (void)group, (void)kind, (void)tag, (void)data, (void)len;
	(void)ret_id;
	return -EOPNOTSUPP;
}

int vtc__journal_update(struct vtc__journal *journal, uint64_t id, const void *data,
			size_t len)
{
	(void)journal, (void)id, (void)data, (void)len;
	return -EOPNOTSUPP;
}

int vtc__journal_remove(struct vtc__journal *journal, uint64_t id)
{
	(void)journal, (void)id;
	return -EOPNOTSUPP;
}

int vtc__journal_own(struct vtc__journal *journal, const char *group, bool keep)
{
	(void)journal, (void)group, (void)keep;
	return -EOPNOTSUPP;
}

const struct vtc__record *vtc__journal_foreach_next(const struct vtc__journal *journal,
						    const struct vtc__record *prev)
{
	(void)journal, (void)prev;
	return NULL;
}

const struct vtc__record *vtc__journal_find(const struct vtc__journal *journal,
					    uint64_t id)
{
	(void)journal, (void)id;
	return NULL;
}

const struct vtc__record *vtc__journal_find_next(const struct vtc__journal *journal,
						 uint64_t id)
{
	(void)journal, (void)id;
	return NULL;
}

const struct vtc__record *vtc__journal_find_last(const struct vtc__journal *journal,
						 uint64_t id)
{
	(void)journal, (void)id;
	return NULL;
}

bool vtc__record_alive(const struct vtc__journal *journal,
		       const struct vtc__record *record)
{
	(void)journal, (void)record;
	return false;
}

bool vtc__record_mine(const struct vtc__journal *journal,
		      const struct vtc__record *record)
{
	(void)journal, (void)record;
	return false;
}

int vtc__journal_undo(struct vtc__journal *journal, const struct vtc__undo *const *kinds,
		      void *env,
		      bool (*wanted)(void *arg, const struct vtc__record *record),
		      void *arg, struct vtc__undone *undone)
{
	(void)journal, (void)kinds, (void)env, (void)wanted, (void)arg, (void)undone;
	return -EOPNOTSUPP;
}
