/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend vf: a virtual function is a pool of the hardware, with an address, a VLAN
 * and queues of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/sysfs.h"
#include "nic/use.h"
#include "pool.h"
#include "vf-step.h"

/* ---- Which VF ---- */

/* VFs that are no functions of a bus have no users that could be seen (netdevsim). */
static bool is_unused(struct vtc_pf *pf, uint32_t vf)
{
	enum vtc_nic_use use = VTC_NIC_USE_BUSY;
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "%s/virtfn%u", pf->path, vf);

	if (!err)
		err = vtc__nic_use(pf->ctx, path, &use);
	if (err)
		return err == -ENODEV && !vtc__pf_is_pci(pf);
	return use == VTC_NIC_USE_FREE || use == VTC_NIC_USE_NO_DRIVER;
}

struct vfs {
	uint32_t count, claimed;
	uint32_t free; /* the first that is; count: none */
};

static int look_at_vfs(struct vtc__txn *txn, struct vtc_pf *pf, struct vfs *ret)
{
	int err = vtc_pf_get_num_vfs(pf, &ret->count);

	if (err)
		return err;
	ret->free = ret->count;
	ret->claimed = 0;
	for (uint32_t vf = 0; vf < ret->count; vf++) {
		if (vtc__vf_find_claim(txn, vf))
			ret->claimed++;
		else if (ret->free == ret->count && is_unused(pf, vf))
			ret->free = vf;
	}
	return 0;
}

static int why_none(struct vtc__txn *txn, struct vtc_pf *pf, const struct vfs *vfs,
		    char *why, size_t len)
{
	char text[256] = "";
	int used;

	if (!vfs->count) {
		snprintf(why, len,
			 "the card has no VFs now; make some: vtcctl vf create %s N",
			 txn->uplink.name);
		return -EOPNOTSUPP;
	}
	used = vtc__pf_vfs_in_use(pf, vfs->count, text, sizeof(text));
	snprintf(why, len, "none of the %u VFs is free: pools have %u%s%s", vfs->count,
		 vfs->claimed, used > 0 ? "; in use: " : "", text);
	return -ENOSPC;
}

/* 0 and the VF, or why there is none. */
static int pick_vf(struct vtc__txn *txn, struct vtc_pf *pf, uint32_t *ret_vf, char *why,
		   size_t len)
{
	struct vfs vfs;
	int err = look_at_vfs(txn, pf, &vfs);

	if (err) {
		snprintf(why, len, "the card does not tell how many VFs it has");
		return err;
	}
	if (vfs.free == vfs.count)
		return why_none(txn, pf, &vfs, why, len);
	*ret_vf = vfs.free;
	return 0;
}

/* ---- Probe ---- */

static const char *cannot(const struct vtc_pool_opts *opts)
{
	if (opts->flags & VTC_POOL_F_EVERYTHING)
		return "a VF gets what is for its address only; the rest goes to the PF";
	if (opts->target && opts->target[0])
		return "frames come out at the VF's interface, not at a target";
	if (opts->queues > 1)
		return "a VF has as many queues as its own driver gives it";
	return NULL;
}

static int probe_pf(struct vtc__txn *txn, struct vtc_pf *pf, char *why, size_t len)
{
	struct vtc__pf_netdev netdev;
	struct vtc_mac mac;
	uint32_t vf = 0;
	int err = pick_vf(txn, pf, &vf, why, len);

	if (err)
		return err;
	if (vtc__vf_netdev(pf, vf, &netdev, &mac) == 0)
		snprintf(why, len, "VF %u with its interface %s", vf, netdev.name);
	else
		snprintf(why, len, "VF %u, which has no interface here", vf);
	return 0;
}

static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	const char *reason = cannot(opts);
	struct vtc_pf *pf;
	int err;

	if (vtc__vf_open_pf(txn, &pf)) {
		snprintf(why, len, "the card is no physical function with SR-IOV");
		return -EOPNOTSUPP;
	}
	err = reason ? -EOPNOTSUPP : probe_pf(txn, pf, why, len);
	if (reason)
		snprintf(why, len, "%s", reason);
	vtc_pf_close(pf);
	return err;
}

/* ---- Request ---- */

