/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program that copies group frames, at the traffic control ingress of the card. */
#include <errno.h>

#include "guard-internal.h"

/* Where the filter is: a place that nobody takes by chance, behind filters of others. */
#define FLOOD_PRIORITY 0x7674u
#define FLOOD_HANDLE   0x767463u

static struct bpf_tc_hook hook_of(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS);

	return hook;
}

/* The program at our place; 0: none. */
static int present(uint32_t ifindex, uint32_t *ret_program)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FLOOD_HANDLE,
		    .priority = FLOOD_PRIORITY);
	struct bpf_tc_hook hook = hook_of(ifindex);
	struct vtc__guard_quiet quiet;
	int err;

	vtc__guard_quiet_begin(&quiet);
	err = bpf_tc_query(&hook, &opts);
	vtc__guard_quiet_end(&quiet);
	/* No qdisc, or no filter. */
	if (err == -EINVAL || err == -ENOENT)
		return *ret_program = 0, 0;
	if (err < 0)
		return err;
	*ret_program = opts.prog_id;
	return 0;
}

static int attach(struct vtc__guard *guard)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FLOOD_HANDLE,
		    .priority = FLOOD_PRIORITY);
	struct bpf_tc_hook hook = hook_of(guard->ifindex);
	struct bpf_object *object;
	int err = vtc__guard_object_open(guard, VTC__GUARD_IMAGE_FLOOD, &object);

	if (err < 0)
		return err;
	if (bpf_object__load(object) < 0)
		err = errno == ENOMEM || errno == EPERM ? -errno : -EOPNOTSUPP;
	if (err == 0) {
		opts.prog_fd = bpf_program__fd(vtc__guard_object_program(object));
		err = bpf_tc_attach(&hook, &opts);
		/* What the kernel says if there is no clsact qdisc. */
		if (err == -EINVAL)
			err = -ENOENT;
	}
	bpf_object__close(object);
	return err;
}

int vtc__guard_flood_attach(struct vtc__guard *guard)
{
	struct vtc__guard_quiet quiet;
	int err = vtc__guard_foreign(guard->ctx, "attach flood");

	if (err < 0)
		return err;
	vtc__guard_quiet_begin(&quiet);
	err = attach(guard);
	vtc__guard_quiet_end(&quiet);
	return err == -EEXIST ? -EBUSY : err;
}

int vtc__guard_flood_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	uint32_t program;
	int err = present(id->ifindex, &program);

	(void)ctx;
	if (err < 0)
		return err;
	return program && vtc__guard_uses(program, id->tables);
}

int vtc__guard_flood_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FLOOD_HANDLE,
		    .priority = FLOOD_PRIORITY);
	struct bpf_tc_hook hook = hook_of(id->ifindex);
	struct vtc__guard_quiet quiet;
	int err = vtc__guard_flood_attached(ctx, id);

	if (err <= 0)
		return err == -ENODEV ? 0 : err;
	err = vtc__guard_foreign(ctx, "detach flood");
	if (err < 0)
		return err;
	vtc__guard_quiet_begin(&quiet);
	err = bpf_tc_detach(&hook, &opts);
	vtc__guard_quiet_end(&quiet);
	return err == -ENOENT ? 0 : err;
}
