/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving attributes to VFs. One step is one message to the kernel, which would apply part
 * of a larger one and not say which part. The list is read once before (old values, and
 * the other one of the two rates) and once after all steps, however many VFs there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/netlink.h"
#include "core/opts.h"
#include "core/sysfs.h"
#include "vf-send.h"

#define APPLY "configure VFs"

#define OPTS_FIRST sizeof(struct vtc_vf_apply_opts)
#define ALL_FLAGS  (VTC_VF_APPLY_F_BEST_EFFORT | VTC_VF_APPLY_F_DRY_RUN)
#define TIMEOUT_MS 2000u
#define PAUSE_MAX  50u

struct apply {
	struct vtc_pf *pf;
	struct vtc_ctx *ctx;
	struct vtc_vf_apply_opts opts;
	struct vtc_vf_config *const *configs;
	size_t count;
	struct vtc__pf_netdev netdev;
	struct vtc_vf_list *before;
	int first; /* failure; the error record is about it */
};

/* ---- Words ---- */

static void value_text(enum vtc_vf_attr attr, uint64_t value, char *buf, size_t len)
{
	struct vtc_vlan vlan = vtc__vf_unpack_vlan(value);
	struct vtc_mac mac;

	switch (attr) {
	case VTC_VF_ATTR_MAC:
		vtc__vf_unpack_mac(value, mac.addr);
		(void)vtc_mac_format(&mac, buf, len);
		break;
	case VTC_VF_ATTR_VLAN:
		snprintf(buf, len, "%u priority %u protocol 0x%04x", vlan.id, vlan.qos,
			 vlan.proto);
		break;
	case VTC_VF_ATTR_NODE_GUID:
	case VTC_VF_ATTR_PORT_GUID:
		snprintf(buf, len, "0x%016llx", (unsigned long long)value);
		break;
	default:
		snprintf(buf, len, "%llu", (unsigned long long)value);
	}
}

static void log_change(struct apply *a, const struct vtc_vf_config *config,
		       const struct vtc__vf_step *step)
{
	char text[64];

	if (a->ctx->opts.log_level < VTC_LOG_INFO)
		return;
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		if (!(step->attrs & config->asked & vtc__vf_bit((enum vtc_vf_attr)i)))
			continue;
		value_text((enum vtc_vf_attr)i, config->want[i], text, sizeof(text));
		vtc__log(a->ctx, VTC_LOG_INFO, "%s vf %u: %s %s", a->pf->address,
			 config->index, vtc_vf_attr_name((enum vtc_vf_attr)i), text);
	}
}

/* Begin the record of the first failure; false: there has been one before. */
static bool record(struct apply *a, int code, enum vtc_error_origin origin,
		   const char *operation, uint32_t vf)
{
	if (a->first)
		return false;
	a->first = code;
	vtc__err(a->ctx, code, origin, operation, "%s vf %u", a->pf->address, vf);
	return true;
}

static bool has_link(struct apply *a)
{
	char path[VTC__PATH_MAX];
	uint32_t carrier = 0;

	return vtc__path(path, sizeof(path), "%s/net/%s/carrier", a->pf->path,
			 a->netdev.name) == 0 &&
	       vtc__sysfs_read_u32(a->ctx, path, &carrier) == 0 && carrier;
}

static void hint_unsupported(struct apply *a)
{
	char path[VTC__PATH_MAX], driver[64] = "";

	if (vtc__path(path, sizeof(path), "%s/driver", a->pf->path) == 0)
		(void)vtc__sysfs_link_name(a->ctx, path, driver, sizeof(driver));
	vtc__err_hint(a->ctx, "the PF's driver %s does not offer this", driver);
}

static void hint_refused(struct apply *a, uint32_t attrs)
{
	if (attrs != VTC__VF_RATES)
		vtc__err_hint(a->ctx, "the driver refuses the value: see the kernel log");
	else if (has_link(a))
		vtc__err_hint(a->ctx, "the driver refuses the rates; "
				      "many guarantee none, and none above the link");
	else
		vtc__err_hint(a->ctx, "the PF has no link, and drivers need its speed "
				      "to limit a rate");
}

static void hint(struct apply *a, const struct vtc__vf_step *step, int code)
{
	switch (code) {
	case -EOPNOTSUPP:
		hint_unsupported(a);
		break;
	case -EPROTONOSUPPORT:
		vtc__err_hint(a->ctx, "the driver has no such VLAN protocol: use 802.1Q");
		break;
	case -EPERM:
		vtc__err_hint(a->ctx,
			      "this needs CAP_NET_ADMIN in the PF's network namespace");
		break;
	case -EINVAL:
		hint_refused(a, step->attrs);
		break;
	default:
		break;
	}
}

