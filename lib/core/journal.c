/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal on the disk: lock, file, and changes to it. */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal-file.h"
#include "sysfs.h"
#include "text.h"

#define SUFFIX	 ".journal"
#define NAME_LEN 128
#define POLL_MS	 1

struct vtc__journal {
	struct vtc_ctx *ctx;
	int lock;
	bool on_disk; /* there is a file */
	bool stale;   /* a write failed: the file may be the old one, or the new */
	uint32_t pid, pidns;
	uint64_t start;
	struct vtc__journal_file file;
	char name[NAME_LEN];
};

/* ---- The file ---- */

static int file_name(const struct vtc__journal *j, char *buf, size_t len)
{
	return vtc__path(buf, len, "%s" SUFFIX, j->name);
}

static int bad_file(struct vtc__journal *j, const char *why)
{
	struct vtc_ctx *ctx = j->ctx;

	vtc__err(ctx, -EBADMSG, VTC_ERROR_ORIGIN_LIBRARY, "read journal", "%s", j->name);
	vtc__err_message(ctx, "%s/%s" SUFFIX " is no journal that can be used: %s",
			 ctx->state_dir, j->name, why);
	vtc__err_hint(ctx,
		      "it was left as it is; use the libvtc that wrote it, or put back "
		      "by hand what was changed, and remove the file");
	return -EBADMSG;
}

/* A file of any size up to the most that one may have; the caller frees it. */
static ssize_t read_file(struct vtc__journal *j, void **ret_data)
{
	char path[VTC__PATH_MAX], name[NAME_LEN + 16];
	size_t room = 1u << 14;
	int err = file_name(j, name, sizeof(name));

	if (!err)
		err = vtc__path(path, sizeof(path), "%s/%s", j->ctx->state_dir, name);
	if (err)
		return err;
	for (;;) {
		void *data = malloc(room);
		ssize_t n;

		if (!data)
			return -ENOMEM;
		n = j->ctx->sys->read(j->ctx->sys_priv, path, data, room);
		if (n >= 0 && ((size_t)n < room || room > VTC__JOURNAL_SIZE_MAX)) {
			*ret_data = data;
			return n;
		}
		free(data);
		if (n < 0)
			return n;
		room *= 4;
	}
}

/*
 * Above all that a journal of this name had since the machine's start: adding takes
 * longer than the nanosecond that a number stands for.
 */
static uint64_t fresh_id(const struct vtc__journal *j)
{
	return j->ctx->sys->now_ns(j->ctx->sys_priv) + 1;
}

static int load(struct vtc__journal *j)
{
	const char *why;
	void *data;
	ssize_t n = read_file(j, &data);
	int err;

	j->file.next = fresh_id(j);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return (int)n;
	j->on_disk = true;
	err = vtc__journal_file_parse(data, (size_t)n, &j->file, &why);
	free(data);
	return err == -EBADMSG ? bad_file(j, why) : err;
}

/* No record: no file. */
static int store(struct vtc__journal *j)
{
	struct vtc_ctx *ctx = j->ctx;
	char name[NAME_LEN + 16];
	void *data = NULL;
	size_t len = 0;
	int err = file_name(j, name, sizeof(name));

	if (!err && j->file.count)
		err = vtc__journal_file_format(&j->file, &data, &len);
	if (err)
		return err;
	if (data)
		err = ctx->sys->replace(ctx->sys_priv, ctx->state_dir, name, data, len);
	else if (j->on_disk || j->stale)
		err = ctx->sys->remove(ctx->sys_priv, ctx->state_dir, name);
	free(data);
	if (err == -ENOENT && !len)
		err = 0;
	j->stale = err != 0;
	if (!err)
		j->on_disk = len != 0;
	return err;
}

/* ---- Opening ---- */

