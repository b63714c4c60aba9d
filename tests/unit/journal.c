/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal: what was noted is there for whoever comes next, whatever happened to who
 * noted it; and a file that is not right is neither believed nor touched.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/ctx.h>

#include "core/journal-file.h"
#include "core/journal.h"
#include "journalsum.h"
#include "tree.h"
#include "vtct.h"

#define NAME "card-7"

static struct vtct_tree *tree;
static struct vtc_ctx *ctx;
static struct vtc__journal *journal;
static struct vtc__sys sys;
static char path[VTCT_PATH_MAX], log_text[4096];
static int fds;

/* What the wrapped seam does. */
static struct {
	unsigned int fail;	  /* the n-th replace() or remove() fails ... */
	bool done;		  /* ... after it was done */
	unsigned int kill, calls; /* SIGKILL before the n-th call of any entry */
	char stat_path[64];	  /* this file of /proc ... */
	const char *stat;	  /* ... has this text, or ... */
	int stat_error, process;  /* ... fails with this; and process() gives that */
	const char *boot;	  /* boot id */
	const char *pidns;	  /* link to the PID namespace */
	const char *pidns_others; /* ... of all processes */
	int pidns_error;
	uint64_t now;	       /* the first number is that of the next nanosecond */
	unsigned int replaced; /* calls of replace() so far */
} fake;

static void count_call(void)
{
	if (++fake.calls == fake.kill)
		raise(SIGKILL);
}

static ssize_t fake_text(const char *text, void *buf, size_t len)
{
	size_t size = strlen(text);

	memcpy(buf, text, size < len ? size : len);
	return (ssize_t)(size < len ? size : len);
}

static ssize_t fake_read(void *priv, const char *name, void *buf, size_t len)
{
	count_call();
	if (fake.boot && strstr(name, "boot_id"))
		return fake_text(fake.boot, buf, len);
	if (fake.stat_path[0] && strcmp(name, fake.stat_path) == 0)
		return fake.stat ? fake_text(fake.stat, buf, len) : fake.stat_error;
	return vtc__sys_kernel.read(priv, name, buf, len);
}

static ssize_t fake_readlink(void *priv, const char *name, char *buf, size_t len)
{
	if (fake.pidns && strcmp(name, "/proc/self/ns/pid") == 0)
		return fake_text(fake.pidns, buf, len);
	if (fake.pidns_error && strstr(name, "/ns/pid"))
		return fake.pidns_error;
	if (fake.pidns_others && strstr(name, "/ns/pid"))
		return fake_text(fake.pidns_others, buf, len);
	return vtc__sys_kernel.readlink(priv, name, buf, len);
}

static int fake_process(void *priv, uint32_t pid)
{
	count_call();
	return fake.process ? (fake.process == 1 ? 0 : fake.process)
			    : vtc__sys_kernel.process(priv, pid);
}

static int fake_lock(void *priv, const char *dir, const char *name)
{
	count_call();
	return vtc__sys_kernel.lock(priv, dir, name);
}

static void fake_close(void *priv, int fd)
{
	count_call();
	vtc__sys_kernel.close(priv, fd);
}

/* Numbers are known to the tests; only deadlines go by the real time. */
static uint64_t fake_now_ns(void *priv)
{
	(void)priv;
	return fake.now;
}

static uint64_t real_now_ns(void *data)
{
	return vtc__sys_kernel.now_ns(data);
}

static bool fails(void)
{
	return fake.fail && --fake.fail == 0;
}

static int fake_replace(void *priv, const char *dir, const char *name, const void *data,
			size_t len)
{
	bool fail = fails();
	int err = 0;

	fake.replaced++;
	count_call();
	if (!fail || fake.done)
		err = vtc__sys_kernel.replace(priv, dir, name, data, len);
	count_call();
	return fail ? -EIO : err;
}

static int fake_remove(void *priv, const char *dir, const char *name)
{
	bool fail = fails();
	int err = 0;

	count_call();
	if (!fail || fake.done)
		err = vtc__sys_kernel.remove(priv, dir, name);
	count_call();
	return fail ? -EIO : err;
}

static void take_log(void *data, int level, const char *line)
{
	size_t used = strlen(log_text);

	(void)data, (void)level;
	snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	memset(&fake, 0, sizeof(fake));
	log_text[0] = '\0';
	sys = vtc__sys_kernel;
	sys.read = fake_read;
	sys.readlink = fake_readlink;
	sys.process = fake_process;
	sys.lock = fake_lock;
	sys.close = fake_close;
	sys.now_ns = fake_now_ns;
	opts.clock = real_now_ns;
	sys.replace = fake_replace;
	sys.remove = fake_remove;
	tree = vtct_tree_new();
	opts.sysfs_root = tree->root;
	opts.state_dir = tree->state;
	opts.log = take_log;
	opts.log_level = VTC_LOG_DEBUG;
	ck_assert_errno(vtc__ctx_new(&opts, &sys, NULL, &ctx), 0);
	snprintf(path, sizeof(path), "%s/" NAME ".journal", tree->state);
	journal = NULL;
	fds = vtct_count_fds();
}

static void tear_down(void)
{
	vtc__journal_close(journal);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtc_ctx_unref(ctx);
	vtct_tree_free(tree);
}

