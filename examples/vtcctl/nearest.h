/* SPDX-License-Identifier: MIT */
/* "Did you mean": the known word that is nearest to a mistyped one. */
#ifndef VTCCTL_NEAREST_H
#define VTCCTL_NEAREST_H

struct nearest {
	const char *typed;
	const char *best; /* NULL: nothing is near */
	unsigned int distance;
};

void nearest_begin(struct nearest *nearest, const char *typed);
void nearest_offer(struct nearest *nearest, const char *known);

#endif