static int lock(struct vtc__journal *j, uint64_t deadline_ns)
{
	for (;;) {
		j->lock = vtc__lock(j->ctx, j->name);
		if (j->lock >= 0)
			return 0;
		if (j->lock != -EAGAIN)
			return j->lock;
		if (vtc__now_ns(j->ctx) >= deadline_ns)
			return -EBUSY;
		vtc__sleep_ms(j->ctx, POLL_MS);
	}
}

static int open_err(struct vtc__journal *j, int code)
{
	struct vtc_ctx *ctx = j->ctx;

	vtc__err(ctx, code,
		 code == -EBUSY ? VTC_ERROR_ORIGIN_LIBRARY : VTC_ERROR_ORIGIN_SYSTEM,
		 "open journal", "%s", j->name);
	if (code == -EBUSY) {
		vtc__err_message(ctx, "another process holds the lock %s in %s", j->name,
				 ctx->state_dir);
		vtc__err_hint(ctx, "wait for it to finish, and try again");
	} else {
		vtc__err_message(ctx, "cannot lock or read the journal %s in %s", j->name,
				 ctx->state_dir);
	}
	return code;
}

/* Who we are, and in which run of the machine. */
static int identify(struct vtc__journal *j, char boot[VTC__BOOT_LEN])
{
	struct vtc__process self = { .pid = 0 };
	int err = vtc__process_self(j->ctx, &self, &j->pidns);

	j->pid = self.pid;
	j->start = self.start;
	if (!err)
		err = vtc__boot_id(j->ctx, boot);
	if (!err)
		return 0;
	vtc__err(j->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "open journal", "%s", j->name);
	vtc__err_message(j->ctx, "cannot read who this process is below /proc");
	vtc__err_hint(j->ctx, "mount the proc filesystem on /proc");
	return err;
}

/* What an earlier run of the machine left is gone with it. */
static void keep_this_boot(struct vtc__journal *j, const char *boot)
{
	if (j->file.count && strcmp(j->file.boot, boot) != 0) {
		vtc__log(j->ctx, VTC_LOG_INFO,
			 "journal %s: %zu records of an earlier start of the machine are "
			 "dropped",
			 j->name, j->file.count);
		vtc__journal_file_free(&j->file);
		j->file.next = fresh_id(j);
	}
	strcpy(j->file.boot, boot);
}

static int open_locked(struct vtc__journal *j, uint64_t deadline_ns)
{
	char boot[VTC__BOOT_LEN];
	int err = identify(j, boot);

	if (err)
		return err;
	err = lock(j, deadline_ns);
	if (err)
		return open_err(j, err);
	err = load(j);
	if (!err)
		keep_this_boot(j, boot);
	else if (err != -EBADMSG)
		open_err(j, err);
	return err;
}

static void drop(struct vtc__journal *j)
{
	vtc__unlock(j->ctx, j->lock);
	vtc__journal_file_free(&j->file);
	free(j);
}

int vtc__journal_open(struct vtc_ctx *ctx, const char *name, uint64_t deadline_ns,
		      struct vtc__journal **ret_journal)
{
	struct vtc__journal *j;
	int err;

	if (!vtc__journal_word_ok(name, NAME_LEN) || !vtc__name_ok(name))
		return vtc__err_arg(ctx, "open journal", "the name is none");
	j = calloc(1, sizeof(*j));
	if (!j)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "open journal",
				"%s", name);
	j->ctx = ctx;
	j->lock = -1;
	strcpy(j->name, name);
	err = open_locked(j, deadline_ns);
	if (err) {
		drop(j);
		return err;
	}
	*ret_journal = j;
	return 0;
}

void vtc__journal_close(struct vtc__journal *j)
{
	int err = 0;

	if (!j)
		return;
	if (j->stale || (j->on_disk && !j->file.count))
		err = store(j);
	if (err)
		vtc__log(j->ctx, VTC_LOG_WARNING,
			 "journal %s: it could not be written: %s", j->name,
			 strerrordesc_np(-err));
	drop(j);
}

struct vtc_ctx *vtc__journal_ctx(const struct vtc__journal *journal)
{
	return journal->ctx;
}

