/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a guard can be had, in which way, and making or opening one. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "guard-internal.h"
#include "uplink.h"

#define NOTE(...) snprintf(note, len, __VA_ARGS__)

int vtc__guard_foreign(struct vtc_ctx *ctx, const char *what)
{
	return ctx->sys->foreign(ctx->sys_priv, what);
}

/* The smallest table and program: may we, and can the kernel? */
static int try_table(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vtc_probe", 4, 4, 1, NULL);
	uint32_t number;
	int err, again;

	if (fd < 0)
		return fd;
	err = vtc__guard_table_number(fd, &number);
	if (err == 0) {
		again = bpf_map_get_fd_by_id(number);
		err = again < 0 ? again : 0;
		if (again >= 0)
			close(again);
	}
	close(fd);
	return err;
}

static int try_program(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP,
		    .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "vtc_probe", "GPL", pass, 2, &opts);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_kernel(char *why, size_t len)
{
	int err = try_table();

	if (err == -EPERM) {
		snprintf(why, len, "programs need CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN");
	} else if (err < 0) {
		snprintf(why, len, "the kernel makes no tables for programs: %s",
			 strerrordesc_np(-err));
	} else {
		err = try_program();
		if (err < 0)
			snprintf(why, len, "no program can be loaded (Linux 5.18?): %s",
				 strerrordesc_np(-err));
	}
	return err == -EPERM || err == -ENOMEM || err == 0 ? err : -EOPNOTSUPP;
}

int vtc__guard_probe(struct vtc_ctx *ctx, uint32_t ifindex, char *why, size_t len)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t program;
	int err;

	(void)ctx;
	if (len > 0)
		why[0] = '\0';
	err = try_kernel(why, len);
	if (err < 0)
		return err;
	err = vtc__guard_present(ifindex, &program, name);
	if (err < 0) {
		snprintf(why, len, "the interface does not tell of programs: %s",
			 strerrordesc_np(-err));
		return err;
	}
	if (program && !vtc__guard_is_dispatcher(name)) {
		snprintf(why, len, "the program %s (number %u) is on it", name, program);
		return -EBUSY;
	}
	return 0;
}

static bool has_bpffs(void)
{
	struct statfs fs;

	return statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* How it is to be attached, and what is not as one might expect of that. */
static void choose(struct vtc__guard *guard, uint32_t flags, bool tags_hidden,
		   struct vtc__guard_id *id, char *note, size_t len)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t features = 0, program = 0;

	(void)vtc__guard_present(guard->ifindex, &program, name);
	if (tags_hidden)
		(void)vtc__guard_features(guard->ctx, guard->ifindex, &features);
	id->sees_tags = !(flags & VTC_POOL_F_GENERIC_XDP) && !program &&
			(features & VTC__GUARD_CAN_TELL_TAGS);
	id->mode = VTC_POOL_GUARD_NATIVE;
	if (flags & VTC_POOL_F_GENERIC_XDP)
		id->mode = VTC_POOL_GUARD_GENERIC;
	else if (flags & VTC_POOL_F_PLAIN_XDP)
		NOTE("%s", "");
	else if (id->sees_tags)
		NOTE("no dispatcher: a program that sees the VLAN tags which the driver "
		     "keeps beside the frame fits none");
	else if (!has_bpffs())
		NOTE("no dispatcher: /sys/fs/bpf is not a bpffs");
	else
		id->mode = VTC_POOL_GUARD_DISPATCHER;
	if (tags_hidden && !id->sees_tags)
		NOTE("VLAN tags that the driver keeps beside the frame are not seen, and "
		     "lost on the way to a pool%s",
		     program ? ": another program's dispatcher is there already" : "");
}

static int load(struct vtc__guard *guard, struct vtc__guard_id *id)
{
	int err = vtc__guard_foreign(guard->ctx, "load guard");

	if (err < 0)
		return err;
	err = vtc__guard_tables_make(guard, id->mode == VTC_POOL_GUARD_GENERIC);
	if (err < 0)
		return err;
	err = vtc__guard_table_number(guard->tables[VTC__GUARD_CONFIG], &id->tables);
	if (err < 0)
		return err;
	err = vtc__guard_object_open(
		guard, id->sees_tags ? VTC__GUARD_IMAGE_TAGS : VTC__GUARD_IMAGE_PLAIN,
		&guard->object);
	/* For the dispatcher it becomes another kind of program: libxdp loads it. */
	if (err == 0 && id->mode != VTC_POOL_GUARD_DISPATCHER)
		err = bpf_object__load(guard->object);
	return err;
}

static struct vtc__guard *guard_new(struct vtc_ctx *ctx, uint32_t ifindex)
{
	struct vtc__guard *guard = calloc(1, sizeof(*guard));
	unsigned int i;

	if (!guard)
		return NULL;
	guard->ctx = ctx;
	guard->ifindex = ifindex;
	for (i = 0; i < VTC__GUARD_TABLES; i++)
		guard->tables[i] = -1;
	return guard;
}

int vtc__guard_load(struct vtc_ctx *ctx, uint32_t ifindex, uint32_t flags,
		    bool tags_hidden, struct vtc__guard **ret_guard,
		    struct vtc__guard_id *ret_id, char *note, size_t len)
{
	struct vtc__guard *guard = guard_new(ctx, ifindex);
	struct vtc__guard_id id = { .ifindex = ifindex };
	struct vtc__guard_quiet quiet;
	int err;

	if (!guard)
		return -ENOMEM;
	NOTE("%s", "");
	choose(guard, flags, tags_hidden, &id, note, len);
	vtc__guard_quiet_begin(&quiet);
	err = load(guard, &id);
	vtc__guard_quiet_end(&quiet);
	if (err < 0) {
		vtc__guard_close(guard);
		return err;
	}
	*ret_guard = guard;
	*ret_id = id;
	return 0;
}

int vtc__guard_open(struct vtc_ctx *ctx, const struct vtc__guard_id *id,
		    struct vtc__guard **ret_guard)
{
	struct vtc__guard *guard = guard_new(ctx, id->ifindex);
	int err;

	if (!guard)
		return -ENOMEM;
	err = vtc__guard_tables_open(guard, id->tables);
	if (err < 0) {
		vtc__guard_close(guard);
		return err;
	}
	*ret_guard = guard;
	return 0;
}

void vtc__guard_close(struct vtc__guard *guard)
{
	if (!guard)
		return;
	bpf_object__close(guard->object);
	vtc__guard_tables_close(guard);
	free(guard);
}