static int claim(struct vtc__txn *txn, struct vtc_pool *pool, struct vtc_pf *pf,
		 uint32_t vf)
{
	struct vtc__vf_claim data = { .vf = vf };
	struct vtc__pf_netdev netdev;
	struct vtc_mac mac;

	if (txn->uplink.quirks.vf_stats)
		vtc__vf_count(pf, vf, &data.pf_base);
	if (vtc__vf_netdev(pf, vf, &netdev, &mac) == 0) {
		data.netdev = netdev.ifindex;
		vtc__vf_count_netdev(pf, vf, &netdev, &data.netdev_base);
	}
	pool->data.vf = vf + 1;
	pool->data.netdev = data.netdev;
	return vtc__step_do(txn, pool->name, &vtc__step_vf, 0, &data, sizeof(data), NULL);
}

static int no_vf_err(struct vtc__txn *txn, int code, uint32_t vf)
{
	vtc__err(txn->ctx, code, VTC_ERROR_ORIGIN_DEVICE, txn->operation, "%s vf %u",
		 txn->uplink.name, vf);
	vtc__err_message(txn->ctx, "the card's driver does not tell of the VF");
	return code;
}

/* Strict about what leaves it, as far as the driver knows such things. */
static int guard_vf(struct vtc__txn *txn, struct vtc_pool *pool, struct vtc_pf *pf,
		    uint32_t vf)
{
	static const struct {
		enum vtc_vf_attr attr;
		uint64_t value;
	} wanted[] = { { VTC_VF_ATTR_SPOOF_CHECK, 1 }, { VTC_VF_ATTR_TRUST, 0 } };
	struct vtc__vf_attrs attrs = { .vf = vf };
	struct vtc_vf_list *list;
	int err = vtc__vf_snapshot(pf, false, &list);

	if (err)
		return err;
	if (vf >= list->count || !list->vfs[vf].was_reported)
		err = no_vf_err(txn, -ENODATA, vf);
	for (size_t i = 0; !err && i < sizeof(wanted) / sizeof(*wanted); i++)
		if (list->vfs[vf].known & vtc__vf_bit(wanted[i].attr))
			vtc__vf_attrs_ask(&attrs, &list->vfs[vf], wanted[i].attr,
					  wanted[i].value);
	free(list);
	return err ? err
		   : vtc__step_do(txn, pool->name, &vtc__step_vf_attr, 0, &attrs,
				  sizeof(attrs), NULL);
}

static int request(struct vtc__txn *txn, struct vtc_pool *pool)
{
	char why[320];
	struct vtc_pf *pf;
	uint32_t vf = 0;
	int err = vtc__vf_open_pf(txn, &pf);

	if (err)
		return err;
	err = pick_vf(txn, pf, &vf, why, sizeof(why));
	if (err) {
		vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_DEVICE, txn->operation, "%s",
			 txn->uplink.name);
		vtc__err_message(txn->ctx, "%s", why);
	} else {
		err = claim(txn, pool, pf, vf);
	}
	if (!err)
		err = guard_vf(txn, pool, pf, vf);
	vtc_pf_close(pf);
	return err;
}

/* ---- Filters ---- */

static int refuse(struct vtc__txn *txn, struct vtc_pool *pool, const char *why,
		  const char *hint)
{
	vtc__err(txn->ctx, -EOPNOTSUPP, VTC_ERROR_ORIGIN_LIBRARY, txn->operation,
		 "%s pool %s", txn->uplink.name, pool->name);
	vtc__err_message(txn->ctx, "%s", why);
	vtc__err_hint(txn->ctx, "%s", hint);
	return -EOPNOTSUPP;
}

static bool has_filter(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__record *record = NULL;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_vf_attr.name, id))) {
		if (record->tag && record->tag != VTC__TAG_RATE)
			return true;
		id = record->id;
	}
	return false;
}

static int check_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			const struct vtc_filter *filter)
{
	static const char *const other = "a pool of the backend xdp can";

	if (!(filter->match & VTC_FILTER_MAC))
		return refuse(txn, pool,
			      "a VF is found by its address: VLAN alone is "
			      "no filter for it",
			      other);
	if (filter->match & VTC_FILTER_VLAN && !filter->vlan)
		return refuse(txn, pool,
			      "a VF without a port VLAN can join VLANs: it "
			      "cannot be held to frames without tag",
			      "leave the VLAN out of the filter");
	if (has_filter(txn, pool))
		return refuse(txn, pool, "a VF has one address, and this one has it",
			      "remove the filter that there is, or request another "
			      "pool");
	return 0;
}