/* ---- All journals ---- */

struct names {
	const char *prefix;
	char (*name)[NAME_LEN];
	size_t count, room;
};

static int take_name(void *arg, const char *name)
{
	struct names *names = arg;
	size_t len = strlen(name), suffix = sizeof(SUFFIX) - 1;

	if (len <= suffix || len - suffix >= NAME_LEN ||
	    strcmp(name + len - suffix, SUFFIX) != 0 ||
	    !vtc__text_starts(name, names->prefix))
		return 0;
	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 8;
		void *array = reallocarray(names->name, room, sizeof(*names->name));

		if (!array)
			return -ENOMEM;
		names->name = array;
		names->room = room;
	}
	memcpy(names->name[names->count], name, len - suffix);
	names->name[names->count++][len - suffix] = '\0';
	return 0;
}

int vtc__journal_list(struct vtc_ctx *ctx, const char *prefix, vtc__name_fn fn, void *arg)
{
	struct names names = { .prefix = prefix };
	/* Kept until the walk is over: fn may well remove what it is told of. */
	int err = ctx->sys->list(ctx->sys_priv, ctx->state_dir, take_name, &names);

	if (err == -ENOENT)
		err = 0;
	if (err)
		vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "look for journals", "%s",
			 ctx->state_dir);
	for (size_t i = 0; !err && i < names.count; i++)
		err = fn(arg, names.name[i]);
	free(names.name);
	return err;
}

/* ---- Finding ---- */

