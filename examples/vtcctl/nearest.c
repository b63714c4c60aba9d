/* SPDX-License-Identifier: MIT */
/*
 * Edit distance between two words: letters added, dropped, changed, or swapped with the
 * next.
 */
#include "nearest.h"

#include <string.h>

#define WORD_MAX 24

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Damerau's distance; both words are shorter than WORD_MAX. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t i = 0; i <= a_len; i++) {
		for (size_t j = 0; j <= b_len; j++) {
			if (i == 0 || j == 0) {
				row[i][j] = (unsigned int)(i + j);
				continue;
			}
			row[i][j] = least(row[i - 1][j], row[i][j - 1]) + 1;
			row[i][j] = least(row[i][j],
					  row[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
		}
	}
	return row[a_len][b_len];
}

void nearest_begin(struct nearest *nearest, const char *typed)
{
	nearest->typed = typed;
	nearest->best = NULL;
	/* A third of a word may be wrong; more, and the suggestion would be a guess. */
	nearest->distance = (unsigned int)strnlen(typed, WORD_MAX) / 3 + 2;
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	unsigned int d;

	if (strlen(known) >= WORD_MAX || strlen(nearest->typed) >= WORD_MAX)
		return;
	d = distance(nearest->typed, known);
	if (d >= nearest->distance)
		return;
	nearest->best = known;
	nearest->distance = d;
}
