/* SPDX-License-Identifier: MIT */
/* Readable tables and records from JSON objects. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"

/* The field that key names. False: there is none. */
static bool field(struct json_object *row, const char *key, struct json_object **ret)
{
	const char *dot = strchr(key, '.');
	char first[32];

	if (!dot)
		return json_object_object_get_ex(row, key, ret);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - key), key);
	if (!json_object_object_get_ex(row, first, ret) || !*ret)
		return false;
	return json_object_object_get_ex(*ret, dot + 1, ret);
}

static void print_scalar(FILE *out, struct json_object *value)
{
	if (!value)
		fputc('?', out);
	else if (json_object_get_type(value) == json_type_boolean)
		fputs(json_object_get_boolean(value) ? "on" : "off", out);
	else
		fputs(json_object_get_string(value), out);
}

/* The members of a list, or their names if they are objects. */
static void print_list(FILE *out, struct json_object *list)
{
	size_t count = json_object_array_length(list);

	if (count == 0)
		fputc('-', out);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (json_object_get_type(item) == json_type_object)
			json_object_object_get_ex(item, "name", &item);
		if (i > 0)
			fputc(' ', out);
		print_scalar(out, item);
	}
}

static void print_object(FILE *out, struct json_object *object)
{
	const char *gap = "";

	json_object_object_foreach(object, key, value)
	{
		fprintf(out, "%s%s ", gap, key);
		print_scalar(out, value);
		gap = " ";
	}
}

void table_print_value(FILE *out, struct json_object *row, const char *key)
{
	struct json_object *value;

	if (!field(row, key, &value)) {
		fputc('-', out);
		return;
	}
	switch (json_object_get_type(value)) {
	case json_type_array:
		print_list(out, value);
		break;
	case json_type_object:
		print_object(out, value);
		break;
	default:
		print_scalar(out, value);
	}
}

static char *cell(struct json_object *row, const struct column *column)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		fail_memory();
	if (column->print)
		column->print(out, row);
	else
		table_print_value(out, row, column->key);
	if (fclose(out) != 0 || !text)
		fail_memory();
	return text;
}

/* How many places a text takes: the bytes that continue a UTF-8 sequence take none. */
static int width(const char *text)
{
	int places = 0;

	for (; *text; text++)
		places += (*text & 0xc0) != 0x80;
	return places;
}

static bool is_shown(struct json_object *rows, const struct column *column)
{
	struct json_object *value;

	if (!column->optional)
		return true;
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		if (field(json_object_array_get_idx(rows, i), column->key, &value) &&
		    value)
			return true;
	return false;
}

void table_print_short(FILE *out, uint64_t number)
{
	static const char letters[] = " kMGT";
	double rest = (double)number;
	size_t i = 0;

	for (; rest >= 999.5 && i < sizeof(letters) - 2; i++)
		rest /= 1000;
	if (i == 0)
		fprintf(out, "%.0f", rest);
	else
		fprintf(out, "%.*f%c",
			rest < 9.995   ? 2
			: rest < 99.95 ? 1
				       : 0,
			rest, letters[i]);
}

/* All cells of one column, the heading first. */
struct strip {
	const struct column *column;
	char **cells;
	int width;
	bool last;
};

static void make_strip(struct strip *strip, struct json_object *rows)
{
	size_t count = json_object_array_length(rows);

	strip->cells = calloc(count + 1, sizeof(*strip->cells));
	if (!strip->cells)
		fail_memory();
	strip->cells[0] = strdup(strip->column->heading);
	if (!strip->cells[0])
		fail_memory();
	for (size_t i = 0; i < count; i++)
		strip->cells[i + 1] =
			cell(json_object_array_get_idx(rows, i), strip->column);
	for (size_t i = 0; i <= count; i++)
		if (width(strip->cells[i]) > strip->width)
			strip->width = width(strip->cells[i]);
}

/* Prints the cell of a row; it is not needed any more after that. */
static void print_cell(const struct strip *strip, size_t row)
{
	char *text = strip->cells[row];
	int pad = strip->width - width(text);

	if (strip->column->number)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, strip->last ? 0 : pad, "");
	fputs(strip->last ? "\n" : "  ", stdout);
	free(text);
}

void table_print(struct json_object *rows, const struct column *columns)
{
	struct strip strips[16] = { 0 };
	size_t count = 0;

	for (; columns->heading && count < 16; columns++)
		if (is_shown(rows, columns))
			strips[count++].column = columns;
	for (size_t i = 0; i < count; i++) {
		strips[i].last = i + 1 == count;
		make_strip(&strips[i], rows);
	}
	for (size_t row = 0; row <= json_object_array_length(rows); row++)
		for (size_t i = 0; i < count; i++)
			print_cell(&strips[i], row);
	for (size_t i = 0; i < count; i++)
		free(strips[i].cells);
}

void table_print_record(struct json_object *row, const struct column *columns)
{
	int widest = 0;

	for (size_t i = 0; columns[i].heading; i++)
		if (width(columns[i].heading) > widest)
			widest = width(columns[i].heading);
	for (size_t i = 0; columns[i].heading; i++) {
		struct json_object *value;
		char *text;

		if (columns[i].optional && !field(row, columns[i].key, &value))
			continue;
		text = cell(row, &columns[i]);
		printf("%-*s  %s\n", widest, columns[i].heading, text);
		free(text);
	}
}
