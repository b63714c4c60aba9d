/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting the guard on a card and taking it off, alone or below the dispatcher of libxdp,
 * and finding it there. It is known by its configuration table, which no other program
 * uses.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "guard-internal.h"
#include "uplink.h"

/* Tables that a program of ours can have, with room for those of the next versions. */
#define TABLES_MAX 64u

/* Where a guard is. */
struct spot {
	uint32_t mode; /* VTC_POOL_GUARD_NONE: nowhere */
	uint32_t program;
};

bool vtc__guard_uses(uint32_t program, uint32_t table)
{
	uint32_t tables[TABLES_MAX];
	struct bpf_prog_info info = { .nr_map_ids = TABLES_MAX,
				      .map_ids = (uintptr_t)tables };
	uint32_t len = sizeof(info), i;
	int fd = bpf_prog_get_fd_by_id(program);
	int err;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (err < 0)
		return false;
	for (i = 0; i < info.nr_map_ids && i < TABLES_MAX; i++)
		if (tables[i] == table)
			return true;
	return false;
}

static void name_of(uint32_t program, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { .id = 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program);

	name[0] = '\0';
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	name[BPF_OBJ_NAME_LEN - 1] = '\0';
	close(fd);
}

int vtc__guard_present(uint32_t ifindex, uint32_t *ret_program,
		       char name[BPF_OBJ_NAME_LEN])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	uint32_t program;
	int err = bpf_xdp_query((int)ifindex, 0, &opts);

	if (err < 0)
		return err;
	program = opts.drv_prog_id ? opts.drv_prog_id : opts.skb_prog_id;
	program = program ? program : opts.hw_prog_id;
	name[0] = '\0';
	if (program)
		name_of(program, name);
	*ret_program = program;
	return 0;
}

bool vtc__guard_is_dispatcher(const char *name)
{
	return strcmp(name, "xdp_dispatcher") == 0;
}

/* Whether a link puts a program that uses a table below a dispatcher; which program. */
static bool links(uint32_t link, uint32_t dispatcher, uint32_t table,
		  uint32_t *ret_program)
{
	struct bpf_link_info info = { .id = 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_link_get_fd_by_id(link);
	int err;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (err < 0 || info.type != BPF_LINK_TYPE_TRACING ||
	    info.tracing.target_obj_id != dispatcher ||
	    !vtc__guard_uses(info.prog_id, table))
		return false;
	*ret_program = info.prog_id;
	return true;
}

/*
 * libxdp could tell, too, where it finds its bpffs, but forgets descriptors each time;
 * and this is asked at each audit.
 */
static void find_below(uint32_t dispatcher, uint32_t table, struct spot *ret)
{
	uint32_t link = 0;

	while (bpf_link_get_next_id(link, &link) == 0) {
		if (links(link, dispatcher, table, &ret->program)) {
			ret->mode = VTC_POOL_GUARD_DISPATCHER;
			return;
		}
	}
}

static int find(const struct vtc__guard_id *id, struct spot *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	char name[BPF_OBJ_NAME_LEN];
	int err = bpf_xdp_query((int)id->ifindex, 0, &opts);

	memset(ret, 0, sizeof(*ret));
	if (err < 0)
		return err;
	if (opts.drv_prog_id && vtc__guard_uses(opts.drv_prog_id, id->tables)) {
		ret->mode = VTC_POOL_GUARD_NATIVE;
		ret->program = opts.drv_prog_id;
		return 0;
	}
	if (opts.skb_prog_id && vtc__guard_uses(opts.skb_prog_id, id->tables)) {
		ret->mode = VTC_POOL_GUARD_GENERIC;
		ret->program = opts.skb_prog_id;
		return 0;
	}
	name_of(opts.drv_prog_id, name);
	if (vtc__guard_is_dispatcher(name))
		find_below(opts.drv_prog_id, id->tables, ret);
	return 0;
}

static uint32_t mode_flag(uint32_t mode)
{
	return mode == VTC_POOL_GUARD_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

/* Tables that the program does not use itself live as long as it all the same. */
static int keep_tables(struct vtc__guard *guard)
{
	int fd = bpf_program__fd(vtc__guard_object_program(guard->object));

	if (bpf_prog_bind_map(fd, guard->tables[VTC__GUARD_MEMBER], NULL) < 0 ||
	    bpf_prog_bind_map(fd, guard->tables[VTC__GUARD_COPIES], NULL) < 0)
		return -errno;
	return 0;
}

static int attach_alone(struct vtc__guard *guard, uint32_t mode)
{
	int fd = bpf_program__fd(vtc__guard_object_program(guard->object));
	int err = bpf_xdp_attach((int)guard->ifindex, fd,
				 XDP_FLAGS_UPDATE_IF_NOEXIST | mode_flag(mode), NULL);

	/* The kernel's word for "the other mode is in use". */
	return err == -EEXIST ? -EBUSY : err;
}

static int attach_below(struct vtc__guard *guard)
{
	struct bpf_program *program = vtc__guard_object_program(guard->object);
	struct vtc__guard_forgotten forgotten;
	struct bpf_prog_info info = { .id = 0 };
	uint32_t len = sizeof(info);
	struct xdp_program *xdp;
	int err;

	xdp = xdp_program__from_bpf_obj(guard->object,
					bpf_program__section_name(program));
	err = (int)libxdp_get_error(xdp);
	if (err < 0)
		return err;
	vtc__guard_forgotten_begin(&forgotten, guard->ctx, guard->ifindex);
	/* Of the section's name it takes no notice. Without it a large MTU is refused. */
	(void)xdp_program__set_xdp_frags_support(xdp, true);
	err = xdp_program__attach(xdp, (int)guard->ifindex, XDP_MODE_NATIVE, 0);
	xdp_program__close(xdp);
	(void)bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len);
	vtc__guard_forgotten_end(&forgotten, guard->ctx, guard->ifindex, info.id,
				 bpf_program__fd(program));
	return err;
}

/* Of others, only a dispatcher can be joined, and by a program for dispatchers alone. */
static int look_for_others(const struct vtc__guard_id *id, char name[BPF_OBJ_NAME_LEN],
			   uint32_t *program)
{
	int err = vtc__guard_present(id->ifindex, program, name);

	if (err < 0 || !*program)
		return err;
	if (id->mode == VTC_POOL_GUARD_DISPATCHER && vtc__guard_is_dispatcher(name))
		return 0;
	return -EBUSY;
}

static int attach(struct vtc__guard *guard, const struct vtc__guard_id *id)
{
	struct vtc__guard_quiet quiet;
	int err = vtc__guard_foreign(guard->ctx, "attach guard");

	if (err < 0)
		return err;
	vtc__guard_quiet_begin(&quiet);
	if (id->mode == VTC_POOL_GUARD_DISPATCHER) {
		err = attach_below(guard);
	} else {
		err = keep_tables(guard);
		if (err == 0)
			err = attach_alone(guard, id->mode);
	}
	vtc__guard_quiet_end(&quiet);
	return err;
}

static int fail(struct vtc__guard *guard, int err, const char *name, uint32_t program)
{
	char ifname[VTC__IFNAME_LEN] = "?";

	(void)vtc__ifname(guard->ctx, guard->ifindex, ifname);
	vtc__err(guard->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "attach guard program", "%s",
		 ifname);
	if (err == -EBUSY)
		vtc__err_message(guard->ctx, "the program %s (number %u) is on it", name,
				 program);
	if (err == -EOPNOTSUPP)
		vtc__err_hint(guard->ctx, "a driver that takes no programs can have one "
					  "behind it: VTC_POOL_F_GENERIC_XDP");
	return err;
}

int vtc__guard_attach(struct vtc__guard *guard, struct vtc__guard_id *id)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	struct spot spot;
	uint32_t program = 0;
	int err = look_for_others(id, name, &program);

	if (err == 0)
		err = attach(guard, id);
	/* Somebody was faster: who? */
	if (err == -EBUSY && !program)
		(void)vtc__guard_present(id->ifindex, &program, name);
	if (err < 0)
		return fail(guard, err, name, program);
	err = find(id, &spot);
	if (err == 0 && id->mode == VTC_POOL_GUARD_DISPATCHER)
		err = keep_tables(guard);
	if (err < 0) {
		(void)vtc__guard_detach(guard->ctx, id);
		return fail(guard, err, name, program);
	}
	if (spot.mode != VTC_POOL_GUARD_NONE)
		id->mode = spot.mode;
	return 0;
}

