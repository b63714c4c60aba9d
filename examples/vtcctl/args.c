/* SPDX-License-Identifier: MIT */
/* The command line: from words to a command, its settings and its parameters. */
#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "help.h"
#include "nearest.h"

/* Where the parser is. */
struct cursor {
	struct tool *tool;
	char **argv;
	int argc;
	int at;
	const char *group; /* first word of a command that has two */
};

bool args_number(const char *text, uint32_t max, uint32_t *ret)
{
	unsigned long long number;
	char *end;

	/* strtoull() would take a sign and leading blanks. */
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end != '\0' || errno != 0 || number > max)
		return false;
	*ret = (uint32_t)number;
	return true;
}

bool args_choice(const struct choice *choices, const char *word, uint32_t *ret)
{
	for (size_t i = 0; choices[i].name; i++) {
		if (strcmp(choices[i].name, word) == 0) {
			*ret = choices[i].value;
			return true;
		}
	}
	return false;
}

/* Add "3" or "0-3" to the set; the text is cut in two for it. */
static bool add_range(struct index_set *set, char *text)
{
	uint32_t first, last;
	char *dash = strchr(text, '-');

	if (dash)
		*dash = '\0';
	if (!args_number(text, INDEX_LIMIT - 1, &first))
		return false;
	last = first;
	if (dash && (!args_number(dash + 1, INDEX_LIMIT - 1, &last) || last < first))
		return false;
	for (uint32_t i = first; i <= last; i++) {
		set->count += !set->has[i];
		set->has[i] = true;
	}
	return true;
}

struct index_set *args_index_set(const char *text)
{
	struct index_set *set = calloc(1, sizeof(*set));
	char *copy = strdup(text);
	char *rest = copy;
	bool good = true;

	if (!set || !copy)
		fail_memory();
	while (good && rest)
		good = add_range(set, strsep(&rest, ","));
	free(copy);
	if (good)
		return set;
	free(set);
	return NULL;
}

/* The name of an option ends at len, because "=value" may follow. */
static const struct option *find_option(const struct option *options, const char *name,
					size_t len)
{
	for (size_t i = 0; options && options[i].name; i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

static const struct option *find_letter(const struct option *options, char letter)
{
	for (size_t i = 0; options && options[i].name; i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

static void offer_options(struct nearest *nearest, const struct option *options)
{
	for (size_t i = 0; options && options[i].name; i++)
		nearest_offer(nearest, options[i].name);
}

static int unknown_option(const struct tool *tool, const char *word)
{
	struct nearest nearest;
	char meant[32];

	nearest_begin(&nearest, word + strspn(word, "-"));
	offer_options(&nearest, global_options);
	if (tool->command)
		offer_options(&nearest, tool->command->options);
	if (!nearest.best)
		return fail_unknown(tool, "option", word, NULL);
	snprintf(meant, sizeof(meant), "--%s", nearest.best);
	return fail_unknown(tool, "option", word, meant);
}

static int bad_value(const struct tool *tool, const struct option *option,
		     const char *value)
{
	return fail_usage(tool, "'%s' is no value for --%s (%s)", value, option->name,
			  option->value);
}

static int store_in_list(struct tool *tool, const struct option *option,
			 const char *value)
{
	char *field = (char *)&tool->settings + option->offset;
	struct text_list *list = (struct text_list *)(void *)field;

	if (list->count == LIST_MAX)
		return fail_usage(tool, "--%s can be given %u times", option->name,
				  LIST_MAX);
	list->items[list->count++] = value;
	return 0;
}

/* Put the value of an option where its table entry says. */
static int store(struct tool *tool, const struct option *option, const char *value)
{
	char *field = (char *)&tool->settings + option->offset;
	uint32_t number = 0;

	switch (option->kind) {
	case OPTION_FLAG:
		memcpy(&number, field, sizeof(number));
		number++;
		break;
	case OPTION_NUMBER:
	case OPTION_MAYBE:
		if (!args_number(value, UINT32_MAX, &number) || number == 0)
			return bad_value(tool, option, value);
		break;
	case OPTION_CHOICE:
		if (!args_choice(option->choices, value, &number))
			return bad_value(tool, option, value);
		break;
	case OPTION_TEXT:
		memcpy(field, &value, sizeof(value));
		return 0;
	case OPTION_LIST:
		return store_in_list(tool, option, value);
	}
	memcpy(field, &number, sizeof(number));
	return 0;
}

static bool next_is_number(const struct cursor *cursor)
{
	uint32_t number;

	return cursor->at + 1 < cursor->argc &&
	       args_number(cursor->argv[cursor->at + 1], UINT32_MAX, &number);
}

/* The option's value: behind "=", or the next word. */
static int take_value(struct cursor *cursor, const struct option *option,
		      const char *equals)
{
	struct tool *tool = cursor->tool;

	if (option->kind == OPTION_FLAG) {
		if (equals)
			return fail_usage(tool, "--%s takes no value", option->name);
		return store(tool, option, NULL);
	}
	if (equals)
		return store(tool, option, equals + 1);
	if (option->kind == OPTION_MAYBE && !next_is_number(cursor))
		return store(tool, option, "1");
	if (cursor->at + 1 >= cursor->argc)
		return fail_usage(tool, "--%s needs a value: %s", option->name,
				  option->value);
	return store(tool, option, cursor->argv[++cursor->at]);
}

static int take_long(struct cursor *cursor)
{
	const char *word = cursor->argv[cursor->at] + 2;
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct command *command = cursor->tool->command;
	const struct option *option = find_option(global_options, word, len);

	if (!option && command)
		option = find_option(command->options, word, len);
	if (!option)
		return unknown_option(cursor->tool, cursor->argv[cursor->at]);
	return take_value(cursor, option, equals);
}

/* Letters stand for flags only, so they may be joined: -vv. */
static int take_letters(struct cursor *cursor)
{
	const char *word = cursor->argv[cursor->at];

	for (const char *letter = word + 1; *letter; letter++) {
		const struct option *option = find_letter(global_options, *letter);

		if (!option)
			return unknown_option(cursor->tool, word);
		store(cursor->tool, option, NULL);
	}
	return 0;
}

static int unknown_command(const struct cursor *cursor, const char *word)
{
	size_t skip = cursor->group ? strlen(cursor->group) + 1 : 0;
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (size_t i = 0; commands[i]; i++)
		if (!cursor->group ||
		    strncmp(commands[i]->name, cursor->group, skip - 1) == 0)
			nearest_offer(&nearest, commands[i]->name + skip);
	return fail_unknown(cursor->tool, "command", word, nearest.best);
}

/* A word of the command's name. */
static int take_command(struct cursor *cursor, const char *word)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s%s", cursor->group ? cursor->group : "",
		 cursor->group ? " " : "", word);
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			cursor->tool->command = commands[i];
			return 0;
		}
	}
	if (cursor->group || !help_is_group(word))
		return unknown_command(cursor, word);
	cursor->group = word;
	return 0;
}

