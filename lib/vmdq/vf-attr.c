/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes of a VF as a step: what they were, and what we made of them. Each is put
 * back only where it is still what we set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sriov/vf-send.h"
#include "vf-step.h"

int vtc__vf_open_pf(struct vtc__txn *txn, struct vtc_pf **ret_pf)
{
	return vtc_pf_open(txn->ctx, txn->uplink.name, ret_pf);
}

int vtc__vf_snapshot(struct vtc_pf *pf, bool stats, struct vtc_vf_list **ret_list)
{
	struct vtc__pf_netdev netdev;
	int err = vtc__pf_netdev(pf, "list VFs", &netdev);

	if (err)
		return err;
	err = vtc__vf_read(pf, netdev.ifindex, stats, ret_list);
	return err ? vtc__vf_read_err(pf, "list VFs", err) : 0;
}

void vtc__vf_attrs_ask(struct vtc__vf_attrs *attrs, const struct vtc_vf *now,
		       enum vtc_vf_attr attr, uint64_t value)
{
	attrs->asked |= vtc__vf_bit(attr);
	attrs->before[attr] = now->value[attr];
	attrs->set[attr] = value;
}

/* The VF, if it is there; a snapshot may lack it. */
static const struct vtc_vf *vf_of(const struct vtc_vf_list *list, uint32_t index)
{
	return index < list->count && list->vfs[index].was_reported ? &list->vfs[index]
								    : NULL;
}

static int send_attrs(struct vtc_pf *pf, uint32_t vf, uint16_t asked,
		      const uint64_t *value, uint32_t flags)
{
	struct vtc_vf_apply_opts opts = VTC_VF_APPLY_OPTS_INIT;
	struct vtc_vf_config config = { .index = vf, .asked = asked };
	struct vtc_vf_config *configs = &config;

	memcpy(config.want, value, sizeof(config.want));
	opts.flags = flags;
	return asked ? vtc_vf_apply(pf, &configs, 1, &opts) : 0;
}

int vtc__vf_send_mac(struct vtc_pf *pf, uint32_t vf, uint64_t mac)
{
	uint64_t value[VTC_VF_ATTR_COUNT] = { [VTC_VF_ATTR_MAC] = mac };

	return send_attrs(pf, vf, vtc__vf_bit(VTC_VF_ATTR_MAC), value, 0);
}

static int bad_data(struct vtc__txn *txn)
{
	return vtc__err(txn->ctx, -EBADMSG, VTC_ERROR_ORIGIN_LIBRARY, txn->operation,
			"%s: a step of another shape", txn->uplink.name);
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	const struct vtc__vf_attrs *attrs = data;
	struct vtc_pf *pf;
	int err;

	(void)changed;
	if (len < sizeof(*attrs))
		return bad_data(txn);
	err = vtc__vf_open_pf(txn, &pf);
	if (err)
		return err;
	err = send_attrs(pf, attrs->vf, attrs->asked, attrs->set, 0);
	vtc_pf_close(pf);
	return err;
}

static bool is_as_set(const struct vtc__vf_attrs *attrs, const struct vtc_vf *now,
		      enum vtc_vf_attr attr)
{
	uint64_t is = now->value[attr];

	return is == attrs->set[attr] ||
	       (attr == VTC_VF_ATTR_MAC && !attrs->set[attr] && is == VTC__VF_MAC_NOBODY);
}

/* The first attribute that was lost, or VTC_VF_ATTR_COUNT. */
static int find_lost(const struct vtc__vf_attrs *attrs, const struct vtc_vf *now)
{
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		enum vtc_vf_attr attr = (enum vtc_vf_attr)i;

		if (attrs->asked & now->known & vtc__vf_bit(attr) &&
		    !is_as_set(attrs, now, attr))
			return i;
	}
	return VTC_VF_ATTR_COUNT;
}

