/* SPDX-License-Identifier: MIT */
/* What the commands for pools have in common: words to filters, and pools to JSON. */
#ifndef VTCCTL_POOL_H
#define VTCCTL_POOL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include <vtc/pool.h>

#include "vtcctl.h"

/* Room for a filter as text. */
#define FILTER_TEXT_LEN 24

/* The words that --backend takes. */
extern const struct choice pool_backends[];

/* Read a filter: MAC, MAC@VLAN or @VLAN. 0 or an exit code; what is wrong was said. */
int pool_filter_read(const struct tool *tool, const char *text, struct vtc_filter *ret);
void pool_filter_text(const struct vtc_filter *filter, char text[FILTER_TEXT_LEN]);

/* Whether the second parameter can be the name of a pool: 0 or an exit code. */
int pool_check_name(const struct tool *tool);

/* The pool that the first two parameters name. 0 or an exit code. */
int pool_open(struct tool *tool, struct vtc_pool **ret_pool);

/* Give it back. The handle is gone in any case. 0 or what libvtc returned. */
int pool_release(struct vtc_pool *pool);

/*
 * What a pool is: its info, filters and rate. Also if something cannot be read: then that
 * is null, and *ret_error what libvtc returned.
 */
struct json_object *pool_json(struct vtc_pool *pool, int *ret_error);

/* 0 or what libvtc returned, and no list then. */
int pool_filters_json(struct vtc_pool *pool, struct json_object **ret_list);

/* Add "nic", as it is called now, and "name". */
void pool_add_names(struct json_object *to, struct vtc_pool *pool);

/* What can be found out of "pool create" without a change: 0 or the exit code. */
int pool_check_create(struct tool *tool, const struct vtc_filter *filters);

/* The pools of a card (NULL: of all). 0 or what libvtc returned. */
int pool_list_json(struct tool *tool, const char *nic, struct json_object **ret_list);

/* Add the rate that was set, if there is one. */
void pool_add_rate(struct json_object *to, struct vtc_pool *pool);

/* "weight 4 exact, max 100mbit capped, by vf", for tables. */
void pool_print_rate(FILE *out, struct json_object *row);

/* The options of a pool that the command line asks for, but for its name. */
struct vtc_pool_opts pool_opts(const struct settings *settings);

/* Each backend, and whether and why it can be used. */
struct json_object *pool_choice_json(const struct vtc_pool_choice *choice);

#endif