static int take_word(struct cursor *cursor)
{
	struct tool *tool = cursor->tool;
	char *word = cursor->argv[cursor->at];

	if (!tool->command)
		return take_command(cursor, word);
	tool->args[tool->arg_count++] = word;
	return 0;
}

/* Errors in what comes first must already be said in JSON. */
static void look_for_json(struct tool *tool, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		tool->settings.json |= strcmp(argv[i], "--json") == 0;
}

/* Without a command there may still be help to give. */
static int finish(const struct cursor *cursor)
{
	const struct tool *tool = cursor->tool;

	if (tool->settings.help && tool->command)
		help_command(tool->command);
	else if (tool->settings.help)
		help_tool(cursor->group);
	if (tool->settings.help || tool->settings.version || tool->command)
		return 0;
	if (cursor->group)
		return fail_usage(tool, "'%s' alone is no command; see vtcctl %s --help",
				  cursor->group, cursor->group);
	return fail_usage(tool, "a command is missing");
}

int args_parse(struct tool *tool, int argc, char **argv)
{
	struct cursor cursor = { .tool = tool, .argv = argv, .argc = argc };
	bool options = true;
	int r = 0;

	tool->args = argv;
	look_for_json(tool, argc, argv);
	for (cursor.at = 1; r == 0 && cursor.at < argc; cursor.at++) {
		const char *word = argv[cursor.at];

		if (!options || word[0] != '-' || word[1] == '\0')
			r = take_word(&cursor);
		else if (strcmp(word, "--") == 0)
			options = false;
		else if (word[1] == '-')
			r = take_long(&cursor);
		else
			r = take_letters(&cursor);
	}
	return r ? r : finish(&cursor);
}

int args_check(const struct tool *tool)
{
	const struct command *command = tool->command;
	const char *name = command->args;

	if (tool->arg_count > command->max_args)
		return fail_usage(tool, "'%s' is one word too many",
				  tool->args[command->max_args]);
	if (tool->arg_count >= command->min_args)
		return 0;
	for (unsigned int i = 0; i < tool->arg_count; i++)
		name = strchr(name, ' ') + 1;
	return fail_usage(tool, "%.*s is missing", (int)strcspn(name, " "), name);
}
