/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes the results of the benchmark programs, one line of JSON each, from standard
 * input; writes them to a file as one list, and prints them as a table.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static struct json_object *read_rows(void)
{
	struct json_object *rows = json_object_new_array(), *row;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) >= 0) {
		row = json_tokener_parse(line);
		if (!json_object_is_type(row, json_type_object))
			bench_die("not a result: %s", line);
		json_object_array_add(rows, row);
	}
	free(line);
	return rows;
}

static const char *text(struct json_object *row, const char *key)
{
	struct json_object *value = json_object_object_get(row, key);

	return value ? json_object_get_string(value) : "-";
}

/* Digits as many as say something. */
static const char *number(struct json_object *row, const char *key, char buf[32])
{
	struct json_object *value = json_object_object_get(row, key);
	double v = value ? json_object_get_double(value) : 0;
	int decimals = v >= 1000 ? 0 : v >= 10 ? 1 : 2;

	if (!value)
		return "-";
	snprintf(buf, 32, "%.*f", decimals, v);
	return buf;
}

static const char *verdict(struct json_object *row)
{
	struct json_object *ratio = json_object_object_get(row, "ratio");
	struct json_object *target = json_object_object_get(row, "target");

	if (!target)
		return "";
	if (!ratio)
		return "not measured";
	if (json_object_get_double(ratio) < json_object_get_double(target))
		return "missed";
	return "reached";
}

static void print_row(struct json_object *row, size_t note)
{
	char value[32], least[32], most[32], peer[32], ratio[32], target[32];

	printf("%-36s %9s %-5s %9s %9s %4s  %-26s %9s %8s %7s  %-12s (%zu)\n",
	       text(row, "name"), number(row, "value", value), text(row, "unit"),
	       number(row, "min", least), number(row, "max", most), text(row, "runs"),
	       text(row, "peer"), number(row, "peer_value", peer),
	       number(row, "ratio", ratio), number(row, "target", target), verdict(row),
	       note);
}

/* Number of a note, from 1; the same text is printed once. */
static size_t note_of(struct json_object *notes, struct json_object *row)
{
	const char *note = text(row, "note");
	size_t i, count = json_object_array_length(notes);

	for (i = 0; i < count; i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(notes, i)),
			   note) == 0)
			return i + 1;
	json_object_array_add(notes, json_object_new_string(note));
	return count + 1;
}

static void print_table(struct json_object *rows)
{
	struct json_object *notes = json_object_new_array();
	size_t i;

	printf("%-36s %9s %-5s %9s %9s %4s  %-26s %9s %8s %7s\n", "name", "median",
	       "unit", "min", "max", "runs", "peer", "median", "ratio", "target");
	for (i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		print_row(row, note_of(notes, row));
	}
	puts("\nratio: times better than the peer");
	for (i = 0; i < json_object_array_length(notes); i++)
		printf("(%zu) %s\n", i + 1,
		       json_object_get_string(json_object_array_get_idx(notes, i)));
	json_object_put(notes);
}

int main(int argc, char **argv)
{
	struct json_object *rows;

	if (argc != 2)
		bench_die("usage: report FILE <RESULTS");
	rows = read_rows();
	if (json_object_to_file_ext(argv[1], rows, JSON_C_TO_STRING_PRETTY) < 0)
		bench_die("%s", json_util_get_last_err());
	print_table(rows);
	json_object_put(rows);
	return 0;
}
