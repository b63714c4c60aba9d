/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * That a VF belongs to a pool, and what had been counted by then. The claim changes
 * nothing: it is the record in the journal that keeps other pools away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"
#include "vf-step.h"

const struct vtc__record *vtc__vf_find_claim(struct vtc__txn *txn, uint32_t vf)
{
	const struct vtc__record *record = NULL;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		const struct vtc__vf_claim *claim = record->data;

		if (strcmp(record->kind, vtc__step_vf.name) == 0 &&
		    record->len >= sizeof(*claim) && claim->vf == vf)
			return record;
	}
	return NULL;
}

void vtc__vf_count(struct vtc_pf *pf, uint32_t vf, struct vtc__vf_counters *ret)
{
	struct vtc_vf_list *list;
	const struct vtc_vf_stats *stats;

	memset(ret, 0, sizeof(*ret));
	if (vtc__vf_snapshot(pf, true, &list))
		return;
	if (vf < list->count && list->vfs[vf].has_stats) {
		stats = &list->vfs[vf].stats;
		*ret = (struct vtc__vf_counters){ {
			stats->rx_packets,
			stats->rx_bytes,
			stats->rx_dropped,
			stats->tx_packets,
			stats->tx_bytes,
			stats->tx_dropped,
		} };
	}
	free(list);
}

void vtc__vf_count_netdev(struct vtc_pf *pf, uint32_t vf,
			  const struct vtc__pf_netdev *netdev,
			  struct vtc__vf_counters *ret)
{
	static const char *const files[VTC__VF_COUNTERS] = { "rx_packets", "rx_bytes",
							     "rx_dropped", "tx_packets",
							     "tx_bytes",   "tx_dropped" };
	char path[VTC__PATH_MAX];

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < VTC__VF_COUNTERS; i++) {
		if (vtc__path(path, sizeof(path), "%s/virtfn%u/net/%s/statistics/%s",
			      pf->path, vf, netdev->name, files[i]) == 0)
			(void)vtc__sysfs_read_u64(pf->ctx, path, UINT64_MAX,
						  &ret->value[i]);
	}
}

static int is_there(struct vtc__txn *txn, uint32_t vf)
{
	struct vtc_pf *pf;
	uint32_t count = 0;
	int err = vtc__vf_open_pf(txn, &pf);

	if (err)
		return err;
	err = vtc_pf_get_num_vfs(pf, &count);
	vtc_pf_close(pf);
	return err ? err : vf < count;
}

/* There is nothing to do, and a VF that was destroyed cannot be done again. */
static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	const struct vtc__vf_claim *claim = data;
	int there = len < sizeof(*claim) ? -EBADMSG : is_there(txn, claim->vf);

	(void)changed;
	if (there)
		return there < 0 ? there : 0;
	vtc__err(txn->ctx, -ENODEV, VTC_ERROR_ORIGIN_DEVICE, txn->operation, "%s vf %u",
		 txn->uplink.name, claim->vf);
	vtc__err_message(txn->ctx, "the VF is gone");
	vtc__err_hint(txn->ctx,
		      "release the pool, create VFs again, and request it anew");
	return -ENODEV;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	const struct vtc__vf_claim *claim = data;
	int there = len < sizeof(*claim) ? -EBADMSG : is_there(txn, claim->vf);

	if (!there)
		snprintf(text, text_len, "VF %u is gone", claim->vf);
	return there;
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	(void)txn, (void)data, (void)len;
	return 0;
}

const struct vtc__step_kind vtc__step_vf = {
	.name = "vf",
	.apply = apply,
	.check = check,
	.undo = undo,
};
