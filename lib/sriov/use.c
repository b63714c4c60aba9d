/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which VFs somebody would miss. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/sysfs.h"
#include "nic/use.h"
#include "pf.h"

#define NAMED_MAX 4 /* so that the message stays one that people read */

static const char *reason(enum vtc_nic_use use)
{
	switch (use) {
	case VTC_NIC_USE_FREE:
	case VTC_NIC_USE_NO_DRIVER:
		return NULL;
	case VTC_NIC_USE_HIDDEN:
		return "its interface is in another network namespace";
	case VTC_NIC_USE_PASSED:
		return "passed through by";
	case VTC_NIC_USE_OTHER:
		return "without interface, driven by";
	case VTC_NIC_USE_BUSY:
	default:
		return "its interface is up or in a bridge or bond";
	}
}

static void append(char *text, size_t len, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, len - used, "%s", more);
}

static void describe(struct vtc_pf *pf, uint32_t vf, enum vtc_nic_use use, char *text,
		     size_t len)
{
	char path[VTC__PATH_MAX], driver[64] = "", line[160];
	int with_driver = use == VTC_NIC_USE_PASSED || use == VTC_NIC_USE_OTHER;

	if (with_driver &&
	    vtc__path(path, sizeof(path), "%s/virtfn%u/driver", pf->path, vf) == 0)
		(void)vtc__sysfs_link_name(pf->ctx, path, driver, sizeof(driver));
	snprintf(line, sizeof(line), "%svf %u (%s%s%s)", text[0] ? ", " : "", vf,
		 reason(use), with_driver ? " " : "", driver);
	append(text, len, line);
}

int vtc__pf_vfs_in_use(struct vtc_pf *pf, uint32_t count, char *text, size_t len)
{
	char path[VTC__PATH_MAX], more[32];
	int found = 0;

	text[0] = '\0';
	for (uint32_t vf = 0; vf < count; vf++) {
		enum vtc_nic_use use = VTC_NIC_USE_BUSY;

		int err = vtc__path(path, sizeof(path), "%s/virtfn%u", pf->path, vf);

		if (!err)
			err = vtc__nic_use(pf->ctx, path, &use);
		if (err == -ENOMEM)
			return err;
		/* What is gone, or no device at all (netdevsim), nobody uses. */
		if (err == -ENODEV || !reason(use))
			continue;
		if (found++ < NAMED_MAX)
			describe(pf, vf, use, text, len);
	}
	if (found > NAMED_MAX) {
		snprintf(more, sizeof(more), ", and %d more", found - NAMED_MAX);
		append(text, len, more);
	}
	return found;
}
