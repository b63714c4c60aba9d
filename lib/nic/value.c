/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of an inventory: a number or a text that may be unknown, and lists of names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"
#include "nic.h"

#define LINE_MAX_LEN   4097 /* sysfs never gives more than a page */
#define ELEMENTS_FIRST 16
#define ELEMENTS_MAX   ((size_t)1 << 20)

int vtc__num_get(const struct vtc__num *num, uint32_t *ret)
{
	if (num->state == 1)
		*ret = num->value;
	return num->state;
}

int vtc__str_get(const struct vtc__str *str, const char **ret)
{
	if (str->state == 1)
		*ret = str->text;
	return str->state;
}

void vtc__num_read(struct vtc_ctx *ctx, const char *dir, const char *name, uint32_t max,
		   struct vtc__num *ret)
{
	char path[VTC__PATH_MAX];
	uint64_t value = 0;
	int err = vtc__path(path, sizeof(path), "%s/%s", dir, name);

	if (!err)
		err = vtc__sysfs_read_u64(ctx, path, max, &value);
	ret->state = err ? -ENODATA : 1;
	ret->value = (uint32_t)value;
}

static bool printable(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

int vtc__str_set(struct vtc__str *str, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(str->text);
	str->text = copy;
	str->state = 1;
	return 0;
}

int vtc__str_read(struct vtc_ctx *ctx, const char *dir, const char *name,
		  struct vtc__str *ret)
{
	char path[VTC__PATH_MAX], line[LINE_MAX_LEN];
	ssize_t n = vtc__path(path, sizeof(path), "%s/%s", dir, name);
	int err;

	ret->state = -ENODATA;
	if (n == 0)
		n = vtc__sysfs_read(ctx, path, line, sizeof(line));
	if (n < 0)
		return n == -ENOMEM ? -EIO : (int)n;
	if (n == 0 || !printable(line)) {
		ret->state = n == 0 ? 0 : -ENODATA;
		return (int)n;
	}
	err = vtc__str_set(ret, line);
	return err ? err : (int)n;
}

int vtc__grow(void **array, size_t *room, size_t count, size_t size)
{
	size_t more = *room ? *room * 2 : ELEMENTS_FIRST;
	void *larger;

	if (count < *room)
		return 0;
	if (more > ELEMENTS_MAX)
		return -ENOMEM;
	larger = realloc(*array, more * size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*room = more;
	return 0;
}

static int take_name(void *arg, const char *name)
{
	struct vtc__names *names = arg;
	void *array = names->name;
	int err;

	if (!vtc__name_ok(name) || strlen(name) >= sizeof(names->name[0]))
		return 0;
	err = vtc__grow(&array, &names->room, names->count, sizeof(names->name[0]));
	names->name = array;
	if (!err)
		strcpy(names->name[names->count++], name);
	return err;
}

int vtc__names_list(struct vtc_ctx *ctx, const char *path, struct vtc__names *ret)
{
	return vtc__sysfs_list(ctx, path, take_name, ret);
}

void vtc__names_free(struct vtc__names *names)
{
	free(names->name);
	*names = (struct vtc__names){ .count = 0 };
}
