/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a journal: see journal-file.h. */
#include "journal-file.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC  "vtcjrnl"
#define FORMAT 1u

struct header {
	char magic[8];
	uint32_t version;
	uint32_t count;
	uint64_t len;
	uint64_t next;
	uint64_t sum; /* of all other bytes */
	char boot[40];
};

struct entry {
	uint64_t id;
	uint64_t start;
	uint32_t pid;
	uint32_t tag;
	uint32_t len;
	uint32_t pidns;
	char group[VTC__GROUP_LEN];
	char kind[VTC__KIND_LEN];
};

_Static_assert(sizeof(struct header) == 80, "the header has no padding");
_Static_assert(sizeof(struct entry) == 80, "a record has no padding");

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/*
 * FNV-1a, eight bytes at a time, with the upper half mixed into the lower after each: a
 * journal of thousands of records is summed up for every change. No single word that
 * changes can go unnoticed, because each step can be undone. len is a multiple of 8.
 */
static uint64_t sum_words(uint64_t sum, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, data + i, sizeof(word));
		sum = (sum ^ le64toh(word)) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	return sum;
}

static uint64_t sum_file(const char *data, size_t len)
{
	const size_t at = offsetof(struct header, sum);
	uint64_t sum = sum_words(0xcbf29ce484222325u, data, at);

	return sum_words(sum, data + at + 8, len - at - 8);
}

bool vtc__journal_word_ok(const char *word, size_t size)
{
	size_t len = strnlen(word, size);

	if (len == size)
		return false;
	return strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789._-") == len;
}

/* Whether nothing but zeroes follows the first len of size bytes. */
static bool filled_up(const char *data, size_t len, size_t size)
{
	for (size_t i = len; i < size; i++)
		if (data[i])
			return false;
	return true;
}

static bool field_ok(const char *word, size_t size)
{
	return vtc__journal_word_ok(word, size) &&
	       filled_up(word, strnlen(word, size), size);
}

/* ---- Records ---- */

struct vtc__record *vtc__record_new(const struct vtc__record *like)
{
	struct vtc__record *record = malloc(sizeof(*record) + like->len);

	if (!record)
		return NULL;
	*record = *like;
	record->data = record + 1;
	if (like->len)
		memcpy(record + 1, like->data, like->len);
	return record;
}

int vtc__journal_file_append(struct vtc__journal_file *file, struct vtc__record *record)
{
	if (file->count == file->room) {
		size_t room = file->room ? 2 * file->room : 16;
		struct vtc__record **array =
			reallocarray(file->record, room, sizeof(struct vtc__record *));

		if (!array)
			return -ENOMEM;
		file->record = array;
		file->room = room;
	}
	file->record[file->count++] = record;
	return 0;
}

void vtc__journal_file_free(struct vtc__journal_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		free(file->record[i]);
	free(file->record);
	*file = (struct vtc__journal_file){ .next = 0 };
}

/* ---- Reading ---- */

static const char *check_header(const struct header *h, const char *data, size_t len)
{
	uint32_t version = le32toh(h->version);

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || !version)
		return "it does not begin like a journal";
	if (version > FORMAT)
		return "a later version of libvtc wrote it";
	if (le64toh(h->len) != len || len % 8)
		return "its length is wrong";
	if (le64toh(h->sum) != sum_file(data, len))
		return "its checksum is wrong";
	if (strnlen(h->boot, sizeof(h->boot)) != VTC__BOOT_LEN - 1 ||
	    !filled_up(h->boot, VTC__BOOT_LEN - 1, sizeof(h->boot)))
		return "its start of the machine is wrong";
	if (le64toh(h->next) > INT64_MAX)
		return "its next number is wrong";
	return NULL;
}

/* data: what follows the entry; left: how much of it there is. */
static const char *check_entry(const struct entry *e, const char *data, size_t left,
			       uint64_t above, uint64_t next)
{
	uint64_t id = le64toh(e->id);
	uint32_t len = le32toh(e->len);

	if (id <= above || id >= next)
		return "a record's number is wrong";
	if (len > VTC__JOURNAL_DATA_MAX || padded(len) > left)
		return "a record's length is wrong";
	if (le32toh(e->pid) > INT32_MAX)
		return "a record's owner is wrong";
	if (!field_ok(e->group, sizeof(e->group)) ||
	    !field_ok(e->kind, sizeof(e->kind)) || !e->kind[0])
		return "a record's name is wrong";
	return filled_up(data, len, padded(len)) ? NULL : "a gap is not empty";
}

