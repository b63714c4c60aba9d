/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the guard share. */
#ifndef VTC__GUARD_INTERNAL_H
#define VTC__GUARD_INTERNAL_H

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "guard.h"

struct vtc__guard {
	struct vtc_ctx *ctx;
	uint32_t ifindex;
	int tables[VTC__GUARD_TABLES]; /* descriptors; -1: not open */
	struct bpf_object *object;     /* NULL: opened, not loaded here */
};

/* Ask whether a change may be made by one of the libraries. */
int vtc__guard_foreign(struct vtc_ctx *ctx, const char *what);

/* ---- Programs (guard-object.c) ---- */

enum vtc__guard_image {
	VTC__GUARD_IMAGE_PLAIN,
	VTC__GUARD_IMAGE_TAGS, /* sees hidden tags; for the guard's interface only */
	VTC__GUARD_IMAGE_FLOOD,
};

/* An object that uses the guard's tables; nothing of it is in the kernel yet. */
int vtc__guard_object_open(struct vtc__guard *guard, enum vtc__guard_image image,
			   struct bpf_object **ret);
/* The one program of an object. */
struct bpf_program *vtc__guard_object_program(const struct bpf_object *object);

/*
 * libbpf and libxdp print what they think of a failure, to the standard error of the
 * process that we are a guest in, and the only way to keep them from that is one function
 * for the whole process. It is in place from begin to end, around calls that may fail,
 * and no longer; what libbpf has to tell to other threads in that time is lost. If
 * another thread sets a function meanwhile, that one stays.
 */
struct vtc__guard_quiet {
	libbpf_print_fn_t libbpf;
	libxdp_print_fn_t libxdp;
};

void vtc__guard_quiet_begin(struct vtc__guard_quiet *quiet);
void vtc__guard_quiet_end(const struct vtc__guard_quiet *quiet);

/* ---- Descriptors that libxdp forgets (guard-forgotten.c) ---- */

#define VTC__GUARD_FORGOTTEN_MAX 256u

struct vtc__guard_forgotten {
	bool known; /* what was open before */
	uint32_t dispatcher;
	unsigned int count;
	int fds[VTC__GUARD_FORGOTTEN_MAX];
};

/* Around a call of libxdp about a program on an interface; keep: one that is in use. */
void vtc__guard_forgotten_begin(struct vtc__guard_forgotten *forgotten,
				struct vtc_ctx *ctx, uint32_t ifindex);
void vtc__guard_forgotten_end(const struct vtc__guard_forgotten *before,
			      struct vtc_ctx *ctx, uint32_t ifindex, uint32_t program,
			      int keep);

/* ---- Where programs are (guard-attach.c) ---- */

/* Whether a program uses a table. */
bool vtc__guard_uses(uint32_t program, uint32_t table);
/* The program that is on an interface, or 0; the name is that which the kernel tells. */
int vtc__guard_present(uint32_t ifindex, uint32_t *ret_program,
		       char name[BPF_OBJ_NAME_LEN]);
bool vtc__guard_is_dispatcher(const char *name);

/* ---- What an interface can do (guard-feature.c) ---- */

#define VTC__GUARD_CAN_TAKE	  (1u << 0) /* frames that a program redirects to it */
#define VTC__GUARD_CAN_TAKE_PARTS (1u << 1) /* ... also such in more than one piece */
#define VTC__GUARD_CAN_TELL_TAGS  (1u << 2) /* its driver tells hidden tags */

/* -ENODEV; -ENOENT: the kernel does not tell (before Linux 6.3). */
int vtc__guard_features(struct vtc_ctx *ctx, uint32_t ifindex, uint32_t *ret);

/* ---- Tables (guard-table.c) ---- */

int vtc__guard_tables_make(struct vtc__guard *guard, bool behind_driver);
/* -ENOENT: there are none of this number, or they are of another interface. */
int vtc__guard_tables_open(struct vtc__guard *guard, uint32_t number);
void vtc__guard_tables_close(struct vtc__guard *guard);
const char *vtc__guard_table_name(enum vtc__guard_table table);
/* Number of a table in the kernel. */
int vtc__guard_table_number(int fd, uint32_t *ret);

int vtc__guard_read(struct vtc__guard *guard, enum vtc__guard_table table,
		    const void *key, void *ret);
int vtc__guard_write(struct vtc__guard *guard, enum vtc__guard_table table,
		     const void *key, const void *value, uint64_t flags);
int vtc__guard_erase(struct vtc__guard *guard, enum vtc__guard_table table,
		     const void *key);

/* Forget what VLANs a slot is a member of (guard-rule.c). */
int vtc__guard_forget_members(struct vtc__guard *guard, uint32_t slot);

#endif
