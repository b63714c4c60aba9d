/* SPDX-License-Identifier: MIT */
/*
 * Saying what went wrong: libvtc's error record, or what is wrong with the command line.
 */
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "json.h"

_Noreturn void fail_memory(void)
{
	fputs("vtcctl: out of memory\n", stderr);
	exit(EXIT_FAILED);
}

int fail_exit_code(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case -ENODEV:
		return EXIT_NO_DEVICE;
	case -EPERM:
	case -EACCES:
		return EXIT_NOT_PERMITTED;
	case -EBUSY:
	case -EADDRINUSE:
		return EXIT_BUSY;
	case -ETIMEDOUT:
		return EXIT_TIMED_OUT;
	case -EOPNOTSUPP:
		return EXIT_NOT_SUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

static const char *origin_name(enum vtc_error_origin origin)
{
	static const char *const names[] = {
		[VTC_ERROR_ORIGIN_NONE] = "none",
		[VTC_ERROR_ORIGIN_ARG] = "arg",
		[VTC_ERROR_ORIGIN_SYSFS] = "sysfs",
		[VTC_ERROR_ORIGIN_NETLINK] = "netlink",
		[VTC_ERROR_ORIGIN_PCI] = "pci",
		[VTC_ERROR_ORIGIN_SYSTEM] = "system",
		[VTC_ERROR_ORIGIN_DEVICE] = "device",
		[VTC_ERROR_ORIGIN_LIBRARY] = "library",
	};

	if ((size_t)origin >= sizeof(names) / sizeof(names[0]))
		return "system";
	return names[origin];
}

static struct json_object *error_json(const char *text, int exit_code)
{
	struct json_object *error = json_new();

	json_add_text(error, "error", 1, text);
	json_add_number(error, "exit_code", 1, (uint64_t)exit_code);
	return error;
}

int fail_usage(const struct tool *tool, const char *format, ...)
{
	struct json_object *error;
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		fail_memory();
	if (tool->settings.json) {
		error = error_json(text, EXIT_USAGE);
		if (tool->command)
			json_add_text(error, "command", 1, tool->command->name);
		json_print(stderr, error);
	} else {
		fputs("vtcctl: ", stderr);
		if (tool->command)
			fprintf(stderr, "%s: ", tool->command->name);
		json_print_clean(stderr, text);
		fputc('\n', stderr);
		help_usage(stderr, tool->command);
	}
	free(text);
	return EXIT_USAGE;
}

int fail_unknown(const struct tool *tool, const char *what, const char *typed,
		 const char *meant)
{
	if (!meant)
		return fail_usage(tool, "unknown %s '%s'", what, typed);
	return fail_usage(tool, "unknown %s '%s'; did you mean '%s'?", what, typed,
			  meant);
}

/*
 * libvtc's hints name its flags; here they are options. A longer name goes before its
 * beginning.
 */
static const struct {
	const char *flag;
	const char *option; /* not longer than the flag */
} options_of_flags[] = {
	{ "VTC_PF_F_DESTROY_IN_USE", "--destroy-in-use" },
	{ "VTC_PF_F_DESTROY", "--destroy" },
	{ "VTC_PF_DOWN_FAIL", "--if-down fail" },
	{ "VTC_VHOST_USER_F_TRUSTED", "--trust-memory" },
	{ "VTC_POOL_F_EVERYTHING", "--everything" },
	{ "VTC_POOL_F_GENERIC_XDP", "--generic" },
	{ "VTC_POOL_F_GROUP_COPY", "--group-copy" },
	{ "vtc_pool_opts.target", "--target" },
	{ "vtc_pool_release()", "vtcctl pool remove" },
	{ "vtc_pool_choice_new(), or vtcctl explain",
	  "vtcctl explain with the same options" },
};

static void name_options(char *text)
{
	for (size_t i = 0; i < sizeof(options_of_flags) / sizeof(options_of_flags[0]);
	     i++) {
		const char *flag = options_of_flags[i].flag;
		const char *option = options_of_flags[i].option;
		size_t len = strlen(option);
		char *at;

		while ((at = strstr(text, flag))) {
			memcpy(at, option, len);
			memmove(at + len, at + strlen(flag),
				strlen(at + strlen(flag)) + 1);
		}
	}
}

char *fail_with_options(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		fail_memory();
	name_options(copy);
	return copy;
}

char *fail_record_text(const struct tool *tool)
{
	const struct vtc_error *record = vtc_ctx_last_error(tool->ctx);
	int len = vtc_error_format(record, NULL, 0);
	char *text = len < 0 ? NULL : malloc((size_t)len + 1);

	if (!text)
		fail_memory();
	vtc_error_format(record, text, (size_t)len + 1);
	name_options(text);
	return text;
}

static void record_json(const struct vtc_error *record, struct json_object *error)
{
	char *hint = fail_with_options(vtc_error_get_hint(record));

	json_add_number(error, "errno", 1, (uint64_t)-vtc_error_get_code(record));
	json_add_text(error, "origin", 1, origin_name(vtc_error_get_origin(record)));
	json_add_text(error, "operation", 1, vtc_error_get_operation(record));
	json_add_text(error, "subject", 1, vtc_error_get_subject(record));
	json_add_text(error, "message", 1, vtc_error_get_message(record));
	json_add_text(error, "hint", 1, hint);
	free(hint);
}

/* Print an error, as text or as the object if there is one; both are freed. */
static void print(char *text, struct json_object *error)
{
	/* Behind what was printed before it, also if both go into one file. */
	fflush(stdout);
	if (error) {
		json_print(stderr, error);
	} else {
		fputs("vtcctl: ", stderr);
		json_print_clean(stderr, text);
		fputc('\n', stderr);
	}
	free(text);
}

static int say(int code, char *text, struct json_object *error)
{
	print(text, error);
	return fail_exit_code(code);
}

void fail_note(const struct tool *tool, const char *subject, const char *text)
{
	struct json_object *error = NULL;
	char *line;

	if (asprintf(&line, "%s: %s", subject, text) < 0)
		fail_memory();
	name_options(line);
	if (tool->settings.json) {
		error = json_new();
		json_add_text(error, "error", 1, line);
		json_add_text(error, "subject", 1, subject);
	}
	print(line, error);
}

int fail_vtc(const struct tool *tool, int code)
{
	struct json_object *error = NULL;
	char *text = fail_record_text(tool);

	if (tool->settings.json) {
		error = error_json(text, fail_exit_code(code));
		record_json(vtc_ctx_last_error(tool->ctx), error);
	}
	return say(code, text, error);
}

/* The beginning of what libvtc's record would say. */
static void own_json(struct json_object *error, int number, enum vtc_error_origin origin,
		     const char *operation)
{
	json_add_number(error, "errno", 1, (uint64_t)number);
	json_add_text(error, "origin", 1, origin_name(origin));
	json_add_text(error, "operation", 1, operation);
}

int fail_plain(const struct tool *tool, int code, const char *operation,
	       const char *subject, const char *hint)
{
	struct json_object *error = NULL;
	char *text;

	if (asprintf(&text, "%s%s%s: %s%s%s", operation, subject ? " " : "",
		     subject ? subject : "", strerror(-code), hint ? "; " : "",
		     hint ? hint : "") < 0)
		fail_memory();
	if (tool->settings.json) {
		error = error_json(text, fail_exit_code(code));
		own_json(error, -code, VTC_ERROR_ORIGIN_SYSTEM, operation);
		json_add_text(error, "subject", subject != NULL, subject);
		json_add_text(error, "message", 1, strerror(-code));
		json_add_text(error, "hint", hint != NULL, hint);
	}
	return say(code, text, error);
}

int fail_missing(const struct tool *tool, const char *what, const char *name,
		 const char *at, const char *hint)
{
	struct json_object *error = NULL;
	char *text;

	if (asprintf(&text, "%s has no %s '%s'; %s", at, what, name, hint) < 0)
		fail_memory();
	if (tool->settings.json) {
		error = error_json(text, EXIT_NO_DEVICE);
		own_json(error, ENOENT, VTC_ERROR_ORIGIN_LIBRARY, "find");
		json_add_text(error, "subject", 1, name);
		json_add_text(error, "message", 1, strerror(ENOENT));
		json_add_text(error, "hint", 1, hint);
	}
	print(text, error);
	return EXIT_NO_DEVICE;
}
