/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for new VFs. The kernel creates the functions before the write returns, but
 * links, drivers and interfaces can follow later (old kernels link last, drivers take
 * seconds).
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/sysfs.h"
#include "pf.h"

#define PAUSE_MAX_MS 50u

/* The link from each side to the other is there. */
static bool is_linked(struct vtc_pf *pf, const char *vf_path)
{
	char path[VTC__PATH_MAX], name[sizeof(pf->address)];

	return vtc__path(path, sizeof(path), "%s/physfn", vf_path) == 0 &&
	       vtc__sysfs_link_name(pf->ctx, path, name, sizeof(name)) == 0 &&
	       strcmp(name, pf->address) == 0;
}

static bool has_driver(struct vtc_pf *pf, const char *vf_path)
{
	char path[VTC__PATH_MAX], name[64];

	return vtc__path(path, sizeof(path), "%s/driver", vf_path) == 0 &&
	       vtc__sysfs_link_name(pf->ctx, path, name, sizeof(name)) == 0;
}

static bool has_come(struct vtc_pf *pf, uint32_t vf, uint32_t level)
{
	struct vtc__pf_netdev netdev;
	char path[VTC__PATH_MAX];

	if (vtc__path(path, sizeof(path), "%s/virtfn%u", pf->path, vf) ||
	    !is_linked(pf, path))
		return false;
	if (level != VTC_PF_WAIT_LINKED && !has_driver(pf, path))
		return false;
	return level != VTC_PF_WAIT_NETDEV ||
	       vtc__pf_find_netdev(pf->ctx, path, &netdev) == 0;
}

int vtc__pf_wait(struct vtc_pf *pf, uint32_t count, uint32_t level, uint64_t deadline_ns,
		 uint32_t *ret_vf)
{
	unsigned int pause_ms = 1;
	uint32_t vf = 0;

	if (level == VTC_PF_WAIT_NONE || !vtc__pf_is_pci(pf))
		return 0;
	for (;;) {
		while (vf < count && has_come(pf, vf, level))
			vf++;
		if (vf == count)
			return 0;
		if (!vtc__sysfs_exists(pf->ctx, pf->path))
			return -ENODEV;
		if (vtc__now_ns(pf->ctx) >= deadline_ns) {
			*ret_vf = vf;
			return -ETIMEDOUT;
		}
		vtc__sleep_ms(pf->ctx, pause_ms);
		if (pause_ms < PAUSE_MAX_MS)
			pause_ms *= 2;
	}
}
