/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address that a VF's own interface uses. It is found by the VF each time, never by
 * its index alone: it may have gone to a virtual machine or another network namespace
 * meanwhile, where it is nothing of ours.
 *
 * Drivers of VFs tell the PF the address that they use, and the PF reports that as if it
 * had been given by the administrator. So what the PF told before is put back, too.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/netlink.h"
#include "core/sysfs.h"
#include "vf-step.h"

int vtc__vf_netdev(struct vtc_pf *pf, uint32_t vf, struct vtc__pf_netdev *ret,
		   struct vtc_mac *ret_mac)
{
	char path[VTC__PATH_MAX], file[VTC__PATH_MAX], text[VTC_MAC_TEXT_LEN + 2];
	int err = vtc__path(path, sizeof(path), "%s/virtfn%u", pf->path, vf);

	if (!err)
		err = vtc__pf_find_netdev(pf->ctx, path, ret);
	if (!err)
		err = vtc__path(file, sizeof(file), "%s/net/%s/address", path, ret->name);
	if (!err && vtc__sysfs_read(pf->ctx, file, text, sizeof(text)) < 0)
		err = -ENODEV;
	return err ? err : vtc_mac_parse(text, ret_mac) ? -ENODEV : 0;
}

static int put_address(struct vtc_ctx *ctx, struct vtc__nl *nl, uint32_t ifindex,
		       const struct vtc_mac *mac)
{
	struct ifinfomsg ifi = { .ifi_index = (int)ifindex };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_SETLINK, 0, 128);
	int err = msg ? vtc__nlmsg_append(msg, &ifi, sizeof(ifi)) : -ENOMEM;

	if (!err)
		err = vtc__nlmsg_put(msg, IFLA_ADDRESS, mac->addr, sizeof(mac->addr));
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, NULL, NULL);
	if (msg)
		vtc__nlmsg_free(msg);
	return err;
}

static int set_address(struct vtc__txn *txn, const struct vtc__pf_netdev *netdev,
		       const struct vtc_mac *mac)
{
	struct vtc__nl *nl = NULL;
	int err = vtc__nl_rt(txn->ctx, &nl);

	if (!err)
		err = put_address(txn->ctx, nl, netdev->ifindex, mac);
	if (!err)
		return 0;
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_NETLINK, "set address of VF's interface",
		 "%s", netdev->name);
	vtc__err_message(txn->ctx, "%s", nl ? vtc__nl_message(nl) : "");
	return err;
}

struct found {
	struct vtc__pf_netdev netdev;
	struct vtc_mac mac;
};

/* The interface that the step is about; -ENODEV: it is not here any more. */
static int find(struct vtc__txn *txn, const struct vtc__vf_mac_step *step,
		struct found *ret)
{
	struct vtc_pf *pf;
	int err = vtc__vf_open_pf(txn, &pf);

	if (err)
		return err == -EOPNOTSUPP ? -ENODEV : err;
	err = vtc__vf_netdev(pf, step->vf, &ret->netdev, &ret->mac);
	if (!err && ret->netdev.ifindex != step->netdev)
		err = -ENODEV;
	vtc_pf_close(pf);
	return err;
}

static bool same(const struct vtc_mac *a, const struct vtc_mac *b)
{
	return memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	const struct vtc__vf_mac_step *step = data;
	struct found found;
	int err;

	(void)changed;
	if (len < sizeof(*step))
		return -EBADMSG;
	err = find(txn, step, &found);
	if (err)
		return err == -ENODEV ? 0 : err;
	return same(&found.mac, &step->set) ? 0
					    : set_address(txn, &found.netdev, &step->set);
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	const struct vtc__vf_mac_step *step = data;
	struct found found;
	int err;

	if (len < sizeof(*step))
		return -EBADMSG;
	err = find(txn, step, &found);
	if (err)
		return err == -ENODEV ? 1 : err;
	if (same(&found.mac, &step->set))
		return 1;
	snprintf(text, text_len, "%s has another address", found.netdev.name);
	return 0;
}

/* What the PF tells; if it tells nothing, what it is expected to. */
static int read_at_pf(struct vtc_pf *pf, uint32_t vf, uint64_t expected, uint64_t *ret)
{
	struct vtc_vf_list *list;
	int err = vtc__vf_snapshot(pf, false, &list);

	if (err)
		return err;
	*ret = expected;
	if (vf < list->count && list->vfs[vf].was_reported)
		*ret = list->vfs[vf].value[VTC_VF_ATTR_MAC];
	free(list);
	return 0;
}

/* The VF's driver has told the PF of the old address just now, or before a crash. */
static int restore_at_pf(struct vtc_pf *pf, const struct vtc__vf_mac_step *step)
{
	uint64_t own = vtc__vf_pack_mac(step->before.addr), is = 0;
	int err = read_at_pf(pf, step->vf, step->at_pf, &is);

	if (err || is != own || is == step->at_pf)
		return err;
	return vtc__vf_send_mac(pf, step->vf, step->at_pf);
}

static int undo_own(struct vtc__txn *txn, struct vtc_pf *pf,
		    const struct vtc__vf_mac_step *step)
{
	struct found found;
	uint64_t is = 0;
	int err = find(txn, step, &found);

	if (!err)
		err = read_at_pf(pf, step->vf, step->at_pf, &is);
	if (!err)
		err = vtc__vf_wait_for_mac(txn, step->vf, is);
	if (err)
		return err;
	if (same(&found.mac, &step->set))
		err = set_address(txn, &found.netdev, &step->before);
	else if (!same(&found.mac, &step->before))
		return 0;
	return err ? err : restore_at_pf(pf, step);
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc_pf *pf;
	int err;

	if (len < sizeof(struct vtc__vf_mac_step))
		return -EBADMSG;
	err = vtc__vf_open_pf(txn, &pf);
	if (!err) {
		err = undo_own(txn, pf, data);
		vtc_pf_close(pf);
	}
	return err == -ENODEV || err == -EOPNOTSUPP ? 0 : err;
}

const struct vtc__step_kind vtc__step_vf_mac = {
	.name = "vf-mac",
	.apply = apply,
	.check = check,
	.undo = undo,
};
