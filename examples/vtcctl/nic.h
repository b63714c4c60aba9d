/* SPDX-License-Identifier: MIT */
/* A nic of the inventory as JSON. */
#ifndef VTCCTL_NIC_H
#define VTCCTL_NIC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include <vtc/nic.h>

/* All that the inventory knows; with caps also what the driver can do. */
struct json_object *nic_json(const struct vtc_nic *nic, bool caps);

/*
 * For tables: queues and VFs in use of how many, the PF and number of a VF, the model
 * with its vendor.
 */
void nic_print_queues(FILE *out, struct json_object *nic);
void nic_print_vfs(FILE *out, struct json_object *nic);
void nic_print_pf(FILE *out, struct json_object *nic);
void nic_print_model(FILE *out, struct json_object *nic);

#endif