static int open_journal(void)
{
	return vtc__journal_open(ctx, NAME, vtc__now_ns(ctx), &journal);
}

static void close_journal(void)
{
	vtc__journal_close(journal);
	journal = NULL;
}

static void reopen(void)
{
	close_journal();
	ck_assert_errno(open_journal(), 0);
}

static uint64_t add(const char *group, const char *kind, uint32_t tag, const char *data)
{
	uint64_t id = 0;

	ck_assert_errno(
		vtc__journal_add(journal, group, kind, tag, data, strlen(data), &id), 0);
	return id;
}

/* All records as text, "group/kind/tag=data " each. */
static const char *records(void)
{
	static char text[1024];
	const struct vtc__record *r = NULL;
	size_t used = 0;

	text[0] = '\0';
	while ((r = vtc__journal_foreach_next(journal, r)))
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s/%s/%u=%.*s ", r->group, r->kind, r->tag,
					 (int)r->len, (const char *)r->data);
	return text;
}

static bool file_exists(void)
{
	return access(path, F_OK) == 0;
}

/* The file as it is; the caller frees it. */
static char *read_file(size_t *ret_len)
{
	char *data = vtct_alloc(1 << 20);
	ssize_t n = vtc__sys_kernel.read(NULL, path, data, 1 << 20);

	ck_assert_int_ge(n, 0);
	*ret_len = (size_t)n;
	return data;
}

static void write_file(const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, len, file), len);
	fclose(file);
}

/* ---- What was written is read ---- */

START_TEST(records_are_there_again)
{
	char large[VTC__JOURNAL_DATA_MAX];
	const struct vtc__record *r;
	uint64_t first, last;

	memset(large, 0xa5, sizeof(large));
	ck_assert_errno(open_journal(), 0);
	ck_assert_str_eq(records(), "");
	first = add("", "guard", 0, "shared");
	add("vm.1", "slot", 0, "");
	add("a-name_of-31-bytes-that-is-full", "kind-of-15-byte", UINT32_MAX, "x");
	ck_assert_errno(
		vtc__journal_add(journal, "vm.1", "big", 1, large, sizeof(large), &last),
		0);
	ck_assert_uint_gt(last, first);
	reopen();
	r = vtc__journal_find(journal, last);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(r->len, sizeof(large));
	ck_assert_mem_eq(r->data, large, sizeof(large));
	ck_assert_uint_eq(r->pid, (unsigned int)getpid());
	ck_assert(vtc__record_mine(journal, r));
	ck_assert(vtc__record_alive(journal, r));
	ck_assert_errno(vtc__journal_remove(journal, last), 0);
	reopen();
	ck_assert_str_eq(records(),
			 "/guard/0=shared vm.1/slot/0= "
			 "a-name_of-31-bytes-that-is-full/kind-of-15-byte/4294967295=x ");
}
END_TEST

START_TEST(an_empty_journal_is_no_file)
{
	struct stat st;
	uint64_t id;

	ck_assert_errno(open_journal(), 0);
	close_journal();
	ck_assert(!file_exists());
	ck_assert_errno(open_journal(), 0);
	id = add("vm", "slot", 0, "");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_errno(vtc__journal_remove(journal, id), 0);
	ck_assert(!file_exists());
	/* Not even then is a number used again. */
	ck_assert_uint_gt(add("vm", "slot", 0, ""), id);
	ck_assert_errno(vtc__journal_remove(journal, id + 1), 0);
	close_journal();
	ck_assert(!file_exists());
}
END_TEST

START_TEST(a_number_is_not_used_again)
{
	uint64_t id;

	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "");
	id = add("vm", "b", 0, "");
	ck_assert_errno(vtc__journal_remove(journal, id - 1), 0);
	ck_assert_errno(vtc__journal_remove(journal, id), 0);
	close_journal();
	ck_assert(!file_exists());
	fake.now = 1000;
	ck_assert_errno(open_journal(), 0);
	id = add("vm", "a", 0, "");
	ck_assert_uint_eq(id, 1001);
	/* As long as there is one, they only rise. */
	fake.now = 500;
	reopen();
	ck_assert_uint_eq(add("vm", "b", 0, ""), id + 1);
	close_journal();
	fake.boot = "01234567-89ab-cdef-0123-456789abcdef\n";
	ck_assert_errno(open_journal(), 0);
	ck_assert_uint_eq(add("vm", "a", 0, ""), 501);
}
END_TEST

START_TEST(records_are_found_by_number)
{
	uint64_t a, b, c;

	ck_assert_errno(open_journal(), 0);
	ck_assert_ptr_null(vtc__journal_find_last(journal, UINT64_MAX));
	ck_assert_ptr_null(vtc__journal_find_next(journal, 0));
	a = add("vm", "a", 0, "");
	b = add("vm", "b", 0, "");
	c = add("vm", "c", 0, "");
	ck_assert_errno(vtc__journal_remove(journal, b), 0);
	ck_assert_ptr_null(vtc__journal_find(journal, b));
	ck_assert_uint_eq(vtc__journal_find_next(journal, 0)->id, a);
	ck_assert_uint_eq(vtc__journal_find_next(journal, a)->id, c);
	ck_assert_ptr_null(vtc__journal_find_next(journal, c));
	ck_assert_ptr_null(vtc__journal_find_next(journal, UINT64_MAX));
	ck_assert_uint_eq(vtc__journal_find_last(journal, UINT64_MAX)->id, c);
	ck_assert_uint_eq(vtc__journal_find_last(journal, c)->id, a);
	ck_assert_ptr_null(vtc__journal_find_last(journal, a));
}
END_TEST

