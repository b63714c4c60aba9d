/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives a target each file of its corpus, whole and cut at every length: what libFuzzer once found stays
 * found, on machines without clang as well. Files can also be named: fuzz/replay-x FILE...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vtct.h"

#define INPUT_MAX (1u << 20)

static unsigned char *read_file(const char *path, size_t *ret_len)
{
	unsigned char *data = vtct_alloc(INPUT_MAX);
	FILE *file = fopen(path, "rb");

	if (!file)
		vtct_die("%s: %s", path, strerror(errno));
	*ret_len = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	return data;
}

/* In memory of its exact size, as libFuzzer does it. */
static void give(const unsigned char *data, size_t len)
{
	unsigned char *copy = vtct_alloc(len ? len : 1);

	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void replay(int number, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len, cut, step;
	unsigned char *data = read_file(path, &len);

	step = len > 1024 ? 7 : 1; /* no multiple of what attributes are aligned to */
	for (cut = 0; cut < len; cut += step)
		give(data, cut);
	give(data, len);
	free(data);
	printf("ok %d - %s\n", number, slash ? slash + 1 : path);
	fflush(stdout);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_corpus(const char *program)
{
	const char *top = getenv("top_srcdir"), *name = strstr(program, "replay-");
	struct dirent **entries;
	char path[4096];
	int i, count;

	if (!name || !top) {
		fprintf(stderr, "usage: %s FILE... (or set top_srcdir)\n", program);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top, name + 7);
	count = scandir(path, &entries, not_hidden, alphasort);
	if (count <= 0)
		vtct_die("%s: no corpus", path);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s/%s", top, name + 7,
			 entries[i]->d_name);
		replay(i + 1, path);
		free(entries[i]);
	}
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	int i, count = argc - 1;

	for (i = 1; i < argc; i++)
		replay(i, argv[i]);
	if (!count)
		count = replay_corpus(argv[0]);
	if (count < 0)
		return 2;
	printf("1..%d\n", count);
	return 0;
}
