/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, directories and links of a manifest. */
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"
#include "vtct.h"

struct vtct_unreadable {
	struct vtct_unreadable *next;
	int error;
	char path[VTCT_PATH_MAX];
};

struct vtct_tree *vtct_tree_new(void)
{
	struct vtct_tree *tree = vtct_alloc(sizeof(*tree));

	snprintf(tree->dir, sizeof(tree->dir), "%s/tree-XXXXXX", vtct_dir());
	if (!mkdtemp(tree->dir))
		vtct_die("mkdtemp %s: %s", tree->dir, strerror(errno));
	snprintf(tree->root, sizeof(tree->root), "%s/sys", tree->dir);
	snprintf(tree->state, sizeof(tree->state), "%s/run", tree->dir);
	if (mkdir(tree->state, 0755) < 0)
		vtct_die("mkdir %s: %s", tree->state, strerror(errno));
	vtct_tree_add(tree, "bus/pci/devices/\nbus/pci/drivers/\nclass/net/\n");
	return tree;
}

void vtct_tree_free(struct vtct_tree *tree)
{
	struct vtct_unreadable *u;

	if (!tree)
		return;
	while ((u = tree->unreadable)) {
		tree->unreadable = u->next;
		free(u);
	}
	vtct_remove_dir(tree->dir);
	free(tree);
}

static void full_path(const struct vtct_tree *tree, const char *path, char *buf,
		      size_t len)
{
	if ((size_t)snprintf(buf, len, "%s/%s", tree->root, path) >= len)
		vtct_die("path is too long: %s", path);
}

/* All directories that lead to a path. */
static void make_parents(const char *full)
{
	char dir[VTCT_PATH_MAX];
	char *slash = dir;

	snprintf(dir, sizeof(dir), "%s", full);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			vtct_die("mkdir %s: %s", dir, strerror(errno));
		*slash = '/';
	}
}

/* A file that is written anew, or removed, no longer fails to read. */
static void forget_unreadable(struct vtct_tree *tree, const char *path)
{
	struct vtct_unreadable **at = &tree->unreadable, *u;

	while ((u = *at)) {
		if (strcmp(u->path, path) != 0) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		free(u);
	}
}

void vtct_tree_set(struct vtct_tree *tree, const char *path, const void *data, size_t len)
{
	char full[VTCT_PATH_MAX];
	int fd;

	forget_unreadable(tree, path);
	full_path(tree, path, full, sizeof(full));
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 && errno == ENOENT) {
		make_parents(full);
		fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	}
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		vtct_die("write %s: %s", full, strerror(errno));
	close(fd);
}

static void set_text(struct vtct_tree *tree, const char *path, const char *value)
{
	char text[4096];
	int len = snprintf(text, sizeof(text), "%s\n", value);

	if (len >= (int)sizeof(text))
		vtct_die("value is too long: %s", path);
	vtct_tree_set(tree, path, text, (size_t)len);
}

static void set_hex(struct vtct_tree *tree, const char *path, const char *hex)
{
	unsigned char data[4096];
	size_t len = 0;
	int used;

	for (; *hex; hex += used) {
		used = 1;
		if (isspace((unsigned char)*hex))
			continue;
		if (len == sizeof(data) || sscanf(hex, "%2hhx%n", &data[len], &used) != 1)
			vtct_die("not hexadecimal: %s", path);
		len++;
	}
	vtct_tree_set(tree, path, data, len);
}

static void set_link(struct vtct_tree *tree, const char *path, const char *target)
{
	char full[VTCT_PATH_MAX], relative[VTCT_PATH_MAX] = "";
	const char *slash = path;
	size_t len = 0;

	while ((slash = strchr(slash + 1, '/')))
		len += (size_t)snprintf(relative + len, sizeof(relative) - len, "../");
	snprintf(relative + len, sizeof(relative) - len, "%s", target);
	full_path(tree, path, full, sizeof(full));
	make_parents(full);
	if (unlink(full) < 0 && errno != ENOENT)
		vtct_die("unlink %s: %s", full, strerror(errno));
	if (symlink(relative, full) < 0)
		vtct_die("symlink %s: %s", full, strerror(errno));
}

static void set_unreadable(struct vtct_tree *tree, const char *path, int error)
{
	struct vtct_unreadable *u = vtct_alloc(sizeof(*u));

	vtct_tree_set(tree, path, "", 0);
	if (strlen(path) >= sizeof(u->path))
		vtct_die("path is too long: %s", path);
	strcpy(u->path, path);
	u->error = -error;
	u->next = tree->unreadable;
	tree->unreadable = u;
}

int vtct_tree_read_error(const struct vtct_tree *tree, const char *path)
{
	const struct vtct_unreadable *u;

	for (u = tree->unreadable; u; u = u->next)
		if (strcmp(u->path, path) == 0)
			return u->error;
	return 0;
}

static void add_directory(struct vtct_tree *tree, const char *path)
{
	char full[VTCT_PATH_MAX];

	full_path(tree, path, full, sizeof(full));
	make_parents(full);
}

static void add_line(struct vtct_tree *tree, char *line)
{
	char *path = line, *op, *value;

	op = strchr(line, ' ');
	if (!op) {
		if (line[strlen(line) - 1] != '/')
			vtct_die("manifest: no value: %s", line);
		add_directory(tree, path);
		return;
	}
	*op++ = '\0';
	value = strchr(op, ' ');
	value = value ? value + 1 : op + strlen(op);
	if (op[0] == '=')
		set_text(tree, path, value);
	else if (op[0] == ':')
		set_hex(tree, path, value);
	else if (op[0] == '-' && op[1] == '>')
		set_link(tree, path, value);
	else if (op[0] == '!')
		set_unreadable(tree, path, atoi(value));
	else
		vtct_die("manifest: %s %s", path, op);
}

void vtct_tree_add(struct vtct_tree *tree, const char *manifest)
{
	char line[4096];
	const char *end;

	vtct_inside++;
	for (; *manifest; manifest = end + (*end == '\n')) {
		manifest += strspn(manifest, " \t");
		end = strchrnul(manifest, '\n');
		if (end == manifest || *manifest == '#')
			continue;
		if ((size_t)snprintf(line, sizeof(line), "%.*s", (int)(end - manifest),
				     manifest) >= sizeof(line))
			vtct_die("manifest: line is too long");
		add_line(tree, line);
	}
	vtct_inside--;
}

void vtct_tree_addf(struct vtct_tree *tree, const char *format, ...)
{
	char manifest[8192];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(manifest, sizeof(manifest), format, ap);
	va_end(ap);
	if (len >= (int)sizeof(manifest))
		vtct_die("manifest is too long");
	vtct_tree_add(tree, manifest);
}

void vtct_tree_remove(struct vtct_tree *tree, const char *path)
{
	char full[VTCT_PATH_MAX];
	struct stat st;

	forget_unreadable(tree, path);
	full_path(tree, path, full, sizeof(full));
	if (lstat(full, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		vtct_remove_dir(full);
	else
		unlink(full);
}

const char *vtct_tree_get(struct vtct_tree *tree, const char *path)
{
	static char text[4096];
	char full[VTCT_PATH_MAX];
	ssize_t len = -1;
	int fd;

	full_path(tree, path, full, sizeof(full));
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

int vtct_tree_has(struct vtct_tree *tree, const char *path)
{
	char full[VTCT_PATH_MAX];
	struct stat st;

	full_path(tree, path, full, sizeof(full));
	return lstat(full, &st) == 0;
}
