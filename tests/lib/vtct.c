/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcheck's own TAP writer knows no skip, and its results know no test names. So
 * libcheck writes its TAP to a memory file for the names, and we print ours from that and
 * from the results.
 */
#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vtct.h"

int vtct_inside;

static char base_dir[64];

void vtct_die(const char *format, ...)
{
	va_list ap;

	fputs("test helper: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void *vtct_alloc(size_t size)
{
	void *new = vtct_realloc(NULL, size);

	return memset(new, 0, size);
}

void *vtct_realloc(void *old, size_t size)
{
	void *new;

	vtct_inside++;
	new = realloc(old, size);
	vtct_inside--;
	if (!new)
		vtct_die("memory is out");
	return new;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void vtct_remove_dir(const char *path)
{
	vtct_inside++;
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	vtct_inside--;
}

const char *vtct_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (base_dir[0])
		return base_dir;
	snprintf(base_dir, sizeof(base_dir), "%.40s/vtct-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(base_dir))
		vtct_die("mkdtemp %s: %s", base_dir, strerror(errno));
	return base_dir;
}

int vtct_count_fds(void)
{
	int count = 0;
	DIR *dir;

	vtct_inside++;
	dir = opendir("/proc/self/fd");
	if (!dir)
		vtct_die("/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		count++;
	closedir(dir);
	vtct_inside--;
	return count - 3; /* ".", ".." and the directory itself */
}

Suite *vtct_suite(const char *name, ...)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	const TTest *test;
	va_list ap;

	va_start(ap, name);
	while ((test = va_arg(ap, const TTest *)))
		tcase_add_test(tcase, test);
	va_end(ap);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}

/* "not ok 3 - file:case:test: message", cut down to "test". */
static char *test_name(char *line)
{
	char *name = strstr(line, " - ");
	char *end;
	int i;

	for (i = 0; name && i < 2; i++) {
		name = strchr(name, ':');
		if (name)
			name++;
	}
	if (!name)
		return line;
	end = strchr(name, ':');
	if (end)
		*end = '\0';
	return name;
}

/* Each line of a message that may have several. */
static void print_diagnostics(const char *message)
{
	const char *end;

	for (; *message; message = end + (*end == '\n')) {
		end = strchrnul(message, '\n');
		printf("# %.*s\n", (int)(end - message), message);
	}
}

static int print_result(int number, const char *name, TestResult *result)
{
	const char *message = tr_msg(result);

	if (tr_rtype(result) == CK_PASS) {
		printf("ok %d - %s\n", number, name);
		return 0;
	}
	if (strncmp(message, "SKIP: ", 6) == 0) {
		printf("ok %d - %s # SKIP %s\n", number, name, message + 6);
		return 0;
	}
	printf("not ok %d - %s\n", number, name);
	printf("# %s:%d:\n", tr_lfile(result), tr_lno(result));
	print_diagnostics(message);
	return 1;
}

static int print_results(SRunner *runner, FILE *log)
{
	int number, failed = 0, count = srunner_ntests_run(runner);
	TestResult **results = srunner_results(runner);
	char *line = NULL;
	size_t room = 0;

	for (number = 1; number <= count; number++) {
		/*
		 * A message with a newline in it leaves lines behind that are no results.
		 */
		do {
			if (getline(&line, &room, log) < 0)
				vtct_die("libcheck wrote fewer results than it has");
		} while (strncmp(line, "ok ", 3) != 0 &&
			 strncmp(line, "not ok ", 7) != 0);
		failed += print_result(number, test_name(line), results[number - 1]);
	}
	printf("1..%d\n", count);
	free(line);
	free(results);
	return failed;
}

static FILE *memory_file(char *path, size_t len)
{
	int fd = memfd_create("tap", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		vtct_die("memfd: %s", strerror(errno));
	snprintf(path, len, "/proc/self/fd/%d", fd);
	return file;
}

int vtct_main(Suite *first, ...)
{
	SRunner *runner = srunner_create(first);
	pid_t self = getpid();
	char path[32];
	FILE *log = memory_file(path, sizeof(path));
	Suite *suite;
	va_list ap;
	int failed;

	va_start(ap, first);
	while ((suite = va_arg(ap, Suite *)))
		srunner_add_suite(runner, suite);
	va_end(ap);
	vtct_dir();
	srunner_set_tap(runner, path);
	srunner_run_all(runner, CK_SILENT);
	failed = print_results(runner, log);
	if (getpid() == self)
		vtct_remove_dir(vtct_dir());
	fclose(log);
	srunner_free(runner);
	return failed ? 1 : 0;
}