static int detach_alone(uint32_t ifindex, const struct spot *spot)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	int fd = bpf_prog_get_fd_by_id(spot->program);
	int err;

	if (fd < 0)
		return fd;
	/* Only if it is still there. */
	opts.old_prog_fd = fd;
	err = bpf_xdp_detach((int)ifindex, mode_flag(spot->mode), &opts);
	close(fd);
	return err;
}

static int detach_below(uint32_t ifindex, uint32_t number)
{
	struct xdp_program *program = xdp_program__from_id(number);
	int err = (int)libxdp_get_error(program);

	if (err < 0)
		return err;
	err = xdp_program__detach(program, (int)ifindex, XDP_MODE_NATIVE, 0);
	xdp_program__close(program);
	return err;
}

static int detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id,
		  const struct spot *spot)
{
	struct vtc__guard_forgotten forgotten;
	int err;

	if (spot->mode != VTC_POOL_GUARD_DISPATCHER)
		return detach_alone(id->ifindex, spot);
	vtc__guard_forgotten_begin(&forgotten, ctx, id->ifindex);
	err = detach_below(id->ifindex, spot->program);
	vtc__guard_forgotten_end(&forgotten, ctx, id->ifindex, spot->program, -1);
	return err;
}

int vtc__guard_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	struct vtc__guard_quiet quiet;
	struct spot spot;
	int err = find(id, &spot);

	if (err == -ENODEV || (err == 0 && spot.mode == VTC_POOL_GUARD_NONE))
		return 0;
	if (err == 0)
		err = vtc__guard_foreign(ctx, "detach guard");
	if (err < 0)
		return err;
	vtc__guard_quiet_begin(&quiet);
	err = detach(ctx, id, &spot);
	vtc__guard_quiet_end(&quiet);
	return err;
}

int vtc__guard_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	struct spot spot;
	int err = find(id, &spot);

	(void)ctx;
	if (err < 0)
		return err;
	return spot.mode != VTC_POOL_GUARD_NONE;
}