struct target {
	struct vtc__txn *txn;
	struct vtc_pool *pool;
	struct vtc_pf *pf;
	const struct vtc_filter *filter;
	uint32_t vf, tag;
	bool own_was_set; /* the address of the VF's own interface, by us */
};

static int do_attrs(const struct target *t, const struct vtc__vf_attrs *attrs,
		    uint64_t *ret_id)
{
	return vtc__step_do(t->txn, t->pool->name, &vtc__step_vf_attr, t->tag, attrs,
			    sizeof(*attrs), ret_id);
}

/* What the PF tells of the VF now. */
static int read_vf(const struct target *t, struct vtc_vf *ret)
{
	struct vtc_vf_list *list;
	int err = vtc__vf_snapshot(t->pf, false, &list);

	if (err)
		return err;
	if (t->vf < list->count && list->vfs[t->vf].was_reported)
		*ret = list->vfs[t->vf];
	else
		err = no_vf_err(t->txn, -ENODATA, t->vf);
	free(list);
	return err;
}

static int do_own_address(struct target *t, struct vtc__vf_mac_step *step)
{
	struct vtc_vf now;
	int err = read_vf(t, &now);

	if (err)
		return err;
	step->at_pf = now.value[VTC_VF_ATTR_MAC];
	err = vtc__step_do(t->txn, t->pool->name, &vtc__step_vf_mac, t->tag, step,
			   sizeof(*step), NULL);
	t->own_was_set = !err;
	return err;
}

/*
 * A VF whose address the PF has fixed may not change its own: take the address away
 * first. So the records tell, when all is undone, whether it had been fixed.
 */
static int retry_own_address(struct target *t, struct vtc__vf_mac_step *step)
{
	struct vtc__vf_attrs attrs = {
		.vf = t->vf,
		.passing = 1,
	};
	struct vtc_vf now;
	uint64_t id = 0;
	int err = read_vf(t, &now);

	if (err)
		return err;
	vtc__vf_attrs_ask(&attrs, &now, VTC_VF_ATTR_MAC, 0);
	err = do_attrs(t, &attrs, &id);
	if (err)
		return err;
	if (do_own_address(t, step) == 0)
		return 0;
	vtc__log(t->txn->ctx, VTC_LOG_WARNING,
		 "%s vf %u: its interface keeps its own address until its driver starts "
		 "anew",
		 t->txn->uplink.name, t->vf);
	return vtc__step_undo(t->txn, id);
}

/*
 * Before the PF fixes the address: the driver of the VF is told no, afterwards. One that
 * does not take it now takes it when it starts.
 */
static int set_own_address(struct target *t)
{
	struct vtc__vf_mac_step step = { .vf = t->vf, .set = t->filter->mac };
	struct vtc__pf_netdev netdev;

	if (vtc__vf_netdev(t->pf, t->vf, &netdev, &step.before) ||
	    memcmp(&step.before, &step.set, sizeof(step.set)) == 0)
		return 0;
	step.netdev = netdev.ifindex;
	return do_own_address(t, &step) ? retry_own_address(t, &step) : 0;
}

/*
 * Drivers tell the address that the VF chose for itself, if the PF gave none. What the VF
 * chose because we made it do so is none that was there before.
 */
static int set_at_pf(struct target *t)
{
	uint64_t mac = vtc__vf_pack_mac(t->filter->mac.addr), vlan = 0;
	struct vtc__vf_attrs attrs = { .vf = t->vf };
	struct vtc_vf now;
	int err = read_vf(t, &now);

	if (err)
		return err;
	vtc__vf_attrs_ask(&attrs, &now, VTC_VF_ATTR_MAC, mac);
	if (t->own_was_set && attrs.before[VTC_VF_ATTR_MAC] == mac)
		attrs.before[VTC_VF_ATTR_MAC] = 0;
	if (t->filter->match & VTC_FILTER_VLAN)
		vlan = vtc__vf_pack_vlan(t->filter->vlan, 0, 0);
	if (vlan || now.value[VTC_VF_ATTR_VLAN])
		vtc__vf_attrs_ask(&attrs, &now, VTC_VF_ATTR_VLAN, vlan);
	return do_attrs(t, &attrs, NULL);
}

