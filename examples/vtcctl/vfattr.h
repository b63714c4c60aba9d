/* SPDX-License-Identifier: MIT */
/*
 * The attributes of a VF: one table for reading words into a configuration, and for JSON.
 */
#ifndef VTCCTL_VFATTR_H
#define VTCCTL_VFATTR_H

#include <json-c/json.h>

#include <vtc/vf.h>

#include "vtcctl.h"

/* The words of "vf set" behind the VF numbers. */
struct words {
	char **at;
	unsigned int left;
};

/*
 * Read all words as attributes with values into a configuration. Returns 0 or an exit
 * code; what is wrong has then been said.
 */
int vfattr_read(const struct tool *tool, struct words words, struct vtc_vf_config *config,
		uint32_t *ret_asked);

/* Add all attributes; vf NULL: all are unknown. */
void vfattr_json(struct json_object *to, const struct vtc_vf *vf);

/* Prints what "vf set" takes. */
void vfattr_explain(void);

#endif