START_TEST(records_are_changed)
{
	uint64_t id;

	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "one");
	id = add("vm", "b", 7, "two");
	add("vm", "c", 0, "three");
	ck_assert_errno(vtc__journal_update(journal, id, "longer than before", 18), 0);
	reopen();
	ck_assert_str_eq(records(), "vm/a/0=one vm/b/7=longer than before vm/c/0=three ");
	ck_assert_errno(vtc__journal_update(journal, id, NULL, 0), 0);
	reopen();
	ck_assert_str_eq(records(), "vm/a/0=one vm/b/7= vm/c/0=three ");
	ck_assert_errno(vtc__journal_update(journal, 99, "", 0), -ENOENT);
	ck_assert_errno(vtc__journal_remove(journal, 99), -ENOENT);
	ck_assert_errno(vtc__journal_update(journal, id, path, VTC__JOURNAL_DATA_MAX + 1),
			-EINVAL);
}
END_TEST

START_TEST(bad_words_are_refused)
{
	const char *const names[] = { "", ".", "..", "a/b", "a b", "\xc3\xa4", "a\n" };
	const char *const groups[] = { "a/b", "a b", "\x7f",
				       "a-name-of-32-bytes-that-is-over." };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_errno(vtc__journal_open(ctx, names[i], 0, &journal), -EINVAL);
	ck_assert_errno(open_journal(), 0);
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		ck_assert_errno(vtc__journal_add(journal, groups[i], "k", 0, "", 0, NULL),
				-EINVAL);
	ck_assert_errno(vtc__journal_add(journal, "g", "", 0, "", 0, NULL), -EINVAL);
	ck_assert_errno(
		vtc__journal_add(journal, "g", "kind-of-16-bytes", 0, "", 0, NULL),
		-EINVAL);
	ck_assert_errno(vtc__journal_add(journal, "g", "k", 0, path,
					 VTC__JOURNAL_DATA_MAX + 1, NULL),
			-EINVAL);
	ck_assert_str_eq(records(), "");
}
END_TEST

START_TEST(thousands_of_records)
{
	const struct vtc__record *r = NULL;
	unsigned int count = 0;

	/* More than the first buffer that it is read into. */
	ck_assert_errno(open_journal(), 0);
	while (count < 300)
		add("vm", "match", ++count, "0123456789012345678901234567890");
	reopen();
	count = 0;
	while ((r = vtc__journal_foreach_next(journal, r)))
		ck_assert_uint_eq(r->tag, ++count);
	ck_assert_uint_eq(count, 300);
}
END_TEST

START_TEST(more_than_a_file_may_have_is_refused)
{
	char data[VTC__JOURNAL_DATA_MAX] = "";
	struct vtc__record record = { .len = sizeof(data), .data = data };
	struct vtc__record *all[2100];
	struct vtc__journal_file file = { .record = all, .count = 2100 };
	void *bytes;
	size_t len, i;

	for (i = 0; i < file.count; i++)
		all[i] = &record;
	ck_assert_errno(vtc__journal_file_format(&file, &bytes, &len), -ENOSPC);
}
END_TEST

static int take_name(void *arg, const char *name)
{
	strcat(arg, name);
	strcat(arg, " ");
	return 0;
}

static int refuse_name(void *arg, const char *name)
{
	(void)arg, (void)name;
	return -ECANCELED;
}

START_TEST(journals_are_listed)
{
	char names[256] = "";

	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "");
	close_journal();
	ck_assert_errno(vtc__journal_open(ctx, "other", 0, &journal), 0);
	add("vm", "a", 0, "");
	close_journal();
	ck_assert_errno(vtc__journal_open(ctx, "card-empty", 0, &journal), 0);
	close_journal();
	ck_assert_errno(vtc__journal_list(ctx, "card-", take_name, names), 0);
	ck_assert_str_eq(names, NAME " ");
	ck_assert_errno(vtc__journal_list(ctx, "", refuse_name, NULL), -ECANCELED);
	vtct_remove_dir(tree->state);
	ck_assert_errno(vtc__journal_list(ctx, "", take_name, names), 0);
	ck_assert_str_eq(names, NAME " ");
}
END_TEST

/* ---- Files that are not right ---- */

/* Three records, closed; its bytes. */
static char *make_file(size_t *ret_len)
{
	ck_assert_errno(open_journal(), 0);
	add("", "guard", 0, "12345678");
	add("vm", "slot", 0, "123");
	add("vm", "match", 1, "");
	close_journal();
	return read_file(ret_len);
}