static void set_results(struct vtc_vf_config *config, unsigned int attrs, int result)
{
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		if (config->asked & attrs & (1u << i))
			config->result[i] = result;
	}
}

/* ---- Checks: nothing is changed here ---- */

static int load_opts(struct apply *a, const struct vtc_vf_apply_opts *opts)
{
	int err = vtc__opts_load(&a->opts, sizeof(a->opts), OPTS_FIRST, opts);

	if (err == -E2BIG)
		return vtc__err(a->ctx, err, VTC_ERROR_ORIGIN_ARG, APPLY, "opts");
	if (err)
		return vtc__err_arg(a->ctx, APPLY, "opts.sz");
	if (a->opts.flags & ~ALL_FLAGS)
		return vtc__err_arg(a->ctx, APPLY, "opts.flags");
	if (a->opts.reserved)
		return vtc__err_arg(a->ctx, APPLY, "opts.reserved");
	if (!a->opts.timeout_ms)
		a->opts.timeout_ms = TIMEOUT_MS;
	return 0;
}

static int check_configs(struct apply *a)
{
	uint8_t seen[(VTC__PF_MAX_VFS + 8) / 8] = { 0 };

	for (size_t i = 0; i < a->count; i++) {
		const struct vtc_vf_config *config = a->configs[i];

		if (!config)
			return vtc__err_arg(a->ctx, APPLY, "a configuration is NULL");
		if (seen[config->index / 8] & (1u << config->index % 8)) {
			vtc__err(a->ctx, -EINVAL, VTC_ERROR_ORIGIN_ARG, APPLY, "%s vf %u",
				 a->pf->address, config->index);
			vtc__err_message(a->ctx,
					 "two configurations are for the same VF");
			return -EINVAL;
		}
		seen[config->index / 8] |= (uint8_t)(1u << config->index % 8);
	}
	return 0;
}

static int check_range(struct apply *a, const struct vtc_vf_config *config)
{
	if (config->index < a->before->count)
		return 0;
	record(a, -ERANGE, VTC_ERROR_ORIGIN_ARG, APPLY, config->index);
	vtc__err_message(a->ctx, "the PF has %u VFs", a->before->count);
	return -ERANGE;
}

/* What the VF will have: -ENODATA if that is not known. */
static int final_value(struct apply *a, const struct vtc_vf_config *config,
		       enum vtc_vf_attr attr, uint64_t *ret)
{
	const struct vtc_vf *before = &a->before->vfs[config->index];

	if (config->asked & vtc__vf_bit(attr))
		*ret = config->want[attr];
	else if (before->known & vtc__vf_bit(attr))
		*ret = before->value[attr];
	else
		return -ENODATA;
	return 0;
}

static int check_rates(struct apply *a, const struct vtc_vf_config *config)
{
	uint64_t min, max;

	if (!(config->asked & VTC__VF_RATES) ||
	    final_value(a, config, VTC_VF_ATTR_MIN_RATE, &min) ||
	    final_value(a, config, VTC_VF_ATTR_MAX_RATE, &max) || !max || min <= max)
		return 0;
	record(a, -EINVAL, VTC_ERROR_ORIGIN_ARG, "set VF rates", config->index);
	vtc__err_message(a->ctx, "the guaranteed rate %u is above the limit %u Mbit/s",
			 (uint32_t)min, (uint32_t)max);
	return -EINVAL;
}

static int check(struct apply *a)
{
	for (size_t i = 0; i < a->count; i++) {
		int err = check_range(a, a->configs[i]);

		if (!err)
			err = check_rates(a, a->configs[i]);
		if (err)
			return err;
	}
	return 0;
}

/* ---- Setting ---- */

/* The rates share a message: the one that was not asked for keeps its value. */
static int step_values(struct apply *a, const struct vtc_vf_config *config,
		       const struct vtc__vf_step *step, uint64_t *value)
{
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		if (step->attrs & (1u << i) &&
		    final_value(a, config, (enum vtc_vf_attr)i, &value[i]))
			return -EOPNOTSUPP;
	}
	return 0;
}

