/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a journal's file, and what is in them. All numbers are little-endian.
 *
 *	header: magic, version, number of records, length, next id, checksum, boot id
 *	record: id, start, pid, tag, length, PID namespace, group, kind; its data, filled
 *		up to 8
 */
#ifndef VTC__JOURNAL_FILE_H
#define VTC__JOURNAL_FILE_H

#include "journal.h"
#include "process.h"

#define VTC__JOURNAL_SIZE_MAX (16u << 20)

struct vtc__journal_file {
	char boot[VTC__BOOT_LEN];
	uint64_t next;		     /* the id of the next record */
	struct vtc__record **record; /* in order of id */
	size_t count, room;
};

/*
 * -EBADMSG: the bytes are no journal, and ret_why says in words what is wrong; nothing of
 * them is taken on trust. The file is freed by vtc__journal_file_free() in any case.
 */
int vtc__journal_file_parse(const void *data, size_t len, struct vtc__journal_file *file,
			    const char **ret_why);
/* The caller frees the data. -ENOSPC: more than a file may have. */
int vtc__journal_file_format(const struct vtc__journal_file *file, void **ret_data,
			     size_t *ret_len);
void vtc__journal_file_free(struct vtc__journal_file *file);

/* At the end; -ENOMEM. */
int vtc__journal_file_append(struct vtc__journal_file *file, struct vtc__record *record);
/* A record with data of its own behind it, to be freed as one. NULL: memory is out. */
struct vtc__record *vtc__record_new(const struct vtc__record *like);

/* Names of journals, groups and kinds: letters, digits, '.', '_', '-'. */
bool vtc__journal_word_ok(const char *word, size_t size);

#endif
