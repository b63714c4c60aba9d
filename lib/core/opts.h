/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one rule by which options structs of other library versions are read. */
#ifndef VTC__OPTS_H
#define VTC__OPTS_H

#include <stddef.h>

/*
 * Copy the caller's options to dst, which has size bytes; what the caller's struct does
 * not have becomes zero. opts may be NULL. -EINVAL: shorter than first, the size of the
 * struct in the first release; -E2BIG: longer than ours, and not zero there.
 */
int vtc__opts_load(void *dst, size_t size, size_t first, const void *opts);

/*
 * The reverse, for a struct that the caller gets: as much of ours as it has room for,
 * zero in what it has more. Its size stays in it; the caller of this has checked it.
 */
void vtc__opts_give(void *given, const void *src, size_t size);

#endif