static void assert_refused(const void *data, size_t len)
{
	const struct vtc_error *error = vtc_ctx_last_error(ctx);
	char *after;
	size_t after_len;

	write_file(data, len);
	ck_assert_errno(open_journal(), -EBADMSG);
	ck_assert_int_eq(vtc_error_get_code(error), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(vtc_error_get_message(error), NAME ".journal"));
	ck_assert_ptr_nonnull(strstr(vtc_error_get_hint(error), "remove the file"));
	after = read_file(&after_len);
	ck_assert_uint_eq(after_len, len);
	ck_assert_mem_eq(after, data, len);
	free(after);
}

START_TEST(each_flipped_bit_is_seen)
{
	struct vtc__journal_file file;
	const char *why;
	size_t len, i;
	char *data = make_file(&len);
	unsigned int bit;

	ck_assert_errno(vtc__journal_file_parse(data, len, &file, &why), 0);
	vtc__journal_file_free(&file);
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			data[i] = (char)(data[i] ^ 1 << bit);
			ck_assert_errno(vtc__journal_file_parse(data, len, &file, &why),
					-EBADMSG);
			vtc__journal_file_free(&file);
			if (bit == i % 8)
				assert_refused(data, len);
			data[i] = (char)(data[i] ^ 1 << bit);
		}
	}
	free(data);
}
END_TEST

START_TEST(each_changed_byte_is_seen)
{
	struct vtc__journal_file file;
	const char *why;
	size_t len, i;
	char *data = make_file(&len);
	int delta;

	for (i = 0; i < len; i++) {
		for (delta = 1; delta < 256; delta += 2) {
			data[i] = (char)(data[i] + delta);
			ck_assert_errno(vtc__journal_file_parse(data, len, &file, &why),
					-EBADMSG);
			vtc__journal_file_free(&file);
			data[i] = (char)(data[i] - delta);
		}
	}
	free(data);
}
END_TEST

START_TEST(a_file_that_is_cut_or_longer_is_refused)
{
	size_t len, i;
	char *data = make_file(&len);

	for (i = 0; i < len; i++)
		assert_refused(data, i);
	memset(data + len, 0, 64);
	for (i = 1; i < 64; i++)
		assert_refused(data, len + i);
	write_file(data, len);
	ck_assert_errno(open_journal(), 0);
	ck_assert_str_eq(records(), "/guard/0=12345678 vm/slot/0=123 vm/match/1= ");
	free(data);
}
END_TEST

static void assert_lie_refused(const char *data, size_t len, size_t at, uint64_t value,
			       size_t size, const char *want)
{
	unsigned char *lie = vtct_alloc(len);
	size_t i;

	memcpy(lie, data, len);
	for (i = 0; i < size; i++)
		lie[at + i] = (unsigned char)(value >> (8 * i));
	vtct_journal_sum(lie, len);
	assert_refused(lie, len);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_message(vtc_ctx_last_error(ctx)), want));
	free(lie);
}

START_TEST(lies_with_the_right_checksum_are_refused)
{
	size_t len;
	char *data = make_file(&len);
	/* 80 bytes of header, 80 + 8 of the first record, 80 + 8 of the second. */
	const size_t first = 80, second = 168, third = 256;

	ck_assert_uint_eq(len, 336);
	assert_lie_refused(data, len, 8, 2, 4, "later version");
	assert_lie_refused(data, len, 8, 0, 4, "begin");
	assert_lie_refused(data, len, 12, 2, 4, "more than its records");
	assert_lie_refused(data, len, 12, 4, 4, "cut off");
	assert_lie_refused(data, len, 12, UINT32_MAX, 4, "cut off");
	assert_lie_refused(data, len, 16, len + 8, 8, "its length");
	assert_lie_refused(data, len, 16, len + (1ull << 32), 8, "its length");
	assert_lie_refused(data, len, 24, 3, 8, "number");
	assert_lie_refused(data, len, 24, UINT64_MAX, 8, "next number");
	assert_lie_refused(data, len, 40 + 36, 'a', 1, "start of the machine");
	assert_lie_refused(data, len, first, 0, 8, "number");
	assert_lie_refused(data, len, second, 1, 8, "number");
	assert_lie_refused(data, len, third, UINT64_MAX, 8, "number");
	assert_lie_refused(data, len, first + 16, 0x80000000u, 4, "owner");
	assert_lie_refused(data, len, first + 24, 8193, 4, "length");
	assert_lie_refused(data, len, first + 24, UINT32_MAX, 4, "length");
	assert_lie_refused(data, len, first + 24, UINT32_MAX - 6, 4, "length");
	assert_lie_refused(data, len, third + 24, 1, 4, "length");
	assert_lie_refused(data, len, second + 32 + 1, '/', 1, "name");
	assert_lie_refused(data, len, second + 64, 0, 1, "name");
	assert_lie_refused(data, len, second + 80 + 3, 1, 1, "gap");
	assert_lie_refused(data, len, second + 32 + 5, 'a', 1, "name");
	assert_lie_refused(data, len, second + 64 + 15, 'a', 1, "name");
	assert_lie_refused(data, len, 40 + 39, 'a', 1, "start of the machine");
	memset(data + second + 32, 'a', VTC__GROUP_LEN);
	assert_lie_refused(data, len, 0, 'v', 1, "name");
	memset(data + second + 32, 0, VTC__GROUP_LEN);
	memset(data + second + 64, 'a', VTC__KIND_LEN);
	assert_lie_refused(data, len, 0, 'v', 1, "name");
	free(data);
}
END_TEST

