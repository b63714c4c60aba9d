/* SPDX-License-Identifier: MIT */
/* The VFs of a PF as JSON and as tables. */
#ifndef VTCCTL_VF_H
#define VTCCTL_VF_H

#include <json-c/json.h>

#include <vtc/vf.h>

#include "args.h"

/*
 * Read VFs of a PF: those of the set, or all if it is NULL. A number that the PF does not
 * have is -ERANGE. Returns 0 or what libvtc returned; the error record then tells why.
 */
int vf_list_json(struct tool *tool, const char *pf_name, const struct index_set *set,
		 struct json_object **ret_list);

/* Print such a list as a table, and with --stats another one with the counters. */
void vf_list_print(const struct tool *tool, struct json_object *list);

#endif
