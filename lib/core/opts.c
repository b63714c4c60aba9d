/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options structs: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int vtc__opts_load(void *dst, size_t size, size_t first, const void *opts)
{
	const unsigned char *bytes = opts;
	uint32_t given;

	memset(dst, 0, size);
	if (!opts)
		return 0;

	memcpy(&given, opts, sizeof(given));
	if (given < first)
		return -EINVAL;
	for (size_t i = size; i < given; i++) {
		if (bytes[i])
			return -E2BIG;
	}
	memcpy(dst, opts, given < size ? given : size);
	return 0;
}

void vtc__opts_give(void *given, const void *src, size_t size)
{
	uint32_t room;

	memcpy(&room, given, sizeof(room));
	memset(given, 0, room);
	memcpy(given, src, room < size ? room : size);
	memcpy(given, &room, sizeof(room));
}