/* ---- Disks that fail ---- */

/* One change, of each sort. */
static int change(unsigned int sort)
{
	switch (sort) {
	case 0:
		return vtc__journal_add(journal, "vm", "new", 0, "", 0, NULL);
	case 1:
		return vtc__journal_update(journal, 1, "other", 5);
	case 2:
		return vtc__journal_remove(journal, 1);
	default:
		return vtc__journal_own(journal, "vm", 0, true);
	}
}

static bool kept(void)
{
	return vtc__journal_find(journal, 1)->pid == 0;
}

/* The change fails, was made on the disk or not: it is as if it had never been tried. */
static void change_fails(unsigned int sort, bool done)
{
	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "one");
	add("vm", "b", 0, "two");
	fake.fail = 1;
	fake.done = done;
	ck_assert_errno(change(sort), -EIO);
	ck_assert_str_eq(records(), "vm/a/0=one vm/b/0=two ");
	ck_assert(!kept());
	reopen();
	ck_assert_str_eq(records(), "vm/a/0=one vm/b/0=two ");
	ck_assert(!kept());
	ck_assert_errno(change(sort), 0);
}

START_TEST(a_change_that_fails_was_never_made)
{
	change_fails((unsigned int)_i, false);
}
END_TEST

START_TEST(a_change_that_failed_late_is_taken_back)
{
	change_fails((unsigned int)_i, true);
}
END_TEST

START_TEST(the_last_removal_may_fail)
{
	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "one");
	fake.fail = 1;
	fake.done = _i;
	ck_assert_errno(vtc__journal_remove(journal, 1), -EIO);
	ck_assert_str_eq(records(), "vm/a/0=one ");
	reopen();
	ck_assert_str_eq(records(), "vm/a/0=one ");
}
END_TEST

START_TEST(what_an_interrupted_write_left_does_no_harm)
{
	char name[VTCT_PATH_MAX + 8];
	FILE *file;

	snprintf(name, sizeof(name), "%s.new", path);
	file = fopen(name, "w");
	ck_assert_ptr_nonnull(file);
	fputs("half", file);
	fclose(file);
	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "");
	reopen();
	ck_assert_str_eq(records(), "vm/a/0= ");
	ck_assert_int_ne(access(name, F_OK), 0);
}
END_TEST

/* ---- Owners ---- */

/* A child that adds a record and ends; it stays a zombie. */
static pid_t add_in_child(void)
{
	siginfo_t info;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (open_journal() ||
		    vtc__journal_add(journal, "vm", "a", 0, "", 0, NULL))
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(info.si_status, 0);
	return pid;
}

static bool first_alive(void)
{
	return vtc__record_alive(journal, vtc__journal_find_next(journal, 0));
}

START_TEST(who_has_ended_is_dead)
{
	pid_t pid = add_in_child();

	ck_assert_errno(open_journal(), 0);
	ck_assert_uint_eq(vtc__journal_find_next(journal, 0)->pid, (unsigned int)pid);
	ck_assert(!vtc__record_mine(journal, vtc__journal_find_next(journal, 0)));
	ck_assert(!first_alive()); /* a zombie */
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(!first_alive());
}
END_TEST