/* Place of the first record whose id is not below this one. */
static size_t place_of(const struct vtc__journal *j, uint64_t id)
{
	struct vtc__record *const *record = j->file.record;
	size_t low = 0, high = j->file.count;

	if (!high || id <= record[0]->id)
		return 0;
	/* Numbers rise: where none is missing before, they tell the place. */
	if (id - record[0]->id < high)
		high = (size_t)(id - record[0]->id);
	if (record[high - 1]->id < id)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (record[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct vtc__record *at(const struct vtc__journal *j, size_t place)
{
	return place < j->file.count ? j->file.record[place] : NULL;
}

const struct vtc__record *vtc__journal_foreach_next(const struct vtc__journal *journal,
						    const struct vtc__record *prev)
{
	return vtc__journal_find_next(journal, prev ? prev->id : 0);
}

const struct vtc__record *vtc__journal_find(const struct vtc__journal *journal,
					    uint64_t id)
{
	const struct vtc__record *record = at(journal, place_of(journal, id));

	return record && record->id == id ? record : NULL;
}

const struct vtc__record *vtc__journal_find_next(const struct vtc__journal *journal,
						 uint64_t id)
{
	return id == UINT64_MAX ? NULL : at(journal, place_of(journal, id + 1));
}

const struct vtc__record *vtc__journal_find_last(const struct vtc__journal *journal,
						 uint64_t id)
{
	size_t place = place_of(journal, id);

	return place ? at(journal, place - 1) : NULL;
}

/* A record of before namespaces were noted has none. */
static bool is_elsewhere(const struct vtc__journal *journal,
			 const struct vtc__record *record)
{
	return record->pidns && journal->pidns && record->pidns != journal->pidns;
}

bool vtc__record_alive(const struct vtc__journal *journal,
		       const struct vtc__record *record)
{
	if (!record->pid || vtc__record_mine(journal, record))
		return true;
	if (is_elsewhere(journal, record))
		return vtc__process_elsewhere(journal->ctx, journal->pidns,
					      record->pidns);
	return vtc__process_alive(journal->ctx, record->pid, record->start);
}

bool vtc__record_mine(const struct vtc__journal *journal,
		      const struct vtc__record *record)
{
	return record->pid == journal->pid && record->start == journal->start &&
	       !is_elsewhere(journal, record);
}

/* ---- Changing; memory is as before if the disk is ---- */

/* The field is zeroes before, and up to its end. */
static int set_word(char *field, size_t size, const char *word)
{
	return vtc__journal_word_ok(word, size) ? vtc__text_copy(field, size, word)
						: -EINVAL;
}

int vtc__journal_add(struct vtc__journal *j, const char *group, const char *kind,
		     uint32_t tag, const void *data, size_t len, uint64_t *ret_id)
{
	struct vtc__record like = { .id = j->file.next,
				    .pid = j->pid,
				    .start = j->start,
				    .pidns = j->pidns,
				    .tag = tag,
				    .data = data };
	struct vtc__record *record;
	int err;

	if (len > VTC__JOURNAL_DATA_MAX || !kind[0] ||
	    set_word(like.group, sizeof(like.group), group) ||
	    set_word(like.kind, sizeof(like.kind), kind))
		return -EINVAL;
	like.len = (uint32_t)len;
	record = vtc__record_new(&like);
	if (!record)
		return -ENOMEM;
	err = vtc__journal_file_append(&j->file, record);
	if (err) {
		free(record);
		return err;
	}
	j->file.next++;
	err = store(j);
	if (err) {
		j->file.count--;
		free(record);
		return err;
	}
	if (ret_id)
		*ret_id = like.id;
	return 0;
}

int vtc__journal_update(struct vtc__journal *j, uint64_t id, const void *data, size_t len)
{
	size_t place = place_of(j, id);
	struct vtc__record *old = at(j, place), *new;
	struct vtc__record like;
	int err;

	if (!old || old->id != id)
		return -ENOENT;
	if (len > VTC__JOURNAL_DATA_MAX)
		return -EINVAL;
	like = *old;
	like.data = data;
	like.len = (uint32_t)len;
	new = vtc__record_new(&like);
	if (!new)
		return -ENOMEM;
	j->file.record[place] = new;
	err = store(j);
	if (err)
		j->file.record[place] = old;
	free(err ? new : old);
	return err;
}

int vtc__journal_remove(struct vtc__journal *j, uint64_t id)
{
	size_t place = place_of(j, id);
	struct vtc__record *record = at(j, place), **from;
	size_t size;
	int err;

	if (!record || record->id != id)
		return -ENOENT;
	from = j->file.record + place;
	j->file.count--;
	size = (j->file.count - place) * sizeof(*from);
	memmove(from, from + 1, size);
	err = store(j);
	if (err) {
		memmove(from + 1, from, size);
		*from = record;
		j->file.count++;
		return err;
	}
	free(record);
	return 0;
}

struct owner {
	uint32_t pid, pidns;
	uint64_t start;
};

static struct owner owner_of(const struct vtc__record *r)
{
	return (struct owner){ r->pid, r->pidns, r->start };
}

static bool owns(const struct owner *owner, const struct vtc__record *r)
{
	return owner->pid == r->pid && owner->pidns == r->pidns &&
	       owner->start == r->start;
}

static void give(struct vtc__record *r, const struct owner *owner)
{
	r->pid = owner->pid;
	r->pidns = owner->pidns;
	r->start = owner->start;
}

int vtc__journal_own(struct vtc__journal *j, const char *group, uint32_t tag, bool keep)
{
	struct owner *old = calloc(j->file.count + 1, sizeof(*old));
	const struct owner nobody = { .pid = 0 };
	const struct owner self = { j->pid, j->pidns, j->start };
	bool changed = false;
	size_t i;
	int err = 0;

	if (!old)
		return -ENOMEM;
	for (i = 0; i < j->file.count; i++) {
		struct vtc__record *r = j->file.record[i];

		old[i] = owner_of(r);
		if (strcmp(r->group, group) != 0 || (tag && r->tag != tag) ||
		    owns(keep ? &nobody : &self, r))
			continue;
		give(r, keep ? &nobody : &self);
		changed = true;
	}
	if (changed)
		err = store(j);
	for (i = 0; err && i < j->file.count; i++)
		give(j->file.record[i], &old[i]);
	free(old);
	return err;
}