static int take_entry(struct vtc__journal_file *file, const struct entry *e,
		      const void *data)
{
	struct vtc__record like = {
		.id = le64toh(e->id),
		.pid = le32toh(e->pid),
		.start = le64toh(e->start),
		.tag = le32toh(e->tag),
		.len = le32toh(e->len),
		.pidns = le32toh(e->pidns),
		.data = data,
	};
	struct vtc__record *record;
	int err;

	memcpy(like.group, e->group, sizeof(like.group));
	memcpy(like.kind, e->kind, sizeof(like.kind));
	record = vtc__record_new(&like);
	if (!record)
		return -ENOMEM;
	err = vtc__journal_file_append(file, record);
	if (err)
		free(record);
	return err;
}

/* The records; *why stays NULL if they are all right. */
static int take_entries(struct vtc__journal_file *file, const char *data, size_t len,
			uint32_t count, const char **why)
{
	uint64_t above = 0;

	for (; count; count--) {
		struct entry e;
		int err;

		if (len < sizeof(e)) {
			*why = "a record is cut off";
			return -EBADMSG;
		}
		memcpy(&e, data, sizeof(e));
		data += sizeof(e);
		len -= sizeof(e);
		*why = check_entry(&e, data, len, above, file->next);
		if (*why)
			return -EBADMSG;
		err = take_entry(file, &e, data);
		if (err)
			return err;
		above = le64toh(e.id);
		data += padded(le32toh(e.len));
		len -= padded(le32toh(e.len));
	}
	if (!len)
		return 0;
	*why = "there is more than its records";
	return -EBADMSG;
}

int vtc__journal_file_parse(const void *data, size_t len, struct vtc__journal_file *file,
			    const char **ret_why)
{
	struct header h;

	*file = (struct vtc__journal_file){ .next = 0 };
	if (len < sizeof(h) || len > VTC__JOURNAL_SIZE_MAX) {
		*ret_why = len < sizeof(h) ? "it is too short" : "it is too long";
		return -EBADMSG;
	}
	memcpy(&h, data, sizeof(h));
	*ret_why = check_header(&h, data, len);
	if (*ret_why)
		return -EBADMSG;
	memcpy(file->boot, h.boot, sizeof(file->boot));
	file->next = le64toh(h.next);
	return take_entries(file, (const char *)data + sizeof(h), len - sizeof(h),
			    le32toh(h.count), ret_why);
}

/* ---- Writing ---- */

static void put_entry(char *at, const struct vtc__record *r)
{
	struct entry e = {
		.id = htole64(r->id),
		.start = htole64(r->start),
		.pid = htole32(r->pid),
		.tag = htole32(r->tag),
		.len = htole32(r->len),
		.pidns = htole32(r->pidns),
	};

	memcpy(e.group, r->group, sizeof(e.group));
	memcpy(e.kind, r->kind, sizeof(e.kind));
	memcpy(at, &e, sizeof(e));
	if (r->len)
		memcpy(at + sizeof(e), r->data, r->len);
}

static void put_header(char *data, size_t len, const struct vtc__journal_file *file)
{
	struct header h = {
		.magic = MAGIC,
		.version = htole32(FORMAT),
		.count = htole32((uint32_t)file->count),
		.len = htole64(len),
		.next = htole64(file->next),
	};

	memcpy(h.boot, file->boot, sizeof(file->boot));
	memcpy(data, &h, sizeof(h));
	h.sum = htole64(sum_file(data, len));
	memcpy(data, &h, sizeof(h));
}

int vtc__journal_file_format(const struct vtc__journal_file *file, void **ret_data,
			     size_t *ret_len)
{
	size_t len = sizeof(struct header), at = len;
	char *data;

	for (size_t i = 0; i < file->count; i++) {
		len += sizeof(struct entry) + padded(file->record[i]->len);
		if (len > VTC__JOURNAL_SIZE_MAX)
			return -ENOSPC;
	}
	data = calloc(1, len);
	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < file->count; i++) {
		put_entry(data + at, file->record[i]);
		at += sizeof(struct entry) + padded(file->record[i]->len);
	}
	put_header(data, len, file);
	*ret_data = data;
	*ret_len = len;
	return 0;
}