START_TEST(who_goes_on_is_alive)
{
	int to[2], from[2];
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(to) | pipe(from), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(to[1]);
		if (open_journal() ||
		    vtc__journal_add(journal, "vm", "a", 0, "", 0, NULL))
			_exit(1);
		close_journal();
		if (write(from[1], "", 1) != 1 || read(to[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(to[0]);
	ck_assert_int_eq(read(from[0], &byte, 1), 1);
	ck_assert_errno(open_journal(), 0);
	ck_assert(first_alive());
	close(to[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(!first_alive());
	close(from[0]);
	close(from[1]);
}
END_TEST

START_TEST(a_number_that_is_used_again_is_another_process)
{
	char same[128], other[128];
	const struct vtc__record *r;
	pid_t pid = add_in_child();

	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(open_journal(), 0);
	r = vtc__journal_find_next(journal, 0);
	snprintf(fake.stat_path, sizeof(fake.stat_path), "/proc/%d/stat", (int)pid);
	snprintf(same, sizeof(same),
		 "%d (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu", (int)pid,
		 (unsigned long long)r->start);
	snprintf(other, sizeof(other),
		 "%d (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu", (int)pid,
		 (unsigned long long)r->start + 1);
	fake.stat = same;
	ck_assert(first_alive());
	fake.stat = other;
	ck_assert(!first_alive());
}
END_TEST

START_TEST(who_is_hidden_counts_as_alive)
{
	pid_t pid = add_in_child();

	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(open_journal(), 0);
	snprintf(fake.stat_path, sizeof(fake.stat_path), "/proc/%d/stat", (int)pid);
	fake.stat_error = -EACCES;
	fake.process = 1;
	ck_assert(first_alive());
	fake.stat_error = -ENOENT;
	ck_assert(first_alive());
	fake.process = -ESRCH;
	ck_assert(!first_alive());
	fake.process = 1;
	fake.stat = "no such text";
	ck_assert(first_alive());
}
END_TEST

/* In another container its number means nothing, or somebody else. */
START_TEST(who_is_in_another_pid_namespace_counts_as_alive)
{
	const char *const unknown[] = { "", "pid:[]", "pid:[12", "net:[12]" };
	pid_t pid;

	fake.pidns = "pid:[4026532001]";
	pid = add_in_child();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(open_journal(), 0);
	ck_assert(!first_alive());
	close_journal();
	fake.pidns = "pid:[4026532002]";
	ck_assert_errno(open_journal(), 0);
	ck_assert(first_alive());
	ck_assert(!vtc__record_mine(journal, vtc__journal_find_next(journal, 0)));
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		close_journal();
		fake.pidns = unknown[i];
		ck_assert_errno(open_journal(), 0);
		ck_assert(!first_alive());
	}
}
END_TEST

/* The first namespace sees whether anybody is left in the other one. */
START_TEST(who_was_in_a_pid_namespace_that_is_gone_is_dead)
{
	pid_t pid;

	fake.pidns = "pid:[4026532001]";
	pid = add_in_child();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	fake.pidns = "pid:[4026531836]";
	fake.pidns_others = "pid:[4026531836]";
	ck_assert_errno(open_journal(), 0);
	ck_assert(!first_alive());
	fake.pidns_others = "pid:[4026532001]";
	ck_assert(first_alive());
	fake.pidns_error = -EACCES;
	ck_assert(first_alive());
	fake.pidns_error = -ENOENT; /* they end just now */
	ck_assert(!first_alive());
}
END_TEST

/* The /proc of outside shows our number of outside; only others like us can use that. */
START_TEST(with_the_proc_of_outside_its_numbers_are_noted)
{
	const struct vtc__record *r;

	fake.pidns = "pid:[4026532001]";
	strcpy(fake.stat_path, "/proc/self/stat");
	fake.stat = "2147483647 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711";
	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "");
	r = vtc__journal_find_next(journal, 0);
	ck_assert_uint_eq(r->pid, INT32_MAX);
	ck_assert_uint_eq(r->start, 4711);
	ck_assert_uint_eq(r->pidns, ~4026532001u);
	ck_assert(vtc__record_mine(journal, r));
	fake.stat = "2147483646 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4712";
	reopen();
	ck_assert(!first_alive());
	fake.stat_path[0] = '\0';
	reopen();
	ck_assert(first_alive());
}
END_TEST

START_TEST(what_stays_has_no_owner)
{
	pid_t pid;

	ck_assert_errno(open_journal(), 0);
	add("", "guard", 0, "");
	close_journal();
	pid = add_in_child();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(open_journal(), 0);
	add("vm", "b", 0, "");
	fake.replaced = 0;
	ck_assert_errno(vtc__journal_own(journal, "vm", 0, true), 0);
	ck_assert_uint_eq(fake.replaced, 1);
	ck_assert_errno(vtc__journal_own(journal, "vm", 0, true), 0);
	ck_assert_uint_eq(fake.replaced, 1); /* nothing was to be changed */
	reopen();
	ck_assert_uint_eq(vtc__journal_find(journal, 1)->pid, (unsigned int)getpid());
	ck_assert_uint_eq(vtc__journal_find(journal, 2)->pid, 0);
	ck_assert_uint_eq(vtc__journal_find(journal, 3)->pid, 0);
	ck_assert(vtc__record_alive(journal, vtc__journal_find(journal, 2)));
	ck_assert_errno(vtc__journal_own(journal, "vm", 0, false), 0);
	reopen();
	ck_assert(vtc__record_mine(journal, vtc__journal_find(journal, 2)));
	ck_assert(vtc__record_mine(journal, vtc__journal_find(journal, 3)));
	ck_assert_errno(vtc__journal_own(journal, "vm", 0, true), 0);
	add("vm", "c", 5, "");
	ck_assert_errno(vtc__journal_own(journal, "vm", 5, true), 0);
	ck_assert_errno(vtc__journal_own(journal, "vm", 4, false), 0);
	reopen();
	for (uint64_t id = 2; id <= 4; id++)
		ck_assert_uint_eq(vtc__journal_find(journal, id)->pid, 0);
	ck_assert_errno(vtc__journal_own(journal, "vm", 5, false), 0);
	reopen();
	ck_assert_uint_eq(vtc__journal_find(journal, 3)->pid, 0);
	ck_assert(vtc__record_mine(journal, vtc__journal_find(journal, 4)));
}
END_TEST

START_TEST(what_stat_tells)
{
#define REST " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 "
	struct vtc__process p;
	const char *const broken[] = { "",
				       "12 (x",
				       "12 (x)",
				       "12 (x) S",
				       "12 (x) S 1 2 3",
				       "12 (x) S" REST "1 0",
				       "12 (x) S" REST "1 0 -5",
				       "12 (x) S" REST "x 0 5",
				       "x (x) S" REST "1 0 5",
				       "-1 (x) S" REST "1 0 5",
				       "12 (x) S" REST "1 0 99999999999999999999" };
	const char zombie[] = "1 (x) Z" REST "1 0 5", first[] = "1 (x) Z" REST "2 0 5";
	const char name[] = "12 (a) Z 1 (b) c) S" REST "1 0 4711 9 9\n";
	char zero[] = "12 (x) S" REST "1 0 5 9";
	size_t i;

	ck_assert_errno(vtc__process_parse(name, strlen(name), &p), 0);
	ck_assert_uint_eq(p.pid, 12);
	ck_assert_uint_eq(p.start, 4711);
	ck_assert(!p.dead);
	ck_assert_errno(vtc__process_parse(zombie, strlen(zombie), &p), 0);
	ck_assert(p.dead);
	ck_assert_errno(vtc__process_parse(first, strlen(first), &p), 0);
	ck_assert(!p.dead); /* its first thread has ended, others go on */
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		ck_assert_errno(vtc__process_parse(broken[i], strlen(broken[i]), &p),
				-EPROTO);
	zero[12] = '\0';
	ck_assert_errno(vtc__process_parse(zero, sizeof(zero), &p), -EPROTO);
#undef REST
}
END_TEST

START_TEST(an_earlier_start_of_the_machine_is_over)
{
	ck_assert_errno(open_journal(), 0);
	add("vm", "a", 0, "");
	add("vm", "b", 0, "");
	close_journal();
	fake.boot = "01234567-89ab-cdef-0123-456789abcdef\n";
	ck_assert_errno(open_journal(), 0);
	ck_assert_str_eq(records(), "");
	ck_assert_ptr_nonnull(strstr(log_text, NAME ": 2 records of an earlier start"));
	close_journal();
	ck_assert(!file_exists());
	ck_assert_errno(open_journal(), 0);
	add("vm", "c", 0, "");
	reopen();
	ck_assert_str_eq(records(), "vm/c/0= ");
}
END_TEST

START_TEST(without_proc_nothing_is_done)
{
	fake.boot = "no such id\n";
	ck_assert_errno(open_journal(), -EPROTO);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "/proc"));
	fake.boot = NULL;
	strcpy(fake.stat_path, "/proc/self/stat");
	fake.stat_error = -ENOENT;
	ck_assert_errno(open_journal(), -ENOENT);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "/proc"));
}
END_TEST