static int set_failed(struct apply *a, struct vtc_vf_config *config,
		      const struct vtc__vf_step *step, int code)
{
	set_results(config, step->attrs, code);
	if (record(a, code, VTC_ERROR_ORIGIN_NETLINK, step->operation, config->index)) {
		vtc__err_message(a->ctx, "%s",
				 a->ctx->rt ? vtc__nl_message(a->ctx->rt) : "");
		hint(a, step, code);
	}
	return code;
}

static int set_step(struct apply *a, struct vtc_vf_config *config,
		    const struct vtc__vf_step *step)
{
	uint64_t value[VTC_VF_ATTR_COUNT] = { 0 };
	int err = step_values(a, config, step, value);

	if (err) {
		set_results(config, step->attrs, err);
		if (record(a, err, VTC_ERROR_ORIGIN_DEVICE, step->operation,
			   config->index))
			vtc__err_message(a->ctx,
					 "the driver does not tell the VF's other "
					 "rate, so that it could not be kept");
		return err;
	}
	if (a->opts.flags & VTC_VF_APPLY_F_DRY_RUN)
		return 0;

	err = vtc__vf_send(a->pf, a->netdev.ifindex, step, config->index, value);
	/* If the answer was lost, the change may have been made. */
	if (!err || err == -ENOBUFS || err == -ETIMEDOUT || err == -EPROTO)
		config->touched |= step->attrs;
	if (err)
		return set_failed(a, config, step, err);
	config->accepted |= step->attrs & config->asked;
	set_results(config, step->attrs, 0);
	log_change(a, config, step);
	return 0;
}

static void set_all(struct apply *a)
{
	bool go_on = a->opts.flags & VTC_VF_APPLY_F_BEST_EFFORT;

	for (size_t i = 0; i < a->count; i++) {
		for (size_t s = 0; s < VTC__VF_STEPS; s++) {
			if (!(a->configs[i]->asked & vtc__vf_steps[s].attrs))
				continue;
			if (set_step(a, a->configs[i], &vtc__vf_steps[s]) && !go_on)
				return;
		}
	}
}

/* ---- Reading back ---- */

/* 1: as asked; 0: not reported; -ETIMEDOUT: not so, or not yet. */
static int compare(const struct vtc_vf_config *config, enum vtc_vf_attr attr,
		   const struct vtc_vf *now)
{
	uint64_t want = config->want[attr], is = now->value[attr];

	if (!(now->known & vtc__vf_bit(attr)))
		return 0;
	if (is == want || (attr == VTC_VF_ATTR_MAC && !want && is == VTC__VF_MAC_NOBODY))
		return 1;
	/* The kernel says "auto" for drivers that say nothing. */
	if (attr == VTC_VF_ATTR_LINK_STATE && is == VTC_VF_LINK_AUTO)
		return 0;
	return -ETIMEDOUT;
}

/* Set the results of one VF; the attribute that differs, or VTC_VF_ATTR_COUNT. */
static int compare_vf(struct vtc_vf_config *config, const struct vtc_vf *now)
{
	int differs = VTC_VF_ATTR_COUNT;

	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
		if (!(config->accepted & (1u << i)))
			continue;
		config->result[i] = compare(config, (enum vtc_vf_attr)i, now);
		if (config->result[i] < 0 && differs == VTC_VF_ATTR_COUNT)
			differs = i;
	}
	return differs;
}

static void differs_err(struct apply *a, const struct vtc_vf_config *config,
			enum vtc_vf_attr attr, uint64_t is)
{
	char want_text[64], is_text[64];

	if (!record(a, -ETIMEDOUT, VTC_ERROR_ORIGIN_DEVICE, "read VF back",
		    config->index))
		return;
	value_text(attr, config->want[attr], want_text, sizeof(want_text));
	value_text(attr, is, is_text, sizeof(is_text));
	vtc__err_message(a->ctx, "%s was accepted as %s but reads back as %s",
			 vtc_vf_attr_name(attr), want_text, is_text);
}

/*
 * 1: all is as asked; 0: not yet. With the last look, what is not goes into the record.
 */
static int look(struct apply *a, bool last)
{
	struct vtc_vf_list *now;
	int err = vtc__vf_read(a->pf, a->netdev.ifindex, false, &now);
	int same = 1;

	if (err)
		return err;
	for (size_t i = 0; i < a->count; i++) {
		static const struct vtc_vf vanished;
		struct vtc_vf_config *config = a->configs[i];
		const struct vtc_vf *vf =
			config->index < now->count ? &now->vfs[config->index] : &vanished;
		int differs = compare_vf(config, vf);

		if (differs == VTC_VF_ATTR_COUNT)
			continue;
		same = 0;
		if (last)
			differs_err(a, config, (enum vtc_vf_attr)differs,
				    vf->value[differs]);
	}
	free(now);
	return same;
}

