/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All kinds of steps; each is defined in the file of the thing that it changes. */
#include <stddef.h>
#include <string.h>

#include "feature.h"
#include "step.h"
#include "vf-step.h"

/* Sorted by name. */
const struct vtc__step_kind *const vtc__step_kinds[] = {
	&vtc__step_feature,
	&vtc__step_vf,
	&vtc__step_vf_attr,
	&vtc__step_vf_mac,
	NULL,
};

const struct vtc__step_kind *vtc__step_kind_find(const char *name)
{
	for (const struct vtc__step_kind *const *k = vtc__step_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}