/* ---- Undoing ---- */

static char undone_text[1024];

/* Kinds "good", "bad" and "told": the last two fail, one of them in words. */
static int undo(void *env, const struct vtc__record *r)
{
	ck_assert_ptr_eq(env, ctx);
	strcat(undone_text, r->kind);
	strncat(undone_text, r->data, r->len);
	strcat(undone_text, " ");
	if (strcmp(r->kind, "bad") == 0)
		return -EBUSY;
	if (strcmp(r->kind, "told") != 0)
		return 0;
	vtc__err(ctx, -EPERM, VTC_ERROR_ORIGIN_LIBRARY, "undo", "it");
	vtc__err_message(ctx, "said in words");
	return -EPERM;
}

static bool of_vm(void *arg, const struct vtc__record *r)
{
	return strcmp(r->group, arg) == 0;
}

START_TEST(undoing_goes_backwards_and_past_failures)
{
	struct vtc__undone undone = { .undone = 0 };
	char vm[] = "vm";

	undone_text[0] = '\0';
	ck_assert_errno(open_journal(), 0);
	add("vm", "good", 0, "1");
	add("vm", "told", 0, "2");
	add("other", "good", 0, "3");
	add("vm", "bad", 0, "4");
	add("vm", "good", 0, "5");
	ck_assert_errno(vtc__journal_undo(journal, undo, ctx, of_vm, vm, &undone),
			-EBUSY);
	ck_assert_str_eq(undone_text, "good5 bad4 told2 good1 ");
	ck_assert_uint_eq(undone.undone, 2);
	ck_assert_uint_eq(undone.failed, 2);
	ck_assert_int_eq(undone.error, -EBUSY);
	ck_assert_str_eq(undone.text,
			 "bad: Device or resource busy\ntold: said in words");
	reopen();
	ck_assert_str_eq(records(), "vm/told/0=2 other/good/0=3 vm/bad/0=4 ");
	/* Once more: what is left is tried again; numbers add up. */
	ck_assert_errno(vtc__journal_undo(journal, undo, ctx, of_vm, vm, &undone),
			-EBUSY);
	ck_assert_uint_eq(undone.failed, 4);
	ck_assert_errno(vtc__journal_undo(journal, undo, ctx, of_vm, vm, NULL), -EBUSY);
}
END_TEST

START_TEST(an_undone_record_that_stays_is_a_failure)
{
	struct vtc__undone undone = { .undone = 0 };
	char vm[] = "vm";

	undone_text[0] = '\0';
	ck_assert_errno(open_journal(), 0);
	add("vm", "good", 0, "1");
	add("vm", "good", 0, "2");
	fake.fail = 1;
	ck_assert_errno(vtc__journal_undo(journal, undo, ctx, of_vm, vm, &undone), -EIO);
	ck_assert_uint_eq(undone.undone, 1);
	ck_assert_uint_eq(undone.failed, 1);
	ck_assert_str_eq(records(), "vm/good/0=2 ");
}
END_TEST