static int check_vf(struct vtc_pf *pf, const struct vtc__vf_attrs *attrs, char *text,
		    size_t text_len)
{
	const struct vtc_vf *now;
	struct vtc_vf_list *list;
	int lost, err = vtc__vf_snapshot(pf, false, &list);

	if (err)
		return err;
	now = vf_of(list, attrs->vf);
	lost = now ? find_lost(attrs, now) : VTC_VF_ATTR_COUNT;
	if (!now)
		snprintf(text, text_len, "VF %u is gone", attrs->vf);
	else if (lost < VTC_VF_ATTR_COUNT)
		snprintf(text, text_len, "the %s of VF %u was changed",
			 vtc_vf_attr_name((enum vtc_vf_attr)lost), attrs->vf);
	free(list);
	return now && lost == VTC_VF_ATTR_COUNT;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	const struct vtc__vf_attrs *attrs = data;
	struct vtc_pf *pf;
	int err;

	if (len < sizeof(*attrs))
		return bad_data(txn);
	if (attrs->passing)
		return 1;
	err = vtc__vf_open_pf(txn, &pf);
	if (err)
		return err;
	err = check_vf(pf, attrs, text, text_len);
	vtc_pf_close(pf);
	return err;
}

static uint16_t what_to_restore(const struct vtc__vf_attrs *attrs,
				const struct vtc_vf *now)
{
	uint16_t which = 0;

	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		enum vtc_vf_attr attr = (enum vtc_vf_attr)i;

		if (attrs->asked & now->known & vtc__vf_bit(attr) &&
		    attrs->before[attr] != attrs->set[attr] &&
		    is_as_set(attrs, now, attr))
			which |= vtc__vf_bit(attr);
	}
	return which;
}

static bool gives_mac(const struct vtc__record *record, uint32_t vf, uint64_t mac)
{
	const struct vtc__vf_attrs *attrs = record->data;

	return strcmp(record->kind, vtc__step_vf_attr.name) == 0 &&
	       record->len >= sizeof(*attrs) && attrs->vf == vf && !attrs->passing &&
	       attrs->asked & vtc__vf_bit(VTC_VF_ATTR_MAC) &&
	       attrs->set[VTC_VF_ATTR_MAC] == mac;
}

static bool is_own_address(const struct vtc__record *record, uint32_t vf)
{
	const struct vtc__vf_mac_step *step = record->data;

	return strcmp(record->kind, vtc__step_vf_mac.name) == 0 &&
	       record->len >= sizeof(*step) && step->vf == vf;
}

static int explain_wait(struct vtc__txn *txn, uint32_t vf)
{
	vtc__err(txn->ctx, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, txn->operation, "%s vf %u",
		 txn->uplink.name, vf);
	vtc__err_message(txn->ctx, "the address that the VF has now must be put back "
				   "first, and that failed");
	return -EBUSY;
}

int vtc__vf_wait_for_mac(struct vtc__txn *txn, uint32_t vf, uint64_t mac)
{
	const struct vtc__record *record = NULL;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (gives_mac(record, vf, mac))
			return explain_wait(txn, vf);
	return 0;
}

/* With the address back the VF's driver would be refused its own. */
static int wait_for_own(struct vtc__txn *txn, uint32_t vf)
{
	const struct vtc__record *record = NULL;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (is_own_address(record, vf))
			return explain_wait(txn, vf);
	return 0;
}

static int undo_vf(struct vtc__txn *txn, struct vtc_pf *pf,
		   const struct vtc__vf_attrs *attrs)
{
	const struct vtc_vf *now;
	struct vtc_vf_list *list;
	uint16_t which;
	int err = vtc__vf_snapshot(pf, false, &list);

	if (err)
		return err;
	now = vf_of(list, attrs->vf);
	if (now && attrs->passing)
		err = vtc__vf_wait_for_mac(txn, attrs->vf, now->value[VTC_VF_ATTR_MAC]);
	if (now && attrs->passing && !err)
		err = wait_for_own(txn, attrs->vf);
	which = now ? what_to_restore(attrs, now) : 0;
	free(list);
	return err ? err
		   : send_attrs(pf, attrs->vf, which, attrs->before,
				VTC_VF_APPLY_F_BEST_EFFORT);
}

/* A PF that is gone, or is none any more, has taken its VFs with it. */
static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct vtc_pf *pf;
	int err;

	if (len < sizeof(struct vtc__vf_attrs))
		return bad_data(txn);
	err = vtc__vf_open_pf(txn, &pf);
	if (!err) {
		err = undo_vf(txn, pf, data);
		vtc_pf_close(pf);
	}
	return err == -ENODEV || err == -EOPNOTSUPP ? 0 : err;
}

const struct vtc__step_kind vtc__step_vf_attr = {
	.name = "vf-attr",
	.apply = apply,
	.check = check,
	.undo = undo,
};
