/* SPDX-License-Identifier: MIT */
/*
 * Building and printing JSON. Names from the kernel can hold any byte: what is no UTF-8
 * goes.
 */
#include "json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static struct json_object *must(struct json_object *object)
{
	if (!object)
		fail_memory();
	return object;
}

/*
 * Length of the UTF-8 sequence at text; 0: there is none, or it is a control character.
 */
static size_t sequence(const unsigned char *text)
{
	size_t len = 1;

	if (text[0] < 0x80)
		return text[0] >= 0x20 && text[0] != 0x7f;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		len = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		len = 3;
	else
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Over-long forms, surrogates, and the control characters from 0x80 on. */
	if ((text[0] == 0xc2 && text[1] < 0xa0) || (text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] >= 0xa0))
		return 0;
	return len;
}

/* A copy with a question mark for each byte that has no place in text; free() it. */
static char *cleaned(const char *text)
{
	char *copy = strdup(text);
	char *at = copy;

	if (!copy)
		fail_memory();
	while (*at) {
		size_t len = sequence((const unsigned char *)at);

		if (len == 0)
			*at = '?';
		at += len ? len : 1;
	}
	return copy;
}

void json_print_clean(FILE *out, const char *text)
{
	char *copy = cleaned(text);

	fputs(copy, out);
	free(copy);
}

struct json_object *json_new(void)
{
	return must(json_object_new_object());
}

struct json_object *json_new_list(void)
{
	return must(json_object_new_array());
}

struct json_object *json_new_text(const char *text)
{
	char *copy = cleaned(text);
	struct json_object *value = must(json_object_new_string(copy));

	free(copy);
	return value;
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) != 0)
		fail_memory();
}

void json_append(struct json_object *list, struct json_object *value)
{
	if (json_object_array_add(list, value) != 0)
		fail_memory();
}

/* Whether there is a value to add; null has been added if it is unknown. */
static bool has_value(struct json_object *object, const char *key, int known)
{
	if (known < 0)
		json_add(object, key, NULL);
	return known > 0;
}

void json_add_text(struct json_object *object, const char *key, int known,
		   const char *text)
{
	if (has_value(object, key, known))
		json_add(object, key, json_new_text(text));
}

void json_add_number(struct json_object *object, const char *key, int known,
		     uint64_t number)
{
	/* json-c 0.13 knows signed numbers only. */
	if (number > INT64_MAX)
		known = -1;
	if (has_value(object, key, known))
		json_add(object, key, must(json_object_new_int64((int64_t)number)));
}

void json_add_bool(struct json_object *object, const char *key, int known, int on)
{
	if (has_value(object, key, known))
		json_add(object, key, must(json_object_new_boolean(on)));
}

static void print(FILE *out, struct json_object *value, int flags)
{
	const char *text = json_object_to_json_string_ext(
		value, flags | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		fail_memory();
	fprintf(out, "%s\n", text);
	json_object_put(value);
}

void json_print(FILE *out, struct json_object *value)
{
	print(out, value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void json_print_line(FILE *out, struct json_object *value)
{
	print(out, value, JSON_C_TO_STRING_PLAIN);
}
