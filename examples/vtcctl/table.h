/* SPDX-License-Identifier: MIT */
/*
 * Readable output, made from the same JSON that --json prints, so that the two cannot
 * disagree: '-' stands for a field that is not there (unset), '?' for null (unknown).
 */
#ifndef VTCCTL_TABLE_H
#define VTCCTL_TABLE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A column of a table, or a line of a record; a list of them ends with a NULL heading. */
struct column {
	const char *heading;
	const char *key; /* "a.b": field b of the object in field a */
	/* How to print it where its value alone will not do; row is the whole object. */
	void (*print)(FILE *out, struct json_object *row);
	bool optional; /* left out when no row has a value */
	bool number;   /* to the right */
};

/* Rows below headings, each column as wide as its content. */
void table_print(struct json_object *rows, const struct column *columns);

/* One object, a line for each field. */
void table_print_record(struct json_object *row, const struct column *columns);

/* A number as three digits and a letter. */
void table_print_short(FILE *out, uint64_t number);

/* One value as text. */
void table_print_value(FILE *out, struct json_object *row, const char *key);

#endif
