/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the kernel's answer to the question for the VFs of a PF. */
#include <linux/rtnetlink.h>
#include <vtc/vf.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct vtct_kernel *k = vtct_fuzz_kernel();
	static struct vtc_ctx *ctx;
	static struct vtc_pf *pf;
	struct vtc_vf_list *list;
	struct vtct_script *s;

	if (!ctx)
		ctx = vtct_kernel_ctx(k);
	if (!pf && vtc_pf_open(ctx, "0000:01:00.0", &pf))
		return 0;
	s = vtct_script(k, RTM_GETLINK, 0);
	vtct_script_data(s, data, len, true);
	vtct_script_ack(s, 0, NULL);
	opts.flags = VTC_VF_LIST_F_STATS;
	if (vtc_vf_list_new(pf, &opts, &list) == 0) {
		vtct_walk_vfs(list);
		vtc_vf_list_free(list);
	}
	return 0;
}
