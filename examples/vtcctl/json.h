/* SPDX-License-Identifier: MIT */
/*
 * Building and printing JSON, by json-c. A property of a device goes in by its tri-state:
 * value, unset (the field is left out), unknown (the field is null).
 */
#ifndef VTCCTL_JSON_H
#define VTCCTL_JSON_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

/* None of these can fail: without memory the tool ends. */
struct json_object *json_new(void);
struct json_object *json_new_list(void);
struct json_object *json_new_text(const char *text);
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_append(struct json_object *list, struct json_object *value);

/* "known" is what a tri-state getter of libvtc returned. */
void json_add_text(struct json_object *object, const char *key, int known,
		   const char *text);
void json_add_number(struct json_object *object, const char *key, int known,
		     uint64_t number);
void json_add_bool(struct json_object *object, const char *key, int known, int on);

/* Print in readable form, and free. */
void json_print(FILE *out, struct json_object *value);
/* Print on one line, and free. */
void json_print_line(FILE *out, struct json_object *value);

/* Print text from elsewhere without letting it steer the terminal. */
void json_print_clean(FILE *out, const char *text);

#endif