START_TEST(many_failures_are_cut)
{
	struct vtc__undone undone = { .undone = 0 };
	unsigned int i;
	char vm[] = "vm";

	ck_assert_errno(open_journal(), 0);
	for (i = 0; i < 100; i++)
		add("vm", "bad", 0, "");
	undone_text[0] = '\0';
	ck_assert_errno(vtc__journal_undo(journal, undo, ctx, of_vm, vm, &undone),
			-EBUSY);
	ck_assert_uint_eq(undone.failed, 100);
	ck_assert_uint_eq(strlen(undone.text), sizeof(undone.text) - 1);
}
END_TEST

/* ---- Two processes ---- */

START_TEST(one_at_a_time)
{
	struct vtc__journal *second;
	char byte = 0;
	int held[2], go[2];
	pid_t pid;

	ck_assert_int_eq(pipe(held) | pipe(go), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(go[1]);
		if (open_journal() || write(held[1], "", 1) != 1 ||
		    read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(go[0]);
	ck_assert_int_eq(read(held[0], &byte, 1), 1);
	ck_assert_errno(vtc__journal_open(ctx, NAME,
					  vtc__now_ns(ctx) + 30 * VTC__NS_PER_MS,
					  &second),
			-EBUSY);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EBUSY);
	/* The lock ends with the process, however that ends. */
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_errno(open_journal(), 0);
	close(go[1]);
	close(held[0]);
	close(held[1]);
}
END_TEST

/* What a child does that is killed on its way; true: it was done with it. */
static bool work_until_killed(unsigned int k)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fake.calls = 0;
		fake.kill = k;
		if (open_journal())
			_exit(1);
		(void)vtc__journal_add(journal, "vm", "a", 0, "one", 3, NULL);
		(void)vtc__journal_add(journal, "vm", "b", 0, "two", 3, NULL);
		(void)vtc__journal_update(journal, 2, "2", 1);
		(void)vtc__journal_remove(journal, 1);
		(void)vtc__journal_own(journal, "vm", 0, true);
		(void)vtc__journal_remove(journal, 2);
		close_journal();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

START_TEST(killed_anywhere_the_next_finds_a_whole_journal)
{
	const char *const states[] = { "", "vm/a/0=one ", "vm/a/0=one vm/b/0=two ",
				       "vm/a/0=one vm/b/0=2 ", "vm/b/0=2 " };
	unsigned int k, seen = 0;
	size_t i;

	for (k = 1; k < 100 && !work_until_killed(k); k++) {
		ck_assert_errno(open_journal(), 0);
		for (i = 0; i < 5 && strcmp(records(), states[i]) != 0; i++)
			;
		ck_assert_msg(i < 5, "killed at %u: %s", k, records());
		seen |= 1u << i;
		close_journal();
		unlink(path);
	}
	ck_assert_uint_gt(k, 10);
	ck_assert_uint_lt(k, 100);
	ck_assert_uint_eq(seen, 31);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("journal");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, records_are_there_again);
	tcase_add_test(t, an_empty_journal_is_no_file);
	tcase_add_test(t, a_number_is_not_used_again);
	tcase_add_test(t, records_are_found_by_number);
	tcase_add_test(t, records_are_changed);
	tcase_add_test(t, bad_words_are_refused);
	tcase_add_test(t, thousands_of_records);
	tcase_add_test(t, more_than_a_file_may_have_is_refused);
	tcase_add_test(t, journals_are_listed);
	tcase_add_test(t, each_flipped_bit_is_seen);
	tcase_add_test(t, each_changed_byte_is_seen);
	tcase_add_test(t, a_file_that_is_cut_or_longer_is_refused);
	tcase_add_test(t, lies_with_the_right_checksum_are_refused);
	tcase_add_loop_test(t, a_change_that_fails_was_never_made, 0, 4);
	tcase_add_loop_test(t, a_change_that_failed_late_is_taken_back, 0, 4);
	tcase_add_loop_test(t, the_last_removal_may_fail, 0, 2);
	tcase_add_test(t, what_an_interrupted_write_left_does_no_harm);
	tcase_add_test(t, who_has_ended_is_dead);
	tcase_add_test(t, who_goes_on_is_alive);
	tcase_add_test(t, a_number_that_is_used_again_is_another_process);
	tcase_add_test(t, who_is_hidden_counts_as_alive);
	tcase_add_test(t, who_is_in_another_pid_namespace_counts_as_alive);
	tcase_add_test(t, who_was_in_a_pid_namespace_that_is_gone_is_dead);
	tcase_add_test(t, with_the_proc_of_outside_its_numbers_are_noted);
	tcase_add_test(t, what_stays_has_no_owner);
	tcase_add_test(t, what_stat_tells);
	tcase_add_test(t, an_earlier_start_of_the_machine_is_over);
	tcase_add_test(t, without_proc_nothing_is_done);
	tcase_add_test(t, undoing_goes_backwards_and_past_failures);
	tcase_add_test(t, an_undone_record_that_stays_is_a_failure);
	tcase_add_test(t, many_failures_are_cut);
	tcase_add_test(t, one_at_a_time);
	tcase_add_test(t, killed_anywhere_the_next_finds_a_whole_journal);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
