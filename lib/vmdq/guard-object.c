/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs of the guard, which are part of the library, and how they are loaded. */
#include <errno.h>
#include <string.h>

#include "guard-internal.h"

/* Newer than the oldest headers that we build with. */
#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY (1u << 6)
#endif

static const unsigned char plain_image[] __attribute__((aligned(8))) = {
#include "vmdq/guard-plain.inc"
};

static const unsigned char tags_image[] __attribute__((aligned(8))) = {
#include "vmdq/guard-tags.inc"
};

static const unsigned char flood_image[] __attribute__((aligned(8))) = {
#include "vmdq/guard-flood.inc"
};

static const struct {
	const unsigned char *data;
	size_t size;
} images[] = {
	[VTC__GUARD_IMAGE_PLAIN] = { plain_image, sizeof(plain_image) },
	[VTC__GUARD_IMAGE_TAGS] = { tags_image, sizeof(tags_image) },
	[VTC__GUARD_IMAGE_FLOOD] = { flood_image, sizeof(flood_image) },
};

static __attribute__((format(printf, 2, 0))) int say_nothing(
	enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static __attribute__((format(printf, 2, 0))) int say_nothing_either(
	enum libxdp_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

void vtc__guard_quiet_begin(struct vtc__guard_quiet *quiet)
{
	quiet->libbpf = libbpf_set_print(say_nothing);
	quiet->libxdp = libxdp_set_print(say_nothing_either);
}

void vtc__guard_quiet_end(const struct vtc__guard_quiet *quiet)
{
	libbpf_print_fn_t libbpf = libbpf_set_print(quiet->libbpf);
	libxdp_print_fn_t libxdp = libxdp_set_print(quiet->libxdp);

	if (libbpf != say_nothing)
		libbpf_set_print(libbpf);
	if (libxdp != say_nothing_either)
		libxdp_set_print(libxdp);
}

struct bpf_program *vtc__guard_object_program(const struct bpf_object *object)
{
	return bpf_object__next_program(object, NULL);
}

/* Its tables are there already: whoever goes by their numbers knows them before. */
static int use_tables(const struct vtc__guard *guard, struct bpf_object *object)
{
	enum vtc__guard_table table;
	struct bpf_map *map;
	int err;

	for (table = 0; table < VTC__GUARD_TABLES; table++) {
		map = bpf_object__find_map_by_name(object, vtc__guard_table_name(table));
		if (!map)
			continue;
		err = bpf_map__reuse_fd(map, guard->tables[table]);
		if (err < 0)
			return err;
	}
	return 0;
}

int vtc__guard_object_open(struct vtc__guard *guard, enum vtc__guard_image image,
			   struct bpf_object **ret)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "vtc_guard");
	struct bpf_object *object;
	struct bpf_program *program;
	int err;

	object = bpf_object__open_mem(images[image].data, images[image].size, &opts);
	if (!object)
		return -errno;
	err = use_tables(guard, object);
	if (err < 0) {
		bpf_object__close(object);
		return err;
	}
	program = vtc__guard_object_program(object);
	if (image == VTC__GUARD_IMAGE_TAGS) {
		bpf_program__set_ifindex(program, guard->ifindex);
		bpf_program__set_flags(program, bpf_program__flags(program) |
							BPF_F_XDP_DEV_BOUND_ONLY);
	}
	*ret = object;
	return 0;
}
