/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a journal's file, as they are and with length and checksum put right: what
 * is taken is written again as the same bytes, and /proc/PID/stat is looked at, too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/journal-file.h"
#include "fuzz.h"
#include "journalsum.h"

static void take(const void *data, size_t len)
{
	struct vtc__journal_file file;
	const char *why;
	size_t again_len;
	void *again;

	if (vtc__journal_file_parse(data, len, &file, &why) == 0) {
		if (vtc__journal_file_format(&file, &again, &again_len))
			abort();
		if (again_len != len || memcmp(again, data, len) != 0)
			abort();
		free(again);
	}
	vtc__journal_file_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtc__process process;
	unsigned char *copy;
	size_t i;

	take(data, len);
	(void)vtc__process_parse((const char *)data, len, &process);
	if (len < 40)
		return 0;
	copy = malloc(len);
	if (!copy)
		return 0;
	memcpy(copy, data, len);
	memcpy(copy, "vtcjrnl", 8);
	for (i = 0; i < 8; i++)
		copy[16 + i] = (unsigned char)((uint64_t)len >> (8 * i));
	vtct_journal_sum(copy, len);
	take(copy, len);
	free(copy);
	return 0;
}
