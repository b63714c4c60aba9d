/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FNV-1a over words of eight bytes, low byte first, each mixed once more. */
#include "journalsum.h"

#include <stdint.h>

#define SUM_AT 32

void vtct_journal_sum(unsigned char *data, size_t len)
{
	uint64_t sum = 0xcbf29ce484222325u;
	size_t i, j;

	for (i = 0; i + 8 <= len; i += 8) {
		uint64_t word = 0;

		if (i == SUM_AT)
			continue;
		for (j = 8; j--;)
			word = word << 8 | data[i + j];
		sum = (sum ^ word) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	for (j = 0; len >= SUM_AT + 8 && j < 8; j++)
		data[SUM_AT + j] = (unsigned char)(sum >> (8 * j));
}