static int add_filter(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_filter *filter, uint32_t tag)
{
	struct target t = { .txn = txn,
			    .pool = pool,
			    .filter = filter,
			    .vf = pool->data.vf - 1,
			    .tag = tag };
	int err = check_filter(txn, pool, filter);

	if (!err)
		err = vtc__vf_open_pf(txn, &t.pf);
	if (err)
		return err;
	err = set_own_address(&t);
	if (!err)
		err = set_at_pf(&t);
	vtc_pf_close(t.pf);
	return err;
}

/*
 * The hardware looks at address and VLAN together. But a VF without a port VLAN may join
 * any VLAN by itself, and then gets what is in it for its address.
 */
static bool apart(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		  const struct vtc_filter *b)
{
	(void)uplink;
	if (!(a->match & b->match & VTC_FILTER_MAC) ||
	    memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0)
		return true;
	return a->match & b->match & VTC_FILTER_VLAN && a->vlan != b->vlan;
}

static bool is_port(const struct vtc__uplink *uplink)
{
	char path[VTC__PATH_MAX], master[VTC__IFNAME_LEN];

	return !vtc__path(path, sizeof(path), "class/net/%s/master", uplink->name) &&
	       !vtc__sysfs_link_name(uplink->ctx, path, master, sizeof(master));
}

/* A bridge makes the card take all frames; 82576 then gives unknown ones to such VFs. */
static const char *note(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record;
	struct vtc_filter filter;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, pool->name, vtc__step_match.name, id))) {
		id = record->id;
		if (vtc__pool_match_of(record, &filter) &&
		    !(filter.match & VTC_FILTER_VLAN) && is_port(&txn->uplink))
			return "the card is a port of a bridge: frames for unknown "
			       "addresses may come to this VF, which has no port VLAN, "
			       "instead of there";
	}
	return "";
}

/* ---- Numbers ---- */

static void give(struct vtc_pool_stats *stats, const struct vtc__vf_counters *now,
		 const struct vtc__vf_counters *base)
{
	static const uint32_t bits[VTC__VF_COUNTERS] = {
		VTC_POOL_STAT_RX_PACKETS, VTC_POOL_STAT_RX_BYTES,
		VTC_POOL_STAT_RX_DROPPED, VTC_POOL_STAT_TX_PACKETS,
		VTC_POOL_STAT_TX_BYTES,	  VTC_POOL_STAT_TX_DROPPED
	};
	uint64_t *const fields[VTC__VF_COUNTERS] = {
		&stats->rx_packets, &stats->rx_bytes, &stats->rx_dropped,
		&stats->tx_packets, &stats->tx_bytes, &stats->tx_dropped
	};

	/* A driver that started anew counts from 0 again. */
	for (size_t i = 0; i < VTC__VF_COUNTERS; i++) {
		uint64_t old = now->value[i] < base->value[i] ? 0 : base->value[i];

		*fields[i] = now->value[i] - old;
		stats->valid |= bits[i];
	}
}

static void count(struct vtc__txn *txn, struct vtc_pf *pf,
		  const struct vtc__vf_claim *claim, struct vtc_pool_stats *stats)
{
	static const struct vtc__vf_counters zero;
	struct vtc__vf_counters now;
	struct vtc__pf_netdev netdev;
	struct vtc_mac mac;

	if (txn->uplink.quirks.vf_stats) {
		vtc__vf_count(pf, claim->vf, &now);
		give(stats, &now, &claim->pf_base);
	} else if (vtc__vf_netdev(pf, claim->vf, &netdev, &mac) == 0) {
		vtc__vf_count_netdev(pf, claim->vf, &netdev, &now);
		give(stats, &now,
		     netdev.ifindex == claim->netdev ? &claim->netdev_base : &zero);
	}
}

static int stats(struct vtc__txn *txn, struct vtc_pool *pool,
		 struct vtc_pool_stats *stats)
{
	const struct vtc__record *record =
		vtc__step_find(txn, pool->name, vtc__step_vf.name, 0);
	struct vtc_pf *pf;
	int err;

	if (!record || record->len < sizeof(struct vtc__vf_claim))
		return 0;
	err = vtc__vf_open_pf(txn, &pf);
	if (err)
		return err;
	count(txn, pf, record->data, stats);
	vtc_pf_close(pf);
	return 0;
}

const struct vtc__backend vtc__backend_vf = {
	.id = VTC_POOL_BACKEND_VF,
	.name = "vf",
	.hardware = true,
	.vlan_stripped = true,
	.probe = probe,
	.request = request,
	.add_filter = add_filter,
	.apart = apart,
	.stats = stats,
	.note = note,
};