static void verify(struct apply *a)
{
	uint64_t deadline = vtc__now_ns(a->ctx) + a->opts.timeout_ms * VTC__NS_PER_MS;
	unsigned int pause_ms = 1;
	int done;

	for (;;) {
		bool last = vtc__now_ns(a->ctx) >= deadline;

		done = look(a, last);
		if (done || last)
			break;
		vtc__sleep_ms(a->ctx, pause_ms);
		if (pause_ms < PAUSE_MAX)
			pause_ms *= 2;
	}
	if (done < 0 && !a->first)
		a->first = vtc__vf_read_err(a->pf, "read VFs back", done);
}

/* ---- Undo ---- */

static int undo_step(struct apply *a, const struct vtc_vf_config *config,
		     const struct vtc__vf_step *step)
{
	const struct vtc_vf *before = &a->before->vfs[config->index];

	/* With the PF, its VFs and all their settings are gone. */
	if (a->first == -ENODEV)
		return 0;
	if ((before->known & step->attrs) != step->attrs)
		return -ENODATA;
	return vtc__vf_send(a->pf, a->netdev.ifindex, step, config->index, before->value);
}

static void undo_vf(struct apply *a, struct vtc_vf_config *config)
{
	for (size_t s = VTC__VF_STEPS; s-- > 0;) {
		const struct vtc__vf_step *step = &vtc__vf_steps[s];
		const char *reason;
		int err;

		if (!(config->touched & step->attrs))
			continue;
		err = undo_step(a, config, step);
		for (int i = 0; i < VTC_VF_ATTR_COUNT; i++) {
			if (config->accepted & step->attrs & (1u << i) &&
			    (err || config->result[i] >= 0))
				config->result[i] = err ? 0 : -ECANCELED;
		}
		if (!err)
			continue;
		reason = err == -ENODATA ? "its old value is not known"
					 : strerrordesc_np(-err);
		vtc__pf_err_append(a->ctx, "; not put back: vf %u %s (%s)", config->index,
				   step->operation + strlen("set VF "),
				   reason ? reason : "?");
	}
}

static void undo(struct apply *a)
{
	for (size_t i = a->count; i-- > 0;)
		undo_vf(a, a->configs[i]);
}

static void reset_results(struct apply *a)
{
	for (size_t i = 0; i < a->count; i++) {
		a->configs[i]->accepted = a->configs[i]->touched = 0;
		set_results(a->configs[i], ~0u, -ECANCELED);
	}
}

static int run(struct apply *a)
{
	int err = vtc__pf_netdev(a->pf, APPLY, &a->netdev);

	if (err)
		return err;
	err = vtc__vf_read(a->pf, a->netdev.ifindex, false, &a->before);
	if (err)
		return vtc__vf_read_err(a->pf, APPLY, err);
	err = check(a);
	if (err)
		return err;

	set_all(a);
	if (a->opts.flags & VTC_VF_APPLY_F_DRY_RUN)
		return a->first;
	if (!a->first || a->opts.flags & VTC_VF_APPLY_F_BEST_EFFORT)
		verify(a);
	if (a->first && !(a->opts.flags & VTC_VF_APPLY_F_BEST_EFFORT))
		undo(a);
	return a->first;
}

int vtc_vf_apply(struct vtc_pf *pf, struct vtc_vf_config *const *configs, size_t count,
		 const struct vtc_vf_apply_opts *opts)
{
	struct apply a = { .pf = pf, .configs = configs, .count = count };
	int lock = -1;
	int err;

	if (!pf)
		return -EINVAL;
	a.ctx = pf->ctx;
	if ((!configs && count) || count > VTC__PF_MAX_VFS)
		return vtc__err_arg(a.ctx, APPLY, configs ? "count" : "configs is NULL");
	err = load_opts(&a, opts);
	if (!err)
		err = check_configs(&a);
	if (err || !count)
		return err;

	reset_results(&a);
	if (!(a.opts.flags & VTC_VF_APPLY_F_DRY_RUN)) {
		lock = vtc__pf_lock(pf, APPLY,
				    vtc__now_ns(a.ctx) +
					    a.opts.timeout_ms * VTC__NS_PER_MS);
		if (lock < 0)
			return lock;
	}
	err = run(&a);
	free(a.before);
	vtc__unlock(a.ctx, lock);
	return err;
}
