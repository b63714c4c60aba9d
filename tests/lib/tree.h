/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sysfs tree in a fresh directory, made of a manifest: one line for each entry,
 *
 *	path = value		a text file, with the newline that sysfs ends it with
 *	path : 8680 c910	a binary file, in hexadecimal
 *	path -> target		a symbolic link; the target is below the root as well,
 *				the link becomes relative, as in sysfs
 *	path ! 95		a file that fails to read with this errno (fake kernel)
 *	path/			an empty directory
 *
 * Paths are below the root, missing directories are made. Empty lines and those that
 * begin with '#' are skipped. Whatever fails here ends the program.
 */
#ifndef VTCT_TREE_H
#define VTCT_TREE_H

#include <stddef.h>

#define VTCT_PATH_MAX 512

struct vtct_tree {
	char dir[96];
	char root[112];	 /* what to use as vtc_ctx_opts.sysfs_root */
	char state[112]; /* ... and as state_dir */
	struct vtct_unreadable *unreadable;
};

struct vtct_tree *vtct_tree_new(void);
void vtct_tree_free(struct vtct_tree *tree);

void vtct_tree_add(struct vtct_tree *tree, const char *manifest);
/* The same with printf(); the result may have 8 KiB. */
void vtct_tree_addf(struct vtct_tree *tree, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* File contents as they are, for binary and for broken files. */
void vtct_tree_set(struct vtct_tree *tree, const char *path, const void *data,
		   size_t len);
/* A file, a link, or a directory with all that is in it; it may be missing. */
void vtct_tree_remove(struct vtct_tree *tree, const char *path);
/* Text of a file without its newline, "" if there is none. Valid until the next call. */
const char *vtct_tree_get(struct vtct_tree *tree, const char *path);
int vtct_tree_has(struct vtct_tree *tree, const char *path);

/* Negative errno that reading this path has by '!' in a manifest, else 0. */
int vtct_tree_read_error(const struct vtct_tree *tree, const char *path);

#endif
