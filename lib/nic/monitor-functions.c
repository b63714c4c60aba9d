/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PFs and VFs that a monitor knows. A function that goes is told by its uevent: sysfs
 * has forgotten it by then. When one comes, the links between it and its PF may be later
 * than its uevent, but not than the PF's "change": both only cause a look at sysfs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"
#include "monitor.h"

static int func_cmp(const void *a, const void *b)
{
	const struct vtc__func *x = a, *y = b;

	return vtc__address_cmp("", x->address, "", y->address);
}

static struct vtc__func *find(const struct vtc__funcs *funcs, const char *address)
{
	struct vtc__func key;

	if (!funcs->count || vtc__text_copy(key.address, sizeof(key.address), address))
		return NULL;
	return bsearch(&key, funcs->func, funcs->count, sizeof(key), func_cmp);
}

static void take_out(struct vtc__funcs *funcs, struct vtc__func *func)
{
	funcs->count--;
	memmove(func, func + 1,
		(size_t)(funcs->func + funcs->count - func) * sizeof(*func));
}

static void remove_one(struct vtc_monitor *monitor, struct vtc__func *func)
{
	struct vtc__func gone = *func;

	take_out(&monitor->funcs, func);
	vtc__monitor_emit(monitor,
			  gone.kind == VTC_NIC_PF ? VTC_EVENT_PF_GONE
						  : VTC_EVENT_VF_REMOVED,
			  NULL, &gone);
}

void vtc__funcs_remove(struct vtc_monitor *monitor, const char *address)
{
	struct vtc__funcs *funcs = &monitor->funcs;
	struct vtc__func *func = find(funcs, address);

	if (!func)
		return;
	/* No VF outlives its PF. */
	if (func->kind == VTC_NIC_PF) {
		for (size_t i = funcs->count; i-- > 0;) {
			if (strcmp(funcs->func[i].pf, address) == 0)
				remove_one(monitor, &funcs->func[i]);
		}
		func = find(funcs, address);
	}
	remove_one(monitor, func);
}

/* ---- Reading them all ---- */

static int add_function(struct vtc_ctx *ctx, struct vtc__funcs *funcs,
			const char *address)
{
	struct vtc__func func = { .index = { .state = -ENODATA } };
	void *array = funcs->func;
	char dir[VTC__PATH_MAX];
	int err;

	if (vtc__path(dir, sizeof(dir), "bus/pci/devices/%s", address) ||
	    vtc__text_copy(func.address, sizeof(func.address), address))
		return 0;
	func.kind = vtc__function_kind(ctx, dir, func.pf, sizeof(func.pf));
	if (func.kind == VTC_NIC_PLAIN)
		return 0;
	err = vtc__grow(&array, &funcs->room, funcs->count, sizeof(func));
	funcs->func = array;
	if (!err)
		funcs->func[funcs->count++] = func;
	return err;
}

static int read_indices(struct vtc_ctx *ctx, struct vtc__funcs *funcs, const char *pf)
{
	struct vtc__vf_link *vfs = NULL;
	char dir[VTC__PATH_MAX];
	size_t count = 0;
	int err = vtc__path(dir, sizeof(dir), "bus/pci/devices/%s", pf);

	if (!err)
		err = vtc__function_vfs(ctx, dir, &vfs, &count);
	for (size_t i = 0; i < count; i++) {
		struct vtc__func *vf = find(funcs, vfs[i].address);

		if (!vf || strcmp(vf->pf, pf) != 0 || vf->index.state == 1)
			continue;
		vf->index.state = 1;
		vf->index.value = vfs[i].index;
	}
	free(vfs);
	return err == -ENOMEM ? err : 0;
}

static int scan(struct vtc_ctx *ctx, struct vtc__funcs *funcs)
{
	struct vtc__names names = { .count = 0 };
	int err = vtc__function_list(ctx, &names);

	/* A machine without PCI has no such functions. */
	if (err == -ENOENT)
		err = 0;
	for (size_t i = 0; !err && i < names.count; i++)
		err = add_function(ctx, funcs, names.name[i]);
	vtc__names_free(&names);
	if (!err && funcs->count)
		qsort(funcs->func, funcs->count, sizeof(*funcs->func), func_cmp);
	for (size_t i = 0; !err && i < funcs->count; i++) {
		if (funcs->func[i].kind == VTC_NIC_PF)
			err = read_indices(ctx, funcs, funcs->func[i].address);
	}
	return err;
}

/* Whether this can be the function that was known: what is unknown denies nothing. */
static bool same(const struct vtc__func *a, const struct vtc__func *b)
{
	if (!a || !b || a->kind != b->kind)
		return false;
	if (a->pf[0] && b->pf[0] && strcmp(a->pf, b->pf) != 0)
		return false;
	return a->index.state != 1 || b->index.state != 1 ||
	       a->index.value == b->index.value;
}

/* Tell of each function of a kind that is in one list only. */
static void tell(struct vtc_monitor *monitor, enum vtc_event_type type,
		 enum vtc_nic_kind kind, const struct vtc__funcs *in,
		 const struct vtc__funcs *not_in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct vtc__func *func = &in->func[i];

		if (func->kind == kind && !same(func, find(not_in, func->address)))
			vtc__monitor_emit(monitor, type, NULL, func);
	}
}

int vtc__funcs_resync(struct vtc_monitor *monitor)
{
	struct vtc__funcs old = monitor->funcs, new = { .count = 0 };
	int err = scan(monitor->ctx, &new);

	if (err) {
		free(new.func);
		return err;
	}
	/* While a VF goes, its links go first: what was known of it stays true. */
	for (size_t i = 0; i < new.count; i++) {
		const struct vtc__func *known = find(&old, new.func[i].address);

		if (new.func[i].index.state != 1 && same(&new.func[i], known))
			new.func[i] = *known;
	}
	monitor->funcs = new;
	tell(monitor, VTC_EVENT_VF_REMOVED, VTC_NIC_VF, &old, &new);
	tell(monitor, VTC_EVENT_PF_GONE, VTC_NIC_PF, &old, &new);
	tell(monitor, VTC_EVENT_VF_ADDED, VTC_NIC_VF, &new, &old);
	free(old.func);
	return 0;
}
