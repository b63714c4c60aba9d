/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a fuzz target is: one function, linked with libFuzzer (--enable-fuzzers) or with replay.c, which
 * gives it the corpus and nothing else.
 */
#ifndef VTCT_FUZZ_H
#define VTCT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "fakekernel.h"

struct vtc_inventory;
struct vtc_vf_list;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A fake kernel with one PF and two VFs that lives until the process ends. */
struct vtct_kernel *vtct_fuzz_kernel(void);

/* Call every getter on everything. */
void vtct_walk_inventory(const struct vtc_inventory *inventory);
void vtct_walk_vfs(const struct vtc_vf_list *list);

#endif
